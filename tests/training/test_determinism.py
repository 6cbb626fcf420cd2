"""The same key and machine give the same bits in one thread, wherever and beside whatever."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders.bits import outcomes
from builders.jobs import file_spec, make_job, sentences, write_rows
from builders.tiny_checkpoints import make_checkpoint

from harness.executors import Executor
from harness.executors.local import LocalExecutor
from harness.session.tasks.executor import PRELOAD
from harness.training.job import Job

ROWS = 200


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[Job]:
    """Runs of two architectures and two sizes of a batch.

    In one thread each: of several a run gives some up while other programs take the cores.
    """
    folder = tmp_path_factory.mktemp("jobs")
    rows = write_rows(folder / "rows.csv", sentences(ROWS), [n * 7 % 13 % 2 for n in range(ROWS)])
    return [
        replace(
            make_job(
                make_checkpoint(architecture, folder / architecture),
                file_spec(rows, 40),
                folder,
                batch_size=batch_size,
                epochs=2,
            ),
            threads=1,
        )
        for architecture, batch_size in (("bert", 16), ("mpnet", 7), ("bert", 7))
    ]


@pytest.fixture(scope="module")
def alone(jobs: list[Job], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    executor = LocalExecutor(1, PRELOAD)
    try:
        return outcomes(executor, jobs, tmp_path_factory.mktemp("alone"))
    finally:
        executor.close()


def test_runs_beside_others_give_the_bits_of_runs_alone(
    jobs: list[Job], alone: dict[str, Any], tmp_path: Path
) -> None:
    executor = LocalExecutor(len(jobs), PRELOAD)
    try:
        assert outcomes(executor, jobs[::-1], tmp_path) == alone
    finally:
        executor.close()


@pytest.fixture
def ray_executor() -> Iterator[Executor]:
    pytest.importorskip("ray")
    from harness.executors.ray import RayExecutor

    executor = RayExecutor(2, preload=PRELOAD)
    yield executor
    executor.close()


@pytest.mark.ray
def test_runs_by_ray_give_the_bits_of_runs_alone(
    jobs: list[Job], alone: dict[str, Any], ray_executor: Executor, tmp_path: Path
) -> None:
    assert outcomes(ray_executor, jobs, tmp_path) == alone
