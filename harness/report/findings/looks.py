"""What looks at some of the seeds decided: the section of the document and the page."""

from collections.abc import Iterator, Mapping

from harness.judging.gates import Judgement
from harness.markup import code, escaped
from harness.report.published import Published
from harness.suite.looks import Looks
from harness.text import counted

FORMS = {"obrien-fleming": "O'Brien and Fleming's form", "pocock": "Pocock's form"}


def looks_section(published: Published, judgements: Mapping[str, Judgement]) -> Iterator[str]:
    """Yield how cells were judged at looks, and what the looks showed of each cell.

    Args:
        judgements: by cell id.
    """
    looks = next((cell.looks for cell in published.cells if cell.looks is not None), None)
    if looks is None:
        return
    yield "## Looks"
    yield _introduction(looks, published)
    lines = [
        f"- {code(cell.id)}: {escaped(standing.in_words())}"
        for cell in published.cells
        for standing in [judgements[cell.id].standing]
        if standing is not None
    ]
    yield "\n".join(lines)


def _introduction(looks: Looks, published: Published) -> str:
    *most, last = map(str, looks.after)
    numbers = f"{', '.join(most)} and {last} seeds" if most else counted(looks.after[0], "seed")
    planned = sum(len(cell.seeds) for cell in published.cells)
    trained = sum(run.scores is not None for run in published.records)
    spared = len(not_needed(published) - {(run.cell, run.seed) for run in published.records})
    text = (
        f"Cells are judged after {numbers}; the levels of the looks (Lan and DeMets' spending of "
        f"error in {FORMS[looks.spending]}) are such that"
    )
    if looks.race:
        text += (
            " the whole race drops a cell wrongly in at most 5 % of cases. Cells that are worse "
            "than the leader beyond chance are dropped: they have no rank, and are listed after "
            "the others."
        )
        if looks.margin is not None:
            text += f" It ends when all cells left are within {looks.margin:g} of each other."
        if looks.settled is not None:
            text += _settled(looks, published)
    else:
        text += " each gate decides wrongly in at most 5 % of cases, both directions together."
    return (
        f"{text} A mean over the seeds at which a look decided is a little biased towards the "
        f"decision. Of {counted(planned, 'planned run')}, {trained} are scored and {spared} were "
        "not needed."
    )


def _settled(looks: Looks, published: Published) -> str:
    """Return what happens to cells that would hardly become the winner."""
    hardly = (
        "with all seeds they would be better than the leader beyond chance with predicted "
        f"probabilities that add up to less than {looks.settled:g}"
    )
    if looks.whole or published.baseline is not None:
        return (
            f" The race ends when all other cells would hardly become the winner: {hardly}. No "
            "cell is set aside before, because the means of all seeds are judged. They are not "
            "shown to be worse."
        )
    return (
        " Cells that would hardly become the winner are set aside and have no rank either: "
        f"{hardly}. If these are all other cells, the race ends. They are not shown to be worse."
    )


def not_needed(published: Published) -> set[tuple[str, int]]:
    """Return the runs that looks have made unnecessary, by cell and seed."""
    return {
        (cell.id, seed)
        for cell in published.cells
        if cell.id in published.standings
        for seed in cell.seeds[published.standings[cell.id].most :]
    }
