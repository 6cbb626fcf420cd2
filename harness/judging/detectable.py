"""The smallest drop and difference in MCC that a plan's seeds and sentences can detect."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean
from typing import TypeVar

from harness.judging.evidence import Evidence, NoEvidence, evidence
from harness.judging.populations import IN_WORDS, Population
from harness.stats import Refusal, Sources
from harness.stats.planning import ASSUMED_SEED_SD
from harness.stats.power import POWER, Spread, smallest_detectable
from harness.stats.variance import LEVEL, Covers, root
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
sentences that are hard for one cell are hard for the other. Of two: 0.42, 0.48 over sources."""

ASSUMED_SOURCE_CORRELATION = 0.021
"""Correlation of the influences of two sentences of one source with endless seeds: mean over the
same cells."""

ENOUGH_FREEDOM = 5
"""Seeds minus cells, below which earlier runs show the spread over seeds too roughly."""

MOST_LINES = 12

EvidenceByCell = Mapping[str, Evidence | None]
T = TypeVar("T", Cell, Record)


@dataclass(frozen=True)
class CellSpread:
    """The variances of one cell's MCC by source, as in Spread, and how they are known.

    Attributes:
        runs: number of earlier runs that show `lasting` and `interaction`; 0 if assumed.
        seeds_assumed: whether `seeds` is from an assumed standard deviation over seeds.
        lasting_sources: `lasting` over other sources; None if the sources are not known.
    """

    lasting: float
    interaction: float
    seeds: float
    runs: int
    seeds_assumed: bool
    lasting_sources: float | None = None

    def difference(self, correlation: float, sources: Sources | None = None) -> Spread:
        """Return the spread of a comparison of two such cells.

        Args:
            sources: of the sentences, for a comparison on sentences of other sources; then
                `lasting_sources` is known.
        """
        lasting, freedom = self.lasting, None
        if sources is not None:
            assert self.lasting_sources is not None
            lasting = self.lasting_sources
            freedom = sources.degrees_of_freedom(self._source_correlation(sources))
        return Spread(
            lasting=2 * lasting * (1 - correlation),
            interaction=2 * self.interaction,
            seeds=2 * self.seeds,
            freedom=freedom,
        )

    def _source_correlation(self, sources: Sources) -> float:
        """Return the correlation in a source that explains the variance over other sources."""
        alike = _sentences_alike(sources)
        if alike == 0 or self.lasting == 0:
            return 0.0
        return min(max(((self.lasting_sources or 0.0) / self.lasting - 1) / alike, 0.0), 1.0)

    def in_words(self) -> str:
        """Describe how the variances are known."""
        if not self.runs:
            return "variances assumed, as on CoLA in results/study and results/cola"
        of_seeds = f", over seeds a standard deviation of at least {ASSUMED_SEED_SD} assumed"
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
        population: what the statement is about.
        sources: number of sources of the validation sentences; None if not known.
        reason: why there is no statement about other sources; None if there is one.
    """

    checkpoints: tuple[str, ...]
    seeds: int
    sentences: int
    drop: float | None
    difference: float | None
    covers: Covers
    spread: CellSpread
    population: Population = "sentences"
    sources: int | None = None
    reason: str | None = None


def detectable(
    cells: Sequence[Cell],
    spreads: Mapping[str, CellSpread],
    sentences: int,
    sources: Sources | Refusal | None = None,
) -> list[Detectable]:
    """Return the smallest drop and difference for each number of seeds and each spread.

    Args:
        spreads: of a cell of each checkpoint, by published name.
        sentences: of the validation split.
        sources: of its sentences, or why nothing can be said about other sources; None if they
            are not known.
    """
    groups: dict[tuple[int, CellSpread], dict[str, None]] = defaultdict(dict)
    for cell in cells:
        if cell.seeds:
            groups[len(cell.seeds), spreads[cell.checkpoint]][cell.checkpoint] = None
    populations: list[Sources | Refusal | None] = [None, *([] if sources is None else [sources])]
    return [
        _detectable(tuple(names), seeds, sentences, spread, of_population)
        for (seeds, spread), names in groups.items()
        for of_population in populations
    ]


def _detectable(
    names: tuple[str, ...],
    seeds: int,
    sentences: int,
    spread: CellSpread,
    sources: Sources | Refusal | None,
) -> Detectable:
    """Return what is detected on other sentences, or on sentences of other sources if given."""
    population: Population = "sentences" if sources is None else "sources"
    covers: Covers = "sentences and seeds" if seeds > 1 else "sentences only"
    if population == "sources":
        covers = "sources and seeds" if seeds > 1 else "sources only"
    drop = difference = None
    if sentences > 1 and not isinstance(sources, Refusal):
        same = spread.difference(SAME_CHECKPOINT, sources)
        drop = _smallest(same, seeds, sentences, paired=True)
        two = spread.difference(TWO_CHECKPOINTS, sources)
        difference = _smallest(two, seeds, sentences, paired=False)
    return Detectable(
        checkpoints=names,
        seeds=seeds,
        sentences=sentences,
        drop=drop,
        difference=difference,
        covers=covers,
        spread=spread,
        population=population,
        sources=sources.count if isinstance(sources, Sources) else None,
        reason=sources.reason if isinstance(sources, Refusal) else None,
    )


def _smallest(spread: Spread, seeds: int, sentences: int, *, paired: bool) -> float | None:
    found = smallest_detectable(spread, seeds, sentences, paired=paired)
    return found if found <= 1 else None


def assumed_spread(sentences: int, sources: Sources | None = None) -> CellSpread:
    """Return the variances of a cell of which no runs are known.

    With sources, the variance over them is that over sentences times the design effect of a
    correlation within sources (Kish 1965).

    Args:
        sources: of the validation sentences; None if they are not known.
    """
    scale = SENTENCES_OF_ASSUMPTION / sentences
    lasting, interaction = ASSUMED_LASTING_SE**2 * scale, ASSUMED_INTERACTION_SD**2 * scale
    of_sources = None
    if sources is not None:
        of_sources = lasting * (1 + _sentences_alike(sources) * ASSUMED_SOURCE_CORRELATION)
    return CellSpread(
        lasting=lasting,
        interaction=interaction,
        seeds=max(ASSUMED_SEED_SD**2 - interaction, 0.0),
        runs=0,
        seeds_assumed=True,
        lasting_sources=of_sources,
    )


def _sentences_alike(sources: Sources) -> float:
    """Return the mean number of other sentences of a sentence's source."""
    return float((sources.sizes**2).sum() / sources.sizes.sum()) - 1


def spread_of(
    records: Iterable[Record], sentences: int, sources: Sources | None = None
) -> CellSpread:
    """Return the mean variances of a checkpoint's earlier cells, or those assumed.

    Cells with one seed show no variance over seeds and are left out. Cells count by their seeds
    minus 1.

    Args:
        records: of one checkpoint on the data of the plan.
        sentences: of the validation split.
        sources: of its sentences; None if they are not known.
    """
    cells = _with_several_seeds(records)
    return _spread_shown_by(cells, sources) if cells else assumed_spread(sentences, sources)


def _spread_shown_by(cells: Sequence[Evidence], sources: Sources | None) -> CellSpread:
    """Return the mean variances of at least one cell; see `spread_of`."""
    known = [found.interval() for found in cells]
    weights = [each.seeds - 1 for each in known]
    lasting = [(each.se_endless_seeds or 0.0) ** 2 for each in known]
    of_sentences = [(each.se_sentences or 0.0) ** 2 for each in known]
    by_cell = zip(of_sentences, lasting, known, strict=True)
    interaction = fmean([(both - rest) * each.seeds for both, rest, each in by_cell], weights)
    rough = sum(weights) < ENOUGH_FREEDOM
    shown = fmean([(each.sd_seeds or 0.0) ** 2 for each in known], weights)
    over_seeds = ASSUMED_SEED_SD**2 if rough else shown  # with the interaction
    of_sources = None
    if sources is not None:
        ends = [found.interval("mcc", sources).se_endless_seeds or 0.0 for found in cells]
        of_sources = fmean([end**2 for end in ends], weights)
    return CellSpread(
        lasting=fmean(lasting, weights),
        interaction=interaction,
        seeds=max(over_seeds - interaction, 0.0),
        runs=sum(each.seeds for each in known),
        seeds_assumed=rough,
        lasting_sources=of_sources,
    )


def detectable_of(
    cells: Sequence[Cell], records: Sequence[Record], judged: EvidenceByCell | None = None
) -> list[Detectable]:
    """Return what some cells detect by the variances that their own runs show.

    Checkpoints without a cell of two scored seeds are left out. If the runs have several data sets,
    the result is empty.

    Args:
        judged: the predictions by which cells were judged, by cell id, so that they are not
            unpacked again.
    """
    on = {run.dataset.fingerprint for run in records if run.scores and run.dataset is not None}
    if len(on) != 1:
        return []
    runs_of, found = _by_checkpoint(records), list[Detectable]()
    for name, of_checkpoint in _by_checkpoint(cells).items():
        if known := _with_several_seeds(runs_of.get(name, ()), judged):
            sentences, sources = known[0].labels.size, known[0].sources
            spread = _spread_shown_by(known, sources if isinstance(sources, Sources) else None)
            several = [cell for cell in of_checkpoint if len(cell.seeds) > 1]
            found += detectable(several, {name: spread}, sentences, sources)
    return found


def _by_checkpoint(items: Iterable[T]) -> dict[str, list[T]]:
    """Return cells, or records, by the published name of their checkpoint."""
    found: dict[str, list[T]] = defaultdict(list)
    for item in items:
        found[item.checkpoint].append(item)
    return found


def _with_several_seeds(
    records: Iterable[Record], judged: EvidenceByCell | None = None
) -> list[Evidence]:
    """Return the predictions of each cell with several scored seeds, if its runs have some."""
    found = (_evidence(runs, judged) for runs in _by_settings(records))
    return [each for each in found if each is not None]


def _by_settings(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Yield the whole runs of each cell, whatever its name; of equal runs the last one."""
    cells: dict[tuple[object, ...], dict[int, Record]] = defaultdict(dict)
    for record in records:
        if record.scores is not None and record.stopped is None:
            training = record.training.model_dump_json()
            cells[record.batch_size, record.learning_rate, training][record.seed] = record
    yield from (list(runs.values()) for runs in cells.values())


def _evidence(runs: Sequence[Record], judged: EvidenceByCell | None) -> Evidence | None:
    """Return the predictions of a cell with several seeds, None if its runs have none."""
    if len(runs) < 2:
        return None
    known = (judged or {}).get(runs[0].cell)
    same_cell = len({run.cell for run in runs}) == 1
    if known is not None and same_cell and set(known.seeds) == {run.seed for run in runs}:
        return known
    try:
        return evidence(runs)
    except NoEvidence:
        return None


def in_words(found: Sequence[Detectable]) -> list[str]:
    """Describe what a plan detects, one line for each number of seeds and each spread."""
    several = len({(each.seeds, each.checkpoints) for each in found}) > 1
    every = list(dict.fromkeys(_line(each, several) for each in found))
    lines = every[:MOST_LINES]
    if (more := len(every) - MOST_LINES) > 0:
        lines.append(f"and {counted(more, 'more line')} like these (--json prints all)")
    return lines


def _line(each: Detectable, several: bool) -> str:
    names = f" of {series(each.checkpoints)}" if several else ""
    if each.reason is not None:
        return f"detectable on {IN_WORDS['sources']}: not known, because {each.reason}"
    scope = "other sentences of the same sources"
    if each.population == "sources":
        scope = f"{IN_WORDS['sources']} (these are of {each.sources})"
    scope += ", for these runs only" if each.seeds == 1 else " and other seeds"
    return (
        f"detectable with a probability of {POWER:.0%} (p below {1 - LEVEL:.2g}): with "
        f"{counted(each.seeds, 'seed')} per cell{names} and {each.sentences:,} validation "
        f"sentences, {_size('drop', each.drop)} in MCC against a baseline with the same seeds, and "
        f"{_size('difference', each.difference)} between two checkpoints; about {scope}; "
        f"{each.spread.in_words()}"
    )


def _size(noun: str, size: float | None) -> str:
    return f"no {noun}" if size is None else f"a {noun} of {size:.3f}"


def rows_of(found: Iterable[Detectable]) -> Iterator[dict[str, str | int | float | None]]:
    """Yield what is detected as plain values: a row for each checkpoint and population."""
    for each in found:
        for name in each.checkpoints:
            yield {
                "checkpoint": name,
                "seeds": each.seeds,
                "sentences": each.sentences,
                "population": each.population,
                "covers": each.covers,
                "power": POWER,
                "drop": each.drop,
                "difference": each.difference,
                "reason": each.reason,
                "known_from": each.spread.in_words(),
            }


def as_dict(each: Detectable) -> dict[str, object]:
    """Return plain values for JSON; standard errors and deviations instead of variances."""
    return {
        "checkpoints": list(each.checkpoints),
        "seeds": each.seeds,
        "sentences": each.sentences,
        "population": each.population,
        "sources": each.sources,
        "reason": each.reason,
        "covers": each.covers,
        "power": POWER,
        "drop": each.drop,
        "difference": each.difference,
        "variance": {
            "known_from": each.spread.in_words(),
            "earlier_runs": each.spread.runs,
            "seeds_assumed": each.spread.seeds_assumed,
            "se_endless_seeds": sqrt(each.spread.lasting),
            "se_endless_seeds_sources": root(each.spread.lasting_sources),
            "sd_interaction": sqrt(each.spread.interaction),
            "sd_seeds": sqrt(each.spread.seeds),
            "correlation_same_checkpoint": SAME_CHECKPOINT,
            "correlation_two_checkpoints": TWO_CHECKPOINTS,
        },
    }
