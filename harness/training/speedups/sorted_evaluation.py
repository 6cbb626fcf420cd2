"""Evaluation in order of length, so that batches hold sentences of like length."""

from dataclasses import dataclass

import numpy as np
from datasets import Dataset
from transformers import Trainer

from harness.models.encode import token_counts


@dataclass(frozen=True)
class EvaluationOrder:
    """In which order a split's rows are evaluated.

    Attributes:
        positions: (sentences,) the positions of the rows in the order in which Trainer gets them.
        places: (sentences,) where each row's logits are in what Trainer returns.
    """

    positions: np.ndarray
    places: np.ndarray


def evaluation_positions(rows: Dataset, by_length: bool) -> np.ndarray:
    """Return (sentences,) the positions of a split's rows in the order of their evaluation.

    Args:
        by_length: shortest first; the plain twin is the split's own order.
    """
    if not by_length:
        return np.arange(len(rows))
    return np.argsort(token_counts(rows), kind="stable")


def evaluation_order(trainer: Trainer, rows: Dataset, positions: np.ndarray) -> EvaluationOrder:
    """Return the order in which a trainer evaluates a split's rows, given in `positions`."""
    sampled = _sampled(trainer, rows.select(positions))
    return EvaluationOrder(positions, np.argsort(positions[sampled]))


def _sampled(trainer: Trainer, rows: Dataset) -> np.ndarray:
    """Return (sentences,) the order in which Trainer takes rows that it is given to evaluate.

    Where it groups training batches by length it groups evaluation batches too, and returns logits
    in that order, which is the same every time.
    """
    sampler = trainer._get_eval_sampler(rows)
    return np.arange(len(rows)) if sampler is None else np.fromiter(sampler, dtype=np.intp)
