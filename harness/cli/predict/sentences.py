"""The sentences to classify: command-line arguments, lines of a text file, or a table's column."""

import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from harness.cli.choices import STDIN, delimiter_of, quoting_of
from harness.errors import BadInput
from harness.inputs.data.formats import READERS, is_table
from harness.inputs.data.rows import read_text
from harness.inputs.data.sentences import read_column, read_lines
from harness.inputs.data.table import Wanted
from harness.paths import passes
from harness.session.options import flag_of
from harness.suite.dataset import DELIMITERS
from harness.suite.file_names import extension


def check_sentences(model: Path | None, sentences: Sequence[str]) -> None:
    """Check that arguments are sentences.

    Args:
        model: the model or results folder named before them.

    Raises:
        BadInput: for all that are empty, not text, or the name of a model, folder or table.
    """
    if problems := [*_paths(model, sentences), *_problems(sentences)]:
        raise BadInput(problems)


def check_columns(file: str | None, described: Mapping[str, str | None]) -> None:
    """Check that table options are given only for tables.

    Args:
        described: the table options, by name: text_column, delimiter, quoting.

    Raises:
        UsageError: an option for a file without columns, or for another kind of table.
        BadInput: an invalid delimiter.
    """
    given = [name for name, value in described.items() if value is not None]
    if given and (file is None or not is_table(Path(file))):
        reason = "for tables only, and no --file is given"
        if file is not None:
            reason = "standard input has" if file == STDIN else f"{file} has"
            reason += f" one sentence per line; a table's name ends in {', '.join(READERS)}"
        raise click.UsageError(f"{', '.join(map(flag_of, given))}: {reason}")
    format_options = [name for name in given if name != "text_column"]
    if file is not None and format_options and extension(file) not in DELIMITERS:
        flags = ", ".join(map(flag_of, format_options))
        raise click.UsageError(f"{flags}: for CSV and TSV files only; leave it out")
    delimiter_of(described["delimiter"])


def read_sentences(
    file: str, column: str | None, described: Mapping[str, str | None]
) -> tuple[tuple[str, ...], list[str]]:
    """Return the sentences of a file or of standard input in order, and remarks on the choice.

    Args:
        column: the default for a table's column of sentences.
        described: see check_columns.

    Raises:
        BadInput: with all problems of the file.
    """
    if not is_table(Path(file)):
        text = _stdin() if file == STDIN else read_text(Path(file))
        return tuple(read_lines(text, "standard input" if file == STDIN else file)), []
    named = described["text_column"]
    notes = []
    if named is None and column is not None:
        notes = [f"column {column!r} of {file}: the model was trained on the column of that name"]
    wanted = Wanted(
        text=column if named is None else named,
        delimiter=delimiter_of(described["delimiter"]),
        quoting=quoting_of(described["quoting"]),
        by_options=True,
    )
    return tuple(read_column(Path(file), wanted)), notes


def _paths(named: Path | None, sentences: Sequence[str]) -> Iterator[str]:
    """Yield problems with arguments that are names of models, folders or tables."""
    configured = {each: Path(each, "config.json") for each in sentences if each.strip()}
    if models := [each for each in configured if passes(Path.is_file, configured[each])]:
        listed = ", ".join(map(str, (named, *models)))
        yield f"{1 + len(models)} models are named, but only one can be used: {listed}; name one"
    for each in sentences:
        if each not in models and passes(Path.is_dir, Path(each)) and os.sep in each:
            yield f"{each}: a folder without a model, not a sentence; leave it out"
        elif is_table(Path(each)) and passes(Path.is_file, Path(each)):
            yield f"{each}: a file, not a sentence; read it with --file {shlex.quote(each)}"


def _stdin() -> str:
    if sys.stdin is None:
        raise BadInput(["standard input: closed; write sentences to it, or name a --file"])
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput([f"standard input: not UTF-8 text (byte {error.start})"]) from None


def _problems(sentences: Sequence[str]) -> Iterator[str]:
    """Yield problems with sentences from the command line; readers check those from files."""
    for number, sentence in enumerate(sentences, start=1):
        if not _is_text(sentence):
            yield f"sentence {number}: {sentence[:40]!a}: not UTF-8 text; encode it in UTF-8"
        elif not sentence.strip():
            yield f"sentence {number}: empty; remove it or fill it in"


def _is_text(argument: str) -> bool:
    """Return whether an argument's bytes could be decoded; if not, it has lone surrogates."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True
