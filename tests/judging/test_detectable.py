"""What a plan can detect: from earlier runs if there are any, otherwise from committed results."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.records import make_cell, predicted_record

from harness import stats
from harness.judging import detectable
from harness.judging.detectable import CellSpread, assumed_spread, spread_of
from harness.judging.evidence import Evidence, evidence
from harness.judging.leaderboard import runs_by_cell
from harness.report import read_published
from harness.stats import Refusal, Sources, sources_of
from harness.stats.power import power_of
from harness.stats.sources import LEAST_SOURCES
from harness.store.records import Record

ROOT = Path(__file__).parents[2]


def known_number(value: float | None) -> float:
    assert value is not None
    return value


def drawn(
    seeds: tuple[int, ...], shared: float = 0.25, own: float = 0.1, **settings: Any
) -> list[Record]:
    """Records whose runs err on the same sentences, and on some of their own."""
    generator = np.random.default_rng(5)
    labels = (generator.random(800) < 0.7).astype(int)
    hard = generator.random(800) < shared
    cell = make_cell(seeds=seeds, **settings)
    return [
        predicted_record(
            cell,
            s,
            labels,
            np.where(hard ^ (generator.random(800) < own), 1 - labels, labels)[None],
        )
        for s in seeds
    ]


def end_over_sources(found: Evidence, *runs: np.ndarray) -> float:
    """Return the standard error over sources with endless seeds, of a mean or a difference."""
    assert isinstance(found.sources, Sources)
    estimate: stats.Interval | stats.Difference = (
        stats.mean_interval(found.labels, runs[0], sources=found.sources)
        if len(runs) == 1
        else stats.paired_difference(found.labels, *runs, paired_seeds=False, sources=found.sources)
    )
    return known_number(estimate.se_endless_seeds)


def test_the_assumed_spreads_are_those_of_the_committed_results() -> None:
    lasting: list[float] = []
    interaction: list[float] = []
    same: list[float] = []
    others: list[float] = []
    within: list[float] = []
    of_sources: dict[bool, list[float]] = {True: [], False: []}
    for name in ("study", "cola"):
        published = read_published(ROOT / "results" / name / "leaderboard.json")
        runs = runs_by_cell(published.cells, published.records)
        known = []
        for cell in published.cells:
            found = evidence(runs[cell.id])
            interval = stats.mean_interval(found.labels, found.selected)
            if not interval.one_class_or_perfect:
                known.append((cell, found, interval))
        for _, found, each in known:
            ends = known_number(each.se_endless_seeds)
            assert isinstance(found.sources, Sources)
            sizes = found.sources.sizes
            others_of_source = (sizes**2).sum() / sizes.sum() - 1
            over_sources = end_over_sources(found, found.selected)
            within.append(((over_sources / ends) ** 2 - 1) / others_of_source)
            lasting.append(ends)
            interaction.append((known_number(each.se_sentences) ** 2 - ends**2) * each.seeds)
        for number, (cell_a, a, of_a) in enumerate(known):
            for cell_b, b, of_b in known[:number]:
                pair = stats.paired_difference(a.labels, a.selected, b.selected, paired_seeds=False)
                end_a, end_b, end = (
                    known_number(one.se_endless_seeds) for one in (of_a, of_b, pair)
                )
                alike = (end_a**2 + end_b**2 - end**2) / (2 * end_a * end_b)
                is_same = cell_a.checkpoint == cell_b.checkpoint
                (same if is_same else others).append(alike)
                end_a, end_b, end = (
                    end_over_sources(a, *runs)
                    for runs in ((a.selected,), (b.selected,), (a.selected, b.selected))
                )
                alike = (end_a**2 + end_b**2 - end**2) / (2 * end_a * end_b)
                of_sources[is_same].append(alike)
    assert np.mean(lasting) == pytest.approx(detectable.ASSUMED_LASTING_SE, abs=0.0015)
    assert np.mean(interaction) ** 0.5 == pytest.approx(
        detectable.ASSUMED_INTERACTION_SD, abs=0.0015
    )
    assert np.median(same) == pytest.approx(detectable.SAME_CHECKPOINT, abs=0.02)
    assert np.median(others) == pytest.approx(detectable.TWO_CHECKPOINTS, abs=0.05)
    assert np.mean(within) == pytest.approx(detectable.ASSUMED_SOURCE_CORRELATION, abs=0.001)
    assert np.median(of_sources[True]) == pytest.approx(detectable.SAME_CHECKPOINT, abs=0.03)
    assert np.median(of_sources[False]) == pytest.approx(detectable.TWO_CHECKPOINTS, abs=0.05)


def test_the_printed_sizes_are_detected_with_80_percent() -> None:
    cells = [make_cell(seeds=(1, 2, 3)), make_cell("org/other", seeds=(1, 2))]
    spreads = dict.fromkeys([cell.checkpoint for cell in cells], assumed_spread(1043))
    three, two = detectable.detectable(cells, spreads, 1043)
    assert (three.seeds, two.seeds) == (3, 2)
    assert known_number(two.drop) > known_number(three.drop)
    assert known_number(two.difference) > known_number(three.difference)
    for each, correlation, paired in (
        (three.drop, detectable.SAME_CHECKPOINT, True),
        (three.difference, detectable.TWO_CHECKPOINTS, False),
    ):
        spread = three.spread.difference(correlation)
        assert power_of(known_number(each), spread, 3, 1043, paired=paired) == pytest.approx(
            0.8, abs=1e-3
        )


def test_the_assumed_spread_over_seeds_contains_their_interaction_with_the_sentences() -> None:
    """0.015 is the standard deviation of scores on the same sentences."""
    for sentences in (1043, 20_000):
        spread = assumed_spread(sentences)
        interaction = 0.021**2 * 1043 / sentences
        assert spread.interaction == pytest.approx(interaction)
        assert spread.seeds + spread.interaction == pytest.approx(max(0.015**2, interaction))


def test_one_seed_is_said_to_show_these_runs_only() -> None:
    cell = make_cell(seeds=(1,))
    found = detectable.detectable([cell], {cell.checkpoint: assumed_spread(1043)}, 1043)
    assert found[0].covers == "sentences only"
    assert "for these runs only" in detectable.in_words(found)[0]


def test_more_sentences_make_smaller_differences_detectable() -> None:
    cell = make_cell(seeds=(1, 2, 3))
    sizes = [
        known_number(
            detectable.detectable([cell], {cell.checkpoint: assumed_spread(n)}, n)[0].difference
        )
        for n in (100, 1043, 20_000)
    ]
    assert sizes[0] > 0.2 > sizes[1] > 0.07 > sizes[2] > 0.03


@pytest.mark.parametrize("sentences", [1, 2, 4])
def test_too_few_sentences_detect_nothing_and_say_so(sentences: int) -> None:
    cell = make_cell(seeds=(1, 2))
    found = detectable.detectable([cell], {cell.checkpoint: assumed_spread(sentences)}, sentences)
    assert (found[0].drop, found[0].difference) == (None, None)
    (line,) = detectable.in_words(found)
    assert "no drop in MCC" in line
    assert "no difference between" in line
    assert detectable.as_dict(found[0])["drop"] is None


def test_earlier_runs_of_the_checkpoint_replace_the_assumption() -> None:
    records = [*drawn((1, 2, 3, 4)), *drawn((1, 2, 3, 4), batch_size=32)]
    found = spread_of(records, 800)
    assert (found.runs, found.seeds_assumed) == (8, False)
    runs = evidence(records[:4])
    interval = stats.mean_interval(runs.labels, runs.selected)
    assert found.lasting == pytest.approx(known_number(interval.se_endless_seeds) ** 2, rel=0.05)
    both = found.lasting + found.interaction / 4
    assert both == pytest.approx(known_number(interval.se_sentences) ** 2, rel=0.05)
    assert "as in 8 earlier runs" in found.in_words()
    assert "assumed" not in found.in_words()


def test_few_earlier_seeds_leave_the_spread_over_seeds_assumed() -> None:
    found = spread_of(drawn((1, 2)), 800)
    assert (found.runs, found.seeds_assumed) == (2, True)
    assert found.interaction > 0
    assert found.seeds == pytest.approx(max(0.015**2 - found.interaction, 0))
    assert "standard deviation of at least 0.015 assumed" in found.in_words()


@pytest.mark.parametrize("seeds", [(), (1,)])
def test_earlier_runs_that_show_no_spread_change_nothing(seeds: tuple[int, ...]) -> None:
    records = drawn(seeds) if seeds else []
    assert spread_of(records, 800) == assumed_spread(800)


def test_runs_of_other_settings_are_not_seeds_of_one_cell() -> None:
    records = [*drawn((1,)), *drawn((2,), batch_size=32), *drawn((3,), learning_rate=1e-3)]
    assert spread_of(records, 800).runs == 0


def test_checkpoints_of_equal_spread_share_a_line_and_others_do_not() -> None:
    cells = [make_cell(name, seeds=(1, 2)) for name in ("a", "b", "c")]
    known = CellSpread(0.02**2, 0.02**2, 0.0, 9, seeds_assumed=False)
    spreads = {"a": assumed_spread(500), "b": known, "c": assumed_spread(500)}
    found = detectable.detectable(cells, spreads, 500)
    assert [each.checkpoints for each in found] == [("a", "c"), ("b",)]
    lines = detectable.in_words(found)
    assert "of a and c and 500" in lines[0]
    assert "as in 9 earlier runs" in lines[1]


# Sentences of other sources.


def sources(*sizes: int) -> Sources:
    found = sources_of(np.repeat(np.arange(len(sizes)), sizes))
    assert isinstance(found, Sources)
    return found


def test_sources_get_a_statement_of_their_own() -> None:
    cell = make_cell(seeds=(1, 2, 3))
    known = sources(*range(20, 120, 10), 393)
    spreads = {cell.checkpoint: assumed_spread(1043, known)}
    first, second = detectable.detectable([cell], spreads, 1043, known)
    (plain,) = detectable.detectable([cell], {cell.checkpoint: assumed_spread(1043)}, 1043)
    assert (first.drop, first.difference) == (plain.drop, plain.difference)
    assert (second.population, second.covers, second.sources) == (
        "sources",
        "sources and seeds",
        11,
    )
    assert known_number(second.difference) > 1.3 * known_number(first.difference)
    for each, correlation, paired in (
        (second.drop, detectable.SAME_CHECKPOINT, True),
        (second.difference, detectable.TWO_CHECKPOINTS, False),
    ):
        spread = second.spread.difference(correlation, known)
        power = power_of(known_number(each), spread, 3, 1043, paired=paired)
        assert power == pytest.approx(0.8, abs=1e-3)
    lines = detectable.in_words([first, second])
    assert "about sentences of other sources (these are of 11) and other seeds" in lines[1]
    assert "about other sentences of the same sources" in lines[0]
    found = detectable.as_dict(second)
    assert (found["population"], found["sources"], found["reason"]) == ("sources", 11, None)


def test_the_variance_over_sources_is_that_of_the_drawn_sources() -> None:
    """Held against sums of normal influences drawn with the assumed correlation in a source."""
    known = sources(*[30] * 8, 100, 200)
    generator = np.random.default_rng(3)
    rho = detectable.ASSUMED_SOURCE_CORRELATION
    of_source = generator.standard_normal((20_000, known.count)) * rho**0.5
    own = generator.standard_normal((20_000, known.count)) * ((1 - rho) / known.sizes) ** 0.5
    means = ((of_source + own) * known.sizes).sum(axis=1) / known.sizes.sum()
    sentences = int(known.sizes.sum())
    spread = assumed_spread(sentences, known)
    drawn_ratio = means.var() * sentences
    assert known_number(spread.lasting_sources) / spread.lasting == pytest.approx(
        drawn_ratio, rel=0.04
    )
    freedom = known_number(spread.difference(0.45, known).freedom)
    assert freedom == pytest.approx(known.degrees_of_freedom(rho))


def test_sources_of_one_sentence_are_as_other_sentences() -> None:
    known = sources(*[1] * 300)
    cell = make_cell(seeds=(1, 2, 3))
    spread = assumed_spread(300, known)
    assert spread.lasting_sources == spread.lasting
    first, second = detectable.detectable([cell], {cell.checkpoint: spread}, 300, known)
    assert second.difference == pytest.approx(known_number(first.difference), rel=1e-6)


@pytest.mark.parametrize("seeds", [(1,), (1, 2, 3)])
def test_too_few_sources_detect_nothing_and_say_so(seeds: tuple[int, ...]) -> None:
    cell = make_cell(seeds=seeds)
    refused = sources_of(np.arange(300) % 3)
    assert isinstance(refused, Refusal)
    found = detectable.detectable([cell], {cell.checkpoint: assumed_spread(300)}, 300, refused)
    assert (found[1].drop, found[1].difference, found[1].reason) == (None, None, refused.reason)
    (_, line) = detectable.in_words(found)
    assert line == (
        "detectable on sentences of other sources: not known, because the sentences are of 3 "
        f"sources only; at least {LEAST_SOURCES} are needed"
    )


def test_earlier_runs_show_how_much_sources_differ() -> None:
    records = [*drawn((1, 2, 3, 4)), *drawn((1, 2, 3, 4), batch_size=32)]
    known = sources(*[80] * 10)
    found = spread_of(records, 800, known)
    runs = evidence(records[:4])
    interval = stats.mean_interval(runs.labels, runs.selected, sources=known)
    assert found.lasting_sources == pytest.approx(
        known_number(interval.se_endless_seeds) ** 2, rel=0.1
    )
    assert spread_of(records, 800).lasting_sources is None
