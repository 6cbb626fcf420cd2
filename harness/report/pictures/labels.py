"""Places the labels of a chart of speed and quality, and the ticks of its speed axis."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.report.pictures.charts import Point, on_log_scale, speed_range
from harness.report.pictures.looks import MARGIN

SIDES = ((1, 1), (-1, 1), (1, -1), (-1, -1), (1, 0), (-1, 0))
"""Positions of a label relative to its mark: (1 right or -1 left, 1 above or -1 below or 0).

The first free one is used. None is straight above or below: an interval's line is there.
"""

MOST_LABELS = 30

MOST_TRIED = 150
"""How many points of the front are tried, so that a front of a thousand does not take minutes."""

FEWEST_TICKS = 4

MANTISSAS = (
    (1.0,),
    (1.0, 2.0, 5.0),
    (1.0, 2.0, 3.0, 5.0, 7.0),
    tuple(map(float, range(1, 10))),
    tuple(number / 10 for number in range(10, 100, 5)),
    tuple(number / 10 for number in range(10, 100)),
)
"""Ticks of a logarithmic axis within each power of ten, the sparse sets first."""


WIDTHS = (960, 800, 640, 480, 320)
"""Widths of the page's chart of speed, in pixels; the page draws the widest that fits."""


@dataclass(frozen=True)
class Canvas:
    """The space between a chart's axes, in pixels.

    Args:
        width: of the space; `height` likewise.
        inset: the smallest distance of a mark's centre from the edge, horizontal and vertical.
        mark: half of a mark's width.
        letter: width of a letter of a label, and its height.
    """

    width: float
    height: float
    inset: tuple[float, float]
    mark: float
    letter: tuple[float, float]


@dataclass(frozen=True)
class Label:
    """The label of a point, and its offset from the mark's centre: pixels to the right, and up."""

    point: Point
    right: float
    up: float


Boxes = np.ndarray
"""(boxes, 4): left, right, lower and upper ends of rectangles, in pixels from the lower left."""


def on_page(width: int) -> Canvas:
    """Return the canvas of the page's chart of a width in WIDTHS; page.js has the same margins."""
    height = min(480, width * 0.75)
    across = width - 48 - 24
    inset = (across * MARGIN / (1 + 2 * MARGIN), 8)
    return Canvas(across, height - 28 - 40, inset, mark=8, letter=(7.5, 13))


def text_of(point: Point) -> str:
    """Return a point's label."""
    return f"#{point.line.rank}"


def labels(points: Sequence[Point], canvas: Canvas) -> list[Label]:
    """Return labels of the points on the front, the best first, without overlaps.

    A label covers no mark, no interval's line and no other label, and lies completely on the
    canvas; if several positions remain, it does not cover the front's line either. No other mark
    is nearer to it than its own. A point without such a position gets no label, except the best,
    whose label goes where it covers the fewest marks. Of points with equal coordinates one gets a
    label.

    Args:
        points: all points in the chart, at least one.
    """
    positions = _positions(points, canvas)
    x, y, low, high = positions.T
    marks = _around(x, y, canvas.mark, canvas.mark)
    bars = np.column_stack([x - 1, x + 1, low - 1, high + 1])
    line = _steps(positions[[point.on_front for point in points], :2])
    found: list[Label] = []
    taken = np.empty((0, 4))
    for number in _to_try(points):
        point = points[number]
        half = (len(text_of(point)) * canvas.letter[0] / 2, canvas.letter[1] / 2)
        offsets = [
            (across * (canvas.mark + 2 + half[0]), up * (canvas.mark / 2 + half[1]))
            for across, up in SIDES
        ]
        boxes = [_around(x[number] + right, y[number] + up, *half)[0] for right, up in offsets]
        against = [
            (
                _meeting(box, marks),
                _meeting(box, bars)
                + _meeting(box, taken)
                + _beyond(box, canvas)
                + _misread(box, number, positions),
                _meeting(box, line),
            )
            for box in boxes
        ]
        least = min(against)
        if least[:2] > (0, 0) and found:
            continue
        side = against.index(least)
        taken = np.vstack([taken, boxes[side]])
        found.append(Label(point, *offsets[side]))
        if len(found) == MOST_LABELS:
            break
    return found


def _to_try(points: Sequence[Point]) -> list[int]:
    """Return the indices of the front's points, the best first; of equal points only the first.

    Of more than MOST_TRIED points, an even selection.
    """
    first: dict[tuple[float, float], int] = {}
    for number in sorted(range(len(points)), key=lambda number: -points[number].mcc):
        if points[number].on_front:
            first.setdefault((points[number].speed, points[number].mcc), number)
    return [*first.values()][:: max(1, math.ceil(len(first) / MOST_TRIED))]


def ends_of(speeds: Sequence[float]) -> tuple[float, float]:
    """Return the ends of a logarithmic axis for these speeds, MARGIN included."""
    beyond = (max(speeds) / min(speeds)) ** MARGIN
    return min(speeds) / beyond, max(speeds) * beyond


def log_ticks(low: float, high: float) -> list[float]:
    """Return ticks from low to high: from the first of MANTISSAS that gives FEWEST_TICKS.

    Args:
        low: above 0.
        high: at least five times as large.
    """
    ticks: list[float] = []
    for mantissas in MANTISSAS:
        ticks = [tick for tick in _ticks(low, high, mantissas) if low <= tick <= high]
        if len(ticks) >= FEWEST_TICKS:
            break
    return ticks


def _ticks(low: float, high: float, mantissas: Sequence[float]) -> Iterator[float]:
    for exponent in range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1):
        for mantissa in mantissas:
            # Through text: 3 * 10**-1 is not 0.3.
            yield float(f"{mantissa:g}e{exponent}")


def _positions(points: Sequence[Point], canvas: Canvas) -> np.ndarray:
    """Return each mark's x and y, and the lower and upper y of its interval's line.

    Returns (points, 4) pixels.
    """
    speeds = np.array([point.speed for point in points])
    ends = np.array(
        [(point.mcc, *(point.line.interval or (point.mcc, point.mcc))) for point in points]
    )
    on_axis = np.array(speed_range(points))
    if on_log_scale(points):
        speeds, on_axis = np.log(speeds), np.log(on_axis)
    across = _spread(speeds, on_axis, canvas.width, canvas.inset[0])
    return np.column_stack([across, _spread(ends, ends, canvas.height, canvas.inset[1])])


def _spread(values: np.ndarray, shown: np.ndarray, length: float, inset: float) -> np.ndarray:
    """Return positions of values, in pixels, on an axis that just shows the values `shown`."""
    low, high = shown.min(), shown.max()
    if low == high:
        return np.full(values.shape, length / 2)
    return np.asarray(inset + (values - low) / (high - low) * (length - 2 * inset))


def _steps(positions: np.ndarray) -> Boxes:
    """Return a front's line as boxes: from each mark to the right, then up to the next.

    Args:
        positions: (marks of the front, 2).
    """
    x, y = positions[np.lexsort((positions[:, 1], positions[:, 0]))].T
    flat = np.column_stack([x[:-1], x[1:], y[:-1] - 1, y[:-1] + 1])
    steep = np.column_stack([x[1:] - 1, x[1:] + 1, y[:-1], y[1:]])
    return np.vstack([flat, steep])


def _around(x: np.ndarray | float, y: np.ndarray | float, across: float, up: float) -> Boxes:
    """Return boxes around centres; `across` and `up` are half their width and height."""
    return np.column_stack([x - across, x + across, y - up, y + up])


def _meeting(box: np.ndarray, others: Boxes) -> int:
    """Return how many boxes overlap one box."""
    left, right, lower, upper = box
    meet = (
        (left < others[:, 1])
        & (others[:, 0] < right)
        & (lower < others[:, 3])
        & (others[:, 2] < upper)
    )
    return int(meet.sum())


def _beyond(box: np.ndarray, canvas: Canvas) -> bool:
    left, right, lower, upper = box
    return bool(left < 0 or right > canvas.width or lower < 0 or upper > canvas.height)


def _misread(box: np.ndarray, index: int, positions: np.ndarray) -> bool:
    """Return whether another mark is nearer to a label than its own."""
    distances = np.hypot(positions[:, 0] - box[:2].mean(), positions[:, 1] - box[2:].mean())
    return bool(distances.min() < distances[index])
