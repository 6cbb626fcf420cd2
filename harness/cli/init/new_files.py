"""New files that a command writes all together, or not at all, and never over existing ones."""

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.errors import BadInput


def existing(paths: Iterable[Path]) -> list[str]:
    """Return a line for every path that something has already, also a link that leads nowhere."""
    return [
        f"{path}: exists already, and no file is overwritten; give another NAME, or another folder "
        "with --output"
        for path in paths
        if os.path.lexists(path)
    ]


def write_new(contents: Mapping[Path, str]) -> None:
    """Write files that do not exist yet, with the folders that they need.

    Raises:
        BadInput: a file cannot be written, or exists by now; then none of them is left, nor any
            new folder.
    """
    made: list[Path] = []
    try:
        for path, text in contents.items():
            for folder in reversed([each for each in path.parents if not os.path.lexists(each)]):
                folder.mkdir()
                made.append(folder)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                made.append(path)
                file.write(text)
    except BaseException as error:
        for each in reversed(made):
            with contextlib.suppress(OSError):
                each.rmdir() if each.is_dir() else each.unlink()
        if isinstance(error, OSError):
            problem = f"{path}: cannot be written ({error.strerror}); name another --output"
            raise BadInput([problem]) from None
        raise
