"""Builders of jobs as sessions send them to workers, and of small data files for training."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from builders.tiny_checkpoints import WORDS
from builders.waiting import UNREACHABLE
from harness.session.suite_inputs import find_inputs
from harness.store import run_store
from harness.store.records import Record
from harness.suite.plan import make_plan, runs_of
from harness.suite.spec import DatasetSpec, GatesSpec, MatrixSpec, Suite, TrainingSpec
from harness.training.finetune import Settings
from harness.training.job import Job
from harness.training.worker import execute


def sentences(count: int) -> list[str]:
    """Return distinct sentences of three to eight words from every tiny tokenizer's vocabulary."""
    found = []
    for number in range(count):
        turn, first = divmod(number, len(WORDS))
        words = [WORDS[(first + place * (turn + 1)) % len(WORDS)] for place in range(8)]
        found.append(" ".join(words[: 3 + number % 6]))
    return found


def write_rows(path: Path, texts: Sequence[str], labels: Sequence[int | str]) -> Path:
    """Write a CSV file of sentences and labels."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sentence", "label"])
        writer.writerows(zip(texts, labels, strict=True))
    return path


def file_spec(path: Path, validation: int = 16, test: int = 0) -> DatasetSpec:
    """Describe a file with held-out sentences."""
    return DatasetSpec(source="file", path=str(path), validation_size=validation, test_size=test)


def make_settings(**changes: Any) -> Settings:
    """Return default settings of a run, with changes."""
    default = Settings(
        batch_size=8,
        learning_rate=1e-3,
        seed=1,
        training=TrainingSpec(),
        device="cpu",
        class_names=("unacceptable", "acceptable"),
    )
    return replace(default, **changes)


def make_job(
    checkpoint: Path,
    dataset: DatasetSpec,
    folder: Path,
    *,
    batch_size: int = 16,
    learning_rate: float = 1e-3,
    keep_model: bool = False,
    min_mcc: float | None = None,
    cola_dir: Path | None = None,
    device: str = "cpu",
    **training: Any,
) -> Job:
    """Build the job of one run with one thread; by default on the CPU and with one epoch.

    Data and checkpoint are found as in a session without access to a hub.
    """
    suite = Suite(
        name="tiny",
        dataset=dataset,
        matrix=MatrixSpec(
            checkpoints=(str(checkpoint),),
            batch_sizes=(batch_size,),
            learning_rates=(learning_rate,),
            seeds=(1,),
        ),
        training=TrainingSpec(**{"epochs": 1, **training}),
        gates=GatesSpec(min_mcc=min_mcc),
    )
    (cell,) = make_plan(suite)
    (run,) = runs_of(cell, suite.training)
    inputs = find_inputs(suite, folder, [cell], cola_dir, UNREACHABLE)
    inputs = replace(inputs, device=device)
    assert inputs.source is not None
    assert inputs.dataset is not None
    key = inputs.key(run)
    return Job(
        run=run,
        key=key,
        checkpoint=inputs.checkpoints[cell.checkpoint],
        source=inputs.source,
        dataset=inputs.dataset,
        folder=run_store.run_folder(folder, run, key),
        device=device,
        threads=1,
        concurrency=1,
        keep_model=keep_model,
    )


def execute_ok(job: Job) -> tuple[Record, pa.Table]:
    """Execute a job that must end with a score; on failure, show the run's log."""
    result = execute(job)
    assert result.record.status == "ok", (job.folder / "log.txt").read_text()
    assert result.predictions is not None
    return result.record, result.predictions
