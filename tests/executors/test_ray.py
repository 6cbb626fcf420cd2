import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from builders.toy_jobs import report

from harness.errors import BadInput
from harness.executors import WorkerLost

# Read when Ray is imported; keeps a cluster's ports off the network.
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
pytest.importorskip("ray")

from ray.cluster_utils import Cluster

from harness.executors.ray import RETRIES, RayExecutor

pytestmark = pytest.mark.ray

PATIENCE = 60  # seconds; a test that waits longer has failed
NODE: dict[str, Any] = {"node_ip_address": "127.0.0.1", "object_store_memory": 80 * 2**20}

# A session of its own that runs one job at a time, with one running and one waiting.
SESSION = """
import sys
from harness.executors.ray import RayExecutor
from builders.toy_jobs import report

executor = RayExecutor(1)
running, waiting = (executor.submit(report, (int(sys.argv[1]), n)) for n in range(2))
sys.stdin.readline()
executor.close()
print(type(running.exception()).__name__, waiting.cancelled())
"""


# As if other programs had filled the node: Ray kills what it runs there.
FULL = """
import os
from harness.executors.ray import RayExecutor
from builders.toy_jobs import sleep
from pathlib import Path

os.environ["RAY_memory_usage_threshold"] = "0.001"
os.environ["RAY_memory_monitor_refresh_ms"] = "50"
executor = RayExecutor(1)
error = executor.submit(sleep, Path.cwd()).exception()
executor.close()
print(type(error).__name__, error)
"""


def refuse(problem: str) -> None:
    raise BadInput([problem, "and another"])


def answer_with_a_lock(_: object) -> object:
    return threading.Lock()


def surroundings(module: str) -> tuple[int, int, bool]:
    """Return this process, its parent, and whether a module was loaded before the job came."""
    return os.getpid(), os.getppid(), module in sys.modules


@dataclass(frozen=True)
class Begun:
    """A job that began, told so, and waits for the test."""

    number: int
    process: psutil.Process
    devices: str
    connection: socket.socket

    def release(self) -> None:
        self.connection.sendall(b".")

    def wait_until_dead(self) -> None:
        assert self.connection.recv(1) == b""


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        yield server


def begin(server: socket.socket) -> Begun:
    """Wait until some job begins."""
    connection, _ = server.accept()
    connection.settimeout(PATIENCE)
    number, pid, devices = connection.makefile().readline().split()
    return Begun(int(number), psutil.Process(int(pid)), devices, connection)


def port(server: socket.socket) -> int:
    number: int = server.getsockname()[1]
    return number


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster whose head computes nothing, with one node of two cores and two GPUs to claim."""
    # A node that does not answer is soon given up; usually that takes a quarter of a minute.
    settings = {"health_check_period_ms": 500}
    others = psutil.Process().children(recursive=True)  # such as the fork server of other tests
    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": settings, **NODE}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(num_cpus=2, num_gpus=2, **NODE)
    yield cluster
    processes = [p for p in psutil.Process().children(recursive=True) if p not in others]
    cluster.shutdown()  # type: ignore[no-untyped-call]
    assert_gone(processes)


@pytest.fixture
def join(cluster: Cluster) -> Iterator[Callable[..., RayExecutor]]:
    """Make executors on the cluster, one at a time, and close them."""
    executors: list[RayExecutor] = []

    def make(*arguments: Any, **options: Any) -> RayExecutor:
        executors.append(RayExecutor(*arguments, address=cluster.address, **options))
        return executors[-1]

    yield make
    for executor in executors:
        executor.close()


def assert_gone(processes: list[psutil.Process]) -> None:
    deadline = time.monotonic() + PATIENCE
    while left := [process for process in processes if is_alive(process)]:
        assert time.monotonic() < deadline, left
        psutil.wait_procs(left, timeout=0.1)


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process goes on; one that ended may wait for its parent to notice."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_the_jobs_of_a_lost_node_run_elsewhere_and_all_are_answered_once(
    cluster: Cluster, join: Callable[..., RayExecutor], server: socket.socket
) -> None:
    doomed = cluster.add_node(num_cpus=1, **NODE)
    (raylet,) = (info.process.pid for info in doomed.all_processes["raylet"])
    executor = join()
    assert executor.workers == 3
    answered: list[int] = []
    futures = [executor.submit(report, (port(server), number)) for number in range(6)]
    for future in futures:
        future.add_done_callback(lambda future: answered.append(future.result()))
    begun = [begin(server) for _ in range(3)]

    (on_doomed,) = (job for job in begun if raylet in (p.pid for p in job.process.parents()))
    on_doomed.release()
    assert futures[on_doomed.number].result(PATIENCE) == on_doomed.number**2
    begun.append(begin(server))  # the doomed node was the only one with a core to spare
    lost = begun[-1]
    assert raylet in (parent.pid for parent in lost.process.parents())
    cluster.remove_node(doomed, allow_graceful=False)
    lost.wait_until_dead()
    for job in begun:
        if job not in (on_doomed, lost):
            job.release()
    while len(begun) < 7:
        begun.append(begin(server))
        begun[-1].release()

    assert [future.result(PATIENCE) for future in futures] == [n * n for n in range(6)]
    assert sorted(answered) == [n * n for n in range(6)]
    assert Counter(job.number for job in begun) == Counter([*range(6), lost.number])


def test_a_node_lost_in_the_middle_of_a_suite_costs_no_run(
    cluster: Cluster, tmp_path: Path
) -> None:
    # Not at the top: every job imports this file, and some have a second to tell that they began.
    from builders.sessions import SUITE
    from builders.sessions import begin as start_session
    from builders.tiny_checkpoints import SENTENCES, make_checkpoint

    from harness.store.run_store import read_store

    make_checkpoint("bert", tmp_path / "encoder")
    rows = [f'"{SENTENCES[n % len(SENTENCES)]} {n}",{n % 2}' for n in range(80)]
    (tmp_path / "data.csv").write_text("\n".join(["sentence,label", *rows]) + "\n")
    suite = tmp_path / "tiny.toml"
    suite.write_text(SUITE.replace('keep_models = "all"', ""))
    doomed = cluster.add_node(num_cpus=1, **NODE)
    (raylet,) = (info.process.pid for info in doomed.all_processes["raylet"])
    session = start_session(
        tmp_path,
        *("--executor", "ray", "--ray-address", cluster.address),
        *("--workers", "3", "--epochs", "200"),
        suite=suite,
    )
    runs = tmp_path / "results" / "tiny" / "runs"
    deadline = time.monotonic() + PATIENCE
    while not (found := logs_written_under(raylet, runs)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    cluster.remove_node(doomed, allow_graceful=False)
    output, _ = session.communicate()
    assert session.returncode == 0, output
    stored, unreadable = read_store(tmp_path / "results" / "tiny")
    assert unreadable == []
    assert [item.record.status for item in stored] == ["ok"] * 4
    assert len({item.record.key for item in stored}) == 4
    assert found <= {item.folder for item in stored}


def logs_written_under(raylet: int, runs: Path) -> set[Path]:
    """Return the folders of the runs that train on a node: its processes hold their logs open."""
    found = set()
    for process in psutil.Process(raylet).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            paths = (Path(file.path) for file in process.open_files())
            found |= {path.parent for path in paths if path.is_relative_to(runs)}
    return found


def test_a_job_that_keeps_losing_its_ray_worker_is_given_up(
    join: Callable[..., RayExecutor], server: socket.socket
) -> None:
    future = join().submit(report, (port(server), 3))
    for _ in range(1 + RETRIES):
        job = begin(server)
        _, ray_worker, *_ = job.process.parents()
        ray_worker.kill()
        job.wait_until_dead()
    with pytest.raises(WorkerLost, match=f"{1 + RETRIES} times"):
        future.result(PATIENCE)


def test_a_job_whose_own_process_is_killed_is_not_repeated(
    join: Callable[..., RayExecutor], server: socket.socket
) -> None:
    executor = join()
    killed, other = (executor.submit(report, (port(server), number)) for number in range(2))
    begun = {job.number: job for job in (begin(server), begin(server))}
    begun[0].process.kill()
    with pytest.raises(WorkerLost, match="SIGKILL"):
        killed.result(PATIENCE)
    begun[1].release()
    assert other.result(PATIENCE) == 1


def test_a_job_out_of_time_is_killed(
    join: Callable[..., RayExecutor], server: socket.socket
) -> None:
    future = join().submit(report, (port(server), 0), seconds=1)
    job = begin(server)
    with pytest.raises(WorkerLost, match="after the limit of 1 s"):
        future.result(PATIENCE)
    job.wait_until_dead()


def test_a_future_raises_what_the_function_raised_or_why_nothing_can_be_sent(
    join: Callable[..., RayExecutor],
) -> None:
    executor = join()
    refused = executor.submit(refuse, "one")
    unsendable = executor.submit(answer_with_a_lock, None)
    with pytest.raises(BadInput) as caught:
        refused.result(PATIENCE)
    assert type(caught.value) is BadInput
    assert caught.value.problems == ("one", "and another")
    with pytest.raises(RuntimeError, match=r"cannot be sent.*lock"):
        unsendable.result(PATIENCE)


def test_jobs_have_processes_of_their_own_forked_from_servers_that_preloaded(
    join: Callable[..., RayExecutor],
) -> None:
    executor = join(preload=["mailbox"])
    found = [executor.submit(surroundings, "mailbox") for _ in range(8)]
    processes, parents, preloaded = zip(*(f.result(PATIENCE) for f in found), strict=True)
    assert "mailbox" not in sys.modules
    assert all(preloaded)
    assert len(set(processes)) == 8
    assert len(set(parents)) <= 2  # one for each place on the node


def test_each_job_sees_the_gpu_that_it_was_given(
    join: Callable[..., RayExecutor], server: socket.socket
) -> None:
    executor = join(cpus=0.5, gpus=0.5)
    assert executor.workers == 4
    futures = [executor.submit(report, (port(server), number)) for number in range(4)]
    begun = [begin(server) for _ in futures]
    assert Counter(job.devices for job in begun) == {"0": 2, "1": 2}
    for job in begun:
        job.release()
    assert [future.result(PATIENCE) for future in futures] == [0, 1, 4, 9]


def test_a_cluster_without_room_for_a_job_is_refused(cluster: Cluster) -> None:
    with pytest.raises(BadInput) as caught:
        RayExecutor(cpus=64, gpus=1, address=cluster.address)
    (problem,) = caught.value.problems
    assert "64 cores and 1 GPU" in problem
    assert "2 cores and 2 GPUs" in problem
    assert cluster.address in problem


@pytest.mark.parametrize("address", ["", "auto", "6379", "ray://head:10001", "head:", "head:x"])
def test_a_malformed_address_is_refused(address: str) -> None:
    with pytest.raises(BadInput) as caught:
        RayExecutor(address=address)
    (problem,) = caught.value.problems
    assert problem.startswith(f"--ray-address: {address!r}: must be host:port")
    assert "ray start --head" in problem


def test_an_address_where_nobody_listens_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{port(closed)}"
    with pytest.raises(BadInput) as caught:
        RayExecutor(address=address)
    (problem,) = caught.value.problems
    assert address in problem
    assert "refused" in problem
    assert "ray start --head" in problem


def test_without_ray_the_way_to_install_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInput) as caught:
        RayExecutor(1)
    (problem,) = caught.value.problems
    assert problem.startswith("--executor ray needs Ray (import of ray halted")
    assert problem.endswith("): pip install '.[ray]'")


def test_a_job_that_ray_kills_for_memory_is_not_repeated_and_says_so(tmp_path: Path) -> None:
    here = Path(__file__).parents[1]
    session = subprocess.run(
        [sys.executable, "-c", FULL],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(here.parent), str(here)])},
        capture_output=True,
        text=True,
    )
    told = "KilledForMemory Ray killed its worker, as its node ran out of it\n"
    assert session.stdout == told, session.stderr


def addresses_listened_on(processes: Iterable[psutil.Process]) -> Iterator[str]:
    """Yield where those of some processes listen that have not ended since they were listed."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            for connection in process.net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN:
                    yield connection.laddr.ip


def name(process: psutil.Process) -> str:
    """Return a process' name, or none where it has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.name()
    return ""


@pytest.mark.parametrize("end", ["closed", "killed"])
def test_a_session_with_its_own_ray_stays_on_this_machine_and_leaves_nothing(
    end: str, server: socket.socket
) -> None:
    here = Path(__file__).parents[1]
    session = subprocess.Popen(
        [sys.executable, "-c", SESSION, str(port(server))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(here.parent), str(here)])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with session:
        job = begin(server)
        processes = psutil.Process(session.pid).children(recursive=True)
        listening = list(addresses_listened_on(processes))
        assert listening
        assert set(listening) <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
        assert job.process in processes
        if end == "killed":
            # Ray's own two agents seek their cluster for a minute before they end.
            processes = [p for p in processes if not name(p).endswith("Agent")]
            session.send_signal(signal.SIGKILL)
        output, errors = session.communicate("end\n", PATIENCE)
    if end == "closed":
        assert (output, errors) == ("WorkerLost True\n", "")
    job.wait_until_dead()
    assert_gone(processes)


JOIN = """
import sys
from harness.errors import BadInput
from harness.executors.ray import RayExecutor
from builders.toy_jobs import double

try:
    executor = RayExecutor(1, address=sys.argv[1])
except BadInput as error:
    print(error)
else:
    print(executor.submit(double, 21).result())
    executor.close()
"""

TOKEN, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster that wants TOKEN."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{port(free)}"
    folder = tmp_path_factory.mktemp("guarded")
    command = ["ray", "start", "--head", "--block", "--num-cpus=1", "--include-dashboard=false"]
    host, _, number = address.partition(":")
    command += [f"--node-ip-address={host}", f"--port={number}", "--object-store-memory=80000000"]
    with (folder / "log.txt").open("w") as log:
        head = subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", *command[1:]],
            env=without_token(folder) | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN},
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while "Ray runtime started" not in (told := (folder / "log.txt").read_text()):
            assert head.poll() is None, told
            assert time.monotonic() < deadline, told
            time.sleep(0.2)
        yield address
    finally:
        processes = psutil.Process(head.pid).children(recursive=True)
        head.terminate()
        head.wait(PATIENCE)
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def without_token(home: Path) -> dict[str, str]:
    """This environment, with a home in which no token was ever made."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    return kept | {"HOME": str(home)}


def said_by_a_session(address: str, home: Path, **environment: str) -> str:
    """Let a session of its own join a cluster; return what it says."""
    here = Path(__file__).parents[1]
    path = os.pathsep.join([str(here.parent), str(here)])
    session = subprocess.run(
        [sys.executable, "-c", JOIN, address],
        env=without_token(home) | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
    )
    assert session.returncode == 0, session.stderr
    return session.stdout


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": OTHER},
        {"RAY_AUTH_MODE": "token"},
        {"RAY_AUTH_TOKEN": TOKEN, "RAY_AUTH_MODE": "disabled"},
    ],
    ids=["none", "another", "mode alone", "not used"],
)
def test_a_cluster_that_wants_its_token_is_not_one_that_is_not_there(
    environment: dict[str, str], guarded: str, tmp_path: Path
) -> None:
    told = said_by_a_session(guarded, tmp_path, **environment)
    assert told.startswith(f"--ray-address: '{guarded}': the Ray cluster there could not be joined")
    assert "RAY_AUTH_TOKEN" in told
    assert "~/.ray/auth_token" in told
    assert "ray start --head" not in told
    assert TOKEN not in told
    assert told.count("\n") == 1


def test_with_its_token_it_is_joined(guarded: str, tmp_path: Path) -> None:
    told = said_by_a_session(guarded, tmp_path, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN)
    assert told == "42\n"
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text(TOKEN)
    told = said_by_a_session(guarded, tmp_path, RAY_AUTH_MODE="token")
    assert told == "42\n"
