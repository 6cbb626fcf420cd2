"""The pictures: the same bytes again, of what is known only, whatever the names are."""

import subprocess
import sys
import warnings
import xml.etree.ElementTree as ElementTree
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from builders.leaderboards import board, repeated
from builders.records import make_cell, make_record, skipped_record
from markdown_it import MarkdownIt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image

from harness.judging.leaderboard import leaderboard, rows_of
from harness.report import Published, publish, render
from harness.report.markdown import as_markdown
from harness.report.pictures.charts import lines_of, with_score
from harness.report.pictures.choice import MOST_CURVES, MOST_POINTS, pictures
from harness.report.pictures.content import PICTURES, Picture, Race
from harness.report.pictures.looks import STYLE, with_short_ids
from harness.report.pictures.plots import draw, figure_of
from harness.report.pictures.race import RacePath, race_svg
from harness.store.records import Record, Times
from harness.suite.plan import Cell

WITHOUT_RACE = tuple(name for name in PICTURES if name != "race")

PATHS = [RacePath("a <b>", (0.1, 0.12), True), RacePath("c", (0.3, 0.28, 0.29), False)]
"""A race of two cells."""

RACE = Race([(path.means, path.out) for path in PATHS])

HOSTILE = (
    "$\\frac{",
    "<b>\"'&amp;</b>]](x)",
    "two\nlines",
    "\u4e2d\u6587 \U0001f600 \u202e",
    "x" * 300,
)


def small() -> Published:
    """Return a leaderboard that every picture can be made of, quickly."""
    return board(batch_sizes=(16,), learning_rates=(2e-5, 1e-4), seeds=(0,))


def pictures_of(published: Published) -> dict[str, Picture]:
    lines = lines_of(published, leaderboard(published.cells, published.records))
    return {picture.name: picture for picture in pictures(with_score(lines))}


def of(cells: list[Cell], records: list[Record]) -> dict[str, Picture]:
    return pictures_of(publish("sample", cells, records))


def drawn_axes(figure: Figure) -> list[Axes]:
    return [place for place in figure.axes if place.axison]


@pytest.mark.long
def test_another_process_draws_the_same_bytes_without_pyplot_and_its_windows() -> None:
    program = """
import hashlib, sys
sys.path[:0] = ["tests/report", "tests"]
from test_plots import draw, pictures_of, small
files = draw(pictures_of(small()).values())
print({name: hashlib.sha256(content).hexdigest() for name, content in files.items()})
print("matplotlib.pyplot" in sys.modules)
"""
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path), "LANG": language},
        ).stdout
        for seed, language in (("1", "C"), ("2", "de_DE.UTF-8"))
    }
    (said,) = printed
    assert said.count(".png") == said.count(".svg") == len(WITHOUT_RACE)
    assert said.endswith("\nFalse\n")


def test_drawing_leaves_the_settings_of_matplotlib_as_they_were() -> None:
    before = dict(mpl.rcParams)
    cell = make_cell()
    draw(of([cell], [make_record(cell)]).values())
    assert dict(mpl.rcParams) == before


def test_the_bytes_are_those_that_matplotlib_saves_whatever_the_user_has_set() -> None:
    found = pictures_of(small()).values()
    own: Any = {"lines.linewidth": 9, "font.size": 30, "savefig.bbox": "tight", "savefig.dpi": 50}
    with mpl.rc_context(own):
        drawn = draw(found)
    with mpl.rc_context(STYLE):
        for picture in found:
            figure = figure_of(picture.content)
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
            for kind, metadata in (("png", {"Software": None}), ("svg", {"Creator": None})):
                buffer = BytesIO()
                figure.savefig(buffer, format=kind, metadata={**metadata, "Date": None})
                saved = with_short_ids(buffer.getvalue()) if kind == "svg" else buffer.getvalue()
                assert drawn[f"{picture.name}.{kind}"] == saved


def test_a_name_that_begins_with_an_underscore_is_in_every_legend() -> None:
    names = ("_first/encoder", "org/second")
    found = pictures_of(board(names, batch_sizes=(16,), learning_rates=(2e-5, 1e-4), seeds=(0,)))
    legends = {
        name: [text.get_text() for text in legend.get_texts()]
        for name, picture in found.items()
        for legend in figure_of(picture.content).legends
    }
    assert {"pareto-training", "best-of-n"} <= legends.keys()
    assert all("_first/encoder" in told for told in legends.values())


def test_the_files_are_whole_pictures_of_what_was_asked() -> None:
    found = pictures_of(small())
    assert list(found) == list(WITHOUT_RACE)
    files = draw([*found.values(), Picture("race", "the race", "", RACE)])
    for name in PICTURES:
        with Image.open(BytesIO(files[f"{name}.png"])) as image:
            image.load()
            assert image.width >= 400
            assert len(image.convert("L").getcolors() or []) > 20  # something is drawn
        assert ElementTree.fromstring(files[f"{name}.svg"]).tag.endswith("svg")
        assert b"<dc:date>" not in files[f"{name}.svg"]


def test_only_what_is_known_is_drawn() -> None:
    cell, other = make_cell(), make_cell(batch_size=32)
    assert of([cell], [skipped_record(cell)]) == {}
    epoch = make_record(cell).epochs[:1]
    alone = make_record(cell, epochs=epoch, selected_epoch=1, eval_ms_per_sentence=None)
    assert list(of([cell], [alone])) == ["pareto-training"]
    assert list(of([cell], [make_record(cell)])) == list(PICTURES[:3])
    assert list(of([cell, other], [make_record(cell), make_record(other)])) == list(WITHOUT_RACE)


def test_a_dropped_cell_ends_early_with_a_cross_in_document_and_page() -> None:
    (axes,) = figure_of(RACE).axes
    ends = [line for line in axes.lines if line.get_marker() in ("x", "o")]
    drawn = [(line.get_marker(), float(np.asarray(line.get_xdata())[0])) for line in ends]
    assert drawn == [("x", 2.0), ("o", 3.0)]
    page = ElementTree.fromstring(race_svg(PATHS))
    assert "1 left the race" in str(page.get("aria-label"))
    assert race_svg([]) == ""


def test_the_front_is_drawn_for_each_circumstance_with_the_intervals() -> None:
    published = board()
    figure = figure_of(pictures_of(published)["pareto-training"].content)
    titles = [place.get_title(loc="left").partition("\n")[0] for place in figure.axes]
    assert titles == ["runs at once: 1", "runs at once: 2"]
    rows = rows_of(leaderboard(published.cells, published.records))
    timed = [row for row in rows if row["mcc"] is not None and row["concurrency"] == 2]
    drawn = [lines for lines in figure.axes[1].collections if isinstance(lines, LineCollection)]
    bars = [tuple(segment[:, 1]) for lines in drawn for segment in lines.get_segments()]
    assert sorted(bars) == sorted((row["mcc_low"], row["mcc_high"]) for row in timed)


def test_learning_curves_have_a_line_for_each_seed_and_of_many_cells_the_best() -> None:
    figure = figure_of(pictures_of(board())["learning-curves"].content)
    places = drawn_axes(figure)
    assert len(places) == 23  # of 24 cells, one was skipped
    assert sorted({len(place.lines) for place in places}) == [2, 3]
    assert places[0].get_title(loc="left").startswith("#1 ")

    many = pictures_of(repeated(board(), 2))["learning-curves"]
    assert many.title == "MCC after each epoch, the best 24 of 46 cells"
    assert len(drawn_axes(figure_of(many.content))) == MOST_CURVES


def test_of_very_many_cells_the_best_are_drawn_and_every_front_whole() -> None:
    cells = [make_cell("org/encoder", size) for size in range(1, MOST_POINTS + 101)]
    records = [
        make_record(cell, mcc=cell.batch_size / 2000, times=taking(cell.batch_size % 7 + 1))
        for cell in cells
    ]
    # The quickest is the worst: only the front keeps it.
    records[0] = make_record(cells[0], mcc=0.0005, times=taking(0.5))
    # The worst of all cannot be compared, so nothing is left of its circumstances.
    cells.append(make_cell("org/apart", seeds=(0, 1)))
    records += [make_record(cells[-1], seed, mcc=-0.5, concurrency=seed + 1) for seed in (0, 1)]
    picture = of(cells, records)["pareto-training"]
    assert picture.title == (
        "MCC against training, seconds per run, the best 1,000 cells; "
        "times within 33 % count as equal"
    )
    (place,) = figure_of(picture.content).axes
    marked = [line for line in place.lines if line.get_marker() != "None"]
    drawn = [float(x) for line in marked for x in np.asarray(line.get_xdata())]
    assert len(drawn) == MOST_POINTS + 1
    assert min(drawn) == 0.5


def test_charts_whose_equal_times_differ_say_so_each_and_only_those_that_are_drawn() -> None:
    """The largest three groups are drawn; the fourth is rough and has a hollow mark."""
    cells = [make_cell(f"org/{number}", seeds=(0, 1, 2, 3)) for number in range(7)]
    together = (1, 1, 2, 2, 3, 3, 4)
    spreads = {1: 1.04, 2: 1.2, 3: 1.2, 4: 1.5}
    records = [
        make_record(
            cell,
            seed=seed,
            concurrency=number,
            times=taking(100 * spreads[number] if seed else 100),
        )
        for cell, number in zip(cells, together, strict=True)
        for seed in cell.seeds
    ]
    picture = of(cells, records)["pareto-training"]
    assert picture.title == (
        "MCC against training, seconds per run; for which times count as equal, see each chart"
    )
    titles = [place.get_title(loc="left").split("\n") for place in figure_of(picture.content).axes]
    assert [(told[0], told[2]) for told in titles] == [
        ("runs at once: 1", "times within 4 % count as equal"),
        ("runs at once: 2", "times within 20 % count as equal"),
        ("runs at once: 3", "times within 20 % count as equal"),
    ]
    for clause in ("4 % count as equal (runs at once: 1", "20 % count as equal (runs at once: 3"):
        assert clause in picture.alt
    for text in ("runs at once: 4", "hollow", "rough", "org/6"):
        assert text not in picture.alt

    alike = [record for record in records if record.concurrency in (2, 3)]
    picture = of(cells[2:6], alike)["pareto-training"]
    assert picture.title.endswith("per run; times within 20 % count as equal")


def taking(seconds: float) -> Times:
    return Times(load=0, tokenise=0, train=seconds, evaluate=0, total=seconds)


def test_settings_show_each_mean_where_it_belongs_and_a_dash_where_there_is_none() -> None:
    cells = [make_cell("org/a", size, rate) for size in (32, 8) for rate in (1e-4, 2e-5)]
    records = [
        make_record(cell, mcc=mcc) for cell, mcc in zip(cells[:3], (0.1, 0.2, 0.3), strict=True)
    ]
    (place,) = figure_of(of(cells, records)["settings"].content).axes
    texts = {text.get_position(): text.get_text() for text in place.texts}
    assert [label.get_text() for label in place.get_xticklabels()] == ["2e-5", "1e-4"]
    assert [label.get_text() for label in place.get_yticklabels()] == ["8", "32"]
    assert texts == {(0, 0): "-", (1, 0): "0.300", (0, 1): "0.200", (1, 1): "0.100"}


def test_any_name_is_drawn_as_text_without_a_warning() -> None:
    published = board(HOSTILE, batch_sizes=(16,), seeds=(0,))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        files = draw(pictures_of(published).values())
    assert len(files) == 2 * len(WITHOUT_RACE)


def test_the_document_shows_every_picture_with_its_words() -> None:
    published = board(HOSTILE, batch_sizes=(16,), seeds=(0,))
    lines = lines_of(published, leaderboard(published.cells, published.records))
    found = list(pictures(with_score(lines)))
    document = as_markdown(published, lines, (), found)
    tokens = MarkdownIt("commonmark").enable("table").parse(document)
    images = [child for token in tokens for child in token.children or [] if child.type == "image"]
    assert [image.attrs["src"] for image in images] == [f"{picture.name}.png" for picture in found]
    for image, picture in zip(images, found, strict=True):
        text = "".join(child.content for child in image.children or [])
        assert text == " ".join(picture.alt.split())
    for picture in found:
        assert f"({picture.name}.svg)" in document


@pytest.mark.parametrize("scored", [True, False])
def test_what_is_written_is_what_the_document_shows(scored: bool) -> None:
    cell = make_cell()
    record = make_record(cell) if scored else skipped_record(cell)
    files = render(publish("sample", [cell], [record]))
    shown = {name for name in files if name.endswith(".png")}
    assert bool(shown) == scored
    document = files["leaderboard.md"].decode()
    assert all(f"]({name})" in document for name in shown)
    assert ("## Pictures" in document) == scored
