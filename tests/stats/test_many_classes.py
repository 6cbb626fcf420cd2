"""More than two classes: scores against scikit-learn, errors against other ways to compute them."""

import sys
from itertools import permutations, product
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, matthews_corrcoef

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))

from builders.halves import chosen_and_scored
from class_studies import (
    ClassSetting,
    class_coverage,
    class_differences,
    draw_classes,
    true_mean,
)

from harness.errors import BadInput
from harness.stats import (
    Statistic,
    accuracy,
    mcc,
    mean_interval,
    paired_difference,
    permutation_p_value,
    selection_adjusted,
)
from harness.stats.many_classes import rk, rk_influence
from harness.stats.scores import linearise, mcc_of_counts

STATISTICS: tuple[Statistic, ...] = ("mcc", "accuracy")

Study = tuple[np.ndarray, np.ndarray, int]


@st.composite
def studies(draw: st.DrawFn, fewest: int = 3) -> Study:
    """Labels of a few sentences, predictions of a few seeds, and the number of classes."""
    classes = draw(st.integers(fewest, 6))
    sentences, seeds = draw(st.integers(1, 40)), draw(st.integers(1, 4))
    any_class = st.integers(0, classes - 1)
    labels = draw(arrays(np.int16, sentences, elements=any_class))
    return labels, draw(arrays(np.int16, (seeds, sentences), elements=any_class)), classes


def study(classes: int, sentences: int = 600, seeds: int = 3, seed: int = 0) -> Study:
    """Unequal classes, and runs that share most of their errors."""
    setting = ClassSetting(classes, equal=False, score=0.55)
    (found,) = draw_classes(np.random.default_rng(seed), (setting,), seeds, sentences)
    return found.labels, found.predictions, classes


def rk_of_table(table: np.ndarray) -> float:
    """Return R_K of (classes, classes) weights, as Gorodkin defines it: a ratio of covariances."""
    shares = table / table.sum()
    true, given = shares.sum(axis=1), shares.sum(axis=0)
    both = np.trace(shares - np.outer(true, given))
    of_labels = np.trace(np.diag(true) - np.outer(true, true))
    of_predictions = np.trace(np.diag(given) - np.outer(given, given))
    return float(both / sqrt(of_labels * of_predictions))


def accuracy_of_table(table: np.ndarray) -> float:
    return float(np.trace(table) / table.sum())


OF_TABLE = {"mcc": rk_of_table, "accuracy": accuracy_of_table}


def table_of(labels: np.ndarray, row: np.ndarray, classes: int) -> np.ndarray:
    """Return (classes, classes) counts by label and prediction."""
    return np.bincount(labels * classes + row, minlength=classes**2).reshape(classes, classes)


def slopes_of(statistic: Statistic, table: np.ndarray) -> np.ndarray:
    """Return numerical derivatives of a statistic in the share of each outcome, less their mean."""
    shares, value = table / table.sum(), OF_TABLE[statistic]
    slopes = np.zeros_like(shares)
    for place in np.ndindex(*shares.shape):
        step = np.zeros_like(shares)
        step[place] = 1e-6
        slopes[place] = (value(shares + step) - value(shares - step)) / 2e-6
    centred: np.ndarray = slopes - (shares * slopes).sum()
    return centred


# Scores.


@pytest.mark.filterwarnings("ignore:A single label was found")
@settings(deadline=None)
@given(studies())
def test_scores_of_each_seed_are_those_of_scikit_learn(study: Study) -> None:
    labels, predictions, classes = study
    expected = [matthews_corrcoef(labels, row) for row in predictions]
    assert mcc(labels, predictions, classes) == pytest.approx(expected, abs=1e-12)
    expected = [accuracy_score(labels, row) for row in predictions]
    assert accuracy(labels, predictions, classes) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("classes", [3, 20, 2000])
def test_scores_take_any_number_of_classes_and_of_axes(classes: int) -> None:
    labels, predictions, _ = study(classes, seeds=4)
    expected = [matthews_corrcoef(labels, row) for row in predictions]
    by_two = mcc(labels, predictions.reshape(2, 2, -1), classes)
    assert by_two.ravel() == pytest.approx(expected, abs=1e-12)
    assert mcc(labels, predictions[0], classes) == pytest.approx(expected[0], abs=1e-12)
    narrow = mcc(labels.astype(np.uint16), predictions.astype(np.uint16), classes)
    assert narrow == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(st.integers(1, 10**6), st.data())
def test_with_two_classes_r_k_is_matthews_correlation_to_the_last_digit(
    sentences: int, data: st.DataObject
) -> None:
    labelled = data.draw(st.integers(0, sentences))
    hits = data.draw(st.integers(0, labelled))
    positives = hits + data.draw(st.integers(0, sentences - labelled))
    labels, row = np.zeros((2, min(sentences, 5000)), dtype=np.uint8)
    labels[:labelled] = 1
    row[: min(hits, labelled)] = 1
    row[len(row) - min(positives - hits, max(len(row) - labelled, 0)) :] = 1
    counts = int((labels * row).sum()), int(row.sum()), int(labels.sum()), len(row)
    expected = mcc_of_counts(np.array([counts[0]]), np.array([counts[1]]), *counts[2:])
    assert rk(labels, row[None], 2).tolist() == expected.tolist()
    assert mcc(labels, row[None]).tolist() == expected.tolist()


@settings(deadline=None)
@given(studies(fewest=2))
def test_the_general_influence_of_two_classes_is_the_influence_of_matthews_correlation(
    study: Study,
) -> None:
    labels, predictions, _ = study
    labels, predictions = labels % 2, predictions % 2
    values, influence, unseen = rk_influence(labels, predictions, 2)
    expected = linearise(labels, predictions, "mcc")
    assert values.tolist() == expected.values.tolist()
    assert influence == pytest.approx(expected.influence, abs=1e-9)
    assert unseen == pytest.approx(expected.unseen, abs=1e-12)


# Influences.


@pytest.mark.parametrize("classes", [3, 5, 20])
def test_the_influence_of_a_sentence_is_the_derivative_of_r_k_in_the_share_of_its_outcome(
    classes: int,
) -> None:
    labels, predictions, _ = study(classes, sentences=300, seeds=2)
    found = linearise(labels, predictions, "mcc", classes)
    for row, influence in zip(predictions, found.influence, strict=True):
        slopes = slopes_of("mcc", table_of(labels, row, classes))
        assert influence == pytest.approx(slopes[labels, row], abs=1e-6)
    assert found.influence.mean(axis=1) == pytest.approx(0, abs=1e-12)
    assert (found.unseen == 0).all()


@pytest.mark.parametrize("classes", [3, 7])
def test_the_sentence_part_of_r_k_is_its_jackknife_over_sentences(classes: int) -> None:
    labels, predictions, _ = study(classes)
    kept = ~np.eye(len(labels), dtype=bool)
    left_out = np.array([mcc(labels[k], predictions[:, k], classes).mean() for k in kept])
    jackknife = sqrt((len(labels) - 1) * left_out.var())
    interval = mean_interval(labels, predictions, classes=classes)
    assert interval.se_sentences == pytest.approx(jackknife, rel=0.01)


@pytest.mark.parametrize("classes", [3, 20])
def test_the_error_of_one_run_is_that_of_the_bootstrap(classes: int) -> None:
    labels, predictions, _ = study(classes, sentences=1000, seeds=1)
    generator = np.random.default_rng(0)
    drawn = generator.integers(0, len(labels), (1500, len(labels)))
    values = [matthews_corrcoef(labels[d], predictions[0][d]) for d in drawn[:50]]
    fast = [mcc(labels[d], predictions[0][d], classes).item() for d in drawn]
    assert fast[:50] == pytest.approx(values)
    error = mean_interval(labels, predictions, classes=classes).standard_error
    assert error == pytest.approx(np.std(fast), rel=0.07)  # 1,500 samples know it to 1.8 %


@settings(deadline=None)
@given(studies(), st.randoms(use_true_random=False), st.sampled_from(STATISTICS))
def test_names_of_classes_do_not_matter(study: Study, random: object, statistic: Statistic) -> None:
    labels, predictions, classes = study
    order = np.array(range(classes))
    random.shuffle(order)  # type: ignore[attr-defined]
    plain = mean_interval(labels, predictions, statistic, classes=classes)
    renamed = mean_interval(order[labels], order[predictions], statistic, classes=classes)
    for number in ("mean", "low", "high", "standard_error", "degrees_of_freedom"):
        assert getattr(renamed, number) == pytest.approx(getattr(plain, number), abs=1e-7)


def test_classes_that_never_occur_change_nothing_where_sentences_show_the_error() -> None:
    labels, predictions, _ = study(3)
    of_three = mean_interval(labels, predictions, classes=3)
    of_many = mean_interval(labels, predictions, classes=50)
    assert of_many.mean == of_three.mean
    assert (of_many.low, of_many.high) == pytest.approx((of_three.low, of_three.high))
    of_two = mean_interval(labels % 2, predictions % 2)
    as_three = mean_interval(labels % 2, predictions % 2, classes=3)
    assert as_three.mean == of_two.mean
    assert (as_three.low, as_three.high) == pytest.approx((of_two.low, of_two.high))


# Runs that show no variation.


@pytest.mark.parametrize("statistic", STATISTICS)
def test_no_run_without_variation_is_certain_and_no_other_is_counted_as_one(
    statistic: Statistic,
) -> None:
    """On every table of up to one sentence of each of nine outcomes, and on some of more."""
    more = np.random.default_rng(0).poisson(0.8, (200, 9)).tolist()
    for counts in [*product(range(2), repeat=9), *more]:
        if not any(counts):
            continue
        outcomes = np.repeat(range(9), counts)
        labels, predictions = outcomes // 3, outcomes % 3
        right = labels == predictions
        expected = bool(right.all() or not right.any())
        if statistic == "mcc":
            expected |= len(set(labels)) == 1 or len(set(predictions)) == 1
            if not expected:  # one is left: all of a class are right, all of another are a third
                slopes = slopes_of("mcc", table_of(labels, predictions, 3))
                expected = bool(np.abs(slopes[labels, predictions]).max() < 1e-6)
        interval = mean_interval(labels, predictions[None], statistic, classes=3)
        assert interval.one_class_or_perfect == int(expected), counts
        assert interval.standard_error > 1e-6, counts


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("kind", ["always 1", "all right", "all wrong", "one label"])
@pytest.mark.parametrize("classes", [3, 6])
def test_the_error_of_a_run_without_variation_is_that_of_counts_with_a_right_and_a_wrong_one_added(
    classes: int, kind: str, statistic: Statistic
) -> None:
    """By numerical derivatives of the statistic of a whole table of shares."""
    labels = study(classes, sentences=80)[0]
    if kind == "one label":
        labels = np.full_like(labels, 2)
    rows = {"always 1": np.ones_like(labels), "all right": labels}
    row = rows.get(kind, (labels + 1) % classes)
    if statistic == "accuracy" and kind == "always 1":
        row = labels  # one class shows what its sentences add to accuracy
    table = table_of(labels, row, classes) + np.where(
        np.eye(classes, dtype=bool), 1 / classes, 1 / (classes * (classes - 1))
    )
    assert table.sum() == pytest.approx(len(labels) + 2)
    variance = float((table / table.sum() * slopes_of(statistic, table) ** 2).sum())
    interval = mean_interval(labels, row[None], statistic, classes=classes)
    assert interval.one_class_or_perfect == 1
    assert interval.standard_error == pytest.approx(sqrt(variance / len(labels)), rel=1e-5)


def test_the_error_of_accuracy_does_not_depend_on_the_number_of_classes() -> None:
    """Accuracy is a share of right sentences, whatever the classes are called."""
    labels, predictions, _ = study(5)
    right = (predictions == labels).astype(int)
    for rows, hits in ((predictions, right), (labels[None], np.ones((1, len(labels)), int))):
        ours = mean_interval(labels, rows, "accuracy", classes=5)
        of_two = mean_interval(np.ones(len(labels), int), hits, "accuracy")
        assert (ours.mean, ours.low, ours.high) == (of_two.mean, of_two.low, of_two.high)


@pytest.mark.parametrize("classes", [3, 5, 20])
@pytest.mark.parametrize("equal", [True, False])
def test_a_run_of_one_class_may_have_predicted_another_once_and_been_right(
    classes: int, equal: bool
) -> None:
    """The interval around 0 holds R_K of a run that recognises a sentence of another class."""
    for about in (200, 1000):
        counts = np.ceil(about * ClassSetting(classes, equal, 0.5).shares).astype(int)
        sentences = int(counts.sum())
        labels, row = np.repeat(range(classes), counts), np.zeros((1, sentences), int)
        interval = mean_interval(labels, row, classes=classes)
        for recognised in (1, classes - 1):
            found = row.copy()
            found[0, labels.tolist().index(recognised)] = recognised
            assert 0 < mcc(labels, found, classes).item() < interval.high
        # An R_K of independent labels and predictions of k equal classes: 1 / sqrt(n (k - 1)).
        assert interval.standard_error > 1 / sqrt(1.2 * sentences * (classes - 1))


# Differences and permutations.


@settings(deadline=None)
@given(studies(), st.sampled_from(STATISTICS), st.booleans(), st.booleans())
def test_identical_predictions_differ_by_nothing_at_all_if_they_are_of_the_same_runs(
    study: Study, statistic: Statistic, paired: bool, same_runs: bool
) -> None:
    labels, predictions, classes = study
    same = paired_difference(
        labels,
        predictions,
        predictions.copy(),
        paired_seeds=paired,
        statistic=statistic,
        classes=classes,
        same_runs=same_runs,
    )
    assert (same.difference, same.p_value) == (0, 1)
    assert (same.low == same.high == 0) if same_runs else (same.low == -same.high < 0)
    assert permutation_p_value(labels, predictions, predictions, statistic, classes=classes) == 1


def test_the_added_disagreements_of_many_classes_are_those_of_their_table() -> None:
    labels, (predictions, *_), classes = study(3, sentences=60, seeds=1)
    rows = [(y, p, p, 1.0) for y, p in zip(labels, predictions, strict=True)]
    for y, p in permutations(range(classes), 2):
        share = 1 / (classes * (classes - 1))
        rows += [(y, y, p, share), (y, p, y, share)]
    label, first, second, weight = np.array(rows).T

    def value(weights: np.ndarray, predicted: np.ndarray) -> float:
        total = weights.sum()
        hits = weights[label == predicted].sum() / total
        p, t = (
            np.array([weights[each == k].sum() for k in range(classes)]) / total
            for each in (predicted, label)
        )
        return float((hits - p @ t) / np.sqrt((1 - p @ p) * (1 - t @ t)))

    step = 1e-6
    influence = []
    for row in range(len(weight)):
        more = weight + step * (np.arange(len(weight)) == row)
        change = (value(more, first) - value(more, second)) - (
            value(weight, first) - value(weight, second)
        )
        influence.append(change / step * weight.sum())
    variance = (weight * np.square(influence)).sum() / weight.sum() / len(labels)
    found = paired_difference(
        labels, predictions[None], predictions[None], paired_seeds=True, classes=classes
    )
    assert found.standard_error == pytest.approx(np.sqrt(variance), rel=1e-3)


def test_the_error_of_a_difference_is_that_of_the_bootstrap() -> None:
    labels, both, classes = study(4, sentences=800, seeds=2)
    generator = np.random.default_rng(0)
    drawn = generator.integers(0, len(labels), (1500, len(labels)))
    values = np.array([mcc(labels[d], both[:, d], classes) for d in drawn])
    found = paired_difference(labels, both[:1], both[1:], paired_seeds=True, classes=classes)
    assert found.standard_error == pytest.approx(np.std(values[:, 0] - values[:, 1]), rel=0.07)
    assert found.difference == pytest.approx(np.subtract(*mcc(labels, both, classes)))


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("shifted", [False, True])
def test_the_permutation_test_of_some_seeds_is_that_of_every_swap_there_is(
    statistic: Statistic, shifted: bool
) -> None:
    """Eight sentences differ in some seed: 256 ways to let a and b change places on them."""
    generator = np.random.default_rng(5)
    labels = generator.integers(0, 4, 50)
    a = np.where(generator.random((2, 50)) < 0.2, (labels + 1) % 4, labels)
    b = a.copy()
    b[:, :8] = (labels[:8] + 2) % 4 if shifted else generator.integers(0, 4, (2, 8))
    a[:, :8] = labels[:8] if shifted else generator.integers(0, 4, (2, 8))
    score = {"mcc": mcc, "accuracy": accuracy}[statistic]
    differences = []
    for swap in np.array(list(product([False, True], repeat=8))):
        swap = np.concatenate([swap, np.zeros(42, dtype=bool)])
        of_a, of_b = np.where(swap, b, a), np.where(swap, a, b)
        differences.append(score(labels, of_a, 4).mean() - score(labels, of_b, 4).mean())
    exact = np.mean(np.abs(differences) >= abs(differences[0]) - 1e-12)
    assert (exact < 0.05) == shifted
    got = permutation_p_value(labels, a, b, statistic, classes=4)
    assert got == pytest.approx(exact, abs=4 * sqrt(exact * (1 - exact) / 9999) + 1e-4)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_with_one_seed_permutation_and_t_are_of_one_mind(seed: int) -> None:
    labels, both, classes = study(5, sentences=1000, seeds=2, seed=seed)
    by_t = paired_difference(labels, both[:1], both[1:], paired_seeds=True, classes=classes).p_value
    permuted = permutation_p_value(labels, both[:1], both[1:], classes=classes)
    assert permuted == pytest.approx(by_t, abs=0.06)


# Selection.


def test_halves_counted_by_matrix_products_are_those_scored_one_at_a_time() -> None:
    """The plain reference: scikit-learn on each half, for every run, halves drawn again."""
    labels, runs, classes = study(4, sentences=61, seeds=12)
    cells = list(runs.reshape(2, 2, 3, -1))
    splits = 4
    chose, scored = chosen_and_scored(labels, cells, splits, classes=4)
    best = chose.argmax(axis=0)
    found = selection_adjusted(labels, cells, splits, classes)
    assert found is not None
    assert found.plain == pytest.approx([mcc(labels, c, 4).max(axis=1).mean() for c in cells])
    assert found.adjusted == pytest.approx(scored.mean(axis=1))
    assert found.winner == pytest.approx(scored[best, range(2 * splits)].mean())
    assert found.chosen == pytest.approx([(best == c).mean() for c in range(2)])


def test_two_classes_select_alike_as_two_of_three() -> None:
    labels, runs, _ = study(2, sentences=300, seeds=12)
    cells = list(runs.reshape(2, 2, 3, -1))
    of_two, of_three = (selection_adjusted(labels, cells, classes=k) for k in (2, 3))
    assert of_two == of_three


def test_a_class_of_one_sentence_is_in_each_half_in_turn() -> None:
    labels = np.array([0] * 6 + [1] * 5 + [2])
    cells = [np.stack([labels, (labels + 1) % 3])[None]]
    found = selection_adjusted(labels, cells, classes=3)
    assert found is not None
    assert found.adjusted == (1.0,)
    assert selection_adjusted(np.array([0, 0, 0, 1, 2]), [cells[0][..., :5]], classes=3) is None


def test_the_adjusted_score_of_epochs_that_are_equally_good_is_their_worth() -> None:
    setting = ClassSetting(5, equal=False, score=0.5, seed_sd=0.0, shared=0.7)
    errors = []
    for number in range(30):
        (drawn,) = draw_classes(np.random.default_rng(number), (setting,), 12, 500)
        found = selection_adjusted(drawn.labels, [drawn.predictions.reshape(3, 4, -1)], 20, 5)
        assert found is not None
        worth = mcc(drawn.labels, drawn.predictions, 5).mean()
        errors.append((found.plain[0] - worth, found.adjusted[0] - worth))
    plain, adjusted = np.mean(errors, axis=0)
    assert plain > 0.01
    assert abs(adjusted) < 0.003


# Coverage.


def test_the_truth_of_the_model_is_what_very_many_sentences_and_seeds_show() -> None:
    setting = ClassSetting(5, equal=False, score=0.6, seed_sd=0.03)
    (drawn,) = draw_classes(np.random.default_rng(0), (setting,), 100, 20_000)
    values = mcc(drawn.labels, drawn.predictions, 5)
    assert values == pytest.approx(drawn.true_scores, abs=0.03)
    assert values.mean() == pytest.approx(true_mean(setting), abs=0.015)


@pytest.mark.parametrize("classes", [3, 20])
@pytest.mark.parametrize("seeds", [1, 3])
def test_the_interval_covers_the_truth_as_often_as_it_says(classes: int, seeds: int) -> None:
    setting = ClassSetting(classes, equal=False, score=0.5)
    assert 0.93 <= class_coverage(setting, seeds, 200, 800) <= 0.97


def test_differences_cover_the_truth_and_raise_few_false_alarms() -> None:
    setting = ClassSetting(5, equal=False, score=0.6)
    covered, significant = class_differences(setting, 0.0, 3, 200, 600)
    assert covered >= 0.93
    assert 0.015 <= significant <= 0.07
    covered, significant = class_differences(setting, 0.15, 3, 200, 300)
    assert covered >= 0.92
    assert significant > 0.5


# Bad input.


def test_every_mistake_of_the_input_is_reported_at_once() -> None:
    with pytest.raises(BadInput) as error:
        mean_interval(np.array([0, 1, 3]), np.array([[0, -1], [5, 1]]), classes=3)
    assert error.value.problems == (
        "labels contain 3: expected whole numbers from 0 to 2, one for each of 3 classes",
        "predictions have shape (2, 2): expected one row per seed over the 3 sentences of the "
        "labels, in the same order",
        "predictions contain -1, 5: expected whole numbers from 0 to 2, one for each of 3 classes",
    )


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, 3.0, -1.0])
def test_what_is_no_class_is_refused(value: float) -> None:
    labels = np.array([0.0, 1.0, value])
    for score in (mcc, accuracy):
        with pytest.raises(BadInput, match="labels contain"):
            score(labels, np.zeros((1, 3), int), 3)
    with pytest.raises(BadInput, match="predictions of a contain"):
        permutation_p_value(np.arange(3), labels[None], np.zeros((1, 3), int), classes=3)
    with pytest.raises(BadInput, match="predictions of cell 1 contain"):
        selection_adjusted(np.arange(3), [labels[None, None]], classes=3)


@pytest.mark.parametrize("classes", [1, 0, -3])
def test_fewer_than_two_classes_are_refused(classes: int) -> None:
    with pytest.raises(BadInput, match=f"classes is {classes}: expected 2 or more"):
        mcc(np.zeros(3, int), np.zeros((1, 3), int), classes)


def test_a_third_class_is_refused_where_two_are_expected() -> None:
    with pytest.raises(BadInput, match="labels contain 2: expected 0"):
        mean_interval(np.arange(3), np.zeros((1, 3), int))
