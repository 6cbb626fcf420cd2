"""Quotation marks in CSV and TSV files: read as the file means them, or refused; never guessed."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from builders.own_files import load_small, problems_of, rows_of
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.inputs import data
from harness.inputs.data.repeats.texts import normalised

GOOD = [
    (f"{start} sleeps{' so' * n}.", label)
    for n in range(10)
    for start, label in (("A cat", 1), ("Cat a", 0))
]
UNQUOTED = 'dataset.quoting = "none"'
QUOTED = 'dataset.quoting = "csv"'


def lines(*own: str, tab: str = "\t", end: str = "\n") -> str:
    """A file of the given lines, tabs in them for the delimiter, and twenty good ones after."""
    rows = [*own, *(f"{text}\t{label}" for text, label in GOOD)]
    return "".join(row + end for row in ["sentence\tlabel", *rows]).replace("\t", tab)


def file(folder: Path, text: str, name: str = "a.tsv") -> Path:
    (folder / name).write_bytes(text.encode())
    return folder / name


# A quotation mark that opens a sentence and takes in the rows after it

SWALLOWED = ['"The poet left.\t1', "Roses the waters.\t0", "She bakes bread.\t1"]


@pytest.mark.parametrize(("name", "tab"), [("a.tsv", "\t"), ("a.csv", ",")])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "own",
    [
        [*SWALLOWED, 'He waters the roses."\t1'],
        [SWALLOWED[0], 'He waters the roses."\t1'],
        [SWALLOWED[0], "", 'He waters the roses."\t1'],
        [*SWALLOWED, 'He said: ""stop."\t1'],
        # The last row has no label of a class: still, the first has one.
        [*SWALLOWED, 'He waters the roses."\t'],
    ],
)
def test_a_sentence_that_takes_in_rows_is_refused_once_with_its_line(
    own: list[str], end: str, name: str, tab: str, tmp_path: Path
) -> None:
    path = file(tmp_path, lines("First.\t1", *own, tab=tab, end=end), name)
    (problem,) = problems_of(lambda: load_small(path))
    assert problem.startswith(f"{path}:3: a value that opens with a quotation mark spans the ")
    assert f"lines up to {2 + len(own)}" in problem
    assert UNQUOTED in problem
    assert QUOTED in problem


def test_both_ways_out_of_a_doubt_read_the_file_as_they_say(tmp_path: Path) -> None:
    path = file(tmp_path, lines(*SWALLOWED, 'He waters the roses."\t1'))
    plain = load_small(path, quoting="none")
    assert rows_of(plain)[:4] == [
        ('"The poet left.', 1),
        ("Roses the waters.", 0),
        ("She bakes bread.", 1),
        ('He waters the roses."', 1),
    ]
    assert plain.notes == ()
    enclosed = load_small(path, quoting="csv")
    assert len(rows_of(enclosed)) == 21
    assert enclosed.notes == (f"1 of 21 sentences span several lines, the first at {path}:2",)


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("label\tsentence", ['1\t"The poet left.', '0\tRoses the waters."']),
        ("id\tsentence\tlabel", ['7\t"The poet left.\t1', '8\tRoses the waters."\t0']),
        ("sentence\tlabel\tnote", ['"The poet left.\t1\tx', 'Roses."\t0\ty']),
        ("sentence\tlabel\tnote", ['The poet left.\t1\t"x', 'Roses.\t0\ty"']),
    ],
)
def test_rows_are_not_lost_whatever_the_order_of_the_columns(
    header: str, rows: list[str], tmp_path: Path
) -> None:
    different = [
        row.replace("poet", f"poet {n}").replace("Roses", f"Roses {n}")
        for n in range(10)
        for row in rows
    ]
    path = file(tmp_path, "\n".join([header, *different]) + "\n")
    (problem,) = problems_of(lambda: load_small(path))
    assert f"{path}:2: a value that opens with a quotation mark spans the lines up to 3" in problem
    assert "(10 such rows)" in problem
    assert len(rows_of(load_small(path, quoting="none"))) == 20


@pytest.mark.parametrize(
    ("own", "line"),
    [
        (['"Go!" he said.\t1'], 2),
        (['"The poet left.\t1', 'She said "no" to him.\t0'], 2),
        (['"The poet left.\t1', '"The farmer left.\t1'], 2),
        (["First.\t1", 'Last.\t"1'], 3),
        (["First.\t1", '"Last.\t1'], 3),
    ],
)
@pytest.mark.parametrize("name", ["a.tsv", "a.csv"])
def test_a_quotation_mark_that_csv_cannot_read_names_the_way_out(
    own: list[str], line: int, name: str, tmp_path: Path
) -> None:
    tab = "\t" if name == "a.tsv" else ","
    path = file(tmp_path, lines(*own, tab=tab), name)
    (problem,) = problems_of(lambda: load_small(path))
    assert problem.startswith(f"{path}:{line}: a")
    assert "quotation mark" in problem
    assert UNQUOTED in problem
    if '"1' not in own[-1]:
        plain = rows_of(load_small(path, quoting="none"))
        assert plain[: len(own)] == [(row.split("\t")[0], int(row.split("\t")[1])) for row in own]


def test_a_quotation_mark_in_the_header_names_the_way_out(tmp_path: Path) -> None:
    unclosed = lines("A.\t1").replace("sentence", '"sentence', 1)
    (problem,) = problems_of(lambda: load_small(file(tmp_path, unclosed)))
    assert ":1: a quotation mark opens a value, and none closes it" in problem
    closed = lines('A."\t1').replace("sentence", '"sentence', 1)
    (problem,) = problems_of(lambda: load_small(file(tmp_path, closed)))
    assert "a.tsv:1: a value that opens with a quotation mark spans the lines up to 2" in problem
    assert UNQUOTED in problem


# A quotation mark within one line


def test_a_whole_sentence_in_quotation_marks_is_in_doubt_in_tsv_only(tmp_path: Path) -> None:
    own = ['"Go home."\t1', '"Home go."\t0']
    tsv, csv_file = file(tmp_path, lines(*own)), file(tmp_path, lines(*own, tab=","), "a.csv")
    (problem,) = problems_of(lambda: load_small(tsv))
    assert f"{tsv}:2: '\"Go home.\"' opens with a quotation mark, which may enclose" in problem
    assert "(2 such rows)" in problem
    assert rows_of(load_small(tsv, quoting="none"))[:2] == [('"Go home."', 1), ('"Home go."', 0)]
    assert rows_of(load_small(tsv, quoting="csv"))[:2] == [("Go home.", 1), ("Home go.", 0)]
    assert rows_of(load_small(csv_file))[:2] == [("Go home.", 1), ("Home go.", 0)]
    assert rows_of(load_small(csv_file, quoting="none"))[:2] == [
        ('"Go home."', 1),
        ('"Home go."', 0),
    ]


def test_a_file_with_marks_that_csv_would_quote_was_not_written_by_csv(tmp_path: Path) -> None:
    # Alone, the first row is what csv writes; the second shows that it did not.
    quoted = '"He said ""no""."\t1'
    assert rows_of(load_small(file(tmp_path, lines(quoted))))[0] == ('He said "no".', 1)
    path = file(tmp_path, lines(quoted, 'She said "no".\t1'))
    (problem,) = problems_of(lambda: load_small(path))
    assert problem.startswith(f"{path}:2: ")
    assert "opens with a quotation mark" in problem


@pytest.mark.parametrize("quoting", ["auto", "csv", "none"])
@pytest.mark.parametrize(
    "text",
    [
        "'Go' he said.",
        "'Go home.'",
        "\u201cGo!\u201d he said.",
        "\u00abGo\u00bb",
        'A 5" nail.',
        "''No''",
    ],
)
def test_other_marks_and_those_inside_a_sentence_mean_nothing(
    text: str, quoting: str, tmp_path: Path
) -> None:
    settings = {} if quoting == "auto" else {"quoting": quoting}
    for name, tab in (("a.tsv", "\t"), ("a.csv", ",")):
        path = file(tmp_path, lines(f"{text}\t1", tab=tab), name)
        assert rows_of(load_small(path, **settings))[0] == (text, 1)


def test_line_ends_and_a_missing_last_one_change_nothing(tmp_path: Path) -> None:
    own = ['"He said\t""no""."\t1']
    expected = load_small(file(tmp_path, lines(*own)))
    for end in ("\r\n", "\r"):
        text = lines(*own, end=end)
        assert load_small(file(tmp_path, text)).fingerprint == expected.fingerprint
        cut = file(tmp_path, text.removesuffix(end))
        assert load_small(cut).fingerprint == expected.fingerprint
    assert expected.notes == ()


# Quoting that is evident


def test_a_sentence_over_several_lines_is_read_and_counted(tmp_path: Path) -> None:
    own = ['"Two\nlines."\t1', '"Three\n\nlines."\t0']
    for name, tab in (("a.tsv", "\t"), ("a.csv", ",")):
        path = file(tmp_path, lines("First.\t1", *own, tab=tab), name)
        loaded = load_small(path)
        assert rows_of(loaded)[1:3] == [("Two\nlines.", 1), ("Three\n\nlines.", 0)]
        assert loaded.notes == (f"2 of 23 sentences span several lines, the first at {path}:3",)


def test_a_file_quoted_throughout_is_read_without_its_marks(tmp_path: Path) -> None:
    frame = pd.DataFrame(GOOD, columns=["sentence", "label"])
    for quoting in (csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC):
        frame.to_csv(tmp_path / "a.tsv", sep="\t", index=False, quoting=quoting)
        assert rows_of(load_small(tmp_path / "a.tsv")) == GOOD


def test_a_file_that_is_evidently_quoted_is_not_read_without_quoting(tmp_path: Path) -> None:
    path = file(tmp_path, lines("First.\t1", '"He said ""no""."\t1'))
    (problem,) = problems_of(lambda: load_small(path, quoting="none"))
    assert problem.startswith(f'{path}:3: \'He said ""no"".\' is in quotation marks')
    assert QUOTED in problem
    header = file(tmp_path, lines('"First."\t1').replace("sentence\tlabel", '"sentence"\t"label"'))
    (problem,) = problems_of(lambda: load_small(header, quoting="none"))
    assert f"{header}:1: the columns' names are in quotation marks" in problem
    assert QUOTED in problem
    over_lines = file(tmp_path, lines('"Two\nlines."\t1'))
    told = problems_of(lambda: load_small(over_lines, quoting="none"))
    assert told[0].startswith(f"{over_lines}:2: columns seen: 1, the header has 2")
    assert QUOTED in told[0]


def test_marks_around_every_sentence_are_noted_where_they_are_part_of_it(tmp_path: Path) -> None:
    rows = [f'"{text}"\t{label}' for text, label in GOOD]
    path = file(tmp_path, "\n".join(["sentence\tlabel", *rows]))
    loaded = load_small(path, quoting="none")
    assert rows_of(loaded)[0] == ('"A cat sleeps."', 1)
    (note,) = loaded.notes
    assert "every sentence begins and ends with a quotation mark" in note
    assert QUOTED in note


# What programs write is read back

TEXTS = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
        st.sampled_from('"\t\n\r,;| 01'),
    ),
    max_size=20,
).filter(lambda text: text.strip() != "")
SENTENCES = st.lists(TEXTS, min_size=8, max_size=12, unique_by=normalised)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


def told_or_read(call: Callable[[], data.Data]) -> tuple[tuple[str, ...], list[tuple[str, int]]]:
    """The mistakes that a file is refused for and no rows, or none and its rows."""
    try:
        return (), rows_of(call())
    except BadInput as error:
        return error.problems, []


@settings(max_examples=150, deadline=None)
@given(
    sentences=SENTENCES,
    delimiter=st.sampled_from(",;\t|"),
    style=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    suffix=st.sampled_from([".csv", ".tsv"]),
)
@example([f"a{n}\t1\nb\t0" for n in range(8)], "\t", csv.QUOTE_MINIMAL, ".tsv")
def test_what_csv_writes_is_read_back_with_quoting_csv(
    scratch: Path, sentences: list[str], delimiter: str, style: int, suffix: str
) -> None:
    rows = [(text, n % 2) for n, text in enumerate(sentences)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=style)  # type: ignore[arg-type]
    writer.writerows([("sentence", "label"), *rows])
    path = file(scratch, text.getvalue(), f"written{suffix}")
    assert rows_of(load_small(path, quoting="csv", delimiter=delimiter)) == rows
    # By default it is read back just so, or refused; never read otherwise.
    told, read = told_or_read(lambda: load_small(path, delimiter=delimiter))
    assert all("dataset.quoting" in problem for problem in told)
    assert told or read == rows


@settings(max_examples=150, deadline=None)
@given(
    sentences=st.lists(
        st.text("\"'ab ,.", min_size=1, max_size=8).filter(str.strip),
        min_size=8,
        max_size=12,
        unique_by=normalised,
    )
)
@example(['"a', "b", "c", 'd"', "e", "f", "g", "h"])
@example(['"a"', '"', '""', "c", "d", "e", "f", "g"])
def test_a_file_without_quoting_is_read_as_it_stands_or_refused(
    scratch: Path, sentences: list[str]
) -> None:
    rows = [(text, n % 2) for n, text in enumerate(sentences)]
    path = file(scratch, "\n".join(["sentence\tlabel", *(f"{t}\t{n}" for t, n in rows)]), "b.tsv")
    told, read = told_or_read(lambda: load_small(path))
    assert all("dataset.quoting" in problem or "empty sentence" in problem for problem in told)
    if not told:
        # Only what csv alone would write so is taken for quoted: with marks doubled inside.
        for seen, row in zip(read, rows, strict=True):
            inside = row[0][1:-1]
            assert seen == row or ('""' in inside and seen[0].replace('"', '""') == inside)
    told, plain = told_or_read(lambda: load_small(path, quoting="none"))
    assert all("doubled, as csv writes them" in problem for problem in told)
    assert told or plain == rows
