"""`harness report --check` ends with the command that writes the files, as it was typed."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from builders.commands import harness
from builders.records import keep, make_cell, record_of_mcc

from harness.report import write_tables

SUITE = """name = "sample"
[dataset]
source = "cola"
[matrix]
checkpoints = ["org/encoder"]
batch_sizes = [16]
learning_rates = [2e-5]
seeds = [1, 2, 3]
"""

SCORES = """[[reference]]
checkpoint = "org/encoder"
mcc = 0.61
recipe = "r"
source = "a paper"
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a store and its tables, a copy of the tables, a suite and published scores."""
    cell = make_cell(seeds=(1, 2))
    stored = [keep(tmp_path / "my runs", cell, record_of_mcc(cell, seed, 0.4)) for seed in (1, 2)]
    write_tables(tmp_path / "my runs", "sample", [cell], stored)
    shutil.copytree(
        tmp_path / "my runs", tmp_path / "a copy", ignore=shutil.ignore_patterns("runs")
    )
    (tmp_path / "its suite.toml").write_text(SUITE)
    (tmp_path / "scores.toml").write_text(SCORES)
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "folder"),
    [
        (["report", "my runs"], "my runs"),
        (["report", "my runs/leaderboard.json", "--output", "a copy"], "a copy"),
        (["report", "my runs", "--output=a copy"], "a copy"),
        (["report", "my runs", "--references", "scores.toml"], "my runs"),
        (["report", "my runs", "--suite", "its suite.toml", "--seeds", "2"], "my runs"),
        (
            ["report", "my runs", "--suite", "its suite.toml", "--seeds=2", "--output", "a copy"],
            "a copy",
        ),
    ],
)
def test_the_advice_on_another_form_is_the_command_that_mends_it(
    typed: list[str], folder: str, here: Path
) -> None:
    first = harness(*typed, "--replace", cwd=here)
    assert first.code == 0, first.err
    table = here / folder / "leaderboard.csv"
    written = table.read_bytes()
    for place in (1, len(typed)):
        table.write_bytes(written.replace(b"\n", b"\r\n"))
        done = harness(*typed[:place], "--check", *typed[place:], cwd=here)
        assert done.code == 1
        advice = re.search(r"no data differ: .*; `(.*)` writes them", done.err)
        assert advice is not None
        words = shlex.split(advice[1])
        assert words == ["harness", *typed]
        assert harness(*words[1:], cwd=here).code == 0
        assert table.read_bytes() == written
        assert harness(*typed, "--check", cwd=here).code == 0


def test_a_folder_of_the_name_of_the_option_stays_in_the_advice(here: Path) -> None:
    (here / "my runs").rename(here / "--check")
    table = here / "--check" / "leaderboard.csv"
    table.write_bytes(table.read_bytes().replace(b"\n", b"\r\n"))
    done = harness("report", "--check", "--", "--check", cwd=here)
    assert "`harness report -- --check` writes them" in done.err


def test_a_document_nested_too_deeply_is_one_line_of_the_check(here: Path) -> None:
    (here / "a copy" / "leaderboard.json").write_text("[" * 100_000 + "]" * 100_000)
    done = harness("report", "my runs", "--output", "a copy", "--check", cwd=here)
    assert done.code == 1
    path = Path("a copy", "leaderboard.json")
    (line,) = [line for line in done.out.splitlines() if line.startswith("differs: ")]
    assert line == f"differs: {path}: its objects or lists are nested too deeply to be compared"
