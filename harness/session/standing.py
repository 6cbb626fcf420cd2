"""How far a plan is: which of its runs are finished, which have to train, which cannot."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import Unavailable
from harness.session.found import Inputs
from harness.session.reuse import matching_setup, reusable
from harness.store import run_store
from harness.store.records import Record
from harness.store.run_store import Stored
from harness.suite.plan import Cell, Run, runs_of
from harness.suite.spec import Suite


@dataclass(frozen=True)
class Standing:
    """Where one run of a plan is.

    `unavailable` says why it cannot run here, and then `key` is None. `stored` is the finished run
    that stands for it. With neither it has to train; `trained_before` says that it has a score
    all the same, which nobody wants: it is to run again, or its model was not kept.
    """

    run: Run
    key: str | None
    stored: Stored | None
    unavailable: Unavailable | None
    trained_before: bool


def standings(
    suite: Suite, cells: Sequence[Cell], inputs: Inputs, store: Sequence[Stored], rerun: bool
) -> list[Standing]:
    """Say of every run of some cells where it is, in the order of cells and seeds.

    Args:
        store: every record of the suite.
        rerun: whether finished runs are to be trained again.
    """
    runs = [run for cell in cells for run in runs_of(cell, suite.training)]
    keys = {
        (run.cell.id, run.seed): inputs.key(run) for run in runs if inputs.missing(run.cell) is None
    }
    wanted = set(keys.values())
    of_plan = {key: item for key, item in run_store.finished(store) if key in wanted}
    candidates = matching_setup(store, suite, inputs)
    usable = {} if rerun else reusable(of_plan, suite, candidates)

    def standing(run: Run) -> Standing:
        key = keys.get((run.cell.id, run.seed))
        if key is None:
            return Standing(run, None, None, inputs.missing(run.cell), False)
        return Standing(run, key, usable.get(key), None, key in of_plan)

    return [standing(run) for run in runs]


def skipped(run: Run, unavailable: Unavailable) -> Record:
    """Return the record of a run that is not possible here."""
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
