"""The variance of a mean over seeds on shared sentences, with intervals and p-values from it.

Seeds and sentences are crossed factors: every run is scored on the same sentences, as every reader
reads the same cases in a multi-reader multi-case study (Obuchowski and Rockette 1995; Hillis 2007).
"""

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np

from harness.stats.scores import Linearised

Covers = Literal["sentences and seeds", "sentences only", "seeds only"]

LEVEL = 0.95
"""Confidence level of every interval: all messages and pages call them 95 % intervals."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The interval of a mean over seeds, or of a difference of two such means.

    Attributes:
        low: lower end of the interval, never below the smallest possible value.
        high: upper end of the interval, never above the largest possible value.
        covers: the sources of error that are included.
        standard_error: from all included sources.
        degrees_of_freedom: of Student's t, from which the interval is computed.
        se_sentences: standard error from the sampling of sentences; None if only one value per
            seed is known.
        se_seeds: standard error from the sampling of seeds, beyond what sentences explain; None
            if a system has one seed. `se_sentences`² + `se_seeds`² = `standard_error`².
        se_endless_seeds: standard error that would remain with infinitely many seeds; None if a
            system has one seed, which cannot show it.
        sd_one_seed: standard deviation that one seed (of each system) adds to `se_endless_seeds`;
            None if a system has one seed.
        one_class_or_perfect: number of runs that predict one class only, or classify every
            sentence correctly, or misclassify every one. Sentences of such a run show no
            variation, so its error is computed from counts with 0.5 added to each (see
            docs/statistics.md).
    """

    low: float
    high: float
    covers: Covers
    standard_error: float
    degrees_of_freedom: float
    se_sentences: float | None
    se_seeds: float | None
    se_endless_seeds: float | None
    sd_one_seed: float | None
    one_class_or_perfect: int


@dataclass(frozen=True)
class LinearisedRuns:
    """Linearised runs whose seeds are independent of each other.

    Attributes:
        values: (seeds,), the statistic or a difference of statistics.
        influence: (seeds, sentences), the influence of each sentence on each value.
        unseen: standard error of the mean over seeds that the influences do not show.
    """

    values: np.ndarray
    influence: np.ndarray
    unseen: float


@dataclass(frozen=True)
class Variance:
    """The variance of a mean, or of a difference of means, by source.

    Attributes:
        sentences: from the sampling of sentences, including the interaction with seeds.
        seeds: additional variance from the sampling of seeds; None if the spread over seeds is
            unknown.
        lasting: the part that would remain with infinitely many seeds; None if unknown.
        one_seed: what a single seed would add to `lasting`; None if unknown.
        degrees_of_freedom: of Student's t for the total.
    """

    sentences: float
    seeds: float | None
    lasting: float | None
    one_seed: float | None
    degrees_of_freedom: float

    @property
    def total(self) -> float:
        """The variance of the mean."""
        return self.sentences + (self.seeds or 0.0)

    @property
    def covers(self) -> Covers:
        """The sources of error that are included."""
        return "sentences only" if self.seeds is None else "sentences and seeds"


def variance_of_mean(*groups: LinearisedRuns) -> Variance:
    """Return the variance of a sum of means over seeds, all on the same n sentences.

    With k seeds, the variance is S + B - I, where

    - S is the variance from sentences: the sample variance of the mean influence over sentences,
      divided by n;
    - B is the variance from seeds: the sample variance of the values, divided by k;
    - I is the variance from their interaction: the mean square of the influences minus the mean
      influence of each sentence, divided by n k. S and B each contain I once (Cornfield and Tukey
      1956, on two crossed random factors).

    B - I and S - I estimate the effects of seeds alone and of sentences alone; negative values are
    set to 0, as in Hillis (2007). Degrees of freedom are Satterthwaite's (1946), with n - 1 for S,
    k - 1 for B and (n - 1)(k - 1) for I. If a group has one seed, the variance is S with n - 1.

    Args:
        groups: runs of independent seeds; a difference is the sum of one group and another whose
            influences and values have the opposite sign.
    """
    sentences = groups[0].influence.shape[1]
    last = max(sentences - 1, 1)
    mean_influence = sum(group.influence.mean(axis=0) for group in groups)
    shown = float((mean_influence**2).sum()) / last / sentences
    unseen = sum(group.unseen for group in groups) ** 2
    if any(len(group.values) < 2 for group in groups):
        return Variance(shown + unseen, None, None, None, last)
    seed_variance = interaction = one_seed = uncertainty = 0.0
    for group in groups:
        seeds = len(group.values)
        rest = group.influence - group.influence.mean(axis=0)
        both = float((rest**2).sum()) / (last * (seeds - 1)) / (sentences * seeds)
        raw = float(np.var(group.values, ddof=1)) / seeds
        seed_variance += max(raw - both, 0.0)
        interaction += both
        one_seed += max(raw, both) * seeds
        uncertainty += raw**2 / (seeds - 1) + both**2 / (last * (seeds - 1))
    sentence_variance = max(shown, interaction) + unseen
    total = sentence_variance + seed_variance
    uncertainty += sentence_variance**2 / last
    freedom = total**2 / uncertainty if uncertainty > 0 else float(last)
    lasting = sentence_variance - interaction
    return Variance(sentence_variance, seed_variance, lasting, one_seed, freedom)


def runs_of(linearised: Linearised) -> LinearisedRuns:
    """Return the runs of one system, as if errors that influences do not show were correlated."""
    unseen = float(linearised.unseen.mean())
    return LinearisedRuns(linearised.values, linearised.influence, unseen)


def root(variance: float | None) -> float | None:
    """Return the square root of a variance, or None if it is unknown."""
    return None if variance is None else sqrt(variance)


def half_width(standard_error: float, degrees_of_freedom: float) -> float:
    """Return half the width of a two-sided interval of Student's t."""
    from scipy.special import stdtrit  # slow to import; a plan needs none of it

    return float(stdtrit(degrees_of_freedom, (1 + LEVEL) / 2)) * standard_error


def p_value(difference: float, standard_error: float, degrees_of_freedom: float) -> float:
    """Return the two-sided p-value of Student's t for a true difference of 0.

    With a standard error of 0 it is 1 if the difference is 0, otherwise 0.
    """
    if standard_error == 0:
        return 1.0 if difference == 0 else 0.0
    from scipy.special import stdtr  # see half_width

    return float(2 * stdtr(degrees_of_freedom, -abs(difference) / standard_error))
