"""`harness compare`: which of two is better, told in a sentence, with an exit code for CI."""

import re
from pathlib import Path

import numpy as np
import pytest
from samples import keep, make_cell, predicted_record
from shell import Done, harness, imported_by

from harness.report import write_tables

LABELS = np.random.default_rng(0).integers(0, 2, 500)


def publish(folder: Path, errors: dict[str, float], offset: int = 0) -> Path:
    """Write a leaderboard of cells that err at random, that share of the sentences."""
    cells = [make_cell(f"org/{name}", seeds=(1, 2), id=name) for name in errors]
    stored = []
    for cell, share in zip(cells, errors.values(), strict=True):
        for seed in cell.seeds:
            luck = np.random.default_rng([seed, offset]).random(len(LABELS))
            predicted = np.where(luck < share, 1 - LABELS, LABELS)
            stored.append(keep(folder, cell, predicted_record(cell, seed, LABELS, predicted[None])))
    write_tables(folder, "sample", cells, stored)
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    publish(folder / "new", {"good": 0.1, "bad": 0.35})
    publish(folder / "old", {"good": 0.1, "bad": 0.1, "gone": 0.2})
    return folder


def compare(results: Path, *arguments: str) -> Done:
    return harness("compare", *arguments, cwd=results)


@pytest.mark.parametrize(
    ("a", "b"), [("good", "bad"), ("org/good", "org/bad"), ("good", "org/bad")]
)
def test_cells_and_checkpoints_are_compared_by_name(results: Path, a: str, b: str) -> None:
    done = compare(results, a, b, "--results", "new")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{a} is better than {b}: MCC 0.")
    assert re.search(r"95 % interval \+0\.\d+ to \+0\.\d+, p = ", done.out)


def test_leaderboards_are_compared_cell_by_cell(results: Path) -> None:
    done = compare(results, "new", "old/leaderboard.json")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].startswith("No difference is shown between good of new and good of old")
    assert lines[1].startswith("bad of new is worse than bad of old/leaderboard.json")
    assert "corrected for 2 comparisons" in lines[1]
    assert lines[2] == "2 cells in both: 1 no difference shown, 1 worse."


def test_check_says_no_where_a_is_worse(results: Path) -> None:
    assert compare(results, "new", "old", "--check").code == 1
    assert compare(results, "old", "new", "--check").code == 0
    assert compare(results, "bad", "good", "--results", "new", "--check").code == 1


def test_unknown_names_are_told_with_those_there_are(results: Path) -> None:
    done = compare(results, "goood", "worse", "--results", "new")
    assert done.code == 4
    for name in ("goood", "worse"):
        assert (
            f"{name}: neither a file or folder nor a scored cell or checkpoint of new" in done.err
        )
    assert "org/good, org/bad, good, bad" in done.err


def test_leaderboards_without_a_common_cell_are_bad_input(results: Path, tmp_path: Path) -> None:
    publish(tmp_path / "other", {"else": 0.1})
    done = compare(results, "new", str(tmp_path / "other"))
    assert done.code == 4
    assert "no cell (checkpoint, batch size, learning rate) was scored in both" in done.err


def test_nothing_heavy_is_imported(results: Path) -> None:
    _, modules = imported_by("compare", "new", "old", cwd=results)
    assert not {"torch", "transformers", "datasets", "ray"} & modules
