"""The status of a plan's runs: which are finished, which must train, which cannot."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.errors import Unavailable
from harness.judging.decided import Aim, stopped_to_reuse
from harness.session.reuse import Unlike, matching_setup, one_per_key, reusable
from harness.session.suite_inputs import Inputs
from harness.store import run_store
from harness.store.records import Record
from harness.store.run_store import Stored
from harness.suite.plan import Cell, Run, runs_of
from harness.suite.spec import Suite
from harness.text import counted

NO_AIMS: Mapping[str, Aim] = {}

RunState = Literal["finished", "to train", "skipped", "not needed", "outside the budget"]


@dataclass(frozen=True)
class RunStatus:
    """The status of one run of a plan.

    `unavailable` is the reason why it cannot run here; `key` is None then. `stored` is the
    finished run that is reused for it. If both are None, the run must train, unless `needed` is
    false: looks at finished runs have shown that it will never be needed. `trained_before` is true
    if it was finished earlier, even if it must train again because of `--rerun`, because its model
    was not kept, or because it was stopped. `whole_before` is true if it was whole: then it is not
    stopped when it trains again. `again` has a short phrase for each reason why a finished run of
    its cell and seed is not reused; it is empty if there is none.
    """

    run: Run
    key: str | None
    stored: Stored | None
    unavailable: Unavailable | None
    trained_before: bool
    whole_before: bool = False
    needed: bool = True
    again: tuple[str, ...] = ()

    @property
    def state(self) -> RunState:
        """What a session does with the run."""
        if self.unavailable is not None:
            return "skipped"
        if self.stored is not None:
            return "finished"
        return "to train" if self.needed else "not needed"


def run_statuses(
    suite: Suite,
    cells: Sequence[Cell],
    inputs: Inputs,
    store: Sequence[Stored],
    rerun: bool,
    aims: Mapping[str, Aim] = NO_AIMS,
) -> list[RunStatus]:
    """Return the status of every run of some cells, in the order of cells and seeds.

    Args:
        store: every record of the suite.
        rerun: whether to train finished runs again.
        aims: of the cells by id, if the suite stops runs; see harness.judging.decided.
    """
    runs = [run for cell in cells for run in runs_of(cell, suite.training)]
    keys = {
        (run.cell.id, run.seed): inputs.key(run)
        for run in runs
        if inputs.obstacle(run.cell) is None
    }
    wanted = set(keys.values())
    used = run_store.finished(one_per_key(store, suite.keep_models != "none"))
    of_plan = {key: item for key, item in used if key in wanted}
    candidates = matching_setup(store, suite, inputs)
    usable = {} if rerun else reusable(of_plan, suite, candidates)

    answers = {
        (cell.id, seed)
        for cell in cells
        for seed in _stopped_to_reuse(cell, aims.get(cell.id), usable, keys)
    }

    unlike = Unlike(store, wanted)

    def status(run: Run) -> RunStatus:
        key = keys.get((run.cell.id, run.seed))
        if key is None:
            return RunStatus(run, None, None, inputs.obstacle(run.cell), False)
        earlier, found = of_plan.get(key), usable.get(key)
        again: tuple[str, ...] = ()
        if found is None and earlier is None:
            again = unlike.differences(run, inputs)
        elif found is None:
            again = ("--rerun" if rerun else "no kept model",)
        if found is not None and found.record.stopped and (run.cell.id, run.seed) not in answers:
            found, again = None, ("it was stopped before its last epoch",)
        whole = earlier is not None and earlier.record.stopped is None
        return RunStatus(run, key, found, None, earlier is not None, whole, again=again)

    return [status(run) for run in runs]


def _stopped_to_reuse(
    cell: Cell, aim: Aim | None, usable: Mapping[str, Stored], keys: Mapping[tuple[str, int], str]
) -> set[int]:
    """Return the seeds of a cell whose stopped runs in the store answer its gates."""
    if aim is None or aim.mcc is None:
        return set()
    whole: dict[int, float] = {}
    stopped: dict[int, float] = {}
    for seed in cell.seeds:
        item = usable.get(keys.get((cell.id, seed), ""))
        if item is not None and item.record.scores is not None:
            found = whole if item.record.stopped is None else stopped
            found[seed] = item.record.scores.mcc
    return stopped_to_reuse(aim.mcc, len(cell.seeds), whole, stopped)


def again_in_words(statuses: Sequence[RunStatus]) -> list[str]:
    """Return a line for each reason why runs train, of whose cell and seed one is finished."""
    times = Counter(item.again for item in statuses if item.state == "to train" and item.again)
    return [
        f"{counted(number, 'finished run')} {'is' if number == 1 else 'are'} not reused: "
        f"{', '.join(reasons)}"
        for reasons, number in times.items()
    ]


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
