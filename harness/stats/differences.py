"""Difference of two systems on the same sentences, with its interval and p-value."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np

from harness.errors import BadInput
from harness.stats.checks import check
from harness.stats.many_classes import (
    NO_VARIATION,
    class_counts,
    disagreement_error,
    rk_of_sums,
)
from harness.stats.scores import BOUNDS, Linearised, Statistic, linearise
from harness.stats.sources import Sources
from harness.stats.variance import (
    Estimate,
    LinearisedRuns,
    Variance,
    half_width,
    p_value,
    root,
    runs_of,
    variance_of_mean,
)

PERMUTATIONS = 9_999
GENERATOR_SEED = 20_240_229


@dataclass(frozen=True, kw_only=True)
class Difference(Estimate):
    """The difference of two means over seeds, a minus b, with its confidence interval.

    Attributes:
        difference: mean of a minus mean of b.
        p_value: two-sided, for a true difference of 0, from the same t distribution as the
            interval: below 0.05 exactly when the interval excludes 0.
        seeds_a: number of runs of a.
        seeds_b: number of runs of b.
    """

    se_sentences: float  # always known here
    difference: float
    p_value: float
    seeds_a: int
    seeds_b: int


def never_disagree(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether two systems predict the same for every sentence, (seeds, sentences) each.

    Either row by row, or in all rows of both, of which the numbers may then differ.
    """
    return np.array_equal(a, b) or bool((a == a[0]).all() and (b == a[0]).all())


def paired_difference(
    labels: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    *,
    paired_seeds: bool,
    statistic: Statistic = "mcc",
    classes: int = 2,
    sources: Sources | None = None,
    same_runs: bool = False,
) -> Difference:
    """Return the difference of two systems' means over seeds, on the same sentences.

    If a system has one seed, the interval and p-value hold for these runs on other sentences,
    not for other seeds, and `covers` is "sentences only". Systems that `never_disagree` may still
    differ on other sentences: their standard error is that of `disagreement_error`, and the p-value
    is 1. It is the same wherever sentences and seeds show no variance, for example if both
    misclassify the same sentences as other classes. Only a run and itself differ by exactly 0, with
    an interval of width 0.

    Args:
        labels: (sentences,), each from 0 to `classes` - 1.
        a: (seeds, sentences), likewise.
        b: (seeds, sentences), likewise; if seeds are paired, as many rows as `a`, in the same
            order of seeds.
        paired_seeds: row i of `a` and row i of `b` share a seed, so its effect on both (for
            example the order of the data) cancels in their difference. Otherwise seeds are
            independent.
        sources: of the sentences, for the difference on sentences of other sources; None for
            other sentences of the same sources.
        same_runs: a and b are the same runs, row by row, and so alike on all other sentences,
            unless their predictions differ after all.

    Raises:
        BadInput: other shapes or values, or different numbers of paired seeds.
    """
    check(labels, {"predictions of a": a, "predictions of b": b}, classes)
    if paired_seeds:
        _check_as_many(a, b, "seeds can be paired only where both have the same")
    runs_a, runs_b = (linearise(labels, runs, statistic, classes) for runs in (a, b))
    difference = float(runs_a.values.mean() - runs_b.values.mean())
    same = never_disagree(a, b)
    if same:
        difference, seeds = 0.0, min(len(a), len(b))
        groups = [LinearisedRuns(np.zeros(seeds), np.zeros((seeds, labels.size)), 0.0)]
    elif paired_seeds:
        groups = [_paired(runs_a, runs_b, (a == b).all(axis=1))]
    else:
        groups = [runs_of(runs_a), _negated(runs_of(runs_b))]
    variance = variance_of_mean(*groups, sources=sources)
    if variance.total * labels.size < NO_VARIATION and not (same and same_runs):
        units = labels.size if sources is None else sources.effective
        both = a if same else np.concatenate([a, b])
        error = _disagreement_error(labels, both, statistic, classes, units)
        variance = variance.with_unseen(error**2)
    return difference_with(variance, difference, statistic, (runs_a, runs_b))


def difference_with(
    variance: Variance,
    difference: float,
    statistic: Statistic,
    systems: tuple[Linearised, Linearised],
) -> Difference:
    """Return a difference with its interval and p-value, from its variance.

    Args:
        systems: the runs of both sides.
    """
    error = sqrt(variance.total)
    reach = half_width(error, variance.degrees_of_freedom)
    least, largest = BOUNDS[statistic]
    seeds_a, seeds_b = (len(runs.values) for runs in systems)
    return Difference(
        difference=difference,
        low=max(difference - reach, least - largest),
        high=min(difference + reach, largest - least),
        p_value=p_value(difference, error, variance.degrees_of_freedom),
        covers=variance.covers,
        standard_error=error,
        degrees_of_freedom=variance.degrees_of_freedom,
        seeds_a=seeds_a,
        seeds_b=seeds_b,
        se_sentences=sqrt(variance.sentences),
        se_seeds=root(variance.seeds),
        se_endless_seeds=root(variance.lasting),
        sd_one_seed=root(variance.one_seed),
        sentences_freedom=variance.sentences_freedom,
        one_class_or_perfect=sum(int((runs.unseen > 0).sum()) for runs in systems),
    )


def _disagreement_error(
    labels: np.ndarray, both: np.ndarray, statistic: Statistic, classes: int, units: float
) -> float:
    """Return the standard error of a difference of which nothing was seen.

    Args:
        both: (seeds, sentences), predictions of both systems.
    """
    if statistic == "accuracy":  # it changes by 1 for each of the two added sentences
        return sqrt(2 / (units + 2) / units)
    return float(disagreement_error(labels, both, classes, units).mean())


def permutation_p_value(
    labels: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    statistic: Statistic = "mcc",
    permutations: int = PERMUTATIONS,
    classes: int = 2,
) -> float:
    """Return the two-sided p-value of the paired permutation test over sentences.

    Under the null hypothesis that the two systems are interchangeable, the predictions of a and b
    for a sentence can be swapped, in all seeds at once (approximate randomisation, Noreen 1989;
    Yeh 2000). The p-value is (1 + c) / (1 + n), where c of n random swaps give a difference at
    least as large (Phipson and Smyth 2010). The swaps are the same in every call.

    The test covers these runs only, not other seeds. It assumes no normal distribution, so it
    serves as a check on `paired_difference` when each system has one seed.

    Args:
        labels: (sentences,), each from 0 to `classes` - 1.
        a: (seeds, sentences), likewise.
        b: (seeds, sentences), likewise; as many rows as `a`.

    Raises:
        BadInput: other shapes or values, or different numbers of seeds.
    """
    check(labels, {"predictions of a": a, "predictions of b": b}, classes=classes)
    _check_as_many(a, b, "predictions can be swapped only where both have the same")
    differing = (a != b).any(axis=0)
    if not differing.any():
        return 1.0
    generator = np.random.default_rng(GENERATOR_SEED)
    swaps = generator.integers(0, 2, size=(permutations, int(differing.sum())), dtype=np.int8)
    swaps = np.vstack([np.zeros(swaps.shape[1], dtype=np.int8), swaps]).astype(np.float32)

    def counts(in_a: np.ndarray, in_b: np.ndarray) -> np.ndarray:
        """Return (2, swaps, seeds): for how many sentences a condition holds in a and in b."""
        change = in_b.astype(np.float32) - in_a
        moved = (swaps @ change[:, differing].T).astype(np.int64)
        return np.stack([in_a.sum(axis=1) + moved, in_b.sum(axis=1) - moved])

    hits = counts(a == labels, b == labels)
    if statistic == "mcc":
        values = _mcc_by_swap(labels, a, b, classes, hits, counts)
    else:
        values = hits / labels.size
    of_a, of_b = values.mean(axis=2)
    sizes = np.abs(of_a - of_b)
    as_large = int((sizes[1:] >= sizes[0] - 1e-12).sum())
    return (1 + as_large) / (1 + permutations)


def _mcc_by_swap(
    labels: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    classes: int,
    hits: np.ndarray,
    counts: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Return (2, swaps, seeds): R_K of a and of b after each swap.

    Args:
        hits: (2, swaps, seeds), sentences classified correctly.
        counts: returns (2, swaps, seeds) for a condition, (seeds, sentences) of a and of b.
    """
    labelled = class_counts(labels, classes)
    present = np.flatnonzero(class_counts(np.concatenate([a, b]), classes).sum(axis=0)).tolist()
    products, squares, rest = (np.zeros_like(hits) for _ in range(3))
    rest += labels.size
    for number in present:
        # Each sentence has one prediction, so the last class has the sentences that are left.
        predicted = rest if number == present[-1] else counts(a == number, b == number)
        products += predicted * labelled[number]
        squares += predicted**2
        rest = rest - predicted
    return rk_of_sums(hits, products, squares, int(labelled @ labelled), labels.size)


def _paired(a: Linearised, b: Linearised, identical: np.ndarray) -> LinearisedRuns:
    """Return a minus b, seed by seed.

    Args:
        identical: (seeds,), whether both made the same predictions.
    """
    unseen = np.where(identical, 0.0, a.unseen + b.unseen)
    return LinearisedRuns(a.values - b.values, a.influence - b.influence, float(unseen.mean()))


def _negated(runs: LinearisedRuns) -> LinearisedRuns:
    return LinearisedRuns(-runs.values, -runs.influence, runs.unseen)


def _check_as_many(a: np.ndarray, b: np.ndarray, why: str) -> None:
    if len(a) != len(b):
        raise BadInput([f"a has {len(a)} seeds and b has {len(b)}: {why} number"])
