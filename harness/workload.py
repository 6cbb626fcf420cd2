"""How much arithmetic a run is: a checkpoint's size, a data set's tokens, their product."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open

FLOPS_TRAINED = 6
FLOPS_EVALUATED = 2
"""Floating-point operations for a weight of a linear layer and a token, attention left out: two
forward and twice that backward (Kaplan et al., "Scaling Laws for Neural Language Models", 2020,
section 2.1)."""

TOKENS_A_WORD = 1.2
TOKENS_A_SENTENCE = 2
"""Tokens of CoLA by word-piece tokenizers: 1.2 for a word between spaces, two at the ends."""


@dataclass(frozen=True)
class Size:
    """A checkpoint's size.

    `parameters` are all of the encoder's; `linear` are those of its layers' matrices, each counted
    as often as a forward pass uses it.
    """

    parameters: int
    linear: int


@dataclass(frozen=True)
class Tokens:
    """Estimated tokens of the train, the validation and the test split.

    `longest` are those of the longest sentence of the first two; None where nobody looked.
    """

    train: int
    validation: int
    test: int
    longest: int | None = None


def size_of(folder: Path) -> Size:
    """Count a checkpoint's parameters from the headers of its safetensors files.

    A pretraining head's own matrix over the vocabulary is not loaded, so not counted. Families
    that share layers, as ALBERT does, use every matrix several times.
    """
    config = json.loads((folder / "config.json").read_bytes())
    whole = folder / "model.safetensors"
    shapes = dict[str, list[int]]()
    for file in [whole] if whole.exists() else folder.glob("*.safetensors"):
        with safe_open(file, framework="numpy") as tensors:
            shapes |= {name: tensors.get_slice(name).get_shape() for name in tensors.keys()}  # noqa: SIM118
    vocabularies = [
        math.prod(shape)
        for shape in shapes.values()
        if len(shape) == 2 and shape[0] == config.get("vocab_size")
    ]
    parameters = sum(map(math.prod, shapes.values()))
    linear = sum(math.prod(shape) for name, shape in shapes.items() if _in_layers(name, shape))
    return Size(
        parameters=parameters - sum(vocabularies) + max(vocabularies, default=0),
        linear=linear * _uses_of_a_layer(config),
    )


def _in_layers(name: str, shape: Sequence[int]) -> bool:
    numbered = re.search(r"\.\d+\.", f".{name}") is not None
    return numbered and len(shape) in (2, 3) and "embed" not in name


def _uses_of_a_layer(config: Mapping[str, Any]) -> int:
    if config.get("model_type") != "albert":
        return 1
    layers, groups = config.get("num_hidden_layers", 12), config.get("num_hidden_groups", 1)
    if not all(isinstance(count, int) and count > 0 for count in (layers, groups)):
        return 1  # what transformers says of such a configuration is told when it is trained
    return int(layers // groups)


def tokens_of(sentences: Iterable[str]) -> int:
    """Estimate the tokens of some sentences from their words."""
    counts = [len(sentence.split()) for sentence in sentences]
    return round(TOKENS_A_WORD * sum(counts) + TOKENS_A_SENTENCE * len(counts))


def flops(size: Size, tokens: Tokens, epochs: int) -> float:
    """Count a run's floating-point operations: training, evaluations, the test split's once."""
    trained = FLOPS_TRAINED * epochs * tokens.train
    evaluated = FLOPS_EVALUATED * (epochs * tokens.validation + tokens.test)
    return float(size.linear) * (trained + evaluated)
