"""Thresholds over all cells of a suite together."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import fmean

from harness.gates.cell import Check
from harness.plan import Cell
from harness.records import Record
from harness.spec import SuiteGates


def judge_suite(
    gates: SuiteGates, cells: Sequence[Cell], runs: Mapping[str, Sequence[Record]]
) -> tuple[Check, ...]:
    """Judge the best cells of a suite by its own gates.

    Where some seed of some cell has no score, what passes so far is not enough evidence, and only
    a failure that further scores cannot mend is one.

    Args:
        gates: with `order` in published names.
        cells: all of the suite's.
        runs: the records of each cell, by its id.
    """
    return tuple(_checks(gates, cells, runs))


def explain_suite(suite: str, checks: Sequence[Check]) -> str:
    """Say in a line each why a suite did not pass."""
    return "\n".join(f"{suite}: {check.reason}" for check in checks if check.verdict != "pass")


def _checks(
    gates: SuiteGates, cells: Sequence[Cell], runs: Mapping[str, Sequence[Record]]
) -> Iterator[Check]:
    best: dict[str, tuple[float, str]] = {}
    unscored = 0
    for cell in cells:
        mccs = [run.scores.mcc for run in runs[cell.id] if run.scores is not None]
        if len(mccs) < len(cell.seeds):
            unscored += 1
            continue
        best[cell.checkpoint] = max(best.get(cell.checkpoint, (-2.0, "")), (fmean(mccs), cell.id))
    incomplete = f"; {unscored} of {len(cells)} cells have no score yet" if unscored else ""
    names = list(dict.fromkeys(cell.checkpoint for cell in cells))

    def check(gate: str, threshold: float, measured: float | None, met: bool, said: str) -> Check:
        settled = met if gate == "best_min_mcc" else not met
        doubtful = bool(unscored) and not settled
        verdict = "not-enough-evidence" if doubtful else "pass" if met else "fail"
        text = f"{said}{incomplete if doubtful else ''} (gates.suite.{gate})"
        return Check(gate, threshold, measured, None, None, verdict, text)  # type: ignore[arg-type]

    if (least := gates.best_min_mcc) is not None:
        mcc, cell_id = max(best.values(), default=(-2.0, "no cell"))
        said = f"the best cell, {cell_id}, has MCC {mcc:.4f}, at least {least:.4f} is demanded"
        if not best:
            said = f"no cell has a score, an MCC of at least {least:.4f} is demanded"
        yield check("best_min_mcc", least, mcc if best else None, mcc >= least, said)
    if (least := gates.every_checkpoint_min_mcc) is not None:
        known = {name: best[name][0] for name in names if name in best}
        below = {name: mcc for name, mcc in known.items() if mcc < least}
        said = (
            f"best MCC below {least:.4f}: "
            + ", ".join(f"{name} {mcc:.4f}" for name, mcc in below.items())
            if below
            else f"{len(known)} of {len(names)} checkpoints reach MCC {least:.4f}"
        )
        worst = min(known.values(), default=None)
        yield check("every_checkpoint_min_mcc", least, worst, not below, said)
    if gates.order:
        ranked = [(name, best[name][0]) for name in gates.order if name in best]
        wrong = [
            f"{lower} ({below:.4f}) is above {higher} ({above:.4f})"
            for (higher, above), (lower, below) in pairwise(ranked)
            if below > above
        ]
        gaps = [above - below for (_, above), (_, below) in pairwise(ranked)]
        said = "; ".join(wrong) or f"best MCC falls in the order {' > '.join(gates.order)}"
        yield check("order", 0.0, min(gaps, default=None), not wrong, said)
