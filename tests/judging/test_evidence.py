"""Predictions come out of records as they went in, or with the reason why they cannot."""

from typing import Any

import numpy as np
import pytest
from builders.records import COLA, failed_record, make_cell, make_record, predicted_record
from sklearn.metrics import matthews_corrcoef

from harness import stats
from harness.judging.evidence import NoEvidence, evidence
from harness.store.classes import pack
from harness.store.grouping import groupings
from harness.store.records import Record, Scores

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


def test_intervals_are_those_of_its_predictions_on_the_sources_that_are_asked_for() -> None:
    names = [f"book {number % 9}" for number in range(50)]
    kinds = groupings("cola", names, [""] * 50)
    found = evidence(
        [
            predicted_record(CELL, seed, LABELS, CLASSES[seed - 1], groupings=kinds)
            for seed in (1, 2)
        ]
    )
    own, others = found.sources, stats.sources_of(np.arange(50) % 7)
    assert isinstance(own, stats.Sources)
    assert isinstance(others, stats.Sources)
    assert [f"book {number}" for number in own.numbers] == names
    for _ in range(2):  # computed, then known
        for statistic in ("mcc", "accuracy"):
            for sources in (None, own, others):
                expected = stats.mean_interval(LABELS, found.selected, statistic, sources=sources)
                assert found.interval(statistic, sources) == expected


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


# More than two classes.

FIVE = RANDOM.integers(0, 5, 60)
GUESSES = np.where(RANDOM.random((2, 3, 60)) < 0.6, FIVE, RANDOM.integers(0, 5, (2, 3, 60)))


def of_five(seed: int) -> Record:
    return predicted_record(CELL, seed, FIVE, GUESSES[seed - 1], 5)


def test_predictions_of_five_classes_come_out_as_they_went_in() -> None:
    records = [of_five(1), of_five(2)]
    found = evidence(records)
    assert (found.classes, evidence([predicted_record(CELL, 1, LABELS, CLASSES[0])]).classes) == (
        5,
        2,
    )
    assert found.labels.tolist() == FIVE.tolist()
    assert found.candidates.tolist() == GUESSES.tolist()
    for row, record in zip(found.selected, records, strict=True):
        assert record.scores is not None
        assert record.scores.mcc == pytest.approx(matthews_corrcoef(FIVE, row))


def test_more_than_256_classes_do_not_overflow() -> None:
    labels = np.arange(60) * 30
    record = predicted_record(CELL, 1, labels, np.stack([labels, labels[::-1]]), 2000)
    assert evidence([record]).candidates.tolist() == [[labels.tolist(), labels[::-1].tolist()]]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (pack(FIVE, 6), "they have 5 classes, its labels 6"),
        (pack(FIVE % 2), "they have 5 classes, its labels 2"),
        ("1:AAAA", "'1' before the colon"),
    ],
)
def test_labels_of_another_number_of_classes_are_refused(labels: str, reason: str) -> None:
    with pytest.raises(NoEvidence, match=f"cannot be read: {reason}"):
        evidence([of_five(1).model_copy(update={"labels": labels})])


def test_a_changed_score_of_five_classes_is_refused() -> None:
    changed = of_five(1).model_copy(update={"scores": Scores(mcc=0.9, accuracy=0.9, f1=0.9)})
    with pytest.raises(NoEvidence, match=r"contains MCC 0\.9000, but its predictions have MCC"):
        evidence([changed])


def test_the_same_bits_with_another_number_of_classes_are_other_sentences() -> None:
    of_four = predicted_record(CELL, 1, FIVE % 4, GUESSES[0] % 4, 4)
    of_three = predicted_record(CELL, 1, FIVE % 3, GUESSES[0] % 3, 3)
    as_four = predicted_record(CELL, 1, FIVE % 3, GUESSES[0] % 3, 4)
    found = [evidence([record]) for record in (of_four, of_three, as_four)]
    assert not found[1].same_sentences(found[0])
    assert not found[1].same_sentences(found[2])
    assert found[2].same_sentences(evidence([as_four]))
