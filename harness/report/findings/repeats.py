"""Repeated sentences in the data of a leaderboard, as blocks of Markdown."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.inputs.duplicates import Duplicates, Overlap, near_in_words, notes
from harness.judging.column import MISSING
from harness.markup import escaped, grid
from harness.report.published import Published
from harness.store.records import Record

EXPLANATION = (
    "Sentences that occur again in the same split or in another one. Within a split, each "
    'sentence counts once; between splits, each row. "Same words": case, punctuation and blanks '
    'are ignored. "Other labels": how many of these sentences also have another label. "One word '
    'apart": rows with a sentence that differs by one word. A score on sentences that were also '
    "trained on says little about new sentences."
)


def repeated_sentences(records: Sequence[Record]) -> Iterator[str]:
    """Yield a heading, an explanation and a table for each data set whose repeats are known."""
    found = {
        run.dataset.fingerprint: (run.dataset.origin, run.dataset.duplicates)
        for run in records
        if run.dataset is not None and run.dataset.duplicates is not None
    }
    if not found:
        return
    yield "## Repeated sentences"
    yield EXPLANATION
    for origin, duplicates in found.values():
        if len(found) > 1:
            yield f"{escaped(origin)}:"
        yield _table(duplicates)
        lines = list(notes(duplicates))
        if any(overlap.near is None for overlap in duplicates.overlaps):
            lines.append(near_in_words(duplicates))
        if lines:
            yield "\n".join(f"- {escaped(line)}" for line in lines)


def with_duplicates(published: Published, fingerprint: str, found: Duplicates) -> Published:
    """Return a leaderboard in whose records the repeats of their data are known.

    Args:
        fingerprint: of the data in which `found` was counted; records on other data stay.
    """

    def known(record: Record) -> Record:
        facts = record.dataset
        if facts is None or facts.fingerprint != fingerprint:
            return record
        return record.model_copy(update={"dataset": facts.model_copy(update={"duplicates": found})})

    return replace(published, records=tuple(map(known, published.records)))


def _table(found: Duplicates) -> str:
    return grid(
        [
            "split",
            "again in",
            "rows",
            "verbatim",
            "labels",
            "normalised",
            "labels",
            "one word apart",
        ],
        [_row(overlap) for overlap in found.overlaps],
        ["left", "left", *["right"] * 6],
    )


def _row(overlap: Overlap) -> list[str]:
    counts = (
        *(overlap.sentences, overlap.verbatim, overlap.verbatim_labels),
        *(overlap.normalised, overlap.normalised_labels, overlap.near),
    )
    other = "itself" if overlap.within else overlap.other
    return [overlap.split, other, *(MISSING if n is None else f"{n:,}" for n in counts)]
