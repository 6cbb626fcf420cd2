"""Intervals of a mean over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from harness.stats.checks import check, check_level
from harness.stats.scores import BOUNDS, Statistic, linearise
from harness.stats.variance import Covers, half_width, root, runs_of, variance_of_mean


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with the interval that its error allows.

    Attributes:
        mean: of the statistic over seeds.
        low: the interval's lower end, never below the statistic's least value.
        high: its upper end, never above the statistic's largest value.
        level: how often such intervals cover the true mean.
        covers: the sources of error that are counted.
        standard_error: of the mean, from all that is counted.
        degrees_of_freedom: of Student's t that the interval is made with.
        seeds: how many runs the mean is of.
        sd_seeds: sample standard deviation over seeds; None with one.
        se_sentences: standard error from the drawing of sentences; None where only values of
            seeds are known.
        se_seeds: standard error from the drawing of seeds, beyond what sentences explain; None
            with one seed. `standard_error` squared is the sum of both squared.
        se_endless_seeds: standard error that would be left if there were endless seeds; None
            with one seed, where it cannot be told apart.
        sd_one_seed: standard deviation that one seed adds to that; None with one seed.
        one_class_or_perfect: how many runs predict one class, or have every sentence right or
            every one wrong. Their sentences show no variation, so their error is taken from
            counts with half a sentence added to each (see docs/statistics.md).
    """

    mean: float
    low: float
    high: float
    level: float
    covers: Covers
    standard_error: float
    degrees_of_freedom: float
    seeds: int
    sd_seeds: float | None
    se_sentences: float | None
    se_seeds: float | None
    se_endless_seeds: float | None
    sd_one_seed: float | None
    one_class_or_perfect: int


def mean_interval(
    labels: np.ndarray,
    predictions: np.ndarray,
    statistic: Statistic = "mcc",
    level: float = 0.95,
) -> Interval:
    """Return the statistic's mean over seeds with an interval for other sentences and seeds.

    What it estimates is the mean, over all seeds that could be drawn, of the statistic on the
    population that the sentences are a sample of. With one seed it is that one run's statistic
    on that population, and `covers` says "sentences only".

    Args:
        labels: (sentences,), each 0 or 1.
        predictions: (seeds, sentences), each 0 or 1: a row a seed, the same sentences in each.

    Raises:
        BadInput: other shapes or values, or a level not between 0 and 1.
    """
    check(labels, {"predictions": predictions}, level)
    linearised = linearise(labels, predictions, statistic)
    variance = variance_of_mean(runs_of(linearised))
    values = linearised.values
    mean = float(values.mean())
    error = sqrt(variance.total)
    reach = half_width(error, variance.degrees_of_freedom, level)
    least, largest = BOUNDS[statistic]
    return Interval(
        mean=mean,
        low=max(mean - reach, least),
        high=min(mean + reach, largest),
        level=level,
        covers=variance.covers,
        standard_error=error,
        degrees_of_freedom=variance.degrees_of_freedom,
        seeds=len(values),
        sd_seeds=_deviation(values),
        se_sentences=sqrt(variance.sentences),
        se_seeds=root(variance.seeds),
        se_endless_seeds=root(variance.lasting),
        sd_one_seed=root(variance.one_seed),
        one_class_or_perfect=int((linearised.unseen > 0).sum()),
    )


def seeds_interval(values: Sequence[float], level: float = 0.95) -> Interval | None:
    """Return the mean of one value a seed with Student's interval (Student 1908), k - 1 degrees.

    For values whose predictions are not known, and for times and other measurements: it covers
    other seeds, not other sentences.

    Returns:
        None for fewer than two values: one says nothing of how far the next may lie.

    Raises:
        BadInput: a level not between 0 and 1.
    """
    check_level(level)
    seeds = len(values)
    if seeds < 2:
        return None
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    error = deviation / sqrt(seeds)
    reach = half_width(error, seeds - 1, level)
    return Interval(
        mean=mean,
        low=mean - reach,
        high=mean + reach,
        level=level,
        covers="seeds only",
        standard_error=error,
        degrees_of_freedom=seeds - 1,
        seeds=seeds,
        sd_seeds=deviation,
        se_sentences=None,
        se_seeds=error,
        se_endless_seeds=0.0,
        sd_one_seed=deviation,
        one_class_or_perfect=0,
    )


def _deviation(values: np.ndarray) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None
