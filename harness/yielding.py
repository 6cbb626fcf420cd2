"""A run's threads: as many as it was given, and fewer while other programs take the cores."""

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from transformers import TrainerCallback

from harness import contention, provenance
from harness.contention import Contention, Moment, Watch


class Yielding(TrainerCallback):
    """Gives up a thread for a core that other programs take, and takes it back afterwards.

    Threads of one run wait for each other after every product of matrices. One that shares its
    core with another program keeps the others waiting, and they wait by spinning: a run of two
    threads on two cores takes about three times as long beside one busy program (docs/log.md).
    Until training begins there is one thread.

    Args:
        threads: what the run computes in where nothing else is busy.
        concurrency: runs side by side, this one included; on a cluster, those of all machines.
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
        """The cores that other programs kept busy when somebody last looked, if that is known."""
        return self._watch.others

    def contention(self) -> Contention | None:
        """Return what other programs took while the model trained; None if that is not known."""
        others = contention.between(self._began, self._ended)
        if others is None:
            return None
        assert self._began is not None
        assert self._ended is not None
        own = self._own_seconds / (self._ended.time - self._began.time)
        return Contention(
            other_programs=round(others, 2),
            own_cores=round(own, 2),
            fewest_threads=self._fewest,
        )

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Settle the threads by what was busy since the run began, while data and model loaded.

        A run that goes through training again, in smaller parts of a batch, tells of the last time.
        """
        self._began, self._ended, self._fewest = self._read(), None, self._most
        self._own_seconds = -time.process_time()
        self._take(self._watch.look(at_once=True))

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self._take(self._watch.look())

    def on_prediction_step(self, *_: Any, **__: Any) -> None:
        self._take(self._watch.look())

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self._ended = self._read()
        self._own_seconds += time.process_time()

    def _take(self, threads: int) -> None:
        self._fewest = min(self._fewest, threads)
        if threads != torch.get_num_threads():
            torch.set_num_threads(threads)


def _family() -> int:
    """Return the process whose descendants are the runs beside this one."""
    if multiprocessing.parent_process() is None:  # this is no worker
        return os.getpid()
    with contextlib.suppress(ValueError):  # Ray gives each run a server, and its raylet the cores
        return int(os.environ.get("RAY_RAYLET_PID", ""))
    return os.getppid()  # the fork server, whose other children are the other runs
