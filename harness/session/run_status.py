"""The status of a plan's runs: which are finished, which must train, which cannot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.errors import Unavailable
from harness.session.reuse import matching_setup, reusable
from harness.session.suite_inputs import Inputs
from harness.store import run_store
from harness.store.records import Record
from harness.store.run_store import Stored
from harness.suite.plan import Cell, Run, runs_of
from harness.suite.spec import Suite

RunState = Literal["finished", "to train", "skipped", "outside the budget"]


@dataclass(frozen=True)
class RunStatus:
    """The status of one run of a plan.

    `unavailable` is the reason why it cannot run here; `key` is None then. `stored` is the
    finished run that is reused for it. If both are None, the run must train. `trained_before` is
    true if it was finished earlier, even if it must train again because of `--rerun` or because
    its model was not kept.
    """

    run: Run
    key: str | None
    stored: Stored | None
    unavailable: Unavailable | None
    trained_before: bool

    @property
    def state(self) -> RunState:
        """What a session does with the run."""
        if self.unavailable is not None:
            return "skipped"
        return "to train" if self.stored is None else "finished"


def run_statuses(
    suite: Suite, cells: Sequence[Cell], inputs: Inputs, store: Sequence[Stored], rerun: bool
) -> list[RunStatus]:
    """Return the status of every run of some cells, in the order of cells and seeds.

    Args:
        store: every record of the suite.
        rerun: whether to train finished runs again.
    """
    runs = [run for cell in cells for run in runs_of(cell, suite.training)]
    keys = {
        (run.cell.id, run.seed): inputs.key(run)
        for run in runs
        if inputs.obstacle(run.cell) is None
    }
    wanted = set(keys.values())
    of_plan = {key: item for key, item in run_store.finished(store) if key in wanted}
    candidates = matching_setup(store, suite, inputs)
    usable = {} if rerun else reusable(of_plan, suite, candidates)

    def status(run: Run) -> RunStatus:
        key = keys.get((run.cell.id, run.seed))
        if key is None:
            return RunStatus(run, None, None, inputs.obstacle(run.cell), False)
        return RunStatus(run, key, usable.get(key), None, key in of_plan)

    return [status(run) for run in runs]


def skipped(run: Run, unavailable: Unavailable) -> Record:
    """Return the record of a run that cannot run here."""
    cell = run.cell
    return Record(
        key=None,
        suite=cell.suite,
        cell=cell.id,
        checkpoint=cell.checkpoint,
        checkpoint_digest=None,
        checkpoint_revision=None,
        batch_size=cell.batch_size,
        learning_rate=cell.learning_rate,
        seed=run.seed,
        training=run.training,
        status="skipped",
        reason=str(unavailable),
        threshold=cell.threshold,
        target_mcc=cell.target,
    )
