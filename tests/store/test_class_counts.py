"""Scores from packed classes are scikit-learn's, for any number of classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from harness.store.class_counts import ClassCounts, count, packed_counts
from harness.store.classes import Counts, pack, tally


def scores_of(counts: Counts | ClassCounts) -> tuple[float | None, float | None, float | None]:
    return counts.mcc, counts.accuracy, counts.f1


@st.composite
def pairs(draw: st.DrawFn, fewest: int = 3) -> tuple[int, np.ndarray, np.ndarray]:
    number, sentences = draw(st.integers(fewest, 7)), draw(st.integers(1, 30))
    one = st.lists(st.integers(0, number - 1), min_size=sentences, max_size=sentences)
    return number, np.array(draw(one)), np.array(draw(one))


@pytest.mark.filterwarnings("ignore:A single label was found")
@given(pairs())
def test_scores_of_many_classes_are_those_of_scikit_learn(
    drawn: tuple[int, np.ndarray, np.ndarray],
) -> None:
    number, labels, predicted = drawn
    packed = pack(labels, number), pack(predicted, number)
    mcc, accuracy, macro = scores_of(packed_counts(*packed, len(labels)))
    assert (mcc or 0.0) == pytest.approx(matthews_corrcoef(labels, predicted), abs=1e-12)
    assert (mcc is None) == (len(set(labels)) == 1 or len(set(predicted)) == 1)
    assert accuracy == pytest.approx(accuracy_score(labels, predicted))
    assert macro == pytest.approx(f1_score(labels, predicted, average="macro", zero_division=0))


@given(pairs(fewest=2))
def test_two_classes_keep_their_scores_to_the_last_digit(
    drawn: tuple[int, np.ndarray, np.ndarray],
) -> None:
    labels, predicted = (each % 2 for each in drawn[1:])
    packed = pack(labels), pack(predicted)
    counts = packed_counts(*packed, len(labels))
    assert counts == tally(*packed, len(labels))
    by_class = count(labels, predicted, 2)
    assert (counts.mcc, counts.accuracy) == (by_class.mcc, by_class.accuracy)
    assert (counts.f1 or 0.0) == f1_score(labels, predicted, zero_division=0)


def test_two_thousand_classes_are_scored() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2000, 3000)
    predicted = np.where(generator.random(3000) < 0.6, labels, generator.integers(0, 2000, 3000))
    found = packed_counts(pack(labels, 2000), pack(predicted, 2000), 3000)
    assert scores_of(found) == pytest.approx(
        (
            matthews_corrcoef(labels, predicted),
            accuracy_score(labels, predicted),
            f1_score(labels, predicted, average="macro", zero_division=0),
        )
    )


def test_no_sentences_have_no_score() -> None:
    none = count(np.zeros(0, int), np.zeros(0, int), 3)
    assert scores_of(none) == (None, None, None)


def test_labels_and_predictions_of_other_numbers_of_classes_are_refused() -> None:
    three, two = pack(np.array([0, 1]), 3), pack(np.array([0, 1]))
    with pytest.raises(ValueError, match="labels of 3 classes, but predictions of 2"):
        packed_counts(three, two, 2)
    with pytest.raises(ValueError, match="labels of 2 classes, but predictions of 3"):
        packed_counts(two, three, 2)
