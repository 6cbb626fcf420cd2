"""Why the files of a checkpoint do not fit the model that its configuration describes."""

import copy
import inspect
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import torch
import transformers
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel

from harness.models.tensors import TensorInfo, encoder_prefix, plain_name

WRAPPERS = {
    "_orig_mod.": "torch.compile",
    "module.": "DataParallel",
    "0.auto_model.": "sentence-transformers",
}
"""Prefixes of tensor names, with the tool that adds them."""

RENAME = (
    "import glob; from safetensors.torch import load, save_file; "
    "[save_file({{{key}: t for k, t in load(open(f, 'rb').read()).items()}}, f, "
    "metadata={{'format': 'pt'}}) for f in glob.glob('*.safetensors')]"
)

PLAIN = re.compile(r"[\w.-]*", re.ASCII)
"""Prefixes that mean the same in a shell and in Python; with others, no command is offered."""

MOST_SIZES = 4
"""Maximum number of wrong settings in config.json to find; with more, it is another model."""

# Matrices of positions have up to two rows without a position.
RESERVED_ROWS = (0, 1, 2)


def unknown_positions(model: PreTrainedModel) -> str | None:
    """Return a problem if this version of transformers lacks the configured type of positions.

    It then silently computes absolute positions.
    """
    kind = getattr(model.config, "position_embedding_type", None)
    if kind in (None, "absolute"):
        return None
    source = inspect.getsource(sys.modules[type(model.base_model).__module__])
    if f'"{kind}"' in source or f"'{kind}'" in source:
        return None
    return (
        f"config.json has position_embedding_type {kind!r}, which {type(model).__name__} of "
        f"transformers {transformers.__version__} does not support (it would silently use absolute "
        "positions); name a checkpoint with absolute positions"
    )


def other_family(model: PreTrainedModel, folder: Path) -> str | None:
    """Return a problem if the weights were saved by another family than the one that loads them.

    Families that differ only in name (RoBERTa and XLM-R) give the same outputs and are accepted.
    """
    found = _saved_by_other_family(model)
    return None if found is None or _same_outputs(model, found[1], folder) else found[0]


def cause(
    model: PreTrainedModel,
    missing: Collection[str],
    unexpected: Collection[str],
    stored: Mapping[str, TensorInfo],
) -> str:
    """Return the likely cause of a mismatch, with the way out.

    Args:
        missing: names of the encoder's parameters that the files do not have.
        unexpected: names in the files that the model does not have.
    """
    if found := _saved_by_other_family(model):
        return f"likely cause: {found[0]}"
    if renamed := _renaming(model, missing, unexpected):
        return f"likely cause: {renamed}"
    if sizes := _sizes(model, stored):
        values = ", ".join(f"{key} is {ours}, in the files {theirs}" for key, ours, theirs in sizes)
        return (
            f"likely cause: in config.json {values}; use the config.json that was saved with the "
            "weights, or the weights that were saved with this config.json"
        )
    return (
        "the files are incomplete, or they belong to another model than config.json describes; "
        "save both again with model.save_pretrained(folder)"
    )


def _saved_by_other_family(model: PreTrainedModel) -> tuple[str, type[PreTrainedConfig]] | None:
    """Return the problem that another family saved a model, and that family's configuration."""
    for name in getattr(model.config, "architectures", None) or ():
        saved_by = getattr(transformers, str(name), None)
        configuration = getattr(saved_by, "config_class", None)
        if configuration is not None:
            ours, theirs = model.config.model_type, configuration.model_type
            problem = (
                f"model_type in config.json is {ours!r}, but the weights were saved by {name}, "
                f"whose model_type is {theirs!r}: write this one"
            )
            return None if ours == theirs else (problem, configuration)
    return None


def _same_outputs(
    model: PreTrainedModel, configuration: type[PreTrainedConfig], folder: Path
) -> bool:
    """Return whether an encoder computes the same as an encoder of the other family."""
    settings = model.config.to_dict() | {"model_type": configuration.model_type}
    try:
        other = AutoModel.from_pretrained(
            folder,
            config=configuration.from_dict(settings),
            dtype=torch.float32,
            trust_remote_code=False,
            local_files_only=True,
            use_safetensors=True,
        ).eval()
        rows = other.get_input_embeddings().weight.shape[0]
        ids = torch.linspace(rows // 4, rows - 1, 8, dtype=torch.long)[None]
        with torch.no_grad():
            ours, theirs = (each(input_ids=ids)[0] for each in (model.base_model, other))
        return torch.allclose(ours, theirs, atol=1e-4)
    except Exception:  # any error of a foreign configuration means that it does not fit
        return False


def _renaming(
    model: PreTrainedModel, missing: Collection[str], unexpected: Collection[str]
) -> str | None:
    """Find how the files rename the model's missing tensors: mostly they have another prefix.

    Two names refer to the same tensor if they have a common ending that no other name has.
    """
    endings: dict[str, set[str]] = {}
    for name in missing:
        for _, ending in _splits(name):
            endings.setdefault(ending, set()).add(name)
    beginnings: Counter[tuple[str, str]] = Counter()
    for name in unexpected:
        for beginning, ending in _splits(name):
            # A single word, such as weight, does not identify a tensor.
            if "." in ending and (found := endings.get(ending)):
                if len(found) == 1:
                    ours = next(iter(found)).removesuffix(ending)
                    beginnings[beginning, ours] += 1
                break
    if beginnings:
        (theirs, ours), count = beginnings.most_common(1)[0]
        ours = "" if ours == encoder_prefix(model) else ours
        if theirs != ours and 2 * count >= min(len(missing), len(unexpected)):
            return _renaming_message(theirs, ours)
    wrong_case = {plain_name(model, name).lower() for name in missing}
    if any(plain_name(model, name).lower() in wrong_case for name in unexpected):
        return (
            "the names in the files differ from the model's only in capital letters; rename the "
            "tensors, or save the model again with save_pretrained"
        )
    return None


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """Yield a name split into beginning and ending at every dot, the longest ending first."""
    parts = name.split(".")
    for count in range(len(parts)):
        beginning = "".join(f"{part}." for part in parts[:count])
        yield beginning, ".".join(parts[count:])


def _renaming_message(theirs: str, ours: str) -> str:
    key = f"k.removeprefix({theirs!r})"
    if not theirs:
        problem, key = f"the names in the files lack {ours!r}", f"{ours!r} + k"
    elif not ours:
        problem = f"the names in the files begin with {theirs!r}"
        if theirs in WRAPPERS:
            problem += f", which {WRAPPERS[theirs]} adds"
    else:
        problem = f"the names in the files begin with {theirs!r} instead of {ours!r}"
        key = f"{ours!r} + {key} if k.startswith({theirs!r}) else k"
    problem += "; rename them in a copy of the folder"
    # The files may be a stranger's, and the user pastes the command into a shell.
    if not (PLAIN.fullmatch(theirs) and PLAIN.fullmatch(ours)):
        return problem
    return f'{problem}: python -c "{RENAME.format(key=key)}"'


def _sizes(model: PreTrainedModel, stored: Mapping[str, TensorInfo]) -> list[tuple[str, int, int]]:
    """Find the settings that differ from the files: each with its configured and fitting value."""
    shapes = {plain_name(model, name): tensor.shape for name, tensor in stored.items()}
    config = copy.deepcopy(model.config)
    found: list[tuple[str, int, int]] = []
    least, tried = _mismatches(model, config, shapes)
    while least and len(found) < MOST_SIZES:
        counts = {}
        for key, value in _candidates(config, tried, shapes):
            changed = copy.deepcopy(config)
            setattr(changed, key, value)
            counts[key, value], _ = _mismatches(model, changed, shapes)
        best = min(counts, key=lambda change: counts[change], default=None)
        if best is None or counts[best] >= least:
            return found
        key, value = best
        found.append((key, getattr(config, key), value))
        setattr(config, key, value)
        least, tried = _mismatches(model, config, shapes)
    return found


def _mismatches(
    model: PreTrainedModel, config: PreTrainedConfig, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[int, dict[str, tuple[int, ...]]]:
    """Return how many of the encoder's tensors the files do not match, and the encoder's shapes."""
    try:
        with torch.device("meta"):
            built = type(model)(config)
    except Exception:  # settings that exclude each other
        return sys.maxsize, {}
    ours = {
        plain_name(model, name): tuple(weights.shape)
        for name, weights in built.base_model.named_parameters()
    }
    parts = {name.split(".")[0] for name in ours}
    mismatched = sum(shapes.get(name) != shape for name, shape in ours.items())
    unused = sum(name.split(".")[0] in parts and name not in ours for name in shapes)
    return mismatched + unused, ours


def _candidates(
    config: PreTrainedConfig,
    ours: Mapping[str, tuple[int, ...]],
    theirs: Mapping[str, tuple[int, ...]],
) -> set[tuple[str, int]]:
    """Return settings that may explain the differences, with the values to try."""
    sizes = {
        (here - reserved, there - reserved)
        for name, shape in ours.items()
        if len(shape) == len(theirs.get(name, ()))
        for here, there in zip(shape, theirs[name], strict=True)
        for reserved in RESERVED_ROWS
    }
    layers, in_files = _layers(ours), _layers(theirs)
    sizes |= {(layers[stack], in_files[stack]) for stack in layers.keys() & in_files.keys()}
    return {
        (key, there)
        for key, value in config.to_dict().items()
        if type(value) is int and hasattr(config, key)
        for here, there in sizes
        if value == here != there > 0
    }


def _layers(names: Collection[str]) -> dict[str, int]:
    """Count the layers of every stack, by the prefix of the layers' numbers."""
    counts: dict[str, int] = {}
    for name in names:
        for beginning, ending in _splits(name):
            number = ending.split(".")[0]
            if beginning and number.isdecimal():
                counts[beginning] = max(counts.get(beginning, 0), int(number) + 1)
    return counts
