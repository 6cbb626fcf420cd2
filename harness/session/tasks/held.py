"""Stopped runs of earlier sessions that may have to train again."""

from collections.abc import Mapping, Sequence

from harness.judging.decided.stops import CellKey, Stops
from harness.session.tasks.task import Missing


def stops_and_held(
    missing: Sequence[Missing], beside: Sequence[Missing], aims: Mapping[CellKey, float]
) -> tuple[Stops, list[Missing]]:
    """Return when runs may stop, and the stopped runs of earlier sessions that may train again.

    Args:
        missing: the runs that train.
        beside: finished runs of their cells.
        aims: see Stops.
    """
    finished = [
        (each, each.status.stored.record) for each in beside if each.status.stored is not None
    ]
    cells = dict.fromkeys(each.status.run.cell for each in missing)
    stops = Stops(cells, aims, [record for _, record in finished])
    return stops, [each for each, record in finished if record.stopped is not None]
