"""Compares two or more cells on the same sentences: which one is better, if any."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import Literal

from harness import stats
from harness.judging.best import best_by_checkpoint
from harness.judging.costs import COSTS, Ratio, mean, ratio
from harness.judging.evidence import NoEvidence, evidence
from harness.judging.sides import (
    Side,
    differing,
    differing_settings,
    in_words,
    selection_note,
    side,
)
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.text import series

COMPARED = {
    "time": "train_seconds",
    "evaluation": "eval_ms_per_sentence",
    "memory": "peak_memory_mb",
}
"""The costs that have a ratio: its name, and the leaderboard's column."""

ALPHA = 0.05
"""The probability that a table reports at least one difference that does not exist is at most this
(Holm's correction)."""


@dataclass(frozen=True)
class Contestant:
    """A cell's scored runs, under its name in a comparison.

    `chosen_of` is the number of cells from which this one was selected by its MCC; 1 if it was
    named, not selected by score.
    """

    name: str
    runs: tuple[Record, ...]
    chosen_of: int = 1


@dataclass(frozen=True)
class Comparison:
    """The MCC of a minus the MCC of b, and the costs of a relative to those of b.

    The difference is between means over seeds, with its 95 % interval and two-sided p-value.
    `adjusted` is the p-value after Holm's correction for the `corrected_for` pairs that could be
    compared together. `covers` names the sources of error that interval and p-value include. All
    of these are None if the cells cannot be compared; `obstacle` is then the reason. `ratios` has
    the ratio of each of the costs COMPARED, by its name, with an obstacle of its own. `side_a` and
    `side_b` describe the compared cells, `unlike` has both values of each setting that differs.
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
    without any gain.
    """
    ratios = {
        name: ratio(COSTS[column], a.name, a.runs, b.name, b.runs)
        for name, column in COMPARED.items()
    }
    empty = Comparison(
        a=a.name,
        b=b.name,
        mcc_a=mean_mcc(a),
        mcc_b=mean_mcc(b),
        ratios=ratios,
        side_a=side(a.runs, a.chosen_of),
        side_b=side(b.runs, b.chosen_of),
        unlike=differing_settings(a.runs, b.runs),
    )
    try:
        evidence_a, evidence_b = evidence(a.runs), evidence(b.runs)
    except NoEvidence as error:
        return replace(empty, obstacle=str(error))
    if not evidence_a.same_sentences(evidence_b):
        return replace(empty, obstacle="they were scored on different data")
    digests = {run.checkpoint_digest for run in (*a.runs, *b.runs)}
    paired = evidence_a.seeds == evidence_b.seeds and len(digests) == 1
    found = stats.paired_difference(
        evidence_a.labels,
        evidence_a.selected,
        evidence_b.selected,
        paired_seeds=paired,
        classes=evidence_a.classes,
    )
    return replace(
        empty,
        difference=found.difference,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        adjusted=found.p_value,
        covers=found.covers,
    )


def compare_all(contestants: Sequence[Contestant]) -> list[Comparison]:
    """Compare every pair, with p-values corrected for their number (Holm 1979)."""
    return corrected([compare(a, b) for a, b in combinations(contestants, 2)])


def corrected(pairs: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons with p-values corrected for all of them together (Holm 1979)."""
    known = [position for position, pair in enumerate(pairs) if pair.p_value is not None]
    adjusted = stats.holm([p for pair in pairs if (p := pair.p_value) is not None])
    found = list(pairs)
    for position, p_value in zip(known, adjusted, strict=True):
        found[position] = replace(
            pairs[position], adjusted=float(p_value), corrected_for=len(known)
        )
    return found


def best_cells(cells: Sequence[Cell], runs: dict[str, list[Record]]) -> list[Contestant]:
    """Return each checkpoint's cell with the highest mean MCC, under the checkpoint's name.

    Cells with a seed that failed or has no score yet are left out.

    Args:
        runs: the records of each cell, by its id.
    """
    return [
        Contestant(checkpoint, best.runs, best.tried)
        for checkpoint, best in best_by_checkpoint(cells, runs).items()
    ]


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
    scope = (
        ""
        if pair.covers == "sentences and seeds"
        else ", for these runs only because a cell has one seed"
    )
    return (
        f"{head}: MCC {pair.mcc_a:.3f} against {pair.mcc_b:.3f}, a difference of "
        f"{pair.difference:+.3f} (95 % interval {pair.low:+.3f} to {pair.high:+.3f}, "
        f"p = {pair.adjusted:.2g}{correction}{scope}){_costs(pair)}."
    )


def background(pair: Comparison) -> Iterator[str]:
    """Yield sentences on the cells, the settings that differ, and the selection by score."""
    yield f"{in_words(pair.a, pair.side_a)}."
    yield f"{in_words(pair.b, pair.side_b)}."
    if pair.unlike:
        both = pair.side_a.checkpoint != pair.side_b.checkpoint
        mixed = "; this does not compare the checkpoints alone" if both else ""
        yield f"Their settings differ: {differing(pair.unlike)}{mixed}."
    if (selection := selection_note({pair.a: pair.side_a, pair.b: pair.side_b})) is not None:
        yield f"{selection[0].upper()}{selection[1:]}."


def as_dict(pair: Comparison) -> dict[str, object]:
    """Return a comparison as plain values for JSON."""
    values: dict[str, object] = {
        field.name: getattr(pair, field.name)
        for field in fields(pair)
        if field.name not in ("ratios", "side_a", "side_b", "unlike")
    }
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
    """Return the mean MCC over seeds; None if a run has no score."""
    return mean(None if run.scores is None else run.scores.mcc for run in contestant.runs)
