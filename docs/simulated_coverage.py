"""Simulates studies with known true scores and measures how often intervals cover them.

    python docs/simulated_coverage.py

draws all studies that docs/statistics.md reports, in about fifteen minutes on one core, and writes
the tables between the markers of that document. Names of tables, such as `classes`, choose some.
tests/stats/test_stats_coverage.py draws fewer studies.
"""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from class_studies import class_rows
from generate import replaced
from race_studies import WAYS, equal_rows, gate_rows, unequal_rows
from source_studies import METHODS, SYMMETRIC, source_rows
from studies import (
    RESTLESS,
    SENTENCES,
    STEADY,
    WILD,
    Setting,
    Study,
    draw,
    draw_cells,
    draw_pair,
    model_of,
)
from tabulate import tabulate

from harness.stats import (
    Interval,
    Statistic,
    mcc,
    mean_interval,
    paired_difference,
    permutation_p_value,
    seeds_interval,
    selection_adjusted,
)
from harness.stats.variance import LEVEL, half_width

DOCUMENT = Path(__file__).parent / "statistics.md"

STUDIES = 4_000
SOURCE_STUDIES = 4_000
GATE_STUDIES = 500
RACES = {4: 1_000, 12: 500, 48: 150}
UNEQUAL_RACES = 100
BOOTSTRAP_STUDIES = 1_000
BOOTSTRAP_SAMPLES = 400

MCCS = (0.1, 0.3, 0.58)
KINDS = {"steady": STEADY, "restless": RESTLESS, "wild": WILD}
SEEDS = (1, 2, 3, 5, 10)
SEED_HEADINGS = ("1 seed", "2 seeds", "3 seeds", "5 seeds", "10 seeds")


def coverage(
    setting: Setting,
    seeds: int,
    studies: int,
    interval: Callable[[Study], tuple[float, float]],
    *,
    sentences: int = SENTENCES,
    statistic: Statistic = "mcc",
) -> float:
    """Return the share of studies whose interval contains the true score.

    With one seed, the true score is that run's score on infinitely many sentences; with more seeds,
    it is the mean over infinitely many seeds too.
    """
    model, covered = model_of(setting), 0
    over_seeds = model.true_mcc if statistic == "mcc" else model.true_accuracy
    generator = np.random.default_rng([round(1000 * setting.mcc), seeds, sentences])
    for _ in range(studies):
        study = draw(generator, model, seeds, sentences)
        of_runs = study.true_mccs if statistic == "mcc" else study.true_accuracies
        low, high = interval(study)
        covered += low <= (over_seeds if seeds > 1 else float(of_runs[0])) <= high
    return covered / studies


# Intervals under test.


def both_sources(study: Study) -> tuple[float, float]:
    """The interval of the harness."""
    interval = mean_interval(study.labels, study.predictions)
    return interval.low, interval.high


def both_sources_of_accuracy(study: Study) -> tuple[float, float]:
    """The same for accuracy."""
    interval = mean_interval(study.labels, study.predictions, "accuracy")
    return interval.low, interval.high


def sentences_only(study: Study) -> tuple[float, float]:
    """Treats the seeds of the study as all seeds."""
    interval = mean_interval(study.labels, study.predictions)
    assert interval.se_sentences is not None
    return _around(interval, interval.se_sentences, len(study.labels) - 1)


def seeds_only(study: Study) -> tuple[float, float]:
    """Student's interval of the runs' scores, which treats the sentences as all sentences."""
    interval = seeds_interval(mcc(study.labels, study.predictions).tolist())
    assert interval is not None
    return interval.low, interval.high


def counted_twice(study: Study) -> tuple[float, float]:
    """Both sources, with their interaction counted in each."""
    interval = mean_interval(study.labels, study.predictions)
    assert interval.se_sentences is not None
    assert interval.sd_seeds is not None
    of_seeds = interval.sd_seeds**2 / interval.seeds
    total = interval.se_sentences**2 + of_seeds
    freedom = total**2 / (of_seeds**2 / (interval.seeds - 1) + interval.se_sentences**4 / SENTENCES)
    return _around(interval, total**0.5, freedom)


def normal_quantile(study: Study) -> tuple[float, float]:
    """Both sources, with the normal distribution instead of Student's t."""
    interval = mean_interval(study.labels, study.predictions)
    return _around(interval, interval.standard_error, 1e9)


def pigeonhole_bootstrap(study: Study) -> tuple[float, float]:
    """Owen's bootstrap: seeds and sentences resampled, each with replacement (Owen 2007)."""
    generator = np.random.default_rng(0)
    seeds, sentences = study.predictions.shape
    drawn = generator.multinomial(sentences, np.full(sentences, 1 / sentences), BOOTSTRAP_SAMPLES)
    drawn = drawn.astype(np.float32)
    accepted = drawn @ study.predictions.T.astype(np.float32)
    hits = drawn @ (study.predictions * study.labels).T.astype(np.float32)
    labelled = (drawn @ study.labels.astype(np.float32))[:, None]
    margins = accepted * (sentences - accepted) * labelled * (sentences - labelled)
    values = (sentences * hits - accepted * labelled) / np.sqrt(margins.astype(np.float64))
    rows = generator.integers(0, seeds, size=(BOOTSTRAP_SAMPLES, seeds))
    means = np.take_along_axis(values, rows, axis=1).mean(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _around(interval: Interval, error: float, freedom: float) -> tuple[float, float]:
    reach = half_width(error, freedom)
    return interval.mean - reach, interval.mean + reach


# Differences.


@dataclass(frozen=True)
class Comparison:
    """Two systems: how similar they are, and whether their seeds are paired."""

    name: str
    alike: float
    paired_seeds: bool
    seeds_correlation: float


CHECKPOINTS = Comparison("two checkpoints, seeds independent", 0.7, False, 0.0)
VERSIONS = Comparison("two versions of one recipe, same seeds", 1.0, True, 0.7)
SAME_NUMBERS = Comparison("two checkpoints, seeds paired by number only", 0.7, True, 0.0)
COMPARISONS = (CHECKPOINTS, VERSIONS, SAME_NUMBERS)


@dataclass(frozen=True)
class Outcome:
    """Shares of studies: interval contains the true difference; p below 0.05; mean width."""

    covered: float
    significant: float
    width: float


def compare(
    comparison: Comparison,
    kind: tuple[float, float],
    seeds: int,
    drop: float,
    studies: int,
    base: float = 0.58,
) -> Outcome:
    """Draw studies of a system b that is worse than a by `drop` and compare them."""
    models = model_of(Setting(base, *kind)), model_of(Setting(base - drop, *kind))
    generator = np.random.default_rng([seeds, round(1000 * drop), COMPARISONS.index(comparison)])
    covered, significant, width = 0, 0, 0.0
    for _ in range(studies):
        a, b = draw_pair(
            generator,
            models,
            seeds,
            alike=comparison.alike,
            paired=comparison.seeds_correlation,
        )
        truth = models[0].true_mcc - models[1].true_mcc
        if seeds == 1:
            truth = float(a.true_mccs[0] - b.true_mccs[0])
        found = paired_difference(
            a.labels, a.predictions, b.predictions, paired_seeds=comparison.paired_seeds
        )
        covered += found.low <= truth <= found.high
        significant += found.p_value < 1 - LEVEL
        width += found.high - found.low
    return Outcome(covered / studies, significant / studies, width / studies)


def one_seed(kind: tuple[float, float], drop: float, studies: int) -> tuple[float, float]:
    """Return how often t and the permutation test reject equality at 0.05, with one run of each.

    They have no information on other seeds, so they reject equality of equal recipes too often as
    soon as seeds differ in their true MCC.
    """
    models = model_of(Setting(0.58, *kind)), model_of(Setting(0.58 - drop, *kind))
    generator = np.random.default_rng([round(1000 * drop), round(1000 * kind[0])])
    by_t = by_permutation = 0
    for _ in range(studies):
        a, b = draw_pair(generator, models, 1, alike=CHECKPOINTS.alike, paired=0.0)
        runs = a.labels, a.predictions, b.predictions
        by_t += paired_difference(*runs, paired_seeds=False).p_value < 1 - LEVEL
        by_permutation += permutation_p_value(*runs, permutations=999) < 1 - LEVEL
    return by_t / studies, by_permutation / studies


# Selection.


def selection(mccs: np.ndarray, seeds: int, studies: int) -> tuple[float, float, float, float]:
    """Return the selection bias, before and after the adjustment.

    Args:
        mccs: (cells, epochs), the true MCC of each; epochs share 70 % of their run's own variance.

    Returns:
        Means over studies of four differences: a cell's best-epoch MCC minus the true MCC of the
        chosen epochs; the same for its adjusted MCC; the best cell's best-epoch MCC minus its true
        MCC; the best cell's adjusted MCC minus its true MCC.
    """
    models = [[model_of(Setting(float(value), *STEADY)) for value in row] for row in mccs]
    generator = np.random.default_rng(mccs.size)
    errors = np.zeros((studies, 4))
    for number in range(studies):
        labels, predictions, truths = draw_cells(generator, models, seeds, alike=CHECKPOINTS.alike)
        found = selection_adjusted(labels, list(predictions))
        assert found is not None
        scores = mcc(labels, predictions)
        best = scores.argmax(axis=2)[..., None]
        truth = np.take_along_axis(truths, best, axis=2).mean(axis=(1, 2))
        plain, adjusted = np.array(found.plain), np.array(found.adjusted)
        first = int(plain.argmax())
        errors[number] = (
            (plain - truth).mean(),
            (adjusted - truth).mean(),
            plain[first] - truth[first],
            found.winner - truth[first],
        )
    first, second, third, fourth = errors.mean(axis=0).tolist()
    return first, second, third, fourth


# Tables.


def spreads_table() -> str:
    """Average spreads in studies of each setting."""
    rows = []
    for name, kind in KINDS.items():
        for value in MCCS:
            model = model_of(Setting(value, *kind))
            generator = np.random.default_rng(0)
            shown = [_shown(draw(generator, model, 10)) for _ in range(STUDIES // 20)]
            squares = np.mean(np.square(shown), axis=0)
            rows.append(
                (
                    name,
                    f"{model.true_mcc:.3f}",
                    f"{squares[0] ** 0.5:.4f}",
                    f"{kind[0]:.3f}",
                    f"{squares[1] ** 0.5:.4f}",
                    f"{np.mean(shown, axis=0)[2]:.0%}",
                )
            )
    return _table(
        rows,
        "setting",
        "true MCC",
        "SE from sentences, one seed",
        "SD over seeds of the true MCC",
        "SD over seeds of the MCC on the same sentences",
        "two seeds agree on",
    )


def _shown(study: Study) -> tuple[float, float, float]:
    one = mean_interval(study.labels, study.predictions[:1])
    deviation = mcc(study.labels, study.predictions).std(ddof=1)
    agreement = np.mean(study.predictions[0] == study.predictions[1])
    return one.standard_error, float(deviation), float(agreement)


def coverage_table() -> str:
    """Coverage of the interval of the harness."""
    rows = []
    for name, kind in KINDS.items():
        for value in MCCS:
            setting = Setting(value, *kind)
            found = [coverage(setting, seeds, STUDIES, both_sources) for seeds in SEEDS]
            rows.append((name, f"{value:.2f}", *_shares(found)))
    steady = Setting(0.58, *STEADY)
    found = [coverage(steady, seeds, STUDIES, both_sources, sentences=200) for seeds in SEEDS]
    rows.append(("steady, 200 sentences", "0.58", *_shares(found)))
    found = [
        coverage(steady, seeds, STUDIES, both_sources_of_accuracy, statistic="accuracy")
        for seeds in SEEDS
    ]
    rows.append(("steady, accuracy instead", "0.58", *_shares(found)))
    return _table(rows, "setting", "MCC", *SEED_HEADINGS)


def alternatives_table() -> str:
    """Coverage of other methods for intervals, at an MCC of 0.58."""
    ways = {
        "this harness": (both_sources, STUDIES),
        "sentences only": (sentences_only, STUDIES),
        "seeds only (Student's t of the scores)": (seeds_only, STUDIES),
        "both, interaction counted twice": (counted_twice, STUDIES),
        "both, normal distribution instead of t": (normal_quantile, STUDIES),
        "pigeonhole bootstrap, percentiles": (pigeonhole_bootstrap, BOOTSTRAP_STUDIES),
    }
    rows = []
    for kind in ("steady", "restless"):
        for name, (interval, studies) in ways.items():
            setting = Setting(0.58, *KINDS[kind])
            found = [coverage(setting, seeds, studies, interval) for seeds in SEEDS[1:]]
            rows.append((kind, name, *_shares(found)))
    return _table(rows, "setting", "interval", *SEED_HEADINGS[1:])


def differences_table() -> str:
    """Coverage, false alarms and power of the comparison of two systems."""
    rows = []
    for comparison in COMPARISONS:
        for name in ("steady", "restless"):
            for seeds in SEEDS:
                kind = KINDS[name]
                same = compare(comparison, kind, seeds, 0.0, STUDIES)
                worse = compare(comparison, kind, seeds, 0.05, STUDIES)
                found = (same.covered, same.significant, worse.covered, worse.significant)
                rows.append(
                    (comparison.name, name, seeds, *_shares(found), f"{worse.width / 2:.3f}")
                )
    return _table(
        rows,
        "compared",
        "setting",
        "seeds each",
        "covered, no drop",
        "p < 0.05, no drop",
        "covered, drop of 0.05",
        "p < 0.05, drop of 0.05",
        "half-width",
    )


def one_seed_table() -> str:
    """Comparisons of one run with one other run."""
    rows = []
    for name, kind in {"seeds all alike": (0.0, STEADY[1]), **KINDS}.items():
        for drop in (0.0, 0.05, 0.1):
            found = one_seed(kind, drop, STUDIES // 4)
            rows.append((name, f"{drop:.2f}", *_shares(found)))
    return _table(rows, "setting", "true drop", "t: p < 0.05", "permutation: p < 0.05")


def selection_table() -> str:
    """Selection bias of a score, before and after the adjustment."""
    alike = np.full((8, 5), 0.5)
    spread = np.linspace(0.40, 0.50, 8)[:, None] + np.array([-0.10, -0.04, -0.01, 0.0, 0.0])
    rows = []
    for name, mccs in {"8 equal cells, 5 equal epochs": alike, "8 cells, 5 epochs": spread}.items():
        for seeds in (1, 3):
            found = selection(mccs, seeds, STUDIES // 20)
            rows.append((name, seeds, *(f"{value:+.4f}" for value in found)))
    return _table(
        rows,
        "true MCC",
        "seeds",
        "best epoch",
        "best epoch, adjusted",
        "best epoch of the best cell",
        "the same, adjusted",
    )


def classes_table() -> str:
    """Coverage of intervals of R_K, and of the difference of two equal systems."""
    return _table(
        class_rows(STUDIES),
        "classes",
        "frequency",
        "R_K",
        "sentences",
        "1 seed",
        "3 seeds",
        "10 seeds",
        "difference, 3 seeds each",
        "p < 0.05",
    )


def sources_table() -> str:
    """Coverage of the interval for other sentences, and of those for other sources by method."""
    names = ("other sentences", *METHODS)
    of_scores = ("other sentences", SYMMETRIC, *METHODS)
    return _table(
        source_rows(Setting(0.55, *STEADY), SOURCE_STUDIES),
        "differences of sources",
        "sources",
        "seeds",
        "SE from sentences",
        "true SE over sources",
        *of_scores,
        *(f"difference, {name}" for name in names),
    )


def looks_table() -> str:
    """Verdicts of gates that are judged by looks."""
    return _table(
        list(gate_rows(GATE_STUDIES)),
        "setting",
        "looks",
        "spending",
        "truth above threshold by",
        "pass",
        "fail",
        "seeds trained",
    )


def races_table() -> str:
    """Share of races of equal cells that drop any of them."""
    names = [f"{looks}, {form}" for looks, form in WAYS]
    return _table(list(equal_rows(RACES)), "cells", "seeds", *names)


def unequal_races_table() -> str:
    """Errors and savings of races of 12 cells that differ."""
    return _table(
        list(unequal_rows(UNEQUAL_RACES)),
        "true MCC of 12 cells",
        "seeds",
        "looks",
        "spending",
        "sets aside",
        "wrongly dropped",
        "of the worse, dropped",
        "winner is a best one",
        "winner overruled",
        "runs trained",
    )


def _shares(values: Sequence[float]) -> list[str]:
    return [f"{value:.1%}" for value in values]


def _table(rows: Sequence[Sequence[object]], *headings: str) -> str:
    number = re.compile(r"[+-]?[\d.]+%?")
    sides = ["right" if number.fullmatch(str(value)) else "left" for value in rows[0]]
    return tabulate(rows, headings, tablefmt="pipe", disable_numparse=True, colalign=sides)


def main(chosen: Sequence[str]) -> None:
    """Draw the studies of the chosen tables, or of all, and write them into the document."""
    tables = {
        "spreads": spreads_table,
        "coverage": coverage_table,
        "alternatives": alternatives_table,
        "differences": differences_table,
        "one seed": one_seed_table,
        "selection": selection_table,
        "classes": classes_table,
        "sources": sources_table,
        "looks": looks_table,
        "races": races_table,
        "unequal races": unequal_races_table,
    }
    if unknown := sorted(set(chosen) - set(tables)):
        sys.exit(f"no table {', '.join(unknown)}; there are {', '.join(tables)}")
    for part, table in tables.items():
        if chosen and part not in chosen:
            continue
        text = table()  # takes minutes: the document is read afterwards
        document = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(replaced(document, part, text), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
