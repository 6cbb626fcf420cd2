"""A threshold with the value measured against it, and the verdict."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["pass", "fail", "not-enough-evidence"]
WORST_FIRST: tuple[Verdict, ...] = ("fail", "not-enough-evidence", "pass")


@dataclass(frozen=True)
class Check:
    """One threshold with the measured value, its 95 % interval if there is one, and the verdict.

    For `max_drop` the measured value is the baseline's MCC minus the cell's.
    """

    gate: str
    threshold: float
    measured: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    reason: str
