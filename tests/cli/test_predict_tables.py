"""`harness predict` reads what training reads: a table's column, a row an answer, in order."""

import csv
import io
import json
import shlex
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders.commands import ROOT, Done, harness
from builders.own_files import load_file, problems_of, rows_of
from builders.records import COLA, keep, make_cell, predicted_record
from builders.tiny_checkpoints import MAX_LENGTH, make_classifier
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from harness.inputs.data.sentences import read_column, read_lines
from harness.inputs.data.table import Wanted
from harness.judging.leaderboard import leaderboard
from harness.report.published import as_json, publish
from harness.store.run_store import Stored

TEXTS = [
    "the cat slept on the chair .",
    "the dog, it barked .",
    'she said "no" , twice',
    "two\nlines , here",
    "  the cat  ",
    "NA",
    "1",
    "the dog barked .",
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two classes in the form of a kept one."""
    return make_classifier(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def answers(model: Path) -> list[dict[str, object]]:
    """What is answered where the sentences are arguments."""
    return asked(harness("predict", str(model), *TEXTS, "--format", "jsonl"))


@pytest.fixture(scope="module")
def results(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with a leaderboard of two cells, each with a kept model: both the same."""
    folder = tmp_path_factory.mktemp("results") / "mine"
    cells = [make_cell(learning_rate=rate, seeds=(1,)) for rate in (2e-5, 5e-5)]
    labels = np.arange(20) % 2
    facts = COLA.model_copy(update={"validation": 20, "text_column": "text"})
    stored: list[Stored] = []
    for cell, wrong in zip(cells, (6, 4), strict=True):
        given = np.where(np.arange(20) < wrong, 1 - labels, labels)[None]
        stored.append(keep(folder, cell, predicted_record(cell, 1, labels, given, dataset=facts)))
        shutil.copytree(model, stored[-1].folder / "model")
    published = publish("sample", cells, [item.record for item in stored])
    frame = leaderboard(published.cells, published.records)
    (folder / "leaderboard.json").write_text(as_json(published, frame))
    return folder


def asked(done: Done) -> list[dict[str, object]]:
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def table(folder: Path, suffix: str, texts: Sequence[object], column: str = "text") -> Path:
    """Write texts as a library writes them that is not ours, with a column on either side."""
    path = folder / f"table{suffix}"
    rows = {"id": range(len(texts)), column: texts, "topic": ["a", "b"] * (len(texts) // 2)}
    frame = pd.DataFrame(rows)
    match suffix.lower():
        case ".csv" | ".tsv":
            separator = "," if suffix.lower() == ".csv" else "\t"
            frame.to_csv(path, index=False, sep=separator)
        case ".jsonl":
            frame.to_json(path, orient="records", lines=True)
        case ".json":
            frame.to_json(path, orient="records", indent=1)
        case ".parquet":
            pq.write_table(pa.table(frame), path)
    return path


# A column of every kind of table


@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".tsv", ".jsonl", ".json", ".parquet"])
def test_a_column_is_answered_row_by_row_as_its_sentences_alone_are(
    suffix: str, model: Path, answers: list[dict[str, object]], tmp_path: Path
) -> None:
    path = table(tmp_path, suffix, TEXTS)
    # pandas marks a TSV's values as CSV does, which alone does not say what a mark means there.
    marks = ("--quoting", "csv") if suffix == ".tsv" else ()
    options = ("--file", str(path), "--text-column", "text", *marks, "--format", "jsonl")
    done = harness("predict", str(model), *options)
    assert asked(done) == answers
    assert done.err == ""


def test_the_three_formats_have_a_row_for_each_row(model: Path, tmp_path: Path) -> None:
    path = table(tmp_path, ".csv", TEXTS)
    options = ("predict", str(model), "--file", str(path), "--text-column", "text")
    assert harness(*options).out.count("\n") == len(TEXTS)
    tsv = harness(*options, "--format", "tsv").out.splitlines()
    assert [line.split("\t")[2] for line in tsv] == [
        "sentence",
        *(text.replace("\n", "\\n") for text in TEXTS),
    ]


def test_the_example_s_own_rows_are_read_as_python_reads_them() -> None:
    """Three of them hold commas, which `cut -d,` takes for the ends of values."""
    path = ROOT / "examples" / "own-data" / "messages.csv"
    with path.open(encoding="utf-8", newline="") as file:
        expected = [row["text"] for row in csv.DictReader(file)]
    assert sum("," in text for text in expected) >= 3
    assert read_column(path, Wanted("text", by_options=True)) == expected


def test_what_training_reads_of_a_file_is_what_is_judged(tmp_path: Path) -> None:
    path = table(tmp_path, ".csv", TEXTS * 3)
    columns = {"text_column": "text", "label_column": "topic", "class_names": ("a", "b")}
    trained = load_file(path, quoting="csv", validation_size=4, **columns)
    assert read_column(path, Wanted("text", quoting="csv")) == [
        text for text, _ in rows_of(trained)
    ]
    assert read_column(path, Wanted("text")) == TEXTS * 3


def test_other_separators_marks_and_encodings_are_read_or_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\ufeffid;text\n1;A, b.\n2;C.\n", encoding="utf-8")
    (problem,) = problems_of(lambda: read_column(path, Wanted("text", by_options=True)))
    assert problem.endswith("separated by ';', not ','; set --delimiter \";\"")
    assert read_column(path, Wanted("text", delimiter=";")) == ["A, b.", "C."]
    long = "x" * 150_000
    path.write_text(f"id,text\n1,{long}\n2,B.\n", encoding="utf-8")
    assert read_column(path, Wanted("text")) == [long, "B."]
    path.write_bytes("id,text\n1,A.\n2,Grün.\n".encode("latin-1"))
    (problem,) = problems_of(lambda: read_column(path, Wanted("text")))
    assert f"{path}:3: not UTF-8 text" in problem
    path = tmp_path / "a.tsv"
    path.write_text('id\ttext\n1\t"A," he said.\n2\tB.\n', encoding="utf-8")
    (problem,) = problems_of(lambda: read_column(path, Wanted("text", by_options=True)))
    assert '--quoting "none"' in problem
    assert "dataset." not in problem
    assert read_column(path, Wanted("text", quoting="none")) == ['"A," he said.', "B."]


def test_options_reach_the_reader(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text\tid\n"the cat" slept .\t1\nthe dog .\t2\n')
    options = ("--file", str(path), "--text-column", "text", "--format", "jsonl")
    done = harness("predict", str(model), *options, "--delimiter", r"\t", "--quoting", "none")
    assert [each["sentence"] for each in asked(done)] == ['"the cat" slept .', "the dog ."]


# A quotation mark that takes in rows: without labels to tell rows by, more is in doubt


@pytest.mark.parametrize(
    "rows",
    [
        ["1,A.", '2,"B.', "3,C.", '4,D."', "5,E."],
        ["x,A.", 'y,"B.', "x,C.", 'y,D."', "x,E."],
        ["x9f,A.", 'b3a,"B.', "c77,C.", 'd10,D."', "e2e,E."],
        ['"A.,x', "B.,y", 'C.",x', "D.,y"],
    ],
    ids=["numbers", "names", "codes", "text-first"],
)
def test_rows_within_a_value_are_refused_until_its_marks_are_explained(
    rows: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    header = "text,id" if rows[0].startswith('"') else "id,text"
    path.write_text("\n".join([header, *rows]) + "\n")
    (problem,) = problems_of(lambda: read_column(path, Wanted("text", by_options=True)))
    assert "a value that opens with a quotation mark spans the lines up to" in problem
    assert '--quoting "none"' in problem
    assert len(read_column(path, Wanted("text", quoting="none"))) == len(rows)


@pytest.mark.parametrize(
    "letter", ["Dear all,\nI was charged, twice\nBye, Ann", "A, so\nc", "A\nb"]
)
def test_a_letter_of_several_lines_is_one_sentence(letter: str, tmp_path: Path) -> None:
    path = table(tmp_path, ".csv", [letter, "Short.", "Also, short.", "Last."])
    assert read_column(path, Wanted("text")) == [letter, "Short.", "Also, short.", "Last."]


def test_in_a_file_of_one_column_every_line_could_be_a_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text\n"A.\nB."\nC.\n')
    (problem,) = problems_of(lambda: read_column(path, Wanted("text", by_options=True)))
    assert f"{path}:2: a value that opens with a quotation mark spans the lines" in problem
    assert read_column(path, Wanted("text", quoting="csv")) == ["A.\nB.", "C."]
    assert read_column(path, Wanted("text", quoting="none")) == ['"A.', 'B."', "C."]


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.text("ab\"'\n\r\t,;. ", max_size=8).filter(str.strip), min_size=2),
    suffix=st.sampled_from([".csv", ".tsv"]),
)
def test_what_python_writes_is_read_back(
    texts: list[str], suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = io.StringIO(newline="")
    separator = "," if suffix == ".csv" else "\t"
    csv.writer(text, delimiter=separator).writerows([["id", "text"], *enumerate(texts)])
    path = tmp_path_factory.getbasetemp() / f"written{suffix}"
    path.write_bytes(text.getvalue().encode())
    assert read_column(path, Wanted("text", quoting="csv")) == texts


# Mistakes


@pytest.mark.parametrize("suffix", [".csv", ".TSV", ".jsonl", ".json", ".parquet"])
def test_a_table_is_no_list_of_lines_and_its_columns_are_told(
    suffix: str, model: Path, tmp_path: Path
) -> None:
    path = table(tmp_path, suffix, ["a .", "b ."])
    done = harness("predict", str(model), "--file", str(path))
    assert (done.code, done.out) == (4, "")
    assert done.err == (
        f"{path}: a table with the columns 'id', 'text', 'topic'; name the sentences' column with "
        "--text-column\n"
    )
    wrong = harness("predict", str(model), "--file", str(path), "--text-column", "sentence")
    assert (wrong.code, wrong.out) == (4, "")
    assert wrong.err == (
        f"{path}: no column 'sentence'; there are 'id', 'text', 'topic': set --text-column to one "
        "of them\n"
    )


def test_a_table_of_one_sentence_is_read_in_every_format(tmp_path: Path) -> None:
    for name, content in (
        ("a.jsonl", '{"text": "A."}'),
        ("a.json", '[{"text": "A."}]'),
        ("a.csv", "text\nA.\n"),
    ):
        (tmp_path / name).write_text(content)
        assert read_column(tmp_path / name, Wanted("text")) == ["A."], name
        (problem,) = problems_of(partial(read_column, tmp_path / name, Wanted(None)))
        assert "a table with the columns 'text'; name the" in problem


def test_every_blank_or_missing_text_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    texts = ["A.", "", "B.", "  ", "C.", "\n"]
    where = {
        ".csv": [":3", ":5", ":7"],
        ".jsonl": [":2", ":4", ":6"],
        ".json": [": row 2", ": row 4", ": row 6"],
        ".parquet": [": row 2", ": row 4", ": row 6"],
    }
    for suffix, places in where.items():
        path = table(tmp_path, suffix, texts)
        problems = problems_of(partial(read_column, path, Wanted("text")))
        assert problems == [
            f"{path}{place}: column 'text': empty sentence; fill it in or remove the row"
            for place in places
        ]
    path = table(tmp_path, ".parquet", ["A.", None])
    (problem,) = problems_of(lambda: read_column(path, Wanted("text")))
    assert problem.startswith(f"{path}: row 2: column 'text': missing sentence")
    (problem, *_) = problems_of(lambda: read_column(path, Wanted("id")))
    assert problem.startswith(f"{path}: row 1: column 'id': 0 is not text")
    many = table(tmp_path, ".jsonl", [""] * 14)
    problems = problems_of(lambda: read_column(many, Wanted("text")))
    assert len(problems) == 11
    assert problems[-1] == f"{many}: and 4 more such problems"


def test_what_holds_no_row_is_told(tmp_path: Path) -> None:
    for name, content in (("a.csv", "text,id\n"), ("a.jsonl", ""), ("a.json", "[]")):
        (tmp_path / name).write_text(content)
        (problem,) = problems_of(partial(read_column, tmp_path / name, Wanted("text")))
        assert problem.endswith("it must contain sentences"), name


def test_options_on_tables_are_refused_where_there_is_none(model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the cat .\n")
    (tmp_path / "a.jsonl").write_text('{"text": "A."}\n')
    (tmp_path / "a.csv").write_text("text\nA.\n")
    for arguments, told in (
        (("a sentence .", "--text-column", "text"), "--text-column: for tables only"),
        (("-", "--text-column", "text"), "standard input has one sentence per line"),
        (
            ("--file", str(tmp_path / "a.txt"), "--quoting", "csv"),
            "a.txt has one sentence per",
        ),
        (("--file", str(tmp_path / "a.jsonl"), "--delimiter", ";"), "for CSV and TSV files only"),
    ):
        done = harness("predict", str(model), *arguments)
        assert (done.code, done.out) == (2, ""), arguments
        assert told in done.err
    done = harness("predict", str(model), "--file", str(tmp_path / "a.csv"), "--delimiter", "ab")
    assert done.code == 4
    assert done.err.startswith("--delimiter: 'ab': must be one character, such as")
    assert harness("predict").code == 2


# Lines


def test_lines_are_read_whatever_ends_them_and_doubtful_ends_are_told() -> None:
    for end in ("\n", "\r\n", "\r"):
        assert read_lines(f"A b.{end}C, d.{end}", "x") == ["A b.", "C, d."]
        assert read_lines(f"A b.{end}C, d.", "x") == ["A b.", "C, d."]
    problems = problems_of(lambda: read_lines("A\rb.\n\nC.\n  \nD\0.\n", "old.txt"))
    assert [problem.partition(": ")[2][:6] for problem in problems] == [
        "line 1",
        "line 2",
        "line 4",
        "line 5",
    ]
    assert r"a lone carriage return (\r) in 'A\rb.'" in problems[0]


def test_json_lines_are_no_sentences() -> None:
    (problem,) = problems_of(lambda: read_lines('{"text": "A."}\n{"text": "B."}\n', "x"))
    assert problem.startswith(
        'x: JSON Lines, the first \'{"text": "A."}\', instead of one sentence per line;'
    )
    assert read_lines('{"text": "A."}\nHe wrote {"a": 1}.\n', "x")[1] == 'He wrote {"a": 1}.'


# Which model


def test_the_best_kept_model_answers_and_is_named(
    results: Path, answers: list[dict[str, object]]
) -> None:
    done = harness("predict", "--results", str(results), *TEXTS, "--format", "jsonl")
    assert asked(done) == answers
    (line,) = done.err.splitlines()
    cell = make_cell(learning_rate=5e-5).id
    assert line.startswith(f"model: {cell}, seed 1: validation MCC 0.600, cell ranked 1 of 2: ")
    assert Path(line.rpartition(": ")[2]).parts[-4:-2] == ("runs", cell)
    piped = harness("predict", "--results", str(results), "-", stdin="the cat .\n")
    assert (piped.code, piped.out.count("\n")) == (0, 1)


def test_the_column_of_the_training_s_file_is_the_default_and_said(
    results: Path, answers: list[dict[str, object]], tmp_path: Path
) -> None:
    path = table(tmp_path, ".jsonl", TEXTS)
    done = harness("predict", "--results", str(results), "--file", str(path), "--format", "jsonl")
    assert asked(done) == answers
    assert f"column 'text' of {path}: the model was trained on" in done.err.splitlines()[1]
    other = table(tmp_path, ".csv", TEXTS, column="message")
    missing = harness("predict", "--results", str(results), "--file", str(other))
    assert missing.code == 4
    (line,) = missing.err.splitlines()  # no model, no column
    assert "no column 'text'; there are 'id', 'message', 'topic': set --text" in line
    named = ("--file", str(other), "--text-column", "message", "--format", "jsonl")
    assert asked(harness("predict", "--results", str(results), *named)) == answers


def test_a_model_a_folder_or_a_table_is_no_sentence(
    model: Path, results: Path, tmp_path: Path
) -> None:
    kept = sorted(results.glob("runs/*/*/model"))
    (tmp_path / "linked").symlink_to(kept[1])
    for cwd, named in (
        (ROOT, (str(kept[0]), str(kept[1]))),
        (kept[1].parent, (str(kept[0]), "./model/")),
        (tmp_path, (str(kept[0]), "linked")),
        (ROOT, ("--results", str(results), str(kept[1]))),
        (ROOT, (str(kept[0]), str(kept[0]))),
    ):
        done = harness("predict", *named, "the cat .", cwd=cwd)
        assert (done.code, done.out) == (4, "")
        assert "2 models are named, but only one can be used: " in done.err
        assert done.err.count("\n") == 1
    path = table(tmp_path, ".csv", ["A.", "B."])
    done = harness("predict", str(model), "the cat .", str(path), "", f"{results}/runs")
    assert (done.code, done.out) == (4, "")
    told = done.err.splitlines()
    assert told[0] == f"{path}: a file, not a sentence; read it with --file {path}"
    assert told[1] == f"{results}/runs: a folder without a model, not a sentence; leave it out"
    assert told[2] == "sentence 3: empty; remove it or fill it in"
    assert harness("predict", str(model), "docs", "no such.csv").code == 0
    spaced = path.rename(tmp_path / "two words.csv")
    told = harness("predict", str(model), str(spaced)).err.splitlines()
    assert shlex.split(told[0].partition("read it with ")[2]) == ["--file", str(spaced)]


def test_a_name_that_no_folder_can_have_is_told_in_a_line() -> None:
    for named in (("x" * 5000,), ("--results", "x" * 5000)):
        done = harness("predict", *named, "the cat .")
        assert (done.code, done.out) == (4, "")
        assert "xxx...': cannot be read (File name too long); name" in done.err
        assert len(done.err) < 300


def test_cut_sentences_are_told_with_their_numbers_and_the_length(
    model: Path, tmp_path: Path
) -> None:
    """The rest of a cut sentence changes no answer: it was not read."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    fits = "cat " * (MAX_LENGTH - 2)  # beside two special tokens
    texts = [fits, f"{fits}cat", "the cat", f"{fits}dog barked"]
    cut = [len(tokenizer(text, truncation=False)["input_ids"]) > MAX_LENGTH for text in texts]
    assert cut == [False, True, False, True]
    done = harness("predict", str(model), *texts, "--format", "jsonl")
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert [answer["cut_to"] for answer in answers] == [None, MAX_LENGTH, None, MAX_LENGTH]
    whole, *cut_answers = (answers[place]["probability"] for place in (0, 1, 3))
    assert cut_answers == pytest.approx([whole, whole], abs=1e-6)  # batches round differently
    told = f"note: 2 of 4 sentences were cut to {MAX_LENGTH} tokens, the most that this model reads"
    assert done.err == f"{told}, and answered without the rest: sentences 2, 4\n"
    file = tmp_path / "new.txt"
    file.write_text("\n".join(["the cat", *[f"{fits}cat"] * 1500]))
    done = harness("predict", str(model), "--file", str(file), "--batch-size", "512")
    assert done.out.count("\n") == 1501
    assert f"1,500 of 1,501 sentences were cut to {MAX_LENGTH} tokens" in done.err
    assert done.err.endswith(": lines 2, 3, 4, 5, 6 and 1495 more\n")
    assert harness("predict", str(model), "the cat").err == ""
