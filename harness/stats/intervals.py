"""Confidence intervals of a mean over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from harness.stats.checks import check, check_level
from harness.stats.scores import BOUNDS, Statistic, linearise
from harness.stats.variance import Covers, half_width, root, runs_of, variance_of_mean


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its confidence interval.

    Attributes:
        mean: of the statistic over seeds.
        low: lower end of the interval, never below the statistic's minimum.
        high: upper end of the interval, never above the statistic's maximum.
        level: confidence level of the interval.
        covers: the sources of error that are included.
        standard_error: of the mean, from all included sources.
        degrees_of_freedom: of Student's t, from which the interval is computed.
        seeds: number of runs.
        sd_seeds: sample standard deviation over seeds; None with one seed.
        se_sentences: standard error from the sampling of sentences; None if only one value per
            seed is known.
        se_seeds: standard error from the sampling of seeds, beyond what sentences explain; None
            with one seed. `se_sentences`² + `se_seeds`² = `standard_error`².
        se_endless_seeds: standard error that would remain with infinitely many seeds; None with
            one seed, which cannot show it.
        sd_one_seed: standard deviation that one seed adds to `se_endless_seeds`; None with one
            seed.
        one_class_or_perfect: number of runs that predict one class only, or classify every
            sentence correctly, or misclassify every one, or (of more than two classes) have the
            same score on any sample of their outcomes. Sentences of such a run show no variation,
            so its error is computed from counts with one right and one wrong sentence added,
            spread over the classes (see docs/statistics.md).
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
    classes: int = 2,
) -> Interval:
    """Return the statistic's mean over seeds with an interval for other sentences and seeds.

    The estimated quantity is the statistic on the population from which the sentences are a
    sample, averaged over all possible seeds. With one seed it is the statistic of that one run on
    this population, and `covers` is "sentences only".

    Args:
        labels: (sentences,), each from 0 to `classes` - 1.
        predictions: (seeds, sentences), likewise.

    Raises:
        BadInput: other shapes or values, or a level not between 0 and 1.
    """
    check(labels, {"predictions": predictions}, level, classes)
    linearised = linearise(labels, predictions, statistic, classes)
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
    """Return the mean of one value per seed with Student's interval (Student 1908).

    It has k - 1 degrees of freedom. It is for scores without known predictions, and for times and
    other measurements: it covers other seeds, not other sentences.

    Returns:
        None for fewer than two values: a single value shows no spread.

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
