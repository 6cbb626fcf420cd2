"""Where a session is, and the lines that say so."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.text import duration
from harness.training.progress import Progress

MOST_RUNS = 4
"""The most running runs that a line of a log names."""


@dataclass(frozen=True)
class State:
    """Where a session is.

    `done` counts the runs that ended, those of earlier sessions too, of `total`, which leaves out
    what cannot run here. `running` has a title and the progress of each run under way, `ended`
    a line for each that ended in this session, in order of time, `late` one for each that was found
    to take far longer than expected.
    """

    done: int = 0
    total: int = 0
    running: Sequence[tuple[str, Progress]] = ()
    ended: Sequence[str] = ()
    seconds_left: float | None = None
    late: Sequence[str] = ()


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
