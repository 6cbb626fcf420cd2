"""Heat maps of the MCC by two settings, one for each checkpoint and each value of the others."""

import math
from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.report.pictures.content import HeatMaps
from harness.report.pictures.looks import drawable, on_lines

LINE_INCHES = 0.13
"""Height of a line of a small picture's title."""


def heat_maps(content: HeatMaps) -> Figure:
    """Draw the mean MCC of the cells of each map."""
    across, down, maps = content.across.values, content.down.values, content.maps
    low, high = content.range
    columns = min(3, len(maps))
    rows = math.ceil(len(maps) / columns)
    width = max(2.7 if content.several else 2.2, 0.62 * len(across) + 0.7)
    constant = [on_lines(each.constant) for each in maps]
    height = 0.42 * len(down) + 0.85 + LINE_INCHES * max(map(len, constant))
    figure = Figure(figsize=(width * columns, height * rows + 0.3), layout="constrained")
    axes = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for ax, each, settings in zip(axes, maps, constant, strict=False):
        grid = [[math.nan if mcc is None else mcc for mcc in row] for row in each.mccs]
        ax.imshow(grid, cmap="viridis", vmin=low, vmax=high, aspect="auto")
        for row, (mccs, texts) in enumerate(zip(each.mccs, each.texts, strict=True)):
            for column, (mcc, text) in enumerate(zip(mccs, texts, strict=True)):
                # The upper half of viridis is light.
                dark = mcc is not None and mcc < (low + high) / 2
                ax.text(
                    column, row, text, ha="center", va="center", fontsize=7.5,
                    color="white" if dark else "black",
                )  # fmt: skip
        title = "\n".join([drawable(each.checkpoint, 34), *settings])
        ax.set_title(title, fontsize=7.5, loc="left")
        ax.set_xticks(range(len(across)), across, fontsize=7.5)
        ax.set_yticks(range(len(down)), down, fontsize=7.5)
        ax.grid(visible=False)
        ax.tick_params(length=0)
    clear(axes[len(maps) :], axes[: len(maps)][-columns:])
    figure.supxlabel(content.across.name, fontsize=8.5)
    figure.supylabel(content.down.name, fontsize=8.5)
    return figure


def clear(empty: Iterable[Axes], lowest: Iterable[Axes]) -> None:
    """Hide empty axes, and label the ticks of the lowest that remain."""
    for ax in empty:
        ax.set_axis_off()
    for ax in lowest:
        ax.tick_params(labelbottom=True)
