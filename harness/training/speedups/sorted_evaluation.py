"""Evaluation in order of length, so that batches hold sentences of similar length."""

from dataclasses import dataclass

import numpy as np
from datasets import Dataset
from transformers import Trainer

from harness.models.encode import token_counts


@dataclass(frozen=True)
class EvaluationOrder:
    """The order in which a split's rows are evaluated.

    Attributes:
        positions: (sentences,) the rows' positions, in the order in which Trainer receives them.
        places: (sentences,) the index of each row's logits in Trainer's output.
    """

    positions: np.ndarray
    places: np.ndarray


def evaluation_positions(rows: Dataset, by_length: bool) -> np.ndarray:
    """Return (sentences,) the positions of a split's rows in the order of their evaluation.

    Args:
        by_length: shortest first; the plain reference is the split's own order.
    """
    if not by_length:
        return np.arange(len(rows))
    return np.argsort(token_counts(rows), kind="stable")


def evaluation_order(trainer: Trainer, rows: Dataset, positions: np.ndarray) -> EvaluationOrder:
    """Return the order in which a trainer evaluates a split's rows, given in `positions`."""
    sampled = _sampled(trainer, rows.select(positions))
    return EvaluationOrder(positions, np.argsort(positions[sampled]))


def _sampled(trainer: Trainer, rows: Dataset) -> np.ndarray:
    """Return (sentences,) the order in which Trainer evaluates the rows that it receives.

    If Trainer groups training batches by length, it groups evaluation batches too, and returns
    logits in that order, which is the same every time.
    """
    sampler = trainer._get_eval_sampler(rows)
    return np.arange(len(rows)) if sampler is None else np.fromiter(sampler, dtype=np.intp)
