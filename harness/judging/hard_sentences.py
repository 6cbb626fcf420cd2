"""The sentences that every run gets wrong, with their lines in the data, where these are at hand.

Records and tables hold positions only: a corpus' sentences are not ours to publish.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import BadInput, Unavailable
from harness.inputs.hub import Hub
from harness.judging.comparison import best_cells
from harness.judging.evidence import NoEvidence
from harness.judging.leaderboard import runs_by_cell
from harness.judging.mistakes import Missed, missed_by
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.suite.spec import DatasetSpec
from harness.text import shortened

if TYPE_CHECKING:  # it imports `datasets`
    from harness.inputs.data import Source

MOST_IN_BRIEF = 3
"""Sentences that the end of a session shows."""


@dataclass(frozen=True)
class HardSentence:
    """A validation sentence that every run gets wrong.

    Attributes:
        position: in the validation split, from 0, as tables tell it.
        place: the file and the line where it begins; None where the data is no file.
        label: the name of its class; every run gave it the other one.
        sentence: the text.
    """

    position: int
    place: str | None
    label: str
    sentence: str


def hard_sentences(missed: Missed, source: "Source") -> list[HardSentence]:
    """Return the missed sentences in words, in the order of the split.

    Raises:
        BadInput: the data cannot be read, or is not the data that the runs were scored on.
        Unavailable: the data cannot be reached now.
    """
    from harness.inputs import data

    loaded = data.load(source)
    if loaded.fingerprint != missed.fingerprint:
        raise BadInput(
            [
                f"{loaded.origin}: not the data that these runs were scored on (its fingerprint "
                f"begins {loaded.fingerprint[:12]}, theirs {missed.fingerprint[:12]}); name the "
                "suite and the data of that session"
            ]
        )
    split = loaded.splits["validation"]
    places = data.places(source, "validation", split["idx"])
    names = split.features["label"].names
    chosen = split.select(missed.positions)
    return [
        HardSentence(position, places[position] if places else None, names[label], sentence)
        for position, label, sentence in zip(
            missed.positions, chosen["label"], chosen["sentence"], strict=True
        )
    ]


def missed_by_best(cells: Sequence[Cell], records: Sequence[Record]) -> Missed | None:
    """Return what every checkpoint's best cell missed; None where records do not tell."""
    try:
        best = best_cells(cells, runs_by_cell(cells, records))
        return missed_by([each.runs for each in best])
    except NoEvidence:
        return None


def in_brief(missed: Missed, spec: DatasetSpec, base: Path) -> list[str]:
    """Return a line for the first of the missed sentences, of data that lies at hand.

    Nothing for CoLA, whose sentences are not shown unasked, and for data that changed meanwhile.

    Args:
        spec: where the data is; its path is relative to `base`.
    """
    from harness.inputs import data

    if spec.source == "cola":
        return []
    try:
        source = data.find(spec, None, Hub("", False, "not asked"), base)
        found = hard_sentences(missed, source)
    except (BadInput, Unavailable):
        return []
    return [
        f"  {each.place or f'sentence {each.position}'}: {each.label}: {shortened(each.sentence)}"
        for each in found[:MOST_IN_BRIEF]
    ]


def as_rows(found: Sequence[HardSentence]) -> list[tuple[str, str, str, str]]:
    """Return position, place, label and sentence as text, for a table."""
    return [(str(each.position), each.place or "-", each.label, each.sentence) for each in found]
