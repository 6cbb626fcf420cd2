"""The Pareto front of time and MCC, where times that differ within their spread are equal."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from harness.judging.costs import COSTS, all_measured, compares, rough
from harness.store.records import Record
from harness.text import two_digits

UNREPEATED = 4 / 3
"""The factor within which times are equal if too few were repeated to tell their spread: as much as
seeds of a cell may differ before their times cannot be compared at all."""

FEWEST_REPEATS = 3
"""Runs beyond the first of each cell that it takes to tell the spread."""

DISTURBED = 2.0
"""A rough time is shorter than others only by more than this factor. Runs of one cell beside busy
programs took up to 1.5 times as long as beside fewer of them (docs/log.md)."""


@dataclass(frozen=True)
class Timed:
    """A cell's time, less is better, and its MCC, with the scored runs."""

    time: float
    mcc: float
    runs: Sequence[Record]


def equal_within(column: str, cells: Iterable[Sequence[Record]]) -> float:
    """Return the factor within which times of cells in one chart are equal.

    It is the largest ratio of two runs of one cell among those that can be compared and are not
    rough; UNREPEATED if these repeat fewer than FEWEST_REPEATS runs.

    Args:
        column: of a time, such as train_seconds.
        cells: the scored runs of each cell.
    """
    cost = COSTS[column]
    found = [
        values
        for runs in cells
        if compares(column, runs) and not rough(runs, cost.served)
        for values in [all_measured(map(cost.measure, runs))]
        if values and min(values) > 0
    ]
    if sum(len(values) - 1 for values in found) < FEWEST_REPEATS:
        return UNREPEATED
    return max(max(values) / min(values) for values in found)


def in_words(factor: float, with_rough: bool) -> str:
    """Return which times count as equal, as a clause."""
    found = f"times within {two_digits(100 * (factor - 1))} % count as equal"
    if with_rough:
        found += f", rough ones are shorter only by a factor of {max(factor, DISTURBED):g}"
    return found


def on_front(column: str, cells: Sequence[Timed]) -> list[bool]:
    """Return for each cell of a chart whether it is on the front.

    It is not if its time cannot be compared, or if a cell on the front beats it: with a higher MCC
    and a time that is shorter or equal, or with the same MCC and a shorter time. A cell that is
    itself off the front takes none from it: equal times form chains whose ends differ by much more
    than this factor, and the slowest cell of a chain would take all others off.

    Two times are equal if their ratio is at most `equal_within`; a rough time is shorter than
    another, rough or not, only by more than DISTURBED. So a rough time takes no steady one from the
    front that it would not take if it were steady.
    """
    factor = equal_within(column, [cell.runs for cell in cells])
    served = COSTS[column].served

    def within(cell: Timed) -> float:
        return max(factor, DISTURBED) if rough(cell.runs, served) else factor

    comparable = [place for place, cell in enumerate(cells) if compares(column, cell.runs)]
    ordered = sorted(comparable, key=lambda place: (-cells[place].mcc, cells[place].time))
    front: set[int] = set()
    better = math.inf  # the shortest time on the front with a higher MCC
    for _, places in groupby(ordered, key=lambda place: cells[place].mcc):
        longest = math.inf  # the longest time that none on the front with this MCC beats
        shortest = better
        for place in places:
            time, reach = cells[place].time, cells[place].time * within(cells[place])
            if better > reach and time <= longest:
                front.add(place)
                longest, shortest = min(longest, reach), min(shortest, time)
        better = shortest
    return [place in front for place in range(len(cells))]
