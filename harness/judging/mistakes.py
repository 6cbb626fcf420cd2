"""Errors of models: MCC on groups of sentences, and sentences that every run misclassifies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.judging.costs import mean
from harness.judging.evidence import NoEvidence, evidence
from harness.store.records import Confusion, GroupCounts, Record
from harness.text import by_first_number


@dataclass(frozen=True)
class Missed:
    """The validation sentences that every run of some cells misclassifies.

    Attributes:
        positions: in the split, from 0, ascending.
        sentences: number of sentences in the split.
        fingerprint: of the data.
    """

    positions: tuple[int, ...]
    sentences: int
    fingerprint: str


def by_group(runs: Sequence[Record]) -> dict[str, dict[str, tuple[int, float | None]]]:
    """Return the number of sentences and mean MCC of each group, by kind of group.

    Only groups that all scored runs contain are returned. Groups are sorted by the numbers in
    their names, so that lengths ascend. MCC is None if it is undefined for a run.
    """
    scored = [run for run in runs if run.scores is not None]
    found: dict[str, dict[str, tuple[int, float | None]]] = {}
    groups = [run.counts_by or run.confusion_by for run in scored]
    for kind in groups[0] if groups else ():
        if all(kind in each for each in groups):
            shared = set.intersection(*(set(each[kind]) for each in groups))
            found[kind] = {
                group: _over_runs([each[kind][group] for each in groups])
                for group in sorted(shared, key=by_first_number)
            }
    return found


def missed_by(cells: Sequence[Sequence[Record]]) -> Missed:
    """Return the sentences that every run of every cell misclassifies.

    Args:
        cells: the records of each cell.

    Raises:
        NoEvidence: the records have no evidence, or have different data.
    """
    found = [evidence(runs) for runs in cells]
    if not found:
        raise NoEvidence("no cell was scored")
    if not all(each.same_sentences(found[0]) for each in found):
        raise NoEvidence("the cells were scored on different data")
    labels = found[0].labels
    wrong = np.concatenate([each.selected != labels for each in found]).all(axis=0)
    return Missed(tuple(np.flatnonzero(wrong).tolist()), len(labels), found[0].fingerprint)


def _over_runs(counts: Sequence[Confusion | GroupCounts]) -> tuple[int, float | None]:
    return counts[0].sentences, mean(each.counts.mcc for each in counts)
