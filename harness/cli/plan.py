"""`harness plan`: shows what `pytest benchmarks/` would train and skip, and why."""

import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from tabulate import tabulate

from harness.cli.choices import EVERY, chosen, options
from harness.errors import BadInput
from harness.forecast.schedule import describe, schedule
from harness.inputs import hub
from harness.judging import baseline as baselines
from harness.machine import contention
from harness.machine.contention import Moment
from harness.session.options import planned_suites, session_options
from harness.session.run_status import RunStatus, run_statuses
from harness.session.session import Planned
from harness.session.suite_inputs import Inputs, find_inputs
from harness.store import lock, run_store
from harness.store.records import DatasetFacts
from harness.store.run_store import Stored
from harness.suite.plan import Run
from harness.text import counted, printable

FINISHED, TO_TRAIN, SKIPPED = "finished", "to train", "skipped"

MOST_CHECKPOINTS = 12
"""Maximum number of checkpoints listed below a reason; the rest is counted."""


@click.command(short_help="show what would run, what is finished, and what cannot run")
@options(EVERY)
@click.option("--json", "as_json", is_flag=True, help="print JSON, for programs")
def plan(as_json: bool, **values: Any) -> None:
    """Show what `pytest benchmarks/` with the same options would run.

    Finds data and checkpoints as a session does, which may download a checkpoint from the hub,
    and trains nothing. Shows the contents of each split, and the time and memory that training
    should take here. A run is finished if the store contains it with the same data, checkpoint,
    settings, seed, device and package versions. Also shows if a session would be refused because
    it would replace tables that contain other runs.

    \b
    Examples:
      harness plan
      harness plan --suite mine.toml --seeds 1,2,3
      harness plan --suite benchmarks/cola.toml --cola-dir ~/cola_public --json
    """
    from harness.session import overwriting  # it loads pandas, which no other command line needs

    began = contention.now()
    typed = chosen(values)
    session = session_options(typed)
    probed_hub = hub.probe()
    found: list[tuple[Planned, Inputs, list[RunStatus], str | None, list[str]]] = []
    problems: list[str] = []
    suites = planned_suites(typed)
    stores = [session.results / planned.suite.name / "runs" for planned in suites]
    problems += filter(None, map(lock.obstacle, stores))
    datasets: dict[str, DatasetFacts | None] = {planned.suite.name: None for planned in suites}
    for planned in suites:
        base = planned.path.resolve().parent
        store, unreadable = run_store.read_store(session.results / planned.suite.name)
        try:
            inputs = find_inputs(planned.suite, base, planned.cells, session.cola_dir, probed_hub)
        except BadInput as error:
            problems += error.problems
            continue
        datasets[planned.suite.name] = inputs.dataset
        statuses = run_statuses(planned.suite, planned.cells, inputs, store, session.rerun)
        refused = None
        if not session.replace:
            folder = session.results / planned.suite.name
            remaining = len(_remaining(statuses))
            refused = overwriting.foreseen(planned, statuses, store, remaining, inputs, folder)
        last = [*_forecast(planned, statuses, inputs, store, began), *unreadable]
        found.append((planned, inputs, statuses, refused, last))
    problems += baselines.problems(session.baseline, datasets)
    if problems:
        raise BadInput(list(dict.fromkeys(problems)))
    if as_json:
        content = [
            {
                "suite": planned.suite.name,
                "data": _data_as_dict(inputs),
                "checkpoints": _checkpoints_as_dict(inputs),
                "refused": refused,
                "runs": [_as_dict(item) for item in statuses],
            }
            for planned, inputs, statuses, refused, _ in found
        ]
        click.echo(json.dumps({"suites": content}, indent=1))
    else:
        click.echo("\n\n".join(_as_text(*item) for item in found))


def _forecast(
    planned: Planned,
    statuses: list[RunStatus],
    inputs: Inputs,
    store: list[Stored],
    began: Moment | None,
) -> list[str]:
    """Return a line on how the remaining runs would share this machine, if any remain.

    Args:
        began: the start of the measurement of other programs' CPU use.
    """
    remaining = _remaining(statuses)
    if not remaining:
        return []
    works = [inputs.work(run) for run in remaining]
    limit = planned.suite.limits.workers
    workers = limit if isinstance(limit, int) else None
    others = contention.since(began)
    plan = schedule(works, workers, [item.record for item in store], others)
    return [describe(plan, plan.sharing.workers)]


def _remaining(statuses: list[RunStatus]) -> list[Run]:
    return [item.run for item in statuses if _state(item) == TO_TRAIN]


def _state(item: RunStatus) -> str:
    if item.unavailable is not None:
        return SKIPPED
    return TO_TRAIN if item.stored is None else FINISHED


def _mcc(item: RunStatus) -> float | None:
    scores = None if item.stored is None else item.stored.record.scores
    return None if scores is None else scores.mcc


def _data_as_dict(inputs: Inputs) -> dict[str, object] | None:
    """Return the contents of the data; None if it cannot be reached."""
    if inputs.dataset is None:
        return None
    splits = [
        {
            "split": split.split,
            "sentences": split.sentences,
            "labels": dict(split.labels),
            "hidden_labels": split.hidden,
            "longest_characters": split.longest,
            **({"domains": dict(split.domains)} if split.domains else {}),
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


def _as_dict(item: RunStatus) -> dict[str, object]:
    cell = item.run.cell
    return {
        "cell": cell.id,
        "checkpoint": cell.checkpoint,
        "batch_size": cell.batch_size,
        "learning_rate": cell.learning_rate,
        "settings": cell.settings,
        "seed": item.run.seed,
        "state": _state(item),
        "key": item.key,
        "mcc": _mcc(item),
        "reason": None if item.unavailable is None else str(item.unavailable),
    }


def _as_text(
    planned: Planned,
    inputs: Inputs,
    statuses: list[RunStatus],
    refused: str | None,
    last: list[str],
) -> str:
    """Return a plan as text: skipped runs by reason, then a table of the others.

    Args:
        refused: why a session would not start; None if it would.
        last: lines at the end.
    """
    times = Counter(map(_state, statuses))
    counts = ", ".join(f"{times[state]} {state}" for state in (FINISHED, TO_TRAIN, SKIPPED))
    path = Path(os.path.relpath(planned.path))
    rows = [
        (item.run.cell.id, item.run.seed, _state(item), "" if mcc is None else f"{mcc:.3f}")
        for item in statuses
        for mcc in [_mcc(item)]
        if item.unavailable is None
    ]
    columns = ("cell", "seed", "state", "MCC")
    table = ["", tabulate(rows, columns, "simple", disable_numparse=True)] if rows else []
    heading = f"{planned.suite.name} ({path}): {counted(len(statuses), 'run')}: {counts}"
    lines = [heading] if refused is None else [heading, f"a session would be refused: {refused}"]
    found = [*_data_as_text(inputs), *_checkpoints_as_text(inputs)]
    return "\n".join([*lines, *found, *_skipped(statuses), *table, *last])


def _skipped(statuses: Sequence[RunStatus]) -> list[str]:
    """Return every reason for which runs are skipped, with its checkpoints."""
    reasons: dict[str, Counter[str]] = {}
    cells: dict[tuple[str, str], set[str]] = {}
    for item in statuses:
        if item.unavailable is not None:
            checkpoint = item.run.cell.checkpoint
            # Without the checkpoint's name: several checkpoints may have the same reason.
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
