"""A run with all that is determined before it starts, and the record of a failed run."""

import contextlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from harness.errors import BadInput
from harness.executors import WorkerLost
from harness.inputs import data
from harness.inputs.checkpoints import Checkpoint
from harness.machine import provenance
from harness.models import out_of_memory
from harness.redaction import redacted
from harness.store.records import DatasetFacts, Record
from harness.suite.plan import Run
from harness.text import one_line


@dataclass(frozen=True)
class Job:
    """A run with all that is determined before it starts.

    `folder` is the run's folder in the store; the worker writes its log, progress, scratch files
    and a kept model there. `concurrency` is the number of runs that share the machine.
    Each batch is computed in at least `parts` parts: more than one if fewer did not fit.
    The run ends after the first epoch whose MCC is at least `stop_at`; None trains all epochs.
    `executor` is where it is computed, `local` or `ray`; None outside a session.
    """

    run: Run
    key: str
    checkpoint: Checkpoint
    source: data.Source
    dataset: DatasetFacts
    folder: Path
    device: str
    threads: int
    concurrency: int
    keep_model: bool
    trackers: tuple[str, ...] = ()
    parts: int = 1
    stop_at: float | None = None
    executor: str | None = None


@dataclass(frozen=True)
class Result:
    """A run's record and predictions (PREDICTIONS), not yet on disk; None if it failed."""

    record: Record
    predictions: pa.Table | None


def describe(job: Job) -> Record:
    """Return the part of a run's record that is known before it runs, marked as failed."""
    cell = job.run.cell
    return Record(
        key=job.key,
        suite=cell.suite,
        cell=cell.id,
        checkpoint=cell.checkpoint,
        checkpoint_digest=job.checkpoint.digest,
        checkpoint_revision=job.checkpoint.revision,
        origin=job.checkpoint.origin,
        batch_size=cell.batch_size,
        learning_rate=cell.learning_rate,
        seed=job.run.seed,
        training=job.run.training,
        status="failed",
        reason="it did not end",
        dataset=job.dataset,
        threshold=cell.threshold,
        target_mcc=cell.target,
        device=job.device,
        threads=job.threads,
        concurrency=job.concurrency,
        executor=job.executor,
    )


def failure(job: Job, error: BaseException) -> Record:
    """Return the record of a failed run; paths of this machine are removed from its reason."""
    reason = _reason(error)
    if out_of_memory.is_out_of_memory(error):
        halved = job.run.training.on_oom == "halve"
        reason = out_of_memory.explained(error, job.run.cell.batch_size, halved)
    for folder in (job.checkpoint.folder, str(job.folder), *job.source.paths):
        reason = reason.replace(folder, Path(folder).name)
    with contextlib.suppress(RuntimeError):  # a user without a home
        if (home := Path.home()) != Path(home.anchor):  # a service's home may be "/"
            reason = reason.replace(str(home), "~")
    reason = redacted(reason)
    if not isinstance(error, BadInput):  # written for the user, with the way out at its end
        reason = one_line(reason)
    ended = {"reason": reason, "finished_at": now(), **provenance_fields()}
    return describe(job).model_copy(update=ended)


def _reason(error: BaseException) -> str:
    """Return an error's type and message; without a message, the function that raised it."""
    if isinstance(error, WorkerLost):
        return str(error)
    if isinstance(error, BadInput):
        return "; ".join(error.problems)
    kind, message = type(error).__name__, str(error)
    if any(character.isalnum() for character in message):
        return f"{kind}: {message}"
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return f"{kind}, without a message"
    module = str(last.tb_frame.f_globals.get("__name__", "unknown")).replace(".", "/")
    function = last.tb_frame.f_code.co_qualname
    return f"{kind}, without a message, in {module}.py:{function} (line {last.tb_lineno})"


def in_smaller_parts(job: Job) -> Job | None:
    """Return the job with more parts per batch; None if not requested or not possible."""
    batch_size = job.run.cell.batch_size
    size = out_of_memory.smaller(batch_size, batch_size // job.parts)
    if job.run.training.on_oom != "halve" or size is None:
        return None
    return replace(job, parts=batch_size // size)


def provenance_fields() -> dict[str, object]:
    """Return the fields of a record that describe the software and the machine."""
    return {
        "versions": provenance.versions(),
        "commit": provenance.commit(),
        "machine": provenance.machine(),
    }


def now() -> str:
    """Return the current time in the format of records: UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def ended_at(started_at: str, seconds: float) -> str:
    """Return the end time of a run that took `seconds`, in the format of records.

    It is the current time, or `started_at` plus `seconds` if the system's clock was set back
    during the run: no record has an end time that is too early for its duration.
    """
    least = datetime.fromisoformat(started_at) + timedelta(seconds=seconds)
    return max(least, datetime.now(UTC)).isoformat(timespec="seconds")
