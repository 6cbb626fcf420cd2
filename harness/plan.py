"""What a suite asks for: its cells, with readable ids, seeds and thresholds."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from harness.spec import Suite, TrainingSpec


@dataclass(frozen=True)
class Cell:
    """One (checkpoint, batch size, learning rate) of a suite's matrix.

    `threshold` is the mean MCC that the gate demands, `target` the MCC to which time is
    reported; None where the suite sets none.
    """

    suite: str
    id: str
    checkpoint: str
    batch_size: int
    learning_rate: float
    seeds: tuple[int, ...]
    threshold: float | None
    target: float | None


@dataclass(frozen=True)
class Run:
    """One training of a cell with one seed."""

    cell: Cell
    seed: int
    training: TrainingSpec


def make_plan(suite: Suite) -> list[Cell]:
    """Return the suite's cells in the order of its file: checkpoint, batch size, learning rate.

    A cell's id names its checkpoint, batch size and learning rate, is safe as a file name on
    every system, and is unique within the suite.
    """
    slugs = _slugs(suite.matrix.checkpoints)
    return [
        Cell(
            suite=suite.name,
            id=f"{slugs[checkpoint]}-bs{batch_size}-lr{_scientific(learning_rate)}",
            checkpoint=checkpoint,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seeds=suite.matrix.seeds,
            threshold=(threshold := _threshold(suite, checkpoint)),
            target=threshold if suite.gates.target_mcc is None else suite.gates.target_mcc,
        )
        for checkpoint in suite.matrix.checkpoints
        for batch_size in suite.matrix.batch_sizes
        for learning_rate in suite.matrix.learning_rates
    ]


def runs_of(cell: Cell, training: TrainingSpec) -> list[Run]:
    """Return one run for each of the cell's seeds."""
    return [Run(cell, seed, training) for seed in cell.seeds]


def _threshold(suite: Suite, checkpoint: str) -> float | None:
    own = suite.gates.checkpoint.get(checkpoint)
    return suite.gates.min_mcc if own is None or own.min_mcc is None else own.min_mcc


def _slugs(checkpoints: Sequence[str]) -> dict[str, str]:
    """Name every checkpoint in file-name characters: briefly, and with a digest where two clash."""
    slugs = {checkpoint: _slug(checkpoint) for checkpoint in checkpoints}
    # Compared without case: two names that differ in case share a folder on some systems.
    times = Counter(slug.lower() for slug in slugs.values())
    return {
        checkpoint: slug
        if times[slug.lower()] == 1
        else f"{slug}-{hashlib.sha256(checkpoint.encode()).hexdigest()[:8]}"
        for checkpoint, slug in slugs.items()
    }


def _slug(checkpoint: str) -> str:
    name = checkpoint.removeprefix("package:")
    if name == checkpoint:
        name = name.rstrip("/").rpartition("/")[2]
    slug = re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.")
    return slug[:80] or "checkpoint"


def _scientific(learning_rate: float) -> str:
    """Write a learning rate in the shortest scientific form: 2e-05, 1e-04, 2.5e-05."""
    mantissa, exponent = f"{Decimal(repr(learning_rate)).normalize():e}".split("e")
    return f"{mantissa}e{int(exponent):+03d}"
