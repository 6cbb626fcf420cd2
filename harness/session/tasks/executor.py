"""The executor of a session's runs, and whether to prepare this machine for it early."""

from collections.abc import Iterable, Sequence

from harness.executors import Executor
from harness.executors.local import LocalExecutor
from harness.forecast.seconds import Sharing
from harness.paths import passes
from harness.session.options import Options, Planned
from harness.suite.plan import Cell
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
    if executor_name(suites) == "local":
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


def executor_name(suites: Iterable[Suite]) -> str:
    """Return the executor of a session: `local`, unless a suite requires another for all runs."""
    names = [suite.limits.executor for suite in suites]
    return next((name for name in names if name != "local"), "local")


def may_train_here(planned: Sequence[Planned], cells: Sequence[Cell], options: Options) -> bool:
    """Return whether to start the fork server early; nothing else depends on it.

    True if a run may have to train on this machine: with --rerun, or if a selected run has no
    record here, unless this session does not train. Records are not verified yet.

    Args:
        cells: the selected ones.
    """
    if not options.trains or any(each.suite.limits.executor != "local" for each in planned):
        return False

    def is_recorded(cell: Cell, seed: int) -> bool:
        runs = options.results / cell.suite / "runs" / cell.id
        return passes(lambda folder: any(folder.glob(f"seed-{seed}-*/record.json")), runs)

    return options.rerun or not all(is_recorded(c, seed) for c in cells for seed in c.seeds)
