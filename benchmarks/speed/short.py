"""The short form of `make speed`: the tutorial's script, and another commit, against the harness.

It trains on every eighth sentence of CoLA, so starting weighs more than in the full form: its
ratios are to be compared with each other only.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from speed import commands, paired
from speed.commands import Cell, Failed, Session
from speed.sections import Compared, Measurement, measurement, section

CELLS: tuple[Cell, ...] = ((16, 2e-5), (16, 5e-5))
EVERY, REHEARSED = 8, 128
"""Every n-th sentence of CoLA is trained on, and rehearsed with."""
ROUNDS = 5
RUN_ROUNDS = 12
"""Of one run on one thread: they are short, and a virtual machine's speed changes between them."""
WORKERS = 2
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def tutorial_against_harness(
    checkpoint: str, cola_dir: Path, folder: Path
) -> Iterator[dict[str, Any]]:
    """Measure whole commands on a part of CoLA; yield the section after every round."""
    part = commands.part_of_cola(cola_dir, folder, EVERY)
    measures = {
        "tutorial": lambda: measurement(
            *(commands.tutorial(checkpoint, part.folder, cell) for cell in CELLS)
        ),
        "harness": lambda: measurement(commands.session(part.data, CELLS, folder).timed),
    }
    compared = {
        "tutorial_over_harness": Compared(
            "tutorial's script / harness, wall time of the whole commands", "tutorial", "harness"
        )
    }
    about = (
        f"{len(CELLS)} cells of all-MiniLM-L6 (batch 16, 2e-5 and 5e-5), one epoch of "
        f"{part.sentences} sentences (every {EVERY}th of CoLA): the tutorial's script cell after "
        "cell, the harness in one session. Starting is a larger share of these times than of the "
        "whole matrix, so compare this ratio only with those of the same form."
    )
    for measured in paired.in_turn(measures, ROUNDS):
        yield section(about, measured, compared)


def rehearse(tree: Path, cola_dir: Path, folder: Path) -> dict[str, Any]:
    """Train a few sentences with the harness of a checkout, so that its files are compiled.

    Returns:
        The commit and the recipe that its worker recorded.

    Raises:
        Failed: it cannot train with today's suite file and flags.
    """
    part = commands.part_of_cola(cola_dir, folder, REHEARSED)
    (record,) = one_thread(tree, part.data, folder).records
    return {"commit": record.get("commit"), "recipe": record.get("recipe_version")}


def check_against(
    revision: str, commit: str, tree: Path, cola_dir: Path, folder: Path
) -> dict[str, Any]:
    """Rehearse another commit; return what its worker recorded.

    Raises:
        BadInput: it cannot run, or its worker did not run it.
    """
    try:
        found = rehearse(tree, cola_dir, folder)
    except (Failed, LookupError, OSError, ValueError) as error:
        raise BadInput(
            [
                f"--against {revision}: the harness at {commit[:12]} cannot train with today's "
                "suite file and flags, so the two cannot be compared; choose a later commit. "
                f"{type(error).__name__}:",
                *str(error).splitlines(),
            ]
        ) from None
    if found["commit"] is None or not commit.startswith(found["commit"]):
        raise BadInput(
            [
                f"--against {revision}: its worker recorded commit {found['commit']}, where "
                f"{commit[:12]} was to run; nothing was compared"
            ]
        )
    return found


def one_thread(tree: Path, data: Mapping[str, object], folder: Path) -> Session:
    """Train one cell with one thread."""
    return commands.session(data, CELLS[:1], folder, tree=tree, variables=ONE_THREAD)


def against(
    tree: Path, recorded: Mapping[str, Any], cola_dir: Path, folder: Path
) -> Iterator[dict[str, Any]]:
    """Measure another commit and this one in turn; yield the section after every round.

    Args:
        tree: the other commit's checkout.
        recorded: what its worker recorded in the rehearsal.
    """
    part = commands.part_of_cola(cola_dir, folder, EVERY)
    ours = rehearse(commands.ROOT, cola_dir, folder)
    trees = {"other commit": tree, "this commit": commands.ROOT}
    runs = {name: partial(one_thread, tree, part.data, folder) for name, tree in trees.items()}
    workers = ("--workers", str(WORKERS))
    matrices = {
        name: partial(commands.session, part.data, CELLS, folder, *workers, tree=tree)
        for name, tree in trees.items()
    }
    compared = {
        f"{kind}_over_this_commit": Compared(
            f"other commit / this commit, {what}", f"other commit: {kind}", f"this commit: {kind}"
        )
        for kind, what in (
            ("train", "one run on one thread, wall time of training"),
            ("processor", "one run on one thread, processor time of training"),
            ("matrix", f"whole session, {WORKERS} runs at a time, wall time"),
        )
    }
    about = (
        f"The harness at commit {recorded['commit']} (recipe {recorded['recipe']}) against commit "
        f"{ours['commit']} (recipe {ours['recipe']}; + means uncommitted changes), in the same "
        f"environment. One run: batch 16, 2e-5; session: {len(CELLS)} cells (batch 16, 2e-5 and "
        f"5e-5); all-MiniLM-L6, one epoch of {part.sentences} sentences (every {EVERY}th of CoLA). "
        "Above 1, this commit is faster."
    )
    measured: dict[str, list[Measurement]] = {}
    for of_runs in paired.in_turn(runs, RUN_ROUNDS):
        for name, sessions in of_runs.items():
            measured[f"{name}: train"] = [trained(found) for found in sessions]
            measured[f"{name}: processor"] = [computed(found) for found in sessions]
            measured[f"{name}: matrix"] = []
        yield {**section(about, measured, compared), "other_commit": recorded["commit"]}
    for of_matrices in paired.in_turn(matrices, ROUNDS):
        for name, sessions in of_matrices.items():
            measured[f"{name}: matrix"] = [measurement(found.timed) for found in sessions]
        yield {**section(about, measured, compared), "other_commit": recorded["commit"]}


def trained(session: Session) -> Measurement:
    """Return the wall time of training of a session's only run."""
    (record,) = session.records
    return Measurement(record["times"]["train"], session.timed.disturbance)


def computed(session: Session) -> Measurement:
    """Return the processor time of training of a session's only run."""
    (record,) = session.records
    return Measurement(commands.processor_seconds(record), session.timed.disturbance)
