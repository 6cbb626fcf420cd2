"""Tables of runs on a data set of the hub: the suite file, the commit, data that is the same."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from builders.records import EMBEDDED, make_record

from harness.judging.leaderboard import leaderboard
from harness.report import publish, read_published
from harness.report.locations import NO_LOCATIONS, find_locations
from harness.report.published import as_json
from harness.report.replacement import left_out, runs_of_records
from harness.report.suite_file import suite_files
from harness.store.records import DatasetFacts, HubFacts, Record
from harness.suite.plan import Cell, make_plan
from harness.suite.spec import Suite, load_suite

FIRST, SECOND = "1" * 40, "2" * 40
MATRIX = {"checkpoints": ["org/a"], "batch_sizes": [8, 16], "learning_rates": [1e-4]}


def facts(commit: str, **changes: Any) -> DatasetFacts:
    hub = {"name": "org/data", "config": "main", "revision": commit, "class_names": ("x", "y")}
    return EMBEDDED.model_copy(
        update={
            "name": "hub",
            "origin": f"org/data@{commit} (main)",
            "fingerprint": commit,
            "text_column": "sentence",
            "hub": HubFacts.model_validate(hub | changes),
        }
    )


def suite_on(**keys: Any) -> Suite:
    dataset = {"source": "hub", "name": "org/data", **keys}
    return Suite.model_validate({"name": "mine", "dataset": dataset, "matrix": MATRIX})


def records_of(suite: Suite, cells: list[Cell], *commits: str) -> list[Record]:
    return [
        make_record(cell, training=suite.training, dataset=facts(commit))
        for cell, commit in zip(cells, commits, strict=True)
    ]


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"config": "main", "revision": "v1"},
        {"validation": {"near": "dev", "far": ["x", "y"]}, "class_names": ["y", "x"]},
        {"train": ["a", "b"], "test": "c", "text_column": "text", "validation_size": 50},
    ],
)
def test_the_suite_file_names_the_commit_and_everything_else_of_the_suite(
    keys: dict[str, Any], tmp_path: Path
) -> None:
    suite = suite_on(**keys)
    cells = make_plan(suite)
    records = records_of(suite, cells, FIRST, FIRST)
    published = publish(suite.name, cells, records, dataset=suite.dataset)
    (tmp_path / "leaderboard.json").write_text(as_json(published, leaderboard(cells, records)))
    published = read_published(tmp_path / "leaderboard.json")
    assert published.dataset == suite.dataset
    assert published.class_names == tuple(keys.get("class_names", ("x", "y")))
    ((_, text),) = suite_files(published)
    (tmp_path / "suite.toml").write_text(text, encoding="utf-8")
    again = load_suite(tmp_path / "suite.toml").dataset
    pinned = {"config": "main", "revision": FIRST}
    assert again == suite.dataset.model_copy(update=pinned)
    assert "not recorded" not in text


def test_runs_at_two_commits_get_a_suite_file_each() -> None:
    suite = suite_on()
    cells = make_plan(suite)
    published = publish("mine", cells, records_of(suite, cells, FIRST, SECOND), dataset=None)
    files = [tomllib.loads(text) for _, text in suite_files(published)]
    assert [file["dataset"]["revision"] for file in files] == [FIRST, SECOND]
    assert all("not recorded: names of splits" in text for _, text in suite_files(published))


def test_a_new_commit_is_the_same_data_and_another_configuration_is_not(tmp_path: Path) -> None:
    suite = suite_on()
    cells = make_plan(suite)[:1]
    before = runs_of_records(records_of(suite, cells, FIRST))

    def now(found: DatasetFacts) -> Any:
        return runs_of_records([make_record(cells[0], training=suite.training, dataset=found)])

    assert left_out(before, now(facts(SECOND))) == []
    other = now(facts(SECOND, config="other"))
    assert left_out(before, other) == before
    assert left_out(before, now(facts(SECOND, name="org/other"))) == before
    assert before[0].data == f"org/data@{FIRST} (main)"
    assert find_locations(suite, tmp_path, tmp_path, FIRST) == NO_LOCATIONS
