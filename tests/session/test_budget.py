"""`--budget`: how a time is written, which runs a session selects, and what it refuses."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from builders.records import make_cell, make_record
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.forecast.budget import AROUND_SECONDS
from harness.forecast.schedule import Schedule
from harness.forecast.seconds import Forecast, Sharing, Work, makespan
from harness.forecast.workload import Tokens
from harness.session.budget.amount import read_budget
from harness.session.budget.outside import StoppedRun, outside_record, stopped_before
from harness.session.budget.selection import Selection, as_candidates, select
from harness.session.options import Chosen, Options, Planned, read_options
from harness.session.run_status import RunStatus
from harness.store.records import Record
from harness.store.run_store import Stored, read_store, run_folder, write_skipped
from harness.suite.plan import Cell, Run
from harness.suite.spec import Suite, Thresholds, TrainingSpec
from harness.text import exact_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1h30m15s", 5415),
        ("2h5s", 7205),
        ("1h 30m", 5400),
        ("0h90m", 5400),
        ("8760h", 31_536_000),
    ],
)
def test_a_time_has_units(text: str, seconds: int) -> None:
    assert read_budget(text) == seconds


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ("30", "write 30s, 30m or 30h for seconds, minutes or hours"),
        ("0", "write 0s, 0m or 0h"),
        ("1h30", "such as 2h, 30m, 90s or 1h30m"),
        ("30m1h", "such as 2h, 30m, 90s or 1h30m"),
        ("1.5h", "such as 2h, 30m, 90s or 1h30m"),
        ("-5m", "such as 2h"),
        ("30 min", "such as 2h"),
        ("30M", "such as 2h"),
        ("", "such as 2h"),
        (" ", "such as 2h"),
        ("h", "such as 2h"),
        ("٣m", "such as 2h"),
        ("30m\n", "such as 2h"),
        ("9" * 400 + "s", "such as 2h"),
        ("0s", "longer than 0 and at most a year"),
        ("0h0m", "longer than 0 and at most a year"),
        ("8761h", "at most a year (8760h)"),
    ],
)
def test_anything_else_is_refused_with_the_way_out(text: str, way_out: str) -> None:
    with pytest.raises(BadInput) as error:
        read_budget(text)
    (problem,) = error.value.problems
    assert problem.startswith("--budget: ")
    assert way_out in problem
    assert len(problem) < 250


@given(st.integers(1, 31_536_000))
def test_a_time_is_read_as_it_is_written(seconds: int) -> None:
    text = exact_duration(seconds).replace(" min", "m").replace(" h", "h").replace(" s", "s")
    assert read_budget(text.replace(" ", "")) == seconds


def test_mistakes_of_all_options_are_reported_together(tmp_path: Path) -> None:
    flags = {"max_drop": "0.1", "max_eval_ms_ratio": "1.2", "max_peak_memory_ratio": "1.1"}
    typed = Chosen({"budget": "30", **flags}, tmp_path, tmp_path)
    _, problems = read_options(typed)
    named = ["--max-drop", "--max-eval-ms-ratio", "--max-peak-memory-ratio", "--budget"]
    assert [line.partition(":")[0] for line in problems] == named


def status(cell: Cell, seed: int, finished: bool = False) -> RunStatus:
    found = RunStatus(Run(cell, seed, TrainingSpec()), f"{cell.id}-{seed}", None, None, False)
    if not finished:
        return found
    return replace(found, stored=Stored(make_record(cell, seed), Path("unused")))


def work(minutes: float) -> Work:
    """Return a run's work; its batch size stands for its length in tenths of a minute."""
    tokens = Tokens(1, 1, 0, 1)
    return Work("d", "f", "p", (1, 1), tokens, round(10 * minutes), TrainingSpec(), "cpu")


def plan(
    works: Sequence[Work], workers: int = 2, faster_alone: float = 1.0, basis: str | None = "rough"
) -> Schedule:
    """Plan runs; one at a time takes `faster_alone` of its usual time."""
    number = min(workers, len(works))
    factor = faster_alone if number == 1 else 1.0
    seconds = tuple(6.0 * each.batch_size * factor for each in works)
    return Schedule(
        tuple(range(len(works))), Sharing(number, 1), Forecast(seconds, basis), 1.0, None, None
    )


NO_OPTIONS = Options(Path("results"), None, rerun=False)


def planned(*cells: Cell) -> Planned:
    matrix = {"checkpoints": ["a"], "batch_sizes": [1], "learning_rates": [1e-5], "seeds": [1]}
    source = {"source": "embedded"}
    suite = Suite.model_validate({"name": "sample", "dataset": source, "matrix": matrix})
    return Planned(suite, Path("sample.toml"), cells)


def selected(
    minutes: Mapping[str, float],
    budget: float,
    elapsed: float = 0.0,
    least: Mapping[str, float] | None = None,
    **changes: object,
) -> Selection:
    """Select among three seeds of each cell; budget and lengths are minutes of training."""
    cells = [make_cell(name, seeds=(1, 2, 3), id=name, gates=Thresholds()) for name in minutes]
    statuses = [status(cell, seed) for cell in cells for seed in cell.seeds]
    works = [work(minutes[item.run.cell.id]) for item in statuses]
    return select(
        statuses,
        works,
        as_candidates(statuses, [planned(*cells)], NO_OPTIONS),
        lambda some: plan(some, **changes),  # type: ignore[arg-type]
        round(60 * budget + AROUND_SECONDS),
        elapsed,
        least or {},
    )


def names(found: Selection, cells: str) -> str:
    runs = [f"{cell}{seed}" for cell in cells for seed in (1, 2, 3)]
    return " ".join(runs[found.chosen[i]] for i in found.schedule.order)


def test_the_runs_that_fit_are_chosen_with_the_workers_of_the_machine() -> None:
    found = selected({"a": 10, "b": 10}, budget=20)
    assert names(found, "ab") == "a1 b1 a2 b2"
    assert found.outside == {2: 600, 5: 600}
    assert found.note == (
        "--budget 20 min 15 s: 4 of the 6 runs to train should fit, one seed of every cell first, "
        "then cells with gates; the other 2 would take about 10 min more"
    )
    assert (found.workers, found.basis) == (2, "rough")


def test_time_that_is_over_and_the_start_of_the_session_count() -> None:
    assert names(selected({"a": 10}, budget=20, elapsed=60), "a") == "a1 a2"
    assert names(selected({"a": 10}, budget=20, elapsed=0), "a") == "a1 a2 a3"


def test_everything_fits() -> None:
    found = selected({"a": 10, "b": 5}, budget=30)
    assert len(found.chosen) == 6
    assert found.outside == {}
    assert found.note == "--budget 30 min 15 s: all 6 runs to train should fit"


def test_a_budget_below_the_shortest_run_is_refused_with_its_time() -> None:
    with pytest.raises(BadInput) as error:
        selected({"a": 10, "b": 7}, budget=6)
    (problem,) = error.value.problems
    assert problem == (
        "--budget: 6 min 15 s: not even one of the 6 runs to train fits; the shortest, sample/b "
        "seed 1, is expected to take about 7 min (rough), and the session about 15 s besides; "
        "allow at least --budget 8m"
    )
    enough = re.search(r"at least --budget (\w+)", problem)
    assert enough is not None
    assert len(selected({"a": 10, "b": 7}, budget=read_budget(enough[1]) / 60).chosen) >= 1


def test_a_run_that_fits_only_alone_is_chosen() -> None:
    found = selected({"a": 10, "b": 12}, budget=8, faster_alone=0.7)
    assert names(found, "ab") == "a1"
    assert found.schedule.sharing.workers == 1
    assert [*found.schedule.forecast.seconds] == pytest.approx([420])


@given(
    st.lists(st.floats(0.5, 20), min_size=1, max_size=3),
    st.floats(0.5, 60),
    st.integers(1, 4),
    st.floats(0.5, 1.5),
)
def test_the_plan_ends_in_time_by_its_own_forecast(
    minutes: list[float], budget: float, workers: int, alone: float
) -> None:
    lengths = dict(zip("abc", minutes, strict=False))
    try:
        found = selected(lengths, budget, workers=workers, faster_alone=alone)
    except BadInput:
        return
    schedule = found.schedule
    seconds = [schedule.forecast.seconds[i] for i in schedule.order]
    assert makespan(seconds, schedule.sharing.workers) <= round(60 * budget + AROUND_SECONDS)
    assert sorted([*found.chosen, *found.outside]) == list(range(3 * len(lengths)))


def test_without_a_forecast_all_runs_begin_in_order_until_the_time_is_over() -> None:
    found = selected({"a": 10, "b": 20}, budget=1, basis=None)
    assert names(found, "ab") == "b1 a1 b2 a2 b3 a3"
    assert found.outside == {}
    assert "nothing from which to predict how long runs take" in found.note


def test_finished_runs_cost_nothing_and_count_as_seeds_of_their_cell() -> None:
    one, two = (make_cell(name, seeds=(1, 2), id=name, gates=Thresholds()) for name in "ab")
    statuses = [
        status(one, 1, finished=True),
        *(status(*s) for s in ((one, 2), (two, 1), (two, 2))),
    ]
    candidates = as_candidates(statuses, [planned(one, two)], NO_OPTIONS)([1.0, 1.0, 1.0])
    assert [(each.cell, each.before) for each in candidates] == [
        ("sample/a", 1),
        ("sample/b", 0),
        ("sample/b", 0),
    ]


@pytest.mark.parametrize(
    ("gates", "gated"),
    [
        ({}, False),
        ({"min_mcc": 0.3}, True),
        ({"max_train_seconds": 60}, True),
        ({"max_drop": 0.01, "max_train_seconds_ratio": 1.2}, False),  # need a baseline
        ({"statistic": "lower-bound"}, False),
    ],
)
def test_a_cell_is_gated_if_a_gate_judges_it(gates: dict[str, object], gated: bool) -> None:
    cell = make_cell(gates=Thresholds.model_validate(gates))
    statuses = [status(cell, 0)]
    (found,) = as_candidates(statuses, [planned(cell)], NO_OPTIONS)([1.0])
    assert found.gated is gated


def test_a_run_that_was_stopped_takes_longer_than_that_whatever_the_forecast() -> None:
    """Neither it nor another seed of its cell is begun if the time is not enough again."""
    found = selected({"a": 10, "b": 11}, budget=33, least={"a-1": 2500.0})
    assert names(found, "ab") == "b1 b2 b3"
    assert found.outside == {0: 2500, 1: 2500, 2: 2500}
    assert names(selected({"a": 10, "b": 11}, budget=42, least={"a-1": 2500.0}), "ab") == (
        "a1 b1 b2 b3"
    )


def skipped_record(stopped: StoppedRun | None) -> Record:
    run = Run(make_cell(), 0, TrainingSpec())
    return outside_record(run, 1800, 360.5, 2, "from earlier records", stopped)


def test_a_stopped_run_is_found_again_by_its_key(tmp_path: Path) -> None:
    run = Run(make_cell(), 0, TrainingSpec())
    write_skipped(tmp_path, run, skipped_record(StoppedRun("k" * 16, 500.0)))
    store, rejected = read_store(tmp_path)
    assert rejected == []
    assert stopped_before(store) == {"k" * 16: 500.0}
    (item,) = store
    assert item.folder == run_folder(tmp_path, run, None)
    assert item.record.reason == (
        "stopped at the end of the budget of 30 min; a further session goes on with it"
    )
    known = item.record.outside_budget
    assert known is not None
    assert known.expected_seconds == 500  # it took longer than expected


def test_a_run_that_did_not_begin_has_no_time() -> None:
    record = skipped_record(None)
    known = record.outside_budget
    assert known is not None
    assert (known.expected_seconds, known.stopped_seconds) == (360.5, None)
    assert record.reason == "outside the budget of 30 min; a further session goes on with it"
    assert stopped_before([]) == {}


def test_a_record_of_a_run_that_trained_has_no_such_field() -> None:
    assert "outside_budget" not in make_record(make_cell()).model_dump_json()
