"""Thresholds over all cells of a suite together."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise
from statistics import mean

from harness.gates.cell import Check, Verdict
from harness.plan import Cell
from harness.records import Record
from harness.spec import SuiteGates
from harness.text import counted


def judge_suite(
    gates: SuiteGates, cells: Sequence[Cell], runs: Mapping[str, Sequence[Record]]
) -> tuple[Check, ...]:
    """Judge the best cells of a suite by its own gates.

    A cell of which some seed has no score counts for nothing yet, and may still become its
    checkpoint's best. What such cells could mend is no failure, and what they could undo is no
    pass: both are not enough evidence.

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
    waiting: dict[str, int] = {}
    for cell in cells:
        mccs = [run.scores.mcc for run in runs[cell.id] if run.scores is not None]
        if len(mccs) < len(cell.seeds):
            waiting[cell.checkpoint] = waiting.get(cell.checkpoint, 0) + 1
            continue
        best[cell.checkpoint] = max(best.get(cell.checkpoint, (-2.0, "")), (mean(mccs), cell.id))
    names = list(dict.fromkeys(cell.checkpoint for cell in cells))

    def final(name: str) -> bool:
        """Return whether no further score can raise a checkpoint's best."""
        return name in best and name not in waiting

    def check(
        gate: str, threshold: float, measured: float | None, failed: bool, passed: bool, said: str
    ) -> Check:
        verdict: Verdict = "fail" if failed else "pass" if passed else "not-enough-evidence"
        doubt = "" if failed or passed else _doubt(waiting, len(cells))
        text = f"{said}{doubt} (gates.suite.{gate})"
        return Check(gate, threshold, measured, None, None, verdict, text)

    if (least := gates.best_min_mcc) is not None:
        mcc, cell_id = max(best.values(), default=(-2.0, "no cell"))
        said = f"the best cell, {cell_id}, has MCC {mcc:.4f}, at least {least:.4f} is demanded"
        if not best:
            said = f"no cell has a score, an MCC of at least {least:.4f} is demanded"
        met = mcc >= least
        yield check(
            "best_min_mcc", least, mcc if best else None, not met and not waiting, met, said
        )
    if (least := gates.every_checkpoint_min_mcc) is not None:
        known = {name: best[name][0] for name in names if name in best}
        below = {name: mcc for name, mcc in known.items() if mcc < least}
        said = (
            f"best MCC below {least:.4f}: "
            + ", ".join(f"{name} {mcc:.4f}" for name, mcc in below.items())
            if below
            else f"{len(known)} of {counted(len(names), 'checkpoint')} "
            f"{'reaches' if len(names) == 1 else 'reach'} MCC {least:.4f}"
        )
        worst = min(known.values(), default=None)
        failed = any(final(name) for name in below)
        passed = not below and len(known) == len(names)
        yield check("every_checkpoint_min_mcc", least, worst, failed, passed, said)
    if gates.order:
        ranked = [(name, best[name][0]) for name in gates.order if name in best]
        wrong = [
            f"{lower} ({below:.4f}) is above {higher} ({above:.4f})"
            for (higher, above), (lower, below) in pairwise(ranked)
            if below > above
        ]
        gaps = [above - below for (_, above), (_, below) in pairwise(ranked)]
        absent = [name for name in gates.order if name not in names]
        said = "; ".join(wrong) or f"best MCC falls in the order {' > '.join(gates.order)}"
        if absent:
            said += f", but for {', '.join(absent)}, of which this session has no cell"
        failed = any(
            below > above and final(higher)
            for (higher, above), (_, below) in combinations(ranked, 2)
        )
        passed = not wrong and gates.order[0] in best and all(map(final, gates.order[1:]))
        yield check("order", 0.0, min(gaps, default=None), failed, passed, said)


def _doubt(waiting: Mapping[str, int], cells: int) -> str:
    """Say how many cells leave a verdict open, if any do."""
    without = sum(waiting.values())
    have = "has" if without == 1 else "have"
    of_all = f"{without} of {counted(cells, 'cell')}"
    return f"; {of_all} {have} no score of every seed" if without else ""
