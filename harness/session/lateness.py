"""Runs that take far longer than they were expected to, each told once, with the likely reason."""

from harness.forecast.seconds import EARLY
from harness.machine import contention, provenance
from harness.text import duration
from harness.training.progress import Progress

LATE, LATE_SECONDS = 2.0, 30.0
"""A run is late that takes so many times, and so many seconds more than, what was expected."""


class Lateness:
    """Notes which runs of a session are late.

    Attributes:
        lines: a line for each, in order of time, as it was when it was found.
    """

    def __init__(self) -> None:
        self.lines: dict[str, str] = {}

    def note(self, title: str, expected: float, now: Progress, basis: str | None) -> None:
        """Look at a run under way; without a basis its expectation is no time."""
        if title in self.lines or basis is None:
            return
        load = contention.load_message(now.others, provenance.available_cores())
        line = late_line(title, expected, now, load, basis)
        if line is not None:
            self.lines[title] = line


def late_line(
    title: str, expected: float, now: Progress, load: str | None, basis: str
) -> str | None:
    """Say that a run takes far longer than expected, and the likely reason; None if it does not.

    Args:
        expected: seconds that the whole run was expected to take.
        load: the result of `contention.load_message`.
        basis: what the expectation comes from.
    """
    likely = now.seconds
    if now.steps and now.step / now.steps >= EARLY:
        likely = now.seconds * now.steps / now.step
    if likely < LATE * expected or likely - expected < LATE_SECONDS:
        return None
    reason = f"likely because {load}"
    if load is None:
        seen = "no other program takes the cores now, and "
        reason = f"{'' if now.others is None else seen}the expectation was {basis}"
    pace = f", about {duration(likely)} in all at this pace" if likely > now.seconds else ""
    return (
        f"{title}: takes far longer than expected: {duration(now.seconds)} so far{pace}, "
        f"expected about {duration(expected)}; {reason}"
    )
