"""Writes a leaderboard.json of many runs with the harness of the checkout in the working folder.

`python benchmarks/speed/many_records.py FOLDER CHECKPOINTS CELLS SEEDS EPOCHS`, with the checkout
in PYTHONPATH: each version of the harness makes its own records, because it need not read those of
another version. Every run has predictions of its own for as many sentences as CoLA's validation
split has, with sources.
"""

import sys
from itertools import product
from pathlib import Path

import numpy as np

sys.path.append(str(Path.cwd() / "tests"))  # of that checkout

from builders.leaderboards import publish_to
from builders.records import COLA, make_cell, make_record

from harness.machine.provenance import RECIPE_VERSION
from harness.store.class_counts import packed_counts
from harness.store.classes import pack
from harness.store.grouping import Grouping
from harness.store.records import Epoch, Record, Scores
from harness.suite.plan import Cell
from harness.suite.spec import TrainingSpec

SOURCES = 23
"""As many as CoLA's validation split has."""
ACCEPTABLE = 0.7
"""The share of CoLA's sentences with label 1, about."""


def plan(checkpoints: int, cells: int, seeds: int) -> list[Cell]:
    """Return the cells of a plan: two batch sizes and many learning rates of each checkpoint."""
    rates = range(-(-cells // (2 * checkpoints)))
    matrix = product(range(checkpoints), (16, 32), rates)
    return [
        make_cell(
            f"org/encoder-{checkpoint}",
            size,
            1e-5 * (1 + rate),
            tuple(range(seeds)),
            id=f"encoder-{checkpoint}-bs{size}-lr{1 + rate}e-05",
        )
        for checkpoint, size, rate in list(matrix)[:cells]
    ]


def run(cell: Cell, seed: int, epochs: int, labels: np.ndarray, sources: Grouping) -> Record:
    """Return the record of a run that classifies more sentences correctly after every epoch.

    Args:
        labels: (sentences,) of the validation split.
        sources: of these sentences.
    """
    place = [int(cell.checkpoint.rpartition("-")[2]), cell.batch_size]
    random = np.random.default_rng([*place, round(cell.learning_rate * 1e6), seed])
    wrong = 0.32 - 0.008 * (place[0] % 20) + random.normal(0, 0.01)
    packed, known = pack(labels), []
    for epoch in range(1, epochs + 1):
        missed = random.random(labels.size) < wrong + 0.1 / epoch
        classes = pack(np.where(missed, 1 - labels, labels))
        scores = Scores.of(packed_counts(packed, classes, labels.size))
        losses = {"train_loss": 0.65 / epoch, "eval_loss": 0.6}
        seconds = 20.0 * epoch + seed
        known.append(Epoch(epoch=epoch, scores=scores, seconds=seconds, classes=classes, **losses))
    best = max(known, key=lambda epoch: epoch.scores.mcc)
    return make_record(
        cell,
        seed,
        training=TrainingSpec(epochs=epochs),
        epochs=tuple(known),
        scores=best.scores,
        selected_epoch=best.epoch,
        labels=packed,
        groupings={"source": sources},
        recipe_version=RECIPE_VERSION,
    )


def write(folder: Path, checkpoints: int, cells: int, seeds: int, epochs: int) -> None:
    """Write leaderboard.json of this many cells with this many runs each."""
    random = np.random.default_rng(0)
    labels = (random.random(COLA.validation) < ACCEPTABLE).astype(int)
    sources = Grouping.of([f"source-{n}" for n in random.integers(SOURCES, size=labels.size)])
    assert sources is not None
    planned = plan(checkpoints, cells, seeds)
    runs = [run(cell, seed, epochs, labels, sources) for cell in planned for seed in cell.seeds]
    publish_to(folder, planned, runs)


if __name__ == "__main__":
    write(Path(sys.argv[1]), *map(int, sys.argv[2:]))
