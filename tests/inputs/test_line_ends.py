"""Line ends of every kind: read, or told in one line that shows where and what to do."""

from functools import partial
from pathlib import Path

import pytest
from builders.own_files import load_small, problems_of, rows_of

from harness.inputs.data.rows import lines_of, split_at_line_feeds
from harness.inputs.data.sentences import read_column
from harness.inputs.data.table import Wanted

ROWS = [
    (f"{start} sleeps{' so' * n}.", label)
    for n in range(10)
    for start, label in (("A cat", 1), ("Cat a", 0))
]


def file(folder: Path, *own: str, end: str = "\n", tab: str = ",") -> Path:
    """Write a table whose lines end alike but for the given ones, which bring their own ends."""
    path = folder / ("a.csv" if tab == "," else "a.tsv")
    rows = [f"{text},{label}" for text, label in ROWS]
    text = f"sentence,label{end}" + "".join(own) + "".join(row + end for row in rows)
    path.write_bytes(text.replace(",", tab).encode())
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
@pytest.mark.parametrize("tab", [",", "\t"])
def test_one_kind_of_line_end_is_read(end: str, tab: str, tmp_path: Path) -> None:
    path = file(tmp_path, end=end, tab=tab)
    assert rows_of(load_small(path)) == ROWS
    assert read_column(path, Wanted("sentence")) == [text for text, _ in ROWS]


def test_a_last_line_with_another_end_is_read(tmp_path: Path) -> None:
    path = file(tmp_path, end="\r")
    path.write_bytes(path.read_bytes()[:-1] + b"\n")
    assert read_column(path, Wanted("sentence")) == [text for text, _ in ROWS]


@pytest.mark.parametrize(
    ("own", "line", "seen"),
    [
        ("A b\rc.,1\n", 2, r"'A b\rc.,1'"),
        ("A b\rc.,1\r\n", 2, r"'A b\rc.,1'"),
        ("A b c.\r,1\n", 2, r"'A b c.\r,1'"),
        ("A b c.,1\r0\n", 2, r"'A b c.,1\r0'"),
        ("A\rb\rc.,1\n", 2, r"'A\rb\rc.,1'"),
        ("First.,1\nA b\rc.,1\n", 3, r"'A b\rc.,1'"),
        ("A.,1\rB, or so.,1\n", 2, r"'A.,1\rB, or so.,1'"),
    ],
)
@pytest.mark.parametrize("tab", [",", "\t"])
def test_a_return_within_a_row_is_one_mistake(
    own: str, line: int, seen: str, tab: str, tmp_path: Path
) -> None:
    path = file(tmp_path, own, tab=tab)
    seen = seen.replace(",", "\\t" if tab == "\t" else ",")
    for read in (partial(load_small, path), partial(read_column, path, Wanted("sentence"))):
        (problem,) = problems_of(read)
        assert problem.startswith(f"{path}:{line}: a lone carriage return (\\r) in {seen}, in a")
        assert "remove it, or put the value in double quotes" in problem
    (problem,) = problems_of(lambda: load_small(path, quoting="none"))
    assert "double quotes" not in problem


def test_a_return_in_the_header_is_told(tmp_path: Path) -> None:
    path = file(tmp_path)
    path.write_text("id,sen\rtence,label\n1,A.,1\n")
    (problem,) = problems_of(lambda: load_small(path))
    assert problem.startswith(f"{path}:1: a lone carriage return (\\r) in 'id,sen\\rtence,label'")


def test_every_such_row_is_told(tmp_path: Path) -> None:
    path = file(tmp_path, "A b\rc.,1\n", "Fine.,1\n", "D\re.,0\n")
    first, second = problems_of(lambda: load_small(path))
    assert f"{path}:2: " in first
    assert r"'D\re.,0'" in second


def test_a_return_within_quotation_marks_is_part_of_the_sentence(tmp_path: Path) -> None:
    path = file(tmp_path, '"A b\rc.",1\n')
    assert rows_of(load_small(path)) == [("A b\rc.", 1), *ROWS]
    assert read_column(path, Wanted("sentence"))[0] == "A b\rc."


@pytest.mark.parametrize("inside", ["\n", "\r\n", "\r", "\n\n"])
@pytest.mark.parametrize("tab", [",", "\t"])
@pytest.mark.parametrize("marked", ["sentence", "last", "every"])
def test_a_line_end_within_quotation_marks_of_an_old_macs_file_is_part_of_the_sentence(
    inside: str, tab: str, marked: str, tmp_path: Path
) -> None:
    """The only line feeds of the file are within a value, as where it was copied from elsewhere."""
    path, wanted = file(tmp_path, end="\r", tab=tab), Wanted("sentence")
    texts = [f'"A b{inside}c."'] * (3 if marked == "every" else 1)
    own = "".join(f"{text}{tab}1\r" for text in texts).encode()
    header, rest = path.read_bytes().split(b"\r", 1)
    path.write_bytes(header + b"\r" + (rest + own if marked == "last" else own + rest))
    new = [(f"A b{inside}c.", 1)] * len(texts)
    assert rows_of(load_small(path)) == (ROWS + new if marked == "last" else new + ROWS)
    assert read_column(path, wanted) == [
        text for text, _ in (ROWS + new if marked == "last" else new + ROWS)
    ]


def test_a_column_that_is_not_there_is_told_of_an_old_macs_file_too(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'text,label\r"A b\nc.",1\rD.,0\r')
    (problem,) = problems_of(lambda: load_small(path))
    assert "carriage return" not in problem
    assert "'sentence'" in problem


def test_whole_rows_with_labels_are_rows_whatever_ends_them(tmp_path: Path) -> None:
    """As in a file put together from two; without labels nothing shows that they are rows."""
    path = file(tmp_path, "A b.,1\rC d.,0\n")
    assert rows_of(load_small(path)) == [("A b.", 1), ("C d.", 0), *ROWS]
    (problem,) = problems_of(lambda: read_column(path, Wanted("sentence")))
    assert r"(\r) in 'A b.,1\rC d.,0', in a file" in problem


def test_lines_of_json_end_in_any_way(tmp_path: Path) -> None:
    for end in ("\n", "\r\n", "\r"):
        path = tmp_path / "a.jsonl"
        lines = ['{"sentence": "A.\\r"}', '{"sentence": "B."}', ""]
        path.write_bytes(end.join(lines).encode())
        assert read_column(path, Wanted("sentence")) == ["A.\r", "B."]


def test_lines_are_told_apart_by_their_kind() -> None:
    assert lines_of("a\rb\nc\r\nd") == ["a", "b", "c", "d"]
    assert lines_of("a\n\n") == ["a", ""]
    assert split_at_line_feeds("a\rb\r") == ["a", "b"]
    assert split_at_line_feeds("a\rb\nc\r\n") == ["a\rb", "c"]
    assert split_at_line_feeds("") == lines_of("") == []
