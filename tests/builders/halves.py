"""The plain reference of selection on halves: scikit-learn on each half, for every run."""

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import matthews_corrcoef

SEED = 20_240_229
"""The seed of `harness.stats.selection`, whose halves are drawn again here."""


def chosen_and_scored(
    labels: np.ndarray, cells: Sequence[np.ndarray], splits: int, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Select each run's epoch on one half of the sentences, and score it on the other.

    Args:
        labels: (sentences,).
        cells: for each of them, (seeds, epochs, sentences) predictions.
        splits: number of ways to halve the sentences; each half selects once.

    Returns:
        Two of (cells, 2 * splits): the mean MCC over seeds on the selecting and on the other half.
    """
    generator = np.random.default_rng(SEED)
    halves = np.zeros((splits, len(labels)), dtype=bool)
    for label in reversed(range(classes)):
        (places,) = np.nonzero(labels == label)
        ranks = generator.random((splits, len(places))).argsort(axis=1).argsort(axis=1)
        for split in range(splits):
            halves[split, places] = ranks[split] < (len(places) + split % 2) // 2
    chose, scored = np.zeros((2, len(cells), 2 * splits))
    for c, cell in enumerate(cells):
        for r, half in enumerate([*halves, *~halves]):
            for run in cell:
                on_half = [matthews_corrcoef(labels[half], p[half]) for p in run]
                epoch = int(np.argmax(on_half))
                chose[c, r] += on_half[epoch] / len(cell)
                scored[c, r] += matthews_corrcoef(labels[~half], run[epoch][~half]) / len(cell)
    return chose, scored
