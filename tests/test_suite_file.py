"""The suite file on the page asks for the leaderboard's very cells, as the harness reads it."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import EMBEDDED, failed_record, make_cell, make_record

from harness.plan import make_plan
from harness.records import DatasetFacts
from harness.report import publish
from harness.report.suite_file import suite_files
from harness.spec import Suite, TrainingSpec, load_suite

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\\"), min_size=1).map(
    lambda text: f"org/{text}"
)


def read(folder: Path, text: str) -> Suite:
    path = folder / "suite.toml"
    path.write_text(text, encoding="utf-8")
    return load_suite(path)


@settings(deadline=None, max_examples=60)
@given(
    checkpoints=st.lists(NAMES, min_size=1, max_size=3, unique=True),
    rates=st.lists(st.sampled_from([1e-5, 2.5e-5, 1e-4]), min_size=1, unique=True),
    thresholds=st.lists(st.none() | st.floats(-1, 1), min_size=3, max_size=3),
    common=st.none() | st.floats(-1, 1),
    own=st.none() | st.floats(-1, 1),
    target=st.none() | st.floats(-1, 1),
)
def test_it_plans_the_same_cells_and_training(
    tmp_path_factory: pytest.TempPathFactory,
    checkpoints: list[str],
    rates: list[float],
    thresholds: list[float | None],
    common: float | None,
    own: float | None,
    target: float | None,
) -> None:
    content: dict[str, Any] = {
        "name": "sample",
        "dataset": {"source": "cola"},
        "matrix": {
            "checkpoints": checkpoints,
            "batch_sizes": [16],
            "learning_rates": rates,
            "seeds": [0, 3],
        },
        "training": {"epochs": 3, "warmup_ratio": 0.1, "speedups": ["packing"]},
    }
    first = make_plan(Suite.model_validate(content))[0]
    content["gates"] = {
        "min_mcc": common,
        "max_train_seconds": 900.0,
        "statistic": "lower-bound",
        "target_mcc": target,
        "checkpoint": {
            name: {"min_mcc": threshold}
            for name, threshold in zip(checkpoints, thresholds, strict=False)
        },
        "cell": {first.id: {"min_mcc": own}},
    }
    suite = Suite.model_validate(content)
    cells = make_plan(suite)
    records = [make_record(cells[0], training=suite.training)]
    ((which, text),) = suite_files(publish("sample", cells, records))
    assert which == "these runs"
    again = read(tmp_path_factory.mktemp("suite"), text)
    assert make_plan(again) == cells
    assert again.training == suite.training
    assert again.dataset == suite.dataset


def test_runs_of_other_settings_or_data_have_a_file_each() -> None:
    cell = make_cell(seeds=(0, 1, 2, 3))
    own = DatasetFacts(
        name="file", origin="mine.csv", fingerprint="f" * 64, train=8, validation=2, test=0
    )
    records = [
        make_record(cell, 0),
        make_record(cell, 1, training=TrainingSpec(epochs=2)),
        make_record(cell, 2, dataset=own),
        failed_record(cell, 3, dataset=EMBEDDED),
    ]
    files = suite_files(publish("sample", [cell], records))
    assert [which for which, _ in files] == ["1 of the 3 runs"] * 3
    assert ["epochs = 5" in text for _, text in files] == [True, False, True]
    assert 'source = "file"  # with the path' in files[2][1]


def test_where_nothing_ran_there_is_no_file() -> None:
    assert suite_files(publish("sample", [make_cell()], [])) == []
