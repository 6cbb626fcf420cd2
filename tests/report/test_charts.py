"""What charts show: fronts and budgets, against brute force."""

import math
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from builders.records import MACHINE, make_cell, make_record
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes

from harness.judging.leaderboard import leaderboard
from harness.machine.contention import Contention
from harness.report import publish
from harness.report.parts import parts
from harness.report.pictures.chart_data import chart_data
from harness.report.pictures.charts import (
    Line,
    best_of,
    lines_of,
    on_log_scale,
    speed_groups,
    speed_range,
    with_score,
)
from harness.report.pictures.choice import pictures
from harness.report.pictures.plots import figure_of
from harness.store.records import Record, Scores, Times
from harness.store.stopped import Stopped
from harness.suite.plan import Cell


def lines(cells: list[Cell], records: list[Record]) -> list[Line]:
    published = publish("sample", cells, records)
    return lines_of(published, leaderboard(cells, records))


def timed(cell: Cell, seconds: float, mcc: float, **changes: Any) -> Record:
    times = Times(load=0, tokenise=0, train=seconds, evaluate=0, total=seconds)
    return make_record(cell, mcc=mcc, times=times, **changes)


@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.integers(-9, 9)), min_size=1, max_size=20
    )
)  # fmt: skip
def test_the_front_is_what_no_other_cell_beats(measured: list[tuple[int, int]]) -> None:
    cells = [make_cell(f"org/{number}") for number in range(len(measured))]
    records = [
        timed(cell, seconds, mcc / 10) for cell, (seconds, mcc) in zip(cells, measured, strict=True)
    ]
    (points,) = speed_groups(lines(cells, records), "train_seconds").values()
    assert len(points) == len(cells)
    for point in points:
        beaten = any(
            other.speed <= point.speed
            and other.mcc >= point.mcc
            and (other.speed, other.mcc) != (point.speed, point.mcc)
            for other in points
        )
        assert point.on_front == (not beaten)


def test_speeds_are_compared_within_equal_circumstances_only() -> None:
    names = ["alone", "also-alone", "together", "elsewhere", "untimed"]
    cells = [make_cell(f"org/{name}") for name in names]
    elsewhere = MACHINE.model_copy(update={"accelerator": "Example GPU"})
    records = [
        timed(cells[0], 100, 0.5),
        timed(cells[1], 200, 0.6),
        timed(cells[2], 50, 0.7, concurrency=4),
        timed(cells[3], 10, 0.8, device="cuda", machine=elsewhere),
        make_record(cells[4], eval_ms_per_sentence=None),
    ]
    groups = speed_groups(lines(cells, records[:4]), "train_seconds")
    assert {
        name: [(point.line.cell.checkpoint, point.on_front) for point in points]
        for name, points in groups.items()
    } == {
        "runs at once: 1; cpu, Example CPU, threads per run: 2": [
            ("org/alone", True),
            ("org/also-alone", True),
        ],
        "runs at once: 1; cuda, Example GPU, Example CPU, threads per run: 2": [
            ("org/elsewhere", True)
        ],
        "runs at once: 4; cpu, Example CPU, threads per run: 2": [("org/together", True)],
    }
    (untimed,) = (line for line in lines(cells, records) if line.cell == cells[4])
    assert speed_groups([untimed], "eval_ms_per_sentence") == {}


@pytest.mark.parametrize(
    "seconds",
    [(55.2, 55.6), (55.0, 55.0), (100.0, 400.0), (0.02, 0.021), (54.9, 55.0, 55.7, 58.0)],
)
def test_an_axis_is_no_finer_than_rough_times(seconds: tuple[float, ...]) -> None:
    """Times of ~55 and ~56 are equal; an axis from 54.9 to 55.7 would draw them far apart."""
    busy = Contention(other_programs=0.9, own_cores=1.0, fewest_threads=1)
    cells = [make_cell(f"org/{number}") for number in range(len(seconds))]

    def axis(contention: Contention | None) -> tuple[Axes, Mapping[str, Any], bool]:
        records = [
            timed(cell, each, 0.5 - number / 10, contention=contention)
            for number, (cell, each) in enumerate(zip(cells, seconds, strict=True))
        ]
        drawn = lines(cells, records)
        (points,) = speed_groups(drawn, "train_seconds").values()
        figure = figure_of(next(iter(pictures(drawn))).content)
        figure.draw_without_rendering()
        return figure.axes[0], chart_data(drawn), on_log_scale(points)

    place, data, logarithmic = axis(busy)
    assert logarithmic
    low, high = data["ranges"]["train_seconds"][0]
    assert low <= min(seconds) <= max(seconds) <= high
    assert high / low == pytest.approx(10)
    assert math.sqrt(low * high) == pytest.approx(math.sqrt(min(seconds) * max(seconds)))
    left, right = place.get_xlim()
    assert (left < low, right > high, place.get_xscale()) == (True, True, "log")
    digits = [f"{tick:.2g}" for tick in data["ticks"]["train_seconds"][0]]
    assert [*map(float, digits)] == data["ticks"]["train_seconds"][0]
    _, exact, logarithmic = axis(None)
    ends = (min(seconds), max(seconds)) if len(set(seconds)) > 1 else (0.9 * 55, 1.1 * 55)
    assert exact["ranges"]["train_seconds"][0] == ends
    assert not logarithmic


def test_equal_speeds_are_in_the_middle_of_an_axis() -> None:
    cells = [make_cell(f"org/{name}") for name in "ab"]
    both = lines(cells, [timed(cell, 107.5, 0.5) for cell in cells])
    (points,) = speed_groups(both, "train_seconds").values()
    low, high = speed_range(points)
    assert low < 107.5 < high
    assert low + high == pytest.approx(2 * 107.5)


def test_a_cell_without_a_rank_has_only_its_name_over_its_curves() -> None:
    cells = [make_cell(f"org/{name}", seeds=(1, 2)) for name in "ab"]
    records = [timed(cells[0], 100, 0.5, seed=seed) for seed in (1, 2)]
    stopped = Stopped(after_epoch=1, of=2, because="gate met", target=0.4)
    records += [timed(cells[1], 100, 0.5, seed=seed, stopped=stopped) for seed in (1, 2)]
    found = lines(cells, records)
    assert [line.number_before for line in found] == ["#1 ", ""]


def test_lines_are_the_rows_in_order_with_their_own_cell_and_scored_runs() -> None:
    worse, better = make_cell("org/worse", seeds=(0, 1)), make_cell("org/better")
    missing = make_cell("org/missing")
    records = [make_record(worse, 0, 0.1), make_record(worse, 1, 0.2), make_record(better, 0, 0.5)]
    found = lines([worse, better, missing], records)
    assert [line.cell for line in found] == [better, worse, missing]
    assert [[run.seed for run in line.runs] for line in found] == [[0], [0, 1], []]
    assert [line.row["checkpoint"] for line in with_score(found)] == ["org/better", "org/worse"]


def test_only_parts_that_some_cell_was_scored_on_are_shown() -> None:
    cell = make_cell()
    record = make_record(cell, scores_out_of_domain=Scores(mcc=0.25, accuracy=0.5, f1=0.5))
    assert parts(lines([cell], [record])) == {"out-of-domain": {cell.id: (0.25, None)}}


def test_the_best_of_n_is_expected_of_each_checkpoints_cells_and_of_all() -> None:
    mccs = {"org/a": (0.2, 0.6, 0.4), "org/b": (0.3,)}
    cells = [
        make_cell(name, size) for name, values in mccs.items() for size in range(1, len(values) + 1)
    ]
    values = [mcc for own in mccs.values() for mcc in own]
    records = [make_record(cell, mcc=mcc) for cell, mcc in zip(cells, values, strict=True)]
    found = best_of(lines(cells, records))
    assert list(found) == ["org/a", ""]
    for name, own in (("org/a", mccs["org/a"]), ("", tuple(values))):
        expected = [
            np.mean([max(drawn) for drawn in combinations(own, n)]) for n in range(1, len(own) + 1)
        ]
        assert found[name] == pytest.approx(expected)
