"""One session at a time in a results folder: an advisory lock that ends with its process."""

import contextlib
import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import BadInput

FILE = ".lock"

# The errors of file systems without locks: some network and container file systems.
WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}


@dataclass(frozen=True)
class Lock:
    """A folder that this process has locked.

    The kernel releases the lock when the process ends, however it ends: the file that a killed
    session leaves behind locks nothing. If the file system has no locks, `warning` contains a
    message and the descriptor is None.
    """

    path: Path
    descriptor: int | None
    warning: str | None = None


def obstacle(folder: Path) -> str | None:
    """Return why a results folder cannot be made or read; None if no obstacle is visible.

    Nothing is written. The message names the file that blocks the path, so it is the same for all
    folders below that file.
    """
    there = (path for path in (folder, *folder.parents) if os.path.lexists(path))
    nearest = next(there, folder)
    try:
        if os.path.lexists(nearest) and not nearest.is_dir():
            problem = "cannot be written (not a folder); name a folder that can"
            return f"--results-dir: {nearest}: {problem}"
        folder.stat()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return _unwritable(folder, error)
    return None


def hold(folder: Path) -> Lock:
    """Make a folder if it is missing, and lock it until `release` or the end of this process.

    Raises:
        BadInput: another session holds it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _lock(folder)
    except OSError as error:
        raise BadInput([obstacle(folder) or _unwritable(folder, error)]) from None


def _unwritable(folder: Path, error: OSError | ValueError) -> str:
    cause = (getattr(error, "strerror", None) or str(error)).lower()
    return f"--results-dir: {folder}: cannot be written ({cause}); name a folder that can"


def release(lock: Lock) -> None:
    """Unlock a folder and remove the lock file."""
    if lock.descriptor is not None:
        with contextlib.suppress(OSError):  # a folder that is gone or read-only by now
            lock.path.unlink(missing_ok=True)
        os.close(lock.descriptor)


@contextlib.contextmanager
def tables(folder: Path) -> Iterator[None]:
    """Wait until no other command changes the tables in a folder, then keep others from it.

    The folder itself is locked, so that no file is left in one that is published. It protects what
    a command reads there, changes and writes again; sessions hold the folder `runs` in it instead.
    """
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):  # no folder, as its reader says, or one without locks
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            held.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def _lock(folder: Path) -> Lock:
    path = folder / FILE
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 1000)
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                raise BadInput([_refusal(folder, holder)]) from None
            if error.errno not in WITHOUT_LOCKS:
                raise
            warning = (
                f"{folder}: its file system has no locks ({error.strerror}); make sure that no "
                "second session writes there"
            )
            return Lock(path, None, warning)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                break
        os.close(descriptor)  # its holder removed the file between the two calls: lock the new one
    # The next session's error message names this process; on a full disk the lock works without.
    since = datetime.now(UTC).isoformat(timespec="seconds")
    holder = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since}).encode()
    with contextlib.suppress(OSError):
        os.truncate(descriptor, 0)
        os.write(descriptor, holder)
    return Lock(path, descriptor)


def _refusal(folder: Path, holder: bytes) -> str:
    try:
        known = json.loads(holder)
        host, since = (ascii(str(known[name]))[1:-1] for name in ("host", "since"))
        who = f"process {known['pid']:d} on {host}, since {since}"
    except (ValueError, TypeError, KeyError, RecursionError):  # not written yet, or not by us
        who = "unknown process"
    return (
        f"--results-dir: {folder}: another session uses this folder ({who}); wait for it to end, "
        "or name another folder"
    )
