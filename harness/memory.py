"""How much memory a run needs, and how many runs fit a machine at a time."""

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.activations import activations_mb
from harness.forecast import Work
from harness.records import Record
from harness.workload import size_of

COPIES_OF_WEIGHTS = 5
"""What a run holds, each as large as the weights: these, gradients, AdamW's two moments, and the
best epoch's weights."""
BYTES_A_WEIGHT = 4
BASE_MB = 500.0
"""What a run needs beside them and its activations: libraries and data; or, on a GPU, the context
and what the allocator keeps back. Of the records of results/cola 120 to 430 MiB are left for it."""
CONTROL_GROUP = Path("/sys/fs/cgroup")
USABLE = 0.8
"""Share of the free memory that runs are planned into."""


def peak_mb(work: Work, earlier: Sequence[Record]) -> float:
    """Expect a run's peak memory on its device in MiB.

    The largest peak of like runs with at least this batch size, if there are any: of the same
    checkpoint, data, maximum length and precision. Else BASE_MB, the weights' copies and the
    activations; or what like runs of smaller batches took and the activations of the sentences
    that they had fewer, where that is more. No batch has more sentences than there are to train on.

    With `training.on_oom = "halve"` it is the peak of a run that needs no smaller parts.
    """
    beside = 0.0 if work.device == "cpu" else BASE_MB  # a record knows of the allocator's peak only
    sentences = work.sentences[0]
    peaks = [
        (
            min(record.batch_size_used or record.batch_size, sentences),
            record.peak_memory_mb + beside,
        )
        for record in earlier
        if record.peak_memory_mb is not None and _alike(record, work)
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


def _alike(record: Record, work: Work) -> bool:
    theirs, ours = record.training, work.training
    return (
        (record.checkpoint_digest, record.device) == (work.checkpoint_digest, work.device)
        and record.dataset is not None
        and record.dataset.fingerprint == work.fingerprint
        and (theirs.max_length, theirs.precision) == (ours.max_length, ours.precision)
    )


def fitting(peaks_mb: Iterable[float], free_mb: float) -> int:
    """Return how many runs fit at a time, were they the largest; 0 where not even one does."""
    room, fit = USABLE * free_mb, 0
    for peak in sorted(peaks_mb, reverse=True):
        room -= peak
        if room < 0:
            break
        fit += 1
    return fit


def free_mb() -> float:
    """Return this machine's free memory in MiB, or what is left of a container's limit."""
    import psutil

    free = float(psutil.virtual_memory().available)
    with contextlib.suppress(OSError, ValueError):  # no such file, or "max": no limit
        limit = int((CONTROL_GROUP / "memory.max").read_text())
        free = min(free, limit - int((CONTROL_GROUP / "memory.current").read_text()))
    return free / 2**20
