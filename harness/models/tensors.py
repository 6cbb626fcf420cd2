"""The tensors that a checkpoint's files hold: names, shapes and types."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open

from harness.inputs.checkpoint_files import WEIGHTS, WEIGHTS_INDEX

WHOLE_NUMBERS = ("BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64")


@dataclass(frozen=True)
class Stored:
    """A tensor in a file, in safetensors' own words for its type."""

    file: Path
    shape: tuple[int, ...]
    dtype: str

    @property
    def numbers(self) -> int:
        return math.prod(self.shape)


def stored_tensors(folder: Path) -> dict[str, Stored]:
    """Return what the files of a checkpoint hold, by name, as `from_pretrained` finds them.

    One file, or those that an index lists where that one is not there.

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
                one = tensors.get_slice(name)
                found[name] = Stored(file, tuple(one.get_shape()), one.get_dtype())
    return found
