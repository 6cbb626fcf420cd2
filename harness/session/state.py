"""The progress of a session, and its status lines."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.text import duration
from harness.training.progress import Progress

MOST_RUNS = 4
"""The maximum number of runs in progress that a line of a log names."""


@dataclass(frozen=True)
class State:
    """The progress of a session.

    `done` counts the runs that ended, also in earlier sessions. `total` excludes runs that cannot
    run here. `running` has the title and progress of each run in progress. `ended` has a line for
    each run that ended in this session, in order of time. `late` has a line for each run that takes
    far longer than expected.
    """

    done: int = 0
    total: int = 0
    running: Sequence[tuple[str, Progress]] = ()
    ended: Sequence[str] = ()
    seconds_left: float | None = None
    late: Sequence[str] = ()


def live_line(state: State) -> str:
    """Return the session's status as one line; of the runs in progress, it names the oldest."""
    parts = [f"{state.done}/{state.total} runs"]
    if state.seconds_left is not None:
        parts.append(f"about {duration(state.seconds_left)} left")
    if state.running:
        title, progress = max(state.running, key=lambda item: item[1].seconds)
        others = len(state.running) - 1
        parts.append(f"{title}: {_stage(progress)}" + (f", +{others} more" if others else ""))
    return "; ".join(parts)


def minute_line(state: State) -> str:
    """Return the status of the session and of its oldest runs in progress as one line for a log."""
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
