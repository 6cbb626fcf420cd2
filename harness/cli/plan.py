"""`harness plan`: shows what `pytest benchmarks/` would train and skip, and why."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import click

from harness.cli.choices import EVERY, chosen, options, strict
from harness.errors import BadInput
from harness.forecast.schedule import describe, schedule
from harness.inputs import hub
from harness.inputs.duplicates import near_in_words
from harness.judging import detectable
from harness.judging.decided import aims_of, never_stopped
from harness.judging.detectable import Detectable
from harness.judging.gates.before_training import baseline_notes
from harness.machine import contention
from harness.machine.contention import Moment
from harness.session.budget.outside import stopped_before
from harness.session.budget.selection import as_candidates, select
from harness.session.looks.selection import fewest_runs, looks_in_words
from harness.session.looks.unneeded import with_unneeded
from harness.session.options import Options, Planned
from harness.session.request import read_request
from harness.session.run_status import RunState, RunStatus, again_in_words, run_statuses
from harness.session.strictness import refusals
from harness.session.suite_inputs import Inputs, find_all_inputs
from harness.stats import Sources
from harness.store import lock, run_store
from harness.store.records import Record
from harness.store.stopped import at_least
from harness.text import counted, printable

MOST_CHECKPOINTS = 12
"""Maximum number of checkpoints listed below a reason; the rest is counted."""


@click.command(short_help="show what would run, what is finished, and what cannot run")
@options(EVERY)
@strict
@click.option("--json", "as_json", is_flag=True, help="print JSON, for programs")
def plan(as_json: bool, **values: Any) -> None:
    """Show what `pytest benchmarks/` with the same options would run.

    Finds data and checkpoints as a session does, which may download a checkpoint from the hub,
    and trains nothing. Shows the contents of each split, and the time and memory that training
    should take here. A run is finished if the store contains it with the same data, checkpoint,
    settings, seed, device, recipe (version of the training code) and package versions; if it only
    contains an earlier form of it, the column "not reused" says what differs. A run is not needed
    if looks at finished runs have decided without it. Also shows if a session would be refused
    because it would replace tables of other runs, or, with --strict, because of its gates.

    If the suite has looks or a race, shows them, with the fewest and the most runs that they may
    train; the expected time is then that of the most.

    Shows the smallest drop and difference in MCC that the planned seeds and validation sentences
    detect with a probability of 80 %: on other sentences of the same sources and, if the sources
    are known, on sentences of other sources.

    \b
    Examples:
      harness plan
      harness plan --suite mine.toml --seeds 1,2,3
      harness plan --suite benchmarks/cola.toml --cola-dir ~/cola_public --json
    """
    began = contention.now()
    request = read_request(chosen(values))
    session, suites = request.options, request.planned
    probed_hub = hub.without_asking() if request.problems else hub.probe()
    stores = [session.results / planned.suite.name / "runs" for planned in suites]
    problems = [problem for problem in map(lock.obstacle, stores) if problem is not None]
    inputs, mistakes = find_all_inputs(suites, request.cells, session, probed_hub)
    if problems := list(dict.fromkeys([*request.problems, *problems, *mistakes])):
        raise BadInput(problems)
    plans = [_plan(planned, inputs[planned.suite.name], session, began) for planned in suites]
    if session.budget is not None:
        plans = _within_budget(plans, session, contention.since(began))
    if as_json:
        click.echo(json.dumps({"suites": [_suite_as_dict(each) for each in plans]}, indent=1))
    else:
        click.echo("\n\n".join(map(_as_text, plans)))


@dataclass(frozen=True)
class _Plan:
    """What a session would do for one suite.

    `refused` is the reason why it would not start; None if it would. `detectable` is what its
    comparisons can detect; empty if the data cannot be reached. `remarks` are lines about the
    training and about unreadable records. `outside` has cell and seed of every run that does not
    fit the budget. `compared` is whether there is a baseline.
    """

    planned: Planned
    inputs: Inputs
    statuses: Sequence[RunStatus]
    refused: str | None
    detectable: Sequence[Detectable]
    remarks: Sequence[str]
    outside: frozenset[tuple[str, int]] = frozenset()
    compared: bool = False


def _plan(planned: Planned, inputs: Inputs, session: Options, began: Moment | None) -> _Plan:
    """Look up the runs of a suite.

    Args:
        began: the start of the measurement of other programs' CPU use.
    """
    from harness.session import overwriting  # it loads pandas, which no other command line needs

    store, unreadable = run_store.read_store(session.results / planned.suite.name)
    baseline = session.baseline_of(planned.suite.name)
    aims = aims_of(planned.suite, planned.cells, baseline)
    statuses = run_statuses(planned.suite, planned.cells, inputs, store, session.rerun, aims)
    statuses = with_unneeded(statuses, planned.cells, baseline is not None)
    works = [inputs.work(item.run) for item in statuses if item.state == "to train"]
    refused = "; ".join(refusals([planned], planned.cells, session)) or overwriting.foreseen(
        planned, statuses, store, len(works), inputs, session
    )
    earlier = [item.record for item in store]
    if baseline is not None:
        earlier += baseline.records
    forecast = []
    if session.strict and (skipped := sum(item.state == "skipped" for item in statuses)):
        forecast = [f"--strict: a session would fail, because {counted(skipped, 'run')} cannot run"]
    if works:
        limit = planned.suite.limits.workers
        workers = limit if isinstance(limit, int) else None
        records = [item.record for item in store]
        plan = schedule(works, workers, records, contention.since(began))
        forecast.append(describe(plan, plan.sharing.workers))
    forecast += looks_in_words(planned.cells, baseline is not None)
    found = _detectable(planned, inputs, earlier)
    training = dict.fromkeys(item.run.cell for item in statuses if item.state == "to train")
    changed = baseline_notes(planned.suite, [*training], baseline, inputs.device)
    remarks = [*again_in_words(statuses), *forecast, *changed, *never_stopped(aims), *unreadable]
    return _Plan(planned, inputs, statuses, refused, found, remarks, compared=baseline is not None)


def _within_budget(plans: Sequence[_Plan], session: Options, others: float | None) -> list[_Plan]:
    """Return the plans with the runs that a session with this budget leaves out.

    Args:
        others: cores that other programs keep busy, if known.
    """
    assert session.budget is not None
    statuses = [item for each in plans for item in each.statuses]
    inputs = {each.planned.suite.name: each.inputs for each in plans}
    to_train = [item for item in statuses if item.state == "to train"]
    works = [inputs[item.run.cell.suite].work(item.run) for item in to_train]
    if not works:
        return list(plans)
    store = [item for name in inputs for item in run_store.read_store(session.results / name)[0]]
    limits = [each.planned.suite.limits.workers for each in plans]
    plan_of = partial(
        schedule,
        workers=min((limit for limit in limits if isinstance(limit, int)), default=None),
        earlier=[item.record for item in store],
        others=others,
    )
    candidates = as_candidates(statuses, [each.planned for each in plans], session)
    least = stopped_before(store)
    try:
        found = select(to_train, works, candidates, plan_of, session.budget, least=least)
    except BadInput as error:
        refused = "; ".join(error.problems)
        return [replace(each, refused=each.refused or refused) for each in plans]
    runs = [to_train[position].run for position in found.outside]

    def outside(suite: str) -> frozenset[tuple[str, int]]:
        return frozenset((run.cell.id, run.seed) for run in runs if run.cell.suite == suite)

    return [
        replace(each, remarks=[*each.remarks, found.note], outside=outside(each.planned.suite.name))
        for each in plans
    ]


def _detectable(planned: Planned, inputs: Inputs, earlier: Sequence[Record]) -> list[Detectable]:
    """Return what the planned comparisons can detect.

    Args:
        earlier: records of any data and checkpoints.
    """
    facts = inputs.dataset
    if facts is None:
        return []
    on_same = [
        record
        for record in earlier
        if record.dataset is not None and record.dataset.fingerprint == facts.fingerprint
    ]
    known = inputs.sources
    sources = known if isinstance(known, Sources) else None
    spreads = {}
    for name in dict.fromkeys(cell.checkpoint for cell in planned.cells):
        checkpoint = inputs.checkpoints.get(name)
        own = [
            record
            for record in on_same
            if checkpoint is not None and record.checkpoint_digest == checkpoint.digest
        ]
        spreads[name] = detectable.spread_of(own, facts.validation, sources)
    return detectable.detectable(planned.cells, spreads, facts.validation, known)


def _suite_as_dict(plan: _Plan) -> dict[str, object]:
    return {
        "suite": plan.planned.suite.name,
        "data": _data_as_dict(plan.inputs),
        "checkpoints": _checkpoints_as_dict(plan.inputs),
        "equal_checkpoints": plan.inputs.twins(),
        "refused": plan.refused,
        "detectable": [detectable.as_dict(each) for each in plan.detectable],
        "looks": _looks_as_dict(plan.planned, plan.compared),
        "remarks": list(plan.remarks),
        "runs": [_run_as_dict(item, _state(plan, item)) for item in plan.statuses],
    }


def _looks_as_dict(planned: Planned, compared: bool) -> dict[str, object] | None:
    """Return the looks at a suite's cells, with the fewest and the most runs; None without."""
    looks = planned.cells[0].looks
    if looks is None:
        return None
    most = sum(len(cell.seeds) for cell in planned.cells)
    fewest = fewest_runs(planned.cells, compared)
    return {**looks.model_dump(), "fewest_runs": fewest, "most_runs": most}


def _mcc(item: RunStatus) -> float | None:
    scores = None if item.stored is None else item.stored.record.scores
    return None if scores is None else scores.mcc


def _stopped(item: RunStatus) -> bool:
    return item.stored is not None and item.stored.record.stopped is not None


def _mcc_as_text(item: RunStatus) -> str:
    if (mcc := _mcc(item)) is None:
        return ""
    return at_least(mcc) if _stopped(item) else f"{mcc:z.3f}"


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
    found = inputs.dataset.duplicates
    return {
        "origin": inputs.dataset.origin,
        "splits": splits,
        "notes": [*inputs.notes, *inputs.slices.notes],
        "duplicates": None if found is None else found.model_dump(),
    }


def _data_as_text(inputs: Inputs) -> list[str]:
    if inputs.dataset is None:
        return []
    splits = [f"  {split.split}: {split.in_words()}" for split in inputs.splits]
    notes = [f"  note: {note}" for note in (*inputs.notes, *inputs.slices.notes)]
    found = inputs.dataset.duplicates
    near = [] if found is None else [f"  {near_in_words(found)}"]
    return [f"data: {inputs.dataset.origin}", *map(printable, [*splits, *notes, *near])]


def _checkpoints_as_dict(inputs: Inputs) -> dict[str, object]:
    return {
        name: {
            "digest": found.digest,
            "origin": None if found.origin is None else found.origin.model_dump(),
        }
        for name, found in inputs.checkpoints.items()
    }


def _checkpoints_as_text(inputs: Inputs) -> list[str]:
    lines = [
        printable(f"checkpoint {name}: sha256 {found.digest[:12]}{origin}")
        for name, found in inputs.checkpoints.items()
        for origin in ["" if found.origin is None else f"; {found.origin.in_words()}"]
    ]
    return [*lines, *(f"note: {note}" for note in inputs.twins())]


def _state(plan: _Plan, item: RunStatus) -> RunState:
    """Return what a session with these options does with a run."""
    place = (item.run.cell.id, item.run.seed)
    return "outside the budget" if place in plan.outside else item.state


def _run_as_dict(item: RunStatus, state: RunState) -> dict[str, object]:
    cell = item.run.cell
    return {
        "cell": cell.id,
        "checkpoint": cell.checkpoint,
        "batch_size": cell.batch_size,
        "learning_rate": cell.learning_rate,
        "settings": cell.settings,
        "seed": item.run.seed,
        "state": state,
        "key": item.key,
        "again": list(item.again),
        "mcc": None if _stopped(item) else _mcc(item),
        **({"mcc_at_least": _mcc(item)} if _stopped(item) else {}),
        "reason": None if item.unavailable is None else str(item.unavailable),
    }


def _as_text(plan: _Plan) -> str:
    """Return a plan as text: skipped runs by reason, then a table of the others."""
    planned, inputs, statuses = plan.planned, plan.inputs, plan.statuses
    times = Counter(item.state for item in statuses)
    outside = plan.outside
    times["to train"] -= len(outside)
    times["outside the budget"] += len(outside)
    always = ("finished", "to train", "skipped")
    counts = ", ".join(
        f"{times[state]} {state}" for state in get_args(RunState) if times[state] or state in always
    )
    path = Path(os.path.relpath(planned.path))
    lines = [f"{planned.suite.name} ({path}): {counted(len(statuses), 'run')}: {counts}"]
    if plan.refused is not None:
        first, *others = plan.refused.splitlines()
        lines += [f"a session would be refused: {first}", *(f"  {line}" for line in others)]
    lines += [*_data_as_text(inputs), *_checkpoints_as_text(inputs)]
    lines += [*map(printable, detectable.in_words(plan.detectable)), *_skipped(inputs, statuses)]
    rows = [
        (
            *(item.run.cell.id, item.run.seed, _state(plan, item), _mcc_as_text(item)),
            ", ".join(item.again),
        )
        for item in statuses
        if item.unavailable is None
    ]
    if rows:
        headings = ("cell", "seed", "state", "MCC", "not reused")
        shown = len(headings) if any(row[-1] for row in rows) else len(headings) - 1
        lines += ["", *_table(headings[:shown], [row[:shown] for row in rows])]
    return "\n".join([*lines, *plan.remarks])


def _table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a table as tabulate's format "simple" does, which takes ten times longer.

    A plan may have many thousands of runs.
    """
    columns = list(zip(*([str(cell) for cell in row] for row in rows), strict=True))
    widths = [
        max(len(heading) + 2, *map(len, column))
        for heading, column in zip(headings, columns, strict=True)
    ]
    row = "  ".join(f"{{:<{width}}}" for width in widths)
    for cells in (headings, ["-" * width for width in widths], *zip(*columns, strict=True)):
        yield row.format(*cells).rstrip()


def _skipped(inputs: Inputs, statuses: Sequence[RunStatus]) -> list[str]:
    """Return every reason for which runs are skipped, with its checkpoints."""
    reasons: dict[str, dict[str, list[str]]] = {}
    for item in statuses:
        if item.unavailable is not None:
            checkpoint = item.run.cell.checkpoint
            # Not `item.unavailable`, which names the checkpoint: several may have the same reason.
            reason = str(inputs.unavailable.get("") or inputs.unavailable[checkpoint])
            cells = reasons.setdefault(reason, {}).setdefault(checkpoint, [])
            cells.append(item.run.cell.id)
    lines = []
    for reason, found in reasons.items():
        lines.append(f"skipped: {reason}")
        lines += [
            printable(
                f"  {checkpoint}: {counted(len(cells), 'run')} of "
                f"{counted(len(set(cells)), 'cell')}"
            )
            for checkpoint, cells in list(found.items())[:MOST_CHECKPOINTS]
        ]
        if (more := len(found) - MOST_CHECKPOINTS) > 0:
            lines.append(f"  and {counted(more, 'more checkpoint')}")
    return lines
