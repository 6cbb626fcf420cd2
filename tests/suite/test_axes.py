"""Any setting of [training] may be a list in [matrix]: cells, ids, mistakes, flags."""

import itertools
import json
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from harness.errors import BadInput
from harness.session.options import Chosen, planned_suites
from harness.suite import ids
from harness.suite.plan import Cell, Run, make_plan, runs_of, training_of
from harness.suite.spec import Override, Suite, load_suite
from harness.suite.training import TrainingAxes, TrainingSpec

ROOT = Path(__file__).parents[2]

BASE = """
name = "sample"
[dataset]
source = "embedded"
[matrix]
checkpoints = ["org/encoder"]
batch_sizes = [16]
learning_rates = [1e-4]
"""

VALUES: dict[str, list[Any]] = {
    "epochs": [3, 10],
    "weight_decay": [0, 0.01, 1e-4],
    "adam_beta1": [0.9, 0.8],
    "adam_beta2": [0.999, 0.98],
    "adam_epsilon": [1e-8, 1e-6],
    "warmup_ratio": [0.0, 0.06],
    "lr_scheduler": ["cosine", "constant_with_warmup"],
    "max_grad_norm": [1.0, 0.5],
    "label_smoothing": [0.0, 0.1],
    "max_length": [64, 128],
    "eval_batch_size": [64, 8],
    "selection": ["best-epoch", "last-epoch"],
    "patience": [1, 2],
    "precision": ["fp32", "bf16"],
    "batching": ["random", "length-grouped"],
    "on_oom": ["fail", "halve"],
    "speedups": [[], ["packing", "first-token"]],
}

ENDS = {
    "epochs": ["ep3", "ep10"],
    "weight_decay": ["wd0", "wd0.01", "wd0.0001"],
    "adam_beta1": ["beta1-0.9", "beta1-0.8"],
    "adam_beta2": ["beta2-0.999", "beta2-0.98"],
    "adam_epsilon": ["eps1e-08", "eps1e-06"],
    "warmup_ratio": ["wu0", "wu0.06"],
    "lr_scheduler": ["cosine", "constant_with_warmup"],
    "max_grad_norm": ["clip1", "clip0.5"],
    "label_smoothing": ["ls0", "ls0.1"],
    "max_length": ["len64", "len128"],
    "eval_batch_size": ["ebs64", "ebs8"],
    "selection": ["best-epoch", "last-epoch"],
    "patience": ["pat1", "pat2"],
    "precision": ["fp32", "bf16"],
    "batching": ["random", "length-grouped"],
    "on_oom": ["oom-fail", "oom-halve"],
    "speedups": ["speedups-none", "speedups-first-token+packing"],
}


def toml(value: Any) -> str:
    return json.dumps(value)


def written(folder: Path, matrix: dict[str, Any], more: str = "") -> Path:
    path = folder / "suite.toml"
    lines = "".join(f"{key} = {toml(value)}\n" for key, value in matrix.items())
    path.write_text(f"{BASE}{lines}{more}", encoding="utf-8")
    return path


def suite_of(**matrix: Any) -> Suite:
    content: dict[str, Any] = tomllib.loads(BASE)
    content["matrix"] |= matrix
    return Suite.model_validate(content)


def problems(path: Path, *overrides: Override) -> list[str]:
    with pytest.raises(BadInput) as caught:
        load_suite(path, overrides)
    return [line.removeprefix(f"{path}: ") for line in caught.value.problems]


def test_every_setting_of_training_may_be_a_list() -> None:
    assert list(TrainingAxes.model_fields) == list(TrainingSpec.model_fields)
    assert VALUES.keys() == ENDS.keys() == TrainingSpec.model_fields.keys()


@pytest.mark.parametrize("name", VALUES)
def test_a_list_gives_a_cell_of_each_value_whose_id_and_training_have_it(
    name: str, tmp_path: Path
) -> None:
    suite = load_suite(written(tmp_path, {name: VALUES[name]}))
    cells = make_plan(suite)
    assert [cell.id for cell in cells] == [f"encoder-bs16-lr1e-04-{end}" for end in ENDS[name]]
    for cell, value in zip(cells, VALUES[name], strict=True):
        (run,) = runs_of(cell, suite.training)
        assert run.training == TrainingSpec.model_validate({name: value})
        assert ids.usual(cell.id) == cell.id


@pytest.mark.parametrize("name", VALUES)
def test_a_list_of_one_value_is_the_setting_of_all_cells_and_leaves_their_ids(
    name: str, tmp_path: Path
) -> None:
    value = VALUES[name][-1]
    listed = load_suite(written(tmp_path, {name: [value]}))
    single = load_suite(written(tmp_path, {}, f"[training]\n{name} = {toml(value)}\n"))
    assert listed.training == single.training != TrainingSpec()
    assert make_plan(listed) == make_plan(single)
    assert [cell.id for cell in make_plan(listed)] == ["encoder-bs16-lr1e-04"]


@pytest.mark.parametrize("name", VALUES)
def test_a_list_refuses_what_the_setting_refuses(name: str, tmp_path: Path) -> None:
    wrong: Any = ["?"] if name == "speedups" else "?"
    (line,) = problems(written(tmp_path, {name: [VALUES[name][0], wrong]}))
    assert line.startswith(f"matrix.{name}[1]")
    assert "'?'" in line


def test_the_lists_multiply_the_cells_in_the_order_of_the_settings() -> None:
    suite = suite_of(
        learning_rates=[1e-4, 2e-5], lr_scheduler=["linear", "cosine"], epochs=[3, 1], seeds=[1, 2]
    )
    expected = [
        f"encoder-bs16-lr{rate}-ep{epochs}-{scheduler}"
        for rate, epochs, scheduler in itertools.product(
            ("1e-04", "2e-05"), (3, 1), ("linear", "cosine")
        )
    ]
    cells = make_plan(suite)
    assert [cell.id for cell in cells] == expected
    runs = [run for cell in cells for run in runs_of(cell, suite.training)]
    assert len(runs) == 16
    assert {(run.training.epochs, run.training.lr_scheduler) for run in runs} == {
        *itertools.product((3, 1), ("linear", "cosine"))
    }


def test_the_published_grid_of_rucola_is_one_suite(tmp_path: Path) -> None:
    """Three learning rates x three decays x two batch sizes x ten seeds, as the page shows it."""
    page = (ROOT / "docs" / "suites.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(name = \"rucola\".*?)```", page, re.DOTALL)
    (tmp_path / "suite.toml").write_text(block)
    suite = load_suite(tmp_path / "suite.toml")
    runs = [run for cell in make_plan(suite) for run in runs_of(cell, suite.training)]
    assert len({run.cell.id for run in runs}) == 3 * 3 * 2
    assert {
        (run.cell.learning_rate, run.training.weight_decay, run.cell.batch_size, run.seed)
        for run in runs
    } == {*itertools.product((1e-5, 3e-5, 5e-5), (1e-4, 1e-2, 0.1), (32, 64), range(10))}
    assert len(runs) == 180
    assert "ruRoberta-large-bs32-lr1e-05-wd0.01" in {run.cell.id for run in runs}
    assert {run.training.epochs for run in runs} == {5}


# Mistakes


@pytest.mark.parametrize("name", VALUES)
def test_a_list_and_a_value_of_one_key_are_a_mistake(name: str, tmp_path: Path) -> None:
    value = VALUES[name][0]
    (line,) = problems(
        written(tmp_path, {name: VALUES[name]}, f"[training]\n{name} = {toml(value)}\n")
    )
    assert line == (
        f"matrix.{name}: {VALUES[name]!r}, but training.{name} is {value!r}; a key is set once: "
        "remove one of them"
    )


def test_a_key_that_is_set_twice_is_told_with_every_other_mistake(tmp_path: Path) -> None:
    more = "[training]\nepochs = 3\nweight_decay = -1\nprecision = 'fp8'\n"
    lists = {"epochs": [3, 4], "weight_decay": [0.1, 0.2], "warmup_ratio": 0.1, "patience": []}
    lines = problems(written(tmp_path, {**lists, "lr_schedulers": ["cosine"]}, more))
    assert [re.split(":", line)[0] for line in lines] == [
        "matrix.warmup_ratio",
        "matrix.patience",
        "matrix.lr_schedulers",
        "training.weight_decay",
        "training.precision",
        "matrix.epochs",
        "matrix.weight_decay",
    ]
    assert "0.1: input should be a list, [...]" in lines[0]
    assert "empty; give at least one value" in lines[1]
    assert "did you mean 'lr_scheduler'?" in lines[2]
    assert lines[2].endswith("seeds, and lists of values of the keys of [training])")


@pytest.mark.parametrize(
    ("key", "value"),
    [("epochs", "[1, 2]"), ("precision", '["fp32", "bf16"]'), ("weight_decay", "[]")],
)
def test_a_list_in_training_is_told_where_it_belongs(key: str, value: str, tmp_path: Path) -> None:
    (line,) = problems(written(tmp_path, {}, f"[training]\n{key} = {value}\n"))
    assert line.startswith(f"training.{key}: [")
    assert line.endswith(f"list several values in [matrix], as matrix.{key}")


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("adam_beta1", [-0.1, 1]),
        ("adam_beta2", [1.0]),
        ("adam_epsilon", [0, 1e-40, 1]),
        ("label_smoothing", [-0.1, 1.0]),
        ("patience", [0, -1]),
        ("weight_decay", [-1]),
    ],
)
def test_a_value_that_cannot_train_is_a_mistake_alone_and_in_a_list(
    key: str, values: list[float], tmp_path: Path
) -> None:
    for value in values:
        (alone,) = problems(written(tmp_path, {}, f"[training]\n{key} = {value}\n"))
        (listed,) = problems(written(tmp_path, {key: [VALUES[key][0], value]}))
        assert alone.startswith(f"training.{key}: {value!r}: input should be ")
        assert listed == alone.replace(f"training.{key}", f"matrix.{key}[1]")


@pytest.mark.parametrize(
    "lists",
    [
        {"epochs": [3, 3]},
        {"weight_decay": [0.1, 0.10, 0]},
        {"speedups": [["packing", "first-token"], ["first-token", "packing"]]},
        {"warmup_ratio": [0, 0.0]},
    ],
    ids=lambda lists: next(iter(lists)),
)
def test_a_value_that_is_listed_twice_is_a_mistake(lists: dict[str, Any], tmp_path: Path) -> None:
    (line,) = problems(written(tmp_path, lists))
    assert "list every value once; repeated: " in line


# Flags


def test_epochs_on_the_command_line_replace_the_list(tmp_path: Path) -> None:
    path = written(tmp_path, {"epochs": [3, 5], "weight_decay": [0.1, 0.2]})
    suite = load_suite(path, [Override(key="training.epochs", flag="--epochs", value=2)])
    assert suite.training.epochs == 2
    assert [cell.id for cell in make_plan(suite)] == [
        "encoder-bs16-lr1e-04-wd0.1",
        "encoder-bs16-lr1e-04-wd0.2",
    ]
    (line,) = problems(path, Override(key="training.epochs", flag="--epochs", value="x"))
    assert line == "--epochs: 'x': input should be a whole number"


# Ids as people type them


@pytest.mark.parametrize(
    "typed",
    [
        "encoder-bs16-lr1e-04-ep3-wd0.1",
        "encoder-bs16-lr1e-4-ep3-wd0.1",
        "encoder-bs16-lr0.0001-ep3-wd1e-1",
        "encoder-bs16-lr1E-4-ep3-wd0.10",
        "encoder-bs16-lr1e-04-ep3.0-wd0.1",
    ],
)
def test_a_cell_s_own_gate_and_seeds_take_its_id_in_any_form(typed: str, tmp_path: Path) -> None:
    more = f'[matrix.cell."{typed}"]\nseeds = [7, 8]\n[gates.cell."{typed}"]\nmin_mcc = 0.7\n'
    path = written(tmp_path, {"epochs": [3, 5], "weight_decay": [0.1, 0.2]}, more)
    (planned,) = planned_suites(Chosen({"suite": [str(path)]}, tmp_path, tmp_path))
    own = {cell.id: (cell.seeds, cell.threshold) for cell in planned.cells}
    assert own.pop("encoder-bs16-lr1e-04-ep3-wd0.1") == ((7, 8), 0.7)
    assert set(own.values()) == {((0,), None)}
    assert len(own) == 3


def test_an_id_without_the_setting_that_differs_is_no_cell(tmp_path: Path) -> None:
    more = '[gates.cell."encoder-bs16-lr1e-04"]\nmin_mcc = 0.7\n'
    path = written(tmp_path, {"epochs": [3, 5]}, more)
    with pytest.raises(BadInput, match="no such cell; did you mean 'encoder-bs16-lr1e-04-ep"):
        planned_suites(Chosen({"suite": [str(path)]}, tmp_path, tmp_path))


def test_two_notations_of_one_cell_are_a_mistake(tmp_path: Path) -> None:
    name = "encoder-bs16-lr1e-04-eps"
    more = f'[gates.cell."{name}1e-6"]\nmin_mcc = 0\n[gates.cell."{name}0.000001"]\nmin_mcc = 0\n'
    (line,) = problems(written(tmp_path, {"adam_epsilon": [1e-6, 1e-8]}, more))
    assert "are the same cell; remove one of them" in line


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("wd1e-1", "wd0.1"),
        ("ep3 and wd1e-1", "ep3 and wd0.1"),
        ("lr1e-4 and eps1e-6", "lr1e-04 and eps1e-06"),
        ("bs16-lr0.0001-ep3-wd0.10", "bs16-lr1e-04-ep3-wd0.1"),
        ("beta1-0.90", "beta1-0.9"),
        ("wd0.1", None),
        ("wd7e-1", None),  # no cell has it
        ("ep3", None),
    ],
)
def test_a_keyword_is_respelled_where_some_id_has_it(typed: str, expected: str | None) -> None:
    known = [f"encoder-bs16-lr1e-04-ep{n}-wd0.1-beta1-0.9-eps1e-06" for n in (3, 5)]
    assert ids.respelled(typed, known) == expected


def test_pytest_selects_cells_by_the_settings_in_their_ids(tmp_path: Path) -> None:
    path = written(tmp_path, {"epochs": [3, 5], "weight_decay": [0.1, 0.2]})
    test = "benchmarks/test_finetune.py::test_finetune[sample/encoder-bs16-lr1e-4-ep5-wd1e-1]"
    collected = {}
    for name, arguments in {
        "keyword": ("benchmarks/", "-k", "ep3 and wd0.1"),
        "id": (test,),
        "other spelling": ("benchmarks/", "-k", "ep3 and wd1e-1"),
    }.items():
        command = [sys.executable, "-m", "pytest", "--suite", str(path), "--collect-only", "-q"]
        done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True)
        collected[name] = done.stdout
    for name, cell in (("keyword", "ep3-wd0.1"), ("id", "ep5-wd0.1")):
        assert collected[name].count("test_finetune[") == 1
        assert f"test_finetune[sample/encoder-bs16-lr1e-04-{cell}]" in collected[name]
    assert "test_finetune[" not in collected["other spelling"]
    assert "spell it differently: -k 'ep3 and wd0.1'" in collected["other spelling"]


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "epochs": st.lists(st.integers(1, 2**31 - 1), min_size=1, max_size=3, unique=True),
            "weight_decay": st.lists(st.floats(0, 1e30), min_size=1, max_size=3, unique=True),
            "adam_epsilon": st.lists(st.floats(1e-30, 0.99), min_size=1, max_size=3, unique=True),
            "lr_scheduler": st.just(["linear", "constant", "constant_with_warmup"]),
            "speedups": st.just([[], ["packing"], ["first-token", "packing"], ["kept-memory"]]),
        },
    ),
    st.lists(
        st.sampled_from(["o/a", "o/a-bs16-lr1e-04-ep3", "o/A", "p/a"]), min_size=1, unique=True
    ),
)
def test_any_lists_give_distinct_ids_that_are_safe_as_folders(
    lists: dict[str, list[Any]], checkpoints: list[str]
) -> None:
    cells = make_plan(suite_of(checkpoints=checkpoints, **lists))
    assert len({cell.id.lower() for cell in cells}) == len(cells)
    for cell in cells:
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,230}", cell.id), cell.id
        assert ids.find(cell.id, [each.id for each in cells]) == cell.id


def test_an_id_that_is_too_long_for_a_folder_ends_with_a_digest() -> None:
    many = {name: values[:2] for name, values in VALUES.items()}
    lists = {**many, "speedups": [list(TrainingSpec().speedups), []]}
    names = ["epochs", "adam_beta1", "adam_beta2", "adam_epsilon", "label_smoothing", "speedups"]
    cells = make_plan(
        suite_of(checkpoints=["org/" + "x" * 100], **{name: lists[name] for name in names})
    )
    assert len(cells) == 2**6
    assert len({cell.id for cell in cells}) == 2**6
    assert max(len(cell.id) for cell in cells) == 200
    assert min(len(cell.id) for cell in cells) < 200


# Published cells


CELLS: TypeAdapter[Cell] = TypeAdapter(Cell)


@pytest.mark.parametrize("name", VALUES)
def test_a_published_cell_keeps_its_settings(name: str) -> None:
    for cell in make_plan(suite_of(**{name: VALUES[name]})):
        text = CELLS.dump_json(cell)
        again = CELLS.validate_json(text)
        assert (again, hash(again)) == (cell, hash(cell))
        assert training_of(again, TrainingSpec()) == training_of(cell, TrainingSpec())
        assert b"settings" in text


def test_a_cell_without_own_settings_is_published_as_before() -> None:
    (cell,) = make_plan(suite_of())
    assert list(CELLS.dump_python(cell)) == [
        *("suite", "id", "checkpoint", "batch_size", "learning_rate", "seeds", "gates", "target")
    ]


@pytest.mark.parametrize(
    "settings", [{"epochs": 0}, {"epoch": 3}, {"lr_scheduler": "none"}, {"weight_decay": None}]
)
def test_a_published_cell_with_impossible_settings_is_refused(settings: dict[str, Any]) -> None:
    (cell,) = make_plan(suite_of())
    content = CELLS.dump_python(cell, mode="json") | {"settings": settings}
    with pytest.raises(ValidationError, match=f"settings\n  {next(iter(settings))}: "):
        CELLS.validate_python(content)


def test_a_run_has_the_settings_of_its_cell_and_else_those_of_the_suite() -> None:
    suite = suite_of(epochs=[3, 5])
    cells = make_plan(suite)
    given = TrainingSpec(weight_decay=0.5, epochs=9)
    assert [run for cell in cells for run in runs_of(cell, given)] == [
        Run(cell, 0, TrainingSpec(weight_decay=0.5, epochs=epochs))
        for cell, epochs in zip(cells, (3, 5), strict=True)
    ]


def test_ten_thousand_cells_are_planned_in_less_than_five_seconds(tmp_path: Path) -> None:
    lists = {
        "seeds": [1, 2, 3],
        "epochs": list(range(1, 11)),
        "weight_decay": [n / 100 for n in range(10)],
        "warmup_ratio": [n / 100 for n in range(10)],
        "label_smoothing": [n / 100 for n in range(10)],
    }
    own = "".join(
        f'[gates.cell."encoder-bs16-lr1e-4-ep{n}-wd0-wu0-ls0"]\nmin_mcc = 0.5\n'
        for n in range(1, 11)
    )
    path = written(tmp_path, lists, own)
    began = time.process_time()
    (planned,) = planned_suites(Chosen({"suite": [str(path)]}, tmp_path, tmp_path))
    assert time.process_time() - began < 5
    assert len(planned.cells) == 10_000
    assert sum(cell.threshold == 0.5 for cell in planned.cells) == 10
