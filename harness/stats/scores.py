"""Matthews correlation and accuracy of many runs, and the influence of each sentence on them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.stats.checks import check
from harness.stats.many_classes import rk, rk_influence

Statistic = Literal["mcc", "accuracy"]

BOUNDS: dict[Statistic, tuple[float, float]] = {"mcc": (-1.0, 1.0), "accuracy": (0.0, 1.0)}
"""The smallest and the largest possible value of each statistic."""

PSEUDO_COUNT = 0.5
"""Added to each of a run's four counts if the counts show no variation
(Haldane 1956; Anscombe 1956)."""


@dataclass(frozen=True)
class Linearised:
    """A statistic of each run, as a sum over sentences (von Mises' first-order expansion).

    Attributes:
        values: (seeds,), the statistic.
        influence: (seeds, sentences), the contribution of each sentence: on another sample of
            sentences the statistic is about `values` plus the mean influence of its sentences.
            Each row has mean 0. These are the values of the infinitesimal jackknife (Jaeckel 1972;
            Efron 1982, chapter 6), equal to those of the delta method.
        unseen: (seeds,), the standard error of a run whose influences are all 0 and so do not
            show its error: it predicts one class only, or classifies every sentence correctly, or
            misclassifies every one; of more than two classes, see `rk_influence`. 0 for all other
            runs.
    """

    values: np.ndarray
    influence: np.ndarray
    unseen: np.ndarray


def mcc(labels: np.ndarray, predictions: np.ndarray, classes: int = 2) -> np.ndarray:
    """Return each run's Matthews correlation (Matthews 1975).

    With more than two classes it is Gorodkin's R_K (2004). It is 0 if labels or predictions
    contain one class only.

    Args:
        labels: (sentences,), each from 0 to `classes` - 1.
        predictions: (..., sentences), likewise, for example one row per seed.

    Returns:
        (...), between -1 and 1.

    Raises:
        BadInput: other shapes or values.
    """
    check(labels, {"predictions": np.atleast_2d(predictions)}, classes=classes)
    if classes > 2:
        return rk(labels, predictions, classes)
    positives = predictions.sum(axis=-1, dtype=np.int64)
    hits = (predictions * labels).sum(axis=-1, dtype=np.int64)
    return mcc_of_counts(hits, positives, int(labels.sum()), labels.size)


def accuracy(labels: np.ndarray, predictions: np.ndarray, classes: int = 2) -> np.ndarray:
    """Return each run's share of sentences classified correctly.

    Args:
        labels: (sentences,), each from 0 to `classes` - 1.
        predictions: (..., sentences), likewise.

    Returns:
        (...), between 0 and 1.

    Raises:
        BadInput: other shapes or values.
    """
    check(labels, {"predictions": np.atleast_2d(predictions)}, classes=classes)
    shares: np.ndarray = np.mean(predictions == labels, axis=-1)
    return shares


def mcc_of_counts(
    hits: np.ndarray,
    positives: np.ndarray,
    labelled: int | np.ndarray,
    sentences: int | np.ndarray,
) -> np.ndarray:
    """Return the Matthews correlation from counts, 0 if labels or predictions have one class.

    Args:
        hits: number of sentences with prediction 1 and label 1.
        positives: number of sentences with prediction 1.
        labelled: number of sentences with label 1.
        sentences: number of all sentences.
    """
    covariance = sentences * np.asarray(hits, dtype=float) - positives * labelled
    spread = (positives * (sentences - positives)) * (1.0 * labelled * (sentences - labelled))
    some = spread > 0
    return np.where(some, covariance / np.sqrt(np.where(some, spread, 1.0)), 0.0)


def linearise(
    labels: np.ndarray, predictions: np.ndarray, statistic: Statistic, classes: int = 2
) -> Linearised:
    """Return the statistic of each run with the influence of each sentence on it.

    Label and prediction of two classes have four joint outcomes, so a row of influences has at
    most four different values, which are computed once and looked up.

    Args:
        labels: (sentences,), each from 0 to `classes` - 1.
        predictions: (seeds, sentences), likewise.
    """
    if classes > 2 and statistic == "mcc":
        return Linearised(*rk_influence(labels, predictions, classes))
    if classes > 2:  # accuracy depends only on which sentences are right
        labels, predictions = np.ones_like(labels), predictions == labels
    outcomes = 2 * labels.astype(np.intp) + predictions.astype(np.intp)
    counts = np.stack([(outcomes == outcome).sum(axis=1) for outcome in range(4)], axis=1)
    degenerate = _degenerate(counts, statistic)
    values, influence = _by_outcome(counts, statistic)
    influence[degenerate] = 0
    unseen = np.zeros(len(counts))
    if degenerate.any():
        padded = counts[degenerate] + PSEUDO_COUNT
        shares = padded / padded.sum(axis=1, keepdims=True)
        _, padded_influence = _by_outcome(padded, statistic)
        unseen[degenerate] = np.sqrt((shares * padded_influence**2).sum(axis=1) / labels.size)
    return Linearised(values, np.take_along_axis(influence, outcomes, axis=1), unseen)


def _degenerate(counts: np.ndarray, statistic: Statistic) -> np.ndarray:
    """Return for each row of four counts whether no sentence influences the statistic."""
    rejected_right, accepted_wrong, rejected_wrong, accepted_right = counts.T
    right, wrong = rejected_right + accepted_right, rejected_wrong + accepted_wrong
    found: np.ndarray = (right == 0) | (wrong == 0)
    if statistic == "mcc":
        found |= (accepted_right + accepted_wrong == 0) | (rejected_right + rejected_wrong == 0)
        found |= (accepted_right + rejected_wrong == 0) | (rejected_right + accepted_wrong == 0)
    return found


def _by_outcome(counts: np.ndarray, statistic: Statistic) -> tuple[np.ndarray, np.ndarray]:
    """Return (runs,) values and (runs, 4) influences of (label, prediction) = 00, 01, 10, 11.

    Matthews' correlation is Pearson's correlation of two binary variables, whose influence is
    u v - r (u^2 + v^2) / 2 with u and v standardised (Devlin, Gnanadesikan and Kettenring 1975).
    The influence on a mean is the value minus the mean.
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
    """Return (runs, values): values minus their mean, divided by their deviation if it is not 0."""
    deviations = np.sqrt(shares * (1 - shares))
    deviations[deviations == 0] = 1.0
    standardised: np.ndarray = (values - shares[:, None]) / deviations[:, None]
    return standardised
