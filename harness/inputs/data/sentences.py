"""Reads sentences without labels, for prediction: a column of a table, or the lines of a text."""

from collections.abc import Iterator
from pathlib import Path

from harness.errors import BadInput
from harness.inputs.data.formats import reader_of
from harness.inputs.data.json_rows import is_object
from harness.inputs.data.rows import capped, sentence_problem, shown, split_at_line_feeds
from harness.inputs.data.table import Wanted


def read_column(path: Path, wanted: Wanted) -> list[str]:
    """Return the sentences of a table's column, one per row, in the file's order.

    The file is read by the readers of training, so that both see the same sentences.

    Raises:
        BadInput: every mistake at once: no such column, or none named; ambiguous rows; values that
            are not sentences. Or no such file, or a format that is not in READERS.
    """
    try:
        reader = reader_of(path)
    except BadInput as error:
        way_out = "a file with one sentence per line has no columns"
        raise BadInput([f"{problem}; {way_out}" for problem in error.problems]) from None
    table = reader(path, wanted)
    problems = [
        *table.problems,
        *(
            f"{record.where}: column {shown(wanted.text)}: {problem}"
            for record in table.records
            if (problem := sentence_problem(record.sentence))
        ),
    ]
    if problems:
        raise BadInput(capped(problems, path))
    if not table.records:
        raise BadInput([f"{path}: no rows; it must contain sentences"])
    return [str(record.sentence) for record in table.records]


def read_lines(text: str, source: str) -> list[str]:
    """Return the sentences of a text with one sentence per line.

    Args:
        source: the text's origin, for messages.

    Raises:
        BadInput: every line that is empty or not a sentence; a carriage return that may end a
            sentence; JSON Lines, whose sentences are values.
    """
    lines = split_at_line_feeds(text)
    problems = list(_line_problems(lines))
    if not lines:
        problems = ["no sentence; give at least one"]
    elif all(map(is_object, lines)):
        problems = [
            f"JSON Lines, the first {shown(lines[0])}, instead of one sentence per line; save them "
            "under a name that ends in .jsonl, and name their column of sentences"
        ]
    if problems:
        raise BadInput(capped([f"{source}: {problem}" for problem in problems], source))
    return lines


def _line_problems(lines: list[str]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if "\r" in line:
            yield (
                f"line {number}: a lone carriage return (\\r) in {shown(line)}, but other lines "
                "end in a line feed (\\n): it may end a sentence or be part of it; replace it by "
                "\\n, or remove it"
            )
        elif not line.strip():
            yield f"line {number}: empty; remove it or fill it in"
        elif "\0" in line:
            yield f"line {number}: {shown(line)} contains a NUL character; remove it"
