"""Forecasts follow from earlier records where there are any, else from arithmetic and a probe."""

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders.records import COLA, digest, make_cell, make_record
from builders.tiny_checkpoints import make_checkpoint
from hypothesis import given
from hypothesis import strategies as st

from harness.forecast.schedule import describe, schedule
from harness.forecast.seconds import (
    Sharing,
    Underway,
    Work,
    core_share,
    forecast,
    gemm_flops_per_second,
    makespan,
    seconds_left,
)
from harness.forecast.workload import Tokens
from harness.machine import provenance
from harness.machine.contention import Contention
from harness.store.records import Record, Times
from harness.suite.spec import TrainingSpec
from harness.suite.training import Speedup
from harness.training.progress import Progress

ALONE = Sharing(workers=1, threads=provenance.available_cores())
DURATIONS = st.lists(st.floats(0.1, 1000), min_size=1, max_size=8)


def make_work(folder: Path | str = "unused", **changes: Any) -> Work:
    fields: dict[str, Any] = {
        "checkpoint_digest": digest(make_cell().checkpoint),
        "checkpoint_folder": str(folder),
        "fingerprint": COLA.fingerprint,
        "sentences": (8551, 1043),
        "tokens": Tokens(96_000, 12_000, 0, 52),
        "batch_size": 16,
        "training": TrainingSpec(epochs=2),
        "device": "cpu",
    }
    return Work(**{**fields, **changes})


def recorded(train: float, total: float, sharing: Sharing = ALONE, **changes: Any) -> Record:
    """Return the record of a run of two epochs on this machine."""
    fields: dict[str, Any] = {
        "training": TrainingSpec(epochs=2),
        "times": Times(load=1, tokenise=1, train=train, evaluate=1, total=total),
        "machine": provenance.machine(),
        "concurrency": sharing.workers,
        "threads": sharing.threads,
        "device": "cpu",
    }
    return make_record(make_cell(), **{**fields, **changes})


def test_a_like_run_is_expected_to_take_what_the_earlier_ones_took() -> None:
    earlier = [recorded(100, 103), recorded(110, 115), recorded(400, 404)]
    told = forecast([make_work()], ALONE, earlier)
    assert told.seconds == pytest.approx((110 + 4,))
    assert told.basis == "from earlier records"


def test_training_time_grows_with_the_epochs_and_overhead_does_not() -> None:
    work = make_work(training=TrainingSpec(epochs=6))
    assert forecast([work], ALONE, [recorded(100, 103)]).seconds == pytest.approx((300 + 3,))


def test_the_nearest_batch_size_tells() -> None:
    earlier = [recorded(100, 100, batch_size=8), recorded(60, 60, batch_size=64)]
    assert forecast([make_work(batch_size=32)], ALONE, earlier).seconds == pytest.approx((60,))


def test_a_pace_of_another_sharing_is_converted() -> None:
    two = Sharing(workers=2 * provenance.available_cores(), threads=1)
    (alone,) = forecast([make_work()], ALONE, [recorded(100, 100)]).seconds
    (beside,) = forecast([make_work()], two, [recorded(100, 100)]).seconds
    cores = provenance.available_cores()
    assert beside / alone == pytest.approx(core_share(ALONE, cores) / core_share(two, cores))


def test_two_single_threaded_runs_beat_one_of_two_threads_by_the_measured_factor() -> None:
    beside, alone = core_share(Sharing(2, 1), 2), core_share(Sharing(1, 2), 2)
    assert 2 * beside / alone == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize(
    "other",
    [
        {"checkpoint_digest": "e" * 64},
        {"device": "cuda"},
        {"machine": provenance.machine().model_copy(update={"processor": "another"})},
    ],
)
def test_runs_of_another_checkpoint_device_or_processor_tell_nothing(
    other: dict[str, Any], tmp_path: Path
) -> None:
    work = make_work(make_checkpoint("bert", tmp_path / "bert"))
    told = forecast([work], ALONE, [recorded(1e6, 1e6, **other)])
    assert told.seconds[0] < 1e5
    assert told.basis == "from a FLOP count and a probe"


def test_speed_ups_shorten_the_time_of_a_run_without_records(tmp_path: Path) -> None:
    tokens = Tokens(96_000_000, 12_000_000, 0, 52)  # so many that starting takes no share
    work = make_work(make_checkpoint("bert", tmp_path / "bert"), tokens=tokens)
    chosen: list[tuple[Speedup, ...]] = [(), ("packing",), ("compiled-layers", "packing")]
    works = [replace(work, training=TrainingSpec(epochs=2, speedups=names)) for names in chosen]
    padded, packed, compiled = forecast(works, ALONE, []).seconds
    assert padded > packed > compiled > padded / 4


def test_both_sources_are_named_where_both_are_used(tmp_path: Path) -> None:
    unknown = make_work(make_checkpoint("bert", tmp_path / "bert"), checkpoint_digest="e" * 64)
    told = forecast([make_work(), unknown, make_work()], ALONE, [recorded(100, 100)])
    assert told.basis == "from earlier records and a FLOP count and a probe"
    assert told.seconds[0] == told.seconds[2] == pytest.approx(100)


def test_a_larger_checkpoint_is_expected_to_take_longer(tmp_path: Path) -> None:
    work = make_work(make_checkpoint("bert", tmp_path / "bert"))
    longer = make_work(work.checkpoint_folder, tokens=Tokens(960_000, 12_000, 0, 52))
    for device in ("cpu", "cuda"):
        short, long = forecast(
            [
                make_work(work.checkpoint_folder, device=device),
                make_work(work.checkpoint_folder, device=device, tokens=longer.tokens),
            ],
            ALONE,
            [],
        ).seconds
        assert long > short


def test_a_gpu_without_records_has_an_order_and_no_seconds(tmp_path: Path) -> None:
    work = make_work(make_checkpoint("bert", tmp_path / "bert"), device="cuda")
    assert forecast([work], ALONE, []).basis is None


def test_the_probe_is_a_rate_of_arithmetic() -> None:
    assert 1e8 < gemm_flops_per_second() < 1e15


@given(seconds=DURATIONS, workers=st.integers(1, 4))
def test_the_makespan_lies_between_a_fair_share_and_everything(
    seconds: list[float], workers: int
) -> None:
    end = makespan(seconds, workers)
    assert max(sum(seconds) / workers, *seconds, 0) <= end * (1 + 1e-9)
    assert end <= sum(seconds) * (1 + 1e-9)
    assert workers > 1 or end == pytest.approx(sum(seconds))


def test_the_makespan_is_that_of_a_queue() -> None:
    assert makespan([5, 4, 3, 3], 2) == 8  # 5 + 3 beside 4 + 3
    assert makespan([5, 4, 3, 3], 2, busy=[10, 1]) == 13  # 1 + 5 + 4 + 3, then 3 at 10
    assert makespan([], 2) == 0


@given(seconds=DURATIONS)
def test_longest_first_ends_no_later_than_a_third_above_any_order(seconds: list[float]) -> None:
    # Graham, "Bounds on Multiprocessing Timing Anomalies" (1969), theorem 2.
    seconds = seconds[:5]
    best = min(makespan(order, 2) for order in itertools.permutations(seconds))
    longest_first = makespan(sorted(seconds, reverse=True), 2)
    assert longest_first <= best * (4 / 3 - 1 / 6) * (1 + 1e-9)


def test_the_time_left_is_mended_by_what_is_seen() -> None:
    assert seconds_left([10, 10], [], [], workers=1, absolute=True) == 20
    assert seconds_left([10, 10], [], [(10, 30)], workers=1, absolute=True) == 60
    half_done = Underway(expected=10, seconds=20, left=20)
    assert seconds_left([10], [half_done], [], workers=1, absolute=True) == 20 + 40
    begun = Underway(expected=10, seconds=4, left=None)
    assert seconds_left([], [begun], [], workers=1, absolute=True) == 6


def test_the_time_left_does_not_repeat_a_run_s_slow_start() -> None:
    now = Progress(50, step=101, steps=201, first_step=1, first_seconds=30)
    assert now.seconds_left == 20  # not 50
    run = Underway(expected=70, seconds=50, left=now.seconds_left)
    assert seconds_left([70], [run], [], workers=1, absolute=True) == 20 + 70
    for early in (
        replace(now, step=1),  # no step after the first
        replace(now, step=11),  # 10 of 201 steps
        replace(now, seconds=34),  # 4 seconds
        Progress(50),
    ):
        assert early.seconds_left is None


def test_without_seconds_nothing_is_said_until_something_is_seen() -> None:
    assert seconds_left([1, 1], [], [], workers=1, absolute=False) is None
    assert seconds_left([1, 1], [], [(1, 50)], workers=1, absolute=False) == 100


def test_the_longest_run_goes_first_and_workers_are_no_more_than_runs() -> None:
    works = [make_work(training=TrainingSpec(epochs=n)) for n in (1, 3, 2)]
    plan = schedule(works, 8, [recorded(100, 100)])
    assert plan.order == (1, 2, 0)
    assert plan.sharing.workers == 3


def test_workers_are_bounded_by_memory_unless_the_user_says_how_many() -> None:
    huge = recorded(100, 100, peak_memory_mb=1e9)
    works = [make_work()] * 4
    assert schedule(works, None, [huge]).sharing.workers == 1
    asked = schedule(works, 4, [huge])
    assert asked.sharing.workers == 4
    assert "may not fit" in describe(asked, 4)


def test_what_is_planned_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    plan = schedule([make_work()] * 4, 2, [recorded(100, 100, Sharing(2, 1), peak_memory_mb=512.0)])
    share = max(1, provenance.available_cores() // 2)
    assert plan.sharing == Sharing(2, share)
    line = describe(plan, 2)
    assert line.startswith("runs at a time: 2, about 0.5 GB of memory each of ")
    assert "GB free; expected to take about " in line
    assert ", not counting start-up and tables (from" in line
    assert line.endswith("(from earlier records)")


def test_a_gpus_runs_go_one_at_a_time_unless_the_user_says_otherwise(tmp_path: Path) -> None:
    work = make_work(make_checkpoint("bert", tmp_path / "bert"), device="cuda")
    plan = schedule([work] * 3, None, [])
    assert plan.sharing.workers == 1
    assert "no earlier record from which to predict" in describe(plan, 1)
    assert schedule([work] * 3, 2, []).sharing.workers == 2


@pytest.mark.parametrize(
    ("variable", "most"),
    [("1", 1), ("2,1", 2), (" 3 ", 3), ("", 64), ("0", 64), ("-1", 64), ("many", 64)],
)
def test_a_run_takes_no_more_threads_than_the_user_allows(
    variable: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    monkeypatch.setattr(provenance, "available_cores", lambda: 64)
    assert schedule([make_work()], None, [recorded(100, 100)]).sharing == Sharing(1, most)


@pytest.mark.parametrize(
    ("sharing", "cores", "others", "share"),
    [
        # Cores' work that one run gets, of all cores' work together.
        (Sharing(1, 2), 2, 0.0, math.sqrt(2) / 2),  # measured, see core_share
        (Sharing(1, 2), 2, 1.0, 1 / 2),  # one thread, on the core that is left
        (Sharing(1, 2), 2, 2.0, 1 / 3),  # three on two cores: two thirds of a core
        (Sharing(2, 1), 2, 1.0, 1 / 3),
        (Sharing(2, 1), 4, 1.0, 1 / 4),  # there is a core for everybody
    ],
)
def test_other_programs_take_their_share_of_the_cores(
    sharing: Sharing, cores: int, others: float, share: float
) -> None:
    assert core_share(sharing, cores, others) == pytest.approx(share)


def test_a_run_beside_other_programs_is_expected_to_take_longer(tmp_path: Path) -> None:
    cores = provenance.available_cores()
    unknown = make_work(
        make_checkpoint("bert", tmp_path / "bert"),
        checkpoint_digest="e" * 64,
        tokens=Tokens(10**9, 12_000, 0, 52),  # so many that the start of a run counts for nothing
    )
    for work, earlier in ((make_work(), [recorded(100, 100)]), (unknown, [])):
        quiet = forecast([work], ALONE, earlier, others=0.1)
        busy = forecast([work], ALONE, earlier, others=float(cores))
        assert busy.seconds[0] > 1.2 * quiet.seconds[0]
        assert quiet.basis is not None
        assert "other programs" not in quiet.basis
        assert busy.basis is not None
        assert busy.basis.endswith(f"while other programs keep {cores}.0 of {cores} cores busy")


@pytest.mark.parametrize(
    ("others", "own"),
    [
        (1.0, 1.0),  # a core for everybody, if there are two
        (1.8, 0.2),  # a ninth program among eight: each gets a quarter of what it wants
    ],
)
def test_the_load_under_which_an_earlier_run_was_trained_is_taken_into_account(
    others: float, own: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "available_cores", lambda: 2)
    load = Contention(other_programs=others, own_cores=own, fewest_threads=1)
    machine = provenance.machine().model_copy(update={"cores": 2})
    sharing = Sharing(1, 2)
    earlier = [recorded(100, 100, sharing, contention=load, machine=machine)]
    wanted = 2 / own - 1  # programs beside the run, of which each gets `own` cores
    (same,) = forecast([make_work()], sharing, earlier, wanted).seconds
    (quiet,) = forecast([make_work()], sharing, earlier, 0.0).seconds
    assert same == pytest.approx(100)
    # Two threads are the square root of two times as fast as one, and one had `own` of a core.
    assert quiet == pytest.approx(100 * own / math.sqrt(2))
