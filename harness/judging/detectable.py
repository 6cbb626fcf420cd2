"""The smallest drop and difference in MCC that a plan's seeds and sentences can detect."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean
from typing import Literal

from harness import stats
from harness.judging.evidence import NoEvidence, evidence
from harness.stats.planning import ASSUMED_SEED_SD
from harness.stats.power import POWER, Spread, smallest_detectable
from harness.stats.variance import LEVEL, Covers
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.text import counted, series

SENTENCES_OF_ASSUMPTION = 1_043
ASSUMED_LASTING_SE = 0.024
ASSUMED_INTERACTION_SD = 0.021
"""Spreads of one cell's MCC on CoLA's validation sentences: means over the cells of results/study
and results/cola without a run of one class. Both shrink with the root of the sentences."""

SAME_CHECKPOINT = 0.98
TWO_CHECKPOINTS = 0.45
"""Correlation of the sentences' influences on two cells with endless seeds, from the same cells:
sentences that are hard for one cell are hard for the other."""

ENOUGH_FREEDOM = 5
"""Seeds minus cells, below which earlier runs show the spread over seeds too roughly."""

MOST_LINES = 12


@dataclass(frozen=True)
class CellSpread:
    """The variances of one cell's MCC by source, as in Spread, and how they are known.

    Attributes:
        runs: number of earlier runs that show `lasting` and `interaction`; 0 if assumed.
        seeds_assumed: whether `seeds` is assumed.
    """

    lasting: float
    interaction: float
    seeds: float
    runs: int
    seeds_assumed: bool

    def difference(self, correlation: float) -> Spread:
        """Return the spread of a comparison of two such cells."""
        return Spread(
            lasting=2 * self.lasting * (1 - correlation),
            interaction=2 * self.interaction,
            seeds=2 * self.seeds,
        )

    def in_words(self) -> str:
        """Describe how the variances are known."""
        if not self.runs:
            return "variances assumed, as on CoLA in results/study and results/cola"
        of_seeds = f", over seeds a standard deviation of {ASSUMED_SEED_SD} assumed"
        shown = f"variances as in {counted(self.runs, 'earlier run')}"
        return f"{shown}{of_seeds if self.seeds_assumed else ''}"


@dataclass(frozen=True)
class Detectable:
    """What a plan's comparisons detect with a probability of POWER.

    Attributes:
        checkpoints: published names of the planned cells' checkpoints.
        seeds: of each cell.
        sentences: of the validation split.
        drop: in MCC, of a cell against a baseline with the same checkpoint and seeds; None if
            not even a drop of 1 is detectable.
        difference: in MCC, between two cells of different checkpoints; likewise.
        covers: the sources of error; with one seed, both are about these runs only.
        spread: variances of each of the cells.
        population: the sentences that the statement is about: others of the same sources.
    """

    checkpoints: tuple[str, ...]
    seeds: int
    sentences: int
    drop: float | None
    difference: float | None
    covers: Covers
    spread: CellSpread
    population: Literal["sentences"] = "sentences"


def detectable(
    cells: Sequence[Cell], spreads: Mapping[str, CellSpread], sentences: int
) -> list[Detectable]:
    """Return the smallest drop and difference for each number of seeds and each spread.

    Args:
        spreads: of a cell of each checkpoint, by published name.
        sentences: of the validation split.
    """
    groups: dict[tuple[int, CellSpread], dict[str, None]] = defaultdict(dict)
    for cell in cells:
        if cell.seeds:
            groups[len(cell.seeds), spreads[cell.checkpoint]][cell.checkpoint] = None
    return [
        Detectable(
            checkpoints=tuple(names),
            seeds=seeds,
            sentences=sentences,
            drop=_smallest(spread, SAME_CHECKPOINT, seeds, sentences, paired=True),
            difference=_smallest(spread, TWO_CHECKPOINTS, seeds, sentences, paired=False),
            covers="sentences and seeds" if seeds > 1 else "sentences only",
            spread=spread,
        )
        for (seeds, spread), names in groups.items()
    ]


def _smallest(
    spread: CellSpread, correlation: float, seeds: int, sentences: int, *, paired: bool
) -> float | None:
    if sentences < 2:
        return None
    found = smallest_detectable(spread.difference(correlation), seeds, sentences, paired=paired)
    return found if found <= 1 else None


def assumed_spread(sentences: int) -> CellSpread:
    """Return the variances of a cell of which no runs are known."""
    scale = SENTENCES_OF_ASSUMPTION / sentences
    return CellSpread(
        lasting=ASSUMED_LASTING_SE**2 * scale,
        interaction=ASSUMED_INTERACTION_SD**2 * scale,
        seeds=ASSUMED_SEED_SD**2,
        runs=0,
        seeds_assumed=True,
    )


def spread_of(records: Iterable[Record], sentences: int) -> CellSpread:
    """Return the mean variances of a checkpoint's earlier cells, or those assumed.

    Cells with one seed show no variance over seeds and are left out. Cells count by their seeds
    minus 1.

    Args:
        records: of one checkpoint on the data of the plan.
        sentences: of the validation split.
    """
    known = [found for runs in _by_settings(records) if (found := _interval(runs)) is not None]
    if not known:
        return assumed_spread(sentences)
    weights = [each.seeds - 1 for each in known]
    lasting = [(each.se_endless_seeds or 0.0) ** 2 for each in known]
    of_sentences = [(each.se_sentences or 0.0) ** 2 for each in known]
    interaction = [
        (both - rest) * each.seeds
        for both, rest, each in zip(of_sentences, lasting, known, strict=True)
    ]
    over_seeds = fmean([(each.sd_seeds or 0.0) ** 2 for each in known], weights)
    beyond = max(over_seeds - fmean(interaction, weights), 0.0)
    rough = sum(weights) < ENOUGH_FREEDOM
    return CellSpread(
        lasting=fmean(lasting, weights),
        interaction=fmean(interaction, weights),
        seeds=ASSUMED_SEED_SD**2 if rough else beyond,
        runs=sum(each.seeds for each in known),
        seeds_assumed=rough,
    )


def _by_settings(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Yield the whole runs of each cell, whatever its name; of equal runs the last one."""
    cells: dict[tuple[object, ...], dict[int, Record]] = defaultdict(dict)
    for record in records:
        if record.scores is not None and record.stopped is None:
            training = record.training.model_dump_json()
            cells[record.batch_size, record.learning_rate, training][record.seed] = record
    yield from (list(runs.values()) for runs in cells.values())


def _interval(runs: Sequence[Record]) -> stats.Interval | None:
    """Return the interval of a cell with several seeds, None if its runs show none."""
    if len(runs) < 2:
        return None
    try:
        found = evidence(runs)
    except NoEvidence:
        return None
    return stats.mean_interval(found.labels, found.selected, classes=found.classes)


def in_words(found: Sequence[Detectable]) -> list[str]:
    """Describe what a plan detects, one line for each number of seeds and each spread."""
    lines = [_line(each, len(found) > 1) for each in found[:MOST_LINES]]
    if (more := len(found) - MOST_LINES) > 0:
        lines.append(f"and {counted(more, 'more line')} like these (--json prints all)")
    return lines


def _line(each: Detectable, several: bool) -> str:
    names = f" of {series(each.checkpoints)}" if several else ""
    scope = "other sentences of the same sources and other seeds"
    if each.seeds == 1:
        scope = "other sentences of the same sources, for these runs only"
    return (
        f"detectable with a probability of {POWER:.0%} (p below {1 - LEVEL:.2g}): with "
        f"{counted(each.seeds, 'seed')} per cell{names} and {each.sentences:,} validation "
        f"sentences, {_size('drop', each.drop)} in MCC against a baseline with the same seeds, and "
        f"{_size('difference', each.difference)} between two checkpoints; about {scope}; "
        f"{each.spread.in_words()}"
    )


def _size(noun: str, size: float | None) -> str:
    return f"no {noun}" if size is None else f"a {noun} of {size:.3f}"


def as_dict(each: Detectable) -> dict[str, object]:
    """Return plain values for JSON; standard errors and deviations instead of variances."""
    return {
        "checkpoints": list(each.checkpoints),
        "seeds": each.seeds,
        "sentences": each.sentences,
        "population": each.population,
        "covers": each.covers,
        "power": POWER,
        "drop": each.drop,
        "difference": each.difference,
        "variance": {
            "known_from": each.spread.in_words(),
            "earlier_runs": each.spread.runs,
            "seeds_assumed": each.spread.seeds_assumed,
            "se_endless_seeds": sqrt(each.spread.lasting),
            "sd_interaction": sqrt(each.spread.interaction),
            "sd_seeds": sqrt(each.spread.seeds),
            "correlation_same_checkpoint": SAME_CHECKPOINT,
            "correlation_two_checkpoints": TWO_CHECKPOINTS,
        },
    }
