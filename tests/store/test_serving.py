"""The record of a model's answers: read, checked against itself, and absent from older files."""

from typing import Any

import pytest
from builders.records import make_cell, make_record, make_serving
from pydantic import ValidationError

from harness.store.checks.consistency import inconsistency
from harness.store.measured.serving import Serving
from harness.store.records import Record, key_of

RECORD = make_record(make_cell(), serving=make_serving())


def test_it_is_read_as_written_and_is_no_part_of_the_key() -> None:
    again = Record.model_validate_json(RECORD.model_dump_json())
    assert again == RECORD
    assert again.serving is not None
    assert again.serving.sentences_per_second == {1: 180.0, 8: 800.0}
    without = RECORD.model_copy(update={"serving": None})
    assert key_of(without) == key_of(RECORD) == RECORD.key
    assert '"serving"' not in without.model_dump_json()
    assert inconsistency(RECORD) is inconsistency(without) is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"latency_p95_ms": 4.9}, "serving.latency_p95_ms is 4.9, but its median is 5"),
        ({"sentences": 1044}, "serving.sentences is 1044, but validation has only 1043"),
        ({"threads": 3}, "serving.threads is 3, but threads is only 2"),
        ({"sentences_per_second": {8: 800.0}}, "has no batch size 1"),
        # With a median of 5 ms, half of the sentences take 5 ms or more, the others more than 0.
        ({"sentences_per_second": {1: 401.0}}, "is 401, impossible with a median of 5 ms"),
        ({"sentences_per_second": {1: 180.0, 1044: 9.0}}, "a batch size of 1044, but validation"),
    ],
)
def test_numbers_that_cannot_be_are_found(changes: dict[str, Any], told: str) -> None:
    assert told in (inconsistency(_with(**changes)) or "")


def test_the_limits_themselves_can_be() -> None:
    extreme = {"sentences": 1043, "threads": 2, "sentences_per_second": {1: 400.0, 1043: 1.0}}
    assert inconsistency(_with(latency_p95_ms=5.0, **extreme)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"latency_ms": -5.0},
        {"latency_p95_ms": float("inf")},
        {"sentences": 0},
        {"sentences_per_second": {}},
        {"sentences_per_second": {1: 0.0}},
        {"sentences_per_second": {0: 1.0}},
        {"other_programs": -0.1},
        {"further": 1},
    ],
)
def test_what_is_no_measurement_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_serving(**changes)


def test_of_equally_fast_batch_sizes_the_smallest_is_the_best() -> None:
    found = make_serving(sentences_per_second={32: 800.0, 1: 100.0, 8: 800.0})
    assert (found.best_batch_size, found.best_sentences_per_second) == (8, 800.0)


def _with(**changes: Any) -> Record:
    serving: Serving = make_serving(**changes)
    return RECORD.model_copy(update={"serving": serving})
