"""Runs that take far longer than expected, each reported once, with the likely reason."""

from harness.machine import contention, provenance
from harness.text import duration
from harness.training.progress import Progress

LATE, LATE_SECONDS = 2.0, 30.0
"""A run is late if it takes LATE times the expected time and LATE_SECONDS longer than expected."""


class Lateness:
    """Records which runs of a session are late.

    Attributes:
        lines: one message per late run, in order of time, written when the run was found late.
    """

    def __init__(self) -> None:
        self.lines: dict[str, str] = {}

    def note(self, title: str, expected: float, now: Progress, basis: str | None) -> None:
        """Check a run in progress; without a basis the expected value is not a time."""
        if title in self.lines or basis is None:
            return
        load = contention.load_message(now.others, provenance.available_cores())
        line = late_line(title, expected, now, load, basis)
        if line is not None:
            self.lines[title] = line


def late_line(
    title: str, expected: float, now: Progress, load: str | None, basis: str
) -> str | None:
    """Return the message that a run is late, with the likely reason; None if it is not late.

    Args:
        expected: seconds that the whole run was expected to take.
        load: the result of `contention.load_message`.
        basis: the source of the expectation.
    """
    likely = now.seconds + (now.seconds_left or 0.0)
    if likely < LATE * expected or likely - expected < LATE_SECONDS:
        return None
    reason = f"likely because {load}"
    if load is None:
        measured = "no other program uses the cores now, and "
        reason = f"{'' if now.others is None else measured}the expectation was {basis}"
    pace = f", about {duration(likely)} in all at this pace" if likely > now.seconds else ""
    return (
        f"{title}: takes far longer than expected: {duration(now.seconds)} so far{pace}, "
        f"expected about {duration(expected)}; {reason}"
    )
