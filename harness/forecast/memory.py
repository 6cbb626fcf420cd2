"""How much memory a run needs, and how many runs fit a machine at a time."""

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.forecast.seconds import Work
from harness.forecast.workload import size_of
from harness.store.records import Record

COPIES_OF_WEIGHTS = 5
"""What a run holds, each as large as the weights: these, gradients, AdamW's two moments, and the
best epoch's weights."""
BYTES_A_WEIGHT = 4
BASE_MB = 700.0
"""What a run needs beside them: libraries, data, activations of short sentences; or, on a GPU,
the context and what the allocator keeps back."""
CONTROL_GROUP = Path("/sys/fs/cgroup")
USABLE = 0.8
"""Share of the free memory that runs are planned into."""


def peak_mb(work: Work, earlier: Sequence[Record]) -> float:
    """Expect a run's peak memory on its device in MiB.

    The largest peak of the checkpoint's earlier runs with at least this batch size; without any,
    the weights' copies and BASE_MB, or what smaller batches took where that was more.
    """
    beside = 0.0 if work.device == "cpu" else BASE_MB  # a record knows of the allocator's peak only
    peaks = [
        (record.batch_size_used or record.batch_size, record.peak_memory_mb + beside)
        for record in earlier
        if record.peak_memory_mb is not None
        and (record.checkpoint_digest, record.device) == (work.checkpoint_digest, work.device)
    ]
    if known := [peak for batch_size, peak in peaks if batch_size >= work.batch_size]:
        return max(known)
    weights = size_of(Path(work.checkpoint_folder)).parameters
    expected = BASE_MB + weights * BYTES_A_WEIGHT * COPIES_OF_WEIGHTS / 2**20
    return max([expected, *(peak for _, peak in peaks)])


def fitting(peaks_mb: Iterable[float], free_mb: float) -> int:
    """Return how many runs fit at a time, were they the largest; at least one."""
    room, fit = USABLE * free_mb, 0
    for peak in sorted(peaks_mb, reverse=True):
        room -= peak
        if room < 0:
            break
        fit += 1
    return max(1, fit)


def free_mb() -> float:
    """Return this machine's free memory in MiB, or what is left of a container's limit."""
    import psutil

    free = float(psutil.virtual_memory().available)
    with contextlib.suppress(OSError, ValueError):  # no such file, or "max": no limit
        limit = int((CONTROL_GROUP / "memory.max").read_text())
        free = min(free, limit - int((CONTROL_GROUP / "memory.current").read_text()))
    return free / 2**20
