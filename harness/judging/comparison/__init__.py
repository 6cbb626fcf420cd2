"""Compares two or more cells on the same sentences: which one is better, if any."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import combinations
from typing import Literal

from harness import stats
from harness.judging.best import best_by_checkpoint
from harness.judging.costs import COSTS, Ratio, Reason, amount, mean, ratio
from harness.judging.evidence import Evidence, NoEvidence, evidence, evidence_of_given
from harness.judging.looks.standing import Standing
from harness.judging.populations import difference
from harness.judging.sides import (
    Side,
    differing_settings,
    given_side,
    side,
)
from harness.judging.slices import (
    SliceDifference,
    belongs,
    corrected_differences,
    differences_by_slice,
)
from harness.stats import Difference, Refusal
from harness.stats.multiplicity import ALPHA
from harness.store.given import NOT_TRAINED, Given
from harness.store.records import Record
from harness.store.slices import Slices
from harness.suite.plan import Cell
from harness.text import series

COMPARED = {
    "time": "train_seconds",
    "evaluation": "eval_ms_per_sentence",
    "memory": "peak_memory_mb",
    "latency": "latency_ms",
}
"""The costs that have a ratio: its name, and the leaderboard's column.

Latency has one only if some run measured it: records of earlier versions do not contain it."""


@dataclass(frozen=True)
class Contestant:
    """A cell's scored runs, or given predictions without runs, under a name in a comparison.

    `chosen_of` is the number of cells from which this one was selected by its MCC; 1 if it was
    named, not selected by score. `slices` are those of its validation sentences, if known. `given`
    are predictions that another program made; None for a cell.
    """

    name: str
    runs: tuple[Record, ...]
    chosen_of: int = 1
    slices: Slices | None = None
    given: Evidence | None = None


@dataclass(frozen=True)
class Comparison:
    """The MCC of a minus the MCC of b, and the costs of a relative to those of b.

    The difference is between means over seeds, with its 95 % interval and two-sided p-value.
    `adjusted` is the p-value after Holm's correction for the `corrected_for` pairs that could be
    compared together. `covers` names the sources of error that interval and p-value include. All
    of these are None if the cells cannot be compared; `obstacle` is then the reason. They are for
    other sentences of the same sources; `low_sources` to `adjusted_sources` are for sentences of
    other sources, None if `obstacle_sources` is the reason, or no sources are known. `identical` is
    whether both predict the same for every sentence. `ratios` has
    the ratio of each of the costs COMPARED, by its name, with an obstacle of its own. `side_a` and
    `side_b` describe the compared cells, `unlike` has both values of each setting that differs.
    `by_slice` are the differences on slices of the sentences, empty if slices are not known.
    """

    a: str
    b: str
    mcc_a: float | None
    mcc_b: float | None
    ratios: Mapping[str, Ratio]
    side_a: Side
    side_b: Side
    unlike: Mapping[str, tuple[str, str]]
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    adjusted: float | None = None
    covers: str | None = None
    obstacle: str | None = None
    corrected_for: int = 1
    low_sources: float | None = None
    high_sources: float | None = None
    p_value_sources: float | None = None
    adjusted_sources: float | None = None
    obstacle_sources: str | None = None
    identical: bool = False
    by_slice: tuple[SliceDifference, ...] = ()

    @property
    def verdict(self) -> Literal["better", "worse", "no difference shown", "not comparable"]:
        """The result of the comparison for a."""
        if self.adjusted is None or self.difference is None:
            return "not comparable"
        if self.adjusted >= ALPHA:
            return "no difference shown"
        return "better" if self.difference > 0 else "worse"


def compare(a: Contestant, b: Contestant) -> Comparison:
    """Compare two cells on the sentences that both were scored on.

    Seeds are paired if both cells trained the same checkpoint with the same seeds. With different
    checkpoints, a seed initialises two different heads, so pairing would lose degrees of freedom
    without any gain. The seeds of given predictions are not known, and never paired.
    """
    with_given = a.given is not None or b.given is not None
    empty = Comparison(
        a=a.name,
        b=b.name,
        mcc_a=mean_mcc(a),
        mcc_b=mean_mcc(b),
        ratios=_ratios(a, b),
        side_a=_side(a),
        side_b=_side(b),
        unlike={} if with_given else differing_settings(a.runs, b.runs),
    )
    try:
        evidence_a, evidence_b = (each.given or evidence(each.runs) for each in (a, b))
    except NoEvidence as error:
        return replace(empty, obstacle=str(error))
    if not evidence_a.same_sentences(evidence_b):
        return replace(empty, obstacle="they were scored on different data")
    digests = {run.checkpoint_digest for run in (*a.runs, *b.runs)}
    paired = not with_given and evidence_a.seeds == evidence_b.seeds and len(digests) == 1
    found = difference(evidence_a, evidence_b, paired_seeds=paired, population="sentences")
    assert isinstance(found, Difference)
    return replace(
        _on_sources(empty, evidence_a, evidence_b, paired),
        difference=found.difference,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        adjusted=found.p_value,
        covers=found.covers,
        identical=stats.never_disagree(evidence_a.selected, evidence_b.selected),
        by_slice=_by_slice((a.slices, b.slices), evidence_a, evidence_b, paired),
    )


def _ratios(a: Contestant, b: Contestant) -> dict[str, Ratio]:
    """Return the ratio of each cost; given predictions have no cost, and so no ratio."""
    given = [each.name for each in (a, b) if each.given is not None]
    reason = Reason(NOT_TRAINED, f"{series(given)}: {NOT_TRAINED}") if given else None
    return {
        name: ratio(COSTS[column], a.name, a.runs, b.name, b.runs)
        if reason is None
        else Ratio(
            *(COSTS[column], amount(COSTS[column], a.runs), amount(COSTS[column], b.runs)),
            reasons=(reason,),
        )
        for name, column in COMPARED.items()
        if name != "latency" or any(run.serving is not None for run in (*a.runs, *b.runs))
    }


def _side(contestant: Contestant) -> Side:
    if contestant.given is not None:
        return given_side(contestant.name, contestant.given.seeds)
    return side(contestant.runs, contestant.chosen_of)


def _on_sources(pair: Comparison, a: Evidence, b: Evidence, paired_seeds: bool) -> Comparison:
    """Add the difference on sentences of other sources, if the records contain sources."""
    if a.sources is None and b.sources is None:
        return pair
    found = difference(a, b, paired_seeds=paired_seeds, population="sources")
    if isinstance(found, Refusal):
        return replace(pair, obstacle_sources=found.reason)
    return replace(
        pair,
        low_sources=found.low,
        high_sources=found.high,
        p_value_sources=found.p_value,
        adjusted_sources=found.p_value,
    )


def _by_slice(
    of_both: tuple[Slices | None, Slices | None], a: Evidence, b: Evidence, paired: bool
) -> tuple[SliceDifference, ...]:
    slices, others = of_both
    if slices is None or others is None or not belongs(a, slices):
        return ()
    return differences_by_slice(a, b, slices, paired)


def compare_all(contestants: Sequence[Contestant]) -> list[Comparison]:
    """Compare every pair, with p-values corrected for their number (Holm 1979)."""
    return corrected([compare(a, b) for a, b in combinations(contestants, 2)])


def corrected(pairs: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons with p-values corrected for all of them together (Holm 1979)."""
    known = [position for position, pair in enumerate(pairs) if pair.p_value is not None]
    adjusted = _holm([pair.p_value for pair in pairs])
    on_sources = _holm([pair.p_value_sources for pair in pairs])
    found = list(pairs)
    for position in known:
        found[position] = replace(
            pairs[position],
            adjusted=adjusted[position],
            adjusted_sources=on_sources[position],
            corrected_for=len(known),
        )
    by_slice = corrected_differences([pair.by_slice for pair in found])
    return [replace(pair, by_slice=each) for pair, each in zip(found, by_slice, strict=True)]


def _holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Correct the known p-values for their number."""
    known = iter(stats.holm([p for p in p_values if p is not None]))
    return [None if p is None else next(known) for p in p_values]


def best_cells(
    cells: Sequence[Cell],
    runs: dict[str, list[Record]],
    standings: Mapping[str, Standing],
    slices: Slices | None = None,
) -> list[Contestant]:
    """Return each checkpoint's cell with the highest mean MCC, under the checkpoint's name.

    Cells with a seed that failed or has no score yet are left out.

    Args:
        runs: the records of each cell, by its id.
        standings: how far the looks at each cell have come, by its id.
    """
    return [
        Contestant(checkpoint, best.runs, best.tried, slices)
        for checkpoint, best in best_by_checkpoint(cells, runs, standings).items()
    ]


def given_contestants(given: Iterable[Given], records: Sequence[Record]) -> list[Contestant]:
    """Return given predictions under their names.

    Args:
        records: of the leaderboard that has them.
    """
    return [Contestant(each.name, (), given=evidence_of_given(each, records)) for each in given]


def as_dict(pair: Comparison) -> dict[str, object]:
    """Return a comparison as plain values for JSON."""
    values: dict[str, object] = {
        field.name: getattr(pair, field.name)
        for field in fields(pair)
        if field.name not in ("ratios", "side_a", "side_b", "unlike", "by_slice")
    }
    if pair.by_slice:
        values["slices"] = [asdict(each) | {"differs": each.differs} for each in pair.by_slice]
    values["verdict"] = pair.verdict
    values["unlike"] = {setting: [*both] for setting, both in pair.unlike.items()}
    for name, one in (("a", pair.side_a), ("b", pair.side_b)):
        values |= {f"{field.name}_{name}": getattr(one, field.name) for field in fields(one)}
    for name, found in pair.ratios.items():
        measured = COMPARED[name]
        values |= {
            f"{measured}_a": found.a.value,
            f"{measured}_sd_a": found.a.sd,
            f"{measured}_b": found.b.value,
            f"{measured}_sd_b": found.b.sd,
            f"{name}_ratio": found.value,
            f"{name}_ratio_low": found.low,
            f"{name}_ratio_high": found.high,
            f"{name}_obstacle": found.obstacle,
            f"{name}_load_unknown": None if found.value is None else found.unwatched,
        }
    return values


def mean_mcc(contestant: Contestant) -> float | None:
    """Return the mean MCC over seeds; None if a run has no score, or was stopped."""
    if (given := contestant.given) is not None:
        return mean(stats.mcc(given.labels, given.selected, given.classes).tolist())
    return mean(
        None if run.scores is None or run.stopped is not None else run.scores.mcc
        for run in contestant.runs
    )
