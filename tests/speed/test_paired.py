"""Ratios of `make speed`: they cover what is true as often as they say, or they are refused."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from speed import paired

TRUE = 2.2


def test_the_interval_is_scipys_of_the_logarithms_and_the_ratio_the_median() -> None:
    first, second = [44.1, 46.0, 43.2, 45.3, 48.1], [20.3, 21.0, 20.2, 20.9, 20.1]
    found = paired.ratio_of(first, second)
    ratios = np.array(first) / np.array(second)
    logs = np.log(ratios)
    low, high = scipy.stats.t.interval(0.95, len(logs) - 1, logs.mean(), scipy.stats.sem(logs))
    assert found.pairs == pytest.approx(tuple(ratios))
    assert found.ratio == sorted(ratios)[2]
    assert (found.low, found.high) == pytest.approx((math.exp(low), math.exp(high)))
    assert found.why is None


def simulated(rounds: int, noise: float, random: np.random.Generator) -> paired.Ratio:
    """Measure TRUE on a machine whose speed differs between rounds by far more than within one."""
    machine = random.lognormal(0, 0.5, rounds)
    first, second = (
        seconds * machine * random.lognormal(0, noise, rounds) for seconds in (TRUE * 20, 20)
    )
    return paired.ratio_of(first.tolist(), second.tolist())


@pytest.mark.simulation
@pytest.mark.parametrize("rounds", [2, 3, 5, 10])
def test_the_interval_covers_the_true_ratio_as_often_as_it_says(rounds: int) -> None:
    random, repeats = np.random.default_rng(rounds), 4000
    covered = 0
    for _ in range(repeats):
        found = simulated(rounds, 0.001, random)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= TRUE <= found.high
    assert covered == pytest.approx(0.95 * repeats, abs=4 * math.sqrt(repeats * 0.95 * 0.05))


@pytest.mark.simulation
def test_noise_is_refused_and_a_quiet_machine_is_not() -> None:
    random = np.random.default_rng(1)
    noisy = [simulated(5, 0.3, random) for _ in range(400)]
    quiet = [simulated(5, 0.02, random) for _ in range(400)]
    assert sum(found.ratio is None for found in noisy) > 0.95 * len(noisy)
    assert all(found.ratio is not None for found in quiet)


@pytest.mark.parametrize(
    ("pairs", "measured"),
    [
        ([2.0, 2.1, 2.05, 1.95, 2.0], True),
        ([1.9, 3.6, 2.2, 1.2, 2.4], False),
        ([2.2, 2.2, 3.61], False),
        ([2.2, 2.21], True),
        ([2.0, 2.2], False),  # 10 % apart: two pairs multiply their standard error by 12.7
    ],
)
def test_a_ratio_whose_interval_is_wider_than_a_third_of_it_is_refused(
    pairs: list[float], measured: bool
) -> None:
    found = paired.from_pairs(pairs)
    logs = np.log(pairs)
    low, high = scipy.stats.t.interval(0.95, len(logs) - 1, logs.mean(), scipy.stats.sem(logs))
    assert (math.exp(high) - math.exp(low) <= np.median(pairs) / 3) == measured
    assert found.pairs == tuple(pairs)
    if measured:
        assert found.why is None
        assert found.ratio == np.median(pairs)
    else:
        assert (found.ratio, found.low, found.high) == (None, None, None)
        assert found.why == f"too noisy: {math.exp(low):.2f} to {math.exp(high):.2f}"


@pytest.mark.parametrize(
    ("first", "second", "impossible"),
    [
        ([-0.7, 4.0, 4.0], [2.0, 2.0, 2.0], 1),
        ([4.0, 4.0, 4.0], [2.0, -2.0, 0.0], 2),
        ([-4.0, 4.0, 4.0], [-2.0, 2.0, 2.0], 1),  # 2, of two impossible measurements
        ([math.inf, 4.0, 4.0], [2.0, 2.0, 2.0], 1),
        ([math.nan, 4.0, 4.0], [2.0, 2.0, 2.0], 1),
        ([-0.35], [1.0], 1),
    ],
)
def test_an_impossible_pair_is_never_left_out(
    first: list[float], second: list[float], impossible: int
) -> None:
    found = paired.ratio_of(first, second)
    assert (found.ratio, found.low, found.high) == (None, None, None)
    assert found.why == f"too noisy: {impossible} of {len(first)} pairs impossible"
    assert [pair for pair in found.pairs if pair is not None] == [2.0] * (len(first) - impossible)


@pytest.mark.parametrize("pairs", [[], [2.2]])
def test_a_single_pair_shows_no_spread(pairs: list[float]) -> None:
    found = paired.from_pairs(pairs)
    assert found == paired.Ratio(tuple(pairs), None, None, None, "at least two rounds are needed")


@given(
    st.lists(
        st.floats(-1e300, 1e300) | st.sampled_from([math.inf, -math.inf, math.nan]), max_size=6
    )
)
def test_any_numbers_give_a_ratio_within_its_interval_or_a_reason(pairs: list[float]) -> None:
    found = paired.from_pairs(pairs)
    if found.why is None:
        assert found.low is not None
        assert found.ratio is not None
        assert found.high is not None
        rounding = 1e-9 * found.ratio
        assert 0 < found.low - rounding <= found.ratio <= found.high + rounding < math.inf
    else:
        assert found.ratio is found.low is found.high is None


@given(st.lists(st.floats(0.9, 1.1), min_size=2, max_size=8))
def test_a_ratio_and_its_inverse_have_one_interval(pairs: list[float]) -> None:
    found, inverse = paired.from_pairs(pairs), paired.from_pairs([1 / pair for pair in pairs])
    if found.low is not None and found.high is not None and inverse.low is not None:
        assert inverse.high is not None
        assert (1 / inverse.high, 1 / inverse.low) == pytest.approx((found.low, found.high))


def test_measurements_are_made_in_turn_in_alternating_order() -> None:
    made: list[str] = []

    def measure(name: str) -> str:
        made.append(name)
        return f"{name}{len(made)}"

    rounds = list(paired.in_turn({"a": lambda: measure("a"), "b": lambda: measure("b")}, 3))
    assert "".join(made) == "abbaab"
    assert rounds[0] == {"a": ("a1",), "b": ("b2",)}
    assert rounds[-1] == {"a": ("a1", "a4", "a5"), "b": ("b2", "b3", "b6")}
