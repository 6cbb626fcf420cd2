"""Separators, long values and JSON's shapes: read, or told in one line that names the cause."""

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders.own_files import load_small, problems_of, rows_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.inputs.data.repeats.texts import normalised
from harness.suite.spec import DatasetSpec

ROWS = [
    (f"{start} sleeps{' so' * n}.", label)
    for n in range(10)
    for start, label in (("A cat", 1), ("Cat a", 0))
]
OBJECTS = [{"sentence": text, "label": label} for text, label in ROWS]


def file(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content, encoding="utf-8")
    return folder / name


def table(delimiter: str, columns: tuple[str, str] = ("sentence", "label")) -> str:
    return "".join(f"{a}{delimiter}{b}\n" for a, b in [columns, *ROWS])


# Separators


@pytest.mark.parametrize(
    ("name", "delimiter", "written"),
    [
        ("a.csv", ";", '";"'),
        ("a.csv", "|", '"|"'),
        ("a.csv", "\t", r'"\t"'),
        ("a.tsv", ",", '","'),
        ("a.tsv", ";", '";"'),
    ],
)
def test_another_separator_is_named_and_then_read(
    name: str, delimiter: str, written: str, tmp_path: Path
) -> None:
    path = file(tmp_path, name, table(delimiter))
    (problem,) = problems_of(lambda: load_small(path))
    assert f"{path}: its columns are separated by {delimiter!r}, not " in problem
    assert problem.endswith(f"set dataset.delimiter = {written}")
    assert rows_of(load_small(path, delimiter=delimiter)) == ROWS


def test_a_wrong_separator_and_wrong_columns_are_told_at_once(tmp_path: Path) -> None:
    path = file(tmp_path, "a.csv", table(";", ("text", "topic")))
    separator, text, topic = problems_of(lambda: load_small(path))
    assert 'set dataset.delimiter = ";"' in separator
    assert "no column 'sentence'; there are 'text', 'topic'" in text
    assert "no column 'label'; there are 'text', 'topic'" in topic


def test_a_separator_that_is_unknown_is_one_mistake(tmp_path: Path) -> None:
    path = file(tmp_path, "a.csv", table("^"))
    (problem,) = problems_of(lambda: load_small(path))
    assert "one column, 'sentence^label'" in problem
    assert "dataset.delimiter" in problem
    assert rows_of(load_small(path, delimiter="^")) == ROWS


def test_rows_that_are_all_uneven_are_one_mistake(tmp_path: Path) -> None:
    path = file(tmp_path, "a.csv", table(";").replace("sentence;label", "sentence,label"))
    (problem,) = problems_of(lambda: load_small(path))
    assert "no row has as many columns as the header; the first is line 2" in problem


@pytest.mark.parametrize("delimiter", ["", ";;", "a", "1", '"', "'", " ", "\n", "\\", "."])
def test_a_delimiter_is_one_character_that_separates(delimiter: str) -> None:
    with pytest.raises(ValidationError, match="input should be one character, such as"):
        DatasetSpec(source="file", path="a.csv", delimiter=delimiter)


@pytest.mark.parametrize("setting", [{"delimiter": ";"}, {"quoting": "none"}])
@pytest.mark.parametrize(
    "where",
    [
        {"source": "file", "path": "a.jsonl"},
        {"source": "file", "path": "a.parquet"},
        {"source": "embedded"},
        {"source": "cola", "path": "cola"},
    ],
)
def test_keys_of_delimited_files_are_refused_elsewhere(
    setting: dict[str, Any], where: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError, match="for CSV and TSV files only; remove it"):
        DatasetSpec(**where, **setting)


# Long values


@pytest.mark.parametrize("length", [131_072, 131_073, 150_000])
@pytest.mark.parametrize("quoting", ["csv", "none"])
def test_a_long_value_is_read_and_the_process_keeps_its_limit(
    quoting: str, length: int, tmp_path: Path
) -> None:
    path = file(tmp_path, "a.csv", f"{table(',')}{'x' * length},1\n{'y' * length},0\n")
    before = csv.field_size_limit(1000)
    try:
        rows = rows_of(load_small(path, quoting=quoting))
        assert csv.field_size_limit() == 1000
    finally:
        csv.field_size_limit(before)
    assert rows == [*ROWS, ("x" * length, 1), ("y" * length, 0)]


# JSON


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("start", ["", "\ufeff", "\n "])
def test_an_array_of_objects_is_read(
    start: str, indent: int | None, name: str, tmp_path: Path
) -> None:
    path = file(tmp_path, name, start + json.dumps(OBJECTS, indent=indent))
    assert rows_of(load_small(path)) == ROWS


COLUMNS = {"sentence": ["A.", "B."], "label": [0, 1]}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (
            json.dumps({"data": OBJECTS}, indent=2),
            ": one JSON object, whose key 'data' contains the",
        ),
        (json.dumps({"data": OBJECTS}), ": one JSON object, whose key 'data' contains the array"),
        (json.dumps(COLUMNS), ": one JSON object of columns"),
        (json.dumps(COLUMNS, indent=1), ": one JSON object of columns"),
        (pd.DataFrame(COLUMNS).to_json(), ": one JSON object of columns"),
        (
            pd.DataFrame(COLUMNS).to_json(orient="split"),
            ": one JSON object with the keys 'columns'",
        ),
        (json.dumps(OBJECTS[0], indent=2), ": one JSON object, spread over several lines"),
        ("\n".join(json.dumps(row, indent=2) for row in OBJECTS), ":5: '{' after the first JSON"),
        (json.dumps(OBJECTS[0]) + json.dumps(OBJECTS[1]), ':1: \'{"sentence": '),
        (",\n".join(map(json.dumps, OBJECTS)), ":1: ',' after the first JSON value"),
        (json.dumps(OBJECTS, indent=1)[:-1] + ",]", ":82: not JSON ("),
        (json.dumps(OBJECTS, indent=1)[:-1], ":82: not JSON ("),
        (
            json.dumps([list(row) for row in ROWS]),
            ": contains no JSON object; the first value is [",
        ),
        ("\n".join(json.dumps(list(row)) for row in ROWS), ":2: '[\"Cat a sleeps.\", 0]' after"),
        ("[]", ": an empty JSON array"),
        ("7", ": one JSON value, 7"),
        ("null", ": one JSON value, None"),
    ],
)
def test_another_shape_is_told_in_one_line(content: str, complaint: str, tmp_path: Path) -> None:
    path = file(tmp_path, "a.json", content)
    (problem,) = problems_of(lambda: load_small(path))
    assert problem.startswith(f"{path}{complaint}")
    assert len(problem) < 400


def test_a_key_twice_is_refused_where_it_matters(tmp_path: Path) -> None:
    twice = '{"sentence": "A.", "label": 1, "label": 0}\n'
    other = '{"sentence": "A.", "label": 1, "x": 1, "x": 2, "y": {"label": 1, "label": 2}}\n'
    good = "".join(json.dumps(row) + "\n" for row in OBJECTS)
    path = file(tmp_path, "a.jsonl", good + other + twice)
    (problem,) = problems_of(lambda: load_small(path))
    assert problem.startswith(f"{path}:22: repeated key 'label'")
    path = file(tmp_path, "a.json", f"[{twice.strip()}, {twice.strip()}]")
    first, second = problems_of(lambda: load_small(path))
    assert first.startswith(f"{path}: row 1: repeated key 'label'")
    assert second.startswith(f"{path}: row 2: repeated key 'label'")


def test_mistakes_in_an_array_are_named_by_row(tmp_path: Path) -> None:
    rows = [*OBJECTS, 7, {"sentence": "A.", "label": float("nan")}, {"sentence": 5, "label": 1}]
    path = file(tmp_path, "a.json", json.dumps(rows))
    item, label, sentence = problems_of(lambda: load_small(path))
    assert item.startswith(f"{path}: row 21: 7; an array's items are JSON objects")
    assert label.startswith(f"{path}: row 22: column 'label': nan")
    assert sentence.startswith(f"{path}: row 23: column 'sentence': 5 is not text")


def test_text_that_looks_like_values_stays_text(tmp_path: Path) -> None:
    texts = ["007", "null", "NA", "nan", "true", "2020-01-01", "1.50", "-"]
    rows = [{"sentence": text, "label": n % 2} for n, text in enumerate(texts)]
    for content in (json.dumps(rows), "\n".join(map(json.dumps, rows))):
        loaded = load_small(file(tmp_path, "a.json", content))
        assert [text for text, _ in rows_of(loaded)] == texts


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@settings(max_examples=60, deadline=None)
@given(
    sentences=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
        .map(lambda text: f'{text}"\n\t[{{,')
        .filter(str.strip),
        min_size=8,
        max_size=12,
        unique_by=normalised,
    ),
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 1]),
    lines=st.booleans(),
)
def test_what_json_writes_is_read_back(
    scratch: Path, sentences: list[str], ascii_only: bool, indent: int | None, lines: bool
) -> None:
    rows = [{"sentence": text, "label": n % 2} for n, text in enumerate(sentences)]
    if lines:
        content = "\n".join(json.dumps(row, ensure_ascii=ascii_only) for row in rows)
    else:
        content = json.dumps(rows, ensure_ascii=ascii_only, indent=indent)
    loaded = load_small(file(scratch, "a.json", content))
    assert rows_of(loaded) == [(text, n % 2) for n, text in enumerate(sentences)]
