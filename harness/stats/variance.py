"""The variance of a mean over seeds on shared sentences, with intervals and p-values from it.

Seeds and sentences are crossed factors: every run is scored on the same sentences, as every reader
reads the same cases in a multi-reader multi-case study (Obuchowski and Rockette 1995; Hillis 2007).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import atanh, copysign, inf, isinf, sqrt, tanh
from typing import Literal

import numpy as np

from harness.stats.scores import BOUNDS, Linearised, Statistic
from harness.stats.sources import Sources

Covers = Literal[
    "sentences and seeds", "sentences only", "seeds only", "sources and seeds", "sources only"
]

PERFECT = 1e-12
"""If 1 - MCC^2 is not above this, Fisher's scale is not used: atanh(1) is infinite."""

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
        se_sentences: standard error from the sampling of sentences, or of sources with their
            sentences; None if only one value per seed is known.
        se_seeds: standard error from the sampling of seeds, beyond what sentences explain; None
            if a system has one seed. `se_sentences`² + `se_seeds`² = `standard_error`².
        se_endless_seeds: standard error that would remain with infinitely many seeds; None if a
            system has one seed, which cannot show it.
        sd_one_seed: standard deviation that one seed (of each system) adds to `se_endless_seeds`;
            None if a system has one seed.
        sentences_freedom: degrees of freedom of `se_sentences`; None if that is None.
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
    sentences_freedom: float | None
    one_class_or_perfect: int

    @property
    def covers_other_seeds(self) -> bool:
        """Whether the spread over seeds is included, beside that over sentences or sources."""
        return self.covers in ("sentences and seeds", "sources and seeds")


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
        sentences: from the sampling of sentences, or of sources with their sentences, including
            the interaction with seeds.
        seeds: additional variance from the sampling of seeds; None if the spread over seeds is
            unknown.
        lasting: the part that would remain with infinitely many seeds; None if unknown.
        one_seed: what a single seed would add to `lasting`; None if unknown.
        degrees_of_freedom: of Student's t for the total.
        by_sources: whether `sentences` is from the sampling of sources.
        sentences_freedom: degrees of freedom of `sentences`.
    """

    sentences: float
    seeds: float | None
    lasting: float | None
    one_seed: float | None
    degrees_of_freedom: float
    by_sources: bool
    sentences_freedom: float

    @property
    def total(self) -> float:
        """The variance of the mean."""
        return self.sentences + (self.seeds or 0.0)

    @property
    def covers(self) -> Covers:
        """The sources of error that are included."""
        if self.by_sources:
            return "sources only" if self.seeds is None else "sources and seeds"
        return "sentences only" if self.seeds is None else "sentences and seeds"

    def with_unseen(self, variance: float) -> "Variance":
        """Return it with a variance of sentences that these sentences do not show."""
        lasting = None if self.lasting is None else self.lasting + variance
        return replace(self, sentences=self.sentences + variance, lasting=lasting)


def variance_of_mean(*groups: LinearisedRuns, sources: Sources | None = None) -> Variance:
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

    With sources, S is the CR2 variance of the mean influence over other sources, and I the same of
    the influences minus the mean influence, divided by k - 1 and k; their degrees of freedom, in
    place of n - 1, are those of `Sources.degrees_of_freedom`.

    Args:
        groups: runs of independent seeds; a difference is the sum of one group and another whose
            influences and values have the opposite sign.
        sources: those of the sentences; None for the variance over other sentences.
    """
    sentences = groups[0].influence.shape[1]
    last: float = max(sentences - 1, 1)
    mean_influence = np.sum([group.influence.mean(axis=0) for group in groups], axis=0)
    if sources is None:
        shown = float((mean_influence**2).sum()) / last / sentences
    else:
        shown = sources.variance(mean_influence)
        last = sources.degrees_of_freedom(sources.correlation(mean_influence))
    unseen = sum(group.unseen for group in groups) ** 2
    by_sources = sources is not None
    if any(len(group.values) < 2 for group in groups):
        return Variance(shown + unseen, None, None, None, last, by_sources, last)
    seed_variance = interaction = one_seed = uncertainty = 0.0
    for group in groups:
        seeds = len(group.values)
        rest = group.influence - group.influence.mean(axis=0)
        if sources is None:
            both = float((rest**2).sum()) / (last * (seeds - 1)) / (sentences * seeds)
        else:
            both = sum(map(sources.variance, rest)) / (seeds - 1) / seeds
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
    return Variance(sentence_variance, seed_variance, lasting, one_seed, freedom, by_sources, last)


def combined(parts: Sequence[Variance], values: np.ndarray) -> Variance:
    """Return the variance of a difference of means on parts of the sentences.

    The parts' variances from sentences, and from their interaction with seeds, add up. The seeds
    are the same on both parts, so their variance is that of the differences.

    Args:
        parts: of the mean over seeds on each part.
        values: (seeds,), the difference of each run.
    """
    seeds, by_sources = len(values), parts[0].by_sources
    sentences = sum(part.sentences for part in parts)
    uncertainty = sum(part.sentences**2 / part.sentences_freedom for part in parts)
    if seeds < 2:
        freedom = sentences**2 / uncertainty if uncertainty > 0 else parts[0].sentences_freedom
        return Variance(sentences, None, None, None, freedom, by_sources, freedom)
    own = [part.sentences - (part.lasting or 0.0) for part in parts]
    interaction = sum(own)
    raw = float(np.var(values, ddof=1)) / seeds
    seed_variance = max(raw - interaction, 0.0)
    of_sentences = sentences**2 / uncertainty if uncertainty > 0 else parts[0].sentences_freedom
    uncertainty += raw**2 / (seeds - 1)
    for part, each in zip(parts, own, strict=True):
        uncertainty += each**2 / (part.sentences_freedom * (seeds - 1))
    total = sentences + seed_variance
    freedom = total**2 / uncertainty if uncertainty > 0 else of_sentences
    one_seed = max(raw, interaction) * seeds
    lasting = sentences - interaction
    return Variance(sentences, seed_variance, lasting, one_seed, freedom, by_sources, of_sentences)


def runs_of(linearised: Linearised) -> LinearisedRuns:
    """Return the runs of one system, as if errors that influences do not show were correlated."""
    unseen = float(linearised.unseen.mean())
    return LinearisedRuns(linearised.values, linearised.influence, unseen)


def root(variance: float | None) -> float | None:
    """Return the square root of a variance, or None if it is unknown."""
    return None if variance is None else sqrt(variance)


def half_width(standard_error: float, degrees_of_freedom: float, level: float = LEVEL) -> float:
    """Return half the width of a two-sided interval of Student's t."""
    from scipy.special import stdtrit  # slow to import; a plan needs none of it

    return float(stdtrit(degrees_of_freedom, (1 + level) / 2)) * standard_error


def half_widths(
    variances: np.ndarray, degrees_of_freedom: np.ndarray, level: float = LEVEL
) -> np.ndarray:
    """Return `half_width` of many variances at once, in the same shape."""
    from scipy.special import stdtrit  # see half_width

    widths: np.ndarray = stdtrit(degrees_of_freedom, (1 + level) / 2) * np.sqrt(variances)
    return widths


def bounds_of_mean(
    mean: float,
    standard_error: float,
    degrees_of_freedom: float,
    statistic: Statistic,
    level: float = LEVEL,
    *,
    fishers_scale: bool,
) -> tuple[float, float]:
    """Return the bounds of the interval of a mean, at most those of the statistic.

    Args:
        fishers_scale: whether the interval is that of `fisher_bounds`, not symmetric around the
            mean; see `uses_fishers_scale`.
    """
    if fishers_scale:
        return fisher_bounds(mean, standard_error, degrees_of_freedom, level)
    reach = half_width(standard_error, degrees_of_freedom, level)
    least, largest = BOUNDS[statistic]
    return max(mean - reach, least), min(mean + reach, largest)


def uses_fishers_scale(statistic: Statistic, sources: Sources | None) -> bool:
    """Return whether the interval of a mean is symmetric on Fisher's scale: MCC over sources."""
    return statistic == "mcc" and sources is not None


def fisher_bounds(
    mcc: float, standard_error: float, degrees_of_freedom: float, level: float = LEVEL
) -> tuple[float, float]:
    """Return the bounds of an interval that is symmetric on Fisher's scale, atanh(MCC).

    On this scale (Fisher 1921), the standard error is that of the MCC divided by 1 - MCC^2 (the
    delta method). If every sentence is right, or none, the interval is symmetric around the MCC.
    """
    slope = 1 - mcc**2
    if slope <= PERFECT:
        reach = half_width(standard_error, degrees_of_freedom, level)
        return max(mcc - reach, -1.0), min(mcc + reach, 1.0)
    reach = half_width(standard_error / slope, degrees_of_freedom, level)
    return tanh(atanh(mcc) - reach), tanh(atanh(mcc) + reach)


def distance_of_mean(mean: float, threshold: float, *, fishers_scale: bool) -> float:
    """Return how far a mean is above a threshold on the scale on which its interval is symmetric.

    Divided by the standard error, it is the t for which `bounds_of_mean` ends at the threshold. On
    Fisher's scale, it is the difference of atanh multiplied by 1 - MCC^2, and infinite for a
    threshold of 1 or -1, which no such bound reaches.
    """
    slope = 1 - mean**2
    if not fishers_scale or slope <= PERFECT:
        return mean - threshold
    if abs(threshold) >= 1:
        return -copysign(inf, threshold)
    return slope * (atanh(mean) - atanh(threshold))


def p_value(difference: float, standard_error: float, degrees_of_freedom: float) -> float:
    """Return the two-sided p-value of Student's t for a true difference of 0.

    With a standard error of 0 it is 1 if the difference is 0, otherwise 0.
    """
    if standard_error == 0 or isinf(difference):
        return 1.0 if difference == 0 else 0.0
    from scipy.special import stdtr  # see half_width

    return float(2 * stdtr(degrees_of_freedom, -abs(difference) / standard_error))
