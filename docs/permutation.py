"""The paired permutation test: checks the p-values of the harness where both have one seed."""

import numpy as np

from harness.errors import BadInput
from harness.stats import Statistic
from harness.stats.checks import check
from harness.stats.scores import mcc_of_counts

PERMUTATIONS = 9_999
GENERATOR_SEED = 20_240_229


def permutation_p_value(
    labels: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    statistic: Statistic = "mcc",
    permutations: int = PERMUTATIONS,
) -> float:
    """Return the two-sided p-value of the paired permutation test over sentences.

    Under the null hypothesis that the two systems are interchangeable, the predictions of a and b
    for a sentence can be swapped, in all seeds at once (approximate randomisation, Noreen 1989;
    Yeh 2000). The p-value is (1 + c) / (1 + n), where c of n random swaps give a difference at
    least as large (Phipson and Smyth 2010). The swaps are the same in every call.

    The test covers these runs only, not other seeds. It assumes no normal distribution, so it
    serves as a check on `paired_difference` when each system has one seed.

    Args:
        labels: (sentences,), each 0 or 1.
        a: (seeds, sentences), each 0 or 1.
        b: (seeds, sentences), each 0 or 1; as many rows as `a`.

    Raises:
        BadInput: other shapes or values, or different numbers of seeds.
    """
    check(labels, {"predictions of a": a, "predictions of b": b})
    if len(a) != len(b):
        what = f"a has {len(a)} seeds and b has {len(b)}"
        raise BadInput([f"{what}: predictions can be swapped only where both have the same number"])
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
    """Return (swaps,): the mean over seeds after adding the given counts to each seed's counts."""
    labelled, sentences = int(labels.sum()), labels.size
    accepted = predictions.sum(axis=1, dtype=np.int64) + more_accepted.astype(np.int64)
    hits = (predictions * labels).sum(axis=1, dtype=np.int64) + more_hits.astype(np.int64)
    if statistic == "mcc":
        values = mcc_of_counts(hits, accepted, labelled, sentences)
    else:
        values = (hits + (sentences - labelled - (accepted - hits))) / sentences
    means: np.ndarray = values.mean(axis=1)
    return means
