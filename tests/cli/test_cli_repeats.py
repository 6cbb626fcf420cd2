"""Repeated sentences as `harness plan`, `doctor` and `report` show them."""

import json
from pathlib import Path

import pytest
from builders.commands import harness
from builders.leaderboards import publish_to
from builders.records import COLA, make_cell, make_record
from builders.small_suite import SUITE, write_suite

from harness.inputs import data
from harness.inputs.hub import Hub
from harness.report import read_published
from harness.suite.spec import DatasetSpec


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A suite with data, and one checkpoint of two."""
    return write_suite(tmp_path, SUITE)


def test_plan_and_doctor_show_repeated_sentences(folder: Path) -> None:
    rows = [f"Number {n} of {n * n} is {n + 7}.,{n % 2}" for n in range(20)]
    (folder / "a.csv").write_text("\n".join(["sentence,label", *rows]))
    again = [rows[3], rows[4].upper().replace(",0", ",1"), "Number 5 of 25 was 12.,1"]
    (folder / "b.csv").write_text("\n".join(["sentence,label", *again, "New one.,0", "Two.,0"]))
    own = SUITE.replace('path = "data.csv"', 'train = "a.csv"\nvalidation = "b.csv"')
    (folder / "own.toml").write_text(own.replace("validation_size = 20\n", ""))
    text = harness("plan", "--suite", "own.toml", cwd=folder).out
    checked = harness("doctor", "--suite", "own.toml", cwd=folder).out
    note = "1 of 5 validation sentences is also in dataset.train; 2 without case, punctuation and "
    note += "blanks, 1 with another label"
    close = "sentences one word apart: 1 of validation in train"
    assert f"  note: {note}\n" in text
    assert f"  {close}\n" in text
    assert note in checked
    assert close in checked
    found = json.loads(harness("plan", "--suite", "own.toml", "--json", cwd=folder).out)
    overlaps = found["suites"][0]["data"]["duplicates"]["overlaps"]
    assert [(each["split"], each["other"], each["normalised"]) for each in overlaps] == [
        ("train", "train", 0),
        ("validation", "validation", 0),
        ("validation", "train", 2),
    ]
    refused = (
        (folder / "own.toml").read_text().replace("[matrix]", 'duplicates = "refuse"\n[matrix]')
    )
    (folder / "own.toml").write_text(refused)
    done = harness("plan", "--suite", "own.toml", cwd=folder)
    assert done.code != 0
    assert "2 validation sentences also in train, the first at" in done.err
    assert "b.csv:2" in done.err


def write_cola(folder: Path) -> None:
    """Write made-up sentences in the layout of CoLA; the first validation ones are in train."""
    (folder / "raw").mkdir(parents=True)
    for name, first, size in (
        ("in_domain_train", 0, 8551),
        ("in_domain_dev", 8548, 527),
        ("out_of_domain_dev", 20_000, 516),
    ):
        rows = [f"a\t{n % 2}\t\tNumber {n} of {n * n} here." for n in range(first, first + size)]
        (folder / "raw" / f"{name}.tsv").write_text("\n".join(rows) + "\n")


def test_report_adds_repeated_sentences_to_records_without_them(tmp_path: Path) -> None:
    write_cola(tmp_path / "cola")
    spec, hub = DatasetSpec(source="cola"), Hub("", False, "not asked")
    loaded = data.load(data.find(spec, tmp_path / "cola", hub, tmp_path))
    facts = COLA.model_copy(update={"fingerprint": loaded.fingerprint, "test": 0})
    cell = make_cell()
    for name, own in (("ours", facts), ("other", COLA)):
        publish_to(tmp_path / name, [cell], [make_record(cell, 0, 0.5, dataset=own)])
    done = harness("report", "ours", "--cola-dir", "cola", cwd=tmp_path)
    assert done.code == 0, done.err
    document = (tmp_path / "ours" / "leaderboard.md").read_text()
    assert "| validation | train" in document
    assert "3 of 1,043 validation sentences are also in train" in document
    (record,) = read_published(tmp_path / "ours" / "leaderboard.json").records
    assert record.dataset is not None
    assert record.dataset.duplicates == loaded.duplicates
    done = harness("report", "other", "--cola-dir", "cola", cwd=tmp_path)
    assert done.code != 0
    assert "--cola-dir: cola: not the data of the runs in" in done.err
