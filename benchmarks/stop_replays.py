"""Replays of `--stop decided` on whole runs: what a gate would have trained, and its verdict.

Part of `make race`. The MCC after each epoch is given to the decisions of a session, so nothing is
trained. Every gate is on a cell's own mean MCC, a margin below or above it.
"""

import itertools
import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from statistics import mean
from typing import Any

import numpy as np
from tabulate import tabulate

from harness.judging.decided import aim_of
from harness.judging.decided.stops import Stops
from harness.judging.gates import judge
from harness.judging.leaderboard import runs_by_cell
from harness.markup import code, escaped
from harness.store.records import Record
from harness.store.stopped import Stopped
from harness.suite.gates import SuiteGates, Thresholds
from harness.suite.plan import Cell, Run

MARGINS = (0.15, 0.10, 0.05, 0.02, -0.02, -0.05)
"""A cell's mean MCC minus its gate: with a negative one the cell fails, so its runs are whole."""

RUNS_AT_ONCE = (1, 2)
"""Numbers of runs that train at the same time: the later a run starts, the more is known."""


@dataclass(frozen=True)
class Whole:
    """A cell with a whole run of each of its seeds.

    Attributes:
        cell: with its own gates.
        runs: by seed.
    """

    cell: Cell
    runs: Mapping[int, Record]

    @property
    def mcc(self) -> float:
        """The mean over seeds of the best epoch's MCC."""
        return mean(run.scores.mcc for run in self.runs.values() if run.scores is not None)

    @property
    def epochs(self) -> int:
        """The number of epochs of all runs."""
        return sum(len(run.epochs) for run in self.runs.values())

    @property
    def seconds(self) -> float:
        """The training time of all runs."""
        return sum(run.epochs[-1].seconds for run in self.runs.values())


@dataclass
class Trained:
    """What one replay trained.

    Attributes:
        results: the final record of each seed.
        epochs: that were trained, those of runs that trained again included.
        seconds: of training, in the same way.
        again: how many runs trained again.
    """

    results: dict[int, Record] = field(default_factory=dict)
    epochs: int = 0
    seconds: float = 0.0
    again: int = 0


def until(whole: Record, target: float | None) -> Record:
    """Return the record of a run that may stop at a target, as its session would have written it.

    The first epoch that reaches the target has the best MCC so far, so it is the selected one.

    Args:
        target: None if the run may not stop.
    """
    reaching = (each for each in whole.epochs if target is not None and each.scores.mcc >= target)
    last = next(reaching, whole.epochs[-1])
    if target is None or last == whole.epochs[-1]:
        return whole
    stopped = Stopped(
        after_epoch=last.epoch, of=whole.training.epochs, because="gate met", target=target
    )
    return whole.model_copy(
        update={
            "epochs": whole.epochs[: last.epoch],
            "scores": last.scores,
            "selected_epoch": last.epoch,
            "stopped": stopped,
        }
    )


def replay(
    cell: Cell, aim: float, runs: Mapping[int, Record], order: Sequence[int], at_once: int
) -> Trained:
    """Return what a session with `--stop decided` would have trained of a cell.

    Args:
        aim: the mean MCC at which the cell's gates are met.
        runs: the whole run of each seed.
        order: in which the seeds start.
        at_once: how many runs train at the same time; they end in the order of their seconds.
    """
    stops = Stops([cell], {(cell.suite, cell.id): aim}, [])
    waiting, trained, clock = deque(order), Trained(), 0.0
    running: dict[int, tuple[float, Record]] = {}
    while waiting or running:
        while waiting and len(running) < at_once:
            seed = waiting.popleft()
            record = until(runs[seed], stops.start(Run(cell, seed, runs[seed].training)))
            running[seed] = clock + record.epochs[-1].seconds, record
        seed = min(running, key=lambda each: running[each][0])
        clock, record = running.pop(seed)
        trained.again += seed in trained.results
        trained.results[seed] = record
        trained.epochs += len(record.epochs)
        trained.seconds += record.epochs[-1].seconds
        if (again := stops.end(record)) is not None:
            waiting.appendleft(again)
    return trained


def fewest_epochs(runs: Iterable[Record], aim: float) -> int | None:
    """Return the fewest epochs of all runs whose mean of best MCCs reaches an aim.

    It is what stopping could save at most, if all learning curves were known before.

    Returns:
        None if whole runs do not reach the aim.
    """
    highest = {0: Fraction(0)}  # sum of the best MCCs by number of epochs
    seeds = 0
    for run in runs:
        bests = itertools.accumulate((Fraction(each.scores.mcc) for each in run.epochs), max)
        ways = [*enumerate(bests, 1)]
        following: dict[int, Fraction] = {}
        for (epochs, total), (more, best) in itertools.product(highest.items(), ways):
            known = following.get(epochs + more)
            if known is None or total + best > known:
                following[epochs + more] = total + best
        highest, seeds = following, seeds + 1
    enough = (epochs for epochs, total in highest.items() if total >= seeds * Fraction(aim))
    return min(enough, default=None)


def orders_of(seeds: Sequence[int], most: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Return every order of the seeds; if these are more than `most`, as many random ones."""
    if math.factorial(len(seeds)) <= most:
        return list(itertools.permutations(seeds))
    return [tuple(rng.permutation(seeds).tolist()) for _ in range(most)]


def with_gate(cell: Cell, threshold: float) -> Cell:
    """Return a cell whose only gate is on the mean MCC; no MCC is outside -1 to 1."""
    least = min(1.0, max(-1.0, threshold))
    return replace(cell, gates=Thresholds(min_mcc=least), looks=None)


def whole_cells(cells: Sequence[Cell], records: Iterable[Record]) -> tuple[list[Whole], list[str]]:
    """Return the cells whose runs are whole and may stop, and a line for each other cell."""
    found, left_out = [], []
    for cell_id, runs in runs_by_cell(cells, records).items():
        cell = next(each for each in cells if each.id == cell_id)
        if (reason := _obstacle(cell, runs)) is None:
            found.append(Whole(cell, {run.seed: run for run in runs}))
        else:
            left_out.append(f"{cell_id}: {reason}")
    return found, left_out


def _obstacle(cell: Cell, runs: Sequence[Record]) -> str | None:
    """Return why no gate on the cell's mean MCC can be replayed, or None."""
    whole = {run.seed for run in runs if run.scores is not None and run.stopped is None}
    if missing := [seed for seed in cell.seeds if seed not in whole]:
        return f"no whole run of seed {', '.join(map(str, missing))}"
    if any(not run.epochs for run in runs):
        return "its records have no scores of epochs"
    aims = (aim_of(with_gate(cell, 0.0), run.training, SuiteGates()) for run in runs)
    return next((aim.reason for aim in aims if aim.reason is not None), None)


def measure(
    cells: Sequence[Cell], records: Iterable[Record], most: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Return all figures of the replays.

    Args:
        most: largest number of orders of a cell's seeds.
    """
    whole, left_out = whole_cells(cells, records)
    orders = {each.cell.id: orders_of(each.cell.seeds, most, rng) for each in whole}
    rows = [
        cell_row(each, margin, orders[each.cell.id], at_once)
        for at_once in RUNS_AT_ONCE
        for margin in MARGINS
        for each in whole
    ]
    return {
        "margins": [
            _margin_row([row for row in rows if (row["at_once"], row["margin"]) == group])
            for group in dict.fromkeys((row["at_once"], row["margin"]) for row in rows)
        ],
        "cells": rows,
        "left_out": left_out,
    }


def cell_row(
    whole: Whole, margin: float, orders: Sequence[Sequence[int]], at_once: int
) -> dict[str, Any]:
    """Return what a gate of a cell trains in some orders of its seeds, as shares of whole runs.

    A share of time is None if the runs took no measurable time.
    """
    cell = with_gate(whole.cell, whole.mcc - margin)
    training = next(iter(whole.runs.values())).training
    aim = aim_of(cell, training, SuiteGates()).mcc
    assert aim is not None  # else whole_cells has left the cell out
    full = judge(cell, [*whole.runs.values()]).verdict
    replayed = [replay(cell, aim, whole.runs, order, at_once) for order in orders]
    # Most replays end with the same records, and judging whole ones takes long.
    verdicts = {
        _lengths(each): judge(cell, [each.results[seed] for seed in cell.seeds]).verdict
        for each in {_lengths(each): each for each in replayed}.values()
    }
    epochs = [each.epochs / whole.epochs for each in replayed]
    times = [each.seconds / whole.seconds for each in replayed] if whole.seconds else None
    fewest = fewest_epochs(whole.runs.values(), aim)
    return {
        "cell": cell.id,
        "at_once": at_once,
        "margin": margin,
        "seeds": len(cell.seeds),
        "mcc": whole.mcc,
        "min_mcc": cell.threshold,
        "verdict": full,
        "replays": len(replayed),
        "epochs_fewest": 1.0 if fewest is None else fewest / whole.epochs,
        "epochs": mean(epochs),
        "epochs_most": max(epochs),
        "time": None if times is None else mean(times),
        "time_most": None if times is None else max(times),
        "trained_again": mean(each.again for each in replayed),
        "different_verdicts": sum(verdicts[_lengths(each)] != full for each in replayed),
    }


def _lengths(trained: Trained) -> tuple[tuple[int, int], ...]:
    return tuple((seed, len(run.epochs)) for seed, run in sorted(trained.results.items()))


def _margin_row(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures of all cells with one margin; every cell counts alike."""
    times = [row["time"] for row in rows if row["time"] is not None]
    most = [row["time_most"] for row in rows if row["time_most"] is not None]
    return {
        "at_once": rows[0]["at_once"],
        "margin": rows[0]["margin"],
        "passing": sum(row["verdict"] == "pass" for row in rows),
        "failing": sum(row["verdict"] == "fail" for row in rows),
        "replays": sum(row["replays"] for row in rows),
        "epochs_fewest": mean(row["epochs_fewest"] for row in rows),
        "epochs": mean(row["epochs"] for row in rows),
        "epochs_most": max(row["epochs_most"] for row in rows),
        "time": mean(times) if times else None,
        "time_most": max(most) if most else None,
        "trained_again": mean(row["trained_again"] for row in rows),
        "different_verdicts": sum(row["different_verdicts"] for row in rows),
    }


def as_markdown(figures: Mapping[str, Any]) -> list[str]:
    """Return the section of the page, line by line."""
    lines = ["## Gates with `--stop decided`", ""]
    if figures["margins"]:
        lines += [
            "Each cell with gates below and above its mean MCC. Shares are of the epochs and "
            "of the recorded training time of whole runs; every cell counts alike. A run that "
            "trains again counts twice, so a share may exceed 1. A replay is one order of a cell's "
            "seeds. A gate above the mean fails, and needs whole runs. *Fewest epochs*: with which "
            "the gate is met, if all learning curves were known before.",
            "",
            _table_of_margins(figures["margins"]),
            "",
            "Share of the training time by cell and gate, one run at a time, mean over the orders:",
            "",
            _table_of_cells([row for row in figures["cells"] if row["at_once"] == 1]),
            "",
        ]
    if figures["left_out"]:
        lines += ["Not replayed:", ""]
        lines += [*(f"- {escaped(each)}" for each in figures["left_out"]), ""]
    return lines


def _table_of_margins(rows: Sequence[Mapping[str, Any]]) -> str:
    return tabulate(
        [
            [
                row["at_once"],
                f"{row['margin']:+.2f}",
                row["passing"],
                row["failing"],
                row["replays"],
                f"{row['epochs_fewest']:.2f}",
                f"{row['epochs']:.2f}",
                f"{row['epochs_most']:.2f}",
                _share(row["time"]),
                _share(row["time_most"]),
                f"{row['trained_again']:.2f}",
                row["different_verdicts"],
            ]
            for row in rows
        ],
        [
            "runs at once",
            "mean minus gate",
            "gates that pass",
            "that fail",
            "replays",
            "fewest epochs",
            "epochs",
            "epochs at most",
            "time",
            "time at most",
            "runs trained again",
            "different verdicts",
        ],
        tablefmt="github",
        disable_numparse=True,
    )


def _table_of_cells(rows: Sequence[Mapping[str, Any]]) -> str:
    by_cell: dict[str, dict[float, Mapping[str, Any]]] = {}
    for row in rows:
        by_cell.setdefault(row["cell"], {})[row["margin"]] = row
    first = next(iter(by_cell.values()))
    return tabulate(
        [
            [
                code(cell),
                own[MARGINS[0]]["seeds"],
                f"{own[MARGINS[0]]['mcc']:.3f}",
                *(_share(own[margin]["time"]) for margin in first),
            ]
            for cell, own in by_cell.items()
        ],
        ["cell", "seeds", "mean MCC", *(f"{margin:+.2f}" for margin in first)],
        tablefmt="github",
        disable_numparse=True,
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
