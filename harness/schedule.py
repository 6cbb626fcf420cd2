"""In what order runs are trained, how many at a time, and how long all of it should take."""

import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from harness import memory, provenance
from harness.contention import wanted
from harness.forecast import Forecast, Sharing, Work, forecast, makespan
from harness.progress import duration
from harness.records import Record


@dataclass(frozen=True)
class Schedule:
    """How some runs share a machine.

    `order` holds their positions, the longest first, so that none is left over at the end;
    `peak_mb` is the memory that the largest is expected to need, `free_mb` what there is (None
    for a GPU, whose runs go one at a time unless the user says otherwise); `fit` says how many of
    the largest fit at a time: 0 where not even one does, None where nobody knows.
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
        works: at least one.
        workers: runs at a time, if the user says so; else one a core, as far as memory goes, or
            one on a GPU.
        earlier: records of any runs.
        others: cores that other programs keep busy, if that is known.
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
    """Return the threads that the user allows a process, by the variable that OpenMP reads."""
    first, *_ = os.environ.get("OMP_NUM_THREADS", "").split(",")  # the others are of nested regions
    with contextlib.suppress(ValueError):
        if (threads := int(first)) > 0:
            return threads
    return sys.maxsize


def describe(plan: Schedule, workers: int) -> str:
    """Say in a line how many runs go at a time, what memory they need, and how long it may take.

    Args:
        workers: how many really do; a cluster may have room for more than one machine.
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
        parts.append("no earlier record tells how long they take")
    else:
        seconds = makespan((plan.forecast.seconds[i] for i in plan.order), workers)
        parts.append(f"expected to take about {duration(seconds)} ({plan.forecast.basis})")
    return "; ".join(parts)
