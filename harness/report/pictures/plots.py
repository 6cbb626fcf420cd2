"""Draws a leaderboard's pictures, as PNG and SVG: speed and quality, learning curves, settings.

The same content gives the same bytes as long as matplotlib stays the same: SVG ids come from
a fixed salt, no file holds a date, and the font is the one that matplotlib ships. Only matplotlib's
object interface is used, so no global state changes and no window opens.
"""

import io
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from harness.report.pictures.content import (
    FORMATS,
    Budgets,
    Content,
    Curves,
    Front,
    HeatMaps,
    Look,
    Mark,
    Picture,
    Race,
)
from harness.report.pictures.heat_maps import LINE_INCHES, clear, heat_maps
from harness.report.pictures.looks import (
    DPI,
    MARGINS,
    STYLE,
    broken,
    drawable,
    front_inches,
    on_lines,
    with_short_ids,
)

DASHED: Any = {"color": "#444444", "linestyle": (0, (4, 3))}


def draw(found: Iterable[Picture]) -> dict[str, bytes]:
    """Return each picture as PNG and SVG, by file name."""
    files = {}
    with mpl.rc_context():
        mpl.rcdefaults()  # a user's own matplotlibrc does not count
        mpl.rcParams.update(STYLE)
        for picture in found:
            figure = figure_of(picture.content)
            # Not by savefig, which draws twice for each format. The first format lays out for both.
            for kind in FORMATS:
                content = _WRITERS[kind](figure)
                figure.set_layout_engine("none")
                files[f"{picture.name}.{kind}"] = content
    return files


def _as_png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def _as_svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(buffer, metadata={"Creator": None, "Date": None})
    return with_short_ids(buffer.getvalue())


_WRITERS: dict[str, Callable[[Figure], bytes]] = {"png": _as_png, "svg": _as_svg}
"""Of each format; without the entries in which matplotlib writes its version and the date."""


def figure_of(content: Content) -> Figure:
    """Draw a picture's content."""
    match content:
        case Front():
            return _front(content)
        case Curves():
            return _curves(content)
        case HeatMaps():
            return heat_maps(content)
        case Budgets():
            return _best_of(content)
        case Race():
            return _race(content)


# --- the speed/quality front ---


def _front(content: Front) -> Figure:
    size = front_inches(len(content.charts))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, len(content.charts), sharey=True, squeeze=False)[0]
    for ax, chart in zip(axes, content.charts, strict=True):
        if chart.ticks is not None:
            _logarithmic(ax, chart.ticks)
        ax.margins(*MARGINS)
        ax.update_datalim([(speed, chart.marks[0].mcc) for speed in chart.speeds])
        front = [mark for mark in chart.marks if mark.on_front]
        ax.step(
            [mark.speed for mark in front],
            [mark.mcc for mark in front],
            where="post",
            linewidth=1,
            zorder=1,
            **DASHED,
        )
        _mark(ax, chart.marks)
        for label in chart.labels:
            ax.annotate(
                label.text,
                (label.speed, label.mcc),
                (label.right * 72 / DPI, label.up * 72 / DPI),
                textcoords="offset points",
                horizontalalignment="center",
                verticalalignment="center",
                fontsize=8,
                zorder=5,
            )
        ax.set_xlabel(content.speed)
        above = "\n".join([broken(chart.circumstances), *on_lines(chart.equal)])
        ax.set_title(above, fontsize=8, loc="left", color="#444444")
    axes[0].set_ylabel("MCC")
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="none", label=name)
        for name, (colour, marker) in {drawable(name): look for name, look in content.key}.items()
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False, fontsize=8)
    return figure


def _mark(ax: Axes, marks: Iterable[Mark]) -> None:
    """Draw marks with their intervals; those of one style in one call, which is faster."""
    by_style: dict[tuple[Look, bool, bool], list[Mark]] = {}
    for mark in marks:
        by_style.setdefault((mark.look, mark.on_front, mark.compares), []).append(mark)
    for ((colour, marker), on_front, compares), group in by_style.items():
        bars = [(mark.speed, *mark.interval) for mark in group if mark.interval]
        if bars:
            ax.vlines(*zip(*bars, strict=True), color=colour, linewidth=1, alpha=0.7, zorder=2)
        ax.plot(
            [mark.speed for mark in group],
            [mark.mcc for mark in group],
            color=colour,
            marker=marker,
            markersize=8 if on_front else 5,
            markerfacecolor=colour if compares else "white",
            markeredgecolor="white" if compares else colour,
            markeredgewidth=0.6 if compares else 1.2,
            linestyle="none",
            zorder=4 if on_front else 3,
        )


# --- learning curves ---


def _curves(content: Curves) -> Figure:
    panels = content.panels
    columns = min(4, len(panels))
    rows = math.ceil(len(panels) / columns)
    further = [on_lines(panel.further) for panel in panels]
    height = 1.75 + LINE_INCHES * max(map(len, further))
    figure = Figure(figsize=(2.4 * columns + 0.4, height * rows + 0.3), layout="constrained")
    axes = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for ax, panel, own in zip(axes, panels, further, strict=False):
        for curve in panel.curves:
            ax.plot(
                curve.epochs,
                curve.mccs,
                color=panel.colour,
                linewidth=1.3,
                alpha=0.85,
                marker="o",
                markersize=4,
                markevery=[] if curve.selected is None else [curve.selected],
            )
        name = drawable(panel.checkpoint, 28)
        title = "\n".join([f"{panel.number}{name}", panel.batch, *own])
        ax.set_title(title, fontsize=7, loc="left")
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        ax.yaxis.set_major_locator(MaxNLocator(4))
    clear(axes[len(panels) :], axes[: len(panels)][-columns:])
    figure.supxlabel("epoch", fontsize=9)
    figure.supylabel("MCC", fontsize=9)
    return figure


# --- the best of n, and the race ---


def _best_of(content: Budgets) -> Figure:
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    ax = figure.subplots()
    for name, (colour, marker), curve in content.checkpoints:
        ax.plot(
            range(1, len(curve) + 1),
            curve,
            color=colour,
            marker=marker,
            markersize=4,
            linewidth=1.3,
            label=drawable(name, 50),
        )
    numbers = range(1, len(content.every) + 1)
    ax.plot(numbers, content.every, linewidth=1.3, label="all checkpoints", **DASHED)
    if content.ticks is not None:
        _logarithmic(ax, content.ticks)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlim(left=0.5)
    ax.set_xlabel("cells tried, drawn at random")
    ax.set_ylabel("expected MCC of the best")
    # Not found by matplotlib itself, which leaves out names that begin with an underscore.
    handles = ax.get_lines()
    figure.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False, fontsize=8)
    return figure


def _race(content: Race) -> Figure:
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    ax = figure.subplots()
    for means, out in content.paths:
        seeds = range(1, len(means) + 1)
        colour = "#8a8f96" if out else "#0072b2"
        ax.plot(seeds, means, color=colour, linewidth=1.3, zorder=2 if out else 3)
        mark = "x" if out else "o"
        ax.plot(seeds[-1], means[-1], color=colour, marker=mark, markersize=6, zorder=4)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("seeds (grey with a cross: no longer in the race)")
    ax.set_ylabel("mean MCC so far")
    return figure


# --- shared by all ---


def _logarithmic(ax: Axes, ticks: Sequence[float]) -> None:
    """Make the horizontal axis logarithmic."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(list(ticks)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
