"""What a run leaves on disk: its schema, its key, writing it whole, finding it again."""

import contextlib
import errno
import hashlib
import json
import os
import reprlib
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from harness.classes import accuracy, f1, matthews, tally
from harness.contention import Contention
from harness.origin import Origin
from harness.plan import Run
from harness.predictions import FILE as PREDICTIONS_FILE
from harness.predictions import as_parquet, check_predictions
from harness.provenance import RECIPE_VERSION, RESULT_PACKAGES, Machine, versions
from harness.spec import BatchSize, LearningRate, Seed, TrainingSpec
from harness.spec.fields import Count, Whole
from harness.text import printable

SCHEMA_VERSION: Final = 1

MOST_BYTES = 64 * 2**20
"""Of a record that is worth reading: one of 20 epochs on a million sentences has 4 MB."""

QUARANTINE = "quarantine"
"""Folder in a cell's, beside its runs, of those that were moved aside; see harness.quarantine."""

RECIPE_WITH_CLASSES = 2
"""Records of this recipe and later ones hold labels, and the classes given after every epoch."""

TOLERANCE = 1e-9
"""Between a score and the same one computed again from a record's own classes."""

FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

Seconds = Annotated[float, Field(ge=0, lt=1e12)]


def _unknown(value: object) -> bool:
    """Leave a field out of what is written, as records of versions without it are."""
    return value is None


class DatasetFacts(BaseModel):
    """The data that a run was trained and scored on; split sizes in sentences.

    `text_column` is that of the sentences in the user's own file; None for other data, and where an
    earlier version wrote the record.
    """

    model_config = FROZEN

    name: str
    origin: str
    fingerprint: str
    train: Whole
    validation: Whole
    test: Whole
    text_column: str | None = Field(None, exclude_if=_unknown)


class Scores(BaseModel):
    """Quality on one labelled set of sentences."""

    model_config = FROZEN

    mcc: Annotated[float, Field(ge=-1, le=1)]
    accuracy: Annotated[float, Field(ge=0, le=1)]
    f1: Annotated[float, Field(ge=0, le=1)]


class Epoch(BaseModel):
    """One pass over the training split; `seconds` is training time from the start to its end.

    `classes` is the class given to each validation sentence, as harness.classes packs it.
    """

    model_config = FROZEN

    epoch: Count
    train_loss: float | None
    eval_loss: float | None
    scores: Scores
    seconds: Seconds
    classes: str | None = None


class Confusion(BaseModel):
    """Sentences by label and predicted class; class 1 is the positive one."""

    model_config = FROZEN

    true_positive: Whole
    false_positive: Whole
    false_negative: Whole
    true_negative: Whole


class Times(BaseModel):
    """Where a run's wall time went, in seconds.

    `train` is that of `trainer.train()` from its first epoch on, the evaluation after each epoch
    included, and without what experiment trackers took. They are part of `total`.
    """

    model_config = FROZEN

    load: Seconds
    tokenise: Seconds
    train: Seconds
    evaluate: Seconds
    total: Seconds


class Padding(BaseModel):
    """The side on which batches were padded, and what answers had to do with it.

    `tokenizer_side` is where the checkpoint's tokenizer would have padded. `deviations`, by side:
    the largest difference between the logits of a sentence alone and in company, before training,
    in standard deviations of the logits; None where they were no numbers in company. `alone` tells
    that every sentence was evaluated alone, `shortest` to how many tokens it was padded at least.
    """

    model_config = FROZEN

    side: Literal["left", "right"]
    tokenizer_side: Literal["left", "right"]
    deviations: dict[Literal["left", "right"], Annotated[float, Field(ge=0)] | None]
    alone: bool
    shortest: Count


class Record(BaseModel):
    """One run: what was asked, what came out, how long it took, and what made it.

    A number that was not measured is None, never 0. `scores` are the validation scores of the
    selected epoch's model; `verdict` is this run's own MCC against its cell's threshold at the
    time (the gate itself judges the cell's mean over seeds, whenever a table is made).
    `batch_size` is the number of sentences a step learned from; `batch_size_used` of them were
    computed at a time, `accumulation` times a step: fewer where memory ran out.
    `origin` is where the checkpoint's files come from.
    `initialised` are the names of the parameters that the checkpoint did not hold, so that they
    started at random: those of the head, and of a pooler where the pretraining had none.
    `labels` are the validation split's, as harness.classes packs them. `confusion_by` holds the
    selected epoch's counts for groups of validation sentences: by `source` where the data tell
    it, by `length` in words.
    """

    model_config = FROZEN

    schema_version: Literal[1] = SCHEMA_VERSION
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
    dataset: DatasetFacts | None = None
    threshold: float | None = None
    verdict: Literal["pass", "fail"] | None = None
    scores: Scores | None = None
    scores_in_domain: Scores | None = None
    scores_out_of_domain: Scores | None = None
    scores_test: Scores | None = None
    confusion_by: dict[str, dict[str, Confusion]] = {}
    labels: str | None = None
    epochs: tuple[Epoch, ...] = ()
    selected_epoch: Count | None = None
    times: Times | None = None
    samples_per_second: float | None = None
    eval_ms_per_sentence: float | None = None
    target_mcc: float | None = None
    time_to_target_seconds: float | None = None
    peak_memory_mb: float | None = None
    parameters: Whole | None = None
    initialised: tuple[str, ...] | None = Field(None, exclude_if=_unknown)
    truncated_sentences: Whole | None = None
    speedups: tuple[str, ...] | None = None
    padding: Padding | None = Field(None, exclude_if=_unknown)
    warnings: tuple[str, ...] = ()
    device: str | None = None
    threads: Count | None = None
    concurrency: Count | None = None
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
    """Return the training seconds to the end of the first epoch whose MCC reached the target."""
    if target is None:
        return None
    return next((epoch.seconds for epoch in epochs if epoch.scores.mcc >= target), None)


def run_key(run: Run, checkpoint_digest: str, dataset_fingerprint: str, device: str) -> str:
    """Return the content key of a run: 16 hex digits over everything that changes its result."""
    return _key(
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
    """Return the key of the run that a record tells of; see run_key."""
    return _key(
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


def _key(**content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def run_folder(suite_folder: Path, run: Run, key: str | None) -> Path:
    """Return the folder of a run in the store; a skipped run has no key."""
    return suite_folder / "runs" / run.cell.id / f"seed-{run.seed}-{key or 'skipped'}"


def write_record(folder: Path, record: Record, predictions: pa.Table | None) -> Record:
    """Write a run's predictions, then its record, each whole or not at all.

    record.json comes last: where it exists, the run ended and everything else is in place. What
    an earlier run left stays until both are safely on disk, as that may be full.
    Returns the record as written, with the predictions' digest.

    Raises:
        OSError: one of them cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as files:
        if predictions is not None:
            content = as_parquet(predictions)
            digest = hashlib.sha256(content).hexdigest()
            record = record.model_copy(update={"predictions_sha256": digest})
            table = files.enter_context(_beside(folder / PREDICTIONS_FILE, content))
        text = files.enter_context(_beside(folder / "record.json", _text(record)))
        if predictions is not None:
            # An earlier record must not stand beside predictions that it was not written with.
            (folder / "record.json").unlink(missing_ok=True)
            table.replace(folder / PREDICTIONS_FILE)
        text.replace(folder / "record.json")
    for left in folder.glob(".*.partial"):  # by a session that was killed as it wrote
        with contextlib.suppress(OSError):
            left.unlink()
    return record


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file by writing a neighbour, flushing it to disk, and renaming it into place."""
    with _beside(path, content) as written:
        written.replace(path)


@contextlib.contextmanager
def _beside(path: Path, content: bytes) -> Iterator[Path]:
    """Write a neighbour of a file, flush it to disk, and remove it unless it was renamed."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield beside
    finally:
        beside.unlink(missing_ok=True)


def discard_run(folder: Path) -> None:
    """Remove what a run left, its record first, so that no half-removed run looks finished."""
    (folder / "record.json").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Stored:
    """A record, and the folder where it lies."""

    record: Record
    folder: Path


@dataclass(frozen=True)
class Disbelieved:
    """A run's folder whose record is not to be believed, and why, in one line."""

    folder: Path
    reason: str


def scan_store(suite_folder: Path) -> tuple[list[Stored], list[Disbelieved]]:
    """Read every record under a suite's results folder, in the order of their paths.

    A record is not believed where it is torn, foreign, contradicts itself, or lies beside other
    predictions than it was written with.
    """
    found: list[Stored] = []
    disbelieved: list[Disbelieved] = []
    for path in sorted(suite_folder.glob("runs/*/*/record.json")):
        if path.parent.name == QUARANTINE:
            continue
        try:
            found.append(Stored(_read_record(path), path.parent))
        except ValueError as error:
            disbelieved.append(Disbelieved(path.parent, str(error)))
    return found, disbelieved


def read_store(suite_folder: Path) -> tuple[list[Stored], list[str]]:
    """Read every record that is to be believed, and a line for each that is not; see scan_store.

    The run of a record that is not believed counts as not finished.
    """
    found, disbelieved = scan_store(suite_folder)
    places = [item.folder.relative_to(suite_folder) / "record.json" for item in disbelieved]
    return found, [
        printable(f"{place}: {item.reason}; it will run again")
        for place, item in zip(places, disbelieved, strict=True)
    ]


def _read_record(path: Path) -> Record:
    try:
        content = _json(path)
        record = Record.model_validate_json(content)
    except OSError as error:
        raise ValueError(f"it cannot be read ({error.strerror})") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        # A foreign file's key may hold anything, line ends too.
        where = ascii(".".join(map(str, first["loc"])) or "the file")[1:-1]
        raise ValueError(f"not a record: {where}: {first['msg']}") from None
    if content != _text(record):  # as it is where an earlier version wrote it, or somebody else
        json.loads(content, object_pairs_hook=_every_key_once)
    if record.status == "ok":
        if (said := contradiction(record)) is not None:
            raise ValueError(f"it contradicts itself: {said}")
        try:
            with _opened(path.parent / PREDICTIONS_FILE) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise ValueError("its predictions.parquet is missing") from None
        except OSError as error:
            reason = f"its predictions.parquet cannot be read ({error.strerror})"
            raise ValueError(reason) from None
        if digest != record.predictions_sha256:
            raise ValueError("its predictions.parquet is not the one it was written with")
        try:
            check_predictions(path.parent, record.labels, selected_classes(record))
        except ValueError as error:
            raise ValueError(f"its predictions.parquet does not bear it out: {error}") from None
    return record


def selected_classes(record: Record) -> str | None:
    """Return the classes that the selected epoch gave, packed; None where they are not held."""
    chosen = (each.classes for each in record.epochs if each.epoch == record.selected_epoch)
    return next(chosen, None)


def _opened(path: Path) -> BufferedReader:
    """Open an ordinary file; of others, a pipe would wait for its writer forever."""
    if stat.S_ISREG(path.stat().st_mode):
        return path.open("rb")
    raise OSError(errno.EINVAL, "not an ordinary file")


def _json(path: Path) -> bytes:
    """Return a record's text, which must not be longer than any record is."""
    with _opened(path) as file:
        if (size := os.fstat(file.fileno()).st_size) > MOST_BYTES:
            raise ValueError(f"not a record: {size:,} bytes, {MOST_BYTES:,} are allowed")
        return file.read()


def _text(record: Record) -> bytes:
    return record.model_dump_json(indent=1).encode() + b"\n"


def _every_key_once(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("not a record: it has a key twice")  # which of the two was meant?


def contradiction(record: Record) -> str | None:
    """Return where a record is not what it says, by what it holds itself; None if nowhere.

    Its key must be that of what it was asked, and its scores those of the classes that it gave.
    """
    if record.status != "ok":
        return None
    if record.key != (key := key_of(record)):
        return f"its key is {reprlib.repr(record.key)}, that of what it tells of is {key}"
    if record.recipe_version >= RECIPE_WITH_CLASSES:
        if (lacks := _lacking(record)) is not None:
            return f"it has a score and no {lacks}"
        if record.selected_epoch != (by_rule := _selected_by_rule(record)):
            return f"it selects epoch {record.selected_epoch}, its rule epoch {by_rule}"
    for epoch in record.epochs:
        if (fault := _fault(record, epoch)) is not None:
            return fault
    return None


def _fault(record: Record, epoch: Epoch) -> str | None:
    """Return where the scores of an epoch, or of a run that selects it, are not its classes'."""
    if record.labels is None or record.dataset is None or epoch.classes is None:
        return None
    try:
        counts = tally(record.labels, epoch.classes, record.dataset.validation)
    except ValueError as error:
        return f"epoch {epoch.epoch}: {error}"
    selected = record.scores if epoch.epoch == record.selected_epoch else None
    for name, said, compute in (
        ("MCC", attrgetter("mcc"), matthews),
        ("accuracy", attrgetter("accuracy"), accuracy),
        ("F1", attrgetter("f1"), f1),
    ):
        value = compute(*counts) or 0.0  # the metric, too, gives 0 where one is undefined
        if abs(said(epoch.scores) - value) > TOLERANCE:
            found = f"{said(epoch.scores):.6f}, its classes {value:.6f}"
            return f"epoch {epoch.epoch} has {name} {found}"
        if selected is not None and abs(said(selected) - value) > TOLERANCE:
            return f"its {name} is not that of epoch {epoch.epoch}, which it selects"
    return None


def _lacking(record: Record) -> str | None:
    """Return what a score cannot be checked without and a record does not hold."""
    if record.labels is None:
        return "labels"
    if record.selected_epoch not in [epoch.epoch for epoch in record.epochs]:
        return "epoch that it selects"
    if any(epoch.classes is None for epoch in record.epochs):
        return "classes of some epoch"
    return None


def _selected_by_rule(record: Record) -> int:
    """Return the epoch that a record's training selects: the last, or the first of the best."""
    if record.training.selection == "last-epoch":
        return record.epochs[-1].epoch
    return max(record.epochs, key=lambda epoch: epoch.scores.mcc).epoch


def finished(stored: Sequence[Stored]) -> Iterator[tuple[str, Stored]]:
    """Yield key and record of every run that ended with a score."""
    for item in stored:
        if item.record.status == "ok" and item.record.key is not None:
            yield item.record.key, item
