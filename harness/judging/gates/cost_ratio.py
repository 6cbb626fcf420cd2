"""Judges the costs of a cell, divided by those of the same cell of a baseline."""

from collections.abc import Iterator, Mapping, Sequence

from harness.judging.baseline import Baseline, runs_of_cell, training_changes
from harness.judging.costs import COSTS, Cost, Ratio, disagreements, ratio
from harness.judging.gates.check import Check, Verdict
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.text import beside, in_full

COLUMNS = {
    "max_train_seconds_ratio": "train_seconds",
    "max_eval_ms_ratio": "eval_ms_per_sentence",
    "max_latency_ms_ratio": "latency_ms",
    "max_peak_memory_ratio": "peak_memory_mb",
}
"""Column of the leaderboard with the cost that each gate limits."""

CELL, BASELINE = "the cell", "the baseline"
"""Names of the two sides in messages."""


def cost_ratio_checks(cell: Cell, runs: Sequence[Record], baseline: Baseline) -> Iterator[Check]:
    """Yield the check of each gate on a cost relative to the baseline's cost of the same cell.

    A cost that `harness compare` gives no ratio of is not judged. Neither are times of which only
    the order of magnitude is known, because any ratio of them would be arbitrary.

    Args:
        runs: its scored runs, at least one, all of them whole.
    """
    sides = {CELL: runs, BASELINE: runs_of_cell(baseline, cell, runs[0].training)}
    for gate, column in COLUMNS.items():
        if (limit := getattr(cell.gates, gate)) is not None:
            yield _check(gate, limit, COSTS[column], sides, baseline.source)


def _check(
    gate: str, limit: float, cost: Cost, sides: Mapping[str, Sequence[Record]], source: str
) -> Check:
    now, before = sides[CELL], sides[BASELINE]
    if not before:
        return _undecided(
            gate, limit, source, f"{BASELINE} has no scored run of this cell; name one that has"
        )
    if _data(now) != _data(before):
        why = f"{BASELINE} was trained on other data; name one that was trained on these"
        return _undecided(gate, limit, source, why)
    found = ratio(cost, CELL, now, BASELINE, before)
    if found.value is None:
        return _undecided(gate, limit, source, f"{CELL} against {BASELINE}: {found.obstacle}")
    if found.rough:
        return _undecided(gate, limit, source, _rough(cost, sides))
    met = found.value <= limit
    verdict: Verdict = "pass" if met else "fail"
    reason = (
        f"the {cost.noun} is {beside(found.value, limit, most=True, kind='g')} times {BASELINE}'s "
        f"({_amounts(found)}), at most {in_full(limit)} times is allowed ({gate})"
        f"{training_changes(before[0], now[0])}"
    )
    return Check(gate, limit, found.value, None, None, verdict, reason)


def _undecided(gate: str, limit: float, source: str, why: str) -> Check:
    reason = f"{gate} {in_full(limit)} against {source}: not enough evidence, {why}"
    return Check(gate, limit, None, None, None, "not-enough-evidence", reason)


def _data(runs: Sequence[Record]) -> set[str | None]:
    return {None if run.dataset is None else run.dataset.fingerprint for run in runs}


def _rough(cost: Cost, sides: Mapping[str, Sequence[Record]]) -> str:
    """Return why times are rough whose own values agree: another time of the same runs does not."""
    every = (
        reason.text
        for other in COSTS.values()
        if other.timed and other.served == cost.served
        for reason in disagreements(other, sides)
    )
    return f"{next(every)}, so only the order of magnitude of its times is known"


def _amounts(found: Ratio) -> str:
    """Return both costs, each with its deviation, and the range of the ratio run by run."""
    amounts = " against ".join(each.text(found.cost.write) for each in (found.a, found.b))
    extent = ""
    if found.low is not None and found.high is not None:
        extent = f"; {found.write(found.low)} to {found.write(found.high)} run by run"
    return f"{amounts} {found.cost.unit}{extent}"
