"""Replays of whole runs: what the ways to end early would have decided, and spent: `make race`.

Nothing is trained. The records of a results folder are given to the decisions in many orders of the
seeds, as if a session had trained them in this order, and the verdicts are compared with those of
all whole runs. Races and looks need a full matrix (`benchmarks/race.toml`), `--stop decided` only
cells with whole runs (`benchmarks/race-gates.toml`). `pytest benchmarks/` does not collect this
file.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import stop_replays
from tabulate import tabulate

from harness import stats
from harness.errors import BadInput
from harness.judging.evidence import NoEvidence, evidence
from harness.judging.leaderboard import runs_by_cell
from harness.markup import escaped
from harness.report.published import Published, leaderboard_in, read_published
from harness.stats.racing import race
from harness.stats.sequential import Form, gate_verdict
from harness.store.run_store import write_atomically
from harness.suite.looks import SETTLED, default_looks

ROOT = Path(__file__).parent.parent
EVIDENCE = ROOT / "results" / "race"
"""The published full matrix of `benchmarks/race.toml`."""
REPLAYS = 1000
RNG_SEED = 1
FORMS: tuple[Form, ...] = ("obrien-fleming", "pocock")
BEYOND_CHANCE = 0.05
MARGINS = (-0.10, -0.05, -0.02, 0.02, 0.05, 0.10)
"""Thresholds of gates, as differences from a cell's mean MCC over all its seeds."""


@dataclass(frozen=True)
class Matrix:
    """A full matrix.

    Attributes:
        labels: (sentences,), 0 or 1.
        predictions: by cell, (seeds, sentences); row i has the same seed in every cell.
        seconds: by cell, the median training time of its runs: of a run, whichever its seed.
    """

    labels: np.ndarray
    predictions: Mapping[str, np.ndarray]
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Replayed:
    """What one race decided, and its share of the full matrix' runs and training time."""

    winner: str
    dropped: tuple[str, ...]
    ended: str
    runs: float
    time: float


def full_matrix(published: Published) -> Matrix | str:
    """Return the full matrix of a leaderboard, or why races and looks cannot be replayed on it."""
    runs = runs_by_cell(published.cells, published.records)
    found = {}
    for cell, records in runs.items():
        try:
            found[cell] = evidence(records)
        except NoEvidence as error:
            return f"{cell}: {error}"
    if not found:
        return "it has no cells"
    first = next(iter(found.values()))
    # A cell with fewer seeds, or other ones, has nothing to be paired with.
    if any(each.seeds != first.seeds or not each.same_sentences(first) for each in found.values()):
        return "not every cell has the same seeds and sentences; train the missing runs"
    if len(first.seeds) < 2:
        return "every cell has one seed, which leaves no order to choose; train two or more"
    if first.classes > 2:
        return f"the data have {first.classes} classes, and replays are for two"
    seconds = {
        cell: median(run.times.train for run in records if run.times is not None)
        for cell, records in runs.items()
    }
    predictions = {cell: each.selected for cell, each in found.items()}
    return Matrix(first.labels, predictions, seconds)


def replay_race(
    matrix: Matrix, order: Sequence[int], looks: Sequence[int], form: Form, settled: float | None
) -> Replayed:
    """Return what a race decides if the seeds are trained in an order.

    Args:
        order: positions of the seeds, the same for every cell, because they are paired.
    """
    ordered = {cell: rows[list(order)] for cell, rows in matrix.predictions.items()}
    trained = dict.fromkeys(ordered, 0)
    while True:
        so_far = {cell: rows[: trained[cell]] for cell, rows in ordered.items()}
        state = race(matrix.labels, so_far, looks, form, settled=settled)
        if state.ended is not None:
            break
        trained |= state.needed
    assert state.winner is not None  # a race that ended has one
    seeds = len(order)
    spent = sum(trained[cell] * matrix.seconds[cell] for cell in trained)
    return Replayed(
        state.winner,
        tuple(drop.cell for drop in state.dropped),
        state.ended,
        sum(trained.values()) / (seeds * len(trained)),
        spent / (seeds * sum(matrix.seconds.values())),
    )


def race_row(
    matrix: Matrix,
    orders: Sequence[Sequence[int]],
    looks: Sequence[int],
    form: Form,
    settled: float | None,
) -> dict[str, Any]:
    """Return how often races in some orders find the full matrix' winner, and what they spend."""
    means = _means(matrix)
    best = max(means, key=lambda cell: means[cell])
    as_good = _not_worse_than(matrix, best)
    # Orders of five seeds repeat: each is replayed once.
    once = {order: replay_race(matrix, order, looks, form, settled) for order in set(orders)}
    replayed = [once[order] for order in orders]
    return {
        "looks": list(looks),
        "spending": form,
        "settled": settled,
        "replays": len(replayed),
        "different_orders": len(once),
        "time": float(np.mean([each.time for each in replayed])),
        "time_most": max(each.time for each in replayed),
        "runs": float(np.mean([each.runs for each in replayed])),
        "same_winner": _share(each.winner == best for each in replayed),
        "winner_not_worse_beyond_chance": _share(each.winner in as_good for each in replayed),
        "best_dropped": _share(best in each.dropped for each in replayed),
        "ended": dict(Counter(each.ended for each in replayed)),
        "winners": dict(Counter(each.winner for each in replayed)),
    }


def gate_rows(
    matrix: Matrix, orders: Sequence[Sequence[int]], looks: Sequence[int], form: Form
) -> list[dict[str, Any]]:
    """Return, for each margin, what looks decide of gates on a lower bound and what they spend."""
    means = _means(matrix)
    rows = []
    for margin in MARGINS:
        spent, changed, decided, full_decided = [], 0, 0, 0
        for cell, predictions in matrix.predictions.items():
            threshold = means[cell] - margin
            whole = stats.mean_interval(matrix.labels, predictions)
            full = "pass" if whole.low >= threshold else "fail" if whole.high < threshold else None
            for order in set(orders):
                found = gate_verdict(
                    matrix.labels, predictions[list(order)], threshold, looks, form
                )
                outcome = found.outcome if found.outcome in ("pass", "fail") else None
                spent.append(found.seeds / len(order))
                changed += outcome is not None and full is not None and outcome != full
                decided += outcome is not None
                full_decided += full is not None
        rows.append(
            {
                "margin": margin,
                "spending": form,
                "gates": len(spent),
                "runs": float(np.mean(spent)),
                "decided": decided / len(spent),
                "decided_by_all_seeds": full_decided / len(spent),
                "opposite_verdicts": changed,
            }
        )
    return rows


def _means(matrix: Matrix) -> dict[str, float]:
    return {
        cell: float(np.mean(stats.mcc(matrix.labels, rows)))
        for cell, rows in matrix.predictions.items()
    }


def _not_worse_than(matrix: Matrix, best: str) -> set[str]:
    """Return the cells that all seeds do not show to be worse than the best one, uncorrected."""
    return {
        cell
        for cell, rows in matrix.predictions.items()
        if cell == best
        or stats.paired_difference(
            matrix.labels, matrix.predictions[best], rows, paired_seeds=True
        ).p_value
        >= BEYOND_CHANCE
    }


def _share(values: Any) -> float:
    return float(np.mean(list(values)))


def measure(folder: Path, replays: int) -> dict[str, Any]:
    """Return all figures of the replays of a results folder.

    Args:
        replays: number of random orders of the seeds.

    Raises:
        BadInput: the leaderboard cannot be read, or nothing in it can be replayed.
    """
    published = read_published(leaderboard_in(folder))
    matrix = full_matrix(published)
    stops = stop_replays.measure(
        published.cells, published.records, replays, np.random.default_rng(RNG_SEED)
    )
    if isinstance(matrix, str) and not stops["cells"]:
        reasons = [f"no races and looks: {matrix}", *stops["left_out"]]
        raise BadInput([f"{folder}: nothing can be replayed: {reason}" for reason in reasons])
    machine = published.records[0].machine
    return {
        "evidence": folder.name,
        "processor": None if machine is None else machine.processor,
        "rng_seed": RNG_SEED,
        "no_full_matrix": matrix if isinstance(matrix, str) else None,
        **({} if isinstance(matrix, str) else measure_matrix(matrix, replays)),
        "stops": stops,
    }


def measure_matrix(matrix: Matrix, replays: int) -> dict[str, Any]:
    """Return the figures of races, and of gates at looks, on a full matrix."""
    seeds = len(next(iter(matrix.predictions.values())))
    rng = np.random.default_rng(RNG_SEED)
    orders = [tuple(rng.permutation(seeds).tolist()) for _ in range(replays)]
    from_one = default_looks(seeds)
    from_two = tuple(look for look in from_one if look > 1)
    return {
        "cells": len(matrix.predictions),
        "seeds": seeds,
        "means": _means(matrix),
        "races": [
            race_row(matrix, orders, looks, form, settled)
            for looks in (from_one, from_two)
            for form in FORMS
            for settled in (SETTLED, None)
        ],
        "gates": [row for form in FORMS for row in gate_rows(matrix, orders, from_two, form)],
    }


def as_markdown(figures: Mapping[str, Any]) -> str:
    """Return the figures as a Markdown page."""
    reason = figures["no_full_matrix"]
    without = f"Races and looks are not replayed: {escaped(reason or '')}."
    processor = escaped(figures["processor"] or "an unknown processor")
    return "\n".join(
        [
            f"# Replays of {escaped(figures['evidence'])}",
            "",
            f"Whole runs, trained on {processor} and replayed by `make race`. Nothing was trained "
            "for this page.",
            "",
            *(_matrix_sections(figures) if reason is None else [without, ""]),
            *stop_replays.as_markdown(figures["stops"]),
        ]
    )


def _matrix_sections(figures: Mapping[str, Any]) -> list[str]:
    races = [
        [
            ", ".join(map(str, row["looks"])),
            row["spending"],
            "-" if row["settled"] is None else f"{row['settled']:g}",
            f"{row['time']:.2f}",
            f"{row['time_most']:.2f}",
            f"{row['runs']:.2f}",
            f"{row['same_winner']:.1%}",
            f"{row['winner_not_worse_beyond_chance']:.1%}",
            f"{row['best_dropped']:.1%}",
            ", ".join(f"{end} {number}" for end, number in sorted(row["ended"].items())),
        ]
        for row in figures["races"]
    ]
    gates = [
        [
            row["spending"],
            f"{row['margin']:+.2f}",
            f"{row['runs']:.2f}",
            f"{row['decided']:.1%}",
            f"{row['decided_by_all_seeds']:.1%}",
            row["opposite_verdicts"],
        ]
        for row in figures["gates"]
    ]
    return [
        "## Races",
        "",
        f"{figures['cells']} cells with {figures['seeds']} seeds each, in "
        f"{figures['races'][0]['replays']:,} random orders of the seeds "
        f"({figures['races'][0]['different_orders']} different ones). Shares are of the full "
        f"matrix; time is the median training time of each cell's runs.",
        "",
        tabulate(
            races,
            [
                "looks",
                "spending",
                "settled",
                "time",
                "time at most",
                "runs",
                "same winner",
                "winner not worse beyond chance",
                "winner dropped",
                "ended",
            ],
            tablefmt="github",
        ),
        "",
        "## Gates on a lower bound",
        "",
        "Each cell with thresholds below and above its mean MCC over all seeds.",
        "",
        tabulate(
            gates,
            [
                "spending",
                "mean minus threshold",
                "runs",
                "decided",
                "decided by all seeds at once",
                "opposite verdicts",
            ],
            tablefmt="github",
        ),
        "",
    ]


def main() -> None:
    """Replay, print, and write the page beside the evidence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evidence", type=Path, default=EVIDENCE, help="results of whole runs")
    parser.add_argument(
        "--replays", type=int, default=REPLAYS, help="number of random orders of the seeds"
    )
    parser.add_argument("--write", action="store_true", help="write replays.md and replays.json")
    options = parser.parse_args()
    try:
        figures = measure(options.evidence, options.replays)
    except BadInput as error:
        sys.exit("\n".join(error.problems))
    page = as_markdown(figures)
    print(page)
    if options.write:
        write_atomically(options.evidence / "replays.md", page.encode())
        text = json.dumps(figures, indent=1) + "\n"
        write_atomically(options.evidence / "replays.json", text.encode())


if __name__ == "__main__":
    main()
