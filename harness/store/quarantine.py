"""Runs whose records failed verification: moved aside with the reason, so that they run again.

Nothing is deleted: it may be the only copy of hours of work, or evidence of the cause.
"""

from collections.abc import Iterator
from pathlib import Path

from harness.store.run_store import QUARANTINE, Rejected, Stored, scan_store, write_atomically
from harness.text import printable

REASON = "reason.txt"


def read_store_and_move_rejected(suite_folder: Path) -> tuple[list[Stored], list[str]]:
    """Read the store of a suite for a session that will write there.

    The whole folder of every run whose record failed verification is moved to
    `runs/<cell>/quarantine/`, with the reason in `reason.txt`. See run_store.scan_store.

    Returns:
        the records, and one line for each run that was moved.
    """
    found, rejected = scan_store(suite_folder)
    return found, [_move(suite_folder, item) for item in rejected]


def _move(suite_folder: Path, item: Rejected) -> str:
    problem = printable(f"{item.folder.relative_to(suite_folder)}: {item.reason}")
    try:
        quarantine = item.folder.parent / QUARANTINE
        quarantine.mkdir(exist_ok=True)
        to = next(name for name in _names(quarantine / item.folder.name) if not name.exists())
        item.folder.rename(to)
        write_atomically(to / REASON, f"{item.reason}\n".encode())
    except OSError as error:
        return f"{problem}; it will run again (and was not moved aside: {error.strerror})"
    return printable(f"{problem}; moved to {to.relative_to(suite_folder)}, it will run again")


def _names(path: Path) -> Iterator[Path]:
    """Yield a path, then the same with -2, -3 and so on."""
    yield path
    number = 1
    while True:
        number += 1
        yield path.with_name(f"{path.name}-{number}")
