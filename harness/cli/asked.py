"""The sentences that a command is asked to judge: arguments, lines of a text, a table's column."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import click

from harness.cli.choices import STDIN
from harness.errors import BadInput
from harness.inputs.data.formats import READERS
from harness.inputs.data.rows import read_text
from harness.inputs.data.sentences import is_table, read_column, read_lines
from harness.inputs.data.table import Wanted
from harness.suite.dataset import DELIMITER_IN_WORDS, DELIMITERS, separates
from harness.text import printable


def check_sentences(model: Path | None, sentences: Sequence[str]) -> None:
    """Make sure that arguments are sentences.

    Args:
        model: what was named before them.

    Raises:
        BadInput: every one that is empty, no text, or the name of a model, folder or table.
    """
    if problems := [*_paths(model, sentences), *_problems(sentences)]:
        raise BadInput(problems)


def check_columns(file: str | None, described: Mapping[str, str | None]) -> None:
    """Make sure that only tables are described.

    Args:
        described: the options on a table, by name: text_column, delimiter, quoting.

    Raises:
        UsageError: an option says something of what has no columns, or of another kind of table.
        BadInput: a delimiter that separates nothing.
    """
    given = [name for name, value in described.items() if value is not None]
    if given and (file is None or not is_table(Path(file))):
        what = "says something of a table, and no --file is named"
        if file is not None:
            what = "standard input has" if file == STDIN else f"{file} has"
            what += f" a sentence a line; a table's name ends in {', '.join(READERS)}"
        raise click.UsageError(f"{', '.join(map(_flag, given))}: {what}")
    of_text = [name for name in given if name != "text_column"]
    if file is not None and of_text and Path(file).suffix.lower() not in DELIMITERS:
        flags = ", ".join(map(_flag, of_text))
        raise click.UsageError(f"{flags}: for CSV and TSV files only; leave it out")
    delimiter = _delimiter(described)
    if delimiter is not None and not separates(delimiter):
        raise BadInput([f"--delimiter: {delimiter!r}: must be {DELIMITER_IN_WORDS}"])


def read_sentences(file: str, column: str | None, described: Mapping[str, str | None]) -> list[str]:
    """Return the sentences of a file or of standard input, as they come.

    Args:
        column: that of a table's sentences if none is named.
        described: see check_columns.

    Raises:
        BadInput: every mistake of the file at once.
    """
    if not is_table(Path(file)):
        text = _stdin() if file == STDIN else read_text(Path(file))
        return read_lines(text, "standard input" if file == STDIN else file)
    named = described["text_column"]
    if named is None and column is not None:
        told = f"column {column!r} of {file}: the model was trained on the column of that name"
        click.echo(printable(told), err=True)
    marks: Literal["csv", "none"] | None = None
    if described["quoting"] is not None:
        marks = "none" if described["quoting"] == "none" else "csv"
    wanted = Wanted(
        text=column if named is None else named,
        delimiter=_delimiter(described),
        quoting=marks,
        by_options=True,
    )
    return read_column(Path(file), wanted)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _delimiter(described: Mapping[str, str | None]) -> str | None:
    """Return the delimiter; a tab, which is hard to type in a shell, may be written out."""
    return "\t" if described["delimiter"] == r"\t" else described["delimiter"]


def _paths(named: Path | None, sentences: Sequence[str]) -> Iterator[str]:
    """Yield complaints about arguments that name what is no sentence."""
    configured = {each: Path(each, "config.json") for each in sentences if each.strip()}
    if models := [each for each in configured if _is(configured[each], Path.is_file)]:
        told = ", ".join(map(str, (named, *models)))
        yield f"{1 + len(models)} models are named, and one answers: {told}; name one"
    for each in sentences:
        if each not in models and _is(Path(each), Path.is_dir) and os.sep in each:
            yield f"{each}: a folder without a model, not a sentence; leave it out"
        elif is_table(Path(each)) and _is(Path(each), Path.is_file):
            yield f"{each}: a file, not a sentence; read it with --file {each}"


def _is(path: Path, what: Callable[[Path], bool]) -> bool:
    try:
        return what(path)
    except (OSError, ValueError):  # too long for a path, or no path at all
        return False


def _stdin() -> str:
    if sys.stdin is None:
        raise BadInput(["standard input: closed; give it sentences, or name a --file"])
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput([f"standard input: not UTF-8 text (byte {error.start})"]) from None


def _problems(sentences: Sequence[str]) -> Iterator[str]:
    """Yield complaints about sentences of the command line; those of files are found there."""
    for number, sentence in enumerate(sentences, start=1):
        if not _is_text(sentence):
            yield f"sentence {number}: {sentence[:40]!a}: not UTF-8 text; write it in UTF-8"
        elif not sentence.strip():
            yield f"sentence {number}: empty; remove it or fill it in"


def _is_text(argument: str) -> bool:
    """Return whether an argument's bytes could be decoded: else it has lone surrogates."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True
