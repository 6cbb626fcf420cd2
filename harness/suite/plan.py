"""The cells of a suite, with readable ids, seeds and thresholds."""

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from pydantic import Field

from harness.suite import ids
from harness.suite.looks import Looks, looks_of
from harness.suite.spec import (
    BatchSize,
    CellMatrix,
    CheckpointMatrix,
    LearningRate,
    Seed,
    Suite,
    SuiteGates,
    Thresholds,
    TrainingSpec,
    thresholds_of,
)
from harness.suite.training import CellSettings

MOST_CHARACTERS = 200
"""The longest id: a cell's folder has this name, and file systems allow 255 bytes."""


@dataclass(frozen=True)
class Cell:
    """One (checkpoint, batch size, learning rate) of a suite's matrix, with its other settings.

    `checkpoint` is the name that results are published under: see published_names.
    `gates` are its thresholds; `target` is the MCC whose time to reach is reported, None if the
    suite sets none. `settings` are its values of the keys of [training] that have several values
    in the matrix. `looks` are the numbers of seeds after which it is judged; None if it is judged
    with all its seeds only.
    """

    suite: str
    id: str
    checkpoint: str
    batch_size: BatchSize
    learning_rate: LearningRate
    seeds: tuple[Seed, ...]
    gates: Thresholds = field(hash=False)
    target: float | None
    settings: CellSettings = field(default_factory=dict, hash=False)
    # Left out if there are none, so that leaderboards without looks keep their bytes.
    looks: Annotated[Looks | None, Field(exclude_if=lambda value: value is None)] = None

    @property
    def threshold(self) -> float | None:
        """The MCC that the cell must reach."""
        return self.gates.min_mcc


@dataclass(frozen=True)
class Run:
    """One training of a cell with one seed."""

    cell: Cell
    seed: int
    training: TrainingSpec


def make_plan(suite: Suite) -> list[Cell]:
    """Return the suite's cells: by checkpoint, batch size, learning rate, in the file's order.

    Keys of [training] with several values in the matrix come last, in the order of TrainingSpec.

    A cell's id contains its checkpoint, batch size, learning rate and these settings, is safe as a
    file name on every system, and is unique within the suite. Cells without seeds are left out.
    """
    names = published_names(suite)
    matrix = suite.matrix
    slugs = _made_unique({name: _slug(name) for name in matrix.checkpoints}, lambda _: True)
    further = _further_settings(suite)
    cells = []
    for checkpoint in matrix.checkpoints:
        own = matrix.checkpoint.get(checkpoint, CheckpointMatrix())
        usual = thresholds_of(suite.gates.model_copy(update={"cell": {}}), checkpoint, "")
        for batch_size, learning_rate, (suffix, settings) in itertools.product(
            own.batch_sizes or matrix.batch_sizes,
            own.learning_rates or matrix.learning_rates,
            further,
        ):
            rate = ids.scientific(learning_rate)
            cell_id = _shortened(f"{slugs[checkpoint]}-bs{batch_size}-lr{rate}{suffix}")
            part = ids.lookup(cell_id, matrix.cell) or CellMatrix()
            seeds = own.seeds or matrix.seeds if part.seeds is None else part.seeds
            if not seeds:
                continue
            gates = usual
            if ids.lookup(cell_id, suite.gates.cell) is not None:
                gates = thresholds_of(suite.gates, checkpoint, cell_id)
            target = suite.gates.target_mcc
            cells.append(
                Cell(
                    suite=suite.name,
                    id=cell_id,
                    checkpoint=names[checkpoint],
                    batch_size=batch_size,
                    learning_rate=learning_rate,
                    seeds=seeds,
                    gates=gates,
                    target=gates.min_mcc if target is None else target,
                    settings=settings,
                )
            )
    most_seeds = max((len(cell.seeds) for cell in cells), default=0)
    looks = looks_of(suite.limits, most_seeds, suite.gates.suite != SuiteGates())
    return cells if looks is None else [replace(cell, looks=looks) for cell in cells]


def _further_settings(suite: Suite) -> list[tuple[str, dict[str, Any]]]:
    """Return the end of the id, and the settings, of every combination of the matrix' lists."""
    axes = {name: values for name, values in suite.matrix.axes().items() if len(values) > 1}
    return [
        ("".join(f"-{ids.part(*item)}" for item in settings.items()), settings)
        for values in itertools.product(*axes.values())
        for settings in [dict(zip(axes, values, strict=True))]
    ]


def _shortened(cell_id: str) -> str:
    """Return an id whose end is replaced by a digest if it is too long for a folder's name."""
    if len(cell_id) <= MOST_CHARACTERS:
        return cell_id
    digest = hashlib.sha256(cell_id.encode()).hexdigest()[:16]
    return f"{cell_id[: MOST_CHARACTERS - 17]}-{digest}"


def published_names(suite: Suite) -> dict[str, str]:
    """Return the published name of every checkpoint, by its name in the suite.

    They are the same except for folders. A folder's location matters on one machine only, so only
    its own name is published, with a digest of the path if another checkpoint has the same name.
    """
    return _made_unique({name: _last_part(name) for name in suite.matrix.checkpoints}, _is_path)


def _last_part(checkpoint: str) -> str:
    if not _is_path(checkpoint):
        return checkpoint
    return re.split(r"[/\\]+", checkpoint.rstrip("/\\"))[-1]


def suite_gates(suite: Suite) -> SuiteGates:
    """Return a suite's own gates, with published names in its order of checkpoints."""
    names, gates = published_names(suite), suite.gates.suite
    # --checkpoints may leave out some checkpoints of the order in the suite's file.
    order = tuple(names.get(name, _last_part(name)) for name in gates.order)
    return gates.model_copy(update={"order": order})


def _is_path(checkpoint: str) -> bool:
    if checkpoint.startswith("package:"):
        return False
    return (
        checkpoint.startswith((".", "/", "~"))
        or checkpoint.partition("@")[0].count("/") > 1
        or "\\" in checkpoint
    )


def _made_unique(names: dict[str, str], may_rename: Callable[[str], bool]) -> dict[str, str]:
    """Add a digest to names that several checkpoints share, for checkpoints that `may_rename`.

    Names are compared without case, since some systems ignore case in folder names. A new name may
    already be another checkpoint's; the rounds after the first add the whole digest.
    """
    digits = 8
    while True:
        times = Counter(name.lower() for name in names.values())
        shared = [c for c, name in names.items() if times[name.lower()] > 1 and may_rename(c)]
        if not shared:
            return names
        digests = {c: hashlib.sha256(c.encode()).hexdigest()[:digits] for c in shared}
        names = names | {c: f"{names[c]}-{digest}" for c, digest in digests.items()}
        digits = 64


def runs_of(cell: Cell, training: TrainingSpec) -> list[Run]:
    """Return one run for each of the cell's seeds.

    Args:
        training: the suite's settings; the cell's own settings replace them.
    """
    own = training_of(cell, training)
    return [Run(cell, seed, own) for seed in cell.seeds]


def training_of(cell: Cell, training: TrainingSpec) -> TrainingSpec:
    """Return a suite's training settings with those of one cell."""
    return training.model_copy(update=cell.settings) if cell.settings else training


def _slug(checkpoint: str) -> str:
    """Return a short, file-safe name of a checkpoint."""
    name, _, revision = checkpoint.partition("@")
    if name.startswith("package:"):
        name = name.removeprefix("package:")
    else:
        name = name.rstrip("/").rpartition("/")[2]
    slug = re.sub(r"[^A-Za-z0-9._]+", "-", f"{name}-{revision}").strip("-.")
    # Windows reads a name that begins like this as a device.
    slug = re.sub(r"^(con|prn|aux|nul|com\d|lpt\d)\.", r"\1-", slug, flags=re.IGNORECASE)
    return slug[:80].rstrip("-.") or "checkpoint"
