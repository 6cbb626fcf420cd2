"""Runs on this machine: one process a job, forked from a server that has the imports loaded."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from multiprocessing.process import BaseProcess
from typing import Any

from harness.executors import J, R, WorkerLost

# A worker that answered gets this long to end by itself, and to give back what it holds.
EXIT_SECONDS = 2


class LocalExecutor:
    """Computes up to `workers` jobs at a time, each in a process of its own.

    Args:
        workers: jobs at a time.
        preload: modules that every job needs; imported once, by the fork server.
    """

    def __init__(self, workers: int, preload: Sequence[str] = ()) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(preload))
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="executor")
        self._lock = threading.Lock()
        self._running: set[BaseProcess] = set()
        self._closed = False

    def submit(
        self, function: Callable[[J], R], job: J, seconds: float | None = None
    ) -> "Future[R]":
        """Queue a job; see Executor."""
        return self._threads.submit(self._compute, function, job, seconds)

    def close(self) -> None:
        """Cancel what waits and kill what runs; see Executor."""
        with self._lock:
            self._closed = True
            for process in self._running:
                process.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _compute(self, function: Callable[[J], R], job: J, seconds: float | None) -> R:
        ours, theirs = self._context.Pipe()
        process: ForkServerProcess = self._context.Process(
            target=_work, args=(theirs, function, job), daemon=True
        )
        with self._lock:
            if self._closed:
                raise WorkerLost("the session ended before this run began")
            process.start()
            self._running.add(process)
        theirs.close()  # so that a dead worker is seen as the end of the stream
        try:
            if not wait([ours], seconds):
                raise WorkerLost(f"stopped after the limit of {seconds:g} s")
            try:
                succeeded, answer = ours.recv()
            except EOFError:
                process.join()
                raise WorkerLost(_cause_of_death(process.exitcode)) from None
            process.join(EXIT_SECONDS)
            if succeeded:
                return answer  # type: ignore[no-any-return]
            raise answer
        finally:
            process.kill()
            process.join()
            with self._lock:
                self._running.discard(process)
            process.close()
            ours.close()


def _work(connection: Connection, function: Callable[[Any], Any], job: Any) -> None:
    # Ctrl-C reaches the whole process group; the session decides what becomes of its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_session, args=(connection,), daemon=True).start()
    try:
        answer = (True, function(job))
    except Exception as error:
        answer = (False, error)
    try:
        connection.send(answer)
    except Exception as error:  # what cannot be pickled is still told apart from a crash
        connection.send((False, RuntimeError(f"the answer cannot be sent: {error}: {answer!r}")))


def _die_with_session(connection: Connection) -> None:
    """End this process once the session's end of the pipe is gone, as after a SIGKILL."""
    wait([connection])  # the session never sends: readable means closed
    os._exit(1)


def _cause_of_death(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"its worker process ended with exit code {exit_code} and no answer"
    name = signal.Signals(-exit_code).name
    hint = ", as the kernel does when memory runs out" if name == "SIGKILL" else ""
    return f"its worker process was killed by {name}{hint}"
