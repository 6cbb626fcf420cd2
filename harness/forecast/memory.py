"""Predicts how much memory a run needs, and how many runs fit into memory at a time."""

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.forecast.activations import activations_mb
from harness.forecast.seconds import Work
from harness.forecast.workload import size_of
from harness.store.records import Record

COPIES_OF_WEIGHTS = 5
"""A run keeps the weights, their gradients, AdamW's two moments, and the best epoch's weights."""
BYTES_A_WEIGHT = 4
BASE_MB = 500.0
"""Other memory of a run: libraries and data, or, on a GPU, the context and the allocator's reserve.
In the records of results/cola it takes 120 to 430 MiB."""
CONTROL_GROUP = Path("/sys/fs/cgroup")
USABLE = 0.8
"""Share of the free memory that planned runs may use."""


def peak_mb(work: Work, earlier: Sequence[Record]) -> float:
    """Predict a run's peak memory on its device in MiB.

    Similar runs are those of the same checkpoint, data, maximum length and precision. If there are
    similar runs with at least this batch size, the result is their largest peak. Otherwise it is
    the larger of two estimates: BASE_MB plus the copies of the weights plus the activations; or
    the peak of similar runs with smaller batches plus the activations of the additional sentences.
    No batch has more sentences than the train split.

    With `training.on_oom = "halve"` it is the peak of a run whose batches are not split.
    """
    # On a GPU, a record contains the allocator's peak only.
    unrecorded = 0.0 if work.device == "cpu" else BASE_MB
    sentences = work.sentences[0]
    peaks = [
        (
            min(record.batch_size_used or record.batch_size, sentences),
            record.peak_memory_mb + unrecorded,
        )
        for record in earlier
        if record.peak_memory_mb is not None and _similar(record, work)
    ]
    batch_size = min(work.batch_size, sentences)
    if known := [peak for size, peak in peaks if size >= batch_size]:
        return max(known)
    weights = size_of(Path(work.checkpoint_folder)).parameters
    activations = activations_mb(work)
    expected = BASE_MB + weights * BYTES_A_WEIGHT * COPIES_OF_WEIGHTS / 2**20 + activations
    return max(
        [expected, *(peak + activations - activations_mb(work, size) for size, peak in peaks)]
    )


def _similar(record: Record, work: Work) -> bool:
    theirs, ours = record.training, work.training
    return (
        (record.checkpoint_digest, record.device) == (work.checkpoint_digest, work.device)
        and record.dataset is not None
        and record.dataset.fingerprint == work.fingerprint
        and (theirs.max_length, theirs.precision) == (ours.max_length, ours.precision)
    )


def fitting(peaks_mb: Iterable[float], free_mb: float) -> int:
    """Return how many of the largest runs fit into memory at a time; 0 if not even one fits."""
    room, fit = USABLE * free_mb, 0
    for peak in sorted(peaks_mb, reverse=True):
        room -= peak
        if room < 0:
            break
        fit += 1
    return fit


def free_mb() -> float:
    """Return this machine's free memory in MiB, at most what is left of a container's limit."""
    import psutil

    free = float(psutil.virtual_memory().available)
    with contextlib.suppress(OSError, ValueError):  # no such file, or "max": no limit
        limit = int((CONTROL_GROUP / "memory.max").read_text())
        free = min(free, limit - int((CONTROL_GROUP / "memory.current").read_text()))
    return free / 2**20
