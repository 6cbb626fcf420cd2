"""A published file holds the same data in another form only if every reader sees the same."""

import codecs
import json
from pathlib import Path
from typing import Any

import pytest
from builders.records import make_cell, make_record

from harness.report import publish
from harness.report.checks.changes import SAME_DATA, changed_files, differences, other_form
from harness.report.checks.contradictions import contradictions

TABLE = "rank,mcc\n1,0.5\n"
MARK = codecs.BOM_UTF8.decode()
DOCUMENT = {"rows": [{"rank": 1, "mcc": 0.5}], "kept": False, "seeds": [1.0, 20], "name": "\u00e9"}


def lines_on(name: str, present: str, expected: str, folder: Path) -> list[str]:
    """Return the lines on a file; the check sees it as changed, and as another form or not."""
    path = folder / name
    path.write_bytes(present.encode())
    assert changed_files(folder, {name: expected.encode()}) == [name]
    lines = differences(path, expected.encode())
    form = other_form(path, expected.encode())
    assert [form] == lines if form is not None else not any(SAME_DATA in line for line in lines)
    return lines


@pytest.mark.parametrize(
    ("present", "form"),
    [
        ("rank,mcc\r\n1,0.5\r\n", "other line ends"),
        (f"{MARK}{TABLE}", "a byte-order mark at its beginning"),
        (f"{MARK}rank,mcc\r\n1,0.5\r\n", "a byte-order mark at its beginning; other line ends"),
        ('"rank","mcc"\n1,0.5', "other line ends, quotation marks or order of columns"),
        ("mcc,rank\n0.5,1\n", "other line ends, quotation marks or order of columns"),
    ],
)
def test_the_form_of_a_table_with_the_same_data_is_named(
    present: str, form: str, tmp_path: Path
) -> None:
    assert lines_on("a.csv", present, TABLE, tmp_path) == [f"{SAME_DATA} ({form})"]


@pytest.mark.parametrize(
    ("present", "expected", "said"),
    [
        ("rank,mcc,mcc\n1,0.987,0.5\n", TABLE, ["columns: 'mcc' is repeated"]),
        ("rank\n1\n", TABLE, ["columns: 'mcc' is missing"]),
        ("rank,mcc,loss\n1,0.5,2\n", TABLE, ["columns: 'loss' is extra"]),
        ("rank,loss\n", "rank,mcc\n", ["columns: 'mcc' is missing, 'loss' is extra"]),
        ("", "rank,mcc\n", ["empty"]),
        ("rank,mcc\n\n1,0.5\n\n", TABLE, ["blank: line 2, line 4"]),
        ("rank,mcc\n1,0.5,7\n", TABLE, ["the header has 2 columns: line 2 has 3 values"]),
        ("rank,mcc\n", TABLE, ["row 1: missing"]),
        (f"{TABLE}2,0.4\n", TABLE, ["row 2: extra"]),
        (
            'rank,mcc\n1,"a\r\nb"\n',
            'rank,mcc\n1,"a\nb"\n',
            ["row 1: mcc is 'a\\r\\nb', the records give 'a\\nb'"],
        ),
        (
            f"{MARK}rank,mcc\n1,0.6\n",
            TABLE,
            [
                "a byte-order mark at its beginning",
                "row 1: mcc is '0.6', the records give '0.5'",
            ],
        ),
    ],
)
def test_a_table_that_a_reader_reads_otherwise_is_other_data(
    present: str, expected: str, said: list[str], tmp_path: Path
) -> None:
    assert lines_on("a.csv", present, expected, tmp_path) == said


@pytest.mark.parametrize(
    ("present", "form"),
    [
        (json.dumps(DOCUMENT, indent=4), "other white space, order of keys, or notation of"),
        (json.dumps(DOCUMENT).replace("1.0,", "1,"), "other white space, order of keys, or"),
        (json.dumps(DOCUMENT, ensure_ascii=False), "notation of numbers or text"),
        (f"{MARK}{json.dumps(DOCUMENT)}", "(a byte-order mark at its beginning)"),
        (f"{MARK}{json.dumps(DOCUMENT, indent=4)}", "(a byte-order mark at its beginning; other"),
    ],
)
def test_the_form_of_a_document_with_the_same_data_is_named(
    present: str, form: str, tmp_path: Path
) -> None:
    (line,) = lines_on("a.json", present, json.dumps(DOCUMENT), tmp_path)
    assert line.startswith(SAME_DATA)
    assert form in line


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"mcc": 0.5', '"mcc": 0.987, "mcc": 0.5', ["the key 'mcc' is repeated in one object: "]),
        ('"kept": false', '"kept": true, "kept": false', ["the key 'kept' is repeated"]),
        ('"kept": false', '"kept": 0', ["kept is 0, the records give false"]),
        ('"rank": 1', '"rank": true', ["row 1: rank is true, the records give 1"]),
        ("[1.0, 20]", "[true, 20]", ["seeds[0] is true, the records give 1.0"]),
        ("[1.0, 20]", '"[1.0, 20]"', ["seeds is '[1.0, 20]', the records give [1.0, 20]"]),
        ('"rank": 1, ', "", ["row 1: rank is missing, the records give 1"]),
    ],
)
def test_a_document_that_a_reader_reads_otherwise_is_other_data(
    old: str, new: str, said: list[str], tmp_path: Path
) -> None:
    expected = json.dumps(DOCUMENT)
    assert old in expected
    lines = lines_on("a.json", expected.replace(old, new), expected, tmp_path)
    assert len(lines) == len(said)
    assert all(line.startswith(words) for line, words in zip(lines, said, strict=True))


def test_a_document_in_another_encoding_than_utf_8_is_not_the_same(tmp_path: Path) -> None:
    expected = json.dumps(DOCUMENT).encode()
    (tmp_path / "a.json").write_bytes(expected.decode().encode("utf-16"))
    assert other_form(tmp_path / "a.json", expected) is None


def nested(levels: int) -> str:
    return f'{{"rows": [], "x": {"[" * levels}{"]" * levels}}}'


@pytest.mark.parametrize("levels", [500, 900, 100_000])
def test_a_document_nested_too_deeply_is_one_line(levels: int, tmp_path: Path) -> None:
    expected = nested(levels).replace("[]]", "[1]]")
    lines = lines_on("a.json", nested(levels), expected, tmp_path)
    assert lines in (
        ["its objects or lists are nested too deeply to be compared"],
        [f"x{'[0]' * (levels - 2)}[0] has 0 entries, the records give 1"],  # if not too deeply
    )


LONG = "a" * 200
END = "..." + "a" * 26


@pytest.mark.parametrize(
    ("name", "present", "expected", "said"),
    [
        (
            "a.json",
            {"rows": [], "x": f"{LONG}b"},
            {"rows": [], "x": f"{LONG}c"},
            f"x is {END}b', the records give {END}c'",
        ),
        (
            "a.json",
            {"rows": [{"x": f"{LONG}b"}]},
            {"rows": [{"x": f"{LONG}c"}]},
            f"row 1: x is {END}b', the records give {END}c'",
        ),
        (
            "a.json",
            {"rows": [], "x": "b  c"},
            {"rows": [], "x": "b c"},
            "x is 'b  c', the records give 'b c'",
        ),
        (
            "a.csv",
            f"x\n{LONG}b\n",
            f"x\n{LONG}c\n",
            f"row 1: x is {END}b', the records give {END}c'",
        ),
        (
            "a.html",
            f"<p>\n{LONG}b{LONG}\n",
            f"<p>\n{LONG}c{LONG}\n",
            f"first difference in line 2: the records give {END}c{'a' * 53}..., "
            f"the file has {END}b{'a' * 53}...",
        ),
    ],
)
def test_two_long_values_are_shown_where_they_differ(
    name: str, present: Any, expected: Any, said: str, tmp_path: Path
) -> None:
    if name == "a.json":
        present, expected = json.dumps(present), json.dumps(expected)
    assert lines_on(name, present, expected, tmp_path) == [said]


def test_a_record_of_another_long_name_than_its_cell_is_shown_where_they_differ() -> None:
    cell = make_cell(f"org/{LONG}b")
    record = make_record(cell).model_copy(update={"checkpoint": f"org/{LONG}c"})
    (problem,) = contradictions(publish("sample", [cell], [record]))
    assert problem.endswith(f"checkpoint is {END}c', but its cell has {END}b'")
