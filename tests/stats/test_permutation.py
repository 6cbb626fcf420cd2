"""The permutation test of docs/permutation.py against closed forms, scipy and Student's t."""

import sys
from itertools import product
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import matthews_corrcoef

from harness.errors import BadInput
from harness.stats import Statistic, accuracy, mcc, paired_difference

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))

from permutation import permutation_p_value

STATISTICS: tuple[Statistic, ...] = ("mcc", "accuracy")


def study(seed: int = 0, sentences: int = 1043, seeds: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Runs that share most of their errors, as those of one recipe do."""
    generator = np.random.default_rng(seed)
    labels = (generator.random(sentences) < 0.7).astype(np.int64)
    hard = generator.random(sentences) < 0.2
    flipped = hard ^ (generator.random((seeds, sentences)) < 0.05)
    return labels, np.where(flipped, 1 - labels, labels)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_identical_predictions_differ_by_nothing_at_all(statistic: Statistic) -> None:
    labels, predictions = study()
    assert permutation_p_value(labels, predictions, predictions, statistic) == 1


def test_the_permutation_test_of_accuracy_is_the_sign_test() -> None:
    """Only sentences that one of two runs has right count: a binomial of one half."""
    labels = np.ones(400, int)
    labels[:100] = 0
    a, b = labels.copy(), labels.copy()
    a[:12] = 1
    b[50:77] = 1
    exact = scipy.stats.binomtest(12, 39).pvalue
    got = permutation_p_value(labels, a[None], b[None], "accuracy")
    assert got == pytest.approx(exact, abs=4 * sqrt(exact / 9999))


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("shifted", [False, True])
def test_the_permutation_test_of_some_seeds_is_that_of_every_swap_there_is(
    statistic: Statistic, shifted: bool
) -> None:
    """Ten sentences differ in some seed: 1,024 ways to let a and b change places on them."""
    generator = np.random.default_rng(3)
    labels = (generator.random(60) < 0.6).astype(int)
    a = np.where(generator.random((3, 60)) < 0.2, 1 - labels, labels)
    b = a.copy()
    b[:, :10] = 1 - labels[:10] if shifted else generator.integers(0, 2, (3, 10))
    a[0, :10] = 1 - b[0, :10]
    score = {"mcc": mcc, "accuracy": accuracy}[statistic]
    differences = []
    for swap in np.array(list(product([False, True], repeat=10))):
        swap = np.concatenate([swap, np.zeros(50, dtype=bool)])
        of_a, of_b = np.where(swap, b, a), np.where(swap, a, b)
        differences.append(score(labels, of_a).mean() - score(labels, of_b).mean())
    exact = np.mean(np.abs(differences) >= abs(differences[0]) - 1e-12)
    assert (exact < 0.05) == shifted
    got = permutation_p_value(labels, a, b, statistic)
    assert got == pytest.approx(exact, abs=4 * sqrt(exact * (1 - exact) / 9999) + 1e-4)
    assert permutation_p_value(labels, a, b, statistic) == got


@pytest.mark.parametrize("permutations", [1, 99, 9_999])
def test_p_values_of_a_permutation_test_go_from_one_of_all_swaps_to_1(permutations: int) -> None:
    labels = np.arange(200) % 2
    a, b = labels[None], labels[None].copy()
    b[0, 50:150] = 1 - labels[50:150]
    assert permutation_p_value(labels, a, b, permutations=permutations) == 1 / (1 + permutations)
    assert permutation_p_value(labels, a, b) == 1 / 10_000
    b[0, 51:150] = labels[51:150]  # one sentence differs: whoever has it, it is as large
    assert permutation_p_value(labels, a, b, permutations=permutations) == 1


def test_the_permutation_test_agrees_with_scipys_on_mcc() -> None:
    labels, both = study(seeds=2, sentences=120)

    def statistic(a: np.ndarray, b: np.ndarray) -> float:
        return float(matthews_corrcoef(labels, a) - matthews_corrcoef(labels, b))

    expected = scipy.stats.permutation_test(
        (both[0], both[1]), statistic, permutation_type="samples", n_resamples=199, rng=1
    )
    got = permutation_p_value(labels, both[:1], both[1:])
    assert got == pytest.approx(expected.pvalue, abs=0.12)
    assert permutation_p_value(labels, both[:1], both[1:]) == got


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_with_one_seed_permutation_and_t_are_of_one_mind(seed: int) -> None:
    labels, both = study(seed, seeds=2)
    by_t = paired_difference(labels, both[:1], both[1:], paired_seeds=True).p_value
    assert permutation_p_value(labels, both[:1], both[1:]) == pytest.approx(by_t, abs=0.06)


def test_seeds_of_different_number_cannot_be_permuted() -> None:
    labels, both = study(seeds=3)
    with pytest.raises(BadInput, match="a has 1 seeds and b has 2: predictions can be swapped"):
        permutation_p_value(labels, both[:1], both[1:])


def test_the_system_whose_predictions_are_refused_is_named() -> None:
    labels, both = study(sentences=20)
    with pytest.raises(BadInput) as error:
        permutation_p_value(labels, both[:1] + 2, both[1:] - 3)
    assert [problem.partition(":")[0] for problem in error.value.problems] == [
        "predictions of a contain 2, 3",
        "predictions of b contain -3, -2",
    ]
