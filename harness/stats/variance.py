"""The variance of a mean over seeds on shared sentences, and Student's t upon it.

Seeds and sentences are crossed: every run is scored on the same sentences, as every reader reads
the same cases in a multi-reader multi-case study (Obuchowski and Rockette 1995; Hillis 2007).
"""

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
from scipy.special import stdtr, stdtrit

from harness.stats.scores import Linearised

Covers = Literal["sentences and seeds", "sentences only", "seeds only"]


@dataclass(frozen=True)
class Runs:
    """Runs whose seeds are independent of each other, linearised.

    Attributes:
        values: (seeds,), the statistic or a difference of statistics.
        influence: (seeds, sentences), what each sentence adds to each value.
        unseen: standard error of the mean over seeds that the influences do not show.
    """

    values: np.ndarray
    influence: np.ndarray
    unseen: float


@dataclass(frozen=True)
class Variance:
    """The variance of a mean, or of a difference of means, by where it comes from.

    Attributes:
        sentences: from which sentences were drawn, with what they and the seeds do together.
        seeds: from which seeds were drawn, beyond that; None where a seed's spread is unknown.
        lasting: the part that would be left if there were endless seeds; None where unknown.
        one_seed: what a single seed would add to `lasting`; None where unknown.
        degrees_of_freedom: of Student's t upon the sum.
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
        """Which sources are counted."""
        return "sentences only" if self.seeds is None else "sentences and seeds"


def variance_of_mean(*groups: Runs) -> Variance:
    """Return the variance of a sum of means over seeds, all on the same sentences.

    With S from the sentences (the mean influence's sample variance over sentences, by n), B from
    the seeds (the values' sample variance, by k) and I from both together (the mean square of
    what is left of the influences after sentences' means, by n k), the variance is S + B - I: S
    and B each hold I once (Cornfield and Tukey 1956, on two crossed random factors). B - I and
    S - I, which estimate what seeds and sentences do alone, count as 0 where they are negative,
    as in Hillis (2007). Degrees of freedom are Satterthwaite's (1946), with n - 1 for S, k - 1
    for B and (n - 1)(k - 1) for I. A group of one seed leaves S alone, with n - 1.

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
    of_seeds = together = one_seed = uncertainty = 0.0
    for group in groups:
        seeds = len(group.values)
        rest = group.influence - group.influence.mean(axis=0)
        both = float((rest**2).sum()) / (last * (seeds - 1)) / (sentences * seeds)
        raw = float(np.var(group.values, ddof=1)) / seeds
        of_seeds += max(raw - both, 0.0)
        together += both
        one_seed += max(raw, both) * seeds
        uncertainty += raw**2 / (seeds - 1) + both**2 / (last * (seeds - 1))
    of_sentences = max(shown, together) + unseen
    total = of_sentences + of_seeds
    uncertainty += of_sentences**2 / last
    freedom = total**2 / uncertainty if uncertainty > 0 else float(last)
    return Variance(of_sentences, of_seeds, of_sentences - together, one_seed, freedom)


def runs_of(linearised: Linearised) -> Runs:
    """Return runs of one system; errors that influences do not show may all go the same way."""
    unseen = float(linearised.unseen.mean())
    return Runs(linearised.values, linearised.influence, unseen)


def root(variance: float | None) -> float | None:
    """Return the standard error of a variance, or None where it is unknown."""
    return None if variance is None else sqrt(variance)


def half_width(standard_error: float, degrees_of_freedom: float, level: float) -> float:
    """Return how far a two-sided interval of Student's t reaches from its middle."""
    return float(stdtrit(degrees_of_freedom, (1 + level) / 2)) * standard_error


def p_value(difference: float, standard_error: float, degrees_of_freedom: float) -> float:
    """Return the two-sided p-value of Student's t that a true difference is 0.

    Without any error it is 1 for a difference of 0 and 0 for any other.
    """
    if standard_error == 0:
        return 1.0 if difference == 0 else 0.0
    return float(2 * stdtr(degrees_of_freedom, -abs(difference) / standard_error))
