"""Plans runs: their order, how many at a time, threads of each, and the time for all of them."""

import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from harness.forecast import memory
from harness.forecast.seconds import Forecast, Sharing, Work, forecast, makespan
from harness.machine import provenance
from harness.machine.contention import wanted
from harness.store.records import Record
from harness.text import duration


@dataclass(frozen=True)
class Schedule:
    """How runs share a machine.

    `order` contains their positions, longest run first, so that no long run starts last;
    `peak_mb` is the memory that the largest run is expected to need; `free_mb` is the free memory
    (None for a GPU, where one run at a time is the default); `fit` is how many of the largest runs
    fit into memory at a time, 0 if not even one fits, None if unknown.
    """

    order: tuple[int, ...]
    sharing: Sharing
    forecast: Forecast
    peak_mb: float
    free_mb: float | None
    fit: int | None


def schedule(
    works: Sequence[Work],
    workers: int | None,
    earlier: Sequence[Record],
    others: float | None = None,
) -> Schedule:
    """Plan runs on this machine.

    Args:
        works: the runs, at least one.
        workers: runs at a time, if the user set it; else one per core, limited by memory, or one
            on a GPU.
        earlier: records of any runs.
        others: cores that other programs keep busy, if known.
    """
    cores, device = provenance.available_cores(), works[0].device
    peaks = {work: memory.peak_mb(work, earlier) for work in dict.fromkeys(works)}
    largest = sorted((peaks[work] for work in works), reverse=True)
    free = memory.free_mb() if device == "cpu" else None
    fit = None if free is None else memory.fitting(largest, free)
    if workers is None:
        workers = 1 if fit is None else max(1, min(cores, fit))
    workers = min(workers, len(works))
    sharing = Sharing(workers, min(max(1, cores // workers), _most_threads()))
    expected = forecast(works, sharing, earlier, wanted(others, cores))
    order = sorted(range(len(works)), key=lambda i: -expected.seconds[i])
    return Schedule(tuple(order), sharing, expected, largest[0], free, fit)


def _most_threads() -> int:
    """Return the maximum threads per process that the user set in OpenMP's variable."""
    first, *_ = os.environ.get("OMP_NUM_THREADS", "").split(",")  # the others: nested regions
    with contextlib.suppress(ValueError):
        if (threads := int(first)) > 0:
            return threads
    return sys.maxsize


def describe(plan: Schedule, workers: int) -> str:
    """Return a line with the number of runs at a time, their memory, and the expected time.

    Args:
        workers: the actual number of runs at a time; a cluster may have more than one machine.
    """
    parts = [f"runs at a time: {workers}, about {plan.peak_mb / 2**10:.1f} GB of memory each"]
    if plan.free_mb is not None:
        parts[0] += f" of {plan.free_mb / 2**10:.1f} GB free"
        if plan.fit == 0:
            parts.append(
                "even one alone may not fit; smaller batch sizes, a training.max_length, or "
                'training.on_oom = "halve" are safer'
            )
        elif plan.fit is not None and plan.sharing.workers > plan.fit:
            parts.append("they may not fit; a smaller --workers is safer")
    if plan.forecast.basis is None:
        parts.append("no earlier record from which to predict how long they take")
    else:
        seconds = makespan((plan.forecast.seconds[i] for i in plan.order), workers)
        time = f"expected to take about {duration(seconds)}, not counting start-up and tables"
        parts.append(f"{time} ({plan.forecast.basis})")
    return "; ".join(parts)
