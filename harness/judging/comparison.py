"""Compares two or more cells on the same sentences: which one is better, if any."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import combinations
from typing import Literal

import numpy as np

from harness import stats
from harness.judging.best import best_by_checkpoint
from harness.judging.costs import COSTS, Ratio, Reason, amount, mean, ratio
from harness.judging.evidence import Evidence, NoEvidence, evidence, evidence_of_given
from harness.judging.looks.standing import Standing
from harness.judging.populations import IN_WORDS, difference
from harness.judging.sides import (
    Side,
    differing,
    differing_settings,
    given_side,
    in_words,
    selection_note,
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
from harness.text import apart, beside, counted, series

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
        identical=np.array_equal(evidence_a.selected, evidence_b.selected),
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


def conclusion(pair: Comparison) -> str:
    """Return the result of a comparison as one sentence."""
    if pair.obstacle is not None:
        return f"{pair.a} and {pair.b} cannot be compared: {pair.obstacle}."
    assert pair.difference is not None
    assert pair.low is not None
    assert pair.high is not None
    assert pair.adjusted is not None
    head = {
        "better": f"{pair.a} is better than {pair.b}",
        "worse": f"{pair.a} is worse than {pair.b}",
    }.get(pair.verdict, f"No difference is shown between {pair.a} and {pair.b}")
    pairs = pair.corrected_for
    correction = "" if pairs == 1 else f", corrected for {pairs} comparisons"
    one_seed = ", for these runs only because a cell has one seed"
    scope = "" if pair.covers == "sentences and seeds" else one_seed
    same = ""
    if pair.identical and pair.low < pair.high:
        same = ", from the number of sentences alone: they predict the same for each of them"
    elif pair.identical:
        same = ", because these are the same runs"
    return (
        f"{head}: MCC {' against '.join(mccs(pair))}, a difference of "
        f"{pair.difference:+z.3f} (95 % interval {pair.low:+z.3f} to {pair.high:+z.3f}, "
        f"p = {p_text(pair.adjusted)}{correction}{scope}{same}){_sources(pair)}{_costs(pair)}."
    )


def mccs(pair: Comparison) -> tuple[str, str]:
    """Format both MCCs; if one is better, they read differently."""
    a, b = pair.mcc_a, pair.mcc_b
    if a is None or b is None or pair.verdict not in ("better", "worse"):
        return ("-" if a is None else f"{a:z.3f}"), ("-" if b is None else f"{b:z.3f}")
    return apart(a, b, least=3)


def p_text(value: float) -> str:
    """Format a p-value so that it reads below ALPHA if it is."""
    return beside(value, ALPHA, least=2, kind="g")


def _sources(pair: Comparison) -> str:
    """Return what interval and verdict are about, and the interval for other sources."""
    if pair.obstacle_sources is not None:
        return (
            f", on {IN_WORDS['sentences']}; no interval for {IN_WORDS['sources']}: "
            f"{pair.obstacle_sources}"
        )
    if pair.adjusted_sources is None:
        return ""
    shown = "a difference" if pair.adjusted_sources < ALPHA else "no difference"
    interval = f"{pair.low_sources:+z.3f} to {pair.high_sources:+z.3f}"
    return (
        f", on {IN_WORDS['sentences']}; on {IN_WORDS['sources']} {shown} is shown "
        f"({interval}, p = {p_text(pair.adjusted_sources)})"
    )


def background(pair: Comparison) -> Iterator[str]:
    """Yield sentences on the cells, the settings that differ, and the selection by score."""
    yield f"{in_words(pair.a, pair.side_a)}."
    yield f"{in_words(pair.b, pair.side_b)}."
    if pair.unlike:
        both = pair.side_a.checkpoint != pair.side_b.checkpoint
        mixed = "; this does not compare the checkpoints alone" if both else ""
        yield f"Their settings differ: {differing(pair.unlike)}{mixed}."
    yield from differing_slices(pair)
    if (selection := selection_note({pair.a: pair.side_a, pair.b: pair.side_b})) is not None:
        yield f"{selection[0].upper()}{selection[1:]}."


def differing_slices(pair: Comparison) -> Iterator[str]:
    """Yield on which slices two cells differ beyond chance, one line each, after their number."""
    if not pair.by_slice:
        return
    tested = f"of {counted(pair.by_slice[0].tested, 'slice')} tested together (Holm)"
    found = [each for each in pair.by_slice if each.differs]
    yield f"Slices on which they differ beyond chance: {len(found) or 'none'} {tested}."
    for each in found:
        yield (
            f"  {each.name}, {counted(each.sentences, 'sentence')}: MCC {each.mcc_a:z.3f} against "
            f"{each.mcc_b:z.3f}, {each.difference:+z.3f} (95 % interval {each.low:+z.3f} to "
            f"{each.high:+z.3f}, p = {p_text(each.adjusted)})"
        )


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
        }
    return values


def _costs(pair: Comparison) -> str:
    """Return the costs of a and b with their spreads, and their ratios with ranges."""
    ratios = [_ratio(pair, found) for found in pair.ratios.values() if found.obstacle is None]
    text = f"; {pair.a} takes {series(ratios)} of {pair.b}" if ratios else ""
    obstacles: dict[str, list[str]] = {}
    for found in pair.ratios.values():
        if found.obstacle is not None:
            obstacles.setdefault(found.obstacle, []).append(f"of {found.cost.noun}")
    for obstacle, costs in obstacles.items():
        text += f"; {obstacle}, so no ratio {series(costs)}"
    return text


def _ratio(pair: Comparison, found: Ratio) -> str:
    assert found.value is not None
    amounts = f"{found.a.text(found.cost.write)} against {found.b.text(found.cost.write)}"
    if found.low is None or found.high is None:
        single = [name for name, each in ((pair.a, found.a), (pair.b, found.b)) if each.sd is None]
        extent = f"no range with one seed of {' and of '.join(single)}"
    else:
        extent = f"{found.write(found.low)} to {found.write(found.high)} run by run"
    about = "about " if found.rough else ""
    value = f"{about}{found.write(found.value)}"
    return f"{value} times the {found.cost.noun} ({amounts} {found.cost.unit}; {extent})"


def mean_mcc(contestant: Contestant) -> float | None:
    """Return the mean MCC over seeds; None if a run has no score, or was stopped."""
    if (given := contestant.given) is not None:
        return mean(stats.mcc(given.labels, given.selected, given.classes).tolist())
    return mean(
        None if run.scores is None or run.stopped is not None else run.scores.mcc
        for run in contestant.runs
    )
