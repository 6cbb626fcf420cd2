"""The pytest side: options, a test for every cell, the session's life, the closing summary."""

import contextlib
import gc
import inspect
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import astuple
from functools import partial

import pytest

from harness import ids
from harness.display import Display
from harness.errors import BadInput
from harness.interrupt import hold_interrupt
from harness.ledger import by_reason, unheeded, unjudged
from harness.options import (
    OPTIONS,
    Chosen,
    baseline_file,
    left_behind,
    planned_suites,
    results_folder,
    session_options,
)
from harness.plan import Cell
from harness.pytest_gates import cell_of, ledger_of, left_out, otherwise
from harness.pytest_needs import need_timer, show_reasons
from harness.pytest_places import problems, refuse_early, unwritten
from harness.pytest_tables import refused, show_all, summarize_all, write_all
from harness.read_files import read_files
from harness.schedule import describe
from harness.session import Planned, Session
from harness.shield import shield
from harness.spec import SuiteGates
from harness.stash import (
    CELLS,
    DISPLAY,
    HELD,
    OPEN,
    PLANNED,
    PROBLEMS,
    SESSION,
    WRITTEN,
    is_strict,
    tell,
)
from harness.text import counted

pytest_plugins = ("harness.pytest_gates", "harness.pytest_fixtures")


NO_SCORE = "No selected cell was scored: a session without a score does not pass."


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


@pytest.hookimpl(tryfirst=True)  # before pytest's reporter reads its options
def pytest_configure(config: pytest.Config) -> None:
    show_reasons(config)
    if _names_benchmarks(config):
        config.args[:] = map(as_collected, config.args)
        config.option.deselect = [*map(as_collected, config.option.deselect or ())]
    # A cell that failed, was skipped or was interrupted has no time to measure.
    config.addinivalue_line("filterwarnings", "ignore:Benchmark fixture was not used")
    if config.getoption("tx", None) and _names_benchmarks(config):
        # Now: whatever one of its workers says later, pytest-xdist does not show it.
        raise pytest.UsageError(
            "pytest-xdist (-n) cannot share the runs of a session; leave it out, and use --workers "
            "to train several at a time"
        )
    if _names_benchmarks(config):
        need_timer(config)
        chosen, planned = _chosen(config), _planned(config)
        results = [results_folder(chosen) / each.suite.name for each in planned]
        refuse_early(config, read_files(chosen, planned), results)


def as_collected(arg: str) -> str:
    """Return a test's id with its cell's learning rate as the cell's id has it."""
    test, bracket, cell = arg.removesuffix("]").rpartition("[")
    of_a_cell = test.endswith("::test_finetune") and bracket and arg[-1] == "]"
    return f"{test}[{ids.usual(cell)}]" if of_a_cell else arg


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
        cells = (cell for planned in config.stash[PLANNED] for cell in planned.cells)
        config.stash[CELLS] = {f"{cell.suite}/{cell.id}": cell for cell in cells}
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
        # By name: what reads a test's parameters, as pytest-benchmark does, gets plain text.
        _planned(metafunc.config)
        cells = [*metafunc.config.stash[CELLS]]
        metafunc.parametrize("cell", cells, ids=cells, indirect=True)
    if "gated_suite" in metafunc.fixturenames:
        gated = [planned.suite.name for planned in _gated(metafunc.config)]
        metafunc.parametrize("gated_suite", gated, ids=gated, indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Start training the selected cells, unless the user only asked to see them."""
    config = session.config
    cells = _selected(session)
    if (cells or PROBLEMS in config.stash) and not config.option.collectonly:
        _shield(config)  # before any refusal, which a plugin's traceback would replace
    if PROBLEMS in config.stash:
        raise pytest.UsageError(str(BadInput(config.stash[PROBLEMS])))
    if not cells or config.option.collectonly:
        return
    if hasattr(config, "workerinput"):
        raise pytest.UsageError("pytest-xdist (-n) cannot share the runs of a session")
    try:
        options = session_options(_chosen(config))
    except BadInput as error:
        raise pytest.UsageError(str(error)) from None
    started = Session(config.stash[PLANNED], list(dict.fromkeys(cells)), options)
    started.notes += (without := _without_baseline(started, cells))
    if without and is_strict(config):
        raise pytest.UsageError("\n".join(without))
    names = [planned.suite.name for planned in started.planned]
    started.notes += left_behind(_chosen(config), names)
    started.notes += [*unwritten(config), *_not_selected(session)]
    config.stash[DISPLAY] = Display(config)
    config.stash[SESSION] = started  # first, so that an interruption of the start closes it too
    if config.getoption("setuponly", False):  # also by --setup-plan: no test will run
        return
    try:
        started.start(problems(config, started), partial(refused, config))
    except BadInput as error:
        del config.stash[SESSION]
        raise pytest.UsageError(str(error)) from None


def _selected(session: pytest.Session) -> list[Cell]:
    """Return the cells that the selected tests need."""
    planned = {each.suite.name: each for each in _planned(session.config)}
    cells: list[Cell] = []
    for item in session.items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if (cell := cell_of(session.config, parameters.get("cell"))) is not None:
            cells.append(cell)
        suite = parameters.get("gated_suite")
        if isinstance(suite, str) and suite in planned:
            cells += planned[suite].cells  # a suite is judged by all its cells
    return cells


def _not_selected(session: pytest.Session) -> list[str]:
    """Say before training that a session with --strict will not pass, if that is known."""
    if not is_strict(session.config):
        return []
    gates = left_out(session, session.config.stash[PLANNED])
    if not gates:
        return []
    return [
        "--strict: this session will not pass: "
        f"{counted(len(gates), 'gate')} of its suites will not be "
        "judged; name a part of the suites with --suite, --checkpoints, --batch-sizes, "
        "--learning-rates or --seeds instead",
        *(f"will not be judged: {line}" for line in by_reason(gates)),
    ]


def _shield(config: pytest.Config) -> None:
    """Keep a plugin that fails at the end from taking what the others have to say with it."""
    own = sys.modules[__name__]

    def told(line: str) -> None:
        if SESSION not in config.stash:  # it was refused, and the reasons are told
            return
        config.stash[PROBLEMS] = [*config.stash.get(PROBLEMS, ()), line]
        tell(config, line)

    for hook in (config.hook.pytest_sessionfinish, config.hook.pytest_terminal_summary):
        shield(hook, lambda plugin: plugin is own, told)


def _without_baseline(session: Session, cells: Sequence[Cell]) -> list[str]:
    """Return a line for every suite with a gate that needs a baseline, and has none."""
    suites = dict.fromkeys(cell.suite for cell in cells if cell.gates.max_drop is not None)
    return [
        f"{suite}: gates.max_drop judges nothing without a baseline of this suite; "
        "give its earlier leaderboard.json with --baseline FILE"
        for suite in suites
        if session.baseline(suite) is None
    ]


def _other_spelling(config: pytest.Config) -> list[str]:
    """Say which -k was meant, where a learning rate in it is written as no test's id has it."""
    typed = config.getoption("keyword", "")
    known: Mapping[str, Cell] = config.stash.get(CELLS, {})
    other = ids.respelled(typed, known) if typed else None
    return [] if other is None else [f"-k {typed!r}: ids write it otherwise: -k {other!r}"]


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    if SESSION not in config.stash:
        return _other_spelling(config)
    session = config.stash[SESSION]
    lines = [
        f"{name}: {counts.finished} of {counted(sum(astuple(counts)), 'run')} finished before, "
        f"{counts.to_train} to train, {counts.skipped} skipped"
        for name, counts in session.counts.items()
    ]
    if session.schedule is not None:
        lines.append(describe(session.schedule, session.workers))
    return lines + session.notes + _other_spelling(config)


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
    try:
        interrupted = _hold_interrupt(config)
        _finish(session, running)
        result = yield
        _settle(session)  # once more, whatever others made of it
        if interrupted() and session.exitstatus != pytest.ExitCode.INTERRUPTED:
            session.exitstatus = pytest.ExitCode.INTERRUPTED
            tell(config, "Interrupted when all tests had ended: the tables are written.")
        return result
    except pytest.exit.Exception as end:  # of a plugin, whose exit code would be the session's
        if end.returncode == pytest.ExitCode.OK and _open(session):
            end.returncode = pytest.ExitCode.TESTS_FAILED
        raise
    except KeyboardInterrupt:
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
    config.stash[WRITTEN], found = write_all(config, baseline_file(_chosen(config)))
    if found:
        config.stash[PROBLEMS] = found
    config.stash[OPEN] = _open_gates(session)
    _settle(session)
    if config.pluginmanager.getplugin("terminalreporter") is None:  # nobody prints a summary
        summarize_all(config)
        for line in (*config.stash[OPEN], *config.stash.get(PROBLEMS, ())):
            tell(config, line)
        if not running.scored():
            tell(config, NO_SCORE)


def _open_gates(session: pytest.Session) -> list[str]:
    """Return a line for all gates of the chosen suites that were not judged, or not heeded."""
    ledger = ledger_of(session.config)
    left = unjudged(ledger, session.config.stash[PLANNED], partial(otherwise, session))
    return left + unheeded(ledger)


def _settle(session: pytest.Session) -> None:
    """Let a session pass only if nothing stands against it."""
    if session.exitstatus == pytest.ExitCode.OK and _open(session):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _open(session: pytest.Session) -> bool:
    """Return whether a session scored nothing, has problems, or left a gate open under --strict."""
    config = session.config
    strictly = is_strict(config) and bool(config.stash.get(OPEN, ()))
    return strictly or PROBLEMS in config.stash or not config.stash[SESSION].scored()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    """Print each suite's leaderboard, where it was written, and what stands against a pass."""
    config = terminalreporter.config
    if WRITTEN not in config.stash:
        return
    summarize_all(config)
    show_all(terminalreporter)
    for line in config.stash[OPEN]:
        terminalreporter.write_line(line, red=is_strict(config), yellow=not is_strict(config))
    if config.stash[OPEN] and is_strict(config):
        terminalreporter.write_line(
            "With --strict a session passes only if every gate of its suites was judged.", red=True
        )
    for problem in config.stash.get(PROBLEMS, ()):
        terminalreporter.write_line(problem, red=True)
    running = config.stash[SESSION]
    if not running.scored():
        terminalreporter.write_line(NO_SCORE, red=True)
    if exitstatus == pytest.ExitCode.INTERRUPTED:
        state = running.state()
        terminalreporter.write_line(
            f"Interrupted: {state.done} of {state.total} runs have ended and are kept; the same "
            "command goes on with the others.",
            yellow=True,
        )
