"""When memory runs out: telling that from other errors, and the next smaller part of a batch."""

from harness.executors import KilledForMemory, WorkerLost
from harness.text import counted

PHRASES = (
    "out of memory",  # CUDA, and torch's other devices
    "allocate memory",  # torch on the CPU ("can't"), and the system ("cannot")
    "not enough memory",
    "bad_alloc",  # C++
    "status_alloc_failed",  # cuBLAS and cuDNN
)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on whichever device."""
    if isinstance(error, WorkerLost):
        return isinstance(error, KilledForMemory)
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(phrase in text for phrase in PHRASES)


def smaller(batch_size: int, tried: int) -> int | None:
    """Return the next number of sentences at a time to try for a batch, or None after 1.

    At most half of what was tried, and a divisor of the batch: then every batch is made of whole
    parts, and holds the same sentences as without parts.
    """
    return next((size for size in range(tried // 2, 0, -1) if batch_size % size == 0), None)


def explained(error: BaseException, batch_size: int, halved: bool) -> str:
    """Return a run's reason to fail: what to change, then what the library said.

    Args:
        halved: whether smaller parts of a batch were tried wherever that could help.
    """
    if halved:
        what, way_out = (
            "however small the parts of a batch",
            "choose a smaller checkpoint or max_length",
        )
    else:
        what = f"with {counted(batch_size, 'sentence')} a batch"
        way_out = 'choose smaller batch_sizes or training.on_oom = "halve"'
    told = str(error) or type(error).__name__
    return f"out of memory {what}; {way_out}, or fewer limits.workers ({told})"
