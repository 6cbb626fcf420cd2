"""The tensors in a checkpoint's files: names, shapes and types."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open

from harness.inputs.checkpoint_files import WEIGHTS, WEIGHTS_INDEX

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
    files = [folder / WEIGHTS]
    if not files[0].is_file():
        listed = json.loads((folder / WEIGHTS_INDEX).read_bytes())["weight_map"].values()
        files = [folder / name for name in sorted(set(listed))]
    found = {}
    for file in files:
        with safe_open(file, framework="numpy") as tensors:
            for name in tensors.keys():  # noqa: SIM118
                tensor = tensors.get_slice(name)
                found[name] = TensorInfo(file, tuple(tensor.get_shape()), tensor.get_dtype())
    return found
