"""The column of groups of the user's own data: read beside the labels; its mistakes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders.own_files import load_file, problems_of
from builders.waiting import UNREACHABLE
from pydantic import ValidationError

from harness.inputs import data
from harness.suite.spec import DatasetSpec

FRAME = pd.DataFrame(
    {
        "author": [f"writer {n % 7}" for n in range(40)],
        "sentence": [f"Sentence {n} is here." for n in range(40)],
        "label": [n % 2 for n in range(40)],
    }
)
WRITERS: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "own.csv": lambda frame, path: frame.to_csv(path, index=False),
    "own.tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "own.json": lambda frame, path: frame.to_json(path, orient="records"),
    "own.jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "own.parquet": lambda frame, path: frame.to_parquet(path, index=False),
}


def written(folder: Path, frame: pd.DataFrame, name: str = "own.csv") -> Path:
    WRITERS[name](frame, folder / name)
    return folder / name


def groups_of(loaded: data.Data) -> dict[str, str]:
    return {row["sentence"]: row["source"] for split in loaded.splits.values() for row in split}


def mistakes(path: Path, **settings: Any) -> list[str]:
    return problems_of(lambda: load_file(path, group_column="author", **settings))


@pytest.mark.parametrize("name", WRITERS)
def test_every_sentence_keeps_its_group(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, FRAME, name)
    loaded = load_file(path, group_column="author", test_size=8)
    assert groups_of(loaded) == dict(zip(FRAME["sentence"], FRAME["author"], strict=True))
    sides = [set(split["source"]) for split in loaded.splits.values()]
    assert sum(map(len, sides)) == len(set.union(*sides))  # no group is in two splits
    assert set(groups_of(load_file(path, test_size=8)).values()) == {""}


def test_numbers_name_groups(tmp_path: Path) -> None:
    frame = FRAME.assign(author=[n // 4 for n in range(40)])
    for name in ("own.csv", "own.jsonl", "own.parquet"):
        found = groups_of(load_file(written(tmp_path, frame, name), group_column="author"))
        assert set(found.values()) == set(map(str, range(10)))


def test_whole_numbers_name_one_group_in_every_format(tmp_path: Path) -> None:
    numbers = [n // 4 for n in range(40)]
    written(tmp_path, FRAME.assign(author=numbers), "own.csv")
    more = FRAME.assign(author=[float(n) for n in numbers])
    more["sentence"] = [f"{text} again" for text in FRAME["sentence"]]
    written(tmp_path, more, "own.parquet")
    files = ["own.csv", "own.parquet"]
    spec = DatasetSpec(source="file", train=files, group_column="author", validation_size=16)
    loaded = data.load(data.find(spec, None, UNREACHABLE, tmp_path))
    sides = [set(loaded.splits[name]["source"]) for name in ("train", "validation")]
    assert sides[0].isdisjoint(sides[1])
    assert set.union(*sides) == set(map(str, range(10)))


def test_given_splits_have_groups_and_drawn_ones_keep_them(tmp_path: Path) -> None:
    FRAME[:20].to_csv(tmp_path / "train.csv", index=False)
    FRAME[20:].to_csv(tmp_path / "validation.csv", index=False)
    FRAME[:6].drop(columns="label").assign(sentence=[f"New {n}." for n in range(6)]).to_csv(
        tmp_path / "test.csv", index=False
    )

    def loaded(**files: Any) -> data.Data:
        spec = DatasetSpec(source="file", group_column="author", **files)
        return data.load(data.find(spec, None, UNREACHABLE, tmp_path))

    expected = dict(zip(FRAME["sentence"], FRAME["author"], strict=True))
    files = {"train": "train.csv", "validation": "validation.csv", "test": "test.csv"}
    given = loaded(**files)
    ungrouped = DatasetSpec.model_validate({"source": "file", **files})
    found = data.load(data.find(ungrouped, None, UNREACHABLE, tmp_path))
    assert found.fingerprint == given.fingerprint  # no run trains again
    assert {text: name for text, name in groups_of(given).items() if text in expected} == expected
    assert given.splits["test"]["source"][:] == FRAME["author"][:6].tolist()
    drawn = groups_of(loaded(train="train.csv", validation_size=6))
    assert drawn == {text: expected[text] for text in FRAME["sentence"][:20]}
    FRAME[20:].assign(author="one").to_csv(tmp_path / "validation.csv", index=False)
    FRAME[:20].assign(author="one").to_csv(tmp_path / "train.csv", index=False)
    (problem,) = problems_of(lambda: loaded(train="train.csv", validation="validation.csv"))
    assert "and 1 more file: column 'author': all 40 sentences are of group 'one'" in problem


@pytest.mark.parametrize(
    ("author", "words"),
    [
        ("one", "column 'author': all 40 sentences are of group 'one'; name a column whose"),
        (list(range(40)), "column 'author': each of the 40 sentences is a group of its own; name"),
        (["", *["a", "b"] * 19, "a"], "own.csv:2: column 'author': empty group; fill it in"),
        (["a", "b"] * 19 + ["a", "  "], "own.csv:41: column 'author': empty group; fill it in"),
    ],
)
def test_groups_that_cannot_be_used_are_one_error(author: Any, words: str, tmp_path: Path) -> None:
    (problem,) = mistakes(written(tmp_path, FRAME.assign(author=author)))
    assert words in problem


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "row 3: column 'author': missing group; fill it in or remove the row"),
        (["a", "b"], "row 3: column 'author': ['a', 'b'] is not text or a number"),
        ({"name": "a"}, "row 3: column 'author': {'name': 'a'} is not text or a number"),
        ("a\0b", "row 3: column 'author': 'a\\x00b' contains a NUL character; remove it"),
    ],
)
def test_a_value_that_names_no_group_is_shown(value: Any, words: str, tmp_path: Path) -> None:
    frame = FRAME.astype({"author": object})
    frame.at[2, "author"] = value
    assert any(words in each for each in mistakes(written(tmp_path, frame, "own.json")))


def test_every_missing_group_and_wrong_label_is_reported_at_once(tmp_path: Path) -> None:
    frame = FRAME.astype({"label": object})
    frame.loc[[1, 4], "author"] = ""
    frame.loc[6, "label"] = "perhaps"
    problems = mistakes(written(tmp_path, frame))
    assert [problem.partition(": column ")[0][-2:] for problem in problems] == [":3", ":6", ":8"]


def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    path = written(tmp_path, FRAME.rename(columns={"author": "writer"}))
    (problem,) = mistakes(path)
    assert "no column 'author'; there are 'writer', 'sentence', 'label'" in problem
    assert problem.endswith("set dataset.group_column to one of them")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"source": "cola"}, "CoLA's publications are used without it"),
        ({"source": "embedded"}, 'need source = "file" or "hub"'),
        ({"source": "file", "path": "x.csv", "text_column": "author"}, "text_column must differ"),
        ({"source": "file", "path": "x.csv", "label_column": "author"}, "label_column must differ"),
    ],
)
def test_the_key_fits_the_other_keys(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        DatasetSpec(group_column="author", **settings)
    assert "group_column" not in DatasetSpec(**{**settings, "text_column": "text"}).model_dump()
