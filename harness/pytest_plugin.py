"""The pytest plugin: options, a test for every cell, start and end of the session, summary."""

import contextlib
import gc
import inspect
import sys
from collections.abc import Generator, Mapping, Sequence

import pytest

from harness.errors import BadInput
from harness.forecast.schedule import describe
from harness.plugin import elsewhere
from harness.plugin.collection import (
    FILES,
    as_collected,
    collect_suites,
    errors_that_end_it,
    named_suites,
    suites_of,
    was_interrupted,
)
from harness.plugin.elsewhere import option_value, spelled
from harness.plugin.gates import (
    gate_of,
    lacks_score,
    none_selected,
    will_not_be_judged,
)
from harness.plugin.interrupt import (
    heed_sigterm_until_the_end,
    hold_interrupt_until_the_end,
    interruption_in_words,
    open_gates,
    release_signals,
    report_unreached,
    told_interruption,
    unreached,
)
from harness.plugin.ledger import Ledger, beyond_budget, left_open
from harness.plugin.needs import hide_timing_table, need_timer, refuse_xdist, show_reasons
from harness.plugin.outputs import problems, refuse_early, without_effect
from harness.plugin.shield import shield
from harness.plugin.stash import (
    CELLS,
    DISPLAY,
    INTERRUPTION,
    LEDGER,
    OPEN,
    PLANNED,
    PROBLEMS,
    SESSION,
    SIGNALS,
    WRITTEN,
    is_strict,
    print_line,
)
from harness.plugin.tables import show_all, summarize_all, write_all
from harness.session.display import Display
from harness.session.looks.selection import race_refusals
from harness.session.options import (
    OPTIONS,
    Chosen,
    Planned,
    baseline_file,
    left_behind,
    planned_suites,
    read_options,
    results_folder,
)
from harness.session.read_files import read_files
from harness.session.request import all_mistakes, read_request
from harness.session.session import Session
from harness.session.strictness import refusals, without_baseline
from harness.suite import ids
from harness.suite.plan import Cell
from harness.text import counted

pytest_plugins = (
    "harness.plugin.gates",
    "harness.plugin.fixtures",
    "harness.plugin.collection",
    "harness.plugin.patience",
)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    if not pluginmanager.has_plugin(elsewhere.__name__):
        elsewhere.add_options(parser, "--")


def _chosen(config: pytest.Config) -> Chosen:
    values = {option.name: option_value(config, option.name) for option in OPTIONS}
    values["suite"] = named_suites(config)
    values["strict"] = is_strict(config)
    return Chosen(values, here=config.invocation_params.dir, project=config.rootpath)


@pytest.hookimpl(tryfirst=True)  # before pytest's reporter reads its options
def pytest_configure(config: pytest.Config) -> None:
    show_reasons(config)
    config.stash[LEDGER] = Ledger()
    # A cell that failed, was skipped or was interrupted has no time to measure.
    config.addinivalue_line("filterwarnings", "ignore:Benchmark fixture was not used")
    if not collect_suites(config):
        return
    config.args[:] = map(as_collected, config.args)
    config.option.deselect = [*map(as_collected, config.option.deselect or ())]
    config.stash[OPEN] = ()
    refuse_xdist(config)
    need_timer(config)
    chosen, planned = _chosen(config), _planned(config)
    if FILES in config.stash and PROBLEMS in config.stash:  # files that pytest could not collect
        raise _refusal(config, config.stash[PROBLEMS])
    results = [results_folder(chosen) / each.suite.name for each in planned]
    refuse_early(config, read_files(chosen, planned), results)


def _refusal(config: pytest.Config, problems: Sequence[str]) -> pytest.UsageError:
    return pytest.UsageError(spelled(config, str(BadInput(problems))))


def _planned(config: pytest.Config) -> Sequence[Planned]:
    """Return the chosen suites; if one is invalid, none, with the problems in the stash."""
    if PLANNED not in config.stash:
        chosen = _chosen(config)
        try:
            config.stash[PLANNED] = planned_suites(chosen)
        except BadInput as error:
            # Raised here it would be shown as a traceback; pytest_collection_finish raises it.
            config.stash[PLANNED] = []
            # `--collect-only` reads only the suites.
            further = [] if config.option.collectonly else all_mistakes(read_request(chosen))
            config.stash[PROBLEMS] = list(dict.fromkeys([*error.problems, *further]))
        cells = (cell for planned in config.stash[PLANNED] for cell in planned.cells)
        config.stash[CELLS] = {f"{cell.suite}/{cell.id}": cell for cell in cells}
    return config.stash[PLANNED]


def _gated(node: pytest.Collector | pytest.Item) -> list[Planned]:
    planned = _planned(node.config)
    return [each for each in suites_of(node, planned) if each.has_own_gates]


def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, obj: object
) -> list[pytest.Item] | None:
    """Leave out the test of gated suites if no suite has its own gates."""
    parameters = inspect.signature(obj).parameters if inspect.isfunction(obj) else {}
    return [] if "gated_suite" in parameters and not _gated(collector) else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test for every cell of the chosen suites, and for every suite with its own gates."""
    if "cell" in metafunc.fixturenames:
        # By name, so that readers of a test's parameters, such as pytest-benchmark, get text.
        planned = suites_of(metafunc.definition, _planned(metafunc.config))
        cells = [f"{cell.suite}/{cell.id}" for each in planned for cell in each.cells]
        metafunc.parametrize("cell", cells, ids=cells, indirect=True)
    if "gated_suite" in metafunc.fixturenames:
        gated = [planned.suite.name for planned in _gated(metafunc.definition)]
        metafunc.parametrize("gated_suite", gated, ids=gated, indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Start training the selected cells, unless `--collect-only` is given or no test will run."""
    config = session.config
    cells = _selected(session)
    if (cells or PROBLEMS in config.stash) and not config.option.collectonly:
        _shield(config)  # first, because a plugin's traceback would replace later error messages
    if PROBLEMS in config.stash:
        raise _refusal(config, config.stash[PROBLEMS])
    if config.option.collectonly:
        return
    if not cells:
        if OPEN in config.stash:  # otherwise other tests only
            config.stash[OPEN] = none_selected(session, _planned(config))
        return
    if hasattr(config, "workerinput"):
        raise pytest.UsageError("pytest-xdist (-n) cannot share the runs of a session")
    chosen, planned = _chosen(config), config.stash[PLANNED]
    errors = errors_that_end_it(session)
    options, known = read_options(chosen, trains=not errors)
    if options.baseline is not None or not chosen.values["baseline"]:  # else it cannot be read
        known += refusals(planned, cells, options)
    known += race_refusals(planned, cells)
    started = Session(planned, list(dict.fromkeys(cells)), options)
    names = [planned.suite.name for planned in started.planned]
    started.notes += [*without_baseline(cells, options), *left_behind(chosen, names)]
    started.notes += [*without_effect(session), *will_not_be_judged(session, planned)]
    if errors:
        started.notes.append(f"nothing is trained: {counted(errors, 'error')} during collection")
    config.stash[DISPLAY] = Display(config)
    hide_timing_table(config)
    config.stash[SIGNALS] = contextlib.ExitStack()
    config.stash[SESSION] = started  # set first, so that it is closed if its start is interrupted
    heed_sigterm_until_the_end(config)
    setup_only = config.getoption("setuponly", False)  # --setup-plan sets it too; no test will run
    try:
        if not setup_only and not was_interrupted(session):
            started.start([*known, *problems(session, started)])
        elif known and setup_only:
            raise BadInput(known)
    except BadInput as error:
        del config.stash[SESSION]
        release_signals(config)
        raise _refusal(config, error.problems) from None


def _selected(session: pytest.Session) -> list[Cell]:
    """Return the cells that the selected tests need."""
    planned = {each.suite.name: each for each in _planned(session.config)}
    cells: list[Cell] = []
    for suite, cell_id in filter(None, map(gate_of, session.items)):
        if cell_id is not None:
            cells.append(session.config.stash[CELLS][f"{suite}/{cell_id}"])
        elif suite in planned:
            cells += planned[suite].cells  # a suite's gates need all its cells
    return cells


def _shield(config: pytest.Config) -> None:
    """Make sure that a plugin that fails at the end does not suppress the others' output."""
    own = sys.modules[__name__]
    for hook in (config.hook.pytest_sessionfinish, config.hook.pytest_terminal_summary):
        shield(hook, lambda plugin: plugin is own, lambda line: _report(config, line))


def _report(config: pytest.Config, line: str) -> None:
    """Report that a plugin failed at the end."""
    if SESSION not in config.stash:  # it was refused, and the reasons are already reported
        return
    config.stash[PROBLEMS] = [*config.stash.get(PROBLEMS, ()), line]
    print_line(config, line)


def _other_spelling(config: pytest.Config) -> list[str]:
    """Return a corrected -k if it spells a learning rate differently from the test ids."""
    typed = config.getoption("keyword", "")
    known: Mapping[str, Cell] = config.stash.get(CELLS, {})
    other = ids.respelled(typed, known) if typed else None
    return [] if other is None else [f"-k {typed!r}: test ids spell it differently: -k {other!r}"]


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    if SESSION not in config.stash:
        return [*config.stash.get(OPEN, ()), *_other_spelling(config)]
    session = config.stash[SESSION]
    lines = [
        f"{name}: {counts['finished']} of {counted(counts.total(), 'run')} finished before, "
        f"{counts['to train']} to train, {counts['skipped']} skipped"
        + "".join(
            f", {number} {state}"
            for state in ("not needed", "outside the budget")
            if (number := counts[state])
        )
        for name, counts in session.counts.items()
    ]
    if session.dispatch is not None:
        lines.append(describe(session.dispatch.schedule, session.dispatch.workers))
    return [spelled(config, line) for line in lines + session.notes] + _other_spelling(config)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Keep the reason of an interruption, also one while data and checkpoints are read."""
    with told_interruption(session.config):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Delay Ctrl-C and SIGTERM after the test loop, even if one ended it."""
    try:
        with told_interruption(session.config):
            return (yield)
    finally:
        if SESSION in session.config.stash:
            hold_interrupt_until_the_end(session.config)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """Stop all runs, write the tables, and fail a session without a score.

    Ctrl-C and SIGTERM are delayed until the tables are written and all summaries printed; a second
    Ctrl-C is not.
    """
    config = session.config
    if SESSION not in config.stash:
        _set_failure(session)
        if config.pluginmanager.getplugin("terminalreporter") is None:
            _print_lines(config, config.stash.get(OPEN, ()))
        result = yield
        _set_failure(session)  # again, because other plugins may have changed the exit status
        return result
    running = config.stash[SESSION]
    try:
        interrupted = hold_interrupt_until_the_end(config)
        _finish(session, running)
        result = yield
        _set_failure(session)  # again, because other plugins may have changed the exit status
        if interrupted() and session.exitstatus != pytest.ExitCode.INTERRUPTED:
            session.exitstatus = pytest.ExitCode.INTERRUPTED
            print_line(config, "Interrupted when all tests had ended: the tables are written.")
        return result
    except pytest.exit.Exception as end:  # a plugin's exit code would become the session's
        if end.returncode == pytest.ExitCode.OK and _must_fail(session):
            end.returncode = pytest.ExitCode.TESTS_FAILED
        raise
    except KeyboardInterrupt:
        pytest.exit(
            "interrupted twice: tables may be missing; finished runs are kept, and the same "
            "command writes the tables",
            returncode=pytest.ExitCode.INTERRUPTED,
        )
    finally:
        running.close()  # again, in case it was interrupted
        running.release()
        # The process ends. Garbage collection of all imported objects would take a second.
        gc.freeze()
        release_signals(config)


def _finish(session: pytest.Session, running: Session) -> None:
    config = session.config
    running.close()
    config.stash[WRITTEN], found = write_all(config, baseline_file(_chosen(config)))
    if found:
        config.stash[PROBLEMS] = found
    missed = unreached(session)
    config.stash[OPEN] = open_gates(session, missed)
    _set_failure(session)
    if config.pluginmanager.getplugin("terminalreporter") is None:  # nothing else prints a summary
        summarize_all(config)
        gates = left_open(config.stash[LEDGER], running)
        undecided = [beyond_budget(gates)] if gates else []
        problems = config.stash.get(PROBLEMS, ())
        unscored = lacks_score(running, session.exitstatus)
        _print_lines(config, [*config.stash[OPEN], *undecided, *problems, *unscored])
    report_unreached(session, missed, lambda line: _report(config, line))


def _print_lines(config: pytest.Config, lines: Sequence[str]) -> None:
    for line in lines:
        print_line(config, line)


def _set_failure(session: pytest.Session) -> None:
    """Set the exit status of a session that must fail."""
    if session.exitstatus == pytest.ExitCode.OK and _must_fail(session):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _must_fail(session: pytest.Session) -> bool:
    """Return whether a session has no score, has problems, or left a gate open.

    A gate that the budget left open always counts, any other only under --strict.
    """
    config = session.config
    open_gates = is_strict(config) and bool(config.stash.get(OPEN, ()))
    running = config.stash.get(SESSION, None)
    if running is None:  # no cell was selected, or collected before pytest.exit
        interrupted = INTERRUPTION in config.stash and not config.option.collectonly
        return open_gates or (interrupted and OPEN in config.stash)
    open_gates = open_gates or bool(left_open(config.stash[LEDGER], running))
    return open_gates or PROBLEMS in config.stash or not running.scored()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    """Print each suite's leaderboard, its folder, and the reasons why the session fails."""
    config = terminalreporter.config
    if WRITTEN not in config.stash:
        if exitstatus != pytest.ExitCode.NO_TESTS_COLLECTED:  # else they were printed just before
            _show_open_gates(terminalreporter)
        return
    summarize_all(config)
    show_all(terminalreporter)
    _show_open_gates(terminalreporter)
    running = config.stash[SESSION]
    if gates := left_open(config.stash[LEDGER], running):
        terminalreporter.write_line(spelled(config, beyond_budget(gates)), red=True)
    for problem in config.stash.get(PROBLEMS, ()):
        terminalreporter.write_line(spelled(config, problem), red=True)
    for line in lacks_score(running, exitstatus):
        terminalreporter.write_line(line, red=True)
    if INTERRUPTION in config.stash:
        terminalreporter.write_line(interruption_in_words(terminalreporter), yellow=True)


def _show_open_gates(reporter: pytest.TerminalReporter) -> None:
    strict, lines = is_strict(reporter.config), reporter.config.stash.get(OPEN, ())
    for line in lines:
        reporter.write_line(spelled(reporter.config, line), red=strict, yellow=not strict)
    if lines and strict:
        reporter.write_line(
            "With --strict a session passes only if every gate of its suites was judged.", red=True
        )
