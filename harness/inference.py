"""A kept model's answers: sentences in, classes and their probabilities out."""

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

from harness import checkpoints
from harness.completeness import check_weights
from harness.configuration import read_configuration
from harness.encode import encode
from harness.errors import BadInput
from harness.hub import Hub
from harness.limits import position_limit
from harness.padding import answers
from harness.text import one_line

KEPT = ("model", "*/model", "*/*/model", "runs/*/*/model", "*/runs/*/*/model")
"""Where kept models may lie below a folder that somebody took for one."""

NO_HUB = Hub(endpoint="", reachable=False, reason="a folder is not asked of the hub")

SENTENCES_AT_A_TIME = 1024


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
    if not (folder / checkpoints.CONFIG).is_file():
        raise BadInput([f"{folder}: {_what_it_is(folder)}"])
    found = checkpoints.resolve(str(folder.absolute()), NO_HUB, Path())
    try:
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
        weights = check_weights(model, loading, Path(found.folder))
    except BadInput as error:
        told = "; ".join(error.problems)
        raise BadInput([f"{folder}: not a model that can be loaded ({told})"]) from error
    except Exception as error:  # what transformers raises is open-ended; its user hears one line
        told = f"{folder}: not a model that can be loaded ({one_line(f'{error}')})"
        raise BadInput([f"{told}; name one that a suite with keep_models fine-tuned"]) from error
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
    """Yield an answer for each sentence, in their order, encoded as the training's were."""
    for start in range(0, len(sentences), SENTENCES_AT_A_TIME):
        part = sentences[start : start + SENTENCES_AT_A_TIME]
        for sentence, probabilities in zip(
            part, _probabilities(classifier, part, batch_size), strict=True
        ):
            likelier = max(probabilities, key=lambda name: probabilities[name])
            yield Answer(sentence, likelier, probabilities)


def _probabilities(
    classifier: Classifier, sentences: Sequence[str], batch_size: int
) -> list[dict[str, float]]:
    model, tokenizer = classifier.model, classifier.tokenizer
    rows = Dataset.from_dict({"sentence": list(sentences), "label": [0] * len(sentences)})
    splits = DatasetDict({"asked": rows})
    encoded = encode(splits, tokenizer, None, position_limit(model)).splits["asked"]
    logits = answers(model, tokenizer, encoded.remove_columns("label"), batch_size)
    names = [name for _, name in sorted((model.config.id2label or {}).items())]
    return [dict(zip(names, row, strict=True)) for row in logits.softmax(dim=-1).tolist()]
