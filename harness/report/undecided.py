"""What a session with a budget did not decide, and how much more time would decide it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness import stats
from harness.forecast.seconds import makespan
from harness.judging.gates import Check, Judgement
from harness.stats import Interval
from harness.store.outside_budget import OutsideBudget
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.text import counted, duration, exact_duration, printable

MOST_CELLS = 30
"""Maximum number of cells that are listed; the rest are only counted."""


@dataclass(frozen=True)
class Lacking:
    """A cell with runs outside the budget: its seeds, those with a score, and those outside.

    `more_seconds` is how long the runs outside would take; None if that is not known.
    """

    seeds: int
    trained: int
    outside: int
    more_seconds: float | None


def outside_budget(runs: Iterable[Record]) -> list[OutsideBudget]:
    """Return what is known of each run that a budget left out."""
    return [
        run.outside_budget
        for run in runs
        if run.status == "skipped" and run.outside_budget is not None
    ]


def lacking(cell: Cell, runs: Sequence[Record]) -> Lacking | None:
    """Return what a cell lacks; None if no run is outside the budget.

    Args:
        runs: the records of its seeds.
    """
    outside = outside_budget(runs)
    if not outside:
        return None
    trained = sum(run.scores is not None for run in runs)
    return Lacking(len(cell.seeds), trained, len(outside), time_of(outside))


def time_of(outside: Sequence[OutsideBudget]) -> float | None:
    """Return how many seconds runs would take, several at a time; None if some time is unknown."""
    seconds = [each.expected_seconds for each in outside]
    known = [each for each in seconds if each is not None]
    if not known or len(known) < len(seconds):
        return None
    return makespan(sorted(known, reverse=True), max(each.workers for each in outside))


def in_words(found: Lacking) -> str:
    """Return what a cell lacks in one line."""
    more = "" if found.more_seconds is None else f", about {duration(found.more_seconds)} more"
    return f"outside the budget: {found.trained} of {counted(found.seeds, 'seed')} trained{more}"


def properties(found: Lacking) -> list[tuple[str, str]]:
    """Return what a cell lacks as properties of its test."""
    listed = [("seeds_trained", found.trained), ("seeds_outside_budget", found.outside)]
    known = [] if found.more_seconds is None else [("seconds_more", found.more_seconds)]
    return [(name, repr(value)) for name, value in [*listed, *known]]


def undecided(
    cells: Sequence[Cell],
    runs: Mapping[str, Sequence[Record]],
    judgements: Mapping[str, Judgement],
    of_suite: Sequence[Check],
    against_baseline: bool,
    name: Callable[[str], str] = printable,
    plain: Callable[[str], str] = printable,
) -> Iterator[str]:
    """Yield lines: what was decided, what was not, and what time would decide it.

    Yields nothing if no run is outside a budget.

    Args:
        runs: the records of each cell, by its id.
        judgements: by cell id.
        of_suite: the checks of the suite's own gates.
        against_baseline: whether a baseline judges every cell.
        name: formats a cell's id.
        plain: formats other text from a record.
    """
    every = outside_budget(run for cell in cells for run in runs[cell.id])
    if not every:
        return
    gated = {cell.id for cell in cells if against_baseline or cell.gates.without_baseline().any_set}
    verdicts = [judgements[cell.id].verdict for cell in cells if cell.id in gated]
    complete = sum(len(judgements[cell.id].scored) == len(cell.seeds) for cell in cells)
    yield (
        f"budget of {exact_duration(round(every[0].budget_seconds))}: "
        f"{_decided([*verdicts, *(check.verdict for check in of_suite)])}"
        f"{complete} of {counted(len(cells), 'cell')} {'has' if complete == 1 else 'have'} all "
        "their seeds"
    )
    lines = []
    for cell in cells:
        judgement = judgements[cell.id]
        found = lacking(cell, runs[cell.id])
        needed = _seeds_needed(cell, judgement)
        if found is not None and not judgement.failures:
            state = "not decided" if cell.id in gated else "incomplete"
            lines.append(f"{name(cell.id)}: {state}, {in_words(found)}{needed}")
        elif judgement.verdict == "not-enough-evidence":
            lines.append(f"{name(cell.id)}: not decided with all its seeds{needed}")
    yield from lines[:MOST_CELLS]
    if len(lines) > MOST_CELLS:
        yield f"and {counted(len(lines) - MOST_CELLS, 'more cell')}"
    yield _more(every, plain)


def _decided(verdicts: Sequence[str | None]) -> str:
    """Return how many gates were decided; empty without a gate."""
    if not verdicts:
        return ""
    found = Counter(verdicts)
    listed = f"{found['pass']} pass, {found['fail']} fail"
    decided = found["pass"] + found["fail"]
    return f"{decided} of {counted(len(verdicts), 'gate')} decided ({listed}), "


def _more(outside: Sequence[OutsideBudget], plain: Callable[[str], str]) -> str:
    left = f"{counted(len(outside), 'run')} outside the budget"
    seconds = time_of(outside)
    if seconds is None:
        return f"{left}; how long they would take is not known; a further session goes on with them"
    workers = max(each.workers for each in outside)
    basis = next((f", {plain(each.basis)}" for each in outside if each.basis is not None), "")
    return (
        f"{left} would take about {duration(seconds)} more ({workers} at a time{basis}); a further "
        "session goes on with them"
    )


def _seeds_needed(cell: Cell, judgement: Judgement) -> str:
    """Return how many seeds would decide a gate on the interval's bound, and their time."""
    threshold, scored = cell.gates.min_mcc, judgement.scored
    on_sources = cell.gates.population == "sources"
    interval = judgement.mcc_on_sources if on_sources else judgement.mcc_interval
    if cell.gates.statistic != "lower-bound" or threshold is None:
        return ""
    if not isinstance(interval, Interval):
        return ""
    needed = stats.seeds_needed(interval, threshold)
    if needed is None:
        return "; no number of seeds would decide its gate on the interval's bound"
    if needed <= len(cell.seeds):
        return ""
    times = [run.times.total for run in scored if run.times is not None]
    workers = max((run.concurrency or 1 for run in scored), default=1)
    time = ""
    if times:
        seconds = makespan([sum(times) / len(times)] * (needed - len(scored)), workers)
        time = f" (about {duration(seconds)} more)"
    return f"; its gate on the interval's bound needs about {counted(needed, 'seed')} in all{time}"
