"""Variances over sources, against matrices, closed forms, scipy and the interval of sentences."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from scipy.stats import t, ttest_ind

from harness.errors import BadInput
from harness.stats import (
    Refusal,
    Sources,
    difference_of_parts,
    mean_interval,
    paired_difference,
    seeds_needed,
    sources_of,
)
from harness.stats.scores import linearise

SIZES = [(3, 5, 1, 8, 2, 9), (4,) * 10, (40, 1, 2, 3, 5, 8, 13, 1), tuple(range(1, 24))]


def of_sizes(sizes: Sequence[int]) -> Sources:
    found = sources_of(np.repeat(np.arange(len(sizes)), sizes))
    assert isinstance(found, Sources)
    return found


def influences(sources: Sources, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    effects = generator.standard_normal(sources.count)[sources.numbers]
    values = generator.standard_normal(sources.numbers.size) + effects
    return np.asarray(values - values.mean())


def drawn(seed: int, seeds: int, sentences: int, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and predictions that are right in about two of three cases."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, sentences)
    wrong = generator.random((seeds, sentences)) < 0.33
    return labels, np.where(wrong, generator.integers(0, classes, wrong.shape), labels)


def by_matrices(sources: Sources, values: np.ndarray, correlation: float) -> tuple[float, float]:
    """Return CR2 and its degrees of freedom as Bell and McCaffrey define them, by eigenvalues."""
    n = values.size
    design, numbers = np.ones((n, 1)), sources.numbers
    rest = np.eye(n) - design @ design.T / n
    variance, columns = 0.0, []
    for number in range(sources.count):
        own = np.flatnonzero(numbers == number)
        roots, vectors = np.linalg.eigh(rest[np.ix_(own, own)])
        adjusted = vectors @ np.diag(roots**-0.5) @ vectors.T @ design[own]
        variance += float((adjusted.T @ values[own])[0] ** 2) / n**2
        weights = np.zeros(n)
        weights[own] = adjusted[:, 0] / n
        columns.append(rest @ weights)
    same = (numbers[:, None] == numbers) * correlation
    np.fill_diagonal(same, 1.0)
    forms = np.stack(columns, axis=1)
    roots = np.linalg.eigvalsh(forms.T @ same @ forms)
    return variance, roots.sum() ** 2 / (roots**2).sum()


@pytest.mark.parametrize("correlation", [0.0, 0.1, 0.6, 1.0])
@pytest.mark.parametrize("sizes", SIZES)
def test_variance_and_freedom_are_those_of_the_matrices(
    sizes: Sequence[int], correlation: float
) -> None:
    sources = of_sizes(sizes)
    values = influences(sources)
    variance, freedom = by_matrices(sources, values, correlation)
    assert sources.variance(values) == pytest.approx(variance)
    assert sources.degrees_of_freedom(correlation) == pytest.approx(freedom)


@pytest.mark.parametrize("number", [6, 17, 40])
@pytest.mark.parametrize("correlation", [0.0, 0.3, 1.0])
def test_sources_of_equal_size_are_a_sample_of_their_means(number: int, correlation: float) -> None:
    sources = of_sizes((7,) * number)
    values = influences(sources, number)
    means = values.reshape(number, 7).mean(axis=1)
    assert sources.variance(values) == pytest.approx(means.var(ddof=1) / number)
    assert sources.degrees_of_freedom(correlation) == pytest.approx(number - 1)


@pytest.mark.parametrize("sizes", SIZES)
def test_the_correlation_is_the_mean_product_of_two_sentences_of_a_source(
    sizes: Sequence[int],
) -> None:
    sources = of_sizes(sizes)
    values = influences(sources, 3)
    products = [
        values[i] * values[j]
        for i in range(values.size)
        for j in range(values.size)
        if i != j and sources.numbers[i] == sources.numbers[j]
    ]
    expected = float(np.mean(products) / np.mean(values**2))
    assert sources.correlation(values) == pytest.approx(max(expected, 0.0))


def test_a_negative_correlation_is_0_and_so_is_that_of_single_sentences() -> None:
    sources = of_sizes((2,) * 8)
    assert sources.correlation(np.tile([1.0, -1.0], 8)) == 0
    assert of_sizes((1,) * 8).correlation(np.arange(8) - 3.5) == 0
    assert sources.correlation(np.zeros(16)) == 0


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_with_a_source_for_each_sentence_both_intervals_are_the_same(
    seeds: int, classes: int
) -> None:
    labels, predictions = drawn(seeds, 2 * seeds, 60, classes)
    sources = of_sizes((1,) * 60)
    a, b = predictions[:seeds], predictions[seeds:]
    first = asdict(mean_interval(labels, a, classes=classes))
    second = asdict(mean_interval(labels, a, classes=classes, sources=sources))
    assert second.pop("covers") == str(first.pop("covers")).replace("sentences", "sources")
    for end in ("low", "high"):  # on Fisher's scale, see below
        assert second.pop(end) == pytest.approx(first.pop(end), abs=0.05)
    assert (second.pop("fishers_scale"), first.pop("fishers_scale")) == (True, False)
    assert second == pytest.approx(first)
    for paired in (False, True):
        kind: dict[str, Any] = {"paired_seeds": paired, "classes": classes}
        one = asdict(paired_difference(labels, a, b, **kind))
        two = asdict(paired_difference(labels, a, b, sources=sources, **kind))
        assert two.pop("covers") == str(one.pop("covers")).replace("sentences", "sources")
        assert two == pytest.approx(one)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("sizes", [SIZES[1], SIZES[3]])
def test_sources_and_seeds_are_crossed(sizes: Sequence[int], classes: int) -> None:
    """S + B - I by the definitions, with matrices, for a mean and for a difference."""
    sources = of_sizes(sizes)
    labels, predictions = drawn(9, 6, sources.numbers.size, classes)
    a, b = (linearise(labels, runs, "mcc", classes) for runs in (predictions[:3], predictions[3:]))

    def cr2(values: np.ndarray) -> float:
        return by_matrices(sources, values, 0.0)[0]

    def parts(groups: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
        """Return the variance from sources, and the further one from seeds."""
        mean = sum(influence.mean(axis=0) for _, influence in groups)
        own = [
            sum(cr2(each - influence.mean(axis=0)) for each in influence) / 2 / 3
            for _, influence in groups
        ]
        raw = [values.var(ddof=1) / 3 for values, _ in groups]
        further = sum(max(one - two, 0.0) for one, two in zip(raw, own, strict=True))
        return max(cr2(mean), sum(own)), further

    from_sources, from_seeds = parts([(a.values, a.influence)])
    found = mean_interval(labels, predictions[:3], classes=classes, sources=sources)
    assert found.se_sentences == pytest.approx(from_sources**0.5)
    assert found.standard_error**2 == pytest.approx(from_sources + from_seeds)
    assert found.covers == "sources and seeds"
    assert found.covers_other_seeds
    for paired, groups in (
        (True, [(a.values - b.values, a.influence - b.influence)]),
        (False, [(a.values, a.influence), (-b.values, -b.influence)]),
    ):
        from_sources, from_seeds = parts(groups)
        difference = paired_difference(
            labels,
            predictions[:3],
            predictions[3:],
            paired_seeds=paired,
            classes=classes,
            sources=sources,
        )
        assert difference.standard_error**2 == pytest.approx(from_sources + from_seeds)


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ([4] * 20, "all sentences are of one source"),
        ([1, 2] * 10, "the sentences are of 2 sources only; at least 6 are needed"),
        (list(range(5)) * 9, "the sentences are of 5 sources only; at least 6 are needed"),
    ],
)
def test_too_few_sources_give_a_reason(numbers: list[int], reason: str) -> None:
    assert sources_of(np.array(numbers)) == Refusal(reason)


def test_numbers_of_sources_may_have_gaps() -> None:
    found = sources_of(np.array([9, 9, 2, 30, 4, 5, 7]))
    assert isinstance(found, Sources)
    assert found.sizes.tolist() == [1, 1, 1, 1, 2, 1]
    assert found.numbers.tolist() == [4, 4, 0, 5, 1, 2, 3]


# Parts of the sentences.


@pytest.mark.parametrize("sizes", [(50, 80), (200, 30), (31, 31)])
def test_the_difference_of_parts_is_welchs_test(sizes: tuple[int, int]) -> None:
    """With one seed and accuracy; with equal seeds it stays the same."""
    labels, predictions = drawn(sum(sizes), 1, sum(sizes))
    first = np.arange(sum(sizes)) < sizes[0]
    right = (predictions[0] == labels).astype(float)
    welch = ttest_ind(right[first], right[~first], equal_var=False)
    found = difference_of_parts(labels, predictions, first, ~first, statistic="accuracy")
    assert found.difference == pytest.approx(right[first].mean() - right[~first].mean())
    assert found.p_value == pytest.approx(welch.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(welch.confidence_interval(0.95)))
    equal = difference_of_parts(
        labels, predictions.repeat(3, axis=0), first, ~first, statistic="accuracy"
    )
    assert (equal.low, equal.high) == pytest.approx((found.low, found.high))
    assert equal.covers == "sentences and seeds"


def test_parts_over_sources_add_their_variances() -> None:
    sources = of_sizes(SIZES[3])
    labels, predictions = drawn(5, 1, sources.numbers.size)
    first = sources.numbers % 2 == 0
    own = [sources_of(sources.numbers[part]) for part in (first, ~first)]
    a, b = own
    assert isinstance(a, Sources)
    assert isinstance(b, Sources)
    found = difference_of_parts(labels, predictions, first, ~first, sources=(a, b))
    errors = [
        mean_interval(labels[part], predictions[:, part], sources=each).standard_error
        for part, each in ((first, a), (~first, b))
    ]
    assert found.standard_error == pytest.approx(np.hypot(errors[0], errors[1]))
    assert found.covers == "sources only"


def test_the_effect_of_a_seed_on_both_parts_cancels() -> None:
    """Seeds that raise accuracy on both parts alike add nothing to the error."""
    sentences = 400
    labels = np.arange(sentences) % 2
    first = np.arange(sentences) < 200
    rank = np.arange(sentences) % 200
    predictions = np.stack([np.where(rank < wrong, 1 - labels, labels) for wrong in (20, 40, 60)])
    found = difference_of_parts(labels, predictions, first, ~first, statistic="accuracy")
    assert found.difference == 0
    assert found.se_seeds == 0
    alone = mean_interval(labels, predictions, "accuracy")
    assert alone.se_seeds is not None
    assert alone.se_seeds > 0.03


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ([True, True, False, False], [False] * 4, "parts of 2 and 0 sentences, 0 in both"),
        ([False] * 4, [True] * 4, "parts of 0 and 4 sentences"),
        ([True, True, False, False], [False, True, True, True], "1 in both"),
    ],
)
def test_parts_must_have_sentences_and_share_none(
    first: list[bool], second: list[bool], words: str
) -> None:
    labels, predictions = drawn(1, 2, 4)
    with pytest.raises(BadInput, match=words):
        difference_of_parts(labels, predictions, np.array(first), np.array(second))


# Fisher's scale.


@pytest.mark.parametrize("statistic", ["mcc", "accuracy"])
def test_the_interval_of_mcc_is_symmetric_on_fishers_scale(statistic: Any) -> None:
    sources = of_sizes((20,) * 10)
    labels, predictions = drawn(4, 3, 200)
    found = mean_interval(labels, predictions, statistic, sources=sources)
    reach = float(t.ppf(0.975, found.degrees_of_freedom)) * found.standard_error
    if statistic == "accuracy":
        assert (found.low, found.high) == pytest.approx((found.mean - reach, found.mean + reach))
        return
    reach /= 1 - found.mean**2
    assert np.arctanh([found.low, found.high]) == pytest.approx(
        [np.arctanh(found.mean) - reach, np.arctanh(found.mean) + reach]
    )
    assert found.high - found.mean < found.mean - found.low


@pytest.mark.parametrize("wrong", [0, 1])
def test_runs_that_are_always_right_or_wrong_have_bounds_too(wrong: int) -> None:
    """atanh is infinite there."""
    sources = of_sizes((20,) * 10)
    labels, _ = drawn(4, 3, 200)
    found = mean_interval(labels, np.stack([labels ^ wrong] * 2), sources=sources)
    assert found.mean == pytest.approx(1 - 2 * wrong)
    assert -1 <= found.low <= found.mean <= found.high <= 1
    assert 0 < found.high - found.low < 0.5


def test_seeds_that_are_enough_are_those_whose_interval_excludes_the_threshold() -> None:
    """The bounds are not equally far from the mean, so a half-width does not decide."""
    sources = of_sizes((20,) * 10)
    labels, predictions = drawn(4, 3, 200)
    found = mean_interval(labels, predictions, sources=sources)
    above, below = found.high - 1e-6, found.low + 1e-6
    assert seeds_needed(found, found.high + 1e-6) == seeds_needed(found, found.low - 1e-6) == 3
    for inside in (above, below):
        needed = seeds_needed(found, inside)
        assert needed is None or needed > 3
