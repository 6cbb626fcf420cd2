"""`make speed ARGS="--growth --against REV"`: what both commits make of records of their own."""

import json
import sys
from collections.abc import Callable
from functools import partial
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
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Callable[[], Timed]]:
    """Return what measures this checkout on its own records: seven cells, a session of six runs."""
    return growth.prepared(ROOT, tmp_path_factory.mktemp("growth"), 7, (3, 2))


@pytest.fixture(scope="module")
def folder(made: dict[str, partial[Timed]]) -> Path:
    return Path(made["many"].args[1]).parent


def test_the_records_are_those_of_whole_runs_that_differ(folder: Path) -> None:
    """`read_published` compares every number of a record that follows from its predictions."""
    published = read_published(folder / "many" / "leaderboard.json")
    assert len(published.cells) == 7
    assert len(published.records) == 7 * growth.SEEDS
    epochs = [epoch for record in published.records for epoch in record.epochs]
    assert len({epoch.classes for epoch in epochs}) == 7 * growth.SEEDS * growth.EPOCHS
    assert {(record.groupings or {}).keys() == {"source"} for record in published.records} == {True}
    rows = json.loads((folder / "many" / "leaderboard.json").read_bytes())["rows"]
    assert len({row["mcc"] for row in rows}) == 7
    assert all(row["mcc_low_sources"] < row["mcc"] for row in rows)


def test_tables_are_made_in_a_folder_that_is_removed(
    made: dict[str, Callable[[], Timed]], folder: Path
) -> None:
    before = sorted(folder.iterdir())
    assert made["many"]().output.endswith("leaderboard.json")
    assert sorted(folder.iterdir()) == before
    assert [path.name for path in (folder / "many").iterdir()] == ["leaderboard.json"]


def test_a_session_trains_nothing(made: dict[str, Callable[[], Timed]], folder: Path) -> None:
    runs = folder / "finished" / "results" / "many" / "runs"

    def trained() -> list[tuple[str, str]]:
        found = [json.loads(path.read_bytes()) for path in runs.rglob("record.json")]
        return sorted((record["key"], record["started_at"]) for record in found)

    before = trained()
    assert len(before) == 6
    assert "3 passed" in made["finished"]().output
    assert trained() == before


def test_both_commits_are_measured_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other commit takes twice to five times as long."""
    calls: list[str] = []
    factors = {"many": 3.0, "few": 2.0, "finished": 5.0, "start": 4.0}

    def prepared(
        tree: Path, folder: Path, cells: int, finished: tuple[int, int]
    ) -> dict[str, Callable[[], Timed]]:
        assert (cells, finished) == (7, (3, 2))
        assert folder.parent == tmp_path
        who = "this" if tree == ROOT else "other"

        def measure(kind: str) -> Timed:
            calls.append(f"{who} {kind}")
            return Timed(20.0 * (1 if who == "this" else factors[kind]), "", QUIET)

        return {kind: partial(measure, kind) for kind in factors}

    monkeypatch.setattr(growth, "prepared", prepared)
    other = tmp_path / "tree"
    *_, figures = growth.growth("v1", "0123456789abcdef", other, tmp_path, 7, (3, 2))
    assert {name: ratio["ratio"] for name, ratio in figures["ratios"].items()} == {
        f"{kind}_over_this_commit": pytest.approx(factor) for kind, factor in factors.items()
    }
    assert "35 records of 7 cells" in figures["ratios"]["many_over_this_commit"]["what"]
    assert "6 finished runs" in figures["ratios"]["finished_over_this_commit"]["what"]
    assert figures["measured"]["other commit: many"][0]["seconds"] == 60.0
    assert figures["other_commit"] == "0123456789abcdef"
    warming, rounds = calls[:6], calls[6:]
    assert warming == [
        f"{who} {kind}" for who in ("other", "this") for kind in ("few", "start", "finished")
    ]
    assert rounds[:8] == [f"{who} {kind}" for who in ("other", "this") for kind in factors]
    assert rounds[8:16] == rounds[7::-1]
    assert len(rounds) == 8 * growth.ROUNDS


def test_a_commit_that_cannot_make_the_records_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*command: str, tree: Path = ROOT) -> Timed:
        raise Failed(command, 1, "ImportError: no publish_to")

    monkeypatch.setattr(commands, "run", run)
    with pytest.raises(BadInput) as caught:
        next(growth.growth("v1", "0123456789abcdef", tmp_path, tmp_path))
    problem = " ".join(caught.value.problems)
    assert problem.startswith("--against v1: the harness at 0123456789ab cannot make these records")
    assert "ImportError: no publish_to" in problem
    with pytest.raises(Failed):  # this checkout must not fail
        next(growth.growth("v1", "0123456789abcdef", ROOT, tmp_path))
