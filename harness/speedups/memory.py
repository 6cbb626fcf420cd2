"""Memory that stays: the best epoch's weights, and what the allocator would hand back."""

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
    """Tell glibc's allocator to keep what is freed; returns whether it did.

    Gradients and activations are freed and allocated again at every step. By default, the largest
    blocks come from mmap and go back at once, and so does the heap's end when much of it is free;
    their pages are faulted in and zeroed anew each time. The setting lasts as long as the process.
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
    """Keeps the weights of the epoch with the highest metric, the first of equals.

    The plain twin is Trainer's `load_best_model_at_end`, which writes every epoch to disk.
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
        """Put the best epoch's weights into the model."""
        model.load_state_dict(self._weights)
