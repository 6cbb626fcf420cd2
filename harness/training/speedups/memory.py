"""Keeps the best epoch's weights in memory, and freed memory in the process."""

import copy
import ctypes
import sys
from typing import Any

import torch
from transformers import PreTrainedModel, TrainerCallback

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_LARGEST = 2**30
# The documented maximum of M_MMAP_THRESHOLD on 64 bits; some versions refuse more.
_DOCUMENTED = 2**25


def keep_freed_memory() -> bool:
    """Configure glibc's allocator to keep freed memory; return whether it accepted.

    Gradients and activations are freed and allocated again at every step. By default, the largest
    blocks come from mmap and are returned to the kernel at once, as is the end of the heap if much
    of it is free; the kernel then maps and zeroes their pages again each time. The setting lasts as
    long as the process.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return False
    if not any(mallopt(_M_MMAP_THRESHOLD, size) for size in (_LARGEST, _DOCUMENTED)):
        return False
    return bool(mallopt(_M_TRIM_THRESHOLD, _LARGEST))


class BestEpoch(TrainerCallback):
    """Keeps the weights of the epoch with the highest metric, the first one of equal epochs.

    The plain reference is Trainer, which writes every epoch to disk, and `read_best_epoch`.
    """

    def __init__(self, metric: str) -> None:
        self._metric = f"eval_{metric}"
        self._best: float | None = None
        self._weights: dict[str, torch.Tensor] = {}

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        value = kwargs["metrics"][self._metric]
        if self._best is None or value > self._best:
            self._best = value
            weights = kwargs["model"].state_dict()
            self._weights = {name: tensor.clone() for name, tensor in weights.items()}

    def load(self, model: PreTrainedModel) -> None:
        """Load the best epoch's weights into the model."""
        model.load_state_dict(self._weights)


def read_best_epoch(
    model: PreTrainedModel, folder: str | None, vocabulary: int | None = None
) -> None:
    """Load all weights of a checkpoint that Trainer wrote into the model.

    For some families, files store weights under other names or in other shapes than the model.
    Only `from_pretrained` converts them: Trainer's `load_best_model_at_end` leaves such weights as
    they are after the last epoch (transformers 5.23), with a warning at most.

    Args:
        vocabulary: rows of the embedding matrix, if `used-vocabulary` trimmed it.

    Raises:
        RuntimeError: the checkpoint does not hold every weight of the model.
    """
    if folder is None:
        raise RuntimeError("Trainer wrote no checkpoint of the best epoch")
    configuration = copy.deepcopy(model.config)
    if vocabulary is not None:
        configuration.vocab_size = vocabulary
    kind: Any = type(model)
    read, loading = kind.from_pretrained(
        folder,
        config=configuration,
        dtype=model.dtype,
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        output_loading_info=True,
    )
    if wrong := [f"{what}: {sorted(map(str, names))}" for what, names in loading.items() if names]:
        raise RuntimeError(f"the best epoch's checkpoint is incomplete ({'; '.join(wrong)})")
    model.load_state_dict(read.state_dict())
