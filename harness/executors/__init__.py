"""Where runs are computed. An executor receives a function and a job; it is independent of ML."""

import importlib
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

J = TypeVar("J")
R = TypeVar("R")


class Executor(Protocol):
    """Computes functions of jobs in other processes, several at a time.

    The function must be importable by name; the job and the result must be picklable.
    """

    def submit(self, function: Callable[[J], R], job: J, seconds: float | None = None) -> Future[R]:
        """Queue a job, first come first served.

        A job that takes longer than `seconds` is killed. The future raises the function's
        exception, or WorkerLost; KilledForMemory if the system reports that memory ran out.
        """
        ...

    def close(self) -> None:
        """Cancel queued jobs, kill running ones, and return when all their processes have ended."""
        ...


class WorkerLost(Exception):
    """A worker ended without a result: killed, crashed, or over its time limit."""


class KilledForMemory(WorkerLost):
    """A worker was killed because memory ran out: by the kernel, or by Ray on one of its nodes."""


def call(module: str, function: str, job: object) -> Any:
    """Import a function and call it with a job, so that only the worker imports its module."""
    return getattr(importlib.import_module(module), function)(job)
