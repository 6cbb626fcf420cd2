"""MCC on slices of the sentences: intervals, and differences between a slice and the rest."""

from dataclasses import dataclass, replace
from math import atanh, hypot, sqrt

import numpy as np

from harness.stats.checks import check
from harness.stats.intervals import Interval, mean_interval
from harness.stats.scores import linearise
from harness.stats.variance import (
    LEVEL,
    PERFECT,
    Covers,
    LinearisedRuns,
    fisher_bounds,
    p_value,
    variance_of_mean,
)

LEAST_SENTENCES = 30
"""Smallest slice that gets an interval or a test; docs/statistics.md shows the coverage."""

LEAST_OF_A_CLASS = 5
"""Least number of sentences of the rarest class of a slice that gets an interval or a test."""


@dataclass(frozen=True)
class Contrast:
    """The mean MCC on a slice minus that on all other sentences, with its two-sided p-value."""

    difference: float
    p_value: float
    covers: Covers


def undefined(labels: np.ndarray) -> str | None:
    """Return why a slice has no MCC, or None if it has one.

    Args:
        labels: (sentences,) of the slice.
    """
    if labels.size == 0:
        return "no sentences"
    return "all labels are of one class" if len(np.unique(labels)) < 2 else None


def no_interval(labels: np.ndarray) -> str | None:
    """Return why a slice with these labels gets no interval and no test, or None if it does."""
    if labels.size < LEAST_SENTENCES:
        return f"fewer than {LEAST_SENTENCES} sentences"
    _, counts = np.unique(labels, return_counts=True)
    if counts.min() < LEAST_OF_A_CLASS or len(counts) < 2:
        return f"fewer than {LEAST_OF_A_CLASS} sentences of a class"
    return None


def slice_interval(
    labels: np.ndarray, predictions: np.ndarray, classes: int = 2, tests: int = 1
) -> Interval:
    """Return the mean MCC over seeds on a slice, with its interval.

    The interval is symmetric on Fisher's scale, atanh(MCC) (Fisher 1921), with the standard error
    of `mean_interval` divided by 1 - MCC^2 (the delta method): on few sentences, an interval that
    is symmetric around the MCC covers the true value too rarely. With several tests, each interval
    has level 1 - 0.05 / tests, so that all of them hold together with 95 % (Bonferroni).

    Args:
        labels: (sentences,) of the slice, each from 0 to `classes` - 1.
        predictions: (seeds, sentences), likewise.
        tests: number of intervals that must hold together.

    Raises:
        BadInput: other shapes or values.
    """
    plain = mean_interval(labels, predictions, classes=classes)
    level = 1 - (1 - LEVEL) / tests
    error, freedom = plain.standard_error, plain.degrees_of_freedom
    low, high = fisher_bounds(plain.mean, error, freedom, level)
    return replace(plain, low=low, high=high, fishers_scale=True)


def against_rest(
    labels: np.ndarray, predictions: np.ndarray, chosen: np.ndarray, classes: int = 2
) -> Contrast:
    """Return the mean MCC on a slice minus that on the other sentences, with a test of it.

    The test compares atanh(MCC) (Fisher 1921), on which chance finds a difference less often than
    on the MCC itself; see docs/statistics.md. Both parts have the same seeds, so a seed's effect on
    both cancels; their sentences are independent. Of n sentences, m of a part, a sentence has
    sqrt(n (n - 1) / (m (m - 1))) times its influence on the part, so that the variance over all n
    is that over the m. Degrees of freedom are at most those of the smaller part, which are never
    more than Welch's (1947).

    Args:
        labels: (sentences,), each from 0 to `classes` - 1.
        predictions: (seeds, sentences), likewise.
        chosen: (sentences,), whether each is in the slice; each part has two sentences or more.

    Raises:
        BadInput: other shapes or values.
    """
    check(labels, {"predictions": predictions}, classes)
    parts = (chosen, ~chosen)
    linearised = [linearise(labels[p], predictions[:, p], "mcc", classes) for p in parts]
    means = [float(each.values.mean()) for each in linearised]
    bounded = all(1 - mean**2 > PERFECT for mean in means)
    values = np.zeros(len(predictions))
    influence = np.zeros(predictions.shape)
    unseen = 0.0
    for part, runs, mean, sign in zip(parts, linearised, means, (1, -1), strict=True):
        slope, centre = (1 - mean**2, atanh(mean)) if bounded else (1.0, mean)
        size = int(part.sum())
        weight = sqrt(labels.size * (labels.size - 1) / (size * (size - 1)))
        values += sign * (centre + (runs.values - mean) / slope)
        influence[:, part] = sign * weight / slope * runs.influence
        unseen = hypot(unseen, float(runs.unseen.mean()) / slope)
    variance = variance_of_mean(LinearisedRuns(values, influence, unseen))
    smaller = min(int(part.sum()) for part in parts)
    freedom = min(variance.degrees_of_freedom, smaller - 1)
    return Contrast(
        difference=means[0] - means[1],
        p_value=p_value(float(values.mean()), sqrt(variance.total), freedom),
        covers=variance.covers,
    )
