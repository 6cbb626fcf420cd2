"""The pytest side of the ledger: hooks that record why the test of a gate did not judge it.

Whether a session passes depends on the judged gates only; these hooks only record reasons.

PYTEST_DONT_REWRITE: harness.pytest_plugin imports this module before pytest registers it.
"""

import inspect
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from harness.plugin.ledger import Gate, by_reason, required_gates
from harness.plugin.stash import CELLS, INTERRUPTION, LEDGER, is_strict
from harness.session.options import Planned
from harness.session.session import Session
from harness.suite import ids
from harness.text import counted

DESELECTS = {
    ("_pytest.mark", "deselect_by_keyword"): ("keyword", "-k"),
    ("_pytest.mark", "deselect_by_mark"): ("markexpr", "-m"),
    ("_pytest.main", "pytest_collection_modifyitems"): ("deselect", "--deselect"),
    ("_pytest.cacheprovider", "pytest_collection_modifyitems"): ("lf", "--lf"),
    ("_pytest.stepwise", "pytest_collection_modifyitems"): ("stepwise", "--sw"),
}
"""Where pytest deselects tests: module and function; the name of the option's value, its flag."""

NO_SCORE = "No selected cell was scored: a session without a score does not pass."
NOT_JUDGED = "No test reached a cell that has a score: such a session does not pass."


def gate_of(item: pytest.Item) -> Gate | None:
    """Return the gate that a test judges, or None."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}  # of parametrized tests
    cell, suite = parameters.get("cell"), parameters.get("gated_suite")
    cells = item.config.stash.get(CELLS, {})
    if isinstance(cell, str) and cell in cells:
        return cells[cell].suite, cells[cell].id
    return (suite, None) if isinstance(suite, str) else None


def named_paths(config: pytest.Config) -> list[Path]:
    """Return the paths of the command line."""
    here = config.invocation_params.dir
    return [(here / arg.partition("::")[0]).resolve() for arg in config.args]


def pytest_itemcollected(item: pytest.Item) -> None:
    if (gate := gate_of(item)) is not None:
        item.config.stash[LEDGER].collected.add(gate)
        if item.config.pluginmanager.has_plugin("rerunfailures"):
            # The same scores would be judged again, and JUnit XML would show a failed gate as a
            # passed test case for each repetition.
            item.add_marker(pytest.mark.flaky(reruns=0, condition=False))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Record the gates that a file has tests for, before filters such as `--lf`."""
    report = yield
    for node in report.result or ():
        if isinstance(node, pytest.Item) and (gate := gate_of(node)) is not None:
            node.config.stash[LEDGER].files[gate] = node.path
    return report


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    by = _deselected_by(items[0].config) if items else ""
    for item in items:
        if (gate := gate_of(item)) is not None:
            item.config.stash[LEDGER].reasons[gate] = f"deselected by {by}"


def _deselected_by(config: pytest.Config) -> str:
    """Return the option, plugin or conftest.py that is calling pytest_deselected."""
    frame = inspect.currentframe()
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module != __name__ and module.partition(".")[0] != "pluggy":
            break
        frame = frame.f_back
    if frame is None:
        return "a plugin or conftest.py"
    known = DESELECTS.get((module, frame.f_code.co_name))
    if known is None:
        return f"a plugin or conftest.py ({module})"
    option, flag = known
    value = config.getoption(option, None)
    return f"{flag} {value!r}" if isinstance(value, str) else flag


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record the outcome of a gate's test, after all other plugins have changed it."""
    report = yield
    if (gate := gate_of(item)) is not None:
        ledger = item.config.stash[LEDGER]
        if report.failed:
            ledger.failed.add(gate)
        if report.when == "teardown":
            ledger.ended.add(gate)
        if (reason := _reason(report, call)) is not None:
            ledger.reasons[gate] = reason
    return report


def _reason(report: pytest.TestReport, call: pytest.CallInfo[None]) -> str | None:
    """Return why a test ended early in one line, or None."""
    if hasattr(report, "wasxfail"):
        return f"marked xfail{f' ({report.wasxfail})' if report.wasxfail else ''}"
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        return f"skipped: {_first_line(reason.removeprefix('Skipped: '))}"
    if report.failed and call.excinfo is not None:
        return f"its test failed in {report.when}: {_first_line(call.excinfo.exconly())}"
    return None


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason"])[0]


def left_out(session: pytest.Session, planned: Sequence[Planned]) -> dict[Gate, str]:
    """Return the gates of these suites that will not be judged, with the reasons known so far."""
    known: dict[Gate, str] = {}
    for item in session.items:
        if (gate := gate_of(item)) is not None and known.get(gate) != "":
            known[gate] = _skipped(item)
    reasons = session.config.stash[LEDGER].reasons
    found = {
        gate: known[gate] if gate in known else reasons.get(gate) or fallback_reason(session, gate)
        for gate in required_gates(planned)
    }
    return {gate: reason for gate, reason in found.items() if reason}


def will_not_be_judged(session: pytest.Session, planned: Sequence[Planned]) -> list[str]:
    """Return lines if it is known before training that a session with --strict will not pass."""
    gates = left_out(session, planned) if is_strict(session.config) else {}
    if not gates:
        return []
    return [
        f"--strict: this session will not pass: {counted(len(gates), 'gate')} of its suites will "
        "not be judged; select a part of the suites with --suite, --checkpoints, --batch-sizes, "
        "--learning-rates or --seeds instead",
        *(f"will not be judged: {line}" for line in by_reason(gates)),
    ]


def none_selected(session: pytest.Session, planned: Sequence[Planned]) -> list[str]:
    """Return lines on the gates of a session without a selected cell, and on the cells' ids."""
    config = session.config
    hint = ids.did_you_mean(config.getoption("keyword", ""), [*config.stash[CELLS]])
    return [
        *(f"not judged: {line}" for line in by_reason(left_out(session, planned))),
        f"no cell is selected; `--collect-only` without a selection lists all ids{hint}",
    ]


def _skipped(item: pytest.Item) -> str:
    """Return the reason of a test that is marked to be skipped; "" for other tests."""
    mark = item.get_closest_marker("skip")
    if mark is None:
        return ""
    reason = mark.kwargs.get("reason", mark.args[0] if mark.args else "")
    return f"skipped: {_first_line(str(reason))}"


def fallback_reason(session: pytest.Session, gate: Gate) -> str:
    """Return why a gate was not judged if no hook recorded a reason."""
    config = session.config
    if config.getoption("setuponly", False):
        return "--setup-plan" if config.getoption("setupplan", False) else "--setup-only"
    if gate in {gate_of(item) for item in session.items}:
        return ended_early(session) or "its test did not reach its gate"
    if gate in config.stash[LEDGER].collected:
        return "its test was removed from the session by a plugin or conftest.py"
    return f"its test was not collected: left out by {_left_out_by(session, gate)}"


def ended_early(session: pytest.Session) -> str | None:
    """Return why the tests that a session did not reach did not run, or None if it reached all."""
    why = session.shouldfail or session.shouldstop or session.config.stash.get(INTERRUPTION, None)
    return f"the session ended before its test ({why})" if why else None


def lacks_score(running: Session, exit_status: int) -> list[str]:
    """Return a line if no selected cell has a score, or no test waited for one that has."""
    if running.scored():
        return []
    for planned in running.planned:
        selected = {cell.id for cell in running.selected(planned.suite.name)}
        stored = running.stored(planned)
        if any(item.record.scores and item.record.cell in selected for item in stored):
            return [] if exit_status == pytest.ExitCode.INTERRUPTED else [NOT_JUDGED]
    return [NO_SCORE]


def _left_out_by(session: pytest.Session, gate: Gate) -> str:
    """Return the options, plugins or files that prevented a test's collection."""
    config = session.config
    file = config.stash[LEDGER].files.get(gate)
    by_last_failed = bool(config.getoption("lf", False))
    if file is not None:
        if session.isinitpath(file):
            return "the test ids of the command line"
        return "--lf" if by_last_failed else "a plugin or conftest.py"
    benchmarks = config.rootpath / "benchmarks"
    found = []
    paths = named_paths(config)
    if not any(benchmarks.is_relative_to(p) or p.suffix == ".toml" for p in paths):
        found.append(f"the paths of the command line ({' '.join(config.args)})")
    if by_last_failed and config.pluginmanager.has_plugin("lfplugin-collskip"):
        found.append("--lf")
    for name, flag in (("ignore", "--ignore"), ("ignore_glob", "--ignore-glob")):
        found += [f"{flag} {value}" for value in config.getoption(name, None) or ()]
    found += [
        f"-o {setting}"
        for setting in config.getoption("override_ini", None) or ()
        if setting.startswith("python_")
    ]
    return " or ".join(found) or "a plugin or conftest.py"
