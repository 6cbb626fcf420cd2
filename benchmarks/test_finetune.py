"""Fine-tune every cell of the suites and hold it to its threshold: one test a cell."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.gates import explain, judge
from harness.plan import Cell
from harness.records import Record
from harness.timing import record_timing, training_clock


@pytest.mark.benchmark(timer=training_clock)
@pytest.mark.filterwarnings("ignore:Benchmark fixture was not used")  # a failed run has no time
def test_finetune(
    cell: Cell,
    wait_for_records: Callable[[], list[Record]],
    records_folder: Path,
    benchmark: Any,
) -> None:
    records = wait_for_records()
    judgement = judge(cell, records)
    scored = [record for record in records if record.scores is not None]
    if scored:
        record_timing(benchmark, scored, judgement)
    if judgement.verdict == "fail":
        pytest.fail(explain(cell, judgement, records_folder), pytrace=False)
