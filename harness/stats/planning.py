"""The number of seeds that would separate a mean or a difference from a threshold."""

from dataclasses import dataclass
from math import inf, sqrt

import numpy as np

from harness.stats.differences import Difference
from harness.stats.intervals import Interval
from harness.stats.variance import LEVEL, distance_of_mean, half_width, half_widths

ASSUMED_SEED_SD = 0.015
"""Standard deviation of CoLA's MCC over runs of one recipe, from nine published model cards of
bert-base-cased at 2e-5, batch size 8, three epochs."""

MOST_SEEDS = 10_000
"""Nobody would run more seeds than this."""

MOST_FREEDOM = 1e9
"""With these degrees of freedom, Student's t is the normal distribution."""


@dataclass(frozen=True)
class _Parts:
    """The parts of an estimate's variance, from which those with other numbers of seeds follow.

    Attributes:
        lasting: what remains with infinitely many seeds.
        interaction: what one seed adds by its disagreement with others about sentences.
        one_seed: what one seed adds to `lasting`, `interaction` included.
        freedom: degrees of freedom of the variance from sentences, or from sources; None if that
            is not part of the estimate.
    """

    lasting: float
    interaction: float
    one_seed: float
    freedom: float | None

    def half_widths(self, seeds: np.ndarray, level: float) -> np.ndarray:
        """Return half the width of the intervals with these numbers of seeds, each at least 2.

        Degrees of freedom are Satterthwaite's (1946), as in `variance_of_mean`.
        """
        of_seeds, both = self.one_seed / seeds, self.interaction / seeds
        total = self.lasting + of_seeds
        uncertainty = of_seeds**2 / (seeds - 1)
        if self.freedom is not None:
            uncertainty += ((self.lasting + both) ** 2 + both**2 / (seeds - 1)) / self.freedom
        known = uncertainty > 0
        freedom = np.divide(total**2, uncertainty, out=np.full(len(seeds), np.inf), where=known)
        return half_widths(total, np.minimum(freedom, MOST_FREEDOM), level)


def seeds_needed(
    estimate: Interval | Difference, threshold: float, level: float = LEVEL
) -> int | None:
    """Return the total number of seeds with which the interval would exclude the threshold.

    It assumes that the mean, the sentences and the spreads stay as estimated now, and that only
    the number of seeds grows (for a difference, that of each system). If the interval of
    `estimate` covers seeds and already excludes the threshold, the result is its current number
    of seeds (the larger one of two systems).

    With one seed, the spread over seeds is unknown: it is taken as ASSUMED_SEED_SD for each
    system, and the result is at least two.

    Args:
        level: confidence level of the interval.

    Returns:
        None if 10,000 seeds are not enough: the sampling of sentences or sources alone leaves the
        question open, and only more of them can answer it.
    """
    if isinstance(estimate, Interval):
        seeds, each, systems = estimate.seeds, float(estimate.seeds), 1
        scale = estimate.fishers_scale
        gap = abs(distance_of_mean(estimate.mean, threshold, fishers_scale=scale))
    else:
        seeds, systems = max(estimate.seeds_a, estimate.seeds_b), 2
        each = 2 / (1 / estimate.seeds_a + 1 / estimate.seeds_b)
        gap = abs(estimate.difference - threshold)
    of_sentences = (estimate.se_sentences or 0.0) ** 2
    freedom = estimate.sentences_freedom
    if estimate.se_endless_seeds is None or estimate.sd_one_seed is None:
        parts = _Parts(of_sentences, 0.0, systems * ASSUMED_SEED_SD**2, freedom)
    elif gap > half_width(estimate.standard_error, estimate.degrees_of_freedom, level):
        return seeds
    else:
        lasting = estimate.se_endless_seeds**2
        interaction = each * max(of_sentences - lasting, 0.0)
        parts = _Parts(lasting, interaction, estimate.sd_one_seed**2, freedom)
        seeds += 1
    return _fewest(max(seeds, 2), parts, gap, level)


def published_reach(estimate: Interval, runs: int) -> float:
    """Return half the 95 % interval of the mean of some runs whose spreads are an estimate's.

    It is for a score of which no predictions are known: another publication's, on the same
    sentences, with the same recipe. One seed adds at least ASSUMED_SEED_SD, because two or three
    seeds often show less than the truth.
    """
    of_sentences = (estimate.se_sentences or 0.0) ** 2
    if estimate.se_endless_seeds is None or estimate.sd_one_seed is None:
        lasting, one_seed, of_seeds = of_sentences, ASSUMED_SEED_SD**2, inf
    else:
        lasting = estimate.se_endless_seeds**2
        one_seed = max(estimate.sd_one_seed, ASSUMED_SEED_SD) ** 2
        of_seeds = estimate.seeds - 1
    seed_variance = one_seed / runs
    total = lasting + seed_variance
    uncertainty = seed_variance**2 / of_seeds
    if estimate.sentences_freedom is not None:
        both = of_sentences - lasting
        uncertainty += (of_sentences**2 + both**2 / of_seeds) / estimate.sentences_freedom
    return half_width(sqrt(total), total**2 / uncertainty)


def _fewest(least: int, parts: _Parts, gap: float, level: float) -> int | None:
    """Return the fewest seeds, at least `least`, whose interval's half-width is below the gap.

    They are tried in order: with few sources, more seeds do not always make the interval narrower,
    because the sources alone leave fewer degrees of freedom than sources and seeds together.
    """
    if gap <= half_width(sqrt(parts.lasting), MOST_FREEDOM, level):
        return None
    begin = least
    while begin <= MOST_SEEDS:
        seeds = np.arange(begin, min(2 * begin, MOST_SEEDS) + 1)
        enough = np.flatnonzero(gap > parts.half_widths(seeds, level))
        if enough.size:
            return int(seeds[enough[0]])
        begin = int(seeds[-1]) + 1
    return None
