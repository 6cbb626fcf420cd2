"""How busy other programs keep the processor's cores, and how many threads they leave to a run."""

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from harness.text import counted

TAKEN = 1 / 3
"""A core counts as taken once other programs use more than this share of it."""

ALONE_SECONDS, BESIDE_SECONDS = 1.0, 5.0
"""How often a lone run looks, and one beside others, which has to look through all processes."""

CALM_LOOKS = 3
"""A run takes a core back after so many looks in a row that found it free."""

MOST_IDLE = 1 / 3
"""Runs give threads up where no larger share of the cores that are left would then be idle."""

FULL = 0.9
"""Where less than this share of all cores is busy, nobody waits for one."""

SHORTEST_SECONDS = 0.3
"""A shorter time tells no load: processor time is counted in hundredths of a second."""


class Contention(BaseModel):
    """What other programs took of the processor while a run trained.

    `other_programs` is the mean number of cores that they kept busy, the session's own runs not
    counted, and `own_cores` that of cores that the run got. `fewest_threads` is the smallest number
    of threads that the run computed in; its record's `threads` is the largest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    other_programs: float = Field(ge=0)
    own_cores: float = Field(ge=0)
    fewest_threads: int = Field(ge=1)


@dataclass(frozen=True)
class Moment:
    """Clock readings in seconds: the time, and processor time of all programs and of ours."""

    time: float
    busy: float
    own: float


def now(family: int | None = None) -> Moment | None:
    """Read the clocks; None where the system does not tell.

    Args:
        family: a process whose descendants are ours, too; by default this process alone is.
    """
    import psutil

    with contextlib.suppress(psutil.Error, OSError, AttributeError, NotImplementedError):
        own = time.process_time() if family is None else _family_seconds(family)
        return Moment(time.monotonic(), _busy_seconds(), own)
    return None


def _busy_seconds() -> float:
    """Return the processor time that was used on the cores that this process may use.

    Time that a virtual machine's host gave to others counts as used.
    """
    import psutil

    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    cores = psutil.cpu_times(percpu=True)
    if allowed is not None and len(cores) <= max(allowed):  # numbered otherwise, as in LXC
        if len(cores) != len(allowed):
            raise NotImplementedError
        allowed = None
    seconds = 0.0
    for core, times in enumerate(cores):
        if allowed is None or core in allowed:
            # Linux counts a guest's time as the user's, too.
            unused = sum(getattr(times, name, 0.0) for name in ("idle", "iowait", "guest"))
            seconds += sum(times) - unused - getattr(times, "guest_nice", 0.0)
    return seconds


def _family_seconds(root: int) -> float:
    """Return the processor time of a process and its descendants, those that ended included."""
    import psutil

    first = psutil.Process(root)
    seconds = 0.0
    for process in (first, *first.children(recursive=True)):
        with contextlib.suppress(psutil.Error):  # it ended; whoever waited for it counts its time
            seconds += sum(process.cpu_times()[:4])  # its own and that of children it waited for
    return seconds


def between(before: Moment | None, after: Moment | None) -> float | None:
    """Return the mean number of cores that other programs kept busy; None if that is not known."""
    if before is None or after is None or after.time - before.time < SHORTEST_SECONDS:
        return None
    if after.own < before.own:  # macOS forgets the time of a process that ended
        return None
    others = (after.busy - before.busy) - (after.own - before.own)
    return max(0.0, others) / (after.time - before.time)


def since(before: Moment | None, family: int | None = None) -> float | None:
    """Return what `between` does of the time until now, or a little later if that is too short."""
    if before is not None:
        time.sleep(max(0.0, before.time + 2 * SHORTEST_SECONDS - time.monotonic()))
    return between(before, now(family))


def wanted(others: float | None, cores: int) -> float | None:
    """Return how many cores other programs would keep busy if there were enough for everybody.

    Args:
        others: cores that they keep busy. If it is all of them, the programs that run or wait to
            run count, by the system's mean of a minute.
    """
    if others is None or others < FULL * cores or _is_confined():
        return others
    with contextlib.suppress(OSError, AttributeError):
        return max(others, os.getloadavg()[0])
    return others


def _is_confined() -> bool:
    """Return whether this process has a part of the cores only: the load is that of them all."""
    return hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) != os.cpu_count()


def wanted_then(found: Contention, workers: int, cores: int) -> float:
    """Return the same of the time in which a run trained that got `own_cores` of the cores.

    Where `workers` runs and other programs share all cores alike, a thread gets
    cores / (all threads) of one.
    """
    others, own, threads = found.other_programs, found.own_cores, found.fewest_threads
    if own == 0 or others + workers * own < FULL * cores:
        return others
    return max(others, threads * cores / own - workers * threads)


def threads_left(threads: int, workers: int, cores: int, others: float) -> int:
    """Return how many of a run's threads find a core that other programs leave; at least one.

    Two threads of a run that share a core with another program wait for each other most of the
    time, so a run is better off with fewer.

    Args:
        threads: what the run computes in where nothing else is busy.
        workers: like runs side by side, which share what is left alike.
        cores: cores of the machine.
        others: cores that other programs keep busy.
    """
    taken = math.ceil(others - TAKEN)
    if taken <= 0:
        return threads
    left = max(1, cores - taken)
    each = max(1, min(threads, left // workers))
    # Many runs do not all halve their threads for one core.
    return threads if left - workers * each > MOST_IDLE * left else each


def told(others: float | None, cores: int) -> str | None:
    """Say how busy other programs are; None where they are not, or nobody knows."""
    if others is None or others <= TAKEN:
        return None
    return f"other programs keep {min(others, cores):.1f} of {counted(cores, 'core')} busy"


def wait_passively() -> None:
    """Let the threads of OpenMP, if it is not loaded yet, sleep while they wait for each other.

    Beside other programs that is faster by far than to spin, as they do by default, and a little
    slower on a quiet machine. What the user set stays.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")


class Watch:
    """Looks at times how busy other programs are, and tells how many threads a run should take.

    It gives a core up as soon as a look finds it taken, and takes it back after CALM_LOOKS.

    Args:
        threads: the most that it tells.
        workers: like runs side by side.
        cores: cores of the machine.
        read: returns the clock readings, as `now` does.
        clock: tells the time of those readings.
    """

    def __init__(
        self,
        threads: int,
        workers: int,
        cores: int,
        read: Callable[[], Moment | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.threads = threads
        self.others: float | None = None
        self._most, self._workers, self._cores = threads, workers, cores
        self._read, self._clock = read, clock
        self._every = ALONE_SECONDS if workers == 1 else BESIDE_SECONDS
        self._last = read()
        self._calm = 0

    def look(self, at_once: bool = False) -> int:
        """Return the threads to take; the last answer where the last look is not long ago.

        Args:
            at_once: look although it is not long ago, and believe what is found either way.
        """
        last = self._last
        if last is None or (not at_once and self._clock() - last.time < self._every):
            return self.threads
        moment = self._read()
        others = between(last, moment)
        if others is None:
            return self.threads
        self._last, self.others = moment, others
        left = threads_left(self._most, self._workers, self._cores, others)
        self._calm = self._calm + 1 if left > self.threads else 0
        if left < self.threads or at_once or self._calm >= CALM_LOOKS:
            self.threads, self._calm = left, 0
        return self.threads
