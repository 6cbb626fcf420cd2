"""How far runs are: each written by its worker into its folder, read and summed by the session."""

import contextlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, with_config

FILE = "progress.json"
EVERY_SECONDS = 1.0
"""How often a run is written down, at most."""

MOST_RUNS = 4
"""Runs under way that a line of a log tells of."""


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


@dataclass(frozen=True)
class State:
    """Where a session is.

    `done` counts the runs that ended, those of earlier sessions too, of `total`, which leaves out
    what cannot run here. `running` has a title and the progress of each run under way, `ended`
    a line for each that ended in this session, in order of time, `late` one for each that was found
    to take far longer than expected.
    """

    done: int
    total: int
    running: Sequence[tuple[str, Progress]]
    ended: Sequence[str]
    seconds_left: float | None
    late: Sequence[str] = ()


def duration(seconds: float) -> str:
    """Write a length of time for a reader: 40 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def live_line(state: State) -> str:
    """Say in one line where a session is; the run that began first stands for the others."""
    parts = [f"{state.done}/{state.total} runs"]
    if state.seconds_left is not None:
        parts.append(f"about {duration(state.seconds_left)} left")
    if state.running:
        title, progress = max(state.running, key=lambda item: item[1].seconds)
        others = len(state.running) - 1
        parts.append(f"{title}: {_stage(progress)}" + (f", +{others} more" if others else ""))
    return "; ".join(parts)


def minute_line(state: State) -> str:
    """Say in one line where a session and the runs that began first are, for a log."""
    first = sorted(state.running, key=lambda item: -item[1].seconds)
    parts = []
    for title, progress in first[:MOST_RUNS]:
        best = f", best MCC {progress.best:.3f}" if progress.best is not None else ""
        parts.append(f"{title}: {_epoch(progress)}{best}")
    if len(first) > MOST_RUNS:
        parts.append(f"+{len(first) - MOST_RUNS} more")
    parts.append(f"{state.done}/{state.total} runs")
    if state.seconds_left is not None:
        parts.append(f"about {duration(state.seconds_left)} left")
    return "; ".join(parts)


def _epoch(progress: Progress) -> str:
    return f"epoch {progress.epoch:.1f}/{progress.epochs}" if progress.steps else "starting"


def _stage(progress: Progress) -> str:
    stage = _epoch(progress)
    return stage if progress.mcc is None else f"{stage}, MCC {progress.mcc:.2f}"
