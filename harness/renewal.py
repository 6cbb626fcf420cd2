"""Finished runs brought up to date: what they hold and their key does not is as it is today.

docs/architecture.md lists every such field ("What a key leaves out").
"""

from collections.abc import Sequence
from pathlib import Path

from harness import kept_files
from harness.groups import regrouped
from harness.inputs import Inputs
from harness.plan import Run
from harness.predictions import read_predictions
from harness.records import Record
from harness.reuse import adopted
from harness.run_store import Stored, write_record
from harness.spec import Suite
from harness.text import counted

RENEWED = (
    *("suite", "cell", "checkpoint", "checkpoint_revision", "origin", "dataset"),
    *("scores_in_domain", "scores_out_of_domain", "confusion_by", "model_kept"),
)
"""Fields of a record that a later session may write anew. What a suite asks of a run (threshold,
target, verdict) is judged again wherever a table is made, so it stays as it was at the time."""


def renew(
    reused: Sequence[tuple[Run, Stored]], store: Sequence[Stored], suite: Suite, inputs: Inputs
) -> tuple[list[Stored], list[str]]:
    """Write anew whatever the runs of a store hold that is no longer so.

    Runs that stand for one of today's get its names; every run on today's data gets what the suite
    says of the data, its classes' names above all. Nothing is written where nothing changed.

    Args:
        reused: runs of today's plan with the finished run that stands for each.
        store: all records of the suite.

    Returns:
        the store as it is then, and lines for the user.
    """
    names = _new_names(reused)
    found: list[Stored] = []
    renewed, notes = 0, []
    for item in store:
        current = item
        if _is_of(item.record, inputs):
            run = names.get(item.folder)
            try:
                current = _renewed(item, run, suite, inputs)
            except OSError as error:
                place = f"runs/{item.folder.parent.name}/{item.folder.name}"
                notes.append(
                    f"{place}: cannot be written ({error.strerror}), so names in its record and "
                    "kept model may be those of an earlier suite; make it writable"
                )
        renewed += current is not item
        found.append(current)
    if renewed:
        notes.append(
            f"{counted(renewed, 'finished run')} got the names and data facts of today's suite"
        )
    return found, notes


def _is_of(record: Record, inputs: Inputs) -> bool:
    """Return whether a run was scored on today's data."""
    facts = record.dataset
    return (
        record.status == "ok"
        and facts is not None
        and inputs.dataset is not None
        and facts.fingerprint == inputs.dataset.fingerprint
    )


def _new_names(reused: Sequence[tuple[Run, Stored]]) -> dict[Path, Run]:
    """Return the run of today that each folder is named after.

    Two checkpoints with the same files share a run, which keeps its name if one of them has it.
    """
    found: dict[Path, Run] = {}
    for run, item in reused:
        own = (run.cell.id, run.cell.checkpoint) == (item.record.cell, item.record.checkpoint)
        if own or item.folder not in found:
            found[item.folder] = run
    return found


def _renewed(item: Stored, run: Run | None, suite: Suite, inputs: Inputs) -> Stored:
    """Write a run's kept model and record anew where they are out of date; return it as it is then.

    The record comes last: until it is written, another session finds that there is something to do.

    Raises:
        OSError: something cannot be written.
    """
    old = item.record
    record = old.model_copy(update={"dataset": inputs.dataset})
    if run is not None:
        record = adopted(run, item, inputs).record
    table = None
    if inputs.groups:
        grouped = regrouped(record, read_predictions(item.folder), inputs.groups)
        record, table = (record, None) if grouped is None else grouped
    kept = kept_files.is_kept(item.folder)
    record = record.model_copy(update={"model_kept": kept})
    changed = any(getattr(record, name) != getattr(old, name) for name in RENEWED)
    names = suite.dataset.class_names
    renamed = kept and kept_files.class_names(item.folder) != names
    if not changed and not renamed:
        return item
    if kept:
        kept_files.rename(item.folder, record, names)
    if changed:
        record = write_record(item.folder, record, table)
    return Stored(record, item.folder)
