"""`harness plan --budget` lists what a session with this budget would train."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from builders.commands import Done, harness
from builders.small_suite import SUITE, finish, write_suite


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cells of four seeds, of which one run is finished, and a checkpoint out of reach.

    A run is expected to take at least 4 s: nothing is known of its checkpoint.
    """
    text = SUITE.replace("[1e-3]", "[1e-3, 1e-4]").replace("[1, 2]", "[1, 2, 3, 4]")
    made = write_suite(tmp_path_factory.mktemp("plan"), text)
    finish(made, made / "results", seed=1)
    return made


def planned(folder: Path, *arguments: str) -> Done:
    named = ("--suite", "tiny.toml", "--results-dir", "results", "--workers", "1")
    return harness("plan", *named, *arguments, cwd=folder)


def states(done: Done) -> dict[tuple[str, int], str]:
    runs: list[dict[str, Any]] = json.loads(done.out)["suites"][0]["runs"]
    return {(run["cell"], run["seed"]): run["state"] for run in runs if run["state"] != "skipped"}


FIRST, SECOND = "encoder-bs8-lr1e-03", "encoder-bs8-lr1e-04"


def test_one_seed_of_every_cell_is_planned_first(folder: Path) -> None:
    """In 5 s of training, only one run ends: the other cell has a finished seed already."""
    done = planned(folder, "--budget", "20s", "--json")
    assert done.code == 0
    found = states(done)
    outside = [run for run, state in found.items() if state == "outside the budget"]
    assert found[FIRST, 1] == "finished"
    assert found[SECOND, 1] == "to train"
    assert len(outside) == 6
    (note,) = [each for each in json.loads(done.out)["suites"][0]["remarks"] if "budget" in each]
    assert note.startswith("--budget 20 s: 1 of the 7 runs to train should fit, one seed of every")
    assert "the other 6 would take about" in note


def test_the_text_counts_what_is_outside(folder: Path) -> None:
    text = planned(folder, "--budget", "20s").out
    assert "16 runs: 1 finished, 1 to train, 8 skipped, 6 outside the budget" in text
    assert re.search(rf"^{FIRST} +4 +outside the budget$", text, re.MULTILINE)


def test_a_budget_for_everything_and_one_for_nothing(folder: Path) -> None:
    enough = planned(folder, "--budget", "2h").out
    assert "16 runs: 1 finished, 7 to train, 8 skipped\n" in enough
    assert "--budget 2 h: all 7 runs to train should fit" in enough
    too_short = planned(folder, "--budget", "15s").out
    assert (
        "a session would be refused: --budget: 15 s: not even one of the 7 runs to train fits; the "
        f"shortest, tiny/{FIRST} seed 2, is expected to take about"
    ) in too_short


def test_without_a_budget_nothing_is_said_of_one(folder: Path) -> None:
    assert "budget" not in planned(folder).out


def test_a_number_without_a_unit_is_refused(folder: Path) -> None:
    done = planned(folder, "--budget", "30")
    assert done.code != 0
    assert "--budget: '30': a number without a unit; write 30s, 30m or 30h" in done.err
