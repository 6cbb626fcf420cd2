"""Predictions come out of records as they went in, or with the reason why they cannot."""

from typing import Any

import numpy as np
import pytest
from builders.records import COLA, failed_record, make_cell, make_record, predicted_record

from harness.judging.evidence import NoEvidence, evidence
from harness.store.records import Scores

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 2, 50)
CLASSES = RANDOM.integers(0, 2, (2, 3, 50))
CELL = make_cell(seeds=(1, 2))


def test_predictions_come_out_by_seed_epoch_and_sentence() -> None:
    records = [predicted_record(CELL, seed, LABELS, CLASSES[seed - 1]) for seed in (2, 1)]
    found = evidence([*records, failed_record(CELL, 3)])
    assert found.seeds == (1, 2)
    assert found.labels.tolist() == LABELS.tolist()
    assert found.candidates.tolist() == CLASSES.tolist()
    for row, record in zip(found.selected, sorted(records, key=lambda r: r.seed), strict=True):
        assert record.selected_epoch is not None
        assert row.tolist() == CLASSES[record.seed - 1][record.selected_epoch - 1].tolist()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": None}, "seed 2 contains no predictions"),
        ({"epochs": ()}, "seed 2 contains no predictions"),
        ({"labels": "AAAAAAAAAA=="}, "different data or numbers of epochs"),
        ({"selected_epoch": 9}, "its selected epoch is not among its epochs"),
        ({"dataset": COLA.model_copy(update={"validation": 49})}, "different data"),
        (
            {"scores": Scores(mcc=0.9, accuracy=0.9, f1=0.9)},
            "contains MCC 0.9000, but its predictions have MCC",
        ),
    ],
)
def test_records_that_do_not_fit_are_refused_with_the_reason(
    changes: dict[str, Any], reason: str
) -> None:
    good = predicted_record(CELL, 1, LABELS, CLASSES[0])
    odd = predicted_record(CELL, 2, LABELS, CLASSES[1]).model_copy(update=changes)
    with pytest.raises(NoEvidence, match=reason):
        evidence([good, odd])


def test_records_of_an_older_version_are_refused_with_the_way_out() -> None:
    with pytest.raises(NoEvidence, match="--rerun"):
        evidence([make_record(make_cell())])


def test_predictions_of_another_length_are_refused() -> None:
    record = predicted_record(CELL, 1, LABELS, CLASSES[0])
    assert record.dataset is not None
    longer = record.model_copy(
        update={"dataset": record.dataset.model_copy(update={"validation": 999})}
    )
    with pytest.raises(NoEvidence, match="cannot be read"):
        evidence([longer])


def test_without_a_score_there_is_no_evidence() -> None:
    with pytest.raises(NoEvidence, match="no run was scored"):
        evidence([failed_record(CELL, 1)])
