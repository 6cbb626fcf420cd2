"""The stored records that are a plan's results, found without data, checkpoints or network."""

from collections.abc import Sequence
from typing import Any

from harness.machine.provenance import RESULT_PACKAGES
from harness.session.reuse import as_planned, belongs_to
from harness.store.records import Record
from harness.store.run_store import Stored
from harness.suite.plan import Cell, runs_of
from harness.suite.spec import Suite


def records_for_plan(
    suite: Suite, cells: Sequence[Cell], store: Sequence[Stored]
) -> tuple[list[Stored], list[str]]:
    """Return the newest record of every cell and seed, in plan order, and notes on those left out.

    Data, checkpoints and the network are not used. Other runs count only if they match the newest
    run that ended: the same data, device, recipe and versions of the packages that change a
    result, and the same files of a checkpoint. A skipped run counts only if no other run does.
    """
    runs = {(cell.id, run.seed): run for cell in cells for run in runs_of(cell, suite.training)}
    ours = sorted(
        (
            item
            for item in store
            if (run := runs.get((item.record.cell, item.record.seed))) is not None
            and belongs_to(item.record, run.cell)
            and item.record.training == run.training
        ),
        key=lambda item: item.record.finished_at or "",
        reverse=True,
    )
    ended = [item for item in ours if item.record.status != "skipped"]
    same = [i for i in ended if _setup(i.record) == _setup(ended[0].record)]
    digests: dict[str, str | None] = {}
    for item in same:
        digests.setdefault(item.record.checkpoint, item.record.checkpoint_digest)
    counted = [i for i in same if i.record.checkpoint_digest == digests[i.record.checkpoint]]
    left_out = len(ended) - len(counted)
    found: dict[tuple[str, int], Stored] = {}
    for item in (*counted, *(item for item in ours if item.record.status == "skipped")):
        found.setdefault((item.record.cell, item.record.seed), item)
    notes = (
        [
            f"{left_out} older records are left out: they have other data, checkpoint files, "
            "device, recipe or package versions than the newest"
        ]
        if left_out
        else []
    )
    return [as_planned(run, found[place]) for place, run in runs.items() if place in found], notes


def _setup(record: Record) -> tuple[Any, ...]:
    fingerprint = None if record.dataset is None else record.dataset.fingerprint
    packages = tuple(record.versions.get(package) for package in RESULT_PACKAGES)
    return fingerprint, record.device, record.recipe_version, packages
