"""Evaluation in order of length, so that batches hold sentences of similar length."""

from typing import Any

import numpy as np
from datasets import Dataset
from transformers import Trainer

from harness.models.encode import token_counts


def evaluation_positions(rows: Dataset, by_length: bool) -> np.ndarray:
    """Return (sentences,) the positions of a split's rows in the order of their evaluation.

    Args:
        by_length: shortest first; the plain reference is the split's own order.
    """
    if not by_length:
        return np.arange(len(rows))
    return np.argsort(token_counts(rows), kind="stable")


def evaluated_places(trainer: Trainer, rows: Dataset, positions: np.ndarray) -> np.ndarray:
    """Return (sentences,) the index of each of a split's rows in the output of Trainer.

    If Trainer groups training batches by length, it groups evaluation batches too, and returns
    logits in that order, which is the same every time.

    Args:
        positions: (sentences,) the rows' positions, in the order in which Trainer receives them.
    """
    sampler: Any = trainer._get_eval_sampler(rows.select(positions))
    return np.argsort(positions[np.fromiter(sampler, dtype=np.intp)])
