"""Draws studies whose sentences come from sources, such as publications, with known true scores.

As in `studies`, a run accepts a sentence if

    criterion + quality * label + (noise + effect * source) / sqrt(1 + effect²) > 0

`source` is standard normal, drawn for each source and label: how easily the acceptable, and the
unacceptable, sentences of this source are accepted; `effect` depends on the label. Sources also
differ in their share of acceptable sentences. Over all sources, the term is standard normal as in
`studies`, so the true scores are the same.

The rule of choice, written before the first studies were drawn: of `METHODS`, in their order (from
the smallest variance to the largest), take the first whose every row of `source_rows` covers 93 to
97 %, within two standard errors of the simulation. Where none does, there is no interval: the
smallest number of sources is raised, or, if as many sources of equal size are covered, the largest
share of one source is limited.

Intervals of a score are symmetric on Fisher's scale, but for `SYMMETRIC`, which is around the MCC.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_ndtr, logsumexp, ndtr, ndtri
from studies import ACCEPTABLE, Model, Setting, Study, correlated, model_of, run

from harness.stats import Sources
from harness.stats.scores import Linearised, linearise
from harness.stats.variance import (
    LinearisedRuns,
    fisher_bounds,
    half_width,
    runs_of,
    variance_of_mean,
)

IN_DOMAIN = (104, 81, 56, 54, 54, 48, 38, 25, 13, 10, 10, 9, 7, 5, 5, 5, 3)
OUT_OF_DOMAIN = (222, 83, 82, 55, 42, 32)
ALL = IN_DOMAIN + OUT_OF_DOMAIN
SIZES = {
    "CoLA's 23": ALL,
    "its 17 in-domain": IN_DOMAIN,
    "every third, 8": tuple(sorted(ALL, reverse=True)[::3]),
    "8 of 60 sentences": (60,) * 8,
    "its 6 out-of-domain": OUT_OF_DOMAIN,
    "6 of 60 sentences": (60,) * 6,
}
"""Numbers of sentences of the publications of CoLA's validation split, and of others."""

SEEDS = (1, 3, 5)

GENERATOR_SEED = 2
"""Another one than that of the studies that led to Fisher's scale."""

BATCH = 50
"""Studies that are drawn at a time."""


@dataclass(frozen=True)
class World:
    """How much sources differ.

    Attributes:
        effects: standard deviation of the effect of a source on its unacceptable, and on its
            acceptable sentences, in those of the noise.
        of_labels: standard deviation, over sources, of the normal quantile of the share of
            acceptable sentences.
    """

    effects: tuple[float, float]
    of_labels: float


COLA = World((0.59, 0.24), 0.00)
"""The maximum likelihood of the labels of CoLA's validation split and of the committed predictions
of mpnet-base, by `fitted_spread`; the mean of its two runs."""

HARD = World((0.60, 0.60), 0.40)
ALIKE = World((0.0, 0.0), 0.0)
WORLDS = {"as CoLA": COLA, "harder": HARD}


@dataclass(frozen=True)
class Jackknife(Sources):
    """The variance of the jackknife that leaves out one source at a time."""

    def variance(self, influence: np.ndarray) -> float:
        return _cr3(self, influence) * (self.count - 1) / self.count


@dataclass(frozen=True)
class Cr3(Sources):
    """CR3 of Bell and McCaffrey (2002): the jackknife without its factor (G - 1) / G."""

    def variance(self, influence: np.ndarray) -> float:
        return _cr3(self, influence)


def _cr3(sources: Sources, influence: np.ndarray) -> float:
    others = influence.size - sources.sizes
    return float(((sources.sums(influence) / others) ** 2).sum())


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], Sources]] = {
    "CR2": Sources,
    "jackknife": Jackknife,
    "CR3": Cr3,
}
SENTENCES = "sentences"
SYMMETRIC = "CR2, symmetric"
"""CR2 with an interval that is symmetric around the MCC, as in the first version."""


@dataclass(frozen=True)
class Found:
    """What studies of a score, or of a difference of two scores, showed.

    Attributes:
        covered: share of studies whose interval covers the true value, by method; `SENTENCES` is
            the interval for other sentences of the same sources.
        error: root mean square of the error of the estimate.
        standard_error: mean standard error, by method.
    """

    covered: dict[str, float]
    error: float
    standard_error: dict[str, float]


def fitted_spread(counts: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the standard deviation of normal effects of sources by maximum likelihood.

    In a source, a share Φ(m + sd u) of the sentences is accepted, with u standard normal.

    Args:
        counts: for each mean m, the accepted and all sentences of each source.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    logs = np.log(weights / weights.sum())

    def loss(parameters: np.ndarray) -> float:
        *means, log_sd = parameters
        total = 0.0
        for mean, (some, every) in zip(means, counts, strict=True):
            z = mean + np.exp(log_sd) * nodes
            of_node = some[:, None] * log_ndtr(z) + (every - some)[:, None] * log_ndtr(-z)
            total += float(logsumexp(of_node + logs, axis=1).sum())
        return -total

    start = [*(float(ndtri(some.sum() / every.sum())) for some, every in counts), -1.0]
    return float(np.exp(minimize(loss, start, method="BFGS").x[-1]))


def draw_pairs(
    generator: np.random.Generator,
    model: Model,
    world: World,
    seeds: int,
    sizes: Sequence[int],
    studies: int,
    alike: float = 0.7,
    alike_sources: float = 0.9,
) -> tuple[Study, Study]:
    """Draw studies of two equal systems on the same new sentences of new sources.

    Args:
        sizes: the number of sentences of each source; those of a source are neighbours.
        alike: correlation of the difficulty of a sentence for both systems.
        alike_sources: correlation of the effect of a source on both.

    Returns:
        the runs of both; (studies, sentences) labels, (studies, seeds, sentences) predictions,
        (studies, seeds) true scores.
    """
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    middle = ndtri(ACCEPTABLE) * np.sqrt(1 + world.of_labels**2)
    of_labels = world.of_labels * generator.standard_normal((studies, len(sizes)))
    shares = ndtr(middle + of_labels)[:, numbers]
    labels = (generator.random(shares.shape) < shares).astype(np.int8)
    effects = np.array(world.effects)[labels]
    scale = np.sqrt(1 + effects**2)

    def difficulty(shape: tuple[int, ...], of_sentences: float, of_sources: float) -> np.ndarray:
        """Return (2, studies, ..., sentences), with `shape` in the place of the dots."""
        noise = correlated(generator, (studies, *shape, numbers.size), of_sentences)
        source = correlated(generator, (studies, *shape, 2, len(sizes)), of_sources)[..., numbers]
        wide = (studies, *(1 for _ in shape), numbers.size)
        chosen = np.where(labels.reshape(wide) == 1, source[..., 1, :], source[..., 0, :])
        mixed: np.ndarray = (noise + effects.reshape(wide) * chosen) / scale.reshape(wide)
        return mixed

    common = difficulty((), alike, alike_sources)
    own = difficulty((seeds,), 0.0, 0.0)
    of_seed = generator.standard_normal((2, 2, studies, seeds))
    a, b = (run(model, labels, of_seed[i], common[i], own[i]) for i in (0, 1))
    return a, b


def source_coverage(
    setting: Setting,
    world: World,
    seeds: int,
    sizes: Sequence[int],
    studies: int,
    chosen: Sequence[str] = tuple(METHODS),
) -> tuple[Found, Found]:
    """Return how often intervals of a score, and of a difference, cover the truth over sources.

    Args:
        chosen: names of `METHODS`.
    """
    model = model_of(setting)
    kind = [round(100 * value) for value in (*world.effects, world.of_labels)]
    generator = np.random.default_rng([GENERATOR_SEED, seeds, *sizes, *kind])
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    methods: dict[str, Sources | None] = {SENTENCES: None}
    methods[SYMMETRIC] = Sources(numbers, np.array(sizes))
    methods |= {name: METHODS[name](numbers, np.array(sizes)) for name in chosen}
    rows: list[tuple[list[float], list[float]]] = []
    while len(rows) < studies:
        a, b = draw_pairs(generator, model, world, seeds, sizes, min(BATCH, studies - len(rows)))
        for of_study in zip(
            a.labels, a.predictions, b.predictions, a.true_mccs, b.true_mccs, strict=True
        ):
            rows.append(intervals_of(*of_study, model.true_mcc, methods))
    one, two = (_found([row[place] for row in rows], list(methods)) for place in (0, 1))
    return one, two


def intervals_of(
    labels: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    true_a: np.ndarray,
    true_b: np.ndarray,
    expected: float,
    methods: dict[str, Sources | None],
) -> tuple[list[float], list[float]]:
    """Return squared error, coverage and standard error by method, of a score and a difference.

    They are those of `mean_interval` and `paired_difference`, from influences computed once.
    """
    seeds = len(a)
    both = linearise(labels, np.concatenate([a, b]), "mcc")
    first, second = (
        runs_of(Linearised(both.values[part], both.influence[part], both.unseen[part]))
        for part in (slice(seeds), slice(seeds, None))
    )
    minus = LinearisedRuns(-second.values, -second.influence, second.unseen)
    means = first.values.mean(), first.values.mean() - second.values.mean()
    # One seed's interval is about this run's score, that of more seeds about the mean of all.
    truths = (expected, 0.0) if seeds > 1 else (true_a[0], true_a[0] - true_b[0])
    found = []
    for groups, mean, truth in zip(([first], [first, minus]), means, truths, strict=True):
        error = float(mean - truth)
        row = [error**2]
        for name, sources in methods.items():
            variance = variance_of_mean(*groups, sources=sources)
            standard_error, freedom = sqrt(variance.total), variance.degrees_of_freedom
            if len(groups) == 1 and name not in (SENTENCES, SYMMETRIC):
                low, high = fisher_bounds(float(mean), standard_error, freedom)
                covered = low <= truth <= high
            else:
                covered = abs(error) <= half_width(standard_error, freedom)
            row += [covered, standard_error]
        found.append(row)
    return found[0], found[1]


def _found(rows: Sequence[Sequence[float]], methods: Sequence[str]) -> Found:
    square, *means = np.mean(rows, axis=0).tolist()
    return Found(
        dict(zip(methods, means[::2], strict=True)),
        square**0.5,
        dict(zip(methods, means[1::2], strict=True)),
    )


def source_rows(setting: Setting, studies: int) -> list[tuple[object, ...]]:
    """Return the rows of the table of docs/statistics.md."""
    rows: list[tuple[object, ...]] = []
    for world_name, world in WORLDS.items():
        for name, sizes in SIZES.items():
            for seeds in SEEDS:
                one, two = source_coverage(setting, world, seeds, sizes, studies)
                shares = [
                    f"{found.covered[method]:.1%}"
                    for found, names in (
                        (one, (SENTENCES, SYMMETRIC, *METHODS)),
                        (two, (SENTENCES, *METHODS)),
                    )
                    for method in names
                ]
                errors = f"{one.standard_error[SENTENCES]:.3f}", f"{one.error:.3f}"
                rows.append((world_name, name, seeds, *errors, *shares))
    return rows
