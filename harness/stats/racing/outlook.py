"""Whether the seeds that a race has left are likely to separate more cells."""

import numpy as np

from harness.stats.racing.spread import TINY, Parts

UNLIKELY = 0.1
"""A race ends when no cell left has at least this probability of being dropped at the last look."""

FEWEST_SEEDS = 2
"""After fewer seeds, a race does not end because of what later seeds would show."""


def probability_of_drop(
    differences: np.ndarray, parts: Parts, seeds: int, last: int, last_levels: np.ndarray
) -> np.ndarray:
    """Return, for each cell, the probability that the last look drops it, given the seeds so far.

    This is the predictive power of a group-sequential test (Spiegelhalter, Freedman and Blackburn
    1986). If nothing else is known about the true difference, the difference after all seeds is
    normal around the one so far, d. Its variance is V - W, with V and W the variances of the
    difference after the seeds so far and after all, because their covariance is W. The last look
    drops the cell if the difference exceeds z √W, so the probability is Φ((d - z √W) / √(V - W)).

    Ending a race for this reason drops no cell, and cannot raise the probability of a wrong drop.

    Args:
        differences: (cells,), mean of the leader minus mean of each cell.
        parts: (cells,), of the variances of the differences after `seeds` seeds.
        seeds: number of seeds so far.
        last: number of seeds of the last look.
        last_levels: (cells,), nominal levels of the last look.
    """
    from scipy.special import ndtr, ndtri  # slow to import; a plan needs none of it

    lasting = np.maximum(parts.known - parts.both, 0)
    one_seed = np.maximum(parts.of_seeds, parts.both) * seeds
    now, then = lasting + one_seed / seeds, lasting + one_seed / last
    distance = differences + ndtri(last_levels / 2) * np.sqrt(then)
    probability: np.ndarray = ndtr(distance / np.sqrt(np.maximum(now - then, TINY)))
    return probability
