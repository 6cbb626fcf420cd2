"""Tables that show runs which the new ones do not are not replaced unasked."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders.commands import ROOT, harness
from builders.leaderboards import publish_to
from builders.records import COLA, failed_record, keep, make_cell, make_record

from harness.report.locations import (
    FILE,
    Locations,
    find_locations,
    store_locations,
    stored_locations,
)
from harness.report.replacement import (
    Shown,
    left_out,
    planned_runs,
    refusal,
    replaced,
    runs_in_tables,
    runs_of_records,
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


def asked(
    cells: Iterable[Cell], facts: DatasetFacts = COLA, training: TrainingSpec | None = None
) -> list[Shown]:
    return planned_runs(
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
        # The folder's files have changed.
        runs_of_records(records(CELLS, checkpoint_digest="0" * 64)),
        runs_of_records(
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
    assert "The new tables would show " in line
    assert "add --replace" in line
    assert "--results-dir" in line
    old, new, without, ways_out = line.split("\n")
    assert old.startswith(f"{folder}: its tables show 7 runs (")
    assert new.startswith("The new tables would show ")
    assert without.startswith(f"{lost} runs would no longer be shown: ")
    assert ways_out.startswith("Ways out: add --replace to replace these tables")


def lying(data: str = "", checkpoint: str = "") -> Locations:
    """Return the locations of data and of a checkpoint by names of places, "" for unknown."""
    checkpoints = {"org/a": frozenset(checkpoint.split())} if checkpoint else {}
    return Locations(checkpoints, {key * 64: frozenset(data.split()) for key in "0f" if data})


EDITED = OWN.model_copy(update={"fingerprint": "0" * 64, "train": 9})


@pytest.mark.parametrize(
    ("before", "facts", "now", "refused"),
    [
        ("whole relative", EDITED, "whole relative", False),
        ("whole relative", EDITED, "whole other", False),  # results elsewhere
        ("whole relative", EDITED, "other relative", False),  # the project was moved
        ("whole relative", EDITED, "other another", True),
        ("", EDITED, "whole relative", True),  # nobody knows that it is the same file
        ("whole relative", EDITED, "", True),
        ("", OWN, "", False),
        ("whole relative", OWN, "other another", False),  # the same content, copied
        ("", OWN.model_copy(update={"origin": "file other.csv"}), "", False),  # and renamed
        ("", EDITED.model_copy(update={"origin": "file other.csv"}), "", True),
        ("whole", EDITED.model_copy(update={"text_column": "text"}), "whole", False),
        ("whole", COLA, "whole", True),
    ],
)
def test_data_are_told_apart_by_content_and_by_where_their_file_lies(
    before: str, facts: DatasetFacts, now: str, refused: bool, tmp_path: Path
) -> None:
    folder = publish_to(tmp_path, CELLS, records(CELLS, dataset=OWN))
    (folder / "runs").mkdir()
    store_locations(folder, lying(before))
    runs = [run for cell in CELLS for run in runs_of(cell, TrainingSpec())]
    line = refusal(folder, planned_runs(runs, facts, lying(now)), "")
    assert (line is not None) == refused
    if line is not None and facts.origin == OWN.origin:
        assert "The new tables would show 8 runs" in line
        assert ", on other data with the same name, file mine.csv.\n8 runs would no longer" in line


def test_another_column_of_a_file_is_other_data(tmp_path: Path) -> None:
    by_text = OWN.model_copy(update={"text_column": "text"})
    folder = publish_to(tmp_path, CELLS, records(CELLS, dataset=by_text))
    (folder / "runs").mkdir()
    store_locations(folder, lying("whole"))
    runs = [run for cell in CELLS for run in runs_of(cell, TrainingSpec())]
    for column, refused in (("text", False), (None, False), ("comment", True)):
        facts = EDITED.model_copy(update={"text_column": column})
        line = refusal(folder, planned_runs(runs, facts, lying("whole")), "")
        assert (line is not None) == refused


@pytest.mark.parametrize(
    ("changes", "facts", "refused"),
    [
        ({}, EDITED, None),  # new sentences in the same file
        ({"validation_size": 4}, EDITED, "file mine.csv (validation_size 4)"),
        ({"split_seed": 1, "test_size": 0.1}, EDITED, "(split_seed 1, test_size 0.1)"),
        ({"label_column": "topic"}, EDITED, "(label_column topic)"),
        ({"path": "other.csv"}, EDITED, "on other data with the same name"),
        ({"source": "cola", "path": None}, COLA, "data cola"),
        ({"validation_size": 4}, OWN, None),  # the same sentences in the same splits
    ],
)
def test_other_dataset_settings_are_another_experiment_and_new_contents_are_not(
    changes: dict[str, Any], facts: DatasetFacts, refused: str | None, tmp_path: Path
) -> None:
    for name in ("data.csv", "other.csv"):
        (tmp_path / name).touch()
    before, after = suite_of("org/a"), suite_of("org/a", **changes)
    folder = publish_to(tmp_path / "tables", CELLS, records(CELLS, dataset=OWN))
    (folder / "runs").mkdir()
    store_locations(folder, find_locations(before, tmp_path, folder, OWN.fingerprint))
    here = find_locations(after, tmp_path, folder, facts.fingerprint)
    runs = [run for cell in CELLS for run in runs_of(cell, TrainingSpec())]
    line = refusal(folder, planned_runs(runs, facts, here), "")
    assert (line is None) == (refused is None)
    assert str(refused) in str(line)


def test_cola_in_another_folder_of_the_suite_is_other_data(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    folder = publish_to(tmp_path / "tables", CELLS, records(CELLS, dataset=COLA))
    (folder / "runs").mkdir()
    one = suite_of("org/a", source="cola", path="one")
    store_locations(folder, find_locations(one, tmp_path, folder, COLA.fingerprint))
    facts = COLA.model_copy(update={"fingerprint": "0" * 64})
    runs = [run for cell in CELLS for run in runs_of(cell, TrainingSpec())]
    for path, refused in (("one", False), ("other", True)):
        suite = suite_of("org/a", source="cola", path=path)
        here = find_locations(suite, tmp_path, folder, facts.fingerprint)
        assert (refusal(folder, planned_runs(runs, facts, here), "") is not None) == refused


@pytest.mark.parametrize(
    ("before", "digest", "now", "refused"),
    [
        ("whole relative", "0", "whole relative", False),  # its files were replaced
        ("whole relative", "0", "whole other", False),
        ("whole relative", "0", "other relative", False),
        ("whole relative", "0", "other another", True),
        ("whole relative", "", "other another", True),  # it is not here to be looked at
        ("whole relative", "same", "other another", False),  # the same files, copied
        ("", "0", "whole relative", False),  # written before anybody kept it
    ],
)
def test_checkpoints_are_told_apart_by_content_and_by_where_they_lie(
    before: str, digest: str, now: str, refused: bool, tmp_path: Path
) -> None:
    published = records(CELLS)
    folder = publish_to(tmp_path, CELLS, published)
    (folder / "runs").mkdir()
    store_locations(folder, lying(checkpoint=before))
    runs = [run for cell in CELLS for run in runs_of(cell, TrainingSpec())]
    same = str(published[0].checkpoint_digest)
    digests = {"org/a": same if digest == "same" else digest * 64} if digest else {}
    line = refusal(folder, planned_runs(runs, COLA, lying(checkpoint=now), digests), "")
    assert (line is not None) == refused
    assert refused == ("from another folder with the name org/a.\n8 runs" in str(line))


def suite_of(checkpoint: str, **dataset: Any) -> Suite:
    matrix = {"checkpoints": [checkpoint], "batch_sizes": [8], "learning_rates": [1e-4]}
    dataset = {"source": "file", "path": "data.csv"} | dataset
    return Suite.model_validate({"name": "sample", "dataset": dataset, "matrix": matrix})


def project(folder: Path) -> Path:
    (folder / "encoder").mkdir(parents=True)
    (folder / "data.csv").write_text("sentence,label\n")
    return folder


def test_folders_and_files_of_one_name_are_told_apart_by_where_they_lie(tmp_path: Path) -> None:
    """Their published names are the same; what lies in a folder may change."""
    results, suite = tmp_path / "results" / "sample", suite_of("./encoder")
    found, shown = [], []
    cells = make_plan(suite)
    for place in (project(tmp_path / "one"), project(tmp_path / "other")):
        found.append(find_locations(suite, place, results, OWN.fingerprint))
        shown.append(planned_runs(runs_of(cells[0], suite.training), OWN, found[-1]))
    assert found[0].checkpoints.keys() == found[1].checkpoints.keys() == {"encoder"}
    assert not found[0].data[OWN.fingerprint] & found[1].data[OWN.fingerprint]
    assert str(tmp_path) not in str(found)
    folder = publish_to(results, cells, [make_record(cells[0], 0, dataset=OWN)])
    assert refusal(folder, shown[1], "") is None  # written before anybody kept it
    store_locations(folder, found[0])
    assert stored_locations(folder) == Locations({}, {})  # a folder without a store keeps nothing
    (folder / "runs").mkdir()
    store_locations(folder, found[0])
    assert stored_locations(folder) == found[0]
    assert str(tmp_path) not in (folder / FILE).read_text()
    assert refusal(folder, shown[0], "") is None
    line = refusal(folder, shown[1], "")
    assert line is not None
    assert "from another folder with the name encoder.\n1 run would no longer be shown" in line
    now = runs_of_records([make_record(cells[0], 0, dataset=OWN)], found[1])
    assert refusal(folder, now, "") is None  # its key


@pytest.mark.parametrize("results", ["project/results/sample", "elsewhere/sample"])
@pytest.mark.parametrize("spelled", ["./encoder", "{project}/encoder"])
def test_a_project_that_was_moved_is_the_same_project(
    results: str, spelled: str, tmp_path: Path
) -> None:
    """Its keys are others, as after an upgrade, and its data were edited."""
    here = project(tmp_path / "project")
    suite = suite_of(spelled.format(project=here))
    before = find_locations(suite, here, tmp_path / results, OWN.fingerprint)
    here = here.rename(tmp_path / "moved")
    suite = suite_of(spelled.format(project=here))
    after = find_locations(
        suite, here, tmp_path / results.replace("project", "moved"), EDITED.fingerprint
    )
    (cell,) = make_plan(suite)
    published = make_record(cell, 0, dataset=OWN)
    folder = publish_to(tmp_path / "tables", [cell], [published])
    (folder / "runs").mkdir()
    store_locations(folder, before)
    runs, digests = runs_of(cell, suite.training), {"encoder": str(published.checkpoint_digest)}
    same = planned_runs(runs, OWN, after, digests)  # by content, wherever the results are
    assert refusal(folder, same, "") is None
    edited = refusal(folder, planned_runs(runs, EDITED, after), "")
    assert (edited is None) == results.startswith("project")


def test_what_an_earlier_version_kept_is_read(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / FILE).write_text('{"encoder": "0123456789abcdef"}')
    assert stored_locations(tmp_path) == Locations({"encoder": frozenset({"0123456789abcdef"})}, {})
    for broken in ("[]", "{", '{"checkpoints": [], "data": {"f": 1}}'):
        (tmp_path / FILE).write_text(broken)
        assert stored_locations(tmp_path) == Locations({}, {})


def test_tables_of_which_nobody_knows_what_they_show_are_not_replaced(folder: Path) -> None:
    (folder / "leaderboard.json").write_text("{}")
    line = refusal(folder, asked(CELLS), "name another")
    assert line is not None
    assert "so the runs in its tables are not known: add --replace" in line


def test_what_came_out_decides_in_the_end(folder: Path) -> None:
    before = runs_in_tables(folder)
    assert before is not None
    assert len(before) == 7
    fewer = [*records(CELLS[:3]), *(failed_record(CELLS[3], seed) for seed in (1, 2))]
    line = shortfall(before, runs_of_records(fewer))
    assert line is not None
    assert "7 runs with a score, of which 2 have none in this session" in line
    assert f"{CELLS[3].id} (seeds 1, 2)" in line
    assert shortfall(before, runs_of_records(records(CELLS))) is None


def test_what_was_replaced_is_said(folder: Path) -> None:
    before = runs_in_tables(folder)
    assert before is not None
    assert replaced(before, runs_of_records(records(CELLS)[1:])) is None
    assert replaced(before, runs_of_records(records(CELLS))) == "tables of 7 runs replaced, now 8"
    line = str(replaced(before, runs_of_records(records(CELLS[:1], checkpoint_digest="0" * 64))))
    assert line.startswith("tables of 7 runs replaced, now 2; no longer shown: ")
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
    assert "tables of 8 runs replaced, now 0; no longer shown: " in asked_for.err
    assert runs_in_tables(published) == []


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
