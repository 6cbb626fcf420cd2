"""Where models err, against scikit-learn and counting by hand."""

import numpy as np
import pytest
from builders.records import failed_record, make_cell, make_record, predicted_record
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, matthews_corrcoef

from harness.judging.mistakes import by_group, missed_by
from harness.store.records import Confusion

CLASSES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40)


def confusion(labels: list[int], given: list[int]) -> Confusion:
    ((tn, fp), (fn, tp)) = confusion_matrix(labels, given, labels=[0, 1])
    return Confusion(true_positive=tp, false_positive=fp, false_negative=fn, true_negative=tn)


@given(CLASSES)
def test_the_correlation_of_counts_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    labels, given_classes = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    counts = confusion(labels, given_classes)
    record = make_record(make_cell(), 0, confusion_by={"source": {"book": counts}})
    sentences, found = by_group([record])["source"]["book"]
    assert sentences == len(pairs)
    if len(set(labels)) < 2 or len(set(given_classes)) < 2:
        assert found is None  # undefined: scikit-learn calls it 0
    else:
        assert found == pytest.approx(matthews_corrcoef(labels, given_classes))


def test_groups_are_means_over_seeds_in_natural_order() -> None:
    cell = make_cell(seeds=(0, 1))
    half = Confusion(true_positive=3, false_positive=1, false_negative=1, true_negative=3)
    full = Confusion(true_positive=4, false_positive=0, false_negative=0, true_negative=4)
    one_class = Confusion(true_positive=4, false_positive=4, false_negative=0, true_negative=0)
    groups = {"10-13 words": half, "1-4 words": full, "5-6 words": one_class}
    records = [
        make_record(cell, 0, confusion_by={"length": groups, "source": {"book": half}}),
        make_record(cell, 1, confusion_by={"length": {**groups, "10-13 words": full}}),
        failed_record(cell, 2),
    ]
    assert by_group(records) == {
        "length": {"1-4 words": (8, 1.0), "5-6 words": (8, None), "10-13 words": (8, 0.75)}
    }


def test_sentences_that_every_run_of_every_cell_gets_wrong_are_found() -> None:
    labels = np.array([0, 1, 1, 0, 1, 0])
    first = np.array([[1, 0, 0, 0, 1, 1], [1, 0, 1, 0, 0, 1]])
    second = np.array([[1, 1, 0, 1, 0, 1]])
    cell, other = make_cell("a", seeds=(0, 1)), make_cell("b")
    cells = [
        [predicted_record(cell, s, labels, first[s][None]) for s in (0, 1)],
        [predicted_record(other, 0, labels, second)],
    ]
    assert missed_by(cells[:1]).positions == (0, 1, 5)
    assert missed_by(cells).positions == (0, 5)
