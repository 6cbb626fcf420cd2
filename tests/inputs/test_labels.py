"""A label that is a class name means that class, in every format alike; no label is guessed."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders.own_files import load_file, problems_of, rows_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.inputs.data.rows import PROBLEMS_SHOWN
from harness.suite.class_names import ambiguity, classes_of_labels, likely_name, meaning_of
from harness.suite.spec import DatasetSpec


def _delimited(labels: Sequence[Any], path: Path) -> None:
    separator = "\t" if path.suffix == ".tsv" else ","
    frame(labels).to_csv(path, index=False, sep=separator)


def _json_lines(labels: Sequence[Any], path: Path) -> None:
    rows = frame(labels).to_dict("records")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _json_array(labels: Sequence[Any], path: Path) -> None:
    path.write_text(json.dumps(frame(labels).to_dict("records"), indent=2), encoding="utf-8")


def _parquet(labels: Sequence[Any], path: Path) -> None:
    sentences = frame(labels)["sentence"].tolist()
    pq.write_table(pa.table({"sentence": sentences, "label": list(labels)}), path)


WRITERS: dict[str, Callable[[Sequence[Any], Path], None]] = {
    "a.csv": _delimited,
    "a.tsv": _delimited,
    "a.jsonl": _json_lines,
    "a.json": _json_array,
    "a.parquet": _parquet,
}


def frame(labels: Sequence[Any]) -> pd.DataFrame:
    sentences = [f"Sentence {n}." for n in range(len(labels))]
    return pd.DataFrame({"sentence": sentences, "label": pd.Series(list(labels), dtype=object)})


def classes(name: str, labels: Sequence[Any], class_names: tuple[str, str], to: Path) -> list[int]:
    """The class of each label, as a session reads it from a file of these labels, ten times."""
    WRITERS[name](list(labels) * 10, to / name)
    loaded = load_file(to / name, class_names=class_names, validation_size=4)
    return [label for _, label in rows_of(loaded)][: len(labels)]


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    ("class_names", "labels", "expected"),
    [
        # The names are what the labels say, so they decide.
        (("1", "0"), ["1", "0"], [0, 1]),
        (("1", "0"), [1, 0], [0, 1]),
        (("1", "0"), [1.0, 0.0], [0, 1]),
        (("1", "2"), ["1", "2"], [0, 1]),
        (("1", "2"), [1, 2], [0, 1]),
        (("1", "2"), [2.0, 1.0], [1, 0]),
        (("2", "1"), [2, 1], [0, 1]),
        (("-1", "1"), [-1, 1], [0, 1]),
        (("1", "-1"), ["-1", "1"], [1, 0]),
        (("1.0", "0"), [1, 0], [0, 1]),
        (("1.0", "0"), ["1", "0.0"], [0, 1]),
        (("0.5", "1.5"), [1.5, 0.5], [1, 0]),
        (("True", "False"), [True, False], [0, 1]),
        (("True", "False"), ["true", "FALSE"], [0, 1]),
        (("true", "false"), [True, False], [0, 1]),
        (("yes", "no"), ["yes", "no"], [0, 1]),
        ((" spam ", "ham"), ["ham", " spam"], [1, 0]),
        (("01", "02"), ["01", "02"], [0, 1]),
        (("1e0", "x"), ["x", "1e0"], [1, 0]),
        (("caf\u00e9", "bar"), ["cafe\u0301", "bar"], [0, 1]),
        # The names say nothing of numbers, or agree with them.
        (("0", "1"), ["0", "1"], [0, 1]),
        (("0", "1"), [False, True], [0, 1]),
        (("False", "True"), [0, 1], [0, 1]),
        (("0.0", "bad"), [0, 1], [0, 1]),
        (("00", "01"), [0, 1], [0, 1]),
        (("no", "yes"), [0, 1], [0, 1]),
        (("no", "yes"), [True, False], [1, 0]),
        (("LABEL_0", "LABEL_1"), [0, 1], [0, 1]),
        (("unacceptable", "acceptable"), [" 1 ", "0", "acceptable", "unacceptable "], [1, 0, 1, 0]),
        (("unacceptable", "acceptable"), ["True", "false"], [1, 0]),
        (("unacceptable", "acceptable"), [-0.0, 1.0], [0, 1]),
        (("unacceptable", "acceptable"), ["-0", "1.00"], [0, 1]),
    ],
)
def test_a_label_that_is_a_class_name_means_that_class(
    name: str, class_names: tuple[str, str], labels: list[Any], expected: list[int], tmp_path: Path
) -> None:
    assert classes(name, labels, class_names, tmp_path) == expected


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    ("class_names", "label"),
    [
        # Neither a class name, nor to be told by its place in the list.
        (("1", "2"), "0"),
        (("1", "2"), 0),
        (("1", "2"), False),
        (("1", "0"), True),
        (("-1", "1"), 0),
        (("-1", "1"), False),
        (("true", "false"), 1),
        (("True", "False"), "0"),
        (("1", "no"), 0),
        (("x", "0"), 1),
        # Not how 1 is written: a code, a serial number, digits of another script.
        (("unacceptable", "acceptable"), "01"),
        (("unacceptable", "acceptable"), "+1"),
        (("unacceptable", "acceptable"), "1e0"),
        (("unacceptable", "acceptable"), "1."),
        (("unacceptable", "acceptable"), "\u0661"),
        (("unacceptable", "acceptable"), "\uff11"),
        (("3", "4"), "\u0663"),
        (("yes", "no"), "Yes"),
        (("yes", "no"), True),
        (("Yes", "No"), 0),
        (("on", "off"), "1"),
        (("LABEL_1", "LABEL_0"), 1),
        (("class 1", "class 0"), "0"),
        (("01", "02"), 1),
        (("01", "00"), 1),
        (("\u0661", "\u0660"), 1),
        (("unacceptable", "acceptable"), 2),
        (("unacceptable", "acceptable"), 0.5),
    ],
)
def test_a_label_of_no_class_is_refused_with_what_is_allowed(
    name: str, class_names: tuple[str, str], label: Any, tmp_path: Path
) -> None:
    good = [class_names[0], class_names[1]] * 10
    if name == "a.parquet" and not isinstance(label, str):
        good = []  # a column has one type
    WRITERS[name]([*good, label], tmp_path / name)
    (problem,) = problems_of(lambda: load_file(tmp_path / name, class_names=class_names))
    first, second = class_names
    assert "column 'label': " in problem
    assert problem.startswith(f"{tmp_path / name}:")
    assert (
        f"a label is 0 ({first}) or 1 ({second})" in problem
        or f"a label is {first!r} or {second!r}, as in dataset.class_names" in problem
    )


@pytest.mark.parametrize(
    "class_names",
    [
        ("same", "same"),
        ("a", " a "),
        ("1", "1.0"),
        ("0", "-0"),
        ("1", "01"),
        ("1e0", "1"),
        ("1", "+1"),
        ("3", "\u0663"),
        ("true", "True"),
        ("FALSE", "false"),
        ("1", "True"),
        ("false", "0"),
        ("caf\u00e9", "cafe\u0301"),
    ],
)
def test_names_that_can_be_read_as_one_are_refused_with_the_suite(
    class_names: tuple[str, str],
) -> None:
    with pytest.raises(ValidationError, match="the two class names must differ"):
        DatasetSpec(source="embedded", class_names=class_names)


@pytest.mark.parametrize("class_names", [(" ", "b"), ("a", "\t")])
def test_a_blank_name_is_refused_with_the_suite(class_names: tuple[str, str]) -> None:
    with pytest.raises(ValidationError, match="a class name must not be blank"):
        DatasetSpec(source="embedded", class_names=class_names)


def test_two_other_labels_are_one_mistake_and_not_as_many_as_rows(tmp_path: Path) -> None:
    WRITERS["a.csv"](["ham", "spam"] * 50, tmp_path / "a.csv")
    (problem,) = problems_of(lambda: load_file(tmp_path / "a.csv"))
    at = tmp_path / "a.csv"
    assert f"all labels are 'ham' (first at {at}:2) or 'spam' (first at {at}:3)" in problem
    assert "set dataset.class_names to these two labels" in problem
    loaded = load_file(tmp_path / "a.csv", class_names=("ham", "spam"))
    assert [label for _, label in rows_of(loaded)] == [0, 1] * 50


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    ("labels", "means", "written", "names"),
    [
        ((1, 2), "1 for unacceptable and 2 for acceptable", "0 for 1 and 1 for 2", '"1", "2"'),
        ((2, 1), "1 for unacceptable and 2 for acceptable", "0 for 1 and 1 for 2", '"1", "2"'),
        ((1, -1), "-1 for unacceptable and 1 for acceptable", "0 for -1", '"-1", "1"'),
        ((0, 2), "0 for unacceptable and 2 for acceptable", "1 for 2", '"0", "2"'),
        ((7, 12), "7 for unacceptable and 12 for acceptable", "0 for 7 and 1 for 12", '"7", "12"'),
    ],
)
def test_two_other_numbers_are_one_mistake_and_the_map_to_0_and_1_is_told(
    name: str, labels: tuple[int, int], means: str, written: str, names: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    WRITERS[name]([*labels] * 50, path)
    (problem,) = problems_of(lambda: load_file(path))
    assert problem.startswith(f"{path}: column 'label': all labels are ")
    assert "a label is 0 (unacceptable) or 1 (acceptable): labels count from 0. " in problem
    assert f"If the file has {means}, write {written}, or set dataset.class_names " in problem
    assert problem.endswith(f"to these two labels: [{names}]")
    # Both ways out lead to the same classes.
    first, second = names.replace('"', "").split(", ")
    named = load_file(path, class_names=(first, second))
    low = min(labels)
    WRITERS[name]([int(label != low) for label in [*labels] * 50], path)
    assert rows_of(named) == rows_of(load_file(path))


def test_a_number_beside_both_classes_is_told_with_its_line(tmp_path: Path) -> None:
    WRITERS["a.csv"]([0, 1] * 50 + [2], tmp_path / "a.csv")
    (problem,) = problems_of(lambda: load_file(tmp_path / "a.csv"))
    assert problem.startswith(f"{tmp_path / 'a.csv'}:102: column 'label': '2'; a label is 0 ")
    assert problem.endswith("labels count from 0")
    WRITERS["a.csv"](["1", "spam"] * 50, tmp_path / "a.csv")  # the one that fits may be right
    (problem,) = problems_of(lambda: load_file(tmp_path / "a.csv"))
    assert ":3: column 'label': 'spam' (50 rows, the first here); a label is 0 (" in problem


@pytest.mark.parametrize("classes", [("biling", "technical"), ("biling", "technical", "other")])
def test_a_misspelt_class_name_is_one_line_with_the_class_that_has_no_row(
    classes: tuple[str, ...], tmp_path: Path
) -> None:
    WRITERS["a.csv"](["billing", *classes[1:]] * 30, tmp_path / "a.csv")
    (problem,) = problems_of(lambda: load_file(tmp_path / "a.csv", class_names=classes))
    assert ":2: column 'label': 'billing' (30 rows, the first here); a label is " in problem
    assert problem.endswith(
        "; no row here is of class 'biling': if it is the same, correct dataset.class_names or "
        "the file"
    )


def test_a_misspelt_label_has_the_nearest_class_name_and_a_number_has_none(tmp_path: Path) -> None:
    WRITERS["a.csv"](["billing", "technical"] * 30 + ["Techncal", "12"], tmp_path / "a.csv")
    names = ("billing", "technical")
    label, number = problems_of(lambda: load_file(tmp_path / "a.csv", class_names=names))
    assert label.endswith("a label is 0 (billing) or 1 (technical); did you mean 'technical'?")
    assert number.endswith("labels count from 0")


def test_names_are_searched_for_no_more_wrong_labels_than_are_shown(tmp_path: Path) -> None:
    names = tuple(f"class of the number {number}" for number in range(256))
    wrong = [f"klass of the number {number}" for number in range(3000)]
    WRITERS["a.csv"]([*names, *names, *wrong], tmp_path / "a.csv")
    searches = 0

    def profile(frame: FrameType, event: str, _: object) -> None:
        nonlocal searches
        searches += event == "call" and frame.f_code is likely_name.__code__

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        problems = problems_of(lambda: load_file(tmp_path / "a.csv", class_names=names))
    finally:
        sys.setprofile(before)
    assert len(problems) == PROBLEMS_SHOWN + 1  # and the number of the others
    assert all("did you mean 'class of the number " in problem for problem in problems[:-1])
    assert 0 < searches <= PROBLEMS_SHOWN


NAMES = st.one_of(
    st.sampled_from(["0", "1", "2", "-1", "1.0", "01", "true", "True", "FALSE", "yes", "no"]),
    st.text(max_size=6),
)


@settings(max_examples=300, deadline=None)
@given(class_names=st.tuples(NAMES, NAMES))
def test_every_pair_of_names_means_its_classes_or_is_refused(class_names: tuple[str, str]) -> None:
    if ambiguity(class_names) is None:
        known = classes_of_labels(class_names)
        assert [known[meaning_of(f" {name}\t")] for name in class_names] == [0, 1]


@given(number=st.integers(-(10**30), 10**30))
def test_a_whole_number_is_one_label_whatever_its_type(number: int) -> None:
    spelled = {meaning_of(number), meaning_of(str(number)), meaning_of(f"{number}.0")}
    if number == float(number):
        spelled.add(meaning_of(float(number)))
    assert len(spelled) == 1


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_the_label_that_it_is_written_as(number: float) -> None:
    written = repr(number)
    if "e" not in written:
        assert meaning_of(number) == meaning_of(written)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "", "  ", b"1", [1], {"a": 1}])
def test_what_cannot_be_a_label_means_nothing(value: object) -> None:
    assert meaning_of(value) is None
