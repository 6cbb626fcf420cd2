"""The smallest detectable difference, against simulated studies and closed forms."""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import nct, t

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))

from simulated_coverage import CHECKPOINTS, VERSIONS, Comparison  # noqa: E402
from studies import RESTLESS, SENTENCES, STEADY, Setting, draw_pair, model_of  # noqa: E402

from harness.stats import Difference, paired_difference  # noqa: E402
from harness.stats.power import Spread, power_of, smallest_detectable  # noqa: E402

MANY = 10**9


def studies(
    comparison: Comparison, kind: tuple[float, float], drop: float, seeds: int, number: int
) -> list[Difference]:
    """Compare two systems in some studies, of which the second is worse by `drop`."""
    models = model_of(Setting(0.58, *kind)), model_of(Setting(0.58 - drop, *kind))
    generator, found = np.random.default_rng([seeds, 7]), []
    for _ in range(number):
        a, b = draw_pair(
            generator, models, seeds, alike=comparison.alike, paired=comparison.seeds_correlation
        )
        runs = a.labels, a.predictions, b.predictions
        found.append(paired_difference(*runs, paired_seeds=comparison.paired_seeds))
    return found


def spread_of_pilot(comparison: Comparison, kind: tuple[float, float]) -> Spread:
    seeds = 12
    found = studies(comparison, kind, 0.06, seeds, 40)
    both = float(np.mean([each.se_sentences**2 for each in found]))
    lasting = float(np.mean([(each.se_endless_seeds or 0.0) ** 2 for each in found]))
    beyond = float(np.mean([(each.se_seeds or 0.0) ** 2 for each in found]))
    return Spread(lasting=lasting, interaction=(both - lasting) * seeds, seeds=beyond * seeds)


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("comparison", "kind", "seeds"),
    [(CHECKPOINTS, STEADY, 3), (CHECKPOINTS, RESTLESS, 5), (VERSIONS, STEADY, 3)],
    ids=["checkpoints", "restless", "versions"],
)
def test_the_smallest_detectable_difference_is_detected_in_four_of_five_studies(
    comparison: Comparison, kind: tuple[float, float], seeds: int
) -> None:
    spread = spread_of_pilot(comparison, kind)
    paired = comparison.paired_seeds
    difference = smallest_detectable(spread, seeds, SENTENCES, paired=paired)
    found = studies(comparison, kind, difference, seeds, 1000)
    assert 0.77 <= np.mean([each.p_value < 0.05 for each in found]) <= 0.83


def test_without_error_from_seeds_it_is_that_of_the_normal_test() -> None:
    spread = Spread(lasting=0.03**2, interaction=0.0, seeds=0.0)
    expected = 0.03 * (ndtri(0.975) + ndtri(0.8))
    for seeds in (1, 2, 5):
        found = smallest_detectable(spread, seeds, MANY, paired=False)
        assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_without_error_from_sentences_it_is_that_of_the_t_test(seeds: int) -> None:
    error = 0.04 / seeds**0.5
    spread = Spread(lasting=0.0, interaction=0.0, seeds=0.04**2)
    for difference in (0.0, error, 2 * error, 4 * error):
        bound = t.ppf(0.975, seeds - 1)
        away = difference / error
        expected = nct.sf(bound, seeds - 1, away) + nct.cdf(-bound, seeds - 1, away)
        found = power_of(difference, spread, seeds, MANY, paired=True)
        assert found == pytest.approx(expected, abs=0.01)


def test_few_groups_raise_what_can_be_detected_as_student_s_t_says() -> None:
    """Another population comes with its own standard error and degrees of freedom."""
    spread = Spread(lasting=0.06**2, interaction=0.0, seeds=0.0, freedom=6.0)
    found = smallest_detectable(spread, 3, SENTENCES, paired=False)
    bound = t.ppf(0.975, 6)
    power = nct.sf(bound, 6, found / 0.06) + nct.cdf(-bound, 6, found / 0.06)
    assert power == pytest.approx(0.8, abs=0.01)
    plain = Spread(lasting=0.06**2, interaction=0.0, seeds=0.0)
    assert found > 1.1 * smallest_detectable(plain, 3, SENTENCES, paired=False)


def test_more_seeds_help_to_a_limit_and_more_sentences_beyond() -> None:
    def smallest(seeds: int, share: float = 1.0) -> float:
        spread = Spread(lasting=share * 0.025**2, interaction=share * 0.02**2, seeds=0.02**2)
        return smallest_detectable(spread, seeds, round(SENTENCES / share), paired=False)

    found = [smallest(seeds) for seeds in (2, 3, 5, 10, 1000)]
    assert all(more < fewer for fewer, more in pairwise(found))
    assert found[-1] == pytest.approx(0.025 * (ndtri(0.975) + ndtri(0.8)), rel=0.02)
    assert smallest(1000, 0.25) == pytest.approx(found[-1] / 2, rel=0.03)


def test_a_difference_of_0_is_detected_in_one_of_twenty_at_most() -> None:
    for seeds in (1, 2, 3, 10):
        for paired in (False, True):
            spread = Spread(lasting=0.025**2, interaction=0.02**2, seeds=0.01**2)
            assert 0.005 < power_of(0.0, spread, seeds, SENTENCES, paired=paired) <= 0.055
