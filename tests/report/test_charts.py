"""What charts show: fronts and budgets, against brute force."""

import math
from collections.abc import Mapping, Sequence
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
    equal_times,
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


BUSY = Contention(other_programs=0.9, own_cores=1.0, fewest_threads=1)
QUIET = Contention(other_programs=0.0, own_cores=2.0, fewest_threads=2)


def front_of(
    measured: Sequence[tuple[tuple[float, ...], float, bool]],
) -> tuple[list[tuple[float, float, bool, bool]], str]:
    """Return time, MCC, whether it is rough, and whether it is on the front, for each cell.

    Args:
        measured: the seconds of each cell's runs, its MCC, and whether other programs were busy.
    """
    cells, records = [], []
    for number, (seconds, mcc, busy) in enumerate(measured):
        cell = make_cell(f"org/{number}", seeds=tuple(range(len(seconds))))
        cells.append(cell)
        records += [
            timed(cell, each, mcc, seed=seed, contention=BUSY if busy else QUIET)
            for seed, each in enumerate(seconds)
        ]
    found = speed_groups(lines(cells, records), "train_seconds")
    points = [point for group in found.values() for point in group]
    assert len(points) == len(cells)
    assert len({id(point.line) for point in points}) == len(cells)
    told = equal_times(points, "train_seconds")
    return [(point.speed, point.mcc, point.rough, point.on_front) for point in points], told


@given(
    st.lists(
        st.tuples(st.integers(20, 99), st.integers(-2, 2), st.booleans()), min_size=1, max_size=8
    )
)
def test_the_front_is_the_one_set_whose_cells_beat_all_others_and_not_each_other(
    measured: list[tuple[int, int, bool]],
) -> None:
    """With one seed each, times within a third are equal. All sets of cells are tried."""
    points, told = front_of([((float(time),), mcc / 10, busy) for time, mcc, busy in measured])
    assert told.startswith("times within 33 % count as equal")
    numbers = range(len(points))

    def shorter(one: int, other: int) -> bool:
        (time, _, rough, _), (longer, *_) = points[one], points[other]
        return 2 * time < longer if rough else 4 * time < 3 * longer

    def beats(one: int, other: int) -> bool:
        (_, mcc, *_), (_, lower, *_) = points[one], points[other]
        return (mcc > lower and not shorter(other, one)) or (mcc == lower and shorter(one, other))

    def is_front(chosen: tuple[int, ...]) -> bool:
        beaten = [any(beats(one, number) for one in chosen) for number in numbers]
        return all(beaten[number] != (number in chosen) for number in numbers)

    sets = [chosen for size in numbers for chosen in combinations(numbers, size + 1)]
    front = tuple(number for number in numbers if points[number][3])
    assert [chosen for chosen in sets if is_front(chosen)] == [front]
    drawn = [points[number][1] for number in front]
    assert drawn == sorted(drawn), "the line of a front rises"


def test_a_chain_of_equal_times_leaves_every_cell_on_the_front_that_none_on_it_beats() -> None:
    """Each time equals the next, so each cell but the last is beaten by its slower neighbour."""
    points, told = front_of([((100 * 1.3**k,), 0.3 + 0.05 * k, False) for k in range(10)])
    assert told == "times within 33 % count as equal"
    assert [on_front for *_, on_front in points] == [False, True] * 5


def test_times_that_differ_less_than_between_seeds_are_equal_on_a_front() -> None:
    """Seeds of one cell differ by up to 4 %: 101 s is not shorter than 103 s, 90 s is."""
    steady = [((100.0, 104.0, 102.0), 0.5, False), ((99.0, 100.0, 101.0), 0.4, False)]
    points, told = front_of([*steady, ((90.0, 90.0), 0.3, False)])
    assert told == "times within 4 % count as equal"
    assert [(time, on_front) for time, _, _, on_front in points] == [
        (90.0, True),
        (100.0, False),
        (102.0, True),
    ]
    points, told = front_of([((100.0, 101.0), 0.5, False), ((95.0, 95.1), 0.4, False)])
    assert told == "times within 33 % count as equal", "two repetitions are too few"
    assert [on_front for *_, on_front in points] == [False, True]


def test_a_rough_time_is_shorter_only_by_a_factor_of_two() -> None:
    for time, on_front in ((60.0, False), (49.0, True)):
        points, told = front_of([((100.0,) * 4, 0.5, True), ((time,) * 4, 0.4, True)])
        assert [rough for _, _, rough, _ in points] == [True, True]
        assert told == (
            "times within 33 % count as equal, rough ones are shorter only by a factor of 2"
        )
        assert [front for *_, front in points] == [on_front, True]
    for mccs, kept in (((0.5, 0.4), (False, True)), ((0.5, 0.5), (True, True))):
        same = [((100.0,) * 4, mccs[0], False), ((50.0,) * 4, mccs[1], True)]
        points, _ = front_of(same)
        assert [front for *_, front in points] == [*kept], "half the time is not less than half"
    steady = [((100.0,) * 4, 0.4, False), ((210.0,) * 4, 0.6, False)]
    busy = [((190.0,) * 4, 0.5, True), ((230.0,) * 4, 0.55, True)]
    alone, _ = front_of(steady)
    beside, _ = front_of([*steady, *busy])
    assert [on_front for *_, on_front in alone] == [True, True]
    on_fronts = {time: on_front for time, *_, on_front in beside}
    assert on_fronts == {100.0: True, 190.0: False, 210.0: True, 230.0: False}


@pytest.mark.parametrize(
    ("quick", "slow", "on_front"),
    [
        (((100.0,) * 4, True), ((150.0,) * 4, False), True),
        (((6.0,), True), ((10.0,), False), True),
        (((100.0,) * 4, True), ((201.0,) * 4, False), False),
        (((100.0,) * 4, True), ((190.0,) * 4, True), True),
        (((100.0,) * 4, False), ((150.0,) * 4, True), False),
        (((100.0,), False), ((130.0,), True), True),
        (((100.0,), False), ((140.0,), True), False),
    ],
)
def test_a_rough_time_takes_no_cell_of_its_mcc_from_the_front_unless_it_is_less_than_half(
    quick: tuple[tuple[float, ...], bool], slow: tuple[tuple[float, ...], bool], on_front: bool
) -> None:
    """What counts is whether the shorter time is rough, not the longer one."""
    points, _ = front_of([(seconds, 0.5, rough) for seconds, rough in (quick, slow)])
    assert [front for *_, front in points] == [True, on_front]


def test_a_front_says_which_times_are_equal() -> None:
    cells = [make_cell(f"org/{number}") for number in range(2)]
    drawn = lines(cells, [timed(cell, 100 + cell.seeds[0], 0.5) for cell in cells])
    fronts = [picture for picture in pictures(drawn) if picture.name.startswith("pareto")]
    assert len(fronts) == 2
    for picture in fronts:
        assert picture.title.endswith("; times within 33 % count as equal")
        assert "times within 33 % count as equal" in picture.alt
    assert chart_data(drawn)["equal"]["train_seconds"] == {0: "times within 33 % count as equal"}


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
