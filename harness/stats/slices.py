"""MCC on slices of the sentences: intervals, and differences between a slice and the rest."""

from dataclasses import dataclass, replace
from math import atanh, sqrt, tanh

import numpy as np

from harness.stats.checks import check
from harness.stats.intervals import Interval, mean_interval
from harness.stats.scores import linearise
from harness.stats.variance import (
    LEVEL,
    Covers,
    LinearisedRuns,
    half_width,
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
    low: float
    high: float
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
    slope = 1 - plain.mean**2
    if slope < 1e-12:  # every sentence of every run is classified correctly, or none
        reach = half_width(plain.standard_error, plain.degrees_of_freedom, level)
        return replace(plain, low=max(plain.mean - reach, -1.0), high=min(plain.mean + reach, 1.0))
    reach = half_width(plain.standard_error / slope, plain.degrees_of_freedom, level)
    centre = atanh(plain.mean)
    return replace(plain, low=tanh(centre - reach), high=tanh(centre + reach))


def against_rest(
    labels: np.ndarray, predictions: np.ndarray, chosen: np.ndarray, classes: int = 2
) -> Contrast:
    """Return the mean MCC on a slice minus that on the other sentences.

    Both have the same seeds, so a seed's effect on both cancels. The sentences are independent:
    with n sentences, m of them in the slice, a sentence of the slice has n / m times its influence
    on the slice's MCC, and one of the rest -n / (n - m) times its influence on the rest's. Degrees
    of freedom are at most those of the smaller part (Welch 1947 lies between the two).

    Args:
        labels: (sentences,), each from 0 to `classes` - 1.
        predictions: (seeds, sentences), likewise.
        chosen: (sentences,), whether each is in the slice; both parts have both classes.

    Raises:
        BadInput: other shapes or values.
    """
    check(labels, {"predictions": predictions}, classes)
    sentences = labels.size
    values = np.zeros(len(predictions))
    influence = np.zeros(predictions.shape)
    unseen = 0.0
    for part, sign in ((chosen, 1.0), (~chosen, -1.0)):
        runs = linearise(labels[part], predictions[:, part], "mcc", classes)
        values += sign * runs.values
        influence[:, part] = sign * sentences / part.sum() * runs.influence
        unseen = sqrt(unseen**2 + float(runs.unseen.mean()) ** 2)
    variance = variance_of_mean(LinearisedRuns(values, influence, unseen))
    smaller = min(int(chosen.sum()), int((~chosen).sum()))
    freedom = min(variance.degrees_of_freedom, float(max(smaller - 1, 1)))
    error = sqrt(variance.total)
    difference = float(values.mean())
    reach = half_width(error, freedom)
    return Contrast(
        difference=difference,
        low=max(difference - reach, -2.0),
        high=min(difference + reach, 2.0),
        p_value=p_value(difference, error, freedom),
        covers=variance.covers,
    )
