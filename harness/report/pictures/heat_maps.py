"""Heat maps of the MCC by two settings, one for each checkpoint and each value of the others."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.judging.column import decimals
from harness.judging.settings import heading_of, text_of
from harness.report.pictures.charts import Line
from harness.report.pictures.looks import drawable, mcc_of
from harness.text import scientific


@dataclass(frozen=True)
class Dimension:
    """A setting that differs between cells: its name, its value in a cell, the value as text."""

    name: str
    value: Callable[[Line], Any]
    text: Callable[[Any], str] = text_of


LEARNING_RATE = Dimension("learning rate", lambda line: line.cell.learning_rate, scientific)
BATCH_SIZE = Dimension("batch size", lambda line: line.cell.batch_size, str)


@dataclass(frozen=True)
class Layout:
    """The settings across and down a heat map; `further` ones have a map for each value."""

    across: Dimension
    down: Dimension
    further: tuple[Dimension, ...]

    def name(self, line: Line) -> str:
        """Return the name of the map to which a cell belongs."""
        values = (f", {each.name} {each.text(each.value(line))}" for each in self.further)
        return line.cell.checkpoint + "".join(values)

    def maps(self, lines: Iterable[Line]) -> dict[str, list[Line]]:
        """Return the cells of each map, by its name."""
        found: dict[str, list[Line]] = {}
        for line in lines:
            found.setdefault(self.name(line), []).append(line)
        return found


def layout(lines: Sequence[Line]) -> Layout:
    """Choose learning rate and batch size; another setting replaces one of them that is constant.

    Args:
        lines: at least one.
    """
    further = [
        Dimension(heading_of(name), partial(_own_value, name))
        for name in lines[0].cell.settings
        if heading_of(name) in lines[0].further
    ]
    chosen = [
        further.pop(0) if further and not _differs(usual, lines) else usual
        for usual in (LEARNING_RATE, BATCH_SIZE)
    ]
    return Layout(chosen[0], chosen[1], tuple(further))


def _own_value(name: str, line: Line) -> Any:
    return line.cell.settings[name]


def _differs(dimension: Dimension, lines: Sequence[Line]) -> bool:
    return len({dimension.value(line) for line in lines}) > 1


def heat_maps(maps: Mapping[str, Sequence[Line]], settings: Layout) -> Figure:
    """Draw the mean MCC of the cells of each map.

    Args:
        maps: cells with a score, by the name of their map; at least one.
    """
    every = [line for group in maps.values() for line in group]
    down = sorted({settings.down.value(line) for line in every})
    across = sorted({settings.across.value(line) for line in every})
    mccs = [mcc_of(line) for line in every]
    low, high = min(mccs), max(mccs)
    columns = min(3, len(maps))
    rows = math.ceil(len(maps) / columns)
    width = max(2.2, 0.62 * len(across) + 0.7)
    height = 0.42 * len(down) + 0.85
    figure = Figure(figsize=(width * columns, height * rows + 0.3), layout="constrained")
    axes = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for ax, (name, group) in zip(axes, maps.items(), strict=False):
        grid = [[math.nan] * len(across) for _ in down]
        for line in group:
            place = down.index(settings.down.value(line)), across.index(settings.across.value(line))
            grid[place[0]][place[1]] = mcc_of(line)
        ax.imshow(grid, cmap="viridis", vmin=low, vmax=high, aspect="auto")
        for row, values in enumerate(grid):
            for column, mcc in enumerate(values):
                text = "-" if math.isnan(mcc) else decimals(3)(mcc)
                # The upper half of viridis is light.
                dark = not math.isnan(mcc) and mcc < (low + high) / 2
                ax.text(
                    column, row, text, ha="center", va="center", fontsize=7.5,
                    color="white" if dark else "black",
                )  # fmt: skip
        ax.set_title(drawable(name, 34), fontsize=7.5, loc="left")
        names = [settings.across.text(each) for each in across]
        ax.set_xticks(range(len(across)), names, fontsize=7.5)
        names = [settings.down.text(each) for each in down]
        ax.set_yticks(range(len(down)), names, fontsize=7.5)
        ax.grid(visible=False)
        ax.tick_params(length=0)
    clear(axes[len(maps) :], axes[: len(maps)][-columns:])
    figure.supxlabel(settings.across.name, fontsize=8.5)
    figure.supylabel(settings.down.name, fontsize=8.5)
    return figure


def clear(empty: Iterable[Axes], lowest: Iterable[Axes]) -> None:
    """Hide empty axes, and label the ticks of the lowest that remain."""
    for ax in empty:
        ax.set_axis_off()
    for ax in lowest:
        ax.tick_params(labelbottom=True)
