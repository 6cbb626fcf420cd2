"""Jobs trained by an executor, and what every bit of their results is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.executors import Executor
from harness.training.job import Job
from harness.training.worker import execute


def outcomes(executor: Executor, jobs: list[Job], folder: Path) -> dict[str, Any]:
    """Return by key all that training decides: every epoch's numbers and every logit's bits."""
    moved = [replace(job, folder=folder / str(number)) for number, job in enumerate(jobs)]
    results = [future.result() for future in [executor.submit(execute, job) for job in moved]]
    found = {}
    for result in results:
        assert result.record.status == "ok", result.record.reason
        assert result.predictions is not None
        epochs = [epoch.model_dump(exclude={"seconds"}) for epoch in result.record.epochs]
        found[str(result.record.key)] = (epochs, result.predictions.to_pydict())
    assert len(found) == len(jobs)
    return found
