"""Runs on more than two classes, from a file to predictions, records and kept models."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from builders.commands import harness
from builders.jobs import execute_ok, make_job, sentences, write_rows
from builders.tiny_checkpoints import make_checkpoint
from huggingface_hub import ModelCard, ModelCardData
from scipy.special import softmax
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, matthews_corrcoef
from transformers import pipeline

from harness.judging.mistakes import by_group
from harness.kept import kept_files
from harness.store import classes
from harness.store.checks.consistency import inconsistency, unlike_predictions
from harness.store.records import Record
from harness.suite.spec import DatasetSpec

NAMES = tuple(f"topic {number}" for number in range(12))
"""More than ten: in a file, 10 comes before 2."""

TEXTS = sentences(120)
LABELS = [number * 7 % 23 % 12 for number in range(120)]

Run = tuple[Path, Record, pa.Table]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on labels that are names: its folder, record and predictions."""
    folder = tmp_path_factory.mktemp("topics")
    encoder = make_checkpoint("bert", folder / "encoder")
    data = write_rows(folder / "data.csv", TEXTS, [NAMES[label] for label in LABELS])
    spec = DatasetSpec(
        source="file", path=str(data), validation_size=36, test_size=24, class_names=NAMES
    )
    job = make_job(encoder, spec, folder, keep_model=True, epochs=2)
    return job.folder, *execute_ok(job)


def split(predictions: pa.Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and logits of a split."""
    rows = predictions.to_pandas()
    rows = rows[rows["split"] == name]
    return rows["label"].to_numpy(), rows[[f"logit_{n}" for n in range(12)]].to_numpy()


def test_every_row_has_its_label_and_a_logit_of_each_class(run: Run) -> None:
    _, record, predictions = run
    assert record.dataset is not None
    assert (record.dataset.validation, record.dataset.test) == (36, 24)
    assert predictions["label"].to_pylist() == [
        LABELS[row] for row in predictions["idx"].to_pylist()
    ]
    assert predictions.column_names[6:] == [f"logit_{number}" for number in range(12)]


@pytest.mark.parametrize(("name", "field"), [("validation", "scores"), ("test", "scores_test")])
def test_scores_are_those_of_scikit_learn(name: str, field: str, run: Run) -> None:
    _, record, predictions = run
    labels, logits = split(predictions, name)
    given = logits.argmax(axis=1)
    expected = {
        "mcc": matthews_corrcoef(labels, given),
        "accuracy": accuracy_score(labels, given),
        "f1": f1_score(labels, given, average="macro"),
    }
    assert getattr(record, field).model_dump() == pytest.approx(expected)


def test_the_record_has_the_confusion_matrix_and_agrees_with_its_predictions(run: Run) -> None:
    _, record, predictions = run
    labels, logits = split(predictions, "validation")
    expected = confusion_matrix(labels, logits.argmax(axis=1), labels=range(12))
    assert record.confusion_matrix is not None
    assert np.array_equal(record.confusion_matrix, expected)
    assert record.confusion_by == {}
    assert record.labels is not None
    assert classes.unpack(record.labels, 36).tolist() == labels.tolist()
    assert inconsistency(record) is None
    assert unlike_predictions(record, predictions) is None
    names = predictions.column_names
    swapped = predictions.select([*names[:-2], names[-1], names[-2]]).rename_columns(names)
    said = unlike_predictions(record, swapped)
    assert said is not None
    found = re.fullmatch(
        r"its logits do not give the record's classes: "
        r"class (\d+) in validation row (\d+), the record's (\d+)",
        said,
    )
    assert found is not None
    computed, row, held = map(int, found.groups())
    exchanged = np.array([*range(10), 11, 10])
    wanted = exchanged[logits.argmax(axis=1)]
    unlike = np.flatnonzero(wanted != logits.argmax(axis=1))
    assert (row - 1, computed) == (unlike[0], wanted[unlike[0]])
    assert held == logits.argmax(axis=1)[unlike[0]]


def test_groups_by_length_have_the_correlation_of_scikit_learn(run: Run) -> None:
    _, record, predictions = run
    labels, logits = split(predictions, "validation")
    rows = predictions.to_pandas()
    idx = rows[rows["split"] == "validation"]["idx"]
    words = np.array([len(TEXTS[row].split()) for row in idx])
    found = by_group([record])["length"]
    assert list(found) == ["1-4 words", "5-6 words", "7-9 words"]
    for name, (least, most) in zip(found, ((1, 4), (5, 6), (7, 9)), strict=True):
        chosen = (words >= least) & (words <= most)
        expected = matthews_corrcoef(labels[chosen], logits.argmax(axis=1)[chosen])
        sentences, value = found[name]
        assert sentences == chosen.sum()
        assert (value or 0.0) == pytest.approx(expected)


def test_wrong_counts_of_a_group_are_found(run: Run) -> None:
    record = run[1]
    assert record.counts_by is not None
    groups = record.counts_by["length"]
    name, counts = next(iter(groups.items()))
    labelled = (counts.labelled[0] + 1, *counts.labelled[1:])
    for wrong, expected in (
        (counts.model_copy(update={"labelled": labelled}), "adds up to labelled 4 of class 0"),
        (counts.model_copy(update={"hits": (1,)}), "has other numbers of hits than one of each"),
    ):
        changed = record.model_copy(update={"counts_by": {"length": {**groups, name: wrong}}})
        assert f"counts_by.length {expected}" in (inconsistency(changed) or "")


def test_a_pipeline_and_predict_name_the_classes(run: Run) -> None:
    folder, _, predictions = run
    rows = [row for row in predictions.to_pylist() if row["split"] == "test"][:8]
    texts = [TEXTS[row["idx"]] for row in rows]
    shares = softmax([[row[f"logit_{n}"] for n in range(12)] for row in rows], axis=1)
    expected = [NAMES[n] for n in shares.argmax(axis=1)]
    answers = pipeline("text-classification", str(folder / "model"), device="cpu")(texts)
    assert [answer["label"] for answer in answers] == expected
    done = harness("predict", str(folder / "model"), *texts, "--format", "jsonl")
    assert done.code == 0, done.err
    for line, label, own in zip(done.out.splitlines(), expected, shares, strict=True):
        answer = json.loads(line)
        assert answer["label"] == label
        assert list(answer["probabilities"]) == list(NAMES)
        assert list(answer["probabilities"].values()) == pytest.approx(own.tolist(), abs=1e-5)


def test_the_kept_models_classes_are_in_their_order(run: Run) -> None:
    assert kept_files.class_names(run[0]) == NAMES


def test_the_model_card_names_every_class_and_its_scores(run: Run) -> None:
    folder, record, _ = run
    card = ModelCard.load(folder / "model" / "README.md")
    assert isinstance(card.data, ModelCardData)
    assert record.scores is not None
    found = {each.metric_name: each.metric_value for each in (card.data.eval_results or [])[:3]}
    assert found == {
        "Matthews correlation": record.scores.mcc,
        "accuracy": record.scores.accuracy,
        "macro-F1": record.scores.f1,
    }
    for number, name in enumerate(NAMES):
        assert f"`{name}` (label {number})" in card.text
    assert "macro-F1" in card.text
