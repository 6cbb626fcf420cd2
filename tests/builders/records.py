"""Builders of plans, records and predictions as sessions write them, for tests.

Every value is plausible unless a test sets it; the same call gives the same result.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from harness.machine.provenance import RECIPE_VERSION, Machine
from harness.store import classes
from harness.store.measured.serving import Serving
from harness.store.predictions import schema_of
from harness.store.records import (
    DatasetFacts,
    Epoch,
    Record,
    Scores,
    Times,
    classes_of,
    key_of,
    time_to_target,
)
from harness.store.run_store import Stored, run_folder, write_record
from harness.store.stopped import epochs_trained, verdict_of
from harness.suite.plan import Cell, Run
from harness.suite.spec import Thresholds, TrainingSpec

COLA = DatasetFacts(
    name="cola",
    origin="the corpus' own TSV folder",
    fingerprint="c" * 64,
    train=8551,
    validation=1043,
    test=1063,
)

EMBEDDED = DatasetFacts(
    name="embedded",
    origin="the embedded corpus",
    fingerprint="e" * 64,
    train=3000,
    validation=600,
    test=600,
)

MACHINE = Machine(
    system="Linux x86_64",
    processor="Example CPU",
    cores=2,
    memory_gb=8.0,
    accelerator=None,
    python="3.11.9",
)

CIRCUMSTANCES: dict[str, Any] = {
    "dataset": COLA,
    "device": "cpu",
    "threads": 2,
    "concurrency": 1,
    "versions": {"torch": "2.13.0", "transformers": "5.23.0"},
    "commit": "0123456789ab",
    "machine": MACHINE,
    "started_at": "2026-01-02T03:04:05+00:00",
    "finished_at": "2026-01-02T03:06:05+00:00",
}
"""Fields in the record of every run that started, regardless of its result."""


def make_cell(
    checkpoint: str = "org/encoder",
    batch_size: int = 16,
    learning_rate: float = 2e-5,
    seeds: tuple[int, ...] = (0,),
    **changes: Any,
) -> Cell:
    """Build a cell of the suite `sample`, with a gate at 0.3 and a target of 0.3."""
    fields: dict[str, Any] = {
        "suite": "sample",
        "id": f"{checkpoint.rpartition('/')[2]}-bs{batch_size}-lr{learning_rate:g}",
        "checkpoint": checkpoint,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seeds": seeds,
        "gates": Thresholds(min_mcc=changes.pop("threshold", 0.3)),
        "target": 0.3,
    }
    return Cell(**{**fields, **changes})


def make_record(cell: Cell, seed: int = 0, mcc: float = 0.4, **changes: Any) -> Record:
    """Build the record of a scored run: two epochs, the second is better."""
    scores = Scores(mcc=mcc, accuracy=0.6 + mcc / 4, f1=0.7 + mcc / 4)
    epochs = (
        Epoch(
            epoch=1,
            train_loss=0.65,
            eval_loss=0.62,
            scores=Scores(mcc=mcc / 2, accuracy=0.6, f1=0.7),
            seconds=50.0 + seed % 1000,
        ),
        Epoch(epoch=2, train_loss=0.5, eval_loss=0.55, scores=scores, seconds=100.0 + seed % 1000),
    )
    fields: dict[str, Any] = {
        "status": "ok",
        "reason": None,
        "scores": scores,
        "epochs": epochs,
        "selected_epoch": 2,
        "peak_memory_mb": 900.5 + seed,
        "parameters": 22_713_986,
        "truncated_sentences": 0,
        "predictions_sha256": "0" * 64,
        "recipe_version": 1,  # its records have no classes
    }
    values = {**CIRCUMSTANCES, "training": TrainingSpec(), **fields, **changes}
    return _record(cell, seed, {**values, **_costs(cell, seed, values), **changes})


def _costs(cell: Cell, seed: int, values: dict[str, Any]) -> dict[str, Any]:
    """Return the times of a run, and the fields computed from them and its epochs."""
    facts, epochs = values["dataset"], values["epochs"]
    if facts is None or values.get("times", ...) is None:
        return {}
    evaluate = 2.875 * facts.validation / 1000
    train = max([100.5 + seed % 1000, *(epoch.seconds for epoch in epochs)])
    usual = Times(
        load=1.0, tokenise=2.0, train=train, evaluate=evaluate, total=train + evaluate + 4
    )
    times = values.get("times") or usual
    trained = epochs_trained(values["training"], epochs, values.get("stopped"))
    speed = facts.train * trained / times.train if times.train else None
    start, finish = (
        datetime.fromisoformat(CIRCUMSTANCES[name]) for name in ("started_at", "finished_at")
    )
    finish = max(finish, start + timedelta(seconds=times.total))
    return {
        "times": times,
        "samples_per_second": speed,
        "eval_ms_per_sentence": 1000 * times.evaluate / facts.validation,
        "time_to_target_seconds": time_to_target(epochs, cell.target),
        "finished_at": finish.isoformat(timespec="seconds"),
    }


def make_serving(latency_ms: float = 5.0, **changes: Any) -> Serving:
    """Build the answers of a model with this median; batches of 8 are the fastest."""
    fields: dict[str, Any] = {
        "latency_ms": latency_ms,
        "latency_p95_ms": 2 * latency_ms,
        "sentences": 5,
        "sentences_per_second": {1: 900 / latency_ms, 8: 4000 / latency_ms},
        "threads": 2,
        "other_programs": 0.0,
    }
    return Serving(**{**fields, **changes})


def scores_of_epochs(mccs: Sequence[float]) -> tuple[Epoch, ...]:
    """Build the epochs of a run with these MCCs."""
    return tuple(
        Epoch(
            epoch=epoch,
            train_loss=0.65 / epoch,
            eval_loss=0.6,
            scores=Scores(mcc=mcc, accuracy=0.6, f1=0.7),
            seconds=50.0 * epoch,
        )
        for epoch, mcc in enumerate(mccs, start=1)
    )


def predicted_record(
    cell: Cell,
    seed: int,
    labels: np.ndarray,
    predictions: np.ndarray,
    number: int = 2,
    **changes: Any,
) -> Record:
    """Build the record of a run from its predictions.

    Args:
        labels: (sentences,) of the validation split.
        predictions: (epochs, sentences) the predicted classes after each epoch; the best epoch is
            selected.
        number: of classes.
    """
    average = {"average": "macro"} if number > 2 else {}
    epochs = tuple(
        Epoch(
            epoch=epoch,
            train_loss=0.65 / epoch,
            eval_loss=0.6,
            scores=Scores(
                mcc=matthews_corrcoef(labels, predicted),
                accuracy=accuracy_score(labels, predicted),
                f1=f1_score(labels, predicted, **average),
            ),
            seconds=50.0 * epoch,
            classes=classes.pack(predicted, number),
        )
        for epoch, predicted in enumerate(predictions, start=1)
    )
    best = max(epochs, key=lambda epoch: epoch.scores.mcc)
    fields: dict[str, Any] = {
        "dataset": COLA.model_copy(update={"validation": len(labels)}),
        "scores": best.scores,
        "epochs": epochs,
        "selected_epoch": best.epoch,
        "labels": classes.pack(labels, number),
        "recipe_version": RECIPE_VERSION,
    }
    return make_record(cell, seed, **{**fields, **changes})


def record_of_mcc(
    cell: Cell, seed: int, mcc: float, sentences: int = 400, **changes: Any
) -> Record:
    """Build the record of a run whose predictions have a given MCC, up to 2 / sentences.

    Each class has half of the sentences and the same number of errors, `wrong`:
    MCC = TP / P - FP / N = 1 - 4 wrong / sentences.
    """
    labels = np.arange(sentences) % 2
    wrong = np.arange(sentences) < 2 * round((1 - mcc) * sentences / 4)
    given = np.where(wrong, 1 - labels, labels)
    return predicted_record(cell, seed, labels, given[np.newaxis], **changes)


def failed_record(
    cell: Cell, seed: int = 0, reason: str = "RuntimeError: out of memory", **changes: Any
) -> Record:
    """Build the record of a failed run."""
    fields = {"status": "failed", "reason": reason}
    return _record(cell, seed, {**CIRCUMSTANCES, **fields, **changes})


def skipped_record(
    cell: Cell, seed: int = 0, reason: str = "the hub cannot be reached; go online", **changes: Any
) -> Record:
    """Build the record of a skipped run."""
    fields = {"key": None, "checkpoint_digest": None, "status": "skipped", "reason": reason}
    return _record(cell, seed, {**fields, **changes})


def make_predictions(seed: int = 0, sentences: int = 8, number: int = 2) -> pa.Table:
    """Build predictions of a validation split: random logits, each class as often as others."""
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "split": ["validation"] * sentences,
            "idx": np.arange(sentences),
            "label": np.arange(sentences) % number,
            "domain": ["in", "out"] * (sentences // 2) + ["out"] * (sentences % 2),
            "source": ["book"] * sentences,
            "tokens": random.integers(4, 20, sentences),
            **{f"logit_{label}": random.normal(size=sentences) for label in range(number)},
        }
    ).cast(schema_of(number))


def predictions_of(record: Record) -> pa.Table:
    """Build predictions that match a record if it has its classes; else any predictions."""
    chosen = [each.classes for each in record.epochs if each.epoch == record.selected_epoch]
    if record.labels is None or record.dataset is None or not chosen or chosen[0] is None:
        return make_predictions(record.seed)
    count = record.dataset.validation
    number = classes_of(record)
    table = make_predictions(record.seed, count, number)
    given = classes.unpack(chosen[0], count)
    for name, known in (
        ("domain", record.scores_in_domain or record.scores_out_of_domain),
        ("source", record.confusion_by.get("source")),
    ):
        if not known:
            place = table.schema.get_field_index(name)
            table = table.set_column(place, name, pa.array([""] * count))
    for name, values in (
        ("label", classes.unpack(record.labels, count)),
        *((f"logit_{label}", (given == label) + 0.5 * (label > 0)) for label in range(number)),
    ):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.array(values))
    return table.cast(schema_of(number))


def keep(suite_folder: Path, cell: Cell, record: Record) -> Stored:
    """Write a record to the store, with predictions if it was scored."""
    folder = run_folder(suite_folder, Run(cell, record.seed, record.training), record.key)
    predictions = predictions_of(record) if record.status == "ok" else None
    return Stored(write_record(folder, record, predictions), folder)


def digest(checkpoint: str) -> str:
    """Return the digest that these records give to a checkpoint's files."""
    return hashlib.sha256(checkpoint.encode()).hexdigest()


def with_key(record: Record) -> Record:
    """Return a record with the key that matches its contents."""
    return record.model_copy(update={"key": key_of(record)})


def _record(cell: Cell, seed: int, fields: dict[str, Any]) -> Record:
    planned = {
        "checkpoint_digest": digest(cell.checkpoint),
        "suite": cell.suite,
        "cell": cell.id,
        "checkpoint": cell.checkpoint,
        "checkpoint_revision": None,
        "batch_size": cell.batch_size,
        "learning_rate": cell.learning_rate,
        "seed": seed,
        "training": TrainingSpec(),
        "threshold": cell.threshold,
        "target_mcc": cell.target,
    }
    record = Record.model_validate({"key": "not yet known", **planned, **fields})
    if record.scores is not None and "verdict" not in fields:
        verdict = verdict_of(record.scores.mcc, record.threshold, record.stopped is not None)
        record = record.model_copy(update={"verdict": verdict})
    return record if "key" in fields else with_key(record)
