"""A session ended by Ctrl-C says the same of a cell on the terminal, in the tables and in JUnit."""

import csv
import os
import signal
from pathlib import Path
from xml.etree import ElementTree

import pytest
from builders.sessions import begin, run
from builders.small_suite import write_suite
from builders.waiting import wait_for

pytestmark = pytest.mark.sessions

SUITE = """
name = "tiny"
[dataset]
source = "file"
path = "data.csv"
validation_size = 20
[matrix]
checkpoints = ["./encoder"]
batch_sizes = [8]
learning_rates = [1e-3]
seeds = [1, 2]
epochs = [2000, 1]
[training]
max_length = 32
[gates]
min_mcc = -1
[gates.suite]
every_checkpoint_min_mcc = -1
"""

QUICK, SLOW = "encoder-bs8-lr1e-03-ep1", "encoder-bs8-lr1e-03-ep2000"


def test_an_interrupted_session_tells_one_verdict_of_each_cell_everywhere(tmp_path: Path) -> None:
    folder = write_suite(tmp_path, SUITE)
    suite, xml, tables = folder / "tiny.toml", folder / "junit.xml", folder / "results" / "tiny"
    finished = run(folder, "-k", "ep1", suite=suite)
    assert finished.code == 0, finished.output
    session = begin(folder, "--junitxml", str(xml), suite=suite, own_group=True)
    wait_for(tables / "runs" / SLOW, "*/log.txt", session)
    os.killpg(session.pid, signal.SIGINT)
    output, _ = session.communicate()
    assert session.returncode == pytest.ExitCode.INTERRUPTED, output

    ended = "the session ended before its test (interrupted)"
    known = "pass by its records alone"
    lines = output.splitlines()
    assert f"not judged: tiny/{SLOW}: {ended}; 2 of 2 seeds without a score" in lines
    assert f"{known}: tiny/{QUICK}, the gates of the suite tiny: {ended}" in lines
    assert "No selected cell was scored" not in output
    assert "Interrupted: 2 of 4 runs have ended and are kept" in output

    with (tables / "leaderboard.csv").open(encoding="utf-8") as file:
        table = {row["epochs"]: row["verdict"] for row in csv.DictReader(file)}
    assert table == {"1": "pass", "2000": ""}

    cases = ElementTree.parse(xml).getroot().findall(".//testcase")
    told = {case.attrib["name"]: case for case in cases}
    assert len(told) == len(cases) == 3
    messages = {name: case.find("skipped").attrib["message"] for name, case in told.items()}  # type: ignore[union-attr]
    assert messages == {
        f"test_finetune[tiny/{SLOW}]": f"not judged: {ended}; 2 of 2 seeds without a score",
        f"test_finetune[tiny/{QUICK}]": f"{known}: {ended}",
        "test_suite[tiny]": f"{known}: {ended}",
    }
    quick = told[f"test_finetune[tiny/{QUICK}]"].findall(".//property")
    assert {each.attrib["name"]: each.attrib["value"] for each in quick}["verdict"] == "pass"
