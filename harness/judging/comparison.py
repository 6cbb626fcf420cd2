"""Two cells, or many, held against each other on the same sentences: which is better, if any."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations
from statistics import fmean
from typing import Literal

from harness import stats
from harness.judging.best import best_by_checkpoint
from harness.judging.costs import COSTS, Amount, Cost, Ratio, ratio
from harness.judging.evidence import NoEvidence, evidence
from harness.judging.sides import Side, Unlike, choice, differing, in_words, side, unlike_settings
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.text import two_digits

ALPHA = 0.05
"""Of all differences that are none, at most this share of tables shows one (Holm's correction)."""


@dataclass(frozen=True)
class Contestant:
    """A cell's scored runs under the name that a comparison calls them by.

    `chosen_of` is the number of cells of which this one was chosen for its MCC; 1 where it was
    named without a look at scores.
    """

    name: str
    runs: tuple[Record, ...]
    chosen_of: int = 1


@dataclass(frozen=True)
class Comparison:
    """One against another: a's MCC less b's, and what a costs for each unit that b does.

    The difference is of means over seeds, with its 95 % interval and two-sided p-value; `adjusted`
    is that p-value after Holm's correction for the `corrected_for` pairs that could be compared
    together. `covers` names the sources of error that both count. All of these are None where
    `obstacle` says why they cannot be compared. `time` (training) and `memory` say for themselves
    why costs have no ratio. `side_a` and `side_b` tell which cells were compared, `unlike` which of
    their settings differ.
    """

    a: str
    b: str
    mcc_a: float | None
    mcc_b: float | None
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    adjusted: float | None
    covers: str | None
    time: Ratio
    memory: Ratio
    obstacle: str | None
    side_a: Side
    side_b: Side
    unlike: tuple[Unlike, ...]
    corrected_for: int = 1

    @property
    def time_ratio(self) -> float | None:
        """Training time of a by that of b; None where they do not compare."""
        return self.time.value

    @property
    def memory_ratio(self) -> float | None:
        """Memory of a by that of b; None where they do not compare."""
        return self.memory.value

    @property
    def verdict(self) -> Literal["better", "worse", "no difference shown", "not comparable"]:
        """What may be said of a, compared with b."""
        if self.adjusted is None or self.difference is None:
            return "not comparable"
        if self.adjusted >= ALPHA:
            return "no difference shown"
        return "better" if self.difference > 0 else "worse"


def compare(a: Contestant, b: Contestant) -> Comparison:
    """Compare two cells on the sentences that both were scored on.

    Seeds are paired where both trained the same checkpoint with the same seeds: of two checkpoints
    a seed makes two different heads, and pairing would cost degrees of freedom for nothing.
    """
    empty = Comparison(
        a=a.name,
        b=b.name,
        mcc_a=_mean_mcc(a.runs),
        mcc_b=_mean_mcc(b.runs),
        difference=None,
        low=None,
        high=None,
        p_value=None,
        adjusted=None,
        covers=None,
        time=ratio(COSTS["train_seconds"], a.name, a.runs, b.name, b.runs),
        memory=ratio(COSTS["peak_memory_mb"], a.name, a.runs, b.name, b.runs),
        obstacle=None,
        side_a=side(a.runs, a.chosen_of),
        side_b=side(b.runs, b.chosen_of),
        unlike=unlike_settings(a.runs, b.runs),
    )
    try:
        ours, theirs = evidence(a.runs), evidence(b.runs)
    except NoEvidence as error:
        return replace(empty, obstacle=str(error))
    if not ours.same_sentences(theirs):
        return replace(empty, obstacle="they were scored on different data")
    digests = {run.checkpoint_digest for run in (*a.runs, *b.runs)}
    paired = ours.seeds == theirs.seeds and len(digests) == 1
    found = stats.paired_difference(
        ours.labels, ours.selected, theirs.selected, paired_seeds=paired
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
    """Return comparisons with Holm's correction for all of them together."""
    known = [position for position, pair in enumerate(pairs) if pair.p_value is not None]
    adjusted = stats.holm([p for pair in pairs if (p := pair.p_value) is not None])
    found = list(pairs)
    for position, p_value in zip(known, adjusted, strict=True):
        found[position] = replace(
            pairs[position], adjusted=float(p_value), corrected_for=len(known)
        )
    return found


def best_cells(cells: Sequence[Cell], runs: dict[str, list[Record]]) -> list[Contestant]:
    """Return each checkpoint's cell of highest mean MCC, under the checkpoint's name.

    Cells of which some seed failed or has no score yet are not judged by those that have one.

    Args:
        runs: the records of each cell, by its id.
    """
    return [
        Contestant(checkpoint, best.runs, best.tried)
        for checkpoint, best in best_by_checkpoint(cells, runs).items()
    ]


def conclusion(pair: Comparison) -> str:
    """Say in one plain sentence what a comparison shows."""
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
        "" if pair.covers == "sentences and seeds" else ", of these runs only, for want of seeds"
    )
    return (
        f"{head}: MCC {pair.mcc_a:.3f} against {pair.mcc_b:.3f}, a difference of "
        f"{pair.difference:+.3f} (95 % interval {pair.low:+.3f} to {pair.high:+.3f}, "
        f"p = {pair.adjusted:.2g}{correction}{scope}){_costs(pair)}."
    )


def background(pair: Comparison) -> Iterator[str]:
    """Yield what a reader of a conclusion has to know, in sentences: which cells were compared.

    Further which of their settings differ, and which were chosen as the best after a look at the
    scores, where that is so.
    """
    yield f"{in_words(pair.a, pair.side_a)}."
    yield f"{in_words(pair.b, pair.side_b)}."
    if pair.unlike:
        both = pair.side_a.checkpoint != pair.side_b.checkpoint
        mixed = "; this is no comparison of the checkpoints alone" if both else ""
        yield f"Their settings differ: {differing(pair.unlike)}{mixed}."
    if (said := choice({pair.a: pair.side_a, pair.b: pair.side_b})) is not None:
        yield f"{said[0].upper()}{said[1:]}."


def as_dict(pair: Comparison) -> dict[str, object]:
    """Return a comparison for programs: plain values, None where there is none."""
    values: dict[str, object] = {
        field.name: getattr(pair, field.name)
        for field in fields(pair)
        if field.name not in ("time", "memory", "side_a", "side_b", "unlike")
    }
    values["verdict"] = pair.verdict
    values["unlike"] = {each.setting: [each.a, each.b] for each in pair.unlike}
    for name, one in (("a", pair.side_a), ("b", pair.side_b)):
        values |= {f"{field.name}_{name}": getattr(one, field.name) for field in fields(one)}
    for name, found, measured in (
        ("time", pair.time, "train_seconds"),
        ("memory", pair.memory, "peak_memory_mb"),
    ):
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
    """Say what a costs beside b, each cost with its spread, each ratio with its range."""
    ratios = [_ratio(pair, found) for found in (pair.time, pair.memory) if found.obstacle is None]
    said = f"; {pair.a} takes {' and '.join(ratios)} of {pair.b}" if ratios else ""
    obstacles: dict[str, list[str]] = {}
    for found in (pair.time, pair.memory):
        if found.obstacle is not None:
            obstacles.setdefault(found.obstacle, []).append(f"of {found.cost.noun}")
    for obstacle, costs in obstacles.items():
        said += f"; {obstacle}, so no ratio {' and '.join(costs)}"
    return said


def _ratio(pair: Comparison, found: Ratio) -> str:
    assert found.value is not None
    amounts = " against ".join(_amount(each, found.cost) for each in (found.a, found.b))
    rough = found.a.rough or found.b.rough
    said = two_digits if rough else "{:.3g}".format
    if found.low is None or found.high is None:
        alone = [name for name, each in ((pair.a, found.a), (pair.b, found.b)) if each.sd is None]
        extent = f"no range, for one seed of {' and of '.join(alone)}"
    else:
        extent = f"{said(found.low)} to {said(found.high)} run by run"
    cost = found.cost
    value = f"{'about ' if rough else ''}{said(found.value)}"
    return f"{value} times the {cost.noun} ({amounts} {cost.unit}; {extent})"


def _amount(found: Amount, cost: Cost) -> str:
    def written(value: float | None) -> str:
        assert value is not None
        return two_digits(value) if found.rough else f"{value:.{cost.digits}f}"

    mark = "~" if found.rough else ""
    return f"{mark}{written(found.value)}{'' if found.sd is None else f' ± {written(found.sd)}'}"


def _mean_mcc(runs: Iterable[Record]) -> float | None:
    mccs = [run.scores.mcc for run in runs if run.scores is not None]
    return fmean(mccs) if mccs else None
