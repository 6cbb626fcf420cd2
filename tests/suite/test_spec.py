"""A suite file either loads whole, or every mistake in it is told at once."""

import copy
import datetime
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from harness.errors import BadInput
from harness.suite.spec import Override, Suite, TrainingSpec, load_suite

ROOT = Path(__file__).parents[2]

GOOD = """
name = "mine"
[dataset]
source = "embedded"
[matrix]
checkpoints = ["org/one", "org/two"]
batch_sizes = [16]
learning_rates = [2e-5]
"""

anywhere = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200
)


def suite_file(folder: Path, text: str) -> Path:
    path = folder / "suite.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str, *overrides: Override) -> tuple[str, ...]:
    with pytest.raises(BadInput) as caught:
        load_suite(suite_file(folder, text), overrides)
    return caught.value.problems


def loaded(path: Path, *overrides: Override) -> Suite | tuple[str, ...]:
    """Return the suite of a file, or what is wrong with it; let any other exception through."""
    try:
        return load_suite(path, overrides)
    except BadInput as error:
        return error.problems


def flag(name: str, key: str, value: Any) -> Override:
    return Override(key=key, flag=name, value=value)


@pytest.mark.parametrize("name", ["quickstart", "cola", "cola-full"])
def test_a_shipped_suite_loads_and_says_what_its_file_says(name: str) -> None:
    path = ROOT / "benchmarks" / f"{name}.toml"
    suite = load_suite(path)
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    assert suite.name == name
    assert suite.gates.min_mcc == 0.3
    for key, values in raw["matrix"].items():
        assert list(getattr(suite.matrix, key)) == values
    assert suite.training.epochs == raw["training"]["epochs"]


def test_defaults_are_the_tutorials() -> None:
    training = TrainingSpec()
    assert (training.epochs, training.weight_decay, training.selection) == (5, 0.01, "best-epoch")
    assert (training.batching, training.precision, training.warmup_ratio) == ("random", "fp32", 0)


OTHER_TRAINING: dict[str, Any] = {
    "epochs": 1,
    "weight_decay": 0,
    "adam_beta1": 0.8,
    "adam_beta2": 0.98,
    "adam_epsilon": 1e-6,
    "warmup_ratio": 0.25,
    "lr_scheduler": "constant_with_warmup",
    "max_grad_norm": 0.5,
    "label_smoothing": 0.1,
    "max_length": 4,
    "eval_batch_size": 2**31 - 1,
    "selection": "last-epoch",
    "patience": 2,
    "precision": "bf16",
    "batching": "length-grouped",
    "on_oom": "halve",
    "speedups": [],
}


def test_every_setting_of_training_can_be_written_in_a_suite(tmp_path: Path) -> None:
    assert set(OTHER_TRAINING) == set(TrainingSpec.model_fields)
    lines = "\n".join(f"{key} = {toml(value)}" for key, value in OTHER_TRAINING.items())
    training = load_suite(suite_file(tmp_path, f"{GOOD}[training]\n{lines}\n")).training
    assert training.model_dump(mode="json") == OTHER_TRAINING
    default = TrainingSpec().model_dump(mode="json")
    assert [key for key, value in OTHER_TRAINING.items() if default.get(key) == value] == []


def test_every_mistake_is_told_at_once_with_key_and_value(tmp_path: Path) -> None:
    text = """
    name = "../up"
    colour = "red"
    [dataset]
    source = "web"
    [matrix]
    checkpoints = []
    batch_sizes = [16, 0, 16.5]
    learning_rates = [-2e-5, nan, inf, 2.0, "3e-5", 1e400, 1e-400]
    seds = [1]
    seeds = [1, 1]
    [training]
    epochs = 0
    precision = "int8"
    [limits]
    workers = "many"
    """
    told = problems(tmp_path, text)
    expected = (
        ("name: '../up'", "letters, digits, - and _, at most 64"),
        ("colour: unknown key", "allowed: dataset, gates, keep_models, limits, matrix, name"),
        ("dataset.source: 'web'", "'cola', 'embedded', 'file' or 'hub'"),
        ("matrix.checkpoints: empty", "at least one"),
        ("matrix.batch_sizes[1]: 0", "from 1 to 2,147,483,647"),
        ("matrix.batch_sizes[2]: 16.5", "a whole number"),
        ("matrix.learning_rates[0]: -2e-05", "above 0 and below 1"),
        ("matrix.learning_rates[1]: nan", "finite"),
        ("matrix.learning_rates[2]: inf", "finite"),
        ("matrix.learning_rates[3]: 2.0", "above 0 and below 1"),
        ("matrix.learning_rates[4]: '3e-5'", "a number"),
        ("matrix.learning_rates[5]: inf", "finite"),
        ("matrix.learning_rates[6]: 0.0", "above 0 and below 1"),
        ("matrix.seds: unknown key", "did you mean 'seeds'?"),
        ("matrix.seeds: [1, 1]", "every value once; repeated: 1"),
        ("training.epochs: 0", "from 1 to 2,147,483,647"),
        ("training.precision: 'int8'", "'fp32', 'bf16' or 'fp16'"),
        ("limits.workers: 'many'", 'a whole number from 1, or "auto"'),
    )
    for parts in expected:
        assert sum(all(part in line for part in parts) for line in told) == 1, (parts, told)
    assert len(told) == len(expected)
    assert all(line.startswith(f"{tmp_path / 'suite.toml'}: ") for line in told)


def test_checks_of_one_key_against_another_are_made_whatever_else_is_wrong(tmp_path: Path) -> None:
    text = """
    name = "mine"
    [dataset]
    source = "file"
    validation_size = 0
    test_size = "half"
    text_column = "label"
    class_names = ["same", "same"]
    [matrix]
    checkpoints = ["org/one", 2]
    batch_sizes = [0]
    learning_rates = [2e-5]
    [gates.checkpoint."org/two"]
    min_mcc = 2
    """
    expected = (
        ("dataset.path: source", 'needs path = "FILE"'),
        ("dataset.validation_size: 0", "nothing can be scored"),
        (
            "dataset.test_size: 'half'",
            "a fraction from 0 to below 1 (0.1) or a whole number from 0 (500)",
        ),
        ("dataset.label_column: 'label'", "must differ"),
        ("dataset.class_names: ['same', 'same']", "must differ"),
        ("matrix.checkpoints[1]: 2", "text in quotes"),
        ("matrix.batch_sizes[0]: 0", "from 1 to 2,147,483,647"),
        ('gates.checkpoint."org/two".min_mcc: 2', "from -1 to 1"),
        ('gates.checkpoint."org/two": no such checkpoint', "('org/one')"),
    )
    told = problems(tmp_path, text)
    for parts in expected:
        assert sum(all(part in line for part in parts) for line in told) == 1, (parts, told)
    assert len(told) == len(expected)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("seeds = 3", "matrix.seeds: 3: input should be a list, [...]"),
        ("seeds = {a = 1}", "matrix.seeds: input should be a list, [...]"),
        ("seeds = ['1']", "matrix.seeds[0]: '1': input should be a whole number"),
        ("seeds = [1.0]", "matrix.seeds[0]: 1.0: input should be a whole number"),
        ("seeds = [true]", "matrix.seeds[0]: true: input should be a whole number"),
        ("seeds = [-1]", "matrix.seeds[0]: -1: input should be from 0 to 4,294,967,295"),
        ("seeds = [4294967296]", "matrix.seeds[0]: 4294967296: input should be from 0 to"),
        ("[training]\nepochs = '1'", "training.epochs: '1': input should be a whole number"),
        (
            "[training]\nepochs = 2147483648",
            "training.epochs: 2147483648: input should be from 1 to",
        ),
        ("[limits]\nworkers = 1.5", "limits.workers: 1.5: input should be a whole number from 1,"),
        ("[limits]\nworkers = 0", "limits.workers: 0: input should be a whole number from 1,"),
        ("[limits]\nrun_seconds = '9'", "limits.run_seconds: '9': input should be a number"),
        ("[limits]\nrun_seconds = 1e9", "limits.run_seconds: 1000000000.0: input should be above"),
        ("[gates]\nmin_mcc = nan", "gates.min_mcc: nan: input should be a finite number"),
        ("[gates]\ncheckpoint = 1", "gates.checkpoint: 1: input should be a table, [section]"),
        ("[[training]]", "training: [{}]: input should be a table, [section] or {key = value}"),
    ],
)
def test_a_mistake_is_told_once_and_in_words_of_the_file(
    tmp_path: Path, lines: str, expected: str
) -> None:
    (told,) = problems(tmp_path, f"{GOOD}{lines}\n")
    assert told.startswith(f"{tmp_path / 'suite.toml'}: {expected}")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("int = 1", "matrix.int: unknown key (allowed: batch_sizes, "),
        ('"a.b" = 1', 'matrix."a.b": unknown key'),
        ('"two\\nlines" = 1', 'matrix."two\\nlines": unknown key'),
        ('"é" = 1', 'matrix."é": unknown key'),
        ('[gates.checkpoint."org/one"]\nmin_mc = 0', '"org/one".min_mc: unknown key; did you mean'),
        ("[matrix.seed]\nx = 1", "matrix.seed: unknown key; did you mean 'seeds'?"),
    ],
)
def test_an_unknown_key_is_named_as_it_was_written(
    tmp_path: Path, lines: str, expected: str
) -> None:
    (told,) = problems(tmp_path, f"{GOOD}{lines}\n")
    assert expected in told


def test_a_checkpoint_may_be_called_like_a_key(tmp_path: Path) -> None:
    told = problems(tmp_path, f"{GOOD}[gates.checkpoint.min_mcc]\nmin_mc = 0\n")
    assert any("gates.checkpoint.min_mcc.min_mc: unknown key; did you mean" in t for t in told)


def test_missing_sections_and_keys_are_named(tmp_path: Path) -> None:
    told = problems(tmp_path, "[matrix]\nseeds = [1]\n")
    shown = [line.removeprefix(f"{tmp_path / 'suite.toml'}: ") for line in told]
    missing = ("name", "dataset", *(f"matrix.{k}" for k in ("checkpoints", "batch_sizes")))
    assert shown == [f"{key}: missing; add it" for key in (*missing, "matrix.learning_rates")]


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ('source = "file"', "dataset.path: "),
        ('source = "embedded"\npath = "x.csv"', "dataset.path: 'x.csv': the embedded corpus takes"),
        ('source = "file"\npath = ""', "dataset.path: '': input should not be empty"),
        ('source = "file"\npath = "x.csv"\nvalidation_size = 0', "nothing can be scored"),
        ('source = "file"\npath = "x.csv"\nvalidation_size = 0.0', "nothing can be scored"),
        ('source = "file"\npath = "x.csv"\nvalidation_size = 1.0', "a fraction from 0 to below 1"),
        ('source = "file"\npath = "x.csv"\nvalidation_size = true', "true: input should be a frac"),
        ('source = "file"\npath = "x.csv"\ntest_size = -0.5', "a fraction from 0 to below 1"),
        ('source = "file"\npath = "x.csv"\ntest_size = nan', "nan: input should be a fraction"),
        ('source = "file"\npath = "x.csv"\ntext_column = "label"', "must differ"),
        ('source = "embedded"\nclass_names = ["a", "a"]', "must differ"),
        ('source = "embedded"\nclass_names = ["a", "b", "c"]', "exactly two classes"),
        ('source = "embedded"\nclass_names = ["a"]', "exactly two classes"),
    ],
)
def test_a_data_set_that_makes_no_sense_is_refused(
    tmp_path: Path, dataset: str, expected: str
) -> None:
    (told,) = problems(tmp_path, GOOD.replace('source = "embedded"', dataset))
    assert expected in told


@pytest.mark.parametrize(
    ("source", "path"), [("cola", None), ("cola", "folder"), ("file", "x.csv"), ("embedded", None)]
)
def test_every_source_loads_with_the_path_it_may_have(
    tmp_path: Path, source: str, path: str | None
) -> None:
    lines = f'source = "{source}"' + (f'\npath = "{path}"' if path else "")
    dataset = load_suite(suite_file(tmp_path, GOOD.replace('source = "embedded"', lines))).dataset
    assert (dataset.source, dataset.path) == (source, path)


def test_the_outermost_numbers_that_can_be_trained_with_load(tmp_path: Path) -> None:
    text = GOOD.replace("[2e-5]", "[5e-324, 0.9999999999999999]").replace("[16]", "[1, 2147483647]")
    matrix = load_suite(suite_file(tmp_path, f"{text}seeds = [0, 4294967295]\n")).matrix
    assert matrix.learning_rates == (5e-324, 1 - 2**-53)
    assert matrix.batch_sizes == (1, 2**31 - 1)
    assert matrix.seeds == (0, 2**32 - 1)


def test_sizes_keep_their_kind_because_a_count_is_no_fraction(tmp_path: Path) -> None:
    lines = 'source = "file"\npath = "x.csv"\nvalidation_size = 1\ntest_size = 0.5'
    dataset = load_suite(suite_file(tmp_path, GOOD.replace('source = "embedded"', lines))).dataset
    assert (dataset.validation_size, type(dataset.validation_size)) == (1, int)
    assert (dataset.test_size, type(dataset.test_size)) == (0.5, float)


def test_a_gate_that_would_never_apply_is_a_mistake(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, GOOD + '[gates.checkpoint."org/three"]\nmin_mcc = 0.2\n')
    assert 'gates.checkpoint."org/three": no such checkpoint in matrix.checkpoints' in told
    assert "('org/one', 'org/two')" in told


def test_a_gate_of_a_checkpoint_left_out_by_a_flag_is_none(tmp_path: Path) -> None:
    path = suite_file(tmp_path, GOOD + '[gates.checkpoint."org/two"]\nmin_mcc = 0.2\n')
    only = flag("--checkpoints", "matrix.checkpoints", ["org/one"])
    assert load_suite(path, [only]).matrix.checkpoints == ("org/one",)


def test_an_override_applies_to_its_key_alone_and_to_its_session_alone(tmp_path: Path) -> None:
    path = suite_file(tmp_path, GOOD)
    before = load_suite(path)
    sizes, epochs = [8, 64], 2
    overrides = [
        flag("--batch-sizes", "matrix.batch_sizes", sizes),
        flag("--epochs", "training.epochs", epochs),
    ]
    changed = load_suite(path, overrides).model_dump()
    expected = before.model_dump()
    expected["matrix"]["batch_sizes"] = (8, 64)
    expected["training"]["epochs"] = 2
    assert changed == expected
    assert load_suite(path) == before
    assert sizes == [8, 64]


def test_a_mistake_of_an_override_names_the_flag(tmp_path: Path) -> None:
    told = problems(
        tmp_path,
        GOOD,
        flag("--batch-sizes", "matrix.batch_sizes", [0, "x"]),
        flag("--seeds", "matrix.seeds", []),
        flag("--epochs", "training.epochs", "many"),
        flag("--workers", "limits.workers", "many"),
    )
    assert told == (
        "--batch-sizes: 0: input should be from 1 to 2,147,483,647",
        "--batch-sizes: 'x': input should be a whole number",
        "--seeds: empty; give at least one value",
        "--epochs: 'many': input should be a whole number",
        "--workers: 'many': input should be a whole number from 1, or \"auto\"",
    )


@pytest.mark.parametrize(
    ("key", "too_small", "too_large", "allowed", "words"),
    [
        ("gates.min_mcc", -1.5, 1.5, (-1.0, 1.0), "from -1 to 1"),
        ("gates.target_mcc", -1.01, 1.01, (-1.0, 1.0), "from -1 to 1"),
        ("gates.suite.best_min_mcc", -2.0, 2.0, (-1.0, 1.0), "from -1 to 1"),
        ("gates.suite.every_checkpoint_min_mcc", -2.0, 2.0, (-1.0, 1.0), "from -1 to 1"),
        ("gates.min_accuracy", -0.1, 85.0, (0.0, 1.0), "from 0 to 1"),
        ("gates.max_drop", -0.1, 1.1, (0.0, 1.0), "from 0 to 1"),
        ("training.epochs", 0, 2**31, (1, 2**31 - 1), "from 1 to 2,147,483,647"),
        ("training.patience", 0, 2**31, (1, 2**31 - 1), "from 1 to 2,147,483,647"),
        ("training.eval_batch_size", 0, 2**31, (1, 2**31 - 1), "from 1 to 2,147,483,647"),
        ("training.max_length", 3, 2**31, (4, 2**31 - 1), "from 4 to 2,147,483,647"),
        ("training.warmup_ratio", -0.1, 1.0, (0.0, 0.999), "at least 0 and below 1"),
        ("training.label_smoothing", -0.1, 1.0, (0.0, 0.999), "at least 0 and below 1"),
        ("training.adam_beta1", -0.1, 1.0, (0.0, 0.999), "at least 0 and below 1"),
        ("training.adam_epsilon", 0.0, 1.0, (1e-30, 0.999), "at least 1e-30 and below 1"),
        ("limits.run_seconds", 0.0, 2_000_001.0, (0.1, 2e6), "above 0 and at most 2,000,000"),
        ("limits.race_settled", -0.1, 1.0, (0.0, 0.999), "at least 0 and below 1"),
    ],
)
def test_a_number_beyond_a_bound_is_told_with_both_bounds(
    tmp_path: Path,
    key: str,
    too_small: float,
    too_large: float,
    allowed: tuple[float, float],
    words: str,
) -> None:
    for value in (too_small, too_large):
        (line,) = problems(tmp_path, GOOD, flag("--flag", key, value))
        assert line == f"--flag: {value}: input should be {words}"
    for value in allowed:
        path = tmp_path / "suite.toml"
        assert load_suite(path, [flag("--flag", key, value)]).name


def test_a_flag_neither_hides_a_mistake_of_the_file_nor_answers_for_it(tmp_path: Path) -> None:
    text = '"matrix.batch_sizes" = 1\n' + GOOD.replace("[16]", "[0]")
    told = problems(tmp_path, text, flag("--batch-sizes", "matrix.batch_sizes", [-5]))
    file = tmp_path / "suite.toml"
    assert [line.partition(": input")[0].partition(": unknown")[0] for line in told] == [
        f"{file}: matrix.batch_sizes[0]: 0",
        f'{file}: "matrix.batch_sizes"',
        "--batch-sizes: -5",
    ]


@pytest.mark.parametrize("text", [f"matrix = 3\n{GOOD.partition('[matrix]')[0]}", ""])
def test_a_flag_for_a_section_that_is_not_there_is_no_crash(tmp_path: Path, text: str) -> None:
    told = problems(tmp_path, text, flag("--seeds", "matrix.seeds", [1]))
    assert any(": matrix: " in line for line in told)
    assert not any(line.startswith("--seeds") for line in told)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xff\xfe", "not UTF-8 text (byte 0 is 0xff)"),
        (b'name = "caf\xe9"', "not UTF-8 text (byte 11 is 0xe9)"),
        (b"name = ", "not valid TOML: Invalid value (at end of document)"),
        (b"name = 1\nname = 2", "not valid TOML: Cannot overwrite a value (at"),
        (b"\0", "not valid TOML"),
        (b"x = " + b"[" * 5000, "nested too deeply"),
        (b"x = " + b"1" * 5000, "a number of thousands of digits"),
        (b"name = [{" + b".".join([b"a"] * 3000) + b" = 1}]", "name: input should be text"),
        (b"", "name: missing"),
    ],
    ids=["utf-16", "latin-1", "cut", "twice", "nul", "deep", "long", "deep value", "empty"],
)
def test_a_file_that_is_no_suite_is_said_to_be_none(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    path = tmp_path / "suite.toml"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        load_suite(path)
    assert caught.value.problems[0].startswith(f"{path}: {expected}")


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load_suite(path).name == "mine"


def test_a_file_that_is_not_there_and_a_folder_are_said_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such suite file"):
        load_suite(tmp_path / "none.toml")
    with pytest.raises(BadInput, match="cannot be read"):
        load_suite(tmp_path)


def toml(value: Any) -> str:
    """Write a value as TOML, tables inline."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case datetime.date():
            return value.isoformat()
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return (
                "{" + ", ".join(f"{toml(key)} = {toml(each)}" for key, each in value.items()) + "}"
            )
        case _:
            return repr(value)


def places(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    """Yield the path of every key that a suite may have."""
    for name, field in model.model_fields.items():
        yield (name,)
        kind = field.annotation
        if get_origin(kind) is dict:
            inner = ("org/one", "org/three")
            yield from ((name, key) for key in inner)
            yield from ((name, key, *rest) for key in inner for rest in places(get_args(kind)[1]))
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from ((name, *rest) for rest in places(kind))


PLACES = [*places(Suite), ("surplus",), ("matrix", "int"), ("dataset", "a\nb"), ("gates", "")]
FITTING: dict[tuple[str, ...], Any] = {
    **{("training", key): value for key, value in OTHER_TRAINING.items()},
    ("name",): "other",
    ("keep_models",): "best",
    ("dataset", "class_names"): ["no", "yes"],
    ("dataset", "validation_size"): 7,
    ("dataset", "test_size"): 0.25,
    ("matrix", "checkpoints"): ["org/one"],
    ("matrix", "batch_sizes"): [32, 1],
    ("matrix", "learning_rates"): [1e-4, 1e-5, 0.5],
    ("matrix", "seeds"): [2**32 - 1, 0],
    ("gates", "min_mcc"): -1,
    ("gates", "target_mcc"): 0.5,
    ("gates", "checkpoint", "org/one"): {"min_mcc": 1},
    ("limits", "run_seconds"): 0.5,
    ("limits", "workers"): "auto",
}
PLAIN = (
    st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*Suite.model_fields, "x", "seeds"]), inner, max_size=4)
    ),
    max_leaves=8,
)
BASE = tomllib.loads(GOOD)


def put(table: dict[str, Any], place: tuple[str, ...], value: Any) -> None:
    for key in place[:-1]:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            return
        table = inner
    table[place[-1]] = value


def assert_says(spec: Any, raw: Any) -> None:
    """Assert that a model says what the file says, key by key."""
    if isinstance(raw, dict):
        for key, value in raw.items():
            assert_says(spec[key] if isinstance(spec, dict) else getattr(spec, key), value)
    elif isinstance(spec, tuple):
        assert sorted(set(spec)) == sorted(set(raw))
    else:
        assert spec == raw


@given(
    fitting=st.sets(st.sampled_from(list(FITTING))),
    others=st.just({}) | st.dictionaries(st.sampled_from(PLACES), VALUES, max_size=4),
)
@anywhere
def test_any_file_gives_the_suite_that_it_describes_or_told_mistakes(
    tmp_path: Path, fitting: set[tuple[str, ...]], others: dict[tuple[str, ...], Any]
) -> None:
    raw = copy.deepcopy(BASE)
    for place, value in [(place, FITTING[place]) for place in fitting] + [*others.items()]:
        put(raw, place, copy.deepcopy(value))
    path = suite_file(tmp_path, "".join(f"{toml(k)} = {toml(v)}\n" for k, v in raw.items()))
    assert tomllib.loads(path.read_text(encoding="utf-8")).keys() == raw.keys()
    found = loaded(path)
    if isinstance(found, Suite):
        assert_says(found, raw)
        return
    assert len(set(found)) == len(found) > 0
    for line in found:
        assert line.startswith(f"{path}: ")
        assert line.isprintable()


@given(
    st.sampled_from(list(FITTING.items())) | st.tuples(st.sampled_from(PLACES), VALUES | st.none())
)
@anywhere
def test_any_override_applies_or_is_told_to_be_a_mistake(
    tmp_path: Path, change: tuple[tuple[str, ...], Any]
) -> None:
    place, value = change
    path = suite_file(tmp_path, GOOD)
    found = loaded(path, flag("--x", ".".join(place), value))
    if isinstance(found, Suite):
        raw: dict[str, Any] = {}
        put(raw, place, value)
        assert_says(found, raw)


@given(start=st.sampled_from([b"", GOOD.encode()]), content=st.binary(max_size=200))
@anywhere
def test_any_bytes_give_a_suite_or_told_mistakes(
    tmp_path: Path, start: bytes, content: bytes
) -> None:
    path = tmp_path / "suite.toml"
    path.write_bytes(start + content)
    found = loaded(path)
    if isinstance(found, Suite):
        assert found.name == "mine"
    else:
        assert all(line.startswith(f"{path}: ") for line in found)


def models(model: type[BaseModel]) -> list[type[BaseModel]]:
    found = [model]
    for field in model.model_fields.values():
        kinds = [field.annotation, *get_args(field.annotation)]
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found += models(kind)
    return found


def test_every_key_that_holds_a_value_is_described() -> None:
    found = models(Suite)
    assert len(found) == 14
    undescribed = [
        f"{model.__name__}.{name}"
        for model in found
        for name, field in model.model_fields.items()
        if not field.description
        and not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel))
    ]
    assert undescribed == []
    assert all(model.__doc__ for model in found)
