"""MCC on slices of sentences: against scikit-learn, and with effects planted in simulated runs."""

import numpy as np
import pytest
from scipy import stats as scipy_stats
from sklearn.metrics import matthews_corrcoef

from harness import stats
from harness.stats.slices import LEAST_OF_A_CLASS, LEAST_SENTENCES
from harness.suite.gates import LEAST_OF_A_SLICE

SENTENCES = 400
DRAWS = 1000

TOLERANCE = 0.05 + 2.58 * (0.05 * 0.95 / DRAWS) ** 0.5
"""A share of false findings above this has a probability below 1 % if the true one is 5 %."""


def runs(
    random: np.random.Generator, labels: np.ndarray, strength: np.ndarray, seeds: int = 1
) -> np.ndarray:
    """Return (seeds, sentences): classes from a score that depends on the label by `strength`."""
    common = random.normal(size=labels.size)
    noise = random.normal(size=(seeds, labels.size))
    given: np.ndarray = (2 * labels - 1) * strength + 0.7 * common + 0.7 * noise > -0.2
    return given.astype(int)


def draw(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and (slices, sentences): three slices that overlap, of 60 to 160 sentences."""
    labels = (random.random(SENTENCES) < 0.65).astype(int)
    shares = np.array([[0.15], [0.25], [0.4]])
    return labels, random.random((3, SENTENCES)) < shares


def found_against_rest(labels: np.ndarray, given: np.ndarray, slices: np.ndarray) -> list[int]:
    p_values = [stats.against_rest(labels, given, chosen).p_value for chosen in slices]
    return [n for n, p in enumerate(stats.holm(p_values)) if p < 0.05]


def found_between(
    labels: np.ndarray, a: np.ndarray, b: np.ndarray, slices: np.ndarray
) -> list[int]:
    p_values = [
        stats.paired_difference(
            labels[chosen], a[:, chosen], b[:, chosen], paired_seeds=False
        ).p_value
        for chosen in slices
    ]
    return [n for n, p in enumerate(stats.holm(p_values)) if p < 0.05]


def test_without_a_planted_effect_none_is_found_in_95_of_100_draws() -> None:
    random = np.random.default_rng(5)
    even = np.full(SENTENCES, 0.9)
    against = between = 0
    for _ in range(DRAWS):
        labels, slices = draw(random)
        a, b = (runs(random, labels, even) for _ in range(2))
        against += bool(found_against_rest(labels, a, slices))
        between += bool(found_between(labels, a, b, slices))
    assert against / DRAWS <= TOLERANCE
    assert between / DRAWS <= TOLERANCE


@pytest.mark.parametrize("seeds", [1, 3, 5])
def test_a_planted_effect_is_found(seeds: int) -> None:
    random = np.random.default_rng(seeds)
    against = between = 0
    for _ in range(20):
        labels, slices = draw(random)
        weak = np.where(slices[1], 0.0, 1.5)
        given, other = runs(random, labels, weak, seeds), runs(random, labels, weak + 1.5, seeds)
        against += 1 in found_against_rest(labels, given, slices)
        between += 1 in found_between(labels, given, other, slices)
    assert against >= 18
    assert between >= 18


def test_the_difference_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(1)
    labels, slices = draw(random)
    given = runs(random, labels, np.full(SENTENCES, 0.9), 3)
    for chosen in slices:
        inside, outside = (
            np.mean([matthews_corrcoef(labels[part], run[part]) for run in given])
            for part in (chosen, ~chosen)
        )
        found = stats.against_rest(labels, given, chosen)
        assert found.difference == pytest.approx(inside - outside, abs=1e-12)
        opposite = stats.against_rest(labels, given, ~chosen)
        assert opposite.difference == pytest.approx(-found.difference, abs=1e-12)
        assert opposite.p_value == pytest.approx(found.p_value)


def test_the_error_of_a_difference_is_that_of_resampled_sentences() -> None:
    random = np.random.default_rng(2)
    labels = (random.random(2000) < 0.6).astype(int)
    chosen = random.random(2000) < 0.3
    given = runs(random, labels, np.full(2000, 0.8))
    resampled = []
    for _ in range(400):
        picked = random.integers(0, 2000, 2000)
        parts = [picked[chosen[picked] == inside] for inside in (True, False)]
        inside, outside = (float(stats.mcc(labels[p], given[:, p])[0]) for p in parts)
        resampled.append(np.arctanh(inside) - np.arctanh(outside))
    inside, outside = (stats.mcc(labels[p], given[:, p])[0] for p in (chosen, ~chosen))
    freedom = min(chosen.sum(), 2000 - chosen.sum()) - 1
    p_value = stats.against_rest(labels, given, chosen).p_value
    error = abs(np.arctanh(inside) - np.arctanh(outside)) / scipy_stats.t.isf(p_value / 2, freedom)
    assert error == pytest.approx(np.std(resampled), rel=0.12)


@pytest.mark.parametrize("sentences", [LEAST_SENTENCES, 60, 200])
@pytest.mark.parametrize("strength", [0.4, 0.8])
def test_intervals_of_small_slices_cover_the_true_value(sentences: int, strength: float) -> None:
    random = np.random.default_rng(sentences)
    many = (random.random(300_000) < 0.7).astype(int)
    truth = matthews_corrcoef(many, runs(random, many, np.full(many.size, strength))[0])
    covered = number = 0
    while number < 300:
        labels = (random.random(sentences) < 0.7).astype(int)
        if stats.no_interval(labels) is None:
            given = runs(random, labels, np.full(sentences, strength))
            interval = stats.slice_interval(labels, given)
            covered += interval.low <= truth <= interval.high
            number += 1
    assert 0.92 <= covered / number <= 0.99


def test_intervals_of_several_tests_are_wider() -> None:
    random = np.random.default_rng(3)
    labels, _ = draw(random)
    given = runs(random, labels, np.full(SENTENCES, 0.9))
    one, ten = (stats.slice_interval(labels, given, tests=tests) for tests in (1, 10))
    assert ten.low < one.low < one.mean < one.high < ten.high
    reach = np.arctanh(ten.high) - np.arctanh(ten.mean)
    expected = scipy_stats.t.ppf(1 - 0.05 / 20, SENTENCES - 1) * one.standard_error
    assert reach == pytest.approx(expected / (1 - one.mean**2))


@pytest.mark.parametrize("right", [True, False])
def test_a_perfect_slice_has_an_interval_within_bounds(right: bool) -> None:
    labels = np.arange(40) % 2
    given = labels[None] if right else 1 - labels[None]
    interval = stats.slice_interval(labels, given)
    assert interval.mean == (1 if right else -1)
    assert -1 <= interval.low < interval.high <= 1


@pytest.mark.parametrize(
    ("labels", "undefined", "no_interval"),
    [
        ([], "no sentences", f"fewer than {LEAST_SENTENCES} sentences"),
        ([1] * 50, "all labels are of one class", f"fewer than {LEAST_OF_A_CLASS} sentences"),
        ([0, 1] * 14, None, f"fewer than {LEAST_SENTENCES} sentences"),
        ([1] * 50 + [0] * 4, None, f"fewer than {LEAST_OF_A_CLASS} sentences of a class"),
        ([1] * 50 + [0] * 5, None, None),
        ([0] * 10 + [1] * 10 + [2] * 10, None, None),
    ],
)
def test_slices_without_a_score(
    labels: list[int], undefined: str | None, no_interval: str | None
) -> None:
    assert stats.undefined(np.array(labels)) == undefined
    found = stats.no_interval(np.array(labels))
    assert (found or "").startswith(no_interval or "-") if no_interval else found is None


def test_more_than_two_classes() -> None:
    random = np.random.default_rng(4)
    labels = random.integers(0, 4, 300)
    given = np.where(random.random((2, 300)) < 0.6, labels, random.integers(0, 4, (2, 300)))
    chosen = random.random(300) < 0.4
    expected = np.mean([matthews_corrcoef(labels[chosen], run[chosen]) for run in given])
    interval = stats.slice_interval(labels[chosen], given[:, chosen], 4)
    assert interval.mean == pytest.approx(expected)
    rest = np.mean([matthews_corrcoef(labels[~chosen], run[~chosen]) for run in given])
    assert stats.against_rest(labels, given, chosen, 4).difference == pytest.approx(expected - rest)


def test_the_smallest_gate_is_the_smallest_slice_with_an_interval() -> None:
    assert LEAST_OF_A_SLICE == LEAST_SENTENCES
