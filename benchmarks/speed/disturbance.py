"""What disturbs a measurement: other programs, and other machines on the same host."""

import contextlib
import ctypes
import os
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import psutil

from harness.machine import contention
from harness.machine.contention import Moment

QUIET = 0.1
"""A measurement is disturbed if others take more than this many cores from it on average."""

PR_SET_CHILD_SUBREAPER = 36
"""Of linux/prctl.h."""


@dataclass(frozen=True)
class Disturbance:
    """What others took of the cores during a measurement, as a mean number of cores.

    Attributes:
        others: cores that other programs on this machine kept busy; None if unknown.
        stolen: cores' worth of time that the host of this virtual machine gave to others ("steal"
            in /proc/stat); None if unknown.
    """

    others: float | None
    stolen: float | None


@dataclass(frozen=True)
class Reading:
    """Clock readings: those of `contention`, and the stolen processor time in seconds."""

    moment: Moment | None
    stolen: float | None


def adopt_orphans() -> None:
    """Make processes whose parent has ended children of this one, on Linux.

    A session's fork server ends after the session, and so would be counted as another program.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> frozenset[int]:
    """Return the process ids of this process' children."""
    return frozenset(child.pid for child in psutil.Process().children())


def wait_for_orphans(earlier: Collection[int] = ()) -> None:
    """Wait until child processes have ended, so that their processor time counts as ours.

    Args:
        earlier: children that are not waited for; they may live as long as this process.
    """
    for child in children() - set(earlier):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)
    # The children of those that ended are children of this process now.
    if children() - set(earlier):
        wait_for_orphans(earlier)


def read() -> Reading:
    """Read the clocks; this process and its descendants count as our own."""
    return Reading(contention.now(os.getpid()), stolen_seconds())


def stolen_seconds() -> float | None:
    """Return the time stolen from the cores that this process may use; None if not counted."""
    with contextlib.suppress(OSError, AttributeError, NotImplementedError):
        return float(sum(times.steal for times in contention.core_times()))
    return None


def between(before: Reading, after: Reading) -> Disturbance:
    """Return what others took from before until after."""
    others, stolen = contention.between(before.moment, after.moment), None
    if others is not None and before.stolen is not None and after.stolen is not None:
        assert before.moment is not None
        assert after.moment is not None
        seconds = after.moment.time - before.moment.time
        stolen = max(0.0, after.stolen - before.stolen) / seconds
        others = max(0.0, others - stolen)  # contention counts it as used by other programs
    return Disturbance(others, stolen)


def worst(found: Sequence[Disturbance]) -> Disturbance:
    """Return the disturbance of a measurement in several parts: the largest of each kind.

    It is unknown where that of a part is unknown.
    """

    def largest(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return max(known) if known and len(known) == len(values) else None

    return Disturbance(
        largest([part.others for part in found]), largest([part.stolen for part in found])
    )


def is_disturbed(found: Disturbance) -> bool | None:
    """Return whether others took more than QUIET; None if it is unknown.

    A system that counts no stolen time counts it with `others`, if at all.
    """
    if found.others is None:
        return None
    return found.others + (found.stolen or 0.0) > QUIET


def in_words(found: Sequence[Disturbance]) -> str:
    """Return how many measurements were disturbed, and by how much at most."""
    states = [is_disturbed(part) for part in found]
    if not any(states):
        return "unknown" if None in states or not states else "quiet"
    largest = [
        f"{what} {max(known):.1f}"
        for what, known in (
            ("others", [part.others for part in found if part.others is not None]),
            ("stolen", [part.stolen for part in found if part.stolen is not None]),
        )
        if known
    ]
    return (
        f"**disturbed** in {states.count(True)} of {len(states)}: up to {', '.join(largest)} cores"
    )
