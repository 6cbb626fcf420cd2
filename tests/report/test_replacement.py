"""Tables that show runs which the new ones do not are not replaced unasked."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders.commands import ROOT, harness
from builders.records import COLA, failed_record, keep, make_cell, make_record

from harness.judging.leaderboard import leaderboard
from harness.report import publish
from harness.report.published import as_json
from harness.report.replacement import (
    Shown,
    folders_of,
    held,
    left_out,
    of_records,
    of_runs,
    refusal,
    remember,
    replaced,
    shortfall,
)
from harness.session.options import Chosen, planned_suites
from harness.store.records import DatasetFacts, Record
from harness.suite.plan import Cell, make_plan, runs_of
from harness.suite.spec import Suite, TrainingSpec

CELLS = [make_cell("org/a", rate, lr, (1, 2)) for rate in (16, 32) for lr in (2e-5, 5e-5)]
OWN = DatasetFacts(
    name="file", origin="file mine.csv", fingerprint="f" * 64, train=8, validation=2, test=0
)


def records(cells: Iterable[Cell], **changes: Any) -> list[Record]:
    return [make_record(cell, seed, **changes) for cell in cells for seed in cell.seeds]


def publish_to(folder: Path, cells: list[Cell], found: list[Record]) -> Path:
    """Write leaderboard.json alone: the pictures take longer to draw."""
    folder.mkdir(parents=True, exist_ok=True)
    text = as_json(publish("sample", cells, found), leaderboard(cells, found))
    (folder / "leaderboard.json").write_text(text, encoding="utf-8")
    return folder


def asked(
    cells: Iterable[Cell], facts: DatasetFacts = COLA, training: TrainingSpec | None = None
) -> list[Shown]:
    return of_runs(
        [run for cell in cells for run in runs_of(cell, training or TrainingSpec())], facts
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Tables of four cells, two seeds each; one run failed."""
    failed = failed_record(CELLS[0], 1)
    return publish_to(tmp_path / "sample", CELLS, [failed, *records(CELLS)[1:]])


def test_what_shows_every_scored_run_again_may_replace(folder: Path) -> None:
    larger = [replace(cell, seeds=(1, 2, 3)) for cell in [*CELLS, make_cell("org/b", 64)]]
    without_the_failed = [replace(CELLS[0], seeds=(2,)), *CELLS[1:]]
    gated = [replace(cell, target=0.9, suite="renamed") for cell in CELLS]
    exact = TrainingSpec(speedups=(), eval_batch_size=8, on_oom="halve")
    for runs in (
        asked(CELLS),
        asked(CELLS[::-1]),
        asked(larger),
        asked(without_the_failed),
        asked(gated),
        asked(CELLS, training=exact),
        of_records(records(CELLS, checkpoint_digest="0" * 64)),  # the folder's files have changed
        of_records(
            [r.model_copy(update={"checkpoint": "renamed"}) for r in records(CELLS)]
        ),  # the same files under another name: the same keys
    ):
        assert refusal(folder, runs, "--results-dir FOLDER") is None
    assert refusal(folder.with_name("nothing there"), asked([]), "") is None


@pytest.mark.parametrize(
    ("runs", "lost"),
    [
        (asked([replace(cell, checkpoint="org/b") for cell in CELLS]), 7),
        (asked(CELLS[:3]), 2),
        (asked([replace(cell, seeds=(2,)) for cell in CELLS]), 3),
        (asked([replace(cell, seeds=(3, 4)) for cell in CELLS]), 7),
        (asked([replace(cell, learning_rate=1e-4) for cell in CELLS]), 7),
        (asked(CELLS, training=TrainingSpec(epochs=1)), 7),
        (asked(CELLS, training=TrainingSpec(weight_decay=0.1)), 7),
        (asked(CELLS, facts=OWN), 7),
        (asked([]), 7),
    ],
)
def test_what_would_leave_runs_out_is_refused_with_both_matrices_and_the_ways_out(
    folder: Path, runs: list[Shown], lost: int
) -> None:
    line = refusal(folder, runs, "name another folder with --results-dir")
    assert line is not None
    assert f"{folder}: its tables show 7 runs (checkpoints org/a; batch sizes 16, 32; " in line
    assert f" {lost} runs would no longer be shown: " in line
    assert "Asked for here: " in line
    assert "add --replace" in line
    assert "--results-dir" in line
    assert "\n" not in line


def test_data_are_told_apart_by_the_name_of_their_file(tmp_path: Path) -> None:
    folder = publish_to(tmp_path, CELLS, records(CELLS, dataset=OWN))
    edited = OWN.model_copy(update={"fingerprint": "0" * 64, "train": 9})
    other = OWN.model_copy(update={"origin": "file other.csv"})
    assert refusal(folder, asked(CELLS, edited), "") is None
    assert "data file other.csv" in str(refusal(folder, asked(CELLS, other), ""))


def test_folders_of_one_name_are_told_apart_by_where_they_lie(tmp_path: Path) -> None:
    """Their published names are the same; what lies in a folder may change."""
    one, other = tmp_path / "one" / "encoder", tmp_path / "other" / "encoder"
    found, shown = [], []
    for place in (one, other):
        place.mkdir(parents=True)
        matrix = {"checkpoints": [str(place)], "batch_sizes": [8], "learning_rates": [1e-4]}
        content = {"name": "sample", "dataset": {"source": "cola"}, "matrix": matrix}
        suite = Suite.model_validate(content)
        cells = make_plan(suite)
        found.append(folders_of(suite, tmp_path))
        shown.append(of_runs(runs_of(cells[0], suite.training), COLA, found[-1]))
    assert found[0].keys() == found[1].keys() == {"encoder"}
    assert str(tmp_path) not in str(found)
    folder = publish_to(tmp_path / "sample", cells, [make_record(cells[0], 0)])
    assert refusal(folder, shown[1], "") is None  # written before anybody kept it
    (folder / "runs").mkdir()
    remember(folder, found[0])
    assert refusal(folder, shown[0], "") is None
    line = refusal(folder, shown[1], "")
    assert line is not None
    assert "from another folder called encoder. 1 run would no longer be shown" in line
    assert refusal(folder, of_records([make_record(cells[0], 0)], found[1]), "") is None  # its key


def test_tables_of_which_nobody_knows_what_they_show_are_not_replaced(folder: Path) -> None:
    (folder / "leaderboard.json").write_text("{}")
    line = refusal(folder, asked(CELLS), "name another")
    assert line is not None
    assert "what its tables show is not known: add --replace" in line


def test_what_came_out_decides_in_the_end(folder: Path) -> None:
    before = held(folder)
    assert before is not None
    assert len(before) == 7
    fewer = [*records(CELLS[:3]), *(failed_record(CELLS[3], seed) for seed in (1, 2))]
    line = shortfall(before, of_records(fewer))
    assert line is not None
    assert "7 runs with a score, of which 2 have none in this session" in line
    assert f"{CELLS[3].id} (seeds 1, 2)" in line
    assert shortfall(before, of_records(records(CELLS))) is None


def test_what_was_replaced_is_said(folder: Path) -> None:
    before = held(folder)
    assert before is not None
    assert replaced(before, of_records(records(CELLS)[1:])) is None
    assert replaced(before, of_records(records(CELLS))) == "in place of tables of 7 runs, now 8"
    line = str(replaced(before, of_records(records(CELLS[:1], checkpoint_digest="0" * 64))))
    assert line.startswith("in place of tables of 7 runs, now 2; no longer shown: ")
    assert all(f"{cell.id} (seeds 1, 2)" in line for cell in CELLS[1:])
    assert line.endswith("; 1 with other files, data, device or versions than before")
    assert left_out(before, before) == []


def test_a_report_publishes_over_other_tables_only_when_asked(tmp_path: Path) -> None:
    small = publish_to(tmp_path / "small", CELLS[:1], [failed_record(CELLS[0], 1)])
    published = publish_to(tmp_path / "published", CELLS, records(CELLS))
    before = {path.name: path.read_bytes() for path in published.iterdir()}
    refused = harness("report", str(small), "--output", str(published))
    assert refused.code == 4
    assert "its tables show 8 runs" in refused.err
    assert "add --replace" in refused.err
    assert "--output FOLDER" in refused.err
    assert {path.name: path.read_bytes() for path in published.iterdir()} == before
    elsewhere = harness("report", str(small), "--output", str(tmp_path / "elsewhere"))
    assert elsewhere.code == 0
    asked_for = harness("report", str(small), "--output", str(published), "--replace")
    assert asked_for.code == 0
    assert "in place of tables of 8 runs, now 0; no longer shown: " in asked_for.err
    assert held(published) == []


def test_a_report_from_the_store_holds_to_the_same(tmp_path: Path) -> None:
    cells = [make_cell(learning_rate=rate, seeds=(1, 2)) for rate in (2e-5, 5e-5)]
    found = [keep(tmp_path / "sample", cell, r).record for cell in cells for r in records([cell])]
    folder = publish_to(tmp_path / "sample", cells, found)
    (tmp_path / "sample.toml").write_text(
        'name = "sample"\n[dataset]\nsource = "cola"\n[matrix]\ncheckpoints = ["org/encoder"]\n'
        "batch_sizes = [16]\nlearning_rates = [2e-5, 5e-5]\nseeds = [1, 2]\n"
    )
    suite = ("--suite", str(tmp_path / "sample.toml"))
    refused = harness("report", str(folder), *suite, "--seeds", "1")
    assert refused.code == 4
    assert "2 runs would no longer be shown: " in refused.err
    assert not (folder / "leaderboard.md").exists()
    assert harness("report", str(folder), *suite).code == 0


def test_every_suite_of_this_repository_has_a_name_of_its_own() -> None:
    paths = sorted([*(ROOT / "benchmarks").glob("*.toml"), *ROOT.glob("examples/*/*.toml")])
    suites = [str(path) for path in paths if path.name != "references.toml"]
    planned = planned_suites(Chosen({"suite": suites}, ROOT, ROOT))
    assert len({each.suite.name for each in planned}) == len(suites) >= 5
