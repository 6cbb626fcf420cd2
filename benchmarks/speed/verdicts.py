"""The ways to train less for the same verdicts, against whole sessions: `--stop` and `--race`."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from speed import commands, paired
from speed.commands import Cell, Session
from speed.sections import Compared, Measurement, measurement, section

EVERY = 4
"""Every n-th sentence of CoLA."""
ROUNDS = 4
"""Two gave intervals too wide for a figure, on a quiet machine too. Each takes 15 minutes."""
GATED: tuple[Cell, ...] = ((16, 1e-4),)
GATE = 0.14
"""The minimum MCC of the cell with a gate, which it exceeds by a margin; see `margin`."""
GATED_SEEDS, GATED_EPOCHS = (1, 2, 3), 5
RACED: tuple[Cell, ...] = tuple((size, rate) for size in (16, 32) for rate in (2e-5, 1e-4, 2e-4))
RACED_SEEDS = (1, 2, 3, 4, 5)


def verdicts(cola_dir: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Measure both ways, each in turn with whole sessions; yield the section after every round.

    Every session is a whole command, with as many runs at a time as it chooses.
    """
    part = commands.part_of_cola(cola_dir, folder, EVERY)
    gated = partial(commands.session, part.data, GATED, folder, "--min-mcc", str(GATE))
    raced = partial(commands.session, part.data, RACED, folder)
    gate: dict[str, Any] = {"seeds": GATED_SEEDS, "epochs": GATED_EPOCHS}
    measures = {"gate, whole runs": partial(gated, **gate)}
    measures["gate, stopped"] = partial(gated, "--stop", "decided", **gate)
    measures["race, all runs"] = partial(raced, seeds=RACED_SEEDS)
    measures["race"] = partial(raced, "--race", seeds=RACED_SEEDS)
    compared = {
        "stopped_over_whole": Compared(
            "stopped when decided / whole runs, wall time of the session",
            "gate, stopped",
            "gate, whole runs",
        ),
        "race_over_all": Compared(
            "race / all runs, wall time of the session", "race", "race, all runs"
        ),
        "stopped_over_whole_training": Compared(
            "stopped when decided / whole runs, processor time of training",
            "gate, stopped: training",
            "gate, whole runs: training",
        ),
        "race_over_all_training": Compared(
            "race / all runs, processor time of training",
            "race: training",
            "race, all runs: training",
        ),
    }
    for found in paired.in_turn(measures, ROUNDS):
        above = margin(found["gate, whole runs"][0])
        same = [
            winner(one) == winner(other)
            for one, other in zip(found["race"], found["race, all runs"], strict=True)
        ]
        about = (
            f"all-MiniLM-L6 on {part.sentences} sentences (every {EVERY}th of CoLA), whole "
            f"commands. Gate: one cell, {len(GATED_SEEDS)} seeds, {GATED_EPOCHS} epochs, which "
            f"passes `--min-mcc {GATE}` by {above:.3f}; `--stop decided` passes too. Race: "
            f"{len(RACED)} cells, {len(RACED_SEEDS)} seeds, {commands.EPOCHS} epoch; `--race` "
            f"chose the cell that all runs choose in {sum(same)} of {len(same)} rounds."
        )
        measured = {name: [measurement(each.timed) for each in found[name]] for name in found}
        measured |= {f"{name}: training": [*map(trained, found[name])] for name in found}
        yield {**section(about, measured, compared), "winners_equal": same, "margin": above}


def trained(session: Session) -> Measurement:
    """Return the processor time of training all runs of a session.

    It depends less on other programs than wall time does, and leaves out start and tables.
    """
    seconds = [commands.processor_seconds(run) for run in session.records if run["times"]]
    known = [each for each in seconds if each is not None]
    total = sum(known) if len(known) == len(seconds) else None
    return Measurement(total, session.timed.disturbance)


def margin(whole: Session) -> float:
    """Return by how much the mean MCC of the cell with a gate exceeds it.

    A session that fails its gate has no time to compare: `commands.session` raises Failed.
    """
    (row,) = whole.rows
    return float(row["mcc"]) - GATE


def winner(session: Session) -> Cell:
    """Return the batch size and the learning rate of the cell that leads a session's table."""
    row = next(row for row in session.rows if row["rank"] == 1)
    return row["batch_size"], row["learning_rate"]
