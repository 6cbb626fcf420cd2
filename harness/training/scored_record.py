"""Builds the record and the predictions of a scored run from the outcome of its training."""

import math
import resource
import sys
from collections.abc import Sequence

import datasets
import numpy as np
import pyarrow as pa
import torch

from harness.inputs.data.rows import HIDDEN_LABEL
from harness.models.encode import Encoded, token_counts
from harness.store import classes, records
from harness.store.class_counts import confusion_matrix
from harness.store.grouping import groupings
from harness.store.groups import confusion_by, counts_by, scores_by_domain
from harness.store.lengths import length_of
from harness.store.predictions import LOGIT, schema_of
from harness.store.records import Epoch, Record, Scores, Times
from harness.store.stopped import Stopped, epochs_trained, verdict_of
from harness.training import diagnosis
from harness.training.finetune import Outcome
from harness.training.job import Job, describe
from harness.training.score import one_class, score


def scored_record(
    job: Job,
    splits: datasets.DatasetDict,
    encoded: Encoded,
    outcome: Outcome,
    times: Times,
) -> Record:
    """Return the record of a scored run, with all fields that its outcome determines.

    Args:
        splits: the sentences with their labels, domains and sources.
        encoded: the same sentences as token ids.
    """
    run = job.run
    logits = outcome.logits["validation"]
    labels = np.asarray(splits["validation"]["label"])
    domains = np.asarray(list(splits["validation"]["domain"]), dtype=object)
    predicted, number = logits.argmax(axis=1), logits.shape[1]
    scores = score(logits, labels)
    test = None
    if "test" in splits and not _hidden(splits["test"]):
        test = score(outcome.logits["test"], np.asarray(splits["test"]["label"]))
    groups = {
        "source": list(splits["validation"]["source"]),
        "length": [length_of(sentence) for sentence in splits["validation"]["sentence"]],
    }
    least = diagnosis.least_loss(run.training.label_smoothing, number)
    stopped = _stopped(job, outcome.epochs)
    trained = epochs_trained(run.training, outcome.epochs, stopped)
    return describe(job).model_copy(
        update={
            "status": "ok",
            "reason": None,
            "verdict": verdict_of(scores.mcc, run.cell.threshold, stopped is not None),
            "scores": scores,
            "scores_in_domain": _domain_scores(logits, labels, domains == "in"),
            "scores_out_of_domain": _domain_scores(logits, labels, domains == "out"),
            "scores_by_domain": scores_by_domain(domains, labels, predicted, number),
            "scores_test": test,
            "confusion_by": {
                name: counts
                for name, values in groups.items()
                if number == 2 and (counts := confusion_by(values, labels, predicted))
            },
            "confusion_matrix": None if number == 2 else _matrix(labels, predicted, number),
            "counts_by": None
            if number == 2
            else {"length": counts_by(groups["length"], labels, predicted, number)},
            "groupings": groupings(job.dataset.name, groups["source"], domains.tolist()),
            "labels": classes.pack(labels, number),
            "epochs": outcome.epochs,
            "selected_epoch": outcome.selected_epoch,
            "times": times,
            "stopped": stopped,
            "samples_per_second": job.dataset.train * trained / outcome.train_seconds,
            "eval_ms_per_sentence": 1000 * outcome.evaluate_seconds / len(labels),
            "time_to_target_seconds": records.time_to_target(outcome.epochs, run.cell.target),
            "peak_memory_mb": _peak_memory_mb(job.device),
            "parameters": outcome.parameters,
            "truncated_sentences": encoded.truncated,
            "speedups": outcome.speedups,
            "warnings": (
                *diagnosis.warnings(
                    outcome.epochs,
                    one_class(logits),
                    math.ceil(job.dataset.train / run.cell.batch_size) * trained,
                    outcome.alike,
                    least,
                ),
                *diagnosis.cut_short(encoded),
            ),
            "model_kept": job.keep_model,
        }
    )


def _stopped(job: Job, epochs: Sequence[Epoch]) -> Stopped | None:
    """Return where a run was stopped; None if it ended as it would have without a target.

    The first epoch that reaches the target has a higher MCC than those before it, so a patience
    does not end the run at the same epoch.
    """
    target, planned = job.stop_at, job.run.training.epochs
    if target is None or len(epochs) == planned or epochs[-1].scores.mcc < target:
        return None
    return Stopped(after_epoch=len(epochs), of=planned, because="gate met", target=target)


def predictions_table(splits: datasets.DatasetDict, encoded: Encoded, outcome: Outcome) -> pa.Table:
    """Return a row for each predicted sentence; see harness.store.predictions."""
    tables = []
    for split, logits in outcome.logits.items():
        rows = splits[split]
        tables.append(
            pa.table(
                {
                    "split": [split] * len(rows),
                    "idx": list(rows["idx"]),
                    "label": [None] * len(rows) if _hidden(rows) else list(rows["label"]),
                    "domain": list(rows["domain"]),
                    "source": list(rows["source"]),
                    "tokens": token_counts(encoded.splits[split]),
                    **{f"{LOGIT}{n}": column for n, column in enumerate(logits.T)},
                }
            ).cast(schema_of(logits.shape[1]))
        )
    return pa.concat_tables(tables)


def _hidden(rows: datasets.Dataset) -> bool:
    return HIDDEN_LABEL in rows["label"]


def _domain_scores(logits: np.ndarray, labels: np.ndarray, chosen: np.ndarray) -> Scores | None:
    return score(logits[chosen], labels[chosen]) if chosen.any() else None


def _matrix(labels: np.ndarray, predicted: np.ndarray, number: int) -> tuple[tuple[int, ...], ...]:
    return tuple(map(tuple, confusion_matrix(labels, predicted, number).tolist()))


def _peak_memory_mb(device: str) -> float:
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB here
