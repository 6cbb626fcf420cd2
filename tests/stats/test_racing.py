"""Races of cells: decisions as a function of predictions, and how often they are wrong."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))

from race_studies import ALIKE, FORMS, WAYS, cell, races  # noqa: E402
from studies import RESTLESS, STEADY, draw_cells  # noqa: E402

from harness.errors import BadInput  # noqa: E402
from harness.stats import mcc, paired_difference  # noqa: E402
from harness.stats.racing import Race, race  # noqa: E402
from harness.stats.racing.pairs import Look  # noqa: E402
from harness.stats.racing.spread import Parts, spread_over_seeds  # noqa: E402
from harness.stats.sequential import Form, nominal_levels  # noqa: E402

LOOKS = ([2, 3, 5], [1, 2, 3, 5], [2, 5], [1, 5])
Runs = dict[str, np.ndarray]


def drawn(*means: float, seeds: int = 5, number: int = 0) -> tuple[np.ndarray, Runs]:
    models = [[cell(mean, STEADY)] for mean in means]
    labels, runs, _ = draw_cells(np.random.default_rng(number), models, seeds, alike=ALIKE)
    return labels, {f"cell {place}": rows[:, 0] for place, rows in enumerate(runs)}


def trained_as_needed(
    labels: np.ndarray, runs: Runs, looks: list[int], form: Form, settled: float | None
) -> Runs:
    """Return the runs that a race trains if each starts only when the race needs it."""
    have = {name: rows[:0] for name, rows in runs.items()}
    while needed := race(labels, have, looks, form, settled=settled).needed:
        assert any(len(have[name]) < count for name, count in needed.items())
        have |= {name: runs[name][:count] for name, count in needed.items()}
    return have


@pytest.mark.parametrize("looks", LOOKS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("settled", [None, 0.05])
def test_runs_trained_as_needed_take_the_same_path_as_all_runs(
    looks: list[int], form: Form, settled: float | None
) -> None:
    labels, runs = drawn(0.5, 0.5, 0.45, 0.35, 0.2)
    whole = race(labels, runs, looks, form, settled=settled)
    have = trained_as_needed(labels, runs, looks, form, settled)
    assert race(labels, have, looks, form, settled=settled) == whole
    assert {name: len(rows) for name, rows in have.items()} == whole.used
    assert whole.ended is not None
    assert "cell 4" in {drop.cell for drop in whole.dropped} | {each.cell for each in whole.aside}


@pytest.mark.parametrize("looks", LOOKS)
def test_runs_that_no_look_needs_yet_change_nothing(looks: list[int]) -> None:
    labels, runs = drawn(0.5, 0.5, 0.45, 0.35, 0.2)
    for seeds in range(1, 5):
        behind = {name: rows[:seeds] for name, rows in runs.items()}
        ahead = behind | {"cell 0": runs["cell 0"], "cell 2": runs["cell 2"][: seeds + 1]}
        before, after = (race(labels, each, looks, "pocock") for each in (behind, ahead))
        # Equal to the last digit.
        assert before.dropped == after.dropped[: len(before.dropped)]
        if before.needed == after.needed:
            assert before == after


def test_decisions_do_not_depend_on_the_order_of_cells() -> None:
    labels, runs = drawn(0.5, 0.48, 0.4, 0.3, 0.3, 0.2)
    for looks in LOOKS:
        forward = race(labels, runs, looks, "pocock")
        backward = race(labels, dict(reversed(runs.items())), looks, "pocock")
        assert [drop.cell for drop in forward.dropped] != []
        by_cell = {drop.cell: drop.p_value for drop in backward.dropped}
        assert by_cell == pytest.approx({drop.cell: drop.p_value for drop in forward.dropped})
        assert set(forward.remaining) == set(backward.remaining)
        assert (forward.winner, forward.ended) == (backward.winner, backward.ended)


def test_a_drop_says_when_against_whom_and_with_which_p() -> None:
    labels, runs = drawn(0.55, 0.5, 0.2)
    found = race(labels, runs, [2, 3, 5], "obrien-fleming")
    drop = found.dropped[0]
    assert (drop.cell, drop.seeds) == ("cell 2", 2)
    means = {name: float(mcc(labels, rows[:2]).mean()) for name, rows in runs.items()}
    assert drop.against == max(means, key=lambda name: means[name])
    assert drop.difference == pytest.approx(means[drop.against] - means["cell 2"])
    assert drop.p_value < drop.level
    lowest, highest = (nominal_levels([2, 3, 5], at, "obrien-fleming", cells=3)[0] for at in (0, 1))
    assert lowest <= drop.level <= highest


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_two_cells_are_compared_as_paired_differences_are(seeds: int) -> None:
    for number in range(5):
        labels, runs = drawn(0.5, 0.1, seeds=seeds, number=number)
        expected = paired_difference(labels, *runs.values(), paired_seeds=True)
        # So few seeds that one look has the whole level: the p-value decides alone.
        found = race(labels, runs, [seeds], "pocock")
        dropped = {drop.cell: drop.p_value for drop in found.dropped}
        assert ("cell 1" in dropped) == (expected.p_value < 0.05)
        if dropped:
            assert dropped["cell 1"] == pytest.approx(expected.p_value, rel=0.01)


def test_without_a_known_part_the_p_value_is_that_of_student() -> None:
    differences = np.array([0.0, 0.5, 2.0, 8.0])
    for freedom in (1, 2, 5, 40):
        parts = Parts(np.zeros(4), np.full(4, 2.0), 0.0, freedom, 1000)
        expected = 2 * t.sf(differences / np.sqrt(2), freedom)
        assert parts.p_values(differences) == pytest.approx(expected)


def test_the_pooled_spread_is_the_mean_square_of_the_residuals_of_a_regression() -> None:
    generator = np.random.default_rng(0)
    counts = np.array([5, 5, 2, 3, 1])
    values, influence = generator.normal(size=(5, 5)), generator.normal(size=(5, 5, 30))
    rows, columns = np.nonzero(np.arange(5) < counts[:, None])
    model = np.concatenate([np.eye(5)[rows], np.eye(5)[columns]], axis=1)

    def residuals(outcomes: np.ndarray) -> np.ndarray:
        rest: np.ndarray = outcomes - model @ np.linalg.lstsq(model, outcomes, rcond=None)[0]
        return rest

    freedom = len(rows) - 9
    found = spread_over_seeds(values, influence, counts)
    assert found.freedom == pytest.approx(freedom)
    assert found.pooled == pytest.approx((residuals(values[rows, columns]) ** 2).sum() / freedom)
    shown = (residuals(influence[rows, columns]) ** 2).sum() / freedom / 29 / 30
    assert found.interaction == pytest.approx(shown)
    assert (found.by_cell >= found.pooled).all()
    shifted = spread_over_seeds(values + generator.normal(size=5), influence, counts)
    assert shifted.pooled == pytest.approx(found.pooled), "an effect of a seed on all cells"


def test_a_cell_that_varies_more_than_others_keeps_its_own_spread() -> None:
    generator = np.random.default_rng(1)
    values = generator.normal(scale=0.01, size=(12, 5))
    values[3] += [0.3, -0.3, 0.2, -0.2, 0.0]
    found = spread_over_seeds(values, np.zeros((12, 5, 4)), np.full(12, 5))
    assert found.by_cell[3] > 5 * found.pooled
    assert (np.delete(found.by_cell, 3) == found.pooled).all()


def test_a_look_after_one_seed_needs_a_second_one_of_the_leading_cells() -> None:
    labels, runs = drawn(0.2, 0.5, 0.3, 0.4, 0.25, 0.45, 0.1)
    first = {name: rows[:1] for name, rows in runs.items()}
    scores = {name: float(mcc(labels, rows)[0]) for name, rows in first.items()}
    leading = sorted(scores, key=lambda name: -scores[name])[:3]
    found = race(labels, first, [1, 2, 5], "pocock")
    assert found.looks_done == 0
    assert found.needed == {name: 2 if name in leading else 1 for name in runs}
    missing = first | {"cell 0": runs["cell 0"][:0]}
    assert set(race(labels, missing, [1, 2, 5], "pocock").needed.values()) == {1}


def test_a_race_ends_when_one_is_left() -> None:
    labels, runs = drawn(0.6, 0.2, 0.15, 0.1)
    found = race(labels, runs, [2, 3, 5], "pocock")
    assert (found.ended, found.winner, found.remaining) == ("one-left", "cell 0", ("cell 0",))
    assert found.looks_done == 1
    assert found.used == dict.fromkeys(runs, 2)
    assert not found.needed


def test_a_race_ends_when_all_left_are_within_the_margin() -> None:
    labels, runs = drawn(0.5, 0.5, 0.5, 0.1)
    ends = [race(labels, runs, [2, 3, 5], "pocock", margin=each) for each in (0.01, 0.2, 1.9)]
    assert [end.ended for end in ends] == ["last-look", "equivalent", "equivalent"]
    assert ends[1].looks_done < 3
    means = {name: float(mcc(labels, runs[name][: ends[1].used[name]]).mean()) for name in runs}
    assert ends[1].winner == max(ends[1].remaining, key=lambda name: means[name])
    assert max(means[name] for name in ends[1].remaining) - 0.2 < min(
        means[name] for name in ends[1].remaining
    )


def test_a_race_ends_when_no_cell_left_would_probably_be_better_than_the_leader() -> None:
    for number in range(4):
        labels, runs = drawn(0.5, 0.49, 0.42, 0.1, number=number)
        whole = race(labels, runs, [2, 3, 5], "obrien-fleming")
        found = race(labels, runs, [2, 3, 5], "obrien-fleming", settled=0.2, set_aside=False)
        assert found.aside == ()
        assert found.dropped == whole.dropped[: len(found.dropped)]
        assert found.ended in ("settled", "one-left", "last-look")
        assert sum(found.used.values()) <= sum(whole.used.values())
        never = race(labels, runs, [2, 3, 5], "obrien-fleming", settled=1e-12)
        assert never == whole
    assert race(labels, runs, [2, 3, 5], "obrien-fleming", settled=0.999).looks_done == 1
    assert race(labels, runs, [1, 3, 5], "pocock", settled=0.999).looks_done == 2


@pytest.mark.parametrize("looks", LOOKS)
def test_cells_that_would_hardly_win_are_set_aside_within_the_probability_of_the_race(
    looks: list[int],
) -> None:
    settled, seen, trained, without = 0.1, 0, 0, 0
    for number in range(6):
        labels, runs = drawn(0.5, 0.49, 0.46, 0.44, 0.42, 0.40, number=number)
        found = race(labels, runs, looks, "obrien-fleming", settled=settled)
        seen += len(found.aside)
        assert sum(each.probability for each in found.aside) < settled
        for each in found.aside:
            assert each.cell not in (*found.remaining, *(drop.cell for drop in found.dropped))
            scores = [mcc(labels, runs[name][: each.seeds]) for name in (each.against, each.cell)]
            assert each.difference == pytest.approx(scores[0].mean() - scores[1].mean())
            assert each.difference >= 0
            # Only the leading cells have a second seed before the look after one.
            assert found.used[each.cell] in ({1, 2} if each.seeds == 1 else {each.seeds})
        whole = race(labels, runs, looks, "obrien-fleming", settled=settled, set_aside=False)
        trained += sum(found.used.values())
        without += sum(whole.used.values())
    if looks[0] == 1:
        assert seen > 6
        assert trained < without


def test_cells_set_aside_before_a_race_began_again_count_for_its_levels() -> None:
    labels, runs = drawn(0.55, 0.5, 0.2)
    for before in (0, 2):
        found = race(labels, runs, [2, 3, 5], "obrien-fleming", aside_before=before)
        drop = found.dropped[0]
        lowest, highest = (
            nominal_levels([2, 3, 5], at, "obrien-fleming", cells=3 + before)[0] for at in (0, 1)
        )
        assert lowest <= drop.level <= highest
    alone = race(labels, runs, [2, 3, 5], "obrien-fleming").dropped[0]
    assert drop.level < alone.level


def test_a_race_does_not_end_after_one_seed() -> None:
    labels, runs = drawn(0.6, 0.3, 0.2, 0.1, 0.1, 0.0)
    found = race(labels, runs, [1, 2, 3, 5], "obrien-fleming", settled=0.05)
    assert found.ended in ("settled", "one-left")
    assert found.looks_done == 2
    assert found.winner == "cell 0"
    assert [found.used[name] for name in runs] == [2, 2, 1, 1, 1, 1]


@pytest.mark.parametrize("difference", [0.0, 0.01, 0.03])
@pytest.mark.parametrize("lasting", [0.0, 2e-4])
def test_the_prediction_of_a_better_cell_is_that_of_simulated_looks(
    difference: float, lasting: float
) -> None:
    one_seed, now, last, number = 8e-4, 2, 5, 400_000
    generator = np.random.default_rng(0)
    # Any true difference is as likely as any other; kept are those that look like `difference`.
    truth = generator.uniform(-0.15, 0.15, number)
    common = np.sqrt(lasting) * generator.standard_normal(number)
    seeds = np.sqrt(one_seed) * generator.standard_normal((last, number))
    means = [truth + common + seeds[:count].mean(axis=0) for count in (now, last)]
    alike = np.abs(means[0] - difference) < 0.002
    reach = 1.959964 * np.sqrt(lasting + one_seed / last)
    expected = (means[1][alike] < -reach).mean()
    parts = Parts(np.full((2, 2), lasting), np.full((2, 2), one_seed / now), 0.0, 1e9, 1e9)
    differences = np.array([[0.0, difference], [-difference, 0.0]])
    look = Look(differences, parts, np.zeros((2, 2)))
    leader, found = look.overtaking(0, now, last, 0.05)
    error = 4 * np.sqrt(found * (1 - found) / alike.sum()) + 0.003
    assert found == pytest.approx(expected, abs=error)
    assert leader == 0


@pytest.mark.parametrize("looks", LOOKS)
def test_identical_and_collapsed_cells_are_never_worse_than_each_other(looks: list[int]) -> None:
    labels, runs = drawn(0.5, 0.5)
    ones = np.ones_like(runs["cell 0"])
    same = {"a": runs["cell 0"], "b": runs["cell 0"].copy()}
    collapsed = {"a": ones, "b": ones, "c": 1 - ones}
    for each in (same, collapsed):
        found = race(labels, each, looks, "pocock")
        assert found.dropped == ()
        assert (found.ended, found.winner) == ("last-look", "a")
    mixed = race(labels, {"a": runs["cell 0"], "b": ones}, looks, "pocock")
    assert {drop.cell for drop in mixed.dropped} <= {"b"}


@pytest.mark.parametrize("alike", [True, False], ids=["seeds agree", "seeds differ"])
def test_cells_that_never_disagree_are_equivalent_only_within_their_interval(alike: bool) -> None:
    """That of two paired systems: no disagreement on a few sentences shows little."""
    for sentences in (8, 40, 200):
        labels = np.arange(sentences) % 2
        wrong = np.arange(sentences) % 4 == 0
        rows = np.stack([wrong] * 3)
        if not alike:
            rows[[1, 2], [1, 2]] = True
        same = np.where(rows, 1 - labels, labels)
        runs = {"a": same, "b": same.copy(), "c": same.copy()}
        reach = paired_difference(labels, same, same.copy(), paired_seeds=True).high
        # One look has the whole level, as a comparison of two has.
        for pair in (("a", "b"), ("b", "a")):
            two = {name: runs[name] for name in pair}
            ends = [
                race(labels, two, [3], "pocock", margin=margin).ended
                for margin in (0.99 * reach, 1.01 * reach)
            ]
            assert ends == ["last-look", "equivalent"]
        early = race(labels, runs, [2, 3], "obrien-fleming", margin=0.01)
        assert (early.ended, early.looks_done, early.dropped) == ("last-look", 2, ())


@pytest.mark.parametrize("settled", [None, 0.05])
def test_equal_cells_among_others_change_no_decision_with_their_order(
    settled: float | None,
) -> None:
    labels, runs = drawn(0.5, 0.48, 0.4, 0.2)
    runs |= {"again": runs["cell 1"].copy(), "weak again": runs["cell 3"].copy()}
    for looks in LOOKS:
        there, back = (
            race(labels, dict(order), looks, "pocock", settled=settled)
            for order in (runs.items(), reversed(runs.items()))
        )
        left = [
            ({drop.cell for drop in each.dropped}, {gone.cell for gone in each.aside})
            for each in (there, back)
        ]
        assert left[0] == left[1]
        assert {drop.against for drop in there.dropped} <= {"cell 0", "cell 1", "again"}


def test_three_classes_race_by_their_own_score() -> None:
    generator = np.random.default_rng(4)
    labels = generator.integers(0, 3, 600)

    def run(right: float) -> np.ndarray:
        guesses = generator.integers(0, 3, (5, 600))
        return np.where(generator.random((5, 600)) < right, labels, guesses)

    runs = {"good": run(0.7), "bad": run(0.2), "middling": run(0.68)}
    found = race(labels, runs, [2, 3, 5], "pocock", classes=3)
    assert found.dropped[0].cell == "bad"
    expected = mcc(labels, runs[found.dropped[0].against][:2], 3).mean()
    expected -= mcc(labels, runs["bad"][:2], 3).mean()
    assert found.dropped[0].difference == pytest.approx(expected)


def test_nothing_trained_needs_the_first_look() -> None:
    labels, runs = drawn(0.5, 0.4)
    nothing = {name: rows[:0] for name, rows in runs.items()}
    used = dict.fromkeys(runs, 0)
    expected = Race(0, (), (), ("cell 0", "cell 1"), None, None, dict.fromkeys(runs, 2), used)
    assert race(labels, nothing, [2, 3], "pocock") == expected


def test_a_wrong_probability_gets_a_clear_error() -> None:
    labels, runs = drawn(0.5, 0.4)
    for wrong in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(BadInput, match=f"settled is {wrong}"):
            race(labels, runs, [2, 3], "pocock", settled=wrong)


@pytest.mark.parametrize(
    ("looks", "margin", "cells", "words"),
    [
        ([3, 2], None, 2, "looks are [3, 2]"),
        ([1], None, 2, "looks are [1]"),
        ([2, 3], 0.0, 2, "margin is 0.0"),
        ([2, 3], float("nan"), 2, "margin is nan"),
        ([2, 3], None, 1, "1 cells"),
    ],
)
def test_wrong_races_get_a_clear_error(
    looks: list[int], margin: float | None, cells: int, words: str
) -> None:
    labels, runs = drawn(0.5, 0.4)
    with pytest.raises(BadInput) as error:
        race(labels, dict(list(runs.items())[:cells]), looks, "pocock", margin=margin)
    assert words in str(error.value)


@pytest.mark.simulation
@pytest.mark.parametrize(("count", "studies"), [(4, 300), (12, 150)])
@pytest.mark.parametrize("kind", [STEADY, RESTLESS])
def test_races_of_equal_cells_drop_any_as_rarely_as_they_say(
    count: int, studies: int, kind: tuple[float, float]
) -> None:
    ways = [way for way in WAYS if way[0][0] == 2]
    for found in races([cell(0.5, kind)] * count, ways, studies):
        # 5.5 %, and three standard errors.
        assert found.wrong <= 0.055 + 3 * np.sqrt(0.055 * 0.945 / studies)


@pytest.mark.simulation
def test_races_drop_what_is_much_worse_early_and_keep_the_best() -> None:
    studies, models = 100, [cell(mean, STEADY) for mean in [0.5] * 2 + [0.25] * 4]
    for found in races(models, WAYS, studies):
        assert found.wrong <= 0.055 + 3 * np.sqrt(0.055 * 0.945 / studies)
        assert found.dropped > 0.95
        assert found.won > 0.95
        assert found.trained < 0.75


@pytest.mark.simulation
def test_the_winner_of_a_settled_race_is_rarely_overruled_by_all_runs() -> None:
    studies, models = 60, [cell(mean, STEADY) for mean in [0.5, 0.5, 0.48, 0.48, 0.46, 0.46]]
    for found in races(models, WAYS, studies, settled=0.05):
        assert found.overruled <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)
        assert found.trained < 0.6
