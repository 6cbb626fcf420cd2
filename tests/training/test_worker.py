"""One run in a worker: what its record says, what it leaves on disk, what becomes of failures."""

import contextlib
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from builders.jobs import execute_ok, file_spec, make_job, sentences, write_rows
from builders.tiny_checkpoints import make_checkpoint
from safetensors.torch import load_file, save_file
from sklearn.metrics import confusion_matrix, matthews_corrcoef
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForSequenceClassification,
)

from harness.kept import speed
from harness.kept.speed import FEWEST
from harness.machine.provenance import RECIPE_VERSION, RECORDED_PACKAGES, RESULT_PACKAGES, versions
from harness.models.padding import settle
from harness.store import records, run_store
from harness.store.checks.consistency import inconsistency, unlike_predictions
from harness.store.classes import unpack
from harness.suite.spec import DatasetSpec
from harness.training.job import Job, Result, failure
from harness.training.worker import execute

ROWS, VALIDATION = 64, 16
# Label 0 is for the dog, label 1 for the cat.
TELLING = [
    "{0} {1} {0} {0}".format(("dog", "cat")[number % 2], text)
    for number, text in enumerate(sentences(ROWS))
]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint("bert", tmp_path_factory.mktemp("checkpoints") / "bert")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> DatasetSpec:
    """Sentences whose labels nobody could tell."""
    texts = sentences(ROWS)
    labels = [int(number * 7 % 13 < 7) for number in range(ROWS)]
    path = write_rows(tmp_path_factory.mktemp("data") / "mixed.csv", texts, labels)
    return file_spec(path, VALIDATION)


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> DatasetSpec:
    """Sentences that a model learns to tell apart within a few epochs."""
    path = tmp_path_factory.mktemp("data") / "telling.csv"
    write_rows(path, TELLING, [number % 2 for number in range(ROWS)])
    return file_spec(path, VALIDATION)


@contextlib.contextmanager
def screen(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Stand in for the terminal of a process, and read what was written on it.

    pytest's own capture gives Python other streams than the process has, unlike in a worker.
    """
    with capfd.disabled(), tempfile.TemporaryFile("w+") as file, contextlib.ExitStack() as stack:
        for number in (1, 2):
            saved = os.dup(number)
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, number)
            os.dup2(file.fileno(), number)

        def read() -> str:
            file.seek(0)
            return file.read()

        yield read


def logits_of(predictions: pa.Table) -> np.ndarray:
    return np.stack([predictions["logit_0"].to_numpy(), predictions["logit_1"].to_numpy()], 1)


def log_of(job: Job) -> str:
    return (job.folder / "log.txt").read_text(encoding="utf-8")


def assert_failed(job: Job, result: Result) -> str:
    """Check what every failed run leaves, and return its reason."""
    record = result.record
    assert record.status == "failed"
    assert result.predictions is None
    assert (record.scores, record.times, record.parameters) == (None, None, None)
    assert record.key == job.key
    assert record.started_at is not None
    assert record.finished_at is not None
    assert not (job.folder / "scratch").exists()
    assert record.reason is not None
    assert "\n" not in record.reason
    assert run_store.write_record(job.folder, record, None) == record
    return record.reason


def classifier(checkpoint: Path, folder: Path, labels: int) -> BertForSequenceClassification:
    """Write a checkpoint with a classification head into `folder` and return it for changes."""
    model = BertForSequenceClassification.from_pretrained(checkpoint, num_labels=labels)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(checkpoint).save_pretrained(folder)
    return model


@pytest.mark.parametrize(
    ("home", "told"),
    [
        ("/somebody", "ValueError: ~/data/x is not /else/data"),
        ("/", "ValueError: /somebody/data/x is not /else/data"),
        (None, "ValueError: /somebody/data/x is not /else/data"),
    ],
)
def test_a_failure_is_told_wherever_home_is_and_if_there_is_none(
    bert: Path,
    mixed: DatasetSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    home: str | None,
    told: str,
) -> None:
    job = make_job(bert, mixed, tmp_path)
    if home is None:
        monkeypatch.delenv("HOME")
        monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)  # of no known user
    else:
        monkeypatch.setenv("HOME", home)
    assert failure(job, ValueError("/somebody/data/x is not /else/data")).reason == told


def test_a_worker_with_other_packages_than_the_session_trains_nothing(
    bert: Path, mixed: DatasetSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on another machine of a Ray cluster: its result is not what the key promises."""
    job = make_job(bert, mixed, tmp_path)
    here = versions(RESULT_PACKAGES)
    monkeypatch.setattr(records, "versions", lambda packages: {**here, "torch": "0.0.1"})
    told = "this worker has other versions of packages than the session; install the same for both"
    assert assert_failed(job, execute(job)) == f"RuntimeError: {told}"


def test_a_run_computes_in_full_precision_whatever_the_process_was_told(
    bert: Path, mixed: DatasetSpec, tmp_path: Path
) -> None:
    """TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1 sets this on torch's import."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        execute_ok(make_job(bert, mixed, tmp_path))
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.set_float32_matmul_precision(before)


def test_a_record_tells_what_was_asked_and_what_it_took(
    bert: Path, telling: DatasetSpec, tmp_path: Path
) -> None:
    job = make_job(bert, telling, tmp_path, epochs=2, learning_rate=2e-3, min_mcc=0.25)
    record, predictions = execute_ok(job)
    assert (inconsistency(record), unlike_predictions(record, predictions)) == (None, None)
    assert (record.suite, record.cell) == ("tiny", "bert-bs16-lr2e-03")
    assert (record.batch_size, record.learning_rate, record.seed) == (16, 2e-3, 1)
    assert record.training == job.run.training
    assert record.checkpoint_digest == job.checkpoint.digest
    assert record.dataset == job.dataset
    assert record.reason is None
    assert (record.device, record.threads, record.concurrency) == ("cpu", 1, 1)
    assert record.recipe_version == RECIPE_VERSION
    assert record.versions.keys() == set(RECORDED_PACKAGES)
    assert all(record.versions[package] for package in RESULT_PACKAGES)
    assert record.machine is not None
    assert record.started_at is not None
    assert record.finished_at is not None
    assert record.started_at <= record.finished_at

    times = record.times
    assert times is not None
    assert times.load + times.tokenise + times.train <= times.total
    assert [epoch.epoch for epoch in record.epochs] == [1, 2]
    assert 0 < record.epochs[0].seconds < record.epochs[1].seconds <= times.train
    assert record.samples_per_second == pytest.approx(2 * (ROWS - VALIDATION) / times.train)
    assert record.eval_ms_per_sentence == pytest.approx(1000 * times.evaluate / VALIDATION)
    assert record.peak_memory_mb is not None
    assert 50 < record.peak_memory_mb < 50_000
    serving = record.serving
    assert serving is not None
    assert serving.sentences == min(VALIDATION, FEWEST)
    assert 0 < serving.latency_ms <= serving.latency_p95_ms < 1000 * times.total
    assert serving.sentences / serving.sentences_per_second[1] < times.total
    assert serving.threads == 1
    assert record.truncated_sentences == 0
    assert record.model_kept is False
    assert record.scores_in_domain is None
    assert record.scores_out_of_domain is None
    assert record.scores_test is None


def test_a_measurement_that_fails_loses_no_run(
    bert: Path, telling: DatasetSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(speed, "measure", fails)
    job = make_job(bert, telling, tmp_path, keep_model=True)
    record, predictions = execute_ok(job)
    assert (inconsistency(record), unlike_predictions(record, predictions)) == (None, None)
    assert record.serving is None
    assert "how fast the model answers was not measured: no such kernel" in record.warnings
    assert (job.folder / "model" / "config.json").is_file()
    assert "no such kernel" in log_of(job)


@pytest.mark.parametrize(
    ("parts", "alone", "largest"), [(1, False, 8 * 16), (4, False, 8 * 4), (1, True, 1)]
)
def test_batches_of_answers_are_bounded_by_those_of_training(
    bert: Path,
    telling: DatasetSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    parts: int,
    alone: bool,
    largest: int,
) -> None:
    given: dict[str, Any] = {}

    def spied(*_: Any, **named: Any) -> None:
        given.update(named)
        raise RuntimeError("seen")

    monkeypatch.setattr(speed, "measure", spied)

    def settled(*arguments: Any) -> Any:
        return settle(*arguments).model_copy(update={"alone": alone})

    monkeypatch.setattr("harness.training.worker.settle", settled)
    execute_ok(replace(make_job(bert, telling, tmp_path, on_oom="halve"), parts=parts))
    assert given["largest"] == largest


def test_the_selected_epoch_is_the_first_of_the_best(
    bert: Path, mixed: DatasetSpec, tmp_path: Path
) -> None:
    record, _ = execute_ok(make_job(bert, mixed, tmp_path, epochs=4))
    correlations = [epoch.scores.mcc for epoch in record.epochs]
    best = correlations.index(max(correlations))
    assert record.selected_epoch == record.epochs[best].epoch
    assert record.scores == record.epochs[best].scores


@pytest.mark.parametrize("batching", ["random", "length-grouped"])
@pytest.mark.parametrize("speedups", [(), ("sorted-evaluation",)])
def test_every_epoch_keeps_the_class_of_every_validation_sentence(
    batching: str, speedups: tuple[str, ...], bert: Path, telling: DatasetSpec, tmp_path: Path
) -> None:
    training: dict[str, Any] = {"epochs": 3, "batching": batching, "speedups": speedups}
    record, predictions = execute_ok(
        make_job(bert, telling, tmp_path, learning_rate=2e-3, **training)
    )
    assert record.labels is not None
    labels = unpack(record.labels, VALIDATION)
    assert labels.tolist() == predictions["label"].to_pylist()
    for epoch in record.epochs:
        assert epoch.classes is not None
        given = unpack(epoch.classes, VALIDATION)
        assert epoch.scores.mcc == pytest.approx(matthews_corrcoef(labels, given))
        if epoch.epoch == record.selected_epoch:
            assert given.tolist() == logits_of(predictions).argmax(axis=1).tolist()


def test_confusions_by_length_add_up_to_that_of_all_sentences(
    bert: Path, mixed: DatasetSpec, tmp_path: Path
) -> None:
    record, predictions = execute_ok(make_job(bert, mixed, tmp_path))
    assert set(record.confusion_by) == {"length"}  # the file tells no source
    groups = record.confusion_by["length"]
    assert set(groups) <= {"1-4 words", "5-6 words", "7-9 words"}
    labels, given = predictions["label"].to_numpy(), logits_of(predictions).argmax(axis=1)
    ((true_negative, false_positive), (false_negative, true_positive)) = confusion_matrix(
        labels, given, labels=[0, 1]
    )
    assert sum(group.true_positive for group in groups.values()) == true_positive
    assert sum(group.false_positive for group in groups.values()) == false_positive
    assert sum(group.false_negative for group in groups.values()) == false_negative
    assert sum(group.true_negative for group in groups.values()) == true_negative


def test_the_record_has_the_group_of_every_validation_sentence(bert: Path, tmp_path: Path) -> None:
    texts = sentences(60)
    frame = pd.DataFrame({"sentence": texts, "label": np.arange(60) % 2})
    frame["writer"] = [f"writer {number % 9}" for number in range(60)]
    frame.to_csv(tmp_path / "own.csv", index=False)
    spec = file_spec(tmp_path / "own.csv").model_copy(update={"group_column": "writer"})
    record, predictions = execute_ok(make_job(bert, spec, tmp_path))
    assert record.groupings is not None
    assert set(record.groupings) == {"source"}
    found = record.groupings["source"]
    writers = frame["writer"].to_numpy()[predictions["idx"].to_numpy()].tolist()
    assert record.dataset is not None
    assert record.dataset.validation == len(writers)  # no writer is in two splits
    assert [found.names[number] for number in found.unpacked(len(writers))] == writers
    assert predictions["source"].to_pylist() == writers
    assert set(record.confusion_by) == {"length", "source"}


def test_time_to_target_is_the_end_of_the_first_epoch_that_reached_it(
    bert: Path, telling: DatasetSpec, tmp_path: Path
) -> None:
    record, predictions = execute_ok(
        make_job(bert, telling, tmp_path, epochs=5, batch_size=4, min_mcc=0.9)
    )
    reached = [epoch.seconds for epoch in record.epochs if epoch.scores.mcc >= 0.9]
    assert 1 < len(reached) < 5, [epoch.scores.mcc for epoch in record.epochs]
    assert record.time_to_target_seconds == reached[0]
    assert record.verdict == "pass"
    assert set(logits_of(predictions).argmax(axis=1)) == {0, 1}
    assert record.warnings == ()


def test_a_target_that_is_never_reached_has_no_time(
    bert: Path, mixed: DatasetSpec, tmp_path: Path
) -> None:
    record, _ = execute_ok(make_job(bert, mixed, tmp_path, min_mcc=1.0))
    assert record.target_mcc == 1.0
    assert record.time_to_target_seconds is None
    assert record.verdict == "fail"


def test_without_a_gate_there_is_neither_verdict_nor_time_to_target(
    bert: Path, mixed: DatasetSpec, tmp_path: Path
) -> None:
    record, _ = execute_ok(make_job(bert, mixed, tmp_path))
    assert (record.threshold, record.verdict) == (None, None)
    assert record.time_to_target_seconds is None


def test_a_model_that_gives_every_sentence_the_same_class_is_warned_of(
    bert: Path, mixed: DatasetSpec, tmp_path: Path
) -> None:
    model = classifier(bert, tmp_path / "biased", labels=2)
    with torch.no_grad():
        model.classifier.bias.copy_(torch.tensor([-50.0, 50.0]))
    model.save_pretrained(tmp_path / "biased")
    record, predictions = execute_ok(
        make_job(tmp_path / "biased", mixed, tmp_path, learning_rate=1e-6)
    )
    assert set(logits_of(predictions).argmax(axis=1)) == {1}
    assert record.scores is not None
    assert record.scores.mcc == 0
    trained, same = record.warnings[:2]
    assert trained.startswith("its classification head is trained already")
    assert "same class" in same
    assert "too few optimiser steps (3): " in same


def test_sentences_cut_at_the_maximum_length_are_counted_and_warned_of(
    bert: Path, mixed: DatasetSpec, tmp_path: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(bert)
    lengths = [len(ids) for ids in tokenizer(sentences(ROWS))["input_ids"]]
    record, predictions = execute_ok(make_job(bert, mixed, tmp_path, max_length=8))
    too_long = sum(length > 8 for length in lengths)
    assert 0 < too_long < ROWS
    assert record.truncated_sentences == too_long
    assert any(f"{too_long} sentences were cut" in warning for warning in record.warnings)
    kept = dict(zip(predictions["idx"].to_pylist(), predictions["tokens"].to_pylist(), strict=True))
    assert kept == {row: min(lengths[row], 8) for row in kept}


def test_the_same_job_gives_the_same_bits(bert: Path, mixed: DatasetSpec, tmp_path: Path) -> None:
    job = make_job(bert, mixed, tmp_path)
    record, predictions = execute_ok(job)
    torch.manual_seed(99)  # whatever the process drew before does not matter
    again, same = execute_ok(replace(job, folder=tmp_path / "again"))
    assert predictions.equals(same)
    assert again.scores == record.scores
    losses = [(epoch.train_loss, epoch.eval_loss) for epoch in record.epochs]
    assert losses == [(epoch.train_loss, epoch.eval_loss) for epoch in again.epochs]


@pytest.mark.parametrize("architecture", ["bert", "mpnet", "modernbert", "gpt2"])
def test_training_in_bf16_works_on_a_cpu(
    architecture: str, mixed: DatasetSpec, tmp_path: Path
) -> None:
    checkpoint = make_checkpoint(architecture, tmp_path / architecture)
    _, full = execute_ok(make_job(checkpoint, mixed, tmp_path))
    _, half = execute_ok(make_job(checkpoint, mixed, tmp_path, precision="bf16"))
    difference = np.abs(logits_of(half) - logits_of(full))
    assert difference.max() > 0, "the precision had no effect"
    assert difference.mean() < 0.2


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16])
def test_weights_stored_in_half_precision_are_trained_as_the_numbers_that_they_are(
    bert: Path, mixed: DatasetSpec, tmp_path: Path, stored: torch.dtype
) -> None:
    """Whatever the files hold and the configuration declares, precision is what the suite says."""
    half, single = tmp_path / "half", tmp_path / "single"
    AutoModel.from_pretrained(bert).to(stored).save_pretrained(half)
    AutoModel.from_pretrained(half).to(torch.float32).save_pretrained(single)
    for folder in (half, single):
        AutoTokenizer.from_pretrained(bert).save_pretrained(folder)
    assert load_file(half / "model.safetensors")["pooler.dense.weight"].dtype == stored
    _, expected = execute_ok(make_job(single, mixed, tmp_path))
    job = make_job(half, mixed, tmp_path, keep_model=True)
    _, found = execute_ok(job)
    assert found.equals(expected)
    kept = load_file(job.folder / "model" / "model.safetensors")
    assert {weight.dtype for weight in kept.values()} == {torch.float32}


def test_a_checkpoint_of_a_regression_is_trained_to_classify(
    bert: Path, mixed: DatasetSpec, tmp_path: Path
) -> None:
    model = classifier(bert, tmp_path / "regression", labels=1)
    model.config.problem_type = "regression"
    model.config.save_pretrained(tmp_path / "regression")
    record, predictions = execute_ok(make_job(tmp_path / "regression", mixed, tmp_path))
    assert len(predictions) == VALIDATION
    assert record.epochs[0].train_loss == pytest.approx(math.log(2), abs=0.3)


def test_a_head_of_three_labels_is_replaced(bert: Path, mixed: DatasetSpec, tmp_path: Path) -> None:
    classifier(bert, tmp_path / "three", labels=3)
    job = make_job(tmp_path / "three", mixed, tmp_path, keep_model=True)
    record, predictions = execute_ok(job)
    assert len(predictions) == VALIDATION
    assert load_file(job.folder / "model" / "model.safetensors")["classifier.bias"].shape == (2,)
    plain, _ = execute_ok(make_job(bert, mixed, tmp_path))
    assert record.parameters == plain.parameters


# With a trimmed vocabulary and rewritten layers, and without; with a pad token, and without.
@pytest.mark.parametrize(
    ("architecture", "training"),
    [("bert", {}), ("bert", {"speedups": ()}), ("albert", {}), ("gpt2", {})],
    ids=["bert", "bert-plain", "albert", "gpt2"],
)
def test_a_kept_model_gives_the_logits_of_the_predictions(
    architecture: str, training: dict[str, Any], telling: DatasetSpec, tmp_path: Path
) -> None:
    checkpoint = make_checkpoint(architecture, tmp_path / architecture)
    job = make_job(
        checkpoint, telling, tmp_path, keep_model=True, epochs=5, batch_size=4, **training
    )
    record, predictions = execute_ok(job)
    assert record.model_kept is True
    assert record.selected_epoch != 5, "the last epoch's model would do"

    tokenizer = AutoTokenizer.from_pretrained(job.folder / "model")
    model = AutoModelForSequenceClassification.from_pretrained(job.folder / "model").eval()
    assert model.config.id2label == {0: "unacceptable", 1: "acceptable"}
    assert model.config.label2id == {"unacceptable": 0, "acceptable": 1}
    assert model.get_input_embeddings().num_embeddings == len(tokenizer)
    assert sum(parameter.numel() for parameter in model.parameters()) == record.parameters

    texts = [TELLING[row] for row in predictions["idx"].to_pylist()]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        logits = model(**batch).logits.numpy()
    np.testing.assert_allclose(logits, logits_of(predictions), atol=1e-5, rtol=0)


def test_no_model_is_kept_unless_asked_for(bert: Path, mixed: DatasetSpec, tmp_path: Path) -> None:
    job = make_job(bert, mixed, tmp_path)
    execute_ok(job)
    assert [path.name for path in job.folder.iterdir()] == ["log.txt"]


@pytest.mark.parametrize("speedups", [(), ("memory-checkpoint",)], ids=["plain", "in-memory"])
def test_a_finished_run_leaves_no_scratch_files(
    speedups: tuple[str, ...], bert: Path, mixed: DatasetSpec, tmp_path: Path
) -> None:
    job = make_job(bert, mixed, tmp_path, speedups=speedups)
    (job.folder / "scratch" / "checkpoint-1").mkdir(parents=True)  # of a run that was killed
    execute_ok(job)
    assert not (job.folder / "scratch").exists()


def test_a_checkpoint_that_changed_while_its_run_waited_fails(
    bert: Path, mixed: DatasetSpec, tmp_path: Path
) -> None:
    changed = tmp_path / "changed"
    changed.mkdir()
    for file in bert.iterdir():
        (changed / file.name).write_bytes(file.read_bytes())
    job = make_job(changed, mixed, tmp_path)
    config = changed / "config.json"
    config.write_text(config.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert "checkpoint changed after the session began" in assert_failed(job, execute(job))


def test_an_exception_becomes_a_failed_record_and_a_traceback_in_the_log(
    bert: Path, mixed: DatasetSpec, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in bert.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    job = make_job(broken, mixed, tmp_path)
    (broken / "model.safetensors").unlink()  # after the session had found it
    with screen(capfd) as read:
        result = execute(job)
        assert read() == ""
    reason = assert_failed(job, result)
    assert reason.startswith("OSError: ")
    assert "model.safetensors" in reason
    first, *_, last = log_of(job).splitlines()
    assert first == "Traceback (most recent call last):"
    assert last.endswith(f"found in directory {broken}.")
    assert reason == last.replace(str(broken), "broken")  # no folder of this machine


def test_data_that_change_after_the_session_began_fail_the_run(bert: Path, tmp_path: Path) -> None:
    labels = [number % 2 for number in range(ROWS)]
    path = write_rows(tmp_path / "rows.csv", sentences(ROWS), labels)
    job = make_job(bert, file_spec(path, VALIDATION), tmp_path)
    write_rows(path, sentences(ROWS), labels[::-1])
    reason = assert_failed(job, execute(job))
    assert "the data changed" in reason


def test_data_that_vanish_after_the_session_began_fail_the_run(bert: Path, tmp_path: Path) -> None:
    labels = [number % 2 for number in range(ROWS)]
    path = write_rows(tmp_path / "rows.csv", sentences(ROWS), labels)
    job = make_job(bert, file_spec(path, VALIDATION), tmp_path)
    path.unlink()
    reason = assert_failed(job, execute(job))
    assert "rows.csv: no such file" in reason


@pytest.mark.parametrize("selection", ["best-epoch", "last-epoch"])
def test_logits_that_are_not_numbers_fail_the_run(
    selection: str, bert: Path, mixed: DatasetSpec, tmp_path: Path
) -> None:
    """Weights that are numbers, but too large to be multiplied."""
    classifier(bert, tmp_path / "nan", labels=2)
    weights = load_file(tmp_path / "nan" / "model.safetensors")
    weights["classifier.weight"][:] = 3e38
    save_file(weights, tmp_path / "nan" / "model.safetensors", metadata={"format": "pt"})
    job = make_job(tmp_path / "nan", mixed, tmp_path, selection=selection, speedups=())
    reason = assert_failed(job, execute(job))
    assert reason.startswith("ValueError: ")
    assert "NaN" in reason


def test_nothing_is_printed_on_the_terminal(
    bert: Path, mixed: DatasetSpec, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    job = make_job(bert, mixed, tmp_path, max_length=8)
    with screen(capfd) as read:
        execute_ok(job)
        assert read() == ""
        os.write(1, b"this is")
        print(" read", flush=True)
        assert read() == "this is read\n", "the stand-in for a terminal does not work"
    assert "eval_matthews_correlation" in log_of(job)
