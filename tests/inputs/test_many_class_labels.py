"""Files with more than two classes: labels against pandas, mistakes named before training."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders.own_files import by_idx, load_file, problems_of
from builders.waiting import UNREACHABLE
from pydantic import ValidationError

from harness.inputs import data
from harness.inputs.data.summary import summarize
from harness.suite.class_names import MOST_CLASSES, ambiguity, classes_of_labels, meaning_of
from harness.suite.spec import DatasetSpec, load_suite

ROOT = Path(__file__).parents[2]

NAMES = ("sport", "0-day", "Körper", "misc")


def table(labels: list[Any]) -> pd.DataFrame:
    sentences = [f"Sentence {number}." for number in range(len(labels))]
    return pd.DataFrame({"sentence": sentences, "label": labels})


def write(path: Path, labels: list[Any]) -> Path:
    rows = table(labels)
    match path.suffix:
        case ".csv":
            rows.to_csv(path, index=False)
        case ".tsv":
            rows.to_csv(path, index=False, sep="\t")
        case ".jsonl":
            rows.to_json(path, orient="records", lines=True, force_ascii=False)
        case _:
            rows.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet"])
@pytest.mark.parametrize("as_numbers", [True, False])
def test_labels_are_names_or_numbers_in_every_format(
    name: str, as_numbers: bool, tmp_path: Path
) -> None:
    numbers = [number % 4 for number in range(40)]
    labels = numbers if as_numbers else [NAMES[number] for number in numbers]
    path = write(tmp_path / name, labels)
    loaded = load_file(path, class_names=NAMES, validation_size=8, test_size=4)
    read = by_idx(loaded)
    assert [read[row] for row in range(40)] == list(
        zip(table(labels)["sentence"], numbers, strict=True)
    )
    for split, sentences in (("train", 28), ("validation", 8), ("test", 4)):
        assert len(loaded.splits[split]) == sentences
        assert loaded.splits[split].features["label"].names == list(NAMES)
    assert summarize(loaded.rows, loaded.class_names)[0].labels == dict.fromkeys(NAMES, 7)


@pytest.mark.parametrize(
    ("class_names", "labels", "expected"),
    [
        (("1", "2", "3", "4", "5"), [1, 2, 3, 4, 5], [0, 1, 2, 3, 4]),
        (("0", "Syntax", "Semantics"), ["0", "Syntax", "Semantics"], [0, 1, 2]),
        (("a", "b", "c"), ["2", 1.0, "a"], [2, 1, 0]),
        (("true", "false", "unknown"), [True, False, "unknown"], [0, 1, 2]),
    ],
)
def test_a_label_means_a_name_or_the_number_of_a_class(
    class_names: tuple[str, ...], labels: list[Any], expected: list[int]
) -> None:
    known = classes_of_labels(class_names)
    assert [known[meaning_of(label)] for label in labels] == expected


def test_only_two_classes_are_false_and_true() -> None:
    assert classes_of_labels(("a", "b"))[meaning_of(True)] == 1
    assert meaning_of(True) not in classes_of_labels(("a", "b", "c"))
    assert meaning_of("1") not in classes_of_labels(("1.5", "2.5", "3.5"))


def test_unknown_labels_are_named_once_with_what_is_allowed(tmp_path: Path) -> None:
    labels = [NAMES[number % 4] for number in range(40)]
    labels[3] = labels[9] = "Sport"
    labels[5] = "7"
    problems = problems_of(
        lambda: load_file(write(tmp_path / "a.csv", labels), class_names=NAMES, validation_size=8)
    )
    assert len(problems) == 2
    assert (
        "a.csv:5: column 'label': 'Sport' (2 rows, the first here); a label is 0 (sport), "
        in (problems[0])
    )
    assert problems[0].endswith("1 (0-day), 2 (Körper) or 3 (misc); did you mean 'sport'?")
    assert problems[1].endswith("3 (misc): labels count from 0")


def test_many_allowed_labels_are_not_all_listed(tmp_path: Path) -> None:
    names = [f"n{number}" for number in range(100)]
    labels = [*names, *names, "other"]
    (problem,) = problems_of(
        lambda: load_file(write(tmp_path / "a.csv", labels), class_names=names)
    )
    assert problem.endswith("8 (n8), ... or 99 (n99)")


@pytest.mark.parametrize("sentences", [0, 1])
def test_a_class_of_fewer_than_two_sentences_is_refused(sentences: int, tmp_path: Path) -> None:
    labels = [*["sport", "0-day", "Körper"] * 10, *["misc"] * sentences]
    path = write(tmp_path / "a.csv", labels)
    (problem,) = problems_of(lambda: load_file(path, class_names=NAMES, validation_size=8))
    assert f"(10 sport, 10 0-day, 10 Körper, {sentences} misc)" in problem
    assert "at least 2 of each class for train" in problem


def given(folder: Path, **labels: list[Any]) -> data.Data:
    files = {split: str(write(folder / f"{split}.csv", own)) for split, own in labels.items()}
    spec = DatasetSpec(source="file", class_names=NAMES, **files)
    return data.load(data.find(spec, None, UNREACHABLE, folder))


def test_a_given_split_that_lacks_a_class_is_noted(tmp_path: Path) -> None:
    loaded = given(tmp_path, train=[*NAMES] * 5, validation=["sport", "sport", "misc"])
    assert "dataset.validation has no sentence of 2 classes: '0-day', 'Körper'" in loaded.notes
    assert len(loaded.splits["validation"]) == 3


def test_a_given_split_of_one_class_cannot_be_scored(tmp_path: Path) -> None:
    (problem,) = problems_of(lambda: given(tmp_path, train=[*NAMES] * 5, validation=["misc"] * 3))
    assert "dataset.validation: 3 sentences (0 sport, 0 0-day, 0 Körper, 3 misc)" in problem
    assert "a labelled split needs at least two classes" in problem


def test_the_example_reads_types_of_errors_as_classes(tmp_path: Path) -> None:
    example = ROOT / "examples" / "rucola" / "error-types.toml"
    text = example.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 12
    corpus, copy = tmp_path / "shared/corpora/rucola", tmp_path / "checkout/examples/rucola"
    for folder in (corpus, copy):
        folder.mkdir(parents=True)
    (copy / example.name).write_text(text, encoding="utf-8")
    types = ["0", "Morphology", "Syntax", "Semantics"]
    for name, labels in (("in_domain_train", types * 4), ("in_domain_dev", types[1:] * 2)):
        table(labels).rename(columns={"label": "error_type"}).assign(
            sentence=[f"{name} {number}" for number in range(len(labels))], acceptable=0
        ).to_csv(corpus / f"{name}.csv", index=False)
    table(types)[["sentence"]].to_csv(corpus / "test.csv", index=False)
    spec = load_suite(copy / example.name).dataset
    loaded = data.load(data.find(spec, None, UNREACHABLE, copy))
    assert loaded.splits["train"]["label"][:] == [0, 1, 2, 3] * 4
    assert loaded.splits["validation"]["label"][:] == [1, 2, 3] * 2
    assert loaded.splits["test"]["label"][:] == [-1] * 4
    assert "dataset.validation has no sentence of 1 class: '0'" in loaded.notes


def test_a_class_that_train_lacks_is_named_with_where_it_is(tmp_path: Path) -> None:
    (problem,) = problems_of(
        lambda: given(tmp_path, train=[*NAMES[:3]] * 5, validation=["sport", "misc", "misc"])
    )
    assert "needs at least 2 of each class" in problem
    assert "dataset.validation has 2 of class 'misc', the first at" in problem


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"class_names": [f"n{n}" for n in range(2000)]}, "there are 2,000 class names; allowed"),
        ({"class_names": ["one"]}, f"1 class names; allowed are 2 to {MOST_CLASSES}"),
        ({"class_names": ["a", "b", "a"]}, "'a' and 'a' may be read as the same"),
        ({"class_names": ["1", "2", "01"]}, "'1' and '01' may be read as the same"),
        ({"class_names": ["a", " ", "c"]}, "must not be blank"),
        ({"class_names": ["a", "b", "c"], "source": "cola", "path": None}, "exactly two classes"),
    ],
)
def test_class_names_that_make_no_sense_are_refused(keys: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        DatasetSpec(**{"source": "file", "path": "a.csv", **keys})


def test_the_most_classes_are_distinct() -> None:
    assert ambiguity([f"n{number}" for number in range(MOST_CLASSES)]) is None
