"""Checks that a checkpoint's files match its model: no weights missing, none left over.

A classifier on top of a pretrained encoder starts with a new head, and with a new pooler if the
pretraining had none. Heads of other tasks are not loaded. Everything else must be loaded.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn
from transformers import PreTrainedModel

from harness.errors import BadInput
from harness.models.misfit import (
    cause,
    encoder_of,
    encoder_prefix,
    other_family,
    plain_name,
    unknown_positions,
)
from harness.models.tensors import WHOLE_NUMBERS, TensorInfo, stored_tensors
from harness.text import some

HEADS_INSIDE = {"perceiver": "decoder"}
"""The part of an encoder that is a task's head, by model_type; other families' head is outside."""

POOLER = "pooler"

ROTATION = "inv_freq"
"""Frequencies of rotary positions, which are now computed from the configuration."""

MOSTLY = 0.5
"""If all-zero matrices hold more than this share of an encoder's numbers, it was never written."""


@dataclass(frozen=True)
class Weights:
    """The origin of a model's weights.

    Attributes:
        initialised: names of the randomly initialised parameters: the files do not hold them, or
            hold them in another size.
        warnings: a line for each anomaly in the other parameters.
    """

    initialised: tuple[str, ...]
    warnings: tuple[str, ...]


def check_weights(model: PreTrainedModel, report: Mapping[str, Any], folder: Path) -> Weights:
    """Compare a model with the files from which it was loaded.

    Args:
        report: the loading info of `from_pretrained`, with `ignore_mismatched_sizes`.
        folder: of the checkpoint.

    Raises:
        BadInput: a part of the encoder would be random, or a part of the files' encoder is not
            loaded; a tensor is stored twice, holds integers, or is not finite; the encoder differs
            from the one that was saved.
    """
    parameters = dict(model.named_parameters(remove_duplicate=False))
    sizes = {name: tuple(shape) for name, shape, _ in report["mismatched_keys"]}
    new = (set(report["missing_keys"]) | set(sizes)) & set(parameters)
    stored = stored_tensors(folder)
    problems = [problem for problem in (unknown_positions(model),) if problem]
    if lost := _lost(model, new, sizes, report["unexpected_keys"]):
        problems.append(_not_loaded(model, lost, sizes, report["unexpected_keys"], stored))
    elif unused := _unused(model, report["unexpected_keys"], stored):
        problems.append(_partly_loaded(model, unused, stored))
    elif problem := other_family(model, folder):
        problems.append(problem)
    problems += _ambiguous(model, stored)
    loaded = {name: weights for name, weights in parameters.items() if name not in new}
    problems += _quantized(model, stored) or _not_finite(loaded)
    zeros, warnings = _zeros(model, loaded)
    problems += zeros
    if problems:
        raise BadInput(problems)
    return Weights(tuple(sorted(new)), tuple(warnings))


def _lost(
    model: PreTrainedModel,
    new: Collection[str],
    sizes: Mapping[str, object],
    unexpected: Collection[str],
) -> set[str]:
    """Return the names of the encoder's parameters that should have been loaded."""
    candidates = {name for name in new if _in_encoder(model, name)}
    other_poolers = any(POOLER in name.lower() for name in unexpected)
    return {
        name
        for name in candidates
        if POOLER not in name.split(".") or name in sizes or other_poolers
    }


def _in_encoder(model: PreTrainedModel, name: str) -> bool:
    prefix = encoder_prefix(model)
    head = HEADS_INSIDE.get(model.config.model_type)
    return name.startswith(prefix) and name.removeprefix(prefix).split(".")[0] != head


def _unused(
    model: PreTrainedModel, unexpected: Collection[str], stored: Mapping[str, TensorInfo]
) -> dict[str, TensorInfo | None]:
    """Return the files' tensors that belong to a part of the encoder but match no parameter.

    Masks and positions are not weights: old checkpoints hold them as integers, as single numbers,
    as frequencies, or under a name that is now a buffer.
    """
    parts = {name for name, _ in encoder_of(model).named_children()}
    head = HEADS_INSIDE.get(model.config.model_type)
    buffers = {plain_name(model, name) for name, _ in model.named_buffers()}
    by_plain_name = {plain_name(model, name): tensor for name, tensor in stored.items()}
    unused = {}
    for name in unexpected:
        plain = plain_name(model, name)
        part = plain.split(".")[0]
        tensor = by_plain_name.get(plain)
        no_weight = plain.endswith(ROTATION) or (
            tensor is not None and _is_no_weight(plain, tensor)
        )
        if part in parts and part not in (head, POOLER) and plain not in buffers and not no_weight:
            unused[name] = tensor
    return unused


def _is_no_weight(name: str, tensor: TensorInfo) -> bool:
    """Return whether a tensor holds integers, a single number or a causal mask."""
    mask = name.endswith(".bias") and tensor.shape == (1, 1, *tensor.shape[-1:] * 2)
    return tensor.dtype in WHOLE_NUMBERS or tensor.numbers <= 1 or mask


def _not_loaded(
    model: PreTrainedModel,
    lost: Collection[str],
    sizes: Mapping[str, tuple[int, ...]],
    unexpected: Collection[str],
    stored: Mapping[str, TensorInfo],
) -> str:
    parameters = dict(model.named_parameters(remove_duplicate=False))
    encoder = [name for name in parameters if _in_encoder(model, name)]
    share = _numbers(parameters, lost) / _numbers(parameters, encoder)
    message = (
        f"the encoder is not loaded: {len(lost)} of its {len(encoder)} tensors "
        f"({_percent(share)} of its numbers) would be random"
    )
    missing = sorted(name for name in lost if name not in sizes)
    if missing:
        message += f"; not in the files: {some(missing)}"
    if mismatched := sorted(name for name in lost if name in sizes):
        shown = [
            f"{name} ({_size(sizes[name])} in the files, {_size(parameters[name].shape)} by "
            "config.json)"
            for name in mismatched
        ]
        message += f"; of another size: {some(shown)}"
    if missing and unexpected:
        message += f"; in the files, but unused: {some(sorted(unexpected))}"
    return f"{message}; {cause(model, missing, unexpected, stored)}"


def _partly_loaded(
    model: PreTrainedModel,
    unused: Mapping[str, TensorInfo | None],
    stored: Mapping[str, TensorInfo],
) -> str:
    numbers = sum(tensor.numbers for tensor in unused.values() if tensor is not None)
    share = numbers / max(1, sum(tensor.numbers for tensor in stored.values()))
    return (
        f"the encoder is loaded only in part: {len(unused)} of the {len(stored)} tensors in the "
        f"files ({_percent(share)} of their numbers) match none of its tensors, such as "
        f"{some(sorted(unused))}; {cause(model, [], unused, stored)}"
    )


def _ambiguous(model: PreTrainedModel, stored: Mapping[str, TensorInfo]) -> list[str]:
    """Find tensors that the files hold under two names; transformers silently uses the first."""
    by_plain_name: dict[str, list[str]] = {}
    for name in stored:
        by_plain_name.setdefault(plain_name(model, name), []).append(name)
    parameters = {plain_name(model, name) for name, _ in model.named_parameters()}
    twice = [
        " and ".join(names)
        for plain, names in sorted(by_plain_name.items())
        if len(names) > 1 and plain in parameters and not _equal(names, stored)
    ]
    if not twice:
        return []
    return [
        f"the files hold {len(twice)} of the model's tensors twice, with different numbers: "
        f"{some(twice)}; save the model again with save_pretrained, so that each is stored once"
    ]


def _equal(names: Collection[str], stored: Mapping[str, TensorInfo]) -> bool:
    read = []
    for name in names:
        with safe_open(stored[name].file, framework="pt") as tensors:
            read.append(tensors.get_tensor(name))
    return all(torch.equal(read[0], other) for other in read[1:])


def _quantized(model: PreTrainedModel, stored: Mapping[str, TensorInfo]) -> list[str]:
    """Find weights stored as integers, which transformers would load as plain weights."""
    parameters = {
        plain_name(model, name)
        for name, weights in model.named_parameters()
        if weights.is_floating_point()
    }
    whole = sorted(
        f"{name} ({tensor.dtype})"
        for name, tensor in stored.items()
        if tensor.dtype in WHOLE_NUMBERS and plain_name(model, name) in parameters
    )
    if not whole:
        return []
    return [
        f"{len(whole)} of the model's tensors are stored as integers, like quantized weights: "
        f"{some(whole)}; quantized weights cannot be fine-tuned, so name the checkpoint from which "
        "they were made"
    ]


def _not_finite(loaded: Mapping[str, torch.Tensor]) -> list[str]:
    broken = sorted(name for name, weights in loaded.items() if not weights.isfinite().all())
    if not broken:
        return []
    return [
        f"{len(broken)} of the model's tensors hold NaN or infinite numbers: {some(broken)}; "
        "writing the files failed, or their numbers do not fit float16: use another copy"
    ]


def _zeros(
    model: PreTrainedModel, loaded: Mapping[str, nn.Parameter]
) -> tuple[list[str], list[str]]:
    """Find matrices of zeros, as in a file that was allocated but not fully written.

    Embeddings other than the token embeddings may be zero: RoBERTa was trained without segments.
    Returns problems and warnings.
    """
    modules = dict(model.named_modules())
    try:
        tokens = model.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        tokens = None
    matrices = {
        name: weights
        for name, weights in loaded.items()
        if weights.dim() > 1
        and name.endswith(".weight")
        and _in_encoder(model, name)
        and (
            (module := modules[name.rpartition(".")[0]]) is tokens
            or not isinstance(module, nn.Embedding)
        )
    }
    zeros = sorted(name for name, weights in matrices.items() if not weights.any())
    if not zeros:
        return [], []
    share = _numbers(loaded, zeros) / _numbers(loaded, matrices)
    message = f"only zeros in {some(zeros)} ({_percent(share)} of all weight matrices)"
    message += "; likely the file was not completely written or copied"
    return ([f"the encoder is empty: {message}"], []) if share > MOSTLY else ([], [message])


def _numbers(parameters: Mapping[str, torch.Tensor], names: Collection[str]) -> int:
    """Count the numbers in some parameters; tied parameters count once."""
    return sum({id(parameters[name]): parameters[name].numel() for name in names}.values())


def _percent(share: float) -> str:
    if 0 < share < 0.005:
        return "under 1 %"
    return f"{min(100 * share, 99) if share < 1 else 100:.0f} %"


def _size(shape: Collection[int]) -> str:
    return " x ".join(map(str, shape))
