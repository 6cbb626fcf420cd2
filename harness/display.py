"""A session's progress on the screen: one live line on a terminal, plain lines elsewhere."""

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.progress import State, live_line

if TYPE_CHECKING:
    import pytest


class Display:
    """Shows where a session is while pytest waits for runs.

    On a terminal one line under pytest's own, erased before pytest goes on; elsewhere and in CI,
    a line for every run that ended. Nothing under `-q`.
    """

    def __init__(self, config: "pytest.Config") -> None:
        reporter: pytest.TerminalReporter | None = config.pluginmanager.getplugin(
            "terminalreporter"
        )
        self._reporter = reporter if reporter is not None and reporter.verbosity >= 0 else None
        self._capture = config.pluginmanager.getplugin("capturemanager")
        self._told = 0
        self._shown = False
        # pytest's own signs of a CI.
        automatic = os.environ.get("CI") or os.environ.get("BUILD_NUMBER")
        dumb = os.environ.get("TERM") in (None, "", "dumb")
        self._live = bool(
            self._reporter is not None and self._reporter.isatty() and not automatic and not dumb
        )

    def update(self, state: State) -> None:
        """Show what is new."""
        if self._reporter is None:
            return
        if self._live:
            # A line that wraps could not be erased.
            text = live_line(state)[: self._reporter._tw.fullwidth - 1]
            self._write(("\r" if self._shown else "\n") + "\x1b[2K" + text)
            self._shown = True
        elif lines := state.ended[self._told :]:
            self._told = len(state.ended)
            with self._uncaptured():
                for line in lines:
                    self._reporter.write_line(line)

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
            # Raw, so that pytest goes on counting the columns of its own line only.
            self._reporter._tw.write_raw(text, flush=True)

    def _uncaptured(self) -> contextlib.AbstractContextManager[None]:
        """Let what is written reach the terminal although a test is running."""
        if self._capture is None:
            return contextlib.nullcontext()
        suspended: Callable[[], contextlib.AbstractContextManager[None]]
        suspended = self._capture.global_and_fixture_disabled
        return suspended()
