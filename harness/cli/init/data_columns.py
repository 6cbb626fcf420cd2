"""The columns and classes of a file of labelled sentences that a new suite names."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from statistics import fmean

from harness.errors import BadInput
from harness.inputs.data.drawing import LEAST_OF_A_CLASS
from harness.inputs.data.formats import reader_of
from harness.inputs.data.rows import shown
from harness.inputs.data.table import (
    COLUMNS_SHOWN,
    ColumnNotNamed,
    Key,
    TableRow,
    Wanted,
    listed,
)
from harness.suite.class_names import MOST_CLASSES, Meaning, meaning_of
from harness.text import counted, shortened

USUAL: Mapping[Key, tuple[str, ...]] = {
    "text_column": ("sentence", "text"),
    "label_column": ("label", "class"),
}
"""The names that a column of sentences or labels usually has."""

LONG_LABEL = 60
"""A label of more characters is probably a sentence."""


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


def class_names(path: Path, wanted: Wanted) -> tuple[tuple[str, ...], list[str]]:
    """Return the names of a file's classes, and remarks on labels that look like sentences.

    The names are its different labels, numbers first. A Parquet file may declare them; then their
    order is that of the file.

    Raises:
        BadInput: the file cannot be read as a table, is empty, or has nearly as many labels as
            rows.
    """
    table = reader_of(path)(path, wanted)
    if not table.records:
        raise BadInput([_without_rows(path)])
    if table.class_names is not None:
        return table.class_names, []
    found: dict[Meaning, str] = {}
    for row in table.records:
        if (meaning := meaning_of(row.label)) is not None:
            found.setdefault(meaning, _name(meaning))
    names = tuple(found[meaning] for meaning in _ordered(found))
    problem, remark = _doubts(table.records, names)
    where = f"{path}: column {shown(wanted.label)} ({wanted.name('label_column')})"
    way_out = _exchanged(table.records, names, wanted)
    if problem is not None or (remark is not None and len(names) > MOST_CLASSES):
        raise BadInput([f"{where}: {problem or remark}; {way_out}"])
    return names, [] if remark is None else [f"{where}: {remark}; {way_out}"]


def _doubts(rows: Sequence[TableRow], names: Sequence[str]) -> tuple[str | None, str | None]:
    """Return why labels cannot be those of sentences, and why they may not be, or None."""
    if not rows or len(names) < 2:
        return None, None
    labels = f"{len(names):,} different labels, the first {shortened(str(rows[0].label))}"
    longest = max(names, key=len)
    of_labels, of_sentences = (
        fmean(len(str(value)) for value in values)
        for values in ([row.label for row in rows], [row.sentence for row in rows])
    )
    if len(names) > 2 and len(names) * LEAST_OF_A_CLASS > len(rows):
        return f"{labels}, in {len(rows):,} rows: a class needs several sentences", None
    if len(names) > 2 and (different := len(_sentences(rows))) < len(names):
        return f"{labels}, but only {counted(different, 'different sentence')}", None
    if of_labels > of_sentences:
        compared = f"{of_labels:.0f} characters on average against {of_sentences:.0f}"
        return None, f"the labels are longer than the sentences, {compared}"
    if len(longest) > LONG_LABEL:
        return None, f"a label has {len(longest)} characters, {shortened(longest)}"
    return None, None


def _sentences(rows: Sequence[TableRow]) -> set[str]:
    return {str(row.sentence) for row in rows}


def _exchanged(rows: Sequence[TableRow], names: Sequence[str], wanted: Wanted) -> str:
    """Return the way out if a column that is not that of labels was read as such."""
    keys: dict[Key, str | None] = {"text_column": wanted.label, "label_column": wanted.text}
    flags = " ".join(wanted.set_to(key, str(name)) for key, name in keys.items())
    sentences = _sentences(rows)
    if len(sentences) < len(names):
        return (
            f"column {shown(wanted.text)} has {counted(len(sentences), 'different value')}: if "
            f"these are the labels, exchange the columns with {flags}"
        )
    return f"if these are no labels, name their column with {wanted.name('label_column')}"


def _column_names(path: Path, wanted: Wanted) -> Sequence[str]:
    try:
        reader_of(path)(path, wanted)
    except ColumnNotNamed as error:
        return error.columns
    raise BadInput([_without_rows(path)])


def _without_rows(path: Path) -> str:
    return f"{path}: no rows; it must contain labelled sentences"


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
