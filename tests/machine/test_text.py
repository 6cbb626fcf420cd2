"""A count agrees with its noun in every message."""

import re
from pathlib import Path

import pytest
from builders.records import make_cell, make_record
from datasets import Dataset, DatasetDict
from hypothesis import given
from hypothesis import strategies as st

from harness.inputs.data.cola_folder import WAY_OUT, count_problems
from harness.inputs.data.rows import PROBLEMS_SHOWN, capped
from harness.inputs.data.summary import SplitSummary
from harness.judging.leaderboard import leaderboard
from harness.machine.contention import load_message
from harness.models.encode import Encoded
from harness.models.out_of_memory import explained
from harness.report import publish
from harness.report.page import as_html
from harness.report.pictures.charts import lines_of
from harness.report.published import MOST_PROBLEMS, _problem_lines
from harness.text import by_first_number, counted, with_decimals
from harness.training.diagnosis import cut_short
from harness.validation import shown_apart


@pytest.mark.parametrize(
    ("number", "noun", "plural", "text"),
    [
        (0, "run", None, "0 runs"),
        (1, "run", None, "1 run"),
        (2, "run", None, "2 runs"),
        (1_043, "validation sentence", None, "1,043 validation sentences"),
        (1.0, "GPU", None, "1 GPU"),
        (0.5, "GPU", None, "0.5 GPUs"),
        (1, "class", "classes", "1 class"),
        (3, "class", "classes", "3 classes"),
    ],
)
def test_a_count_agrees_with_its_noun(
    number: float, noun: str, plural: str | None, text: str
) -> None:
    assert counted(number, noun, plural) == text


def messages(number: int) -> list[str]:
    """Return messages of which each says how many of something there are."""
    problems = ["a mistake"] * (PROBLEMS_SHOWN + number)
    split = SplitSummary("train", number, {"no": number, "yes": 0}, 0, number)
    rows = DatasetDict(train=Dataset.from_dict({"a": [0] * 9}))
    return [
        capped(problems, "a.csv")[-1],
        count_problems("dev.tsv", number, (("in", 527),))[0],
        split.in_words(),
        explained(MemoryError(), number, halved=False).partition(";")[0],
        str(load_message(1.0, number)),
        *cut_short(Encoded(rows, {"train": range(number)}, 8)),
        _problem_lines(Path("board.json"), ["a mistake"] * (MOST_PROBLEMS + number), "")[-1],
    ]


def test_messages_of_one_and_of_two() -> None:
    assert messages(1) == [
        "a.csv: and 1 more such problem",
        f"dev.tsv: 1 sentence, where CoLA has 527; {WAY_OUT}",
        "1 sentence: 1 of class 0 (no), 0 of class 1 (yes); the longest has 1 character",
        "out of memory with 1 sentence per batch",
        "other programs keep 1.0 of 1 core busy",
        "1 sentence was cut at the maximum length, 8 tokens: 1 of 9 in train",
        "board.json: 1 more mistake like these",
    ]
    assert messages(2) == [
        "a.csv: and 2 more such problems",
        f"dev.tsv: 2 sentences, where CoLA has 527; {WAY_OUT}",
        "2 sentences: 2 of class 0 (no), 0 of class 1 (yes); the longest has 2 characters",
        "out of memory with 2 sentences per batch",
        "other programs keep 1.0 of 2 cores busy",
        "2 sentences were cut at the maximum length, 8 tokens: 2 of 9 in train",
        "board.json: 2 more mistakes like these",
    ]


@pytest.mark.parametrize(("number", "facts"), [(1, "1 cell, 1 run"), (2, "2 cells, 2 runs")])
def test_a_page_of_one_cell_says_so(number: int, facts: str) -> None:
    cells = [make_cell(learning_rate=rate, seeds=(1,)) for rate in (2e-5, 5e-5)[:number]]
    records = [make_record(cell, 1) for cell in cells]
    published = publish("sample", cells, records)
    lines = lines_of(published, leaderboard(cells, records))
    assert f"{facts} planned: {number} scored." in as_html(published, lines, ())


@given(st.lists(st.integers(0, 10**30)))
def test_text_is_sorted_by_the_number_at_its_beginning(numbers: list[int]) -> None:
    ascending = [f"{number} words" for number in sorted(numbers)]
    assert sorted([f"{number} words" for number in numbers], key=by_first_number) == ascending


def test_text_without_a_number_at_its_beginning_comes_first() -> None:
    texts = ["b2", "10", "a", "007", "9-12 words", "٣"]
    assert sorted(texts, key=by_first_number) == ["a", "b2", "٣", "007", "9-12 words", "10"]
    assert by_first_number("1" * 5000)[0] == 5000


@given(st.floats(-1, 1, allow_subnormal=False))
def test_a_number_is_written_with_all_its_digits(value: float) -> None:
    text = with_decimals(value)
    assert float(text) == value
    assert re.fullmatch(r"-?[01]\.[0-9]{4,}", text)


def test_a_short_number_is_written_with_four_decimals() -> None:
    written = [with_decimals(value) for value in (0.3, 0.45004, -0.1, 1, -0.0, 1e-5)]
    assert written == ["0.3000", "0.45004", "-0.1000", "1.0000", "0.0000", "0.00001"]


@given(st.text("ab\n", max_size=150), st.text("ab\n", max_size=150), st.text("ab\n", max_size=150))
def test_long_values_are_cut_to_parts_that_differ(same: str, a: str, b: str) -> None:
    one, other = shown_apart(same + a, same + b)
    assert (one == other) == (a == b)
    for cut, text in ((one, repr(same + a)), (other, repr(same + b))):
        assert len(cut) <= 80 + 2 * len("...")
        assert cut.removeprefix("...").removesuffix("...") in text
        assert cut == text or len(max(repr(same + a), repr(same + b), key=len)) > 80
