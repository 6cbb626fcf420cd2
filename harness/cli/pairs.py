"""Formats many comparisons as a table for a terminal: a row for each pair."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tabulate import tabulate

from harness.judging.sides import differing
from harness.text import counted, printable, some

if TYPE_CHECKING:
    from harness.judging.comparison import Comparison

HEADINGS = ("cell", "MCC A", "MCC B", "A - B", "95 % interval", "p", "A is", "time", "memory")

COSTS = ("time", "memory")
"""Columns that are left out if they are empty."""

MISSING = "-"


def pairs_table(names: Sequence[str], pairs: Sequence["Comparison"]) -> str:
    """Return a table of comparisons, followed by notes.

    Args:
        names: of the pairs, in their order.
    """
    rows = [
        dict(
            zip(
                HEADINGS,
                (printable(name), *_numbers(pair), pair.verdict, *_costs(pair)),
                strict=True,
            )
        )
        for name, pair in zip(names, pairs, strict=True)
    ]
    shown = [
        heading
        for heading in HEADINGS
        if heading not in COSTS or any(row[heading] != MISSING for row in rows)
    ]
    table = tabulate(
        [[row[heading] for heading in shown] for row in rows],
        shown,
        "simple",
        disable_numparse=True,
        colalign=["left" if heading in ("cell", "A is") else "right" for heading in shown],
    )
    return "\n".join([table, "", *_notes(names, pairs, any(each in shown for each in COSTS))])


def _numbers(pair: "Comparison") -> tuple[str, ...]:
    """Return both MCCs, the difference, its interval and the corrected p-value."""
    mccs = [MISSING if mcc is None else f"{mcc:z.3f}" for mcc in (pair.mcc_a, pair.mcc_b)]
    if pair.difference is None or pair.adjusted is None:
        return (*mccs, MISSING, MISSING, MISSING)
    interval = f"{pair.low:+z.3f} to {pair.high:+z.3f}"
    return (*mccs, f"{pair.difference:+z.3f}", interval, f"{pair.adjusted:.2g}")


def _costs(pair: "Comparison") -> tuple[str, str]:
    """Return training time and memory of A divided by those of B."""
    time, memory = (
        MISSING if ratio.value is None else f"x {ratio.value:.3g}"
        for ratio in (pair.time, pair.memory)
    )
    return time, memory


def _notes(names: Sequence[str], pairs: Sequence["Comparison"], costs: bool) -> list[str]:
    notes = [_rows(pairs)]
    if (together := max(pair.corrected_for for pair in pairs)) > 1:
        notes.append(f"p-values are corrected for {together} comparisons (Holm 1979).")
    if costs:
        notes.append("time and memory: A's value divided by B's.")
    few = [
        name
        for name, pair in zip(names, pairs, strict=True)
        if pair.covers is not None and pair.covers != "sentences and seeds"
    ]
    if few:
        which = "All verdicts" if len(few) == len(pairs) else f"The verdicts on {', '.join(few)}"
        notes.append(f"{which} hold for these runs only, because a cell has one seed.")
    differences: dict[str, list[str]] = {}
    for name, pair in zip(names, pairs, strict=True):
        if pair.unlike:
            differences.setdefault(differing(pair.unlike), []).append(name)
    notes += [
        f"settings differ, A against B: {'all rows' if len(each) == len(pairs) > 1 else some(each)}"
        f": {settings}."
        for settings, each in differences.items()
    ]
    obstacles: dict[str, list[str]] = {}
    for name, pair in zip(names, pairs, strict=True):
        for part, reason in _obstacles(pair):
            obstacles.setdefault(reason, []).append(f"{name}{part}")
    notes += [f"not comparable: {', '.join(each)}: {reason}." for reason, each in obstacles.items()]
    return [*map(printable, notes)]


def _rows(pairs: Sequence["Comparison"]) -> str:
    """Return what a row compares, with the number of epochs of its runs."""
    epochs = {side.epochs for pair in pairs for side in (pair.side_a, pair.side_b)}
    trained = f", trained for {counted(min(epochs), 'epoch')}" if len(epochs) == 1 else ""
    return (
        "A row compares one checkpoint, batch size (bs) and learning rate (lr) in A and in B"
        f"{trained}; no cell was selected by score."
    )


def _obstacles(pair: "Comparison") -> Iterator[tuple[str, str]]:
    """Yield the part of a pair that cannot be compared ("" for all of it), and the reason."""
    if pair.obstacle is not None:
        yield "", pair.obstacle
        return
    for found in (pair.time, pair.memory):
        if found.obstacle is not None:
            yield f" ({found.cost.noun})", found.obstacle
