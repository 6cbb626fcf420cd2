"""What runs cost: how a cost spreads over seeds, and which costs compare with each other."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from statistics import fmean, stdev

from harness.contention import TAKEN
from harness.records import Record

MOST_VALUES = 6
"""How many seeds' values are listed before only the smallest and the largest are told."""


@dataclass(frozen=True)
class Cost:
    """Something that every run costs.

    Args:
        noun: for sentences.
        plural: the same of several runs.
        unit: of its values.
        digits: behind the point, as people want them.
        measure: what a record holds of it; None where it was not measured.
        timed: it depends on what else the machine did, and on how many runs shared it.
        largest: a cell's value is that of its largest run, not the mean over its runs.
    """

    noun: str
    plural: str
    unit: str
    digits: int
    measure: Callable[[Record], float | None]
    timed: bool = True
    largest: bool = False


COSTS = {
    "train_seconds": Cost(
        "training time",
        "training times",
        "s",
        1,
        lambda run: None if run.times is None else run.times.train,
    ),
    "samples_per_second": Cost(
        "training speed", "training speeds", "sentences/s", 1, lambda run: run.samples_per_second
    ),
    "eval_ms_per_sentence": Cost(
        "evaluation time",
        "evaluation times",
        "ms a sentence",
        2,
        lambda run: run.eval_ms_per_sentence,
    ),
    "peak_memory_mb": Cost(
        "memory",
        "peaks of memory",
        "MB",
        0,
        lambda run: run.peak_memory_mb,
        timed=False,
        largest=True,
    ),
}
"""By the leaderboard's column."""


@dataclass(frozen=True)
class Amount:
    """A cell's cost, and its sample standard deviation over seeds; None where not known.

    Of a `rough` one only the order of magnitude tells something.
    """

    value: float | None
    sd: float | None
    rough: bool = False


@dataclass(frozen=True)
class Ratio:
    """What a costs for each unit that b does.

    `value` is the ratio of the two amounts; `low` and `high` are the smallest and the largest
    ratio of one run of a to one run of b, None where either has one run only. All three are None
    where `obstacle` says why the costs do not compare.
    """

    cost: Cost
    a: Amount
    b: Amount
    value: float | None
    low: float | None
    high: float | None
    obstacle: str | None


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean, or None where a value is missing or there is none."""
    measured = all_measured(values)
    return fmean(measured) if measured else None


def deviation(values: Iterable[float | None]) -> float | None:
    """Return the sample standard deviation, or None where a value is missing or of fewer than two.

    The square root of the squared deviations from the mean, summed and divided by n - 1.
    """
    measured = all_measured(values)
    return stdev(measured) if len(measured) > 1 else None


def all_measured(values: Iterable[float | None]) -> list[float]:
    """Return the values, or none of them where one is missing."""
    numbers = list(values)
    measured = [number for number in numbers if number is not None]
    return measured if len(measured) == len(numbers) else []


def amount(cost: Cost, runs: Iterable[Record]) -> Amount:
    """Return what runs of one cell cost."""
    values = [cost.measure(run) for run in runs]
    worst = max(all_measured(values), default=None)
    value = worst if cost.largest else mean(values)
    return Amount(value, deviation(values))


def ratio(cost: Cost, a: str, runs_a: Sequence[Record], b: str, runs_b: Sequence[Record]) -> Ratio:
    """Return what runs of the cell named a cost for each unit that those of b do."""
    ours, theirs = (all_measured(cost.measure(run) for run in runs) for runs in (runs_a, runs_b))
    amounts = [
        replace(amount(cost, runs), rough=cost.timed and rough(runs)) for runs in (runs_a, runs_b)
    ]
    known = (cost, amounts[0], amounts[1])
    obstacle = _obstacle(cost, {a: runs_a, b: runs_b})
    if obstacle is not None:
        return Ratio(*known, None, None, None, obstacle)
    value = (known[1].value or 0.0) / (known[2].value or 1.0)
    if min(len(ours), len(theirs)) == 1:
        return Ratio(*known, value, None, None, None)
    return Ratio(*known, value, min(ours) / max(theirs), max(ours) / min(theirs), None)


def _obstacle(cost: Cost, cells: Mapping[str, Sequence[Record]]) -> str | None:
    """Return why the costs of two cells do not compare."""
    for name, runs in cells.items():
        values = all_measured(map(cost.measure, runs))
        if not values:
            return f"the {cost.noun} of some run of {name} was not measured"
        if max(values) == 0:
            return f"the {cost.noun} of {name} is 0"
    every = [*chain.from_iterable(cells.values())]
    said = [
        f"{cost.plural} of {name}'s seeds differ by {extent}"
        for name, runs in cells.items()
        if (extent := disagreement(cost, runs)) is not None
    ]
    if unknown := [name for name, values in _facts(every, cost.timed).items() if None in values]:
        said.append(f"what they were measured on is not recorded ({', '.join(unknown)})")
    elif (unlike := unlike_circumstances(every, cost.timed)) is not None:
        said.append(f"they were measured under different circumstances ({unlike})")
    return " and ".join(said) or None


def disagreement(cost: Cost, runs: Sequence[Record]) -> str | None:
    """Say by how much the seeds of one cell differ in a cost; None where by a third or less.

    Runs of a cell do the same work. Where the largest value is more than 4/3 of the smallest,
    something else than the work made the difference.
    """
    values = all_measured(map(cost.measure, runs))
    if len(values) < 2 or 3 * max(values) <= 4 * min(values):
        return None
    if len(values) > MOST_VALUES:
        told = f"{_short(min(values))} to {_short(max(values))} {cost.unit}, {len(values)} seeds"
    else:
        told = f"{', '.join(map(_short, values[:-1]))} and {_short(values[-1])} {cost.unit}"
    return f"a factor of {max(values) / min(values):.3g} ({told})" if min(values) else told


def unlike_circumstances(runs: Sequence[Record], timed: bool = True) -> str | None:
    """Say what differs in what runs were measured on; None where nothing does.

    Args:
        timed: whether times were measured, to which everything matters, or memory, to which only
            the device does.
    """
    told = []
    for name, values in _facts(runs, timed).items():
        several = [str(value) for value in dict.fromkeys(values) if value is not None]
        if len(several) > 1:
            told.append(f"{name}: {', '.join(several[:-1])} and {several[-1]}")
    return "; ".join(told) or None


def circumstances(runs: Iterable[Record]) -> frozenset[tuple[object, ...]]:
    """Return what runs were timed on; times compare where it is one and the same for all."""
    return frozenset(zip(*_facts([*runs], True).values(), strict=True))


def _facts(runs: Sequence[Record], timed: bool) -> dict[str, list[object]]:
    """Return what runs were measured on by the facts' names: a value for each run."""
    machines = [run.machine for run in runs]
    facts: dict[str, list[object]] = {"device": [run.device for run in runs]}
    facts["accelerator"] = [each and (each.accelerator or "none") for each in machines]
    if timed:
        facts |= {
            "processor": [each and each.processor for each in machines],
            "cores": [each and each.cores for each in machines],
            "GB of memory": [each and (each.memory_gb or "unknown") for each in machines],
            "system": [each and each.system for each in machines],
            "Python": [each and each.python for each in machines],
            "threads a run": [run.threads for run in runs],
            "other programs": [_other_programs(run) for run in runs],
            "runs at a time": [run.concurrency for run in runs],
        }
    return facts


def _other_programs(run: Record) -> str:
    """Say whether other programs kept a core of the machine; older records do not know of any."""
    found = run.contention
    return "none" if found is None or found.other_programs <= TAKEN else "busy"


def doubts(runs: Sequence[Record]) -> list[str]:
    """Return why the times of one cell's runs tell little, in sentences without a full stop."""
    found = []
    train, evaluation = COSTS["train_seconds"], COSTS["eval_ms_per_sentence"]
    if (extent := disagreement(train, runs)) is not None:
        too = disagreement(evaluation, runs)
        also = "" if too is None else f", {evaluation.plural} by {too}"
        found.append(
            f"{train.plural} of its seeds differ by {extent}{also}, although they do the same "
            "work: most likely the machine did something else as well, so these times compare "
            "with no others"
        )
    if (unlike := unlike_circumstances(runs)) is not None:
        found.append(
            f"its seeds were timed under different circumstances ({unlike}), so their mean times "
            "compare with no others"
        )
    return found


def rough(runs: Sequence[Record]) -> bool:
    """Return whether only the order of magnitude of one cell's times tells something.

    It is so where seeds differ by more than a third in some time, where they were timed under
    different circumstances, and where other programs kept a core busy while one of them trained.
    """
    return (
        any(disagreement(cost, runs) is not None for cost in COSTS.values() if cost.timed)
        or unlike_circumstances(runs) is not None
        or beside_other_programs(runs)
    )


def beside_other_programs(runs: Iterable[Record]) -> bool:
    """Return whether other programs kept a core busy while some of the runs trained."""
    return any(_other_programs(run) == "busy" for run in runs)


def compares(column: str, runs: Sequence[Record]) -> bool:
    """Return whether a cell's cost in a leaderboard's column may compare with any other's."""
    cost = COSTS[column]
    return disagreement(cost, runs) is None and unlike_circumstances(runs, cost.timed) is None


def _short(value: float) -> str:
    """Write a number with three digits, or all those before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
