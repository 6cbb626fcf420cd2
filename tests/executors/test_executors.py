"""What every executor promises, with jobs that know nothing of machine learning."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import psutil
import pytest
from builders import toy_jobs
from builders.waiting import wait_for

from harness.executors import Executor, KilledForMemory, WorkerLost, local
from harness.executors.local import LocalExecutor

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # Ray reads it on import: loopback only
WORKERS = 2


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
    futures = [executor.submit(toy_jobs.double, number) for number in range(6)]
    assert [future.result() for future in futures] == [0, 2, 4, 6, 8, 10]


def test_a_job_raises_what_its_function_raised(executor: Executor) -> None:
    with pytest.raises(KeyError, match="no such thing"):
        executor.submit(toy_jobs.raise_key_error, "no such thing").result()


def test_an_answer_that_cannot_be_sent_is_said_to_be_one(executor: Executor) -> None:
    with pytest.raises(RuntimeError, match=r"the result cannot be sent: .*lambda"):
        executor.submit(toy_jobs.return_function, 0).result()


def test_a_job_that_cannot_be_sent_is_said_to_be_one(executor: Executor) -> None:
    with pytest.raises(Exception, match=r"pickle.*lambda"):
        executor.submit(lambda number: number, 0).result()


@pytest.mark.parametrize(
    ("function", "argument", "cause"),
    [
        (toy_jobs.kill_itself, signal.SIGKILL.value, "killed by SIGKILL, as the kernel does"),
        (toy_jobs.kill_itself, signal.SIGUSR1.value, "killed by SIGUSR1$"),
        (toy_jobs.segfault, 0, "killed by SIGSEGV$"),
        (toy_jobs.kill_itself, signal.SIGRTMIN.value + 1, "killed by signal"),
        (toy_jobs.exit_at_once, 7, "exit code 7"),
        (toy_jobs.exit_politely, 0, "exit code 0"),
        (toy_jobs.die_while_answering, signal.SIGKILL.value, "killed by SIGKILL"),
    ],
)
def test_a_worker_that_dies_loses_its_own_job_only(
    executor: Executor, function: Callable[[int], None], argument: int, cause: str
) -> None:
    lost = executor.submit(function, argument)
    other = executor.submit(toy_jobs.double, 21)
    with pytest.raises(WorkerLost, match=cause):
        lost.result()
    assert other.result() == 42


def test_a_job_that_takes_too_long_is_killed(executor: Executor, tmp_path: Path) -> None:
    with pytest.raises(WorkerLost, match="stopped after the limit of 2 s"):
        executor.submit(toy_jobs.sleep, tmp_path, 2).result()
    (noted,) = tmp_path.iterdir()
    assert not psutil.pid_exists(int(noted.stem))


def test_no_more_jobs_run_at_a_time_than_asked(executor: Executor, tmp_path: Path) -> None:
    tasks = [(tmp_path, WORKERS)] * 6
    assert max(f.result() for f in [executor.submit(toy_jobs.overlap, t) for t in tasks]) == WORKERS


def test_every_job_has_a_process_of_its_own(executor: Executor) -> None:
    workers = [executor.submit(toy_jobs.processes, number).result()[1] for number in range(4)]
    assert len({os.getpid(), *workers}) == 5


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (toy_jobs.return_shy, "too shy to be sent: <Shy instance"),
        (
            toy_jobs.raise_choosy,
            "missing 1 required positional argument: .*it does not suit: too green",
        ),
    ],
)
def test_an_answer_that_can_hardly_be_told_is_told_all_the_same(
    function: Callable[[str], object], told: str
) -> None:
    executor = LocalExecutor(1)
    with pytest.raises(RuntimeError, match=f"the result cannot be sent: .*{told}"):
        executor.submit(function, "too green").result()
    executor.close()


def test_a_job_looks_for_garbage_but_not_in_what_the_fork_server_imported() -> None:
    executor = LocalExecutor(1)
    enabled, left_out = executor.submit(toy_jobs.garbage_collection, None).result()
    executor.close()
    assert enabled
    assert left_out > 1000


def test_a_kill_for_memory_is_told_from_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = tmp_path / "vmstat"
    counter.write_text("pgfault 7\noom_kill 3\n")
    monkeypatch.setattr(local, "VMSTAT", counter)
    executor = LocalExecutor(1)
    with pytest.raises(WorkerLost, match="killed by SIGKILL") as other:
        executor.submit(toy_jobs.be_killed_by_the_kernel, None).result()
    assert not isinstance(other.value, KilledForMemory)
    with pytest.raises(KilledForMemory):
        executor.submit(toy_jobs.be_killed_by_the_kernel, counter).result()
    executor.close()


def test_jobs_begin_in_the_order_in_which_they_were_submitted(tmp_path: Path) -> None:
    executor = LocalExecutor(1)
    lines = [(tmp_path / "order", letter) for letter in "queue"]
    for future in [executor.submit(toy_jobs.append, line) for line in lines]:
        future.result()
    executor.close()
    assert (tmp_path / "order").read_text() == "queue"


def test_closing_cancels_what_waits_and_kills_what_runs(tmp_path: Path) -> None:
    executor = LocalExecutor(1)
    running = executor.submit(toy_jobs.sleep, tmp_path)
    waiting = executor.submit(toy_jobs.double, 1)
    wait_for(tmp_path, "*.pid")
    executor.close()
    with pytest.raises(WorkerLost):
        running.result(timeout=10)
    with pytest.raises(CancelledError):
        waiting.result(timeout=10)
    (noted,) = tmp_path.iterdir()
    assert not psutil.pid_exists(int(noted.stem))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_process_group_leaves_workers_to_the_session(
    number: signal.Signals,
) -> None:
    executor = LocalExecutor(1)
    assert executor.submit(toy_jobs.kill_itself, number.value).result() is None
    executor.close()


def test_of_workers_that_die_at_the_same_time_every_cause_is_known() -> None:
    executor = LocalExecutor(4)
    futures = [executor.submit(toy_jobs.kill_itself, signal.SIGKILL.value) for _ in range(150)]
    causes = {str(future.exception()) for future in futures}
    executor.close()
    (cause,) = causes
    assert "killed by SIGKILL" in cause


def test_many_jobs_leave_no_open_files_and_no_processes_behind() -> None:
    executor = LocalExecutor(WORKERS)
    executor.submit(toy_jobs.double, 1).result()
    this = psutil.Process()
    before = this.num_fds()
    # The first executor of this process started a fork server, and what tracks its resources.
    servers = {process.pid for process in this.children()}
    futures = [executor.submit(toy_jobs.double, number) for number in range(50)]
    broken = [executor.submit(lambda number: number, 0) for _ in range(10)]
    assert [future.result() for future in futures] == [2 * number for number in range(50)]
    assert all(future.exception() for future in broken)
    executor.close()
    assert this.num_fds() <= before
    assert {process.pid for process in this.children(recursive=True)} <= servers


SESSION = """
import json
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from builders import toy_jobs
from harness.executors.local import LocalExecutor
folder = Path({folder!r})
if __name__ == "__main__":
{body}
"""


def begin(folder: Path, body: str) -> subprocess.Popen[str]:
    """Start a session of its own process group that uses an executor."""
    program = folder / "session.py"
    body = "\n".join(f"    {line}" for line in body.strip().splitlines())
    program.write_text(SESSION.format(path=sys.path, folder=str(folder), body=body), "utf-8")
    tests = str(Path(__file__).parents[1])  # where the fork server looks for its preloads
    return subprocess.Popen(
        [sys.executable, str(program)],
        env={**os.environ, "PYTHONPATH": tests, "SLOW_IMPORT_FOLDER": str(folder)},
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_workers_of_a_killed_session_end_with_it(tmp_path: Path) -> None:
    session = begin(tmp_path, "LocalExecutor(1).submit(toy_jobs.sleep, folder).result()")
    (noted,) = wait_for(tmp_path, "*.pid", session)
    family = psutil.Process(session.pid).children(recursive=True)
    assert int(noted.stem) in {process.pid for process in family}
    session.kill()
    session.communicate()
    assert not psutil.wait_procs(family, timeout=20)[1]


INTERRUPTED = """
executor = LocalExecutor(1, preload=[{preload}])
future = executor.submit(toy_jobs.note, folder / "working")
try:
    toy_jobs.sleep(folder)
except KeyboardInterrupt:
    (folder / "go").touch()
    print("interrupted", future.result())
    executor.close()
"""


@pytest.mark.parametrize(
    ("preload", "reached"),
    [("", "working"), ("'builders.slow_import'", "importing")],
    ids=["work", "import"],
)
def test_an_interruption_from_the_keyboard_is_left_to_the_session(
    tmp_path: Path, preload: str, reached: str
) -> None:
    session = begin(tmp_path, INTERRUPTED.format(preload=preload))
    wait_for(tmp_path, "*.pid", session)
    wait_for(tmp_path, reached, session)
    os.killpg(session.pid, signal.SIGINT)
    output, _ = session.communicate()
    assert output == "interrupted working\n"
    assert session.returncode == 0


def test_a_long_path_of_temporary_files_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("long" * 25)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    session = begin(
        tmp_path,
        "executor = LocalExecutor(1)\nprint(executor.submit(toy_jobs.double, 21).result())\n"
        "executor.close()",
    )
    output, _ = session.communicate()
    assert output == "42\n"
    assert list(long.iterdir()) == []


PRELOADING = """
executor = LocalExecutor(2, preload=["builders.toy_jobs"])
print(json.dumps([executor.submit(toy_jobs.processes, number).result() for number in range(3)]))
executor.close()
"""


def test_what_every_job_needs_is_imported_once_for_all(tmp_path: Path) -> None:
    output, _ = begin(tmp_path, PRELOADING).communicate()
    importers, workers, parents = zip(*json.loads(output), strict=True)
    assert len(set(workers)) == 3
    assert set(importers) == set(parents)
    assert len(set(importers)) == 1


# The server accepts the next request, and then has no room for what comes with it.
BROKEN = """
import os, psutil, resource, tempfile
tempfile.tempdir = str(folder / "temporary")
executor = LocalExecutor(1)
_, _, server = executor.submit(toy_jobs.processes, 0).result()
opened = {int(name) for name in os.listdir(f"/proc/{server}/fd")}
_, second = sorted(set(range(len(opened) + 2)) - opened)[:2]
resource.prlimit(server, resource.RLIMIT_NOFILE, (second + 1, second + 1))
lost = executor.submit(toy_jobs.double, 1).exception()
while psutil.Process(server).status() != psutil.STATUS_ZOMBIE:
    pass
found = [executor.submit(toy_jobs.double, number).result() for number in (2, 3)]
executor.close()
print(json.dumps([repr(lost), found]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="another process' limits are set as on Linux")
def test_a_fork_server_that_ends_by_an_error_costs_one_job_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    session = begin(tmp_path, BROKEN)
    output, _ = session.communicate()
    assert session.returncode == 0, output
    lost, found = json.loads(output.splitlines()[-1])
    assert lost.startswith("WorkerLost('its worker process could not be started (EOFError: ")
    assert found == [4, 6]
    assert list(temporary.iterdir()) == []
