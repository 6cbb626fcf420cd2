"""A file of annotations: which sentences it matches, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.errors import BadInput
from harness.inputs.annotations import annotate, check

SENTENCES = [f"The cat number {n} sat, she said." for n in range(20)]


def rows(**columns: Any) -> dict[str, Any]:
    return {"Sentence": SENTENCES, "kind": [f"k{n % 3}" for n in range(20)], **columns}


def write(path: Path, columns: dict[str, Any]) -> Path:
    frame = pd.DataFrame(columns)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, sep="\t" if ".tsv" in path.name else ",", index=False)
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.tsv.gz", "a.parquet", "a.jsonl"])
def test_every_format_gives_the_same_columns(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, rows(question=[n % 2 for n in range(20)]))
    found = annotate(path, "sentence", None, SENTENCES[::-1])
    assert found.matched == 20
    assert list(found.columns) == ["kind", "question"]
    assert found.columns["kind"] == [f"k{n % 3}" for n in range(20)][::-1]
    assert found.columns["question"] == [str(n % 2) for n in range(20)][::-1]
    assert found.notes == (f"{name}: 20 of 20 validation sentences annotated",)


def test_sentences_are_found_whatever_their_blanks_and_composition(tmp_path: Path) -> None:
    theirs = ["A  cafe\u0301 is here .", *SENTENCES[1:]]
    path = write(tmp_path / "a.csv", rows(Sentence=theirs))
    ours = ["A caf\u00e9 is  here .", *SENTENCES[1:]]
    assert annotate(path, "sentence", ["kind"], ours).matched == 20
    assert annotate(path, "sentence", ["kind"], ["a café is here .", *SENTENCES[1:]]).matched == 19


@pytest.mark.parametrize("mark", ['"No" , he said', 'He said "no', '"Never', 'a "b" c'])
def test_quotation_marks_are_read_so_that_sentences_match(tmp_path: Path, mark: str) -> None:
    sentences = [mark, *SENTENCES]
    lines = ["sentence\tkind", *(f"{sentence}\tx" for sentence in sentences)]
    (tmp_path / "plain.tsv").write_text("\n".join(lines) + "\n")
    quoted = write(tmp_path / "quoted.tsv", {"sentence": sentences, "kind": ["x"] * len(sentences)})
    for path in (tmp_path / "plain.tsv", quoted):
        assert annotate(path, "sentence", None, sentences).columns["kind"] == ["x"] * 21


def test_rows_that_disagree_give_no_value(tmp_path: Path) -> None:
    twice = [*SENTENCES, SENTENCES[0], SENTENCES[1]]
    values = [f"k{n % 3}" for n in range(20)]
    path = write(tmp_path / "a.csv", {"Sentence": twice, "kind": [*values, "k0", "other"]})
    assert annotate(path, "sentence", None, SENTENCES).columns["kind"][:3] == ["k0", "", "k2"]


def test_values_are_texts(tmp_path: Path) -> None:
    values = [1, 1.0, "1", True, None, float("nan"), 2.5, " a  b "]
    lines = [
        json.dumps({"sentence": sentence, "v": value})
        for sentence, value in zip(SENTENCES, values, strict=False)
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    found = annotate(tmp_path / "a.jsonl", "sentence", None, SENTENCES[:8]).columns["v"]
    assert found == ["1", "1", "1", "true", "", "", "2.5", "a b"]


@pytest.mark.parametrize("known", [0, 10, 17])
def test_a_file_of_other_sentences_is_refused(tmp_path: Path, known: int) -> None:
    path = write(tmp_path / "a.csv", rows())
    ours = [*SENTENCES[:known], *(f"Another one, {n}." for n in range(20 - known))]
    with pytest.raises(BadInput) as error:
        annotate(path, "sentence", None, ours)
    (problem,) = error.value.problems
    assert f"{known} of the 20 validation sentences ({known / 20:.1%}) are in" in problem
    assert "at least 90% must be" in problem
    assert annotate(path, "sentence", None, [*SENTENCES[:18], "a", "b"]).matched == 18


@pytest.mark.parametrize(
    ("columns", "named", "expected"),
    [
        ({"text": SENTENCES, "kind": ["a"] * 20}, None, "no single column of sentences named"),
        (rows(), ["genre"], "no column 'genre'; there are 'Sentence', 'kind'"),
        ({"sentence": SENTENCES}, None, "no column besides 'sentence'"),
        (rows(kind=["x" * 101] * 20), None, "at most 100 characters"),
    ],
)
def test_columns_that_cannot_be_read(
    tmp_path: Path, columns: dict[str, Any], named: list[str] | None, expected: str
) -> None:
    path = write(tmp_path / "a.csv", columns)
    with pytest.raises(BadInput, match=expected):
        annotate(path, "sentence", named, SENTENCES)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "", "empty"),
        ("a.csv", "sentence,kind\n", "no rows|0 of the 20"),
        ("a.csv", "sentence,kind\na,b,c\n", "columns seen: 3"),
        ("a.parquet", "not parquet", "not a readable Parquet file"),
        ("a.txt", "x", "extension '.txt'"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: str, expected: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput, match=expected) as error:
        annotate(tmp_path / name, "sentence", None, SENTENCES)
    assert "dataset.quoting" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no such file; dataset\.annotations"):
        check(tmp_path / "absent.tsv")


def test_a_path_that_cannot_be_looked_up_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"x\.tsv: cannot be read \(File name too long\)$"):
        check(tmp_path / f"{'x' * 300}.tsv")
    (tmp_path / "folder.tsv").mkdir()
    with pytest.raises(BadInput, match=r"not a file; dataset\.annotations"):
        check(tmp_path / "folder.tsv")
