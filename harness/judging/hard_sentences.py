"""The sentences that every run misclassifies, with their lines in the data if it is available.

Records and tables contain positions only, because the project may not publish a corpus' sentences.
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
from harness.judging.looks.race import standings
from harness.judging.mistakes import Missed, missed_by
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.suite.spec import DatasetSpec
from harness.text import shortened

if TYPE_CHECKING:  # it imports the library `datasets`
    from harness.inputs.data import Source

MOST_IN_BRIEF = 3
"""Maximum number of sentences printed at the end of a session."""


@dataclass(frozen=True)
class HardSentence:
    """A validation sentence that every run misclassifies.

    Attributes:
        position: in the validation split, from 0, as in tables.
        place: the file and the line where it begins; None if the data is not a file.
        label: the name of its class; every run predicted another class.
        sentence: the text.
    """

    position: int
    place: str | None
    label: str
    sentence: str


def hard_sentences(missed: Missed, source: "Source") -> list[HardSentence]:
    """Return the missed sentences with their texts, in the order of the split.

    Raises:
        BadInput: the data cannot be read, or is not the data that the runs were scored on.
        Unavailable: the data cannot be reached now.
    """
    from harness.inputs import data

    loaded = data.load(source, count_repeats=False)
    if loaded.fingerprint != missed.fingerprint:
        raise BadInput(
            [
                f"{loaded.origin}: not the data that these runs were scored on (its fingerprint "
                f"begins with {loaded.fingerprint[:12]}, theirs with {missed.fingerprint[:12]}); "
                "name the suite and the data of that session"
            ]
        )
    rows = loaded.rows["validation"]
    places = data.places(source, "validation", list(rows.idx))
    return [
        HardSentence(
            position,
            places[position] if places else None,
            loaded.class_names[rows.label[position]],
            rows.sentence[position],
        )
        for position in missed.positions
    ]


def missed_by_best(
    cells: Sequence[Cell], records: Sequence[Record], compared: bool
) -> Missed | None:
    """Return the sentences that every checkpoint's best cell misses; None without evidence.

    Args:
        compared: whether the cells are compared with a baseline.
    """
    runs = runs_by_cell(cells, records)
    try:
        best = best_cells(cells, runs, standings(cells, runs, compared))
        return missed_by([each.runs for each in best])
    except NoEvidence:
        return None


def in_brief(missed: Missed, spec: DatasetSpec, base: Path) -> list[str]:
    """Return one line for each of the first missed sentences if their data is available.

    Returns nothing for CoLA, whose sentences are shown only on request, and for changed data.

    Args:
        spec: location of the data; its path is relative to `base`.
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
