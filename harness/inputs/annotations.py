"""A file of annotations: facts about sentences of the data, found there by their text."""

import hashlib
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import BadInput
from harness.inputs.data.formats import check_file, reader_of
from harness.inputs.data.rows import capped, read_bytes, shown
from harness.inputs.data.table import COLUMNS_SHOWN, ColumnNotNamed, TableRow, Wanted, listed
from harness.suite.dataset import DELIMITERS
from harness.suite.file_names import extension
from harness.suite.gates import LONGEST_VALUE
from harness.text import counted

LEAST_MATCHED = 0.9
"""The share of the sentences that a file of annotations must contain."""

WAY_OUT = "correct the file, or write it as Parquet or JSON Lines"


@dataclass(frozen=True)
class Annotated:
    """The annotations of some sentences.

    Attributes:
        columns: by name, the value of each sentence, "" without one.
        matched: the number of sentences that the file contains.
        sha256: of the file's content.
        notes: how many sentences were matched, and remarks that are not mistakes.
    """

    columns: Mapping[str, Sequence[str]]
    matched: int
    sha256: str
    notes: tuple[str, ...]


def check(path: Path) -> None:
    """Check that a file of annotations exists in a supported format.

    Raises:
        BadInput: see check_file.
    """
    check_file(path, "dataset.annotations must be a table of sentences")


def column_names(path: Path) -> tuple[str, ...]:
    """Return the names of a file's columns, in order.

    Raises:
        BadInput: the file cannot be read as a table.
    """
    try:
        reader_of(path)(path, Wanted(text=None))
    except ColumnNotNamed as error:
        return error.columns
    except BadInput as error:
        raise _unreadable(path, error.problems) from None
    raise BadInput([f"{path}: no rows; it must contain annotated sentences"])


def annotate(
    path: Path, text_column: str, names: Sequence[str] | None, sentences: Sequence[str]
) -> Annotated:
    """Return the annotations of sentences, which are found in the file by their text.

    Blanks and the way in which Unicode composes a character do not count. A sentence that occurs
    in the file with different values of a column has no value there.

    Args:
        text_column: the column of sentences, in any case; if there is none, it is "sentence".
        names: the columns to read; None for all others.

    Raises:
        BadInput: the file lacks a column, or contains less than 90 % of the sentences.
    """
    existing = column_names(path)
    text = _text_column(path, existing, text_column)
    chosen = [name for name in existing if name != text] if names is None else list(names)
    problems = [
        f"{path}: no column {shown(name)}; there are {listed(existing, COLUMNS_SHOWN)}: set "
        "dataset.slice_columns to some of them"
        for name in chosen
        if name not in existing
    ]
    problems += [
        f"{path}: more than one column {shown(name)}; rename all but one"
        for name in dict.fromkeys((text, *chosen))
        if existing.count(name) > 1
    ]
    if not problems and not chosen:
        problems = [f"{path}: no column besides {shown(text)}; add a column of annotations"]
    if problems:
        raise BadInput(problems)
    wanted = Wanted(text=text, further=tuple(chosen))
    known = [comparable(sentence) for sentence in sentences]
    rows, matched = max(_readings(path, wanted, known), key=lambda reading: reading[1])
    note = f"{path.name}: {matched:,} of {counted(len(known), 'validation sentence')} annotated"
    if matched < LEAST_MATCHED * len(known):
        raise BadInput(
            [
                f"dataset.annotations: {path}: {matched:,} of the {len(known):,} validation "
                f"sentences ({matched / len(known):.1%}) are in its column {shown(text)}; at least "
                f"{LEAST_MATCHED:.0%} must be: name the file of these sentences"
            ]
        )
    columns = {
        name: [values.get(name, "") for values in map(rows.get, known, [{}] * len(known))]
        for name in chosen
    }
    return Annotated(columns, matched, hashlib.sha256(read_bytes(path)).hexdigest(), (note,))


def text_of(value: object) -> str:
    """Return a value of a table as the name of a slice; "" if there is none.

    Whole numbers lose their decimals, so that 1, 1.0 and "1" are one value; truth values are
    written in lower case.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return " ".join(str(value).split())


def _text_column(path: Path, existing: Sequence[str], text_column: str) -> str:
    """Return the name of the column of sentences.

    Raises:
        BadInput: there is none, or more than one.
    """
    for wanted in dict.fromkeys((text_column, "sentence")):
        found = [name for name in existing if name == wanted] or [
            name for name in existing if name.casefold() == wanted.casefold()
        ]
        if len(found) == 1:
            return found[0]
    listing = listed(existing, COLUMNS_SHOWN)
    raise BadInput(
        [
            f"{path}: no single column of sentences named {shown(text_column)} or 'sentence'; "
            f"there are {listing}: rename the column of sentences"
        ]
    )


def _readings(
    path: Path, wanted: Wanted, sentences: Sequence[str]
) -> list[tuple[dict[str, dict[str, str]], int]]:
    """Return the file's rows by sentence with the number of matched sentences, for each reading.

    Quotation marks in a CSV or TSV file may enclose values or be part of them. Here the sentences
    are known, so the reading that contains more of them is the right one.

    Raises:
        BadInput: no reading is without mistakes.
    """
    delimited = extension(path) in DELIMITERS
    found = []
    problems: list[str] = []
    for quoting in ("csv", "none") if delimited else (None,):
        try:
            table = reader_of(path)(path, replace(wanted, quoting=quoting))
            if table.problems:
                raise BadInput(table.problems)
            rows = _by_sentence(path, wanted, table.records)
        except BadInput as error:
            problems = problems or list(error.problems)
        else:
            found.append((rows, sum(sentence in rows for sentence in sentences)))
    if not found:
        raise _unreadable(path, problems)
    return found


def _by_sentence(
    path: Path, wanted: Wanted, records: Sequence[TableRow]
) -> dict[str, dict[str, str]]:
    """Return the values of each column by sentence, without those that differ between rows.

    Raises:
        BadInput: values that cannot name slices.
    """
    seen: dict[str, dict[str, set[str]]] = {}
    problems = []
    for record in records:
        own = seen.setdefault(comparable(str(record.sentence)), {})
        for name, value in zip(wanted.further, record.further, strict=True):
            text = text_of(value)
            if len(text) > LONGEST_VALUE:
                problems.append(
                    f"{record.where}: column {shown(name)}: {shown(text)}: a value of a slice has "
                    f"at most {LONGEST_VALUE} characters; name the columns of slices with "
                    "dataset.slice_columns"
                )
            own.setdefault(name, set()).add(text)
    if problems:
        raise BadInput(capped(problems, path))
    return {
        sentence: {name: values.pop() for name, values in own.items() if len(values) == 1}
        for sentence, own in seen.items()
    }


def comparable(sentence: str) -> str:
    """Return a sentence in Unicode normal form C, with one blank between words: for comparing."""
    return " ".join(unicodedata.normalize("NFC", sentence).split())


def _unreadable(path: Path, problems: Sequence[str]) -> BadInput:
    """Return the error of a file that cannot be read, without the ways out of a data file."""
    return BadInput([f"{problem.partition('; ')[0]}; {WAY_OUT}" for problem in problems])
