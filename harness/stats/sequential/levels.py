"""Nominal levels of looks at growing numbers of seeds, whose error is spent by a function.

All looks score the same sentences. The covariance of the means after k and l seeds, k < l, is the
variance after l, as if information came in independent increments (docs/statistics.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import ceil, e, log, sqrt
from typing import Literal

import numpy as np

from harness.errors import BadInput
from harness.products import dot, matrix_product

Form = Literal["obrien-fleming", "pocock"]

ERROR = 0.05
"""Probability of a wrong verdict over all looks: that of one 95 % interval."""

LARGEST_SHARE = 0.95
"""A larger share is taken as this one: levels grow with the share, so they are then too small."""

SHARE_STEP = 0.05
"""Shares are rounded down to multiples of this, so that levels are computed once."""

FARTHEST = 40.0
"""Boundaries beyond it have a nominal level of 0."""

SMALLEST_RANGE_ERROR = 1e-9
"""Below it, Tukey's level equals Bonferroni's to three digits."""

PANEL_NODES = 8


def spent(fraction: float, form: Form, level: float = ERROR) -> float:
    """Return the two-sided error that may be spent up to a fraction of the seeds.

    Lan and DeMets (1983), half of the level for each side:
    4 (1 - Φ(z / √fraction)) with z the 1 - level / 4 quantile of the normal distribution, or
    level * log(1 + (e - 1) fraction).

    Args:
        fraction: above 0; 1 is the last look.
    """
    if fraction >= 1:
        return level
    if form == "pocock":
        return level * log(1 + (e - 1) * fraction)
    from scipy.special import ndtr, ndtri  # slow to import; a plan needs none of it

    return float(4 * ndtr(ndtri(level / 4) / sqrt(fraction)))


def nominal_levels(
    looks: Sequence[int], share: float, form: Form, level: float = ERROR, cells: int = 2
) -> tuple[float, ...]:
    """Return the nominal two-sided p-value of each look, such that all looks together have `level`.

    With more than two cells, these are the nominal p-values of the difference of each pair, such
    that any of all pairs at any look is wrong with a probability of at most `level`.

    Args:
        looks: numbers of seeds, ascending. Error is spent by their fraction of the last one.
        share: of the variance of one seed's estimate that all looks have in common, because they
            have the same sentences. It is rounded down, which makes levels smaller.
        form: of the spending function.
        cells: number of cells, of which all pairs share the error.

    Raises:
        BadInput: looks that are not ascending, a share or level outside of 0 to 1, or fewer
            than two cells.
    """
    problems = problems_of_looks(looks)
    if not 0 <= share <= 1:
        problems.append(f"share is {share}: expected between 0 and 1")
    if not 0 < level < 1:
        problems.append(f"level is {level}: expected between 0 and 1")
    if cells < 2:
        problems.append(f"cells are {cells}: expected 2 or more")
    if problems:
        raise BadInput(problems)
    steps = int(min(share, LARGEST_SHARE) / SHARE_STEP + 1e-9)
    return _levels(tuple(looks), steps * SHARE_STEP, form, level, cells)


def problems_of_looks(looks: Sequence[int], least: int = 1) -> list[str]:
    """Return what is wrong with numbers of seeds, such as [2, 3, 5]."""
    ascending = all(a < b for a, b in pairwise(looks))
    if looks and ascending and looks[0] >= least:
        return []
    return [f"looks are {list(looks)}: expected ascending numbers of seeds, each at least {least}"]


@lru_cache(maxsize=4096)
def _levels(
    looks: tuple[int, ...], share: float, form: Form, level: float, cells: int
) -> tuple[float, ...]:
    from scipy.special import ndtr

    variances = [share + (1 - share) / seeds for seeds in looks]
    walk, before, found = _Walk(np.zeros(1), np.full(1, 0.5)), 0.0, []
    for number, seeds in enumerate(looks):
        now = pair_level(spent(seeds / looks[-1], form, level), cells)
        correlation = sqrt(variances[number] / variances[number - 1]) if number else 0.0
        boundary = walk.boundary(now - before, correlation)
        walk = walk.after(boundary, correlation)
        found.append(float(2 * ndtr(-boundary)) if boundary < FARTHEST else 0.0)
        before = now
    return tuple(found)


@lru_cache(maxsize=4096)
def pair_level(error: float, cells: int) -> float:
    """Return the two-sided level of each pair, such that any pair is wrong with `error`.

    It is Tukey's: cells are equal, and the range of their means exceeds the quantile. With it, the
    error is below `error` if some pairs vary more than others (Tukey 1953; Kramer 1956; Hayter
    1984). It is between `error` divided by the number of pairs (Bonferroni) and `error`.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr, ndtri

    if cells == 2:
        return error
    fewest = error / (cells * (cells - 1) / 2)
    if error < SMALLEST_RANGE_ERROR:
        return fewest
    farthest = -float(ndtri(fewest / 2)) * sqrt(2)
    width = float(brentq(lambda at: _beyond(at, cells) - error, 0.0, farthest + 1, xtol=1e-10))
    return max(float(2 * ndtr(-width / sqrt(2))), fewest)


def _beyond(width: float, cells: int) -> float:
    """Return the probability that the range of independent standard normals exceeds a width."""
    from scipy.special import ndtr

    nodes, weights = _quadrature(20.0, 0.5)
    nodes = nodes - 10.0
    below, within = ndtr(nodes), ndtr(nodes - width)
    share = np.divide(within, below, out=np.zeros_like(below), where=below > 0)
    rest = (cells - 1) * np.log1p(-np.minimum(share, 1 - 1e-16))
    exceeds = np.exp((cells - 1) * np.log(below)) * -np.expm1(rest)
    return cells * dot(weights * _normal(nodes), exceeds)


@dataclass(frozen=True)
class _Walk:
    """The density of Z at a look on the paths that have crossed no boundary, for Z above 0.

    It is symmetric, so Z below 0 needs no nodes of its own. Densities follow from look to look by
    numerical integration (Armitage, McPherson and Rowe 1969).

    Attributes:
        nodes: of the quadrature.
        masses: density times weight of each node; before the first look, all at 0.
    """

    nodes: np.ndarray
    masses: np.ndarray

    def boundary(self, error: float, correlation: float) -> float:
        """Return the boundary that the next Z crosses first with a probability of `error`."""
        from scipy.optimize import brentq

        if self._crossing(FARTHEST, correlation) >= error:
            return FARTHEST
        return float(
            brentq(lambda at: self._crossing(at, correlation) - error, 0, FARTHEST, xtol=1e-10)
        )

    def _crossing(self, boundary: float, correlation: float) -> float:
        from scipy.special import ndtr

        spread = sqrt(1 - correlation**2)
        middles = correlation * self.nodes
        beyond = ndtr((middles - boundary) / spread) + ndtr((-middles - boundary) / spread)
        return 2 * dot(self.masses, beyond)

    def after(self, boundary: float, correlation: float) -> "_Walk":
        """Return the density at the next look of the paths that stay within its boundary."""
        spread = sqrt(1 - correlation**2)
        nodes, weights = _quadrature(min(boundary, 12.0), spread)
        middles = correlation * self.nodes
        density = _normal((nodes[:, None] - middles) / spread)
        density += _normal((nodes[:, None] + middles) / spread)
        return _Walk(nodes, weights * matrix_product(density, self.masses) / spread)


def _quadrature(end: float, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Return Gauss-Legendre nodes and weights on panels from 0 to an end, narrow for the kernel."""
    points, weights = np.polynomial.legendre.leggauss(PANEL_NODES)
    panels = max(ceil(end / min(spread, 0.5)), 1)
    half = end / panels / 2
    middles = half * (2 * np.arange(panels) + 1)
    return (middles[:, None] + half * points).ravel(), np.tile(half * weights, panels)


def _normal(values: np.ndarray) -> np.ndarray:
    density: np.ndarray = np.exp(-(values**2) / 2) / sqrt(2 * np.pi)
    return density
