"""Declared thresholds over records: pass, fail, or nothing to judge."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Literal

from harness.plan import Cell
from harness.records import Record


@dataclass(frozen=True)
class Judgement:
    """A cell's verdict with everything that led to it.

    `verdict` is None where there is no threshold or nothing was measured; `mcc` is the mean over
    the seeds that were scored, `margin` is `mcc - threshold`; `by_seed` holds each run's MCC, or
    None where it has none; `failures` holds the reason of each run that failed, by seed.
    """

    verdict: Literal["pass", "fail"] | None
    mcc: float | None
    threshold: float | None
    margin: float | None
    by_seed: dict[int, float | None]
    failures: dict[int, str]


def judge(cell: Cell, records: Sequence[Record]) -> Judgement:
    """Judge a cell by the mean MCC over its seeds.

    A cell with a failed run fails: a gate is not met by the seeds that happened to survive. A
    cell of which some seed has no score yet has no verdict.
    """
    by_seed = {r.seed: None if r.scores is None else r.scores.mcc for r in records}
    failures = {r.seed: r.reason or "no reason" for r in records if r.status == "failed"}
    measured = [mcc for mcc in by_seed.values() if mcc is not None]
    # Exact, and rounded once: with fmean, seeds of 0.1, 0.2 and 0.3 miss a threshold of 0.2.
    mcc = mean(measured) if measured else None
    margin = None if mcc is None or cell.threshold is None else mcc - cell.threshold
    verdict: Literal["pass", "fail"] | None
    if failures:
        verdict = "fail"
    elif margin is None or any(by_seed.get(seed) is None for seed in cell.seeds):
        verdict = None
    else:
        verdict = "pass" if margin >= 0 else "fail"
    return Judgement(verdict, mcc, cell.threshold, margin, by_seed, failures)


def explain(cell: Cell, judgement: Judgement, folder: Path) -> str:
    """Say in a few lines why a cell failed: value, threshold, margin, seeds, where to look."""
    lines = []
    for seed, reason in judgement.failures.items():
        lines.append(f"{cell.id}: the run with seed {seed} failed: {reason}")
    if judgement.margin is not None and judgement.margin < 0:
        lines.append(
            f"{cell.id}: MCC {judgement.mcc:.4f} is below the threshold {judgement.threshold:.4f} "
            f"(margin {_signed(judgement.margin)})"
        )
    seeds = ", ".join(
        f"seed {seed}: {'not scored' if mcc is None else f'{mcc:.4f}'}"
        for seed, mcc in judgement.by_seed.items()
    )
    return "\n".join([*lines, f"  MCC by seed: {seeds}", f"  records: {folder}"])


def _signed(margin: float) -> str:
    """Write a margin to four digits, or in scientific form where that would say it is none."""
    return f"{margin:+.4f}" if abs(margin) >= 0.0001 else f"{margin:+.0e}"
