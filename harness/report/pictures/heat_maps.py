"""Heat maps of the MCC by two settings, one for each checkpoint and each value of the others."""

import math
from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.judging.column import decimals
from harness.report.pictures.charts import Line
from harness.report.pictures.looks import drawable, on_lines
from harness.report.pictures.settings_grid import Layout

LINE_INCHES = 0.13
"""Height of a line of a small picture's title."""


def heat_maps(maps: Mapping[str, Sequence[Line]], settings: Layout) -> Figure:
    """Draw the mean MCC of the cells of each map.

    Args:
        maps: cells with a score, by the name of their map; at least one.
    """
    every = [line for group in maps.values() for line in group]
    down = sorted({settings.down.value(line) for line in every})
    across = sorted({settings.across.value(line) for line in every})
    mccs = [line.mcc for line in every]
    low, high = min(mccs), max(mccs)
    columns = min(3, len(maps))
    rows = math.ceil(len(maps) / columns)
    least = 2.2 if not settings.further else 2.7
    width = max(least, 0.62 * len(across) + 0.7)
    constant = {name: on_lines(settings.constant(group[0])) for name, group in maps.items()}
    height = 0.42 * len(down) + 0.85 + LINE_INCHES * max(map(len, constant.values()))
    figure = Figure(figsize=(width * columns, height * rows + 0.3), layout="constrained")
    axes = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for ax, (name, group) in zip(axes, maps.items(), strict=False):
        grid = [[math.nan] * len(across) for _ in down]
        for line in group:
            place = down.index(settings.down.value(line)), across.index(settings.across.value(line))
            grid[place[0]][place[1]] = line.mcc
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
        title = "\n".join([drawable(group[0].cell.checkpoint, 34), *constant[name]])
        ax.set_title(title, fontsize=7.5, loc="left")
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
