"""Studies of looks and races: how often their verdicts are wrong, and what they save.

`docs/studies.py` draws sentences and seeds; all cells share which sentences are hard, as those of
one matrix do, and the true mean of each cell is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from studies import Model, Setting, draw, draw_cells, model_of

from harness.stats.racing import race
from harness.stats.sequential import Form, gate_verdict

ALIKE = 0.9
"""Correlation of the difficulty of a sentence for two cells."""

FORMS: tuple[Form, ...] = ("obrien-fleming", "pocock")
STEADY = (0.01, 0.7)
RESTLESS = (0.03, 0.5)
UNSTABLE = (0.1, 0.5)
"""Standard deviation of the true MCC over seeds, and the share that seeds have in common."""


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
        trained: mean share of all runs that the race trained.
    """

    wrong: float
    lost: float
    dropped: float
    won: float
    trained: float


def gates(
    kind: tuple[float, float], gap: float, looks: Sequence[int], form: Form, studies: int
) -> Gates:
    """Judge cells whose true mean MCC is above a threshold by `gap`, look by look."""
    model = model_of(Setting(0.5, *kind))
    generator = np.random.default_rng([round(1000 * (1 + gap)), round(1000 * kind[0]), len(looks)])
    passed = failed = seeds = 0
    for _ in range(studies):
        study = draw(generator, model, looks[-1])
        found = gate_verdict(study.labels, study.predictions, model.true_mcc - gap, looks, form)
        passed += found.outcome == "pass"
        failed += found.outcome == "fail"
        seeds += found.seeds
    return Gates(passed / studies, failed / studies, seeds / looks[-1] / studies)


def races(
    models: Sequence[Model],
    looks: Sequence[int],
    form: Form,
    studies: int,
    margin: float | None = None,
    sentences_seed: int = 0,
) -> Races:
    """Race cells with known true means, starting each run only when the race needs it."""
    truths = np.array([model.true_mcc for model in models])
    best = truths >= truths.max() - 1e-9
    generator = np.random.default_rng([len(models), round(1e6 * truths.std()), sentences_seed])
    counts = np.zeros(5)
    for _ in range(studies):
        labels, runs, _ = draw_cells(
            generator, [[model] for model in models], looks[-1], alike=ALIKE
        )
        predictions = {str(cell): rows[:, 0] for cell, rows in enumerate(runs)}
        found = race(labels, predictions, looks, form, margin=margin)
        out = [(int(drop.cell), int(drop.against)) for drop in found.dropped]
        counts += (
            any(truths[against] <= truths[cell] + 1e-9 for cell, against in out),
            any(best[cell] for cell, _ in out),
            sum(not best[cell] for cell, _ in out) / max(int((~best).sum()), 1),
            found.winner is not None and best[int(found.winner)],
            trained(labels, predictions, looks, form, margin) / runs[:, :, 0, 0].size,
        )
    return Races(*(counts / studies).tolist())


def trained(
    labels: np.ndarray,
    predictions: dict[str, np.ndarray],
    looks: Sequence[int],
    form: Form,
    margin: float | None = None,
) -> int:
    """Return how many runs a race needs until its end."""
    have = {cell: rows[:0] for cell, rows in predictions.items()}
    while needed := race(labels, have, looks, form, margin=margin).needed:
        have |= {cell: predictions[cell][:count] for cell, count in needed.items()}
    return sum(len(rows) for rows in have.values())
