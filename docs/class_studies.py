"""Draws studies of any number of classes with known true R_K, and measures coverage.

A run finds the label of a sentence with the probability that is its quality, and otherwise guesses
a class. Both follow from one uniform variable of run and sentence, the normal distribution function
of

    sqrt(shared) * sentence + sqrt(1 - shared) * run-and-sentence

so that a hard sentence is hard for all seeds. Quality varies normally over seeds. With shares t of
the labels and g of the guesses, a run of quality q predicts p = q t + (1 - q) g, and the covariance
of label and prediction, summed over classes, is q (1 - sum t^2); so its R_K over infinitely many
sentences is

    q sqrt((1 - sum t^2) / (1 - sum p^2))

and the mean over infinitely many seeds follows from Gauss-Hermite quadrature: the true scores are
independent of the code under test.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from harness.stats import mean_interval, paired_difference

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class ClassSetting:
    """A population of sentences and seeds.

    Attributes:
        classes: number of classes.
        equal: whether all classes are equally frequent; otherwise shares are as 1, 1/2, 1/3, ...
        score: true R_K of a run of mean quality.
        seed_sd: standard deviation of the quality over seeds.
        shared: share of the variance of a sentence's difficulty that all seeds share.
    """

    classes: int
    equal: bool
    score: float
    seed_sd: float = 0.015
    shared: float = 0.9

    @cached_property
    def shares(self) -> np.ndarray:
        """(classes,), of the labels."""
        sizes = np.ones(self.classes) if self.equal else 1 / np.arange(1, self.classes + 1)
        shares: np.ndarray = sizes / sizes.sum()
        return shares

    @cached_property
    def guesses(self) -> np.ndarray:
        """(classes,), of the guesses: less unequal than the labels."""
        sizes = np.sqrt(self.shares)
        guesses: np.ndarray = sizes / sizes.sum()
        return guesses

    @cached_property
    def quality(self) -> float:
        """Mean over seeds."""
        return float(brentq(lambda q: float(true_score(self, np.array(q))) - self.score, 0, 1))


@dataclass(frozen=True)
class ClassStudy:
    """The observations of one study, and the true R_K of its runs."""

    labels: np.ndarray
    predictions: np.ndarray
    true_scores: np.ndarray


def true_score(setting: ClassSetting, quality: np.ndarray) -> np.ndarray:
    """Return R_K over infinitely many sentences of runs of the given quality, of any shape."""
    labels, guesses = setting.shares, setting.guesses
    predicted = quality[..., None] * labels + (1 - quality[..., None]) * guesses
    ratio = (1 - (labels**2).sum()) / (1 - (predicted**2).sum(axis=-1))
    scores: np.ndarray = quality * np.sqrt(ratio)
    return scores


def true_mean(setting: ClassSetting) -> float:
    """Return the mean of R_K over infinitely many sentences and seeds."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    scores = true_score(setting, setting.quality + setting.seed_sd * nodes)
    return float(weights @ scores / weights.sum())


def draw_classes(
    generator: np.random.Generator,
    settings: tuple[ClassSetting, ...],
    seeds: int,
    sentences: int,
    alike: float = 0.7,
) -> list[ClassStudy]:
    """Draw systems on the same new sentences, each with new seeds.

    Args:
        settings: of each system; all with the same classes.
        alike: correlation of the difficulty of a sentence for two systems.
    """
    labels = generator.choice(settings[0].classes, sentences, p=settings[0].shares)
    hard = generator.standard_normal(sentences)
    studies = []
    for setting in settings:
        other = generator.standard_normal(sentences)
        common = np.sqrt(alike) * hard + np.sqrt(1 - alike) * other
        own = generator.standard_normal((seeds, sentences))
        uniform = ndtr(np.sqrt(setting.shared) * common + np.sqrt(1 - setting.shared) * own)
        quality = setting.quality + setting.seed_sd * generator.standard_normal((seeds, 1))
        below = np.cumsum(setting.guesses)[:-1]
        guessed = np.searchsorted(below, (uniform - quality) / (1 - quality), side="right")
        predictions = np.where(uniform < quality, labels, guessed)
        studies.append(ClassStudy(labels, predictions, true_score(setting, quality[:, 0])))
    return studies


def class_coverage(setting: ClassSetting, seeds: int, sentences: int, studies: int) -> float:
    """Return the share of studies whose interval contains the true R_K.

    With one seed, this is the R_K of that run; with more, the mean over infinitely many seeds.
    """
    generator = np.random.default_rng([setting.classes, seeds, sentences])
    over_seeds, covered = true_mean(setting), 0
    for _ in range(studies):
        (study,) = draw_classes(generator, (setting,), seeds, sentences)
        found = mean_interval(study.labels, study.predictions, classes=setting.classes)
        truth = over_seeds if seeds > 1 else float(study.true_scores[0])
        covered += found.low <= truth <= found.high
    return covered / studies


def class_differences(
    setting: ClassSetting, drop: float, seeds: int, sentences: int, studies: int
) -> tuple[float, float]:
    """Return shares of studies of a system and one worse by `drop`: interval covers, p < 0.05."""
    generator = np.random.default_rng([setting.classes, seeds, sentences, 1])
    worse = ClassSetting(
        setting.classes, setting.equal, setting.score - drop, setting.seed_sd, setting.shared
    )
    truth = true_mean(setting) - true_mean(worse)
    covered = significant = 0
    for _ in range(studies):
        a, b = draw_classes(generator, (setting, worse), seeds, sentences)
        found = paired_difference(
            a.labels,
            a.predictions,
            b.predictions,
            paired_seeds=False,
            classes=setting.classes,
        )
        covered += found.low <= truth <= found.high
        significant += found.p_value < SIGNIFICANT
    return covered / studies, significant / studies


def class_rows(studies: int) -> list[tuple[object, ...]]:
    """Return the rows of the table of docs/statistics.md, each figure from so many studies."""
    settings = [
        (ClassSetting(classes, False, score), sentences)
        for classes in (3, 5, 20)
        for sentences in (200, 1000)
        for score in (0.3, 0.8)
    ]
    settings += [(ClassSetting(classes, True, 0.58), 200) for classes in (3, 5, 20)]
    rows: list[tuple[object, ...]] = []
    for setting, sentences in settings:
        found = [class_coverage(setting, seeds, sentences, studies) for seeds in (1, 3, 10)]
        found += class_differences(setting, 0.0, 3, sentences, studies)
        rows.append(
            (
                setting.classes,
                "equal" if setting.equal else "unequal",
                f"{setting.score:.2f}",
                sentences,
                *(f"{value:.1%}" for value in found),
            )
        )
    return rows
