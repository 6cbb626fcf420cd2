"""The slices of a suite's validation sentences: from its data, its columns and its annotations."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness import stats
from harness.errors import BadInput
from harness.session.options import home
from harness.store.lengths import length_of
from harness.store.slices import MOST_VALUES, Annotations, Slices, make_slices
from harness.suite.gates import LEAST_OF_A_SLICE, LONGEST_VALUE, sections
from harness.suite.ids import did_you_mean
from harness.suite.spec import DatasetSpec, GatesSpec, load_suite
from harness.text import counted, series, some

if TYPE_CHECKING:  # data imports the library `datasets`; collecting tests must not
    from harness.inputs.data import Data, Source

Columns = dict[str, Sequence[str]]
"""The value of each validation sentence by column, "" without one."""


@dataclass(frozen=True)
class SliceInputs:
    """The slices of a suite, None if there is none, and remarks for the user."""

    slices: Slices | None = None
    notes: tuple[str, ...] = ()


ALIKE = 0.99
"""The share of the sentences in which two columns correspond if one is left out."""

NO_SLICES = SliceInputs()


def find_slices(spec: DatasetSpec, base: Path, source: "Source", loaded: "Data") -> SliceInputs:
    """Return the slices of a suite's validation sentences.

    The sources, domains and lengths of the sentences are slices too, where the data contain them.
    Columns that divide the sentences like another one, or like the labels, are left out unless
    `dataset.slice_columns` names them.

    Args:
        base: the folder to which the suite's paths refer.
        loaded: the data of `source`.

    Raises:
        BadInput: a column that does not exist or cannot give slices, or a file of annotations
            that cannot be read, or that contains too few of the sentences.
    """
    rows = loaded.rows["validation"]
    sentences, labels = list(rows.sentence), list(rows.label)
    every = _of_the_data(list(rows.source), list(rows.domain), sentences)
    columns = {name: each for name, each in every.items() if 1 < _number(each) <= MOST_VALUES}
    notes = [
        f"{name} of the validation sentences: {number:,} different values, and at most "
        f"{MOST_VALUES} can be slices, so these are none"
        for name, number in ((name, _number(each)) for name, each in every.items())
        if number > MOST_VALUES
    ]
    named = spec.slice_columns
    annotations = None
    own, annotated_names = _split_names(spec, base, source)
    named_columns: Columns = {}
    if own:
        named_columns = _own_columns(source, own, list(rows.idx), sentences)
        columns = _merged(columns, named_columns, every)
    if spec.annotations is not None and (annotated_names or named is None):
        from harness.inputs import annotations as files

        path = base.absolute() / home(spec.annotations)
        files.check(path)
        found = files.annotate(path, spec.text_column, annotated_names, sentences)
        notes += found.notes
        annotations = Annotations(file=path.name, sha256=found.sha256, matched=found.matched)
        extra: Columns = dict(found.columns)
        if named is None:
            repeated = _repeated(extra, {**columns, "the labels": list(map(str, labels))})
            notes += [f"column {name!r} divides the sentences like {as_}" for name, as_ in repeated]
            extra = {name: each for name, each in extra.items() if name not in dict(repeated)}
        columns = _merged(columns, extra, every)
        named_columns |= extra
    if problems := list(_problems(named_columns)):
        raise BadInput(problems)
    return SliceInputs(make_slices(loaded.fingerprint, columns, annotations), tuple(notes))


def slices_of_suite(path: Path, cola_dir: Path | None, fingerprints: Set[str]) -> SliceInputs:
    """Return the slices that a suite file gives to the data of finished runs.

    Args:
        path: the suite file.
        cola_dir: the folder of CoLA that the user named.
        fingerprints: of the data of the runs.

    Raises:
        BadInput: a mistake in the suite or its data, or other data than the runs'.
        Unavailable: the data cannot be reached.
    """
    from harness.inputs import data

    spec, base = load_suite(path).dataset, path.resolve().parent
    source = data.find_now(spec, cola_dir, base)
    loaded = data.load(source)
    if loaded.fingerprint not in fingerprints:
        raise BadInput(
            [
                f"{path}: {loaded.origin} is not the data of these runs (its fingerprint begins "
                f"with {loaded.fingerprint[:12]}, theirs with "
                f"{', '.join(each[:12] for each in sorted(fingerprints)) or 'nothing'}); name the "
                "suite of their data"
            ]
        )
    return find_slices(spec, base, source, loaded)


def _of_the_data(
    sources: Sequence[str], domains: Sequence[str], sentences: Sequence[str]
) -> Columns:
    """Return the columns that the data itself give and records count; with 1 value or more."""
    lengths = [length_of(sentence) for sentence in sentences]
    found = {"source": sources, "domain": domains, "length": lengths}
    return {name: each for name, each in found.items() if _number(each)}


def _number(values: Sequence[str]) -> int:
    return len(set(values) - {""})


def _split_names(
    spec: DatasetSpec, base: Path, source: "Source"
) -> tuple[list[str], list[str] | None]:
    """Return the named columns of the user's own data, and those of the annotations.

    The latter are None if all columns of the annotations are meant.

    Raises:
        BadInput: there is no such file, or a column is in the annotations and in the data.
    """
    if spec.slice_columns is None or spec.annotations is None:
        return list(spec.slice_columns or ()), None
    from harness.inputs import annotations as files

    path = base.absolute() / home(spec.annotations)
    files.check(path)
    existing = files.column_names(path)
    here = [name for name in spec.slice_columns if name in existing]
    own = [name for name in spec.slice_columns if name not in existing]
    if source.kind != "file":
        return [], list(spec.slice_columns)  # `annotate` reports what does not exist
    if not here:
        raise BadInput(
            [
                f"dataset.slice_columns: {path} has none of the columns "
                f"{series([repr(name) for name in own])}, so its annotations would have no effect; "
                f"add a column of it ({', '.join(existing)}), or remove dataset.annotations"
            ]
        )
    return own, here


def _own_columns(
    source: "Source", names: Sequence[str], idx: Sequence[int], sentences: Sequence[str]
) -> Columns:
    """Return columns of the user's own data for the validation sentences.

    Raises:
        BadInput: a column does not exist, or the file changed since the sentences were read.
    """
    from harness.inputs import data
    from harness.inputs.annotations import text_of

    rows = data.columns(source, "validation", names)
    chosen = [rows[number] for number in idx] if len(rows) > max(idx) else []
    if [sentence for sentence, _ in chosen] != list(sentences):
        raise BadInput(["dataset.slice_columns: the data changed while they were read; run again"])
    return {
        name: [text_of(values[position]) for _, values in chosen]
        for position, name in enumerate(names)
    }


def _merged(columns: Columns, further: Columns, of_the_data: Columns) -> Columns:
    """Return all columns.

    Args:
        of_the_data: columns whose names records use, also those that give no slices.

    Raises:
        BadInput: a name is used twice.
    """
    if both := [name for name in further if name in columns or name in of_the_data]:
        raise BadInput(
            [
                f"dataset.slice_columns: {name!r}: the data have values of their own of this name; "
                "rename the column, or leave it out"
                for name in both
            ]
        )
    return {**columns, **further}


def _repeated(extra: Columns, known: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Return the columns that divide the sentences like a known column, with its name."""
    return [
        (name, other)
        for name, values in extra.items()
        for other in [next((o for o, each in known.items() if _alike(values, each)), None)]
        if other is not None
    ]


def _alike(values: Sequence[str], others: Sequence[str]) -> bool:
    """Return whether values of two columns correspond one to one, but for few sentences."""
    pairs = Counter(pair for pair in zip(values, others, strict=True) if all(pair))
    partner: dict[str, str] = {}
    for (value, other), _ in pairs.most_common():
        partner.setdefault(value, other)
    corresponding = sum(pairs[pair] for pair in partner.items())
    one_to_one = 1 < len(partner) == len(set(partner.values()))
    return one_to_one and corresponding >= ALIKE * pairs.total()


def _problems(columns: Columns) -> Iterator[str]:
    """Yield why columns cannot give slices."""
    from harness.inputs.data.rows import shown  # imports `datasets`, as above

    for name, values in columns.items():
        number = _number(values)
        if not name.strip() or "=" in name or not name.isprintable():
            yield (
                f"dataset.slice_columns: {name!r}: a column of slices needs a printable name "
                "without =; rename it"
            )
        if number == 0:
            yield (
                f"dataset.slice_columns: {name!r}: no validation sentence has a value; name other "
                "columns"
            )
        if number > MOST_VALUES:
            yield (
                f"dataset.slice_columns: {name!r}: {number:,} different values; at most "
                f"{MOST_VALUES} are allowed: group them into fewer, or leave the column out by "
                "naming the others in dataset.slice_columns"
            )
        for value in sorted(set(values)):
            if reason := _not_a_name(value):
                yield (
                    f"dataset.slice_columns: {name!r}: {shown(value)}: {reason}; correct it, or "
                    "leave the column out"
                )
                break


def _not_a_name(value: str) -> str | None:
    """Return why a value cannot name a slice in tables and gates; None if it can."""
    if len(value) > LONGEST_VALUE:
        return f"a value of a slice has at most {LONGEST_VALUE} characters"
    kinds = set(map(unicodedata.category, value))
    if "Cs" in kinds:
        return "it contains half of a surrogate pair"
    return "it contains a control character" if "Cc" in kinds else None


def gate_problems(gates: GatesSpec, slices: Slices | None, labels: Sequence[int]) -> Iterator[str]:
    """Yield why a gate on a slice can never be judged on these data.

    Args:
        labels: of the validation sentences.
    """
    known = {} if slices is None else {each.name: each for each in slices.each()}
    classes = np.asarray(labels)
    for section, thresholds in sections(gates):
        for name, gate in thresholds.slice.items():
            where = f"{section}.slice.{name!r}"
            if name not in known:
                yield f"{where}: no such slice{_hint(name, slices)}"
                continue
            chosen = classes[known[name].chosen]
            if (reason := stats.undefined(chosen)) is not None:
                yield f"{where}: no MCC, because {reason}; remove this gate"
            elif chosen.size < gate.min_sentences:
                yield (
                    f"{where}: the slice has {counted(chosen.size, 'sentence')}, and min_sentences "
                    f"is {gate.min_sentences}; choose a larger slice"
                    + (", or lower min_sentences" if chosen.size >= LEAST_OF_A_SLICE else "")
                )
            elif (reason := stats.no_interval(chosen)) is not None:
                yield f"{where}: the slice has {reason}; choose a larger slice"


def _hint(name: str, slices: Slices | None) -> str:
    """Return the slices that exist: of the column if it exists, else the columns."""
    if slices is None:
        return "; the data have no slices: set dataset.annotations or dataset.slice_columns"
    column = next((each for each in slices.columns if each.name == name.rpartition("=")[0]), None)
    if column is None:
        columns = ", ".join(each.name for each in slices.columns)
        return f'; write "COLUMN=VALUE" with one of the columns {columns}'
    similar = did_you_mean(name, [f"{column.name}={value}" for value in column.values])
    return f"{similar}; values of {column.name} are {some(column.values, 10)}"
