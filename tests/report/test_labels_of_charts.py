"""Labels of a chart of speed and quality cover nothing, and its axis has ticks enough."""

import math

import matplotlib as mpl
import pytest
from builders.leaderboards import board
from builders.records import make_cell, make_record
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from harness.judging.leaderboard import leaderboard
from harness.report import publish
from harness.report.pictures.charts import Point, lines_of, speed_groups, with_score
from harness.report.pictures.choice import pictures
from harness.report.pictures.labels import WIDTHS, Canvas, ends_of, labels, log_ticks, on_page
from harness.report.pictures.looks import STYLE
from harness.report.pictures.plots import figure_of
from harness.store.records import Times

CANVASES = [on_page(width) for width in WIDTHS]

MEASURED = st.lists(
    st.tuples(st.integers(1, 900), st.integers(-9, 9)), min_size=1, max_size=20
)  # fmt: skip


def points_of(measured: list[tuple[int, int]], seconds: float = 1.0) -> list[Point]:
    cells = [make_cell(f"org/{number}") for number in range(len(measured))]
    records = []
    for cell, (time, mcc) in zip(cells, measured, strict=True):
        train = seconds * time
        times = Times(load=0, tokenise=0, train=train, evaluate=0, total=train)
        records.append(make_record(cell, mcc=mcc / 10, times=times))
    frame = leaderboard(cells, records)
    lines = lines_of(publish("sample", cells, records), frame)
    (points,) = speed_groups(lines, "train_seconds").values()
    return points


@settings(deadline=None, max_examples=40)
@given(MEASURED, st.sampled_from(CANVASES))
def test_labels_are_on_the_front_and_apart_and_the_best_has_one(
    measured: list[tuple[int, int]], canvas: Canvas
) -> None:
    points = points_of(measured)
    chosen = [label.point for label in labels(points, canvas)]
    assert chosen[0].mcc == max(point.mcc for point in points)
    assert all(point.on_front for point in chosen)
    assert len({(point.speed, point.mcc) for point in chosen}) == len(chosen)


@settings(deadline=None, max_examples=40)
@given(MEASURED, st.sampled_from(CANVASES))
@example([(100, 1), (104, 2), (108, 3), (900, 9)], on_page(320))
@example([(111, 1), (119, 2), (130, 3), (128, 1), (239, 4), (257, 5)], on_page(960))
def test_no_label_but_a_crowded_best_covers_a_mark_or_another_label(
    measured: list[tuple[int, int]], canvas: Canvas
) -> None:
    """Places are computed here from the axes' scale, a label's size from its letters."""
    points = points_of(measured)
    logarithmic = max(p.speed for p in points) > 5 * min(p.speed for p in points)

    def place(value: float, values: list[float], length: float, inset: float) -> float:
        low, high = min(values), max(values)
        share = 0.5 if low == high else (value - low) / (high - low)
        return length * 0.5 if low == high else inset + share * (length - 2 * inset)

    speeds = [math.log(p.speed) if logarithmic else p.speed for p in points]
    mccs = [p.mcc for p in points]
    middles = {
        id(point): (
            place(speed, speeds, canvas.width, canvas.inset[0]),
            place(point.mcc, mccs, canvas.height, canvas.inset[1]),
        )
        for point, speed in zip(points, speeds, strict=True)
    }
    boxes: list[tuple[float, float, float]] = []
    for label in labels(points, canvas)[1:]:
        x, y = middles[id(label.point)]
        half = len(f"#{label.point.line.row['rank']}") * canvas.letter[0] / 2
        x, y = x + label.right, y + label.up
        assert half <= x + 0.01
        assert x + half <= canvas.width + 0.01
        for other in middles.values():
            across, up = abs(other[0] - x), abs(other[1] - y)
            apart = across > half + canvas.mark - 0.01
            assert apart or up > (canvas.letter[1] + 2 * canvas.mark) / 2 - 0.01
            assert math.hypot(across, up) >= math.dist((x, y), middles[id(label.point)]) - 0.01
        for left, right, height in boxes:
            assert right <= x - half + 0.01 or left >= x + half - 0.01 or abs(height - y) > 12.9
        boxes.append((x - half, x + half, y))


@pytest.mark.parametrize("name", ["crowd", "board"])
def test_in_the_picture_no_label_lies_on_a_mark_as_matplotlib_lays_them_out(name: str) -> None:
    crowd = [(111, 1), (119, 2), (130, 3), (129, 2), (239, 4), (257, 5), (312, 3), (1594, 9)]
    if name == "crowd":
        crowd += [(620, 6)]
        cells = [make_cell(f"org/{number}") for number in range(len(crowd))]
        records = [
            make_record(
                cell,
                mcc=mcc / 10,
                times=Times(load=0, tokenise=0, train=time, evaluate=0, total=time),
            )
            for cell, (time, mcc) in zip(cells, crowd, strict=True)
        ]
        published = publish("sample", cells, records)
    else:
        published = board(seeds=(0,))
    lines = lines_of(published, leaderboard(published.cells, published.records))
    (picture,) = (p for p in pictures(with_score(lines)) if p.name == "pareto-training")
    with mpl.rc_context(STYLE):
        figure = figure_of(picture.content)
        figure.draw_without_rendering()
        found = 0
        for axes in figure.axes:
            marks = _marks(axes)
            boxes = _label_boxes(axes)
            found += len(boxes)
            for box in boxes:
                assert not any(box.overlaps(mark) for mark in marks)
            for one, box in enumerate(boxes):
                assert not any(box.overlaps(other) for other in boxes[:one])
            assert len(_ticks_in_sight(axes)) >= 4
    assert found >= 4


def _marks(axes: Axes) -> list[Bbox]:
    """Return the middle halves of the marks, in pixels: what a label on one would cover."""
    found = []
    for line in axes.lines:
        if line.get_marker() in ("None", None, ""):
            continue
        half = line.get_markersize() * axes.figure.dpi / 72 / 4
        for x, y in axes.transData.transform(line.get_xydata()):
            found.append(Bbox([[x - half, y - half], [x + half, y + half]]))
    return found


def _label_boxes(axes: Axes) -> list[Bbox]:
    texts = [each for each in axes.get_children() if isinstance(each, Annotation)]
    return [each.get_window_extent() for each in texts]


def _ticks_in_sight(axes: Axes) -> list[float]:
    low, high = axes.get_xlim()
    return [tick for tick in axes.get_xticks() if low <= tick <= high]


@given(st.floats(1e-6, 1e6), st.floats(5, 1e6))
@example(6.0, 31 / 6)
@example(1.9, 5.4)
@example(111.0, 14.4)
@example(0.9, 5.01)
def test_a_logarithmic_axis_has_at_least_four_round_ticks_and_not_too_many(
    low: float, times: float
) -> None:
    ticks = log_ticks(low, low * times)
    assert 4 <= len(ticks) <= 13
    assert ticks == sorted(set(ticks))
    assert all(low <= tick <= low * times for tick in ticks)
    assert all(float(f"{tick:.2g}") == tick for tick in ticks)


@given(st.lists(st.floats(0.01, 1e4), min_size=2, max_size=9))
def test_the_ends_of_an_axis_leave_room_on_both_sides(speeds: list[float]) -> None:
    low, high = ends_of(speeds)
    assert low <= min(speeds) <= max(speeds) <= high
    assert low * high == pytest.approx(min(speeds) * max(speeds))
