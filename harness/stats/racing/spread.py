"""The spread over seeds of many cells, and p-values of differences whose variance uses it.

Two or three seeds of one cell show little of their spread, so that of all cells is pooled.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.products import matrix_product

TINY = 1e-300
"""Instead of 0 where a variance divides."""


@dataclass(frozen=True)
class Spread:
    """The spread over seeds of one seed's score.

    Attributes:
        pooled: variance over the seeds of a cell, including the interaction.
        by_cell: (cells,), the same of each cell: its own or the pooled one, whichever is larger.
        interaction: the part of it that comes from seeds disagreeing about sentences.
        freedom: degrees of freedom of the pooled variance.
    """

    pooled: float
    by_cell: np.ndarray
    interaction: float
    freedom: float


@dataclass(frozen=True)
class Parts:
    """The variances of differences, by source; arrays have any one shape.

    The variance of a difference is known + max(of_seeds - both, 0), as that of `variance_of_mean`.

    Attributes:
        known: from the sampling of sentences, including the interaction with seeds.
        of_seeds: from the sampling of seeds, including the interaction.
        both: the interaction, which the other two contain.
        freedom: degrees of freedom of `of_seeds`.
        sentences_freedom: degrees of freedom of `known`.
    """

    known: np.ndarray
    of_seeds: np.ndarray
    both: float
    freedom: float
    sentences_freedom: float

    def row(self, number: int) -> "Parts":
        """Return the parts of one row."""
        return self._of(self.known[number], self.of_seeds[number])

    def square(self, chosen: np.ndarray) -> "Parts":
        """Return the parts of some rows and the same columns."""
        places = np.ix_(chosen, chosen)
        return self._of(self.known[places], self.of_seeds[places])

    def _of(self, known: np.ndarray, of_seeds: np.ndarray) -> "Parts":
        return Parts(known, of_seeds, self.both, self.freedom, self.sentences_freedom)

    def total(self) -> np.ndarray:
        """Return the variance of each difference."""
        total: np.ndarray = self.known + np.maximum(self.of_seeds - self.both, 0)
        return total

    def p_values(self, differences: np.ndarray) -> np.ndarray:
        """Return two-sided p-values for true differences of 0.

        They are from Student's t with Satterthwaite's degrees of freedom, as in `Variance`.
        """
        from scipy.special import stdtr  # slow to import; a plan needs none of it

        total = self.total()
        uncertainty = self.known**2 / self.sentences_freedom + self.of_seeds**2 / self.freedom
        freedoms = total**2 / np.maximum(uncertainty, TINY)
        distances = np.abs(differences) / np.sqrt(np.maximum(total, TINY))
        p_values: np.ndarray = np.where(
            differences == 0, 1.0, 2 * stdtr(np.maximum(freedoms, 1.0), -distances)
        )
        return p_values


def spread_over_seeds(values: np.ndarray, influence: np.ndarray, counts: np.ndarray) -> Spread:
    """Return the spread over seeds, pooled over cells.

    Cells and seeds are the factors of an additive model, so an effect that a seed has on all
    cells does not count. Mean squares of its residuals are pooled.

    Args:
        values: (cells, seeds), scores.
        influence: (cells, seeds, sentences), as in `Linearised`.
        counts: (cells,), number of the first seeds of each cell that count; at least two cells
            have two.
    """
    cells, seeds = values.shape
    cell, seed = np.nonzero(np.arange(seeds) < counts[:, None])
    residual, freedom = _residuals(tuple(counts.tolist()), seeds)
    rest = matrix_product(residual, values[cell, seed])
    shown = influence[cell, seed]
    sentences = shown.shape[1]
    rest_squares = float((residual * (matrix_product(shown, shown))).sum())
    interaction = max(rest_squares, 0.0) / freedom / (sentences - 1) / sentences
    own_freedom = np.bincount(cell, np.diag(residual), minlength=cells)
    squares = np.bincount(cell, rest**2, minlength=cells)
    pooled = float(squares.sum()) / freedom
    own = np.divide(squares, own_freedom, out=np.zeros(cells), where=own_freedom > 1e-9)
    return Spread(pooled, np.maximum(own, pooled), interaction, freedom)


@lru_cache(maxsize=256)
def _residuals(counts: tuple[int, ...], seeds: int) -> tuple[np.ndarray, float]:
    """Return the matrix that leaves the residuals of the additive model, and their freedom."""
    present = np.arange(seeds) < np.array(counts)[:, None]
    cell, seed = np.nonzero(present)
    model = np.zeros((len(cell), len(counts) + seeds))
    model[np.arange(len(cell)), cell] = 1
    model[np.arange(len(cell)), len(counts) + seed] = 1
    left, sizes, _ = np.linalg.svd(model, full_matrices=False)
    fitted = left[:, sizes > 1e-9]
    return np.eye(len(cell)) - matrix_product(fitted, fitted), float(len(cell) - fitted.shape[1])
