"""Training that can be compared number by number: without dropout, step by step."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import DatasetDict
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from harness.training.speedups import (
    COMPILED_LAYERS,
    FAST_DROPOUT,
    FIRST_TOKEN,
    PACKING,
)
from harness.training.speedups.apply import apply, undo


def without_dropout(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0


# The architectures whose layers are rewritten, and those that keep their own.
FAMILIES = ("bert", "distilbert", "roberta", "electra", "mpnet")

REWRITING = (FAST_DROPOUT, FIRST_TOKEN, PACKING)
COMPILED = (COMPILED_LAYERS, *REWRITING)

Batch = dict[str, Tensor]


def batch_of(family: str, lengths: list[int], padding: int = 0, seed: int = 0) -> Batch:
    """Random token ids of these lengths, each batch row padded to the longest and further."""
    pad = 1 if family in ("roberta", "mpnet") else 0
    generator = torch.Generator().manual_seed(seed)
    shape = (len(lengths), max(lengths) + padding)
    mask = (torch.arange(shape[1]) < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(5, 60, shape, generator=generator)
    return {
        "input_ids": torch.where(mask == 1, ids, pad),
        "attention_mask": mask,
        "labels": torch.randint(0, 2, (len(lengths),), generator=generator),
    }


@dataclass(frozen=True)
class Computed:
    loss: Tensor
    logits: Tensor
    gradients: dict[str, Tensor | None]


def compute(model: PreTrainedModel, batch: Batch) -> Computed:
    model.zero_grad()
    output = model(**batch)
    output.loss.backward()
    gradients = {
        name: None if parameter.grad is None else parameter.grad.clone()
        for name, parameter in model.named_parameters()
    }
    return Computed(output.loss.detach(), output.logits.detach(), gradients)


def sped_up(
    names: Collection[str],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    calculate: Callable[[], Any],
) -> Any:
    """Calculate something while a model's forward is rewritten."""
    applied = apply(names, model, tokenizer, DatasetDict())
    assert applied.names == set(names)
    try:
        return calculate()
    finally:
        undo(model, applied, decay=1.0)


def assert_close(one: Computed, other: Computed, tolerance: float) -> None:
    torch.testing.assert_close(one.loss, other.loss, atol=tolerance, rtol=0)
    torch.testing.assert_close(one.logits, other.logits, atol=tolerance, rtol=0)
    assert_tensors_close(one.gradients, other.gradients, tolerance)


def assert_tensors_close(
    one: Mapping[str, Tensor | None], other: Mapping[str, Tensor | None], tolerance: float
) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        try:
            torch.testing.assert_close(other[name], tensor, atol=tolerance, rtol=0)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None


def model_with(folder: Path, setting: dict[str, Any]) -> PreTrainedModel:
    """A model of a checkpoint's configuration with other settings, its weights drawn anew."""
    config = AutoConfig.from_pretrained(folder, attn_implementation="eager")
    for name, value in setting.items():
        setattr(config, "_attn_implementation" if name == "attn_implementation" else name, value)
    return model_from(config)


def model_from(config: PreTrainedConfig) -> PreTrainedModel:
    make: Any = AutoModelForSequenceClassification
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: PreTrainedModel = make.from_config(config)
    return model
