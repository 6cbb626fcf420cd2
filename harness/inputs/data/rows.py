"""Rows of labelled sentences, as every reader returns them, and functions the readers share."""

import codecs
import gzip
import math
import os
import re
import reprlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput
from harness.text import counted

PROBLEMS_SHOWN = 10

MOST_BYTES = 2**30
"""Maximum size of a compressed file's content: a small file may expand to a thousand times."""

HIDDEN_LABEL = -1
"""The label of a test sentence whose true label is not public."""


@dataclass(frozen=True)
class Rows:
    """One split by the columns of the data set; all have the same length.

    Attributes:
        sentence: the texts.
        label: the number of a class each, or -1 if the label is hidden.
        idx: a number for each row, unique within the split.
        source: the publication or phenomenon a sentence comes from, "" if unknown.
        domain: CoLA's "in" or "out", or a suite's own name for the file; "" if unknown.
    """

    sentence: Sequence[str]
    label: Sequence[int]
    idx: Sequence[int]
    source: Sequence[str]
    domain: Sequence[str]

    def chosen(self, rows: Sequence[int]) -> "Rows":
        """Return some of the rows, given by their numbers, in this order."""
        return Rows(*([column[row] for row in rows] for column in vars(self).values()))


def read_bytes(path: Path) -> bytes:
    """Return a file's content; that of a file whose name ends in .gz is decompressed.

    Raises:
        BadInput: the file cannot be read or decompressed, or is empty.
    """
    compressed = path.suffix.lower() == ".gz"
    try:
        content = _decompressed(path) if compressed else path.read_bytes()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        what = f"not a complete gzip file ({error}); write it again, or remove .gz from its name"
        raise BadInput([f"{path}: {what} if it is not compressed"]) from None
    except OSError as error:
        raise BadInput([f"{path}: cannot be read ({error.strerror})"]) from None
    if not content:
        raise BadInput([f"{path}: empty; it must contain sentences"])
    return content


def _decompressed(path: Path) -> bytes:
    with gzip.open(path) as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        limit = f"more than {MOST_BYTES / 2**30:g} GiB of decompressed content"
        raise BadInput([f"{path}: {limit}; decompress it, or write fewer sentences"])
    return content


def read_text(path: Path) -> str:
    """Return a file's text, without the byte order mark that some editors write.

    Line ends are unchanged.

    Raises:
        BadInput: the file cannot be read, is empty, is not UTF-8 or contains NUL bytes.
    """
    content = read_bytes(path)
    body = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        position = error.start + len(content) - len(body)
        what = f"not UTF-8 text (byte {position} is {content[position]:#04x})"
        raise BadInput([_at_byte(path, content, position, what)]) from None
    if "\0" in text:
        position = content.index(b"\0")
        raise BadInput([_at_byte(path, content, position, f"a NUL byte (byte {position})")])
    if not text.strip():
        raise BadInput([f"{path}: blank; it must contain sentences"])
    return text


def lines_of(text: str) -> list[str]:
    """Return the lines of a text with any line ends; a final line end adds no empty line."""
    lines = re.split("\r\n|\r|\n", text)
    return lines if lines[-1] else lines[:-1]


def split_at_line_feeds(text: str) -> list[str]:
    """Return the lines of a text, which end in a line feed or in carriage return and line feed.

    A lone carriage return is part of its line. Only in a text without any line feed, as old Macs
    write it, does a carriage return end a line.
    """
    if "\n" not in text:
        return lines_of(text)
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def sentence_problem(value: object) -> str | None:
    """Return why a value is not a sentence, and the way out; None if it is a sentence."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "missing sentence; fill it in or remove the row"
    if not isinstance(value, str):
        return f"{shown(value)} is not text; a sentence must be text"
    if not value.strip():
        return "empty sentence; fill it in or remove the row"
    if "\0" in value:
        return f"{shown(value)} contains a NUL character; remove it"
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return f"{shown(value)} contains half of a surrogate pair; write the whole character"
    return None


def _at_byte(path: Path, content: bytes, position: int, what: str) -> str:
    line = content.count(b"\n", 0, position) + 1
    return f"{path}:{line}: {what}; save the file as UTF-8 text"


def shown(value: object) -> str:
    """Return a value for an error message: on one line and shortened, also if it is nested."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = 60
    return short.repr(value)


def from_here(path: Path) -> str:
    """Return a path relative to the working directory, or as given if that is shorter."""
    return min(str(path), os.path.relpath(path), key=len)


def each_once(found: Iterable[tuple[str, str, object]]) -> Iterator[tuple[str, object]]:
    """Yield each wrong value once: its first place and number of rows as text, and the value.

    Args:
        found: of each row with a wrong value, its place, the column, and the value.
    """
    places: dict[tuple[str, str], list[tuple[str, object]]] = {}
    for where, column, value in found:
        places.setdefault((column, shown(value)), []).append((where, value))
    for (column, value_shown), own in places.items():
        where, value = own[0]
        more = f" ({counted(len(own), 'row')}, the first here)" if len(own) > 1 else ""
        yield f"{where}: column {shown(column)}: {value_shown}{more}", value


def capped(problems: Sequence[str], path: object) -> list[str]:
    """Return the first ten problems of a file, and one line with the number of the others.

    They are in the order of the file's lines or rows, after problems of the whole file.
    """
    place = re.compile(re.escape(str(path)) + r"(?::|: row |, row )(\d+)")

    def order(problem: str) -> int:
        found = place.match(problem)
        return 0 if found is None else int(found[1])

    problems = sorted(problems, key=order)
    more = len(problems) - PROBLEMS_SHOWN
    rest = [f"{path}: and {counted(more, 'more such problem')}"] if more > 0 else []
    return [*problems[:PROBLEMS_SHOWN], *rest]
