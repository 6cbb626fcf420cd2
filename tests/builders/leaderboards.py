"""A leaderboard of realistic records, of any size: several checkpoints and seeds, some failures."""

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np

from builders.records import (
    failed_record,
    make_cell,
    predicted_record,
    skipped_record,
)
from harness.judging.leaderboard import leaderboard
from harness.report import Published, publish
from harness.report.published import as_json
from harness.store.records import Confusion, Record, Scores, Times, time_to_target
from harness.suite.plan import Cell

CHECKPOINTS = (
    "org/tiny-encoder",
    "org/distilled-encoder-base-uncased",
    "package:some_small_model/model",
    "org/large-encoder-v3",
)

SENTENCES = 300
SOURCES = ("bc01", "c-05", "ks08")
LENGTHS = {
    "1-4 words": 4,
    "5-6 words": 6,
    "7-9 words": 9,
    "10-13 words": 13,
    "14 words or more": 99,
}


@functools.cache
def board(
    checkpoints: tuple[str, ...] = CHECKPOINTS,
    batch_sizes: tuple[int, ...] = (16, 32),
    learning_rates: tuple[float, ...] = (2e-5, 5e-5, 1e-4),
    seeds: tuple[int, ...] = (0, 1, 2),
) -> Published:
    """Build a leaderboard in which later checkpoints are slower and better.

    The runs of the second checkpoint shared the machine. Those of the first have warnings. Of the
    last two cells, one was skipped and one has a failed run.
    """
    random = np.random.default_rng(0)
    labels = (random.random(SENTENCES) < 0.7).astype(int)
    source = random.choice(SOURCES, SENTENCES)
    words = random.integers(2, 25, SENTENCES)
    cells = [
        make_cell(checkpoint, size, rate, seeds, id=f"cell-{number}-bs{size}-lr{rate:g}")
        for number, checkpoint in enumerate(checkpoints)
        for size in batch_sizes
        for rate in learning_rates
    ]
    records: list[Record] = []
    for number, cell in enumerate(cells):
        place = checkpoints.index(cell.checkpoint)
        for seed in seeds:
            if len(cells) - number == 1:
                records.append(skipped_record(cell, seed))
            elif len(cells) - number == 2 and seed == seeds[-1]:
                records.append(failed_record(cell, seed))
            else:
                records.append(_record(cell, seed, place, labels, source, words, random))
    return publish("sample", cells, records)


def repeated(published: Published, times: int) -> Published:
    """Build a larger leaderboard: repeat cells and records under other checkpoint names."""
    cells, records = [], []
    for number in range(times):
        name = f"org/encoder-{number}"
        ids = {cell.id: f"{cell.id}-{number}" for cell in published.cells}
        rates = {
            cell.id: cell.learning_rate * (1 + place) for place, cell in enumerate(published.cells)
        }
        cells += [
            replace(cell, id=ids[cell.id], checkpoint=name, learning_rate=rates[cell.id])
            for cell in published.cells
        ]
        records += [
            record.model_copy(
                update={
                    "cell": ids[record.cell],
                    "checkpoint": name,
                    "learning_rate": rates[record.cell],
                }
            )
            for record in published.records
        ]
    return publish(published.suite, cells, records)


def _record(
    cell: Cell,
    seed: int,
    place: int,
    labels: np.ndarray,
    source: np.ndarray,
    words: np.ndarray,
    random: np.random.Generator,
) -> Record:
    error = 0.36 - 0.05 * (place % 5) - 0.02 * (cell.batch_size == 32)
    error += 0.02 * np.log(cell.learning_rate / 5e-5) ** 2 + random.normal(0, 0.01)
    predictions = np.array(
        [
            np.where(
                random.random(SENTENCES) < error + 0.12 * np.exp(-epoch) + 0.08 * (words > 13),
                1 - labels,
                labels,
            )
            for epoch in range(5)
        ]
    )
    record = predicted_record(cell, seed, labels, predictions)
    assert record.scores is not None
    assert record.selected_epoch is not None
    predicted = predictions[record.selected_epoch - 1]
    train = 60 * (1 + place % 5) ** 1.7 * (1.25 if cell.batch_size == 16 else 1.0)
    train *= 1 + 0.02 * random.random()
    evaluate = 1.3 * (1 + place % 5) ** 1.4 * SENTENCES / 1000
    lengths = list(LENGTHS.values())
    epochs = tuple(
        epoch.model_copy(update={"seconds": train * epoch.epoch / 5}) for epoch in record.epochs
    )
    changes = {
        "confusion_by": {
            "source": {name: confusion(labels, predicted, source == name) for name in SOURCES},
            "length": {
                name: confusion(labels, predicted, (words <= most) & (words > least))
                for (name, most), least in zip(LENGTHS.items(), [0, *lengths], strict=False)
            },
        },
        "epochs": epochs,
        "times": Times(load=1.0, tokenise=2.0, train=train, evaluate=evaluate, total=train + 6),
        "samples_per_second": record.training.epochs * 8551 / train,
        "eval_ms_per_sentence": 1000 * evaluate / SENTENCES,
        "time_to_target_seconds": time_to_target(epochs, cell.target),
        "finished_at": "2026-01-02T04:04:05+00:00",
        "peak_memory_mb": 700.0 + 400 * (place % 5),
        "parameters": int(14e6 * (1 + place % 5) ** 1.5),
        "concurrency": 2 if place == 1 else 1,
        "scores_in_domain": Scores(mcc=record.scores.mcc + 0.03, accuracy=0.7, f1=0.8),
        "scores_out_of_domain": Scores(mcc=record.scores.mcc - 0.03, accuracy=0.7, f1=0.8),
        "warnings": ("3 sentences were cut at the maximum length",) if place == 0 else (),
    }
    return record.model_copy(update=changes)


def confusion(labels: np.ndarray, predicted: np.ndarray, chosen: np.ndarray) -> Confusion:
    """Count the chosen sentences by label and prediction."""
    label, given = labels[chosen] == 1, predicted[chosen] == 1
    return Confusion(
        true_positive=int((label & given).sum()),
        false_positive=int((~label & given).sum()),
        false_negative=int((label & ~given).sum()),
        true_negative=int((~label & ~given).sum()),
    )


def publish_to(folder: Path, cells: list[Cell], found: list[Record]) -> Path:
    """Write leaderboard.json alone: the pictures take longer to draw."""
    folder.mkdir(parents=True, exist_ok=True)
    text = as_json(publish("sample", cells, found), leaderboard(cells, found))
    (folder / "leaderboard.json").write_text(text, encoding="utf-8")
    return folder
