"""Leaderboards of more than two classes: the confusion matrix, macro-F1, logits of every class."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from builders.records import digest, keep, make_cell, predicted_record
from sklearn.metrics import confusion_matrix, precision_score, recall_score

from harness.judging.comparison import Contestant
from harness.report import read_published, render, write_tables
from harness.report.checks.logits import mismatched_predictions
from harness.report.findings.confusion import MOST_CLASSES, confusion
from harness.store.classes import unpack
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.suite.spec import DatasetSpec

NAMES = ("no_problem", "a|b", "<third>")
SENTENCES = 90

CELLS = [make_cell("org/good", seeds=(0, 1)), make_cell("org/bad", seeds=(0, 1))]


def run(cell: Cell, seed: int, classes: int, errors: float) -> Record:
    random = np.random.default_rng([seed, classes, int(100 * errors)])
    labels = np.arange(SENTENCES) % classes
    guesses = random.integers(0, classes, (2, SENTENCES))
    predicted = np.where(random.random((2, SENTENCES)) < errors, guesses, labels)
    return predicted_record(
        cell, seed, labels, predicted, classes, checkpoint_digest=digest(cell.checkpoint)
    )


def contestant(classes: int) -> Contestant:
    return Contestant("org/good", tuple(run(CELLS[0], seed, classes, 0.3) for seed in (0, 1)))


def fields(line: str) -> list[str]:
    return [text.strip() for text in line.replace("\\|", "/").strip("|").split("|")]


def classes_of_runs(runs: tuple[Record, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels and predicted classes of all runs, one after the other."""
    labels, given = [], []
    for each in runs:
        assert each.labels is not None
        chosen = each.epochs[(each.selected_epoch or 1) - 1].classes
        assert chosen is not None
        labels.append(unpack(each.labels, SENTENCES))
        given.append(unpack(chosen, SENTENCES))
    return np.concatenate(labels), np.concatenate(given)


def test_the_matrix_is_that_of_scikit_learn_over_all_seeds() -> None:
    one = contestant(3)
    heading, caption, table = confusion([one], NAMES)
    labels, given = classes_of_runs(one.runs)
    assert heading == "## Confusion matrix"
    assert "added over 2 seeds" in caption
    names, _, *rows, precision = map(fields, table.splitlines())
    assert names == ["class", "`no_problem`", "`a/b`", "`<third>`", "recall"]
    counts = [[int(text.strip("*")) for text in row[1:-1]] for row in rows]
    assert np.array_equal(counts, confusion_matrix(labels, given))
    recall = recall_score(labels, given, average=None)
    assert [float(row[-1]) for row in rows] == pytest.approx(recall, abs=0.0005)
    expected = precision_score(labels, given, average=None)
    assert [float(text) for text in precision[1:-1]] == pytest.approx(expected, abs=0.0005)


def test_columns_of_many_classes_are_headed_by_numbers() -> None:
    *_, table = confusion([contestant(20)], [f"topic {number}" for number in range(20)])
    names, _, first, *_ = map(fields, table.splitlines())
    assert names == ["class", *map(str, range(20)), "recall"]
    assert first[0] == "0 `topic 0`"


def test_more_classes_than_fit_are_listed_by_pairs() -> None:
    one = contestant(MOST_CLASSES + 10)
    blocks = list(confusion([one], None))
    labels, given = classes_of_runs(one.runs)
    matrix = confusion_matrix(labels, given)
    np.fill_diagonal(matrix, 0)
    most = matrix.max()
    label, wrong = (int(place) for place in np.argwhere(matrix == most)[0])
    of = int((labels == label).sum())
    assert f"- `{label}` as `{wrong}`: {most} of {of}" in blocks[2].splitlines()[0]
    assert f"the most frequent of {(matrix > 0).sum()} pairs" in blocks[1]


def test_two_classes_have_no_matrix() -> None:
    assert list(confusion([contestant(2)], ("no", "yes"))) == []
    assert list(confusion([], None)) == []


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Published tables of runs with three classes."""
    folder = tmp_path_factory.mktemp("published") / "sample"
    spec = DatasetSpec(source="file", path="data.csv", class_names=NAMES)
    stored = [
        keep(folder.with_name("store"), cell, run(cell, seed, 3, errors))
        for cell, errors in zip(CELLS, (0.2, 0.6), strict=True)
        for seed in cell.seeds
    ]
    write_tables(folder, "sample", CELLS, stored, dataset=spec)
    return folder


def test_published_files_are_read_and_rebuilt(made: Path) -> None:
    board = read_published(made / "leaderboard.json")
    assert mismatched_predictions(made, board) == []
    for name, content in render(board).items():
        assert (made / name).read_bytes() == content, name
    table = pq.read_table(made / "predictions.parquet")
    assert table.column_names[-3:] == ["logit_0", "logit_1", "logit_2"]


def test_swapped_logits_are_found(made: Path, tmp_path: Path) -> None:
    table = pq.read_table(made / "predictions.parquet")
    names = table.column_names
    swapped = table.select([*names[:-2], names[-1], names[-2]]).rename_columns(names)
    pq.write_table(swapped, tmp_path / "predictions.parquet")
    found = mismatched_predictions(tmp_path, read_published(made / "leaderboard.json"))
    assert len(found) == 4
    assert all("its logits do not give the record's classes" in line for line in found)


def test_f1_is_named_macro_f1_and_the_number_of_classes_is_a_column(made: Path) -> None:
    board = read_published(made / "leaderboard.json")
    frame = pd.read_csv(io.BytesIO((made / "leaderboard.csv").read_bytes()))
    assert frame["classes"].tolist() == [3, 3]
    mean = np.mean([each.scores.f1 for each in board.records[:2] if each.scores is not None])
    assert frame["f1"][0] == pytest.approx(mean)
    document = (made / "leaderboard.md").read_text(encoding="utf-8")
    assert "macro-F1" in document
    assert "F1 of the class labelled 1" not in document
    assert "## Confusion matrix" in document
    page = (made / "leaderboard.html").read_text(encoding="utf-8")
    assert "Confusion matrix" in page
    assert "&lt;third&gt;" in page
    assert "<third>" not in page.partition("<script")[0]
    assert "#confusion-matrix" in page.partition("</style>")[0]
    assert "MCC by group of sentences" not in document
