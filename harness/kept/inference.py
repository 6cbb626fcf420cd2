"""A kept model's predictions: for each sentence, a class and the probabilities."""

import math
import reprlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from harness.errors import BadInput, Unavailable
from harness.inputs import checkpoints
from harness.inputs.checkpoint_files import CONFIG
from harness.inputs.hub import Hub
from harness.models import out_of_memory
from harness.models.completeness import Weights, load_classifier
from harness.models.configuration import read_configuration, read_tokenizer
from harness.models.encode import encode
from harness.models.limits import position_limit
from harness.models.padding import answers
from harness.text import counted, one_line, shortened

KEPT = ("model", "*/model", "*/*/model", "runs/*/*/model", "*/runs/*/*/model")
"""Where kept models may be below a folder that the user named instead of one."""

NO_HUB = Hub(endpoint="", reachable=False, reason="a folder is not looked up on the hub")

SENTENCES_AT_A_TIME = 1024

SINGLE_LABEL = "single_label_classification"
"""transformers' problem_type of a model whose classes are mutually exclusive."""

_RERAISED = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""Exceptions that do not mean a failure of a model."""


@dataclass(frozen=True)
class Classifier:
    """A fine-tuned model with its tokenizer, ready for predictions on the model's device."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


@dataclass(frozen=True)
class Answer:
    """The likelier class of a sentence, and the probability of each class by name.

    `cut_to` is the number of tokens that the model read, if it did not read the whole sentence.
    """

    sentence: str
    label: str
    probabilities: dict[str, float]
    cut_to: int | None = None


def load(folder: Path, device: str) -> Classifier:
    """Load a fine-tuned model from its folder; nothing is downloaded.

    Raises:
        BadInput: the folder contains no model, a model that cannot be loaded or whose classes have
            no names, or a pretrained model without a trained classifier.
    """
    try:
        problem = None if (folder / CONFIG).is_file() else _no_model(folder)
    except OSError as error:  # too long for a path, or in a folder without permission
        reason = f"{shortened(str(folder))}: cannot be read ({error.strerror})"
        raise BadInput([f"{reason}; name the folder of a kept model"]) from None
    if problem is not None:
        raise BadInput([f"{folder}: {problem}"])
    try:
        return _loaded(folder, device)
    except (BadInput, Unavailable, *_RERAISED):
        raise
    except BaseException as error:  # any type; Rust panics of tokenizers are not an Exception
        reason = one_line(str(error)) or type(error).__name__
        reason = f"{folder}: the model cannot be loaded ({reason})"
        raise BadInput([f"{reason}; name one that a suite with keep_models fine-tuned"]) from error


def _loaded(folder: Path, device: str) -> Classifier:
    found = checkpoints.resolve(str(folder.absolute()), NO_HUB, Path())
    configuration, tokenizer = read_configuration(found.folder), read_tokenizer(found.folder)
    try:
        model, weights = load_classifier(found.folder, configuration)
    except BadInput as error:
        problems = "; ".join(error.problems)
        raise BadInput([f"{folder}: the model cannot be loaded ({problems})"]) from error
    if (problem := _no_classifier(configuration, weights)) is not None:
        raise BadInput([f"{folder}: {problem}"])
    ready: Any = model
    return Classifier(ready.eval().to(device), tokenizer)


def _no_classifier(configuration: PreTrainedConfig, weights: Weights) -> str | None:
    """Return why a model gives no probabilities of named classes, and the way out."""
    names, classes = list((configuration.id2label or {}).values()), configuration.num_labels
    if len(set(map(str, names))) != classes or not all(
        isinstance(name, str) and name.isprintable() and name.strip() for name in names
    ):
        return (
            f"id2label in its config.json is {reprlib.repr(names)}; {classes} different names in "
            "printable text are allowed"
        )
    if classes < 2 or configuration.problem_type not in (None, SINGLE_LABEL):
        return (
            f"its config.json has {counted(classes, 'class', 'classes')} and problem_type "
            f"{configuration.problem_type!r}, so it has no probabilities of mutually exclusive "
            "classes; name a model that a suite with keep_models fine-tuned"
        )
    if weights.initialised:
        return (
            f"a model without a trained classifier (no weights for "
            f"{', '.join(weights.initialised)}), so its predictions would be random; name a model "
            "that a suite with keep_models fine-tuned"
        )
    return None


def _no_model(folder: Path) -> str:
    """Return why a folder is not a model's folder, and the way out."""
    if not folder.is_dir():
        return "no such folder; name the folder of a kept model"
    kept = sorted(path for pattern in KEPT for path in folder.glob(f"{pattern}/config.json"))
    if kept:
        names = ", ".join(str(path.parent) for path in kept[:5])
        return f"no model here, but in its subfolders: {names}{', ...' if len(kept) > 5 else ''}"
    return 'no model here (no config.json); train with keep_models = "best" in the suite'


def classify(classifier: Classifier, sentences: Sequence[str], batch_size: int) -> Iterator[Answer]:
    """Yield an answer for each sentence, in their order, encoded as in training.

    Raises:
        BadInput: the model or its tokenizer fails on sentences, or a logit is NaN or infinite.
    """
    for start in range(0, len(sentences), SENTENCES_AT_A_TIME):
        part = sentences[start : start + SENTENCES_AT_A_TIME]
        try:
            found, cut = _probabilities(classifier, part, batch_size)
        except (BadInput, *_RERAISED):
            raise
        except BaseException as error:  # Rust panics of tokenizers are not an Exception
            raise BadInput([_failure(classifier, part, batch_size, error)]) from error
        for sentence, probabilities, cut_to in zip(part, found, cut, strict=True):
            if not all(map(math.isfinite, probabilities.values())):
                raise BadInput(
                    [
                        f"the model's logits for {reprlib.repr(sentence)} are NaN or infinite; its "
                        "weights are damaged, so use another run's model"
                    ]
                )
            likelier = max(probabilities, key=lambda name: probabilities[name])
            yield Answer(sentence, likelier, probabilities, cut_to)


def _failure(
    classifier: Classifier, sentences: Sequence[str], batch_size: int, error: BaseException
) -> str:
    """Return in one line on which sentence a model failed, and why."""
    reason = f"{type(error).__name__}: {one_line(str(error))}"
    if out_of_memory.is_out_of_memory(error):
        return (
            f"out of memory with {counted(batch_size, 'sentence')} per batch; lower --batch-size "
            f"({reason})"
        )
    for sentence in sentences:
        try:
            _probabilities(classifier, [sentence], 1)
        except _RERAISED:
            raise
        except BaseException as again:
            reason = f"{type(again).__name__}: {one_line(str(again))}"
            return (
                f"the model fails on {reprlib.repr(sentence)} ({reason}); remove or rewrite it, "
                "or train another checkpoint"
            )
    return (
        f"the model fails with {counted(batch_size, 'sentence')} per batch ({reason}); use "
        "--batch-size 1"
    )


def _probabilities(
    classifier: Classifier, sentences: Sequence[str], batch_size: int
) -> tuple[list[dict[str, float]], list[int | None]]:
    """Return the probabilities of each sentence, and the length that it was cut to, if it was."""
    model, tokenizer = classifier.model, classifier.tokenizer
    splits = DatasetDict({"given": Dataset.from_dict({"sentence": list(sentences)})})
    encoded = encode(splits, tokenizer, None, position_limit(model))
    logits = answers(model, tokenizer, encoded.splits["given"], batch_size)
    names = [name for _, name in sorted((model.config.id2label or {}).items())]
    if tuple(logits.shape) != (len(sentences), len(names)):
        raise ValueError(f"logits of shape {tuple(logits.shape)} for {len(names)} classes")
    cut = set(encoded.cut.get("given", ()))
    lengths = [encoded.limit if place in cut else None for place in range(len(sentences))]
    rows = logits.softmax(dim=-1).tolist()
    return [dict(zip(names, row, strict=True)) for row in rows], lengths
