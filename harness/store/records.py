"""A run's record: its schema and its key."""

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from harness.inputs.duplicates import Duplicates
from harness.inputs.origin import Origin
from harness.machine.contention import Contention
from harness.machine.provenance import RECIPE_VERSION, RESULT_PACKAGES, Machine, versions
from harness.store.class_counts import ClassCounts
from harness.store.classes import Counts, number_of_classes
from harness.store.grouping import Grouping
from harness.store.measured.serving import Serving
from harness.store.outside_budget import OutsideBudget
from harness.store.stopped import Stopped
from harness.suite.fields import Count, Whole
from harness.suite.plan import Run
from harness.suite.spec import BatchSize, LearningRate, Seed, TrainingSpec

TOLERANCE = 1e-9
"""Difference allowed between a stored score and the score computed from the stored classes."""

FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

Seconds = Annotated[float, Field(ge=0, lt=1e12)]
PaddingSide = Literal["left", "right"]


def _packed(text: str) -> str:
    number_of_classes(text)  # raises ValueError
    return text


PackedClasses = Annotated[str, AfterValidator(_packed)]
"""A class a sentence, packed by harness.store.classes."""


def _unknown(value: object) -> bool:
    """Return whether to omit a field from the file, as versions without the field do."""
    return value is None


class HubFacts(BaseModel):
    """A data set of the hub: its name, configuration, commit and class names."""

    model_config = FROZEN

    name: str
    config: str
    revision: str
    class_names: tuple[str, ...]


class DatasetFacts(BaseModel):
    """The data that a run was trained and scored on; split sizes in sentences.

    `text_column` is the column of the sentences in the user's own file or a data set of the hub;
    None for other data, and in records of earlier versions. `hub` describes a data set of the hub;
    None for other data, and for CoLA. `duplicates` are the numbers of repeated sentences; None in
    records of earlier versions.
    """

    model_config = FROZEN

    name: str
    origin: str
    fingerprint: str
    train: Whole
    validation: Whole
    test: Whole
    text_column: str | None = Field(None, exclude_if=_unknown)
    hub: HubFacts | None = Field(None, exclude_if=_unknown)
    duplicates: Duplicates | None = Field(None, exclude_if=_unknown)


class Scores(BaseModel):
    """Quality on one labelled set of sentences; undefined scores are 0."""

    model_config = FROZEN

    mcc: Annotated[float, Field(ge=-1, le=1)]
    accuracy: Annotated[float, Field(ge=0, le=1)]
    f1: Annotated[float, Field(ge=0, le=1)]

    @classmethod
    def of(cls, counts: Counts | ClassCounts) -> Self:
        """Compute the scores of counted sentences."""
        return cls(mcc=counts.mcc or 0.0, accuracy=counts.accuracy or 0.0, f1=counts.f1 or 0.0)


class Epoch(BaseModel):
    """One pass over the training split; `seconds` is training time from the start to its end.

    `classes` are the predicted classes of the validation sentences, packed by
    harness.store.classes.
    """

    model_config = FROZEN

    epoch: Count
    train_loss: float | None
    eval_loss: float | None
    scores: Scores
    seconds: Seconds
    classes: PackedClasses | None = None


class Confusion(BaseModel):
    """Sentences by label and predicted class; class 1 is the positive one."""

    model_config = FROZEN

    true_positive: Whole
    false_positive: Whole
    false_negative: Whole
    true_negative: Whole

    @property
    def counts(self) -> Counts:
        return Counts(**self.model_dump())

    @property
    def sentences(self) -> int:
        """The number of sentences."""
        return sum(self.counts)


class GroupCounts(BaseModel):
    """Numbers of a group's sentences by class, of more than two classes; see ClassCounts."""

    model_config = FROZEN

    hits: tuple[Whole, ...]
    predicted: tuple[Whole, ...]
    labelled: tuple[Whole, ...]

    @property
    def counts(self) -> ClassCounts:
        return ClassCounts(*(np.array(each) for each in (self.hits, self.predicted, self.labelled)))

    @property
    def sentences(self) -> int:
        """The number of sentences."""
        return sum(self.labelled)


class Times(BaseModel):
    """Where a run's wall time went, in seconds.

    `train` is the time of `trainer.train()` from its first epoch on. It includes the evaluation
    after each epoch and excludes experiment trackers, whose time is part of `total`, as is that of
    measuring `serving`.
    """

    model_config = FROZEN

    load: Seconds
    tokenise: Seconds
    train: Seconds
    evaluate: Seconds
    total: Seconds


class Padding(BaseModel):
    """How batches are padded, and how much padding changes the model's logits before training.

    Attributes:
        side: the side of padding.
        tokenizer_side: the side on which the checkpoint's tokenizer pads by default.
        deviations: for each measured side, the largest difference between the logits of a sentence
            alone and in a batch with others, in standard deviations of the logits over sentences.
            None if the model fails in a batch with others, or its logits are NaN or infinite there.
            Empty if the model fails even on single sentences.
        alone: whether logits depend on padding on both sides, so that each sentence must be
            evaluated alone.
        shortest: minimum number of tokens of a batch; the model fails on shorter ones.
    """

    model_config = FROZEN

    side: PaddingSide
    tokenizer_side: PaddingSide
    deviations: dict[PaddingSide, Annotated[float, Field(ge=0)] | None]
    alone: bool
    shortest: Count


class Record(BaseModel):
    """One run: its settings, scores, times and environment.

    A number that was not measured is None, never 0. `key` is the result of `run_key`; None for a
    run that was skipped, `stopped` for a whole run. `scores` are the validation scores of the
    selected epoch's model. `verdict` compares this run's MCC with its cell's threshold at the time
    of training (the gate itself tests the cell's mean over seeds). `batch_size` is the number of
    sentences per training step. A step computes `accumulation` parts of `batch_size_used` sentences
    each: smaller parts if memory ran out. `origin` is where the checkpoint's files come from.
    `initialised` are the randomly initialised parameters, absent from the checkpoint: the head,
    perhaps a pooler. `labels` are the validation split's, packed by harness.store.classes.
    `confusion_by` counts, for the selected epoch, groups of validation sentences: by `source` where
    known, by `length` in words. `scores_by_domain` are the validation scores on the files that a
    suite names by domain; a domain of one class has none, and CoLA's two have fields of their own.
    `f1` is the F1 of class 1 of two; of more classes, the mean of their F1 (macro-F1).
    `confusion_matrix` has, of more than two classes, the validation sentences by label (row) and
    the selected epoch's class (column); `confusion_by` is then empty, and `counts_by` holds the
    numbers by class for groups by `length`. `groupings` tell each sentence's group, by `source` and
    `domain` where known. `executor` is `local` or `ray`, None in records of earlier versions.
    `outside_budget` is set if a run did not fit a session's budget.
    """

    model_config = FROZEN

    schema_version: Literal[1] = 1
    key: str | None
    suite: str
    cell: str
    checkpoint: str
    checkpoint_digest: str | None
    checkpoint_revision: str | None
    origin: Origin | None = Field(None, exclude_if=_unknown)
    batch_size: BatchSize
    batch_size_used: BatchSize | None = Field(None, exclude_if=_unknown)
    accumulation: Count | None = Field(None, exclude_if=_unknown)
    learning_rate: LearningRate
    seed: Seed
    training: TrainingSpec
    status: Literal["ok", "failed", "skipped"]
    reason: str | None
    outside_budget: OutsideBudget | None = Field(None, exclude_if=_unknown)
    dataset: DatasetFacts | None = None
    threshold: float | None = None
    verdict: Literal["pass", "fail"] | None = None
    scores: Scores | None = None
    scores_in_domain: Scores | None = None
    scores_out_of_domain: Scores | None = None
    scores_by_domain: dict[str, Scores] | None = Field(None, exclude_if=_unknown)
    scores_test: Scores | None = None
    confusion_by: dict[str, dict[str, Confusion]] = {}
    confusion_matrix: tuple[tuple[Whole, ...], ...] | None = Field(None, exclude_if=_unknown)
    counts_by: dict[str, dict[str, GroupCounts]] | None = Field(None, exclude_if=_unknown)
    groupings: dict[str, Grouping] | None = Field(None, exclude_if=_unknown)
    labels: PackedClasses | None = None
    epochs: tuple[Epoch, ...] = ()
    selected_epoch: Count | None = None
    stopped: Stopped | None = Field(None, exclude_if=_unknown)
    times: Times | None = None
    samples_per_second: float | None = None
    eval_ms_per_sentence: float | None = None
    target_mcc: float | None = None
    time_to_target_seconds: float | None = None
    peak_memory_mb: float | None = None
    serving: Serving | None = Field(None, exclude_if=_unknown)
    parameters: Whole | None = None
    initialised: tuple[str, ...] | None = Field(None, exclude_if=_unknown)
    truncated_sentences: Whole | None = None
    speedups: tuple[str, ...] | None = None
    padding: Padding | None = Field(None, exclude_if=_unknown)
    warnings: tuple[str, ...] = ()
    device: str | None = None
    threads: Count | None = None
    concurrency: Count | None = None
    executor: str | None = Field(None, exclude_if=_unknown)
    contention: Contention | None = Field(None, exclude_if=_unknown)
    model_kept: bool = False
    predictions_sha256: str | None = None
    recipe_version: int = RECIPE_VERSION
    versions: dict[str, str | None] = {}
    commit: str | None = None
    machine: Machine | None = None
    started_at: str | None = None
    finished_at: str | None = None

    @model_validator(mode="after")
    def _status_fits(self) -> Self:
        if self.status == "ok" and None in (self.key, self.scores, self.times, self.dataset):
            raise PydanticCustomError("status", "a run that is ok has key, scores, times, dataset")
        if self.status != "ok" and (self.reason is None or self.scores is not None):
            raise PydanticCustomError("status", "a run that is not ok has a reason and no scores")
        return self


def time_to_target(epochs: Sequence[Epoch], target: float | None) -> float | None:
    """Return the training seconds until the end of the first epoch that reached the target MCC."""
    if target is None:
        return None
    return next((epoch.seconds for epoch in epochs if epoch.scores.mcc >= target), None)


def run_key(run: Run, checkpoint_digest: str, dataset_fingerprint: str, device: str) -> str:
    """Return the content key of a run: 16 hex digits, a hash of everything that affects results."""
    return content_key(
        checkpoint=checkpoint_digest,
        dataset=dataset_fingerprint,
        batch_size=run.cell.batch_size,
        learning_rate=run.cell.learning_rate,
        seed=run.seed,
        training=run.training.model_dump(),
        device=device,
        versions=versions(RESULT_PACKAGES),
        recipe=RECIPE_VERSION,
    )


def key_of(record: Record) -> str:
    """Compute a run's key from its record's contents, to verify the key that `run_key` made."""
    return content_key(
        checkpoint=record.checkpoint_digest,
        dataset=None if record.dataset is None else record.dataset.fingerprint,
        batch_size=record.batch_size,
        learning_rate=record.learning_rate,
        seed=record.seed,
        training=record.training.model_dump(),
        device=record.device,
        versions={package: record.versions.get(package) for package in RESULT_PACKAGES},
        recipe=record.recipe_version,
    )


def content_key(**content: object) -> str:
    """Return 16 hex digits, a hash of some contents by name."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def selected_classes(record: Record) -> str | None:
    """Return the selected epoch's predicted classes, packed; None if the record lacks them."""
    chosen = (each.classes for each in record.epochs if each.epoch == record.selected_epoch)
    return next(chosen, None)


def classes_of(record: Record) -> int:
    """Return the number of classes of a run's data: 2 in records without labels."""
    return 2 if record.labels is None else number_of_classes(record.labels)
