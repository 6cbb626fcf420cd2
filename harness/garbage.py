"""Pauses garbage collection where many objects are made that stay, such as a store's records."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage meanwhile; also a decorator.

    Python looks through all objects each time their number has grown by a quarter. A thousand
    records and the tables of them make it do so several times, and it finds nothing to remove.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
