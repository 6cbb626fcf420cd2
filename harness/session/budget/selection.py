"""Selects the runs of a session that fit its budget, by the forecast of their times."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.errors import BadInput
from harness.forecast.budget import AROUND_SECONDS, Candidate, in_order, within
from harness.forecast.schedule import Schedule
from harness.forecast.seconds import Work, makespan
from harness.session.options import Options, Planned
from harness.session.run_status import RunStatus
from harness.suite.plan import Cell
from harness.text import counted, duration, exact_duration

NOTHING: Mapping[str, float] = {}

PlanOf = Callable[[Sequence[Work]], Schedule]
"""Plans runs on this machine."""


@dataclass(frozen=True)
class Selection:
    """The runs of a session that fit its budget.

    Attributes:
        chosen: positions of the runs that train, ascending.
        schedule: of these runs; its order, of positions in `chosen`, is most informative first.
        outside: the expected seconds of every other run, by its position.
        workers: how many runs at a time `outside` assumes.
        basis: from what it was predicted; None if all runs are chosen for lack of a prediction.
        note: a line for the user.
    """

    chosen: tuple[int, ...]
    schedule: Schedule
    outside: Mapping[int, float]
    workers: int
    basis: str | None
    note: str


def select(
    to_train: Sequence[RunStatus],
    works: Sequence[Work],
    candidates: Callable[[Sequence[float]], list[Candidate]],
    plan_of: PlanOf,
    budget: int,
    elapsed: float = 0.0,
    least: Mapping[str, float] = NOTHING,
) -> Selection:
    """Select the runs that fit; see harness.forecast.budget for their order.

    If times cannot be predicted, all runs are selected, and only the clock ends the training.

    Args:
        to_train: the runs that have to train, at least one.
        works: of each of them.
        candidates: returns them with their expected seconds.
        plan_of: plans some of them.
        budget: of the whole session, in seconds.
        elapsed: seconds of it that are over.
        least: by key, seconds that a run takes at least; see `stopped_before`.

    Raises:
        BadInput: not even one run fits.
    """
    every = tuple(range(len(works)))
    floors: dict[Work, float] = {}  # other seeds take as long as the run that was stopped
    for item, each in zip(to_train, works, strict=True):
        floors[each] = max(floors.get(each, 0.0), least.get(item.key or "", 0.0))

    def planned(chosen: Sequence[int]) -> Schedule:
        plan = plan_of([works[i] for i in chosen])
        own = [floors[works[i]] for i in chosen]
        seconds = tuple(map(max, plan.forecast.seconds, own))
        if plan.forecast.basis is None:
            return plan
        return replace(plan, forecast=replace(plan.forecast, seconds=seconds))

    chosen, plan = every, (whole := planned(every))
    if whole.forecast.basis is None:
        plan = replace(whole, order=in_order(candidates(whole.forecast.seconds)))
        note = (
            f"--budget {exact_duration(budget)}: nothing from which to predict how long runs take; "
            "the most informative begin first, and none begins after the budget"
        )
        return Selection(chosen, plan, {}, whole.sharing.workers, None, note)
    room = budget - elapsed - AROUND_SECONDS
    seconds = list(whole.forecast.seconds)
    while True:  # fewer runs at a time may have more threads each, so they are planned again
        for position, own in zip(chosen, plan.forecast.seconds, strict=True):
            seconds[position] = own
        known = candidates(seconds)
        fitting = within([known[i] for i in chosen], plan.sharing.workers, room)
        if len(fitting) == len(chosen):
            plan = replace(plan, order=fitting)
            break
        if not fitting:
            shortest = min(range(len(works)), key=lambda i: whole.forecast.seconds[i])
            chosen, plan = (shortest,), planned([shortest])
            _refuse_too_short(to_train, shortest, plan, budget, room)
            break
        chosen = tuple(chosen[i] for i in sorted(fitting))
        plan = planned(chosen)
    left_out = {i: whole.forecast.seconds[i] for i in sorted({*every} - {*chosen})}
    workers = whole.sharing.workers
    note = _note(budget, len(chosen), left_out, workers)
    return Selection(chosen, plan, left_out, workers, whole.forecast.basis, note)


def _refuse_too_short(
    to_train: Sequence[RunStatus], shortest: int, alone: Schedule, budget: int, room: float
) -> None:
    """Refuse a budget into which not even the shortest run fits.

    Args:
        alone: plan of the shortest run.
        room: seconds for training.
    """
    (expected,) = alone.forecast.seconds
    if expected <= room:
        return
    run = to_train[shortest].run
    spent = budget - room
    enough = math.ceil((expected + spent) / 60)
    raise BadInput(
        [
            f"--budget: {exact_duration(budget)}: not even one of the "
            f"{counted(len(to_train), 'run')} to train fits; the shortest, "
            f"{run.cell.suite}/{run.cell.id} seed {run.seed}, is expected to take about "
            f"{duration(expected)} ({alone.forecast.basis}), and the session about "
            f"{duration(spent)} besides; allow at least --budget {enough}m"
        ]
    )


def _note(budget: int, chosen: int, left_out: Mapping[int, float], workers: int) -> str:
    given = f"--budget {exact_duration(budget)}"
    total = chosen + len(left_out)
    if not left_out:
        which = "the only run" if total == 1 else f"all {total:,} runs"
        return f"{given}: {which} to train should fit"
    more = duration(longest_first(left_out.values(), workers))
    return (
        f"{given}: {chosen:,} of the {counted(total, 'run')} to train should fit, one seed of "
        f"every cell first, then cells with gates; the other {len(left_out):,} would take about "
        f"{more} more"
    )


def longest_first(seconds: Iterable[float], workers: int) -> float:
    """Return how long some runs take together."""
    return makespan(sorted(seconds, reverse=True), workers)


def as_candidates(
    statuses: Sequence[RunStatus], planned: Sequence[Planned], options: Options
) -> Callable[[Sequence[float]], list[Candidate]]:
    """Return a function that gives the runs that have to train, with their expected seconds.

    Args:
        statuses: of all runs of the session.
        planned: the suites of the session.
    """
    finished = Counter(_cell(item) for item in statuses if item.state == "finished")
    gated = {
        (each.suite.name, cell.id): each.has_own_gates or has_own_gate(cell, options)
        for each in planned
        for cell in each.cells
    }
    to_train = [item for item in statuses if item.state == "to train"]

    def candidates(seconds: Sequence[float]) -> list[Candidate]:
        return [
            Candidate(
                cell="/".join(_cell(item)),
                place=item.run.cell.seeds.index(item.run.seed),
                before=finished[_cell(item)],
                gated=gated[_cell(item)],
                again=item.whole_before,
                seconds=own,
            )
            for item, own in zip(to_train, seconds, strict=True)
        ]

    return candidates


def has_own_gate(cell: Cell, options: Options) -> bool:
    """Return whether a gate judges this cell alone: a threshold, or a baseline."""
    return cell.gates.without_baseline().any_set or options.baseline_of(cell.suite) is not None


def _cell(item: RunStatus) -> tuple[str, str]:
    return item.run.cell.suite, item.run.cell.id
