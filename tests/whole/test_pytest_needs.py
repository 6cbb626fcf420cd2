"""Sessions without some of pytest's plugins: they end as ever, or say in a line what they need."""

import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

import pytest
from _pytest.config import get_config
from builders.commands import ROOT
from builders.small_suite import write_suite

from harness.plugin.needs import show_reasons
from harness.store.run_store import read_store

pytestmark = pytest.mark.sessions

SUITE = """
name = "tiny"
matrix = { checkpoints = ["./encoder"], batch_sizes = [8], learning_rates = [1e-3] }
dataset = { source = "file", path = "data.csv", validation_size = 8 }
training = { epochs = 1, max_length = 32 }
gates.min_mcc = -1
"""

LEFT_OUT = ("cacheprovider", "junitxml", "terminal", "logging", "warnings", "pastebin", "doctest")


def session(
    *arguments: str, folder: Path | None = None, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `pytest benchmarks/`, on the suite of a folder where one is named."""
    unwanted = ("COLA_DIR", "CI", "GITHUB_STEP_SUMMARY", "PYTEST_ADDOPTS")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    kept |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", **(variables or {})}
    named = ("--suite", f"{folder}/tiny.toml", "--results-dir", f"{folder}/results")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "benchmarks/", *(named if folder else ()), *arguments],
        cwd=ROOT,
        env=kept,
        capture_output=True,
        text=True,
    )


def without(*plugins: str) -> list[str]:
    return [part for plugin in plugins for part in ("-p", f"no:{plugin}")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_suite(tmp_path_factory.mktemp("needs"), SUITE, rows=32)


def test_a_session_without_its_timer_is_refused_in_a_line() -> None:
    for arguments, variables in (
        (without("benchmark", "terminal"), {}),
        (["--collect-only", "-q"], {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}),
    ):
        done = session(*arguments, variables=variables)
        assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout + done.stderr
        told = (done.stdout + done.stderr).strip()
        assert told.count("\n") == 0
        assert told.startswith("ERROR: benchmarks/ needs the plugin pytest-benchmark")
        assert "leave out `-p no:benchmark`" in told


def test_its_timer_may_be_named_alone() -> None:
    variables = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = session("-p", "pytest_benchmark.plugin", "--collect-only", "-q", variables=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_finetune[quickstart/" in done.stdout


def test_a_session_needs_no_plugin_but_its_timer(folder: Path, tmp_path: Path) -> None:
    """Of two checkpoints one cannot be had: that stands against no pass, and is told."""
    summary = tmp_path / "summary.md"
    named = ("--checkpoints", f"{folder}/encoder,org/unreachable")
    variables = {"GITHUB_STEP_SUMMARY": str(summary)}
    done = session(*without(*LEFT_OUT), *named, folder=folder, variables=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not judged: tiny/unreachable-bs8-lr1e-03: skipped: " in done.stderr
    results = folder / "results" / "tiny"
    stored, unreadable = read_store(results)
    assert sorted(item.record.status for item in stored) == ["ok", "skipped"]
    assert unreadable == []
    assert (results / "leaderboard.json").is_file()
    assert "encoder" in summary.read_text()


def test_without_a_terminal_what_stands_against_a_pass_is_told_all_the_same(folder: Path) -> None:
    """On standard error, and with the exit code of a session that did not pass."""
    done = session(*without("terminal"), "--checkpoints", "org/unreachable", folder=folder)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "No selected cell was scored: a session without a score does not pass." in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_without_a_terminal_gates_that_other_tests_leave_unjudged_are_told(folder: Path) -> None:
    other = folder / "test_other.py"
    other.write_text("def test_some_unit(): pass\n", encoding="utf-8")
    selected = (str(other), "-k", "some_unit", "--strict")
    done = session(*without("terminal"), *selected, folder=folder)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    told = "not judged: tiny/encoder-bs8-lr1e-03: deselected by -k 'some_unit'"
    assert told in done.stderr


@pytest.mark.parametrize(
    ("typed", "shown"), [("fE", "a"), ("N", "N"), ("f", "f"), ("A", "A"), (None, None)]
)
def test_reasons_are_told_unless_the_user_says_otherwise(
    typed: str | None, shown: str | None
) -> None:
    """None: the plugin that has the option is left out."""
    config = get_config()
    config.option = Namespace() if typed is None else Namespace(reportchars=typed)
    show_reasons(config)
    assert getattr(config.option, "reportchars", None) == shown
