"""Given predictions in predictions.parquet: rows of their own, beside those of runs."""

import numpy as np
import pyarrow as pa
import pytest
from builders.records import COLA, make_predictions

from harness.store.given import Given, given_of, given_problems, name_problem
from harness.store.given.rows import unlike_rows, with_rows, without_rows
from harness.store.predictions import joined_schema, rows_of_run


def given_with(classes: int, name: str = "x", sentences: int = 11) -> Given:
    random = np.random.default_rng(classes)
    labels = np.arange(sentences) % classes
    predicted = random.integers(0, classes, (2, sentences))
    facts = COLA.model_copy(update={"validation": sentences})
    return given_of(name, facts, labels, predicted, classes, ["0" * 64, "1" * 64], True)


@pytest.mark.parametrize("classes", [2, 3, 300])
def test_rows_are_added_checked_and_removed_for_any_number_of_classes(classes: int) -> None:
    own = make_predictions(number=classes)
    runs = own.add_column(0, "key", pa.array(["0123456789abcdef"] * own.num_rows))
    given = [given_with(classes), given_with(classes, "y")]
    table = with_rows(runs, given)
    assert table.schema.equals(joined_schema(table.column_names))
    assert table.num_rows == runs.num_rows + 4 * 11
    assert unlike_rows(table, given) == []
    labels, predicted = given[1].unpacked()
    rows = table.slice(table.num_rows - 11)
    assert rows["label"].to_pylist() == labels.tolist() == (np.arange(11) % classes).tolist()
    assert rows["given"].to_pylist() == predicted[1].tolist()
    assert unlike_rows(table.slice(0, table.num_rows - 1), given) == [
        "y, seed 2: its given predictions are not those of leaderboard.json"
    ]
    assert without_rows(table, given).equals(runs)
    assert without_rows(table, given[:1]).equals(with_rows(runs, given[1:]))
    run = table.slice(0, runs.num_rows)
    assert rows_of_run(run, classes).equals(own)


def test_keys_differ_by_name_seed_and_predictions() -> None:
    both = [given_with(2), given_with(2, "y"), given_with(2, sentences=12)]
    keys = [seed.key for each in both for seed in each.seeds]
    assert len(set(keys)) == len(keys) == 6


def test_labels_must_be_those_of_a_run() -> None:
    (problem,) = given_problems([given_with(2)], [], [])
    assert "its labels are not those of a run" in problem


@pytest.mark.parametrize("name", ["a", "7", "Ärzte-BERT (v2) | <b>", "x" * 100])
def test_names_of_one_line_are_allowed(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize("name", ["", " a", "a ", "-a", "=a", "a\tb", "a\u202eb", "x" * 101])
def test_other_names_are_not(name: str) -> None:
    assert name_problem(name) is not None
