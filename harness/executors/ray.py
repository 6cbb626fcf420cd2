"""Runs on a Ray cluster, or on a Ray of this machine alone."""

import logging
import math
import os
import pickle
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from importlib import import_module
from typing import Any

from harness.errors import BadInput
from harness.executors import J, KilledForMemory, R, WorkerLost
from harness.executors.local import LocalExecutor, pickled_answer
from harness.text import counted, one_line

# A job whose node is lost is placed again, until it is itself the likelier cause of the losses.
RETRIES = 3
OBJECT_STORE_BYTES = 200 * 2**20  # jobs and answers are small
CONNECT_SECONDS = 5
POLL_SECONDS = 0.2

REFUSED = "AuthenticationError"
"""Ray's exception where a token is missing or wrong, by name: versions before tokens have none."""

WAY_IN = (
    "give this session, and every node, the token that the cluster was started with, in "
    "RAY_AUTH_TOKEN, a file that RAY_AUTH_TOKEN_PATH names, or ~/.ray/auth_token, and set "
    "RAY_AUTH_MODE=token"
)


class RayExecutor:
    """Computes jobs where Ray places them, each in a process of its own.

    A job is one Ray task, and the task hands it to a LocalExecutor of its Ray worker. So Ray
    decides where a job runs, and how it starts and ends is the same as without Ray. The fork
    server of a Ray worker imports `preload` once; with a Ray worker a job (`max_calls=1`) every
    job would import all of it again, and in an actor that lives on a job would find what the one
    before it left behind.

    What ends a job's own process is the job's failure: killed, crashed or out of time, it raises
    WorkerLost and is not repeated. What ends Ray's processes is not, unless Ray itself ends them
    as memory runs out: a job whose node or Ray worker is lost is placed again, up to RETRIES
    times. While no node is left that has room for it, it waits for one to join. A future resolves
    once, however often its job was begun.

    Every node needs this project installed as it is here, and data and checkpoints at the same
    paths. A job's folder is made on the node that runs it: unless all nodes share that folder, its
    log and a kept model stay there. A session runs on a node of the cluster that it joins, and
    does not survive the loss of the head node.

    A Ray that is started here listens on the loopback interface only, has no dashboard, reports
    to nobody, and ends with `close`. Its logs stay in Ray's temporary folder.

    Args:
        workers: jobs at a time; None for as many as there is room for at the start.
        cpus: cores that a job takes of its node.
        gpus: GPUs that a job takes of its node; 0.5 for two jobs a GPU.
        address: the cluster to join, as host:port; None to start a Ray here.
        preload: modules that every job needs; imported once by each Ray worker's fork server.

    Raises:
        BadInput: Ray cannot be imported, no cluster answers or it wants another token, or no node
            has room for a job.
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
        # Ray reads these when it is imported. Without the first, its ports face the network.
        if address is None:
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as error:  # not there, or broken
            told = f"--executor ray needs Ray ({error}): pip install '.[ray]'"
            raise BadInput([told]) from error

        if address is None:
            _start(None if workers is None else math.ceil(workers * cpus), gpus)
        else:
            _join(address)
        # Resources of each living node, by name.
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        room = _room(nodes, cpus, gpus)
        if not room:
            ray.shutdown()
            raise BadInput([_no_room(nodes, cpus, gpus, address)])
        self.workers = workers or room
        # The task itself never touches a GPU, so its Ray worker need not end to give one back.
        self._task = ray.remote(
            num_cpus=cpus, num_gpus=gpus, max_calls=0, max_retries=0, scheduling_strategy="SPREAD"
        )(_supervise)
        self._preload = tuple(preload)
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="executor")
        self._lock = threading.Lock()
        self._running: set[Any] = set()
        self._closed = False

    def submit(
        self, function: Callable[[J], R], job: J, seconds: float | None = None
    ) -> "Future[R]":
        """Queue a job; see Executor. Its `seconds` begin with its process, and anew if retried."""
        return self._threads.submit(self._compute, function, job, seconds)

    def close(self) -> None:
        """Cancel what waits and kill what runs; see Executor. A joined cluster goes on."""
        import ray

        with self._lock:
            self._closed = True
            running = tuple(self._running)
        for reply in running:
            ray.cancel(reply)
        self._threads.shutdown(wait=True, cancel_futures=True)
        ray.shutdown()

    def _compute(self, function: Callable[[J], R], job: J, seconds: float | None) -> R:
        from ray.exceptions import (
            NodeDiedError,
            ObjectLostError,
            OutOfMemoryError,
            RayError,
            WorkerCrashedError,
        )

        pickled = pickle.dumps((function, job))
        for _ in range(1 + RETRIES):
            try:
                succeeded, answer = pickle.loads(self._reply(pickled, seconds))  # noqa: S301
            except (NodeDiedError, ObjectLostError, WorkerCrashedError):
                continue
            except OutOfMemoryError:
                raise KilledForMemory("Ray killed its worker as its node had no more") from None
            except RayError as error:
                raise WorkerLost(f"Ray did not finish it: {_one_line(error)}") from None
            if succeeded:
                return answer  # type: ignore[no-any-return]
            raise answer
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
    """Compute a job in a process of this Ray worker's fork server. This is the Ray task."""
    processes = _processes(preload)
    devices = os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        answer = processes.submit(_call, (pickled, devices), seconds)
        # ray.cancel raises KeyboardInterrupt here, but cannot while a wait has no end.
        while not wait([answer], POLL_SECONDS).done:
            pass
    except KeyboardInterrupt:
        processes.close()
        raise
    try:
        return answer.result()
    except WorkerLost as error:
        return pickle.dumps((False, error))


@cache
def _processes(preload: tuple[str, ...]) -> LocalExecutor:
    # Each child would run its parent's main module again, and that imports Ray.
    vars(sys.modules["__main__"]).pop("__file__", None)
    return LocalExecutor(1, preload)


def _call(task: tuple[bytes, str | None]) -> bytes:
    """Return whether the function answered, and its answer or its exception, pickled.

    Function, job and answer pass the Ray worker as bytes, so that it imports none of their
    modules. The devices are those that Ray gave to this job, unknown when the fork server began.
    """
    pickled, devices = task
    if devices is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices
    function, job = pickle.loads(pickled)  # noqa: S301
    return pickled_answer(function, job)


def _start(cores: int | None, gpus: float) -> None:
    """Start a Ray on this machine that ends with this process."""
    import ray

    ray.init(
        address="local",
        num_cpus=cores,
        num_gpus=None if gpus else 0,  # None: those that Ray finds
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        **_common(),
    )


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
        # Ray itself would go on trying for minutes.
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
        ray.init(address=address, **_common())
    except (OSError, OverflowError, RuntimeError, RayError) as error:
        # Of a token that the cluster does not take, ray.init says that it could not connect.
        told = _refusal(address) if isinstance(error, ConnectionError) else None
        told = told or error
        if type(told).__name__ == REFUSED:
            cannot = "the Ray cluster there was not joined, as it wants its token"
            way_out = WAY_IN
        cause = f"{cannot} ({_one_line(told)})"
        raise BadInput([f"--ray-address: {address!r}: {cause}; {way_out}"]) from None


def _refusal(address: str) -> Exception | None:
    """Return the error of a cluster that wants another token than this session's.

    Returns None of what does not answer within CONNECT_SECONDS.
    """
    try:
        connect: Callable[..., object] = import_module("ray._raylet").GcsClient
    except (ImportError, AttributeError):  # another version of Ray, where it alone has to tell
        return None
    refusals: list[Exception] = []

    def ask() -> None:
        try:
            connect(address=address)
        except Exception as error:
            if type(error).__name__ == REFUSED:
                refusals.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(CONNECT_SECONDS)
    return refusals[0] if refusals else None


def _common() -> dict[str, Any]:
    """Return what ray.init is told in either case: print nothing, import from where we do."""
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
        f"{option}: no node has the {counted(cpus, 'core')} and {counted(gpus, 'GPU')} that "
        "a run takes "
        f"(nodes: {seen or 'none'}); join a larger node with `ray start --address`, "
        "or let a run take less"
    )


def _one_line(error: BaseException) -> str:
    """Return an exception as one line; Ray's own messages run over many."""
    from ray.exceptions import RayTaskError

    cause = error.cause if isinstance(error, RayTaskError) else error
    first, *_ = str(cause).strip().splitlines() or [""]
    return f"{type(cause).__name__}: {one_line(first)}"
