"""Mistakes in the files and classes of a suite: each is one clear message, before training."""

import json
from pathlib import Path
from typing import Any

import pytest
from builders.commands import harness
from builders.own_files import load_file, problems_of
from builders.waiting import UNREACHABLE
from datasets import ClassLabel, Dataset, Features, Value

from harness.errors import BadInput
from harness.inputs import data
from harness.suite.spec import DatasetSpec, load_suite

NAMES = ("sport", "art", "rest")

SUITE = """
name = "topics"
[dataset]
source = "file"
train = ["one.csv", "two.csv", "three.csv"]
validation = "validation.csv"
test = "test.csv"
class_names = ["sport", "art", "rest"]
[matrix]
checkpoints = ["org/encoder"]
batch_sizes = [8]
learning_rates = [1e-3]
"""


def write(path: Path, labels: list[Any], first: int = 0, label: str = "label") -> Path:
    rows = [f"Sentence {first + number}.,{each}" for number, each in enumerate(labels)]
    path.write_text("\n".join([f"sentence,{label}", *rows]) + "\n", encoding="utf-8")
    return path


def parquet(path: Path, names: tuple[str, ...], labels: list[int], first: int = 0) -> str:
    """Write a file as `datasets` does: labels are numbers, and the file contains their names."""
    features = Features({"sentence": Value("string"), "label": ClassLabel(names=list(names))})
    texts = [f"Sentence {first + number}." for number in range(len(labels))]
    Dataset.from_dict({"sentence": texts, "label": labels}, features=features).to_parquet(path)
    return str(path)


def load(folder: Path, names: tuple[str, ...] = NAMES, **files: Any) -> data.Data:
    spec = DatasetSpec(source="file", class_names=names, **files)
    return data.load(data.find(spec, None, UNREACHABLE, folder))


# Class names


def test_a_file_with_the_class_names_in_another_order_is_refused(tmp_path: Path) -> None:
    train = parquet(tmp_path / "train.parquet", NAMES, [0, 1, 2] * 4)
    other = parquet(tmp_path / "dev.parquet", ("art", "sport", "rest"), [0, 1, 2] * 2, 100)
    found = problems_of(lambda: load(tmp_path, train=train, validation=other))
    assert found == [
        f"{other}: column 'label': the file's own class names are 'art', 'sport', 'rest' in this "
        "order, but dataset.class_names are 'sport', 'art', 'rest'; use the file's order"
    ]
    (problem,) = problems_of(
        lambda: load_file(Path(other), class_names=NAMES, validation_size=2, test_size=0)
    )
    assert problem == found[0]


def test_files_that_name_their_classes_differently_are_refused(tmp_path: Path) -> None:
    train = parquet(tmp_path / "train.parquet", ("s", "a", "r"), [0, 1, 2] * 4)
    other = parquet(tmp_path / "dev.parquet", ("a", "s", "r"), [0, 1, 2] * 2, 100)
    assert problems_of(lambda: load(tmp_path, train=train, validation=other)) == [
        f"{other}: dataset.validation declares the class names 'a', 's', 'r', but dataset.train "
        f"({train}) 's', 'a', 'r': the same number would mean different classes; write the labels "
        "of both files with the same names"
    ]


@pytest.mark.parametrize(
    "declared",
    [
        ("art", "sport", "other"),  # another class is renamed
        ("art", "sport", "rest", "more"),
        ("other", "rest", "sport", "more"),
    ],
)
def test_a_file_with_some_class_names_at_other_places_is_refused(
    declared: tuple[str, ...], tmp_path: Path
) -> None:
    path = parquet(tmp_path / "own.parquet", declared, [0, 1, 2] * 8)
    (problem,) = problems_of(
        lambda: load_file(Path(path), class_names=NAMES, validation_size=6, test_size=0)
    )
    assert "in this order, but dataset.class_names are 'sport', 'art', 'rest'" in problem


@pytest.mark.parametrize(
    "names",
    [("1", "0"), ("2", "0", "1"), ("1", "2", "3"), ("-1", "0", "1"), ("true", "false")],
)
def test_numbers_of_a_file_that_declares_its_class_names_are_places(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    numbers = [*range(len(names))]
    train = parquet(tmp_path / "train.parquet", names, numbers * 6)
    other = parquet(tmp_path / "dev.parquet", names, numbers[::-1] * 2, 100)
    by_name = write(tmp_path / "test.csv", [*names] * 2, 200)  # no places here
    loaded = load(tmp_path, names, train=train, validation=other, test=str(by_name))
    assert loaded.splits["train"]["label"][:] == numbers * 6
    assert loaded.splits["validation"]["label"][:] == numbers[::-1] * 2
    assert loaded.splits["test"]["label"][:] == numbers * 2
    drawn = load_file(Path(train), class_names=names, validation_size=len(names) * 2, test_size=0)
    rows = [
        row
        for split in drawn.splits.values()
        for row in zip(split["idx"], split["label"], strict=True)
    ]
    assert [label for _, label in sorted(rows)] == numbers * 6


def test_numbers_beyond_the_declared_classes_are_no_class(tmp_path: Path) -> None:
    declared, names = ("1", "2", "3"), ("1", "2")
    train = parquet(tmp_path / "train.parquet", declared, [0, 1] * 6)
    other = parquet(tmp_path / "dev.parquet", declared, [0, 1, 2] * 2, 100)  # 2 means "3"
    (problem,) = problems_of(lambda: load(tmp_path, names, train=train, validation=other))
    assert "column 'label': '3' (2 rows, the first here); a label is '1' or '2'" in problem


def test_hidden_labels_are_no_class_whose_name_is_minus_one(tmp_path: Path) -> None:
    names = ("-1", "0", "1")
    train = parquet(tmp_path / "train.parquet", names, [0, 1, 2] * 6)
    other = parquet(tmp_path / "dev.parquet", names, [0, 1, 2] * 2, 100)
    test = parquet(tmp_path / "test.parquet", names, [-1] * 6, 200)
    loaded = load(tmp_path, names, train=train, validation=other, test=test)
    assert loaded.splits["test"]["label"][:] == [-1] * 6
    assert loaded.splits["validation"]["label"][:] == [0, 1, 2] * 2


@pytest.mark.parametrize("names", [NAMES, ("s", "a", "r")])
def test_a_suite_may_rename_the_classes_of_all_its_files(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    train = parquet(tmp_path / "train.parquet", names, [0, 1, 2] * 4)
    other = parquet(tmp_path / "dev.parquet", names, [2, 1, 0] * 2, 100)
    loaded = load(tmp_path, train=train, validation=other)
    assert loaded.splits["validation"]["label"][:] == [2, 1, 0] * 2
    assert loaded.splits["train"].features["label"].names == list(NAMES)


def test_labels_that_only_another_split_has_are_named_once(tmp_path: Path) -> None:
    train = write(tmp_path / "train.csv", [*NAMES] * 4)
    other = write(tmp_path / "dev.csv", ["sport", "Kunst", "art", "Kunst", "Rest"], 100)
    found = problems_of(lambda: load(tmp_path, train=str(train), validation=str(other)))
    assert [problem.partition(";")[0] for problem in found] == [
        f"{other}:3: column 'label': 'Kunst' (2 rows, the first here)",
        f"{other}:6: column 'label': 'Rest'",
    ]


# Many classes


def test_two_thousand_class_names_are_refused_in_one_short_message(tmp_path: Path) -> None:
    names = json.dumps([f"class {number}" for number in range(2000)])
    path = tmp_path / "suite.toml"
    path.write_text(SUITE.replace('["sport", "art", "rest"]', names), encoding="utf-8")
    (problem,) = problems_of(lambda: load_suite(path))
    assert problem.startswith(f"{path}: dataset.class_names: ")
    assert problem.endswith("there are 2,000 class names; allowed are 2 to 256")
    assert len(problem) < 400


@pytest.mark.parametrize("split", ["train", "validation"])
def test_two_thousand_labels_are_not_all_listed(split: str, tmp_path: Path) -> None:
    files: dict[str, Any] = {
        "train": str(write(tmp_path / "train.csv", [*NAMES] * 4)),
        "validation": str(write(tmp_path / "dev.csv", [*NAMES] * 2, 100)),
    }
    many = [f"class {number}" for number in range(2000)]
    files[split] = str(write(tmp_path / "many.csv", many, 200))
    found = problems_of(lambda: load(tmp_path, **files))
    assert len(found) == 11
    assert found[-1] == f"{files[split]}: and 1,990 more such problems"
    assert max(map(len, found)) < 400


# Empty splits


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("empty.csv", "", "empty; it must contain sentences"),
        ("empty.csv", "\n\n", "blank; it must contain sentences"),
        ("empty.csv", "sentence,label\n", "no rows"),
        ("empty.json", "[]", "an empty JSON array"),
        ("empty.jsonl", "\n", "blank; it must contain sentences"),
        ("empty.parquet", None, "no rows"),
    ],
)
def test_a_split_without_a_sentence_is_refused(
    split: str, name: str, content: str | None, expected: str, tmp_path: Path
) -> None:
    files: dict[str, Any] = {
        "train": str(write(tmp_path / "train.csv", [*NAMES] * 4)),
        "validation": str(write(tmp_path / "dev.csv", [*NAMES] * 2, 100)),
    }
    files[split] = str(tmp_path / name)
    if content is None:
        parquet(tmp_path / name, NAMES, [])
    else:
        (tmp_path / name).write_text(content, encoding="utf-8")
    (problem,) = problems_of(lambda: load(tmp_path, **files))
    assert problem.startswith(f"{files[split]}: {expected}")


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_split_of_no_file_is_refused(split: str, tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    lines = [
        f"{split} = []" if line.startswith(f"{split} =") else line for line in SUITE.split("\n")
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        load_suite(path)
    assert any(f"dataset.{split}" in problem for problem in caught.value.problems)


# All at once


def test_every_wrong_name_of_a_validation_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    table = '{ in = "a.csv", "a b" = "b.csv", near = "c.csv", "" = "d.csv", test = "e.csv" }'
    path.write_text(SUITE.replace('"validation.csv"', table), encoding="utf-8")
    (problem,) = problems_of(lambda: load_suite(path))
    form = "a name has letters, digits, - and _, at most 64, and no - or _ first"
    assert problem == (
        f"{path}: dataset.validation: name 'in': records use this name for CoLA; write in-domain; "
        f"name 'a b': {form}; name '': {form}; name 'test': tables use this name for the split"
    )


def test_a_command_names_every_mistake_of_every_file(tmp_path: Path) -> None:
    write(tmp_path / "one.csv", [*["sport", "art"] * 4, "rest"])
    write(tmp_path / "two.csv", [*["sport", "art"] * 4], 100, label="topic")
    (tmp_path / "three.csv").write_bytes((tmp_path / "one.csv").read_bytes())
    write(tmp_path / "validation.csv", ["sport", "art", "film", "film"], 200)
    write(tmp_path / "test.csv", [], 300)
    (tmp_path / "suite.toml").write_text(SUITE, encoding="utf-8")
    done = harness("plan", "--suite", str(tmp_path / "suite.toml"), "--results-dir", str(tmp_path))
    assert done.code == 4
    for expected in (
        "two.csv: no column 'label'; there are 'sentence', 'topic'",
        "validation.csv:4: column 'label': 'film' (2 rows, the first here)",
        "test.csv: no rows",
    ):
        assert done.err.count(expected) == 1, done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "topics").exists()

    write(tmp_path / "two.csv", [*["sport", "art"] * 4], 100)
    write(tmp_path / "validation.csv", [*NAMES, "rest"], 200)
    write(tmp_path / "test.csv", [-1, -1], 300)
    done = harness("plan", "--suite", str(tmp_path / "suite.toml"), "--results-dir", str(tmp_path))
    assert done.code == 4
    assert "three.csv: dataset.train[2] has the same 9 sentences and labels as" in done.err

    write(tmp_path / "three.csv", [*["sport", "art"] * 4], 400)
    done = harness("plan", "--suite", str(tmp_path / "suite.toml"), "--results-dir", str(tmp_path))
    assert done.code == 4
    assert "(12 sport, 12 art, 1 rest); a labelled split needs at least 2 of each" in done.err
    assert "dataset.validation has 2 of class 'rest', the first at" in done.err


def test_a_list_and_a_value_of_one_setting_are_named_with_mistakes_of_the_data(
    tmp_path: Path,
) -> None:
    text = f"{SUITE}epochs = [3, 5]\n[training]\nepochs = 4\n"
    text = text.replace('validation = "validation.csv"', "validation = []")
    (tmp_path / "suite.toml").write_text(text, encoding="utf-8")
    done = harness("plan", "--suite", str(tmp_path / "suite.toml"))
    assert done.code == 4
    assert "matrix.epochs" in done.err
    assert "training.epochs" in done.err
    assert "dataset.validation" in done.err
