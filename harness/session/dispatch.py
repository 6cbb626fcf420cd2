"""Training the missing runs of a session: submitted to an executor, stored when each one ends."""

import shutil
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from harness.executors import KilledForMemory, WorkerLost, call
from harness.forecast.schedule import Schedule
from harness.forecast.seconds import Underway, correction, seconds_left
from harness.judging.decided.stops import Stops
from harness.kept import kept_files
from harness.redaction import redact_file
from harness.session.budget.deadline import Deadline, Limit
from harness.session.budget.outside import StoppedRun, outside_record
from harness.session.display import State
from harness.session.lateness import Lateness
from harness.session.looks.needed import RunId
from harness.session.looks.turns import Turns
from harness.session.tasks.best_models import BestModels
from harness.session.tasks.executor import executor_name, make_executor
from harness.session.tasks.task import Missing, Task
from harness.store import run_store
from harness.store.records import Record
from harness.store.run_store import Stored
from harness.suite.plan import Run
from harness.suite.spec import Suite
from harness.training import progress

if TYPE_CHECKING:  # job imports the library `datasets`; collecting tests must not
    from collections.abc import Callable

    from harness.session.looks.needed import Needs
    from harness.training.job import Job, Result

EXECUTE: "Callable[[Job], Result]" = partial(call, "harness.training.worker", "execute")
"""Executes a job in a worker; the session need not import what workers use, such as torch."""


class Dispatch:
    """Trains runs, and stores the result of each as soon as it ends.

    Args:
        suites: the suites of the session, which name the executor.
        missing: the runs to train.
        schedule: their order, how many at a time, and how long each is expected to take.
        ray_address: the cluster to join if a suite requires Ray.
        needs: returns which runs are needed according to the results so far; by default all are.
        limit: when the training ends, if the session has a budget.
        stops: when runs may stop, if any may; then there are neither looks nor a budget.
        held: stopped runs of earlier sessions, of cells with missing runs.
        models: of the suites that keep only the best ones.

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
        stops: Stops | None = None,
        held: Sequence[Missing] = (),
        models: BestModels | None = None,
    ) -> None:
        self.schedule = schedule
        self._limit = limit
        self._deadline: Deadline | None = None
        self._answers: dict[Future[Stored], Future[Result]] = {}
        self._interrupted: dict[Future[Stored], tuple[Task, progress.Progress]] = {}
        self._left_out: set[Future[Stored]] = set()
        self._executor, self.workers = make_executor(
            suites, missing[0].inputs.device, schedule.sharing, ray_address
        )
        self._executor_name = executor_name(suites)
        self._closing, self._stopping = threading.Event(), threading.Event()
        self._ended: list[str] = []
        self._lateness = Lateness()
        self.turns = Turns(needs)
        self._stops = Stops((), {}, ()) if stops is None else stops
        self._lock = threading.RLock()  # of the stops, the models and the collections below
        self._models = BestModels({}) if models is None else models
        self._stopped: dict[RunId, tuple[Task, Stored]] = {}  # results that may not be final
        self._repeated: dict[RunId, str] = {}
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
            self._waiting = deque(self._tasks if self._stops else ())
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
        """Submit the runs that are needed now; the others follow when results need them."""
        if self._stops:
            for _ in range(self.workers):
                self._submit_next()
        else:
            self._submit_due()
        if self._limit is not None:
            self._deadline = Deadline(self._limit, partial(self._cancel, every=True), self._stop)

    def _submit_due(self) -> None:
        """Submit every run that looks need now: all runs, if there are no looks."""
        with self.turns.lock:
            if self._closing.is_set():
                return
            waiting = {task.place: task for task in self._tasks}
            due = self.turns.due(list(waiting), self._finished(), self.workers)
        for each in due:
            self._begin(waiting[each], waiting[each].job)

    def _submit_next(self) -> None:
        """Submit the next waiting run, if there is one, with the MCC at which it may stop.

        That depends on the runs that ended, so one is submitted whenever one ends.
        """
        with self._lock:
            if not self._waiting or self._closing.is_set():
                return
            task = self._waiting.popleft()
            stop_at = self._stops.start(task.job.run)
        whole = task.missing.status.whole_before
        self._begin(task, replace(task.job, stop_at=None if whole else stop_at))

    def _begin(self, task: Task, job: "Job") -> None:
        """Submit a run; if that is impossible, it fails, so that nobody waits for it."""
        with self._lock:
            self._models.begin(job.run.cell.suite, job.folder)
        try:
            self._submit(task, job)
        except RuntimeError as error:  # the session is closing, or cannot start another thread
            if not self._closing.is_set():
                from harness.training.job import failure

                self._deliver(task, Stored(failure(job, error), job.folder))

    def spared(self) -> set[RunId]:
        """Return the runs that have not ended and will never be needed."""
        return ({task.place for task in self._tasks} & self.turns.released) - self._finished()

    def _finished(self) -> set[RunId]:
        return {task.place for task in self._tasks if task.future.done()}

    def close(self) -> None:
        """Stop all runs, and return when their processes have ended."""
        self._closing.set()
        if self._deadline is not None:
            self._deadline.close()
        self._executor.close()
        if self._stops:
            for task in (*self._tasks, *(task for task, _ in self._stopped.values())):
                self._abandon(task)

    def _abandon(self, task: Task) -> None:
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
        took = self._took()
        basis = self.schedule.forecast.basis
        with self._lock:
            stopped, repeated = dict(self._stopped), dict(self._repeated)
        again = [task for place, (task, _) in stopped.items() if place in repeated]
        for task in {task.place: task for task in (*self._tasks, *again)}.values():
            if task.future.done() or (task.place in stopped and task.place not in repeated):
                continue
            if (now := progress.read(task.job.folder)) is None:
                if task.place not in self.turns.released:
                    waiting.append(task.expected)
            else:
                underway.append((task.title, now))
                self._lateness.note(task.title, task.expected, now, basis)
                ages.append(Underway(task.expected, now.seconds, now.seconds_left))
        left = None
        if waiting or ages:
            left = seconds_left(waiting, ages, took, self.workers, basis is not None)
        return State(
            done=len(self._ended),
            total=len(self._tasks) + len(repeated) - len(self.spared()),
            running=underway,
            ended=tuple(self._ended),
            seconds_left=left,
            late=(*self._lateness.lines.values(), *repeated.values(), *self.turns.problems),
        )

    def _expected(self, run: Run) -> float:
        """Return how long a run is expected to take, from the other seeds of its cell."""
        return max(task.expected for task in self._tasks if task.job.run.cell == run.cell)

    def _took(self) -> list[tuple[float, float]]:
        """Return the expected and the actual seconds of each run that ended with times."""
        done = [t for t in self._tasks if t.future.done() and not t.future.cancelled()]
        ended = [task for task in done if task.future not in self._left_out]
        taken = ((task.expected, task.future.result().record.times) for task in ended)
        return [(expected, times.total) for expected, times in taken if times is not None]

    def _cancel(self, every: bool = False) -> None:
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
        self._interrupted = nothing | self._underway()  # afterwards nothing is known about them
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
        if task.future in self._interrupted:
            _, now = self._interrupted[task.future]
            stopped = StoppedRun(task.job.key, now.seconds)
            if (left := now.rough_seconds_left) is not None:
                expected, basis = now.seconds + left, "from its pace until it was stopped"
        record = outside_record(run, self._limit.budget, expected, self.workers, basis, stopped)
        stored = task.missing.earlier or run_store.write_skipped(task.missing.results, run, record)
        stays = "" if task.missing.earlier is None else "; its earlier result stays"
        self._ended.append(f"{task.title}: {record.reason}{stays}")
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
            executor=self._executor_name,
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
            self._deliver(task, Stored(record, job.folder))
        if self._limit is not None and not (answer.cancelled() or self._closing.is_set()):
            self._cancel()

    def _deliver(self, task: Task, stored: Stored) -> None:
        """Set the result of a run that ended, and those of stopped runs that its cell now decides.

        If the cell is not decided when all its runs have ended, a stopped one trains again.
        """
        run, record = task.job.run, stored.record
        ready = [(task, stored)]
        with self._lock:
            self._ended.append(task.outcome(record))
            self._models.end(run.cell.suite, stored)
            again = self._stops.end(record)
            self._stopped.pop(task.place, None)
            if record.stopped is not None:
                self._stopped[task.place] = ready.pop()
            if self._stops.settled(run):
                final = [place for place in self._stopped if place[:2] == task.place[:2]]
                ready += [self._stopped.pop(place) for place in final]
            elif again is not None:
                repeated, _ = self._stopped[run.cell.suite, run.cell.id, again]
                self._repeated[repeated.place] = repeated.repetition()
                self._waiting.appendleft(repeated)
        for each, result in ready:
            each.future.set_result(result)
        self._submit_next() if self._stops else self._submit_due()

    def _store_result(self, task: Task, job: "Job", answer: "Future[Result]") -> Record | None:
        """Write a run's record and return it; None if the run was cancelled or submitted again.

        The record of a failed repetition is returned, but not written.
        """
        from harness.training.job import Result, failure, in_smaller_parts

        shutil.rmtree(job.folder / "scratch", ignore_errors=True)
        progress.discard(job.folder)
        if self._closing.is_set() and (answer.cancelled() or answer.exception() is not None):
            self._abandon(task)  # killed by the session's end: counts as not run
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
                    self._abandon(task)
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
                if record.status == "ok" and not record.model_kept:
                    kept_files.remove(job.folder)  # of an earlier training of this run
                record = run_store.write_record(job.folder, record, result.predictions)
                run_store.discard_skipped(task.missing.results, job.run)
            except Exception as error:  # for example a full disk
                record = failure(job, error)
        return record
