"""Places that are written when a session ends, tried before anything trains."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Place:
    """A file or folder that is written later.

    Args:
        name: the option or variable that names it.
        path: absolute, or seen from the working folder.
        kind: a `file` is opened and written, a `replaced` file is renamed into place, and in a
            `folder` files are made.
        makes_folders: whether its writer makes missing folders above it.
    """

    name: str
    path: Path
    kind: Literal["file", "replaced", "folder"] = "file"
    makes_folders: bool = True


def unusable(places: Iterable[Place]) -> list[str]:
    """Return a line for every place that cannot be written, or that two of them would write.

    Nothing is left behind or changed: what is there keeps its content, what is made for the
    trial (an empty file, missing folders) is removed.
    """
    known = list(dict.fromkeys(places))
    problems = [problem for place in known if (problem := _problem(place)) is not None]
    return problems + list(_shared(known))


def _problem(place: Place) -> str | None:
    try:
        _attempt(place)
    except OSError as error:
        cause = (error.strerror or str(error)).lower()
        if error.errno == errno.ENOENT:
            cause = f"there is no folder {place.path.parent}"
        return f"{place.name}: {place.path}: cannot be written ({cause}); name a place that can"
    return None


def _shared(places: Iterable[Place]) -> Iterator[str]:
    """Yield a line for every file of which one would undo what the other wrote."""
    first: dict[str, str] = {}
    for place in places:
        if place.kind != "folder":
            path = os.path.realpath(place.path)
            other = first.setdefault(path, place.name)
            if other != place.name and not _is_special(place.path):
                yield f"{place.name}: {place.path}: {other} writes that file too; name another"


def _is_special(path: Path) -> bool:
    """Return whether a path is a terminal, a pipe or the like, which several may write to."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _attempt(place: Place) -> None:
    """Raise the OSError that writing would raise."""
    target = place.path.absolute()
    if place.kind != "replaced":  # a rename replaces a link itself
        target = Path(os.path.realpath(target))
    folder = target if place.kind == "folder" else target.parent
    with _folders(folder) if place.makes_folders else contextlib.nullcontext():
        if place.kind == "folder":
            _make_and_remove(folder / f".{os.getpid()}.trial")
            return
        try:
            mode = target.lstat().st_mode
        except FileNotFoundError:
            _make_and_remove(target)
            return
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if place.kind == "replaced":
            _make_and_remove(folder / f".{os.getpid()}.trial")
        _open(target, mode, place.kind == "replaced")


@contextlib.contextmanager
def _folders(folder: Path) -> Iterator[None]:
    """Make a folder and those above it where they are missing, and remove them at the end."""
    made: list[Path] = []
    try:
        for path in (*reversed(folder.parents), folder):
            if not path.exists():
                path.mkdir()
                made.append(path)
        yield
    finally:
        for path in reversed(made):
            with contextlib.suppress(OSError):  # somebody else has put something there
                path.rmdir()


def _make_and_remove(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.close(descriptor)
    path.unlink()


def _open(path: Path, mode: int, replaced: bool) -> None:
    """Open what is there for writing, and write nothing."""
    if stat.S_ISLNK(mode):
        if replaced:
            return
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))  # links that lead to themselves
    if not stat.S_ISREG(mode):  # to open a pipe could wait, or wake up its reader
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
    except PermissionError as error:
        # A file without the right to write may be replaced; a file that is locked may not.
        if not (replaced and error.errno == errno.EACCES):
            raise
