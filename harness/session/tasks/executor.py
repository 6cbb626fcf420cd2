"""The executor of a session's runs."""

from collections.abc import Sequence

from harness.executors import Executor
from harness.executors.local import LocalExecutor
from harness.forecast.seconds import Sharing
from harness.suite.spec import Suite

PRELOAD = ("harness.training.worker",)
"""Modules that every run imports; an executor imports them once for all runs."""


def make_executor(
    suites: Sequence[Suite], device: str, sharing: Sharing, ray_address: str | None
) -> tuple[Executor, int]:
    """Return the executor that the suites require, and how many runs it trains at a time.

    Raises:
        BadInput: Ray is not available, or its cluster is too small.
    """
    if all(suite.limits.executor == "local" for suite in suites):
        return LocalExecutor(sharing.workers, preload=PRELOAD), sharing.workers
    from harness.executors.ray import RayExecutor

    number_given = any(isinstance(suite.limits.workers, int) for suite in suites)
    ray = RayExecutor(
        None if ray_address and not number_given else sharing.workers,
        cpus=sharing.threads,
        gpus=1 if device == "cuda" else 0,
        address=ray_address,
        preload=PRELOAD,
    )
    return ray, ray.workers
