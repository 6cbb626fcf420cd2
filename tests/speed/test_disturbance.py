"""What other programs and the host take of the cores during a measurement is seen, and said."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from harness.machine.contention import Moment

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from speed import commands, disturbance
from speed.disturbance import Disturbance, Reading

ROOT = Path(__file__).parents[2]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux counts stolen time")


@LINUX
def test_stolen_time_is_that_of_proc_stat() -> None:
    def steal(line: str) -> float:
        return int(line.split()[8]) / os.sysconf("SC_CLK_TCK")  # proc_stat(5)

    allowed = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    lines = Path("/proc/stat").read_text().splitlines()
    before = sum(steal(line) for line in lines if line.split()[0] in allowed)
    found = disturbance.stolen_seconds()
    assert found == pytest.approx(before, abs=1)


def test_only_the_steal_of_our_own_cores_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 2}, raising=False)
    cores = [SimpleNamespace(steal=seconds) for seconds in (100.0, 1.5, 2.0, 100.0)]
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: cores)
    assert disturbance.stolen_seconds() == 3.5
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: [SimpleNamespace(user=1.0)] * 4)
    assert disturbance.stolen_seconds() is None  # as on macOS


def test_other_programs_and_the_host_are_told_apart() -> None:
    before = Reading(Moment(time=100, busy=50, own=20), stolen=4)
    # In 10 s: 18 s busy, 12 s of them ours, 2 s stolen; so 4 s of other programs.
    after = Reading(Moment(time=110, busy=68, own=32), stolen=6)
    found = disturbance.between(before, after)
    assert (found.others, found.stolen) == pytest.approx((0.4, 0.2))
    uncounted = Reading(before.moment, None)
    assert disturbance.between(uncounted, after) == Disturbance(others=0.6, stolen=None)
    assert disturbance.between(Reading(None, 4), after) == Disturbance(None, None)


@pytest.mark.parametrize(
    ("others", "stolen", "disturbed"),
    [
        (0.0, 0.0, False),
        (0.06, 0.03, False),
        (0.06, 0.06, True),
        (0.0, 0.2, True),
        (0.2, None, True),
        (0.05, None, False),
        (None, None, None),
        (None, 0.5, None),
    ],
)
def test_a_tenth_of_a_core_disturbs(
    others: float | None, stolen: float | None, disturbed: bool | None
) -> None:
    assert disturbance.is_disturbed(Disturbance(others, stolen)) is disturbed


def test_a_measurement_in_parts_is_as_disturbed_as_its_worst_part() -> None:
    parts = [Disturbance(0.1, 0.3), Disturbance(0.2, 0.0)]
    assert disturbance.worst(parts) == Disturbance(0.2, 0.3)
    assert disturbance.worst([*parts, Disturbance(0.1, None)]) == Disturbance(0.2, None)
    assert disturbance.worst([]) == Disturbance(None, None)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([Disturbance(0.0, 0.0), Disturbance(0.05, 0.0)], "quiet"),
        ([Disturbance(0.0, 0.0), Disturbance(None, None)], "unknown"),
        ([], "unknown"),
        (
            [Disturbance(0.0, 0.0), Disturbance(1.31, 0.04), Disturbance(0.2, 0.32)],
            "**disturbed** in 2 of 3: up to others 1.3, stolen 0.3 cores",
        ),
        (
            [Disturbance(None, None), Disturbance(0.5, None)],
            "**disturbed** in 1 of 2: up to others 0.5 cores",
        ),
    ],
)
def test_the_table_says_how_many_were_disturbed_and_how_much(
    found: list[Disturbance], words: str
) -> None:
    assert disturbance.in_words(found) == words


@LINUX
def test_a_child_from_before_a_command_is_not_waited_for() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        commands.run("-c", "print('done')")
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


OUTLIVED = """
import subprocess, sys, time
from speed import disturbance
if sys.argv[1] == "adopt":
    disturbance.adopt_orphans()
before = disturbance.read()
orphan = "import time\\nend = time.time() + 1.5\\nwhile time.time() < end: pass"
parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-S', '-c', {orphan!r}])"
subprocess.run([sys.executable, "-S", "-c", parent], check=True, stdout=subprocess.DEVNULL)
began = time.monotonic()
disturbance.wait_for_orphans()
waited = time.monotonic() - began
time.sleep(max(0, 1.7 - waited))
print(waited, disturbance.read().moment.own - before.moment.own)
"""


@LINUX
def test_a_process_that_outlives_its_parent_counts_as_ours() -> None:
    """In a process of its own, because adopting orphans lasts."""

    def outlived(how: str) -> tuple[float, float]:
        done = subprocess.run(
            [sys.executable, "-c", OUTLIVED, how],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(ROOT / "benchmarks"), str(ROOT)]),
            },
            capture_output=True,
            text=True,
            check=True,
        )
        waited, own = map(float, done.stdout.split())
        return waited, own

    (waited, adopted), (_, left) = outlived("adopt"), outlived("leave")
    assert waited > 1.0
    assert adopted > left + 0.2  # 1.5 s if no other program shares the core
