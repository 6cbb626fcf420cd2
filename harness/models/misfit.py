"""Why the files of a checkpoint do not fit the model that its configuration describes."""

import copy
import inspect
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from torch import nn
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel

from harness.models.tensors import Stored

WRAPPERS = {
    "_orig_mod.": "torch.compile",
    "module.": "DataParallel",
    "0.auto_model.": "sentence-transformers",
}
"""What leaves a well-known prefix before every name."""

RENAME = (
    "import glob; from safetensors.torch import load, save_file; "
    "[save_file({{{key}: t for k, t in load(open(f, 'rb').read()).items()}}, f, "
    "metadata={{'format': 'pt'}}) for f in glob.glob('*.safetensors')]"
)

MOST_SIZES = 4
"""Settings in config.json that are looked for; more than these are another model."""

# Matrices of positions have up to two rows that no position uses.
RESERVED_ROWS = (0, 1, 2)


def encoder_prefix(model: PreTrainedModel) -> str:
    """Return what the names of a classifier's encoder begin with; "" if it has none of its own."""
    prefix = model.base_model_prefix
    return f"{prefix}." if prefix and isinstance(getattr(model, prefix, None), nn.Module) else ""


def encoder_of(model: PreTrainedModel) -> nn.Module:
    """Return a classifier's encoder: the model without the head."""
    prefix = encoder_prefix(model).rstrip(".")
    return cast(nn.Module, getattr(model, prefix)) if prefix else model


def plain_name(model: PreTrainedModel, name: str) -> str:
    """Return a tensor's name as every way to save the model has it.

    Base models save without the prefix of classifiers, and TensorFlow's first checkpoints called a
    norm's weight and bias gamma and beta; transformers reads all of them alike.
    """
    name = name.removeprefix(encoder_prefix(model))
    module, _, last = name.rpartition(".")
    if module.lower().endswith("norm"):
        last = {"gamma": "weight", "beta": "bias"}.get(last, last)
    return f"{module}.{last}" if module else last


def unknown_positions(model: PreTrainedModel) -> str | None:
    """Say so where a configuration asks for positions that this version of transformers lacks.

    It computes absolute ones then, and says nothing.
    """
    kind = getattr(model.config, "position_embedding_type", None)
    if kind in (None, "absolute"):
        return None
    source = inspect.getsource(sys.modules[type(encoder_of(model)).__module__])
    if f'"{kind}"' in source or f"'{kind}'" in source:
        return None
    return (
        f"config.json asks for position_embedding_type {kind!r}, which {type(model).__name__} of "
        f"transformers {transformers.__version__} does not compute (it would take absolute "
        "positions, and say nothing); name a checkpoint with absolute positions"
    )


def other_family(model: PreTrainedModel, folder: Path) -> str | None:
    """Say so where other code saved the weights than would compute with them.

    Families whose models are the same under another name (RoBERTa and XLM-R) give the same answers.
    """
    found = _saved_by(model)
    if found is None or _same_answers(model, found[1], folder):
        return None
    return f"{_of_another_family(model, found)}"


def cause(
    model: PreTrainedModel,
    missing: Collection[str],
    unexpected: Collection[str],
    stored: Mapping[str, Stored],
) -> str:
    """Return the likely cause of a misfit, with the way out.

    Args:
        missing: names of the encoder's parameters that the files do not have.
        unexpected: names in the files that the model does not have.
    """
    if found := _saved_by(model):
        return f"likely cause: {_of_another_family(model, found)}"
    if renamed := _renaming(model, missing, unexpected):
        return f"likely cause: {renamed}"
    if sizes := _sizes(model, stored):
        told = ", ".join(f"{key} is {ours}, in the files {theirs}" for key, ours, theirs in sizes)
        return (
            f"likely cause: in config.json {told}; take the config.json that was saved with the "
            "weights, or the weights that were saved with this config.json"
        )
    return (
        "the files are not whole, or another model's than config.json describes; save both again "
        "with model.save_pretrained(folder)"
    )


def _saved_by(model: PreTrainedModel) -> tuple[str, type[PreTrainedConfig]] | None:
    """Return the class that a configuration says saved it, if that is of another family."""
    for name in getattr(model.config, "architectures", None) or ():
        saved_by = getattr(transformers, str(name), None)
        configuration = getattr(saved_by, "config_class", None)
        if configuration is not None:
            same = configuration.model_type == model.config.model_type
            return None if same else (str(name), configuration)
    return None


def _of_another_family(model: PreTrainedModel, found: tuple[str, type[PreTrainedConfig]]) -> str:
    name, configuration = found
    return (
        f"model_type in config.json is {model.config.model_type!r}, but the weights were saved by "
        f"{name}, whose model_type is {configuration.model_type!r}: write that one"
    )


def _same_answers(
    model: PreTrainedModel, configuration: type[PreTrainedConfig], folder: Path
) -> bool:
    """Tell whether an encoder computes the same as the other family's would."""
    settings = model.config.to_dict() | {"model_type": configuration.model_type}
    try:
        other = AutoModel.from_pretrained(
            folder,
            config=configuration.from_dict(settings),
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
        ).eval()
        rows = other.get_input_embeddings().weight.shape[0]
        ids = torch.linspace(rows // 4, rows - 1, 8, dtype=torch.long)[None]
        with torch.no_grad():
            ours, theirs = (each(input_ids=ids)[0] for each in (encoder_of(model), other))
        return torch.allclose(ours, theirs, atol=1e-4)
    except Exception:  # of all that a foreign configuration may raise: it does not fit, that is all
        return False


def _renaming(
    model: PreTrainedModel, missing: Collection[str], unexpected: Collection[str]
) -> str | None:
    """Find what other names the files use for what the model misses: another beginning, mostly.

    Two names mean the same tensor where they end alike and no other name ends so.
    """
    endings: dict[str, set[str]] = {}
    for name in missing:
        for _, ending in _splits(name):
            endings.setdefault(ending, set()).add(name)
    beginnings: Counter[tuple[str, str]] = Counter()
    for name in unexpected:
        for beginning, ending in _splits(name):
            # One word alone, such as weight, says nothing of what it is of.
            if "." in ending and (found := endings.get(ending)):
                if len(found) == 1:
                    ours = next(iter(found)).removesuffix(ending)
                    beginnings[beginning, ours] += 1
                break
    prefix = encoder_prefix(model)
    if beginnings:
        (theirs, ours), count = beginnings.most_common(1)[0]
        ours = "" if ours == prefix else ours
        if theirs != ours and 2 * count >= min(len(missing), len(unexpected)):
            return _told_renaming(theirs, ours)
    wrong_case = {plain_name(model, name).lower() for name in missing}
    if any(plain_name(model, name).lower() in wrong_case for name in unexpected):
        return (
            "the names in the files differ from the model's in capital letters only; rename the "
            "tensors, or save the model again with save_pretrained"
        )
    return None


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """Yield a name's beginning and ending at every dot, the longest ending first."""
    parts = name.split(".")
    for place in range(len(parts)):
        beginning = "".join(f"{part}." for part in parts[:place])
        yield beginning, ".".join(parts[place:])


def _told_renaming(theirs: str, ours: str) -> str:
    key = f"k.removeprefix({theirs!r})"
    if not theirs:
        told, key = f"the names in the files lack {ours!r}", f"{ours!r} + k"
    elif not ours:
        told = f"the names in the files begin with {theirs!r}"
        if theirs in WRAPPERS:
            told += f", which {WRAPPERS[theirs]} leaves there"
    else:
        told = f"the names in the files begin with {theirs!r} where the model's do with {ours!r}"
        key = f"{ours!r} + {key} if k.startswith({theirs!r}) else k"
    return f'{told}; rename them in a copy of the folder: python -c "{RENAME.format(key=key)}"'


def _sizes(model: PreTrainedModel, stored: Mapping[str, Stored]) -> list[tuple[str, int, int]]:
    """Find the settings with which the files would fit: each with its value here and there."""
    shapes = {plain_name(model, name): tensor.shape for name, tensor in stored.items()}
    config = copy.deepcopy(model.config)
    found: list[tuple[str, int, int]] = []
    least, tried = _misfits(model, config, shapes)
    while least and len(found) < MOST_SIZES:
        best: tuple[int, str, int] | None = None
        for key, value in _candidates(config, tried, shapes):
            count, _ = _misfits(model, _changed(config, key, value), shapes)
            if count < (best[0] if best else least):
                best = count, key, value
        if best is None:
            return found
        least, key, value = best
        found.append((key, getattr(config, key), value))
        config = _changed(config, key, value)
        tried = _misfits(model, config, shapes)[1]
    return found


def _changed(config: PreTrainedConfig, key: str, value: int) -> PreTrainedConfig:
    changed = copy.deepcopy(config)
    setattr(changed, key, value)
    return changed


def _misfits(
    model: PreTrainedModel, config: PreTrainedConfig, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[int, dict[str, tuple[int, ...]]]:
    """Count the encoder's tensors that the files do not have so; return the shapes it has, too."""
    try:
        with torch.device("meta"):
            built = type(model)(config)
    except Exception:  # settings that exclude each other
        return sys.maxsize, {}
    ours = {
        plain_name(model, name): tuple(weights.shape)
        for name, weights in encoder_of(built).named_parameters()
    }
    parts = {name.split(".")[0] for name in ours}
    unfit = sum(shapes.get(name) != shape for name, shape in ours.items())
    left = sum(name.split(".")[0] in parts and name not in ours for name in shapes)
    return unfit + left, ours


def _candidates(
    config: PreTrainedConfig,
    ours: Mapping[str, tuple[int, ...]],
    theirs: Mapping[str, tuple[int, ...]],
) -> set[tuple[str, int]]:
    """Return settings that may be the reason for what differs, with the values to try."""
    differing = {
        (here, there)
        for name, shape in ours.items()
        if len(shape) == len(theirs.get(name, ()))
        for here, there in zip(shape, theirs[name], strict=True)
        if here != there
    }
    pairs = {
        (here - reserved, there - reserved)
        for here, there in differing
        for reserved in RESERVED_ROWS
    }
    layers, in_files = _layers(ours), _layers(theirs)
    pairs |= {
        (layers[stack], in_files[stack])
        for stack in layers.keys() & in_files.keys()
        if layers[stack] != in_files[stack]
    }
    settings: dict[str, Any] = config.to_dict()
    return {
        (key, there)
        for key, value in settings.items()
        if type(value) is int and hasattr(config, key)
        for here, there in pairs
        if value == here and there > 0
    }


def _layers(names: Collection[str]) -> dict[str, int]:
    """Count the layers of every stack, by what stands before a layer's number."""
    counts: dict[str, int] = {}
    for name in names:
        for beginning, ending in _splits(name):
            number = ending.split(".")[0]
            if beginning and number.isdecimal():
                counts[beginning] = max(counts.get(beginning, 0), int(number) + 1)
    return counts
