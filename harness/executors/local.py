"""Runs on this machine: one process per job, forked from a server that has loaded the imports."""

import contextlib
import multiprocessing
import os
import pickle
import reprlib
import signal
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import forkserver, resource_tracker, util
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from harness.executors import J, KilledForMemory, R, WorkerLost

# After sending its result, a worker has this long to end by itself and release its resources.
EXIT_SECONDS = 2

# Linux counts here how often it killed a process because memory ran out, inside and outside of
# control groups.
VMSTAT = Path("/proc/vmstat")

# A socket's path may have 103 bytes (107 on Linux); /pymp-12345678/listener-12345678 takes 32.
LONGEST_TEMPORARY_FOLDER = 70

# The session decides what these end; see start_fork_server.
BLOCKED = frozenset({signal.SIGINT, signal.SIGTERM})

# The fork server's first import, and the variable with its socket's folder, which only it receives.
SERVER = "harness.executors.server"
SOCKET_FOLDER = "HARNESS_SOCKET_FOLDER"

# Unlike repr, it does not fail if the object's own repr fails.
SHORT = reprlib.Repr()
SHORT.maxother = 200


def start_fork_server(preload: Sequence[str]) -> None:
    """Start a process that imports what every job needs; return at once.

    This process has one such server, which ends with it. Ctrl-C reaches the whole process group,
    and so may SIGTERM, but only the session decides what ends: so the server and every worker
    start with both blocked.

    Args:
        preload: modules to import. Calls after the first change nothing.
    """
    multiprocessing.set_forkserver_preload([SERVER, *preload])
    before = tempfile.gettempdir()
    if len(os.fsencode(before)) > LONGEST_TEMPORARY_FOLDER:
        tempfile.tempdir = "/tmp"  # noqa: S108 - multiprocessing makes a private folder there
    socket_folder = util.get_temp_dir()  # multiprocessing keeps this folder from now on
    tempfile.tempdir = before
    # The tracker starts first, because its start unblocks the signals.
    resource_tracker.ensure_running()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
    os.environ[SOCKET_FOLDER] = socket_folder
    try:
        forkserver.ensure_running()
    finally:
        del os.environ[SOCKET_FOLDER]
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class LocalExecutor:
    """Computes up to `workers` jobs at a time, each in its own process.

    Args:
        preload: modules that every job needs; imported once, by the fork server.
    """

    def __init__(self, workers: int, preload: Sequence[str] = ()) -> None:
        self._context = multiprocessing.get_context("forkserver")
        start_fork_server(preload)
        # If these threads must start the server again, it starts with the signals blocked, too.
        self._threads = ThreadPoolExecutor(
            workers,
            thread_name_prefix="executor",
            initializer=signal.pthread_sigmask,
            initargs=(signal.SIG_BLOCK, BLOCKED),
        )
        # Held while a process starts or is released: to start one, multiprocessing polls all
        # others, and if two threads poll the same process, only the first reads its exit code.
        self._lock = threading.Lock()
        self._running: set[BaseProcess] = set()
        self._closed = False

    def submit(self, function: Callable[[J], R], job: J, seconds: float | None = None) -> Future[R]:
        """Queue a job; see Executor."""
        return self._threads.submit(self._compute, function, job, seconds)

    def close(self) -> None:
        """Cancel queued jobs and kill running ones; see Executor."""
        with self._lock:
            self._closed = True
            for process in self._running:
                process.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _compute(self, function: Callable[[J], R], job: J, seconds: float | None) -> R:
        ours, theirs = self._context.Pipe()
        killed_before = _killed_for_memory()
        with ours:
            with theirs:  # closed here, so that the stream ends when the worker dies
                process = self._start(theirs, function, job)
            pickled = None
            try:
                if not wait([ours], seconds):
                    raise WorkerLost(f"stopped after the limit of {seconds:g} s")
                with contextlib.suppress(EOFError, OSError):  # OSError: in the middle of a result
                    pickled = ours.recv_bytes()
                    wait([process.sentinel], EXIT_SECONDS)
            finally:
                exit_code = self._end(process)
        if pickled is None:
            if exit_code == -signal.SIGKILL and _killed_for_memory() > killed_before:
                raise KilledForMemory("the kernel killed its worker process")
            raise WorkerLost(_cause_of_death(exit_code))
        succeeded, result = pickle.loads(pickled)  # noqa: S301
        if succeeded:
            return result  # type: ignore[no-any-return]
        raise result

    def _start(self, connection: Connection, function: Callable[[J], R], job: J) -> BaseProcess:
        process = self._context.Process(target=_work, args=(connection, function, job), daemon=True)
        with self._lock:
            if self._closed:
                raise WorkerLost("the session ended before this run began")
            try:
                process.start()
            except (EOFError, OSError) as error:  # EOFError: the fork server has ended
                reason = f"{type(error).__name__}: {error}"
                raise WorkerLost(f"its worker process could not be started ({reason})") from None
            self._running.add(process)
        return process

    def _end(self, process: BaseProcess) -> int | None:
        """Kill a process if it still runs, release it, and return its exit code."""
        process.kill()
        wait([process.sentinel])
        with self._lock:
            process.join()
            exit_code = process.exitcode
            self._running.discard(process)
            process.close()
        return exit_code


def _work(connection: Connection, function: Callable[[Any], Any], job: Any) -> None:
    threading.Thread(target=_die_with_session, args=(connection,), daemon=True).start()
    connection.send_bytes(pickled_result(function, job))


def pickled_result(function: Callable[[J], R], job: J) -> bytes:
    """Compute a job; return whether it succeeded, and its result or its exception, pickled."""
    result: Any
    try:
        succeeded, result = True, function(job)
    except Exception as error:
        succeeded, result = False, error
    try:
        pickled = pickle.dumps((succeeded, result))
        if not succeeded:
            pickle.loads(pickled)  # noqa: S301 - not every exception can be unpickled
        return pickled
    except Exception as error:  # reported as an error, not as a crash
        failure = RuntimeError(f"the result cannot be sent: {error}: {SHORT.repr(result)}")
        return pickle.dumps((False, failure))


def _die_with_session(connection: Connection) -> None:
    """End this process when the session's end of the pipe is closed, such as after a SIGKILL."""
    wait([connection])  # the session never sends: readable means closed
    os._exit(1)


def _killed_for_memory() -> int:
    """Return how many processes the kernel killed for memory so far; 0 if it has no counter."""
    with contextlib.suppress(OSError, ValueError):
        for line in VMSTAT.read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0


def _cause_of_death(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"its worker process ended with exit code {exit_code} and no result"
    names = {number.value: number.name for number in signal.Signals}
    name = names.get(-exit_code, f"signal {-exit_code}")  # real-time signals have no name
    hint = ", as the kernel does when memory runs out" if name == "SIGKILL" else ""
    return f"its worker process was killed by {name}{hint}"
