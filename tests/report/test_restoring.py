"""Published runs can be stored again: the same records, predictions and digests as in the store."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.commands import harness
from builders.records import keep, make_cell, predicted_record

from harness.errors import BadInput
from harness.machine.provenance import RECIPE_VERSION, versions
from harness.report import read_published, write_tables
from harness.report.restoring import Restored, restore
from harness.session.options import Options, Planned
from harness.session.session import Session
from harness.store.run_store import Stored, read_store
from harness.suite.plan import make_plan
from harness.suite.spec import DatasetSpec, MatrixSpec, Suite

CELLS = [make_cell(learning_rate=rate, seeds=(1, 2)) for rate in (2e-5, 5e-5)]
# A second name for the files of the first: their runs have the same keys, and the same logits.
ALIAS = make_cell("org/alias", seeds=(1, 2))
RUNS = 6


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Stored]]:
    """Published tables, and the store that they were made from."""
    return published(tmp_path_factory.mktemp("published") / "sample")


def published(folder: Path, recipe: int = RECIPE_VERSION) -> tuple[Path, list[Stored]]:
    """Publish six runs; the first three are of this recipe."""
    labels = np.arange(40) % 2
    stored: list[Stored] = []
    for place, cell in enumerate([*CELLS, ALIAS]):
        for seed in cell.seeds:
            wrong = np.arange(40) < 4 + seed + place % 2
            given = np.where(wrong, 1 - labels, labels)
            digest = hashlib.sha256(b"org/encoder").hexdigest()
            facts: dict[str, Any] = {"checkpoint_digest": digest, "versions": versions()}
            facts["recipe_version"] = recipe if len(stored) < 3 else RECIPE_VERSION
            record = predicted_record(cell, seed, labels, given[np.newaxis], **facts)
            stored.append(keep(folder.with_name("store"), cell, record))
    write_tables(folder, "sample", [*CELLS, ALIAS], stored)
    return folder, stored


def test_the_restored_store_has_the_records_and_predictions_of_the_first(
    made: tuple[Path, list[Stored]], tmp_path: Path
) -> None:
    folder, stored = made
    published = read_published(folder / "leaderboard.json")

    assert restore(folder, published, tmp_path) == Restored(RUNS, 0, ())

    found, rejected = read_store(tmp_path)
    assert not rejected
    by_run = {(item.record.cell, item.record.seed): item for item in stored}
    assert len(found) == RUNS
    for item in found:
        before = by_run[item.record.cell, item.record.seed]
        assert item.record == before.record
        for name in ("record.json", "predictions.parquet"):
            assert (item.folder / name).read_bytes() == (before.folder / name).read_bytes()


def test_runs_in_the_store_stay_as_they_are(
    made: tuple[Path, list[Stored]], tmp_path: Path
) -> None:
    folder, _ = made
    published = read_published(folder / "leaderboard.json")
    restore(folder, published, tmp_path)
    first = next(tmp_path.glob("runs/*/*/record.json"))
    first.write_bytes(first.read_bytes() + b"\n")
    shutil.rmtree(next(path for path in tmp_path.glob("runs/*/*") if path != first.parent))

    assert restore(folder, published, tmp_path) == Restored(1, RUNS - 1, ())
    assert first.read_bytes().endswith(b"\n\n")


def test_a_name_that_leaves_the_store_is_refused_and_nothing_written(
    made: tuple[Path, list[Stored]], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(made[0], tmp_path / "sample"))
    file = folder / "leaderboard.json"
    document = json.loads(file.read_text())
    document["records"][0]["key"] = "../../../outside"
    file.write_text(json.dumps(document))

    with pytest.raises(BadInput, match=r"\.\./outside"):
        restore(folder, read_published(file), tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_tables_without_predictions_cannot_be_restored(
    made: tuple[Path, list[Stored]], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(made[0], tmp_path / "sample"))
    (folder / "predictions.parquet").unlink()

    with pytest.raises(BadInput, match=r"predictions\.parquet: missing"):
        restore(folder, read_published(folder / "leaderboard.json"), tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_the_command_says_what_it_restored(made: tuple[Path, list[Stored]], tmp_path: Path) -> None:
    for line in ("6 runs restored, 0 there before", "0 runs restored, 6 there before"):
        done = harness("restore", str(made[0]), "--results-dir", str(tmp_path))
        assert done.code == 0
        assert line in done.out


def test_the_command_says_which_runs_a_session_trains_again(tmp_path: Path) -> None:
    now, then = RECIPE_VERSION, RECIPE_VERSION - 1
    folder, _ = published(tmp_path / "sample", then)
    (note,) = [line for line in restored(folder, tmp_path / "results") if line.startswith("note: ")]
    assert "do not reuse 3 of the 6 runs" in note
    assert f"recipe ({then} against {now})" in note


def test_the_command_says_nothing_of_runs_that_a_session_takes_over(
    made: tuple[Path, list[Stored]], tmp_path: Path
) -> None:
    assert not [line for line in restored(made[0], tmp_path) if line.startswith("note: ")]


def restored(folder: Path, results: Path) -> list[str]:
    done = harness("restore", str(folder), "--results-dir", str(results))
    assert done.code == 0
    return done.out.splitlines()


def test_nothing_is_restored_into_a_store_that_a_session_holds(
    made: tuple[Path, list[Stored]], tmp_path: Path
) -> None:
    suite = Suite(
        name="sample",
        dataset=DatasetSpec(source="cola"),
        matrix=MatrixSpec(checkpoints=("org/encoder",), batch_sizes=(16,), learning_rates=(2e-5,)),
    )
    planned = Planned(suite, tmp_path / "sample.toml", tuple(make_plan(suite)))
    session = Session([planned], planned.cells, Options(tmp_path, None, False))
    session._hold("sample")
    try:
        done = harness("restore", str(made[0]), "--results-dir", str(tmp_path))
        assert done.code == 4
        assert f"{tmp_path / 'sample' / 'runs'}: another session uses this folder" in done.err
        assert read_store(tmp_path / "sample") == ([], [])
    finally:
        session.release()
    assert harness("restore", str(made[0]), "--results-dir", str(tmp_path)).code == 0
