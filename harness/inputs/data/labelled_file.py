"""A user's own file of labelled sentences, checked."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from harness.errors import BadInput
from harness.inputs.data import group_column
from harness.inputs.data.drawing import MOST_NAMED, draw, linked
from harness.inputs.data.formats import check_file, reader_of
from harness.inputs.data.rows import (
    HIDDEN_LABEL,
    PROBLEMS_SHOWN,
    Rows,
    capped,
    each_once,
    from_here,
    sentence_problem,
    shown,
)
from harness.inputs.data.table import NoLabelColumn, Table, TableRow, Wanted, listed
from harness.suite.class_names import (
    Meaning,
    classes_of_labels,
    likely_name,
    meaning_of,
    numbered,
    numbers_are_classes,
)
from harness.suite.spec import DatasetSpec

HIDDEN = Meaning("number", Decimal(HIDDEN_LABEL))


@dataclass(frozen=True)
class LabelledTable:
    """A file's rows in its order, its columns where they are needed, and remarks.

    Attributes:
        rows: with the file's own values.
        labels: the class of each row; -1 if hidden.
        has_labels: whether the file has a column of labels.
        notes: remarks that are not mistakes.
        class_names: those that the file itself declares; None if it does not.
    """

    rows: Sequence[TableRow]
    labels: Sequence[int]
    has_labels: bool = True
    notes: Sequence[str] = field(default=())
    class_names: tuple[str, ...] | None = None

    @property
    def sentences(self) -> list[str]:
        """The sentences, in order."""
        return [str(row.sentence) for row in self.rows]

    @property
    def groups(self) -> list[str]:
        """The group of each sentence; "" for a file without a column of groups."""
        return [group_column.name_of(row.group) for row in self.rows]


def check(path: Path, key: str = "dataset.path") -> None:
    """Check that a file exists and that its extension is a supported format.

    Args:
        key: the suite's key that names the file.

    Raises:
        BadInput: see check_file.
    """
    check_file(path, f"{key} must be a file of labelled sentences")


def read(path: Path, spec: DatasetSpec) -> tuple[dict[str, Rows], list[str]]:
    """Return the splits of a file, and remarks on it that are not mistakes.

    The splits are train, validation and, if the spec requests it, test. `idx` is the row's number
    in the file, from 0, across all splits.

    Raises:
        BadInput: every mistake in the file at once, or too few sentences to split.
    """
    check(path)
    table = read_table(path, spec)
    if problems := group_column.problems_of_all(path, table.groups, spec.group_column):
        raise BadInput(problems)
    number = len(table.rows)
    whole = Rows(table.sentences, table.labels, range(number), table.groups, [""] * number)
    drawn = draw(table.labels, spec, path, groups=linked(whole))
    splits = {split: whole.chosen(rows) for split, rows in drawn.items()}
    return splits, list(table.notes)


def read_table(path: Path, spec: DatasetSpec, split: str | None = None) -> LabelledTable:
    """Return a file's rows with their classes; see `labelled`.

    Args:
        split: the given split to which the file belongs; None if all splits are drawn from it.

    Raises:
        BadInput: every mistake in the file at once.
    """
    table, has_labels = _table(path, spec, may_hide=split == "test")
    return labelled(path, table, has_labels, spec, split)


def labelled(
    path: object, table: Table, has_labels: bool, spec: DatasetSpec, split: str | None
) -> LabelledTable:
    """Return the rows of a table with their classes.

    A label is one of the spec's class names or, if the names do not contradict it, the number of a
    class (of two, also false or true), each as text, integer, float or boolean.

    Args:
        path: the table's file, for messages.
        has_labels: whether the table has a column of labels; if not, all are hidden.
        split: the given split to which the table belongs; None if all splits are drawn from it. In
            test, labels may be hidden: no column, -1 or no value.

    Raises:
        BadInput: every mistake in the table at once; each wrong label once, with its number of
            rows.
    """
    problems, declared = list(table.problems), table.class_names
    if declared is not None and not set(declared).isdisjoint(spec.class_names):
        table = _named_by_place(table, declared, spec.class_names)
    labels: list[int | None] = [HIDDEN_LABEL] * len(table.records)
    if has_labels:
        labels = _labels(table.records, spec, may_hide=split == "test")
    causes: list[str] = []
    two = len(spec.class_names) == 2
    if two and split in (None, "train"):  # labels of other files must be those of train
        causes = _common_cause(path, table.records, labels, spec)
    if not causes:
        hidden = "; -1 or no value if it is hidden" if split == "test" else ""
        causes = [f"{each}{hidden}" for each in _unknown_labels(table.records, labels, spec)]
    for record in table.records:
        if problem := sentence_problem(record.sentence):
            problems.append(f"{record.where}: column {shown(spec.text_column)}: {problem}")
    problems += group_column.problems(table.records, spec.group_column)
    problems += [*causes, *_other_order(path, table.class_names, spec)]
    if problems:
        raise BadInput(capped(problems, path))
    if not table.records:
        raise BadInput([f"{path}: no rows; it must contain labelled sentences"])
    known = [label for label in labels if label is not None]
    notes = [*table.notes, *_multiline_note(table.records)]
    return LabelledTable(table.records, known, has_labels, notes, table.class_names)


def _other_order(
    path: object, declared: tuple[str, ...] | None, spec: DatasetSpec
) -> Iterator[str]:
    """Yield a problem if a file declares some of the suite's class names at other places.

    Its labels are numbers, so each would get another name. Other names are no mistake: a suite may
    rename classes.
    """
    names = spec.class_names
    places = {name: place for place, name in enumerate(declared or ())}
    if any(places.get(name, place) != place for place, name in enumerate(names)):
        yield (
            f"{path}: column {shown(spec.label_column)}: the file's own class names are "
            f"{listed([*places], MOST_NAMED)} in this order, but dataset.class_names are "
            f"{listed(names, MOST_NAMED)}; use the file's order"
        )


def _named_by_place(table: Table, declared: Sequence[str], names: Sequence[str]) -> Table:
    """Return a table with class names in place of the numbers of a file that declares the names.

    There, 0 is the first class, also if a class name is a number of another value, as of "1", "0".
    """
    by_place = [*names, *declared[len(names) :]]
    rows = [replace(row, label=name_of(row.label, by_place, names)) for row in table.records]
    return replace(table, records=rows)


def name_of(label: object, by_place: Sequence[str], class_names: Sequence[str]) -> object:
    """Return the name of the class with this number.

    Any other label, such as the -1 of a hidden one, stays as it is; if it would be read as one of
    the class names, it is None.
    """
    if type(label) is int and 0 <= label < len(by_place):
        return by_place[label]
    return None if meaning_of(label) in map(meaning_of, class_names) else label


def _table(path: Path, spec: DatasetSpec, may_hide: bool) -> tuple[Table, bool]:
    """Return a file's table, and whether it has a column of labels."""
    reader, wanted = reader_of(path), _wanted(spec)
    try:
        return reader(path, wanted), True
    except NoLabelColumn:
        if not may_hide:
            raise
    return reader(path, replace(wanted, label=None, class_names=None)), False


def _labels(rows: Sequence[TableRow], spec: DatasetSpec, may_hide: bool) -> list[int | None]:
    """Return the class of each row, -1 if it is hidden, or None if the label is not valid."""
    classes = classes_of_labels(spec.class_names)
    labels = [classes.get(meaning_of(row.label)) for row in rows]
    if not may_hide:
        return labels
    return [
        HIDDEN_LABEL if label is None and _is_hidden(row.label) else label
        for row, label in zip(rows, labels, strict=True)
    ]


def _is_hidden(label: object) -> bool:
    """Return whether a label that is no class is -1 or has no value."""
    if label is None or label != label:  # NaN is not equal to itself
        return True
    return not str(label).strip() or meaning_of(label) == HIDDEN


def _unknown_labels(
    rows: Sequence[TableRow], labels: Sequence[int | None], spec: DatasetSpec
) -> Iterator[str]:
    """Yield a problem for each label that is not valid, with the number of its rows."""
    wrong = (
        (row.where, spec.label_column, row.label)
        for row, label in zip(rows, labels, strict=True)
        if label is None
    )
    for number, (seen, value) in enumerate(each_once(wrong)):
        hint = _likely(value, labels, spec.class_names) if number < PROBLEMS_SHOWN else ""
        yield f"{seen}; {_allowed(value, spec.class_names)}{hint}"


def _likely(label: object, labels: Sequence[int | None], class_names: Sequence[str]) -> str:
    """Return the end of a message on a label: the class name that it, or the suite, misspells."""
    name = likely_name(label, class_names)
    if name is None:
        return ""
    if class_names.index(name) in labels:
        return f"; did you mean {shown(name)}?"
    way_out = "if it is the same, correct dataset.class_names or the file"
    return f"; no row here is of class {shown(name)}: {way_out}"


def _wanted(spec: DatasetSpec) -> Wanted:
    return Wanted(
        text=spec.text_column,
        label=spec.label_column,
        class_names=spec.class_names,
        delimiter=spec.delimiter,
        quoting=spec.quoting,
        group=spec.group_column,
    )


def places(path: Path, spec: DatasetSpec) -> list[str]:
    """Return the file and the line, or the row, of every sentence, in the order of `idx`."""
    records = reader_of(path)(path, _wanted(spec)).records
    return places_of(path, records)


def columns(
    path: Path, spec: DatasetSpec, names: Sequence[str]
) -> list[tuple[str, tuple[object, ...]]]:
    """Return every sentence with its values in other columns, in the order of the file.

    Raises:
        BadInput: a column does not exist, or the file can no longer be read.
    """
    table = reader_of(path)(path, replace(_wanted(spec), further=tuple(names)))
    if table.problems:
        raise BadInput(capped(table.problems, path))
    return [(str(row.sentence), row.further) for row in table.records]


def places_of(path: Path, rows: Sequence[TableRow]) -> list[str]:
    """Return the file and the line, or the row, of some rows of a file."""
    return [f"{from_here(path)}{row.where.removeprefix(str(path))}" for row in rows]


def _multiline_note(records: Sequence[TableRow]) -> list[str]:
    """Return a note on sentences that contain a line end, a possible sign of wrong quoting."""
    found = [record for record in records if "\n" in str(record.sentence).replace("\r", "\n")]
    if not found:
        return []
    of = f"{len(found):,} of {len(records):,} sentences span several lines"
    return [f"{of}, the first at {found[0].where}"]


def _common_cause(
    path: object, records: Sequence[TableRow], labels: Sequence[int | None], spec: DatasetSpec
) -> list[str]:
    """Return the common cause of unknown labels: the file has two other names or numbers.

    If only one of the file's two labels is unknown, this applies only to two numbers, such as 1
    and 2: an unknown text label may be a typing mistake.
    """
    seen: dict[object, TableRow] = {}
    for record in records:
        seen.setdefault(meaning_of(record.label) or shown(record.label), record)
    if len(seen) != 2 or None not in labels or len(records) < 3:
        return []
    numbers = _two_numbers(seen)
    if not numbers and any(label is not None for label in labels):
        return []
    first, second = (f"{shown(record.label)} (first at {record.where})" for record in seen.values())
    problem = f"{path}: column {shown(spec.label_column)}: all labels are {first} or {second}"
    way_out = "set dataset.class_names to these two labels"
    if not numbers or not numbers_are_classes(spec.class_names):
        allowed = _allowed(next(iter(seen.values())).label, spec.class_names)
        return [f"{problem}; {allowed}: {way_out}"]
    means = " and ".join(map("{} for {}".format, numbers, spec.class_names))
    written = " and ".join(
        f"{number} for {label}" for number, label in enumerate(numbers) if str(number) != label
    )
    names = ", ".join(f'"{label}"' for label in numbers)
    return [
        f"{problem}; {_allowed(numbers[1], spec.class_names)}. If the file has {means}, write "
        f"{written}, or {way_out}: [{names}]"
    ]


def _two_numbers(meanings: Iterable[object]) -> list[str]:
    """Return the two labels if they are numbers, the smaller first; else []."""
    numbers = [m.value for m in meanings if isinstance(m, Meaning) and m.kind == "number"]
    shortest = [f"{number.normalize():f}" for number in sorted(map(Decimal, numbers))]
    return shortest if len(shortest) == 2 else []


def _allowed(label: object, class_names: Sequence[str]) -> str:
    meaning = meaning_of(label)
    if numbers_are_classes(class_names):
        each = [f"{number} ({name})" for number, name in enumerate(class_names)]
        allowed = f"a label is {_one_of(each)}"
        is_number = meaning and meaning.kind == "number"
        return f"{allowed}: labels count from 0" if is_number else allowed
    allowed = f"a label is {_one_of(list(map(shown, class_names)))}, as in dataset.class_names"
    if meaning in numbered(len(class_names)):
        return f"{allowed}, which do not define the class of {shown(label)}"
    return allowed


def _one_of(names: Sequence[str]) -> str:
    *most, last = names
    between = ", ..." if len(names) > MOST_NAMED else ""
    return f"{', '.join(most[: MOST_NAMED - 1])}{between} or {last}"
