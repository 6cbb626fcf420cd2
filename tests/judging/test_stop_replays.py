"""Replays of `--stop decided`: their verdicts are those of whole runs, their shares as by hand."""

import itertools
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pytest
from builders.records import make_cell, make_record, scores_of_epochs
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.judging.decided.stops import Stops
from harness.report.published import leaderboard_in, read_published
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.suite.spec import TrainingSpec

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))

import replay  # noqa: E402
import stop_replays  # noqa: E402

STUDY = ROOT / "results" / "study"

GOOD = (0.40, 0.46, 0.46, 0.46)
WEAK = (0.10, 0.20, 0.34, 0.34)
"""Two seeds with a mean of 0.40; an epoch takes 50 s."""


def whole_run(cell: Cell, seed: int, curve: Sequence[float], **changes: Any) -> Record:
    """Return the record of a whole run with these MCCs by epoch."""
    epochs = scores_of_epochs(curve)
    best = max(epochs, key=lambda each: each.scores.mcc)
    training = changes.pop("training", TrainingSpec(epochs=len(curve)))
    values = {"scores": best.scores, "selected_epoch": best.epoch, **changes}
    return make_record(cell, seed, training=training, epochs=epochs, **values)


def measured(cells: Sequence[Cell], records: Sequence[Record], most: int = 100) -> dict[str, Any]:
    return stop_replays.measure(cells, records, most, np.random.default_rng(1))


def two_seeds() -> dict[tuple[int, float], dict[str, Any]]:
    """Return the row of each number of runs at once and margin."""
    cell = make_cell(seeds=(0, 1))
    runs = [whole_run(cell, 0, GOOD), whole_run(cell, 1, WEAK)]
    return {(row["at_once"], row["margin"]): row for row in measured([cell], runs)["cells"]}


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    published = read_published(leaderboard_in(STUDY))
    return measured(published.cells, published.records)


@pytest.mark.parametrize("name", ["race-gates", "race"])
def test_no_verdict_on_the_evidence_of_races_differs_from_that_of_whole_runs(name: str) -> None:
    published = read_published(leaderboard_in(ROOT / "results" / name))
    found = measured(published.cells, published.records, most=20)
    assert found["left_out"] == []
    assert [row["different_verdicts"] for row in found["margins"]] == [0] * 12
    # A gate that is met by a wide margin leaves out epochs; one that is not met leaves out none.
    by_margin = {row["margin"]: row["epochs"] for row in found["margins"] if row["at_once"] == 1}
    assert by_margin[0.15] < by_margin[0.10] < by_margin[0.05] < by_margin[0.02] < 1
    assert by_margin[-0.02] == by_margin[-0.05] == 1


def test_every_verdict_on_the_committed_study_is_that_of_whole_runs(study: dict[str, Any]) -> None:
    assert study["left_out"] == []
    # Four cells of three seeds and two of two, in every order.
    assert {row["replays"] for row in study["margins"]} == {4 * 6 + 2 * 2}
    assert [row["different_verdicts"] for row in study["margins"]] == [0] * 12
    for row in study["margins"]:
        outcome = "passing" if row["margin"] > 0 else "failing"
        assert row[outcome] == 6
    for row in study["cells"]:
        assert row["min_mcc"] == pytest.approx(row["mcc"] - row["margin"])


def test_a_wide_margin_saves_training_and_a_failing_gate_none(study: dict[str, Any]) -> None:
    for row in study["margins"]:
        if row["margin"] == 0.15:
            assert 0.5 <= row["epochs"] < 0.6  # two epochs: one is the least
            assert row["time"] < 0.65
        if row["margin"] < 0:
            assert row["epochs"] >= 1
            assert row["time"] >= 1


@pytest.mark.parametrize(
    ("at_once", "margin", "epochs", "most", "again"),
    [
        # Gate 0.25: the good seed stops after 1 epoch; the weak one needs 0.10 then, so 1. The weak
        # one first needs 0.25, so 3; the good one then 0.16, so 1.
        (1, 0.15, (2 + 4) / 2, 4, 0),
        # Gate 0.38: 1 epoch, then the weak seed needs 0.36: all 4; then the good one needs 0.42: 2.
        # The weak one first: 4, then 2.
        (1, 0.02, (7 + 6) / 2, 7, 0.5),
        # Gate 0.42: 2 epochs, 4 and again 4. The weak one first: 4 and 4.
        (1, -0.02, (10 + 8) / 2, 10, 0.5),
        # Both start with the gate as their target, in either order: 1, 4 and again 2.
        (2, 0.02, 7, 7, 1),
    ],
)
def test_shares_of_two_seeds_are_those_computed_by_hand(
    at_once: int, margin: float, epochs: float, most: int, again: float
) -> None:
    row = two_seeds()[at_once, margin]
    assert row["epochs"] == row["time"] == pytest.approx(epochs / 8)
    assert row["epochs_most"] == row["time_most"] == most / 8
    assert row["trained_again"] == again
    assert row["replays"] == 2
    assert row["verdict"] == ("pass" if margin > 0 else "fail")
    assert row["different_verdicts"] == 0


@given(
    curves=st.lists(
        st.lists(st.integers(-4, 4).map(lambda n: n / 8), min_size=3, max_size=3),
        min_size=1,
        max_size=3,
    ),
    aim=st.integers(-8, 8).map(lambda n: n / 16),
)
def test_the_fewest_epochs_are_those_of_all_ways_to_stop(
    curves: list[list[float]], aim: float
) -> None:
    cell = make_cell(seeds=(1, 2, 3))
    runs = [whole_run(cell, seed, curve) for seed, curve in enumerate(curves, 1)]
    ways = itertools.product(*(range(1, len(curve) + 1) for curve in curves))
    expected = [
        sum(way)
        for way in ways
        if mean(max(curve[:last]) for curve, last in zip(curves, way, strict=True)) >= aim
    ]
    assert stop_replays.fewest_epochs(runs, aim) == min(expected, default=None)


def test_a_decision_that_trains_nothing_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Careless(Stops):
        def end(self, record: Record) -> int | None:
            super().end(record)
            return None

    monkeypatch.setattr(stop_replays, "Stops", Careless)
    rows = two_seeds()
    assert rows[1, 0.02]["different_verdicts"] == 1  # the good seed first
    assert rows[1, -0.02]["different_verdicts"] == 1
    assert rows[1, 0.15]["different_verdicts"] == 0


def test_cells_without_whole_runs_or_without_early_decisions_are_listed() -> None:
    missing = make_cell("org/missing", seeds=(0, 1))
    failed = make_cell("org/failed", seeds=(0,))
    last = make_cell("org/last", seeds=(0,))
    found = measured(
        [missing, failed, last],
        [
            whole_run(missing, 0, GOOD),
            whole_run(failed, 0, GOOD).model_copy(update={"scores": None}),
            whole_run(last, 0, GOOD, training=TrainingSpec(epochs=4, selection="last-epoch")),
        ],
    )
    assert found["margins"] == found["cells"] == []
    assert found["left_out"] == [
        f"{missing.id}: no whole run of seed 1",
        f"{failed.id}: no whole run of seed 0",
        f'{last.id}: training.selection is "last-epoch", and the MCC of the last epoch is not '
        "known before it",
    ]
    assert "Not replayed:" in stop_replays.as_markdown(found)


def test_a_gate_is_within_the_range_of_an_mcc_and_unmeasured_time_has_no_share() -> None:
    cell = make_cell(seeds=(0,))
    run = whole_run(cell, 0, (-0.95, -0.9))
    instant = tuple(each.model_copy(update={"seconds": 0.0}) for each in run.epochs)
    found = measured([cell], [run.model_copy(update={"epochs": instant})])
    assert min(row["min_mcc"] for row in found["cells"]) == -1.0
    assert {row["time"] for row in [*found["cells"], *found["margins"]]} == {None}
    page = "\n".join(stop_replays.as_markdown(found))
    assert len(re.findall(r"\| - +\| - +\|", page)) >= len(found["margins"])


def test_many_seeds_are_replayed_in_random_orders() -> None:
    rng = np.random.default_rng(1)
    assert len(stop_replays.orders_of(range(5), 1000, rng)) == 120
    orders = stop_replays.orders_of([7, 8, 9], 5, rng)
    assert len(orders) == 5
    assert all(sorted(order) == [7, 8, 9] for order in orders)


def test_the_command_writes_page_and_figures_beside_the_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "leaderboard.json").write_bytes((STUDY / "leaderboard.json").read_bytes())
    monkeypatch.setattr(sys, "argv", ["replay.py", "--evidence", str(tmp_path), "--write"])
    replay.main()
    page = (tmp_path / "replays.md").read_text(encoding="utf-8")
    assert page in capsys.readouterr().out
    assert "Races and looks are not replayed: not every cell has the same seeds" in page
    assert "## Gates with `--stop decided`" in page
    figures = json.loads((tmp_path / "replays.json").read_bytes())
    assert figures["stops"]["margins"][0]["different_verdicts"] == 0


def test_nothing_to_replay_is_an_error_with_every_reason(tmp_path: Path) -> None:
    published = json.loads((STUDY / "leaderboard.json").read_bytes())
    published["records"] = []
    (tmp_path / "leaderboard.json").write_text(json.dumps(published), encoding="utf-8")
    with pytest.raises(BadInput) as error:
        replay.measure(tmp_path, 10)
    assert len(error.value.problems) == 1 + len(published["cells"])
    assert "nothing can be replayed: no races and looks" in error.value.problems[0]


def test_a_full_matrix_is_still_replayed_as_a_race() -> None:
    published = read_published(leaderboard_in(STUDY))
    three = [cell for cell in published.cells if len(cell.seeds) == 3]
    matrix = replay.full_matrix(replace(published, cells=(three[0], three[2])))
    assert isinstance(matrix, replay.Matrix)
    figures = {
        "evidence": "two_cells",
        "processor": None,
        "no_full_matrix": None,
        **replay.measure_matrix(matrix, 1),
        "stops": measured([], []),
    }
    page = replay.as_markdown(figures)
    assert "2 cells with 3 seeds each, in 1 random orders" in page
    assert page.index("## Races") < page.index("## Gates on a lower bound") < page.index("--stop")
