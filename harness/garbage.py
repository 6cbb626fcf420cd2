"""Python's garbage collector, kept away from what stays in any case."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Look for no garbage within the block, and never in what it leaves behind.

    Meant for imports. Those of torch and transformers leave half a million objects; to look
    through them takes a second until they are complete, and a quarter each time thereafter.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if before:
            gc.enable()
