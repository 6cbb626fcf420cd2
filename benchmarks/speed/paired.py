"""Ratios of measurements made in turn: their median with an interval, or why there is none."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from harness.stats.intervals import seeds_interval

WIDEST = 1 / 3
"""A ratio is refused if its interval is wider than this share of it."""

T = TypeVar("T")


@dataclass(frozen=True)
class Ratio:
    """The ratio of two measurements, one pair per round.

    Attributes:
        pairs: the ratio of each round, in order; None where it is impossible (not above 0, or not
            finite).
        ratio: their median; None if it is not measured.
        low, high: the ends of its 95 % interval; None if it is not measured.
        why: the reason why it is not measured, else None.
    """

    pairs: tuple[float | None, ...]
    ratio: float | None
    low: float | None
    high: float | None
    why: str | None


def ratio_of(first: Sequence[float | None], second: Sequence[float | None]) -> Ratio:
    """Return the ratio of two series of measurements, paired by round.

    A pair is impossible if either of its measurements is not above 0: two differences of times
    that are both negative have a positive ratio, and mean nothing.

    Args:
        first: (rounds,), in any unit; None for a number that was not recorded.
        second: (rounds,), in the same unit.
    """
    pairs = [
        None if a is None or b is None else a / b if a > 0 and b > 0 else 0.0
        for a, b in zip(first, second, strict=True)
    ]
    if None in pairs:
        why = f"not recorded in {pairs.count(None)} of {len(pairs)} rounds"
        return _refused(tuple(pair or None for pair in pairs), why)
    return from_pairs(pairs)


def from_pairs(pairs: Sequence[float | None]) -> Ratio:
    """Return the median of paired ratios with its 95 % interval, or the reason why it has none.

    The interval is Student's t (Student 1908) of the ratios' logarithms, so that a ratio and its
    inverse have the same interval (Fleming and Wallace 1986). It covers the median of all such
    ratios if their logarithms are distributed normally. Few pairs make it wide: two pairs multiply
    their standard error by 12.7, five by 2.8. An impossible pair is never left out: without it, the
    others would look better than the measurement was.

    Args:
        pairs: (rounds,), without unit.
    """
    kept = tuple(pair if pair is not None and 0 < pair < math.inf else None for pair in pairs)
    possible = [pair for pair in kept if pair is not None]
    if impossible := len(kept) - len(possible):
        return _refused(kept, f"too noisy: {impossible} of {len(kept)} pairs impossible")
    interval = seeds_interval([math.log(pair) for pair in possible])
    if interval is None:
        return _refused(kept, "at least two rounds are needed")
    middle = float(np.median(possible))
    with np.errstate(over="ignore"):  # infinite is too wide
        low, high = (float(np.exp(end)) for end in (interval.low, interval.high))
    if not high - low <= WIDEST * middle:
        return _refused(kept, f"too noisy: {low:.2f} to {high:.2f}")
    return Ratio(kept, middle, low, high, None)


def in_turn(
    measures: Mapping[str, Callable[[], T]], rounds: int
) -> Iterator[dict[str, tuple[T, ...]]]:
    """Measure in turn, in `order`; yield after every round what was measured so far.

    Args:
        measures: what makes one measurement, by name.
    """
    measured: dict[str, tuple[T, ...]] = dict.fromkeys(measures, ())
    for number in range(rounds):
        for name in order(tuple(measures), number):
            measured[name] = (*measured[name], measures[name]())
        yield dict(measured)


def order(names: Sequence[T], number: int) -> Sequence[T]:
    """Return the names as they are, or in reverse in every second round.

    A steady drift of the machine then lengthens either measurement of a pair in turn.
    """
    return names[::-1] if number % 2 else names


def _refused(pairs: tuple[float | None, ...], why: str) -> Ratio:
    return Ratio(pairs, None, None, None, why)
