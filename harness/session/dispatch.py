"""Training the missing runs of a session: submitted to an executor, stored when each one ends."""

import contextlib
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.executors import Executor, KilledForMemory, WorkerLost, call
from harness.executors.local import LocalExecutor
from harness.forecast.schedule import Schedule
from harness.forecast.seconds import Sharing, Underway, correction, seconds_left
from harness.redaction import redact_file
from harness.session.budget.deadline import Deadline, Limit
from harness.session.budget.outside import StoppedRun, outside_record
from harness.session.display import State
from harness.session.lateness import Lateness
from harness.session.looks.needed import RunId, run_id
from harness.session.looks.turns import Turns
from harness.session.run_status import RunStatus
from harness.session.suite_inputs import Inputs
from harness.store import run_store
from harness.store.records import Record
from harness.store.run_store import Stored
from harness.suite.plan import Run
from harness.suite.spec import Suite
from harness.text import duration
from harness.training import progress

if TYPE_CHECKING:  # job imports the library `datasets`; collecting tests must not
    from collections.abc import Callable

    from harness.session.looks.needed import Needs
    from harness.training.job import Job, Result

PRELOAD = ("harness.training.worker",)
"""Modules that every run imports; an executor imports them once for all runs."""

EXECUTE: "Callable[[Job], Result]" = partial(call, "harness.training.worker", "execute")
"""Executes a job in a worker; the session need not import what workers use, such as torch."""


@dataclass(frozen=True)
class Missing:
    """A run that must be trained, with its inputs; `results` is its suite's results folder.

    `earlier` is its result of an earlier session, if it trains again.
    """

    status: RunStatus
    suite: Suite
    inputs: Inputs
    results: Path
    earlier: Stored | None = None


@dataclass(frozen=True)
class Task:
    """A missing run, its job, its expected duration in seconds, and the future of its result."""

    missing: Missing
    job: "Job"
    expected: float
    future: "Future[Stored]"


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
        needs: returns which runs are needed according to the results so far; by default all are.
        limit: when the training ends, if the session has a budget.

    Raises:
        BadInput: Ray is not available, or its cluster is too small.
    """

    def __init__(
        self,
        suites: Sequence[Suite],
        missing: Sequence[Missing],
        schedule: Schedule,
        ray_address: str | None,
        needs: "Callable[[], Needs] | None" = None,
        limit: Limit | None = None,
    ) -> None:
        self.schedule = schedule
        self._limit = limit
        self._deadline: Deadline | None = None
        self._answers: dict[Future[Stored], Future[Result]] = {}
        self._stopped: dict[Future[Stored], tuple[Task, progress.Progress]] = {}
        self._left_out: set[Future[Stored]] = set()
        self._executor, self.workers = make_executor(
            suites, missing[0].inputs.device, schedule.sharing, ray_address
        )
        self._closing, self._stopping = threading.Event(), threading.Event()
        self._ended: list[str] = []
        self._lateness = Lateness()
        self.turns = Turns(needs)
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
        except BaseException:  # a Ctrl-C, too: nobody else knows the executor yet
            self._executor.close()
            raise

    @property
    def runs(self) -> dict[tuple[str, str, int], "Future[Stored]"]:
        """The `Future` of each run's result, by suite, cell and seed."""
        runs = ((task.job.run, task.future) for task in self._tasks)
        return {(run.cell.suite, run.cell.id, run.seed): future for run, future in runs}

    def begin(self) -> None:
        """Submit every run that is needed now; the others follow when results need them."""
        with self.turns.lock:
            if self._closing.is_set():
                return
            waiting = {run_id(task.job.run): task for task in self._tasks}
            for each in self.turns.due(list(waiting), self._finished(), self.workers):
                self._submit(waiting[each], waiting[each].job)
        if self._limit is not None and self._deadline is None:
            self._deadline = Deadline(self._limit, partial(self._give_up, every=True), self._stop)

    def spared(self) -> set[RunId]:
        """Return the runs that have not ended and will never be needed."""
        planned = {run_id(task.job.run) for task in self._tasks}
        return (planned & self.turns.released) - self._finished()

    def _finished(self) -> set[RunId]:
        return {run_id(task.job.run) for task in self._tasks if task.future.done()}

    def close(self) -> None:
        """Stop all runs, and return when their processes have ended."""
        self._closing.set()
        if self._deadline is not None:
            self._deadline.close()
        self._executor.close()

    def state(self) -> State:
        """Return the progress of the training; see State."""
        underway: list[tuple[str, progress.Progress]] = []
        ages: list[Underway] = []
        waiting: list[float] = []
        took = self._took()
        basis = self.schedule.forecast.basis
        for task in self._tasks:
            if task.future.done():
                continue
            if (now := progress.read(task.job.folder)) is None:
                if run_id(task.job.run) not in self.turns.released:
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
            total=len(self._tasks) - len(self.spared()),
            running=underway,
            ended=tuple(self._ended),
            seconds_left=left,
            late=(*self._lateness.lines.values(), *self.turns.problems),
        )

    def _took(self) -> list[tuple[float, float]]:
        """Return the expected and the actual seconds of each run that ended with times."""
        ended = [
            task
            for task in self._tasks
            if task.future.done()
            and not task.future.cancelled()
            and task.future not in self._left_out
        ]
        times = [(task.expected, task.future.result().record.times) for task in ended]
        return [(expected, each.total) for expected, each in times if each is not None]

    def _give_up(self, every: bool = False) -> None:
        """Cancel runs that have not begun: all, or those that cannot end in time at this pace."""
        assert self._limit is not None
        left = self._limit.left_with_grace()
        absolute = self.schedule.forecast.basis is not None
        underway = [
            Underway(task.expected, now.seconds, now.seconds_left)
            for task, now in self._underway().values()
        ]
        pace = correction(underway, self._took(), absolute)
        for task in self._tasks:
            answer = self._answers.get(task.future)
            late = pace is not None and pace * task.expected > left
            if answer is not None and (every or late):
                answer.cancel()  # does nothing if the run has begun

    def _underway(self) -> "dict[Future[Stored], tuple[Task, progress.Progress]]":
        """Return the runs that report their progress, by their futures."""
        running = [task for task in self._tasks if not task.future.done()]
        found = [(task, progress.read(task.job.folder)) for task in running]
        return {task.future: (task, now) for task, now in found if now is not None}

    def _stop(self) -> None:
        """Stop all runs at the end of the budget; a later session trains them."""
        answers = ((task, self._answers.get(task.future)) for task in self._tasks)
        begun = [task for task, each in answers if each is not None and each.running()]
        nothing = {task.future: (task, progress.Progress()) for task in begun}
        self._stopped = nothing | self._underway()  # afterwards nothing is known about them
        self._stopping.set()
        self._executor.close()

    def _leave_out(self, task: Task) -> None:
        """Set the result of a run that is not trained, because the budget is over."""
        assert self._limit is not None
        run, took = task.job.run, self._took()
        basis = "from the pace of this session" if took else self.schedule.forecast.basis
        factor = correction([], took, basis is not None)
        expected = None if factor is None else factor * task.expected
        stopped = None
        if task.future in self._stopped:
            _, now = self._stopped[task.future]
            stopped = StoppedRun(task.job.key, now.seconds)
            if (left := now.rough_seconds_left) is not None:
                expected, basis = now.seconds + left, "from its pace until it was stopped"
        record = outside_record(run, self._limit.budget, expected, self.workers, basis, stopped)
        stored = task.missing.earlier or run_store.write_skipped(task.missing.results, run, record)
        stays = "" if task.missing.earlier is None else "; its earlier result stays"
        self._ended.append(f"{_title(run)}: {record.reason}{stays}")
        self._left_out.add(task.future)
        task.future.set_result(stored)

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

    def _submit(self, task: Task, job: "Job") -> None:
        answer = self._executor.submit(EXECUTE, job, task.missing.suite.limits.run_seconds)
        self._answers[task.future] = answer
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
            self._ended.append(_outcome(job.run, record))
            task.future.set_result(Stored(record, job.folder))
            with contextlib.suppress(RuntimeError):  # the session is closing
                self.begin()
        if self._limit is not None and not (answer.cancelled() or self._closing.is_set()):
            self._give_up()

    def _store_result(self, task: Task, job: "Job", answer: "Future[Result]") -> Record | None:
        """Write a run's record and return it; None if the run was cancelled or submitted again.

        The record of a failed repetition is returned, but not written.
        """
        from harness.training.job import Result, failure, in_smaller_parts

        shutil.rmtree(job.folder / "scratch", ignore_errors=True)
        progress.discard(job.folder)
        if self._closing.is_set() and (answer.cancelled() or answer.exception() is not None):
            task.future.cancel()  # stopped by the session's end: counts as not run
            return None
        error = None if answer.cancelled() else answer.exception()
        if error is not None:
            redact_file(job.folder / "log.txt")  # the worker ended before it redacted its log
        stopped = self._stopping.is_set() and isinstance(error, WorkerLost)
        if self._limit is not None and (answer.cancelled() or stopped):
            self._leave_out(task)
            return None
        if isinstance(error, KilledForMemory) and (smaller := in_smaller_parts(job)) is not None:
            if self._limit is not None and self._limit.left() <= 0:  # it would begin again
                self._leave_out(task)
                return None
            try:
                self._submit(task, smaller)
                return None
            except RuntimeError:  # the session is closing, or cannot start another thread
                if self._closing.is_set():
                    task.future.cancel()
                    return None
        try:
            result = answer.result()
        except (CancelledError, Exception) as error:
            result = Result(failure(job, error), None)
        record = result.record
        # If a finished run is trained again and fails, its old record stays.
        if record.status == "ok" or not task.missing.status.trained_before:
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
    return f"{_title(run)}: MCC {record.scores.mcc:.3f} in {duration(record.times.total)}"
