"""Whole sessions on four classes in given splits: gates, reuse, new class names, predictions."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders.commands import harness
from builders.jobs import sentences, write_rows
from builders.sessions import Session, run
from builders.tiny_checkpoints import make_checkpoint
from scipy.special import softmax
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, matthews_corrcoef

from harness.kept import kept_files
from harness.report import read_published
from harness.store.records import Record
from harness.store.run_store import Stored, read_store

pytestmark = pytest.mark.sessions

SUITE = """
name = "topics"
keep_models = "best"
[dataset]
source = "file"
train = ["train.csv", "more.csv"]
test = "test.csv"
class_names = ["sport", "<art>", "a | b", "rest"]
[dataset.validation]
near = "near.csv"
far = "far.csv"
[matrix]
checkpoints = ["./encoder"]
batch_sizes = [8]
learning_rates = [1e-3, 1e-9]
seeds = [1, 2]
[training]
epochs = 2
max_length = 16
[gates]
min_mcc = -1
"""

NAMES = ("sport", "<art>", "a | b", "rest")
OTHERS = ("Sport", "Kunst", "beides", "Rest")

TEXTS = sentences(160)
SIZES = {"train": 72, "more": 24, "near": 24, "far": 24, "test": 16}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite, its encoder and its files: labels are numbers, hidden in the test split."""
    made = tmp_path_factory.mktemp("topics")
    make_checkpoint("bert", made / "encoder")
    first = 0
    for name, size in SIZES.items():
        labels = [-1 if name == "test" else n * 7 % 23 % 4 for n in range(size)]
        write_rows(made / f"{name}.csv", TEXTS[first : first + size], labels)
        first += size
    (made / "topics.toml").write_text(SUITE, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def first(folder: Path) -> Session:
    return run(folder, suite=folder / "topics.toml")


def results(folder: Path) -> Path:
    return folder / "results" / "topics"


def stored(folder: Path) -> list[Stored]:
    found, unreadable = read_store(results(folder))
    assert unreadable == []
    return found


def kept(folder: Path) -> Stored:
    (item,) = (item for item in stored(folder) if kept_files.is_kept(item.folder))
    return item


def scores_of(rows: pd.DataFrame) -> dict[str, float]:
    """Return the scores of predictions as scikit-learn computes them."""
    labels, given = rows["label"], given_in(rows)
    return {
        "mcc": matthews_corrcoef(labels, given),
        "accuracy": accuracy_score(labels, given),
        "f1": f1_score(labels, given, average="macro"),
    }


def given_in(rows: pd.DataFrame) -> np.ndarray:
    logits: np.ndarray = rows[[f"logit_{number}" for number in range(4)]].to_numpy()
    given: np.ndarray = logits.argmax(axis=1)
    return given


def test_every_score_is_that_of_scikit_learn(folder: Path, first: Session) -> None:
    assert first.code == 0, first.output
    assert "4 to train" in first.output
    assert "2 passed" in first.output
    table = pd.read_parquet(results(folder) / "predictions.parquet")
    files = {name: pd.read_csv(folder / f"{name}.csv") for name in SIZES}
    labels = [*files["near"]["label"], *files["far"]["label"]]
    assert len(stored(folder)) == 4
    for record in (item.record for item in stored(folder)):
        rows = table[table["key"] == record.key]
        held = rows[rows["split"] == "validation"]
        assert held["label"].tolist() == [labels[idx] for idx in held["idx"]]
        assert record.scores is not None
        assert record.scores.model_dump() == pytest.approx(scores_of(held))
        assert record.confusion_matrix is not None
        expected = confusion_matrix(held["label"], given_in(held), labels=range(4))
        assert np.array_equal(record.confusion_matrix, expected)
        assert record.scores_by_domain is not None
        for name, scores in record.scores_by_domain.items():
            of_domain = held[held["domain"] == name]
            assert len(of_domain) == 24
            assert scores.model_dump() == pytest.approx(scores_of(of_domain))
        assert set(record.scores_by_domain) == {"near", "far"}
        assert record.scores_test is None
        assert len(rows[rows["split"] == "test"]) == 16


def matrix_in(document: str) -> list[list[int]]:
    """Return the counts of the document's confusion matrix; its last row is precision."""
    table = document.partition("## Confusion matrix")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")][2:-1]
    cells = [re.split(r"(?<!\\)\|", line.replace("*", ""))[2:6] for line in lines]
    return [[int(cell) for cell in row] for row in cells]


def test_tables_show_the_confusion_matrix_of_the_best_cell(folder: Path, first: Session) -> None:
    board = read_published(results(folder) / "leaderboard.json")
    frame = pd.read_csv(results(folder) / "leaderboard.csv")
    assert frame["classes"].tolist() == [4, 4]
    best = frame.sort_values("rank")["learning_rate"].iloc[0]
    runs = [each for each in board.records if each.learning_rate == best]
    document = (results(folder) / "leaderboard.md").read_text(encoding="utf-8")
    expected = np.sum([np.array(each.confusion_matrix) for each in runs], axis=0)
    assert matrix_in(document) == expected.tolist()
    assert "macro-F1" in document
    page = (results(folder) / "leaderboard.html").read_text(encoding="utf-8")
    assert "Confusion matrix" in page
    assert "&lt;art&gt;" in page
    done = harness("report", str(results(folder)), "--check")
    assert done.code == 0, done.err + done.out


def test_predict_uses_the_kept_model_and_names_its_classes(folder: Path, first: Session) -> None:
    item = kept(folder)
    rows = pd.read_parquet(item.folder / "predictions.parquet")
    rows = rows[rows["split"] == "test"].sort_values("idx")
    texts = pd.read_csv(folder / "test.csv")["sentence"].tolist()
    done = harness("predict", "--results", str(results(folder)), *texts, "--format", "jsonl")
    assert done.code == 0, done.err
    shares = softmax(rows[[f"logit_{number}" for number in range(4)]].to_numpy(), axis=1)
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert [answer["label"] for answer in answers] == [NAMES[n] for n in shares.argmax(axis=1)]
    for answer, own in zip(answers, shares, strict=True):
        assert tuple(answer["probabilities"]) == NAMES
        assert list(answer["probabilities"].values()) == pytest.approx(own.tolist(), abs=1e-5)


def test_every_misclassified_sentence_is_named_with_its_class(folder: Path, first: Session) -> None:
    suite = str(folder / "topics.toml")
    done = harness("mistakes", str(results(folder)), "--suite", suite, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    runs = [item for item in stored(folder) if item.record.cell in found["cells"]]
    assert len(runs) == 2
    wrong = []
    for item in runs:
        table = pd.read_parquet(item.folder / "predictions.parquet")
        held = table[table["split"] == "validation"]
        wrong.append(given_in(held) != held["label"])
    places = np.flatnonzero(np.all(wrong, axis=0)).tolist()
    assert [each["position"] for each in found["missed"]] == places != []
    labels = [NAMES[int(label)] for label in held["label"].iloc[places]]
    assert [each["label"] for each in found["missed"]] == labels


def without_times(record: Record) -> dict[str, object]:
    return record.model_dump(include={"key", "scores", "confusion_matrix", "predictions_sha256"})


def test_a_gate_is_judged_on_finished_runs(folder: Path, first: Session) -> None:
    before = [without_times(item.record) for item in stored(folder)]
    failed = run(folder, "--min-mcc", "0.99", suite=folder / "topics.toml")
    assert failed.code == 1, failed.output
    assert "4 of 4 runs finished before" in failed.output
    assert "is below the threshold 0.9900" in failed.output
    assert [without_times(item.record) for item in stored(folder)] == before


def test_other_class_names_reach_finished_runs_and_train_nothing(
    folder: Path, first: Session
) -> None:
    """It is the last test: it changes the results that the others read."""
    before = [without_times(item.record) for item in stored(folder)]
    text = SUITE.replace(json.dumps(NAMES), json.dumps(OTHERS))
    assert text != SUITE
    (folder / "topics.toml").write_text(text, encoding="utf-8")
    again = run(folder, suite=folder / "topics.toml")
    assert again.code == 0, again.output
    assert "4 of 4 runs finished before" in again.output
    assert "1 finished run got the names and data facts of the current suite" in again.output
    assert [without_times(item.record) for item in stored(folder)] == before
    item = kept(folder)
    assert kept_files.class_names(item.folder) == OTHERS
    card = (item.folder / "model" / "README.md").read_text(encoding="utf-8")
    assert "`Kunst` (label 1)" in card
    document = (results(folder) / "leaderboard.md").read_text(encoding="utf-8")
    assert "Kunst" in document.partition("## Confusion matrix")[2]
    assert "<art>" not in document
    done = harness("predict", "--results", str(results(folder)), TEXTS[0], "--format", "jsonl")
    assert set(json.loads(done.out)["probabilities"]) == set(OTHERS)
