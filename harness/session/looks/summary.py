"""What the looks at a suite's cells saved, as text at the end of a session."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from harness.judging.looks.standing import Standing
from harness.session.looks.needed import RunId
from harness.suite.plan import Cell
from harness.text import counted


def summary(
    cells: Sequence[Cell],
    standings: Mapping[str, Standing],
    scored: Collection[RunId],
    ahead: Collection[RunId],
) -> Iterator[str]:
    """Yield lines on a suite's looks; none without looks.

    Args:
        standings: by cell id.
        scored: the runs with a score.
        ahead: the runs that the session trained before they were needed.
    """
    if not standings:
        return
    planned = [(cell.suite, cell.id, seed) for cell in cells for seed in cell.seeds]
    spare = {
        (cell.suite, cell.id, seed)
        for cell in cells
        for seed in cell.seeds[standings[cell.id].most :]
    }
    had = set(planned) & set(scored)
    text = (
        f"looks: of {counted(len(planned), 'planned run')}, {len(had)} scored, "
        f"{len(spare - had)} not needed"
    )
    if wasted := len(spare & set(ahead) & had):
        text += f"; {wasted} of those scored trained ahead on an idle worker and not needed"
    yield text
    for cell in cells:
        yield f"{cell.id}: {standings[cell.id].in_words()}"
