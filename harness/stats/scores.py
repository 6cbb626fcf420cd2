"""Matthews correlation and accuracy of many runs at once, and what one sentence adds to them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.stats.checks import check

Statistic = Literal["mcc", "accuracy"]

BOUNDS: dict[Statistic, tuple[float, float]] = {"mcc": (-1.0, 1.0), "accuracy": (0.0, 1.0)}
"""The least and the largest value of each statistic."""

PSEUDO_COUNT = 0.5
"""Added to each of a run's four counts where the counts themselves show no variation
(Haldane 1956; Anscombe 1956)."""


@dataclass(frozen=True)
class Linearised:
    """A statistic of each run, as a sum over sentences (von Mises' first-order expansion).

    Attributes:
        values: (seeds,), the statistic.
        influence: (seeds, sentences), what each sentence adds to it: the statistic of another
            sample of sentences is about `values` plus the mean influence of its sentences. Each
            row's mean is 0. The infinitesimal jackknife's values (Jaeckel 1972; Efron 1982,
            chapter 6), which are those of the delta method.
        unseen: (seeds,), the standard error of a run whose influences are all 0, which says
            nothing of its error: one class predicted, or every sentence right, or every one
            wrong. 0 for all other runs.
    """

    values: np.ndarray
    influence: np.ndarray
    unseen: np.ndarray


def mcc(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Return each run's Matthews correlation (Matthews 1975), 0 where a margin is empty.

    Args:
        labels: (sentences,), each 0 or 1.
        predictions: (..., sentences), each 0 or 1, such as a row a seed.

    Returns:
        (...), between -1 and 1.

    Raises:
        BadInput: other shapes or values.
    """
    check(labels, {"predictions": np.atleast_2d(predictions)})
    positives = predictions.sum(axis=-1, dtype=np.int64)
    hits = (predictions * labels).sum(axis=-1, dtype=np.int64)
    return mcc_of_counts(hits, positives, int(labels.sum()), labels.size)


def accuracy(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Return each run's share of sentences classified as annotated.

    Args:
        labels: (sentences,), each 0 or 1.
        predictions: (..., sentences), each 0 or 1.

    Returns:
        (...), between 0 and 1.

    Raises:
        BadInput: other shapes or values.
    """
    check(labels, {"predictions": np.atleast_2d(predictions)})
    shares: np.ndarray = np.mean(predictions == labels, axis=-1)
    return shares


def mcc_of_counts(
    hits: np.ndarray,
    positives: np.ndarray,
    labelled: int | np.ndarray,
    sentences: int | np.ndarray,
) -> np.ndarray:
    """Return the Matthews correlation from counts, 0 where a margin is empty.

    Args:
        hits: how many sentences have prediction 1 and label 1.
        positives: how many have prediction 1.
        labelled: how many have label 1.
        sentences: how many there are.
    """
    covariance = sentences * np.asarray(hits, dtype=float) - positives * labelled
    spread = (positives * (sentences - positives)) * (1.0 * labelled * (sentences - labelled))
    some = spread > 0
    return np.where(some, covariance / np.sqrt(np.where(some, spread, 1.0)), 0.0)


def linearise(labels: np.ndarray, predictions: np.ndarray, statistic: Statistic) -> Linearised:
    """Return the statistic of each run with the influence of each sentence on it.

    A sentence's label and a run's prediction have four joint outcomes, so a row of influences has
    at most four values, and each is looked up.

    Args:
        labels: (sentences,), each 0 or 1.
        predictions: (seeds, sentences), each 0 or 1.
    """
    outcomes = 2 * labels.astype(np.intp) + predictions.astype(np.intp)
    counts = np.stack([(outcomes == outcome).sum(axis=1) for outcome in range(4)], axis=1)
    blind = _blind(counts, statistic)
    values, influence = _by_outcome(counts, statistic)
    influence[blind] = 0
    unseen = np.zeros(len(counts))
    if blind.any():
        padded = counts[blind] + PSEUDO_COUNT
        shares = padded / padded.sum(axis=1, keepdims=True)
        _, padded_influence = _by_outcome(padded, statistic)
        unseen[blind] = np.sqrt((shares * padded_influence**2).sum(axis=1) / labels.size)
    return Linearised(values, np.take_along_axis(influence, outcomes, axis=1), unseen)


def _blind(counts: np.ndarray, statistic: Statistic) -> np.ndarray:
    """Say of each row of four counts whether no sentence moves the statistic."""
    rejected_right, accepted_wrong, rejected_wrong, accepted_right = counts.T
    right, wrong = rejected_right + accepted_right, rejected_wrong + accepted_wrong
    blind: np.ndarray = (right == 0) | (wrong == 0)
    if statistic == "mcc":
        blind |= (accepted_right + accepted_wrong == 0) | (rejected_right + rejected_wrong == 0)
        blind |= (accepted_right + rejected_wrong == 0) | (rejected_right + accepted_wrong == 0)
    return blind


def _by_outcome(counts: np.ndarray, statistic: Statistic) -> tuple[np.ndarray, np.ndarray]:
    """Return (runs,) values and (runs, 4) influences of (label, prediction) = 00, 01, 10, 11.

    Matthews' correlation is Pearson's correlation of two binary variables, whose influence is
    u v - r (u^2 + v^2) / 2 with both standardised (Devlin, Gnanadesikan and Kettenring 1975).
    That of a mean is a value less the mean.
    """
    total = counts.sum(axis=1)
    if statistic == "accuracy":
        right = np.array([1.0, 0.0, 0.0, 1.0])
        values = (counts @ right) / total
        return values, right - values[:, None]
    labelled, accepted = counts[:, 2] + counts[:, 3], counts[:, 1] + counts[:, 3]
    values = mcc_of_counts(counts[:, 3], accepted, labelled, total)
    u = _standardised(np.array([0, 0, 1, 1]), labelled / total)
    v = _standardised(np.array([0, 1, 0, 1]), accepted / total)
    return values, u * v - values[:, None] * (u**2 + v**2) / 2


def _standardised(values: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return (runs, values): binary values less their mean, by their standard deviation if any."""
    deviations = np.sqrt(shares * (1 - shares))
    divisors: np.ndarray = np.where(deviations > 0, deviations, 1.0)
    standardised: np.ndarray = (values - shares[:, None]) / divisors[:, None]
    return standardised
