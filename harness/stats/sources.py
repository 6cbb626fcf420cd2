"""Sentences in sources, such as publications: the variance over other sources.

Sentences of one source are alike, so a mean varies more over other sources than over other
sentences of the same ones. The variance is CR2, the bias-reduced one of Bell and McCaffrey (2002),
for the intercept of a regression. Its degrees of freedom are Satterthwaite's under the fitted
correlation within sources (Imbens and Kolesár 2016).
"""

from dataclasses import dataclass

import numpy as np

from harness.products import dot

LEAST_SOURCES = 6
"""The fewest for which docs/statistics.md shows the coverage of 95 % intervals."""


@dataclass(frozen=True)
class Refusal:
    """Why no statement about other sources is possible: the end of a sentence."""

    reason: str


@dataclass(frozen=True)
class Sources:
    """The source of each sentence.

    Attributes:
        numbers: (sentences,), from 0 to the number of sources - 1.
        sizes: (sources,), the number of sentences of each, 1 or more.
    """

    numbers: np.ndarray
    sizes: np.ndarray

    @property
    def count(self) -> int:
        """The number of sources."""
        return len(self.sizes)

    @property
    def effective(self) -> float:
        """The number of equally large sources that a mean is as precise with (Kish 1965)."""
        return float(self.numbers.size**2 / (self.sizes.astype(float) ** 2).sum())

    def sums(self, influence: np.ndarray) -> np.ndarray:
        """Return (sources,): the sum over each source of (sentences,) influences."""
        found: np.ndarray = np.bincount(self.numbers, influence, minlength=self.count)
        return found

    def variance(self, influence: np.ndarray) -> float:
        """Return the CR2 variance of the mean of (sentences,) influences, which have mean 0.

        For an intercept, the matrix of a source has one eigenvalue that is not 1, and CR2 is the
        sum over sources of the squared sum of influences, divided by n² (1 - n_g / n). If each
        sentence is a source of its own, it is the sample variance divided by n.
        """
        sentences = self.numbers.size
        weights = 1 / (sentences**2 * (1 - self.sizes / sentences))
        return dot(weights, self.sums(influence) ** 2)

    def correlation(self, influence: np.ndarray) -> float:
        """Return the fitted correlation of two sentences of one source; a negative one is 0.

        It is the mean product of two influences of one source, divided by their mean square.
        """
        pairs = float((self.sizes * (self.sizes - 1.0)).sum())
        square = dot(influence, influence)
        if pairs == 0 or square == 0:
            return 0.0
        products = float((self.sums(influence) ** 2).sum()) - square
        return min(max(products / pairs / (square / influence.size), 0.0), 1.0)

    def degrees_of_freedom(self, correlation: float) -> float:
        """Return Satterthwaite's degrees of freedom of `variance` under a correlation.

        With v_g the variance of a source's sum under it, and the sums' deviations D = P diag(v) P'
        from their share of the total, the variance is a quadratic form with weights W, and its
        degrees of freedom are tr(W D)² / tr(W D W D).
        """
        share = self.sizes / self.numbers.size
        own = self.sizes * (1 + (self.sizes - 1) * correlation)
        weights = 1 / (1 - share)
        # D_gh = [g = h] v_g - p_g v_h - v_g p_h + p_g p_h sum(v), without a table of pairs.
        whole = float(own.sum())
        diagonal = own - 2 * share * own + share**2 * whole
        trace = dot(weights, diagonal)
        a, b = share, own
        off_squares = _squares_of_rest(weights, a, b, whole)
        rest = -2 * a * b + a**2 * whole
        squares = off_squares + float((weights**2 * (diagonal**2 - rest**2)).sum())
        return trace**2 / squares


def _squares_of_rest(
    weights: np.ndarray, share: np.ndarray, own: np.ndarray, whole: float
) -> float:
    """Return the sum over g and h of w_g w_h (p_g p_h V - p_g v_h - v_g p_h)²."""
    pp = dot(weights, share**2)
    pv = dot(weights, share * own)
    vv = dot(weights, own**2)
    return whole**2 * pp**2 + 2 * pp * vv + 2 * pv**2 - 4 * whole * pp * pv


def sources_of(numbers: np.ndarray) -> Sources | Refusal:
    """Return the sources of sentences, or why no statement about other sources is possible.

    Args:
        numbers: (sentences,), a whole number for each source.
    """
    _, places, sizes = np.unique(numbers, return_inverse=True, return_counts=True)
    if len(sizes) >= LEAST_SOURCES:
        return Sources(places, sizes)
    if len(sizes) < 2:
        return Refusal("all sentences are of one source")
    return Refusal(
        f"the sentences are of {len(sizes)} sources only; at least {LEAST_SOURCES} are needed"
    )
