"""How far a run is: written by its worker into its folder, read by the session."""

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, with_config

FILE = "progress.json"
EVERY_SECONDS = 1.0
"""How often a run is written down, at most."""


@with_config(ConfigDict(extra="forbid", allow_inf_nan=False))
@dataclass(frozen=True)
class Progress:
    """Where a run is: `step` of `steps`, both 0 before the first; `mcc` is the last evaluation's.

    `seconds` is its age, counted by the worker, `best` the highest MCC so far, `others` the number
    of cores that other programs kept busy when the worker last looked.
    """

    seconds: float = 0.0
    epoch: float = 0.0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    mcc: float | None = None
    best: float | None = None
    others: float | None = None


READER = TypeAdapter(Progress)


def writer(folder: Path) -> Callable[[Progress], None]:
    """Return a function that writes a run's progress to its folder, whole or not at all.

    It leaves out what comes too soon after the last, unless an evaluation's score is new. The file
    is there from now on: its run has begun. Nothing is flushed to disk, as no one needs the file
    after a crash.
    """
    path, beside = folder / FILE, folder / f".{FILE}.partial"
    started = time.monotonic()
    written, last = -EVERY_SECONDS, Progress()

    def write(progress: Progress) -> None:
        nonlocal written, last
        seconds = time.monotonic() - started
        if seconds - written < EVERY_SECONDS and progress.mcc == last.mcc:
            return
        written, last = seconds, progress
        with contextlib.suppress(OSError):  # a full disk is for the record to report
            beside.write_text(json.dumps({**asdict(progress), "seconds": seconds}))
            beside.replace(path)

    write(last)
    return write


def read(folder: Path) -> Progress | None:
    """Return a run's progress; None if it has not begun, has ended, or runs out of sight."""
    try:
        return READER.validate_json((folder / FILE).read_bytes(), strict=True)
    except (OSError, ValueError):
        return None


def discard(folder: Path) -> None:
    """Remove what a run's progress left."""
    for name in (FILE, f".{FILE}.partial"):
        with contextlib.suppress(OSError):
            (folder / name).unlink(missing_ok=True)
