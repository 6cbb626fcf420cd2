"""The progress of a run: written by its worker into its folder, read by the session."""

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, with_config

FILE = "progress.json"
EVERY_SECONDS = 1.0
"""Minimum time between two writes of a run's progress."""

PACE_SECONDS, PACE_SHARE = 10.0, 0.05
"""A pace is measured over at least this time and this share of the steps, both after the first
step: loading, and the first batch, happen only once."""


@with_config(ConfigDict(extra="forbid", allow_inf_nan=False))
@dataclass(frozen=True)
class Progress:
    """A run's progress: `step` of `steps`, both 0 before the first step; `mcc` is the latest MCC.

    `seconds` is the run's age, measured by the worker, `first_step` and `first_seconds` the step
    and the age when it first reported a step, `best` the highest MCC so far, `others` the number of
    cores that other programs kept busy at the worker's last measurement.
    """

    seconds: float = 0.0
    epoch: float = 0.0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    mcc: float | None = None
    best: float | None = None
    others: float | None = None
    first_step: int = 0
    first_seconds: float = 0.0

    @property
    def seconds_left(self) -> float | None:
        """The time for the remaining steps at the pace since the first; None if not measured."""
        steps, seconds = self.step - self.first_step, self.seconds - self.first_seconds
        if not self.first_step or steps < PACE_SHARE * self.steps or seconds < PACE_SECONDS:
            return None
        return (self.steps - self.step) * seconds / steps

    @property
    def rough_seconds_left(self) -> float | None:
        """The time for the remaining steps, however few were measured; None before the second."""
        steps, seconds = self.step - self.first_step, self.seconds - self.first_seconds
        known = self.first_step and steps > 0
        return (self.steps - self.step) * seconds / steps if known else None


READER = TypeAdapter(Progress)


def writer(folder: Path) -> Callable[[Progress], None]:
    """Return a function that writes a run's progress to its folder atomically.

    It skips a write that comes too soon after the last one, unless an evaluation has a new score.
    The file exists from now on: its run has begun. Nothing is flushed to disk, because the file is
    not needed after a crash.
    """
    path, partial = folder / FILE, folder / f".{FILE}.partial"
    started = time.monotonic()
    written, last, step = -EVERY_SECONDS, Progress(), 0
    first: dict[str, float] = {}

    def write(progress: Progress) -> None:
        nonlocal written, last, step
        seconds = time.monotonic() - started
        # Training began again, in smaller parts; the first step may then be reported twice.
        if progress.step < step or progress.step == first.get("first_step"):
            first.clear()
        step = progress.step
        if step and not first:
            first.update(first_step=step, first_seconds=seconds)
        if seconds - written < EVERY_SECONDS and progress.mcc == last.mcc:
            return
        written, last = seconds, progress
        with contextlib.suppress(OSError):  # a full disk is reported when the record is written
            partial.write_text(json.dumps({**asdict(progress), "seconds": seconds, **first}))
            partial.replace(path)

    write(last)
    return write


def read(folder: Path) -> Progress | None:
    """Return a run's progress; None if it has not begun, has ended, or its file is not visible."""
    try:
        return READER.validate_json((folder / FILE).read_bytes(), strict=True)
    except (OSError, ValueError):
        return None


def discard(folder: Path) -> None:
    """Remove the files of a run's progress."""
    for name in (FILE, f".{FILE}.partial"):
        with contextlib.suppress(OSError):
            (folder / name).unlink(missing_ok=True)
