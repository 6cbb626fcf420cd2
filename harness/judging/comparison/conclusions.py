"""Comparisons in words: what one shows, on which slices, at which costs, and what is behind it."""

from collections.abc import Iterator

from harness.judging.comparison import Comparison
from harness.judging.costs import Ratio
from harness.judging.differences import p_text, with_interval
from harness.judging.populations import IN_WORDS
from harness.judging.sides import differing, in_words, selection_note
from harness.stats.multiplicity import ALPHA
from harness.text import apart, counted, series


def conclusion(pair: Comparison) -> str:
    """Return the result of a comparison as one sentence."""
    if pair.obstacle is not None:
        return f"{pair.a} and {pair.b} cannot be compared: {pair.obstacle}."
    assert pair.difference is not None
    assert pair.low is not None
    assert pair.high is not None
    assert pair.adjusted is not None
    head = {
        "better": f"{pair.a} is better than {pair.b}",
        "worse": f"{pair.a} is worse than {pair.b}",
    }.get(pair.verdict, f"No difference is shown between {pair.a} and {pair.b}")
    pairs = pair.corrected_for
    correction = "" if pairs == 1 else f", corrected for {pairs} comparisons"
    one_seed = ", for these runs only because a cell has one seed"
    scope = "" if pair.covers == "sentences and seeds" else one_seed
    same = ""
    if pair.identical and pair.low < pair.high:
        same = ", from the number of sentences alone: they predict the same for each of them"
    elif pair.identical:
        same = ", because these are the same runs"
    difference, interval = with_interval(pair.difference, pair.low, pair.high)
    return (
        f"{head}: MCC {' against '.join(mccs(pair))}, a difference of "
        f"{difference} (95 % interval {interval}, "
        f"p = {p_text(pair.adjusted)}{correction}{scope}{same}){_sources(pair)}{_costs(pair)}."
    )


def mccs(pair: Comparison) -> tuple[str, str]:
    """Format both MCCs; if one is better, they read differently."""
    a, b = pair.mcc_a, pair.mcc_b
    if a is None or b is None or pair.verdict not in ("better", "worse"):
        return ("-" if a is None else f"{a:z.3f}"), ("-" if b is None else f"{b:z.3f}")
    return apart(a, b, least=3)


def _sources(pair: Comparison) -> str:
    """Return what interval and verdict are about, and the interval for other sources."""
    if pair.obstacle_sources is not None:
        return (
            f", on {IN_WORDS['sentences']}; no interval for {IN_WORDS['sources']}: "
            f"{pair.obstacle_sources}"
        )
    if pair.adjusted_sources is None:
        return ""
    assert pair.difference is not None
    assert pair.low_sources is not None
    assert pair.high_sources is not None
    shown = "a difference" if pair.adjusted_sources < ALPHA else "no difference"
    _, interval = with_interval(pair.difference, pair.low_sources, pair.high_sources)
    return (
        f", on {IN_WORDS['sentences']}; on {IN_WORDS['sources']} {shown} is shown "
        f"({interval}, p = {p_text(pair.adjusted_sources)})"
    )


def background(pair: Comparison) -> Iterator[str]:
    """Yield sentences on the cells, the settings that differ, and the selection by score."""
    yield f"{in_words(pair.a, pair.side_a)}."
    yield f"{in_words(pair.b, pair.side_b)}."
    if pair.unlike:
        both = pair.side_a.checkpoint != pair.side_b.checkpoint
        mixed = "; this does not compare the checkpoints alone" if both else ""
        yield f"Their settings differ: {differing(pair.unlike)}{mixed}."
    yield from differing_slices(pair)
    if (selection := selection_note({pair.a: pair.side_a, pair.b: pair.side_b})) is not None:
        yield f"{selection[0].upper()}{selection[1:]}."


def differing_slices(pair: Comparison) -> Iterator[str]:
    """Yield on which slices two cells differ beyond chance, one line each, after their number."""
    if not pair.by_slice:
        return
    tested = f"of {counted(pair.by_slice[0].tested, 'slice')} tested together (Holm)"
    found = [each for each in pair.by_slice if each.differs]
    yield f"Slices on which they differ beyond chance: {len(found) or 'none'} {tested}."
    for each in found:
        difference, interval = with_interval(each.difference, each.low, each.high)
        mcc_a, mcc_b = apart(each.mcc_a, each.mcc_b, least=3)
        yield (
            f"  {each.name}, {counted(each.sentences, 'sentence')}: MCC {mcc_a} against "
            f"{mcc_b}, {difference} (95 % interval {interval}, p = {p_text(each.adjusted)})"
        )


def _costs(pair: Comparison) -> str:
    """Return the costs of a and b with their spreads, and their ratios with ranges."""
    ratios = [_ratio(pair, found) for found in pair.ratios.values() if found.obstacle is None]
    text = f"; {pair.a} takes {series(ratios)} of {pair.b}" if ratios else ""
    obstacles: dict[str, list[str]] = {}
    for found in pair.ratios.values():
        if found.obstacle is not None:
            obstacles.setdefault(found.obstacle, []).append(f"of {found.cost.noun}")
    for obstacle, costs in obstacles.items():
        text += f"; {obstacle}, so no ratio {series(costs)}"
    if (caution := unwatched_times(pair)) is not None:
        text += f"; {caution}"
    return text


def unwatched_times(pair: Comparison) -> str | None:
    """Return the caution about ratios of times whose records do not contain the load, if any."""
    nouns = [found.cost.noun for found in pair.ratios.values() if found.unwatched]
    if not nouns:
        return None
    ratios = "ratio" if len(nouns) == 1 else "ratios"
    of = f"the {ratios} of {series(nouns)}"
    return f"other programs, whose load was not recorded, may have influenced {of}"


def _ratio(pair: Comparison, found: Ratio) -> str:
    assert found.value is not None
    amounts = f"{found.a.text(found.cost.write)} against {found.b.text(found.cost.write)}"
    if found.low is None or found.high is None:
        single = [name for name, each in ((pair.a, found.a), (pair.b, found.b)) if each.sd is None]
        extent = f"no range with one seed of {' and of '.join(single)}"
    else:
        extent = f"{found.write(found.low)} to {found.write(found.high)} run by run"
    about = "about " if found.rough else ""
    value = f"{about}{found.write(found.value)}"
    return f"{value} times the {found.cost.noun} ({amounts} {found.cost.unit}; {extent})"
