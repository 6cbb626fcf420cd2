"""A race of the real `pytest benchmarks/`: told everywhere, and the same path after SIGKILL."""

import json
import os
import random
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from builders.commands import harness
from builders.sessions import Session, begin, copy_store, run
from builders.small_suite import write_suite
from builders.tiny_checkpoints import WORDS
from builders.waiting import wait_for

pytestmark = pytest.mark.sessions

SUITE = """
name = "tiny"
[dataset]
source = "file"
path = "data.csv"
validation_size = 300
[matrix]
checkpoints = ["./encoder"]
batch_sizes = [16]
learning_rates = [3e-3, 1e-7]
seeds = [1, 2, 3, 4, 5]
[training]
epochs = 2
max_length = 16
[gates]
min_mcc = -0.9
[limits]
looks = [2, 3, 5]
race = true
race_settled = 0.0
"""

DECISIONS = (
    *("looks", "looked_seeds", "dropped_against", "dropped_difference", "dropped_p_value"),
    *("set_aside_against", "set_aside_difference", "set_aside_probability"),
)

SLOW = "encoder-bs16-lr1e-07"


def write_data(folder: Path) -> None:
    """Write sentences whose label one word tells: a tiny model learns that in two epochs."""
    chosen = random.Random(0)
    others = [word for word in WORDS if word.isalpha() and word not in ("cat", "dog")]
    rows: dict[str, int] = {}
    while len(rows) < 900:
        label = chosen.randrange(2)
        words = [*chosen.sample(others, 4), "cat" if label else "dog"]
        chosen.shuffle(words)
        rows[" ".join(words)] = label
    lines = [f"{text},{label}" for text, label in rows.items()]
    (folder / "data.csv").write_text("\n".join(["sentence,label", *lines, ""]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_suite(tmp_path_factory.mktemp("race"), SUITE)
    write_data(folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(folder: Path) -> Session:
    return run(
        folder,
        *("--strict", "--junitxml", str(folder / "junit.xml")),
        suite=folder / "tiny.toml",
        variables={"GITHUB_STEP_SUMMARY": str(folder / "summary.md")},
    )


def decisions(suite_folder: Path) -> list[dict[str, Any]]:
    rows = json.loads((suite_folder / "leaderboard.json").read_bytes())["rows"]
    return [{name: row[name] for name in ("learning_rate", *DECISIONS)} for row in rows]


def records(suite_folder: Path) -> list[str]:
    return sorted(path.parent.name[:6] for path in suite_folder.glob(f"runs/{SLOW}/*/record.json"))


def test_a_dropped_cell_is_skipped_with_its_reason_and_the_session_passes(
    folder: Path, undisturbed: Session
) -> None:
    output = undisturbed.output
    assert undisturbed.code == 0, output
    assert "1 passed, 1 skipped" in output
    assert re.search(
        r"SKIPPED .*dropped after 3 of 5 seeds: worse than encoder-bs16-lr3e-03", output
    )
    assert "race of 2 cells: judged after 2, 3 and 5 seeds" in output
    assert re.search(r"looks: of 10 planned runs, [89] scored, [12] not needed", output)
    trained = records(folder / "results" / "tiny")
    assert trained[:3] == ["seed-1", "seed-2", "seed-3"]
    assert len(trained) < 5
    (dropped, *_) = re.findall(
        r"<testcase[^>]*lr1e-07.*?</testcase>", (folder / "junit.xml").read_text()
    )
    assert 'name="looks" value="dropped after 3 of 5 seeds' in dropped
    assert "<skipped" in dropped
    assert "dropped after 3 of 5 seeds" in (folder / "summary.md").read_text()


def test_tables_are_rebuilt_from_the_published_file_alone(
    folder: Path, undisturbed: Session
) -> None:
    results = folder / "results" / "tiny"
    assert harness("report", str(results), "--check", cwd=folder).code == 0
    (first, second) = decisions(results)
    assert first["looks"] == "won after 3 of 5 seeds"
    assert second["dropped_against"] == "encoder-bs16-lr3e-03"
    assert second["dropped_p_value"] < 0.05
    page = (results / "leaderboard.html").read_text()
    assert "<svg viewBox" in page
    assert "race = true" in page


def test_a_race_killed_in_the_middle_and_begun_again_decides_the_same(
    folder: Path, undisturbed: Session, tmp_path: Path
) -> None:
    expected = decisions(folder / "results" / "tiny")
    session = begin(tmp_path, suite=folder / "tiny.toml", own_group=True)
    store = tmp_path / "results" / "tiny" / "runs"
    wait_for(store, "*/seed-2-*/record.json", session)
    session.send_signal(signal.SIGKILL)
    session.wait()
    time.sleep(1)  # workers end by themselves
    again = run(tmp_path, suite=folder / "tiny.toml")
    assert again.code == 0, again.output
    assert decisions(tmp_path / "results" / "tiny") == expected


def test_a_race_of_a_part_of_its_cells_is_refused(folder: Path, tmp_path: Path) -> None:
    session = run(tmp_path, "-k", "lr1e-07", suite=folder / "tiny.toml")
    assert session.code == 4, session.output
    assert "a race compares all cells of a suite" in session.output


def test_without_a_race_the_released_runs_train(
    folder: Path, undisturbed: Session, tmp_path: Path
) -> None:
    suite = copy_store(folder, tmp_path)
    before = len(list(suite.glob("runs/*/*/record.json")))
    text = SUITE.partition("[limits]")[0]
    (folder / "whole.toml").write_text(text)
    session = run(tmp_path, suite=folder / "whole.toml")
    assert session.code == 0, session.output
    assert f"{before} of 10 runs finished before" in session.output
    assert "2 passed" in session.output


INTERRUPTS = """
def pytest_runtest_setup(item):
    raise KeyboardInterrupt
"""


def interrupted(folder: Path, to: Path) -> tuple[list[str], list[str]]:
    """Interrupt a session at its first test.

    Returns:
        Its lines on tests that it did not reach, and the reason of each skipped test case.
    """
    (to / "interrupts.py").write_text(INTERRUPTS, encoding="utf-8")
    xml = to / "junit.xml"
    session = run(
        to,
        *("-p", "interrupts", "--junitxml", str(xml)),
        suite=folder / "tiny.toml",
        variables={"PYTHONPATH": f"{to}:{os.environ.get('PYTHONPATH', '')}"},
    )
    assert session.code == pytest.ExitCode.INTERRUPTED, session.output
    lines = [line for line in session.output.splitlines() if "the session ended before" in line]
    found = ElementTree.parse(xml).getroot().findall(".//skipped")
    return lines, [each.attrib["message"] for each in found]


def test_an_interrupted_session_does_not_wait_for_a_verdict_of_a_dropped_cell(
    folder: Path, undisturbed: Session, tmp_path: Path
) -> None:
    copy_store(folder, tmp_path)
    lines, messages = interrupted(folder, tmp_path)
    why = "the session ended before its test (interrupted)"
    assert lines == [f"pass by its records alone: tiny/encoder-bs16-lr3e-03: {why}"]
    first, dropped = messages
    assert first == f"pass by its records alone: {why}"
    assert dropped.startswith("dropped after 3 of 5 seeds: worse than encoder-bs16-lr3e-03")


def test_an_interrupted_race_counts_only_the_seeds_that_it_needs_so_far(
    folder: Path, undisturbed: Session, tmp_path: Path
) -> None:
    suite = copy_store(folder, tmp_path)
    for later in (3, 4, 5):
        for path in suite.glob(f"runs/{SLOW}/seed-{later}-*"):
            shutil.rmtree(path)
    lines, _ = interrupted(folder, tmp_path)
    why = "the session ended before its test (interrupted)"
    assert f"not judged: tiny/{SLOW}: {why}; 1 of the first 3 seeds without a score" in lines
