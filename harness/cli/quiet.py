"""Libraries that print nothing: no progress bars, no warnings, no lines of native code."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

_NOWHERE: list[TextIO] = []


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send all that this process prints nowhere, native libraries included.

    For a command whose standard output is its answer. What goes wrong has to be an exception.
    """
    if not _NOWHERE:  # never closed: a library that sets up its log here keeps it
        _NOWHERE.append(Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    nowhere = _NOWHERE[0]
    with contextlib.ExitStack() as undo:
        for number, stream in ((1, sys.stdout), (2, sys.stderr)):
            if stream is not None:
                stream.flush()
            with contextlib.suppress(OSError):  # closed by whoever started this process
                saved = os.dup(number)
                undo.callback(os.close, saved)
                undo.callback(os.dup2, saved, number)
                os.dup2(nowhere.fileno(), number)
        undo.enter_context(contextlib.redirect_stdout(nowhere))
        undo.enter_context(contextlib.redirect_stderr(nowhere))
        yield
