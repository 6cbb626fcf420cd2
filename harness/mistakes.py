"""Where models err: MCC on groups of sentences, and the sentences that none gets right."""

import re
from collections.abc import Sequence
from statistics import fmean

import numpy as np

from harness.classes import matthews
from harness.evidence import Evidence
from harness.records import Confusion, Record


def correlation(counts: Confusion) -> float | None:
    """Return the Matthews correlation of counts; None where a class is missing, given or true."""
    return matthews(**counts.model_dump())


def by_group(runs: Sequence[Record]) -> dict[str, dict[str, tuple[int, float | None]]]:
    """Return the sentences and mean MCC of every group that all runs counted, by kind of group.

    Groups come in order of the numbers in their names, so that lengths ascend. MCC is None where
    it is undefined for some run.
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
    """Return the positions of the validation sentences that every run of every cell got wrong.

    Args:
        evidences: of the same data, at least one.
    """
    labels = evidences[0].labels
    wrong = [(found.selected != labels).all(axis=0) for found in evidences]
    return np.flatnonzero(np.logical_and.reduce(wrong))


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
