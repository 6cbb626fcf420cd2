"""The user's cache folder: in XDG_CACHE_HOME, or else ~/.cache. Files in it end with a digest."""

import contextlib
import hashlib
import os
from pathlib import Path

WAY_OUT = "set XDG_CACHE_HOME to a folder of your own"


def folder() -> Path:
    """Return this program's cache folder, which may not exist yet.

    Raises:
        FileNotFoundError: the user has no home folder.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # the specification of XDG_CACHE_HOME ignores other paths
        try:
            base = Path.home() / ".cache"
        except RuntimeError:
            raise FileNotFoundError(f"this user has no home folder; {WAY_OUT}") from None
    return base / "cola-finetuning-benchmark"


def check(path: Path) -> None:
    """Refuse a cache folder that cannot be made, or where others can put a file to be used.

    Raises:
        OSError: with the way out.
    """
    if not path.exists():
        made = next(parent for parent in path.parents if parent.exists())
        if not made.is_dir() or not os.access(made, os.W_OK | os.X_OK):
            raise PermissionError(f"{path} cannot be made; {WAY_OUT}")
        return
    about = path.stat()
    if about.st_uid != os.geteuid():
        problem = f"{path} belongs to user {about.st_uid}, not to {os.geteuid()}"
        raise PermissionError(f"{problem}; {WAY_OUT}")
    if about.st_mode & 0o022:
        problem = f"other users can write to {path} (mode {about.st_mode & 0o777:o})"
        raise PermissionError(f"{problem}; remove that folder")


def make(path: Path) -> None:
    """Make this program's cache folder, or a folder directly in it, for the user alone.

    Raises:
        OSError: it cannot be made.
    """
    for each in (folder(), path):  # mkdir makes folders above its own with the usual mode
        each.mkdir(mode=0o700, parents=True, exist_ok=True)


def with_digest(content: bytes) -> bytes:
    """Return what to write for a content."""
    return content + hashlib.sha256(content).digest()


def whole(data: bytes) -> bytes | None:
    """Return the content of a file in the cache; None if it is damaged, as after a power cut."""
    size = hashlib.sha256().digest_size
    content, digest = data[:-size], data[-size:]
    return content if hashlib.sha256(content).digest() == digest else None


def processor() -> str:
    """Return the processor's features: a home folder may be shared by different machines."""
    with contextlib.suppress(OSError), Path("/proc/cpuinfo").open(errors="replace") as lines:
        found = (line.rstrip("\n") for line in lines if line.startswith(("flags", "Features")))
        return next(found, "")
    return ""
