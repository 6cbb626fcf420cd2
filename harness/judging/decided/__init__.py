"""Which gates are decided for certain before a run's last epoch, and when a run may stop.

With `training.selection = "best-epoch"`, a run's score is its best MCC so far, which never falls.
If the mean over a cell's seeds reaches a threshold, it reaches it whatever the remaining epochs
bring. No statistics are involved. Nothing else is certain early: an MCC below a threshold may still
rise, and accuracy, slices, intervals and costs may move in both directions.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import mean

from harness.judging.baseline import DEFAULT_MAX_DROP, Baseline, runs_of_cell
from harness.judging.evidence import NoEvidence, evidence
from harness.suite.gates import SuiteGates, Thresholds
from harness.suite.plan import Cell, suite_gates, training_of
from harness.suite.spec import Suite
from harness.suite.training import TrainingSpec
from harness.text import some

DECIDABLE = frozenset({"min_mcc", "max_drop"})
"""Gates of a cell that a mean MCC meets for certain. Every other gate needs whole runs."""

MANNERS = frozenset({"statistic", "on_doubt", "population"})
"""Keys of Thresholds that are no gates."""

SUITE_DECIDABLE = frozenset({"best_min_mcc", "every_checkpoint_min_mcc"})
"""Gates of a suite that the mean MCC of its cells meets for certain."""


@dataclass(frozen=True)
class Aim:
    """The mean MCC over a cell's seeds from which on every gate is met for certain.

    If there is none, `mcc` is None, and `reason` says why.
    """

    mcc: float | None
    reason: str | None = None


def aims_of(suite: Suite, cells: Sequence[Cell], baseline: Baseline | None) -> dict[str, Aim]:
    """Return the aim of each cell by its id; an empty dict if the suite does not stop runs.

    Args:
        baseline: with which the cells are compared.
    """
    if suite.limits.stop != "decided":
        return {}
    gates = suite_gates(suite)
    return {
        cell.id: aim_of(cell, training_of(cell, suite.training), gates, baseline) for cell in cells
    }


def aim_of(
    cell: Cell, training: TrainingSpec, gates: SuiteGates, baseline: Baseline | None = None
) -> Aim:
    """Return the mean MCC at which all gates that concern a cell are met for certain.

    Args:
        gates: on all cells of the suite together.
        baseline: with which the cell is compared.
    """
    if (reason := next(_obstacles(cell.gates, training, gates, baseline), None)) is not None:
        return Aim(None, reason)
    needed = [cell.gates.min_mcc, gates.best_min_mcc, gates.every_checkpoint_min_mcc]
    if baseline is not None:
        drop = needed_for_drop(cell, training, baseline)
        if isinstance(drop, str):
            return Aim(None, drop)
        needed.append(drop)
    known = [each for each in needed if each is not None]
    return Aim(max(known)) if known else Aim(None, "no gate requires an MCC")


def _obstacles(
    own: Thresholds, training: TrainingSpec, gates: SuiteGates, baseline: Baseline | None
) -> Iterator[str]:
    if training.epochs == 1:
        yield "training.epochs is 1"
    if training.selection != "best-epoch":
        yield (
            f'training.selection is "{training.selection}", and the MCC of the last epoch is not '
            "known before it"
        )
    if own.statistic == "lower-bound" and (own.min_mcc is not None or baseline is not None):
        yield 'gates.statistic is "lower-bound", and the interval may become wider'
    if own.population == "sources" and baseline is not None:
        yield 'gates.population is "sources", and its interval is that of whole runs'
    for name in needs_whole_runs(own, baseline is not None):
        yield f"gates.{name} needs whole runs"
    for name in SuiteGates.model_fields:
        if name not in SUITE_DECIDABLE and getattr(gates, name):
            yield f"gates.suite.{name} needs whole runs"


def needs_whole_runs(gates: Thresholds, compared: bool) -> list[str]:
    """Return the gates of a cell that cannot be decided before its runs are whole.

    Accuracy, and the MCC on a slice, are those of the selected epoch, and may fall if a later epoch
    is selected. A new gate is one of these until it is listed in DECIDABLE.

    Args:
        compared: whether the cell is compared with a baseline; gates that need one count then only.
    """
    known = DECIDABLE | MANNERS
    used = gates if compared else gates.without_baseline()
    unset: tuple[object, ...] = (None, {})
    names = (name for name in Thresholds.model_fields if name not in known)
    return [name for name in names if getattr(used, name) not in unset]


def needed_for_drop(cell: Cell, training: TrainingSpec, baseline: Baseline) -> float | str:
    """Return the lowest mean MCC that `max_drop` allows, or why it cannot be decided early.

    Computed as the gate computes it: the baseline's mean minus the cell's is at most the allowed
    drop. Rounding is monotonic, so every higher mean is allowed as well.
    """
    before = runs_of_cell(baseline, cell, training)
    mccs = [run.scores.mcc for run in before if run.scores is not None]
    if not mccs:
        return "the baseline has no scored run of this cell"
    try:
        evidence(before)
    except NoEvidence as error:
        return f"the baseline cannot be compared with: {error}"
    allowed = DEFAULT_MAX_DROP if cell.gates.max_drop is None else cell.gates.max_drop
    then = mean(mccs)
    least = then - allowed
    while then - least > allowed:
        least = math.nextafter(least, math.inf)
    return least


def never_stopped(aims: Mapping[str, Aim]) -> list[str]:
    """Return a line for each reason why runs are not stopped, with the cells."""
    cells: dict[str, list[str]] = {}
    for cell, aim in aims.items():
        if aim.reason is not None:
            cells.setdefault(aim.reason, []).append(cell)
    return [
        f"--stop decided stops no run of {'any cell' if len(own) == len(aims) else some(own, 10)}: "
        f"{reason}"
        for reason, own in cells.items()
    ]


def reached(aim: float, mccs: Sequence[float]) -> bool:
    """Return whether the mean of these MCCs is at least the aim, as a cell's gates compute it."""
    return mean(mccs) >= aim


def target(aim: float, seeds: int, ended: Sequence[float], running: Sequence[float]) -> float:
    """Return the MCC at which one more run of a cell may stop.

    If this run, the running ones and those not yet started all reach their targets, the mean
    reaches the aim. What ended runs have above the aim lowers the targets of the others.

    Args:
        seeds: number of the cell's seeds.
        ended: best MCC of each run that ended, whole or stopped.
        running: the target of each run that is training.
    """
    missing = seeds - len(ended) - len(running)
    certain = sum(map(Fraction, ended)) + sum(Fraction(min(1.0, each)) for each in running)
    return _rounded_up((seeds * Fraction(aim) - certain) / missing)


def _rounded_up(value: Fraction) -> float:
    """Return the smallest float that is not below a fraction."""
    nearest = float(value)
    return nearest if Fraction(nearest) >= value else math.nextafter(nearest, math.inf)


def stopped_to_reuse(
    aim: float, seeds: int, whole: Mapping[int, float], stopped: Mapping[int, float]
) -> set[int]:
    """Return the seeds whose stopped runs answer a cell's gates; the others must train again.

    All of them do if every seed has a run and the mean reaches the aim. Otherwise those do that
    reach their share of what the whole runs leave to reach.

    Args:
        seeds: number of the cell's seeds.
        whole: the MCC of each finished whole run, by seed.
        stopped: the best MCC of each stopped run, by seed.
    """
    mccs = [*whole.values(), *stopped.values()]
    if len(mccs) == seeds and reached(aim, mccs):
        return set(stopped)
    if not stopped:
        return set()
    share = target(aim, seeds, [*whole.values()], [])
    return {seed for seed, mcc in stopped.items() if mcc >= share}
