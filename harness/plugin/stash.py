"""The state of the pytest plugin, in pytest's own stash."""

import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from harness.plugin.elsewhere import spelled
from harness.plugin.ledger import Ledger
from harness.session.display import Display
from harness.session.options import Planned
from harness.session.session import Session
from harness.store.given import Given
from harness.suite.plan import Cell

PROBLEMS = pytest.StashKey[Sequence[str]]()
"""Problems that are not reported yet."""
PLANNED = pytest.StashKey[Sequence[Planned]]()
"""The chosen suites."""
CELLS = pytest.StashKey[Mapping[str, Cell]]()
"""Every cell of the chosen suites, by its test's parameter."""
SESSION = pytest.StashKey[Session]()
"""Set if a cell is selected."""
DISPLAY = pytest.StashKey[Display]()
LEDGER = pytest.StashKey[Ledger]()
INTERRUPTION = pytest.StashKey[str]()
"""Why pytest was interrupted while it collected tests or ran them: Ctrl-C, or another reason."""
SIGNALS = pytest.StashKey[contextlib.ExitStack]()
"""The contexts in which Ctrl-C and SIGTERM do something else than usual; set with SESSION."""
HELD = pytest.StashKey[Callable[[], bool]]()
"""Set once Ctrl-C and SIGTERM are delayed: returns whether one came."""
TIME_LIMIT = pytest.StashKey[tuple[float, float]]()
"""When the waiting of the running test of a gate ends (monotonic clock), and its whole seconds."""
WRITTEN = pytest.StashKey[dict[str, Sequence[Path]]]()
"""The files of each suite whose tables were written."""
TABLE_NOTES = pytest.StashKey[dict[str, str]]()
"""A line on each suite's earlier tables: what replaced them, or why nothing did."""
GIVEN = pytest.StashKey[dict[str, Sequence[Given]]]()
"""The predictions of other programs in each suite's tables, which new tables keep."""
OPEN = pytest.StashKey[Sequence[str]]()
"""Lines on gates of the chosen suites that were not judged, or whose failure was not counted."""


def is_strict(config: pytest.Config) -> bool:
    """Return whether pytest's own option `--strict`, or `strict` in its configuration, is on."""
    return bool(config.getoption("strict", False) or config.getini("strict"))


def print_line(config: pytest.Config, line: str) -> None:
    """Print a line on the terminal at the end of a session, with or without pytest's reporter."""
    line = spelled(config, line)
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is None:
        print(line, file=sys.stderr)
    else:
        reporter.ensure_newline()
        reporter.write_line(line, yellow=True)
