"""Gates on a lower bound, judged after some of a cell's seeds."""

from collections.abc import Iterator
from dataclasses import dataclass

from harness import stats
from harness.judging.looks.first_seeds import FirstSeeds
from harness.judging.populations import source_interval, way_out
from harness.stats import Sources
from harness.stats.sequential import Outcome, SequentialVerdict, gate_verdict
from harness.suite.looks import LEAST_SEEDS, judged_by_looks
from harness.suite.plan import Cell
from harness.text import beside, counted, with_decimals


@dataclass(frozen=True)
class LookCheck:
    """A gate on a lower bound after the look that decided it, or the last one possible so far.

    `verdict` is that of the look; None before the first one. `reason` says how it was found.
    """

    gate: str
    threshold: float
    verdict: SequentialVerdict | None
    reason: str

    @property
    def outcome(self) -> Outcome:
        """What the look shows."""
        return "undecided" if self.verdict is None else self.verdict.outcome

    @property
    def seeds(self) -> int:
        """The number of seeds at this look, 0 before the first one."""
        return 0 if self.verdict is None else self.verdict.seeds

    @property
    def decided(self) -> bool:
        """Whether no later look can change the outcome."""
        return self.outcome != "undecided"


@dataclass(frozen=True)
class GateProgress:
    """How far the looks at a cell's gates have come; see Standing for `needed` and `most`."""

    looked: int
    needed: int
    most: int
    decided: bool


def gate_progress(first: FirstSeeds, more_gates: bool) -> GateProgress:
    """Return how many seeds a cell's gates need.

    A gate that is not on a lower bound needs all seeds, unless another gate has failed already.

    Args:
        more_gates: whether something else needs all seeds, such as a baseline.
    """
    cell = first.cell
    last = len(cell.seeds)
    if not by_looks(first):
        return GateProgress(0, last, last, False)
    checks = list(look_checks(first))
    failed = [each.seeds for each in checks if each.outcome == "fail"]
    if failed:
        return GateProgress(min(failed), min(failed), min(failed), True)
    looked = max((each.seeds for each in checks), default=0)
    every = len(checks) == len(_thresholds(cell)) and all(each.decided for each in checks)
    if every and not (more_gates or _other_gates(cell)):
        return GateProgress(looked, looked, looked, True)
    if first.stop is not None:  # a run failed: no later look is possible, and the cell has failed
        return GateProgress(looked, first.scored, first.scored, False)
    looks = _looks(cell)
    following = next((look for look in looks if look > first.scored), last)
    reached = max((look for look in looks if look <= first.scored), default=0)
    return GateProgress(reached, following, last, False)


def by_looks(first: FirstSeeds) -> bool:
    """Return whether a cell's gates on a lower bound are judged by looks."""
    cell = first.cell
    if cell.looks is None or not judged_by_looks(cell.gates) or not _looks(cell):
        return False
    if first.found is None or cell.gates.population != "sources":
        return first.found is not None or first.stop is None
    return isinstance(first.found.sources, Sources)


def look_checks(first: FirstSeeds) -> Iterator[LookCheck]:
    """Yield the gates on the lower bounds of MCC and accuracy, of a cell judged by looks.

    A gate of which even all seeds give no interval is left out: it is judged as without looks.
    """
    for name, statistic, threshold in _thresholds(first.cell):
        if not _without_interval(first, statistic):
            yield _look_check(first, name, statistic, threshold)


def _thresholds(cell: Cell) -> list[tuple[str, stats.Statistic, float]]:
    """Return the name, the statistic and the threshold of each gate on a bound that a cell has."""
    every: tuple[tuple[str, stats.Statistic, float | None], ...] = (
        ("MCC", "mcc", cell.gates.min_mcc),
        ("accuracy", "accuracy", cell.gates.min_accuracy),
    )
    return [(name, statistic, least) for name, statistic, least in every if least is not None]


def _without_interval(first: FirstSeeds, statistic: stats.Statistic) -> bool:
    """Return whether all seeds of a cell have a score, and give no interval for its gates."""
    if first.cell.gates.population != "sources" or first.found is None:
        return False
    if first.scored < len(first.cell.seeds):
        return False
    return not isinstance(source_interval(first.found, statistic), stats.Interval)


def _look_check(
    first: FirstSeeds, name: str, statistic: stats.Statistic, threshold: float
) -> LookCheck:
    cell, found = first.cell, first.found
    gate, margin = f"min_{statistic}", f"the threshold {with_decimals(threshold)}"
    assert cell.looks is not None
    if found is None or first.scored < _looks(cell)[0]:
        reason = f"{name} against {margin}: undecided before the first look"
        return LookCheck(gate, threshold, None, reason)
    sources = found.sources if cell.gates.population == "sources" else None
    assert not isinstance(sources, stats.Refusal)
    verdict = gate_verdict(
        found.labels,
        found.selected,
        threshold,
        _looks(cell),
        cell.looks.spending,
        classes=found.classes,
        statistic=statistic,
        sources=sources,
    )
    if verdict.look == 0:
        reason = f"{name} against {margin}: undecided, because the seeds so far show no difference "
        return LookCheck(gate, threshold, None, f"{reason}between sources")
    reason = _reason(name, threshold, margin, verdict, len(cell.seeds), sources is not None)
    if verdict.outcome == "not-enough-evidence":
        assert verdict.level is not None
        interval = found.interval(statistic, sources)
        reason += way_out(interval, threshold, 1 - verdict.level)
    return LookCheck(gate, threshold, verdict, reason)


def _reason(
    name: str,
    threshold: float,
    margin: str,
    verdict: SequentialVerdict,
    seeds: int,
    on_sources: bool,
) -> str:
    assert verdict.mean is not None
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.level is not None
    covers = "sources and seeds" if on_sources else "sentences and seeds"
    relation = {
        "pass": f"is entirely above {margin}",
        "fail": f"is entirely below {margin}",
        "undecided": f"includes {margin}: undecided until the next look",
        "not-enough-evidence": f"includes {margin} at the last look: not enough evidence",
    }[verdict.outcome]
    mean, low, high = (
        beside(each, threshold) for each in (verdict.mean, verdict.low, verdict.high)
    )
    return (
        f"{name} {mean} after {verdict.seeds} of {counted(seeds, 'seed')} "
        f"({100 * (1 - verdict.level):.4g} % interval {low} to {high}, "
        f"{covers}; look {verdict.look}, at level {verdict.level:.2g}) {relation}"
    )


def _looks(cell: Cell) -> tuple[int, ...]:
    assert cell.looks is not None
    return tuple(look for look in cell.looks.after if look >= LEAST_SEEDS)


def _other_gates(cell: Cell) -> bool:
    """Return whether a cell has gates that only all its seeds decide, without a baseline."""
    alone = cell.gates.without_baseline()
    return alone.model_copy(update={"min_mcc": None, "min_accuracy": None}).any_set
