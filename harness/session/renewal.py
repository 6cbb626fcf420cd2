"""Updates finished runs: fields that are not part of a run's key get their current values.

docs/architecture.md lists every such field ("What a key leaves out").
"""

from collections.abc import Sequence
from pathlib import Path

from harness.kept import kept_files
from harness.session.reuse import adopted
from harness.session.run_status import RunStatus
from harness.session.suite_inputs import Inputs
from harness.store.grouping import Grouping
from harness.store.groups import is_grouped, regrouped
from harness.store.predictions import read_predictions
from harness.store.records import Record
from harness.store.run_store import Stored, write_record
from harness.suite.plan import Run
from harness.suite.spec import Suite
from harness.text import counted

RENEWED = (
    *("suite", "cell", "checkpoint", "checkpoint_revision", "origin", "dataset"),
    *("scores_in_domain", "scores_out_of_domain", "scores_by_domain", "confusion_by", "groupings"),
    "model_kept",
)
"""Fields of a record that a later session may update. The suite's requirements for a run
(threshold, target, verdict) keep their old values: they are computed again for every table."""


def renew(
    statuses: Sequence[RunStatus], store: Sequence[Stored], suite: Suite, inputs: Inputs
) -> tuple[list[Stored], list[str]]:
    """Update the outdated fields of the runs in a store.

    A run that the current plan reuses gets the plan's names; every run on the current data gets
    the suite's description of the data, mainly its class names. Unchanged runs are not written.

    Args:
        statuses: of the runs of the current plan.
        store: all records of the suite.

    Returns:
        the updated store, and lines for the user.
    """
    names = _new_names(statuses)
    found: list[Stored] = []
    renewed = with_other_sources = 0
    notes = []
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
                    "kept model may come from an earlier suite; make it writable"
                )
        renewed += current is not item
        before = _sources(item.record)
        with_other_sources += before is not None and before != _sources(current.record)
        found.append(current)
    if renewed:
        notes.append(
            f"{counted(renewed, 'finished run')} got the names and data facts of the current suite"
        )
    if with_other_sources:
        runs = counted(with_other_sources, "finished run")
        notes.append(
            f"{runs} got the sources of the current suite (dataset.group_column): intervals for "
            "sentences of other sources, and MCC by source, may differ from earlier tables"
        )
    return found, notes


def _sources(record: Record) -> Grouping | None:
    return (record.groupings or {}).get("source")


def _is_of(record: Record, inputs: Inputs) -> bool:
    """Return whether a run was scored on the current data."""
    facts = record.dataset
    return (
        record.status == "ok"
        and facts is not None
        and inputs.dataset is not None
        and facts.fingerprint == inputs.dataset.fingerprint
    )


def _new_names(statuses: Sequence[RunStatus]) -> dict[Path, Run]:
    """Return, for each folder, the run of the current plan whose names it gets.

    Two checkpoints with the same files share a run, which keeps its name if one of them has it.
    """
    found: dict[Path, Run] = {}
    for run, item in ((status.run, status.stored) for status in statuses):
        if item is not None:
            own = (run.cell.id, run.cell.checkpoint) == (item.record.cell, item.record.checkpoint)
            if own or item.folder not in found:
                found[item.folder] = run
    return found


def _renewed(item: Stored, run: Run | None, suite: Suite, inputs: Inputs) -> Stored:
    """Update a run's kept model and record if they are outdated; return the updated run.

    The record is written last: if this is interrupted, the next session finds the run outdated.

    Raises:
        OSError: a file cannot be written.
    """
    old = item.record
    record = old.model_copy(update={"dataset": inputs.dataset})
    if run is not None:
        record = adopted(run, item, inputs).record
    table = None
    if inputs.groups and not _is_grouped(record, item, inputs):
        grouped = regrouped(record, read_predictions(item.folder), inputs.groups)
        record, table = (record, None) if grouped is None else grouped
    kept = kept_files.is_kept(item.folder)
    record = record.model_copy(update={"model_kept": kept})
    changed = any(getattr(record, name) != getattr(old, name) for name in RENEWED)
    assert inputs.source is not None  # the run was scored on the current data
    names = inputs.source.spec.class_names
    renamed = kept and kept_files.class_names(item.folder) != names
    if not changed and not renamed:
        return item
    if kept:
        kept_files.rename(item.folder, record, names)
    if changed:
        record = write_record(item.folder, record, table)
    return Stored(record, item.folder)


def _is_grouped(record: Record, item: Stored, inputs: Inputs) -> bool:
    """Return whether the verified predictions of a run are known to have the current groups."""
    return item.sentences is not None and is_grouped(record, item.sentences, inputs.groups)
