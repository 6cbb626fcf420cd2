"""Two systems on the same sentences: how far apart they are, and whether that is luck."""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from harness.errors import BadInput
from harness.stats.checks import check
from harness.stats.scores import BOUNDS, Linearised, Statistic, linearise, mcc_of_counts
from harness.stats.variance import (
    Covers,
    Runs,
    half_width,
    p_value,
    root,
    runs_of,
    variance_of_mean,
)

PERMUTATIONS = 9_999
GENERATOR_SEED = 20_240_229


@dataclass(frozen=True)
class Difference:
    """A difference of two means over seeds, a less b, with the interval that its error allows.

    Attributes:
        difference: mean of a less mean of b.
        low: the interval's lower end.
        high: its upper end.
        level: how often such intervals cover the true difference.
        p_value: two-sided, that the true difference is 0, from the interval's own t: it is below
            1 - level exactly where the interval leaves 0 out.
        covers: the sources of error that are counted.
        standard_error: of the difference, from all that is counted.
        degrees_of_freedom: of Student's t.
        mean_a: mean of a over its seeds.
        mean_b: mean of b over its seeds.
        seeds_a: how many runs a has.
        seeds_b: how many runs b has.
        paired_seeds: whether runs were compared seed by seed.
        se_sentences: standard error from the drawing of sentences.
        se_seeds: standard error from the drawing of seeds, beyond that; None where a system has
            one seed.
        se_endless_seeds: standard error that would be left if there were endless seeds; None
            where a system has one seed.
        sd_one_seed: standard deviation that one seed of each system adds to that; None where a
            system has one seed.
        one_class_or_perfect: how many runs of both show no variation over sentences, as for
            `Interval`.
    """

    difference: float
    low: float
    high: float
    level: float
    p_value: float
    covers: Covers
    standard_error: float
    degrees_of_freedom: float
    mean_a: float
    mean_b: float
    seeds_a: int
    seeds_b: int
    paired_seeds: bool
    se_sentences: float
    se_seeds: float | None
    se_endless_seeds: float | None
    sd_one_seed: float | None
    one_class_or_perfect: int


def paired_difference(
    labels: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    *,
    paired_seeds: bool,
    statistic: Statistic = "mcc",
    level: float = 0.95,
) -> Difference:
    """Return the difference of two systems' means over seeds, on the same sentences.

    Where a system has one seed, the interval and p-value hold for these runs on other sentences,
    not for other seeds, and `covers` says "sentences only". Identical predictions, row by row,
    differ by exactly 0, with an interval of no width and a p-value of 1.

    Args:
        labels: (sentences,), each 0 or 1.
        a: (seeds, sentences), each 0 or 1.
        b: (seeds, sentences), each 0 or 1; as many rows as `a`, in its order, where seeds are
            paired.
        paired_seeds: row i of `a` and row i of `b` share a seed, so what it does to both (the
            order of the data, say) leaves their difference. Otherwise seeds are independent.

    Raises:
        BadInput: other shapes or values, a level not between 0 and 1, or paired seeds of
            different number.
    """
    check(labels, {"predictions of a": a, "predictions of b": b}, level)
    if paired_seeds:
        _check_as_many(a, b, "seeds can be paired only where both have the same")
    of_a, of_b = linearise(labels, a, statistic), linearise(labels, b, statistic)
    difference = float(of_a.values.mean() - of_b.values.mean())
    if np.array_equal(a, b):
        groups = [_same(of_a)]
    elif paired_seeds:
        groups = [_paired(of_a, of_b, (a == b).all(axis=1))]
    else:
        groups = [runs_of(of_a), _negated(runs_of(of_b))]
    variance = variance_of_mean(*groups)
    error = sqrt(variance.total)
    reach = half_width(error, variance.degrees_of_freedom, level)
    least, largest = BOUNDS[statistic]
    return Difference(
        difference=difference,
        low=max(difference - reach, least - largest),
        high=min(difference + reach, largest - least),
        level=level,
        p_value=p_value(difference, error, variance.degrees_of_freedom),
        covers=variance.covers,
        standard_error=error,
        degrees_of_freedom=variance.degrees_of_freedom,
        mean_a=float(of_a.values.mean()),
        mean_b=float(of_b.values.mean()),
        seeds_a=len(a),
        seeds_b=len(b),
        paired_seeds=paired_seeds,
        se_sentences=sqrt(variance.sentences),
        se_seeds=root(variance.seeds),
        se_endless_seeds=root(variance.lasting),
        sd_one_seed=root(variance.one_seed),
        one_class_or_perfect=int((of_a.unseen > 0).sum() + (of_b.unseen > 0).sum()),
    )


def permutation_p_value(
    labels: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    statistic: Statistic = "mcc",
    permutations: int = PERMUTATIONS,
) -> float:
    """Return the two-sided p-value of the paired permutation test over sentences.

    Under the hypothesis that it does not matter which system said what, each sentence's
    predictions of a and b may change places, in all seeds at once (approximate randomisation,
    Noreen 1989; Yeh 2000). The p-value is (1 + c) / (1 + n), where c of n random swaps give a
    difference at least as large (Phipson and Smyth 2010). The swaps are the same in every call.

    The test is of these runs: it knows nothing of other seeds. It asks no normal distribution of
    anything, which makes it the check on `paired_difference` where each system has one seed.

    Args:
        labels: (sentences,), each 0 or 1.
        a: (seeds, sentences), each 0 or 1.
        b: (seeds, sentences), each 0 or 1; as many rows as `a`.

    Raises:
        BadInput: other shapes or values, or different numbers of seeds.
    """
    check(labels, {"predictions of a": a, "predictions of b": b})
    _check_as_many(a, b, "sentences can change places only where both have the same")
    differing = (a != b).any(axis=0)
    if not differing.any():
        return 1.0
    generator = np.random.default_rng(GENERATOR_SEED)
    swaps = generator.integers(0, 2, size=(permutations, int(differing.sum())), dtype=np.int8)
    swaps = np.vstack([np.zeros(swaps.shape[1], dtype=np.int8), swaps]).astype(np.float32)
    change = (b.astype(np.float32) - a)[:, differing].T
    label = labels[differing, None].astype(np.float32)
    accepted, hits = swaps @ change, swaps @ (change * label)
    differences = _mean_by_swap(labels, a, accepted, hits, statistic)
    differences -= _mean_by_swap(labels, b, -accepted, -hits, statistic)
    sizes = np.abs(differences)
    as_large = int((sizes[1:] >= sizes[0] - 1e-12).sum())
    return (1 + as_large) / (1 + permutations)


def _mean_by_swap(
    labels: np.ndarray,
    predictions: np.ndarray,
    more_accepted: np.ndarray,
    more_hits: np.ndarray,
    statistic: Statistic,
) -> np.ndarray:
    """Return (swaps,): the mean over seeds, with so many more accepted and hits of each seed."""
    labelled, sentences = int(labels.sum()), labels.size
    accepted = predictions.sum(axis=1, dtype=np.int64) + more_accepted.astype(np.int64)
    hits = (predictions * labels).sum(axis=1, dtype=np.int64) + more_hits.astype(np.int64)
    if statistic == "mcc":
        values = mcc_of_counts(hits, accepted, labelled, sentences)
    else:
        values = (hits + (sentences - labelled - (accepted - hits))) / sentences
    means: np.ndarray = values.mean(axis=1)
    return means


def _same(of_both: Linearised) -> Runs:
    """Runs less themselves."""
    return Runs(np.zeros_like(of_both.values), np.zeros_like(of_both.influence), 0.0)


def _paired(of_a: Linearised, of_b: Linearised, same: np.ndarray) -> Runs:
    """Runs less runs, seed by seed; `same` says of each seed whether both predicted the same."""
    unseen = np.where(same, 0.0, of_a.unseen + of_b.unseen)
    return Runs(of_a.values - of_b.values, of_a.influence - of_b.influence, float(unseen.mean()))


def _negated(runs: Runs) -> Runs:
    return Runs(-runs.values, -runs.influence, runs.unseen)


def _check_as_many(a: np.ndarray, b: np.ndarray, why: str) -> None:
    if len(a) != len(b):
        raise BadInput([f"a has {len(a)} seeds and b has {len(b)}: {why} number"])
