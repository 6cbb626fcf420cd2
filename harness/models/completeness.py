"""Loads a classifier, and checks that its files match it: no weights missing, none left over.

A classifier on top of a pretrained encoder starts with a new head, and with a new pooler if the
pretraining had none. Heads of other tasks are not loaded. Everything else must be loaded.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn
from transformers import AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel

from harness.errors import BadInput
from harness.models.misfit import cause, other_family, unknown_positions
from harness.models.tensors import (
    WHOLE_NUMBERS,
    TensorInfo,
    encoder_prefix,
    plain_name,
    stored_tensors,
    token_embeddings,
)
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


def load_classifier(
    folder: str, configuration: PreTrainedConfig
) -> tuple[PreTrainedModel, Weights]:
    """Load a classifier in float32, whatever type its files have, and compare it with the files.

    Raises:
        BadInput: a part of the encoder would be random, or a part of the files' encoder is not
            loaded; a tensor is stored twice, holds integers, or is not finite; the encoder differs
            from the one that was saved.
    """
    model, report = AutoModelForSequenceClassification.from_pretrained(
        folder,
        config=configuration,
        dtype=torch.float32,
        ignore_mismatched_sizes=True,  # a head of another size is new; other parts are refused
        output_loading_info=True,
        trust_remote_code=False,
        local_files_only=True,
        use_safetensors=True,
    )
    return model, _checked(model, report, Path(folder))


def _checked(model: PreTrainedModel, report: Mapping[str, Any], folder: Path) -> Weights:
    parameters = dict(model.named_parameters(remove_duplicate=False))
    sizes = {name: tuple(shape) for name, shape, _ in report["mismatched_keys"]}
    new = (set(report["missing_keys"]) | set(sizes)) & set(parameters)
    unexpected, stored = report["unexpected_keys"], stored_tensors(folder)
    other_poolers = any(POOLER in name.lower() for name in unexpected)
    lost = {
        name
        for name in new
        if _in_encoder(model, name)
        and (POOLER not in name.split(".") or name in sizes or other_poolers)
    }
    problems = list(filter(None, [unknown_positions(model)]))
    if lost:
        problems.append(_not_loaded(model, lost, sizes, unexpected, stored))
    elif unused := _unused(model, unexpected, stored):
        problems.append(_partly_loaded(model, unused, stored))
    elif problem := other_family(model, folder):
        problems.append(problem)
    problems += _ambiguous(model, stored)
    loaded = {name: weights for name, weights in parameters.items() if name not in new}
    problems += list(_quantized(model, stored)) or _not_finite(loaded)
    share, zeros = _zeros(model, loaded)
    if share > MOSTLY:
        problems += [f"the encoder is empty: {line}" for line in zeros]
    if problems:
        raise BadInput(problems)
    return Weights(tuple(sorted(new)), tuple(zeros))


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
    parts = {name for name, _ in model.base_model.named_children()}
    parts -= {HEADS_INSIDE.get(model.config.model_type), POOLER}
    buffers = {plain_name(model, name) for name, _ in model.named_buffers()}
    by_plain_name = {plain_name(model, name): tensor for name, tensor in stored.items()}
    unused = {}
    for name in unexpected:
        plain = plain_name(model, name)
        tensor = by_plain_name.get(plain)
        if plain.split(".")[0] in parts and plain not in buffers and _is_weight(plain, tensor):
            unused[name] = tensor
    return unused


def _is_weight(name: str, tensor: TensorInfo | None) -> bool:
    """Return whether a tensor is neither integers, a single number, a mask nor frequencies."""
    if name.endswith(ROTATION):
        return False
    if tensor is None:
        return True
    mask = name.endswith(".bias") and tensor.shape == (1, 1, *tensor.shape[-1:] * 2)
    return tensor.dtype not in WHOLE_NUMBERS and tensor.numbers > 1 and not mask


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


def _ambiguous(model: PreTrainedModel, stored: Mapping[str, TensorInfo]) -> Iterator[str]:
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
    if twice:
        yield (
            f"the files hold {len(twice)} of the model's tensors twice, with different numbers: "
            f"{some(twice)}; save the model again with save_pretrained, so that each is stored once"
        )


def _equal(names: Collection[str], stored: Mapping[str, TensorInfo]) -> bool:
    read = []
    for name in names:
        with safe_open(stored[name].file, framework="pt") as tensors:
            read.append(tensors.get_tensor(name))
    return all(torch.equal(read[0], other) for other in read[1:])


def _quantized(model: PreTrainedModel, stored: Mapping[str, TensorInfo]) -> Iterator[str]:
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
    if whole:
        yield (
            f"{len(whole)} of the model's tensors are stored as integers, like quantized weights: "
            f"{some(whole)}; quantized weights cannot be fine-tuned, so name the checkpoint from "
            "which they were made"
        )


def _not_finite(loaded: Mapping[str, torch.Tensor]) -> Iterator[str]:
    broken = sorted(name for name, weights in loaded.items() if not weights.isfinite().all())
    if broken:
        yield (
            f"{len(broken)} of the model's tensors hold NaN or infinite numbers: {some(broken)}; "
            "writing the files failed, or their numbers do not fit float16: use another copy"
        )


def _zeros(model: PreTrainedModel, loaded: Mapping[str, nn.Parameter]) -> tuple[float, list[str]]:
    """Find matrices of zeros, as in a file that was allocated but not fully written.

    Embeddings other than the token embeddings may be zero: RoBERTa was trained without segments.
    Returns their share of all numbers in matrices, and a line if there are any.
    """
    modules, tokens = dict(model.named_modules()), token_embeddings(model)
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
        return 0.0, []
    share = _numbers(loaded, zeros) / _numbers(loaded, matrices)
    message = f"only zeros in {some(zeros)} ({_percent(share)} of all weight matrices)"
    return share, [f"{message}; likely the file was not completely written or copied"]


def _numbers(parameters: Mapping[str, torch.Tensor], names: Collection[str]) -> int:
    """Count the numbers in some parameters; tied parameters count once."""
    return sum({id(parameters[name]): parameters[name].numel() for name in names}.values())


def _percent(share: float) -> str:
    if 0 < share < 0.005:
        return "under 1 %"
    return f"{min(100 * share, 99) if share < 1 else 100:.0f} %"


def _size(shape: Collection[int]) -> str:
    return " x ".join(map(str, shape))
