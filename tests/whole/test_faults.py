"""Bad days of the real `pytest benchmarks/`: nothing that is finished is lost, nothing false kept.

`pytest -m soak tests/whole/test_faults.py` runs the long ones; docs/reliability.md has figures.
"""

import contextlib
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas
import psutil
import pytest
from builders.jobs import execute_ok, file_spec, make_job
from builders.sessions import ROOT, SUITE, Session, begin, copy_store, folder, run, worker_of
from builders.tiny_checkpoints import SENTENCES
from builders.waiting import wait_for

from harness.store.predictions import read_predictions
from harness.store.run_store import Stored, read_store

pytestmark = pytest.mark.sessions

__all__ = ["folder"]  # the fixture of test_benchmarks, made once more for this module

RUNS = 4


@pytest.fixture(scope="module")
def undisturbed(folder: Path) -> tuple[Session, float]:
    """A session that nothing befell, and how many seconds it took."""
    started = time.monotonic()
    session = run(folder, suite=folder / "tiny.toml")
    assert session.code == 0, session.output
    return session, time.monotonic() - started


def results(suite_folder: Path) -> dict[str, Stored]:
    """Return a suite's runs by their keys; all must have a score."""
    stored, unreadable = read_store(suite_folder)
    assert unreadable == []
    assert all(item.record.status == "ok" for item in stored)
    return {str(item.record.key): item for item in stored}


def table(suite_folder: Path) -> list[dict[str, Any]]:
    """Return the leaderboard's rows without what is measured in seconds or bytes."""
    rows = json.loads((suite_folder / "leaderboard.json").read_bytes())["rows"]
    timed = re.compile("second|minute|_ms|memory|time|warnings")  # of times that differ
    return [{name: row[name] for name in row if not timed.search(name)} for row in rows]


def assert_as_undisturbed(folder: Path, tmp_path: Path) -> None:
    expected, found = (place / "results" / "tiny" for place in (folder, tmp_path))
    assert table(found) == table(expected)
    runs = results(found)
    assert len(runs) == RUNS
    for key, one in results(expected).items():
        other = runs[key]
        assert other.record.scores == one.record.scores
        before, now = (read_predictions(item.folder).to_pandas() for item in (one, other))
        # The last run that is left has both cores: its sums are of other parts.
        exact = other.record.threads == one.record.threads
        pandas.testing.assert_frame_equal(now, before, check_exact=exact, rtol=0, atol=1e-5)


# A launcher's environment


def test_what_a_launcher_of_distributed_training_left_in_the_environment_changes_no_bit(
    folder: Path, undisturbed: tuple[Session, float], tmp_path: Path
) -> None:
    """With a rank, a run would wait for others for ever; with the rest, compute otherwise."""
    left = {
        "ACCELERATE_MIXED_PRECISION": "bf16",
        "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "2",
        "ACCELERATE_DYNAMO_BACKEND": "eager",
        "ACCELERATE_USE_FSDP": "true",
        "FSDP_VERSION": "2",
        "PARALLELISM_CONFIG_DP_SHARD_SIZE": "2",
        "OMPI_COMM_WORLD_SIZE": "2",
        "RANK": "0",
        "LOCAL_RANK": "0",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29500",
    }
    suite = folder / "limited.toml"
    text = (folder / "tiny.toml").read_text(encoding="utf-8")
    suite.write_text(f"{text}[limits]\nrun_seconds = 120\n", encoding="utf-8")
    session = run(tmp_path, suite=suite, variables=left)
    assert session.code == 0, session.output
    assert_as_undisturbed(folder, tmp_path)
    (log, *_) = sorted(tmp_path.glob("results/tiny/runs/*/*/log.txt"))
    told = f"ignored environment variables of a launcher: {', '.join(sorted(left))}\n"
    assert told in log.read_text(encoding="utf-8")


# Two sessions


def test_a_second_session_on_the_same_results_is_refused_until_the_first_is_gone(
    folder: Path, tmp_path: Path
) -> None:
    suite, runs = folder / "tiny.toml", tmp_path / "results" / "tiny" / "runs"
    first = begin(tmp_path, "--epochs", "500", suite=suite)
    wait_for(runs, "*/*/progress.json", first)
    second = run(tmp_path, suite=suite)
    assert second.code == pytest.ExitCode.USAGE_ERROR
    told = f"{runs}: another session uses this folder (process {first.pid} on "
    assert told in second.output
    assert "or name another folder" in second.output
    assert "Traceback" not in second.output
    assert first.poll() is None
    first.kill()
    first.communicate()
    third = run(tmp_path, "--epochs", "1", "--seeds", "1", "-k", "lr1e-03", suite=suite)
    assert third.code == 0, third.output
    assert not (runs / ".lock").exists()


def test_a_session_that_cannot_begin_leaves_no_lock(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError('broken')\n", encoding="utf-8")
    search = {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    session = run(tmp_path, "--executor", "ray", suite=folder / "tiny.toml", variables=search)
    assert session.code == pytest.ExitCode.USAGE_ERROR, session.output
    assert "--executor ray needs Ray (broken): pip install '.[ray]'" in session.output
    assert list((tmp_path / "results" / "tiny" / "runs").iterdir()) == []


# What lies in the store


def test_runs_that_are_not_to_be_believed_are_moved_aside_and_run_again(
    folder: Path, undisturbed: tuple[Session, float], tmp_path: Path
) -> None:
    copied = copy_store(folder, tmp_path)
    changed, torn, *_ = sorted(copied.glob("runs/*/*/record.json"))
    record = json.loads(changed.read_bytes())
    record["scores"]["mcc"] = 1.0
    changed.write_text(json.dumps(record), encoding="utf-8")
    torn.write_bytes(torn.read_bytes()[:1000])
    session = run(tmp_path, suite=folder / "tiny.toml")
    assert session.code == 0, session.output
    assert "2 of 4 runs finished before, 2 to train" in session.output
    assert session.output.count("/quarantine/") == 2
    assert "its MCC is not the MCC of its selected epoch" in session.output
    for path in (changed, torn):
        aside = path.parent.parent / "quarantine" / path.parent.name
        assert (aside / "reason.txt").read_text().strip() in session.output
    assert_as_undisturbed(folder, tmp_path)


# What fails while a failure is kept


def test_a_failure_that_cannot_be_told_fails_its_run_and_the_session_goes_on(
    folder: Path, tmp_path: Path
) -> None:
    """As where the machine cannot be described any more, with a GPU that fell off the bus."""
    (tmp_path / "fallen.py").write_text(
        "import harness.training.job\n\n"
        "def failure(job, error):\n    raise OSError('no such device')\n\n"
        "harness.training.job.failure = failure\n"
    )
    search = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    suite = folder / "short.toml"
    text = (folder / "tiny.toml").read_text(encoding="utf-8")
    suite.write_text(f"{text}[limits]\nrun_seconds = 0.05\n", encoding="utf-8")
    session = run(tmp_path, "-p", "fallen", suite=suite, variables={"PYTHONPATH": search})
    assert session.code == 1
    assert "2 failed" in session.output
    assert "failed: the session could not store the run's result: OSError" in session.output


# A disk that is full, or may not be written


@contextlib.contextmanager
def file_size_limit(most: int) -> Iterator[None]:
    """Let processes that start meanwhile write no longer files, as on a disk that is full.

    The system answers EFBIG rather than ENOSPC; both are an OSError in the middle of a write.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_up_fails_the_run_that_no_longer_fits_and_no_other(
    folder: Path, tmp_path: Path
) -> None:
    rows = [f'"{SENTENCES[n % 16]} {n}",{n % 2}' for n in range(4100)]
    (tmp_path / "large.csv").write_text("\n".join(["sentence,label", *rows]) + "\n", "utf-8")
    text = (
        SUITE.replace('"./encoder"', f'"{folder / "encoder"}"')
        .replace('keep_models = "all"', 'keep_models = "none"')
        .replace("[1e-3, 1e-4]", "[1e-3]")
        .replace("seeds = [1, 2]", "seeds = [1]")
        .replace("epochs = 2", "epochs = 1")
    )
    small, large = tmp_path / "small.toml", tmp_path / "large.toml"
    small.write_text(text.replace("data.csv", str(folder / "data.csv")), encoding="utf-8")
    large.write_text(
        text.replace('"tiny"', '"large"')
        .replace("data.csv", "large.csv")
        .replace("validation_size = 20", "validation_size = 4000")
        .replace("test_size = 10", "test_size = 0"),
        encoding="utf-8",
    )
    both = ("--suite", str(large))
    with file_size_limit(24 * 2**10):
        process = begin(tmp_path, *both, suite=small)
    output, _ = process.communicate()
    assert process.returncode == 1, output
    assert "1 failed, 1 passed" in output
    assert "OSError: [Errno 27] File too large" in output
    assert "INTERNALERROR" not in output
    assert len(results(tmp_path / "results" / "tiny")) == 1
    assert results(tmp_path / "results" / "large") == {}
    assert not list(tmp_path.rglob("*.partial"))
    again = run(tmp_path, *both, suite=small)
    assert again.code == 0, again.output
    assert "tiny: 1 of 1 run finished before, 0 to train" in again.output
    assert "large: 0 of 1 run finished before, 1 to train" in again.output


# Root may write everywhere; without these two rights (capabilities 1 and 2) it may not either.
AS_ANYBODY = """
import ctypes, os, sys
for right in (1, 2):
    ctypes.CDLL(None).prctl(24, right, 0, 0, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="rights are given up as Linux has it")
def test_a_results_folder_that_may_only_be_read_is_told_before_anything_trains(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results").chmod(0o555)
    command = ["-m", "pytest", "benchmarks/", "-p", "no:cacheprovider"]
    command += ["--suite", str(folder / "tiny.toml"), "--results-dir", str(tmp_path / "results")]
    done = subprocess.run(
        [sys.executable, "-c", AS_ANYBODY, *command], cwd=ROOT, capture_output=True, text=True
    )
    output = done.stdout + done.stderr
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, output
    assert "cannot be written (permission denied); name a folder that can" in output
    assert "Traceback" not in output


# Processes that end, or do not


def test_a_skipped_run_that_cannot_be_written_down_is_skipped_all_the_same(
    folder: Path, tmp_path: Path
) -> None:
    """The checkpoint needs a hub that is not there."""
    suite = folder / "absent.toml"
    text = (folder / "tiny.toml").read_text(encoding="utf-8")
    suite.write_text(text.replace("./encoder", "org/absent"), encoding="utf-8")
    (tmp_path / "results" / "tiny" / "runs").mkdir(parents=True)
    with file_size_limit(100):
        session = run(tmp_path, "-p", "no:cacheprovider", suite=suite)
    assert "2 skipped" in session.output, session.output
    assert "INTERNALERROR" not in session.output
    assert not list(tmp_path.rglob("record.json"))


def test_a_segfault_in_a_worker_costs_its_own_run_only(folder: Path, tmp_path: Path) -> None:
    session = begin(tmp_path, "--epochs", "40", "-k", "lr1e-03", suite=folder / "tiny.toml")
    runs = tmp_path / "results" / "tiny" / "runs"
    victim = wait_for(runs, "*/*/progress.json", session)[0].parent
    with (victim / "log.txt").open("a", encoding="utf-8") as log:
        log.write("a library shows hf_abcdefghijklmnop")
    worker_of(session, victim).send_signal(signal.SIGSEGV)
    output, _ = session.communicate()
    assert "a library shows ***" in (victim / "log.txt").read_text(encoding="utf-8")
    assert session.returncode == 1
    assert "its worker process was killed by SIGSEGV" in output
    stored, unreadable = read_store(tmp_path / "results" / "tiny")
    assert unreadable == []
    assert {item.folder == victim: item.record.status for item in stored} == {
        True: "failed",
        False: "ok",
    }


@pytest.mark.soak
def test_a_worker_that_hangs_is_stopped_at_its_limit_and_costs_its_own_run_only(
    folder: Path, tmp_path: Path
) -> None:
    suite = tmp_path / "limited.toml"
    text = SUITE.replace('"./encoder"', f'"{folder / "encoder"}"')
    text = text.replace('"data.csv"', f'"{folder / "data.csv"}"')
    suite.write_text(f"{text}[limits]\nrun_seconds = 60\n", encoding="utf-8")
    session = begin(tmp_path, "--epochs", "40", "-k", "lr1e-03", suite=suite)
    runs = tmp_path / "results" / "tiny" / "runs"
    victim = wait_for(runs, "*/*/progress.json", session)[0].parent
    worker_of(session, victim).suspend()
    output, _ = session.communicate()
    assert session.returncode == 1
    assert "stopped after the limit of 60 s" in output
    stored, _ = read_store(tmp_path / "results" / "tiny")
    assert {item.folder == victim: item.record.status for item in stored} == {
        True: "failed",
        False: "ok",
    }


@pytest.fixture
def little_memory() -> Iterator[Callable[[int], None]]:
    """Put a process, and what it starts from now on, where the kernel allows it 2,000 MiB."""
    first = Path("/sys/fs/cgroup/memory")  # version 1 of control groups; else version 2
    group = (first if first.is_dir() else first.parent) / f"test-faults-{os.getpid()}"
    limit = "memory.limit_in_bytes" if first.is_dir() else "memory.max"
    try:
        group.mkdir()
        (group / limit).write_text(str(2000 * 2**20))
    except OSError as error:
        with contextlib.suppress(OSError):
            group.rmdir()
        pytest.skip(f"no control group may be made here ({error.strerror})")

    def confine(process: int) -> None:
        (group / "cgroup.procs").write_text(str(process))

    yield confine
    for _ in range(100):  # the kernel lets go of a killed process' memory in its own time
        with contextlib.suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.1)
    group.rmdir()


@pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux'")
def test_a_worker_that_the_kernel_kills_for_memory_says_so_or_is_halved(
    folder: Path, tmp_path: Path, little_memory: Callable[[int], None]
) -> None:
    rows = [f'"{" ".join(SENTENCES[n % 16].split() * 12)} {n}",{n % 2}' for n in range(3136)]
    (tmp_path / "long.csv").write_text("\n".join(["sentence,label", *rows]) + "\n", "utf-8")
    text = (
        SUITE.replace('"./encoder"', f'"{folder / "encoder"}"')
        .replace("data.csv", "long.csv")
        .replace("validation_size = 20", "validation_size = 64")
        .replace("test_size = 10", "test_size = 0")
        .replace("[1e-3, 1e-4]", "[1e-3]")
        .replace("seeds = [1, 2]", "seeds = [1]")
        .replace("batch_sizes = [8]", "batch_sizes = [3072]")
        .replace("epochs = 2", "epochs = 1\nspeedups = []")
        .replace("max_length = 32", "max_length = 64")
    )
    failing, halving = tmp_path / "fail.toml", tmp_path / "halve.toml"
    failing.write_text(text, "utf-8")
    halved = text.replace('"tiny"', '"halved"').replace("epochs", 'on_oom = "halve"\nepochs')
    halving.write_text(halved, "utf-8")
    session = begin(tmp_path, "--workers", "1", "--suite", str(halving), suite=failing)
    little_memory(session.pid)
    output, _ = session.communicate()
    assert session.returncode == 1, output
    assert "1 failed, 1 passed" in output
    assert "out of memory with 3,072 sentences per batch; choose smaller" in output
    (failed,), _ = read_store(tmp_path / "results" / "tiny")
    assert "the kernel killed its worker process" in str(failed.record.reason)
    (done,), _ = read_store(tmp_path / "results" / "halved")
    assert done.record.status == "ok"
    assert done.record.batch_size == 3072
    assert (done.record.accumulation or 0) > 1


def killed_at_random_moments(
    folder: Path, tmp_path: Path, times: int, seconds: float, seed: int
) -> None:
    """Kill a session again and again, each time going on where it was, then let it finish.

    Args:
        seconds: the longest that a session lives; the moments are spread evenly up to there.
    """
    suite, store = folder / "tiny.toml", tmp_path / "results" / "tiny"
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    moments = random.Random(seed)
    finished: dict[Path, tuple[bytes, int]] = {}
    for _ in range(times):
        session = begin(tmp_path, suite=suite, variables={"TMPDIR": str(temporary)})
        with contextlib.suppress(Exception):
            session.wait(timeout=moments.uniform(0, seconds))
        family = (
            psutil.Process(session.pid).children(recursive=True) if session.poll() is None else []
        )
        session.kill()
        output, _ = session.communicate()
        assert not psutil.wait_procs(family, timeout=20)[1]
        assert "quarantine" not in output
        stored, unreadable = read_store(store)
        assert unreadable == []
        now = {
            path: (path.read_bytes(), path.stat().st_mtime_ns)
            for item in stored
            for path in (item.folder / "record.json", item.folder / "predictions.parquet")
        }
        assert now.items() >= finished.items(), "a finished run was lost or repeated"
        finished = now
    final = run(tmp_path, suite=suite, variables={"TMPDIR": str(temporary)})
    assert final.code == 0, final.output
    assert f"{len(finished) // 2} of 4 runs finished before" in final.output
    for path, (content, changed) in finished.items():
        assert (path.read_bytes(), path.stat().st_mtime_ns) == (content, changed)
    assert_as_undisturbed(folder, tmp_path)
    assert not list(store.glob("runs/*/*/scratch"))
    assert not list(store.rglob("*.partial"))
    assert list(temporary.iterdir()) == []


def test_a_session_killed_five_times_ends_as_if_nothing_had_been(
    folder: Path, undisturbed: tuple[Session, float], tmp_path: Path
) -> None:
    killed_at_random_moments(folder, tmp_path, 5, undisturbed[1], seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_a_session_killed_fifty_times_ends_as_if_nothing_had_been(
    folder: Path, undisturbed: tuple[Session, float], tmp_path: Path, seed: int
) -> None:
    killed_at_random_moments(folder, tmp_path, 5, undisturbed[1], seed=100 + seed)


@pytest.mark.soak
def test_a_session_interrupted_twenty_times_is_soon_gone_and_keeps_what_was_finished(
    folder: Path, undisturbed: tuple[Session, float], tmp_path: Path
) -> None:
    """Ctrl-C at random moments of training; the store is begun anew once nothing is left to do."""
    suite, moments = folder / "tiny.toml", random.Random(7)
    store = tmp_path / "0"
    took: list[float] = []
    kept: dict[Path, bytes] = {}
    while len(took) < 20:
        session = begin(store, suite=suite, own_group=True)
        while session.poll() is None and not list(
            store.glob("results/tiny/runs/*/*/progress.json")
        ):
            time.sleep(0.02)  # the session may end without training anything
        time.sleep(moments.uniform(0, 1))
        if session.poll() is not None:
            output, _ = session.communicate()
            assert session.returncode == 0, output
            assert_as_undisturbed(folder, store)
            store, kept = tmp_path / str(len(took) + 1), {}
            continue
        family = psutil.Process(session.pid).children(recursive=True)
        servers = psutil.Process(session.pid).children()
        workers = [process for process in family if process not in servers]
        started = time.monotonic()
        os.killpg(session.pid, signal.SIGINT)
        assert not psutil.wait_procs(workers, timeout=20)[1]
        took.append(time.monotonic() - started)
        output, _ = session.communicate()
        assert not psutil.wait_procs(family, timeout=20)[1]
        assert "Traceback" not in output
        stored, unreadable = read_store(store / "results" / "tiny")
        assert unreadable == []
        now = {item.folder: (item.folder / "record.json").read_bytes() for item in stored}
        assert now.items() >= kept.items(), "a finished run was lost or repeated"
        assert len(now) == RUNS or session.returncode == pytest.ExitCode.INTERRUPTED, output
        assert not list(store.glob("results/tiny/runs/*/*/scratch"))
        kept = now
    print(f"\nseconds from Ctrl-C until no worker was left: {sorted(took)}")
    assert max(took) < 5, "seconds until the workers are gone"


# Clocks


def test_a_clock_that_jumps_while_a_run_is_timed_changes_no_measured_time(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumps, plain = random.Random(0), time.time
    monkeypatch.setattr(time, "time", lambda: plain() + jumps.choice([-1e8, 0, 1e8]))
    started = time.perf_counter()
    job = make_job(folder / "encoder", file_spec(folder / "data.csv"), tmp_path, epochs=3)
    record, _ = execute_ok(job)
    took = time.perf_counter() - started
    assert record.times is not None
    parts = [*record.times.model_dump().values(), *(epoch.seconds for epoch in record.epochs)]
    assert all(0 < seconds < took for seconds in parts)
    assert record.times.evaluate < record.times.train


# Many runs


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is read from /proc")
def test_three_hundred_runs_leave_nothing_behind_in_the_session(
    folder: Path, tmp_path: Path
) -> None:
    seeds = list(range(150))
    suite = folder / "soak.toml"
    suite.write_text(
        SUITE.replace("seeds = [1, 2]", f"seeds = {seeds}")
        .replace("epochs = 2", "epochs = 1")
        .replace('keep_models = "all"', 'keep_models = "none"'),
        encoding="utf-8",
    )
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    session = begin(tmp_path, suite=suite, variables={"TMPDIR": str(temporary)})
    process = psutil.Process(session.pid)
    store = tmp_path / "results" / "tiny" / "runs"
    samples: dict[int, tuple[int, int, int, int]] = {}
    with contextlib.suppress(psutil.Error):
        while session.poll() is None:
            ended = len(list(store.glob("*/*/record.json")))
            if ended // 10 not in samples:
                samples[ended // 10] = (
                    process.memory_info().rss // 2**20,
                    process.num_fds(),
                    process.num_threads(),
                    len(list(temporary.iterdir())),
                )
            time.sleep(0.05)
    output, _ = session.communicate()
    assert session.returncode == 0, output
    assert "2 passed" in output
    print(f"\nruns / 10: (MiB, descriptors, threads, temporary files)\n{samples}")
    early, late = samples[3], samples[29]
    assert late[0] - early[0] < 20, "MiB of the session's memory"
    assert late[1] - early[1] <= 2, "file descriptors"
    assert late[2] - early[2] <= 1, "threads"
    assert late[3] <= early[3]
    assert list(temporary.iterdir()) == []
    assert not list(store.glob("*/*/scratch"))
