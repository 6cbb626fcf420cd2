"""A leaderboard as one HTML file that works offline: table, charts, warnings, provenance.

The table is plain HTML, complete without JavaScript; libraries sort it and draw the charts. Text
of a record never becomes markup: the template escapes it, and the charts' data are JSON in a block
that is not executed. A content security policy blocks all loading, and every script except those
that this module embeds.
"""

import functools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from harness.judging.column import MISSING, Column
from harness.judging.columns import SHOWN, informative
from harness.judging.further_columns.settings import SETTINGS
from harness.markup import code, section
from harness.report.findings.domain_differences import domain_differences
from harness.report.markdown import (
    NO_LOGITS,
    environments,
    introduction,
    legend,
    origins,
    populations,
    runs_in_full,
    warnings,
    without_score,
)
from harness.report.page_files import ASSETS, digest, libraries, script, style
from harness.report.parts import Part, caption, in_text, lines_on_parts, parts
from harness.report.pictures import charts
from harness.report.pictures.chart_data import chart_data
from harness.report.pictures.charts import GivenLine, Line, TableLines
from harness.report.pictures.race import race_paths, race_svg
from harness.report.published import Published, stopped_runs
from harness.report.suite_file import suite_files
from harness.text import counted, printable, scientific

MOST_CELLS = 1000
"""Maximum number of rows on the page; of a larger matrix, it shows the best."""

MOST_ITEMS = 100
"""Maximum number of items in a list on the page; leaderboard.md has all."""

MOST_OPEN = 10
"""Items of a list that are visible at once; the others are folded."""

MOST_PARTED = 100
"""Maximum number of rows in the table of MCC by part; of more, it shows the best."""

NUMBER = re.compile(r"\d[\d.]*e?(?:-\d+)+")
"""A number or date with a hyphen, where a line would break: 2e-5, 2026-01-02."""

NO_BREAK, JOINER = "\u00a0", "\u2060"
"""A space at which no line breaks, and an invisible mark after which none does."""

INTERVAL = next(column for column in SHOWN if column.name == "mcc_low")

NAMES_OF_SETTINGS = frozenset(column.name for column in SETTINGS)

CHOICES = NAMES_OF_SETTINGS.union(
    ("checkpoint", "given", "batch_size", "learning_rate", "status", "verdict")
)
"""Columns by which the table can be filtered, with a menu of their values."""

MOST_CHOICES = 50

VERDICTS = {"pass", "fail", "failed", "not-enough-evidence"}
"""Words for which the style sheet has a colour."""

NARROW = {INTERVAL.name: "95 % interval", "mcc_low_sources": "95 % interval, other sources"}
"""Headings that the page shortens, so that what decides is in sight; its legend has the meaning."""


@dataclass(frozen=True)
class Field:
    """A field of a table: its text, its sort key if that is not the text, its style.

    `settings` are shown below a row's name, and the `interval` below its MCC, where the screen is
    too narrow for separate columns.
    """

    text: str
    sort: str | None = None
    kind: str = ""
    heads: bool = False
    share: float | None = None
    settings: str | None = None
    interval: str | None = None


@dataclass(frozen=True)
class Heading:
    """A column's heading."""

    name: str
    heading: str
    meaning: str = ""
    kind: str = "right"


def as_html(
    published: Published, every: TableLines, found: Iterable[str], predictions: bool = True
) -> str:
    """Return leaderboard.html.

    Args:
        found: blocks of Markdown, from harness.report.findings.
        predictions: whether predictions.parquet is in the same folder.
    """
    lines = every[:MOST_CELLS]
    columns = _in_order(informative([line.row for line in lines]))
    of_cells = charts.of_cells(lines)
    scored = charts.with_score(of_cells)
    data = chart_data(every, MOST_CELLS)
    by = _axes_of_heat_maps(data)
    scripts = [*(library.content for library in libraries()), script("heat" in data)]
    domains = _domains(of_cells)
    prose = _sections(
        [
            *found,
            *section("Stopped runs", stopped_runs(published.cells, published.records, code)),
            *section("Runs without a score", without_score(published)),
            *section("Warnings", warnings(published)),
            *section("Checkpoints", origins(published)),
            *runs_in_full(published),
        ]
    )
    race = race_svg(race_paths(scored))
    prose = [(id_, title, html + race * (id_ == "looks")) for id_, title, html in prose]
    navigation = [("table", "Table")]
    if scored:
        navigation += [("speed", "Speed and quality"), ("curves", "Learning curves")]
        navigation += [("settings", by.capitalize())]
    if domains:
        navigation += [("domains", "MCC by domain")]
    navigation += [(id_, title) for id_, title, _ in prose]
    navigation += [("made-by", "How it was made")]
    return _template().render(
        suite=printable(published.suite),
        introduction=_rendered(
            [*introduction(published), *populations(line.row for line in every)]
        ),
        best=_best(every),
        facts=_facts(published, len(every), len(lines)),
        navigation=navigation,
        columns=[
            Heading(
                column.name,
                NARROW.get(column.name, column.heading),
                column.meaning,
                f"{column.alignment}{_shown(column)}",
            )
            for column in columns
        ],
        further=[column.heading for column in columns if not column.first],
        rows=[[_field(column, line) for column in columns] for line in lines],
        choices=list(_choices(columns, lines)),
        legend=_rendered(legend(columns, published.cells)),
        charts=bool(scored),
        speeds=charts.SPEEDS.items(),
        domains=domains,
        sections=prose,
        suite_files=suite_files(published),
        environments=_rendered(environments(published)),
        without_logits=None if predictions else NO_LOGITS,
        libraries=libraries(),
        data=data,
        settings=by,
        settings_of_each=f"{'by' if 'heat' in data else 'at every'} {by}",
        style=style(any(id_ == "confusion-matrix" for id_, _, _ in prose)),
        scripts=scripts,
        script_hashes=" ".join(f"'sha256-{digest(text)}'" for text in scripts),
    )


@functools.cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.filters["breakable"] = _breakable
    return environment.get_template("page.html.jinja")


def _breakable(text: str) -> Markup:
    """Return text as HTML in which names break after / and _ (and -), and numbers never."""
    html = re.sub(r"(?<=[/_])(?=[^/_])", "<wbr>", escape(text))
    return Markup(NUMBER.sub(r'<span class="whole">\g<0></span>', html))  # noqa: S704 - escaped above


def _axes_of_heat_maps(data: Mapping[str, Any]) -> str:
    """Return the names of the settings that the heat maps show, as text."""
    sides = data.get("heat", {"down": {"name": "batch size"}, "across": {"name": "learning rate"}})
    return f"{sides['down']['name']} and {sides['across']['name']}"


def _sections(blocks: Iterable[str]) -> list[tuple[str, str, str]]:
    """Return id, title and HTML of each section of Markdown blocks that begin with headings."""
    found: list[tuple[str, list[str]]] = []
    for block in blocks:
        if block.startswith("## "):
            title, _, rest = block.removeprefix("## ").partition("\n")
            found.append((title, [_block(rest)]))
        else:
            found[-1][1].append(_block(block))
    return [(re.sub(r"\W+", "-", title.lower()), title, "".join(parts)) for title, parts in found]


def _block(block: str) -> str:
    """Return a block of Markdown as HTML. A long list shows its first items and folds the others.

    Beyond MOST_ITEMS, items are only counted.
    """
    items = block.strip().split("\n")
    if len(items) <= MOST_OPEN or not items[0].startswith("- "):
        return str(_markdown().render(block))
    folded = items[MOST_OPEN:MOST_ITEMS]
    if (more := len(items) - MOST_ITEMS) > 0:
        folded.append(f"- {more:,} more: [leaderboard.md](leaderboard.md)")
    seen, rest = (_markdown().render("\n".join(part)) for part in (items[:MOST_OPEN], folded))
    count = len(items) - MOST_OPEN
    return f"{seen}<details>\n<summary>{count:,} more</summary>\n{rest}</details>\n"


@functools.cache
def _markdown() -> MarkdownIt:
    """Return a renderer that escapes HTML and puts tables into scrollable boxes."""
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    renderer.add_render_rule("table_open", lambda *_: '<div class="box" tabindex="0"><table>\n')
    renderer.add_render_rule("table_close", lambda *_: "</table></div>\n")

    def text(_: object, tokens: Sequence[Token], index: int, *__: object) -> str:
        return _breakable(tokens[index].content)

    def code(*given: Any) -> str:
        return f"<code>{text(*given)}</code>"

    renderer.add_render_rule("text", text)
    renderer.add_render_rule("code_inline", code)
    return renderer


def _rendered(items: Iterable[str]) -> list[str]:
    """Return Markdown of harness.report.markdown as HTML; HTML in its text is escaped."""
    return [_markdown().renderInline(item) for item in items]


def _best(lines: TableLines) -> dict[str, str] | None:
    """Return the texts of the line about the best cell; None if no run has a score."""
    first = [line for line in lines if line.row["rank"] == 1]
    if not first:
        return None
    row = first[0].row
    texts = {
        column.name: printable(column.text(row)) for column in SHOWN if row[column.name] is not None
    }
    others = len(first) - 1
    shared = "" if not others else f" (and {others:,} more with the same MCC)"
    gate = f" (gate {texts['threshold']})" if "threshold" in texts else ""
    status = "" if row["status"] == "ok" else f"; status: {texts['status']}"
    stopped = any(line.row.get("stopped") is not None for line in lines)
    return {
        "title": "Best of the cells whose runs are whole" if stopped else "Best",
        "mcc": texts["mcc"],
        "interval": f" (95 % interval {texts['mcc_low']})" if "mcc_low" in texts else "",
        "checkpoint": texts["checkpoint"],
        "settings": first[0].settings,
        "trained": f"; trained in {texts['train_seconds']} s" if "train_seconds" in texts else "",
        "shared": f"{shared}{status}",
        "kind": texts.get("verdict", ""),
        "verdict": f"{texts['verdict']}{gate}" if "verdict" in texts else "",
    }


def _facts(published: Published, rows: int, shown: int) -> str:
    counts: Counter[str] = Counter(record.status for record in published.records)
    ended = [
        f"{counts[status]:,} {word}"
        for status, word in (("ok", "scored"), ("failed", "failed"), ("skipped", "skipped"))
        if status in counts
    ]
    planned = sum(len(cell.seeds) for cell in published.cells)
    facts = f"{counted(len(published.cells), 'cell')}, {counted(planned, 'run')} planned: "
    facts += f"{', '.join(ended) or 'none has run'}."
    if published.given:
        facts += f" {counted(len(published.given), 'row')} of given predictions."
    if shown < rows:
        kind = "rows" if published.given else "cells"
        facts += f" This page shows the best {shown:,} {kind}; leaderboard.csv has all."
    return facts


def _field(column: Column, line: Line | GivenLine) -> Field:
    value = line.row[column.name]
    text = printable(column.text(line.row))
    if column.name == "checkpoint":
        said = (line.row["status"], line.row.get("stopped"))
        settings = re.sub("(?<!,) ", NO_BREAK, line.settings)
        settings += "".join(f", {each}" for each in said if each not in ("ok", None))
        return Field(text, heads=True, settings=settings.replace("-", f"-{JOINER}"))
    kinds = _shown(column).split() + (["left"] if column.alignment == "left" else [])
    if value is None:
        return Field(text, sort="", kind=" ".join(["missing", *kinds]))
    if value in VERDICTS:
        kinds.append(str(value))
    if column.name == "threshold":
        kinds.append("wraps")
    # The key of a number that is not written in full.
    key = f"{value:.6g}" if isinstance(value, int | float) else text
    with_interval = column.name == "mcc" and line.row["mcc_low"] is not None
    return Field(
        text,
        None if key == text else key,
        " ".join(kinds),
        interval=INTERVAL.text(line.row) if with_interval else None,
    )


def _in_order(columns: Sequence[Column]) -> list[Column]:
    """Return the columns with the verdict after the MCC's interval, in sight on a phone.

    Settings come after the learning rate; columns of only some tables stay behind their neighbour.
    """
    places = {column.name: place for place, column in enumerate(SHOWN)}
    places["verdict"] = places[INTERVAL.name]
    places |= dict.fromkeys(NAMES_OF_SETTINGS, places["learning_rate"])
    for before, column in pairwise(columns):
        places.setdefault(column.name, places[before.name])
    return sorted(columns, key=lambda column: places[column.name])


def _shown(column: Column) -> str:
    """Return the CSS class of a column that is not always visible, after a space; else nothing."""
    if column.name in {"batch_size", "learning_rate", "status", "stopped"} | NAMES_OF_SETTINGS:
        return " setting"
    if column.name == INTERVAL.name:
        return " interval"
    return "" if column.first else " further"


def _choices(columns: Sequence[Column], lines: TableLines) -> Iterator[dict[str, Any]]:
    for index, column in enumerate(columns):
        if column.name in CHOICES:
            texts = list(dict.fromkeys(printable(column.text(line.row)) for line in lines))
            if 2 <= len(texts) <= MOST_CHOICES:
                yield {"column": index, "heading": column.heading, "texts": texts}


def _domains(lines: Sequence[Line]) -> dict[str, Any] | None:
    """Return the table of the MCC by domain; None if it is not known for any cell."""
    groups = parts(lines)
    if not groups:
        return None
    known = lines_on_parts(lines, groups)
    shown = known[:MOST_PARTED]
    limit = f" The best {len(shown)} of {len(known):,} cells." if len(shown) < len(known) else ""
    return {
        "caption": f"{caption(shown, groups)}{limit}",
        "differences": _rendered(domain_differences(shown)),
        "columns": [
            Heading("checkpoint", "checkpoint", kind="left"),
            Heading("batch_size", "batch size"),
            Heading("learning_rate", "learning rate"),
            *(Heading(name, name) for name in shown[0].further),
            *(Heading(name, name) for name in groups),
        ],
        "rows": [
            [
                Field(printable(line.cell.checkpoint), heads=True),
                Field(str(line.cell.batch_size)),
                Field(scientific(line.cell.learning_rate)),
                *(Field(text) for text in line.further.values()),
                *(_shaded(mccs[line.cell.id]) for mccs in groups.values()),
            ]
            for line in shown
        ],
    }


def _shaded(found: Part | None) -> Field:
    if found is None:
        return Field(MISSING, sort="", kind="missing")
    mcc, deviation = found
    sort = None if deviation is None else f"{mcc:.6g}"
    return Field(in_text(found), sort, kind="shaded", share=round(max(0.0, mcc), 2))
