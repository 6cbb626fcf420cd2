"""Given predictions have the scores and intervals of a cell with these predictions, no costs."""

from dataclasses import replace

import numpy as np
import pytest
from builders.commands import ROOT

from harness.judging.comparison import Contestant, compare, given_contestants
from harness.judging.leaderboard import leaderboard, rows_of, runs_by_cell
from harness.report import read_published
from harness.report.pictures.chart_data import chart_data
from harness.report.pictures.charts import table_lines
from harness.store.classes import unpack
from harness.store.given import Given, given_of
from harness.store.records import Record, selected_classes
from harness.suite.plan import Cell

BOARD = read_published(ROOT / "results" / "cola" / "leaderboard.json")
RUNS = runs_by_cell(BOARD.cells, BOARD.records)

SCORES = [
    *(f"{name}{end}" for name in ("mcc", "accuracy") for end in ("", "_sd", "_low", "_high")),
    *("f1", "mcc_low_sources", "mcc_high_sources", "sources", "sources_reason", "seeds"),
]
"""The columns that predictions and labels decide."""


def given_as(runs: list[Record]) -> Given:
    """Return the predictions of some runs as if another program had made them."""
    facts, labels = runs[0].dataset, runs[0].labels
    assert facts is not None
    assert labels is not None
    predicted = [unpack(selected_classes(run) or "", facts.validation) for run in runs]
    digests = ["0" * 64] * len(runs)
    true = unpack(labels, facts.validation)
    return given_of("given", facts, true, np.stack(predicted), 2, digests, False)


@pytest.mark.parametrize("planned", BOARD.cells, ids=lambda planned: planned.id)
def test_a_row_has_the_scores_and_intervals_of_the_cell(planned: Cell) -> None:
    runs = RUNS[planned.id]
    rows = rows_of(leaderboard(BOARD.cells, BOARD.records, given=[given_as(runs)]))
    (theirs,) = (row for row in rows if row["given"])
    twins = [row for row in rows if row["rank"] == theirs["rank"] and row is not theirs]
    assert [{name: row[name] for name in SCORES} for row in twins] == [
        {name: theirs[name] for name in SCORES}
    ]
    costs = ("train_seconds", "samples_per_second", "eval_ms_per_sentence", "peak_memory_mb")
    assert all(twins[0][cost] is not None for cost in costs)
    named = {"rank", "checkpoint", "given", "status", *SCORES}
    assert {name for name, value in theirs.items() if value is not None} <= named


def test_the_rows_of_cells_stay_as_they_are_except_for_ranks() -> None:
    without = rows_of(leaderboard(BOARD.cells, BOARD.records))
    runs = RUNS[BOARD.cells[0].id]
    rows = rows_of(leaderboard(BOARD.cells, BOARD.records, given=[given_as(runs)]))
    left = [{**row, "rank": None} for row in rows if row.pop("given") is None]
    assert left == [{**row, "rank": None} for row in without]


def test_the_charts_of_the_page_keep_each_cell_at_the_place_of_its_row() -> None:
    given = given_as(RUNS[BOARD.cells[0].id])
    frame = leaderboard(BOARD.cells, BOARD.records, given=[given])
    data = chart_data(table_lines(replace(BOARD, given=(given,)), frame))["rows"]
    rows = rows_of(frame)
    assert [each["mcc"] for each in data] == [None if row["given"] else row["mcc"] for row in rows]
    assert [place for place, row in enumerate(rows) if row["given"]] not in ([], [len(rows) - 1])


def test_a_comparison_is_that_of_cells_without_pairing_seeds() -> None:
    ids = {"a": "minilm-l6-bs16-lr1e-04", "b": "mpnet-base-bs16-lr3e-05"}
    cells = {name: Contestant(name, tuple(RUNS[cell])) for name, cell in ids.items()}
    (given,) = given_contestants([given_as(RUNS[ids["a"]])], BOARD.records)
    found, expected = compare(given, cells["b"]), compare(cells["a"], cells["b"])
    for name in ("difference", "low", "high", "p_value", "low_sources", "high_sources", "covers"):
        assert getattr(found, name) == getattr(expected, name), name
    assert all(each.value is None and each.obstacle for each in found.ratios.values())
    # The seeds of cells of one checkpoint are paired; those of given predictions are not known.
    other = Contestant("c", tuple(RUNS["minilm-l6-bs32-lr1e-04"]))
    paired, unpaired = compare(cells["a"], other), compare(given, other)
    assert paired.difference == unpaired.difference
    digests = [f"{number}" * 64 for number in range(3)]
    apart = replace(
        other,
        runs=tuple(
            run.model_copy(update={"checkpoint_digest": digest})
            for run, digest in zip(other.runs, digests, strict=True)
        ),
    )
    assert (unpaired.low, unpaired.high) == (
        compare(cells["a"], apart).low,
        compare(cells["a"], apart).high,
    )
    assert paired.p_value != unpaired.p_value
