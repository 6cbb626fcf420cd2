"""MCC on CoLA's in-domain and out-of-domain sentences, and whether they differ significantly.

Computed from results/cola/predictions.parquet. docs/generate.py writes the table to docs/study.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from tabulate import tabulate

from harness.judging.evidence import evidence
from harness.judging.leaderboard import runs_by_cell
from harness.report import read_published
from harness.report.checks.logits import with_groupings
from harness.stats import Sources, difference_of_parts
from harness.stats.scores import linearise

CELLS = {
    "mpnet-base": "mpnet-base-bs16-lr3e-05",
    "MiniLM-L6": "minilm-l6-bs32-lr1e-04",
    "MiniLM-L3": "minilm-l3-bs16-lr2e-04",
}
"""The best cell of each checkpoint in docs/study.md."""


@dataclass(frozen=True)
class Part:
    """A cell's mean MCC over its runs on some sentences, and its standard errors.

    `independent` assumes independently drawn sentences, `clustered` independently drawn
    publications.
    """

    mcc: float
    independent: float
    clustered: float


def part(labels: np.ndarray, predictions: np.ndarray, sources: np.ndarray) -> Part:
    """Return the mean MCC of runs on some sentences, with both standard errors.

    MCC is linearised as the mean of the sentences' influences (Efron 1982, chapter 6). The error
    over publications is CR2 (Bell and McCaffrey 2002) of that mean:
    sum over g of s_g^2 / (1 - n_g / n), divided by n^2, where s_g sums the influences of the n_g
    of n sentences in publication g. Neither error covers other seeds than those of the runs.

    Args:
        labels: (sentences,), each 0 or 1.
        predictions: (runs, sentences), each 0 or 1.
        sources: (sentences,) the publication of each.
    """
    linear = linearise(labels, predictions, "mcc")
    influence = linear.influence.mean(axis=0)
    n = labels.size
    sums = [
        (influence[chosen].sum(), chosen.sum())
        for chosen in (sources == source for source in np.unique(sources))
    ]
    return Part(
        mcc=float(linear.values.mean()),
        independent=sqrt(float((influence**2).sum()) / (n * (n - 1))),
        clustered=sqrt(sum(total**2 / (1 - size / n) for total, size in sums)) / n,
    )


def parts(results: Path, cell: str) -> Mapping[str, Part]:
    """Return a cell's parts by domain from published results: "in", "out", and "" for both."""
    published = read_published(results / "leaderboard.json")
    runs = runs_by_cell(published.cells, published.records)[cell]
    table = pq.read_table(results / "predictions.parquet").to_pandas()
    table = table[table["split"] == "validation"]
    of_runs = [table[table["key"] == run.key].sort_values("idx") for run in runs]
    first = of_runs[0]
    given = np.stack([(run["logit_1"] > run["logit_0"]).to_numpy(int) for run in of_runs])
    return {
        domain: part(
            first["label"].to_numpy(int)[chosen],
            given[:, chosen],
            first["source"].to_numpy(str)[chosen],
        )
        for domain in ("in", "out", "")
        for chosen in [first["domain"].isin([domain] if domain else ["in", "out"]).to_numpy()]
    }


def other_publications(results: Path, cell: str) -> str:
    """Return the 95 % interval of the difference on sentences of other publications."""
    published = read_published(results / "leaderboard.json")
    complete = with_groupings(results, published)
    found = evidence(runs_by_cell(complete.cells, complete.records)[cell])
    names, numbers = found.groups["domain"]
    chosen = [numbers == names.index(domain) for domain in ("in", "out")]
    sources = [found.part(part).sources for part in chosen]
    assert isinstance(sources[0], Sources)
    assert isinstance(sources[1], Sources)
    interval = difference_of_parts(
        found.labels, found.selected, *chosen, sources=(sources[0], sources[1])
    )
    return f"{interval.low:+.3f} to {interval.high:+.3f}"


def table(results: Path) -> str:
    """Return the table of CELLS: both domains' MCC, their difference, its two standard errors.

    No publication is in both domains, so the variances of the two parts add up.
    """
    rows = []
    for name, cell in CELLS.items():
        by_domain = parts(results, cell)
        inside, outside = by_domain["in"], by_domain["out"]
        errors = (
            sqrt(inside.independent**2 + outside.independent**2),
            sqrt(inside.clustered**2 + outside.clustered**2),
        )
        values = (inside.mcc, outside.mcc, inside.mcc - outside.mcc, *errors)
        rows.append(
            (name, *(f"{value:.3f}" for value in values), other_publications(results, cell))
        )
    headings = (
        *("checkpoint", "in-domain MCC", "out-of-domain MCC", "difference"),
        *("its error, sentences independent", "its error, publications as a whole"),
        "95 % interval, sentences of other publications",
    )
    return tabulate(rows, headings, "pipe", disable_numparse=True)
