"""`harness plan`: what `pytest benchmarks/` would train, and what it would not, and why."""

import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from tabulate import tabulate

from harness import baseline as baselines
from harness import contention, hub, lock, overwriting, run_store
from harness.cli.choices import EVERY, chosen, options
from harness.contention import Moment
from harness.errors import BadInput
from harness.inputs import Inputs, find_inputs
from harness.options import planned_suites, session_options
from harness.plan import Run
from harness.records import DatasetFacts
from harness.run_store import Stored
from harness.schedule import describe, schedule
from harness.session import Planned
from harness.standing import Standing, standings
from harness.text import counted, printable

FINISHED, TO_TRAIN, SKIPPED = "finished", "to train", "skipped"

MOST_CHECKPOINTS = 12
"""Checkpoints that are named below a reason before the rest is only counted."""


@click.command(short_help="what would run, what is finished, what cannot and why")
@options(EVERY)
@click.option("--json", "as_json", is_flag=True, help="print JSON, for programs")
def plan(as_json: bool, **values: Any) -> None:
    """Say what `pytest benchmarks/` with the same options would run.

    Finds data and checkpoints as a session does, which may fetch a checkpoint from the hub, and
    trains nothing. Says what is in each split of the data, how long training should take here, and
    in how much memory. A run is finished when the store holds it with the same data, checkpoint,
    settings, seed, device and package versions. Also says where a session would be refused, since
    it would replace tables of runs that it does not show.

    \b
    Examples:
      harness plan
      harness plan --suite mine.toml --seeds 1,2,3
      harness plan --suite benchmarks/cola.toml --cola-dir ~/cola_public --json
    """
    began = contention.now()
    typed = chosen(values)
    session = session_options(typed)
    reached = hub.probe()
    found: list[tuple[Planned, Inputs, list[Standing], str | None, list[str]]] = []
    problems: list[str] = []
    suites = planned_suites(typed)
    stores = [session.results / planned.suite.name / "runs" for planned in suites]
    problems += filter(None, map(lock.obstacle, stores))
    datasets: dict[str, DatasetFacts | None] = {planned.suite.name: None for planned in suites}
    for planned in suites:
        base = planned.path.resolve().parent
        store, unreadable = run_store.read_store(session.results / planned.suite.name)
        try:
            inputs = find_inputs(planned.suite, base, planned.cells, session.cola_dir, reached)
        except BadInput as error:
            problems += error.problems
            continue
        datasets[planned.suite.name] = inputs.dataset
        standing = standings(planned.suite, planned.cells, inputs, store, session.rerun)
        refused = None
        if not session.replace:
            folder = session.results / planned.suite.name
            remaining = len(_remaining(standing))
            refused = overwriting.foreseen(planned, standing, store, remaining, inputs, folder)
        last = [*_forecast(planned, standing, inputs, store, began), *unreadable]
        found.append((planned, inputs, standing, refused, last))
    problems += baselines.problems(session.baseline, datasets)
    if problems:
        raise BadInput(list(dict.fromkeys(problems)))
    if as_json:
        told = [
            {
                "suite": planned.suite.name,
                "data": _data_as_dict(inputs),
                "checkpoints": _checkpoints_as_dict(inputs),
                "refused": refused,
                "runs": [_as_dict(item) for item in standing],
            }
            for planned, inputs, standing, refused, _ in found
        ]
        click.echo(json.dumps({"suites": told}, indent=1))
    else:
        click.echo("\n\n".join(_as_text(*item) for item in found))


def _forecast(
    planned: Planned,
    standing: list[Standing],
    inputs: Inputs,
    store: list[Stored],
    began: Moment | None,
) -> list[str]:
    """Return a line on how the runs that remain would share this machine, if any remain.

    Args:
        began: when this command began to watch what else keeps the machine busy.
    """
    remaining = _remaining(standing)
    if not remaining:
        return []
    works = [inputs.work(run) for run in remaining]
    asked = planned.suite.limits.workers
    workers = asked if isinstance(asked, int) else None
    others = contention.since(began)
    plan = schedule(works, workers, [item.record for item in store], others)
    return [describe(plan, plan.sharing.workers)]


def _remaining(standing: list[Standing]) -> list[Run]:
    return [item.run for item in standing if _state(item) == TO_TRAIN]


def _state(item: Standing) -> str:
    if item.unavailable is not None:
        return SKIPPED
    return TO_TRAIN if item.stored is None else FINISHED


def _mcc(item: Standing) -> float | None:
    scores = None if item.stored is None else item.stored.record.scores
    return None if scores is None else scores.mcc


def _data_as_dict(inputs: Inputs) -> dict[str, object] | None:
    """Return what is in the data; None where it cannot be reached."""
    if inputs.dataset is None:
        return None
    splits = [
        {
            "split": split.split,
            "sentences": split.sentences,
            "labels": dict(split.labels),
            "hidden_labels": split.hidden,
            "longest_characters": split.longest,
        }
        for split in inputs.splits
    ]
    return {"origin": inputs.dataset.origin, "splits": splits, "notes": list(inputs.notes)}


def _data_as_text(inputs: Inputs) -> list[str]:
    if inputs.dataset is None:
        return []
    splits = [f"  {split.split}: {split.in_words()}" for split in inputs.splits]
    notes = [f"  note: {note}" for note in inputs.notes]
    return [f"data: {inputs.dataset.origin}", *map(printable, [*splits, *notes])]


def _checkpoints_as_dict(inputs: Inputs) -> dict[str, object]:
    return {
        name: {
            "digest": found.digest,
            "origin": None if found.origin is None else found.origin.model_dump(),
        }
        for name, found in inputs.checkpoints.items()
    }


def _checkpoints_as_text(inputs: Inputs) -> list[str]:
    return [
        printable(f"checkpoint {name}: {found.origin.in_words()}")
        for name, found in inputs.checkpoints.items()
        if found.origin is not None
    ]


def _as_dict(item: Standing) -> dict[str, object]:
    cell = item.run.cell
    return {
        "cell": cell.id,
        "checkpoint": cell.checkpoint,
        "batch_size": cell.batch_size,
        "learning_rate": cell.learning_rate,
        "seed": item.run.seed,
        "state": _state(item),
        "key": item.key,
        "mcc": _mcc(item),
        "reason": None if item.unavailable is None else str(item.unavailable),
    }


def _as_text(
    planned: Planned,
    inputs: Inputs,
    standing: list[Standing],
    refused: str | None,
    last: list[str],
) -> str:
    """Return a plan as text; what cannot run comes first, by its reason, and not in the table.

    Args:
        refused: why a session would not begin, if it would not.
        last: lines at the end.
    """
    times = Counter(map(_state, standing))
    counts = ", ".join(f"{times[state]} {state}" for state in (FINISHED, TO_TRAIN, SKIPPED))
    path = Path(os.path.relpath(planned.path))
    rows = [
        (item.run.cell.id, item.run.seed, _state(item), "" if mcc is None else f"{mcc:.3f}")
        for item in standing
        for mcc in [_mcc(item)]
        if item.unavailable is None
    ]
    columns = ("cell", "seed", "state", "MCC")
    table = ["", tabulate(rows, columns, "simple", disable_numparse=True)] if rows else []
    heading = f"{planned.suite.name} ({path}): {counted(len(standing), 'run')}: {counts}"
    lines = [heading] if refused is None else [heading, f"a session would be refused: {refused}"]
    found = [*_data_as_text(inputs), *_checkpoints_as_text(inputs)]
    return "\n".join([*lines, *found, *_skipped(standing), *table, *last])


def _skipped(standing: Sequence[Standing]) -> list[str]:
    """Return every reason for which runs are skipped, with the checkpoints that it holds for."""
    reasons: dict[str, Counter[str]] = {}
    cells: dict[tuple[str, str], set[str]] = {}
    for item in standing:
        if item.unavailable is not None:
            checkpoint = item.run.cell.checkpoint
            # That it is this checkpoint's the line beneath says: others may have the same reason.
            reason = re.sub(r"^checkpoint ('[^']*'|\"[^\"]*\"): ", "", str(item.unavailable))
            reasons.setdefault(reason, Counter())[checkpoint] += 1
            cells.setdefault((reason, checkpoint), set()).add(item.run.cell.id)
    lines = []
    for reason, runs in reasons.items():
        lines.append(f"skipped: {reason}")
        lines += [
            printable(
                f"  {checkpoint}: {counted(number, 'run')} of "
                f"{counted(len(cells[reason, checkpoint]), 'cell')}"
            )
            for checkpoint, number in list(runs.items())[:MOST_CHECKPOINTS]
        ]
        if (more := len(runs) - MOST_CHECKPOINTS) > 0:
            lines.append(f"  and {counted(more, 'more checkpoint')}")
    return lines
