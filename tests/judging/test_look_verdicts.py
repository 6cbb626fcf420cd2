"""Looks and races decided from records alone, and what judges and tables make of them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from builders.records import failed_record, make_cell, predicted_record, skipped_record

from harness.errors import BadInput
from harness.judging.baseline import Baseline
from harness.judging.best import best_by_checkpoint
from harness.judging.comparison import best_cells
from harness.judging.gates import explain, judge_suite
from harness.judging.leaderboard import judge_all, leaderboard, rows_of
from harness.judging.looks.first_seeds import first_seeds
from harness.judging.looks.race import standings
from harness.judging.looks.standing import SetAside, Standing
from harness.report import render
from harness.report.brief import as_summary
from harness.report.findings.looks import looks_section
from harness.report.published import as_json, publish, read_published
from harness.report.suite_file import suite_files
from harness.session.looks.summary import summary
from harness.stats.racing import race
from harness.store.records import Record
from harness.suite.gates import GatesSpec
from harness.suite.looks import Looks, default_looks
from harness.suite.plan import Cell, make_plan
from harness.suite.spec import DatasetSpec, LimitsSpec, MatrixSpec, Suite, SuiteGates, Thresholds

SEEDS = (11, 3, 7, 5, 2)
SENTENCES = 500
RACE = Looks(after=(2, 3, 5), race=True)
LABELS = np.arange(SENTENCES) % 2


def cell_of(number: int, looks: Looks | None = RACE, **changes: Any) -> Cell:
    return make_cell(f"org/c{number}", seeds=SEEDS, looks=looks, **{"threshold": None, **changes})


def record_of(cell: Cell, seed: int, errors: float) -> Record:
    """Build a run that misclassifies about this share of sentences, mostly the difficult ones."""
    difficulty = np.random.default_rng(0).random(SENTENCES)
    own = np.random.default_rng([seed, int(cell.checkpoint[-1])]).random(SENTENCES)
    wrong = 0.7 * difficulty + 0.3 * own < errors
    return predicted_record(cell, seed, LABELS, np.where(wrong, 1 - LABELS, LABELS)[None])


def runs_of(cells: list[Cell], errors: list[float], seeds: int = 5) -> dict[str, list[Record]]:
    return {
        cell.id: [record_of(cell, seed, share) for seed in SEEDS[:seeds]]
        for cell, share in zip(cells, errors, strict=True)
    }


def every(runs: dict[str, list[Record]]) -> list[Record]:
    return [record for own in runs.values() for record in own]


CELLS = [cell_of(n) for n in range(3)]


def test_a_clearly_worse_cell_is_dropped_against_the_leader_at_the_first_look_that_shows_it() -> (
    None
):
    runs = runs_of(CELLS, [0.2, 0.2, 0.45])
    found = standings(CELLS, {name: own[:2] for name, own in runs.items()})
    worse = found[CELLS[2].id]
    assert worse.stage == "dropped"
    assert (worse.looked, worse.most) == (2, 2)
    assert worse.dropped is not None
    means = [np.mean([run.scores.mcc for run in runs[cell.id][:2] if run.scores]) for cell in CELLS]
    leader = int(np.argmax(means))
    assert worse.dropped.against == CELLS[leader].id
    assert worse.dropped.difference == pytest.approx(means[leader] - means[2])
    assert worse.dropped.p_value < worse.dropped.level < 0.05
    assert all(found[cell.id].needed == 3 for cell in CELLS[:2])


@pytest.mark.parametrize("seeds", [3, 4, 5])
def test_seeds_beyond_a_look_change_nothing_that_it_decided(seeds: int) -> None:
    runs = runs_of(CELLS, [0.2, 0.2, 0.45])
    early = {name: own[:2] for name, own in runs.items()}
    late = {name: own[:seeds] for name, own in runs.items()}
    dropped = CELLS[2].id
    assert standings(CELLS, late)[dropped] == standings(CELLS, early)[dropped]
    # Seeds of one cell alone, such as those that trained ahead, change not even the last digit.
    ahead = {**early, CELLS[0].id: late[CELLS[0].id]}
    assert standings(CELLS, ahead) == standings(CELLS, early)


def test_seeds_count_in_the_plans_order_whatever_the_order_of_the_records() -> None:
    runs = runs_of(CELLS, [0.2, 0.22, 0.45])
    shuffled = {name: sorted(own, key=lambda run: run.seed) for name, own in runs.items()}
    assert standings(CELLS, shuffled) == standings(CELLS, runs)
    # Without the plan's second seed, 3, the first look is not possible.
    without = {name: [run for run in own if run.seed != 3] for name, own in runs.items()}
    assert {each.looked for each in standings(CELLS, without).values()} == {0}


def test_one_left_wins_and_needs_no_further_seed_without_a_gate() -> None:
    runs = runs_of(CELLS, [0.2, 0.45, 0.45], seeds=2)
    found = standings(CELLS, runs)
    assert found[CELLS[0].id].stage == "won"
    assert (found[CELLS[0].id].needed, found[CELLS[0].id].most) == (2, 2)
    judged = judge_all(CELLS, runs)[CELLS[0].id]
    assert judged.passed
    assert judged.verdict is None


@pytest.mark.parametrize(
    "needing",
    [
        {"threshold": 0.1},
        {"gates": Thresholds(max_train_seconds=1e6)},
        {"looks": RACE.model_copy(update={"whole": True})},
    ],
)
def test_the_winner_trains_all_seeds_if_a_gate_is_about_their_mean(
    needing: dict[str, Any],
) -> None:
    cells = [cell_of(n, **needing) for n in range(3)]
    runs = runs_of(cells, [0.2, 0.45, 0.45], seeds=2)
    found = standings(cells, runs)[cells[0].id]
    assert (found.stage, found.most) == ("won", 5)
    assert not judge_all(cells, runs)[cells[0].id].passed
    whole = {**runs, cells[0].id: runs_of(cells, [0.2, 0.45, 0.45])[cells[0].id]}
    assert judge_all(cells, whole)[cells[0].id].passed


def test_a_baseline_needs_all_seeds_of_the_winner() -> None:
    runs = runs_of(CELLS, [0.2, 0.45, 0.45], seeds=2)
    assert standings(CELLS, runs, compared=True)[CELLS[0].id].most == 5


def test_gates_that_need_a_baseline_need_no_seeds_without_one() -> None:
    gates = Thresholds(max_drop=0.1, max_train_seconds_ratio=1.5)
    cells = [cell_of(n, gates=gates) for n in range(3)]
    runs = runs_of(cells, [0.2, 0.45, 0.45], seeds=2)
    found = standings(cells, runs)[cells[0].id]
    assert (found.stage, found.needed, found.most) == ("won", 2, 2)
    assert judge_all(cells, runs)[cells[0].id].passed
    assert standings(cells, runs, compared=True)[cells[0].id].most == 5


def test_a_winner_that_lacks_seeds_for_the_baseline_represents_no_checkpoint() -> None:
    """Nor does a document compare it: its mean is not final, and its row is partial."""
    runs = runs_of(CELLS, [0.2, 0.45, 0.48], seeds=2)
    assert [each.name for each in best_cells(CELLS, runs, standings(CELLS, runs))] == ["org/c0"]
    baseline = Baseline("before.json", "sample", tuple(every(runs)))
    published = publish("sample", CELLS, every(runs), baseline)
    assert published.standings == standings(CELLS, runs, compared=True)
    assert best_cells(CELLS, runs, published.standings) == []


def test_a_report_judges_its_looks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = Mock(side_effect=race)
    monkeypatch.setattr("harness.judging.looks.race.race", looked)
    published = publish("sample", CELLS, every(runs_of(CELLS, [0.2, 0.2, 0.2], seeds=3)))
    assert render(published)
    assert looked.call_count == 1


def test_equal_cells_within_the_margin_end_the_race() -> None:
    looks = RACE.model_copy(update={"margin": 0.9})
    cells = [cell_of(n, looks) for n in range(3)]
    found = standings(cells, runs_of(cells, [0.2, 0.2, 0.2], seeds=2))
    assert {each.stage for each in found.values()} == {"equivalent"}
    assert {each.most for each in found.values()} == {2}


def test_a_race_whose_winner_would_hardly_change_is_settled_and_drops_nobody() -> None:
    """The predicted probability is certainly below 1, so the first look ends it."""
    cells = [cell_of(n, RACE.model_copy(update={"settled": 0.999})) for n in range(2)]
    runs = runs_of(cells, [0.2, 0.21], seeds=2)
    assert {each.stage for each in standings(cells, runs).values()} == {"settled"}
    assert [row["rank"] for row in rows_of(leaderboard(cells, every(runs)))] == [1, 2]


def test_equal_cells_are_not_separated_at_the_last_look() -> None:
    found = standings(CELLS, runs_of(CELLS, [0.2, 0.2, 0.2]))
    assert {each.stage for each in found.values()} == {"not separated"}


def test_a_race_ends_when_more_seeds_would_hardly_change_its_winner() -> None:
    """Three equal cells: whichever leads, no other will be better beyond chance."""
    until = [replace(cell, looks=Looks(after=(2, 3, 5), race=True, settled=0.05)) for cell in CELLS]
    found = standings(until, runs_of(until, [0.2, 0.2, 0.2]))
    assert {each.stage for each in found.values()} == {"settled"}
    assert {each.most for each in found.values()} < {2, 3}


SETTLING = Looks(after=(1, 2, 3, 5), race=True, settled=0.05)
ERRORS = [0.2, 0.2, 0.215, 0.24, 0.24]
"""Shares of errors of a race in which cells are set aside before its end."""


def in_order_of_the_plan(cell: Cell, runs: list[Record]) -> np.ndarray:
    found = first_seeds(cell, runs).found
    assert found is not None
    return found.selected


def settling(**changes: Any) -> tuple[list[Cell], dict[str, list[Record]]]:
    cells = [cell_of(n, SETTLING, **changes) for n in range(len(ERRORS))]
    return cells, runs_of(cells, ERRORS)


def test_a_cell_that_would_hardly_win_is_set_aside_and_needs_no_more_seeds() -> None:
    cells, runs = settling()
    found = standings(cells, runs)
    state = race(
        LABELS,
        {cell.id: in_order_of_the_plan(cell, runs[cell.id]) for cell in cells},
        SETTLING.after,
        SETTLING.spending,
        settled=SETTLING.settled,
    )
    assert state.aside
    assert {name for name, each in found.items() if each.stage == "set aside"} == {
        each.cell for each in state.aside
    }
    for each in state.aside:
        standing = found[each.cell]
        assert (standing.looked, standing.needed, standing.most) == (each.seeds,) * 3
        assert standing.out
        assert standing.gates_decided
        assert f"probability of {each.probability:.2g}" in standing.in_words()
        assert "not beyond chance" in standing.in_words()
    names = {cell.id: cell.checkpoint for cell in cells}
    rows = {row["checkpoint"]: row for row in rows_of(leaderboard(cells, every(runs)))}
    for each in state.aside:
        row = rows[names[each.cell]]
        assert (row["rank"], row["set_aside_against"]) == (None, each.against)
        assert row["set_aside_difference"] == each.difference
        assert row["set_aside_probability"] == each.probability
        assert (row["dropped_against"], row["dropped_p_value"]) == (None, None)
    first = {name: own[: found[name].most] for name, own in runs.items()}
    assert standings(cells, first) == found
    short = {row["checkpoint"]: row for row in rows_of(leaderboard(cells, every(first)))}
    assert {short[names[each.cell]]["status"] for each in state.aside} == {"set aside"}


def test_a_cell_set_aside_trains_on_for_its_own_gates() -> None:
    cells, runs = settling(threshold=0.5)
    found = standings(cells, {name: own[:1] for name, own in runs.items()})
    leaders = standings(cells, {name: own[:2] for name, own in runs.items()})
    aside = [name for name, each in leaders.items() if each.stage == "set aside"]
    assert aside
    assert all(each.stage == "going on" for each in found.values())
    assert all(leaders[name].most > leaders[name].looked for name in aside)
    judged = judge_all(cells, runs)
    assert all(judged[name].verdict in ("pass", "fail") for name in aside)


def test_no_cell_is_set_aside_if_the_suite_judges_the_means_or_a_baseline_is_compared() -> None:
    cells, runs = settling()
    whole = [replace(cell, looks=SETTLING.model_copy(update={"whole": True})) for cell in cells]
    for found in (standings(whole, runs), standings(cells, runs, compared=True)):
        assert {each.stage for each in found.values()}.isdisjoint({"set aside"})


def failing_at_the_third_seed(
    errors: list[float], failing: set[int]
) -> tuple[list[Cell], dict[str, list[Record]]]:
    cells = [cell_of(n, SETTLING) for n in range(len(errors))]
    runs = runs_of(cells, errors)
    for number in failing:
        runs[cells[number].id][2] = failed_record(cells[number], SEEDS[2])
    return cells, runs


def test_what_is_decided_before_a_second_run_of_a_look_fails_stays_so() -> None:
    """Cell 3 leaves only with cell 1: without it alone, cell 2 would be set aside."""
    cells, runs = failing_at_the_third_seed([0.2, 0.2, 0.23, 0.2, 0.23], {1, 3})
    whole = standings(cells, runs)
    assert [whole[cells[n].id].stage for n in (1, 3)] == ["left", "left"]
    for number in range(len(cells)):
        missing = {**runs, cells[number].id: runs[cells[number].id][:2]}
        found = standings(cells, missing)
        assert {name for name, each in found.items() if each.out and each != whole[name]} == set()
        assert all(each.most >= whole[name].most for name, each in found.items())


@pytest.mark.parametrize("errors", [[0.2, 0.2, 0.23, 0.2, 0.23], [0.2, 0.21, 0.23, 0.21, 0.21]])
def test_probabilities_add_up_over_a_race_that_goes_on_after_a_failed_run(
    errors: list[float],
) -> None:
    cells, runs = failing_at_the_third_seed(errors, {3})
    found = standings(cells, runs).values()
    assert "left" in {each.stage for each in found}
    settled = SETTLING.settled
    assert settled is not None
    assert 0 < sum(each.set_aside.probability for each in found if each.set_aside) < settled


def test_a_cell_that_others_left_alone_says_so() -> None:
    runs = runs_of(CELLS, [0.2, 0.2, 0.2])
    for cell in CELLS[1:]:
        runs[cell.id] = [*runs[cell.id][:2], failed_record(cell, SEEDS[2])]
    alone = standings(CELLS, runs)[CELLS[0].id]
    assert alone.briefly() == "alone in the race after 2 of 5 seeds"
    assert "without a comparison" in alone.in_words()
    assert (alone.needed, alone.most, alone.out) == (5, 5, False)
    first = rows_of(leaderboard(CELLS, every(runs)))[0]
    assert (first["checkpoint"], first["rank"], first["status"]) == ("org/c0", 1, "ok")


def test_a_document_says_that_cells_are_set_aside_only_where_they_are() -> None:
    cells, runs = settling()
    whole = [replace(cell, looks=SETTLING.model_copy(update={"whole": True})) for cell in cells]
    baseline = Baseline("before.json", "sample", tuple(every(runs)))
    aside, none = "are set aside and have no rank either", "No cell is set aside before"
    for published, expected in (
        (publish("sample", cells, every(runs)), (True, False)),
        (publish("sample", whole, every(runs)), (False, True)),
        (publish("sample", cells, every(runs), baseline), (False, True)),
    ):
        text = "\n".join(looks_section(published, published.judgements))
        assert (aside in text, none in text) == expected


def test_an_equal_cell_that_is_set_aside_is_not_called_lower() -> None:
    aside = SetAside("a", 0.0, 0.03)
    words = Standing(5, 2, 2, 2, "set aside", raced=True, set_aside=aside).in_words()
    assert words.startswith("set aside after 2 of 5 seeds: it is equal to a and would with all")


def test_a_failed_run_takes_its_cell_out_at_the_look_that_needs_it() -> None:
    runs = runs_of(CELLS, [0.2, 0.2, 0.2])
    failed = failed_record(CELLS[0], SEEDS[2], "RuntimeError: burnt")
    runs[CELLS[0].id] = [*runs[CELLS[0].id][:2], failed]
    at_first = standings(CELLS, {name: own[:2] for name, own in runs.items()})
    assert {each.stage for each in at_first.values()} == {"going on"}
    found = standings(CELLS, runs)
    assert found[CELLS[0].id].stage == "left"
    assert found[CELLS[0].id].looked == 2
    assert "seed 7 failed: RuntimeError: burnt" in found[CELLS[0].id].in_words()
    assert {found[cell.id].stage for cell in CELLS[1:]} == {"not separated"}
    judged = judge_all(CELLS, runs)[CELLS[0].id]
    assert judged.verdict == "fail"
    assert "left the race: the run with seed 7" in explain(CELLS[0], judged, Path("runs"))


def test_a_cell_that_cannot_run_here_is_not_in_the_race() -> None:
    runs = runs_of(CELLS, [0.2, 0.45, 0.2], seeds=2)
    runs[CELLS[2].id] = [skipped_record(CELLS[2], seed) for seed in SEEDS]
    found = standings(CELLS, runs)
    assert [found[cell.id].stage for cell in CELLS] == ["won", "dropped", "left"]


def test_the_only_cell_that_can_run_is_trained_with_all_seeds() -> None:
    runs = runs_of(CELLS, [0.2, 0.2, 0.2], seeds=2)
    for cell in CELLS[1:]:
        runs[cell.id] = [failed_record(cell, SEEDS[0])]
    assert standings(CELLS, runs)[CELLS[0].id].needed == 5


def test_dropped_cells_have_no_rank_and_are_not_the_best_of_their_checkpoint() -> None:
    runs = runs_of(CELLS, [0.2, 0.45, 0.48], seeds=2)
    rows = rows_of(leaderboard(CELLS, every(runs)))
    assert [row["rank"] for row in rows] == [1, None, None]
    assert [row["status"] for row in rows] == ["decided", "dropped", "dropped"]
    assert [row["checkpoint"] for row in rows] == ["org/c0", "org/c1", "org/c2"]
    assert rows[1]["dropped_against"] == CELLS[0].id
    assert rows[0]["looks"] == "won after 2 of 5 seeds"
    assert list(best_by_checkpoint(CELLS, runs, standings(CELLS, runs))) == ["org/c0"]
    # Even if all its seeds are known from an earlier session.
    whole = {**runs, CELLS[1].id: runs_of(CELLS, [0.2, 0.45, 0.48])[CELLS[1].id]}
    rows = rows_of(leaderboard(CELLS, every(whole)))
    assert [row["rank"] for row in rows] == [1, None, None]
    assert list(best_by_checkpoint(CELLS, whole, standings(CELLS, whole))) == ["org/c0"]


def test_cells_without_a_score_come_after_those_that_left_the_race() -> None:
    cells = [cell_of(n) for n in range(6)]
    skipped, worst, best, worse, failed, left = cells
    runs = runs_of([worst, best, worse, left], [0.48, 0.2, 0.45, 0.2], seeds=2)
    runs[skipped.id] = [skipped_record(skipped, seed) for seed in SEEDS]
    runs[failed.id] = [failed_record(failed, SEEDS[0])]
    runs[left.id] = [runs[left.id][0], failed_record(left, SEEDS[1])]
    rows = rows_of(leaderboard(cells, every(runs)))
    order = [best, worse, worst, left, skipped, failed]
    assert [row["checkpoint"] for row in rows] == [cell.checkpoint for cell in order]
    assert [row["rank"] for row in rows] == [1, *[None] * 5]


def test_a_gate_on_the_best_cell_does_not_wait_for_dropped_cells() -> None:
    runs = runs_of(CELLS, [0.2, 0.45, 0.48], seeds=2)
    runs[CELLS[0].id] = runs_of(CELLS, [0.2, 0.45, 0.48])[CELLS[0].id]
    for least, verdict in ((0.1, "pass"), (0.99, "fail")):
        (check,) = judge_suite(SuiteGates(best_min_mcc=least), CELLS, runs, standings(CELLS, runs))
        assert check.verdict == verdict
        assert "lack" not in check.reason


@pytest.mark.parametrize(
    "gates",
    [
        SuiteGates(best_min_mcc=0.4),
        SuiteGates(every_checkpoint_min_mcc=0.4),
        SuiteGates(order=("org/c0", "org/c1")),
    ],
)
def test_gates_of_a_suite_judge_the_means_of_all_seeds(gates: SuiteGates) -> None:
    """A cell whose own gate is decided at a look still trains the seeds of the suite's gates."""
    own = Thresholds(min_mcc=0.3, statistic="lower-bound")
    suite = Suite(
        name="sample",
        dataset=DatasetSpec(source="cola"),
        matrix=MatrixSpec(
            checkpoints=("org/c0", "org/c1"),
            batch_sizes=(16,),
            learning_rates=(2e-5,),
            seeds=SEEDS,
        ),
        gates=GatesSpec(**own.model_dump(exclude_none=True), suite=gates),
        limits=LimitsSpec(looks=(2, 3, 5)),
    )
    cells = make_plan(suite)
    early = runs_of(cells, [0.2, 0.22], seeds=2)
    assert {each.most for each in standings(cells, early).values()} == {5}
    (check,) = judge_suite(gates, cells, early, standings(cells, early))
    assert check.verdict == "not-enough-evidence"
    late = runs_of(cells, [0.2, 0.22])
    (check,) = judge_suite(gates, cells, late, standings(cells, late))
    assert check.verdict == "pass"
    alone = [replace(cell, looks=Looks(after=(2, 3, 5))) for cell in cells]
    assert all(each.most < 5 for each in standings(alone, early).values())


def test_a_cell_that_fails_at_a_look_does_not_count_for_gates_of_its_suite() -> None:
    looks = Looks(after=(2, 3, 5), whole=True)
    gates = Thresholds(min_mcc=0.95, statistic="lower-bound")
    cells = [cell_of(n, looks, gates=gates) for n in range(2)]
    runs = runs_of(cells, [0.2, 0.2], seeds=2)
    assert {each.most for each in standings(cells, runs).values()} == {2}
    (check,) = judge_suite(SuiteGates(best_min_mcc=0.1), cells, runs, standings(cells, runs))
    assert check.verdict == "not-enough-evidence"


BOUND = {"looks": Looks(after=(2, 3, 5)), "threshold": None}


@pytest.mark.parametrize(
    ("threshold", "verdict"), [(0.3, "pass"), (0.4, "pass"), (0.9, "fail"), (0.95, "fail")]
)
def test_a_gate_on_a_bound_is_decided_at_a_look(threshold: float, verdict: str) -> None:
    cell = cell_of(0, **BOUND, gates=Thresholds(min_mcc=threshold, statistic="lower-bound"))
    records = runs_of([cell], [0.2])[cell.id]
    decided = next(
        count
        for count in (2, 3, 5)
        if standings([cell], {cell.id: records[:count]})[cell.id].gates_decided
    )
    assert decided < 5
    for count in (decided, 5):  # further seeds do not change it
        judged = judge_all([cell], {cell.id: records[:count]})[cell.id]
        (check,) = judged.checks
        assert (judged.verdict, check.verdict) == (verdict, verdict)
        assert judged.passed == (verdict == "pass")
        assert f"after {decided} of 5 seeds" in check.reason
        assert "at level" in check.reason
        assert judged.standing is not None
        assert judged.standing.most == decided
    undecided = judge_all([cell], {cell.id: records[:1]})[cell.id]
    assert (undecided.verdict, undecided.passed) == (None, False)


def test_a_gate_near_the_mean_goes_on_to_the_last_look() -> None:
    plain = cell_of(0, **BOUND)
    records = runs_of([plain], [0.2])[plain.id]
    near = float(np.mean([run.scores.mcc for run in records if run.scores]))
    cell = replace(plain, gates=Thresholds(min_mcc=near, statistic="lower-bound"))
    for count in (2, 3):
        found = standings([cell], {cell.id: records[:count]})[cell.id]
        assert (found.stage, found.most) == ("going on", 5)
        assert judge_all([cell], {cell.id: records[:count]})[cell.id].verdict is None
    judged = judge_all([cell], {cell.id: records})[cell.id]
    assert judged.verdict == "not-enough-evidence"
    assert "after 5 of 5 seeds" in judged.checks[0].reason
    assert "not enough evidence; no number of seeds would be enough" in judged.checks[0].reason


def test_other_gates_need_all_seeds_but_a_failed_bound_ends_them() -> None:
    for threshold, most in ((0.3, 5), (0.95, 2)):
        gates = Thresholds(min_mcc=threshold, statistic="lower-bound", max_train_seconds=1e6)
        cell = cell_of(0, **BOUND, gates=gates)
        runs = {cell.id: runs_of([cell], [0.2])[cell.id][:2]}
        assert standings([cell], runs)[cell.id].most == most
        assert judge_all([cell], runs)[cell.id].verdict == (None if most == 5 else "fail")


def test_a_failed_run_beyond_the_deciding_look_does_not_fail_the_cell() -> None:
    cell = cell_of(0, **BOUND, gates=Thresholds(min_mcc=0.2, statistic="lower-bound"))
    records = runs_of([cell], [0.2])[cell.id][:2]
    late = [*records, failed_record(cell, SEEDS[2])]
    assert standings([cell], {cell.id: late})[cell.id].most == 2
    assert judge_all([cell], {cell.id: late})[cell.id].verdict == "pass"
    (row,) = rows_of(leaderboard([cell], late))
    assert (row["status"], row["verdict"]) == ("decided", "pass")
    early = [records[0], failed_record(cell, SEEDS[1])]
    (row,) = rows_of(leaderboard([cell], early))
    assert (row["status"], row["verdict"]) == ("failed", "fail")
    failed = judge_all([cell], {cell.id: early})[cell.id]
    assert "out of memory" in explain(cell, failed, Path("runs"))


def test_a_failed_run_beyond_the_look_that_dropped_its_cell_does_not_fail_the_cell() -> None:
    runs = runs_of(CELLS, [0.2, 0.2, 0.45], seeds=2)
    late = [*every(runs), failed_record(CELLS[2], SEEDS[3])]
    rows = {row["checkpoint"]: row["status"] for row in rows_of(leaderboard(CELLS, late))}
    assert rows["org/c2"] == "dropped"


def test_without_looks_nothing_is_decided_early() -> None:
    cells = [cell_of(n, None) for n in range(3)]
    runs = runs_of(cells, [0.2, 0.45, 0.45], seeds=2)
    assert standings(cells, runs) == {}
    assert "looks" not in leaderboard(cells, every(runs)).columns
    assert best_by_checkpoint(cells, runs, {}) == {}


def test_looks_are_published_and_read_again(tmp_path: Path) -> None:
    looks = RACE.model_copy(update={"margin": 0.01, "settled": 0.001})
    cells = [cell_of(n, looks) for n in range(3)]
    published = publish("sample", cells, every(runs_of(cells, [0.2, 0.45, 0.48], seeds=2)))
    text = as_json(published, leaderboard(cells, published.records))
    (tmp_path / "leaderboard.json").write_text(text)
    again = read_published(tmp_path / "leaderboard.json")
    assert again.cells == tuple(cells)
    assert as_json(again, leaderboard(again.cells, again.records)) == text
    ((_, file),) = suite_files(published)
    assert 'looks = [2, 3, 5]\nspending = "obrien-fleming"\nrace = true\nrace_margin = 0.01' in file
    assert "race_settled = 0.001" in file
    assert "which no suite file can express" not in file


@pytest.mark.parametrize("after", [[], [3, 2], [0, 5], [2, 2]])
def test_looks_that_no_suite_can_have_are_not_read(after: list[int], tmp_path: Path) -> None:
    published = publish("sample", CELLS, every(runs_of(CELLS, [0.2, 0.45, 0.48], seeds=2)))
    content = json.loads(as_json(published, leaderboard(CELLS, published.records)))
    content["cells"][0]["looks"]["after"] = after
    (tmp_path / "leaderboard.json").write_text(json.dumps(content))
    with pytest.raises(BadInput, match=r"cells\[0\]\.looks\.after"):
        read_published(tmp_path / "leaderboard.json")


def test_old_leaderboards_have_no_looks() -> None:
    cells = [cell_of(0, None)]
    published = publish("sample", cells, every(runs_of(cells, [0.2])))
    assert '"looks"' not in as_json(published, leaderboard(cells, published.records))


def test_the_summary_of_a_job_names_dropped_cells() -> None:
    runs = runs_of(CELLS, [0.2, 0.45, 0.48], seeds=2)
    text = as_summary("sample", leaderboard(CELLS, every(runs)))
    assert "1 decided, 2 dropped" in text
    assert "dropped after 2 of 5 seeds" in text


def test_what_looks_saved_is_counted() -> None:
    runs = runs_of(CELLS, [0.2, 0.45, 0.48], seeds=2)
    scored = {("sample", record.cell, record.seed) for record in every(runs)}
    ahead = ("sample", CELLS[1].id, SEEDS[2])
    first, *_ = summary(CELLS, standings(CELLS, runs), scored, set())
    assert first == "looks: of 15 planned runs, 6 scored, 9 not needed"
    first, *_ = summary(CELLS, standings(CELLS, runs), scored | {ahead}, {ahead})
    assert first.startswith("looks: of 15 planned runs, 7 scored, 8 not needed; 1 of those")


@pytest.mark.parametrize(
    ("seeds", "looks"), [(2, (1, 2)), (3, (1, 2, 3)), (4, (1, 2, 3, 4)), (10, (1, 2, 3, 5, 8, 10))]
)
def test_a_race_without_looks_has_usual_ones(seeds: int, looks: tuple[int, ...]) -> None:
    assert default_looks(seeds) == looks
