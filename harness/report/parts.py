"""MCC on parts of the validation data: CoLA's domains, and those that a suite names."""

from collections.abc import Iterable, Sequence

from harness.judging.column import MISSING, decimals, plus_minus
from harness.judging.costs import deviation, mean
from harness.report.pictures.charts import Line
from harness.store.records import Record, Scores

MEANING = {
    "in-domain": "validation sentences from the sources of the training split (in-domain)",
    "out-of-domain": "validation sentences from other sources (out-of-domain)",
}
"""Parts of the validation split on which a run may be scored, with their meaning."""

Part = tuple[float, float | None]
"""A mean over seeds, and their sample standard deviation; None with one seed."""

Groups = dict[str, dict[str, Part | None]]
"""The MCC by part and cell id; None where some seed was not scored on the part."""


def parts(lines: Sequence[Line]) -> Groups:
    """Return the MCC on each part on which some cell was scored."""
    scores = {line.cell.id: [_scores(run) for run in line.runs] for line in lines}
    names = dict.fromkeys(name for of_cell in scores.values() for run in of_cell for name in run)
    known = {
        name: {
            cell: _over_seeds([run.get(name) for run in of_cell])
            for cell, of_cell in scores.items()
        }
        for name in names
    }
    return {name: mccs for name, mccs in known.items() if set(mccs.values()) - {None}}


def _scores(record: Record) -> dict[str, Scores | None]:
    """Return the scores on each part of the validation split."""
    return {
        "in-domain": record.scores_in_domain,
        "out-of-domain": record.scores_out_of_domain,
        **(record.scores_by_domain or {}),
    }


def lines_on_parts(lines: Iterable[Line], groups: Groups) -> list[Line]:
    """Return the lines that have an MCC on some part."""
    return [line for line in lines if any(mccs[line.cell.id] for mccs in groups.values())]


def in_text(found: Part | None) -> str:
    """Write a mean with its deviation."""
    if found is None:
        return MISSING
    value, of_seeds = found
    return f"{decimals(3)(value)}{plus_minus(of_seeds, decimals(3))}"


def caption(lines: Sequence[Line], names: Iterable[str]) -> str:
    """Return the caption of a table of the MCC by part, with its limits.

    Args:
        names: the parts in the table, at least one.
    """
    meanings = [MEANING.get(name, f"the validation sentences named {name}") for name in names]
    *most, last = meanings
    listed = " and on ".join([*([", on ".join(most)] if most else []), last])
    of_seeds = (
        ", ± the sample standard deviation over seeds, which does not cover other sentences"
        if any(len(line.runs) > 1 for line in lines)
        else "; with one seed there is no ±"
    )
    intervals = (
        "There is no 95 % interval: it needs the prediction for every sentence of a part, and "
        "records do not list these sentences."
    )
    if any("domain" in (run.groupings or {}) for line in lines for run in line.runs):
        intervals = "Below, 95 % intervals of the differences of the best cells."
    return f"Mean MCC over the seeds of a row on {listed}{of_seeds}. {intervals}"


def _over_seeds(scores: Iterable[Scores | None]) -> Part | None:
    mccs = [None if each is None else each.mcc for each in scores]
    value = mean(mccs)
    return None if value is None else (value, deviation(mccs))
