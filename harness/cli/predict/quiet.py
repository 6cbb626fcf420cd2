"""Silences libraries: progress bars, warnings, and output of native code."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

_DEVNULL: list[TextIO] = []


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Discard everything that this process prints, including native libraries.

    For commands that print only their result. Errors must be exceptions.
    """
    if not _DEVNULL:  # never closed: a library that sets up logging meanwhile keeps the stream
        _DEVNULL.append(Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    devnull = _DEVNULL[0]
    with contextlib.ExitStack() as undo:
        for number, stream in ((1, sys.stdout), (2, sys.stderr)):
            if stream is not None:
                stream.flush()
            with contextlib.suppress(OSError):  # closed by the parent process
                saved = os.dup(number)
                undo.callback(os.close, saved)
                undo.callback(os.dup2, saved, number)
                os.dup2(devnull.fileno(), number)
        undo.enter_context(contextlib.redirect_stdout(devnull))
        undo.enter_context(contextlib.redirect_stderr(devnull))
        yield
