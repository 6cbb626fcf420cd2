"""Sessions beside pytest's common plugins, in a folder that has nothing to do with this project.

Whatever another plugin does to tests, verdicts, exit codes and tables are those of `harness run`,
which loads no other plugin.
"""

import json
import shutil
import xml.etree.ElementTree
from pathlib import Path

import pandas as pd
import pytest
from builders.installed import Installed, install
from builders.sessions import Session
from builders.small_suite import write_suite

pytestmark = pytest.mark.sessions

SUITE = """
name = "tiny"
matrix = { checkpoints = ["./encoder"], batch_sizes = [8], learning_rates = [1e-3, 3e-4, 1e-4] }
dataset = { source = "file", path = "data.csv", validation_size = 8 }
training = { epochs = 1, max_length = 32 }
gates.min_mcc = -1
"""
CELLS = 3
MISSED = ("--harness-min-mcc", "0.99")

OTHER = """
import sys
import own

def test_own():
    assert own.double(2) == 4
    assert not [name for name in sys.modules if name.partition(".")[0] == "harness"]
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def trained(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a suite that was trained, and with a module and its test."""
    folder = write_suite(tmp_path_factory.mktemp("trained"), SUITE, rows=32)
    (folder / "own.py").write_text("def double(number):\n    return 2 * number\n")
    (folder / "test_own.py").write_text(OTHER)
    (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    done = installed.run("harness", "run", "tiny.toml", folder=folder)
    assert done.code == 0, done.output
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of the folder, with its finished runs."""
    return Path(shutil.copytree(trained, tmp_path / "mine"))


@pytest.fixture
def untrained(folder: Path) -> Path:
    shutil.rmtree(folder / "results")
    return folder


def session(installed: Installed, folder: Path, *arguments: str) -> Session:
    """Run pytest with every installed plugin."""
    return installed.run("pytest", *arguments, folder=folder, variables={"PYTEST_ADDOPTS": ""})


def cases_of(folder: Path) -> list[tuple[str, bool]]:
    """Return the name of each test case of junit.xml, and whether it failed."""
    cases = xml.etree.ElementTree.parse(folder / "junit.xml").iter("testcase")
    return [(case.attrib["name"], case.find("failure") is not None) for case in cases]


def table(folder: Path) -> pd.DataFrame:
    """Return what a table says about scores and verdicts, and nothing about times and memory."""
    whole = pd.read_csv(folder / "results/local/tiny/leaderboard.csv")
    return whole[["rank", "learning_rate", "mcc", "accuracy", "f1", "threshold", "verdict"]]


def test_no_plugin_changes_a_verdict(installed: Installed, folder: Path) -> None:
    """All at once: a random order, repetitions, a time limit, coverage and strictness."""
    before = table(folder)
    others = ("--reruns", "2", "--timeout", "600", "--cov=own", "--strict")
    done = session(installed, folder, "tiny.toml", "--junitxml=junit.xml", *others)
    assert done.code == 0, done.output
    assert [failed for _, failed in cases_of(folder)] == [False] * CELLS
    pd.testing.assert_frame_equal(table(folder), before)
    done = session(installed, folder, "tiny.toml", "--junitxml=junit.xml", *others, *MISSED)
    assert done.code == 1, done.output
    assert [failed for _, failed in cases_of(folder)] == [True] * CELLS
    assert set(table(folder)["verdict"]) == {"fail"}


def test_a_random_order_of_tests_changes_no_table(installed: Installed, folder: Path) -> None:
    expected = table(folder)
    orders = []
    for seed in ("1", "2"):
        shutil.rmtree(folder / "results")
        arguments = (
            "tiny.toml",
            "-p",
            "randomly",
            f"--randomly-seed={seed}",
            "--junitxml=junit.xml",
        )
        done = session(installed, folder, *arguments)
        assert done.code == 0, done.output
        orders.append([name for name, _ in cases_of(folder)])
        pd.testing.assert_frame_equal(table(folder), expected)
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])


@pytest.mark.parametrize("repetitions", [("--reruns", "2"), ("--force-reruns", "2")])
def test_a_failed_gate_is_not_repeated(
    installed: Installed, folder: Path, repetitions: tuple[str, str]
) -> None:
    """Neither is anything trained again; tests of the repository are repeated as ever."""
    (folder / "test_flaky.py").write_text(
        "import pathlib\n"
        "def test_flaky():\n"
        "    before = pathlib.Path('before')\n"
        "    first = not before.exists()\n"
        "    before.touch()\n"
        "    assert not first\n"
    )
    arguments = ("test_flaky.py", "tiny.toml", *repetitions, "--junitxml=junit.xml", *MISSED)
    done = session(installed, folder, *arguments)
    assert done.code == 1, done.output
    assert f"{CELLS} failed, 1 passed, 1 rerun" in done.output
    assert f"{CELLS} of {CELLS} runs finished before, 0 to train" in done.output
    cells = [failed for name, failed in cases_of(folder) if name.startswith("test_finetune")]
    assert cells == [True] * CELLS


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_a_time_limit_ends_the_wait_and_not_the_session(
    installed: Installed, untrained: Path, method: str
) -> None:
    """One run at a time: when the last test gives up, some runs have not begun."""
    limit = ("--timeout", "0.1", "--timeout-method", method, "--harness-workers", "1")
    done = session(installed, untrained, "tiny.toml", *limit, "-rN")
    assert done.code == 1, done.output
    assert done.output.count("waited 0.1 s for runs that still train") >= CELLS
    assert "`--timeout 0`" in done.output
    assert f"{CELLS} failed" in done.output
    assert "No selected cell was scored" in done.output
    done = session(installed, untrained, "tiny.toml", "--timeout", "0")
    assert done.code == 0, done.output


def test_finished_runs_are_judged_within_any_time_limit(installed: Installed, folder: Path) -> None:
    done = session(installed, folder, "tiny.toml", "--timeout", "0.0001")
    assert done.code == 0, done.output


@pytest.mark.parametrize("setting", ["option", "addopts"])
def test_distributed_tests_are_refused_with_the_way_out(
    installed: Installed, folder: Path, setting: str
) -> None:
    if setting == "addopts":
        (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\naddopts = -n 2\n")
    workers = ("-n", "2") if setting == "option" else ()
    for named in (("tiny.toml",), ("test_own.py", "--suite", "tiny.toml")):
        done = session(installed, folder, *named, *workers)
        assert done.code == 4, done.output
        assert done.output.startswith("ERROR: pytest-xdist (-n) cannot share the runs")
        assert "`-n 0`" in done.output
        assert "--harness-workers" in done.output
        assert done.output.count("\n") <= 2
    done = session(installed, folder, "tiny.toml", *workers, "-n", "0")
    assert done.code == 0, done.output
    assert f"{CELLS} passed" in done.output


def test_coverage_of_the_repository_is_measured_beside_a_suite(
    installed: Installed, folder: Path
) -> None:
    (folder / "test_own.py").write_text("import own\ndef test_own(): assert own.double(2) == 4\n")
    arguments = ("test_own.py", "--suite", "tiny.toml", "--cov=own", "--cov-report=json:own.json")
    done = session(installed, folder, *arguments)
    assert done.code == 0, done.output
    measured = json.loads((folder / "own.json").read_text("utf-8"))
    assert measured["files"]["own.py"]["executed_lines"] == [1, 2]


@pytest.mark.parametrize("setting", ["option", "configuration"])
def test_strictness_of_pytest_finds_nothing_to_refuse(
    installed: Installed, folder: Path, setting: str
) -> None:
    if setting == "configuration":
        (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\nstrict = true\n")
    option = ("--strict",) if setting == "option" else ()
    for named in ("tiny.toml", "test_own.py"):
        done = session(installed, folder, named, *option)
        assert done.code == 0, done.output
        assert "warning" not in done.output.partition("leaderboard: ")[0]


def test_sessions_that_name_no_suite_are_those_of_the_other_plugins(
    installed: Installed, folder: Path
) -> None:
    """The test itself checks that its process, a worker of pytest-xdist, has no module of ours."""
    others = ("-n", "2", "--reruns", "2", "--timeout", "600", "--strict", "--cov=own")
    done = session(installed, folder, *others)
    assert done.code == 0, done.output
    assert "1 passed" in done.output
    assert "own.py" in done.output
    (folder / "own.py").write_text("def double(number):\n    return number\n")
    done = session(installed, folder, *others)
    assert done.code == 1, done.output
    assert "1 failed, 2 rerun" in done.output
