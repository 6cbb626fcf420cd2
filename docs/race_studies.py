"""Studies of looks and races: how often their verdicts are wrong, and what they save.

`docs/studies.py` draws sentences and seeds; all cells share which sentences are hard, as those of
one matrix do, and the true mean of each cell is known.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from studies import RESTLESS, STEADY, Model, Setting, draw, draw_cells, model_of

from harness.stats import mcc, paired_difference
from harness.stats.racing import race
from harness.stats.sequential import ERROR, Form, gate_verdict

ALIKE = 0.9
"""Correlation of the difficulty of a sentence for two cells."""

FORMS: tuple[Form, ...] = ("obrien-fleming", "pocock")
UNSTABLE = (0.1, 0.90)
"""As STEADY: a cell of which some seeds hardly learn."""

SPREADS = {
    "steady": [STEADY],
    "restless": [RESTLESS],
    "half of each": [STEADY, RESTLESS],
    "a quarter unstable": [UNSTABLE, STEADY, STEADY, STEADY],
}

Way = tuple[list[int], Form]
WAYS: list[Way] = [(looks, form) for looks in ([2, 3, 5], [1, 2, 3, 5]) for form in FORMS]
GATE_WAYS: list[Way] = [(looks, form) for looks in ([2, 3, 5], [2, 3, 5, 8]) for form in FORMS]
GAPS = (0.0, 0.03, 0.06, 0.1)

TRUTHS = {
    **{f"6 best, 6 worse by {gap:.2f}": [0.5] * 6 + [0.5 - gap] * 6 for gap in (0.03, 0.1, 0.15)},
    "1 best, 11 worse by 0.05": [0.5] + [0.45] * 11,
    "3 at 0.50, others down to 0.30": [0.5] * 3 + [0.48 - 0.02 * step for step in range(9)],
}
"""True mean MCC of 12 cells."""

SETTLED = 0.05
"""Probability of a better cell below which a race may end."""

SAME = 1e-5
"""True means closer than this are equal but for rounding."""


@dataclass(frozen=True)
class Gates:
    """Shares of studies by verdict, and the mean share of seeds that they trained."""

    passed: float
    failed: float
    trained: float


@dataclass(frozen=True)
class Races:
    """What a number of races did.

    Attributes:
        wrong: share of races that dropped a cell against a leader that is not truly better.
        lost: share of races that dropped a cell with the highest true mean.
        dropped: mean share of the truly worse cells that were dropped; 0 if there are none.
        won: share of races whose winner has the highest true mean.
        overruled: share of races in which all runs of all cells say that the winner is worse than
            the cell with the highest mean, beyond chance (p below 0.05, this pair alone).
        trained: mean share of all runs that the race trained.
    """

    wrong: float
    lost: float
    dropped: float
    won: float
    overruled: float
    trained: float


def cell(mean: float, kind: tuple[float, float]) -> Model:
    """Return the model of a cell whose MCC over infinitely many seeds is `mean`."""

    def distance(mcc: float) -> float:
        return model_of(Setting(mcc, *kind)).true_mcc - mean

    at = brentq(distance, mean - 0.1, mean + 0.1, xtol=1e-7)
    return model_of(Setting(float(at), *kind))


def gates(
    kind: tuple[float, float], gaps: Sequence[float], ways: Sequence[Way], studies: int
) -> list[Gates]:
    """Judge cells whose true mean MCC is above a threshold by a gap, in each way and by each gap.

    All are judged on the same studies.
    """
    model = cell(0.5, kind)
    generator = np.random.default_rng(round(1000 * kind[0]))
    cases = [(looks, form, gap) for looks, form in ways for gap in gaps]
    sums = np.zeros((len(cases), 3))
    for _ in range(studies):
        study = draw(generator, model, max(looks[-1] for looks, _ in ways))
        runs = study.labels, study.predictions
        for number, (looks, form, gap) in enumerate(cases):
            found = gate_verdict(*runs, model.true_mcc - gap, looks, form)
            sums[number] += (
                found.outcome == "pass",
                found.outcome == "fail",
                found.seeds / looks[-1],
            )
    return [Gates(*each) for each in (sums / studies).tolist()]


def races(
    models: Sequence[Model],
    ways: Sequence[Way],
    studies: int,
    *,
    margin: float | None = None,
    settled: float | None = None,
) -> list[Races]:
    """Race cells with known true means in several ways, on the same studies."""
    truths = np.array([model.true_mcc for model in models])
    best = truths >= truths.max() - SAME
    generator = np.random.default_rng([len(models), round(1e4 * float(truths.min()))])
    sums = np.zeros((len(ways), 6))
    for _ in range(studies):
        epochs = [[model] for model in models]
        labels, runs, _ = draw_cells(generator, epochs, ways[0][0][-1], alike=ALIKE)
        predictions = {str(cell): rows[:, 0] for cell, rows in enumerate(runs)}
        for number, (looks, form) in enumerate(ways):
            found = race(labels, predictions, looks, form, margin=margin, settled=settled)
            out = [(int(drop.cell), int(drop.against)) for drop in found.dropped]
            sums[number] += (
                any(truths[against] <= truths[cell] + SAME for cell, against in out),
                any(best[cell] for cell, _ in out),
                sum(not best[cell] for cell, _ in out) / max(int((~best).sum()), 1),
                found.winner is not None and best[int(found.winner)],
                _overruled(labels, predictions, found.winner),
                sum(found.used.values()) / (len(models) * looks[-1]),
            )
    return [Races(*each) for each in (sums / studies).tolist()]


def _overruled(
    labels: np.ndarray, predictions: Mapping[str, np.ndarray], winner: str | None
) -> bool:
    """Return whether all runs say that a winner is worse than the best cell, beyond chance."""
    means = {cell: float(mcc(labels, rows).mean()) for cell, rows in predictions.items()}
    best = max(means, key=lambda cell: means[cell])
    if winner is None or winner == best:
        return False
    runs = predictions[best], predictions[winner]
    return paired_difference(labels, *runs, paired_seeds=True).p_value < ERROR


def gate_rows(studies: int) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the table of gates."""
    cases = [(looks, form, gap) for looks, form in GATE_WAYS for gap in GAPS]
    for name, kind in (("steady", STEADY), ("restless", RESTLESS)):
        found = gates(kind, GAPS, GATE_WAYS, studies)
        for (looks, form, gap), each in zip(cases, found, strict=True):
            shares = (each.passed, each.failed, each.trained)
            yield (name, str(looks), form, f"{gap:.2f}", *(f"{share:.1%}" for share in shares))


def equal_rows(studies: Mapping[int, int]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the table of races of equal cells."""
    for count, number in studies.items():
        for name, kinds in SPREADS.items():
            models = [cell(0.5, kinds[place % len(kinds)]) for place in range(count)]
            found = races(models, WAYS, number)
            yield (str(count), name, *(f"{each.wrong:.1%}" for each in found))


def unequal_rows(studies: int) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the table of races of cells that differ."""
    for name, means in TRUTHS.items():
        for kind_name, kind in (("steady", STEADY), ("restless", RESTLESS)):
            models = [cell(mean, kind) for mean in means]
            for ends, settled in (("no", None), ("yes", SETTLED)):
                found = races(models, WAYS, studies, settled=settled)
                for (looks, form), each in zip(WAYS, found, strict=True):
                    shares = (each.wrong, each.dropped, each.won, each.overruled, each.trained)
                    words = (name, kind_name, str(looks), form, ends)
                    yield (*words, *(f"{share:.1%}" for share in shares))
