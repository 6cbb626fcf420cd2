"""All pairs of the cells in a race at one look: their differences, p-values and levels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.stats.racing.spread import TINY, Parts
from harness.stats.sequential import SHARE_STEP, Form, nominal_levels


@dataclass(frozen=True)
class Levels:
    """The nominal levels of one look.

    Attributes:
        looks: numbers of seeds.
        number: of the look, from 0.
        form: of the spending function.
        level: error of the whole race.
        cells: number of cells not shown to be worse than another.
    """

    looks: Sequence[int]
    number: int
    form: Form
    level: float
    cells: int

    def of(self, shares: np.ndarray) -> np.ndarray:
        """Return the level of each pair of cells by its share, as in `nominal_levels`."""
        steps = np.floor(shares / SHARE_STEP + 1e-9)
        found = np.empty_like(shares)
        for step in np.unique(steps):
            share = min(float(step) * SHARE_STEP + 1e-12, 1.0)
            levels = nominal_levels(self.looks, share, self.form, self.level, self.cells)
            found[steps == step] = levels[self.number]
        return found


@dataclass(frozen=True)
class Look:
    """All pairs of the cells in the race at a look; arrays are (cells, cells).

    Attributes:
        differences: mean of the row's cell minus mean of the column's cell.
        parts: of the variance of each difference.
        levels: nominal levels.
    """

    differences: np.ndarray
    parts: Parts
    levels: np.ndarray

    def against(self, leader: int) -> np.ndarray:
        """Return (cells,), the p-value of each cell's difference from the leader."""
        p_values = self.parts.row(leader).p_values(self.differences[leader])
        p_values[leader] = 1.0
        return p_values

    def overtaking(self, leader: int, seeds: int, last: int, level: float) -> np.ndarray:
        """Return (cells,), the predicted probability of each cell to be better than the leader.

        Better is: beyond chance, after the last look, compared with the leader alone. Given the
        difference now, and nothing known before, that after the last look is distributed around
        it, with the variance by which the two looks differ. The leader's own is 0.
        """
        from scipy.special import ndtri, stdtr

        parts = self.parts.row(leader)
        own = np.maximum(parts.of_seeds, parts.both) * (1 - seeds / last)
        after = np.maximum(parts.total() - own, TINY)
        reach = -float(ndtri(level / 2)) * np.sqrt(after)
        moves = np.sqrt(np.maximum(own, TINY))
        better: np.ndarray = stdtr(parts.freedom, (-self.differences[leader] - reach) / moves)
        better[leader] = 0.0
        return better

    def equivalent(self, stay: np.ndarray, margin: float) -> bool:
        """Return whether the intervals of all pairs that stay lie within ± margin.

        An interval ends within it if the distance to the margin is significant.
        """
        distances = margin - np.abs(self.differences)[np.ix_(stay, stay)]
        if (distances <= 0).any():
            return False
        kept = self.parts.square(stay)
        significant = kept.p_values(distances) < self.levels[np.ix_(stay, stay)]
        return bool((significant | np.eye(len(significant), dtype=bool)).all())
