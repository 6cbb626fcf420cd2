"""What runs on the same sentences share is computed once, and equals what it is computed from."""

import gc
import weakref

import numpy as np
import pyarrow as pa
import pytest
from builders.records import make_predictions
from sklearn.metrics import confusion_matrix

from harness.store.groups import Sentences, confusion_by, sentences_of


def test_runs_on_the_same_sentences_share_them_and_others_do_not() -> None:
    one, other_logits = make_predictions(0), make_predictions(1)
    assert sentences_of(one) is sentences_of(other_logits)
    for name, values in (
        ("split", ["test"] * 8),
        ("label", [1, 0] * 4),
        ("domain", ["out"] * 8),
        ("source", ["book"] * 7 + ["paper"]),
    ):
        place = one.schema.get_field_index(name)
        changed = one.set_column(
            place, one.schema.field(name), pa.array(values, one.schema.types[place])
        )
        before, found = sentences_of(one), sentences_of(changed)
        assert found is not before
        assert vars(found)[name].tolist() == values
        assert found.rows_of("validation").tolist() == [name != "split"] * 8


def test_runs_on_mixed_data_share_their_sentences_and_few_data_sets_stay_in_memory() -> None:
    one = make_predictions(0)
    tables = [one.slice(0, rows) for rows in range(1, 9)]
    mixed = [sentences_of(table) for _ in range(3) for table in tables[:5]]
    assert len({id(each) for each in mixed}) == 5
    gone = weakref.ref(sentences_of(one.slice(1)))
    for table in tables:
        sentences_of(table)
    gc.collect()
    assert gone() is None


def test_hidden_labels_cannot_be_packed() -> None:
    table = make_predictions(0)
    place = table.schema.get_field_index("label")
    hidden = table.set_column(place, "label", pa.array([None] * 8, pa.int8()))
    assert Sentences(table).packed_labels(2) == "VQ=="  # 0, 1, 0, 1, 0, 1, 0, 1
    assert Sentences(hidden).packed_labels(2) is None
    assert Sentences(hidden).label.tolist() == [-1] * 8


@pytest.mark.parametrize("seed", range(5))
def test_counts_by_group_are_those_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    groups = random.choice(["", "b", "a", "ä"], 60).tolist()
    labels, predicted = random.integers(0, 2, (2, 60))
    found = confusion_by(groups, labels, predicted)
    assert list(found) == sorted(set(groups) - {""})
    for name, counts in found.items():
        chosen = np.array(groups) == name
        expected = confusion_matrix(labels[chosen], predicted[chosen], labels=[0, 1])
        assert [
            [counts.true_negative, counts.false_positive],
            [counts.false_negative, counts.true_positive],
        ] == expected.tolist()
