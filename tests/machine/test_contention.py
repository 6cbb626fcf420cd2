"""What other programs take of the cores is seen, and a run's threads are as many as they leave."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest
from builders.jobs import execute_ok, file_spec, make_job, sentences, write_rows
from builders.records import make_cell, make_record
from builders.tiny_checkpoints import make_checkpoint

from harness.machine import contention, provenance
from harness.machine.contention import (
    Contention,
    Moment,
    Watch,
    between,
    load_message,
    now,
    threads_left,
    wanted,
    wanted_then,
)
from harness.store.records import Record


@contextlib.contextmanager
def busy_programs(count: int) -> Iterator[list[int]]:
    """Keep cores busy, each with a program of its own; yield their process numbers."""
    with contextlib.ExitStack() as stack:
        started = []
        for _ in range(count):
            process = stack.enter_context(
                subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])
            )
            stack.callback(process.kill)
            started.append(process.pid)
        yield started


def test_other_programs_are_seen_and_this_one_is_not_one_of_them() -> None:
    cores = provenance.available_cores()
    before = now()
    with busy_programs(cores):
        time.sleep(1)
        others = between(before, now())
    assert others is not None
    assert 0.7 * cores < others <= 1.1 * cores  # whatever else goes on, all cores are at work
    before, began, until = now(), time.process_time(), time.monotonic() + 0.5
    while time.monotonic() < until:
        pass
    after = now()
    assert before is not None
    assert after is not None
    assert after.own - before.own == pytest.approx(time.process_time() - began, abs=0.05)


def test_a_process_of_the_family_is_ours_and_stays_ours_when_it_has_ended() -> None:
    before = now(os.getpid())
    with busy_programs(1) as (pid,):
        time.sleep(0.5)
        used = sum(psutil.Process(pid).cpu_times()[:2])
        during = now(os.getpid())
    after = now(os.getpid())
    assert before is not None
    assert during is not None
    assert after is not None
    assert during.own - before.own >= used - 0.02
    assert after.own >= during.own - 1e-6  # sums of the same numbers in another order


def test_a_time_too_short_to_count_tells_nothing() -> None:
    assert between(Moment(5, 50, 10), Moment(5.1, 50.4, 10.1)) is None
    assert between(None, Moment(5, 50, 10)) is None
    assert between(Moment(5, 50, 10), None) is None
    assert between(Moment(5, 50, 10), Moment(7, 55, 12)) == 1.5
    assert between(Moment(5, 50, 10), Moment(7, 50, 12)) == 0.0
    assert between(Moment(5, 50, 10), Moment(7, 55, 4)) is None  # a run's time was forgotten


def test_cores_that_are_numbered_otherwise_are_counted_or_nothing_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4, 5}, raising=False)
    seen = psutil.cpu_times(percpu=True)[0]
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: [seen, seen])
    found = now()
    assert found is not None
    assert found.busy == pytest.approx(2 * (sum(seen) - seen.idle - seen.iowait), rel=0.01)
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: [seen] * 3)
    assert now() is None


@pytest.mark.parametrize(
    ("threads", "workers", "cores", "others", "left"),
    [
        (2, 1, 2, 0.0, 2),
        (2, 1, 2, 0.3, 2),  # a core of which others use less than a third
        (2, 1, 2, 0.5, 1),  # as a busy program does that shares a core with a thread of the run
        (2, 1, 2, 1.0, 1),
        (2, 1, 2, 9.0, 1),
        (4, 1, 4, 1.0, 3),
        (4, 1, 4, 1.3, 3),
        (4, 1, 4, 2.0, 2),
        (2, 2, 4, 0.0, 2),
        (2, 2, 4, 1.0, 1),
        (1, 2, 2, 2.0, 1),
        (2, 3, 2, 0.0, 2),  # more runs than cores, as the user asked for, and no other program
        (16, 1, 16, 4.0, 12),
        (2, 32, 64, 0.9, 2),  # one busy program does not halve 32 runs
        (2, 8, 16, 0.5, 2),
    ],
)
def test_threads_are_left_for_the_cores_that_nobody_takes(
    threads: int, workers: int, cores: int, others: float, left: int
) -> None:
    assert threads_left(threads, workers, cores, others) == left


def watched(threads: int, cores: int, loads: list[float]) -> list[int]:
    """Return the threads that a lone run takes, looking every second at such loads."""
    moments = [Moment(0.0, 0.0, 0.0)]
    for load in loads:
        last = moments[-1]
        moments.append(Moment(last.time + 1, last.busy + load + threads, last.own + threads))
    readings = iter(moments)
    time = iter([moment.time for moment in moments[1:]])
    watch = Watch(threads, 1, cores, lambda: next(readings), lambda: next(time))
    return [watch.look() for _ in loads]


@pytest.mark.parametrize(
    ("threads", "cores", "loads", "taken"),
    [
        (2, 2, [0, 0, 0], [2, 2, 2]),
        (2, 2, [0, 1, 1, 0, 0, 0, 0], [2, 1, 1, 1, 1, 2, 2]),  # it comes and goes
        (2, 2, [1, 0, 0, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1, 2]),  # it only seemed to be gone
        (4, 4, [1, 2, 2, 0, 0, 0], [3, 2, 2, 2, 2, 4]),
        (4, 4, [9, 9, 1, 1, 1, 0], [1, 1, 1, 1, 3, 3]),
        (1, 2, [2, 0, 2], [1, 1, 1]),
    ],
)
def test_a_core_is_given_up_at_once_and_taken_back_when_it_stays_free(
    threads: int, cores: int, loads: list[float], taken: list[int]
) -> None:
    assert watched(threads, cores, loads) == taken


def test_what_was_seen_a_moment_ago_is_not_looked_at_again() -> None:
    readings = iter([Moment(0, 0, 0), Moment(0.5, 1.5, 0.5)])
    watch = Watch(2, 1, 2, lambda: next(readings), lambda: 0.5)
    assert watch.look() == 2
    assert watch.others is None
    assert watch.look(at_once=True) == 1  # the first decision of a run waits for nothing
    assert watch.others == 2.0


def test_a_system_that_tells_nothing_leaves_the_threads_as_they_are() -> None:
    watch = Watch(2, 1, 2, lambda: None)
    assert (watch.look(), watch.look(at_once=True), watch.others) == (2, 2, None)


@pytest.mark.parametrize(
    ("others", "text"),
    [
        (None, None),
        (0.2, None),
        (1.04, "other programs keep 1.0 of 2 cores busy"),
        (2.2, "other programs keep 2.0 of 2 cores busy"),
    ],
)
def test_a_load_is_told_where_there_is_one(others: float | None, text: str | None) -> None:
    assert load_message(others, 2) == text


def test_programs_that_wait_for_a_core_count_where_all_are_busy() -> None:
    assert wanted(None, 4) is None
    assert wanted(1.5, 4) == 1.5
    waiting = os.getloadavg()[0]
    assert wanted(0.001, 10**6) == 0.001
    assert wanted(0.001, 0) == pytest.approx(max(0.001, waiting), abs=1.0)


@pytest.mark.parametrize(
    ("others", "own", "threads", "workers", "cores", "then"),
    [
        (0.1, 1.9, 2, 1, 2, 0.1),
        (1.0, 1.0, 1, 1, 2, 1.0),
        (1.33, 0.67, 1, 1, 2, 1.99),  # two others: three programs on two cores
        (1.8, 0.2, 1, 1, 2, 9.0),
        (1.0, 0.5, 1, 2, 2, 2.0),  # two runs beside two others
        (3.0, 0.98, 1, 1, 16, 3.0),  # cores are left, so nobody waits
        (2.0, 0.0, 1, 1, 2, 2.0),
    ],
)
def test_what_a_run_got_tells_how_many_others_there_were(
    others: float, own: float, threads: int, workers: int, cores: int, then: float
) -> None:
    found = Contention(other_programs=others, own_cores=own, fewest_threads=threads)
    assert wanted_then(found, workers, cores) == pytest.approx(then, abs=0.01)


@pytest.mark.parametrize(("given", "used"), [(None, "passive"), ("active", "active")])
def test_threads_wait_passively_unless_the_user_says_otherwise(
    given: str | None, used: str
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {} if given is None else {"OMP_WAIT_POLICY": given}
    program = (
        "import os; from harness.machine.contention import wait_passively; "
        "wait_passively(); print(os.environ['OMP_WAIT_POLICY'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == used


@pytest.mark.parametrize(
    ("loads", "fewest"),
    [
        ((True, False), 2),  # cores were busy in the attempt that failed only
        ((True, True, False), 2),
        ((False, True), 1),
        ((True, True), 1),
        ((True,), 1),
    ],
)
def test_the_threads_of_an_attempt_that_ran_out_of_memory_are_forgotten(
    loads: tuple[bool, ...], fewest: int
) -> None:
    """Each load is that before an attempt: whether other programs keep all cores busy."""
    import torch

    from harness.training.yielding import Yielding

    cores, before = provenance.available_cores(), torch.get_num_threads()
    moments = [Moment(0, 0, 0)]
    for load in loads:
        moments.append(Moment(moments[-1].time + 1, moments[-1].busy + cores * load, 0))
    ended = Moment(moments[-1].time + 1, moments[-1].busy, 0)
    readings = iter([moments[0], *(moment for moment in moments[1:] for _ in range(2)), ended])
    yielding = Yielding(2, 1, lambda: next(readings))
    try:
        for _ in loads:
            yielding.on_train_begin()
        yielding.on_train_end()
    finally:
        torch.set_num_threads(before)
    found = yielding.contention()
    assert found is not None
    assert (found.fewest_threads, found.other_programs) == (fewest, 0.0)


@pytest.mark.parametrize(("busy_before", "threads"), [(0, 2), (1, 1)])
def test_threads_are_set_once_after_training_and_the_load_since_then_is_known(
    busy_before: int, threads: int
) -> None:
    import torch

    from harness.training.yielding import Yielding

    cores, before = provenance.available_cores(), torch.get_num_threads()
    load = cores * busy_before
    # When the run begins, when its threads are set (read twice), and 2 s later.
    moments = [Moment(0, 0, 0), Moment(1, load, 0), Moment(1, load, 0), Moment(3, load + 1, 0)]
    readings = iter(moments)
    yielding = Yielding(2, 1, lambda: next(readings))
    try:
        others = yielding.hold()
        assert torch.get_num_threads() == threads
        assert others() == 0.5  # of a core: one second of two
    finally:
        torch.set_num_threads(before)


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """Return the record of a run of two threads beside a busy program a core."""
    folder = tmp_path_factory.mktemp("beside")
    rows = write_rows(folder / "rows.csv", sentences(320), [n * 7 % 13 % 2 for n in range(320)])
    checkpoint = make_checkpoint("bert", folder / "bert")
    job = replace(make_job(checkpoint, file_spec(rows), folder, batch_size=4), threads=2)
    with busy_programs(provenance.available_cores()):
        record, _ = execute_ok(job)
    return record


def test_a_run_beside_busy_programs_trains_in_one_thread_and_says_so(beside: Record) -> None:
    assert beside.threads == 2
    assert beside.contention is not None
    assert beside.contention.fewest_threads == 1
    assert beside.contention.other_programs > contention.TAKEN
    assert 0 < beside.contention.own_cores < 1.1  # one thread's
    assert beside.serving is not None
    assert beside.serving.threads == 1


def test_a_record_keeps_what_other_programs_took_and_an_older_one_has_no_such_field(
    beside: Record,
) -> None:
    assert Record.model_validate_json(beside.model_dump_json()) == beside
    older = make_record(make_cell())
    assert "contention" not in older.model_dump_json()
    with pytest.raises(ValueError, match="other_programs"):
        Contention(other_programs=-0.1, own_cores=1.0, fewest_threads=1)


def test_a_sum_in_another_order_is_not_taken_for_time_that_was_dropped() -> None:
    before = contention.Moment(time=10.0, busy=20.0, own=383.47)
    after = contention.Moment(time=12.0, busy=22.0, own=383.46999999999997)
    assert contention.between(before, after) == pytest.approx(1.0)
    assert contention.between(before, contention.Moment(12.0, 22.0, 383.0)) is None
