"""The pytest side: options, a test for every cell, the session's life, the closing summary."""

import contextlib
import gc
import inspect
import os
from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path

import pytest

from harness.display import Display
from harness.errors import BadInput
from harness.gates import Check, Judgement, judge, judge_suite
from harness.interrupt import hold_interrupt
from harness.leaderboard import judge_all, leaderboard, runs_by_cell
from harness.options import OPTIONS, Chosen, baseline_file, planned_suites, session_options
from harness.plan import Cell, suite_gates
from harness.records import Record
from harness.report import append_summary, as_summary, terminal_table, write_tables
from harness.schedule import describe
from harness.session import Planned, Session
from harness.spec import SuiteGates

PROBLEMS = pytest.StashKey[Sequence[str]]()
PLANNED = pytest.StashKey[Sequence[Planned]]()
SESSION = pytest.StashKey[Session]()
DISPLAY = pytest.StashKey[Display]()
HELD = pytest.StashKey[tuple[contextlib.ExitStack, Callable[[], bool]]]()
WRITTEN = pytest.StashKey[dict[str, Sequence[Path]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("harness", "fine-tuning benchmark")
    for option in OPTIONS:
        if option.metavar is None:
            group.addoption(option.flag, action="store_true", help=option.help)
        else:
            action = "append" if option.repeatable else "store"
            group.addoption(option.flag, action=action, metavar=option.metavar, help=option.help)


def _chosen(config: pytest.Config) -> Chosen:
    values = {option.name: config.getoption(option.name) for option in OPTIONS}
    return Chosen(values, here=config.invocation_params.dir, project=config.rootpath)


def pytest_configure(config: pytest.Config) -> None:
    # A cell that failed, was skipped or was interrupted has no time to measure.
    config.addinivalue_line("filterwarnings", "ignore:Benchmark fixture was not used")
    if config.getoption("tx", None) and _names_benchmarks(config):
        # Now: whatever one of its workers says later, pytest-xdist does not show it.
        raise pytest.UsageError(
            "pytest-xdist (-n) cannot share the runs of a session; leave it out, and use --workers "
            "to train several at a time"
        )


def _names_benchmarks(config: pytest.Config) -> bool:
    """Return whether the paths on the command line are of benchmarks/, within it or around it."""
    benchmarks = config.rootpath / "benchmarks"
    named = [
        (config.invocation_params.dir / arg.partition("::")[0]).resolve() for arg in config.args
    ]
    return any(path.is_relative_to(benchmarks) or benchmarks.is_relative_to(path) for path in named)


def _planned(config: pytest.Config) -> Sequence[Planned]:
    """Return the chosen suites; none of them, and the problems in the stash, where one is wrong."""
    if PLANNED not in config.stash:
        try:
            config.stash[PLANNED] = planned_suites(_chosen(config))
        except BadInput as error:
            # Raised here it would be shown as a traceback; pytest_collection_finish raises it.
            config.stash[PLANNED] = []
            config.stash[PROBLEMS] = error.problems
    return config.stash[PLANNED]


def _gated(config: pytest.Config) -> list[Planned]:
    return [p for p in _planned(config) if p.suite.gates.suite != SuiteGates()]


def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, obj: object
) -> list[pytest.Item] | None:
    """Leave out the test of gated suites where no suite has gates of its own."""
    asked = inspect.signature(obj).parameters if inspect.isfunction(obj) else {}
    return [] if "gated_suite" in asked and not _gated(collector.config) else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of every cell of the chosen suites, and of every suite that has its own gates."""
    if "cell" in metafunc.fixturenames:
        cells = [cell for planned in _planned(metafunc.config) for cell in planned.cells]
        metafunc.parametrize("cell", cells, ids=[f"{cell.suite}/{cell.id}" for cell in cells])
    if "gated_suite" in metafunc.fixturenames:
        gated = _gated(metafunc.config)
        metafunc.parametrize("gated_suite", gated, ids=[p.suite.name for p in gated])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Start training the selected cells, unless the user only asked to see them."""
    config = session.config
    if PROBLEMS in config.stash:
        raise pytest.UsageError(str(BadInput(config.stash[PROBLEMS])))
    cells: list[Cell] = []
    for item in session.items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if isinstance(cell := parameters.get("cell"), Cell):
            cells.append(cell)
        if isinstance(planned := parameters.get("gated_suite"), Planned):
            cells += planned.cells  # a suite is judged by all its cells
    if not cells or config.option.collectonly:
        return
    try:
        options = session_options(_chosen(config))
    except BadInput as error:
        raise pytest.UsageError(str(error)) from None
    started = Session(config.stash[PLANNED], list(dict.fromkeys(cells)), options)
    started.notes += (unjudged := _unjudged(started, cells))
    if unjudged and config.getoption("strict", False):
        raise pytest.UsageError("\n".join(unjudged))
    config.stash[DISPLAY] = Display(config)
    config.stash[SESSION] = started  # first, so that an interruption of the start closes it too
    try:
        started.start()
    except BadInput as error:
        del config.stash[SESSION]
        raise pytest.UsageError(str(error)) from None


def _unjudged(session: Session, cells: Sequence[Cell]) -> list[str]:
    """Return a line for every suite with a gate that needs a baseline, and has none."""
    suites = dict.fromkeys(cell.suite for cell in cells if cell.gates.max_drop is not None)
    return [
        f"{suite}: gates.max_drop judges nothing without a baseline of this suite; "
        "give its earlier leaderboard.json with --baseline FILE"
        for suite in suites
        if session.baseline(suite) is None
    ]


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    if SESSION not in config.stash:
        return []
    session = config.stash[SESSION]
    lines = [
        f"{name}: {counts.finished} of {counts.finished + counts.to_train + counts.skipped} runs "
        f"finished before, {counts.to_train} to train, {counts.skipped} skipped"
        for name, counts in session.counts.items()
    ]
    if session.schedule is not None:
        lines.append(describe(session.schedule, session.workers))
    return lines + session.notes


@pytest.fixture
def wait_for_records(request: pytest.FixtureRequest, cell: Cell) -> Callable[[], list[Record]]:
    """Return a function that waits until all runs of a cell ended, and gives their records.

    It skips the test, or fails it under `--strict`, where the cell cannot run here.
    """

    def wait() -> list[Record]:
        session, display = request.config.stash[SESSION], request.config.stash[DISPLAY]
        try:
            records = session.wait(cell, lambda: display.update(session.state()))
        finally:
            display.clear()
        reasons = dict.fromkeys(r.reason for r in records if r.status == "skipped" and r.reason)
        if reasons and request.config.getoption("strict", False):
            reason = "; ".join(reasons)
            pytest.fail(f"{cell.id} cannot run, and --strict allows no skip: {reason}", False)
        if reasons:
            pytest.skip("; ".join(reasons))
        return records

    return wait


@pytest.fixture
def judge_cell(
    request: pytest.FixtureRequest, cell: Cell
) -> Callable[[Sequence[Record]], Judgement]:
    """Return a function that judges a cell's records by its gates and the session's baseline."""
    return partial(judge, cell, baseline=request.config.stash[SESSION].baseline(cell.suite))


@pytest.fixture
def suite_checks(
    request: pytest.FixtureRequest, gated_suite: Planned
) -> Callable[[], Sequence[Check]]:
    """Return a function that waits for a suite's selected cells and judges all of them together."""

    def checks() -> Sequence[Check]:
        session, display = request.config.stash[SESSION], request.config.stash[DISPLAY]
        try:
            session.wait_for_suite(gated_suite, lambda: display.update(session.state()))
        finally:
            display.clear()
        records = [item.record for item in session.stored(gated_suite)]
        if {record.status for record in records} == {"skipped"}:
            pytest.skip("every cell was skipped")
        gates = suite_gates(gated_suite.suite)
        return judge_suite(gates, gated_suite.cells, runs_by_cell(gated_suite.cells, records))

    return checks


@pytest.fixture
def records_folder(request: pytest.FixtureRequest, cell: Cell) -> Path:
    """The folder of a cell's records."""
    return request.config.stash[SESSION].folder(cell.suite) / "runs" / cell.id


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Hold a Ctrl-C from the end of the tests on; see pytest_sessionfinish."""
    try:
        return (yield)
    finally:
        if SESSION in session.config.stash:
            _hold_interrupt(session.config)


def _hold_interrupt(config: pytest.Config) -> Callable[[], bool]:
    """Hold a Ctrl-C from now on; return what tells whether one came."""
    if HELD not in config.stash:
        holding = contextlib.ExitStack()
        config.stash[HELD] = holding, holding.enter_context(hold_interrupt())
    return config.stash[HELD][1]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """Stop what runs, write the tables, and let no session pass that scored nothing.

    A Ctrl-C waits until the tables are written and all summaries printed; a second one does not.
    """
    config = session.config
    if SESSION not in config.stash:
        return (yield)
    running = config.stash[SESSION]
    reporter = config.pluginmanager.getplugin("terminalreporter")
    try:
        interrupted = _hold_interrupt(config)
        _finish(session, running)
        result = yield
        if interrupted() and session.exitstatus != pytest.ExitCode.INTERRUPTED:
            session.exitstatus = pytest.ExitCode.INTERRUPTED
            if reporter is not None:
                told = "Interrupted when all tests had ended: the tables are written."
                reporter.write_line(told, yellow=True)
        return result
    except KeyboardInterrupt:
        if reporter is not None:
            reporter.ensure_newline()
        pytest.exit(
            "interrupted twice: tables may be missing; what was trained is kept, and the same "
            "command writes them",
            returncode=pytest.ExitCode.INTERRUPTED,
        )
    finally:
        running.close()  # once more, where it was interrupted
        running.release()
        # The process ends. To look for garbage among all that is imported would take a second.
        gc.freeze()
        config.stash[HELD][0].close()


def _finish(session: pytest.Session, running: Session) -> None:
    config = session.config
    running.close()
    config.stash[WRITTEN] = _write_all_tables(config, running)
    if (not running.scored() or PROBLEMS in config.stash) and (
        session.exitstatus == pytest.ExitCode.OK
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _write_all_tables(config: pytest.Config, running: Session) -> dict[str, Sequence[Path]]:
    """Write the tables of every suite that has a score; return their paths, by suite."""
    written: dict[str, Sequence[Path]] = {}
    problems: list[str] = []
    for planned in running.planned:
        stored = running.stored(planned)
        # Published tables are not replaced by a session in which nothing could run.
        name = planned.suite.name
        if any(item.record.scores for item in stored):
            if _is_its_own_baseline(config, running, planned):
                problems.append(
                    f"{config.getoption('baseline')} is the baseline, and not every cell passed "
                    "against it: it is left as it was, for the next session would compare with "
                    "today's; name another --results-dir to have both"
                )
                continue
            try:
                written[name] = write_tables(
                    running.folder(name),
                    name,
                    planned.cells,
                    stored,
                    running.baseline(name),
                    planned.references,
                    suite_gates(planned.suite),
                )
            except BadInput as error:
                problems += error.problems
    if problems:
        config.stash[PROBLEMS] = problems
    return written


def _is_its_own_baseline(config: pytest.Config, running: Session, planned: Planned) -> bool:
    """Return whether a suite's tables would replace a baseline that some cell fell short of."""
    name = planned.suite.name
    baseline, published = running.baseline(name), running.folder(name) / "leaderboard.json"
    read_from = baseline_file(_chosen(config))
    if baseline is None or read_from is None or not _same_file(published, read_from):
        return False
    records = [item.record for item in running.stored(planned)]
    judgements = judge_all(planned.cells, runs_by_cell(planned.cells, records), baseline)
    checks = [check for each in judgements.values() for check in each.checks]
    return any(check.gate == "max_drop" and check.verdict != "pass" for check in checks)


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there, or not any more
        return False


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    """Print each suite's leaderboard and where it was written."""
    config = terminalreporter.config
    if WRITTEN not in config.stash:
        return
    running = config.stash[SESSION]
    for planned in running.planned:
        name = planned.suite.name
        terminalreporter.section(f"leaderboard: {name}")
        records = [item.record for item in running.stored(planned)]
        table = leaderboard(planned.cells, records, running.baseline(name))
        if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
            problem = append_summary(Path(summary), as_summary(name, table))
            if problem is not None:
                terminalreporter.write_line(problem, red=True)
        if name not in config.stash[WRITTEN]:
            folder = os.path.relpath(running.folder(name))
            terminalreporter.write_line(f"no table was written; {folder} is as it was")
            continue
        terminalreporter.write_line(terminal_table(table))
        names = [path.name for path in config.stash[WRITTEN][name]]
        tables = [written for written in names if not written.endswith((".png", ".svg"))]
        pictures = f" and {count} pictures" if (count := len(names) - len(tables)) else ""
        folder = os.path.relpath(running.folder(name))
        terminalreporter.write_line(f"written to {folder}: {', '.join(tables)}{pictures}")
    for problem in config.stash.get(PROBLEMS, ()):
        terminalreporter.write_line(problem, red=True)
    if not running.scored():
        terminalreporter.write_line(
            "No selected cell was scored: a session without a score does not pass.", red=True
        )
    if exitstatus == pytest.ExitCode.INTERRUPTED:
        state = running.state()
        terminalreporter.write_line(
            f"Interrupted: {state.done} of {state.total} runs have ended and are kept; the same "
            "command goes on with the others.",
            yellow=True,
        )
