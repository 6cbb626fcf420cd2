"""A run on given splits: every file's sentences are predicted, and scored where they may be."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from builders.jobs import execute_ok, make_job, sentences, write_rows
from builders.tiny_checkpoints import make_checkpoint
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from harness.store.checks.consistency import unlike_predictions
from harness.store.records import Record, Scores
from harness.suite.spec import DatasetSpec
from harness.training.job import Job, failure

TEXTS = sentences(100)
LABELS = [number * 7 % 13 % 2 for number in range(100)]
SLICES = {"train": (0, 48), "near": (48, 64), "far": (64, 76), "ones": (76, 80), "test": (80, 100)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint and a file for each of SLICES; `hidden.csv` has test's sentences."""
    made = tmp_path_factory.mktemp("given")
    make_checkpoint("bert", made / "bert")
    for name, (first, end) in SLICES.items():
        labels = [1] * (end - first) if name == "ones" else LABELS[first:end]
        write_rows(made / f"{name}.csv", TEXTS[first:end], labels)
    hidden = "".join(f"{text}\n" for text in ["sentence", *TEXTS[80:]])
    (made / "hidden.csv").write_text(hidden, encoding="utf-8")
    return made


def run(folder: Path, results: Path, **keys: Any) -> tuple[Record, pa.Table]:
    spec = DatasetSpec(
        source="file",
        **{
            split: {domain: str(folder / name) for domain, name in files.items()}
            if isinstance(files, dict)
            else str(folder / files)
            for split, files in keys.items()
        },
    )
    return execute_ok(job_of(folder, results, spec))


def job_of(folder: Path, results: Path, spec: DatasetSpec) -> Job:
    results.mkdir(exist_ok=True)
    return make_job(folder / "bert", spec, results)


def rows_of(predictions: pa.Table, split: str, domain: str | None = None) -> pa.Table:
    chosen = predictions.filter(pc.equal(predictions["split"], split))
    return chosen if domain is None else chosen.filter(pc.equal(chosen["domain"], domain))


def scored(rows: pa.Table) -> Scores:
    """Compute the scores of predictions with scikit-learn."""
    labels = rows["label"].to_numpy()
    given = np.stack([rows["logit_0"].to_numpy(), rows["logit_1"].to_numpy()], 1).argmax(axis=1)
    return Scores(
        mcc=matthews_corrcoef(labels, given),
        accuracy=accuracy_score(labels, given),
        f1=f1_score(labels, given, zero_division=0),
    )


def test_named_files_are_scored_together_and_apart(folder: Path, tmp_path: Path) -> None:
    names = {"near": "near.csv", "far": "far.csv", "ones": "ones.csv"}
    record, predictions = run(
        folder, tmp_path, train="train.csv", validation=names, test="test.csv"
    )
    validation, test = rows_of(predictions, "validation"), rows_of(predictions, "test")
    assert validation["domain"].to_pylist() == ["near"] * 16 + ["far"] * 12 + ["ones"] * 4
    assert validation["label"].to_pylist() == [*LABELS[48:76], 1, 1, 1, 1]
    assert record.scores is not None
    assert record.scores.model_dump() == pytest.approx(scored(validation).model_dump())
    assert record.scores_by_domain is not None
    assert list(record.scores_by_domain) == ["near", "far"]
    for name, scores in record.scores_by_domain.items():
        expected = scored(rows_of(predictions, "validation", name))
        assert scores.model_dump() == pytest.approx(expected.model_dump())
    assert (record.scores_in_domain, record.scores_out_of_domain) == (None, None)
    assert test["label"].to_pylist() == LABELS[80:]
    assert record.scores_test is not None
    assert record.scores_test.model_dump() == pytest.approx(scored(test).model_dump())
    assert record.dataset is not None
    assert (record.dataset.train, record.dataset.validation, record.dataset.test) == (48, 32, 20)
    assert unlike_predictions(record, predictions) is None


def test_a_test_split_without_labels_is_predicted_and_not_scored(
    folder: Path, tmp_path: Path
) -> None:
    keys = {"train": "train.csv", "validation": "near.csv"}
    record, predictions = run(folder, tmp_path / "hidden", **keys, test="hidden.csv")
    labelled, with_labels = run(folder, tmp_path / "labelled", **keys, test="test.csv")
    test = rows_of(predictions, "test")
    assert test["label"].null_count == len(test) == 20
    assert record.scores_test is None
    assert record.scores_by_domain is None
    assert record.scores == labelled.scores
    # The labels of test change nothing but whether it is scored.
    assert test["logit_1"].to_pylist() == rows_of(with_labels, "test")["logit_1"].to_pylist()
    assert labelled.scores_test is not None
    assert unlike_predictions(record, predictions) is None


def test_a_failure_names_files_without_their_folders(folder: Path, tmp_path: Path) -> None:
    spec = DatasetSpec(
        source="file",
        train=[str(folder / "train.csv"), str(folder / "far.csv")],
        validation={"near": str(folder / "near.csv")},
        test=str(folder / "hidden.csv"),
    )
    job = job_of(folder, tmp_path, spec)
    for name in ("train.csv", "far.csv", "near.csv", "hidden.csv"):
        error = ValueError(f"{folder / name} cannot be read")
        assert failure(job, error).reason == f"ValueError: {name} cannot be read"
