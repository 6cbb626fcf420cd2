"""Fine-tune every cell of the suites and check its gates; then check every suite's own gates."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from harness.judging.gates import Check, Judgement
from harness.plugin.timing import record_timing, training_clock
from harness.store.records import Record


@pytest.mark.benchmark(timer=training_clock)
def test_finetune(
    wait_for_records: Callable[[], list[Record]],
    judge_cell: Callable[[Sequence[Record]], Judgement],
    hold_to_gates: Callable[[Judgement], None],
    benchmark: Any,
    record_verdict: Callable[[Judgement, Sequence[Record]], None],
) -> None:
    records = wait_for_records()
    judgement = judge_cell(records)
    record_verdict(judgement, records)
    scored = [record for record in records if record.scores is not None]
    if scored:
        record_timing(benchmark, scored, judgement)
    hold_to_gates(judgement)


def test_suite(
    gated_suite: object,
    suite_checks: Callable[[], Sequence[Check]],
    hold_suite_to_gates: Callable[[Sequence[Check]], None],
) -> None:
    hold_suite_to_gates(suite_checks())
