"""The tensors of a checkpoint: in its files, and in the model that loads them."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import safe_open

from harness.inputs.checkpoint_files import WEIGHTS, WEIGHTS_INDEX, shards_of

if TYPE_CHECKING:  # a forecast reads only the files, and must not load torch
    from transformers import PreTrainedModel

WHOLE_NUMBERS = ("BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64")


@dataclass(frozen=True)
class TensorInfo:
    """A tensor in a file; `dtype` is safetensors' name of its type."""

    file: Path
    shape: tuple[int, ...]
    dtype: str

    @property
    def numbers(self) -> int:
        return math.prod(self.shape)


def stored_tensors(folder: Path) -> dict[str, TensorInfo]:
    """Return the tensors in a checkpoint's files by name, as `from_pretrained` finds them.

    Reads one file or, if it does not exist, the files that an index lists.

    Raises:
        OSError, SafetensorError: a file cannot be read.
    """
    whole = (folder / WEIGHTS).is_file()
    files = [WEIGHTS] if whole else sorted(shards_of(folder / WEIGHTS_INDEX))
    found = {}
    for file in (folder / name for name in files):
        with safe_open(file, framework="numpy") as tensors:
            for name in tensors.keys():  # noqa: SIM118
                tensor = tensors.get_slice(name)
                found[name] = TensorInfo(file, tuple(tensor.get_shape()), tensor.get_dtype())
    return found


def encoder_prefix(model: "PreTrainedModel") -> str:
    """Return the prefix of the names in a classifier's encoder; "" if there is no prefix."""
    return "" if model.base_model is model else f"{model.base_model_prefix}."


def plain_name(model: "PreTrainedModel", name: str) -> str:
    """Return a tensor's name in a form that does not depend on how the model was saved.

    Base models are saved without the prefix of classifiers, and TensorFlow's first checkpoints name
    a norm's weight and bias gamma and beta; transformers loads all these forms.
    """
    name = name.removeprefix(encoder_prefix(model))
    module, _, last = name.rpartition(".")
    if module.lower().endswith("norm"):
        last = {"gamma": "weight", "beta": "bias"}.get(last, last)
    return f"{module}.{last}" if module else last


def token_embeddings(model: "PreTrainedModel") -> Any:
    """Return the module that looks up tokens; None for a model of characters or bytes."""
    try:
        return model.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return None
