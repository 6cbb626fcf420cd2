"""The tests of suites: each cell is fine-tuned and judged, then each suite's own gates."""

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
    """Wait for the runs of a cell, report their time, and check the cell's gates."""
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
    """Check the gates of a suite on all its cells together."""
    hold_suite_to_gates(suite_checks())
