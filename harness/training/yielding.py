"""A run's number of threads: reduced while other programs use the cores."""

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from transformers import TrainerCallback

from harness.machine import contention, provenance
from harness.machine.contention import Contention, Moment, Watch


class Yielding(TrainerCallback):
    """Uses one thread less for each core that other programs use, and takes it back afterwards.

    The threads of a run wait for each other after every matrix product. A thread that shares its
    core with another program makes the others wait, and they wait by spinning: a run with two
    threads on two cores takes about three times as long beside one busy program (docs/log.md).
    Until training begins, the run has one thread.

    Args:
        threads: the run's threads when no other program is busy.
        concurrency: simultaneous runs, including this one; on a cluster, those of all machines.
        read: returns clock readings; by default contention.now.
    """

    def __init__(
        self,
        threads: int,
        concurrency: int,
        read: Callable[[], Moment | None] | None = None,
    ) -> None:
        cores = provenance.available_cores()
        workers = min(concurrency, max(1, cores // threads))
        self._read = read or partial(contention.now, _family() if concurrency > 1 else None)
        self._watch = Watch(threads, workers, cores, self._read)
        self._began: Moment | None = None
        self._ended: Moment | None = None
        self._own_seconds = 0.0
        self._most = self._fewest = threads
        torch.set_num_threads(1)

    @property
    def others(self) -> float | None:
        """The cores that other programs kept busy at the last measurement; None if not known."""
        return self._watch.others

    def contention(self) -> Contention | None:
        """Return other programs' use of cores while the model trained; None if not known."""
        others = contention.between(self._began, self._ended)
        if others is None or self._began is None or self._ended is None:
            return None
        own = self._own_seconds / (self._ended.time - self._began.time)
        return Contention(
            other_programs=round(others, 2),
            own_cores=round(own, 2),
            fewest_threads=self._fewest,
        )

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Set the threads by the load since the run began, while data and model were loaded.

        If a run repeats its training in smaller parts of a batch, only the last training counts.
        """
        self._began, self._ended, self._fewest = self._read(), None, self._most
        self._own_seconds = -time.process_time()
        self._take(self._watch.look(at_once=True))

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self._take(self._watch.look())

    on_prediction_step = on_step_end

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self._ended = self._read()
        self._own_seconds += time.process_time()

    def hold(self) -> Callable[[], float | None]:
        """Set the threads by the load now, and keep them; for measurements after training.

        Returns:
            a function that returns the mean number of cores that other programs have kept busy
            since; None if not known.
        """
        _use(self._watch.look(at_once=True))
        began = self._read()
        return lambda: contention.between(began, self._read())

    def _take(self, threads: int) -> None:
        self._fewest = min(self._fewest, threads)
        _use(threads)


def _use(threads: int) -> None:
    if threads != torch.get_num_threads():
        torch.set_num_threads(threads)


def _family() -> int:
    """Return the id of the process whose descendants are this run and the simultaneous ones."""
    if multiprocessing.parent_process() is None:  # not a worker
        return os.getpid()
    with contextlib.suppress(ValueError):  # with Ray, runs share only the raylet
        return int(os.environ.get("RAY_RAYLET_PID", ""))
    return os.getppid()  # the fork server, whose other children are the other runs
