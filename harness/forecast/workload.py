"""The floating-point operations of a run: a checkpoint's size, a data set's tokens, the product."""

import functools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.models.tensors import stored_tensors

FLOPS_TRAINED = 6
FLOPS_EVALUATED = 2
"""Floating-point operations per weight of a linear layer and token, without attention: two in the
forward pass and four in the backward pass (Kaplan et al., "Scaling Laws for Neural Language
Models", 2020, section 2.1)."""

TOKENS_A_WORD = 1.2
TOKENS_A_SENTENCE = 2
"""Tokens of CoLA in word-piece tokenizers: 1.2 per word between spaces, plus two special tokens
per sentence."""


@dataclass(frozen=True)
class Size:
    """A checkpoint's size.

    `parameters` is the encoder's total; `linear` counts the weights of its layers' matrices, each
    as often as a forward pass uses it.
    """

    parameters: int
    linear: int


@dataclass(frozen=True)
class Tokens:
    """Estimated tokens of each split, and of the longest train or validation sentence."""

    train: int
    validation: int
    test: int
    longest: int


def size_of(folder: Path) -> Size:
    """Count a checkpoint's parameters from the headers of its safetensors files.

    A pretraining head's own matrix over the vocabulary is not loaded, so it is not counted. Models
    that share layers, such as ALBERT, use every matrix several times.
    """
    files = (file.stat() for file in (folder / "config.json", *folder.glob("*.safetensors")))
    return _counted(folder, tuple((file.st_mtime_ns, file.st_size, file.st_ino) for file in files))


@functools.lru_cache(maxsize=64)  # each run of a plan needs the size of its checkpoint
def _counted(folder: Path, _state: tuple[tuple[int, int, int], ...]) -> Size:
    """Count as size_of does, once for each state of the files."""
    config = json.loads((folder / "config.json").read_bytes())
    tensors = stored_tensors(folder)
    vocabularies = [
        tensor.numbers
        for tensor in tensors.values()
        if len(tensor.shape) == 2 and tensor.shape[0] == config.get("vocab_size")
    ]
    linear = sum(
        tensor.numbers
        for name, tensor in tensors.items()
        if re.search(r"\.\d+\.", f".{name}") and len(tensor.shape) in (2, 3) and "embed" not in name
    )
    parameters = sum(tensor.numbers for tensor in tensors.values())
    return Size(
        parameters=parameters - sum(vocabularies) + max(vocabularies, default=0),
        linear=linear * _uses_of_a_layer(config),
    )


def _uses_of_a_layer(config: Mapping[str, Any]) -> int:
    if config.get("model_type") != "albert":
        return 1
    layers, groups = config.get("num_hidden_layers", 12), config.get("num_hidden_groups", 1)
    if not all(isinstance(count, int) and count > 0 for count in (layers, groups)):
        return 1  # transformers reports such a configuration when the run trains
    return int(layers // groups)


def tokens_of(sentences: Iterable[str]) -> int:
    """Estimate the tokens of some sentences from their words."""
    counts = [len(sentence.split()) for sentence in sentences]
    return round(TOKENS_A_WORD * sum(counts) + TOKENS_A_SENTENCE * len(counts))


def flops(size: Size, tokens: Tokens, epochs: int) -> float:
    """Count a run's floating-point operations: training, evaluations, and one pass over test."""
    trained = FLOPS_TRAINED * epochs * tokens.train
    evaluated = FLOPS_EVALUATED * (epochs * tokens.validation + tokens.test)
    return float(size.linear) * (trained + evaluated)
