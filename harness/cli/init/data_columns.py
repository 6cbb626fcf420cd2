"""The columns and classes of a file of labelled sentences that a new suite names."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from harness.errors import BadInput
from harness.inputs.data.formats import reader_of
from harness.inputs.data.rows import shown
from harness.inputs.data.table import COLUMNS_SHOWN, ColumnNotNamed, Key, Wanted, listed
from harness.suite.class_names import Meaning, meaning_of

USUAL: Mapping[Key, tuple[str, ...]] = {
    "text_column": ("sentence", "text"),
    "label_column": ("label", "class"),
}
"""The names that a column of sentences or labels usually has."""


def with_columns(path: Path, wanted: Wanted) -> Wanted:
    """Return what is wanted of a file, with its columns of sentences and labels.

    A column that is not named is the only one with a usual name or, in a file of two columns, the
    one beside the other.

    Args:
        wanted: its columns are None if they are not named.

    Raises:
        BadInput: the file cannot be read as a table, or every column that does not exist or is
            unclear, with the columns that exist.
    """
    existing = _column_names(path, replace(wanted, text=None, label=None))
    text = wanted.text or _usual(existing, "text_column", wanted.label)
    label = wanted.label or _usual(existing, "label_column", wanted.text)
    text = text or _beside(existing, label)
    label = label or _beside(existing, text)
    named: dict[Key, str | None] = {"text_column": text, "label_column": label}
    if problems := [*_problems(path, existing, named, wanted)]:
        raise BadInput(problems)
    return replace(wanted, text=text, label=label)


def class_names(path: Path, wanted: Wanted) -> tuple[str, ...]:
    """Return the names of a file's classes: its different labels, numbers first.

    A Parquet file may declare them; then their order is that of the file.

    Raises:
        BadInput: the file cannot be read as a table.
    """
    table = reader_of(path)(path, wanted)
    if table.class_names is not None:
        return table.class_names
    found: dict[Meaning, str] = {}
    for row in table.records:
        if (meaning := meaning_of(row.label)) is not None:
            found.setdefault(meaning, _name(meaning))
    return tuple(found[meaning] for meaning in _ordered(found))


def _column_names(path: Path, wanted: Wanted) -> Sequence[str]:
    try:
        reader_of(path)(path, wanted)
    except ColumnNotNamed as error:
        return error.columns
    raise BadInput([f"{path}: no rows; it must contain labelled sentences"])


def _usual(existing: Sequence[str], key: Key, other: str | None) -> str | None:
    """Return the only column with a usual name for this key; None if there is not exactly one."""
    names = [name for name in existing if name.casefold() in USUAL[key] and name != other]
    return names[0] if len(names) == 1 else None


def _beside(existing: Sequence[str], other: str | None) -> str | None:
    """Return the other column of a file of two columns; None in any other file."""
    names = [name for name in existing if name != other]
    return names[0] if len(existing) == 2 and len(names) == 1 else None


def _problems(
    path: Path, existing: Sequence[str], named: Mapping[Key, str | None], wanted: Wanted
) -> Iterator[str]:
    columns = listed(existing, COLUMNS_SHOWN)
    for key, name in named.items():
        flag = wanted.name(key)
        if name is None:
            usual = " or ".join(USUAL[key])
            yield (
                f"{path}: {flag} is not given, and no single column is named {usual}; there are "
                f"{columns}: set {flag} to one of them"
            )
        elif existing.count(name) != 1:
            what = "no column" if name not in existing else "more than one column"
            yield f"{path}: {what} {shown(name)}; there are {columns}: set {flag} to one of them"


def _name(meaning: Meaning) -> str:
    match meaning.kind:
        case "boolean":
            return "true" if meaning.value else "false"
        case "number":
            return f"{Decimal(meaning.value):f}"
    return str(meaning.value)


def _ordered(meanings: Iterable[Meaning]) -> list[Meaning]:
    """Return numbers and booleans by value, then texts in alphabetical order."""
    known = list(meanings)
    texts = [each for each in known if each.kind == "text"]
    numbers = [each for each in known if each.kind != "text"]
    return [*sorted(numbers, key=lambda each: Decimal(each.value)), *sorted(texts)]
