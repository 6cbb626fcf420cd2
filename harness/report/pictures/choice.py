"""Which pictures a leaderboard has numbers for, and the content of each, without matplotlib."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from harness.judging.column import decimals
from harness.report.pictures.charts import (
    SPEEDS,
    Line,
    Point,
    best_of,
    equal_times,
    lines_by_checkpoint,
    on_log_scale,
    speed_groups,
    speed_range,
)
from harness.report.pictures.content import (
    Budgets,
    Chart,
    Curve,
    Curves,
    Front,
    HeatMap,
    HeatMaps,
    Look,
    Mark,
    MarkLabel,
    Panel,
    Picture,
    Race,
    Side,
)
from harness.report.pictures.labels import Canvas, ends_of, labels, log_ticks, text_of
from harness.report.pictures.looks import DPI, MARGINS, front_inches
from harness.report.pictures.race import describe, race_paths
from harness.report.pictures.settings_grid import Dimension, Layout, layout
from harness.text import counted, some, two_digits

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's palette, which colour-blind people can distinguish; the page uses the same."""

MARKERS = ("o", "s", "^", "D", "*", "P")

OTHERS = ("#8a8f96", "P")

Looks = Mapping[str, Look]
"""Each checkpoint's colour and marker."""

MOST_POINTS = 1000
MOST_CURVES = 24
MOST_CHECKPOINTS = 12
MOST_GROUPS = 3

MOST_ON_LINEAR_AXIS = 40
"""Above so many cells, the axis of the best of n is logarithmic."""


def pictures(lines: Sequence[Line]) -> Iterator[Picture]:
    """Yield the pictures for which a leaderboard has numbers.

    Args:
        lines: those with a score, at least one.
    """
    looks = looks_of(lines)
    for column, title in SPEEDS.items():
        measured = dict([*speed_groups(lines, column).items()][:MOST_GROUPS])
        if groups := _few(measured):
            cells = sum(map(len, measured.values()))
            best = f", the best {MOST_POINTS:,} cells" if cells > MOST_POINTS else ""
            points = chain.from_iterable(groups.values())
            rough = any(point.compares and point.rough for point in points)
            note = " (times are rough, so is the front)" if rough else ""
            equal = {name: equal_times(measured[name], column) for name in groups}
            one, *further = dict.fromkeys(equal.values())
            in_caption = "for which times count as equal, see each chart" if further else one
            in_words = "; ".join(f"{equal[name]} ({name})" for name in equal) if further else one
            yield Picture(
                f"pareto-{'training' if column == 'train_seconds' else 'evaluation'}",
                f"MCC against {title}{best}{note}; {in_caption}",
                _front_in_words(f"{title}{note}; {in_words}", groups),
                _front(title, groups, equal if further else {}, looks),
            )
    if curved := [line for line in lines if any(len(run.epochs) > 1 for run in line.runs)]:
        drawn = curved[:MOST_CURVES]
        best = f", the best {len(drawn)} of {len(curved)} cells" if len(drawn) < len(curved) else ""
        yield Picture(
            "learning-curves",
            f"MCC after each epoch{best}",
            "Validation MCC after each epoch, one line per seed, of "
            f"{counted(len(drawn), 'cell')}; the best is {drawn[0].label}",
            Curves([_panel(line, looks) for line in drawn]),
        )
    grid = layout(lines) if lines else None
    maps = {} if grid is None else grid.maps(lines)
    if grid is not None and (
        several := {name: group for name, group in maps.items() if len(group) > 1}
    ):
        by = f"{grid.down.name} and {grid.across.name}"
        shown = list(several.values())[:MOST_CHECKPOINTS]
        best = f", the best {len(shown)} of {len(several)}" if len(shown) < len(several) else ""
        yield Picture(
            "settings",
            f"MCC by {by}{best}",
            f"Mean MCC of each checkpoint by {by}; best: "
            + "; ".join(group[0].label for group in shown),
            heat_maps(shown, grid),
        )
    if budgets := best_of(lines):
        every = budgets[""]
        yield Picture(
            "best-of-n",
            "expected MCC of the best of n cells",
            f"Expected MCC of the best of n cells drawn at random from all {len(every)}: "
            f"{every[0]:z.3f} for one, {every[-1]:z.3f} for all",
            _budgets(budgets, looks),
        )
    if paths := race_paths(lines):
        content = Race([(path.means, path.out) for path in paths])
        yield Picture("race", "the race", describe(paths), content)


def looks_of(lines: Iterable[Line]) -> Looks:
    """Give each of the best checkpoints its own colour and marker; all others share one."""
    names = list(lines_by_checkpoint(lines))
    distinct = len(COLOURS) if len(names) <= len(COLOURS) else len(COLOURS) - 1
    looks = zip(COLOURS[:distinct], MARKERS[:distinct], strict=True)
    return dict(zip(names, looks, strict=False)) | dict.fromkeys(names[distinct:], OTHERS)


# --- the speed/quality front ---


def _few(groups: Mapping[str, Sequence[Point]]) -> dict[str, list[Point]]:
    """Keep the best points, and every point of a front; drop groups without any."""
    points = [point for group in groups.values() for point in group]
    least = sorted((point.mcc for point in points), reverse=True)[:MOST_POINTS][-1:]
    kept = {
        name: [point for point in group if point.on_front or point.mcc >= least[0]]
        for name, group in groups.items()
    }
    return {name: group for name, group in kept.items() if group}


def _front(
    title: str, groups: Mapping[str, Sequence[Point]], equal: Mapping[str, str], looks: Looks
) -> Front:
    canvas = _canvas(len(groups), bool(equal))
    charts = [
        _chart(name, equal.get(name, ""), points, looks, canvas) for name, points in groups.items()
    ]
    return Front(
        title, charts, _key([point.line for each in groups.values() for point in each], looks)
    )


def _chart(
    circumstances: str, equal: str, points: Sequence[Point], looks: Looks, canvas: Canvas
) -> Chart:
    speeds = speed_range(points)
    return Chart(
        circumstances,
        equal,
        speeds,
        log_ticks(*ends_of(speeds)) if on_log_scale(points) else None,
        [
            Mark(
                point.speed,
                point.mcc,
                point.line.interval,
                looks[point.line.cell.checkpoint],
                point.on_front,
                point.compares,
            )
            for point in points
        ],
        [
            MarkLabel(
                text_of(label.point), label.point.speed, label.point.mcc, label.right, label.up
            )
            for label in labels(points, canvas)
        ],
    )


def _canvas(several: int, tall: bool) -> Canvas:
    """Return the approximate space between the axes of one of several charts side by side.

    Args:
        tall: whether titles say which times are equal.
    """
    across, up = front_inches(several)
    width, height = (across * DPI - 80) / several, up * DPI - (182 if tall else 150)
    inset = (width * MARGINS[0] / (1 + 2 * MARGINS[0]), height * MARGINS[1] / (1 + 2 * MARGINS[1]))
    return Canvas(width, height, inset, mark=8, letter=(8.5, 13))


def _key(lines: Iterable[Line], looks: Looks) -> list[tuple[str, Look]]:
    def is_other(line: Line) -> bool:
        return looks[line.cell.checkpoint] == OTHERS

    ordered = sorted(lines, key=lambda line: (is_other(line), line.number("rank") or math.inf))
    names = {
        "other checkpoints" if is_other(line) else line.cell.checkpoint: looks[line.cell.checkpoint]
        for line in ordered
    }
    return list(names.items())


def _front_in_words(title: str, groups: Mapping[str, Sequence[Point]]) -> str:
    front = [point for point in next(iter(groups.values())) if point.on_front]
    texts = "; ".join(
        f"{point.line.label}: MCC {point.mcc:z.3f} at {_speed(point)}" for point in front
    )
    apart = [
        point.line.label for points in groups.values() for point in points if not point.compares
    ]
    reason = "times of their seeds differ by more than a third, or by circumstances"
    hollow = f"; hollow, as {reason}: {some(apart)}" if apart else ""
    return f"MCC against {title}; on the front, the fastest first: {texts or 'none'}{hollow}"


def _speed(point: Point) -> str:
    return f"~{two_digits(point.speed)}" if point.rough else f"{point.speed:.4g}"


# --- learning curves, settings, the best of n ---


def _panel(line: Line, looks: Looks) -> Panel:
    curves = []
    for run in line.runs:
        numbers = [epoch.epoch for epoch in run.epochs]
        at = numbers.index(run.selected_epoch) if run.selected_epoch in numbers else None
        curves.append(Curve(numbers, [epoch.scores.mcc for epoch in run.epochs], at))
    colour, _ = looks[line.cell.checkpoint]
    return Panel(
        line.number_before, line.cell.checkpoint, line.batch, line.further_settings, colour, curves
    )


def heat_maps(maps: Sequence[Sequence[Line]], settings: Layout) -> HeatMaps:
    """Return heat maps of the mean MCC.

    Args:
        maps: the cells of each map, all with a score; at least one.
    """
    every = [line for group in maps for line in group]
    sides: list[tuple[Dimension, list[Any]]] = [
        (each, sorted({each.value(line) for line in every}))
        for each in (settings.down, settings.across)
    ]
    down, across = (
        Side(each.name, [each.text(value) for value in values]) for each, values in sides
    )
    mccs = [line.mcc for line in every]

    def heat_map(group: Sequence[Line]) -> HeatMap:
        found: list[list[float | None]] = [[None] * len(across.values) for _ in down.values]
        for line in group:
            row, column = (values.index(each.value(line)) for each, values in sides)
            found[row][column] = line.mcc
        texts = [["-" if mcc is None else decimals(3)(mcc) for mcc in row] for row in found]
        return HeatMap(group[0].cell.checkpoint, settings.constant(group[0]), found, texts)

    content = [heat_map(group) for group in maps]
    return HeatMaps(down, across, (min(mccs), max(mccs)), bool(settings.further), content)


def _budgets(budgets: Mapping[str, Sequence[float]], looks: Looks) -> Budgets:
    curves = [(name, looks[name], curve) for name, curve in budgets.items() if name]
    cells = len(budgets[""])
    ticks = log_ticks(1, cells) if cells > MOST_ON_LINEAR_AXIS else None
    return Budgets(curves[:MOST_CHECKPOINTS], budgets[""], ticks)
