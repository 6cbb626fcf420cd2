"""Differences, their intervals and p-values as text that reads as what they show."""

from harness.stats.multiplicity import ALPHA
from harness.text import beside


def p_text(value: float) -> str:
    """Format a p-value so that it reads below ALPHA if it is."""
    return beside(value, ALPHA, least=2, kind="g")


def with_interval(
    value: float, low: float, high: float, *allowed: float, least: int = 3
) -> tuple[str, str]:
    """Format a difference and its interval, with signs; each end reads on its side of 0.

    So does the difference, if the interval excludes 0.

    Args:
        allowed: limits, not below 0; a number reads above one exactly if it is above it.
        least: the smallest number of decimals.
    """
    ends = [_beside_0(end, *allowed, least=least) for end in (low, high)]
    if low > 0 or high < 0:
        return _beside_0(value, *allowed, least=least), " to ".join(ends)
    return beside(value, *allowed, most=True, least=least, sign="+"), " to ".join(ends)


def _beside_0(value: float, *allowed: float, least: int) -> str:
    if value < 0:  # and below the limits, as what is read
        return beside(value, 0.0, least=least, sign="+")
    return beside(value, 0.0, *allowed, most=True, least=least, sign="+")
