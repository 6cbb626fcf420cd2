"""The command `harness`: what its subcommands say, write and answer."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from builders.commands import ROOT, harness, imported_by
from builders.records import (
    EMBEDDED,
    keep,
    make_cell,
    make_predictions,
    make_record,
    predictions_of,
    record_of_mcc,
)
from builders.small_suite import SUITE, finish, write_suite

from harness.cli import COMMANDS, command
from harness.judging.leaderboard import leaderboard
from harness.report import write_tables
from harness.report.published import as_json, publish
from harness.store.predictions import PREDICTIONS, read_predictions
from harness.store.records import Record
from harness.store.run_store import Stored, write_record
from harness.suite.plan import Cell
from harness.suite.spec import load_suite

HEAVY = {"torch", "transformers", "ray"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite with data, and one checkpoint of two."""
    return write_suite(tmp_path_factory.mktemp("cli"), SUITE)


SAMPLE = """
name = "sample"
[dataset]
source = "cola"
[matrix]
checkpoints = ["org/encoder"]
batch_sizes = [16]
learning_rates = [2e-5, 5e-5]
seeds = [1, 2]
[gates]
min_mcc = 0.3
"""


def test_help_lists_every_command_and_every_command_has_examples() -> None:
    done = harness("--help")
    assert done.code == 0
    assert len(COMMANDS) > 4
    for name, short in COMMANDS.items():
        assert re.search(rf"^  {name} +\w", done.out, re.MULTILINE)
        text = harness(name, "--help").out
        assert f"Examples:\n    harness {name}" in text or f"| harness {name}" in text
        assert (command(name).name, command(name).short_help) == (name, short)


def test_the_module_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "harness", "--version"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.startswith("harness, version ")


def test_a_shell_completes_commands_and_options() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "harness"],
        cwd=ROOT,
        env=os.environ
        | {"_HARNESS_COMPLETE": "bash_complete", "COMP_WORDS": "harness re", "COMP_CWORD": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "plain,report\nplain,restore\n"


def test_a_wrong_command_line_is_exit_code_2_and_bad_input_4(tmp_path: Path) -> None:
    assert harness("report", "--no-such-option").code == 2
    assert harness("no-such-command").code == 2
    missing = harness("plan", "--suite", "no-such.toml", "--seeds", "x", cwd=tmp_path)
    assert missing.code == 4
    assert "no-such.toml: no such suite file" in missing.err
    assert "Traceback" not in missing.err


def test_mistakes_of_suite_options_and_folders_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "sample.toml").write_text(SAMPLE.replace("name =", "nme =", 1), encoding="utf-8")
    flags = ("--min-mcc", "1.5", "--max-drop", "0.1", "--slices", "none.toml")
    report = harness("report", "none", "--suite", "sample.toml", *flags, cwd=tmp_path)
    assert report.code == 4
    assert [line.partition(": ")[0] for line in report.err.splitlines()] == [
        *("sample.toml", "sample.toml", "--min-mcc", "--max-drop", "none.toml", "none/runs"),
    ]
    missed = harness("mistakes", "none", "--suite", "sample.toml", cwd=tmp_path)
    assert missed.code == 4
    assert [line.partition(": ")[0] for line in missed.err.splitlines()] == [
        *("none", "sample.toml", "sample.toml"),
    ]


def test_mistakes_of_a_report_without_a_suite_are_told_at_once(tmp_path: Path) -> None:
    flags = ("--references", "r.toml", "--slices", "s.toml", "--cola-dir", "c", "--without", "w")
    absent = harness("report", "none", *flags, cwd=tmp_path)
    there = harness("report", str(ROOT / "results/quickstart"), *flags, cwd=tmp_path)
    assert (absent.code, there.code) == (4, 4)
    for done, others in ((absent, ["none: no such file"]), (there, ["--without: 'w': no given"])):
        first = [line.partition(";")[0] for line in done.err.splitlines()]
        for told in ("r.toml: no such file", "s.toml: no such suite", "c: no such folder", *others):
            assert sum(told in line for line in first) == 1, (told, first)
        assert len(first) == 4


LONG = "x" * 300
"""A name that no file can have."""


@pytest.mark.parametrize(
    "arguments",
    [
        ("mistakes", LONG),
        ("restore", LONG),
        ("report", LONG),
        ("report", LONG, "--check"),
        ("report", LONG, "--suite", "quickstart"),
        ("report", "results/cola", "--check", "--output", LONG),
        ("judge", LONG, "--min-mcc", "0"),
        ("judge", f"{LONG}.csv", "--min-mcc", "0"),
        ("judge", LONG, "--cell", "a", "--min-mcc", "0"),
        ("judge", "results/cola/leaderboard.csv", "--suite", LONG, "--min-mcc", "0"),
        ("compare", LONG, "results/cola"),
        ("compare", "minilm-l3", "mpnet-base", "--results", LONG),
        ("submit", LONG),
        ("plan", "--suite", "quickstart", "--results-dir", LONG),
    ],
    ids=" ".join,
)
def test_a_name_too_long_for_a_path_is_told_in_a_line(arguments: tuple[str, ...]) -> None:
    done = harness(*arguments)
    assert (done.code, done.out) == (4, "")
    (line,) = done.err.splitlines()
    assert LONG in line


def test_a_doctor_says_that_no_folder_can_have_a_name(folder: Path) -> None:
    done = harness("doctor", "--suite", "tiny.toml", "--results-dir", LONG, cwd=folder)
    assert done.code == 1
    assert re.search(r"MISSING +results folder .*cannot be written", done.out)


def test_an_option_is_described_as_its_command_means_it() -> None:
    names = ("report", "mistakes", "run", "plan", "doctor")
    told = {name: " ".join(harness(name, "--help").out.split()) for name in names}
    for name in ("report", "mistakes"):  # they have no default suite, and refuse two
        assert "repeatable; by default benchmarks" not in told[name]
        assert "session trains nothing" not in told[name]
    for name in ("plan", "doctor"):
        assert "also report what fails a session with pytest's --strict" in told[name]
    assert "also report" not in told["run"]
    assert "--strict the session also fails if no gate judges a cell" in told["run"]


def test_a_plan_says_what_is_finished_what_would_train_and_what_cannot(
    folder: Path, tmp_path: Path
) -> None:
    finish(folder, tmp_path / "results", seed=2)
    arguments = ("plan", "--suite", "tiny.toml", "--results-dir", str(tmp_path / "results"))
    done = harness(*arguments, cwd=folder)
    assert done.code == 0, done.err
    assert "4 runs: 1 finished, 1 to train, 2 skipped" in done.out
    lines = [line.split() for line in done.out.splitlines()]
    assert ["encoder-bs8-lr1e-03", "1", "to", "train"] in lines
    assert ["encoder-bs8-lr1e-03", "2", "finished", "0.200"] in lines
    assert "skipped: " in done.out
    assert "HF_HUB_OFFLINE" in done.out

    assert "detectable with a probability of 80%" in done.out
    assert "with 2 seeds per cell and 20 validation sentences, " in done.out
    suite = json.loads(harness(*arguments, "--json", cwd=folder).out)["suites"][0]
    (detectable,) = suite["detectable"]
    assert (detectable["seeds"], detectable["sentences"], detectable["power"]) == (2, 20, 0.8)
    assert detectable["variance"]["earlier_runs"] == 0
    assert 0.3 < detectable["difference"] < 1
    runs = suite["runs"]
    assert [run["state"] for run in runs] == ["to train", "finished", "skipped", "skipped"]
    assert all(run["settings"] == {} for run in runs)
    assert [run["mcc"] for run in runs] == [None, pytest.approx(0.2), None, None]

    again = harness(*arguments, "--rerun", cwd=folder)
    assert "0 finished, 2 to train" in again.out
    other = harness(*arguments, "--epochs", "3", "--seeds", "1", cwd=folder)
    assert "0 finished, 1 to train" in other.out
    assert "for these runs only" in other.out


def test_plan_and_doctor_show_splits_and_where_checkpoints_come_from(folder: Path) -> None:
    (folder / "own.tsv").write_text(
        "sentence\tlabel\n"
        + "".join(f"A cat {n}.\t2\nCat {n} a.\t1\n" for n in range(10))
        + '"Two\nlines here."\t1\n'
    )
    own = SUITE.replace('path = "data.csv"', 'path = "own.tsv"\nclass_names = ["2", "1"]')
    assert own != SUITE
    (folder / "own.toml").write_text(own.replace("validation_size = 20", "validation_size = 4"))
    card = folder / "encoder" / "README.md"
    card.write_text("---\nbase_model: org/base\n---\n")
    found = json.loads(harness("plan", "--suite", "own.toml", "--json", cwd=folder).out)["suites"]
    (checkpoint,) = found[0]["checkpoints"].values()
    assert checkpoint["origin"]["says"] == {"README.md, base_model": "org/base"}
    data = found[0]["data"]
    assert data["origin"] == "file own.tsv"
    assert [(split["split"], split["sentences"]) for split in data["splits"]] == [
        ("train", 17),
        ("validation", 4),
    ]
    counts = [split["labels"] for split in data["splits"]]
    assert sum(count["2"] for count in counts) == 10
    assert sum(count["1"] for count in counts) == 11
    assert max(split["longest_characters"] for split in data["splits"]) == len("Two\nlines here.")
    (note,) = data["notes"]
    assert note.startswith("1 of 21 sentences span several lines")
    assert note.endswith("own.tsv:22")
    words = {
        split["split"]: f"{split['sentences']} sentences: {split['labels']['2']} of class 0 (2), "
        f"{split['labels']['1']} of class 1 (1); the longest has "
        f"{split['longest_characters']} characters"
        for split in data["splits"]
    }
    text = harness("plan", "--suite", "own.toml", cwd=folder).out
    checked = harness("doctor", "--suite", "own.toml", cwd=folder).out
    for split, line in words.items():
        assert f"  {split}: {line}\n" in text
        assert re.search(rf"OK +{split} of tiny +{re.escape(line)}", checked)
    assert note in text
    assert note in checked
    card.unlink()
    said = "a folder; its model card names as its source: org/base (README.md, base_model); "
    said += "not verified"
    assert re.search(rf"^checkpoint encoder: sha256 [0-9a-f]{{12}}; {re.escape(said)}$", text, re.M)
    assert re.search(rf"OK +checkpoint encoder +on this machine, .*; {re.escape(said)}", checked)


def test_a_plan_leaves_no_results_folder(folder: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    done = harness("plan", "--suite", "tiny.toml", "--results-dir", str(results), cwd=folder)
    assert done.code == 0
    assert not results.exists()


def test_a_plan_without_options_is_of_the_default_suites() -> None:
    done = harness("plan", cwd=ROOT / "docs")
    assert done.code == 0, done.err
    assert "quickstart (../benchmarks/quickstart.toml): 2 runs" in done.out
    assert "cola (../benchmarks/cola.toml): 8 runs" in done.out


@pytest.fixture
def results(tmp_path: Path) -> tuple[Path, list[Cell], list[Stored]]:
    """A results folder as a session leaves it: two cells of two seeds."""
    folder = tmp_path / "results" / "sample"
    cells = [make_cell(learning_rate=rate, seeds=(1, 2)) for rate in (2e-5, 5e-5)]
    stored = [
        keep(
            folder,
            cell,
            record_of_mcc(cell, seed, 0.3 + seed / 10 + place / 100, verdict="pass"),
        )
        for place, cell in enumerate(cells)
        for seed in cell.seeds
    ]
    (tmp_path / "sample.toml").write_text(SAMPLE)
    dataset = load_suite(tmp_path / "sample.toml").dataset
    write_tables(folder, "sample", cells, stored, dataset=dataset)
    return folder, cells, stored


def published(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_tables_are_rebuilt_from_the_published_evidence_byte_for_byte(
    results: tuple[Path, list[Cell], list[Stored]],
) -> None:
    folder, *_ = results
    before = published(folder)
    (folder / "leaderboard.md").write_text("something else")
    (folder / "leaderboard.csv").unlink()
    checked = harness("report", str(folder), "--check")
    assert checked.code == 1
    assert "differs: " in checked.out
    assert (folder / "leaderboard.md").read_text() == "something else"
    done = harness("report", str(folder))
    assert done.code == 0
    written = [line for line in done.out.splitlines() if line.startswith("written: ")]
    assert {Path(line).name for line in written} == {"leaderboard.md", "leaderboard.csv"}
    assert published(folder) == before
    assert harness("report", str(folder), "--check").code == 0


def test_publishing_writes_every_file_elsewhere_and_no_stale_predictions(
    results: tuple[Path, list[Cell], list[Stored]], tmp_path: Path
) -> None:
    folder, *_ = results
    published_to = tmp_path / "published"
    done = harness("report", str(folder), "--output", str(published_to))
    assert done.code == 0, done.err
    assert published(published_to) == published(folder)
    assert harness("report", str(published_to), "--check").code == 0

    alone = tmp_path / "alone.json"
    alone.write_bytes((folder / "leaderboard.json").read_bytes())
    told = harness("report", str(alone), "--output", str(tmp_path / "tables"))
    assert told.code == 0
    assert "predictions.parquet: missing, and not written" in told.err
    table = pq.read_table(folder / "predictions.parquet")
    pq.write_table(table.filter(pc.field("key") == "other"), published_to / "predictions.parquet")
    for arguments in ((str(published_to),), (str(alone), "--output", str(published_to))):
        refused = harness("report", *arguments)
        assert refused.code == 4
        assert "has predictions of other runs" in refused.err


def test_tables_are_rebuilt_from_the_store_byte_for_byte(
    results: tuple[Path, list[Cell], list[Stored]], tmp_path: Path
) -> None:
    folder, *_ = results
    before = published(folder)
    for name in before:
        (folder / name).unlink()
    arguments = ("report", str(folder), "--suite", str(tmp_path / "sample.toml"))
    done = harness(*arguments)
    assert done.code == 0, done.err
    assert published(folder) == before


def test_a_report_needs_evidence_and_says_what_kind(tmp_path: Path) -> None:
    done = harness("report", str(tmp_path))
    assert done.code == 4
    assert "needs the plan: --suite FILE" in done.err
    assert harness("report", str(tmp_path), "--seeds", "1").code == 2
    (tmp_path / "torn.json").write_text('{"schema_version": 1, "suite"')
    torn = harness("report", str(tmp_path / "torn.json"))
    assert torn.code == 4
    assert "not valid JSON" in torn.err


def glue_predictions(sentences: int, record: Record, shuffled: bool = True) -> pa.Table:
    """Build a run's predictions of its validation split and of a test split without labels."""
    random = np.random.default_rng(record.seed)
    order = random.permutation(sentences) if shuffled else np.arange(sentences)
    test = pa.table(
        {
            "split": ["test"] * sentences,
            "idx": order,
            "label": pa.nulls(sentences, pa.int8()),
            "domain": [""] * sentences,
            "source": [""] * sentences,
            "tokens": [5] * sentences,
            "logit_0": random.normal(size=sentences),
            "logit_1": random.normal(size=sentences),
        }
    ).cast(PREDICTIONS)
    return pa.concat_tables([predictions_of(record), test])


def cola_runs(folder: Path, sentences: int, mccs: Sequence[float]) -> list[Stored]:
    """Write the runs of a cell on CoLA to a store, a seed for each MCC."""
    cell = make_cell(seeds=tuple(range(len(mccs))))
    stored = []
    for seed, mcc in enumerate(mccs):
        record = record_of_mcc(cell, seed, mcc)
        assert record.dataset is not None
        facts = record.dataset.model_copy(update={"test": sentences})
        record = record.model_copy(update={"dataset": facts})
        place = folder / "runs" / cell.id / f"seed-{seed}-{record.key}"
        written = write_record(place, record, glue_predictions(sentences, record))
        stored.append(Stored(written, place))
    write_tables(folder, "sample", [cell], stored)
    return stored


def expected_submission(stored: Stored) -> list[str]:
    """Make GLUE's file another way: row by row."""
    rows = [row for row in read_predictions(stored.folder).to_pylist() if row["split"] == "test"]
    rows.sort(key=lambda row: row["idx"])
    classes = [int(row["logit_1"] > row["logit_0"]) for row in rows]
    return ["index\tprediction", *(f"{index}\t{c}" for index, c in enumerate(classes))]


@pytest.mark.parametrize("kept", ["published", "store"])
def test_a_submission_has_glues_header_and_a_class_for_every_test_sentence_in_order(
    kept: str, tmp_path: Path
) -> None:
    stored = cola_runs(tmp_path, 1063, [0.3, 0.5, 0.4])
    if kept == "store":
        (tmp_path / "leaderboard.json").unlink()
    else:
        (tmp_path / "runs").rename(tmp_path / "elsewhere")
        stored = [
            Stored(i.record, tmp_path / "elsewhere" / i.folder.parent.name / i.folder.name)
            for i in stored
        ]
    output = tmp_path / "CoLA.tsv"
    done = harness("submit", str(tmp_path), "--output", str(output))
    assert done.code == 0, done.err
    assert "seed 1: validation MCC 0.5000" in done.err
    lines = output.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1064
    assert lines == expected_submission(stored[1])
    cell = stored[0].record.cell
    other = harness("submit", str(tmp_path), "--cell", cell, "--seed", "2", "--output", "-")
    assert other.out.splitlines() == expected_submission(stored[2])
    evidence = (tmp_path if kept == "published" else stored[1].folder) / "predictions.parquet"
    before = evidence.read_bytes()
    lost = harness("submit", str(tmp_path), "--output", str(evidence))
    assert (lost.code, evidence.read_bytes()) == (4, before)
    assert "it would be overwritten" in lost.err


def test_a_run_that_glue_would_refuse_is_refused_with_the_way_out(tmp_path: Path) -> None:
    cola_runs(tmp_path / "few", 1062, [0.3])
    cola_runs(tmp_path / "none", 0, [0.3])
    cell = make_cell()
    write_record(
        tmp_path / "other" / "runs" / cell.id / "seed-0-x",
        make_record(cell, dataset=EMBEDDED),
        make_predictions(),
    )
    for name, expected in (
        ("few", "1,062 test predictions, but not for"),
        ("none", "no test predictions; train it with data that has"),
        ("other", "'embedded' data; GLUE scores CoLA only"),
        ("missing", "no scored run here"),
    ):
        done = harness("submit", str(tmp_path / name), "--output", str(tmp_path / "CoLA.tsv"))
        assert done.code == 4, name
        assert expected in done.err
    assert not (tmp_path / "CoLA.tsv").exists()


def test_an_unknown_cell_or_seed_is_told_with_those_there_are(tmp_path: Path) -> None:
    cola_runs(tmp_path, 1063, [0.3, 0.5])
    done = harness("submit", str(tmp_path), "--cell", "none")
    assert done.code == 4
    assert "cells with one: encoder-bs16-lr2e-05" in done.err
    done = harness("submit", str(tmp_path), "--seed", "7")
    assert "seeds with one: 0, 1" in done.err


def test_a_command_line_that_needs_no_table_loads_no_pandas(folder: Path) -> None:
    for question in ("--help", "--version"):
        shown, modules = imported_by(question, cwd=folder)
        assert shown.code == 0
        assert modules & (HEAVY | {"numpy", "pandas", "datasets", "sklearn", "matplotlib"}) == set()
    assert {name for name in modules if name.startswith("harness.cli.")} == set()
    asked, modules = imported_by("report", "--help", cwd=folder)
    assert asked.code == 0
    assert modules & (HEAVY | {"pandas", "datasets", "matplotlib", "huggingface_hub"}) == set()
    own = {name.partition("harness.cli.")[2] for name in modules if name.startswith("harness.cli.")}
    assert own == {"report", "evidence", "choices"}


def test_a_command_searches_no_imports_for_garbage(
    results: tuple[Path, list[Cell], list[Stored]],
) -> None:
    program = (
        "import atexit, gc, sys\n"
        "import harness.cli\n"
        "began, before = [], gc.get_threshold()\n"
        "gc.callbacks.append(lambda phase, _: began.append(phase))\n"
        "told = lambda: print(len(began), gc.get_threshold() == before, file=sys.stderr)\n"
        "atexit.register(told)\n"
        "harness.cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "report", str(results[0])],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    collections, unchanged = done.stderr.splitlines()[-1].split()
    assert (done.returncode, unchanged) == (0, "True"), done.stderr
    assert int(collections) < 20  # it would be hundreds


def test_plan_report_and_submit_import_no_heavy_library(
    folder: Path, results: tuple[Path, list[Cell], list[Stored]], tmp_path: Path
) -> None:
    planned, modules = imported_by("plan", "--suite", "tiny.toml", cwd=folder)
    assert planned.code == 0, planned.err
    assert modules & HEAVY == set()
    (tmp_path / "sample.toml").write_text(SAMPLE)
    for arguments in ((), ("--suite", str(tmp_path / "sample.toml"))):
        reported, modules = imported_by("report", str(results[0]), *arguments)
        assert reported.code == 0, reported.err
        assert modules & (HEAVY | {"datasets"}) == set()
    cola_runs(tmp_path / "cola", 1063, [0.3])
    submitted, modules = imported_by("submit", str(tmp_path / "cola"), "--output", "-")
    assert submitted.code == 0, submitted.err
    assert modules & HEAVY == set()


def test_a_doctor_says_ok_missing_or_not_needed_and_the_way_out(
    folder: Path, tmp_path: Path
) -> None:
    done = harness("doctor", "--suite", "tiny.toml", cwd=folder)
    assert done.code == 0, done.out
    lines = [re.split("  +", line) for line in done.out.splitlines()]
    assert ["OK", "data of tiny", "file data.csv: train 60, validation 20"] in lines
    states = {words[1]: words[0] for words in lines if words[0]}
    assert states["checkpoint encoder"] == "OK"
    assert states["checkpoint org/unreachable"] == "MISSING"
    assert "way out: connect to it" in done.out
    assert [words for words in lines if words[0] == "MISSING"] == [
        words for words in lines if words[1:2] == ["checkpoint org/unreachable"]
    ]
    assert not (folder / "results").exists()


def test_a_doctor_of_a_machine_that_can_train_nothing_says_no(folder: Path) -> None:
    (folder / "hopeless.toml").write_text(SUITE.replace('"./encoder", ', "").replace("tiny", "no"))
    done = harness("doctor", "--suite", "hopeless.toml", cwd=folder)
    assert done.code == 1
    assert "These suites cannot be trained here." in done.err
    (folder / "blocked").write_text("a file")
    blocked = harness(
        "doctor", "--suite", "tiny.toml", "--results-dir", "blocked/results", cwd=folder
    )
    assert blocked.code == 1
    assert re.search(r"MISSING +results folder .*cannot be written", blocked.out)


def test_a_doctor_says_every_mistake_of_an_own_file(folder: Path) -> None:
    (folder / "bad.csv").write_text("sentence,label\nOne.,2\nTwo.,x\n")
    (folder / "bad.toml").write_text(SUITE.replace("data.csv", "bad.csv"))
    done = harness("doctor", "--suite", "bad.toml", cwd=folder)
    assert done.code == 1
    assert "bad.csv:2" in done.out
    assert "bad.csv:3" in done.out


def test_a_report_of_a_store_refuses_the_baseline_of_another_suite(
    results: tuple[Path, list[Cell], list[Stored]], tmp_path: Path
) -> None:
    """As a session, `harness plan` and `harness doctor` do."""
    folder, *_ = results
    before = published(folder)
    other = make_cell(suite="another")
    table = publish("another", [other], [record_of_mcc(other, 0, 0.5, suite="another")])
    frame = leaderboard(table.cells, table.records)
    (tmp_path / "earlier.json").write_text(as_json(table, frame))
    done = harness(
        *("report", str(folder), "--suite", str(tmp_path / "sample.toml")),
        *("--baseline", str(tmp_path / "earlier.json"), "--replace"),
    )
    assert done.code == 4, done.out
    assert "--baseline: earlier.json: a leaderboard of the suite 'another'" in done.err
    assert published(folder) == before


def test_mistakes_of_a_plan_are_told_in_one_list(folder: Path) -> None:
    """In options, in the choice of the suite's cells, and in what the cells need."""
    wrong = {
        "--seeds": "x",
        "--budget": "30",
        "--baseline": "nowhere.json",
        "--checkpoints": "./missing",
    }
    options = [part for option in wrong.items() for part in option]
    for name in ("plan", "doctor"):
        done = harness(name, "--suite", "tiny.toml", *options, cwd=folder)
        assert done.code == 4, done.out
        told = done.err.splitlines()
        assert len(told) == len(wrong), told
        for text in ("--seeds: 'x'", "--budget: '30'", "nowhere.json: there is no such", "missing"):
            assert any(text in line for line in told), (text, told)


def test_run_names_no_settings_file_that_nobody_chose(tmp_path: Path) -> None:
    listing = ("run", "quickstart", "--collect-only")
    done, _ = imported_by(*listing, cwd=tmp_path)
    assert done.code == 0, done.err
    assert f"rootdir: {tmp_path}" in done.out
    assert "configfile" not in done.out
    (tmp_path / "own.ini").write_text("[pytest]\n", encoding="utf-8")
    done, _ = imported_by(*listing, "-c", "own.ini", cwd=tmp_path)
    assert "configfile: own.ini" in done.out
