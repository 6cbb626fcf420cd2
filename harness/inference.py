"""A kept model's answers: sentences in, classes and their probabilities out."""

import math
import reprlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from datasets import Dataset, DatasetDict
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from harness import checkpoints, out_of_memory
from harness.checkpoint_files import CONFIG
from harness.completeness import check_weights
from harness.configuration import read_configuration
from harness.encode import encode
from harness.errors import BadInput, Unavailable
from harness.hub import Hub
from harness.limits import position_limit
from harness.padding import answers
from harness.text import counted, one_line, shortened

KEPT = ("model", "*/model", "*/*/model", "runs/*/*/model", "*/runs/*/*/model")
"""Where kept models may lie below a folder that somebody took for one."""

NO_HUB = Hub(endpoint="", reachable=False, reason="a folder is not asked of the hub")

SENTENCES_AT_A_TIME = 1024

ONE_OF_SOME = "single_label_classification"
"""The problem_type, in transformers' words, of a model whose classes exclude each other."""

_PASSED_ON = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""Exceptions that are no failure of a model."""


@dataclass(frozen=True)
class Classifier:
    """A fine-tuned model with its tokenizer, ready to answer on the device where it is."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


@dataclass(frozen=True)
class Answer:
    """The likelier class of a sentence, and the probability of each class by name."""

    sentence: str
    label: str
    probabilities: dict[str, float]


def load(folder: Path, device: str) -> Classifier:
    """Load a fine-tuned model from its folder; nothing is fetched.

    Raises:
        BadInput: the folder holds no model, one that cannot be loaded or whose classes have no
            names, or a pretrained one without a trained classifier.
    """
    try:
        problem = None if (folder / CONFIG).is_file() else _what_it_is(folder)
    except OSError as error:  # too long for a path, or behind a closed folder
        told = f"{shortened(str(folder))}: cannot be read ({error.strerror})"
        raise BadInput([f"{told}; name the folder of a kept model"]) from None
    if problem is not None:
        raise BadInput([f"{folder}: {problem}"])
    try:
        return _loaded(folder, device)
    except (BadInput, Unavailable, *_PASSED_ON):
        raise
    except BaseException as error:  # open-ended, and tokenizers' own, of Rust, are no Exception
        told = one_line(str(error)) or type(error).__name__
        told = f"{folder}: not a model that can be loaded ({told})"
        raise BadInput([f"{told}; name one that a suite with keep_models fine-tuned"]) from error


def _loaded(folder: Path, device: str) -> Classifier:
    found = checkpoints.resolve(str(folder.absolute()), NO_HUB, Path())
    configuration = read_configuration(found.folder)
    tokenizer = AutoTokenizer.from_pretrained(
        found.folder, trust_remote_code=False, local_files_only=True
    )
    model, loading = AutoModelForSequenceClassification.from_pretrained(
        found.folder,
        config=configuration,
        dtype=torch.float32,  # as it was trained and judged
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        ignore_mismatched_sizes=True,  # reported below, with the tensors' names
        output_loading_info=True,
    )
    try:
        weights = check_weights(model, loading, Path(found.folder))
    except BadInput as error:
        told = "; ".join(error.problems)
        raise BadInput([f"{folder}: not a model that can be loaded ({told})"]) from error
    names = list((configuration.id2label or {}).values())
    if len(set(map(str, names))) != configuration.num_labels or not all(
        isinstance(name, str) and name.isprintable() and name.strip() for name in names
    ):
        raise BadInput(
            [
                f"{folder}: id2label in its config.json is {reprlib.repr(names)}; "
                f"{configuration.num_labels} different names in printable text are allowed"
            ]
        )
    if configuration.num_labels < 2 or configuration.problem_type not in (None, ONE_OF_SOME):
        raise BadInput(
            [
                f"{folder}: its config.json has "
                f"{counted(configuration.num_labels, 'class', 'classes')} and "
                f"problem_type {configuration.problem_type!r}, so its answers are no probabilities "
                "of classes of which one holds; name a model that a suite with keep_models "
                "fine-tuned"
            ]
        )
    if weights.initialised:
        raise BadInput(
            [
                f"{folder}: a model without a trained classifier (no weights for "
                f"{', '.join(weights.initialised)}), so its answers would be random; "
                "name a model that a suite with keep_models fine-tuned"
            ]
        )
    return Classifier(model.eval().to(device), tokenizer)


def _what_it_is(folder: Path) -> str:
    if not folder.is_dir():
        return "no such folder; name the folder of a kept model"
    kept = sorted(path for pattern in KEPT for path in folder.glob(f"{pattern}/config.json"))
    if kept:
        names = ", ".join(str(path.parent) for path in kept[:5])
        return f"no model here, but below it: {names}{', ...' if len(kept) > 5 else ''}"
    return 'no model here (no config.json); train with keep_models = "best" in the suite'


def classify(classifier: Classifier, sentences: Sequence[str], batch_size: int) -> Iterator[Answer]:
    """Yield an answer for each sentence, in their order, encoded as the training's were.

    Raises:
        BadInput: the model or its tokenizer fails at sentences, or answers with no numbers.
    """
    for start in range(0, len(sentences), SENTENCES_AT_A_TIME):
        part = sentences[start : start + SENTENCES_AT_A_TIME]
        try:
            found = _probabilities(classifier, part, batch_size)
        except (BadInput, *_PASSED_ON):
            raise
        except BaseException as error:  # tokenizers' own, of Rust, are no Exception
            raise BadInput([_failed(classifier, part, batch_size, error)]) from error
        for sentence, probabilities in zip(part, found, strict=True):
            if not all(map(math.isfinite, probabilities.values())):
                raise BadInput(
                    [
                        f"the model gives no number for {reprlib.repr(sentence)}: NaN or infinite "
                        "logits; its weights are damaged, so keep another run's model"
                    ]
                )
            likelier = max(probabilities, key=lambda name: probabilities[name])
            yield Answer(sentence, likelier, probabilities)


def _failed(
    classifier: Classifier, sentences: Sequence[str], batch_size: int, error: BaseException
) -> str:
    """Say in a line at which sentence a model failed, and why."""
    told = f"{type(error).__name__}: {one_line(str(error))}"
    if out_of_memory.is_out_of_memory(error):
        return (
            f"out of memory with {counted(batch_size, 'sentence')} a step; lower --batch-size "
            f"({told})"
        )
    for sentence in sentences:
        try:
            _probabilities(classifier, [sentence], 1)
        except _PASSED_ON:
            raise
        except BaseException as again:
            told = f"{type(again).__name__}: {one_line(str(again))}"
            return (
                f"the model fails at {reprlib.repr(sentence)} ({told}); leave it out or write it "
                "otherwise, or train another checkpoint"
            )
    return (
        f"the model fails at {counted(batch_size, 'sentence')} a step ({told}); use --batch-size 1"
    )


def _probabilities(
    classifier: Classifier, sentences: Sequence[str], batch_size: int
) -> list[dict[str, float]]:
    model, tokenizer = classifier.model, classifier.tokenizer
    rows = Dataset.from_dict({"sentence": list(sentences), "label": [0] * len(sentences)})
    splits = DatasetDict({"asked": rows})
    encoded = encode(splits, tokenizer, None, position_limit(model)).splits["asked"]
    logits = answers(model, tokenizer, encoded.remove_columns("label"), batch_size)
    names = [name for _, name in sorted((model.config.id2label or {}).items())]
    if tuple(logits.shape) != (len(sentences), len(names)):
        raise ValueError(f"logits of shape {tuple(logits.shape)} for {len(names)} classes")
    return [dict(zip(names, row, strict=True)) for row in logits.softmax(dim=-1).tolist()]
