"""What a leaderboard's numbers show beyond its table, as blocks of Markdown."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from harness import stats
from harness.judging.baseline import software_changes
from harness.judging.column import MISSING
from harness.judging.comparison import (
    Comparison,
    Contestant,
    best_cells,
    compare_all,
    given_contestants,
)
from harness.judging.comparison.conclusions import conclusion
from harness.judging.differences import p_text, with_interval
from harness.judging.evidence import NoEvidence
from harness.judging.further_columns.settings import heading_of
from harness.judging.gates import Check, Judgement, judge_suite
from harness.judging.mistakes import by_group, missed_by
from harness.judging.populations import IN_WORDS
from harness.judging.sides import given_side, in_words, side, software_of
from harness.markup import code, escaped, grid, section
from harness.report import published_scores
from harness.report.findings.confusion import confusion
from harness.report.findings.given import described
from harness.report.findings.looks import looks_section
from harness.report.findings.power import detected
from harness.report.findings.repeats import repeated_sentences
from harness.report.findings.slices import best_of, by_slice, names_of
from harness.report.published import Published
from harness.report.undecided import undecided
from harness.store.records import Record
from harness.suite.training import TrainingSpec
from harness.text import some

MOST_SENTENCES = 40
"""How many positions of sentences are listed; the rest are only counted."""

GROUPS = ("source", "length")


def findings(published: Published, judgements: Mapping[str, Judgement]) -> Iterator[str]:
    """Yield a heading and a text for each finding that the records support.

    Args:
        judgements: by cell id.
    """
    runs = published.runs
    checks = judge_suite(published.gates, published.cells, runs, published.standings)
    against = published.baseline is not None
    open_lines = undecided(published.cells, runs, judgements, checks, against, code, escaped)
    yield from section("Outside the budget", open_lines)
    yield from section("Gates", _gates(published, judgements, checks))
    yield from looks_section(published, judgements)
    contestants = best_cells(published.cells, runs, published.standings)
    shown = best_of(contestants)
    in_slices = {each.name for each in shown}
    compared = [
        *(
            replace(each, slices=published.slices) if each.name in in_slices else each
            for each in contestants
        ),
        *given_contestants(published.given, published.records),
    ]
    pairs = compare_all(compared)
    yield from section("Given predictions", map(described, published.given))
    if len(compared) > 1:
        yield from _pairwise(pairs, compared)
    yield from section("Effect of choosing the best cell", _choosing(judgements))
    yield from detected(published)
    yield from section("Published scores", _references(published, runs))
    yield from confusion(contestants, published.class_names)
    best = [(each.name, each.runs) for each in contestants]
    if published.slices is not None:
        yield from by_slice(published.slices, shown, len(contestants), pairs)
    yield from _mistakes(best, set() if published.slices is None else names_of(published.slices))
    yield from repeated_sentences(published.records)


def _gates(
    published: Published,
    judgements: Mapping[str, Judgement],
    of_suite: Sequence[Check],
) -> Iterator[str]:
    """Yield every check of the suite, and the cells' checks that the table does not show.

    What has changed in the software since the baseline comes before the checks against it.
    """
    for check in of_suite:
        yield f"{check.verdict}: the suite: {escaped(check.reason)}"
    now = software_of(run for run in published.records if run.scores is not None)
    yield from map(escaped, software_changes(published.baseline, now))
    for cell in published.cells:
        for check in judgements[cell.id].checks:
            if check.gate != "min_mcc" or check.verdict != "pass":
                yield f"{check.verdict}: {code(cell.id)}: {escaped(check.reason)}"


def _pairwise(pairs: Sequence[Comparison], contestants: Sequence[Contestant]) -> Iterator[str]:
    names = [each.name for each in contestants]
    verdicts = {(pair.a, pair.b): _cell(pair, 1) for pair in pairs}
    verdicts |= {(pair.b, pair.a): _cell(pair, -1) for pair in pairs}
    yield "## Comparison of checkpoints"
    if all(pair.obstacle is not None for pair in pairs):
        yield f"They cannot be compared: {escaped(pairs[0].obstacle or '')}."
        return
    together = max(pair.corrected_for for pair in pairs)
    corrected = f"; p-values are corrected for {together} comparisons (Holm 1979)"
    one_seed = " Where a checkpoint has one seed, the verdict holds for these runs only: another "
    one_seed += "seed may reverse it."
    yield (
        "The best cell of each checkpoint: MCC of the row minus MCC of the column, on the same "
        f"sentences{corrected if together > 1 else ''}. "
        "The best cell was chosen by these scores, so its MCC is optimistic; the p-values are not "
        f"corrected for this choice. Where {_differing_settings(contestants)} differ, "
        "checkpoints and settings are compared together."
        f"{_on_given(contestants)}"
        f"{one_seed if any(pair.covers == 'sentences only' for pair in pairs) else ''}"
        f"{_populations(pairs)}"
    )
    yield "\n".join(f"- {escaped(_best_cell(each))}" for each in contestants)
    yield grid(
        ["", *map(code, names)],
        [[code(a), *(verdicts.get((a, b), MISSING) for b in names)] for a in names],
        ["left"] * (len(names) + 1),
    )
    yield "\n".join(f"- {escaped(conclusion(pair))}" for pair in pairs)


def _populations(pairs: Sequence[Comparison]) -> str:
    """Return what the verdicts are about, if there are others on other sources."""
    if all(pair.adjusted_sources is None and pair.obstacle_sources is None for pair in pairs):
        return ""
    return (
        f" The verdicts are about {IN_WORDS['sentences']}; the list below has those about "
        f"{IN_WORDS['sources']}."
    )


def _differing_settings(contestants: Sequence[Contestant]) -> str:
    """Return the usual settings and every other one that differs between checkpoints."""
    trainings = [run.training for each in contestants for run in each.runs]
    further = [
        heading_of(name)
        for name in TrainingSpec.model_fields
        if name != "epochs" and len({getattr(training, name) for training in trainings}) > 1
    ]
    *most, last = ["batch sizes", "learning rates", "epochs", *further]
    return f"{', '.join(most)} or {last}"


def _on_given(contestants: Sequence[Contestant]) -> str:
    """Return a remark on given predictions among the compared, if there are any."""
    if all(each.given is None for each in contestants):
        return ""
    return " Predictions that were given, not trained here, are compared like one cell each."


def _best_cell(contestant: Contestant) -> str:
    """Describe the cell that represents a checkpoint, and how many cells it was chosen from."""
    if contestant.given is not None:
        return in_words(contestant.name, given_side(contestant.name, contestant.given.seeds))
    one = side(contestant.runs, contestant.chosen_of)
    chosen = f"the best of its {one.chosen_of} cells" if one.chosen_of > 1 else "its only cell"
    return f"{in_words(contestant.name, one)}; {chosen}"


def _cell(pair: Comparison, sign: int) -> str:
    if pair.difference is None or pair.adjusted is None or pair.low is None or pair.high is None:
        return "not comparable"
    worse = {"better": "worse", "worse": "better"}
    verdict = pair.verdict if sign == 1 else worse.get(pair.verdict, pair.verdict)
    low, high = sorted((sign * pair.low, sign * pair.high))
    difference, _ = with_interval(sign * pair.difference, low, high)
    return f"{verdict} ({difference}, p = {p_text(pair.adjusted)})"


def _choosing(judgements: Mapping[str, Judgement]) -> Iterator[str]:
    known = [each.evidence for each in judgements.values() if each.evidence is not None]
    means = [
        float(stats.mcc(found.labels, found.selected, found.classes).mean()) for found in known
    ]
    if len(known) < 2 or not all(found.same_sentences(known[0]) for found in known):
        return
    selection = stats.selection_of([found.halved for found in known])
    if selection is None:
        return
    yield (
        f"The best cell has MCC {max(means):z.3f}. If cell and epochs are chosen on one half of "
        "the validation sentences and scored on the other half, the mean MCC over many such "
        f"splits is {selection.winner:z.3f}: choosing the best adds "
        f"{max(means) - selection.winner:+z.3f} to its score."
    )
    curve = stats.expected_best_of(means)
    shown = [n for n in (1, 2, 3, 5, 10, 20, 50, 100) if n <= len(means)]
    values = ", ".join(f"{curve[n - 1]:z.3f} for {n}" for n in shown)
    yield (
        "Expected MCC of the best of n cells drawn at random from this matrix, which shows what a "
        f"larger search gains: {values}."
    )


def _references(published: Published, runs: dict[str, list[Record]]) -> Iterator[str]:
    if any(facts.name != "cola" for facts in published.datasets):
        return  # the published scores are on CoLA
    for reference in published.references:
        found = published_scores.against(reference, published.cells, runs)
        if found is not None:
            recipe = published_scores.recipe_in_words(reference)
            yield (
                f"{code(reference.checkpoint)}: {reference.mcc:z.3f} published "
                f"({escaped(reference.source)}; recipe: {escaped(recipe)}); "
                f"{escaped(published_scores.in_words(found))}"
            )


def _mistakes(
    best: Sequence[tuple[str, Sequence[Record]]], in_slices: Collection[str]
) -> Iterator[str]:
    groups = {name: by_group(runs) for name, runs in best}
    blocks = [
        _by_group(kind, {name: found.get(kind, {}) for name, found in groups.items()})
        for kind in GROUPS
        if kind not in in_slices and any(kind in found for found in groups.values())
    ]
    missed = list(_missed([runs for _, runs in best]))
    if missed and not blocks:  # more than two classes, or the groups are slices
        yield "## Misclassified sentences"
        yield from missed
    elif blocks:
        yield "## MCC by group of sentences"
        yield (
            "MCC of each checkpoint's best cell on groups of validation sentences; "
            f"{MISSING} where MCC is undefined, because the labels of a group, or the predictions "
            "of some run, are all of one class."
        )
        yield from [*blocks, *missed]


def _by_group(kind: str, found: Mapping[str, Mapping[str, tuple[int, float | None]]]) -> str:
    """Return a table of the number of sentences and each checkpoint's MCC by group."""
    lines = []
    for group in dict.fromkeys(chain.from_iterable(found.values())):
        known = [groups.get(group) for groups in found.values()]
        sentences = next(value[0] for value in known if value is not None)
        mccs = [
            MISSING if value is None or value[1] is None else f"{value[1]:z.3f}" for value in known
        ]
        lines.append([code(group), str(sentences), *mccs])
    headings = [kind, "sentences", *map(code, found)]
    return grid(headings, lines, ["left", *["right"] * (len(found) + 1)])


def _missed(runs: Sequence[Sequence[Record]]) -> Iterator[str]:
    try:
        missed = missed_by(runs)
    except NoEvidence:
        return
    positions = missed.positions
    if not positions:
        yield "No validation sentence is misclassified by every run of these cells."
        return
    listed = some([*map(str, positions)], MOST_SENTENCES)
    yield (
        f"{len(positions)} of {missed.sentences} validation sentences are misclassified by "
        f"every run of these cells; their positions in the split, from 0: {listed}. "
        "`harness mistakes` with this folder prints the sentences if the data is available."
    )
