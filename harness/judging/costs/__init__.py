"""Costs of runs: their spread over seeds, and which costs can be compared with each other."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain
from statistics import fmean, stdev

from harness.judging.costs.circumstances import (
    busy,
    differing_circumstances,
    facts,
    unwatched,
)
from harness.store.records import Record
from harness.text import series, two_digits

MOST_VALUES = 6
"""With more seeds than this, only the smallest and the largest value are listed."""


@dataclass(frozen=True)
class Cost:
    """A cost of every run, such as training time.

    Args:
        noun: its name in sentences.
        plural: its name for several runs.
        unit: of its values.
        digits: decimals shown to people.
        measure: returns its value from a record; None if it was not measured.
        timed: whether other programs and the number of runs on the machine influence it.
        largest: whether a cell's value is the maximum over its runs, not the mean.
        served: whether it is measured after training, on the trained model alone.
    """

    noun: str
    plural: str
    unit: str
    digits: int
    measure: Callable[[Record], float | None]
    timed: bool = True
    largest: bool = False
    served: bool = False

    def write(self, value: float) -> str:
        """Format a value for people."""
        return f"{value:.{self.digits}f}"


def _of_answers(name: str) -> Callable[[Record], float | None]:
    return lambda run: None if run.serving is None else getattr(run.serving, name)


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
        "ms per sentence",
        2,
        lambda run: run.eval_ms_per_sentence,
    ),
    "peak_memory_mb": Cost(
        "memory",
        "memory peaks",
        "MB",
        0,
        lambda run: run.peak_memory_mb,
        timed=False,
        largest=True,
    ),
    "latency_ms": Cost(
        "latency",
        "latencies",
        "ms",
        2,
        _of_answers("latency_ms"),
        served=True,
    ),
    "latency_p95_ms": Cost(
        "95th percentile of latency",
        "95th percentiles of latency",
        "ms",
        2,
        _of_answers("latency_p95_ms"),
        served=True,
    ),
    "predictions_per_second": Cost(
        "prediction speed",
        "prediction speeds",
        "sentences/s",
        0,
        _of_answers("best_sentences_per_second"),
        served=True,
    ),
}
"""By column of the leaderboard."""


@dataclass(frozen=True)
class Amount:
    """A cell's cost, and its sample standard deviation over seeds; None if unknown.

    If `rough`, only the order of magnitude is meaningful.
    """

    value: float | None
    sd: float | None
    rough: bool

    def text(self, write: Callable[[float], str]) -> str:
        """Format a known value with its deviation.

        A rough value gets ~ and two digits, and no deviation: ± 1 % would deny that it is rough.
        """
        assert self.value is not None
        if self.rough:
            return f"~{two_digits(self.value)}"
        deviation = "" if self.sd is None else f" ± {write(self.sd)}"
        return f"{write(self.value)}{deviation}"


@dataclass(frozen=True)
class Reason:
    """Why two costs cannot be compared: the cause, equal for all such pairs, and in full."""

    cause: str
    text: str


@dataclass(frozen=True)
class Ratio:
    """The cost of a divided by the cost of b.

    `value` is the ratio of the two amounts. `low` and `high` are the smallest and the largest
    ratio of one run of a to one run of b; None if a or b has one run only. All three are None if
    the costs cannot be compared; `reasons` are then all reasons, and `obstacle` is their text.
    `unwatched` is whether other programs may have influenced a ratio of times, because the records
    do not contain their load.
    """

    cost: Cost
    a: Amount
    b: Amount
    value: float | None = None
    low: float | None = None
    high: float | None = None
    reasons: tuple[Reason, ...] = ()
    unwatched: bool = False

    @property
    def obstacle(self) -> str | None:
        """Why the costs cannot be compared, in words; None if they can."""
        return " and ".join(reason.text for reason in self.reasons) or None

    @property
    def rough(self) -> bool:
        """Whether one of the amounts is rough."""
        return self.a.rough or self.b.rough

    def write(self, value: float) -> str:
        """Format a ratio for people, with three significant digits: 1.00, 0.872, 12.3, 1230."""
        return two_digits(value) if self.rough else f"{Decimal(f'{value:#.3g}'):f}"


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean, or None if a value is missing or there are no values."""
    measured = all_measured(values)
    return fmean(measured) if measured else None


def deviation(values: Iterable[float | None]) -> float | None:
    """Return the sample standard deviation; None for missing values or fewer than two.

    It is the square root of: the sum of squared deviations from the mean, divided by n - 1.
    """
    measured = all_measured(values)
    return stdev(measured) if len(measured) > 1 else None


def all_measured(values: Iterable[float | None]) -> list[float]:
    """Return the values, or an empty list if one is missing."""
    numbers = list(values)
    measured = [number for number in numbers if number is not None]
    return measured if len(measured) == len(numbers) else []


def value_of(cost: Cost, values: Iterable[float | None]) -> float | None:
    """Return a cell's cost from its runs' values: their mean, or their largest if `largest`."""
    return max(all_measured(values), default=None) if cost.largest else mean(values)


def amount(cost: Cost, runs: Sequence[Record]) -> Amount:
    """Return the cost of a cell's runs; unknown if one was stopped, as whole runs cost more."""
    if _stopped(runs):
        return Amount(None, None, False)
    values = [*map(cost.measure, runs)]
    return Amount(
        value_of(cost, values), deviation(values), cost.timed and rough(runs, cost.served)
    )


def ratio(cost: Cost, a: str, runs_a: Sequence[Record], b: str, runs_b: Sequence[Record]) -> Ratio:
    """Return the cost of the runs of cell a divided by the cost of the runs of cell b."""
    values_a, values_b = (all_measured(map(cost.measure, runs)) for runs in (runs_a, runs_b))
    amount_a, amount_b = amount(cost, runs_a), amount(cost, runs_b)
    if reasons := _obstacles(cost, {a: runs_a, b: runs_b}):
        return Ratio(cost, amount_a, amount_b, reasons=reasons)
    value = (amount_a.value or 0.0) / (amount_b.value or 1.0)
    unknown = cost.timed and any(unwatched(run, cost.served) for run in (*runs_a, *runs_b))
    found = Ratio(cost, amount_a, amount_b, value, unwatched=unknown)
    if min(len(values_a), len(values_b)) == 1:
        return found
    low, high = min(values_a) / max(values_b), max(values_a) / min(values_b)
    return replace(found, low=low, high=high)


def _obstacles(cost: Cost, cells: Mapping[str, Sequence[Record]]) -> tuple[Reason, ...]:
    """Return the reasons why the costs of two cells cannot be compared, if any."""
    for name, runs in cells.items():
        if _stopped(runs):
            text = f"a run of {name} was stopped before its last epoch"
            return (Reason("a run was stopped before its last epoch", text),)
        values = all_measured(map(cost.measure, runs))
        if not values:
            text = f"the {cost.noun} of some run of {name} was not measured"
            return (Reason("not measured in some run", text),)
        if max(values) == 0:
            return (Reason("0 in every run of a cell", f"the {cost.noun} of {name} is 0"),)
    all_runs = [*chain.from_iterable(cells.values())]
    texts = []
    if unknown := [
        name for name, values in facts(all_runs, cost.timed, cost.served).items() if None in values
    ]:
        texts.append(f"the circumstances of measurement are not recorded ({', '.join(unknown)})")
    elif (differences := differing_circumstances(all_runs, cost.timed, cost.served)) is not None:
        texts.append(f"they were measured under different circumstances ({differences})")
    if cost.timed and all(busy(run, cost.served) for run in all_runs):  # else a difference
        when = "these models answered" if cost.served else "these runs trained"
        texts.append(f"other programs kept a core busy while {when}")
    return (*disagreements(cost, cells), *(Reason(text, text) for text in texts))


def disagreements(cost: Cost, cells: Mapping[str, Sequence[Record]]) -> list[Reason]:
    """Return a reason for each of these cells, by name, whose seeds disagree on a cost."""
    return [
        Reason(
            "seeds of one cell differ by more than a third",
            f"{cost.plural} of {name}'s seeds differ by {extent}",
        )
        for name, runs in cells.items()
        if (extent := disagreement(cost, runs)) is not None
    ]


def disagreement(cost: Cost, runs: Sequence[Record]) -> str | None:
    """Return by how much a cost differs between seeds of a cell; None if by a third or less.

    Runs of a cell do the same work. If the largest value is more than 4/3 of the smallest, the
    difference has another cause than the work. Stopped runs do not do the same work.
    """
    if _stopped(runs):
        return None
    values = all_measured(map(cost.measure, runs))
    # Computed values, such as speeds, are rounded: 4/3 itself is not more than 4/3.
    if len(values) < 2 or 3 * max(values) <= 4 * min(values) * (1 + 1e-9):
        return None
    if len(values) > MOST_VALUES:
        listed = f"{_short(min(values))} to {_short(max(values))} {cost.unit}, {len(values)} seeds"
    else:
        listed = f"{series([*map(_short, values)])} {cost.unit}"
    return f"a factor of {max(values) / min(values):.3g} ({listed})" if min(values) else listed


def doubts(runs: Sequence[Record]) -> list[str]:
    """Return why the times of a cell's runs are unreliable, in sentences without a full stop."""
    found = []
    train, evaluation = COSTS["train_seconds"], COSTS["eval_ms_per_sentence"]
    if (extent := disagreement(train, runs)) is not None:
        other = disagreement(evaluation, runs)
        also = "" if other is None else f", {evaluation.plural} by {other}"
        found.append(
            f"{train.plural} of its seeds differ by {extent}{also}, although they do the same "
            f"work: {likely_cause(runs)}, so these times cannot be compared with others"
        )
    if (differences := differing_circumstances(runs)) is not None:
        found.append(
            f"its seeds were timed under different circumstances ({differences}), so their mean "
            "times cannot be compared with others"
        )
    return found


def likely_cause(runs: Iterable[Record]) -> str:
    """Return why runs that do the same work may have taken different times."""
    busy = "the machine was also busy with something else"
    most = max((run.concurrency or 1 for run in runs), default=1)
    if most == 1:
        return f"most likely {busy}"
    return f"likely {busy}, or not all of these runs had {most - 1} more beside them all the time"


def rough(runs: Sequence[Record], served: bool = False) -> bool:
    """Return whether only the order of magnitude of a cell's times is meaningful.

    This is so if a time differs between seeds by more than a third, if seeds were timed under
    different circumstances, or if other programs kept a core busy meanwhile.

    Args:
        served: whether these are the times of the trained models' answers, or of the training.
    """
    alike = [cost for cost in COSTS.values() if cost.timed and cost.served == served]
    return (
        any(disagreement(cost, runs) is not None for cost in alike)
        or differing_circumstances(runs, served=served) is not None
        or any(busy(run, served) for run in runs)
    )


def beside_other_programs(runs: Iterable[Record]) -> bool:
    """Return whether other programs kept a core busy while one of the runs trained."""
    return any(map(busy, runs))


def compares(column: str, runs: Sequence[Record]) -> bool:
    """Return whether a cell's cost in this leaderboard column can be compared with other cells'."""
    cost = COSTS[column]
    if _stopped(runs):
        return False
    return (
        disagreement(cost, runs) is None
        and differing_circumstances(runs, cost.timed, cost.served) is None
    )


def _stopped(runs: Iterable[Record]) -> bool:
    return any(run.stopped is not None for run in runs)


def _short(value: float) -> str:
    """Format a number with three significant digits, or as an integer from 100."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
