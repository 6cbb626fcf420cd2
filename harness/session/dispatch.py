"""Training the missing runs of a session: submitted to an executor, stored when each one ends."""

import shutil
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.executors import Executor, KilledForMemory, call
from harness.executors.local import LocalExecutor
from harness.forecast.schedule import Schedule
from harness.forecast.seconds import Sharing, Underway, seconds_left
from harness.judging.decided.stops import Stops
from harness.redaction import redact_file
from harness.session.display import State
from harness.session.lateness import Lateness
from harness.session.run_status import RunStatus
from harness.session.suite_inputs import Inputs
from harness.store import run_store
from harness.store.records import Record
from harness.store.run_store import Stored
from harness.store.stopped import at_least
from harness.suite.plan import Run
from harness.suite.spec import Suite
from harness.text import duration
from harness.training import progress

if TYPE_CHECKING:  # job imports the library `datasets`; collecting tests must not
    from collections.abc import Callable

    from harness.training.job import Job, Result

PRELOAD = ("harness.training.worker",)
"""Modules that every run imports; an executor imports them once for all runs."""

EXECUTE: "Callable[[Job], Result]" = partial(call, "harness.training.worker", "execute")
"""Executes a job in a worker; the session need not import what workers use, such as torch."""


Place = tuple[str, str, int]
"""A run's suite, cell id and seed."""


@dataclass(frozen=True)
class Missing:
    """A run that must be trained, with its inputs; `results` is its suite's results folder.

    Or a run that an earlier session stopped, and that must only train again if its cell's other
    runs leave the cell undecided: then `status` has the stored run.
    """

    status: RunStatus
    suite: Suite
    inputs: Inputs
    results: Path


@dataclass(frozen=True)
class Task:
    """A missing run, its job, its expected duration in seconds, and the future of its result."""

    missing: Missing
    job: "Job"
    expected: float
    future: "Future[Stored]"

    @property
    def place(self) -> Place:
        """Its suite, cell and seed."""
        run = self.job.run
        return run.cell.suite, run.cell.id, run.seed


def make_executor(
    suites: Sequence[Suite], device: str, sharing: Sharing, ray_address: str | None
) -> tuple[Executor, int]:
    """Return the executor that the suites require, and how many runs it trains at a time.

    Raises:
        BadInput: Ray is not available, or its cluster is too small.
    """
    if all(suite.limits.executor == "local" for suite in suites):
        return LocalExecutor(sharing.workers, preload=PRELOAD), sharing.workers
    from harness.executors.ray import RayExecutor

    number_given = any(isinstance(suite.limits.workers, int) for suite in suites)
    ray = RayExecutor(
        None if ray_address and not number_given else sharing.workers,
        cpus=sharing.threads,
        gpus=1 if device == "cuda" else 0,
        address=ray_address,
        preload=PRELOAD,
    )
    return ray, ray.workers


class Dispatch:
    """Trains runs, and stores the result of each as soon as it ends.

    Args:
        suites: the suites of the session, which name the executor.
        missing: the runs to train.
        schedule: their order, how many at a time, and how long each is expected to take.
        ray_address: the cluster to join if a suite requires Ray.
        stops: when runs may stop.
        held: stopped runs of earlier sessions, of cells with missing runs.

    Raises:
        BadInput: Ray is not available, or its cluster is too small.
    """

    def __init__(
        self,
        suites: Sequence[Suite],
        missing: Sequence[Missing],
        schedule: Schedule,
        ray_address: str | None,
        stops: Stops,
        held: Sequence[Missing] = (),
    ) -> None:
        self.schedule = schedule
        self._executor, self.workers = make_executor(
            suites, missing[0].inputs.device, schedule.sharing, ray_address
        )
        self._closing = threading.Event()
        self._ended: list[str] = []
        self._lateness = Lateness()
        self._stops = stops
        self._lock = threading.RLock()  # of the stops, and of the three collections below
        self._stopped: dict[Place, tuple[Task, Stored]] = {}  # results that may not be final
        self._repeated: dict[Place, str] = {}
        try:
            self._tasks = [
                Task(
                    missing[position],
                    self._job(missing[position]),
                    schedule.forecast.seconds[position],
                    Future(),
                )
                for position in schedule.order
            ]
            self._waiting = deque(self._tasks)
            for each in held:
                stored = each.status.stored
                assert stored is not None
                task = Task(each, self._job(each), self._expected(each.status.run), Future())
                self._stopped[task.place] = task, stored
        except BaseException:  # a Ctrl-C, too: nobody else knows the executor yet
            self._executor.close()
            raise

    @property
    def runs(self) -> dict[tuple[str, str, int], "Future[Stored]"]:
        """The `Future` of each run's result, by suite, cell and seed."""
        held = [task for task, _ in self._stopped.values()]
        return {task.place: task.future for task in (*self._tasks, *held)}

    def begin(self) -> None:
        """Submit every run; if runs may stop, as many as train at a time.

        Then one more is submitted whenever one ends: its target depends on those that ended.
        """
        for _ in range(self.workers if self._stops else len(self._tasks)):
            self._submit_next()

    def close(self) -> None:
        """Stop all runs, and return when their processes have ended."""
        self._closing.set()
        self._executor.close()
        for task in (*self._tasks, *(task for task, _ in self._stopped.values())):
            self._give_up(task)

    def _give_up(self, task: Task) -> None:
        """Cancel a run that will not end; if it was stopped before, that is its result."""
        with self._lock:
            if task.future.done():
                return
            if task.place in self._stopped:
                task.future.set_result(self._stopped[task.place][1])
            else:
                task.future.cancel()

    def state(self) -> State:
        """Return the progress of the training; see State."""
        underway: list[tuple[str, progress.Progress]] = []
        ages: list[Underway] = []
        waiting: list[float] = []
        took: list[tuple[float, float]] = []
        basis = self.schedule.forecast.basis
        with self._lock:
            stopped, repeated = dict(self._stopped), dict(self._repeated)
        again = [task for place, (task, _) in stopped.items() if place in repeated]
        for task in {task.place: task for task in (*self._tasks, *again)}.values():
            if task.future.done():
                times = None if task.future.cancelled() else task.future.result().record.times
                if times is not None:
                    took.append((task.expected, times.total))
            elif task.place in stopped and task.place not in repeated:
                continue
            elif (now := progress.read(task.job.folder)) is None:
                waiting.append(task.expected)
            else:
                underway.append((_title(task.job.run), now))
                self._lateness.note(_title(task.job.run), task.expected, now, basis)
                ages.append(Underway(task.expected, now.seconds, now.seconds_left))
        left = None
        if waiting or ages:
            left = seconds_left(waiting, ages, took, self.workers, basis is not None)
        return State(
            done=len(self._ended),
            total=len(self._tasks) + len(repeated),
            running=underway,
            ended=tuple(self._ended),
            seconds_left=left,
            late=(*self._lateness.lines.values(), *repeated.values()),
        )

    def _expected(self, run: Run) -> float:
        """Return how long a run is expected to take, from the other seeds of its cell."""
        return max(task.expected for task in self._tasks if task.job.run.cell == run.cell)

    def _job(self, missing: Missing) -> "Job":
        from harness.training.job import Job

        inputs, status = missing.inputs, missing.status
        assert inputs.source is not None  # a run that trains has all its inputs
        assert inputs.dataset is not None
        assert status.key is not None
        return Job(
            run=status.run,
            key=status.key,
            checkpoint=inputs.checkpoints[status.run.cell.checkpoint],
            source=inputs.source,
            dataset=inputs.dataset,
            folder=run_store.run_folder(missing.results, status.run, status.key),
            device=inputs.device,
            threads=self.schedule.sharing.threads,
            concurrency=self.workers,
            keep_model=missing.suite.keep_models != "none",
            trackers=missing.suite.trackers,
        )

    def _submit_next(self) -> None:
        """Submit the next waiting run, if there is one, with its target."""
        with self._lock:
            if not self._waiting or self._closing.is_set():
                return
            task = self._waiting.popleft()
            stop_at = self._stops.start(task.job.run)
        whole = task.missing.status.whole_before
        job = replace(task.job, stop_at=None if whole else stop_at)
        try:
            self._submit(task, job)
        except RuntimeError as error:  # the session is closing, or cannot start another thread
            if not self._closing.is_set():
                from harness.training.job import failure

                self._deliver(task, Stored(failure(job, error), job.folder))

    def _submit(self, task: Task, job: "Job") -> None:
        answer = self._executor.submit(EXECUTE, job, task.missing.suite.limits.run_seconds)
        answer.add_done_callback(partial(self._on_done, task, job))

    def _on_done(self, task: Task, job: "Job", answer: "Future[Result]") -> None:
        """Deliver the result of a run to its future; called in a thread of the executor."""
        from harness.training.job import describe

        try:
            record = self._store_result(task, job, answer)
        except Exception as error:  # any error must reach the test that waits
            reason = f"the session could not store the run's result: {type(error).__name__}"
            record = describe(job).model_copy(update={"reason": reason})
        if record is not None:
            self._deliver(task, Stored(record, job.folder))

    def _deliver(self, task: Task, stored: Stored) -> None:
        """Set the result of a run that ended, and those of stopped runs that its cell now decides.

        If the cell is not decided when all its runs have ended, a stopped one trains again.
        """
        run, record = task.job.run, stored.record
        ready = [(task, stored)]
        with self._lock:
            self._ended.append(_outcome(run, record))
            again = self._stops.end(record)
            self._stopped.pop(task.place, None)
            if record.stopped is not None:
                self._stopped[task.place] = ready.pop()
            if self._stops.settled(run):
                final = [place for place in self._stopped if place[:2] == task.place[:2]]
                ready += [self._stopped.pop(place) for place in final]
            elif again is not None:
                repeated, _ = self._stopped[run.cell.suite, run.cell.id, again]
                self._repeated[repeated.place] = _repetition(repeated.job.run)
                self._waiting.appendleft(repeated)
        for each, result in ready:
            each.future.set_result(result)
        self._submit_next()

    def _store_result(self, task: Task, job: "Job", answer: "Future[Result]") -> Record | None:
        """Write a run's record and return it; None if the run was cancelled or submitted again.

        The record of a failed repetition is returned, but not written.
        """
        from harness.training.job import Result, failure, in_smaller_parts

        shutil.rmtree(job.folder / "scratch", ignore_errors=True)
        progress.discard(job.folder)
        if self._closing.is_set() and (answer.cancelled() or answer.exception() is not None):
            self._give_up(task)  # killed by the session's end: counts as not run
            return None
        error = None if answer.cancelled() else answer.exception()
        if error is not None:
            redact_file(job.folder / "log.txt")  # the worker ended before it redacted its log
        if isinstance(error, KilledForMemory) and (smaller := in_smaller_parts(job)) is not None:
            try:
                self._submit(task, smaller)
                return None
            except RuntimeError:  # the session is closing, or cannot start another thread
                if self._closing.is_set():
                    self._give_up(task)
                    return None
        try:
            result = answer.result()
        except (CancelledError, Exception) as error:
            result = Result(failure(job, error), None)
        record = result.record
        # If a finished run is trained again and fails, its old record stays.
        before = task.missing.status.trained_before or task.place in self._repeated
        if record.status == "ok" or not before:
            try:
                record = run_store.write_record(job.folder, record, result.predictions)
                run_store.discard_run(run_store.run_folder(task.missing.results, job.run, None))
            except Exception as error:  # for example a full disk
                record = failure(job, error)
        return record


def _title(run: Run) -> str:
    seed = f" seed {run.seed}" if len(run.cell.seeds) > 1 else ""
    return f"{run.cell.suite}/{run.cell.id}{seed}"


def _outcome(run: Run, record: Record) -> str:
    if record.scores is None or record.times is None:
        return f"{_title(run)}: failed: {record.reason}"
    mcc, stop = f"{record.scores.mcc:.3f}", ""
    if record.stopped is not None:
        mcc, stop = at_least(record.scores.mcc), f", {record.stopped.text}"
    return f"{_title(run)}: MCC {mcc} in {duration(record.times.total)}{stop}"


def _repetition(run: Run) -> str:
    return (
        f"{_title(run)}: trains again for more epochs: another seed ended with so low an MCC that "
        "its cell is not decided"
    )
