"""The fixtures of benchmarks/: records and judgement of a cell, checks of a suite, their gates.

PYTEST_DONT_REWRITE: harness.plugin.interrupt imports this module before pytest registers it.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from harness.judging.gates import Check, Judgement, explain, explain_suite, judge_suite
from harness.judging.leaderboard import runs_by_cell
from harness.judging.looks.race import standings
from harness.plugin.ledger import record_result
from harness.plugin.patience import keep_to_limit
from harness.plugin.stash import CELLS, DISPLAY, LEDGER, PLANNED, SESSION, is_strict
from harness.report.undecided import in_words, lacking, outside_budget, properties
from harness.session.options import Planned
from harness.session.session import Session
from harness.stats import Interval, Refusal
from harness.store.records import Record
from harness.suite.plan import Cell, suite_gates

ON_SCORES = ("min_mcc", "min_accuracy", "max_drop")
"""How the names of gates end that are judged by `gates.statistic`."""


@pytest.fixture
def cell(request: pytest.FixtureRequest) -> Cell:
    """A cell of the chosen suites."""
    return request.config.stash[CELLS][request.param]


@pytest.fixture
def gated_suite(request: pytest.FixtureRequest) -> Planned:
    """A chosen suite that has its own gates."""
    planned = request.config.stash[PLANNED]
    return next(each for each in planned if each.suite.name == request.param)


@pytest.fixture
def wait_for_records(request: pytest.FixtureRequest, cell: Cell) -> Callable[[], list[Record]]:
    """Return a function that waits until the needed runs of a cell ended, and returns all records.

    It skips the test, or fails it under `--strict`, if the cell cannot run here. It skips it, with
    and without `--strict`, if the cell was dropped from a race before its gates were decided. It
    also skips the test if runs are outside the session's budget and none failed; the session then
    does not pass if a gate judges the cell.
    """

    def wait() -> list[Record]:
        records = _wait(request.config, [cell])
        _skip_if_dropped(request, cell, records)
        if (found := lacking(cell, records)) is not None:
            request.node.user_properties.extend(properties(found))
            if any(record.status == "failed" for record in records):
                return records  # no other seed could change the verdict
            pytest.skip(in_words(found))
        reasons = dict.fromkeys(r.reason for r in records if r.status == "skipped" and r.reason)
        if reasons and is_strict(request.config):
            reason = "; ".join(reasons)
            pytest.fail(f"{cell.id} cannot run, and --strict allows no skip: {reason}", False)
        if reasons:
            pytest.skip("; ".join(reasons))
        return records

    return wait


def _skip_if_dropped(request: pytest.FixtureRequest, cell: Cell, records: Sequence[Record]) -> None:
    """Skip the test of a cell that was dropped from a race and has no verdict."""
    session = request.config.stash[SESSION]
    standing = session.standings(cell.suite).get(cell.id)
    if standing is None or standing.dropped is None:
        return
    judgement = _judgement(session, cell, records)
    if judgement.verdict is None and not judgement.passed:
        request.node.user_properties.extend(cell_properties(cell, judgement, records))
        request.config.stash[LEDGER].dropped.add((cell.suite, cell.id))
        pytest.skip(standing.in_words())


def _wait(config: pytest.Config, cells: Sequence[Cell]) -> list[Record]:
    """Wait until all runs of some cells ended, display the progress, and return the records."""
    session, display = config.stash[SESSION], config.stash[DISPLAY]

    def tick() -> None:
        display.update(session.state())
        keep_to_limit(config)

    try:
        records = session.wait(cells, tick)
        display.update(session.state())
        return records
    finally:
        display.clear()


@pytest.fixture
def judge_cell(
    request: pytest.FixtureRequest, cell: Cell
) -> Callable[[Sequence[Record]], Judgement]:
    """Return a function that judges a cell's records by its gates and the session's baseline."""
    return partial(_judgement, request.config.stash[SESSION], cell)


def _judgement(session: Session, cell: Cell, records: Sequence[Record]) -> Judgement:
    slices = session.slices(cell.suite)
    standing = session.standings(cell.suite).get(cell.id)
    return session.judged.judge(cell, records, session.baseline(cell.suite), slices, standing)


@pytest.fixture
def record_verdict(
    request: pytest.FixtureRequest, cell: Cell
) -> Callable[[Judgement, Sequence[Record]], None]:
    """Return a function that adds a judgement and training times to the test's properties.

    They are for reports. It works like pytest's `record_property`, which exists only with the
    plugin junitxml.
    """

    def record(judgement: Judgement, records: Sequence[Record]) -> None:
        request.node.user_properties.extend(cell_properties(cell, judgement, records))

    return record


def cell_properties(
    cell: Cell, judgement: Judgement, records: Sequence[Record]
) -> Iterator[tuple[str, str]]:
    """Yield the properties of a verdict, without values that were not measured or not requested.

    Numbers are written in full: the shortest decimal that reads back as the same float.
    """
    interval = judgement.mcc_interval
    found = judgement.mcc_on_sources
    on_sources = found if isinstance(found, Interval) else None
    stopped = {run.seed: run.stopped.text for run in records if run.stopped is not None}
    numbers = {
        "mcc": judgement.mcc,
        "mcc_at_least": judgement.mcc_at_least,
        "mcc_low": None if interval is None else interval.low,
        "mcc_high": None if interval is None else interval.high,
        "mcc_low_sources": None if on_sources is None else on_sources.low,
        "mcc_high_sources": None if on_sources is None else on_sources.high,
        "threshold": judgement.threshold,
        "margin": judgement.margin,
        **{
            f"mcc{'_at_least' if seed in stopped else ''}_seed_{seed}": mcc
            for seed, mcc in judgement.by_seed.items()
        },
        **{
            f"train_seconds{'_until_stop' if record.seed in stopped else ''}_seed_{record.seed}": (
                record.times.train
            )
            for record in records
            if record.times is not None
        },
    }
    yield "verdict", judgement.verdict or "none"
    if any(check.gate.endswith(ON_SCORES) for check in judgement.checks):
        yield "statistic", cell.gates.statistic or "mean"
    for check in judgement.checks:
        yield f"gate_{check.gate}", check.verdict
    if judgement.standing is not None:
        yield "looks", judgement.standing.in_words()
    for seed, text in stopped.items():
        yield f"stopped_seed_{seed}", text
    for name, value in numbers.items():
        if value is not None:
            yield name, repr(float(value))
    if isinstance(found, Refusal):
        yield "sources_reason", found.reason


@pytest.fixture
def hold_to_gates(
    request: pytest.FixtureRequest, cell: Cell, records_folder: Path
) -> Callable[[Judgement], None]:
    """Return a function that fails the test of a cell that did not pass.

    Only a cell for which it was called counts as judged.
    """

    def hold(judgement: Judgement) -> None:
        record_result(request.config.stash[LEDGER], (cell.suite, cell.id), judgement.passed)
        if not judgement.passed:
            pytest.fail(explain(cell, judgement, records_folder), pytrace=False)

    return hold


@pytest.fixture
def suite_checks(
    request: pytest.FixtureRequest, gated_suite: Planned
) -> Callable[[], Sequence[Check]]:
    """Return a function that waits for a suite's selected cells and judges them together.

    It skips the test if runs are outside the session's budget and leave a verdict open.
    """

    def checks() -> Sequence[Check]:
        session = request.config.stash[SESSION]
        _wait(request.config, session.selected(gated_suite.suite.name))
        records = [item.record for item in session.stored(gated_suite)]
        if {record.status for record in records} == {"skipped"}:
            pytest.skip("every cell was skipped")
        gates = suite_gates(gated_suite.suite)
        runs = runs_by_cell(gated_suite.cells, records)
        compared = session.baseline(gated_suite.suite.name) is not None
        found = judge_suite(
            gates, gated_suite.cells, runs, standings(gated_suite.cells, runs, compared)
        )
        verdicts = {check.verdict for check in found}
        if outside_budget(records) and "not-enough-evidence" in verdicts and "fail" not in verdicts:
            pytest.skip(f"outside the budget: {explain_suite(gated_suite.suite.name, found)}")
        return found

    return checks


@pytest.fixture
def hold_suite_to_gates(
    request: pytest.FixtureRequest, gated_suite: Planned
) -> Callable[[Sequence[Check]], None]:
    """Return a function that fails the test of a suite that did not pass; see hold_to_gates."""

    def hold(checks: Sequence[Check]) -> None:
        suite = gated_suite.suite
        doubt_passes = suite.gates.on_doubt == "pass"
        accepted = {"pass", "not-enough-evidence"} if doubt_passes else {"pass"}
        passed = all(check.verdict in accepted for check in checks)
        record_result(request.config.stash[LEDGER], (suite.name, None), passed)
        if not passed:
            pytest.fail(explain_suite(suite.name, checks), pytrace=False)

    return hold


@pytest.fixture
def records_folder(request: pytest.FixtureRequest, cell: Cell) -> Path:
    """The folder of a cell's records."""
    return request.config.stash[SESSION].folder(cell.suite) / "runs" / cell.id
