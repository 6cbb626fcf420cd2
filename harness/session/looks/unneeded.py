"""Missing runs that the looks at finished ones have made unnecessary before a session begins."""

from collections.abc import Sequence
from dataclasses import replace

from harness.session.looks.needed import RunId, looked, needs, run_id
from harness.session.reuse import adopted
from harness.session.run_status import RunStatus, skipped
from harness.store.records import Record
from harness.suite.plan import Cell


def with_unneeded(
    statuses: Sequence[RunStatus], cells: Sequence[Cell], compared: bool
) -> list[RunStatus]:
    """Return the statuses of a suite's runs, with those marked that will never be needed.

    Args:
        cells: all cells of the statuses.
        compared: whether the cells are compared with a baseline.
    """
    records: dict[RunId, Record] = {}
    for item in statuses:
        if item.unavailable is not None:
            records[run_id(item.run)] = skipped(item.run, item.unavailable)
        elif item.stored is not None:
            records[run_id(item.run)] = adopted(item.run, item.stored).record
    released = needs([looked(cells, records, compared)]).released
    return [replace(item, needed=run_id(item.run) not in released) for item in statuses]
