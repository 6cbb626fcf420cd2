"""Measures the traits of one architecture under this harness, on a tiny checkpoint.

The runs are complete runs of the harness, from a job to a record and a kept model. Traits that the
harness does not measure are measured with transformers alone. Every trait is a yes or a no with a
wide margin, so that other machines get the same result.
"""

import contextlib
import gc
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
import transformers
from builders.families import make_family
from builders.jobs import file_spec, make_job, sentences, write_rows
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from harness.errors import BadInput
from harness.inputs.data import labelled_file
from harness.kept import inference
from harness.suite.spec import DatasetSpec
from harness.text import one_line
from harness.training.job import Job
from harness.training.speedups import (
    FAST_DROPOUT,
    FIRST_TOKEN,
    MEMORY_CHECKPOINT,
    PACKING,
    SORTED_EVALUATION,
    USED_VOCABULARY,
)
from harness.training.worker import execute

ROWS, VALIDATION = 48, 16
LEARNING_RATE = 3e-3

TOLERANCE = 1e-3
"""Logits are the same if they differ by less than this share of their deviation over sentences."""

ROUNDING = 1e-5
"""Sentences have the same logits if these differ by a smaller share of their magnitude."""

EXTRA_TOKENS = (1, 2, 3, 6)
"""Numbers of padding tokens after or before the longest sentence."""

SPEEDUPS = {
    "layers": (FAST_DROPOUT, FIRST_TOKEN, PACKING),
    "vocabulary": (USED_VOCABULARY,),
    "sorting": (SORTED_EVALUATION,),
    "memory": (MEMORY_CHECKPOINT,),
}
"""The page's names for groups of speed-ups."""


@dataclass(frozen=True)
class Traits:
    """One row of the page; None if a trait could not be measured.

    Attributes:
        architecture: its `model_type`.
        trains: a run with the default settings ends with a score.
        reads: different sentences get different logits.
        repeats: the same run again gives the same logits, bit for bit.
        padded_right, padded_left: a sentence padded on that side gets the logits that it gets
            alone.
        kept: the kept model gives the logits of the best epoch, with the default settings and
            without speed-ups.
        speedups: the names in SPEEDUPS that were active.
        messages: of the harness, or of transformers if the harness cannot run.
    """

    architecture: str
    trains: bool
    reads: bool | None = None
    repeats: bool | None = None
    padded_right: bool | None = None
    padded_left: bool | None = None
    kept: tuple[bool | None, bool | None] = (None, None)
    speedups: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()


def try_out(architecture: str, folder: Path) -> Traits:
    """Build a tiny checkpoint in `folder`, train it, and return its traits."""
    with warnings.catch_warnings(), _skip_existing_garbage():
        warnings.simplefilter("ignore")
        transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        torch.set_num_threads(1)
        return _try_out(architecture, folder)


@contextlib.contextmanager
def _skip_existing_garbage() -> Iterator[None]:
    """Exclude existing objects from the garbage collections of every run: this halves the time."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _try_out(architecture: str, folder: Path) -> Traits:
    try:
        checkpoint = make_family(architecture, folder / architecture)
    except ImportError as error:
        return Traits(
            architecture, trains=False, messages=(f"not tried: {_first_sentence(error)}",)
        )
    texts, dataset = write_data(folder)
    usual = train(checkpoint, dataset, folder)
    plain = train(checkpoint, dataset, folder, speedups=())
    reads = repeats = None
    messages = list(usual.warnings)
    if usual.logits is not None:
        assert usual.job is not None
        again = execute(replace(usual.job, keep_model=False)).predictions
        repeats = again is not None and bool((_logits(again) == usual.logits).all())
        reads = bool(np.ptp(usual.logits, axis=0).max() > ROUNDING * np.abs(usual.logits).max())
        # Messages about the learning rate and likely causes are about this tiny run only.
        messages = (
            [text for text in messages if "learning rate" not in text] if reads else messages[:1]
        )
        # How much padding changes logits depends on the processor; a column shows whether it does.
        messages = [
            text.partition("; likely")[0] for text in messages if "standard deviations" not in text
        ]
    else:
        messages.append(usual.reason)
        if plain.logits is not None:
            messages.append("trains with `training.speedups = []`")
    if (kept := (usual if usual.logits is not None else plain).model) is not None:
        messages += _one_letter(kept)
    right, left = padding_sides(checkpoint, texts[:8])
    return Traits(
        architecture,
        trains=usual.logits is not None,
        reads=reads,
        repeats=repeats,
        padded_right=right,
        padded_left=left,
        kept=(kept_model_agrees(usual, texts), kept_model_agrees(plain, texts)),
        speedups=tuple(word for word, names in SPEEDUPS.items() if set(names) <= usual.speedups),
        messages=tuple(messages),
    )


def write_data(folder: Path) -> tuple[list[str], DatasetSpec]:
    """Write sentences; each validation sentence occurs twice, once with each label.

    The MCC of any model is then 0 after every epoch, and the first epoch is selected as the best:
    the kept model must differ from the model at the end of training.
    """
    file = folder / "rows.csv"
    labels = [number % 2 for number in range(ROWS)]
    texts = sentences(ROWS)
    spec = file_spec(write_rows(file, texts, labels), VALIDATION)
    splits, _ = labelled_file.read(file, spec)
    held_out = sorted(splits["validation"].idx, key=labels.__getitem__)
    for zero, one in zip(held_out[: VALIDATION // 2], held_out[VALIDATION // 2 :], strict=True):
        texts[one] = texts[zero]
    write_rows(file, texts, labels)
    return texts, spec


@dataclass(frozen=True)
class Trained:
    """The result of a run of the harness: its logits, or the reason of its failure.

    `logits` is (sentences, 2), for the validation sentences, which are the `rows` of the file.
    """

    job: Job | None
    reason: str = ""
    warnings: tuple[str, ...] = ()
    speedups: frozenset[str] = frozenset()
    rows: tuple[int, ...] = ()
    logits: np.ndarray | None = None

    @property
    def model(self) -> Path | None:
        """The folder of the kept model."""
        return None if self.job is None or self.logits is None else self.job.folder / "model"


def train(checkpoint: Path, dataset: DatasetSpec, folder: Path, **training: Any) -> Trained:
    """Train as a session does, from finding the inputs to saving the best epoch's model."""
    try:
        job = make_job(
            checkpoint,
            dataset,
            folder,
            batch_size=8,
            learning_rate=LEARNING_RATE,
            keep_model=True,
            epochs=2,
            eval_batch_size=VALIDATION,
            **training,
        )
    except BadInput as error:  # found before any training
        return Trained(None, reason=one_line(str(error)))
    record, predictions = (result := execute(job)).record, result.predictions
    if predictions is None:
        return Trained(job, reason=str(record.reason))
    assert record.selected_epoch == 1
    return Trained(
        job,
        warnings=record.warnings,
        speedups=frozenset(record.speedups or ()),
        rows=tuple(predictions["idx"].to_pylist()),
        logits=_logits(predictions),
    )


def _logits(predictions: pa.Table) -> np.ndarray:
    return np.stack([predictions["logit_0"].to_numpy(), predictions["logit_1"].to_numpy()], axis=1)


def kept_model_agrees(run: Trained, texts: Sequence[str]) -> bool | None:
    """Return whether the model on disk gives the logits that the run recorded.

    They are computed in one batch and sentence by sentence; one of both must agree.
    """
    if run.model is None or run.logits is None:
        return None
    given = [texts[row] for row in run.rows]
    model, tokenizer = _load(run.model)
    together = _forward(model, tokenizer(given, return_tensors="pt", padding=True))
    differences = (
        _difference(logits, run.logits) for logits in (together, _alone(model, tokenizer, given))
    )
    return min(differences) < TOLERANCE


def padding_sides(checkpoint: Path, texts: Sequence[str]) -> tuple[bool | None, bool | None]:
    """Return whether logits stay the same under padding on the right, and on the left."""
    try:
        torch.manual_seed(0)  # initialises the head
        model, tokenizer = _load(checkpoint)
        alone = _alone(model, tokenizer, texts)
        found = []
        for side in ("right", "left"):
            longest = max(len(ids) for ids in tokenizer(list(texts))["input_ids"])
            padded = [
                tokenizer(
                    list(texts),
                    return_tensors="pt",
                    padding="max_length",
                    max_length=longest + extra,
                    padding_side=side,
                )
                for extra in EXTRA_TOKENS
            ]
            found.append(max(_difference(_forward(model, batch), alone) for batch in padded))
    except Exception:  # the run failed with the same error, and reports it
        return None, None
    right, left = (difference < TOLERANCE for difference in found)
    return right, left


def _one_letter(folder: Path) -> list[str]:
    """Return the error of a kept model on a sentence of one letter, if there is one."""
    try:
        list(inference.classify(inference.load(folder, "cpu"), ["a"], 1))
    except Exception as error:
        return [f'`harness predict MODEL "a"`: {one_line(f"{type(error).__name__}: {error}")}']
    return []


def _load(folder: Path) -> tuple[Any, Any]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    if tokenizer.pad_token is None:  # as usual when decoders classify
        tokenizer.pad_token = tokenizer.eos_token
        model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    return model, tokenizer


def _alone(model: Any, tokenizer: Any, texts: Sequence[str]) -> np.ndarray:
    return np.concatenate([_forward(model, tokenizer([x], return_tensors="pt")) for x in texts])


def _forward(model: Any, batch: Any) -> np.ndarray:
    with torch.inference_mode():
        logits: np.ndarray = model(**batch).logits.numpy()
    return logits


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest difference as a share of the deviation over sentences.

    The deviation is at least a hundredth of the largest logit: below that, all sentences have
    nearly the same logits, and their deviation may be rounding.
    """
    deviation = max(float(other.std(axis=0).max()), float(np.abs(other).max()) / 100)
    return float(np.abs(one - other).max()) / deviation if deviation else 0.0


def _first_sentence(error: Exception) -> str:
    return str(error).strip().splitlines()[0].partition(". ")[0]
