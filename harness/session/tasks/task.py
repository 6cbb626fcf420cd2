"""A run that a session trains: its inputs, its job, and the lines that describe it."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.session.looks.needed import RunId, run_id
from harness.session.reuse import adopted, one_per_key
from harness.session.run_status import RunStatus
from harness.session.suite_inputs import Inputs
from harness.store import run_store
from harness.store.records import Record
from harness.store.run_store import Stored
from harness.store.stopped import at_least
from harness.suite.spec import Suite
from harness.text import duration

if TYPE_CHECKING:  # job imports the library `datasets`; collecting tests must not
    from harness.training.job import Job


@dataclass(frozen=True)
class Missing:
    """A run that must be trained, with its inputs; `results` is its suite's results folder.

    Or a run that an earlier session stopped, and that must only train again if its cell's other
    runs leave the cell undecided: then `status` has the stored run. `earlier` is the result of an
    earlier session, if a whole run trains again.
    """

    status: RunStatus
    suite: Suite
    inputs: Inputs
    results: Path
    earlier: Stored | None = None


def missing_and_beside(
    statuses: Sequence[RunStatus],
    suite: Suite,
    inputs: Inputs,
    results: Path,
    store: Sequence[Stored],
) -> tuple[list[Missing], list[Missing]]:
    """Return the runs that must train, and the finished runs of their cells.

    Args:
        results: the suite's results folder.
        store: every record of the suite.
    """
    used = run_store.finished(one_per_key(store, suite.keep_models != "none"))
    earlier = {key: item for key, item in used if item.record.stopped is None}
    missing = [
        Missing(item, suite, inputs, results, None if found is None else adopted(item.run, found))
        for item in statuses
        if item.state == "to train"
        for found in [earlier.get(item.key or "")]
    ]
    unfinished = {each.status.run.cell.id for each in missing}
    beside = [
        Missing(
            replace(item, stored=adopted(item.run, item.stored, inputs)), suite, inputs, results
        )
        for item in statuses
        if item.stored is not None and item.run.cell.id in unfinished
    ]
    return missing, beside


@dataclass(frozen=True)
class Task:
    """A missing run, its job, its expected duration in seconds, and the future of its result."""

    missing: Missing
    job: "Job"
    expected: float
    future: "Future[Stored]"

    @property
    def place(self) -> RunId:
        """Its suite, cell and seed."""
        return run_id(self.job.run)

    @property
    def title(self) -> str:
        """Its suite and cell, and its seed if the cell has several."""
        run = self.job.run
        seed = f" seed {run.seed}" if len(run.cell.seeds) > 1 else ""
        return f"{run.cell.suite}/{run.cell.id}{seed}"

    def outcome(self, record: Record) -> str:
        """Return the result of the run as one line."""
        if record.scores is None or record.times is None:
            return f"{self.title}: failed: {record.reason}"
        mcc, stop = f"{record.scores.mcc:z.3f}", ""
        if record.stopped is not None:
            mcc, stop = at_least(record.scores.mcc), f", {record.stopped.text}"
        return f"{self.title}: MCC {mcc} in {duration(record.times.total)}{stop}"

    def repetition(self) -> str:
        """Return why the run, which was stopped, trains again, as one line."""
        return (
            f"{self.title}: trains again for more epochs: another seed ended with so low an MCC "
            "that its cell is not decided"
        )
