"""Every architecture goes through the whole pipeline: data, training, scores, record, predictions.

The checkpoints are folders and no hub can be reached.
"""

import socket
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from builders.jobs import execute_ok, file_spec, make_job, sentences, write_rows
from builders.tiny_checkpoints import ARCHITECTURES, MAX_LENGTH, make_checkpoint
from safetensors.torch import load_file
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef
from transformers import AutoTokenizer

from harness.store import run_store
from harness.store.predictions import PREDICTIONS, read_predictions
from harness.store.records import Record, Scores
from harness.suite.spec import DatasetSpec

ROWS, VALIDATION, TEST = 60, 16, 12
# Parameters of a linear layer from a width of 32 to two classes, and to a width of 32.
TWO_CLASSES, DENSE = 32 * 2 + 2, 32 * 32 + 32
# How many parameters a classifier has beyond its checkpoint's.
HEAD = {
    "bert": TWO_CLASSES,
    "distilbert": DENSE + TWO_CLASSES,
    "roberta": TWO_CLASSES,  # its hidden layer takes the place of the checkpoint's pooler
    "albert": TWO_CLASSES,
    "electra": DENSE + TWO_CLASSES,
    "deberta-v2": DENSE + TWO_CLASSES,
    "mpnet": TWO_CLASSES,  # as RoBERTa
    "xlnet": DENSE + TWO_CLASSES,
    "modernbert": 32 * 32 + 32 + TWO_CLASSES,  # a layer without bias, and a norm without bias
    "gpt2": 32 * 2,
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("neither checkpoint nor data need the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def write_data(folder: Path) -> DatasetSpec:
    texts = sentences(ROWS)
    labels = [int(number % 5 < 3) for number in range(ROWS)]
    return file_spec(write_rows(folder / "rows.csv", texts, labels), VALIDATION, TEST)


def logits_of(predictions: pa.Table) -> np.ndarray:
    return np.stack([predictions["logit_0"].to_numpy(), predictions["logit_1"].to_numpy()], 1)


def part(predictions: pa.Table, split: str) -> pa.Table:
    return predictions.filter(pc.equal(predictions["split"], split))


def recomputed(predictions: pa.Table) -> Scores:
    """Scores of labelled predictions by scikit-learn."""
    labels, classes = predictions["label"].to_pylist(), logits_of(predictions).argmax(axis=1)
    return Scores(
        mcc=matthews_corrcoef(labels, classes),
        accuracy=accuracy_score(labels, classes),
        f1=f1_score(labels, classes, zero_division=0),
    )


def read_again(folder: Path) -> tuple[Record, pa.Table]:
    """Read the one record of a results folder from disk."""
    (stored,), unreadable = run_store.read_store(folder)
    assert unreadable == []
    return stored.record, read_predictions(stored.folder)


def test_every_architecture_has_its_head_listed() -> None:
    assert HEAD.keys() == set(ARCHITECTURES)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_architecture_goes_through_the_whole_pipeline(architecture: str, tmp_path: Path) -> None:
    checkpoint = make_checkpoint(architecture, tmp_path / architecture)
    job = make_job(checkpoint, write_data(tmp_path), tmp_path)
    record, predictions = execute_ok(job)

    assert record.key == job.key
    assert record.checkpoint == architecture
    assert record.dataset is not None
    assert record.dataset.train == ROWS - VALIDATION - TEST
    assert record.selected_epoch == 1
    (epoch,) = record.epochs
    assert epoch.scores == record.scores
    # Two classes, nearly as good as chance after two steps.
    assert 0.3 < (epoch.train_loss or 0) < 3
    assert 0.3 < (epoch.eval_loss or 0) < 3
    assert record.times is not None
    assert 0 < record.times.train < record.times.total

    assert predictions.schema == PREDICTIONS
    assert predictions["split"].to_pylist() == ["validation"] * VALIDATION + ["test"] * TEST
    assert len(set(predictions["idx"].to_pylist())) == VALIDATION + TEST
    assert set(predictions["label"].to_pylist()) == {0, 1}
    assert np.isfinite(logits_of(predictions)).all()
    assert len(np.unique(logits_of(predictions)[:, 1])) == VALIDATION + TEST
    validation, test = (part(predictions, split) for split in ("validation", "test"))
    assert record.scores == recomputed(validation)
    assert record.scores_test == recomputed(test)
    one_class = len(set(logits_of(validation).argmax(axis=1))) == 1
    assert ["same class" in warning for warning in record.warnings] == [True] * one_class

    texts, tokenizer = sentences(ROWS), AutoTokenizer.from_pretrained(checkpoint)
    for row in predictions.to_pylist():
        assert row["tokens"] == len(tokenizer(texts[row["idx"]])["input_ids"]) <= MAX_LENGTH
        assert row["label"] == int(row["idx"] % 5 < 3)

    stored = sum(weight.numel() for weight in load_file(checkpoint / "model.safetensors").values())
    assert record.parameters == stored + HEAD[architecture]

    written = run_store.write_record(job.folder, record, predictions)
    assert read_again(tmp_path) == (written, predictions)


def test_hidden_labels_are_null_and_domains_are_scored_apart(tmp_path: Path) -> None:
    texts = iter(sentences(8551 + 1043 + 1063))

    def labelled(count: int) -> str:
        rows = (f"src{n % 3}\t{int(n % 3 > 0)}\t*\t{next(texts)}\n" for n in range(count))
        return "".join(rows)

    cola = tmp_path / "cola"
    cola.mkdir()
    (cola / "train.tsv").write_text(labelled(8551))
    (cola / "dev.tsv").write_text(labelled(1043))
    unlabelled = "".join(f"{n}\t{next(texts)}\n" for n in range(1063))
    (cola / "test.tsv").write_text("index\tsentence\n" + unlabelled)

    checkpoint = make_checkpoint("bert", tmp_path / "bert")
    job = make_job(
        checkpoint,
        DatasetSpec(source="cola"),
        tmp_path,
        batch_size=256,
        eval_batch_size=256,
        cola_dir=cola,
    )
    record, predictions = execute_ok(job)
    validation, test = (part(predictions, split) for split in ("validation", "test"))
    assert len(validation) == 1043
    assert validation["domain"].to_pylist() == ["in"] * 527 + ["out"] * 516
    assert validation["source"].to_pylist() == [f"src{n % 3}" for n in range(1043)]
    assert record.scores == recomputed(validation)
    assert record.scores_in_domain == recomputed(validation[:527])
    assert record.scores_out_of_domain == recomputed(validation[527:])

    assert len(test) == 1063
    assert test["idx"].to_pylist() == list(range(1063))
    assert test["label"].null_count == 1063
    assert set(test["domain"].to_pylist()) == {""}
    assert np.isfinite(logits_of(test)).all()
    assert record.scores_test is None
