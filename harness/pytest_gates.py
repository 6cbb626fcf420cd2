"""The pytest side of the ledger: hooks that see why a test of a gate judged nothing.

A session passes by what was judged, not by what these hooks see: they only tell the reason.

PYTEST_DONT_REWRITE: harness.pytest_plugin imports this module before pytest registers it.
"""

from collections.abc import Generator, Sequence

import pytest

from harness.ledger import Gate, Ledger
from harness.plan import Cell
from harness.stash import CELLS, LEDGER

COLLECTED = pytest.StashKey[set[Gate]]()
"""Gates of which a test was collected, selected or not."""

SELECTIONS = {
    "keyword": "-k",
    "markexpr": "-m",
    "deselect": "--deselect",
    "lf": "--lf",
    "stepwise": "--sw",
    "stepwise_skip": "--sw-skip",
}
"""pytest's options that deselect tests, by the name under which their value is kept."""


def gate_of(item: pytest.Item) -> Gate | None:
    """Return the gate that a test judges, if it is one of those."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and _has(item) else {}
    if (cell := cell_of(item.config, parameters.get("cell"))) is not None:
        return cell.suite, cell.id
    suite = parameters.get("gated_suite")
    return (suite, None) if isinstance(suite, str) else None


def cell_of(config: pytest.Config, parameter: object) -> Cell | None:
    """Return the cell of a test by its parameter, if that is one."""
    return config.stash.get(CELLS, {}).get(parameter) if isinstance(parameter, str) else None


def _has(item: pytest.Function) -> bool:
    return hasattr(item, "callspec")  # which tests without parameters have not


def ledger_of(config: pytest.Config) -> Ledger:
    return config.stash.setdefault(LEDGER, Ledger())


def pytest_itemcollected(item: pytest.Item) -> None:
    if (gate := gate_of(item)) is not None:
        item.config.stash.setdefault(COLLECTED, set()).add(gate)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    for item in items:
        if (gate := gate_of(item)) is not None:
            ledger_of(item.config).reasons[gate] = f"deselected{_by(item.config)}"


def _by(config: pytest.Config) -> str:
    """Say which options in force deselect tests; a plugin may do so without any."""
    given = []
    for name, flag in SELECTIONS.items():
        value = config.getoption(name, None)
        usual = name == "markexpr" and value in config.getini("addopts")
        if value and not usual:
            shown = value if isinstance(value, str) else ""
            given.append(f"{flag} {shown!r}" if shown else flag)
    return f" by {' or '.join(given)}" if given else " by a plugin or conftest.py"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what became of a gate's test, as all other plugins left it."""
    report = yield
    if (gate := gate_of(item)) is not None:
        ledger = ledger_of(item.config)
        if report.failed:
            ledger.failed.add(gate)
        if (reason := _reason(report, call)) is not None:
            ledger.reasons[gate] = reason
    return report


def _reason(report: pytest.TestReport, call: pytest.CallInfo[None]) -> str | None:
    """Return why a test ended early, in a line, if it did."""
    if hasattr(report, "wasxfail"):
        return f"marked xfail{f' ({report.wasxfail})' if report.wasxfail else ''}"
    if report.skipped:
        said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        return f"skipped: {_first_line(said.removeprefix('Skipped: '))}"
    if report.failed and call.excinfo is not None:
        return f"its test failed in {report.when}: {_first_line(call.excinfo.exconly())}"
    return None


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason"])[0]


def otherwise(session: pytest.Session, gate: Gate) -> str:
    """Say why a gate was not judged of which no hook saw a reason."""
    config = session.config
    if config.getoption("setuponly", False):
        return f"{'--setup-plan' if config.getoption('setupplan', False) else '--setup-only'}"
    if gate in {gate_of(item) for item in session.items}:
        stopped = session.shouldfail or session.shouldstop
        if stopped or session.exitstatus == pytest.ExitCode.INTERRUPTED:
            return f"the session ended before its test ({stopped or 'interrupted'})"
        return "its test did not get as far as its gate"
    if gate in config.stash.get(COLLECTED, set()):
        return "its test was taken out of the session by a plugin or conftest.py"
    return (
        "its test was not collected: paths and test ids of the command line, --ignore, "
        "patterns for the names of tests, or a plugin left it out"
    )
