"""Files and folders that are written when a session ends, tested before anything trains."""

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
        path: absolute, or relative to the working folder.
        kind: a `file` is opened and written, a `replaced` file is renamed into place, and a
            `folder` receives new files.
        makes_folders: whether its writer makes missing parent folders.
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

    The test leaves no changes: existing files keep their content, and what the test makes (an
    empty file, missing folders) is removed.
    """
    known = dict.fromkeys(places)
    return [problem for place in known if (problem := _problem(place)) is not None]


def conflicting(places: Iterable[Place]) -> Iterator[str]:
    """Yield a line for every place that conflicts with another.

    Two places conflict if they are the same file, or if one is a file where the other needs a
    folder.
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
    """Yield a line for every place that is a file which the session reads, under any of its names.

    Links are followed: two names of one file are one file. A `replaced` place that is a link
    counts as the link itself, because its writer replaces the link.
    """
    known = list(dict.fromkeys(read))
    for place in dict.fromkeys(places):
        if place.kind == "folder" or _is_special(place.path):
            continue
        identity = _link if place.kind == "replaced" else _identity
        for file in known:
            names = _chain(file.path) if place.kind == "replaced" else [file.path]
            if identity(place.path) in map(identity, names):
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
    """Return what identifies a file: its device and inode numbers, or its full path."""
    try:
        found = path.stat()
        return found.st_dev, found.st_ino
    except OSError:  # it does not exist yet
        return os.path.realpath(path)


def _link(path: Path) -> str:
    """Return the full path of a file, or of a link itself rather than its target."""
    return os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118


def _chain(path: Path) -> Iterator[Path]:
    """Yield a path and, if it is a link, its target, one link after the other."""
    seen: set[Path] = set()
    while path not in seen:
        seen.add(path)
        yield path
        with contextlib.suppress(OSError):  # it is not a link
            path = path.parent / path.readlink()


def _is_above(place: Place, other: Place) -> bool:
    """Return whether a file lies where another place has or needs a folder."""
    file, target = Path(os.path.realpath(place.path)), Path(os.path.realpath(other.path))
    return file in target.parents or (other.kind == "folder" and file == target)


def _is_special(path: Path) -> bool:
    """Return whether a path is a terminal, a pipe or similar, which may have several writers."""
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
    """Make a folder and its missing parents, and remove them at the end."""
    made: list[Path] = []
    try:
        for path in (*reversed(folder.parents), folder):
            if not path.exists():
                path.mkdir()
                made.append(path)
        yield
    finally:
        for path in reversed(made):
            with contextlib.suppress(OSError):  # another process has put something there
                path.rmdir()


def _make_and_remove(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.close(descriptor)
    path.unlink()


def _open(path: Path, mode: int, replaced: bool) -> None:
    """Open an existing path for writing, and write nothing."""
    if stat.S_ISLNK(mode):
        if replaced:
            return
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))  # a cycle of links
    if not stat.S_ISREG(mode):  # opening a pipe could block, or wake up its reader
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
    except PermissionError as error:
        # A file without write permission can be replaced; an immutable file cannot (EPERM).
        if not (replaced and error.errno == errno.EACCES):
            raise
