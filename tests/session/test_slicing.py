"""The slices of a suite: of its data, of columns of its files, and of annotations."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders.own_files import problems_of
from builders.waiting import UNREACHABLE

from harness.errors import Unavailable
from harness.inputs import data
from harness.session.slicing import find_slices, gate_problems, slices_of_suite
from harness.session.suite_inputs import find_inputs
from harness.store.lengths import length_of
from harness.store.slices import Slices, make_slices, slice_column, slice_problems
from harness.suite.plan import Run, make_plan
from harness.suite.spec import DatasetSpec, GatesSpec, load_suite

WORDS = tuple("thecatsatonamatandit")


def frame(rows: int = 200, start: int = 0) -> pd.DataFrame:
    """Build sentences of 3 to 14 words with a topic, a number, a flag and a label."""
    numbers = range(start, start + rows)
    return pd.DataFrame(
        {
            "sentence": [f"{' '.join(WORDS[: 2 + n % 12])} {n}" for n in numbers],
            "label": [n % 2 for n in numbers],
            "topic": [("food", "travel", "")[n % 3] for n in numbers],
            "year": [1990 + n % 4 for n in numbers],
            "old": [n % 5 == 0 for n in numbers],
            "id": [f"id {n}" for n in numbers],
        }
    )


def slices_of(folder: Path, spec: dict[str, Any]) -> tuple[Slices, tuple[str, ...], Any]:
    parsed = DatasetSpec.model_validate({"source": "file", **spec})
    source = data.find(parsed, None, UNREACHABLE, folder)
    loaded = data.load(source)
    found = find_slices(parsed, folder, source, loaded)
    assert found.slices is not None
    assert found.slices.fingerprint == loaded.fingerprint
    return found.slices, found.notes, loaded.splits["validation"]


def groups(slices: Slices, column: str) -> dict[str, set[int]]:
    return {
        each.value: set(np.flatnonzero(each.chosen).tolist())
        for each in slices.each()
        if each.column == column
    }


def by_pandas(values: list[Any]) -> dict[str, set[int]]:
    series = pd.Series([str(value) for value in values])
    return {str(k): set(v) for k, v in series.groupby(series).groups.items() if k != ""}


@pytest.mark.parametrize("name", ["data.csv", "data.tsv", "data.parquet", "data.jsonl"])
def test_columns_of_a_file_follow_the_drawn_split(tmp_path: Path, name: str) -> None:
    table = frame()
    path = tmp_path / name
    if name.endswith(".parquet"):
        table.to_parquet(path)
    elif name.endswith(".jsonl"):
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_csv(path, index=False, sep="\t" if name.endswith(".tsv") else ",")
    spec = {"path": name, "validation_size": 60, "slice_columns": ["topic", "year"]}
    slices, notes, rows = slices_of(tmp_path, spec)
    assert notes == ()
    known = table.iloc[rows["idx"][:]]
    assert groups(slices, "topic") == by_pandas(known["topic"].tolist())
    assert groups(slices, "year") == by_pandas(known["year"].tolist())
    lengths = [length_of(sentence) for sentence in rows["sentence"][:]]
    assert groups(slices, "length") == by_pandas(lengths)
    assert [column.name for column in slices.columns] == ["length", "topic", "year"]


def test_columns_of_given_splits_follow_their_joined_files(tmp_path: Path) -> None:
    frame(80).to_csv(tmp_path / "train.csv", index=False)
    parts = [frame(30, 100), frame(40, 200)]
    for name, part in zip(("a", "b"), parts, strict=True):
        part.to_csv(tmp_path / f"{name}.csv", index=False)
    spec = {
        "train": "train.csv",
        "validation": {"first": "a.csv", "second": "b.csv"},
        "slice_columns": ["topic"],
    }
    slices, _, _ = slices_of(tmp_path, spec)
    assert groups(slices, "topic") == by_pandas(pd.concat(parts)["topic"].tolist())
    assert groups(slices, "domain") == {"first": set(range(30)), "second": set(range(30, 70))}
    parts[1].drop(columns="topic").to_csv(tmp_path / "b.csv", index=False)
    (problem,) = problems_of(lambda: slices_of(tmp_path, spec))
    assert "b.csv: no column 'topic'" in problem
    assert "dataset.slice_columns" in problem


def annotated(folder: Path, **settings: Any) -> dict[str, Any]:
    """Write a file and its annotations; return the suite's section that names both."""
    table = frame()
    table[["sentence", "label"]].to_csv(folder / "data.csv", index=False)
    table.rename(columns={"sentence": "Text"}).to_csv(folder / "notes.tsv", index=False, sep="\t")
    spec = {"path": "data.csv", "validation_size": 60, "annotations": "notes.tsv"}
    return {**spec, "slice_columns": ["topic", "old"], **settings}


def test_annotations_give_the_columns_that_are_named(tmp_path: Path) -> None:
    spec = annotated(tmp_path)
    (tmp_path / "notes.tsv").write_text(
        (tmp_path / "notes.tsv").read_text().replace("Text\t", "Sentence\t")
    )
    slices, notes, rows = slices_of(tmp_path, spec)
    known = frame().iloc[rows["idx"][:]]
    assert groups(slices, "topic") == by_pandas(known["topic"].tolist())
    assert groups(slices, "old") == by_pandas(known["old"].tolist())
    assert notes == ("notes.tsv: 60 of 60 validation sentences annotated",)
    assert slices.annotations is not None
    assert (slices.annotations.file, slices.annotations.matched) == ("notes.tsv", 60)
    listed = {each.name for each in slices.each() if each.listed and each.column == "old"}
    assert listed == {"old=True"}


def test_all_annotations_are_taken_but_for_those_that_repeat(tmp_path: Path) -> None:
    spec = annotated(tmp_path, slice_columns=None)
    table = frame().drop(columns="id")
    table["words"] = [length_of(sentence) for sentence in table["sentence"]]
    table.to_csv(tmp_path / "notes.tsv", index=False, sep="\t")
    slices, notes, _ = slices_of(tmp_path, spec)
    assert [column.name for column in slices.columns] == ["length", "topic", "year", "old"]
    assert notes[1:] == (
        "column 'label' divides the sentences like the labels",
        "column 'words' divides the sentences like length",
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"slice_columns": ["genre"]}, "has none of the columns 'genre'"),
        ({"slice_columns": ["id"]}, "'id': 60 different values; at most"),
        ({"slice_columns": ["topic", "genre"]}, "no column 'genre'"),
        ({"annotations": "absent.tsv"}, "absent.tsv: no such file; dataset.annotations"),
    ],
)
def test_columns_that_give_no_slices(
    tmp_path: Path, settings: dict[str, Any], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = annotated(tmp_path, **settings)
    frame().to_csv(tmp_path / "notes.tsv", index=False, sep="\t")
    if "different" in expected:
        monkeypatch.setattr("harness.session.slicing.MOST_VALUES", 50)
    problems = problems_of(lambda: slices_of(tmp_path, spec))
    assert expected in problems[0]


@pytest.mark.parametrize("where", ["data", "annotations"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1" * 5000, "at most 100 characters"),
        ("a long value " * 9, "at most 100 characters"),
        ("half \ud800", "half of a surrogate pair"),
        ("red \x1b[31m", "a control character"),
        ("none \0", "a control character"),
    ],
)
def test_values_that_cannot_name_a_slice(
    tmp_path: Path, where: str, value: str, expected: str
) -> None:
    rows = frame(40).to_dict("records")
    for number, row in enumerate(rows):
        row["kind"] = value if number % 3 else "other"
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "data.jsonl").write_text(text)
    (tmp_path / "notes.jsonl").write_text(text)
    spec: dict[str, Any] = {"path": "data.jsonl", "slice_columns": ["kind"]}
    if where == "annotations":
        spec["annotations"] = "notes.jsonl"
    problems = problems_of(lambda: slices_of(tmp_path, spec))
    assert expected in problems[0]
    assert len(problems[0]) < 600


def test_numbers_of_any_length_are_in_order(tmp_path: Path) -> None:
    values = ["10 words", "9 words", "007", "x", "1" * 5000, "2" * 4999]
    assert slice_column("length", values).values == (
        *("x", "007", "9 words", "10 words", "2" * 4999, "1" * 5000),
    )


@pytest.mark.parametrize("column", ["length", "source"])
def test_a_column_has_no_name_that_records_use_for_other_values(
    tmp_path: Path, column: str
) -> None:
    table = frame(240).assign(**{column: ["a", "b", "c"] * 80})
    table["sentence"] = [f"word {number}" for number in range(240)]  # all of one length
    table["by"] = [f"group {number // 2}" for number in range(240)]
    table.to_csv(tmp_path / "data.csv", index=False)
    spec = {"path": "data.csv", "validation_size": 220, "slice_columns": [column]}
    problems = problems_of(lambda: slices_of(tmp_path, {**spec, "group_column": "by"}))
    assert "the data have values of their own of this name" in problems[0]
    if column == "source":  # without groups the name is free
        assert groups(slices_of(tmp_path, spec)[0], "source").keys() == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"source": "cola", "slice_columns": ["x"]}, "name the file of annotations"),
        ({"source": "file", "path": "a.csv", "slice_columns": ["label"]}, "dataset.label_column"),
        ({"source": "file", "path": "a.csv", "slice_columns": ["a", "a"]}, "each listed once"),
        ({"source": "embedded", "annotations": "a", "slice_columns": []}, "each listed once"),
    ],
)
def test_suites_whose_slice_columns_are_wrong(spec: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        DatasetSpec.model_validate(spec)


SUITE = """
name = "tiny"
[dataset]
source = "embedded"
{dataset}
[matrix]
checkpoints = ["x/y"]
batch_sizes = [8]
learning_rates = [1e-3]
[gates]
min_mcc = 0.1
{gates}
"""


def inputs_of(folder: Path, dataset: str = "", gates: str = "") -> Any:
    (folder / "tiny.toml").write_text(SUITE.format(dataset=dataset, gates=gates))
    suite = load_suite(folder / "tiny.toml")
    return suite, find_inputs(suite, folder, [], None, UNREACHABLE)


def test_annotations_change_neither_the_data_nor_a_key(tmp_path: Path) -> None:
    suite, plain = inputs_of(tmp_path)
    assert [column.name for column in plain.slices.slices.columns] == ["source", "length"]
    loaded = data.load(plain.source)
    table = pd.DataFrame({"sentence": loaded.splits["validation"]["sentence"][:]})
    table["first"] = [text.split()[0] == "The" for text in table["sentence"]]
    table.to_csv(tmp_path / "a.csv", index=False)
    other, with_slices = inputs_of(tmp_path, 'annotations = "a.csv"')
    assert with_slices.dataset == plain.dataset
    assert [c.name for c in with_slices.slices.slices.columns] == ["source", "length", "first"]
    cells = [make_plan(each)[0] for each in (suite, other)]
    assert Run(cells[0], 0, suite.training) == Run(cells[1], 0, other.training)


@pytest.mark.parametrize(
    ("gates", "expected"),
    [
        ('[gates.slice."topic=food"]\nmin_mcc = 0.1', 'no such slice; write "COLUMN=VALUE"'),
        ('[gates.slice."source=iland"]\nmin_mcc = 0.1', "no such slice; did you mean"),
        ('[gates.slice."source"]\nmin_mcc = 0.1', "with one of the columns source, length"),
        (
            '[gates.slice."source=islands"]\nmin_mcc = 0.1\nmin_sentences = 500',
            "the slice has 34 sentences, and min_sentences is 500; choose a larger slice, or lower",
        ),
        (
            '[gates.checkpoint."x/y".slice."length=1-2 words"]\nmin_mcc = 0.1',
            "gates.checkpoint.'x/y'.slice.'length=1-2 words': no such slice",
        ),
    ],
)
def test_gates_on_slices_that_do_not_exist(tmp_path: Path, gates: str, expected: str) -> None:
    problems = problems_of(lambda: inputs_of(tmp_path, gates=gates))
    assert len(problems) == 1
    assert expected in problems[0]


def test_a_gate_on_a_slice_of_one_class_is_refused(tmp_path: Path) -> None:
    table = frame()
    table["kind"] = [
        "wrong" if label == 0 and n % 4 else "any" for n, label in enumerate(table["label"])
    ]
    table.to_csv(tmp_path / "data.csv", index=False)
    spec = {"path": "data.csv", "validation_size": 80, "slice_columns": ["kind"]}
    slices, _, rows = slices_of(tmp_path, spec)
    gates = GatesSpec.model_validate({"slice": {"kind=wrong": {"min_mcc": 0.1}}})
    (problem,) = gate_problems(gates, slices, rows["label"][:])
    assert problem.endswith("no MCC, because all labels are of one class; remove this gate")


@pytest.mark.parametrize(("authors", "are_slices"), [(100, True), (101, False), (180, False)])
def test_too_many_sources_are_no_slices_and_say_so(
    tmp_path: Path, authors: int, are_slices: bool
) -> None:
    table = frame(400)
    table["author"] = [f"author {n % authors}" for n in range(400)]
    train, validation = table[:20].assign(author="nobody"), table
    train.assign(sentence=[f"other {n}" for n in range(20)]).to_csv(tmp_path / "a.csv", index=False)
    validation.to_csv(tmp_path / "b.csv", index=False)
    spec = {"train": "a.csv", "validation": "b.csv", "group_column": "author"}
    slices, notes, _ = slices_of(tmp_path, spec)
    assert ("source" in {column.name for column in slices.columns}) == are_slices
    expected = (
        f"source of the validation sentences: {authors} different values, and at most 100 can be "
        "slices, so these are none"
    )
    assert list(notes) == ([] if are_slices else [expected])


@pytest.mark.parametrize("number", [2, 3, 7])
def test_slices_of_other_groups_are_reported_for_any_number_of_classes(number: int) -> None:
    from builders.records import make_cell, predicted_record

    from harness.store.grouping import groupings

    labels = np.arange(60) % number
    sources = [f"g{n % 9}" for n in range(60)]
    domains = ["in" if n % 2 else "" for n in range(60)]
    record = predicted_record(
        make_cell(seeds=(1,)),
        1,
        labels,
        labels[None],
        number=number,
        groupings=groupings("file", sources, domains),
    )
    assert record.dataset is not None
    fingerprint = record.dataset.fingerprint

    def problems(**columns: list[str]) -> list[str]:
        slices = make_slices(fingerprint, columns)
        assert slices is not None
        return list(slice_problems(slices, [record]))

    assert problems(source=sources, domain=domains) == []
    assert problems(topic=sources[::-1]) == []
    for kind, values in (("source", sources[::-1]), ("domain", [*domains[1:], ""])):
        (problem,) = problems(**{kind: values})
        assert problem.startswith(f"slices: the {kind} of some sentences is another one than in")


def test_slices_that_do_not_fit_the_records_are_reported(tmp_path: Path) -> None:
    from builders.leaderboards import board

    records = board().records
    known = next(record for record in records if record.confusion_by)
    assert known.dataset is not None
    slices = Slices(fingerprint="0" * 64, sentences=known.dataset.validation, columns=())
    assert list(slice_problems(slices, records)) == [
        "slices: they are of other data than the records"
    ]


def test_the_hub_is_asked_for_the_data_of_a_suite(tmp_path: Path) -> None:
    suite = SUITE.replace('source = "embedded"', 'source = "hub"\nname = "org/absent-data"')
    (tmp_path / "tiny.toml").write_text(suite.format(dataset="", gates=""))
    with pytest.raises(Unavailable) as error:
        slices_of_suite(tmp_path / "tiny.toml", None, {"0" * 64})
    assert "not asked" not in str(error.value)
