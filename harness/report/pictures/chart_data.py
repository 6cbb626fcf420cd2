"""The data of the page's charts, as plain values for its script."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.judging.column import MISSING
from harness.judging.columns import SHOWN
from harness.report.pictures import charts
from harness.report.pictures.charts import Line, Point, TableLines
from harness.report.pictures.labels import WIDTHS, ends_of, labels, log_ticks, on_page
from harness.report.pictures.looks import MARGIN
from harness.report.pictures.settings_grid import layout
from harness.text import printable

NOT_IN_CHARTS: Mapping[str, Any] = {"mcc": None, "group": None, "curves": []}
"""In place of a row of given predictions, because the page finds a row by its place."""


def chart_data(table: TableLines, most: int | None = None) -> Mapping[str, Any]:
    """Return the data of the charts; the rows are the table's, in its order.

    With a maximum number of rows, these are the first; but which of them are on a front, and which
    times are equal, still depends on the whole table, as in the pictures.

    `labels` of a row maps a speed column and a chart width to the label's offset from the mark, in
    pixels to the right and down. `ticks` maps a column and the number of a group to the ticks of a
    logarithmic axis, `ranges` to the lowest and the highest speed that the axis must show, `equal`
    to a clause that says which times are equal. If cells differ in further settings, `heat` names
    the settings down and across the heat maps with their values, and `heat` of a row is its map,
    its row and its column.
    """
    every = charts.with_score(charts.of_cells(table))
    table = table[:most]
    lines = charts.of_cells(table)
    scored = charts.with_score(lines)
    measured_on = charts.circumstances(every)
    names = dict.fromkeys(measured_on[line.cell.id] for line in scored)
    groups = {name: number for number, name in enumerate(names)}
    ticks: dict[str, dict[int, list[float]]] = {column: {} for column in charts.SPEEDS}
    ranges: dict[str, dict[int, tuple[float, float]]] = {column: {} for column in charts.SPEEDS}
    equal: dict[str, dict[int, str]] = {column: {} for column in charts.SPEEDS}
    marks: dict[str, dict[str, Point]] = {line.cell.id: {} for line in lines}
    offsets: dict[str, dict[str, dict[int, list[float]]]] = {line.cell.id: {} for line in lines}
    for column in charts.SPEEDS:
        for name, measured in charts.speed_groups(every, column).items():
            points = [point for point in measured if point.line.cell.id in marks]
            if not points:
                continue
            ranges[column][groups[name]] = charts.speed_range(points)
            equal[column][groups[name]] = charts.equal_times(measured, column)
            if charts.on_log_scale(points):
                ticks[column][groups[name]] = log_ticks(*ends_of(charts.speed_range(points)))
            for point in points:
                marks[point.line.cell.id][column] = point
            for width in WIDTHS:
                for label in labels(points, on_page(width)):
                    by_width = offsets[label.point.line.cell.id].setdefault(column, {})
                    by_width[width] = [label.right, -label.up]
    texts = {column.name: column for column in SHOWN}

    def row(line: Line) -> dict[str, Any]:
        own = marks[line.cell.id]
        return {
            "rank": MISSING if line.row["rank"] is None else line.row["rank"],
            "checkpoint": printable(line.cell.checkpoint),
            "batch_size": line.cell.batch_size,
            "learning_rate": line.cell.learning_rate,
            "settings": line.settings,
            "label": line.label,
            "mcc": line.number("mcc"),
            "low": line.number("mcc_low"),
            "high": line.number("mcc_high"),
            **{column: line.number(column) for column in charts.SPEEDS},
            "texts": {
                name: texts[name].text(line.row) for name in ("mcc", "mcc_low", *charts.SPEEDS)
            },
            "group": groups.get(measured_on.get(line.cell.id, "")),
            "fronts": [column for column, point in own.items() if point.on_front],
            "apart": [column for column, point in own.items() if not point.compares],
            "labels": offsets[line.cell.id],
            "curves": [
                {
                    "seed": run.seed,
                    "selected": run.selected_epoch,
                    "mcc": [round(epoch.scores.mcc, 4) for epoch in run.epochs],
                }
                for run in line.runs
                if run.epochs
            ],
        }

    rows = [row(line) for line in lines]
    heat = {} if not (scored and scored[0].further) else {"heat": _heat(scored, lines, rows)}
    cells = iter(rows)
    return {
        "rows": [next(cells) if isinstance(each, Line) else NOT_IN_CHARTS for each in table],
        "groups": list(groups),
        "speeds": charts.SPEEDS,
        "ticks": ticks,
        "ranges": ranges,
        "equal": equal,
        "widths": WIDTHS,
        "margin": MARGIN,
        **heat,
    }


def _heat(
    scored: Sequence[Line], lines: Sequence[Line], rows: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return the settings of the heat maps with their values, and put its place into each row."""
    grid = layout(scored)
    for line, row in zip(lines, rows, strict=True):
        row["heat"] = [
            printable(grid.name(line)),
            grid.down.text(grid.down.value(line)),
            grid.across.text(grid.across.value(line)),
        ]
    return {
        side: {
            "name": dimension.name,
            "values": [
                dimension.text(value) for value in sorted({dimension.value(line) for line in lines})
            ],
        }
        for side, dimension in (("down", grid.down), ("across", grid.across))
    }
