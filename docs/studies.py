"""Draws studies from a model of sentences and seeds with known true scores.

A sentence is acceptable with probability 0.7. A run accepts it if

    criterion + quality * label + sentence + run-and-sentence > 0

The last two terms are normal, and their variances add up to 1: `sentence` is the same for every
seed (a hard sentence is hard for all), `run-and-sentence` is drawn for each run and sentence.
Quality and criterion vary normally over seeds. So a run's true MCC, over infinitely many sentences,
follows from the normal distribution function, and its mean over infinitely many seeds from
Gauss-Hermite quadrature: the true scores are independent of the code under test.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

SENTENCES = 1043
ACCEPTABLE = 0.7
ACCEPTED = 0.75
"""Share of sentences that a run with mean quality and criterion accepts."""

STEADY, RESTLESS, WILD = (0.010, 0.97), (0.030, 0.90), (0.060, 0.90)
"""Standard deviation of the true MCC over seeds, and the share of a run's variance that all seeds
share. CoLA runs that converge are like the first."""


@dataclass(frozen=True)
class Setting:
    """A population of sentences and seeds.

    Attributes:
        mcc: true MCC of a run with mean quality and criterion.
        seed_sd: standard deviation of the true MCC over seeds.
        shared: share of a run's variance, given label and seed, that all seeds share.
    """

    mcc: float
    seed_sd: float
    shared: float


@dataclass(frozen=True)
class Model:
    """A setting's parameters, and its mean scores over infinitely many sentences and seeds."""

    criterion: float
    quality: float
    quality_sd: float
    shared: float
    true_mcc: float
    true_accuracy: float


@dataclass(frozen=True)
class Study:
    """The observations of one study, and the true scores of its runs, which it cannot observe."""

    labels: np.ndarray
    predictions: np.ndarray
    true_mccs: np.ndarray
    true_accuracies: np.ndarray


def model_of(setting: Setting) -> Model:
    """Solve for the parameters that give a setting's MCC and standard deviation."""
    gap = setting.mcc * np.sqrt(ACCEPTED * (1 - ACCEPTED) / (ACCEPTABLE * (1 - ACCEPTABLE)))
    criterion = float(ndtri(ACCEPTED - ACCEPTABLE * gap))
    quality = float(ndtri(ACCEPTED + (1 - ACCEPTABLE) * gap)) - criterion

    def spread(quality_sd: float) -> float:
        return _moments(criterion, quality, quality_sd)[1]

    # With a spread of 0, rounding may move the root out of the bracket.
    spreads = setting.seed_sd > 0
    quality_sd = float(brentq(lambda sd: spread(sd) - setting.seed_sd, 0, 0.5)) if spreads else 0.0
    mcc, _, accuracy = _moments(criterion, quality, quality_sd)
    return Model(criterion, quality, quality_sd, setting.shared, mcc, accuracy)


def _moments(criterion: float, quality: float, quality_sd: float) -> tuple[float, float, float]:
    """Return mean and standard deviation of the true MCC over seeds, and mean accuracy."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    better, stricter = np.meshgrid(nodes, nodes)
    weight = np.outer(weights, weights) / weights.sum() ** 2
    criteria, qualities = _seeds(criterion, quality, quality_sd, better, stricter)
    values, accuracies = true_mcc(criteria, qualities), true_accuracy(criteria, qualities)
    mean = float((weight * values).sum())
    deviation = float(np.sqrt((weight * (values - mean) ** 2).sum()))
    return mean, deviation, float((weight * accuracies).sum())


def _seeds(
    criterion: float, quality: float, quality_sd: float, better: np.ndarray, stricter: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return criteria and qualities of seeds from two standard normal variables per seed.

    A better seed has a stricter criterion, so that it does not only accept more.
    """
    criteria = criterion + quality_sd * (stricter - ACCEPTABLE * better)
    return criteria, quality + quality_sd * better


def true_mcc(criteria: np.ndarray, qualities: np.ndarray) -> np.ndarray:
    """Return the MCC over infinitely many sentences."""
    of_rejected, of_accepted = ndtr(criteria), ndtr(criteria + qualities)
    accepts = ACCEPTABLE * of_accepted + (1 - ACCEPTABLE) * of_rejected
    scale = np.sqrt(ACCEPTABLE * (1 - ACCEPTABLE) / (accepts * (1 - accepts)))
    result: np.ndarray = (of_accepted - of_rejected) * scale
    return result


def true_accuracy(criteria: np.ndarray, qualities: np.ndarray) -> np.ndarray:
    """Return the accuracy over infinitely many sentences."""
    rejects, accepts = ndtr(-criteria), ndtr(criteria + qualities)
    result: np.ndarray = ACCEPTABLE * accepts + (1 - ACCEPTABLE) * rejects
    return result


def draw(
    generator: np.random.Generator, model: Model, seeds: int, sentences: int = SENTENCES
) -> Study:
    """Draw new sentences and new seeds."""
    labels = (generator.random(sentences) < ACCEPTABLE).astype(np.int8)
    common = generator.standard_normal(sentences)
    own = generator.standard_normal((seeds, sentences))
    return run(model, labels, generator.standard_normal((2, seeds)), common, own)


def draw_pair(
    generator: np.random.Generator,
    models: tuple[Model, Model],
    seeds: int,
    *,
    alike: float,
    paired: float,
) -> tuple[Study, Study]:
    """Draw two systems on the same new sentences.

    Args:
        alike: correlation of the difficulty of a sentence for both.
        paired: correlation of the effect of the same seed in both.
    """
    labels = (generator.random(SENTENCES) < ACCEPTABLE).astype(np.int8)
    common = correlated(generator, (SENTENCES,), alike)
    own = correlated(generator, (seeds, SENTENCES), paired)
    of_seed = correlated(generator, (2, seeds), paired)
    a, b = (run(models[i], labels, of_seed[i], common[i], own[i]) for i in (0, 1))
    return a, b


def draw_cells(
    generator: np.random.Generator, models: list[list[Model]], seeds: int, *, alike: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw runs of many cells, each with epochs, on the same new sentences.

    Args:
        models: by cell and epoch; a run's epochs share 70 % of the run's own variance.
        alike: correlation of the difficulty of a sentence for two cells.

    Returns:
        Labels, (cells, seeds, epochs, sentences) predictions, and the true MCC of each.
    """
    labels = (generator.random(SENTENCES) < ACCEPTABLE).astype(np.int8)
    hard = generator.standard_normal(SENTENCES)
    predictions, truths = [], []
    for epochs in models:
        common = alike * hard + np.sqrt(1 - alike**2) * generator.standard_normal(SENTENCES)
        of_seed = generator.standard_normal((2, seeds))
        of_run = generator.standard_normal((seeds, SENTENCES))
        runs = []
        for model in epochs:
            own = np.sqrt(0.7) * of_run
            own += np.sqrt(0.3) * generator.standard_normal((seeds, SENTENCES))
            runs.append(run(model, labels, of_seed, common, own))
        predictions.append(np.stack([run.predictions for run in runs], axis=1))
        truths.append(np.stack([run.true_mccs for run in runs], axis=1))
    return labels, np.stack(predictions), np.stack(truths)


def run(
    model: Model, labels: np.ndarray, of_seed: np.ndarray, common: np.ndarray, own: np.ndarray
) -> Study:
    criteria, qualities = _seeds(model.criterion, model.quality, model.quality_sd, *of_seed)
    """Return the runs; arrays may have further dimensions, such as studies, in front.

    Args:
        labels: (..., sentences).
        of_seed: (2, ..., seeds).
        common: (..., sentences).
        own: (..., seeds, sentences).
    """
    noise = np.sqrt(model.shared) * common[..., None, :] + np.sqrt(1 - model.shared) * own
    accepted = criteria[..., None] + qualities[..., None] * labels[..., None, :] + noise > 0
    return Study(
        labels,
        accepted.astype(np.int8),
        true_mcc(criteria, qualities),
        true_accuracy(criteria, qualities),
    )


def correlated(
    generator: np.random.Generator, shape: tuple[int, ...], correlation: float
) -> np.ndarray:
    """Return two correlated standard normal arrays."""
    first, rest = generator.standard_normal((2, *shape))
    second = correlation * first + np.sqrt(1 - correlation**2) * rest
    return np.stack([first, second])
