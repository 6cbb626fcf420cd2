"""What choosing adds to a score, how good the best of some is, and how many seeds would settle."""

from dataclasses import replace
from itertools import combinations
from math import sqrt

import numpy as np
import pytest
import scipy.stats
from builders.halves import chosen_and_scored
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.errors import BadInput
from harness.stats import (
    Difference,
    Interval,
    expected_best_of,
    mcc,
    mean_interval,
    paired_difference,
    planning,
    seeds_interval,
    seeds_needed,
    selection,
    selection_adjusted,
)

Cells = tuple[np.ndarray, list[np.ndarray]]


def draw_cells(
    cells: int = 6,
    seeds: int = 3,
    epochs: int = 4,
    sentences: int = 1043,
    noise: float = 0.08,
    study: int = 0,
) -> Cells:
    """Cells that are all equally good, and epochs too: whatever is best is so by luck."""
    generator = np.random.default_rng(study)
    labels = (generator.random(sentences) < 0.7).astype(np.int64)
    hard = generator.random(sentences) < 0.12
    flipped = hard ^ (generator.random((cells, seeds, epochs, sentences)) < noise)
    return labels, list(np.where(flipped, 1 - labels, labels))


# Selection.


def test_with_nothing_to_choose_the_adjusted_score_is_the_plain_one_of_all_sentences() -> None:
    labels, cells = draw_cells(epochs=1)
    plain = [float(mcc(labels, cell[:, 0]).mean()) for cell in cells]
    alone = selection_adjusted(labels, cells[:1])
    assert alone is not None
    assert (alone.plain, alone.adjusted, alone.winner) == ((plain[0],), (plain[0],), plain[0])
    assert alone.chosen == (1.0,)
    many = selection_adjusted(labels, cells)
    assert many is not None
    assert many.plain == many.adjusted == tuple(plain)
    assert len(many.chosen) == len(cells)
    unhalved = selection_adjusted(np.array([1, 1, 1, 0]), [np.array([[[1, 1, 0, 0]]])])
    assert unhalved is not None
    assert unhalved.adjusted == pytest.approx((sqrt(1 / 3),))


def test_one_cell_wins_with_its_own_adjusted_score() -> None:
    labels, cells = draw_cells(cells=1)
    found = selection_adjusted(labels, cells)
    assert found is not None
    assert (found.winner, found.chosen) == (found.adjusted[0], (1.0,))


def test_scores_that_luck_chose_fall_back_to_what_they_are_worth() -> None:
    """Every epoch of every cell is equally good, so the mean over all of them is the truth."""
    gains = []
    for study in range(30):
        labels, cells = draw_cells(study=study)
        found = selection_adjusted(labels, cells, splits=20)
        assert found is not None
        worth = np.mean([mcc(labels, cell).mean() for cell in cells])
        scores = (np.mean(found.plain), np.mean(found.adjusted), max(found.plain), found.winner)
        gains.append(np.array(scores) - worth)
    plain, adjusted, winner, adjusted_winner = np.mean(gains, axis=0)
    assert plain > 0.01
    assert adjusted == pytest.approx(0, abs=0.002)
    assert winner > 0.02
    assert adjusted_winner == pytest.approx(0, abs=0.004)


def test_a_cell_that_is_really_best_keeps_its_score() -> None:
    labels, cells = draw_cells()
    cells[2] = draw_cells(noise=0.01)[1][2]
    found = selection_adjusted(labels, cells)
    assert found is not None
    assert found.chosen == (0, 0, 1, 0, 0, 0)
    assert found.winner == pytest.approx(found.adjusted[2])
    assert found.adjusted[2] == pytest.approx(found.plain[2], abs=0.01)


def test_an_epoch_that_is_worse_is_not_what_is_scored() -> None:
    labels, cells = draw_cells(cells=1, noise=0.01)
    cells[0][:, 1:] = 1 - labels
    found = selection_adjusted(labels, cells)
    assert found is not None
    assert found.adjusted[0] == pytest.approx(mcc(labels, cells[0][:, 0]).mean(), abs=0.005)


@pytest.mark.parametrize("epochs", [1, 3])
def test_halves_counted_in_words_are_those_scored_one_at_a_time(epochs: int) -> None:
    """The plain reference: scikit-learn on each half, for every run, halves drawn again."""
    labels, cells = draw_cells(cells=2, seeds=2, epochs=epochs, sentences=61, noise=0.2)
    splits = 4
    chose, scored = chosen_and_scored(labels, cells, splits, classes=2)
    best = chose.argmax(axis=0)
    found = selection_adjusted(labels, cells, splits)
    assert found is not None
    assert found.adjusted == pytest.approx(scored.mean(axis=1) if epochs > 1 else found.plain)
    assert found.winner == pytest.approx(scored[best, range(2 * splits)].mean())
    assert found.chosen == pytest.approx([(best == c).mean() for c in range(2)])


@given(st.data(), st.integers(1, 200))
def test_marks_counted_in_words_are_those_of_a_matrix_product(
    data: st.DataObject, sentences: int
) -> None:
    """Whole words, and sentences that fill the last word in part."""
    marks = data.draw(arrays(bool, (3, sentences)))
    halves = data.draw(arrays(bool, (4, sentences)))
    in_first, in_other = selection._counts(marks, selection._words(halves))
    assert in_first.tolist() == (halves.astype(int) @ marks.T.astype(int)).tolist()
    assert in_other.tolist() == ((~halves).astype(int) @ marks.T.astype(int)).tolist()


@settings(deadline=None)
@given(st.data())
def test_the_adjusted_score_of_anything_is_an_mcc_and_the_same_in_every_call(
    data: st.DataObject,
) -> None:
    sentences = data.draw(st.integers(1, 20))
    labels = data.draw(arrays(np.int8, sentences, elements=st.integers(0, 1)))
    shapes = st.tuples(st.integers(1, 3), st.integers(1, 3), st.just(sentences))
    bits = st.integers(0, 1)
    cells = data.draw(
        st.lists(
            shapes.flatmap(lambda s: arrays(np.int8, s, elements=bits)), min_size=1, max_size=3
        )
    )
    found = selection_adjusted(labels, cells, splits=3)
    assert found == selection_adjusted(labels, cells, splits=3)
    if found is None:
        assert min(labels.sum(), (1 - labels).sum()) < 2
        return
    assert all(-1 <= value <= 1 for value in (*found.adjusted, found.winner))
    assert sum(found.chosen) == pytest.approx(1)


def test_labels_that_cannot_be_halved_give_no_adjusted_score() -> None:
    labels = np.array([1, 1, 1, 1, 0])
    for those in (labels, 1 - labels):
        assert selection_adjusted(those, [np.ones((1, 2, 5), int)]) is None
    labels[1] = 0
    assert selection_adjusted(labels, [np.ones((1, 2, 5), int)]) is not None


def test_selection_refuses_what_are_not_runs_with_epochs() -> None:
    labels, cells = draw_cells(sentences=10)
    with pytest.raises(BadInput, match="no cell"):
        selection_adjusted(labels, [])
    with pytest.raises(BadInput, match="predictions of cell 2 contain -1"):
        selection_adjusted(labels, [cells[0], cells[1] - 1, cells[2]])
    with pytest.raises(BadInput, match=r"cell 2 have shape \(4, 10\): expected \(seeds, epochs"):
        selection_adjusted(labels, [cells[0], cells[1][0]])


# The best of some.


@settings(deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=7))
def test_the_expected_best_is_the_mean_of_the_largest_over_all_subsets(scores: list[float]) -> None:
    expected = [
        np.mean([max(subset) for subset in combinations(scores, size)])
        for size in range(1, len(scores) + 1)
    ]
    assert expected_best_of(scores) == pytest.approx(expected)


def test_the_expected_best_of_many_starts_at_the_mean_and_ends_at_the_largest() -> None:
    scores = np.random.default_rng(0).normal(0.5, 0.1, 2000)
    curve = expected_best_of(scores.tolist())
    assert curve[0] == pytest.approx(scores.mean())
    assert curve[-1] == pytest.approx(scores.max())
    assert list(curve) == sorted(curve)
    # The expected largest of two normal values lies a standard deviation / sqrt(pi) up.
    assert curve[1] == pytest.approx(scores.mean() + scores.std(ddof=1) / sqrt(np.pi), abs=0.001)
    assert expected_best_of([]) == ()


# Seeds needed.


def interval(seeds: int, seed_errors: float = 0.02, sentences: int = 1043) -> Interval:
    labels, cells = draw_cells(1, seeds, 1, sentences, seed_errors)
    return mean_interval(labels, cells[0][:, 0])


def test_an_interval_that_leaves_the_threshold_out_needs_no_more_seeds() -> None:
    estimate = interval(3)
    assert seeds_needed(estimate, estimate.low - 0.001) == 3
    assert seeds_needed(estimate, estimate.high + 0.001) == 3


def test_no_number_of_seeds_settles_what_the_sentences_leave_open() -> None:
    estimate = interval(3)
    assert seeds_needed(estimate, estimate.mean) is None
    assert estimate.se_endless_seeds is not None
    assert seeds_needed(estimate, estimate.mean - 1.9 * estimate.se_endless_seeds) is None


def test_the_number_of_seeds_is_the_fewest_that_would_leave_the_threshold_out() -> None:
    """Where the seeds' values are all there is, it is Student's: t s / sqrt(k) below the gap."""
    values = [0.50, 0.53, 0.56]
    estimate = seeds_interval(values)
    assert estimate is not None
    reach = {k: scipy.stats.t.ppf(0.975, k - 1) * 0.03 / sqrt(k) for k in range(2, 40)}
    assert seeds_needed(estimate, 0.51) == min(k for k in reach if reach[k] < 0.02)
    assert seeds_needed(estimate, 0.53) is None
    assert seeds_needed(estimate, 0.53 + 1e-9) is None


@pytest.mark.parametrize("beyond", [1.05, 1.1, 1.2, 1.5, 2])
@pytest.mark.parametrize("kind", ["two seeds", "one seed", "one seed of each"])
def test_the_number_of_seeds_is_the_fewest_whose_students_interval_ends_before_the_threshold(
    beyond: float, kind: str
) -> None:
    """One number after the other, with Satterthwaite's degrees of freedom."""
    sentences, noise = (1043, 0.3) if kind == "two seeds" else (10_430, 0.1)
    labels, cells = draw_cells(2, 2, 1, sentences, noise)
    a, b = cells[0][:, 0], cells[1][:, 0]
    estimate: Interval | Difference
    interaction = 0.0
    if kind == "two seeds":
        estimate = mean_interval(labels, a)
        middle = estimate.mean
        assert estimate.se_endless_seeds is not None
        assert estimate.sd_one_seed is not None
        lasting, one_seed, least = estimate.se_endless_seeds**2, estimate.sd_one_seed**2, 3
        assert estimate.se_sentences is not None
        interaction = 2 * (estimate.se_sentences**2 - lasting)
    elif kind == "one seed":
        estimate = mean_interval(labels, a[:1])
        middle = estimate.mean
        lasting, one_seed, least = estimate.standard_error**2, 0.015**2, 2
    else:
        estimate = paired_difference(labels, a[:1], b[:1], paired_seeds=False)
        middle = estimate.difference
        lasting, one_seed, least = estimate.standard_error**2, 2 * 0.015**2, 2
    gap = beyond * scipy.stats.norm.ppf(0.975) * sqrt(lasting)

    def reach(seeds: int) -> float:
        total = lasting + one_seed / seeds
        of_sentences = (lasting + interaction / seeds) ** 2 / (sentences - 1)
        of_seeds = (one_seed / seeds) ** 2 / (seeds - 1)
        of_both = (interaction / seeds) ** 2 / ((sentences - 1) * (seeds - 1))
        freedom = total**2 / (of_sentences + of_seeds + of_both)
        return float(scipy.stats.t.ppf(0.975, freedom) * sqrt(total))

    expected = next(seeds for seeds in range(least, 10_001) if reach(seeds) < gap)
    assert seeds_needed(estimate, middle + gap) == expected


@pytest.mark.parametrize("seeds", [2, 3])
def test_seeds_that_agree_on_every_sentence_leave_nothing_for_more_of_them_to_settle(
    seeds: int,
) -> None:
    labels, cells = draw_cells(1, 1, 1)
    estimate = mean_interval(labels, np.repeat(cells[0][:, 0], seeds, axis=0))
    assert estimate.sd_one_seed == pytest.approx(0, abs=1e-12)
    assert seeds_needed(estimate, estimate.mean - estimate.standard_error) is None
    assert seeds_needed(estimate, estimate.mean - 2 * estimate.standard_error) == seeds
    # 30 sentences have 29 degrees of freedom with any number of seeds: 2.045 standard errors.
    labels, cells = draw_cells(1, 1, 1, 30)
    estimate = mean_interval(labels, np.repeat(cells[0][:, 0], seeds, axis=0))
    assert seeds_needed(estimate, estimate.mean - 2 * estimate.standard_error) is None
    assert seeds_needed(estimate, estimate.mean - 2.05 * estimate.standard_error) == seeds


@pytest.mark.parametrize("sentences", [30, 1043])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_the_plan_for_some_seeds_is_the_interval_that_as_many_seeds_show(
    seeds: int, sentences: int
) -> None:
    """Two seeds with the same parts of the variance would need all these seeds, and no more."""
    generator = np.random.default_rng(seeds)
    labels = np.arange(sentences) % 2
    wrong = generator.random((seeds, sentences)) < np.linspace(0.05, 0.35, seeds)[:, None]
    shown = mean_interval(labels, np.where(wrong, 1 - labels, labels))
    assert shown.se_seeds is not None
    assert shown.se_sentences is not None
    assert shown.se_endless_seeds is not None
    assert shown.se_seeds > 0  # otherwise the plan assumes more spread than the seeds show
    lasting = shown.se_endless_seeds**2
    interaction = seeds * (shown.se_sentences**2 - lasting)
    few = replace(shown, seeds=2, se_sentences=sqrt(lasting + interaction / 2), standard_error=1.0)
    assert seeds_needed(few, shown.low - 1e-6) == seeds
    more = seeds_needed(few, shown.low + 1e-6)
    assert more is None or more > seeds


@pytest.mark.parametrize("threshold", [0.2, 0.35, 0.37, 0.42, 0.6, 0.7, 0.72])
def test_seeds_cannot_settle_what_few_sources_leave_open(threshold: float) -> None:
    """Five degrees of freedom and Fisher's scale: endless seeds reach down to 0.377."""
    error, one_seed, interaction = 0.064, 0.015**2, 0.0001
    estimate = replace(
        interval(3),
        mean=0.563,
        standard_error=1.0,
        degrees_of_freedom=5.0,
        se_sentences=sqrt(error**2 + interaction / 3),
        se_endless_seeds=error,
        sd_one_seed=sqrt(one_seed),
        sentences_freedom=5.0,
        fishers_scale=True,
    )
    seeds = np.arange(4, 10_001)
    total = error**2 + one_seed / seeds
    uncertainty = (error**2 + interaction / seeds) ** 2 / 5 + (one_seed / seeds) ** 2 / (seeds - 1)
    uncertainty += (interaction / seeds) ** 2 / (5 * (seeds - 1))
    reach = scipy.stats.t.ppf(0.975, total**2 / uncertainty) * np.sqrt(total) / (1 - 0.563**2)
    low, high = np.tanh(np.arctanh(0.563) - reach), np.tanh(np.arctanh(0.563) + reach)
    enough = seeds[(threshold < low) | (threshold > high)]
    assert seeds_needed(estimate, threshold) == (enough[0] if enough.size else None)
    assert (enough.size == 0) == (0.377 < threshold < 0.705)


@pytest.mark.parametrize("seeds", [9_999, 10_001])
def test_no_more_than_ten_thousand_seeds_are_thought_of(seeds: int) -> None:
    estimate = seeds_interval([0.50, 0.53, 0.56])
    assert estimate is not None
    reach = scipy.stats.t.ppf(0.975, seeds - 1) * 0.03 / sqrt(seeds)
    needed = seeds_needed(estimate, 0.53 + reach * (1 + 1e-9))
    assert needed == (seeds if seeds < 10_000 else None)


@settings(deadline=None)
@given(st.floats(-0.2, 0.2), st.sampled_from([2, 3, 5]))
def test_a_farther_threshold_needs_no_more_seeds(gap: float, seeds: int) -> None:
    estimate = interval(seeds, 0.3, 300)
    near, far = (seeds_needed(estimate, estimate.mean + f * gap) for f in (1, 1.5))
    if near is not None:
        assert far is not None
        assert seeds <= far <= near


def test_with_one_seed_the_spread_over_seeds_is_assumed_and_two_are_the_least(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    estimate = interval(1)
    assert seeds_needed(estimate, estimate.mean - 0.3) == 2
    reach = 2.1 * estimate.standard_error
    few = seeds_needed(estimate, estimate.mean - reach)
    monkeypatch.setattr(planning, "ASSUMED_SEED_SD", 0.06)
    many = seeds_needed(estimate, estimate.mean - reach)
    assert few is not None
    assert many is not None
    assert 2 < few < many


def test_seeds_of_a_difference_are_those_of_each_system() -> None:
    labels, cells = draw_cells(2, 3, 1, 1043, 0.1)
    difference = paired_difference(labels, cells[0][:, 0], cells[1][:, 0], paired_seeds=True)
    settled = seeds_needed(difference, difference.high + 0.001)
    assert settled == 3
    more = seeds_needed(difference, difference.high - 0.005)
    assert more is not None
    assert more > 3


def test_a_difference_of_single_runs_assumes_the_spread_of_both() -> None:
    labels, cells = draw_cells(2, 3, 1, 1043, 0.1)
    a, b = cells[0][:, 0], cells[1][:, 0]
    single = paired_difference(labels, a[:1], b[:1], paired_seeds=True)
    threshold = single.difference - 2.1 * single.standard_error
    least = scipy.stats.norm.ppf(0.975)
    # With many seeds t is all but normal: 2.1^2 S = 1.96^2 (S + 2 x 0.015^2 / m).
    error = single.standard_error**2
    expected = 2 * 0.015**2 * least**2 / (error * (2.1**2 - least**2))
    assert seeds_needed(single, threshold) == pytest.approx(expected, abs=2)
    uneven = paired_difference(labels, a, b[:1], paired_seeds=False)
    assert seeds_needed(uneven, uneven.difference + 0.5) == 3


def test_what_seeds_were_said_to_settle_twice_as_many_do_and_half_as_many_do_not() -> None:
    labels, cells = draw_cells(1, 400, 1, 1043, 0.2)
    runs = cells[0][:, 0]
    few = mean_interval(labels, runs[:10])
    assert few.se_endless_seeds is not None
    gap = 2.07 * few.se_endless_seeds
    needed = seeds_needed(few, few.mean - gap)
    assert needed is not None
    assert 20 < needed < 100
    generator = np.random.default_rng(0)

    def settled(seeds: int) -> float:
        drawn = (runs[generator.choice(400, seeds, replace=False)] for _ in range(100))
        intervals = [mean_interval(labels, rows) for rows in drawn]
        return float(np.mean([interval.mean - interval.low < gap for interval in intervals]))

    assert settled(2 * needed) > 0.8
    assert settled(needed // 2) < 0.2
