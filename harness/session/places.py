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


@dataclass(frozen=True)
class ReadFile:
    """A file that a session reads, and the option or key that names it."""

    name: str
    path: Path


def unusable(places: Iterable[Place]) -> list[str]:
    """Return a line for every place that cannot be written.

    Nothing is left behind or changed: what is there keeps its content, what is made for the
    trial (an empty file, missing folders) is removed.
    """
    known = dict.fromkeys(places)
    return [problem for place in known if (problem := _problem(place)) is not None]


def shared(places: Iterable[Place]) -> Iterator[str]:
    """Yield a line for every place that would undo what is written to another.

    That is another's file, or a file where another needs a folder.
    """
    known = list(dict.fromkeys(places))
    files = [place for place in known if place.kind != "folder" and not _is_special(place.path)]
    first: dict[object, str] = {}
    for place in files:
        writer = first.setdefault(_identity(place.path), place.name)
        if writer != place.name:
            yield f"{place.name}: {place.path}: {writer} writes that file too; name another"
    for place in files:
        inside = (other for other in known if other.name != place.name and _is_above(place, other))
        if (other := next(inside, None)) is not None:
            yield (
                f"{place.name}: {place.path}: {other.name} needs a folder there ({other.path}); "
                "name another file"
            )


def overwritten(places: Iterable[Place], read: Iterable[ReadFile]) -> Iterator[str]:
    """Yield a line for every place that is a file which the session reads, however it is spelled.

    Links are followed: two names of one file are one file. A `replaced` place that is a link
    counts as the link, which is what its writer replaces.
    """
    known = list(dict.fromkeys(read))
    for place in dict.fromkeys(places):
        if place.kind == "folder" or _is_special(place.path):
            continue
        meant = _link if place.kind == "replaced" else _identity
        for file in known:
            names = _chain(file.path) if place.kind == "replaced" else [file.path]
            if meant(place.path) in map(meant, names):
                yield (
                    f"{place.name}: {place.path}: {file.name} reads that file ({file.path}), and "
                    "it would be overwritten; name another"
                )
                break


def _problem(place: Place) -> str | None:
    try:
        _attempt(place)
    except OSError as error:
        cause = (error.strerror or str(error)).lower()
        if error.errno == errno.ENOENT:
            cause = f"there is no folder {place.path.parent}"
        return f"{place.name}: {place.path}: cannot be written ({cause}); name a place that can"
    return None


def _identity(path: Path) -> object:
    """Return what tells a file from others: its number in its file system, or its full path."""
    try:
        found = path.stat()
        return found.st_dev, found.st_ino
    except OSError:  # it is still to be made
        return os.path.realpath(path)


def _link(path: Path) -> str:
    """Return the full path of a file or link itself, whatever it leads to."""
    return os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118


def _chain(path: Path) -> Iterator[Path]:
    """Yield a path and, where it is a link, what it leads to, one link after the other."""
    seen: set[Path] = set()
    while path not in seen:
        seen.add(path)
        yield path
        with contextlib.suppress(OSError):  # it is no link
            path = path.parent / path.readlink()


def _is_above(place: Place, other: Place) -> bool:
    """Return whether a file lies where another place has, or has to have, a folder."""
    file, target = Path(os.path.realpath(place.path)), Path(os.path.realpath(other.path))
    return file in target.parents or (other.kind == "folder" and file == target)


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
