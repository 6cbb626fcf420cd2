"""What a leaderboard's seeds and sentences can detect, as blocks of Markdown."""

from collections.abc import Iterator, Sequence

from harness.judging.column import MISSING
from harness.judging.detectable import Detectable
from harness.judging.populations import IN_WORDS, Population
from harness.markup import code, escaped, grid
from harness.report.published import Published
from harness.stats.planning import ASSUMED_SEED_SD
from harness.stats.power import POWER
from harness.stats.variance import LEVEL
from harness.text import counted

EXPLANATION = (
    f"The smallest true drop and difference in MCC that is detected (p below {1 - LEVEL:.2g}) with "
    f"a probability of {POWER * 100:.0f} %, by the variances that the runs of each checkpoint "
    "show: a drop of a cell against a baseline with the same checkpoint and seeds, and a "
    "difference between cells of two checkpoints that vary alike. A smaller one may exist without "
    "being found. Runs that learned nothing, beside others that did, make these sizes large."
)


def detected(published: Published) -> Iterator[str]:
    """Yield a heading, an explanation and a table; nothing if no cell has two scored seeds."""
    found = published.detectable
    if not found:
        return
    populations: list[Population] = ["sentences"]
    if any(each.population == "sources" and each.reason is None for each in found):
        populations.append("sources")
    yield "## What these runs can detect"
    reasons = dict.fromkeys(each.reason for each in found if each.reason is not None)
    yield " ".join(
        [
            EXPLANATION,
            *(f"For {IN_WORDS['sources']}: not known, because {escaped(r)}." for r in reasons),
        ]
    )
    yield grid(
        ["checkpoint", "seeds", *_headings(populations), "known from"],
        list(_rows(found, populations)),
        ["left", *["right"] * (1 + 2 * len(populations)), "left"],
    )


def _headings(populations: Sequence[Population]) -> Iterator[str]:
    for population in populations:
        about = f", {IN_WORDS[population]}" if len(populations) > 1 else ""
        yield from (f"{size}{about}" for size in ("drop", "difference"))


def _rows(found: Sequence[Detectable], populations: Sequence[Population]) -> Iterator[list[str]]:
    known: dict[tuple[str, int], dict[Population, Detectable]] = {}
    for each in found:
        for name in each.checkpoints:
            known.setdefault((name, each.seeds), {})[each.population] = each
    for (name, seeds), of in known.items():
        sizes = [
            size
            for each in (of.get(population) for population in populations)
            for size in ((None, None) if each is None else (each.drop, each.difference))
        ]
        shown = [MISSING if size is None else f"{size:.3f}" for size in sizes]
        yield [code(name), str(seeds), *shown, _known_from(of["sentences"])]


def _known_from(each: Detectable) -> str:
    spread = each.spread
    assumed = f", at least {ASSUMED_SEED_SD} over seeds assumed" if spread.seeds_assumed else ""
    return f"{counted(spread.runs, 'run')}{assumed}"
