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
from harness.display import Display
from harness.progress import Progress, State

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


def run_pytest(folder: Path, *arguments: str, terminal: bool, **environment: str) -> str:
    """Run the tests above under the real pytest; return all that it wrote."""
    (folder / "test_progress_on_screen.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    inherited = {name: value for name, value in os.environ.items() if name != "CI"}
    settings = {**inherited, "PYTHONPATH": str(Path(__file__).parent.parent), **environment}
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
