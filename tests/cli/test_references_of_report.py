"""`harness report --references` adds published scores to tables that have none."""

import json
from pathlib import Path

import pytest
from builders.commands import harness
from builders.records import keep, make_cell, record_of_mcc

from harness.report import write_tables

SCORES = """
[[reference]]
checkpoint = "org/encoder"
mcc = 0.61
recipe = "r"
source = "a paper"

[[reference]]
checkpoint = "org/other"
mcc = 0.5
recipe = "r"
source = "a paper"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "sample"
    cell = make_cell(seeds=(1, 2))
    stored = [keep(folder, cell, record_of_mcc(cell, seed, 0.4)) for seed in cell.seeds]
    write_tables(folder, "sample", [cell], stored)
    (tmp_path / "scores.toml").write_text(SCORES)
    return folder


def test_scores_of_the_table_s_checkpoints_are_added_and_stay(folder: Path) -> None:
    scores = str(folder.parent / "scores.toml")
    differing = harness("report", str(folder), "--references", scores, "--check")
    assert differing.code == 1
    done = harness("report", str(folder), "--references", scores)
    assert done.code == 0, done.err
    text = (folder / "leaderboard.md").read_text(encoding="utf-8")
    assert "0.610 published (a paper; recipe: r); encoder-bs16-lr2e-05: 0.400" in text
    assert "not comparable, because it does not state its statistic" in text
    assert "org/other" not in text
    stated = json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))["references"]
    assert [each["checkpoint"] for each in stated] == ["org/encoder"]
    assert harness("report", str(folder), "--check").code == 0


def test_a_wrong_file_and_a_suite_beside_it_are_refused(folder: Path) -> None:
    wrong = folder.parent / "wrong.toml"
    wrong.write_text(SCORES.replace("mcc = 0.5", "mcc = 50"))
    before = (folder / "leaderboard.md").read_bytes()
    done = harness("report", str(folder), "--references", str(wrong))
    assert done.code == 4
    assert "reference[1].mcc: 50" in done.err
    both = harness("report", str(folder), "--references", str(wrong), "--suite", "mine.toml")
    assert both.code == 2
    assert "not with --suite" in both.err
    missing = harness("report", str(folder), "--references", str(folder / "absent.toml"))
    assert missing.code == 4
    assert (folder / "leaderboard.md").read_bytes() == before
