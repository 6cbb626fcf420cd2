"""What is known of a baseline before a session trains: other software, costs not comparable."""

from collections.abc import Iterator, Sequence
from typing import Any

from harness.judging.baseline import Baseline, runs_of_cell, software_changes, software_here
from harness.judging.costs import COSTS, rough
from harness.judging.costs.circumstances import differing_circumstances
from harness.judging.gates.cost_ratio import COLUMNS
from harness.machine.provenance import machine
from harness.store.records import Record
from harness.suite.plan import Cell, training_of
from harness.suite.spec import Suite
from harness.text import series, some


def baseline_notes(
    suite: Suite, cells: Sequence[Cell], baseline: Baseline | None, device: str
) -> list[str]:
    """Return lines on what differs from a suite's baseline, before its cells train.

    Args:
        cells: those of the suite with runs that have to train.
        baseline: with which they are compared; without one there is no line.
        device: on which runs of this machine train.
    """
    if baseline is None:
        return []
    changes = software_changes(baseline, software_here())
    here: dict[str, Any] = {"executor": suite.limits.executor}
    if suite.limits.executor == "local":  # Ray's machines are not known yet
        here |= {"machine": machine(), "device": device}
    lacking: dict[str, dict[str, list[str]]] = {}
    for cell in cells:
        before = runs_of_cell(baseline, cell, training_of(cell, suite.training))
        for gate in COLUMNS:
            if getattr(cell.gates, gate) is not None and before:
                for reason in _obstacles(gate, before, here):
                    lacking.setdefault(reason, {}).setdefault(gate, []).append(cell.id)
    return [*changes, *(_line(reason, lacking[reason]) for reason in lacking)]


def _obstacles(gate: str, before: Sequence[Record], here: dict[str, Any]) -> Iterator[str]:
    cost = COSTS[COLUMNS[gate]]
    if cost.timed and rough(before, cost.served):
        yield "the times of the baseline are of the order of magnitude only"
    now = before[0].model_copy(update=here)
    if (
        differences := differing_circumstances([now, *before], cost.timed, cost.served)
    ) is not None:
        yield f"circumstances here and of the baseline differ ({differences})"


def _line(reason: str, cells: dict[str, list[str]]) -> str:
    named = dict.fromkeys(name for own in cells.values() for name in own)
    gates = series([f"gates.{gate}" for gate in cells])
    return f"{gates} of {some([*named])} cannot be judged from runs that train now: {reason}"
