"""Draws studies whose sentences come from sources, such as publications, with known true scores.

As in `studies`, a run accepts a sentence if

    criterion + quality * label + (noise + effect * source) / sqrt(1 + effect²) > 0

`source` is standard normal, drawn for each source and label: how easily the acceptable, and the
unacceptable, sentences of this source are accepted. Sources also differ in their share of
acceptable sentences. Over all sources, the term is standard normal as in `studies`, so the true
scores are the same. The sizes of sources are those of CoLA's validation split.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri
from studies import ACCEPTABLE, Model, Setting, Study, correlated, model_of, run

from harness.stats import Sources, mean_interval, paired_difference, sources_of
from harness.stats.variance import LEVEL

IN_DOMAIN = (104, 81, 56, 54, 54, 48, 38, 25, 13, 10, 10, 9, 7, 5, 5, 5, 3)
OUT_OF_DOMAIN = (222, 83, 82, 55, 42, 32)
SIZES = {
    "CoLA's 23": IN_DOMAIN + OUT_OF_DOMAIN,
    "its 17 in-domain": IN_DOMAIN,
    "its 6 out-of-domain": OUT_OF_DOMAIN,
}
"""Numbers of sentences of the publications of CoLA's validation split."""

EFFECT = 0.55
"""With it, the fitted correlation within sources is that of mpnet-base on CoLA, 0.04."""

EFFECT_OF_LABEL = 0.11
"""Standard deviation, over sources, of the normal quantile of the share of acceptable sentences, as
on CoLA (by the moments of the 23 publications)."""

SEEDS = (1, 3)


@dataclass(frozen=True)
class Found:
    """What studies of sources showed.

    Attributes:
        by_sentences: share of studies whose interval for other sentences covers the true score.
        by_sources: share for the interval for other sources; None if it is refused.
        error: root mean square of the error of the mean.
        se_sentences: mean standard error of the interval for other sentences.
        se_sources: mean standard error of the interval for other sources.
    """

    by_sentences: float
    by_sources: float | None
    error: float
    se_sentences: float
    se_sources: float | None


def draw_pair_in_sources(
    generator: np.random.Generator,
    models: tuple[Model, Model],
    seeds: int,
    sizes: Sequence[int],
    effect: float = EFFECT,
    alike: float = 0.7,
    alike_sources: float = 0.9,
) -> tuple[Study, Study, np.ndarray]:
    """Draw two systems on the same new sentences of new sources.

    Args:
        sizes: the number of sentences of each source.
        effect: standard deviation of the effect of sources, in those of the noise.
        alike: correlation of the difficulty of a sentence for both systems.
        alike_sources: correlation of the effect of a source on both.

    Returns:
        the runs of both, and the number of each sentence's source.
    """
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    middle = ndtri(ACCEPTABLE) * np.sqrt(1 + EFFECT_OF_LABEL**2)
    shares = ndtr(middle + EFFECT_OF_LABEL * generator.standard_normal(len(sizes)))
    labels = (generator.random(numbers.size) < shares[numbers]).astype(np.int8)
    scale = np.sqrt(1 + effect**2)

    def difficulty(rows: tuple[int, ...], of_sentences: float, of_sources: float) -> np.ndarray:
        noise = correlated(generator, (*rows, numbers.size), of_sentences)
        source = correlated(generator, (*rows, 2, len(sizes)), of_sources)
        mixed: np.ndarray = (noise + effect * source[..., labels, numbers]) / scale
        return mixed

    common = difficulty((), alike, alike_sources)
    own = difficulty((seeds,), 0.0, 0.0)
    of_seed = correlated(generator, (2, seeds), 0.0)
    a, b = (run(models[i], labels, of_seed[i], common[i], own[i]) for i in (0, 1))
    return a, b, numbers


def source_coverage(
    setting: Setting, seeds: int, sizes: Sequence[int], studies: int, effect: float = EFFECT
) -> Found:
    """Return how often intervals of a mean cover its true score over all sources."""
    model = model_of(setting)
    generator = np.random.default_rng([seeds, len(sizes), round(100 * effect)])
    found = []
    for _ in range(studies):
        study, _, numbers = draw_pair_in_sources(generator, (model, model), seeds, sizes, effect)
        truth = model.true_mcc if seeds > 1 else float(study.true_mccs[0])
        sources = sources_of(numbers)
        plain = mean_interval(study.labels, study.predictions)
        row = [plain.low <= truth <= plain.high, plain.standard_error, (plain.mean - truth) ** 2]
        if isinstance(sources, Sources):
            wide = mean_interval(study.labels, study.predictions, sources=sources)
            row += [wide.low <= truth <= wide.high, wide.standard_error]
        found.append(row)
    return _found(found)


def source_differences(
    setting: Setting,
    seeds: int,
    sizes: Sequence[int],
    studies: int,
    effect: float = EFFECT,
) -> tuple[Found, float]:
    """Return the same of the difference of two equal systems, and how often p is below 0.05."""
    model = model_of(setting)
    models = model, model
    generator = np.random.default_rng([seeds, len(sizes), round(100 * effect), 1])
    found, significant = [], 0
    for _ in range(studies):
        a, b, numbers = draw_pair_in_sources(generator, models, seeds, sizes, effect)
        truth = 0.0 if seeds > 1 else float(a.true_mccs[0] - b.true_mccs[0])
        runs = a.labels, a.predictions, b.predictions
        plain = paired_difference(*runs, paired_seeds=False)
        error = (plain.difference - truth) ** 2
        row = [plain.low <= truth <= plain.high, plain.standard_error, error]
        sources = sources_of(numbers)
        if isinstance(sources, Sources):
            wide = paired_difference(*runs, paired_seeds=False, sources=sources)
            row += [wide.low <= truth <= wide.high, wide.standard_error]
            significant += wide.p_value < 1 - LEVEL
        found.append(row)
    return _found(found), significant / studies


def source_rows(setting: Setting, studies: int) -> list[tuple[object, ...]]:
    """Return the rows of the table of docs/statistics.md."""
    rows: list[tuple[object, ...]] = []
    for name, sizes in SIZES.items():
        for seeds in SEEDS:
            one = source_coverage(setting, seeds, sizes, studies)
            two, significant = source_differences(setting, seeds, sizes, studies)
            assert one.by_sources is not None
            assert two.by_sources is not None
            shares = (one.by_sentences, one.by_sources, two.by_sentences, two.by_sources)
            rows.append(
                (
                    name,
                    seeds,
                    f"{one.se_sentences:.3f}",
                    f"{one.error:.3f}",
                    *(f"{share:.1%}" for share in (*shares, significant)),
                )
            )
    return rows


def _found(rows: Sequence[Sequence[float]]) -> Found:
    means = np.mean(rows, axis=0).tolist()
    covered, se, square = means[:3]
    by_sources, se_sources = means[3:] or (None, None)
    return Found(covered, by_sources, square**0.5, se, se_sources)
