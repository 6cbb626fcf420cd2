"""Selection bias: how much selecting on the scored sentences raises a score, and its correction."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.errors import BadInput
from harness.products import dot
from harness.stats.checks import check
from harness.stats.many_classes import rk_of_sums
from harness.stats.scores import mcc, mcc_of_counts

SPLITS = 100
GENERATOR_SEED = 20_240_229


@dataclass(frozen=True)
class Selection:
    """Scores of cells with a selected epoch, and of the selected best cell, with corrections.

    Attributes:
        plain: for each cell, the mean over seeds of the best epoch's MCC on all sentences: the
            uncorrected score.
        adjusted: for each cell, the mean over seeds and halves of the MCC on one half of the
            epoch that was best on the other half; equal to `plain` if a cell has one epoch.
        winner: the mean over halves of the adjusted MCC of the cell that was best on the other
            half: the expected score of the leaderboard's first cell; equal to `adjusted` if there
            is one cell.
        chosen: for each cell, the share of halves on which it was the best.
    """

    plain: tuple[float, ...]
    adjusted: tuple[float, ...]
    winner: float
    chosen: tuple[float, ...]


def selection_adjusted(
    labels: np.ndarray, candidates: Sequence[np.ndarray], splits: int = SPLITS, classes: int = 2
) -> Selection | None:
    """Select on one half of the sentences and score on the other half, many times.

    Each split halves the sentences of each label at random. Each half then selects for the other
    half, so there are twice as many repetitions as splits. In each run the epoch with the largest
    MCC is selected (of equals the earliest); among cells, the one with the largest mean over
    seeds. No sentence is used both to select and to score, so lucky selections do not raise the
    score (double cross-validation, Stone 1974; Cawley and Talbot 2010 on the bias it removes).

    The result is slightly too low: half of the sentences select less well than all of them.

    Args:
        labels: (sentences,), each from 0 to `classes` - 1.
        candidates: for each cell, (seeds, epochs, sentences) predictions, likewise.
        splits: number of splits; every call uses the same halves.

    Returns:
        None if there is a selection to make and fewer than two labels have two sentences or more.
        A label with one sentence cannot be halved: the sentence is in each half in turn.

    Raises:
        BadInput: other shapes or values, or no cell.
    """
    if not candidates:
        raise BadInput(["no cell to select from: expected one or more"])
    rows = {f"predictions of cell {n}": cell for n, cell in enumerate(candidates, 1)}
    check(labels, rows, classes)
    problems = [
        f"predictions of cell {number} have shape {cell.shape}: expected (seeds, epochs, sentences)"
        for number, cell in enumerate(candidates, 1)
        if cell.ndim != 3
    ]
    if problems:
        raise BadInput(problems)
    return selection_of([halved(labels, cell, splits, classes) for cell in candidates])


@dataclass(frozen=True)
class Halved:
    """A cell whose epochs are selected on halves of the sentences; see `selection_adjusted`.

    Attributes:
        epochs: number of candidates of each run.
        plain: the mean over seeds of the best epoch's MCC on all sentences.
        selecting: (2 splits,), the mean over seeds of the selected epoch's MCC on the half that
            selects; None if the labels cannot be halved.
        scored: (2 splits,), likewise on the other half.
    """

    epochs: int
    plain: float
    selecting: np.ndarray | None
    scored: np.ndarray | None


def halved(labels: np.ndarray, cell: np.ndarray, splits: int = SPLITS, classes: int = 2) -> Halved:
    """Select each run's epoch on each half of the sentences, and score it on the other half.

    Args:
        labels: (sentences,), each from 0 to `classes` - 1.
        cell: (seeds, epochs, sentences) predictions, likewise.
        splits: number of splits; every call uses the same halves.
    """
    plain = float(mcc(labels, cell, classes).max(axis=1).mean())
    labels = labels.astype(np.int32)
    if (np.bincount(labels) >= 2).sum() < 2:
        return Halved(cell.shape[1], plain, None, None)
    values_on_halves = _mcc_on_halves if classes == 2 else _rk_on_halves
    selecting, scored = _select_epoch(
        values_on_halves, labels, cell, _halves(labels.tobytes(), splits)
    )
    return Halved(cell.shape[1], plain, selecting, scored)


def selection_of(cells: Sequence[Halved]) -> Selection | None:
    """Return the selection among cells on the same halves of the same sentences.

    Returns:
        None if there is a selection to make and the labels cannot be halved.
    """
    plain = tuple(cell.plain for cell in cells)
    if len(cells) == 1 and cells[0].epochs == 1:
        return Selection(plain, plain, plain[0], (1.0,))
    on_halves = [
        (cell.selecting, cell.scored)
        for cell in cells
        if cell.selecting is not None and cell.scored is not None
    ]
    if len(on_halves) < len(cells):
        return None
    selecting = np.array([own for own, _ in on_halves])
    scored = np.array([other for _, other in on_halves])
    adjusted = [
        cell.plain if cell.epochs == 1 else float(scores.mean())
        for cell, scores in zip(cells, scored, strict=True)
    ]
    best = selecting.argmax(axis=0)
    best_score = float(scored[best, np.arange(best.size)].mean())
    winner = adjusted[0] if len(cells) == 1 else best_score
    chosen = np.bincount(best, minlength=len(cells)) / best.size
    return Selection(plain, tuple(adjusted), winner, tuple(chosen.tolist()))


def expected_best_of(scores: Sequence[float]) -> tuple[float, ...]:
    """Return the expected maximum of 1, 2, ... of the scores, sampled without replacement.

    This is the mean of the maximum over all subsets of each size: the U-statistic, which is
    unbiased (Hoeffding 1948; Tang et al. 2020). Sampling with replacement, as in Dodge et al.
    2019, makes budgets look less useful than they are.

    Args:
        scores: of cells sampled at random, in any order.

    Returns:
        For each n from 1 to the number of scores, at index n - 1.
    """
    ordered = np.sort(np.asarray(scores, dtype=float))
    count = len(ordered)
    ranks = np.arange(1, count + 1)
    # The share of subsets of size n whose maximum has this rank: C(rank - 1, n - 1) / C(count, n).
    shares = np.full(count, 1 / count) if count else ordered
    expected = []
    for size in range(1, count + 1):
        expected.append(dot(shares, ordered))
        if size < count:
            shares = shares * ((ranks - size) / size * ((size + 1) / (count - size)))
    return tuple(expected)


@functools.lru_cache(maxsize=4)  # a leaderboard's cells share their labels
def _halves(labels: bytes, splits: int) -> np.ndarray:
    """Return one half of each label in each split, in turns smaller and larger; see `_words`.

    Args:
        labels: the bytes of 32-bit integers.
    """
    label = np.frombuffer(labels, dtype=np.int32)
    generator = np.random.default_rng(GENERATOR_SEED)
    halves = np.zeros((splits, label.size), dtype=bool)
    larger = (np.arange(splits) % 2)[:, None]
    for each in np.unique(label)[::-1]:
        has_label = label == each
        count = int(has_label.sum())
        ranks = generator.random((splits, count)).argsort(axis=1).argsort(axis=1)
        halves[:, has_label] = ranks < (count + larger) // 2
    words = _words(halves)
    words.flags.writeable = False
    return words


def _select_epoch(
    values_on_halves: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    labels: np.ndarray,
    cell: np.ndarray,
    halves: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean over seeds on the half that selects each run's epoch, and on the other half.

    Args:
        values_on_halves: returns each run's MCC on both halves of each split.
        labels: (sentences,).
        cell: (seeds, epochs, sentences), predictions.
        halves: (words, splits), as from `_words`.

    Returns:
        Two (2 splits,): each half selects once.
    """
    seeds, epochs, sentences = cell.shape
    values = values_on_halves(labels, cell.reshape(seeds * epochs, sentences), halves)
    values = values.reshape(2, halves.shape[1], seeds, epochs)
    selected = values.argmax(axis=-1)[..., None]
    own, other = (
        np.take_along_axis(half_values, selected, axis=-1)[..., 0].mean(axis=-1).ravel()
        for half_values in (values, values[::-1])
    )
    return own, other


def _mcc_on_halves(labels: np.ndarray, runs: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """Return (2, splits, runs): the MCC of two classes on each half and on the other."""
    label, given = (labels == 1)[None], runs == 1
    marks = np.concatenate([given & label, given, label, np.ones_like(label)])
    counts = _counts(marks, halves)
    hits, positives = counts[..., : len(runs)], counts[..., len(runs) : -2]
    return mcc_of_counts(hits, positives, counts[..., -2, None], counts[..., -1, None])


def _rk_on_halves(labels: np.ndarray, runs: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """Return (2, splits, runs): R_K on each half and on the other."""
    hits = _counts(runs == labels, halves)
    products, squares = np.zeros_like(hits), np.zeros_like(hits)
    labelled_squares = np.zeros((*hits.shape[:2], 1), dtype=np.int64)
    for number in np.union1d(labels, runs):
        predicted = _counts(runs == number, halves)
        labelled = _counts((labels == number)[None], halves)
        products += predicted * labelled
        squares += predicted**2
        labelled_squares += labelled**2
    sizes = _counts(np.ones((1, labels.size), dtype=bool), halves)
    return rk_of_sums(hits, products, squares, labelled_squares, sizes)


def _counts(marks: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """Return (2, splits, rows): how many marks of a row are in each half and in the other.

    64 sentences are counted at once. A matrix product counts as fast alone, but BLAS computes it in
    several threads, which wait for each other beside other programs.

    Args:
        marks: (rows, sentences) booleans.
        halves: (words, splits), as from `_words`.
    """
    first = np.zeros((halves.shape[1], len(marks)), dtype=np.int64)
    for of_halves, of_rows in zip(halves, _words(marks), strict=True):  # in little memory
        first += np.bitwise_count(of_halves[:, None] & of_rows)
    return np.stack([first, marks.sum(axis=1) - first])


def _words(marks: np.ndarray) -> np.ndarray:
    """Return (words, rows): the booleans (rows, sentences) as bits of 64-bit words."""
    packed = np.packbits(marks, axis=1)
    words = np.zeros((len(packed), -(-packed.shape[1] // 8)), dtype=np.uint64)
    words.view(np.uint8)[:, : packed.shape[1]] = packed
    return np.ascontiguousarray(words.T)
