"""Intervals, differences and corrections against closed forms, scikit-learn and scipy."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations, product
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, matthews_corrcoef

from harness.errors import BadInput
from harness.stats import (
    Difference,
    Interval,
    Sources,
    Statistic,
    accuracy,
    holm,
    mcc,
    mean_interval,
    paired_difference,
    permutation_p_value,
    seeds_interval,
    sources_of,
)
from harness.stats.variance import p_value

STATISTICS: tuple[Statistic, ...] = ("mcc", "accuracy")

Study = tuple[np.ndarray, np.ndarray]


@st.composite
def studies(draw: st.DrawFn, least_seeds: int = 1) -> Study:
    """Labels of a few sentences and predictions of a few seeds, of any kind at all."""
    sentences = draw(st.integers(1, 40))
    seeds = draw(st.integers(least_seeds, 4))
    labels = draw(arrays(np.int8, sentences, elements=st.integers(0, 1)))
    return labels, draw(arrays(np.int8, (seeds, sentences), elements=st.integers(0, 1)))


def study(seed: int = 0, sentences: int = 1043, seeds: int = 3, wrong: float = 0.2) -> Study:
    """Runs that share most of their errors, as those of one recipe do."""
    generator = np.random.default_rng(seed)
    labels = (generator.random(sentences) < 0.7).astype(np.int64)
    hard = generator.random(sentences) < wrong
    flipped = hard ^ (generator.random((seeds, sentences)) < 0.05)
    return labels, np.where(flipped, 1 - labels, labels)


# Scores.


@pytest.mark.filterwarnings("ignore:A single label was found")
@settings(deadline=None)
@given(studies())
def test_scores_of_each_seed_are_those_of_scikit_learn(study: Study) -> None:
    labels, predictions = study
    expected = [matthews_corrcoef(labels, row) for row in predictions]
    assert mcc(labels, predictions) == pytest.approx(expected, abs=1e-12)
    expected = [accuracy_score(labels, row) for row in predictions]
    assert accuracy(labels, predictions) == pytest.approx(expected, abs=1e-12)


def test_scores_take_any_number_of_axes_before_the_sentences() -> None:
    labels, predictions = study(seeds=6)
    assert (mcc(labels, predictions.reshape(2, 3, -1)).ravel() == mcc(labels, predictions)).all()
    assert mcc(labels, predictions[0]) == mcc(labels, predictions)[0]
    by_two = accuracy(labels, predictions.reshape(2, 3, -1))
    assert (by_two.ravel() == accuracy(labels, predictions)).all()
    assert accuracy(labels, predictions[0]) == accuracy(labels, predictions)[0]


# Intervals of a mean.


def test_the_interval_of_one_seeds_accuracy_is_students_over_sentences() -> None:
    """With one seed, accuracy is a mean of independent zeros and ones."""
    labels, predictions = study(seeds=1)
    right = (predictions[0] == labels).astype(float)
    expected = scipy.stats.ttest_1samp(right, 0).confidence_interval(0.95)
    interval = mean_interval(labels, predictions, "accuracy")
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert (interval.covers, interval.sd_seeds, interval.se_seeds) == ("sentences only", None, None)


def test_two_sentences_and_two_seeds_are_the_fewest_with_a_spread() -> None:
    of_two = mean_interval(np.array([1, 1]), np.array([[1, 0]]), "accuracy")
    assert of_two.degrees_of_freedom == 1
    assert of_two.standard_error == pytest.approx(np.std([1, 0], ddof=1) / sqrt(2))
    labels, predictions = study(seeds=2)
    spread = mcc(labels, predictions).std(ddof=1)
    assert mean_interval(labels, predictions).sd_seeds == pytest.approx(spread)


def test_the_sentence_part_of_mcc_is_its_jackknife_over_sentences() -> None:
    """Tukey's jackknife leaves out one sentence at a time; the delta method needs no such loop."""
    labels, predictions = study(sentences=800)
    kept = ~np.eye(len(labels), dtype=bool)
    left_out = np.array([mcc(labels[k], predictions[:, k]).mean() for k in kept])
    jackknife = sqrt((len(labels) - 1) * left_out.var())
    assert mean_interval(labels, predictions).se_sentences == pytest.approx(jackknife, rel=0.01)


def mean_squares(table: np.ndarray) -> tuple[float, float, float]:
    """Return the mean squares of (seeds, sentences): of seeds, of sentences, of the rest."""
    seeds, sentences = table.shape
    of_seed = table.mean(axis=1, keepdims=True)
    of_sentence, whole = table.mean(axis=0, keepdims=True), table.mean()
    rest = table - of_seed - of_sentence + whole
    return (
        float(sentences * ((of_seed - whole) ** 2).sum() / (seeds - 1)),
        float(seeds * ((of_sentence - whole) ** 2).sum() / (sentences - 1)),
        float((rest**2).sum() / ((seeds - 1) * (sentences - 1))),
    )


def check_parts(estimate: Interval | Difference, table: np.ndarray) -> float:
    """Compare an estimate's parts with the two-way analysis of a table; return the seeds' part."""
    seeds, sentences = table.shape
    of_seeds, of_sentences, rest = (square / table.size for square in mean_squares(table))
    seed_part = max(of_seeds - rest, 0)
    total = of_sentences + seed_part
    assert estimate.se_sentences == pytest.approx(sqrt(of_sentences))
    assert estimate.se_seeds == pytest.approx(sqrt(seed_part))
    assert estimate.standard_error == pytest.approx(sqrt(total))
    assert estimate.se_endless_seeds == pytest.approx(sqrt(of_sentences - rest))
    assert estimate.sd_one_seed == pytest.approx(sqrt(max(of_seeds, rest) * seeds))
    # Satterthwaite 1946.
    freedom = total**2 / (
        of_sentences**2 / (sentences - 1)
        + of_seeds**2 / (seeds - 1)
        + rest**2 / ((seeds - 1) * (sentences - 1))
    )
    assert estimate.degrees_of_freedom == pytest.approx(freedom)
    assert estimate.covers == "sentences and seeds"
    reach = scipy.stats.t.ppf(0.975, freedom) * sqrt(total)
    middle = table.mean()
    assert (estimate.low, estimate.high) == pytest.approx((middle - reach, middle + reach))
    return seed_part / of_sentences


@pytest.mark.parametrize("shift", [0.0, 0.25])
def test_the_parts_of_accuracys_variance_are_those_of_a_two_way_analysis(shift: float) -> None:
    """Accuracy is linear, so mean squares of the table of right answers give every part exactly."""
    labels, predictions = study(seeds=4)
    predictions[0, : int(shift * len(labels))] = 1 - labels[: int(shift * len(labels))]
    right = (predictions == labels).astype(float)
    interval = mean_interval(labels, predictions, "accuracy")
    share = check_parts(interval, right)
    # The seed that erred on a quarter of the sentences is what makes the second case differ.
    assert (share > 1) == (shift > 0)
    assert interval.mean == pytest.approx(right.mean())
    assert interval.sd_seeds == pytest.approx(right.mean(axis=1).std(ddof=1))
    assert (interval.seeds, interval.one_class_or_perfect) == (4, 0)


def test_seeds_that_agree_on_every_sentence_add_nothing_to_the_interval_of_one() -> None:
    labels, predictions = study(seeds=1)
    one, three = (mean_interval(labels, np.repeat(predictions, k, axis=0)) for k in (1, 3))
    assert (three.low, three.high) == pytest.approx((one.low, one.high))
    assert three.se_seeds == 0


def test_degrees_of_freedom_near_those_of_the_seeds_where_seeds_decide() -> None:
    labels, predictions = study(seeds=3, wrong=0.02)
    predictions[0, :300] = 1 - labels[:300]
    interval = mean_interval(labels, predictions)
    assert 2 < interval.degrees_of_freedom < 2.2
    few = mean_interval(*study(seeds=1, sentences=20))
    assert few.degrees_of_freedom == 19


@settings(deadline=None)
@given(studies(), st.sampled_from(STATISTICS))
def test_an_interval_holds_its_mean_and_knows_no_order(study: Study, statistic: Statistic) -> None:
    labels, predictions = study
    interval = mean_interval(labels, predictions, statistic)
    assert interval.low <= interval.mean <= interval.high
    generator = np.random.default_rng(0)
    sentences, seeds = (generator.permutation(n) for n in (len(labels), len(predictions)))
    shuffled = mean_interval(labels[sentences], predictions[np.ix_(seeds, sentences)], statistic)
    numbers = ("mean", "low", "high", "standard_error", "degrees_of_freedom")
    for number in numbers:
        assert getattr(shuffled, number) == pytest.approx(getattr(interval, number), abs=1e-9)


@settings(deadline=None)
@given(studies(), st.sampled_from(STATISTICS))
def test_more_sentences_of_the_same_kind_narrow_the_interval(
    study: Study, statistic: Statistic
) -> None:
    labels, predictions = study
    more = mean_interval(np.tile(labels, 4), np.tile(predictions, (1, 4)), statistic)
    fewer = mean_interval(labels, predictions, statistic)
    assert more.mean == pytest.approx(fewer.mean)
    if len(labels) > 1:
        assert more.se_sentences is not None
        assert fewer.se_sentences is not None
        assert more.se_sentences < fewer.se_sentences


@pytest.mark.parametrize("kind", ["always 1", "always 0", "all right", "all wrong"])
@pytest.mark.parametrize("seeds", [1, 3])
def test_runs_whose_sentences_show_no_variation_still_have_an_interval(
    kind: str, seeds: int
) -> None:
    """The true MCC of a run that predicts one class on 1,043 sentences need not be exactly 0."""
    labels, _ = study()
    ones = np.ones_like(labels)
    rows = {"always 1": ones, "always 0": 0 * ones, "all right": labels, "all wrong": 1 - labels}
    predictions = np.stack([rows[kind]] * seeds)
    interval = mean_interval(labels, predictions)
    assert interval.one_class_or_perfect == seeds
    assert interval.mean == {"always 1": 0, "always 0": 0, "all right": 1, "all wrong": -1}[kind]
    if kind.startswith("always"):
        # An MCC of independent labels and predictions has the standard error 1 / sqrt(n).
        assert interval.standard_error == pytest.approx(1 / sqrt(len(labels)), rel=0.15)
    else:
        # Hanley's rule of three: of 1,043 sentences all right, up to 3 may be wrong elsewhere.
        three = mcc(labels, np.concatenate([1 - labels[:3], labels[3:]]))
        assert 1 - abs(interval.low if kind == "all right" else interval.high) == pytest.approx(
            1 - three, rel=0.5
        )


@pytest.mark.filterwarnings("ignore:A single label was found")
@pytest.mark.parametrize("statistic", STATISTICS)
def test_only_runs_of_one_class_or_with_all_right_or_all_wrong_show_no_variation(
    statistic: Statistic,
) -> None:
    """On every table of up to two sentences of each label and prediction."""
    for counts in product(range(3), repeat=4):
        if not any(counts):
            continue
        labels, predictions = np.repeat([[0, 0, 1, 1], [0, 1, 0, 1]], counts, axis=1)
        right = labels == predictions
        expected = right.all() or not right.any()
        if statistic == "mcc":
            expected |= len(set(labels)) == 1 or len(set(predictions)) == 1
        interval = mean_interval(labels, predictions[None], statistic)
        assert interval.one_class_or_perfect == int(expected), counts
        assert interval.standard_error > 0
        score = {"mcc": matthews_corrcoef, "accuracy": accuracy_score}[statistic]
        assert interval.mean == pytest.approx(score(labels, predictions))


def test_one_run_of_one_class_among_others_is_counted_and_widens_the_interval() -> None:
    labels, predictions = study()
    collapsed = predictions.copy()
    collapsed[0] = 1
    interval, without = mean_interval(labels, collapsed), mean_interval(labels, predictions)
    assert (interval.one_class_or_perfect, without.one_class_or_perfect) == (1, 0)
    assert interval.high - interval.low > 5 * (without.high - without.low)


def mcc_of_shares(shares: np.ndarray) -> float:
    """Return the MCC of the shares of (label, prediction) = 00, 01, 10, 11."""
    tn, fp, fn, tp = shares / shares.sum()
    return float((tp * tn - fp * fn) / sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("accepted", [0, 10, 37, 50])
def test_the_error_of_a_run_without_variation_is_that_of_counts_with_a_half_added_to_each(
    statistic: Statistic, accepted: int
) -> None:
    """By numerical derivatives of the statistic of four shares: the delta method, another way."""
    labels = np.repeat([1, 0], [37, 13])
    predictions = np.repeat([1, 0], [accepted, 50 - accepted])[None]
    if statistic == "accuracy" and accepted != 37:
        predictions = 1 - labels[None]  # one class shows what its sentences add to accuracy
    counts = np.bincount(2 * labels + predictions[0], minlength=4) + 0.5
    interval = mean_interval(labels, predictions, statistic)
    blind = accepted != 10 or statistic == "accuracy"
    assert interval.one_class_or_perfect == int(blind)
    if not blind:
        counts -= 0.5
    shares = counts / counts.sum()

    def value(of: np.ndarray) -> float:
        return mcc_of_shares(of) if statistic == "mcc" else float(of[[0, 3]].sum() / of.sum())

    slopes = np.array([(value(shares + h) - value(shares - h)) / 2e-6 for h in 1e-6 * np.eye(4)])
    variance = shares @ slopes**2 - (shares @ slopes) ** 2
    per = len(labels) if blind else len(labels) - 1
    assert interval.standard_error == pytest.approx(sqrt(variance / per), rel=1e-6)


def test_labels_of_one_class_give_0_with_an_interval() -> None:
    interval = mean_interval(np.ones(50, int), study(sentences=50)[1])
    assert interval.mean == 0
    assert interval.low < -0.1
    assert interval.high > 0.1


@pytest.mark.filterwarnings("ignore:Precision loss")
@settings(deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=8))
def test_the_interval_of_values_alone_is_scipys_students(values: list[float]) -> None:
    interval = seeds_interval(values)
    assert interval is not None
    expected = scipy.stats.ttest_1samp(np.array(values), 0).confidence_interval(0.95)
    if np.std(values) > 1e-6:
        assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert interval.covers == "seeds only"
    error = scipy.stats.sem(values)
    assert (interval.standard_error, interval.se_seeds) == pytest.approx((error, error))
    spread = np.std(values, ddof=1)
    assert (interval.sd_seeds, interval.sd_one_seed) == pytest.approx((spread, spread))
    assert (interval.mean, interval.high - interval.mean) == pytest.approx(
        (np.mean(values), scipy.stats.t.ppf(0.975, len(values) - 1) * error)
    )
    assert (interval.seeds, interval.degrees_of_freedom) == (len(values), len(values) - 1)
    assert (interval.se_sentences, interval.se_endless_seeds) == (None, 0)
    assert interval.one_class_or_perfect == 0


def test_one_value_alone_has_no_interval() -> None:
    assert seeds_interval([0.5]) is None
    assert seeds_interval([]) is None


# Differences.


@settings(deadline=None)
@given(studies(), st.sampled_from(STATISTICS), st.booleans())
def test_a_run_and_itself_differ_by_nothing_at_all(
    study: Study, statistic: Statistic, paired: bool
) -> None:
    labels, predictions = study
    same = paired_difference(
        labels,
        predictions,
        predictions.copy(),
        paired_seeds=paired,
        statistic=statistic,
        same_runs=True,
    )
    assert (same.difference, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    assert permutation_p_value(labels, predictions, predictions, statistic) == 1


@settings(deadline=None)
@given(studies(), st.sampled_from(STATISTICS), st.booleans())
def test_systems_that_never_differed_may_differ_elsewhere(
    study: Study, statistic: Statistic, paired: bool
) -> None:
    """A difference of which nothing was seen is as uncertain in one direction as in the other."""
    labels, predictions = study
    found = paired_difference(
        labels, predictions, predictions.copy(), paired_seeds=paired, statistic=statistic
    )
    assert found.difference == 0
    assert found.low == -found.high < 0
    assert found.p_value == 1


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("seeds", [(3, 2), (2, 5), (1, 2), (3, 1)])
@pytest.mark.parametrize("right", [6, 8])
def test_other_numbers_of_seeds_do_not_make_systems_that_never_differed_equal(
    statistic: Statistic, seeds: tuple[int, int], right: int
) -> None:
    labels = np.arange(8) % 2
    run = np.where(np.arange(8) < right, labels, 1 - labels)
    a, b = (np.stack([run] * number) for number in seeds)
    found = paired_difference(labels, a, b, paired_seeds=False, statistic=statistic)
    one = paired_difference(labels, a[:1], b[:1], paired_seeds=False, statistic=statistic)
    assert found.standard_error == pytest.approx(one.standard_error)
    assert found.standard_error > 0.1
    assert (found.difference, found.p_value, found.low) == (0, 1, -found.high)
    assert found.covers == ("sentences only" if 1 in seeds else "sentences and seeds")


def test_no_variance_of_a_difference_is_no_standard_error_of_0() -> None:
    """Two systems that are right on the same sentences, but wrong in other ways."""
    labels = np.arange(60) % 3
    wrong = np.arange(60) < 10
    a, b = (np.where(wrong, (labels + step) % 3, labels) for step in (1, 2))
    for left, right in (([a], [b]), ([a, a], [b, b]), ([a, a, a], [b, b])):
        found = paired_difference(
            labels,
            np.stack(left),
            np.stack(right),
            paired_seeds=False,
            statistic="accuracy",
            classes=3,
        )
        assert found.standard_error == pytest.approx(np.sqrt(2 / 62 / 60))


def test_disagreements_that_cancel_in_every_source_do_not_make_systems_equal() -> None:
    labels = np.arange(240) % 2
    a, b = labels.copy(), labels.copy()
    a[::30] = 1 - a[::30]  # in each source, each is once wrong where the other is right
    b[2::30] = 1 - b[2::30]
    sources = sources_of(np.repeat(np.arange(8), 30))
    assert isinstance(sources, Sources)
    found = paired_difference(
        labels, a[None], b[None], paired_seeds=True, statistic="accuracy", sources=sources
    )
    assert found.difference == 0
    assert found.standard_error == pytest.approx(np.sqrt(2 / 10 / 8))


def test_the_error_of_systems_that_never_differed_is_that_of_two_added_sentences() -> None:
    """Against the table with the sentences written out: weights of label, first and second."""
    labels = np.repeat([0, 1], [3, 5])
    predictions = labels.copy()
    predictions[[0, 7]] = 1 - predictions[[0, 7]]
    rows = [(y, p, p, 1.0) for y, p in zip(labels, predictions, strict=True)]
    for y in (0, 1):
        rows += [(y, y, 1 - y, 0.5), (y, 1 - y, y, 0.5)]
    label, first, second, weight = np.array(rows).T

    def correlation(weights: np.ndarray, predicted: np.ndarray) -> float:
        means = [np.average(each, weights=weights) for each in (label, predicted)]
        u, v = label - means[0], predicted - means[1]
        product: float = np.average(u * v, weights=weights)
        squares = np.average(u**2, weights=weights) * np.average(v**2, weights=weights)
        return product / float(np.sqrt(squares))

    def difference(weights: np.ndarray) -> float:
        return correlation(weights, first) - correlation(weights, second)

    step = 1e-6
    influence = np.array(
        [
            (difference(weight + step * (np.arange(len(weight)) == row)) - difference(weight))
            / step
            for row in range(len(weight))
        ]
    )
    total = weight.sum()
    variance = (weight * (influence * total) ** 2).sum() / total / len(labels)
    found = paired_difference(
        labels, predictions[None], predictions[None], paired_seeds=True, statistic="mcc"
    )
    assert found.standard_error == pytest.approx(np.sqrt(variance), rel=1e-4)
    of_accuracy = paired_difference(
        labels, predictions[None], predictions[None], paired_seeds=True, statistic="accuracy"
    )
    assert of_accuracy.standard_error == pytest.approx(np.sqrt(2 / 10 / 8))


def test_an_interval_without_a_disagreement_rarely_misses() -> None:
    """Of true shares of disagreement beyond its end, few show no disagreement at all."""
    for sentences in (2, 3, 5, 8, 20, 50, 200, 1_043, 10_000):
        labels = np.arange(sentences) % 2
        found = paired_difference(
            labels, labels[None], labels[None], paired_seeds=True, statistic="accuracy"
        )
        assert (1 - min(found.high, 1)) ** sentences < 0.064


def test_the_documentation_has_the_intervals_without_a_disagreement_and_how_often_they_miss() -> (
    None
):
    document = Path(__file__).parents[2] / "docs" / "statistics.md"
    text = " ".join(document.read_text(encoding="utf-8").split())
    intervals = re.search(r"The interval of the accuracies is (± [^;]*);", text)
    misses = re.search(r"probability of this is at most ([0-9.]+) % \(([^)]*)\)", text)
    assert intervals is not None
    assert misses is not None

    def reach(sentences: int) -> float:
        error = np.sqrt(2 / sentences / (sentences + 2))
        return float(scipy.stats.t.ppf(0.975, sentences - 1) * error)

    widths = re.findall(r"± ([0-9.]+) for ([0-9,]+)", intervals[1])
    shares = re.findall(r"([0-9.]+) % for ([0-9,]+)", misses[2])
    assert (len(widths), len(shares)) == (3, 4)
    for written, number in widths:
        assert f"{reach(int(number.replace(',', ''))):.2g}" == written
    for written, number in shares:
        sentences = int(number.replace(",", ""))
        assert f"{100 * (1 - reach(sentences)) ** sentences:.1f}" == written
    most = max((1 - min(reach(n), 1)) ** n for n in (*range(2, 100), 10_000, 1_000_000))
    assert most <= float(misses[1]) / 100 < most + 0.001


def test_sources_are_the_units_where_two_systems_never_differed() -> None:
    labels = np.arange(240) % 2
    alone, together = (
        sources_of(numbers) for numbers in (np.arange(240), np.repeat(np.arange(8), 30))
    )
    assert isinstance(alone, Sources)
    assert isinstance(together, Sources)
    errors = [
        paired_difference(
            labels,
            labels[None],
            labels[None],
            paired_seeds=True,
            statistic="accuracy",
            sources=sources,
        ).standard_error
        for sources in (None, alone, together)
    ]
    assert errors[0] == pytest.approx(errors[1])
    assert errors[2] == pytest.approx(np.sqrt(2 / 10 / 8))


@settings(deadline=None)
@given(studies(least_seeds=2), st.sampled_from(STATISTICS), st.booleans(), st.data())
def test_a_difference_the_other_way_round_is_its_negative(
    study: Study, statistic: Statistic, paired: bool, data: st.DataObject
) -> None:
    labels, a = study
    b = data.draw(arrays(np.int8, a.shape, elements=st.integers(0, 1)))
    there = paired_difference(labels, a, b, paired_seeds=paired, statistic=statistic)
    back = paired_difference(labels, b, a, paired_seeds=paired, statistic=statistic)
    assert there.difference == pytest.approx(-back.difference)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.p_value == pytest.approx(back.p_value)
    assert there.low <= there.difference <= there.high


@settings(deadline=None)
@given(st.integers(0, 2000), st.integers(1, 3), st.integers(1, 3))
def test_the_p_value_is_below_5_percent_exactly_where_the_interval_leaves_0_out(
    seed: int, seeds_a: int, seeds_b: int
) -> None:
    labels, both = study(seed, sentences=60, seeds=seeds_a + seeds_b)
    difference = paired_difference(labels, both[:seeds_a], both[seeds_a:], paired_seeds=False)
    outside = difference.low > 0 or difference.high < 0
    assert outside == (difference.p_value < 0.05)


def test_the_difference_of_two_accuracies_with_one_seed_is_the_paired_t_test() -> None:
    labels, both = study(seeds=2)
    right = (both == labels).astype(float)
    expected = scipy.stats.ttest_rel(right[0], right[1])
    ends = expected.confidence_interval(0.95)
    got = paired_difference(labels, both[:1], both[1:], paired_seeds=False, statistic="accuracy")
    assert got.p_value == pytest.approx(expected.pvalue)
    assert (got.low, got.high) == pytest.approx((ends.low, ends.high))
    assert got.covers == "sentences only"


def test_the_parts_of_a_difference_of_accuracies_seed_by_seed_are_a_two_way_analysis() -> None:
    labels, a = study(seeds=3)
    b = study(seeds=3)[1]
    b[:, :80] = 1 - labels[:80]
    b[1, 80:110] = 1 - labels[80:110]
    right_a, right_b = ((runs == labels).astype(float) for runs in (a, b))
    found = paired_difference(labels, a, b, paired_seeds=True, statistic="accuracy")
    check_parts(found, right_a - right_b)
    assert found.difference == pytest.approx(right_a.mean() - right_b.mean())
    assert (found.seeds_a, found.seeds_b) == (3, 3)
    assert found.p_value == pytest.approx(
        2 * scipy.stats.t.sf(found.difference / found.standard_error, found.degrees_of_freedom)
    )


@pytest.mark.parametrize("spoilt", [0, 250])
def test_the_parts_of_a_difference_of_independent_seeds_are_those_of_both_systems(
    spoilt: int,
) -> None:
    """Sentences are shared, so their part is of the difference; each system adds its seeds'."""
    labels, both = study(seeds=7)
    both[0, :spoilt] = 1 - labels[:spoilt]
    right = (both == labels).astype(float)
    a, b, sentences = right[:3], right[3:], len(labels)
    found = paired_difference(labels, both[:3], both[3:], paired_seeds=False, statistic="accuracy")
    of_sentences = (a.mean(axis=0) - b.mean(axis=0)).var(ddof=1) / sentences
    seed_part = rest_part = one_seed = uncertainty = 0.0
    for table in (a, b):
        seeds = len(table)
        raw, _, rest = (square / table.size for square in mean_squares(table))
        seed_part += max(raw - rest, 0)
        rest_part += rest
        one_seed += max(raw, rest) * seeds
        uncertainty += raw**2 / (seeds - 1) + rest**2 / ((seeds - 1) * (sentences - 1))
    total = of_sentences + seed_part
    freedom = total**2 / (uncertainty + of_sentences**2 / (sentences - 1))
    assert (seed_part > 0) == (spoilt > 0)
    assert found.se_sentences == pytest.approx(sqrt(of_sentences))
    assert found.se_seeds == pytest.approx(sqrt(seed_part))
    assert found.standard_error == pytest.approx(sqrt(total))
    assert found.se_endless_seeds == pytest.approx(sqrt(of_sentences - rest_part))
    assert found.sd_one_seed == pytest.approx(sqrt(one_seed))
    assert found.degrees_of_freedom == pytest.approx(freedom)
    assert (found.seeds_a, found.seeds_b, found.covers) == (3, 4, "sentences and seeds")
    reach = scipy.stats.t.ppf(0.975, freedom) * sqrt(total)
    middle = a.mean() - b.mean()
    assert (found.low, found.high) == pytest.approx((middle - reach, middle + reach))


@pytest.mark.parametrize("statistic", STATISTICS)
def test_no_interval_of_a_difference_reaches_beyond_what_two_scores_can_differ_by(
    statistic: Statistic,
) -> None:
    labels = np.array([0, 1] * 3)
    a, b = labels.copy()[None], 1 - labels[None]
    a[0, 0] = b[0, 5] = 1
    farthest = {"mcc": 2, "accuracy": 1}[statistic]
    there = paired_difference(labels, a, b, paired_seeds=True, statistic=statistic)
    back = paired_difference(labels, b, a, paired_seeds=True, statistic=statistic)
    assert (there.high, back.low) == (farthest, -farthest)


def test_the_seed_part_of_a_difference_pairs_seeds_or_adds_their_variances() -> None:
    """On so many sentences that these add next to nothing, the seeds' own t-tests are left."""
    labels, base = study(seeds=1, sentences=200_000)
    generator = np.random.default_rng(1)

    def system(shares: Sequence[float]) -> np.ndarray:
        flipped = generator.random((len(shares), len(labels))) < np.array(shares)[:, None]
        return np.where(flipped, 1 - base, base)

    a, b = system([0.02, 0.11, 0.24, 0.16]), system([0.05, 0.15, 0.26, 0.17])
    paired = paired_difference(labels, a, b, paired_seeds=True)
    unpaired = paired_difference(labels, a, b, paired_seeds=False)
    a_values, b_values = mcc(labels, a), mcc(labels, b)
    assert paired.p_value == pytest.approx(
        scipy.stats.ttest_rel(a_values, b_values).pvalue, rel=0.05
    )
    welch = scipy.stats.ttest_ind(a_values, b_values, equal_var=False)
    assert unpaired.p_value == pytest.approx(welch.pvalue, rel=0.05)
    assert unpaired.degrees_of_freedom == pytest.approx(welch.df, rel=0.05)
    assert paired.p_value < 0.1 < unpaired.p_value


def test_shared_sentences_make_a_difference_surer_than_either_mean() -> None:
    labels, both = study(seeds=2)
    difference = paired_difference(labels, both[:1], both[1:], paired_seeds=False)
    assert difference.standard_error < 0.8 * mean_interval(labels, both[:1]).standard_error


def test_a_system_with_one_seed_leaves_the_seeds_of_the_other_uncounted_and_says_so() -> None:
    labels, both = study(seeds=4)
    difference = paired_difference(labels, both[:3], both[3:], paired_seeds=False)
    assert (difference.covers, difference.se_seeds) == ("sentences only", None)
    assert (difference.seeds_a, difference.seeds_b) == (3, 1)


def test_a_collapsed_run_is_no_sure_difference_from_another_that_collapsed_otherwise() -> None:
    labels, _ = study()
    ones, zeros = np.ones((1, len(labels)), int), np.zeros((1, len(labels)), int)
    difference = paired_difference(labels, ones, zeros, paired_seeds=True)
    assert (difference.difference, difference.one_class_or_perfect) == (0, 2)
    assert difference.high > 0.05


def test_a_seed_that_collapsed_alike_in_both_leaves_their_difference_alone() -> None:
    labels, both = study(seeds=4)
    ones = np.ones((1, len(labels)), int)
    a, b = np.vstack([both[:2], ones]), np.vstack([both[2:], ones])
    difference = paired_difference(labels, a, b, paired_seeds=True)
    of_two = paired_difference(labels, both[:2], both[2:], paired_seeds=True)
    assert difference.one_class_or_perfect == 2
    assert difference.difference == pytest.approx(of_two.difference * 2 / 3)
    assert difference.se_sentences == pytest.approx(of_two.se_sentences * 2 / 3)
    unpaired = paired_difference(labels, a, b, paired_seeds=False)
    assert unpaired.se_sentences > difference.se_sentences


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


# Many comparisons.


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=6))
def test_holm_is_the_closed_test_of_bonferronis(p_values: list[float]) -> None:
    """Marcus, Peritz and Gabriel 1976: a hypothesis falls when every set that holds it falls."""
    count = range(len(p_values))
    sets = [s for size in range(1, len(p_values) + 1) for s in combinations(count, size)]
    expected = [
        max(min(1.0, len(s) * min(p_values[i] for i in s)) for s in sets if hypothesis in s)
        for hypothesis in count
    ]
    assert holm(p_values) == pytest.approx(expected)


# Bad input.


def test_every_mistake_of_the_input_is_reported_at_once() -> None:
    with pytest.raises(BadInput) as error:
        mean_interval(np.array([0, 1, 2]), np.array([[0, 1], [3, 1]]))
    assert error.value.problems == (
        "labels contain 2: expected 0 (unacceptable) or 1 (acceptable) only",
        "predictions have shape (2, 2): expected one row per seed over the 3 sentences of the "
        "labels, in the same order",
        "predictions contain 3: expected 0 (unacceptable) or 1 (acceptable) only",
    )


def test_labels_of_another_shape_and_five_of_many_wrong_values_are_named() -> None:
    with pytest.raises(BadInput) as error:
        mean_interval(np.arange(9).reshape(3, 3), np.zeros((1, 9), int))
    assert error.value.problems[:2] == (
        "labels have shape (3, 3): expected (sentences,), at least one",
        "labels contain 2, 3, 4, 5, 6: expected 0 (unacceptable) or 1 (acceptable) only",
    )


@pytest.mark.parametrize("score", [mcc, accuracy])
def test_scores_name_what_they_refuse(score: Callable[[np.ndarray, np.ndarray], object]) -> None:
    with pytest.raises(BadInput) as error:
        score(np.array([0, 1]), np.array([0, 7]))
    assert error.value.problems == (
        "predictions contain 7: expected 0 (unacceptable) or 1 (acceptable) only",
    )


@pytest.mark.parametrize(
    ("labels", "predictions"),
    [
        (np.zeros(0, int), np.zeros((1, 0), int)),
        (np.zeros(3, int), np.zeros((0, 3), int)),
        (np.zeros((1, 3), int), np.zeros((1, 3), int)),
        (np.zeros(3, int), np.zeros(3, int)),
        (np.zeros(3), np.full((1, 3), np.nan)),
        (np.full(3, -1), np.zeros((1, 3), int)),
    ],
)
def test_arrays_that_no_statistic_can_be_made_of_are_refused(
    labels: np.ndarray, predictions: np.ndarray
) -> None:
    with pytest.raises(BadInput):
        mean_interval(labels, predictions)
    with pytest.raises(BadInput):
        paired_difference(labels, predictions, predictions, paired_seeds=True)


def test_seeds_of_different_number_can_be_neither_paired_nor_permuted() -> None:
    labels, both = study(seeds=3)
    with pytest.raises(BadInput, match="a has 1 seeds and b has 2: seeds can be paired only"):
        paired_difference(labels, both[:1], both[1:], paired_seeds=True)
    with pytest.raises(BadInput, match="a has 1 seeds and b has 2: predictions can be swapped"):
        permutation_p_value(labels, both[:1], both[1:])


def test_comparisons_name_the_system_whose_predictions_they_refuse() -> None:
    labels, both = study(seeds=2, sentences=20)
    for compare in (permutation_p_value, partial(paired_difference, paired_seeds=True)):
        with pytest.raises(BadInput) as error:
            compare(labels, both[:1] + 2, both[1:] - 3)
        assert [problem.partition(":")[0] for problem in error.value.problems] == [
            "predictions of a contain 2, 3",
            "predictions of b contain -3, -2",
        ]


def test_a_difference_without_any_error_is_none_or_sure() -> None:
    assert [p_value(difference, 0.0, 10) for difference in (0.0, 1e-9, -0.1)] == [1, 0, 0]


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(BadInput) as error:
        holm([0.1, float("nan"), -0.01, 1.01])
    assert [problem.partition(":")[0] for problem in error.value.problems] == [
        "p-value nan",
        "p-value -0.01",
        "p-value 1.01",
    ]
