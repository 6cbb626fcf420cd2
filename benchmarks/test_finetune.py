"""Fine-tune every cell of the suites and hold it to its gates; then every suite to its own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.gates import Check, Judgement, explain, explain_suite
from harness.plan import Cell
from harness.records import Record
from harness.session import Planned
from harness.timing import record_timing, training_clock
from harness.verdicts import properties


@pytest.mark.benchmark(timer=training_clock)
def test_finetune(
    cell: Cell,
    wait_for_records: Callable[[], list[Record]],
    judge_cell: Callable[[Sequence[Record]], Judgement],
    records_folder: Path,
    benchmark: Any,
    record_property: Callable[[str, object], None],
) -> None:
    records = wait_for_records()
    judgement = judge_cell(records)
    for name, value in properties(judgement):
        record_property(name, value)
    scored = [record for record in records if record.scores is not None]
    if scored:
        record_timing(benchmark, scored, judgement)
    if not judgement.passed:
        pytest.fail(explain(cell, judgement, records_folder), pytrace=False)


def test_suite(gated_suite: Planned, suite_checks: Callable[[], Sequence[Check]]) -> None:
    checks = suite_checks()
    doubt_passes = gated_suite.suite.gates.on_doubt == "pass"
    accepted = {"pass", "not-enough-evidence"} if doubt_passes else {"pass"}
    if any(check.verdict not in accepted for check in checks):
        pytest.fail(explain_suite(gated_suite.suite.name, checks), pytrace=False)
