"""The record of a run that is not trained because it does not fit the session's budget."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import Unavailable
from harness.session.run_status import skipped
from harness.store.outside_budget import OutsideBudget
from harness.store.records import Record
from harness.store.run_store import Stored
from harness.suite.plan import Run
from harness.text import exact_duration

WAY_OUT = "a further session goes on with it"


@dataclass(frozen=True)
class StoppedRun:
    """A run that was stopped in progress: its key, and how many seconds it had taken."""

    key: str
    seconds: float


def outside_record(
    run: Run,
    budget: int,
    expected: float | None,
    workers: int,
    basis: str | None,
    stopped: StoppedRun | None = None,
) -> Record:
    """Return the record of a run outside the budget.

    Args:
        budget: the session's, in seconds.
        expected: seconds that the run would take while others train, if known.
        workers: runs at a time.
        basis: from what `expected` was predicted.
        stopped: the run, if it had begun.
    """
    given = exact_duration(budget)
    why = "outside the budget of" if stopped is None else "stopped at the end of the budget of"
    reason = Unavailable(f"{why} {given}", WAY_OUT)
    if stopped is not None and expected is not None:
        expected = max(expected, stopped.seconds)
    known = OutsideBudget(
        budget_seconds=budget,
        expected_seconds=expected or None,
        workers=workers,
        basis=basis,
        stopped_key=None if stopped is None else stopped.key,
        stopped_seconds=None if stopped is None else stopped.seconds or None,
    )
    return skipped(run, reason).model_copy(update={"outside_budget": known})


def stopped_before(store: Sequence[Stored]) -> dict[str, float]:
    """Return how many seconds each run takes that an earlier session stopped, by its key.

    The forecast was too low for it. Without this, every session with the same budget would begin
    the run and stop it again.
    """
    known = [item.record.outside_budget for item in store]
    return {
        each.stopped_key: max(each.stopped_seconds or 0.0, each.expected_seconds or 0.0)
        for each in known
        if each is not None and each.stopped_key is not None
    }
