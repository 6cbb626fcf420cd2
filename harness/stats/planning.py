"""The number of seeds that would separate a mean or a difference from a threshold."""

from bisect import bisect_left
from math import inf

from harness.stats.differences import Difference
from harness.stats.intervals import Interval
from harness.stats.variance import half_width

ASSUMED_SEED_SD = 0.015
"""Standard deviation of CoLA's MCC over runs of one recipe, from nine published model cards of
bert-base-cased at 2e-5, batch size 8, three epochs."""

MOST_SEEDS = 10_000
"""Nobody would run more seeds than this."""


def seeds_needed(estimate: Interval | Difference, threshold: float) -> int | None:
    """Return the total number of seeds with which the interval would exclude the threshold.

    It assumes that the mean, the sentences and the spreads stay as estimated now, and that only
    the number of seeds grows (for a difference, that of each system). If the interval of
    `estimate` covers seeds and already excludes the threshold, the result is its current number
    of seeds (the larger one of two systems).

    With one seed, the spread over seeds is unknown: it is taken as ASSUMED_SEED_SD for each
    system, and the result is at least two.

    Returns:
        None if 10,000 seeds are not enough: the sampling of sentences alone leaves the question
        open, and only more sentences can answer it.
    """
    if isinstance(estimate, Interval):
        middle, seeds, systems = estimate.mean, estimate.seeds, 1
    else:
        middle, seeds, systems = estimate.difference, max(estimate.seeds_a, estimate.seeds_b), 2
    gap = abs(middle - threshold)
    if estimate.se_endless_seeds is None or estimate.sd_one_seed is None:
        lasting = (estimate.se_sentences or 0.0) ** 2
        one_seed = systems * ASSUMED_SEED_SD**2
    elif not estimate.low <= threshold <= estimate.high:
        return seeds
    else:
        lasting, one_seed = estimate.se_endless_seeds**2, estimate.sd_one_seed**2
        seeds += 1
    return _fewest(max(seeds, 2), lasting, one_seed, gap)


def published_reach(estimate: Interval, runs: int) -> float:
    """Return half the 95 % interval of the mean of some runs whose spreads are an estimate's.

    It is for a score of which no predictions are known: another publication's, on the same
    sentences, with the same recipe. One seed adds at least ASSUMED_SEED_SD, because two or three
    seeds often show less than the truth.
    """
    if estimate.se_endless_seeds is None or estimate.sd_one_seed is None:
        lasting, one_seed = (estimate.se_sentences or 0.0) ** 2, ASSUMED_SEED_SD**2
        of_seeds = inf
    else:
        lasting = estimate.se_endless_seeds**2
        one_seed = max(estimate.sd_one_seed, ASSUMED_SEED_SD) ** 2
        of_seeds = estimate.seeds - 1
    seed_variance = one_seed / runs
    total = lasting + seed_variance
    return half_width(total**0.5, min(of_seeds * (total / seed_variance) ** 2, 1e9))


def _fewest(least: int, lasting: float, one_seed: float, gap: float) -> int | None:
    """Return the fewest seeds, at least `least`, whose interval's half-width is below the gap."""

    def settled(seeds: int) -> bool:
        seed_variance = one_seed / seeds
        total = lasting + seed_variance
        freedom = inf if seed_variance == 0 else (seeds - 1) * (total / seed_variance) ** 2
        return gap > half_width(total**0.5, min(freedom, 1e9))

    enough = bisect_left(range(MOST_SEEDS + 1), True, lo=least, key=settled)
    return enough if enough <= MOST_SEEDS else None
