"""Confidence intervals of a mean over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from harness.stats.checks import check
from harness.stats.scores import Statistic, linearise
from harness.stats.sources import Sources
from harness.stats.variance import (
    Estimate,
    bounds_of_mean,
    half_width,
    root,
    runs_of,
    uses_fishers_scale,
    variance_of_mean,
)


@dataclass(frozen=True, kw_only=True)
class Interval(Estimate):
    """A mean over seeds with its confidence interval.

    Attributes:
        mean: of the statistic over seeds.
        seeds: number of runs.
        sd_seeds: sample standard deviation over seeds; None with one seed.
        fishers_scale: whether the interval is symmetric on Fisher's scale, atanh(MCC), instead of
            around the mean.
    """

    mean: float
    seeds: int
    sd_seeds: float | None
    fishers_scale: bool


def mean_interval(
    labels: np.ndarray,
    predictions: np.ndarray,
    statistic: Statistic = "mcc",
    classes: int = 2,
    sources: Sources | None = None,
) -> Interval:
    """Return the statistic's mean over seeds with an interval for other sentences and seeds.

    The estimated quantity is the statistic on the population from which the sentences are a
    sample, averaged over all possible seeds. With one seed it is the statistic of that one run on
    this population, and `covers` is "sentences only".

    With sources, the interval is for sentences of other sources: the population from which the
    sources with their sentences are a sample. That of MCC is symmetric on Fisher's scale, because
    one that is symmetric around the MCC covers the true value too rarely with few sources.

    Args:
        labels: (sentences,), each from 0 to `classes` - 1.
        predictions: (seeds, sentences), likewise.
        sources: of the sentences; None for an interval for other sentences of the same sources.

    Raises:
        BadInput: other shapes or values.
    """
    check(labels, {"predictions": predictions}, classes)
    linearised = linearise(labels, predictions, statistic, classes)
    variance = variance_of_mean(runs_of(linearised), sources=sources)
    values = linearised.values
    mean = float(values.mean())
    error = sqrt(variance.total)
    freedom = variance.degrees_of_freedom
    fishers_scale = uses_fishers_scale(statistic, sources)
    low, high = bounds_of_mean(mean, error, freedom, statistic, fishers_scale=fishers_scale)
    return Interval(
        mean=mean,
        low=low,
        high=high,
        covers=variance.covers,
        standard_error=error,
        degrees_of_freedom=freedom,
        seeds=len(values),
        sd_seeds=float(values.std(ddof=1)) if len(values) > 1 else None,
        fishers_scale=fishers_scale,
        se_sentences=sqrt(variance.sentences),
        se_seeds=root(variance.seeds),
        se_endless_seeds=root(variance.lasting),
        sd_one_seed=root(variance.one_seed),
        sentences_freedom=variance.sentences_freedom,
        one_class_or_perfect=int((linearised.unseen > 0).sum()),
    )


def seeds_interval(values: Sequence[float]) -> Interval | None:
    """Return the mean of one value per seed with Student's interval (Student 1908).

    It has k - 1 degrees of freedom. It is for scores without known predictions, and for times and
    other measurements: it covers other seeds, not other sentences.

    Returns:
        None for fewer than two values: a single value shows no spread.
    """
    seeds = len(values)
    if seeds < 2:
        return None
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    error = deviation / sqrt(seeds)
    reach = half_width(error, seeds - 1)
    return Interval(
        mean=mean,
        low=mean - reach,
        high=mean + reach,
        covers="seeds only",
        standard_error=error,
        degrees_of_freedom=seeds - 1,
        seeds=seeds,
        sd_seeds=deviation,
        fishers_scale=False,
        se_sentences=None,
        se_seeds=error,
        se_endless_seeds=0.0,
        sd_one_seed=deviation,
        sentences_freedom=None,
        one_class_or_perfect=0,
    )
