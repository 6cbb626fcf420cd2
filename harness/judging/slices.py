"""MCC of cells on slices of the validation sentences, and slices in which two cells differ."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness import stats
from harness.judging.evidence import Evidence, NoEvidence, evidence
from harness.stats import Contrast
from harness.stats.multiplicity import ALPHA
from harness.store.records import Record
from harness.store.slices import Slice, Slices


@dataclass(frozen=True)
class SliceScore:
    """A cell's mean MCC on a slice.

    Attributes:
        mcc: mean over seeds; None if it is undefined.
        low: lower end of its 95 % interval; None without an interval.
        covers: the sources of error that the interval includes.
        note: why there is no MCC or no interval; None if there are both.
        rest: the MCC on the slice minus that on all other sentences; None if not tested.
        adjusted: the p-value of `rest` after Holm's correction for `tested` tests.
    """

    column: str
    value: str
    sentences: int
    mcc: float | None = None
    low: float | None = None
    high: float | None = None
    covers: str | None = None
    note: str | None = None
    rest: Contrast | None = None
    adjusted: float | None = None
    tested: int = 0

    @property
    def name(self) -> str:
        """The slice's name in gates."""
        return f"{self.column}={self.value}"

    @property
    def verdict(self) -> str | None:
        """Return whether the MCC is below or above that on the rest, beyond chance."""
        if self.rest is None or self.adjusted is None or self.adjusted >= ALPHA:
            return None
        return "below" if self.rest.difference < 0 else "above"


@dataclass(frozen=True)
class SliceDifference:
    """The MCC of a minus the MCC of b on a slice, on the same sentences.

    `adjusted` is the p-value after Holm's correction for the `tested` slices of all comparisons
    that are made together.
    """

    name: str
    sentences: int
    mcc_a: float
    mcc_b: float
    difference: float
    low: float
    high: float
    p_value: float
    adjusted: float
    covers: str
    tested: int

    @property
    def differs(self) -> bool:
        """Whether a and b differ on the slice beyond chance."""
        return self.adjusted < ALPHA


def listed(slices: Slices) -> list[Slice]:
    """Return the slices that tables list and tests count."""
    return [each for each in slices.each() if each.listed]


def evidence_for(runs: Sequence[Record], slices: Slices) -> Evidence | None:
    """Return the evidence of a cell's runs, or None if it is not of the sentences of the slices."""
    try:
        found = evidence(runs)
    except NoEvidence:
        return None
    return found if belongs(found, slices) else None


def belongs(found: Evidence, slices: Slices) -> bool:
    """Return whether evidence is of the sentences of the slices."""
    return found.fingerprint == slices.fingerprint and found.labels.size == slices.sentences


def scores_by_slice(
    cells: Mapping[str, Sequence[Record]], slices: Slices
) -> dict[str, list[SliceScore]]:
    """Return the MCC of some cells on every listed slice, by the cells' names.

    A slice is compared with the rest if both are large enough and divide the sentences in two;
    p-values are corrected for all slices of all cells together (Holm 1979). Cells without
    predictions of these sentences are left out.
    """
    of = {name: evidence_for(runs, slices) for name, runs in cells.items()}
    found = {
        name: [_score(each, known) for each in listed(slices)]
        for name, known in of.items()
        if known is not None
    }
    tests = [s.rest.p_value for scores in found.values() for s in scores if s.rest is not None]
    adjusted = iter(stats.holm(tests))
    return {
        name: [
            score
            if score.rest is None
            else replace(score, adjusted=next(adjusted), tested=len(tests))
            for score in scores
        ]
        for name, scores in found.items()
    }


def _score(part: Slice, known: Evidence) -> SliceScore:
    chosen = part.chosen
    labels, predicted = known.labels[chosen], known.selected[:, chosen]
    empty = SliceScore(part.column, part.value, int(chosen.sum()))
    if (reason := stats.undefined(labels)) is not None:
        return replace(empty, note=reason)
    mcc = float(stats.mcc(labels, predicted, known.classes).mean())
    if (reason := stats.no_interval(labels)) is not None:
        return replace(empty, mcc=mcc, note=reason)
    interval = stats.slice_interval(labels, predicted, known.classes)
    rest = None
    if stats.no_interval(known.labels[~chosen]) is None:
        rest = stats.against_rest(known.labels, known.selected, chosen, known.classes)
    return replace(
        empty, mcc=mcc, low=interval.low, high=interval.high, covers=interval.covers, rest=rest
    )


def differences_by_slice(
    a: Evidence, b: Evidence, slices: Slices, paired: bool
) -> tuple[SliceDifference, ...]:
    """Return the differences of two cells on the listed slices that are large enough.

    The p-values are not corrected yet; see corrected_differences.

    Args:
        a: evidence of the same sentences as `b`, those of the slices.
        paired: whether the cells share their seeds.
    """
    found = []
    for part in listed(slices):
        labels = a.labels[part.chosen]
        if stats.no_interval(labels) is not None:
            continue
        of_a, of_b = a.selected[:, part.chosen], b.selected[:, part.chosen]
        difference = stats.paired_difference(
            labels,
            of_a,
            of_b,
            paired_seeds=paired,
            classes=a.classes,
            same_runs=a.same_runs(b),
        )
        found.append(
            SliceDifference(
                name=part.name,
                sentences=int(part.chosen.sum()),
                mcc_a=float(stats.mcc(labels, of_a, a.classes).mean()),
                mcc_b=float(stats.mcc(labels, of_b, b.classes).mean()),
                difference=difference.difference,
                low=difference.low,
                high=difference.high,
                p_value=difference.p_value,
                adjusted=difference.p_value,
                covers=difference.covers,
                tested=1,
            )
        )
    return tuple(found)


def corrected_differences(
    every: Sequence[Sequence[SliceDifference]],
) -> list[tuple[SliceDifference, ...]]:
    """Return the differences of several comparisons, corrected for all of them (Holm 1979)."""
    adjusted = iter(stats.holm([each.p_value for found in every for each in found]))
    tested = sum(map(len, every))
    return [
        tuple(replace(each, adjusted=next(adjusted), tested=tested) for each in found)
        for found in every
    ]


def rows_by_slice(
    cells: Mapping[str, Sequence[Record]], slices: Slices
) -> Iterator[dict[str, str | int | float | None]]:
    """Yield the scores of cells by slice as plain values, for programs."""
    for name, scores in scores_by_slice(cells, slices).items():
        for score in scores:
            rest = score.rest
            yield {
                "checkpoint": name,
                "cell": cells[name][0].cell,
                "column": score.column,
                "value": score.value,
                "sentences": score.sentences,
                "mcc": score.mcc,
                "mcc_low": score.low,
                "mcc_high": score.high,
                "covers": score.covers,
                "note": score.note,
                "minus_rest": None if rest is None else rest.difference,
                "p_value": score.adjusted,
                "corrected_for": score.tested or None,
            }


def positions_of(slices: Slices, name: str) -> np.ndarray | None:
    """Return (sentences,): whether each is in the slice `column=value`; None if there is none."""
    return next((each.chosen for each in slices.each() if each.name == name), None)
