"""Errors of models: MCC on groups of sentences, and sentences that every run misclassifies."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from harness.judging.evidence import Evidence, NoEvidence, evidence
from harness.store.records import Confusion, Record


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


def correlation(counts: Confusion) -> float | None:
    """Return the Matthews correlation; None if a class is never predicted or never a label."""
    return counts.counts.mcc


def by_group(runs: Sequence[Record]) -> dict[str, dict[str, tuple[int, float | None]]]:
    """Return the number of sentences and mean MCC of each group, by kind of group.

    Only groups that all scored runs contain are returned. Groups are sorted by the numbers in
    their names, so that lengths ascend. MCC is None if it is undefined for a run.
    """
    scored = [run for run in runs if run.scores is not None]
    kinds = dict.fromkeys(kind for run in scored for kind in run.confusion_by)
    found: dict[str, dict[str, tuple[int, float | None]]] = {}
    for kind in kinds:
        if all(kind in run.confusion_by for run in scored):
            shared = set.intersection(*(set(run.confusion_by[kind]) for run in scored))
            found[kind] = {
                group: _over_runs([run.confusion_by[kind][group] for run in scored])
                for group in sorted(shared, key=_natural)
            }
    return found


def missed_by_all(evidences: Sequence[Evidence]) -> np.ndarray:
    """Return the positions of the sentences that every run of every cell misclassifies.

    Args:
        evidences: of the same data, at least one.
    """
    labels = evidences[0].labels
    wrong = [(found.selected != labels).all(axis=0) for found in evidences]
    return np.flatnonzero(np.logical_and.reduce(wrong))


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
    positions = tuple(missed_by_all(found).tolist())
    return Missed(positions, len(found[0].labels), found[0].fingerprint)


def _over_runs(counts: Sequence[Confusion]) -> tuple[int, float | None]:
    first = counts[0]
    sentences = (
        first.true_positive + first.false_positive + first.false_negative + first.true_negative
    )
    values = [value for each in counts if (value := correlation(each)) is not None]
    return sentences, fmean(values) if len(values) == len(counts) else None


def _natural(name: str) -> tuple[int, str]:
    number = re.match(r"\d+", name)
    return (int(number[0]) if number else 0, name)
