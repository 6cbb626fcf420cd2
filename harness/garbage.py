"""Python's garbage collector, kept away from imports."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Look for no garbage within the block.

    Meant for imports. Those of torch and transformers leave half a million objects, all of which
    stay, and which the collector looks through again and again while they become more: a second.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()
