"""Settings that differ between cells are in every table, picture and comparison."""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.commands import Done, harness
from builders.records import make_record, predicted_record

from harness.errors import BadInput
from harness.judging.columns import COLUMNS, informative
from harness.judging.further_columns.settings import SETTINGS
from harness.judging.leaderboard import judge_all, leaderboard, rows_of, runs_by_cell
from harness.report import Published, publish, read_published
from harness.report.brief import as_summary, terminal_table
from harness.report.checks.changes import differences
from harness.report.findings import findings
from harness.report.markdown import as_markdown
from harness.report.page import as_html
from harness.report.pictures.chart_data import chart_data
from harness.report.pictures.charts import lines_of, with_score
from harness.report.pictures.choice import heat_maps, pictures
from harness.report.pictures.plots import figure_of
from harness.report.pictures.settings_grid import layout
from harness.report.published import as_csv, as_json
from harness.report.suite_file import suite_files
from harness.store.records import Record, Scores
from harness.suite.plan import Cell, make_plan, training_of
from harness.suite.spec import Suite, TrainingSpec, load_suite

LISTS: dict[str, Any] = {"epochs": [3, 5], "weight_decay": [0, 0.1], "speedups": [[], ["packing"]]}
SUITE = TrainingSpec(warmup_ratio=0.1)
LABELS = np.random.default_rng(0).integers(0, 2, 300)


def cells_of(lists: dict[str, Any] | None = None, **matrix: Any) -> list[Cell]:
    whole = {"checkpoints": ["org/encoder"], "batch_sizes": [16], "learning_rates": [2e-5]}
    content = {
        "name": "sample",
        "dataset": {"source": "cola"},
        "matrix": {**whole, **matrix, **(LISTS if lists is None else lists)},
    }
    return make_plan(Suite.model_validate(content))


def scored(cells: Sequence[Cell]) -> list[Record]:
    """Build a record of each run; later cells are better."""
    return [
        make_record(
            cell,
            seed,
            0.3 + number / 100,
            training=training_of(cell, SUITE),
            scores_in_domain=Scores(mcc=0.3, accuracy=0.7, f1=0.7),
        )
        for number, cell in enumerate(cells)
        for seed in cell.seeds
    ]


def board(lists: dict[str, Any] | None = None, **matrix: Any) -> Published:
    cells = cells_of(lists, **matrix)
    return publish("sample", cells, scored(cells))


def frame_of(published: Published) -> Any:
    return leaderboard(published.cells, published.records)


def test_no_column_has_the_name_of_a_setting() -> None:
    assert not {column.name for column in COLUMNS} & {column.name for column in SETTINGS}
    assert {column.name for column in SETTINGS} == set(TrainingSpec.model_fields)


def test_each_setting_that_differs_is_a_column_after_the_learning_rate() -> None:
    published = board()
    rows = rows_of(frame_of(published))
    names = [column.name for column in informative(rows)]
    assert names[:6] == [
        *("rank", "checkpoint", "batch_size", "learning_rate", "epochs", "weight_decay")
    ]
    assert names[6] == "speedups"
    shown = [[column.text(row) for column in informative(rows)[4:7]] for row in rows]
    assert shown[0] == ["5", "0.1", "packing"]
    assert shown[-1] == ["3", "0", "none"]
    assert len({tuple(each) for each in shown}) == 8


@pytest.mark.parametrize("lists", [{}, {"epochs": [4]}, {"epochs": [4], "warmup_ratio": [0.2]}])
def test_a_leaderboard_of_equal_settings_has_the_columns_it_always_had(
    lists: dict[str, Any],
) -> None:
    frame = frame_of(board(lists))
    assert list(frame.columns) == [column.name for column in COLUMNS]


@pytest.mark.parametrize("name", TrainingSpec.model_fields)
def test_every_setting_has_a_column_with_its_values(name: str) -> None:
    values: dict[str, list[Any]] = {
        "lr_scheduler": ["cosine", "linear"],
        "selection": ["best-epoch", "last-epoch"],
        "precision": ["fp32", "bf16"],
        "batching": ["random", "length-grouped"],
        "on_oom": ["fail", "halve"],
        "speedups": [[], ["packing", "first-token"]],
    }
    whole = {"epochs", "max_length", "eval_batch_size", "patience"}
    usual: list[Any] = [8, 16] if name in whole else [0.25, 0.5]
    cells = cells_of({name: values.get(name, usual)})
    rows = rows_of(leaderboard(cells, []))
    expected = (
        [["none", "first-token, packing"]] if name == "speedups" else [values.get(name, usual)]
    )
    assert [row[name] for row in rows] == expected[0]


def test_csv_and_json_have_the_settings(tmp_path: Path) -> None:
    published = board()
    frame = frame_of(published)
    rows = list(csv.DictReader(io.StringIO(as_csv(frame))))
    assert {(row["epochs"], row["weight_decay"], row["speedups"]) for row in rows} == {
        (epochs, decay, speedups)
        for epochs in ("3", "5")
        for decay in ("0.0", "0.1")
        for speedups in ("none", "packing")
    }
    file = tmp_path / "leaderboard.json"
    file.write_text(as_json(published, frame))
    again = read_published(file)
    assert again == published
    assert as_json(again, frame_of(again)) == file.read_text()


def test_a_record_of_other_settings_than_its_cell_is_refused(tmp_path: Path) -> None:
    published = board()
    content = json.loads(as_json(published, frame_of(published)))
    content["cells"][0]["settings"]["epochs"] = 4
    file = tmp_path / "leaderboard.json"
    file.write_text(json.dumps(content))
    with pytest.raises(BadInput, match=r"training\.epochs is 3, but its cell has 4"):
        read_published(file)


def test_table_page_summary_and_terminal_name_the_settings() -> None:
    published = board()
    frame = frame_of(published)
    texts = {
        "markdown": as_markdown(published, lines_of(published, frame), []),
        "page": as_html(published, lines_of(published, frame), []),
        "summary": as_summary("sample", frame),
        "terminal": terminal_table(frame, 400),
    }
    for name, text in texts.items():
        assert "weight decay" in text, name
        assert "packing" in text, name
    assert (
        texts["markdown"].count("| weight decay |") + texts["markdown"].count(" weight decay |")
        >= 2
    ), "the table, and MCC by part"
    assert "sentences for the epochs of the row, scored on" in texts["markdown"]
    assert texts["page"].count("weight decay 0.1") >= 4


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ({}, "for 5 epochs, "),
        ({"epochs": [2, 3]}, "for the epochs of the row, "),
        ({"patience": [1, 2]}, "for at most 5 epochs, "),
        ({"weight_decay": [0, 1]}, "for 5 epochs, "),
        ({"selection": ["best-epoch", "last-epoch"]}, "the epoch that the column selection names"),
    ],
)
def test_the_introduction_is_true_of_every_row(lists: dict[str, Any], expected: str) -> None:
    cells = cells_of(lists)
    records = [
        make_record(cell, training=training_of(cell, TrainingSpec()), recipe_version=1)
        for cell in cells
    ]
    published = publish("sample", cells, records)
    text = as_markdown(published, lines_of(published, frame_of(published)), [])
    assert text.count("Every row is") == 1
    assert expected in text


def test_a_changed_row_is_named_with_its_settings(tmp_path: Path) -> None:
    frame = frame_of(board())
    file = tmp_path / "leaderboard.csv"
    file.write_text(as_csv(frame).replace("0.37", "0.38", 1))
    (line,) = differences(file, as_csv(frame).encode())
    assert (
        "epochs 5, weight decay 0.1, speedups packing: mcc is '0.38', the records give '0.37'"
        in line
    )


def test_a_comparison_of_checkpoints_says_which_settings_may_differ() -> None:
    names = ["org/one", "org/two"]
    for lists, expected in (
        ({}, "Where batch sizes, learning rates or epochs differ, "),
        ({"epochs": [3, 5]}, "Where batch sizes, learning rates or epochs differ, "),
        ({"warmup_ratio": [0, 0.1]}, "learning rates, epochs or warmup ratio differ, "),
    ):
        cells = cells_of(lists, checkpoints=names)
        best = [cells[0], cells[-1]]  # of each checkpoint, with different values
        records = []
        for number, cell in enumerate(cells):
            luck = np.random.default_rng(number).random(len(LABELS))
            share = 0.1 if cell in best else 0.4
            predicted = np.where(luck < share, 1 - LABELS, LABELS)
            training = training_of(cell, TrainingSpec())
            records.append(predicted_record(cell, 0, LABELS, predicted[None], training=training))
        published = publish("sample", cells, records)
        runs = runs_by_cell(published.cells, published.records)
        found = findings(published, judge_all(published.cells, runs))
        assert any(expected in text for text in found), lists


# Pictures


def test_a_heat_map_shows_the_two_settings_that_differ() -> None:
    published = board({"epochs": [3, 5, 8], "weight_decay": [0, 0.1]})
    lines = lines_of(published, frame_of(published))
    grid = layout(lines)
    assert (grid.across.name, grid.down.name, grid.further) == ("epochs", "weight decay", ())
    (axes, *_) = figure_of(heat_maps([*grid.maps(lines).values()], grid)).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["3", "5", "8"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0", "0.1"]
    shown = sorted(text.get_text() for text in axes.texts)
    assert shown == ["0.300", "0.310", "0.320", "0.330", "0.340", "0.350"]
    picture = next(each for each in pictures(with_score(lines)) if each.name == "settings")
    assert picture.title == "MCC by weight decay and epochs"


@pytest.mark.parametrize(
    ("matrix", "lists", "expected"),
    [
        ({}, {}, ("learning rate", "batch size", 1)),
        (
            {"batch_sizes": [8, 16], "learning_rates": [1e-5, 2e-5]},
            {"epochs": [3, 5]},
            ("learning rate", "batch size", 2),
        ),
        ({"learning_rates": [1e-5, 2e-5]}, {"epochs": [3, 5]}, ("learning rate", "epochs", 1)),
        ({"batch_sizes": [8, 16]}, {"epochs": [3, 5]}, ("epochs", "batch size", 1)),
        ({}, {"lr_scheduler": ["cosine", "linear"]}, ("lr scheduler", "batch size", 1)),
        ({}, LISTS, ("epochs", "weight decay", 2)),
    ],
)
def test_each_cell_has_a_place_of_its_own_in_the_heat_maps(
    matrix: dict[str, Any], lists: dict[str, Any], expected: tuple[str, str, int]
) -> None:
    published = board(lists, **matrix)
    lines = lines_of(published, frame_of(published))
    grid = layout(lines)
    maps = grid.maps(lines)
    assert (grid.across.name, grid.down.name, len(maps)) == expected
    places = {(grid.name(line), grid.across.value(line), grid.down.value(line)) for line in lines}
    assert len(places) == len(published.cells)


def test_the_page_s_charts_separate_cells_of_different_settings() -> None:
    published = board({"epochs": [3, 5]}, learning_rates=[1e-5, 2e-5])
    data = chart_data(lines_of(published, frame_of(published)))
    assert len({tuple(row["heat"]) for row in data["rows"]}) == 4
    assert data["heat"] == {
        "down": {"name": "epochs", "values": ["3", "5"]},
        "across": {"name": "learning rate", "values": ["1e-5", "2e-5"]},
    }
    assert {row["settings"] for row in data["rows"]} == {
        f"batch 16, lr {rate}, epochs {epochs}" for rate in ("1e-5", "2e-5") for epochs in (3, 5)
    }
    equal = board({}, learning_rates=[1e-5, 2e-5])
    assert "heat" not in chart_data(lines_of(equal, frame_of(equal)))


# The suite file on the page


@pytest.mark.parametrize(
    "lists",
    [
        {"epochs": [3, 5]},
        {"epochs": [5, 3], "lr_scheduler": ["linear", "cosine", "constant"]},
        LISTS,
        {"max_length": [64, 32], "patience": [2, 1]},
    ],
    ids=lambda lists: "-".join(lists),
)
@pytest.mark.parametrize("seeds", [{}, {"seeds": [1, 2]}])
def test_the_suite_file_plans_the_same_cells(
    lists: dict[str, Any], seeds: dict[str, Any], tmp_path: Path
) -> None:
    cells = cells_of(lists, checkpoints=["org/one", "org/two"], batch_sizes=[16, 8], **seeds)
    records = [
        make_record(cells[0], seed, training=training_of(cells[0], SUITE))
        for seed in cells[0].seeds
    ]
    ((which, text),) = suite_files(publish("sample", cells, records))
    assert which == "these runs"
    (tmp_path / "suite.toml").write_text(text)
    again = load_suite(tmp_path / "suite.toml")
    assert make_plan(again) == cells
    assert again.training.warmup_ratio == 0.1
    notes = [line for line in text.splitlines() if line.startswith("#")]
    assert notes == ['# "org/one": put the checkpoint\'s folder next to this file']


def test_the_suite_file_leaves_out_the_cells_that_are_left_out(tmp_path: Path) -> None:
    every = cells_of(learning_rates=[1e-5, 2e-5])
    cells = [every[n] for n in (0, 3, 5, 6, 9, 12, 15)]
    cells[1] = replace(cells[1], seeds=(4, 5))
    ((_, text),) = suite_files(publish("sample", cells, scored(cells)))
    (tmp_path / "suite.toml").write_text(text)
    assert make_plan(load_suite(tmp_path / "suite.toml")) == cells


def test_the_suite_file_of_one_of_several_values_says_why_ids_differ(tmp_path: Path) -> None:
    cells = [cell for cell in cells_of({"epochs": [3, 5]}) if cell.settings["epochs"] == 5]
    ((_, text),) = suite_files(publish("sample", cells, scored(cells)))
    assert "epochs = 5" in text
    assert (
        '# "encoder-bs16-lr2e-05" was "encoder-bs16-lr2e-05-ep5": the suite had further values of '
        "a setting"
    ) in text.splitlines()
    (tmp_path / "suite.toml").write_text(text)
    assert load_suite(tmp_path / "suite.toml").training == training_of(cells[0], SUITE)


def test_runs_of_other_settings_than_the_lists_have_a_file_each() -> None:
    cells = cells_of({"epochs": [3, 5]}, seeds=[1, 2])
    records = [
        make_record(cell, seed, training=training_of(cell, TrainingSpec(warmup_ratio=seed / 10)))
        for cell in cells
        for seed in cell.seeds
    ]
    files = suite_files(publish("sample", cells, records))
    assert [which for which, _ in files] == ["2 of the 4 runs"] * 2
    for (_, text), seed in zip(files, (1, 2), strict=True):
        assert f"warmup_ratio = 0.{seed}" in text
        assert "epochs = [3, 5]" in text


# Comparisons


def write(folder: Path, cells: Sequence[Cell], training: TrainingSpec = SUITE) -> Path:
    """Write a leaderboard in which more epochs are better."""
    records = []
    for cell in cells:
        own = training_of(cell, training)
        for seed in cell.seeds:
            luck = np.random.default_rng([seed, own.epochs]).random(len(LABELS))
            predicted = np.where(luck < 0.5 / own.epochs, 1 - LABELS, LABELS)
            records.append(predicted_record(cell, seed, LABELS, predicted[None], training=own))
    published = publish("sample", cells, records)
    folder.mkdir()
    (folder / "leaderboard.json").write_text(as_json(published, frame_of(published)))
    return folder


def compare(folder: Path, *arguments: str) -> Done:
    return harness("compare", *arguments, cwd=folder)


def test_two_cells_are_compared_by_id_and_their_settings_named(tmp_path: Path) -> None:
    write(tmp_path / "new", cells_of({"epochs": [2, 9], "weight_decay": [0, 0.1]}, seeds=[1, 2]))
    ids = ("encoder-bs16-lr2e-05-ep9-wd0", "encoder-bs16-lr0.00002-ep2-wd1e-1")
    done = compare(tmp_path, *ids, "--results", "new")
    assert (done.code, done.err) == (0, "")
    assert "epochs (9 against 2), weight decay (0.0 against 0.1)" in done.out


def test_leaderboards_are_compared_cell_by_cell(tmp_path: Path) -> None:
    lists = {"epochs": [2, 9], "weight_decay": [0, 0.1]}
    write(tmp_path / "new", cells_of(lists, seeds=[1, 2]))
    write(
        tmp_path / "old", cells_of({"epochs": [9, 4]}, seeds=[1, 2]), TrainingSpec(weight_decay=0.1)
    )
    done = compare(tmp_path, "new", "old", "--json")
    assert (done.code, done.err) == (0, "")
    (pair,) = json.loads(done.out)["comparisons"]
    assert (pair["cell_a"], pair["cell_b"]) == (
        *("encoder-bs16-lr2e-05-ep9-wd0.1", "encoder-bs16-lr2e-05-ep9"),
    )
    write(tmp_path / "other", cells_of({"epochs": [1, 3]}))
    done = compare(tmp_path, "old", "other")
    assert done.code != 0
    assert "no cell (checkpoint, batch size, learning rate, epochs) was scored in both" in re.sub(
        r"\s+", " ", done.err
    )
