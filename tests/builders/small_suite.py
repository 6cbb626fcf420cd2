"""A suite of two checkpoints, of which one is on this machine, and records of its runs."""

from pathlib import Path

import numpy as np

from builders.records import (
    keep,
    predicted_record,
)
from builders.tiny_checkpoints import SENTENCES, make_checkpoint
from harness.inputs.hub import Hub
from harness.machine import provenance
from harness.session import suite_inputs
from harness.store.records import Record
from harness.suite.plan import Run, make_plan
from harness.suite.spec import load_suite

SUITE = """
name = "tiny"
[dataset]
source = "file"
path = "data.csv"
validation_size = 20
[matrix]
checkpoints = ["./encoder", "org/unreachable"]
batch_sizes = [8]
learning_rates = [1e-3]
seeds = [1, 2]
[training]
epochs = 2
"""

THREE_SEEDS = (
    SUITE.replace(', "org/unreachable"', "")
    .replace("seeds = [1, 2]", "seeds = [1, 2, 3]")
    .replace("epochs = 2", "epochs = 3")
)
"""One cell with three seeds; further keys of [training], then other sections, may follow."""


def write_suite(folder: Path, suite: str, rows: int = 80) -> Path:
    """Write a suite as tiny.toml, its data.csv and its checkpoint ./encoder; return the folder."""
    make_checkpoint("bert", folder / "encoder")
    lines = [f'"{SENTENCES[n % len(SENTENCES)]} {n}",{n % 2}' for n in range(rows)]
    (folder / "data.csv").write_text("\n".join(["sentence,label", *lines]) + "\n", encoding="utf-8")
    (folder / "tiny.toml").write_text(suite, encoding="utf-8")
    return folder


def finish(folder: Path, results: Path, seed: int) -> Record:
    """Write to a results folder the record that a run of the suite would leave."""
    suite = load_suite(folder / "tiny.toml")
    cell = make_plan(suite)[0]
    hub = Hub("http://localhost", False, "offline")
    found = suite_inputs.find_inputs(suite, folder, [cell], None, hub)
    assert found.dataset is not None
    number = found.dataset.validation
    labels = np.arange(number) % 2
    answers = np.where(np.arange(number) < 0.4 * number, 1 - labels, labels)  # an MCC of 0.2
    record = predicted_record(
        cell,
        seed,
        labels,
        np.stack([answers, answers]),
        training=suite.training,
        dataset=found.dataset,
        checkpoint_digest=found.checkpoints[cell.checkpoint].digest,
        versions=provenance.versions(),
        device="cpu",
    )
    assert record.key == found.key(Run(cell, seed, suite.training))
    return keep(results / "tiny", cell, record).record
