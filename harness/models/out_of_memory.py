"""Out-of-memory errors: how to recognise them, and the next smaller part of a batch."""

from harness.executors import KilledForMemory, WorkerLost
from harness.text import counted

PHRASES = (
    "out of memory",  # CUDA, and torch's other devices
    "allocate memory",  # torch on the CPU ("can't"), and the operating system ("cannot")
    "not enough memory",
    "bad_alloc",  # C++
    "status_alloc_failed",  # cuBLAS and cuDNN
)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out, on any device."""
    if isinstance(error, WorkerLost):
        return isinstance(error, KilledForMemory)
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(phrase in text for phrase in PHRASES)


def smaller(batch_size: int, tried: int) -> int | None:
    """Return the next smaller size to try for the parts of a batch, or None after 1.

    It is at most half of `tried` and divides the batch size: so every batch consists of equal
    parts, and holds the same sentences as without parts.
    """
    return next((size for size in range(tried // 2, 0, -1) if batch_size % size == 0), None)


def explained(error: BaseException, batch_size: int, halved: bool) -> str:
    """Return why a run failed: what to change, then the library's message.

    Args:
        halved: whether all useful smaller parts of a batch were tried.
    """
    if halved:
        what = "even with the smallest parts of a batch"
        way_out = "choose a smaller checkpoint or max_length"
    else:
        what = f"with {counted(batch_size, 'sentence')} per batch"
        way_out = 'choose smaller batch_sizes or training.on_oom = "halve"'
    message = str(error) or type(error).__name__
    return f"out of memory {what}; {way_out}, or fewer limits.workers ({message})"
