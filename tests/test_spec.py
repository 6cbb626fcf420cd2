"""A suite file either loads whole, or every mistake in it is told at once."""

import contextlib
import math
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from harness.errors import BadInput
from harness.spec import Override, Suite, TrainingSpec, load_suite

ROOT = Path(__file__).parent.parent

GOOD = """
name = "mine"
[dataset]
source = "embedded"
[matrix]
checkpoints = ["org/one", "org/two"]
batch_sizes = [16]
learning_rates = [2e-5]
"""


def suite_file(folder: Path, text: str) -> Path:
    path = folder / "suite.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str, *overrides: Override) -> tuple[str, ...]:
    with pytest.raises(BadInput) as caught:
        load_suite(suite_file(folder, text), overrides)
    return caught.value.problems


@pytest.mark.parametrize("name", ["quickstart", "cola", "cola-full"])
def test_the_shipped_suites_load(name: str) -> None:
    suite = load_suite(ROOT / "benchmarks" / f"{name}.toml")
    assert suite.name == name
    assert suite.gates.min_mcc == 0.3


def test_defaults_are_the_tutorials() -> None:
    training = TrainingSpec()
    assert (training.epochs, training.weight_decay, training.selection) == (5, 0.01, "best-epoch")
    assert (training.batching, training.precision, training.warmup_ratio) == ("random", "fp32", 0)


def test_every_mistake_is_told_at_once_with_key_and_value(tmp_path: Path) -> None:
    text = """
    name = "../up"
    colour = "red"
    [dataset]
    source = "web"
    [matrix]
    checkpoints = []
    batch_sizes = [16, 0, 16.5]
    learning_rates = [-2e-5, nan, inf, 2.0, "3e-5"]
    seds = [1]
    seeds = [1, 1]
    [training]
    epochs = 0
    precision = "int8"
    [limits]
    workers = "many"
    """
    told = problems(tmp_path, text)
    for expected in (
        ("name", "'../up'"),
        ("colour", "unknown key"),
        ("dataset.source", "'web'", "'cola', 'embedded' or 'file'"),
        ("matrix.checkpoints", "empty"),
        ("matrix.batch_sizes[1]", "0:", "greater than or equal to 1"),
        ("matrix.batch_sizes[2]", "16.5"),
        ("matrix.learning_rates[0]", "-2e-05", "greater than 0"),
        ("matrix.learning_rates[1]", "nan", "finite"),
        ("matrix.learning_rates[2]", "inf", "finite"),
        ("matrix.learning_rates[3]", "2.0", "less than 1"),
        ("matrix.learning_rates[4]", "'3e-5'", "number"),
        ("matrix.seds", "did you mean seeds?"),
        ("matrix.seeds", "[1, 1]", "every value once"),
        ("training.epochs", "0:"),
        ("training.precision", "'int8'", "'fp32', 'bf16' or 'fp16'"),
        ("limits.workers", "'many'", "auto"),
    ):
        assert any(all(part in line for part in expected) for line in told), (expected, told)
    assert all(line.startswith(f"{tmp_path / 'suite.toml'}: ") for line in told)


def test_a_missing_section_is_named(tmp_path: Path) -> None:
    assert any("matrix: missing" in line for line in problems(tmp_path, 'name = "a"'))


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ('source = "file"', "needs path"),
        ('source = "embedded"\npath = "x.csv"', "has no path"),
        ('source = "file"\npath = "x.csv"\nvalidation_size = 0', "nothing to score"),
        ('source = "file"\npath = "x.csv"\nvalidation_size = 1.5', "fraction below 1"),
        ('source = "file"\npath = "x.csv"\ntext_column = "label"', "must differ"),
        ('source = "embedded"\nclass_names = ["a", "a"]', "must differ"),
    ],
)
def test_a_data_set_that_makes_no_sense_is_refused(
    tmp_path: Path, dataset: str, expected: str
) -> None:
    (told,) = problems(tmp_path, GOOD.replace('source = "embedded"', dataset))
    assert expected in told


def test_a_gate_that_would_never_apply_is_a_mistake(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, GOOD + '[gates.checkpoint."org/three"]\nmin_mcc = 0.2\n')
    assert 'gates.checkpoint."org/three"' in told
    assert "org/one, org/two" in told


def test_a_gate_of_a_checkpoint_left_out_by_a_flag_is_none(tmp_path: Path) -> None:
    path = suite_file(tmp_path, GOOD + '[gates.checkpoint."org/two"]\nmin_mcc = 0.2\n')
    only = Override(key="matrix.checkpoints", flag="--checkpoints", value=["org/one"])
    assert load_suite(path, [only]).matrix.checkpoints == ("org/one",)


def test_an_override_applies_and_its_mistakes_name_the_flag(tmp_path: Path) -> None:
    flag = Override(key="matrix.batch_sizes", flag="--batch-sizes", value=[8, 64])
    assert load_suite(suite_file(tmp_path, GOOD), [flag]).matrix.batch_sizes == (8, 64)
    wrong = (
        Override(key="matrix.batch_sizes", flag="--batch-sizes", value=[0, "x"]),
        Override(key="training.epochs", flag="--epochs", value="many"),
    )
    told = problems(tmp_path, GOOD, *wrong)
    assert [line.split(":")[0] for line in told] == ["--batch-sizes"] * 2 + ["--epochs"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"\xff\xfe", "not UTF-8"), (b"name = ", "not valid TOML"), (b"", "missing")],
)
def test_a_file_that_is_no_suite_is_said_to_be_none(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    path = tmp_path / "suite.toml"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=expected):
        load_suite(path)


def test_a_file_that_is_not_there_and_a_folder_are_said_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such suite file"):
        load_suite(tmp_path / "none.toml")
    with pytest.raises(BadInput, match="cannot be read"):
        load_suite(tmp_path)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*Suite.model_fields, "x", "seeds"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(value=VALUES, key=st.sampled_from(["dataset", "matrix", "matrix.seeds", "gates", "limits"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_value_anywhere_gives_a_suite_or_told_mistakes(
    tmp_path: Path, key: str, value: Any
) -> None:
    path = suite_file(tmp_path, GOOD)
    with contextlib.suppress(BadInput):
        assert load_suite(path, [Override(key=key, flag="--x", value=value)]).name == "mine"


@given(content=st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_give_told_mistakes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "suite.toml"
    path.write_bytes(content)
    with pytest.raises(BadInput):
        load_suite(path)


def test_a_loaded_number_is_what_the_file_says() -> None:
    raw = tomllib.loads((ROOT / "benchmarks" / "cola.toml").read_text(encoding="utf-8"))
    suite = load_suite(ROOT / "benchmarks" / "cola.toml")
    assert list(suite.matrix.learning_rates) == raw["matrix"]["learning_rates"]
    assert all(math.isfinite(rate) for rate in suite.matrix.learning_rates)


def models(model: type[BaseModel]) -> list[type[BaseModel]]:
    inner = [field.annotation for field in model.model_fields.values()]
    nested = [kind for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return [model, *(found for kind in nested for found in models(kind))]


def test_every_key_of_a_leaf_is_described() -> None:
    undescribed = [
        f"{model.__name__}.{name}"
        for model in models(Suite)
        for name, field in model.model_fields.items()
        if not field.description
        and not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel))
    ]
    assert undescribed == []
