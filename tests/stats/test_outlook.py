"""Whether seeds that are left are likely to separate cells: against simulated continuations."""

import numpy as np
import pytest
from scipy.stats import norm

from harness.stats.racing.outlook import probability_of_drop
from harness.stats.racing.spread import Parts


def parts(lasting: float, one_seed: float, seeds: int, cells: int = 1) -> Parts:
    """Return the parts of differences that differ by nothing but their seeds."""
    known = np.full(cells, lasting)
    return Parts(known, np.full(cells, one_seed / seeds), 0.0, 10.0, 1000.0)


@pytest.mark.parametrize("difference", [0.0, 0.02, 0.05, 0.09])
@pytest.mark.parametrize(("lasting", "one_seed"), [(0.0004, 0.0016), (0.0, 0.003), (0.001, 0.0001)])
def test_predictive_power_is_that_of_simulated_seeds(
    difference: float, lasting: float, one_seed: float
) -> None:
    """The true difference is drawn given the one so far, then the seeds that are left."""
    seeds, last, level, number = 2, 5, 0.01, 200_000
    rng = np.random.default_rng(1)
    # The effect of the sentences is the same in all seeds, so only the seeds left are new.
    known = difference + rng.normal(0, np.sqrt(one_seed / seeds), number)
    new = known + rng.normal(0, np.sqrt(one_seed / (last - seeds)), number)
    whole = (seeds * difference + (last - seeds) * new) / last
    error = np.sqrt(lasting + one_seed / last)
    simulated = float(np.mean(whole > norm.isf(level / 2) * error))
    (found,) = probability_of_drop(
        np.array([difference]), parts(lasting, one_seed, seeds), seeds, last, np.array([level])
    )
    assert found == pytest.approx(simulated, abs=4 * np.sqrt(0.25 / number) + 1e-4)


def test_larger_differences_are_more_likely_to_be_dropped() -> None:
    differences = np.linspace(-0.1, 0.3, 9)
    found = probability_of_drop(
        differences, parts(0.0004, 0.001, 2, cells=9), 2, 5, np.full(9, 0.01)
    )
    assert (np.diff(found) >= 0).all()
    assert found[0] < 1e-6
    assert found[-1] > 0.999


def test_without_spread_over_seeds_later_seeds_change_nothing() -> None:
    """Then the seeds so far already show what all will."""
    found = probability_of_drop(
        np.array([0.01, 0.2]), parts(0.0004, 0.0, 2, cells=2), 2, 5, np.full(2, 0.05)
    )
    assert found.tolist() == [0.0, 1.0]
