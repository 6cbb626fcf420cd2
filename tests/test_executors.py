"""What every executor promises, with jobs that know nothing of machine learning."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import psutil
import pytest

from harness.executors import Executor, WorkerLost
from harness.executors.local import LocalExecutor

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # Ray reads it on import: loopback only
WORKERS = 2


def double(number: int) -> int:
    return 2 * number


def fail(message: str) -> None:
    raise KeyError(message)


def unsendable(_: int) -> Callable[[], int]:
    return lambda: 1


def kill_itself(number: int) -> None:
    os.kill(os.getpid(), number)


def exit_at_once(code: int) -> None:
    os._exit(code)


def segfault(_: int) -> None:
    ctypes.string_at(0)


def sleep(folder: Path) -> None:
    (folder / f"{os.getpid()}.pid").touch()
    time.sleep(600)


def overlap(folder: Path) -> int:
    """Note this job as running until there is company; return how many were noted at once."""
    mine = folder / str(os.getpid())
    mine.touch()
    most = 0
    patience = time.monotonic() + 20
    while most < WORKERS and time.monotonic() < patience:
        time.sleep(0.05)
        most = max(most, len(list(folder.iterdir())))
    time.sleep(0.2)
    most = max(most, len(list(folder.iterdir())))
    mine.unlink()
    return most


def process_of(_: int) -> int:
    return os.getpid()


@pytest.fixture(
    scope="module", params=["local", pytest.param("ray", marks=pytest.mark.ray)], ids=str
)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    made: Executor
    if request.param == "ray":
        pytest.importorskip("ray")
        from harness.executors.ray import RayExecutor

        made = RayExecutor(WORKERS)
    else:
        made = LocalExecutor(WORKERS)
    yield made
    made.close()


def test_a_job_gives_its_answer(executor: Executor) -> None:
    assert [f.result() for f in [executor.submit(double, n) for n in range(6)]] == [
        0,
        2,
        4,
        6,
        8,
        10,
    ]


def test_a_job_raises_what_its_function_raised(executor: Executor) -> None:
    with pytest.raises(KeyError, match="no such thing"):
        executor.submit(fail, "no such thing").result()


def test_an_answer_that_cannot_be_sent_is_said_to_be_one(executor: Executor) -> None:
    with pytest.raises(RuntimeError, match="cannot be sent"):
        executor.submit(unsendable, 0).result()


@pytest.mark.parametrize(
    ("function", "argument", "cause"),
    [
        (kill_itself, signal.SIGKILL.value, "SIGKILL"),
        (kill_itself, signal.SIGTERM.value, "SIGTERM"),
        (segfault, 0, "SIGSEGV"),
        (exit_at_once, 7, "exit code 7"),
    ],
)
def test_a_worker_that_dies_loses_its_own_job_only(
    executor: Executor, function: Callable[[int], None], argument: int, cause: str
) -> None:
    lost = executor.submit(function, argument)
    other = executor.submit(double, 21)
    with pytest.raises(WorkerLost, match=cause):
        lost.result()
    assert other.result() == 42


def test_a_job_that_takes_too_long_is_killed(executor: Executor, tmp_path: Path) -> None:
    with pytest.raises(WorkerLost, match="limit of 2 s"):
        executor.submit(sleep, tmp_path, 2).result()
    (noted,) = tmp_path.iterdir()
    assert not psutil.pid_exists(int(noted.stem))


def test_no_more_jobs_run_at_a_time_than_asked(executor: Executor, tmp_path: Path) -> None:
    most = max(f.result() for f in [executor.submit(overlap, tmp_path) for _ in range(6)])
    assert most == WORKERS


def test_every_job_has_a_process_of_its_own(executor: Executor) -> None:
    processes = [executor.submit(process_of, n).result() for n in range(4)]
    assert len({os.getpid(), *processes}) == 5


def test_closing_cancels_what_waits_and_kills_what_runs(tmp_path: Path) -> None:
    executor = LocalExecutor(1)
    running = executor.submit(sleep, tmp_path)
    waiting = executor.submit(double, 1)
    while not list(tmp_path.iterdir()):
        assert not running.done()
    executor.close()
    with pytest.raises(WorkerLost):
        running.result(timeout=10)
    with pytest.raises(CancelledError):
        waiting.result(timeout=10)
    (noted,) = tmp_path.iterdir()
    assert not psutil.pid_exists(int(noted.stem))


def test_many_jobs_leave_no_open_files_behind() -> None:
    executor = LocalExecutor(WORKERS)
    executor.submit(double, 1).result()
    before = psutil.Process().num_fds()
    for future in [executor.submit(double, n) for n in range(40)]:
        future.result()
    executor.close()
    assert psutil.Process().num_fds() <= before


SESSION = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from test_executors import sleep
from harness.executors.local import LocalExecutor
if __name__ == "__main__":
    LocalExecutor(1).submit(sleep, Path({folder!r})).result()
"""


def test_the_workers_of_a_killed_session_end_with_it(tmp_path: Path) -> None:
    program = tmp_path / "session.py"
    program.write_text(SESSION.format(path=sys.path, folder=str(tmp_path)), encoding="utf-8")
    session = subprocess.Popen([sys.executable, str(program)])
    while not (noted := list(tmp_path.glob("*.pid"))):
        assert session.poll() is None
    worker = psutil.Process(int(noted[0].stem))
    session.kill()
    session.wait()
    worker.wait(timeout=10)
