"""`make speed ARGS="--growth --against REV"`: what both commits make of records of their own."""

import json
import shutil
import sys
from collections.abc import Mapping
from itertools import count
from pathlib import Path

import pytest

from harness.errors import BadInput
from harness.report.published import read_published

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from speed import commands, growth
from speed.commands import ROOT, Failed, Timed
from speed.disturbance import Disturbance

QUIET = Disturbance(0.0, 0.0)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the leaderboard of seven cells that this checkout makes, and one of results/cola."""
    return growth.leaderboards(ROOT, tmp_path_factory.mktemp("growth"), 7)[0]


def test_the_records_are_those_of_whole_runs_that_differ(many: Path) -> None:
    """`read_published` compares every number of a record that follows from its predictions."""
    published = read_published(many / "leaderboard.json")
    assert len(published.cells) == 7
    assert len(published.records) == 7 * growth.SEEDS
    epochs = [epoch for record in published.records for epoch in record.epochs]
    assert len({epoch.classes for epoch in epochs}) == 7 * growth.SEEDS * growth.EPOCHS
    assert {(record.groupings or {}).keys() == {"source"} for record in published.records} == {True}
    rows = json.loads((many / "leaderboard.json").read_bytes())["rows"]
    assert len({row["mcc"] for row in rows}) == 7
    assert all(row["mcc_low_sources"] < row["mcc"] for row in rows)


def test_their_tables_are_made_in_a_folder_that_is_removed(many: Path, tmp_path: Path) -> None:
    assert growth.report(ROOT, many, tmp_path).output.endswith("leaderboard.json")
    assert [*tmp_path.iterdir()] == []
    assert [path.name for path in many.iterdir()] == ["leaderboard.json"]


def test_both_commits_make_the_same_tables_in_turn(
    many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other commit takes three times as long with many records, twice with few."""
    calls: list[str] = []

    def run(*command: str, tree: Path = ROOT, variables: Mapping[str, str] | None = None) -> Timed:
        if command[0] != "-m":
            shutil.copytree(many, command[1])
            return Timed(9.0, "", QUIET)
        source = Path(command[3]).name
        calls.append(f"{'this' if tree == ROOT else 'other'} {source}")
        seconds = {"other many": 60.0, "this many": 20.0, "other few": 8.0, "this few": 4.0}
        return Timed(seconds[calls[-1]], "", QUIET)

    other = tmp_path / "tree"
    (other / "results" / "cola").mkdir(parents=True)
    monkeypatch.setattr(commands, "run", run)
    *_, figures = growth.growth("v1", "0123456789abcdef", other, tmp_path, cells=7)
    assert {name: ratio["ratio"] for name, ratio in figures["ratios"].items()} == {
        "many_over_this_commit": pytest.approx(3.0),
        "few_over_this_commit": pytest.approx(2.0),
    }
    assert "35 records of 7 cells" in figures["ratios"]["many_over_this_commit"]["what"]
    assert figures["measured"]["other commit: many"][0]["seconds"] == 60.0
    assert figures["other_commit"] == "0123456789abcdef"
    warming, rounds = calls[:2], calls[2:]
    assert warming == ["other few", "this few"]
    assert rounds[:4] == ["other many", "other few", "this many", "this few"]
    assert rounds[4:8] == rounds[3::-1]
    assert len(rounds) == 4 * growth.ROUNDS


def test_a_commit_that_cannot_make_the_records_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = count()

    def run(*command: str, tree: Path = ROOT) -> Timed:
        next(numbers)
        raise Failed(command, 1, "ImportError: no publish_to")

    monkeypatch.setattr(commands, "run", run)
    with pytest.raises(BadInput) as caught:
        next(growth.growth("v1", "0123456789abcdef", tmp_path, tmp_path))
    (problem,) = caught.value.problems
    assert problem.startswith("--against v1: the harness at 0123456789ab cannot make these records")
    assert "ImportError: no publish_to" in problem
    with pytest.raises(Failed):  # this checkout must not fail
        next(growth.growth("v1", "0123456789abcdef", ROOT, tmp_path))
    assert next(numbers) == 2
