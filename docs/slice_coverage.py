"""Coverage of the intervals of small slices, and how often chance alone marks a slice.

`python docs/slice_coverage.py` prints the table of docs/statistics.md (some minutes).
"""

from collections.abc import Iterable, Iterator

import numpy as np
from tabulate import tabulate

from harness import stats

STRENGTHS = (0.4, 0.8, 1.2, 1.6)
SIZES = (30, 40, 60, 100)
POSITIVE = 0.7


def classes(random: np.random.Generator, labels: np.ndarray, strength: float) -> np.ndarray:
    """Return (1, sentences): classes from a noisy score that depends on the label by `strength`."""
    common = random.normal(size=labels.size)
    noise = random.normal(size=(1, labels.size))
    given: np.ndarray = (2 * labels - 1) * strength + 0.7 * common + 0.7 * noise > -0.2
    return given.astype(int)


def labels_of(random: np.random.Generator, sentences: int) -> np.ndarray:
    return (random.random(sentences) < POSITIVE).astype(int)


def coverage(
    strength: float, sizes: Iterable[int] = SIZES, draws: int = 2000
) -> tuple[float, list[float]]:
    """Return the true MCC, and for each size the share of intervals that contain it.

    Slices that get no interval are drawn again.
    """
    random = np.random.default_rng(7)
    many = labels_of(random, 300_000)
    truth = float(stats.mcc(many, classes(random, many, strength))[0])
    return truth, [_covered(random, strength, truth, size, draws) for size in sizes]


def _covered(
    random: np.random.Generator, strength: float, truth: float, size: int, draws: int
) -> float:
    covered = number = 0
    while number < draws:
        labels = labels_of(random, size)
        if stats.no_interval(labels) is None:
            interval = stats.slice_interval(labels, classes(random, labels, strength))
            covered += interval.low <= truth <= interval.high
            number += 1
    return covered / draws


def chance_findings(draws: int, sentences: int = 400) -> tuple[float, float]:
    """Return how often any of three slices is marked, or any difference found, without an effect.

    The slices overlap and have about 60, 100 and 160 sentences.
    """
    random = np.random.default_rng(5)
    marked = differing = 0
    for _ in range(draws):
        labels = labels_of(random, sentences)
        slices = random.random((3, sentences)) < np.array([[0.15], [0.25], [0.4]])
        a, b = (classes(random, labels, 0.9) for _ in range(2))
        marked += _any([stats.against_rest(labels, a, part).p_value for part in slices])
        differing += _any(
            [
                stats.paired_difference(
                    labels[part], a[:, part], b[:, part], paired_seeds=False
                ).p_value
                for part in slices
            ]
        )
    return marked / draws, differing / draws


def _any(p_values: list[float]) -> bool:
    return min(stats.holm(p_values)) < 0.05


def _rows() -> Iterator[list[str]]:
    found = [coverage(strength) for strength in STRENGTHS]
    yield ["sentences", *(f"MCC {truth:.2f}" for truth, _ in found)]
    for row, size in enumerate(SIZES):
        yield [str(size), *(f"{shares[row]:.1%}" for _, shares in found)]


if __name__ == "__main__":
    headings, *lines = _rows()
    print(tabulate(lines, headings, tablefmt="pipe", disable_numparse=True))
    marked, differing = chance_findings(1000)
    print(f"by chance: {marked:.1%} of draws marked, {differing:.1%} with a difference")
