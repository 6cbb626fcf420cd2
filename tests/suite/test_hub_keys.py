"""The keys of a data set of the hub in a suite."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import BadInput
from harness.suite.spec import DatasetSpec, load_suite

MATRIX = '[matrix]\ncheckpoints = ["org/a"]\nbatch_sizes = [8]\nlearning_rates = [1e-4]\n'


def section(folder: Path, *lines: str) -> DatasetSpec:
    path = folder / "suite.toml"
    text = "\n".join(['name = "mine"', MATRIX, "[dataset]", *lines])
    path.write_text(text, encoding="utf-8")
    return load_suite(path).dataset


def test_the_name_is_enough(tmp_path: Path) -> None:
    spec = section(tmp_path, 'source = "hub"', 'name = "org/data.set_1"')
    assert (spec.name, spec.config, spec.revision) == ("org/data.set_1", None, None)
    assert (spec.train, spec.validation, spec.test) == (None, None, None)
    assert spec.class_names == ()  # those of the data set
    assert DatasetSpec.model_validate_json(spec.model_dump_json()) == spec


def test_every_key_of_the_hub_is_kept(tmp_path: Path) -> None:
    spec = section(
        tmp_path,
        'source = "hub"',
        'name = "org/data"',
        'config = "main 2.0"',
        'revision = "refs/convert/parquet"',
        'train = ["a", "b"]',
        'validation = { near = "c", far = ["d", "e"] }',
        'class_names = ["x", "y", "z"]',
    )
    assert spec.config == "main 2.0"
    assert spec.revision == "refs/convert/parquet"
    assert spec.train == ("a", "b")
    assert spec.validation == {"near": ("c",), "far": ("d", "e")}
    assert spec.class_names == ("x", "y", "z")


def test_other_data_is_published_without_keys_of_the_hub() -> None:
    found: dict[str, Any] = json.loads(DatasetSpec(source="cola").model_dump_json())
    assert not {"name", "config", "revision"} & set(found)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], ['dataset.name: source = "hub" needs name = "org/name"']),
        (['name = "data"'], ["dataset.name: 'data': input should be a data set's name on the Hub"]),
        (['name = "a/b/c"'], ["dataset.name: 'a/b/c': input should be"]),
        (['name = "../etc"'], ["dataset.name: '../etc': input should be"]),
        (['name = "a/b"', 'revision = "../x"'], ["dataset.revision: '../x': input should be a br"]),
        (['name = "a/b"', 'config = ".."'], ["dataset.config: '..': input should be the name of"]),
        (['name = "a/b"', 'config = "a/*"'], ["dataset.config: 'a/*': input should be the name"]),
        (
            ['name = "a/b"', 'path = "x.csv"'],
            ["dataset.path: 'x.csv': a data set of the Hub"],
        ),
        (['name = "a/b"', 'quoting = "csv"'], ["dataset.quoting: 'csv': for CSV and TSV files"]),
        (['name = "a/b"', "train = 3"], ["dataset.train: 3: input should be the name of"]),
        (
            ['name = "a/b"', 'class_names = ["a", "a"]', 'revision = "a b"'],
            ["dataset.revision: 'a b': input", "dataset.class_names: ['a', 'a']: the two class"],
        ),
    ],
)
def test_every_mistake_is_reported_at_its_key(
    tmp_path: Path, lines: list[str], expected: list[str]
) -> None:
    with pytest.raises(BadInput) as caught:
        section(tmp_path, 'source = "hub"', *lines)
    found = [problem.partition("suite.toml: ")[2] for problem in caught.value.problems]
    assert [problem[: len(start)] for problem, start in zip(found, expected, strict=True)] == (
        expected
    )


@pytest.mark.parametrize("source", ["cola", "embedded", "file"])
def test_other_sources_have_no_such_keys(tmp_path: Path, source: str) -> None:
    path = ['path = "x.csv"'] if source == "file" else []
    with pytest.raises(BadInput) as caught:
        section(tmp_path, f'source = "{source}"', *path, 'name = "a/b"', 'config = "c"')
    assert [problem.partition("suite.toml: ")[2] for problem in caught.value.problems] == [
        "dataset.name: 'a/b': only source = \"hub\" has this key; remove it",
        "dataset.config: 'c': only source = \"hub\" has this key; remove it",
    ]
