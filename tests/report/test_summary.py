"""The verdicts on the page of a continuous integration job."""

from builders.records import failed_record, make_cell, make_record, skipped_record
from markdown_it import MarkdownIt

from harness.judging.leaderboard import leaderboard
from harness.report.brief import as_summary
from harness.suite.spec import Thresholds


def rows_of(text: str) -> list[list[str]]:
    """Read a summary's table as GitHub would show it."""
    html = MarkdownIt("gfm-like", {"linkify": False}).render(text)
    body = html.partition("<tbody>")[2].partition("</tbody>")[0]
    fields = [row.split("<td")[1:] for row in body.split("<tr>")[1:]]
    return [
        [field.partition(">")[2].partition("</td>")[0].strip() for field in row] for row in fields
    ]


def test_failing_cells_come_first_and_every_state_is_counted() -> None:
    cells = [make_cell("org/good"), make_cell("org/bad"), make_cell("org/broken")]
    cells += [make_cell("org/away"), make_cell("org/free", threshold=None)]
    records = [
        make_record(cells[0], mcc=0.5),
        make_record(cells[1], mcc=0.1),
        failed_record(cells[2]),
        skipped_record(cells[3]),
        make_record(cells[4], mcc=0.7),
    ]
    text = as_summary("sample", leaderboard(cells, records))
    assert text.startswith("### `sample`: 2 fail, 1 no gate, 1 pass, 1 skipped\n")
    assert rows_of(text) == [
        ["<code>org/bad</code>", "16", "2e-5", "0.100", "-", "0.3", "fail"],
        ["<code>org/broken</code>", "16", "2e-5", "-", "-", "0.3", "fail"],
        ["<code>org/free</code>", "16", "2e-5", "0.700", "-", "-", "no gate"],
        ["<code>org/good</code>", "16", "2e-5", "0.500", "-", "0.3", "pass"],
        ["<code>org/away</code>", "16", "2e-5", "-", "-", "0.3", "skipped"],
    ]


def test_a_gate_on_the_lower_bound_says_so() -> None:
    cell = make_cell(gates=Thresholds(min_mcc=0.25, statistic="lower-bound"))
    (row,) = rows_of(as_summary("sample", leaderboard([cell], [make_record(cell)])))
    assert row[5] == "lower bound 0.25"


def test_a_gate_is_written_with_all_its_digits_and_no_score_as_minus_zero() -> None:
    cells = [make_cell("org/a", threshold=0.4504), make_cell("org/b", threshold=-0.1)]
    records = [make_record(cells[0], mcc=0.45), make_record(cells[1], mcc=-0.0002)]
    first, second = rows_of(as_summary("sample", leaderboard(cells, records)))
    assert first[3:] == ["0.450", "-", "0.4504", "fail"]
    assert second[3:] == ["0.000", "-", "-0.1", "pass"]


def test_a_name_is_text_whatever_is_in_it() -> None:
    cell = make_cell("<script>|`x`\n", id="odd")
    (row,) = rows_of(as_summary("sample", leaderboard([cell], [make_record(cell)])))
    assert len(row) == 7
    assert "<script>" not in row[0]


def test_of_many_cells_some_are_shown_and_the_rest_is_counted() -> None:
    cells = [make_cell(batch_size=size) for size in range(1, 62)]
    text = as_summary("sample", leaderboard(cells, [make_record(cell) for cell in cells]))
    assert len(rows_of(text)) == 50
    assert text.endswith("\n\nand 11 more\n")
