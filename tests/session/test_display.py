"""Progress on the screen, as a real terminal shows it and as a CI's log keeps it."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pyte
import pytest

TEST = """
import time
from harness.session.display import Display, State
from harness.training.progress import Progress

def at(done, *running):
    ended = [f"suite/cell-{n}: MCC 0.{n}00 in {n} s" for n in range(1, done + 1)]
    now = Progress(9.0, 1.5, 3, 5, 9, 0.25)
    return State(done, 3, [(name, now) for name in running], ended, 60.0)

def test_first(pytestconfig, capfd):
    display = Display(pytestconfig)
    display.update(at(0, "suite/cell-1"))
    print("captured")
    display.update(at(1, "suite/cell-" + 100 * "2"))
    display.update(at(1, "suite/cell-2"))
    display.clear()
    assert "captured" in capfd.readouterr().out

def test_second(pytestconfig):
    display = Display(pytestconfig)
    display.update(at(2))
    display.clear()
    display.clear()
"""


def run_pytest(
    folder: Path, *arguments: str, terminal: bool, test: str = TEST, **environment: str
) -> str:
    """Run tests such as those above under the real pytest; return all that it wrote."""
    (folder / "test_progress_on_screen.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    inherited = {name: value for name, value in os.environ.items() if name != "CI"}
    settings = {**inherited, "PYTHONPATH": str(Path(__file__).parents[2]), **environment}
    if not terminal:
        done = subprocess.run(
            command, cwd=folder, env=settings, capture_output=True, text=True, check=True
        )
        return done.stdout
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, cwd=folder, env=settings, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                read = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not read:
                break
            written += read
    os.close(ours)
    assert process.returncode == 0, written
    return written.decode()


def screen_of(written: str) -> list[str]:
    """Return what a terminal of 80 columns shows after all of it."""
    screen = pyte.Screen(80, 24)
    pyte.Stream(screen).feed(written)
    return [line.rstrip() for line in screen.display]


@pytest.fixture
def on_terminal(tmp_path: Path) -> str:
    return run_pytest(tmp_path, "--color=no", terminal=True, TERM="xterm", COLUMNS="80", LINES="24")


def test_the_live_line_is_seen_while_tests_wait(on_terminal: str) -> None:
    seen = on_terminal.partition("\r\x1b[2K1/3 runs")[0]
    lines = screen_of(seen)
    told = "0/3 runs; about 60 s left; suite/cell-1: epoch 1.5/3, MCC 0.25"
    assert told in lines
    assert any(line.endswith("test_progress_on_screen.py") for line in lines)


def test_a_long_line_is_cut_to_the_terminals_width(on_terminal: str) -> None:
    seen = on_terminal.rpartition("\r\x1b[2K1/3 runs")[0]
    (line,) = [line for line in screen_of(seen) if line.startswith("1/3 runs")]
    assert len(line) <= 79


def test_nothing_of_it_is_left_when_pytest_goes_on(on_terminal: str) -> None:
    lines = screen_of(on_terminal)
    assert not any("runs" in line for line in lines)
    (tests,) = [line for line in lines if "test_progress_on_screen.py" in line]
    assert tests.startswith("test_progress_on_screen.py ..")
    assert any("2 passed" in line for line in lines)


@pytest.mark.parametrize("sign", [{"CI": "true"}, {"TERM": "dumb"}])
def test_in_ci_and_on_a_dumb_terminal_runs_that_ended_are_plain_lines(
    sign: dict[str, str], tmp_path: Path
) -> None:
    written = run_pytest(tmp_path, terminal=True, **{"TERM": "xterm", **sign})
    assert "\x1b[2K" not in written
    assert written.count("suite/cell-1: MCC 0.100 in 1 s") == 2  # two displays told it


def test_in_a_file_each_run_is_told_once_by_a_display(tmp_path: Path) -> None:
    written = run_pytest(tmp_path, terminal=False)
    assert "\x1b" not in written
    assert "\nsuite/cell-2: MCC 0.200 in 2 s\n" in written


def test_quiet_is_quiet(tmp_path: Path) -> None:
    assert "suite/cell" not in run_pytest(tmp_path, "-q", terminal=False)


MINUTES = """
from harness.session.display import Display, State
from harness.training.progress import Progress

def test_minutes(pytestconfig, capfd):
    now = 1000.0
    display = Display(pytestconfig, lambda: now)
    for second in range(0, 200):
        now = 1000.0 + second
        run = Progress(float(second), second / 100, 2, second, 200, 0.1, best=0.25)
        running = [("suite/cell-1", run)] if second < 190 else []
        late = ["suite/cell-1: takes far longer than expected"] if second > 100 else []
        ended = ["suite/cell-1: MCC 0.250 in 3 min"] if second >= 190 else []
        display.update(State(len(ended), 3, running, ended, 600.0 - second, late))
        if second == 70:
            print("captured")
    display.clear()
    assert capfd.readouterr().out == "captured\\n"
"""


def lines_of_minutes(folder: Path, *arguments: str, terminal: bool, **variables: str) -> list[str]:
    written = run_pytest(folder, *arguments, terminal=terminal, test=MINUTES, **variables)
    return [line for line in written.splitlines() if "suite/cell-1" in line]


@pytest.mark.parametrize("variables", [{}, {"CI": "true"}, {"TERM": "xterm"}])
def test_a_log_gets_a_line_a_minute_while_runs_train(
    variables: dict[str, str], tmp_path: Path
) -> None:
    assert lines_of_minutes(tmp_path, terminal=False, **variables) == [
        "suite/cell-1: epoch 0.6/2, best MCC 0.250; 0/3 runs; about 9 min left",
        "suite/cell-1: takes far longer than expected",
        "suite/cell-1: epoch 1.2/2, best MCC 0.250; 0/3 runs; about 8 min left",
        "suite/cell-1: epoch 1.8/2, best MCC 0.250; 0/3 runs; about 7 min left",
        "suite/cell-1: MCC 0.250 in 3 min",
    ]


def test_a_log_of_a_quiet_session_gets_none(tmp_path: Path) -> None:
    assert lines_of_minutes(tmp_path, "-q", terminal=False) == []


def test_on_a_terminal_a_late_run_is_told_once_and_stays(tmp_path: Path) -> None:
    written = run_pytest(
        tmp_path, "--color=no", terminal=True, test=MINUTES, TERM="xterm", COLUMNS="80", LINES="24"
    )
    lines = screen_of(written)
    assert lines.count("suite/cell-1: takes far longer than expected") == 1
    assert not any("best MCC" in line or "runs;" in line for line in lines)
    assert any("1 passed" in line for line in lines)


def test_a_line_reaches_a_pipe_at_once(tmp_path: Path) -> None:
    """While the test goes on, and as nobody has asked Python not to keep output back."""
    (tmp_path / "test_waiting.py").write_text(WAITING)
    settings = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    settings.pop("PYTHONUNBUFFERED", None)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_waiting.py"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=settings, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert any("suite/cell-1: epoch" in line for line in process.stdout)
        (tmp_path / "seen").touch()  # which the test waits for
        process.stdout.read()
    assert process.returncode == 0


WAITING = """
import time
from pathlib import Path
from harness.session.display import Display, State
from harness.training.progress import Progress

def test_waiting(pytestconfig):
    times = iter([0.0, 61.0, 61.0])
    display = Display(pytestconfig, lambda: next(times))
    display.update(State(0, 1, [("suite/cell-1", Progress(9.0, 1.5, 3, 5, 9))], (), None))
    until = time.monotonic() + 60
    while not Path("seen").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
"""
