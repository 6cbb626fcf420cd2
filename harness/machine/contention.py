"""Measures how busy other programs keep the cores, and reduces a run's threads accordingly."""

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from harness.machine.provenance import available_cores
from harness.text import counted

TAKEN = 1 / 3
"""A core counts as taken if other programs use more than this share of it."""

ALONE_SECONDS, PARALLEL_SECONDS = 1.0, 5.0
"""Seconds between measurements of a single run, and of parallel runs (which read all processes)."""

CALM_LOOKS = 3
"""A run takes a core back after it was free in this many measurements in a row."""

MOST_IDLE = 1 / 3
"""Runs give up threads only if at most this share of the remaining cores would then be idle."""

FULL = 0.9
"""If less than this share of all cores is busy, no program waits for a core."""

ROUNDING = 1e-6
"""Seconds by which two sums of the same processor times may differ: they are added in any order."""

SHORTEST_SECONDS = 0.3
"""A shorter interval gives no load: the system counts processor time in hundredths of a second."""


class Contention(BaseModel):
    """How much of the processor other programs used while a run trained.

    `other_programs` is the mean number of cores that they kept busy, without the session's own
    runs; `own_cores` is the mean number of cores that the run used. `fewest_threads` is the run's
    smallest number of threads; its record's `threads` is the largest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    other_programs: float = Field(ge=0)
    own_cores: float = Field(ge=0)
    fewest_threads: int = Field(ge=1)


@dataclass(frozen=True)
class Moment:
    """Clock readings in seconds: the time, the processor time of all programs, and our own."""

    time: float
    busy: float
    own: float


def now(family: int | None = None) -> Moment | None:
    """Read the clocks; None if the system does not provide them.

    Args:
        family: id of a process: it and its descendants count as our own; by default this process
            only.
    """
    import psutil

    with contextlib.suppress(psutil.Error, OSError, AttributeError, NotImplementedError):
        own = time.process_time() if family is None else _family_seconds(family)
        return Moment(time.monotonic(), _busy_seconds(), own)
    return None


def core_times() -> list[Any]:
    """Return the processor times of each core that this process may use, in seconds by kind.

    Raises:
        NotImplementedError: the system does not tell which cores these are.
    """
    import psutil

    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    cores = psutil.cpu_times(percpu=True)
    if allowed is not None and len(cores) <= max(allowed):  # numbered otherwise, as in LXC
        if len(cores) != len(allowed):
            raise NotImplementedError
        allowed = None
    return [times for core, times in enumerate(cores) if allowed is None or core in allowed]


def _busy_seconds() -> float:
    """Return the processor time used on the cores that this process may use.

    Time that a virtual machine's host gave to others counts as used.
    """
    seconds = 0.0
    for times in core_times():
        # Linux also counts a guest's time as user time.
        unused = sum(getattr(times, name, 0.0) for name in ("idle", "iowait", "guest"))
        seconds += sum(times) - unused - getattr(times, "guest_nice", 0.0)
    return seconds


def _family_seconds(root: int) -> float:
    """Return the processor time of a process and its descendants, including those that ended."""
    import psutil

    first = psutil.Process(root)
    seconds = 0.0
    for process in (first, *first.children(recursive=True)):
        with contextlib.suppress(psutil.Error):  # it ended; its parent counts its time
            seconds += sum(process.cpu_times()[:4])  # its own and that of children it waited for
    return seconds


def between(before: Moment | None, after: Moment | None) -> float | None:
    """Return the mean number of cores that other programs kept busy; None if unknown."""
    if before is None or after is None or after.time - before.time < SHORTEST_SECONDS:
        return None
    if after.own < before.own - ROUNDING:  # macOS drops the time of a process that ended
        return None
    others = (after.busy - before.busy) - (after.own - before.own)
    return max(0.0, others) / (after.time - before.time)


def since(before: Moment | None, family: int | None = None) -> float | None:
    """Return `between` from `before` until now; wait first if the interval is too short."""
    if before is not None:
        time.sleep(max(0.0, before.time + 2 * SHORTEST_SECONDS - time.monotonic()))
    return between(before, now(family))


def wanted(others: float | None, cores: int) -> float | None:
    """Return how many cores other programs would keep busy if there were enough cores for all.

    Args:
        others: cores that other programs keep busy. If these are all cores, the result is at least
            the system's load average over one minute: programs that run or wait to run.
    """
    # The load average is of all cores: it tells nothing if this process may use only some of them.
    confined = available_cores() != os.cpu_count()
    if others is None or others < FULL * cores or confined:
        return others
    with contextlib.suppress(OSError, AttributeError):
        return max(others, os.getloadavg()[0])
    return others


def wanted_then(found: Contention, workers: int, cores: int) -> float:
    """Return the same as `wanted`, for the time in which a run trained.

    If `workers` runs and other programs share all cores equally, each thread gets
    cores / (all threads) of a core, and the run gets `own_cores`.
    """
    others, own, threads = found.other_programs, found.own_cores, found.fewest_threads
    if own == 0 or others + workers * own < FULL * cores:
        return others
    return max(others, threads * cores / own - workers * threads)


def threads_left(threads: int, workers: int, cores: int, others: float) -> int:
    """Return how many of a run's threads find a core that other programs leave; at least one.

    If two threads of a run share a core with another program, they wait for each other most of the
    time, so fewer threads are faster.

    Args:
        threads: the run's number of threads on a quiet machine.
        workers: parallel runs of the same kind, which share the remaining cores equally.
        others: cores that other programs keep busy.
    """
    taken = math.ceil(others - TAKEN)
    if taken <= 0:
        return threads
    left = max(1, cores - taken)
    each = max(1, min(threads, left // workers))
    # Do not halve the threads of many runs because of one taken core.
    return threads if left - workers * each > MOST_IDLE * left else each


def load_message(others: float | None, cores: int) -> str | None:
    """Return how busy other programs keep the cores; None if they are idle or it is unknown."""
    if others is None or others <= TAKEN:
        return None
    return f"other programs keep {min(others, cores):.1f} of {counted(cores, 'core')} busy"


def wait_passively() -> None:
    """Make OpenMP's threads sleep while they wait for each other, if OpenMP is not loaded yet.

    While other programs run, this is much faster than spinning, the default; on a quiet machine it
    is a little slower. A value set by the user is kept.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")


class Watch:
    """Measures the load of other programs regularly, and returns a run's number of threads.

    It gives up a core after one measurement that finds it taken, and takes it back after CALM_LOOKS
    measurements that find it free.

    Args:
        threads: the maximum number of threads.
        workers: parallel runs of the same kind.
        read: returns the clock readings, like `now`.
        clock: returns the current time on the clock of `Moment.time`.
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
        self._every = ALONE_SECONDS if workers == 1 else PARALLEL_SECONDS
        self._last = read()
        self._calm = 0

    def look(self, at_once: bool = False) -> int:
        """Return the number of threads to use; the last result if it is recent.

        Args:
            at_once: measure even if the last result is recent, and take a free core back at once.
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
