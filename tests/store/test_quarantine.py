"""What a store should not be believed is moved aside with the reason, and costs one run."""

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders.records import keep, make_cell, make_record, predicted_record, with_key
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, matthews_corrcoef

from harness.store import classes, run_store
from harness.store.checks.contradiction import RECIPE_WITH_CLASSES
from harness.store.predictions import read_predictions
from harness.store.records import Record, key_of
from harness.store.run_store import Stored, write_record
from harness.suite.spec import TrainingSpec

CELL = make_cell(seeds=(0, 1))


@pytest.fixture
def store(tmp_path: Path) -> tuple[Stored, Stored]:
    """Two runs with the classes that they gave after each of two epochs, in `tmp_path`."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 21)
    first, second = (
        keep(tmp_path, CELL, predicted_record(CELL, seed, labels, random.integers(0, 2, (2, 21))))
        for seed in CELL.seeds
    )
    return first, second


def tamper(item: Stored, change: Callable[[dict[str, Any]], object]) -> None:
    path = item.folder / "record.json"
    content = json.loads(path.read_bytes())
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_a_run_that_is_not_believed_is_moved_whole_with_the_reason_beside(
    tmp_path: Path, store: tuple[Stored, Stored]
) -> None:
    bad, good = store
    (bad.folder / "record.json").write_bytes(b'{"torn": ')
    (bad.folder / "log.txt").write_text("what happened")
    before = {path.name: path.read_bytes() for path in bad.folder.iterdir()}
    found, lines = run_store.read_store_and_move_rejected(tmp_path)
    assert found == [good]
    aside = tmp_path / "runs" / CELL.id / "quarantine" / bad.folder.name
    (line,) = lines
    assert line.startswith(f"runs/{CELL.id}/{bad.folder.name}: not a record: ")
    assert line.endswith(f"moved to {aside.relative_to(tmp_path)}, it will run again")
    after = {path.name: path.read_bytes() for path in aside.iterdir()}
    reason = after.pop("reason.txt").decode()
    assert after == before
    assert f": {reason.strip()}; moved" in line
    assert not bad.folder.exists()
    assert run_store.read_store_and_move_rejected(tmp_path) == ([good], [])


def test_a_run_that_goes_wrong_again_and_again_loses_no_earlier_trace(
    tmp_path: Path, store: tuple[Stored, Stored]
) -> None:
    bad, good = store
    for number in range(3):
        bad.folder.mkdir(exist_ok=True)
        (bad.folder / "record.json").write_text(f"{number}")
        assert run_store.read_store_and_move_rejected(tmp_path)[0] == [good]
    aside = tmp_path / "runs" / CELL.id / "quarantine"
    kept = [aside / f"{bad.folder.name}{suffix}" / "record.json" for suffix in ("", "-2", "-3")]
    assert [path.read_text() for path in kept] == ["0", "1", "2"]


def test_what_cannot_be_moved_is_not_believed_either(
    tmp_path: Path, store: tuple[Stored, Stored]
) -> None:
    bad, good = store
    (bad.folder / "record.json").write_bytes(b"")
    (bad.folder.parent / "quarantine").write_text("in the way")
    found, (line,) = run_store.read_store_and_move_rejected(tmp_path)
    assert found == [good]
    assert "was not moved aside" in line
    assert bad.folder.exists()


def test_only_reading_moves_nothing(tmp_path: Path, store: tuple[Stored, Stored]) -> None:
    bad, good = store
    (bad.folder / "record.json").write_bytes(b"")
    assert run_store.read_store(tmp_path)[0] == [good]
    assert bad.folder.exists()


def raise_score(record: dict[str, Any], name: str, change: float) -> None:
    record["scores"][name] += change
    for epoch in record["epochs"]:
        epoch["scores"][name] += change


def select_the_other(record: dict[str, Any]) -> None:
    record["selected_epoch"] = other = 3 - record["selected_epoch"]
    record["scores"] = record["epochs"][other - 1]["scores"]


def turn_a_class(record: dict[str, Any], epoch: int = 0) -> None:
    given = classes.unpack(record["epochs"][epoch]["classes"], 21)
    given[0] = 1 - given[0]
    record["epochs"][epoch]["classes"] = classes.pack(given)


def forget_the_first_and_turn_the_second(record: dict[str, Any]) -> None:
    record["epochs"][0]["classes"] = None
    turn_a_class(record, epoch=1)
    become_old(record)


def become_old(record: dict[str, Any], recipe: int = 1) -> None:
    """Take an older recipe, by default one that did not demand classes, and its key."""
    record["recipe_version"] = recipe
    record["key"] = key_of(Record.model_validate(record))


def forget_labels_under_the_first_recipe_with_classes(record: dict[str, Any]) -> None:
    record["labels"] = None
    become_old(record, RECIPE_WITH_CLASSES)


TAMPERINGS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a better score": (lambda record: raise_score(record, "mcc", 2e-9), "epoch 1 has MCC"),
    "a better accuracy": (
        lambda record: raise_score(record, "accuracy", 2e-9),
        "epoch 1 has accuracy",
    ),
    "a better F1": (lambda record: raise_score(record, "f1", 2e-9), "epoch 1 has F1"),
    "an accuracy of its own": (
        lambda record: record["scores"].update(accuracy=1.0),
        "its accuracy is not the accuracy of its selected epoch",
    ),
    "the worse epoch": (select_the_other, "its rule selects epoch"),
    "another seed": (lambda record: record.update(seed=7), "its key is"),
    "another learning rate": (lambda record: record.update(learning_rate=1e-4), "its key is"),
    "other training": (lambda record: record["training"].update(epochs=9), "its key is"),
    "an older recipe, which need not hold its classes": (
        lambda record: record.update(recipe_version=1, labels=None),
        "its key is",
    ),
    "another key": (lambda record: record.update(key="0\u202e\n"), "its key is '0\\u202e\\n'"),
    "one prediction turned": (turn_a_class, "epoch 1 has MCC"),
    "one prediction turned after an epoch without any": (
        forget_the_first_and_turn_the_second,
        "epoch 2 has MCC",
    ),
    "no labels": (lambda record: record.update(labels=None), "a score but no labels"),
    "no labels under the first recipe that demands them": (
        forget_labels_under_the_first_recipe_with_classes,
        "a score but no labels",
    ),
    "no epochs": (lambda record: record.update(epochs=[]), "a score but no selected epoch"),
    "no classes of an epoch": (
        lambda record: record["epochs"][0].update(classes=None),
        "a score but no classes of some epoch",
    ),
    "labels of another size": (
        lambda record: record.update(labels=classes.pack(np.ones(40))),
        "40 bits do not hold 21 sentences",
    ),
    "classes that are no classes": (
        lambda record: record["epochs"][1].update(classes="?" * 4),
        "epoch 2: not base64",
    ),
    "letters beyond ASCII": (lambda record: record.update(labels="éééé"), "not base64"),
    "another selected epoch's score": (
        lambda record: record["scores"].update(mcc=record["scores"]["mcc"] / 2),
        "its MCC is not the MCC of its selected epoch",
    ),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_a_record_that_contradicts_itself_is_not_believed(
    tmp_path: Path, store: tuple[Stored, Stored], tampering: str
) -> None:
    bad, good = store
    change, told = TAMPERINGS[tampering]
    tamper(bad, change)
    found, (line,) = run_store.read_store_and_move_rejected(tmp_path)
    assert found == [good]
    assert "it contradicts itself: " in line
    assert told in line


def with_column(table: pa.Table, name: str, values: Sequence[object]) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(name), pa.array(values, table[name].type))


FORGERIES: dict[str, tuple[Callable[[pa.Table], pa.Table | bytes], str]] = {
    "no table at all": (lambda _: b"PAR1 but nothing more", "it cannot be read as Parquet"),
    "other columns": (lambda table: table.drop_columns(["tokens"]), "it has other columns"),
    "the other class": (
        lambda table: (
            with_column(table, "logit_0", [9.0, *table["logit_0"].to_pylist()[1:]])
            if table["logit_1"][0].as_py() > 1
            else with_column(table, "logit_1", [9.0, *table["logit_1"].to_pylist()[1:]])
        ),
        "its logits do not give the record's classes",
    ),
    "a logit that is no number": (
        # NaN counts as the largest: in either column it is the class that the record gives.
        lambda table: with_column(
            table,
            name := "logit_1" if table["logit_1"][0].as_py() > 1 else "logit_0",
            [float("nan"), *table[name].to_pylist()[1:]],
        ),
        "its logits are not all finite",
    ),
    "a logit that is missing": (
        lambda table: with_column(table, "logit_0", [None, *table["logit_0"].to_pylist()[1:]]),
        "its logits are not all finite",
    ),
    "another label": (
        lambda table: with_column(
            table, "label", [1 - table["label"][0].as_py(), *table["label"].to_pylist()[1:]]
        ),
        "its labels are not the record's",
    ),
    "a hidden label": (
        lambda table: with_column(table, "label", [None, *table["label"].to_pylist()[1:]]),
        "its labels are not the record's",
    ),
    "a sentence without a source": (
        lambda table: with_column(table, "source", [None, *["book"] * (table.num_rows - 1)]),
        "it has rows without a source",
    ),
    "a sentence less": (lambda table: table.slice(8), "its labels are not the record's"),
    "another split": (
        lambda table: with_column(table, "split", ["test"] * table.num_rows),
        "its labels are not the record's",
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_predictions_that_do_not_bear_their_record_out_are_not_believed_whatever_their_digest(
    tmp_path: Path, store: tuple[Stored, Stored], forgery: str
) -> None:
    bad, good = store
    change, told = FORGERIES[forgery]
    content = change(read_predictions(bad.folder))
    if isinstance(content, pa.Table):
        buffer = io.BytesIO()
        pq.write_table(content, buffer)
        content = buffer.getvalue()
    (bad.folder / "predictions.parquet").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    tamper(bad, lambda record: record.update(predictions_sha256=digest))
    found, (line,) = run_store.read_store_and_move_rejected(tmp_path)
    assert found == [good]
    assert f"its predictions.parquet does not match the record: {told}" in line


def test_a_rule_that_takes_the_last_epoch_is_kept_to(tmp_path: Path) -> None:
    """The first epoch, which gives every sentence its label, is not to be selected."""
    labels = np.arange(21) % 2
    worse = np.where(np.arange(21) < 5, 1 - labels, labels)
    by_best = predicted_record(
        CELL,
        0,
        labels,
        np.stack([labels, worse, worse]),
        training=TrainingSpec(selection="last-epoch"),
    )
    last = by_best.epochs[-1]
    by_rule = by_best.model_copy(update={"selected_epoch": last.epoch, "scores": last.scores})
    kept = keep(tmp_path, CELL, by_rule)
    assert run_store.read_store_and_move_rejected(tmp_path) == ([kept], [])
    keep(tmp_path, CELL, by_best)
    found, (line,) = run_store.read_store_and_move_rejected(tmp_path)
    assert found == []
    assert "it selects epoch 1, but its rule selects epoch 3" in line


def test_a_difference_below_the_tolerance_and_a_record_without_classes_are_believed(
    tmp_path: Path, store: tuple[Stored, Stored]
) -> None:
    first, second = store
    tamper(first, lambda record: raise_score(record, "mcc", 5e-10))
    write_record(second.folder, make_record(CELL, 1), read_predictions(second.folder))
    assert len(run_store.read_store_and_move_rejected(tmp_path)[0]) == 2


def test_a_run_that_predicts_one_class_and_one_without_labels_are_believed(tmp_path: Path) -> None:
    labels = np.arange(21) % 2
    ones = np.ones((2, 21), int)
    first, second = (predicted_record(CELL, seed, labels, ones) for seed in CELL.seeds)
    older = with_key(second.model_copy(update={"labels": None, "recipe_version": 1}))
    kept = [keep(tmp_path, CELL, record) for record in (first, older)]
    assert run_store.read_store_and_move_rejected(tmp_path) == (kept, [])


def test_a_record_that_lies_in_the_quarantine_itself_is_no_run(
    tmp_path: Path, store: tuple[Stored, Stored]
) -> None:
    aside = tmp_path / "runs" / CELL.id / "quarantine"
    aside.mkdir()
    (aside / "record.json").write_bytes((store[0].folder / "record.json").read_bytes())
    assert run_store.read_store_and_move_rejected(tmp_path) == (list(store), [])


@pytest.mark.filterwarnings("ignore:A single label was found")
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=70))
@example([(True, True)] * 3)
@settings(deadline=None)
def test_counts_and_scores_of_packed_classes_are_scikit_learns(
    pairs: list[tuple[bool, bool]],
) -> None:
    labels, given_classes = np.array(pairs, dtype=int).T
    counts = classes.tally(classes.pack(labels), classes.pack(given_classes), len(pairs))
    tn, fp, fn, tp = confusion_matrix(labels, given_classes, labels=[0, 1]).ravel()
    assert tuple(counts) == (tp, fp, fn, tn)
    for ours, theirs in (
        (counts.mcc, matthews_corrcoef),
        (counts.accuracy, accuracy_score),
        (counts.f1, partial(f1_score, zero_division=0.0)),
    ):
        expected = theirs(labels, given_classes)
        assert (ours or 0.0) == pytest.approx(expected, abs=1e-12)


bytes_like_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
).map(lambda value: json.dumps(value).encode())


@given(content=st.binary() | bytes_like_json, at=st.floats(0, 1), which=st.booleans())
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)
def test_any_damage_costs_one_run_and_is_told_in_one_line(
    tmp_path: Path, content: bytes, at: float, which: bool
) -> None:
    """A file is replaced whole, or from somewhere in its middle on."""
    kept = keep(tmp_path, CELL, make_record(CELL))
    path = kept.folder / ("record.json" if which else "predictions.parquet")
    whole = path.read_bytes()
    damaged = whole[: int(at * len(whole))] + content
    path.write_bytes(damaged)
    found, lines = run_store.read_store_and_move_rejected(tmp_path)
    if found:
        # Only the last line end may go without a difference.
        assert found == [kept]
        assert damaged.rstrip() == whole.rstrip()
    else:
        (line,) = lines
        assert line.isprintable()
        assert len(line) < 600
