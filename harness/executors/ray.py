"""Runs on a Ray cluster, or on a Ray started only on this machine."""

import contextlib
import logging
import math
import os
import pickle
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from importlib import import_module
from typing import Any

from harness.errors import BadInput
from harness.executors import J, KilledForMemory, R, WorkerLost
from harness.executors.local import LocalExecutor, pickled_result
from harness.text import counted, one_line

# A job whose node is lost is placed again; after so many losses, the job is the likely cause.
RETRIES = 3
OBJECT_STORE_BYTES = 200 * 2**20  # jobs and results are small
CONNECT_SECONDS = 5
POLL_SECONDS = 0.2

REFUSED = "AuthenticationError"
"""Name of Ray's exception for a missing or wrong token; versions without tokens lack the class."""

WAY_IN = (
    "give this session, and every node, the token that the cluster was started with, in "
    "RAY_AUTH_TOKEN, a file that RAY_AUTH_TOKEN_PATH names, or ~/.ray/auth_token, and set "
    "RAY_AUTH_MODE=token"
)


class RayExecutor:
    """Computes jobs where Ray places them, each in its own process.

    Each job is one Ray task, which passes it to a LocalExecutor in its Ray worker. So Ray decides
    where a job runs, but it starts and ends as without Ray. The fork server of a Ray worker imports
    `preload` once. With one Ray worker per job (`max_calls=1`), every job would import all of it
    again, and in a permanent actor, a job would see the state that earlier jobs left.

    If a job's own process ends (killed, crashed or over its time limit), the job has failed: it
    raises WorkerLost and is not repeated. If a node or a Ray worker is lost, the job is placed
    again, up to RETRIES times, unless Ray itself killed the worker because memory ran out. While no
    node has room for the job, it waits for one to join. A future resolves once, however often its
    job was started.

    docs/scale-out.md lists what a cluster needs. A job's folder is created on the node that runs
    it: unless all nodes share that folder, its log and a kept model stay there.

    A Ray that is started here listens only on the loopback interface, has no dashboard, sends no
    usage reports, and ends with `close`. Its logs stay in Ray's temporary folder.

    Args:
        workers: jobs at a time; None for as many as fit at the start.
        cpus: cores of its node that a job uses.
        gpus: GPUs of its node that a job uses; 0.5 for two jobs per GPU.
        address: the cluster to join, as host:port; None to start a Ray here.
        preload: modules that every job needs; imported once by each Ray worker's fork server.

    Raises:
        BadInput: Ray cannot be imported, no cluster answers or it requires another token, or no
            node has room for a job.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        cpus: float = 1,
        gpus: float = 0,
        address: str | None = None,
        preload: Sequence[str] = (),
    ) -> None:
        # Ray reads these when it is imported. Without the first, its ports are open to the network.
        if address is None:
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as error:  # not installed, or broken
            problem = f"--executor ray needs Ray ({error}): pip install '.[ray]'"
            raise BadInput([problem]) from error

        with _own_sigterm():
            if address is None:
                ray.init(
                    address="local",
                    num_cpus=None if workers is None else math.ceil(workers * cpus),
                    num_gpus=None if gpus else 0,  # None: all that Ray finds
                    object_store_memory=OBJECT_STORE_BYTES,
                    include_dashboard=False,
                    **_common(),
                )
            else:
                _join(address)
        # Resources of each living node, by name.
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        room = _room(nodes, cpus, gpus)
        if not room:
            ray.shutdown()
            raise BadInput([_no_room(nodes, cpus, gpus, address)])
        self.workers = workers or room
        # The task itself never uses a GPU, so its Ray worker need not end to release one.
        self._task = ray.remote(
            num_cpus=cpus, num_gpus=gpus, max_calls=0, max_retries=0, scheduling_strategy="SPREAD"
        )(_supervise)
        self._preload = tuple(preload)
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="executor")
        self._lock = threading.Lock()
        self._running: set[Any] = set()
        self._closed = False

    def submit(self, function: Callable[[J], R], job: J, seconds: float | None = None) -> Future[R]:
        """Queue a job; see Executor. Its `seconds` begin with its process, again at each retry."""
        return self._threads.submit(self._compute, function, job, seconds)

    def close(self) -> None:
        """Cancel queued jobs and kill running ones; see Executor. A joined cluster stays up."""
        import ray

        with self._lock:
            self._closed = True
            running = tuple(self._running)
        for reply in running:
            ray.cancel(reply)
        self._threads.shutdown(wait=True, cancel_futures=True)
        ray.shutdown()

    def _compute(self, function: Callable[[J], R], job: J, seconds: float | None) -> R:
        from ray import exceptions

        pickled = pickle.dumps((function, job))
        for _ in range(1 + RETRIES):
            try:
                succeeded, result = pickle.loads(self._reply(pickled, seconds))  # noqa: S301
            except (
                exceptions.NodeDiedError,
                exceptions.ObjectLostError,
                exceptions.WorkerCrashedError,
            ):
                continue
            except exceptions.OutOfMemoryError:
                raise KilledForMemory("Ray killed its worker, as its node ran out of it") from None
            except exceptions.RayError as error:
                raise WorkerLost(f"Ray did not finish it: {_one_line(error)}") from None
            if succeeded:
                return result  # type: ignore[no-any-return]
            raise result
        raise WorkerLost(f"it lost its node or its Ray worker {1 + RETRIES} times")

    def _reply(self, pickled: bytes, seconds: float | None) -> bytes:
        """Place a job once, and wait for the reply of _supervise."""
        import ray
        from ray.exceptions import TaskCancelledError

        with self._lock:
            if self._closed:
                raise WorkerLost("the session ended before this run did")
            reply = self._task.remote(pickled, seconds, self._preload)
            self._running.add(reply)
        try:
            return ray.get(reply)
        except TaskCancelledError:
            raise WorkerLost("the session ended before this run did") from None
        finally:
            with self._lock:
                self._running.discard(reply)


def _supervise(pickled: bytes, seconds: float | None, preload: tuple[str, ...]) -> bytes:
    """Compute a job in a process from this Ray worker's fork server. This is the Ray task."""
    processes = _processes(preload)
    devices = os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        future = processes.submit(_call, (pickled, devices), seconds)
        # ray.cancel raises KeyboardInterrupt here, but cannot interrupt a wait without a timeout.
        while not wait([future], POLL_SECONDS).done:
            pass
    except KeyboardInterrupt:
        processes.close()
        raise
    try:
        return future.result()
    except WorkerLost as error:
        return pickle.dumps((False, error))


@cache
def _processes(preload: tuple[str, ...]) -> LocalExecutor:
    # Each child would run its parent's main module again, which imports Ray.
    vars(sys.modules["__main__"]).pop("__file__", None)
    return LocalExecutor(1, preload)


def _call(task: tuple[bytes, str | None]) -> bytes:
    """Return whether the function succeeded, and its result or its exception, pickled.

    Function, job and result pass through the Ray worker as bytes, so that it imports none of their
    modules. Ray assigned the devices to this job after the fork server had started.
    """
    pickled, devices = task
    if devices is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices
    function, job = pickle.loads(pickled)  # noqa: S301
    return pickled_result(function, job)


@contextlib.contextmanager
def _own_sigterm() -> Iterator[None]:
    """Give SIGTERM the handler back that it had before the block: Ray sets one that only exits."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _join(address: str) -> None:
    """Connect to a running cluster."""
    import ray
    from ray.exceptions import RayError

    way_out = "start one with `ray start --head` and give the address that it prints"
    cannot = "no Ray cluster could be joined"
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        raise BadInput([f"--ray-address: {address!r}: must be host:port; {way_out}"])
    try:
        # Ray itself would retry for minutes.
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
        ray.init(address=address, **_common())
    except (OSError, OverflowError, RuntimeError, RayError) as error:
        # If the cluster rejects the token, ray.init only reports that it could not connect.
        cause = _refusal(address) if isinstance(error, ConnectionError) else None
        cause = cause or error
        if type(cause).__name__ == REFUSED:
            cannot = "the Ray cluster there could not be joined, because it requires its token"
            way_out = WAY_IN
        reason = f"{cannot} ({_one_line(cause)})"
        raise BadInput([f"--ray-address: {address!r}: {reason}; {way_out}"]) from None


def _refusal(address: str) -> Exception | None:
    """Return the error of a cluster that requires another token than this session's.

    Returns None if nothing answers within CONNECT_SECONDS.
    """
    try:
        connect: Callable[..., object] = import_module("ray._raylet").GcsClient
    except (ImportError, AttributeError):  # another version of Ray: only its own error is left
        return None
    refusals: list[Exception] = []

    def try_connecting() -> None:
        try:
            connect(address=address)
        except Exception as error:
            if type(error).__name__ == REFUSED:
                refusals.append(error)

    attempt = threading.Thread(target=try_connecting, daemon=True)
    attempt.start()
    attempt.join(CONNECT_SECONDS)
    return refusals[0] if refusals else None


def _common() -> dict[str, Any]:
    """Return the common arguments of ray.init: print nothing, use this process' import path."""
    path = os.pathsep.join(filter(None, sys.path))
    return {
        "logging_level": logging.ERROR,
        "log_to_driver": False,
        "runtime_env": {"env_vars": {"PYTHONPATH": path}},
    }


def _room(nodes: Sequence[dict[str, float]], cpus: float, gpus: float) -> int:
    """Return how many jobs fit on all nodes at a time."""
    return sum(
        min(
            math.floor(resources.get(kind, 0) / needed + 1e-6)  # as 1 // 0.1 is 9
            for kind, needed in (("CPU", cpus), ("GPU", gpus))
            if needed
        )
        for resources in nodes
    )


def _no_room(
    nodes: Sequence[dict[str, float]], cpus: float, gpus: float, address: str | None
) -> str:
    seen = ", ".join(
        f"{counted(n.get('CPU', 0), 'core')} and {counted(n.get('GPU', 0), 'GPU')}" for n in nodes
    )
    option = "--executor ray" if address is None else f"--ray-address: {address!r}"
    return (
        f"{option}: no node has the {counted(cpus, 'core')} and {counted(gpus, 'GPU')} that a run "
        f"needs (nodes: {seen or 'none'}); join a larger node with `ray start --address`, or "
        "reduce what a run needs"
    )


def _one_line(error: BaseException) -> str:
    """Return an exception as one line; Ray's own messages have many."""
    from ray.exceptions import RayTaskError

    cause = error.cause if isinstance(error, RayTaskError) else error
    first, *_ = str(cause).strip().splitlines() or [""]
    return f"{type(cause).__name__}: {one_line(first)}"
