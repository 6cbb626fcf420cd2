"""An executor that trains nothing: it answers with records of scripted predictions, in any order.

A session with it decides as one that trains, in a second, and in the order that a test wants.
"""

import random
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np

from builders.records import predicted_record, predictions_of
from harness.executors import J, R
from harness.machine import provenance
from harness.training.job import Job, Result, failure

SENTENCES_SEED = 7


def scripted(job: Job, errors: float, keeps: bool = False) -> Result:
    """Return the result of a run with a share of errors, which its cell and seed determine.

    `keeps` is whether the run kept its model.
    """
    count = job.dataset.validation
    labels = np.arange(count) % 2
    difficulty = np.random.default_rng(SENTENCES_SEED).random(count)
    own = np.random.default_rng([job.run.seed, len(job.run.cell.id), round(errors * 1000)])
    wrong = 0.7 * difficulty + 0.3 * own.random(count) < errors
    answers = np.where(wrong, 1 - labels, labels)
    record = predicted_record(
        job.run.cell,
        job.run.seed,
        labels,
        np.stack([answers] * job.run.training.epochs),
        training=job.run.training,
        dataset=job.dataset,
        checkpoint_digest=job.checkpoint.digest,
        versions=provenance.versions(),
        device=job.device,
        model_kept=keeps,
    )
    assert record.key == job.key
    return Result(record, predictions_of(record))


class ScriptedExecutor:
    """Answers a job when the test calls `step`; jobs that wait are answered in a random order.

    Args:
        errors: returns the share of errors of a job's run; None if the run fails.
        order: seeds the order in which jobs are answered.
        workers: how many of the jobs, first come first served, may be answered next.
        keeps: whether a job's run keeps its model, which `errors` has written then.
    """

    def __init__(
        self,
        errors: Callable[[Job], float | None],
        order: int,
        workers: int,
        keeps: Callable[[Job], bool] = lambda _: False,
    ) -> None:
        self._keeps = keeps
        self.done: list[tuple[str, int]] = []
        self._errors = errors
        self._random = random.Random(order)
        self._workers = workers
        self._waiting: list[tuple[Any, Future[Any]]] = []

    def submit(self, function: Callable[[J], R], job: J, seconds: float | None = None) -> Future[R]:
        answer: Future[Any] = Future()
        self._waiting.append((job, answer))
        return answer

    def step(self) -> bool:
        """Answer one of the running jobs; return whether there was one."""
        if not self._waiting:
            return False
        running = min(self._workers, len(self._waiting))
        job, answer = self._waiting.pop(self._random.randrange(running))
        errors = self._errors(job)
        self.done.append((job.run.cell.id, job.run.seed))
        if errors is None:
            answer.set_result(Result(failure(job, RuntimeError("scripted to fail")), None))
        else:
            answer.set_result(scripted(job, errors, self._keeps(job)))
        return True

    def waiting(self) -> list[tuple[str, int]]:
        """Return the cells and seeds of the jobs without an answer."""
        return [(job.run.cell.id, job.run.seed) for job, _ in self._waiting]

    def close(self) -> None:
        for _, answer in self._waiting:
            answer.cancel()
            answer.set_running_or_notify_cancel()
        self._waiting.clear()
