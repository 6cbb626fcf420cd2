"""A session's progress, and its display: one live line on a terminal, plain lines elsewhere."""

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.text import duration
from harness.training.progress import Progress

if TYPE_CHECKING:
    import pytest

EVERY_SECONDS = 60.0
"""Interval of the lines in a log while runs train."""


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


class Display:
    """Shows the progress of a session while pytest waits for runs.

    On a terminal: one line under pytest's own, erased before pytest continues. Elsewhere and in
    CI: one line for every run that ended, and one per minute while runs train. In both cases: one
    line for each run that takes far longer than expected. With `-q`: nothing.

    Args:
        clock: returns the time in seconds.
    """

    def __init__(
        self, config: "pytest.Config", clock: Callable[[], float] = time.monotonic
    ) -> None:
        reporter: pytest.TerminalReporter | None = config.pluginmanager.getplugin(
            "terminalreporter"
        )
        self._reporter = reporter if reporter is not None and reporter.verbosity >= 0 else None
        self._capture = config.pluginmanager.getplugin("capturemanager")
        self._printed: set[str] = set()
        self._clock = clock
        self._last = clock()
        self._shown = False
        # The variables by which pytest itself detects CI.
        automatic = os.environ.get("CI") or os.environ.get("BUILD_NUMBER")
        dumb = os.environ.get("TERM") in (None, "", "dumb")
        self._live = bool(
            self._reporter is not None and self._reporter.isatty() and not automatic and not dumb
        )

    def update(self, state: State) -> None:
        """Show what is new."""
        if self._reporter is None:
            return
        # Each run is reported at most once as late and once as ended.
        lines = [*state.late, *([] if self._live else state.ended)]
        lines = [line for line in lines if line not in self._printed]
        self._printed.update(lines)
        if not self._live and state.running and self._clock() - self._last >= EVERY_SECONDS:
            self._last = self._clock()
            lines.append(minute_line(state))
        if lines:
            self.clear()
            with self._uncaptured():
                for line in lines:
                    self._reporter.write_line(line)
                self._reporter._tw.flush()  # so that the reader of a pipe sees it immediately
        if self._live:
            # A line that wraps could not be erased.
            text = live_line(state)[: self._reporter._tw.fullwidth - 1]
            self._write(("\r" if self._shown else "\n") + "\x1b[2K" + text)
            self._shown = True

    def clear(self) -> None:
        """Erase the live line, and put the cursor back where pytest left it."""
        if self._shown and self._reporter is not None:
            self._shown = False
            terminal = self._reporter._tw
            column = terminal.width_of_current_line % terminal.fullwidth
            self._write("\r\x1b[2K\x1b[1A" + (f"\x1b[{column}C" if column else ""))

    def _write(self, text: str) -> None:
        assert self._reporter is not None
        with self._uncaptured():
            # Raw, so that pytest counts the columns of its own line only.
            self._reporter._tw.write_raw(text, flush=True)

    def _uncaptured(self) -> contextlib.AbstractContextManager[None]:
        """Disable pytest's capturing, so that output reaches the terminal during a test."""
        if self._capture is None:
            return contextlib.nullcontext()
        suspended: Callable[[], contextlib.AbstractContextManager[None]]
        suspended = self._capture.global_and_fixture_disabled
        return suspended()


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
        best = f", best MCC {progress.best:z.3f}" if progress.best is not None else ""
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
    return stage if progress.mcc is None else f"{stage}, MCC {progress.mcc:z.2f}"
