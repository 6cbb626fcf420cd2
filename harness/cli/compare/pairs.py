"""Formats many comparisons as a table for a terminal: a row for each pair."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from tabulate import tabulate

from harness.judging.sides import differing
from harness.text import printable, series, some

if TYPE_CHECKING:
    from harness.judging.comparison import Comparison
    from harness.judging.costs import Ratio

COSTS = {"time": "time", "eval": "evaluation", "memory": "memory", "latency": "latency"}
"""Headings of ratios with their names; a column without any ratio is left out."""

MISSING = "-"

K = TypeVar("K")


def pairs_table(names: Sequence[str], pairs: Sequence["Comparison"]) -> str:
    """Return a table of comparisons, followed by notes.

    Args:
        names: of the pairs, in their order.
    """
    rows = [_row(name, pair) for name, pair in zip(names, pairs, strict=True)]
    shown = [
        heading
        for heading in rows[0]
        if heading not in COSTS or any(row[heading] != MISSING for row in rows)
    ]
    costs = [heading for heading in COSTS if heading in shown]
    table = tabulate(
        [[row[heading] for heading in shown] for row in rows],
        shown,
        "simple",
        disable_numparse=True,
        colalign=["left" if heading in ("cell", "A is") else "right" for heading in shown],
    )
    return "\n".join([table, "", *_notes(names, pairs, costs)])


def _row(name: str, pair: "Comparison") -> dict[str, str]:
    """Return a pair's row by heading; costs are A's divided by B's."""
    from harness.judging.comparison.conclusions import mccs
    from harness.judging.differences import p_text, with_interval

    mcc_a, mcc_b = mccs(pair)
    difference = interval = MISSING
    if pair.difference is not None and pair.low is not None and pair.high is not None:
        difference, interval = with_interval(pair.difference, pair.low, pair.high)
    return {
        "cell": printable(name),
        "MCC A": mcc_a,
        "MCC B": mcc_b,
        "A - B": difference,
        "95 % interval": interval,
        "p": MISSING if pair.adjusted is None else p_text(pair.adjusted),
        "A is": pair.verdict,
        **{heading: _times(pair.ratios.get(name)) for heading, name in COSTS.items()},
    }


def _times(found: "Ratio | None") -> str:
    if found is None or found.value is None:
        return MISSING
    return f"{'~' if found.rough else ''}{found.write(found.value)}"


def _notes(names: Sequence[str], pairs: Sequence["Comparison"], costs: Sequence[str]) -> list[str]:
    from harness.judging.comparison.conclusions import unwatched_times

    notes = [_rows(pairs)]
    together = max(pair.corrected_for for pair in pairs)
    corrected = f"p-values are corrected for {together} comparisons (Holm 1979)"
    about = [*([corrected] if together > 1 else []), *_populations(names, pairs)]
    notes += [f"{'; '.join(about)}."] if about else []
    notes += _without_sources(names, pairs)
    if costs:
        known = {name: found.cost.noun for pair in pairs for name, found in pair.ratios.items()}
        nouns = [known[COSTS[heading]] for heading in costs]
        about_costs = [f"{series(costs)}: A's {series(nouns)}, divided by B's"]
        cautions = _grouped(names, pairs, lambda pair: [unwatched_times(pair)])
        about_costs += [
            caution if len(each) == len(pairs) else f"{caution} (in {some(each)})"
            for caution, each in cautions.items()
        ]
        notes.append(f"{'; '.join(about_costs)}.")
    few = [
        name
        for name, pair in zip(names, pairs, strict=True)
        if pair.covers is not None and pair.covers != "sentences and seeds"
    ]
    if few:
        which = "All verdicts" if len(few) == len(pairs) else f"The verdicts on {', '.join(few)}"
        notes.append(f"{which} hold for these runs only, because a cell has one seed.")
    differences = _grouped(
        names, pairs, lambda pair: [differing(pair.unlike) if pair.unlike else None]
    )
    notes += [
        f"settings differ, A against B: {'all rows' if len(each) == len(pairs) > 1 else some(each)}"
        f": {settings}."
        for settings, each in differences.items()
    ]
    notes += [
        f"not comparable: {'all rows' if len(each) == len(pairs) > 1 else ', '.join(each)}{part}: "
        f"{reason}."
        for (part, reason), each in _grouped(names, pairs, _obstacles).items()
    ]
    return [*map(printable, notes)]


def _grouped(
    names: Sequence[str],
    pairs: Sequence["Comparison"],
    told: "Callable[[Comparison], Iterable[K | None]]",
) -> "dict[K, list[str]]":
    """Return the names of the pairs by what is told of them; None is nothing."""
    found: dict[K, list[str]] = {}
    for name, pair in zip(names, pairs, strict=True):
        for each in told(pair):
            if each is not None:
                found.setdefault(each, []).append(name)
    return found


def _populations(names: Sequence[str], pairs: Sequence["Comparison"]) -> Iterator[str]:
    """Yield what intervals and verdicts are about, if the records contain sources."""
    from harness.judging.differences import with_interval
    from harness.judging.populations import IN_WORDS
    from harness.stats.multiplicity import ALPHA

    known = [
        (name, each, with_interval(each.difference, each.low_sources, each.high_sources)[1])
        for name, each in zip(names, pairs, strict=True)
        if each.difference is not None
        and each.low_sources is not None
        and each.high_sources is not None
    ]
    if known:
        shown = [
            f"{name} ({interval})"
            for name, pair, interval in known
            if pair.adjusted_sources is not None and pair.adjusted_sources < ALPHA
        ]
        yield f"95 % interval, p and verdict are about {IN_WORDS['sentences']}"
        differ = f"differences are shown for {some(shown)}" if shown else "no difference is shown"
        yield f"on {IN_WORDS['sources']}, {differ}"


def _without_sources(names: Sequence[str], pairs: Sequence["Comparison"]) -> Iterator[str]:
    """Yield why pairs have no interval for other sources."""
    from harness.judging.populations import IN_WORDS

    reasons = _grouped(names, pairs, lambda pair: [pair.obstacle_sources])
    for reason, own in reasons.items():
        which = "all rows" if len(own) == len(pairs) > 1 else some(own)
        yield f"no interval for {IN_WORDS['sources']}: {which}: {reason}."


def _rows(pairs: Sequence["Comparison"]) -> str:
    """Return what a row compares, with the number of epochs of its runs."""
    epochs = {side.trained for pair in pairs for side in (pair.side_a, pair.side_b)}
    trained = f", trained for {min(epochs)}" if len(epochs) == 1 else ""
    return (
        "A row compares one checkpoint, batch size (bs) and learning rate (lr) in A and in B"
        f"{trained}; no cell was selected by score."
    )


def _obstacles(pair: "Comparison") -> Iterator[tuple[str, str]]:
    """Yield each cause why a part of a pair ("" for all of it) cannot be compared: part, cause.

    A cause that several costs share comes once, with all of them.
    """
    if pair.obstacle is not None:
        yield "", pair.obstacle
        return
    costs: dict[str, dict[str, None]] = {}
    for found in pair.ratios.values():
        for reason in found.reasons:
            costs.setdefault(reason.cause, {})[found.cost.noun] = None
    for cause, nouns in costs.items():
        yield f" ({series([*nouns])})", cause
