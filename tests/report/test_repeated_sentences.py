"""What a leaderboard shows of repeated sentences, and that older records need none."""

import json

import pytest
from builders.records import COLA, make_cell, make_record
from pydantic import ValidationError

from harness.inputs.duplicates import Duplicates, Limit, Overlap
from harness.report import publish, render
from harness.report.suite_file import suite_files
from harness.store.records import Record

FOUND = Duplicates(
    overlaps=(
        Overlap(
            split="train",
            other="train",
            sentences=8551,
            verbatim=19,
            verbatim_labels=11,
            normalised=37,
            normalised_labels=15,
            near=2755,
        ),
        Overlap(
            split="test",
            other="train",
            sentences=1063,
            verbatim=0,
            verbatim_labels=None,
            normalised=0,
            normalised_labels=None,
            near=None,
        ),
    ),
    limits=(Limit(split="validation", mcc=0.99332),),
)
HEADING = "## Repeated sentences"
CELL = make_cell(seeds=(0, 1))


def record(seed: int, found: Duplicates | None) -> Record:
    facts = COLA.model_copy(update={"duplicates": found})
    return make_record(CELL, seed, 0.5, dataset=facts)


def test_the_document_and_the_page_show_every_number() -> None:
    files = render(publish("sample", [CELL], [record(0, FOUND), record(1, FOUND)]))
    document = files["leaderboard.md"].decode()
    part = document.partition(f"{HEADING}\n\n")[2].partition("\n\n## ")[0]
    table = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in part.splitlines()
        if line.startswith("|")
    ]
    assert table[2:] == [
        ["train", "itself", "8,551", "19", "11", "37", "15", "2,755"],
        ["test", "train", "1,063", "0", "-", "0", "-", "-"],
    ]
    assert "19 training sentences occur more than once, 11 with several labels" in part
    assert "can reach a validation MCC above 0.993" in part
    assert "sentences one word apart: not counted, because there are too many words" in part
    page = files["leaderboard.html"].decode()
    assert 'id="repeated-sentences"' in page
    assert "2,755" in page
    stored = json.loads(files["leaderboard.json"])["records"][0]["dataset"]["duplicates"]
    assert Duplicates.model_validate(stored) == FOUND
    assert HEADING in document
    assert document.count("Every row is a pretrained checkpoint") == 1


def test_counted_neighbours_need_no_note() -> None:
    known = FOUND.model_copy(update={"overlaps": FOUND.overlaps[:1]})
    document = render(publish("sample", [CELL], [record(0, known), record(1, known)]))
    assert b"not counted" not in document["leaderboard.md"]


@pytest.mark.parametrize(
    ("field", "count"),
    [("verbatim", 8552), ("verbatim_labels", 20), ("normalised_labels", 38), ("near", 9000)],
)
def test_impossible_numbers_are_refused_where_a_record_is_read(field: str, count: int) -> None:
    content = json.loads(record(0, FOUND).model_dump_json())
    content["dataset"]["duplicates"]["overlaps"][0][field] = count
    with pytest.raises(ValidationError, match=f"{field} is {count}, but there are only"):
        Record.model_validate_json(json.dumps(content))


def test_older_records_keep_their_bytes_and_show_nothing() -> None:
    old = record(0, None)
    assert "duplicates" not in old.model_dump_json()
    assert Record.model_validate_json(old.model_dump_json()) == old
    published = publish("sample", [CELL], [old, record(1, None)])
    files = render(published)
    assert b"duplicates" not in files["leaderboard.json"]
    assert HEADING.encode() not in files["leaderboard.md"]


def test_records_with_and_without_the_numbers_are_of_the_same_data() -> None:
    published = publish("sample", [CELL], [record(0, None), record(1, FOUND)])
    assert len(published.datasets) == 1
    assert len(suite_files(published)) == 1
    document = render(published)["leaderboard.md"].decode()
    assert document.count("Every row is a pretrained checkpoint") == 1
    assert document.count(HEADING) == 1
