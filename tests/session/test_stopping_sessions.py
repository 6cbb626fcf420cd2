"""Sessions that stop runs, with an executor that ends runs on demand, with given curves."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.records import predicted_record, predictions_of
from builders.small_suite import THREE_SEEDS, write_suite

from harness.executors import WorkerLost
from harness.forecast.schedule import Schedule
from harness.forecast.seconds import Forecast, Sharing, Work
from harness.judging.gates import judge
from harness.judging.leaderboard import judge_all, runs_by_cell
from harness.machine import provenance
from harness.session import dispatch as dispatching
from harness.session import session as sessions
from harness.session.options import Options, Planned
from harness.session.session import Session
from harness.store.records import Record
from harness.store.stopped import Stopped
from harness.suite.plan import make_plan
from harness.suite.spec import load_suite
from harness.training.job import Job, Result

SUITE = f"""{THREE_SEEDS}[gates]
min_mcc = 0.4
[limits]
stop = "decided"
"""

Curves = Mapping[int, Sequence[float]]
"""MCC by epoch of each seed, in steps of 0.2."""


class Curved:
    """An executor whose jobs end when the test says so; their MCCs are given."""

    def __init__(self, curves: Curves) -> None:
        self.curves = curves
        self.jobs: list[tuple[Job, Future[Any]]] = []
        self.epochs = 0

    def submit(self, function: object, job: Job, seconds: float | None = None) -> Future[Any]:
        future: Future[Any] = Future()
        self.jobs.append((job, future))
        return future

    def close(self) -> None:
        while self.jobs:
            self.jobs.pop()[1].set_exception(WorkerLost("killed"))

    def end(self, position: int = 0) -> None:
        job, future = self.jobs.pop(position)
        record = self.trained(job)
        self.epochs += len(record.epochs)
        future.set_result(Result(record, predictions_of(record)))

    def fail(self, position: int = 0) -> None:
        self.jobs.pop(position)[1].set_exception(WorkerLost("broken"))

    def trained(self, job: Job) -> Record:
        labels = np.arange(20) % 2
        epochs, stopped = [], None
        curve = self.curves[job.run.seed]
        for number, mcc in enumerate(curve, start=1):
            wrong = np.arange(20) < 2 * round((1 - mcc) * 5)
            epochs.append(np.where(wrong, 1 - labels, labels))
            if job.stop_at is not None and mcc >= job.stop_at - 1e-9 and number < len(curve):
                target = min(job.stop_at, mcc - 1e-9)  # the classes give its MCC up to rounding
                stopped = Stopped(
                    after_epoch=number, of=len(curve), because="gate met", target=target
                )
                break
        return predicted_record(
            job.run.cell,
            job.run.seed,
            labels,
            np.stack(epochs),
            training=job.run.training,
            dataset=job.dataset,
            checkpoint_digest=job.checkpoint.digest,
            versions=provenance.versions(),
            device="cpu",
            stopped=stopped,
        )


RUN_SECONDS, BUDGET = 1000.0, 1500
"""Of a run, as the forecast says, and of a session: enough for one run, not for two."""


def slowly(works: Sequence[Work], **_: object) -> Schedule:
    """Plan runs that take long, one at a time."""
    forecast = Forecast((RUN_SECONDS,) * len(works), "given")
    return Schedule(tuple(range(len(works))), Sharing(1, 1), forecast, 1.0, None, None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_suite(tmp_path_factory.mktemp("suite"), SUITE)


Start = Callable[..., tuple[Session, Curved]]


@pytest.fixture
def start(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Return a function that starts a session with given curves, and releases it afterwards."""

    def started(
        curves: Curves,
        workers: int = 1,
        text: str = SUITE,
        rerun: bool = False,
        budget: int | None = None,
    ) -> tuple[Session, Curved]:
        path = folder / "suite.toml"
        path.write_text(text, encoding="utf-8")
        suite = load_suite(path)
        planned = Planned(suite, path, tuple(make_plan(suite)))
        executor = Curved(curves)
        monkeypatch.setattr(sessions, "start_fork_server", lambda _: None)
        monkeypatch.setattr(dispatching, "make_executor", lambda *_: (executor, workers))
        if budget is not None:
            monkeypatch.setattr(sessions, "schedule", slowly)
        options = Options(tmp_path, None, rerun, replace=True, budget=budget)
        session = Session([planned], planned.cells, options)
        session.start()
        return session, executor

    return started


def finish(session: Session, executor: Curved, last_first: bool = False) -> list[Record]:
    """End all runs; return the records as the cell's test receives them."""
    while executor.jobs:
        session.state()
        executor.end(-1 if last_first else 0)
    (planned,) = session.planned
    found = session.wait(planned.cells, lambda: None)
    assert session.state().seconds_left is None
    session.close()
    session.release()
    return found


def verdict(session: Session, found: Sequence[Record]) -> str | None:
    return judge(session.planned[0].cells[0], found).verdict


GOOD = {1: (0.6, 0.6, 0.6), 2: (0.4, 0.6, 0.6), 3: (0.2, 0.4, 0.4)}
MIXED = {1: (0.4, 0.6, 0.8), 2: (0.4, 0.4, 0.4), 3: (0.2, 0.2, 0.2)}


def test_later_seeds_need_less_and_the_cell_passes(start: Start) -> None:
    session, executor = start(GOOD)
    assert len(executor.jobs) == 1  # the others are submitted when their targets are known
    found = finish(session, executor)
    assert [record.stopped is not None for record in found] == [True] * 3
    assert executor.epochs == 3
    assert verdict(session, found) == "pass"


@pytest.mark.parametrize("last_first", [False, True])
@pytest.mark.parametrize("workers", [2, 3])
def test_any_order_of_ends_gives_the_verdict_of_whole_runs(
    start: Start, workers: int, last_first: bool
) -> None:
    for curves, expected in ((GOOD, "pass"), (MIXED, "pass")):
        session, executor = start(curves, workers, rerun=True)
        found = finish(session, executor, last_first)
        assert verdict(session, found) == expected


def test_a_cell_that_a_low_seed_leaves_undecided_trains_a_stopped_seed_again(start: Start) -> None:
    session, executor = start(MIXED)
    executor.end()
    executor.end()
    executor.end()
    assert [job.run.seed for job, _ in executor.jobs] == [1]
    assert any("trains again for more epochs" in line for line in session.state().late)
    assert session.state().total == 4
    found = finish(session, executor)
    assert verdict(session, found) == "pass"
    assert [record.seed for record in found if record.stopped is not None] == [1, 2]


def test_a_cell_below_its_gate_ends_with_whole_runs_and_fails(start: Start) -> None:
    curves = {1: (0.4, 0.4, 0.4), 2: (0.4, 0.4, 0.4), 3: (0.2, 0.2, 0.2)}
    session, executor = start(curves)
    found = finish(session, executor)
    assert [record.stopped for record in found] == [None] * 3
    assert verdict(session, found) == "fail"


def test_a_run_that_fails_ends_the_cell(start: Start) -> None:
    session, executor = start(GOOD, workers=3)
    executor.end()
    executor.fail()
    found = finish(session, executor)
    assert [record.status for record in found] == ["ok", "failed", "ok"]
    assert verdict(session, found) == "fail"


def test_a_repetition_that_fails_keeps_the_stopped_run(start: Start, tmp_path: Path) -> None:
    session, executor = start(MIXED)
    for _ in range(3):
        executor.end()
    executor.fail()
    found = finish(session, executor)
    assert found[0].status == "failed"
    kept = Record.model_validate_json(
        next((tmp_path / "tiny" / "runs").glob("*/seed-1-*/record.json")).read_bytes()
    )
    assert kept.stopped is not None


def test_an_interrupted_session_keeps_its_stopped_runs_and_the_next_goes_on(start: Start) -> None:
    session, executor = start(GOOD)
    executor.end()
    session.close()
    session.close()
    stored = session.stored(session.planned[0])
    assert [item.record.seed for item in stored] == [1]
    assert stored[0].record.stopped is not None
    session.release()
    session, executor = start(GOOD)
    assert session.counts["tiny"]["finished"] == 1
    found = finish(session, executor)
    assert executor.epochs == 2
    assert verdict(session, found) == "pass"


def test_an_interrupted_repetition_leaves_the_stopped_run_as_the_result(start: Start) -> None:
    session, executor = start(MIXED)
    for _ in range(3):
        executor.end()
    session.close()
    found = [item.record for item in session.stored(session.planned[0])]
    assert [record.seed for record in found] == [1, 2, 3]
    assert found[0].stopped is not None
    assert verdict(session, found) == "not-enough-evidence"
    session.release()


def test_a_stopped_run_of_an_earlier_session_trains_again_if_others_leave_it_undecided(
    start: Start,
) -> None:
    session, executor = start(MIXED)
    executor.end()
    session.close()
    session.release()
    session, executor = start(MIXED)
    assert session.counts["tiny"]["finished"] == 1
    executor.end()
    executor.end()
    assert [job.run.seed for job, _ in executor.jobs] == [1]
    assert verdict(session, finish(session, executor)) == "pass"


def test_a_stopped_run_answers_a_lower_threshold_and_no_higher_one(start: Start) -> None:
    session, executor = start(GOOD)
    finish(session, executor)
    for least, missing in (("0.3", 0), ("0.5", 2)):
        text = SUITE.replace("min_mcc = 0.4", f"min_mcc = {least}")
        session, executor = start(GOOD, text=text)
        assert session.counts["tiny"]["to train"] == missing
        session.close()
        session.release()


def test_a_session_that_does_not_stop_trains_whole_runs(start: Start) -> None:
    session, executor = start(GOOD)
    finish(session, executor)
    never = SUITE.replace('"decided"', '"never"')
    session, executor = start(GOOD, text=never)
    assert session.counts["tiny"]["to train"] == 3
    assert len(executor.jobs) == 3  # all at once, as there is no target to wait for
    found = finish(session, executor)
    assert [record.stopped for record in found] == [None] * 3
    session, executor = start(GOOD)
    assert session.counts["tiny"]["finished"] == 3
    session.close()
    session.release()


def test_a_budget_that_leaves_a_stopped_run_out_is_the_reason_of_its_record(start: Start) -> None:
    """The stopped run is no result of a session that does not stop runs."""
    session, executor = start(GOOD)
    finish(session, executor)
    never = SUITE.replace('"decided"', '"never"')
    session, executor = start(GOOD, text=never, budget=BUDGET)
    assert session.counts["tiny"]["outside the budget"] == 2
    assert [job.run.seed for job, _ in executor.jobs] == [1]
    found = finish(session, executor)
    assert [record.status for record in found] == ["ok", "skipped", "skipped"]
    assert [record.stopped for record in found] == [None] * 3
    assert all(record.outside_budget is not None for record in found[1:])
    assert [cell.id for cell in session.outside_budget()] == ["encoder-bs8-lr1e-03"]


def test_a_run_in_place_of_a_stopped_one_is_as_informative_as_a_new_one(start: Start) -> None:
    """Seeds 1 and 2 were stopped by an earlier session, and nothing is known of seed 3."""
    session, executor = start(GOOD)
    executor.end()
    executor.end()
    session.close()
    session.release()
    session, executor = start(GOOD, text=SUITE.replace('"decided"', '"never"'), budget=BUDGET)
    assert [job.run.seed for job, _ in executor.jobs] == [1]
    finish(session, executor)


def test_a_stopped_run_that_looks_do_not_need_changes_no_verdict(start: Start) -> None:
    """The table of a session by looks has the verdict of its tests: pass, after two seeds."""
    session, executor = start(GOOD)
    finish(session, executor)
    by_looks = SUITE.replace('stop = "decided"', "looks = [2, 3]")
    by_looks = by_looks.replace("min_mcc = 0.4", 'min_mcc = 0.4\nstatistic = "lower-bound"')
    session, executor = start(dict.fromkeys(GOOD, (1.0, 1.0, 1.0)), text=by_looks)
    found = finish(session, executor)
    cells = session.planned[0].cells
    standing = session.standings("tiny")[cells[0].id]
    assert ([record.seed for record in found], standing.most) == ([1, 2], 2)
    assert judge(cells[0], found, standing=standing).verdict == "pass"
    shown = runs_by_cell(cells, [item.record for item in session.stored(session.planned[0])])
    assert judge_all(cells, shown)[cells[0].id].verdict == "pass"


def test_a_whole_run_stays_whole_when_it_trains_again(start: Start) -> None:
    session, executor = start(GOOD, text=SUITE.replace('"decided"', '"never"'))
    finish(session, executor)
    session, executor = start(GOOD, rerun=True)
    assert {job.stop_at for job, _ in executor.jobs} == {None}
    assert [record.stopped for record in finish(session, executor)] == [None] * 3


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("epochs = 3", 'epochs = 3\nselection = "last-epoch"', "last-epoch"),
        ("min_mcc = 0.4", "min_mcc = 0.4\nmax_train_seconds = 9", "gates.max_train_seconds"),
        ("min_mcc = 0.4", "", "no gate requires an MCC"),
    ],
)
def test_a_session_says_why_it_stops_nothing(start: Start, old: str, new: str, reason: str) -> None:
    session, executor = start(GOOD, text=SUITE.replace(old, new))
    assert {job.stop_at for job, _ in executor.jobs} == {None}
    assert len(executor.jobs) == 3
    (note,) = (note for note in session.notes if "--stop decided stops no run" in note)
    assert reason in note
    session.close()
    session.release()
