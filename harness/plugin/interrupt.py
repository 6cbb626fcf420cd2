"""Ends a session on Ctrl-C and SIGTERM once results are written; tells the gates not reached."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import FrameType

import pytest

from harness.judging.gates import Judgement, Verdict, judge_suite
from harness.judging.gates.check import WORST_FIRST
from harness.judging.leaderboard import runs_by_cell
from harness.judging.looks.race import standings
from harness.plugin.fixtures import cell_properties
from harness.plugin.gates import ended_early, fallback_reason, gate_of
from harness.plugin.ledger import Gate, state_of, uncounted_failures, unjudged
from harness.plugin.shield import Report, shield
from harness.plugin.stash import HELD, INTERRUPTION, LEDGER, PLANNED, SESSION, SIGNALS
from harness.plugin.tables import judgements_of
from harness.suite.plan import Cell, suite_gates
from harness.text import counted, one_line


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Interrupt as Ctrl-C does; the message is the reason that is told."""
    raise KeyboardInterrupt(signal.Signals(number).name)


@contextlib.contextmanager
def heed_sigterm() -> Iterator[None]:
    """Let SIGTERM interrupt the block as Ctrl-C does, so that a session writes its tables.

    It comes from time limits of CI jobs and clusters. Outside the main thread, or if SIGTERM has
    another handler, it does what it did.
    """
    default = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not default or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def hold_interrupt() -> Iterator[Callable[[], bool]]:
    """Delay the first Ctrl-C inside the block, and every SIGTERM; the second Ctrl-C interrupts.

    Outside the main thread nothing is delayed, nor a signal that somebody else handles.

    Yields:
        A function that returns whether one was delayed.
    """
    pressed = came = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal pressed, came
        if number == signal.SIGINT and pressed:
            signal.default_int_handler(number, frame)
        pressed, came = pressed or number == signal.SIGINT, True

    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: _interrupt}
    held = [number for number in usual if signal.getsignal(number) is usual[number]]
    if threading.current_thread() is not threading.main_thread():
        held = []
    for number in held:
        signal.signal(number, handle)
    try:
        yield lambda: came
    finally:
        for number in held:
            signal.signal(number, usual[number])


def heed_sigterm_until_the_end(config: pytest.Config) -> None:
    """Heed SIGTERM from now on, until release_signals."""
    config.stash[SIGNALS].enter_context(heed_sigterm())


def hold_interrupt_until_the_end(config: pytest.Config) -> Callable[[], bool]:
    """Delay Ctrl-C and SIGTERM until release_signals; return what hold_interrupt yields."""
    if HELD not in config.stash:
        config.stash[HELD] = config.stash[SIGNALS].enter_context(hold_interrupt())
    return config.stash[HELD]


def release_signals(config: pytest.Config) -> None:
    """Let Ctrl-C and SIGTERM do again what they did before the session."""
    config.stash[SIGNALS].close()


@contextlib.contextmanager
def told_interruption(config: pytest.Config) -> Iterator[None]:
    """Keep the reason of an interruption inside the block: also a plugin's, or pytest's own."""
    try:
        yield
    except (KeyboardInterrupt, pytest.exit.Exception) as end:
        config.stash[INTERRUPTION] = one_line(str(end)) or "interrupted"
        raise


def interruption_in_words(reporter: pytest.TerminalReporter) -> str:
    """Return what became of the runs of a session that was interrupted, and how it continues."""
    config = reporter.config
    running = config.stash[SESSION]
    by = " by SIGTERM" if config.stash[INTERRUPTION] == signal.SIGTERM.name else ""
    text, following = "before the finished runs were read, which are kept", "begins again"
    if running.counts:
        state, following = running.state(), "continues with the others"
        text = f"{state.done} of {state.total} runs have ended and are kept"
    failed = [each for each in reporter.stats.get("error", ()) if each.when == "collect"]
    if failed and not config.option.continue_on_collection_errors:
        return f"Interrupted{by}: {text}."  # the same command would end again
    return f"Interrupted{by}: {text}; the same command {following}."


@dataclass(frozen=True)
class Unreached:
    """A gate whose test a session did not reach, as the records decide it, and so the tables.

    `verdict` is None if they do not decide it. `properties` are those of the test's report.
    `dropped` is whether the gate is of a cell that was dropped from a race: it needs no verdict.
    """

    verdict: Verdict | None
    reason: str
    properties: tuple[tuple[str, str], ...] = ()
    dropped: bool = False

    def in_words(self) -> str:
        """Return why the test was skipped, as the reports of tests tell it."""
        return self.reason if self.dropped else f"{state_of(self.verdict)}: {self.reason}"


def unreached(session: pytest.Session) -> dict[Gate, Unreached]:
    """Return the gates whose test a session that ended early did not run to its end."""
    config = session.config
    if SESSION not in config.stash or (why := ended_early(session)) is None:
        return {}
    if config.getoption("setuponly", False):  # no test was to judge anything
        return {}
    ledger, running = config.stash[LEDGER], config.stash[SESSION]
    gates = {gate_of(item) for item in session.items} - ledger.ended - {*ledger.judged}
    found: dict[Gate, Unreached] = {}
    for planned in running.planned:
        name = planned.suite.name
        if all(gate is None or gate[0] != name for gate in gates):
            continue
        if name not in running.counts:  # its finished runs were not looked for yet
            found |= {gate: Unreached(None, why) for gate in gates if gate and gate[0] == name}
            continue
        records = [item.record for item in running.stored(planned)]
        runs = runs_by_cell(planned.cells, records)
        judged = judgements_of(running, planned, records)
        for cell in planned.cells:
            if (name, cell.id) in gates:
                properties = cell_properties(cell, judged[cell.id], runs[cell.id])
                own = _unreached(cell, judged[cell.id], why)
                found[name, cell.id] = replace(own, properties=tuple(properties))
        if (name, None) in gates and not any(record.scores for record in records):
            found[name, None] = Unreached(None, f"{why}; no run has a score")
        elif (name, None) in gates:
            looks = standings(planned.cells, runs, running.baseline(name) is not None)
            checks = judge_suite(suite_gates(planned.suite), planned.cells, runs, looks)
            verdict = min((check.verdict for check in checks), key=WORST_FIRST.index, default=None)
            found[name, None] = Unreached(verdict, why)
    return found


def _unreached(cell: Cell, judgement: Judgement, why: str) -> Unreached:
    """Return what is told of a cell whose test did not run, as its test would have told it."""
    verdict, standing = judgement.verdict, judgement.standing
    if verdict is not None or judgement.passed:
        return Unreached(verdict, why)
    if standing is not None and standing.dropped is not None:
        return Unreached(None, standing.in_words(), dropped=True)
    needed = cell.seeds[: None if standing is None else standing.needed]
    lacking = sum(judgement.by_seed.get(seed) is None for seed in needed)
    if not lacking:
        return Unreached(None, why)
    first = "" if len(needed) == len(cell.seeds) else "the first "
    return Unreached(
        None, f"{why}; {lacking} of {first}{counted(len(needed), 'seed')} without a score"
    )


def open_gates(session: pytest.Session, missed: Mapping[Gate, Unreached]) -> list[str]:
    """Return lines on gates that were not judged, or whose failure pytest did not count."""
    ledger = session.config.stash[LEDGER]
    ledger.dropped |= {gate for gate, each in missed.items() if each.dropped}

    def reason(gate: Gate) -> str:
        return missed[gate].reason if gate in missed else fallback_reason(session, gate)

    verdicts = {gate: each.verdict for gate, each in missed.items() if each.verdict is not None}
    left = unjudged(ledger, session.config.stash[PLANNED], reason, verdicts)
    return left + uncounted_failures(ledger)


def report_unreached(
    session: pytest.Session, missed: Mapping[Gate, Unreached], failed: Report
) -> None:
    """Report the tests that an interruption prevented as skipped to the plugins that write files.

    pytest reports nothing about them, and JUnit XML has a test case without a name for the one that
    was running. Plugins that keep last session's failures are not told: these tests did not run.

    Args:
        failed: called with a line for each plugin that raised, once for each line.
    """
    if INTERRUPTION not in session.config.stash:
        return
    manager = session.config.pluginmanager
    names = ("terminalreporter", "lfplugin", "stepwiseplugin")
    plugins = [plugin for name in names if (plugin := manager.getplugin(name)) is not None]
    shield(session.config.hook.pytest_runtest_logreport, lambda plugin: False, cache(failed))
    tell = manager.subset_hook_caller("pytest_runtest_logreport", remove_plugins=plugins)
    for item in session.items:
        gate = gate_of(item)
        if gate is None or gate not in missed:
            continue
        found, (path, line, _) = missed[gate], item.location
        # The test may have added them before it was interrupted; others are of other plugins.
        added = [each for each in found.properties if each not in item.user_properties]
        item.user_properties.extend(added)
        call = pytest.CallInfo.from_call(lambda: None, "setup")
        report = pytest.TestReport.from_item_and_call(item, call)
        report.outcome = "skipped"
        report.longrepr = (path, (line or 0) + 1, f"Skipped: {found.in_words()}")
        tell(report=report)
        call = pytest.CallInfo.from_call(lambda: None, "teardown")
        tell(report=pytest.TestReport.from_item_and_call(item, call))
