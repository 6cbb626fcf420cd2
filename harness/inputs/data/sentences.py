"""Sentences without labels, for a model to judge: a column of a table, or a text's lines."""

from collections.abc import Iterator
from pathlib import Path

from harness.errors import BadInput
from harness.inputs.data.formats import READERS
from harness.inputs.data.json_rows import is_object
from harness.inputs.data.rows import capped, lines_fed, sentence_problem, shown
from harness.inputs.data.table import Wanted


def is_table(path: Path) -> bool:
    """Return whether a file's name says that it has columns."""
    return path.suffix.lower() in READERS


def read_column(path: Path, wanted: Wanted) -> list[str]:
    """Return the sentences of a table's column, a row each, in the file's order.

    The file is read as training reads it, so that both see the same sentences.

    Raises:
        BadInput: every mistake at once: no such column, or none named; rows that cannot be told
            apart; values that are no sentences. No file, or one of another format than READERS.
    """
    if not is_table(path):
        told = f"{path}: extension {shown(path.suffix)}; allowed are {', '.join(READERS)}"
        raise BadInput([f"{told}; a file with a sentence a line has no columns"])
    table = READERS[path.suffix.lower()](path, wanted)
    problems = [
        *table.problems,
        *(
            f"{record.where}: column {shown(wanted.text)}: {wrong}"
            for record in table.records
            if (wrong := sentence_problem(record.sentence))
        ),
    ]
    if problems:
        raise BadInput(capped(problems, path))
    if not table.records:
        raise BadInput([f"{path}: no rows; it must hold sentences"])
    return [str(record.sentence) for record in table.records]


def read_lines(text: str, source: str) -> list[str]:
    """Return the sentences of a text that has one a line.

    Args:
        source: where it comes from, for messages.

    Raises:
        BadInput: every line that is empty or no sentence; a carriage return that may end one; JSON
            lines, whose sentences are values.
    """
    lines = lines_fed(text)
    problems = list(_line_problems(lines))
    if not lines:
        problems = ["no sentence to judge; give at least one"]
    elif all(map(is_object, lines)):
        problems = [
            f"JSON lines, the first {shown(lines[0])}, not a sentence a line; save them under a "
            "name that ends in .jsonl, and name their column of sentences"
        ]
    if problems:
        raise BadInput(capped([f"{source}: {problem}" for problem in problems], source))
    return lines


def _line_problems(lines: list[str]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if "\r" in line:
            yield (
                f"line {number}: a lone carriage return (\\r) in {shown(line)}, where a line feed "
                "(\\n) ends other lines: it may end a sentence or be part of it; write \\n for it, "
                "or remove it"
            )
        elif not line.strip():
            yield f"line {number}: empty; remove it or fill it in"
        elif "\0" in line:
            yield f"line {number}: {shown(line)} holds a NUL character; remove it"
