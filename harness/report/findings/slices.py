"""MCC by slice of the validation sentences, as blocks of Markdown."""

from collections.abc import Iterator, Mapping, Sequence

from harness.judging.column import MISSING
from harness.judging.comparison import Comparison, Contestant, mean_mcc
from harness.judging.differences import p_text, with_interval
from harness.judging.slices import SliceScore, scores_by_slice
from harness.markup import code, escaped, grid
from harness.stats.slices import LEAST_OF_A_CLASS, LEAST_SENTENCES
from harness.store.slices import Slices
from harness.text import counted

MOST_SHOWN = 12
"""Maximum number of checkpoints in tables of slices, and in the comparisons of slices."""

FEATURES = "feature"
"""Heading of the table of columns that say whether a sentence has a feature."""


def names_of(slices: Slices) -> set[str]:
    """Return the names of the columns."""
    return {column.name for column in slices.columns}


def best_of(contestants: Sequence[Contestant]) -> list[Contestant]:
    """Return the checkpoints that tables of slices show, in their order: the best MOST_SHOWN."""
    ranked = sorted(contestants, key=lambda each: -(mean_mcc(each) or 0.0))[:MOST_SHOWN]
    return [each for each in contestants if each in ranked]


def by_slice(
    slices: Slices, shown: Sequence[Contestant], number: int, pairs: Sequence[Comparison]
) -> Iterator[str]:
    """Yield a heading, an explanation and a table for each column of slices.

    Args:
        shown: the best cells of the checkpoints in the tables.
        number: of all checkpoints.
        pairs: comparisons of these cells.
    """
    scores = scores_by_slice({each.name: each.runs for each in shown}, slices)
    if not scores:
        return
    yield "## MCC by slice"
    limit = f" The best {len(shown)} of {number} checkpoints." if len(shown) < number else ""
    every = [each for found in scores.values() for each in found]
    yield f"{_explanation(slices, every)}{limit}"
    features = {column.name for column in slices.columns if column.is_yes_or_no}
    for column in slices.columns:
        if column.name not in features:
            yield _table(column.name, _of(scores, {column.name}))
    if features:
        yield _table(FEATURES, _of(scores, features), by_column=True)
    yield from _differences(pairs)


def _of(
    scores: Mapping[str, Sequence[SliceScore]], columns: set[str]
) -> dict[str, list[SliceScore]]:
    return {
        name: [each for each in found if each.column in columns] for name, found in scores.items()
    }


def _explanation(slices: Slices, scores: Sequence[SliceScore]) -> str:
    covers = {each.covers for each in scores} - {None}
    scope = " and other seeds" if covers == {"sentences and seeds"} else ""
    tested = max(each.tested for each in scores)
    marks = (
        f" Below, above: the MCC differs from that on all other sentences beyond chance (p < 0.05 "
        f"after Holm's correction for {counted(tested, 'test')})."
        if tested
        else ""
    )
    file = slices.annotations
    annotated = (
        ""
        if file is None
        else f" {escaped(file.file)} annotates {file.matched:,} of the "
        f"{slices.sentences:,} sentences."
    )
    return (
        "MCC of each checkpoint's best cell on slices of the validation sentences, with its 95 % "
        f"interval for other sentences of the slice{scope}. A slice has no interval with fewer "
        f"than {LEAST_SENTENCES} sentences, or fewer than {LEAST_OF_A_CLASS} of a class, and no "
        f"MCC if all its labels are of one class.{marks}{annotated}"
    )


def _table(
    heading: str, scores: Mapping[str, Sequence[SliceScore]], by_column: bool = False
) -> str:
    """Return a row for each slice, with the MCC of each checkpoint beside each other.

    Args:
        by_column: whether each row is named by its column, not by its value.
    """
    first = next(iter(scores.values()))
    notes = any(each.note for each in first)
    lines = [
        [
            code(each.column if by_column else each.value),
            f"{each.sentences:,}",
            *(_text(found[row]) for found in scores.values()),
            *([each.note or ""] if notes else []),
        ]
        for row, each in enumerate(first)
    ]
    headings = [escaped(heading), "sentences", *map(code, scores), *(["note"] if notes else [])]
    alignment = ["left", "right", *["right"] * len(scores), *(["left"] if notes else [])]
    return grid(headings, lines, alignment)


def _text(score: SliceScore) -> str:
    if score.mcc is None:
        return MISSING
    if score.low is None or score.high is None:
        return f"{score.mcc:z.3f}"
    mark = "" if score.verdict is None else f", {score.verdict}"
    return f"{score.mcc:z.3f} ({score.low:z.3f} to {score.high:z.3f}){mark}"


def _differences(pairs: Sequence[Comparison]) -> Iterator[str]:
    """Yield in which slices checkpoints differ, with the number of tests."""
    tested = max((each.tested for pair in pairs for each in pair.by_slice), default=0)
    if not tested:
        return
    found = [
        f"- {code(pair.a)} minus {code(pair.b)}: {code(each.name)} {difference} "
        f"(95 % interval {interval}, p = {p_text(each.adjusted)})"
        for pair in pairs
        for each in pair.by_slice
        if each.differs
        for difference, interval in [with_interval(each.difference, each.low, each.high)]
    ]
    corrected = f"corrected for {counted(tested, 'test')}, one for each slice and pair (Holm 1979)"
    if not found:
        yield f"On no slice do two of these checkpoints differ beyond chance; {corrected}."
        return
    yield f"Slices on which two of these checkpoints differ beyond chance; {corrected}:"
    yield "\n".join(found)
