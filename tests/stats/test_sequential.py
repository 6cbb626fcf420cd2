"""Looks at growing numbers of seeds: published boundaries, simulated paths, verdicts of gates."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm, studentized_range, t

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))

from race_studies import FORMS, cell, gates  # noqa: E402
from studies import RESTLESS, STEADY, draw  # noqa: E402

from harness.errors import BadInput  # noqa: E402
from harness.stats import Sources, Statistic, mean_interval, sources_of  # noqa: E402
from harness.stats.sequential import Form, gate_verdict, nominal_levels, spent  # noqa: E402
from harness.stats.sequential.levels import pair_level  # noqa: E402

# Two-sided, 5 %, five equal looks: ldbounds and gsDesign.
PUBLISHED: dict[Form, list[float]] = {
    "obrien-fleming": [4.8769, 3.3569, 2.6803, 2.2898, 2.0310],
    "pocock": [2.4380, 2.4268, 2.4101, 2.3966, 2.3859],
}


@pytest.mark.parametrize("form", FORMS)
def test_boundaries_of_independent_increments_are_the_published_ones(form: Form) -> None:
    levels = np.array(nominal_levels([1, 2, 3, 4, 5], 0.0, form))
    assert norm.isf(levels / 2) == pytest.approx(PUBLISHED[form], abs=2e-4)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("level", [0.05, 0.01, 0.001])
def test_all_error_is_spent_at_the_last_look_and_ever_more_before(form: Form, level: float) -> None:
    errors = [spent(fraction, form, level) for fraction in (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)]
    assert errors == sorted(errors)
    assert errors[0] > 0
    assert errors[-1] == level
    assert spent(1 - 1e-12, form, level) == pytest.approx(level)


def paths(looks: list[int], share: float, number: int) -> np.ndarray:
    """Return (looks, paths) of Z for means over seeds of which `share` of the variance is common.

    They are sums of the variables themselves: no covariance of looks is assumed.
    """
    generator = np.random.default_rng(looks)
    common = np.sqrt(share) * generator.standard_normal(number)
    own = np.sqrt(1 - share) * generator.standard_normal((looks[-1], number))
    means = np.stack([common + own[:seeds].mean(axis=0) for seeds in looks])
    deviations = [np.sqrt(share + (1 - share) / seeds) for seeds in looks]
    scores: np.ndarray = means / np.array(deviations)[:, None]
    return scores


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("looks", "share"),
    [([2, 3, 5], 0.0), ([2, 3, 5], 0.3), ([2, 3, 5, 8], 0.6), ([1, 2, 3, 5], 0.9), ([2, 10], 0.5)],
)
def test_simulated_paths_cross_with_the_error_that_each_look_may_spend(
    form: Form, looks: list[int], share: float
) -> None:
    number, level = 200_000, 0.2
    levels = nominal_levels(looks, share, form, level)
    crossed = np.abs(paths(looks, share, number)) > norm.isf(np.array(levels) / 2)[:, None]
    for upto in range(1, len(looks) + 1):
        expected = spent(looks[upto - 1] / looks[-1], form, level)
        error = 4 * np.sqrt(expected * (1 - expected) / number) + 1e-5
        assert crossed[:upto].any(axis=0).mean() == pytest.approx(expected, abs=error)


@pytest.mark.parametrize("form", FORMS)
def test_levels_grow_with_the_share_so_rounding_it_down_is_safe(form: Form) -> None:
    for looks in ([2, 3, 5], [1, 2, 3, 5], [2, 3, 5, 8]):
        rows = [nominal_levels(looks, share / 20, form) for share in range(20)]
        assert (np.diff(rows, axis=0) >= -1e-6 * np.array(rows[1:])).all()  # quadrature
        assert nominal_levels(looks, 0.299, form) == rows[5]
        assert nominal_levels(looks, 1.0, form) == rows[19]


def test_one_look_has_the_whole_level_whatever_the_share() -> None:
    for share in (0.0, 0.5, 1.0):
        assert nominal_levels([4], share, "pocock", 0.03) == pytest.approx([0.03])


@pytest.mark.parametrize("cells", [3, 4, 12, 48])
@pytest.mark.parametrize("error", [0.05, 0.01, 0.001])
def test_the_level_of_each_pair_is_that_of_the_studentized_range(cells: int, error: float) -> None:
    expected = 2 * norm.sf(studentized_range.isf(error, cells, 1e6) / np.sqrt(2))
    assert pair_level(error, cells) == pytest.approx(expected, rel=1e-5)
    assert pair_level(error, cells) >= error / (cells * (cells - 1) / 2)


@pytest.mark.parametrize("error", [1e-5, 1e-8, 1e-12, 1e-60])
def test_tiny_errors_divide_by_the_number_of_pairs(error: float) -> None:
    assert pair_level(error, 12) == pytest.approx(error / 66, rel=0.03)


@pytest.mark.parametrize(
    ("looks", "share", "level", "cells", "words"),
    [
        ([], 0.5, 0.05, 2, "ascending"),
        ([3, 2], 0.5, 0.05, 2, "[3, 2]"),
        ([2, 2], 0.5, 0.05, 2, "ascending"),
        ([0, 2], 0.5, 0.05, 2, "at least 1"),
        ([2, 3], 1.5, 0.05, 2, "share is 1.5"),
        ([2, 3], float("nan"), 0.05, 2, "share is nan"),
        ([2, 3], 0.5, 0.0, 2, "level is 0.0"),
        ([2, 3], 0.5, 0.05, 1, "cells are 1"),
    ],
)
def test_wrong_looks_get_a_clear_error(
    looks: list[int], share: float, level: float, cells: int, words: str
) -> None:
    with pytest.raises(BadInput) as error:
        nominal_levels(looks, share, "pocock", level, cells)
    assert words in str(error.value)


def study(seeds: int = 8) -> tuple[np.ndarray, np.ndarray]:
    found = draw(np.random.default_rng(3), cell(0.5, STEADY), seeds)
    return found.labels, found.predictions


def test_a_gate_by_one_look_judges_as_the_interval_of_all_seeds() -> None:
    labels, predictions = study(5)
    interval = mean_interval(labels, predictions)
    for form in FORMS:
        found = gate_verdict(labels, predictions, 0.3, [5], form)
        assert found.low == pytest.approx(interval.low)
        assert found.high == pytest.approx(interval.high)
        edge = interval.low
        assert gate_verdict(labels, predictions, edge - 1e-6, [5], form).outcome == "pass"
        last = gate_verdict(labels, predictions, edge + 1e-6, [5], form)
        assert last.outcome == "not-enough-evidence"
        assert gate_verdict(labels, predictions, interval.high + 1e-6, [5], form).outcome == "fail"


def study_of_sources(seed: int, seeds: int = 3) -> tuple[np.ndarray, np.ndarray, Sources]:
    """Draw sources of which some are much easier than others."""
    random = np.random.default_rng(seed)
    numbers = np.repeat(np.arange(8), random.integers(10, 50, 8))
    errors = random.uniform(0.02, 0.5, 8)[numbers]
    labels = random.integers(0, 2, numbers.size)
    wrong = random.random((seeds, numbers.size)) < errors
    sources = sources_of(numbers)
    assert isinstance(sources, Sources)
    return labels, np.where(wrong, 1 - labels, labels), sources


STATISTICS: tuple[Statistic, ...] = ("mcc", "accuracy")


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("by_sources", [False, True])
def test_one_look_at_all_seeds_has_the_interval_without_looks(
    seed: int, statistic: Statistic, by_sources: bool
) -> None:
    labels, predictions, of_sentences = study_of_sources(seed, 2 + seed % 4)
    sources = of_sentences if by_sources else None
    interval = mean_interval(labels, predictions, statistic, sources=sources)
    near = [interval.low - 1e-5, interval.low + 1e-5, interval.high - 1e-5, interval.high + 1e-5]
    expected = ["pass", "not-enough-evidence", "not-enough-evidence", "fail"]
    for threshold, outcome in zip(near, expected, strict=True):
        found = gate_verdict(
            labels,
            predictions,
            threshold,
            [len(predictions)],
            "pocock",
            statistic=statistic,
            sources=sources,
        )
        assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-6)
        assert found.outcome == outcome
        assert found.p_value == pytest.approx(0.05, abs=1e-3)


def test_an_mcc_over_sources_is_tested_on_fishers_scale() -> None:
    labels, predictions, sources = study_of_sources(0)
    interval = mean_interval(labels, predictions, sources=sources)
    for threshold in (-0.2, interval.mean - 0.05, interval.mean + 0.1, 0.999):
        found = gate_verdict(labels, predictions, threshold, [3], "pocock", sources=sources)
        away = np.arctanh(interval.mean) - np.arctanh(threshold)
        statistic = away * (1 - interval.mean**2) / interval.standard_error
        expected = 2 * t.sf(abs(statistic), interval.degrees_of_freedom)
        assert found.p_value == pytest.approx(expected)
    for threshold, outcome in ((-1.0, "pass"), (1.0, "fail")):
        found = gate_verdict(labels, predictions, threshold, [3], "pocock", sources=sources)
        assert (found.outcome, found.p_value) == (outcome, 0.0)


def test_a_look_at_runs_without_variation_says_nothing_about_other_sources() -> None:
    labels, predictions, sources = study_of_sources(1, 5)
    varied = np.concatenate([[labels, labels], predictions[2:]])
    for threshold in (-1.0, 0.2, 0.99):
        found = gate_verdict(labels, varied[:2], threshold, [2, 3, 5], "pocock", sources=sources)
        assert (found.outcome, found.look, found.mean) == ("undecided", 0, None)
        third = gate_verdict(labels, varied[:3], threshold, [2, 3, 5], "pocock", sources=sources)
        assert (third.look, third.seeds) == (2, 3)
    perfect = np.repeat(labels[None], 5, axis=0)
    end = gate_verdict(labels, perfect, 0.2, [2, 3, 5], "pocock", sources=sources)
    assert (end.outcome, end.look) == ("not-enough-evidence", 0)
    # Other sentences of the same sources: the error is that of the counts.
    same = gate_verdict(labels, perfect, 0.2, [2, 3, 5], "pocock")
    assert (same.outcome, same.seeds) == ("pass", 2)


def test_a_gate_is_decided_at_the_first_look_that_excludes_the_threshold() -> None:
    labels, predictions = study()
    far = gate_verdict(labels, predictions, 0.1, [2, 3, 5], "pocock")
    assert (far.outcome, far.look, far.seeds) == ("pass", 1, 2)
    assert gate_verdict(labels, predictions, 0.9, [2, 3, 5], "pocock").outcome == "fail"
    near = float(mean_interval(labels, predictions[:5]).mean)
    open_still = gate_verdict(labels, predictions[:4], near, [2, 3, 5], "pocock")
    assert (open_still.outcome, open_still.look, open_still.seeds) == ("undecided", 2, 3)
    end = gate_verdict(labels, predictions[:5], near, [2, 3, 5], "pocock")
    assert (end.outcome, end.look, end.seeds) == ("not-enough-evidence", 3, 5)
    none = gate_verdict(labels, predictions[:1], near, [2, 3, 5], "pocock")
    assert (none.outcome, none.look, none.level, none.mean) == ("undecided", 0, None, None)


def test_later_seeds_change_no_earlier_verdict() -> None:
    labels, predictions = study()
    for threshold in (0.2, 0.4, 0.45, 0.5, 0.6):
        states = [
            gate_verdict(labels, predictions[:seeds], threshold, [2, 3, 5], "pocock")
            for seeds in range(2, 9)
        ]
        decided = [state for state in states if state.outcome != "undecided"]
        assert decided == decided[:1] * len(decided)


def test_the_interval_of_a_look_excludes_the_threshold_exactly_if_it_decides() -> None:
    labels, predictions = study()
    for threshold in np.linspace(0.3, 0.7, 81).tolist():
        found = gate_verdict(labels, predictions, threshold, [2, 3, 5], "obrien-fleming")
        assert found.low is not None
        assert found.high is not None
        outside = not found.low <= threshold <= found.high
        assert outside == (found.outcome in ("pass", "fail"))


def test_a_gate_needs_two_seeds_at_its_first_look() -> None:
    labels, predictions = study()
    with pytest.raises(BadInput, match="at least 2"):
        gate_verdict(labels, predictions, 0.5, [1, 3], "pocock")


@pytest.mark.simulation
@pytest.mark.parametrize("kind", [STEADY, RESTLESS])
def test_gates_pass_and_fail_wrongly_as_rarely_as_they_say(kind: tuple[float, float]) -> None:
    studies = 300
    ways = [([2, 3, 5], form) for form in FORMS]
    for at, above in zip(*[iter(gates(kind, [0.0, 0.1], ways, studies))] * 2, strict=True):
        # 5 % in all, half on each side, and three standard errors.
        assert at.passed + at.failed <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)
        assert max(at.passed, at.failed) <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / studies)
        assert above.failed == 0
        assert above.passed > 0.5
        assert above.trained < 0.95
