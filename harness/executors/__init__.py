"""Where runs are computed. An executor takes a function and a job, and knows nothing of ML."""

import importlib
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

J = TypeVar("J")
R = TypeVar("R")


class Executor(Protocol):
    """Computes functions of jobs elsewhere, several at a time.

    The function must be importable by name, the job and the result picklable.
    """

    def submit(
        self, function: Callable[[J], R], job: J, seconds: float | None = None
    ) -> "Future[R]":
        """Queue a job, first come first served.

        A job that takes longer than `seconds` is killed. The future raises what the function
        raised, or WorkerLost; KilledForMemory where the system tells that it was that.
        """
        ...

    def close(self) -> None:
        """Cancel what waits, kill what runs, and return when nothing is left of it."""
        ...


class WorkerLost(Exception):
    """A worker ended, or was ended, without an answer: killed, crashed, or out of time."""


class KilledForMemory(WorkerLost):
    """A worker was killed as memory ran out: by the kernel, or by Ray, which watches its nodes."""


def call(module: str, function: str, job: object) -> Any:
    """Give a job to a function that nobody imports but the worker that calls it.

    Raises:
        ImportError: no such module.
        AttributeError: no such function.
    """
    return getattr(importlib.import_module(module), function)(job)
