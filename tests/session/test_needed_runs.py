"""A session trains what its looks need: in any order of arrival, interrupted, with failed runs."""

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from builders.commands import harness
from builders.scripted_executor import ScriptedExecutor
from builders.small_suite import write_suite

from harness.errors import BadInput
from harness.judging.looks.standing import Standing
from harness.session import dispatch
from harness.session.looks.needed import Looked, needs
from harness.session.looks.selection import fewest_runs, looks_in_words, race_refusals
from harness.session.options import Chosen, Options, Planned, planned_suites
from harness.session.session import Session
from harness.suite.plan import Cell
from harness.training.job import Job

SUITE = """
name = "tiny"
[dataset]
source = "file"
path = "data.csv"
validation_size = 300
[matrix]
checkpoints = ["./encoder"]
batch_sizes = [8, 16]
learning_rates = [1e-3, 1e-4]
seeds = [11, 3, 7, 5, 2]
[training]
epochs = 1
[limits]
"""

RACE = f"{SUITE}race = true\nlooks = [2, 3, 5]\n"

ERRORS = {
    "encoder-bs8-lr1e-03": 0.20,
    "encoder-bs8-lr1e-04": 0.20,
    "encoder-bs16-lr1e-03": 0.40,
    "encoder-bs16-lr1e-04": 0.45,
}
"""The shares of errors of the cells: two are clearly worse, two are close to each other."""


@dataclass(frozen=True)
class Outcome:
    """What a session decided, and the runs that it trained."""

    standings: dict[str, Standing]
    trained: list[tuple[str, int]]
    spared: int


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_suite(tmp_path_factory.mktemp("looks"), SUITE, rows=400)


def plan(folder: Path, suite: str = RACE) -> Planned:
    (folder / "tiny.toml").write_text(suite, encoding="utf-8")
    (planned,) = planned_suites(Chosen({"suite": ["tiny.toml"]}, folder, folder))
    return planned


def usual(job: Job) -> float | None:
    return ERRORS[job.run.cell.id]


def hold_session(
    planned: Planned,
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
    order: int = 0,
    stop_after: int | None = None,
    errors: Callable[[Job], float | None] = usual,
    workers: int = 2,
) -> Outcome:
    """Run a session to its end, or until some runs were trained, and return what it decided."""
    executor = ScriptedExecutor(errors, order, workers)
    monkeypatch.setattr(dispatch, "make_executor", lambda *_: (executor, workers))
    session = Session([planned], planned.cells, Options(results, None, rerun=False))
    session.start()
    try:
        while stop_after is None or len(executor.done) < stop_after:
            if not executor.step():
                break
        if stop_after is None:
            session.wait(planned.cells, lambda: None)  # must not wait for what is not needed
        spared = 0 if session.dispatch is None else len(session.dispatch.spared())
        return Outcome(session.standings("tiny"), executor.done, spared)
    finally:
        session.close()
        session.release()


def test_the_order_of_arrival_changes_no_decision(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan(folder)
    outcomes = [
        hold_session(planned, tmp_path / str(order), monkeypatch, order, workers=1 + order % 4)
        for order in range(4)
    ]
    first = outcomes[0].standings
    assert all(each.standings == first for each in outcomes)
    assert {name for name, each in first.items() if each.dropped} == {
        "encoder-bs16-lr1e-03",
        "encoder-bs16-lr1e-04",
    }
    assert all(each.dropped is None or each.looked < 5 for each in first.values())
    assert len({tuple(each.trained) for each in outcomes}) > 1, "every order was the same"
    for each in outcomes:
        assert len(each.trained) + each.spared == 20
        assert each.spared > 0


@pytest.mark.long
def test_a_race_interrupted_anywhere_and_begun_again_takes_the_same_path(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan(folder)
    whole = hold_session(planned, tmp_path / "whole", monkeypatch)
    for stop in (3, 9, len(whole.trained) - 1):
        results = tmp_path / str(stop)
        before = hold_session(planned, results, monkeypatch, stop, stop_after=stop)
        after = hold_session(planned, results, monkeypatch, stop + 100)
        assert after.standings == whole.standings
        assert not set(before.trained) & set(after.trained), "a finished run was trained again"


@pytest.mark.long
def test_finished_seeds_beyond_the_current_look_do_not_count(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All runs exist, and the race still drops after the same seeds as the one that trained."""
    whole = hold_session(plan(folder), tmp_path / "race", monkeypatch)
    everything = hold_session(plan(folder, SUITE), tmp_path / "all", monkeypatch)
    assert len(everything.trained) == 20
    again = hold_session(plan(folder), tmp_path / "all", monkeypatch)
    assert again.trained == []
    assert again.standings == whole.standings


CLOSE = {
    "encoder-bs8-lr1e-03": 0.20,
    "encoder-bs8-lr1e-04": 0.20,
    "encoder-bs16-lr1e-03": 0.23,
    "encoder-bs16-lr1e-04": 0.24,
}
"""As ERRORS, with two cells that would hardly win, but are not shown to be worse after one seed."""

SET_ASIDE = {"encoder-bs16-lr1e-03", "encoder-bs16-lr1e-04"}


def close(job: Job) -> float | None:
    return CLOSE[job.run.cell.id]


def test_cells_that_would_hardly_win_are_set_aside_in_any_order_and_after_any_interruption(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan(folder, f"{SUITE}race = true\n")
    whole = hold_session(planned, tmp_path / "whole", monkeypatch, errors=close, workers=1)
    aside = {name for name, each in whole.standings.items() if each.stage == "set aside"}
    assert aside == SET_ASIDE
    assert {whole.standings[name].most for name in aside} == {1}
    for order in range(1, 4):
        results = tmp_path / str(order)
        stop = 3 * order - 1
        before = hold_session(
            planned, results, monkeypatch, order, stop_after=stop, errors=close, workers=2
        )
        after = hold_session(planned, results, monkeypatch, order + 100, errors=close, workers=4)
        assert after.standings == whole.standings
        assert not set(before.trained) & set(after.trained), "a finished run was trained again"


def test_what_was_set_aside_stays_so_if_the_leader_then_fails(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def errors(job: Job) -> float | None:
        failing = job.run.cell.id.startswith("encoder-bs8") and job.run.seed == 7
        return None if failing else close(job)

    planned = plan(folder, f"{SUITE}race = true\n")
    outcomes = [
        hold_session(planned, tmp_path / str(order), monkeypatch, order, errors=errors)
        for order in range(3)
    ]
    assert all(each.standings == outcomes[0].standings for each in outcomes)
    stages = {name: each.stage for name, each in outcomes[0].standings.items()}
    assert {name for name, stage in stages.items() if stage == "set aside"} == SET_ASIDE


def test_a_cell_with_a_failed_run_leaves_the_race_with_the_reason(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def errors(job: Job) -> float | None:
        failing = job.run.cell.id == "encoder-bs8-lr1e-03" and job.run.seed == 7
        return None if failing else usual(job)

    outcomes = [
        hold_session(plan(folder), tmp_path / str(order), monkeypatch, order, errors=errors)
        for order in range(3)
    ]
    assert all(each.standings == outcomes[0].standings for each in outcomes)
    left = outcomes[0].standings["encoder-bs8-lr1e-03"]
    assert (left.stage, left.looked) == ("left", 2)
    assert left.reason is not None
    assert "seed 7" in left.reason
    assert "scripted to fail" in left.reason


def test_workers_are_busy_while_a_look_waits_for_its_last_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With four workers and a first look of eight runs, the ninth starts before the eighth ends."""
    planned = plan(folder, f"{SUITE}race = true\nlooks = [2, 5]\n")
    executor = ScriptedExecutor(usual, 0, 1)
    monkeypatch.setattr(dispatch, "make_executor", lambda *_: (executor, 4))
    session = Session([planned], planned.cells, Options(tmp_path, None, rerun=False))
    session.start()
    running = []
    try:
        while executor.step():
            running.append(len(executor.waiting()))
    finally:
        session.close()
        session.release()
    assert running[:8] == [7, 6, 5, 4, 4, 4, 4, *running[7:8]], "fewer than four were running"
    assert session.dispatch is not None
    assert session.dispatch.turns.ahead


def test_gates_on_a_bound_end_at_the_look_that_decides_them(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f'{SUITE}looks = [2, 3, 5]\n[gates]\nmin_mcc = 0.3\nstatistic = "lower-bound"\n'
    outcome = hold_session(plan(folder, text), tmp_path, monkeypatch)
    good, bad = (outcome.standings[f"encoder-bs{size}-lr1e-03"] for size in (8, 16))
    assert (good.stage, bad.stage) == ("decided", "decided")
    assert good.most < 5
    assert outcome.spared >= 3


def begin(
    planned: Planned, results: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Session, ScriptedExecutor]:
    """Start a session on what others have left in a results folder; nothing trains in it."""
    executor = ScriptedExecutor(usual, 0, 2)
    monkeypatch.setattr(dispatch, "make_executor", lambda *_: (executor, 2))
    session = Session([planned], planned.cells, Options(results, None, rerun=False))
    session.start()
    return session, executor


def test_a_race_that_finished_runs_have_settled_has_nothing_to_train(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan(folder)
    whole = hold_session(planned, tmp_path, monkeypatch)
    assert whole.spared > 0
    session, executor = begin(planned, tmp_path, monkeypatch)
    try:
        counts = session.counts["tiny"]
        assert counts["to train"] == 0
        assert counts["not needed"] == whole.spared == len(session.spared("tiny"))
        assert counts.total() == 20
        assert executor.waiting() == []
        records = session.wait(planned.cells, lambda: None)
        assert len(records) == counts["finished"] == session.state().total
        assert session.standings("tiny") == whole.standings
        (line, *_) = session.looks_at_end("tiny")
        assert f"{whole.spared} not needed" in line
    finally:
        session.close()
        session.release()


def test_a_plan_and_a_session_announce_the_same_runs_of_an_interrupted_race(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two cells are dropped already: what they lack is not to train, unlike runs of the others."""
    planned = plan(folder)
    results = tmp_path / "results"
    hold_session(planned, results, monkeypatch, stop_after=8, workers=1)
    session, _ = begin(planned, results, monkeypatch)
    counts = session.counts["tiny"]
    session.close()
    session.release()
    assert 0 < counts["to train"] < 12
    assert counts["to train"] + counts["not needed"] == 12
    named = ("--suite", "tiny.toml", "--results-dir", str(results), "--json")
    (shown,) = json.loads(harness("plan", *named, cwd=folder).out)["suites"]
    assert Counter(run["state"] for run in shown["runs"]) == Counter(counts)
    assert shown["refused"] is None


def looked(planned: Planned) -> Looked:
    return Looked(planned.cells, {cell.id: [] for cell in planned.cells}, False)


def test_before_any_result_a_race_needs_the_first_look_only(folder: Path) -> None:
    planned = plan(folder)
    found = needs([looked(planned)])
    assert found.now == {("tiny", cell.id, seed) for cell in planned.cells for seed in (11, 3)}
    assert found.released == frozenset()
    assert [run[2] for run in found.ahead] == [7, 7]  # of half of the cells, for the next look


def test_without_looks_everything_is_needed(folder: Path) -> None:
    found = needs([looked(plan(folder, SUITE))])
    assert len(found.now) == 20
    assert found.ahead == ()


def test_a_race_needs_all_cells_of_its_suite(folder: Path) -> None:
    planned = plan(folder)
    assert not list(race_refusals([planned], planned.cells))
    (line,) = race_refusals([planned], planned.cells[:3])
    assert "encoder-bs16-lr1e-04" in line
    assert not list(race_refusals([plan(folder, SUITE)], planned.cells[:3]))


@pytest.mark.parametrize(
    ("limits", "fewest"),
    [
        ("race = true\nlooks = [2, 3, 5]", 8),
        ("race = true\nlooks = [1, 2, 5]", 4 + 2),  # two of four cells show the spread
        ('looks = [2, 5]\n[gates]\nmin_mcc = 0.3\nstatistic = "lower-bound"', 8),
        ("race = true\nlooks = [2, 3, 5]\n[gates]\nmin_mcc = 0.3", 8 + 3),  # the winner's mean
        ("race = true\nlooks = [2, 3, 5]\n[gates]\nmax_drop = 0.1", 8),  # there is no baseline
    ],
)
def test_the_fewest_runs_of_a_plan(folder: Path, limits: str, fewest: int) -> None:
    cells: tuple[Cell, ...] = plan(folder, SUITE + limits).cells
    assert fewest_runs(cells, compared=False) == fewest


def test_a_baseline_needs_all_seeds_of_a_cell_that_is_left(folder: Path) -> None:
    cells = plan(folder, RACE).cells
    assert fewest_runs(cells, compared=True) == 8 + 3
    (line,) = looks_in_words(cells, compared=True)
    assert "; 11 to 20 runs in all" in line


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ("looks = [3, 2, 5]\nrace = true", ["limits.looks: [3, 2, 5]: ", "ascending"]),
        ("looks = [2, 2, 5]\nrace = true", ["limits.looks", "ascending"]),
        ("looks = [0, 5]\nrace = true", ["limits.looks[0]: 0"]),
        ("looks = []\nrace = true", ["limits.looks: empty"]),
        ("looks = [2, 8]\nrace = true", ["[2, 8]", "encoder-bs8-lr1e-03 lacks 3"]),
        ("looks = [2, 3]\nrace = true", ["[2, 3]", "encoder-bs8-lr1e-03 has 2 more"]),
        ("looks = [2, 5]", ["nothing is decided at these looks", "lower-bound"]),
        ("race_margin = 0.02", ["limits.race_margin: 0.02", "--race"]),
        ("race_settled = 0.05", ["limits.race_settled: 0.05", "--race"]),
        ("race = true\nrace_settled = 1.0", ["limits.race_settled: 1.0"]),
        ('race = true\nspending = "pocock"', ["limits.spending: 'pocock'", "begin limits.looks"]),
        ("race = true\nrace_margin = 0.0", ["limits.race_margin: 0.0"]),
        ('spending = "pocock"', ["limits.spending: 'pocock'", "limits.looks"]),
        ('race = true\nspending = "linear"', ["limits.spending", "obrien-fleming"]),
        (
            'looks = [1, 5]\n[gates]\nmin_mcc = 0.1\nstatistic = "lower-bound"',
            ["limits.looks: [1, 5]", "spread over seeds"],
        ),
        (
            "race = true\n[gates.suite]\nevery_checkpoint_min_mcc = 0.1",
            ["gates.suite.every_checkpoint_min_mcc: 0.1", "--race"],
        ),
        (
            'race = true\n[matrix.cell."encoder-bs8-lr1e-03"]\nseeds = [1, 2, 3, 4, 5]',
            ["seed by seed", "encoder-bs8-lr1e-04"],
        ),
    ],
)
def test_mistakes_in_looks_are_refused_with_value_and_way_out(
    folder: Path, limits: str, expected: list[str]
) -> None:
    with pytest.raises(BadInput) as caught:
        plan(folder, SUITE + limits)
    assert len(caught.value.problems) == 1
    for part in expected:
        assert part in caught.value.problems[0]


def test_several_mistakes_are_reported_at_once(folder: Path) -> None:
    cell = "\n".join(f'[matrix.cell."encoder-bs{n}-lr1e-04"]\nseeds = []' for n in (8, 16))
    more = '[matrix.cell."encoder-bs16-lr1e-03"]\nseeds = []'
    order = "[gates.suite]\nevery_checkpoint_min_mcc = 0.1"
    with pytest.raises(BadInput) as caught:
        plan(folder, f"{SUITE}race = true\nlooks = [2, 7]\n{cell}\n{more}\n{order}")
    assert len(caught.value.problems) == 3
    assert "at least two cells" in str(caught.value)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"race": True, "budget": "30m"}, ["a race", "--budget"]),
        ({"race": True, "stop": "decided"}, ["a race", "--stop decided"]),
        ({"stop": "decided", "budget": "30m"}, ["--stop decided", "--budget"]),
        ({"race": True, "stop": "decided", "budget": "1h"}, ["a race", "--stop", "--budget"]),
    ],
)
def test_a_session_leaves_training_out_in_one_way(
    folder: Path, given: dict[str, object], named: list[str]
) -> None:
    (folder / "tiny.toml").write_text(SUITE, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        planned_suites(Chosen({"suite": ["tiny.toml"], **given}, folder, folder))
    (problem,) = caught.value.problems
    assert all(name in problem for name in named)
    assert "keep one of them" in problem


def test_the_flag_begins_a_race_with_usual_looks(folder: Path) -> None:
    (folder / "tiny.toml").write_text(SUITE, encoding="utf-8")
    chosen = Chosen({"suite": ["tiny.toml"], "race": True}, folder, folder)
    (planned,) = planned_suites(chosen)
    looks = planned.cells[0].looks
    assert looks is not None
    assert (looks.after, looks.race) == ((1, 2, 3, 5), True)


class Refusing(ScriptedExecutor):
    """Cannot start another thread for one of the submissions."""

    submitted = 0

    def submit(self, function: Any, job: Any, seconds: float | None = None) -> Future[Any]:
        self.submitted += 1
        if self.submitted == REFUSED:
            raise RuntimeError("can't start new thread")
        return super().submit(function, job, seconds)


REFUSED = 10
"""Eight runs are submitted at the beginning: this one follows a look."""


def test_a_run_that_cannot_be_submitted_fails_and_nobody_waits_for_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan(folder)
    executor = Refusing(usual, 0, 2)
    monkeypatch.setattr(dispatch, "make_executor", lambda *_: (executor, 2))
    session = Session([planned], planned.cells, Options(tmp_path, None, rerun=False))
    session.start()
    try:
        while executor.step():
            pass
        assert session.dispatch is not None
        released = session.dispatch.turns.released
        runs = session.dispatch.runs
        assert [run for run in runs if not (runs[run].done() or run in released)] == []
        failed = [item.record.reason for item in session.stored(planned) if not item.record.scores]
        assert any("can't start new thread" in (reason or "") for reason in failed)
    finally:
        session.close()
        session.release()
