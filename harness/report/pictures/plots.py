"""A leaderboard's pictures, as PNG and SVG: the speed/quality front, learning curves, settings.

The same leaderboard gives the same bytes as long as matplotlib stays the same: SVG ids come from
a fixed salt, no file holds a date, and the font is the one that matplotlib ships. Only matplotlib's
object interface is used, so no global state changes and no window opens.
"""

import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from harness.report.pictures.charts import (
    FORMATS,
    SPEEDS,
    Line,
    Picture,
    Point,
    best_of,
    on_log_scale,
    speed_groups,
    speed_range,
)
from harness.report.pictures.heat_maps import LINE_INCHES, clear, heat_maps
from harness.report.pictures.labels import MARGIN, Canvas, ends_of, labels, log_ticks, text_of
from harness.report.pictures.looks import (
    DPI,
    OTHERS,
    STYLE,
    Looks,
    broken,
    drawable,
    looks_of,
    on_lines,
    with_short_ids,
)
from harness.report.pictures.race import describe, race_figure, race_paths
from harness.report.pictures.settings_grid import layout
from harness.text import counted, some, two_digits

MARGINS = (MARGIN, 0.1)
"""Empty shares of the axes on each side of all marks, horizontally and vertically."""

DASHED: Any = {"color": "#444444", "linestyle": (0, (4, 3))}

MOST_POINTS = 1000
MOST_CURVES = 24
MOST_CHECKPOINTS = 12
MOST_GROUPS = 3

METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Creator": None, "Date": None},
}
"""Removes the entries in which matplotlib writes its version and the date into a file."""


def pictures(lines: Sequence[Line]) -> Iterator[Picture]:
    """Yield the pictures for which a leaderboard has numbers.

    Args:
        lines: those with a score, at least one.
    """
    looks = looks_of(lines)
    for column, title in SPEEDS.items():
        if groups := _few(speed_groups(lines, column)):
            best = f", the best {MOST_POINTS:,} cells" if len(lines) > MOST_POINTS else ""
            points = chain.from_iterable(groups.values())
            rough = any(point.compares and point.rough for point in points)
            note = " (times are rough, so is the front)" if rough else ""
            yield Picture(
                f"pareto-{'training' if column == 'train_seconds' else 'evaluation'}",
                f"MCC against {title}{best}{note}",
                _front_in_words(f"{title}{note}", groups),
                partial(_pareto, title, groups, looks),
            )
    if curved := [line for line in lines if any(len(run.epochs) > 1 for run in line.runs)]:
        drawn = curved[:MOST_CURVES]
        best = f", the best {len(drawn)} of {len(curved)} cells" if len(drawn) < len(curved) else ""
        yield Picture(
            "learning-curves",
            f"MCC after each epoch{best}",
            "Validation MCC after each epoch, one line per seed, of "
            f"{counted(len(drawn), 'cell')}; the best is {drawn[0].label}",
            partial(_curves, drawn, looks),
        )
    grid = layout(lines) if lines else None
    maps = {} if grid is None else grid.maps(lines)
    if grid is not None and (
        several := {name: group for name, group in maps.items() if len(group) > 1}
    ):
        by = f"{grid.down.name} and {grid.across.name}"
        shown = dict(list(several.items())[:MOST_CHECKPOINTS])
        best = f", the best {len(shown)} of {len(several)}" if len(shown) < len(several) else ""
        yield Picture(
            "settings",
            f"MCC by {by}{best}",
            f"Mean MCC of each checkpoint by {by}; best: "
            + "; ".join(group[0].label for group in shown.values()),
            partial(heat_maps, shown, grid),
        )
    if budgets := best_of(lines):
        every = budgets[""]
        yield Picture(
            "best-of-n",
            "expected MCC of the best of n cells",
            f"Expected MCC of the best of n cells drawn at random from all {len(every)}: "
            f"{every[0]:z.3f} for one, {every[-1]:z.3f} for all",
            partial(_best_of, budgets, looks),
        )
    if paths := race_paths(lines):
        yield Picture("race", "the race", describe(paths), partial(race_figure, paths))


def draw(found: Iterable[Picture]) -> dict[str, bytes]:
    """Return each picture as PNG and SVG, by file name."""
    files = {}
    with mpl.rc_context(STYLE):
        for picture in found:
            figure = picture.draw()
            # Lay out once for both formats: it takes as long as drawing.
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
            for kind in FORMATS:
                buffer = io.BytesIO()
                figure.savefig(buffer, format=kind, metadata=METADATA[kind])
                content = buffer.getvalue()
                files[f"{picture.name}.{kind}"] = (
                    with_short_ids(content) if kind == "svg" else content
                )
    return files


# --- the speed/quality front ---


def _few(groups: Mapping[str, Sequence[Point]]) -> dict[str, list[Point]]:
    """Keep the best points, and every point of a front."""
    points = [point for group in groups.values() for point in group]
    least = sorted((point.mcc for point in points), reverse=True)[:MOST_POINTS][-1:]
    return {
        name: [point for point in group if point.on_front or point.mcc >= least[0]]
        for name, group in groups.items()
    }


def _pareto(title: str, groups: Mapping[str, Sequence[Point]], looks: Looks) -> Figure:
    shown = dict(list(groups.items())[:MOST_GROUPS])
    figure = Figure(figsize=(2.6 + 4.4 * len(shown), 4.6), layout="constrained")
    axes = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for ax, (circumstances, points) in zip(axes, shown.items(), strict=True):
        if on_log_scale(points):
            _logarithmic(ax, *ends_of(speed_range(points)))
        ax.margins(*MARGINS)
        ax.update_datalim([(speed, points[0].mcc) for speed in speed_range(points)])
        front = [point for point in points if point.on_front]
        ax.step(
            [point.speed for point in front],
            [point.mcc for point in front],
            where="post",
            linewidth=1,
            zorder=1,
            **DASHED,
        )
        _mark(ax, points, looks)
        for label in labels(points, _canvas(figure, len(shown))):
            ax.annotate(
                text_of(label.point),
                (label.point.speed, label.point.mcc),
                (label.right * 72 / DPI, label.up * 72 / DPI),
                textcoords="offset points",
                horizontalalignment="center",
                verticalalignment="center",
                fontsize=8,
                zorder=5,
            )
        ax.set_xlabel(title)
        ax.set_title(broken(circumstances), fontsize=8, loc="left", color="#444444")
    axes[0].set_ylabel("MCC")
    _key(figure, [point.line for points in shown.values() for point in points], looks)
    return figure


def _canvas(figure: Figure, several: int) -> Canvas:
    """Return the approximate space between the axes of one of several charts side by side."""
    width = (figure.get_figwidth() * DPI - 80) / several
    height = figure.get_figheight() * DPI - 150
    inset = (width * MARGINS[0] / (1 + 2 * MARGINS[0]), height * MARGINS[1] / (1 + 2 * MARGINS[1]))
    return Canvas(width, height, inset, mark=8, letter=(8.5, 13))


def _mark(ax: Axes, points: Iterable[Point], looks: Looks) -> None:
    """Draw points with their intervals; points of one style in one call, which is faster."""
    by_style: dict[tuple[tuple[str, str], bool, bool], list[Point]] = {}
    for point in points:
        style = (looks[point.line.cell.checkpoint], point.on_front, point.compares)
        by_style.setdefault(style, []).append(point)
    for ((colour, marker), on_front, compares), group in by_style.items():
        bars = [(point.speed, *ends) for point in group if (ends := point.line.interval)]
        if bars:
            ax.vlines(*zip(*bars, strict=True), color=colour, linewidth=1, alpha=0.7, zorder=2)
        ax.plot(
            [point.speed for point in group],
            [point.mcc for point in group],
            color=colour,
            marker=marker,
            markersize=8 if on_front else 5,
            markerfacecolor=colour if compares else "white",
            markeredgecolor="white" if compares else colour,
            markeredgewidth=0.6 if compares else 1.2,
            linestyle="none",
            zorder=4 if on_front else 3,
        )


def _key(figure: Figure, lines: Iterable[Line], looks: Looks) -> None:
    def is_other(line: Line) -> bool:
        return looks[line.cell.checkpoint] == OTHERS

    names: dict[str, tuple[str, str]] = {}
    for line in sorted(lines, key=lambda line: (is_other(line), line.number("rank") or math.inf)):
        name = "other checkpoints" if is_other(line) else drawable(line.cell.checkpoint)
        names[name] = looks[line.cell.checkpoint]
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="none", label=name)
        for name, (colour, marker) in names.items()
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False, fontsize=8)


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


# --- learning curves ---


def _curves(lines: Sequence[Line], looks: Looks) -> Figure:
    columns = min(4, len(lines))
    rows = math.ceil(len(lines) / columns)
    further = [on_lines(line.further_settings) for line in lines]
    height = 1.75 + LINE_INCHES * max(map(len, further))
    figure = Figure(figsize=(2.4 * columns + 0.4, height * rows + 0.3), layout="constrained")
    axes = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for ax, line, own in zip(axes, lines, further, strict=False):
        colour, _ = looks[line.cell.checkpoint]
        for run in line.runs:
            numbers = [epoch.epoch for epoch in run.epochs]
            ax.plot(
                numbers,
                [epoch.scores.mcc for epoch in run.epochs],
                color=colour,
                linewidth=1.3,
                alpha=0.85,
                marker="o",
                markersize=4,
                markevery=[numbers.index(run.selected_epoch)]
                if run.selected_epoch in numbers
                else [],
            )
        name = drawable(line.cell.checkpoint, 28)
        title = "\n".join([f"#{line.rank} {name}", line.batch, *own])
        ax.set_title(title, fontsize=7, loc="left")
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        ax.yaxis.set_major_locator(MaxNLocator(4))
    clear(axes[len(lines) :], axes[: len(lines)][-columns:])
    figure.supxlabel("epoch", fontsize=9)
    figure.supylabel("MCC", fontsize=9)
    return figure


# --- the best of n ---


def _best_of(budgets: Mapping[str, Sequence[float]], looks: Looks) -> Figure:
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    ax = figure.subplots()
    every = budgets[""]
    curves = {name: curve for name, curve in budgets.items() if name}
    for name, curve in list(curves.items())[:MOST_CHECKPOINTS]:
        colour, marker = looks[name]
        ax.plot(
            range(1, len(curve) + 1),
            curve,
            color=colour,
            marker=marker,
            markersize=4,
            linewidth=1.3,
            label=drawable(name, 50),
        )
    numbers = range(1, len(every) + 1)
    ax.plot(numbers, every, linewidth=1.3, label="all checkpoints", **DASHED)
    if len(every) > 40:
        _logarithmic(ax, 1, len(every))
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlim(left=0.5)
    ax.set_xlabel("cells tried, drawn at random")
    ax.set_ylabel("expected MCC of the best")
    figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=8)
    return figure


# --- shared by all ---


def _logarithmic(ax: Axes, low: float, high: float) -> None:
    """Make the horizontal axis logarithmic, for numbers from low to high."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(log_ticks(low, high)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
