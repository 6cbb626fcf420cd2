"""What choosing on the sentences that are scored adds to a score, and how to take it away."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.errors import BadInput
from harness.stats.checks import check
from harness.stats.scores import mcc, mcc_of_counts

SPLITS = 100
GENERATOR_SEED = 20_240_229


@dataclass(frozen=True)
class Selection:
    """Scores of cells whose epoch, and of a leaderboard whose cell, was chosen by its score.

    Attributes:
        plain: of each cell, the mean over seeds of the best epoch's MCC on all sentences: what
            is reported when nobody corrects.
        adjusted: of each cell, the mean over seeds and halves of the MCC on one half of the
            epoch that was best on the other; equal to `plain` where a cell has one epoch.
        winner: the mean over halves of the adjusted MCC of the cell that was best on the other
            half: what to expect of the leaderboard's first; equal to its cell's `adjusted` where
            there is one cell.
        chosen: of each cell, the share of halves on which it was the best.
    """

    plain: tuple[float, ...]
    adjusted: tuple[float, ...]
    winner: float
    chosen: tuple[float, ...]


def selection_adjusted(
    labels: np.ndarray, candidates: Sequence[np.ndarray], splits: int = SPLITS
) -> Selection | None:
    """Choose on one half of the sentences and score on the other, many times.

    Each split halves the sentences of each label at random; then each half chooses for the
    other, so there are twice as many repetitions as splits. Within a run, the epoch with the
    largest MCC is chosen, the earliest of equals; among cells, the one with the largest mean over
    seeds. No sentence that helped to choose is scored, so luck in choosing does not count
    (double cross-validation, Stone 1974; Cawley and Talbot 2010 on the bias it removes).

    It errs on the low side, a little: a half chooses less well than all sentences would.

    Args:
        labels: (sentences,), each 0 or 1.
        candidates: of each cell, (seeds, epochs, sentences) predictions, each 0 or 1.
        splits: how many times the sentences are halved; the same halves in every call.

    Returns:
        None where something has to be chosen and a label has fewer than two sentences, so that
        there are no halves.

    Raises:
        BadInput: other shapes or values, or no cell.
    """
    if not candidates:
        raise BadInput(["no cell to choose from: expected one or more"])
    check(labels, {f"predictions of cell {n}": cell for n, cell in enumerate(candidates, 1)})
    _check_axes(candidates)
    plain = [float(mcc(labels, cell).max(axis=1).mean()) for cell in candidates]
    if len(candidates) == 1 and candidates[0].shape[1] == 1:
        return Selection(tuple(plain), tuple(plain), plain[0], (1.0,))
    accepting = labels == 1
    if min(accepting.sum(), (~accepting).sum()) < 2:
        return None
    halves = _halves(accepting.tobytes(), splits)
    over_halves = [_choose_epoch(accepting, cell, halves) for cell in candidates]
    chose = np.array([choosing for choosing, _ in over_halves])
    scored = np.array([rest for _, rest in over_halves])
    adjusted = [
        whole if cell.shape[1] == 1 else float(scores.mean())
        for whole, cell, scores in zip(plain, candidates, scored, strict=True)
    ]
    best = chose.argmax(axis=0)
    of_best = float(scored[best, np.arange(best.size)].mean())
    winner = adjusted[0] if len(candidates) == 1 else of_best
    chosen = np.bincount(best, minlength=len(candidates)) / best.size
    return Selection(tuple(plain), tuple(adjusted), winner, tuple(chosen.tolist()))


def expected_best_of(scores: Sequence[float]) -> tuple[float, ...]:
    """Return the largest score to expect among 1, 2, ... of the scores, drawn without return.

    The mean of the maximum over every subset of that size: the U-statistic, which is unbiased
    (Hoeffding 1948; Tang et al. 2020), where drawing with return, as in Dodge et al. 2019, makes
    budgets look less useful than they are.

    Args:
        scores: of cells drawn at random, in any order.

    Returns:
        For each n from 1 to the number of scores, at place n - 1.
    """
    ordered = np.sort(np.asarray(scores, dtype=float))
    count = len(ordered)
    ranks = np.arange(1, count + 1)
    # The share of subsets of n whose largest is of this rank: C(rank - 1, n - 1) / C(count, n).
    shares = np.full(count, 1 / count) if count else ordered
    expected = []
    for size in range(1, count + 1):
        expected.append(float(shares @ ordered))
        if size < count:
            shares = shares * ((ranks - size) / size * ((size + 1) / (count - size)))
    return tuple(expected)


@functools.lru_cache(maxsize=4)  # a leaderboard's cells share their labels
def _halves(labels: bytes, splits: int) -> np.ndarray:
    """Return (splits, sentences): True for a half of each label, its larger half by turns."""
    accepting = np.frombuffer(labels, dtype=bool)
    generator = np.random.default_rng(GENERATOR_SEED)
    halves = np.zeros((splits, accepting.size), dtype=bool)
    larger = (np.arange(splits) % 2)[:, None]
    for of_label in (accepting, ~accepting):
        count = int(of_label.sum())
        ranks = generator.random((splits, count)).argsort(axis=1).argsort(axis=1)
        halves[:, of_label] = ranks < (count + larger) // 2
    halves.flags.writeable = False
    return halves


def _choose_epoch(
    accepting: np.ndarray, cell: np.ndarray, halves: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean over seeds on the half that chose each run's epoch, and on the other.

    Args:
        accepting: (sentences,), whether the label is 1.
        cell: (seeds, epochs, sentences), predictions.
        halves: (splits, sentences).

    Returns:
        Two (2 splits,): each half chooses once.
    """
    seeds, epochs, sentences = cell.shape
    runs = cell.reshape(seeds * epochs, sentences).astype(np.float32)
    hits = _counts(runs[:, accepting], halves[:, accepting])
    false_alarms = _counts(runs[:, ~accepting], halves[:, ~accepting])
    labelled = _sizes(halves[:, accepting])
    size = labelled + _sizes(halves[:, ~accepting])
    values = mcc_of_counts(hits, hits + false_alarms, labelled[..., None], size[..., None])
    values = values.reshape(2, len(halves), seeds, epochs)
    chosen = values.argmax(axis=-1)[..., None]
    choosing, rest = (
        np.take_along_axis(of_halves, chosen, axis=-1)[..., 0].mean(axis=-1).ravel()
        for of_halves in (values, values[::-1])
    )
    return choosing, rest


def _counts(runs: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """Return (2, splits, runs): how many sentences a run accepts in each half and in the other.

    Counts of single precision are exact up to 2^24.
    """
    first = halves.astype(np.float32) @ runs.T
    both = np.stack([first, runs.sum(axis=1) - first])
    return both.astype(np.int64)


def _sizes(halves: np.ndarray) -> np.ndarray:
    """Return (2, splits): how many sentences each half and its other have."""
    first = halves.sum(axis=1)
    return np.stack([first, halves.shape[1] - first])


def _check_axes(candidates: Sequence[np.ndarray]) -> None:
    problems = [
        f"predictions of cell {number} have shape {cell.shape}: expected (seeds, epochs, sentences)"
        for number, cell in enumerate(candidates, 1)
        if cell.ndim != 3
    ]
    if problems:
        raise BadInput(problems)
