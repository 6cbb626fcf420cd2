"""The smallest difference that a planned comparison detects, before anything is trained."""

from dataclasses import dataclass
from functools import cache
from math import sqrt

import numpy as np

from harness.stats.variance import half_widths

POWER = 0.8
"""The probability with which a difference must be detected to count as detectable."""

DRAWS = 2_000
GENERATOR_SEED = 20_240_229
PRECISION = 1e-5
"""How precisely a detectable difference is computed."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The variance of a comparison of two systems, by source; with m seeds of each, it is
    `lasting` + (`interaction` + `seeds`) / m.

    Attributes:
        lasting: what remains with infinitely many seeds: the sampling of sentences (or of groups
            of sentences, for another population).
        interaction: what one seed of each system adds through disagreement about sentences.
        seeds: what one seed of each system adds beyond this.
        freedom: degrees of freedom with which the comparison estimates its variance from
            sentences, or from sources; None for the number of sentences minus 1.
    """

    lasting: float
    interaction: float
    seeds: float
    freedom: float | None = None


def power_of(
    difference: float, spread: Spread, seeds: int, sentences: int, *, paired: bool
) -> float:
    """Return the probability that `paired_difference` detects a true difference (p below 0.05).

    The estimated difference is normal around the true one. The test does not know its variance,
    but estimates it as `variance_of_mean` does; each mean square is the true one times chi² divided
    by its degrees of freedom. The probability is the mean over DRAWS such estimates, which are the
    same in every call.

    With one seed, the test is about these runs on other sentences.

    Args:
        seeds: of each system, at least 1.
        sentences: that both systems are scored on, at least 2.
        paired: whether seeds are paired.
    """
    error, reach = _test(spread, seeds, sentences, paired=paired)
    return _power(difference, error, reach)


def smallest_detectable(spread: Spread, seeds: int, sentences: int, *, paired: bool) -> float:
    """Return the true difference that `power_of` detects with a probability of POWER.

    Args: as `power_of`.
    """
    error, reach = _test(spread, seeds, sentences, paired=paired)
    low, high = 0.0, max(error, PRECISION)
    while _power(high, error, reach) < POWER:
        low, high = high, 2 * high
    while high - low > PRECISION:
        middle = (low + high) / 2
        low, high = (middle, high) if _power(middle, error, reach) < POWER else (low, middle)
    return high


def _power(difference: float, error: float, reach: np.ndarray) -> float:
    from scipy.special import ndtr  # slow to import; most commands need none of it

    if error == 0:
        return float(difference != 0)
    above = ndtr((difference - reach) / error)
    below = ndtr((-difference - reach) / error)
    return float((above + below).mean())


def _test(spread: Spread, seeds: int, sentences: int, *, paired: bool) -> tuple[float, np.ndarray]:
    """Return the true standard error, and (draws,) half-widths of the estimated interval."""
    freedom = sentences - 1 if spread.freedom is None else spread.freedom
    systems = 1 if paired else 2
    uniform = _uniform(systems + 1)
    interaction = spread.interaction / seeds
    shown = (spread.lasting + interaction) * _chi_squared(uniform[0], freedom)
    if seeds == 1:
        variance, estimated_freedom = spread.lasting + interaction, np.full(DRAWS, float(freedom))
        return sqrt(variance), half_widths(shown, estimated_freedom)
    # The parts of the systems are taken as equal; they are added up below.
    both = interaction / systems
    raw = (both + spread.seeds / seeds / systems) * _chi_squared(uniform[1:], seeds - 1)
    of_sentences = np.maximum(shown, interaction)
    total = of_sentences + np.maximum(raw - both, 0).sum(axis=0)
    uncertainty = of_sentences**2 / freedom + (raw**2 + both**2 / freedom).sum(axis=0) / (seeds - 1)
    estimated_freedom = np.divide(
        total**2, uncertainty, out=np.full(DRAWS, float(freedom)), where=uncertainty > 0
    )
    true = spread.lasting + (spread.interaction + spread.seeds) / seeds
    return sqrt(true), half_widths(total, estimated_freedom)


def _chi_squared(uniform: np.ndarray, freedom: float) -> np.ndarray:
    """Return quantiles of chi² with some degrees of freedom, divided by them."""
    from scipy.special import gammaincinv  # see _power

    quantiles: np.ndarray = gammaincinv(freedom / 2, uniform) * 2 / freedom
    return quantiles


@cache
def _uniform(rows: int) -> np.ndarray:
    """Return (rows, DRAWS) points that fill the unit cube evenly (McKay et al. 1979)."""
    generator = np.random.default_rng(GENERATOR_SEED)
    middles = (np.arange(DRAWS) + 0.5) / DRAWS
    return np.stack([generator.permutation(middles) for _ in range(rows)])
