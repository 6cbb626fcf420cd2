"""A reduced simulation: intervals for other sources cover the truth, or there is none.

docs/simulated_coverage.py draws more studies, for docs/statistics.md.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))

from source_studies import (  # noqa: E402
    EFFECT,
    SIZES,
    draw_pair_in_sources,
    source_coverage,
    source_differences,
)
from studies import Setting, model_of  # noqa: E402

from harness.stats import Refusal, Sources, mcc, sources_of  # noqa: E402
from harness.stats.scores import linearise  # noqa: E402

pytestmark = pytest.mark.simulation

SETTING = Setting(0.55, 0.010, 0.97)
ENOUGH = (0.93, 0.97)


@pytest.mark.parametrize(
    ("name", "seeds"),
    [
        ("CoLA's 23", 1),
        ("CoLA's 23", 3),
        ("its 17 in-domain", 1),
        ("its 17 in-domain", 3),
        ("its 6 out-of-domain", 1),
    ],
)
def test_the_interval_covers_other_sources_and_the_first_one_does_not(
    name: str, seeds: int
) -> None:
    found = source_coverage(SETTING, seeds, SIZES[name], 500)
    assert found.by_sources is not None
    assert ENOUGH[0] <= found.by_sources <= ENOUGH[1]
    assert found.by_sentences < 0.75


def test_differences_are_covered_and_raise_few_false_alarms() -> None:
    found, significant = source_differences(SETTING, 3, SIZES["CoLA's 23"], 500)
    assert found.by_sources is not None
    assert ENOUGH[0] <= found.by_sources <= ENOUGH[1]
    assert significant <= 0.07
    assert found.by_sentences < 0.90


def test_without_an_effect_both_intervals_cover() -> None:
    found = source_coverage(SETTING, 3, (60,) * 17, 500, effect=0.0)
    assert found.by_sources is not None
    assert ENOUGH[0] <= found.by_sources <= ENOUGH[1]
    assert ENOUGH[0] <= found.by_sentences <= ENOUGH[1]


def test_a_planted_effect_is_visible_in_the_correlation_of_a_source() -> None:
    """And without an effect of sources the correlation is near 0."""
    model = model_of(SETTING)
    fitted = {}
    for effect in (0.0, EFFECT):
        generator = np.random.default_rng(4)
        drawn = []
        for _ in range(40):
            study, _, numbers = draw_pair_in_sources(
                generator, (model, model), 1, SIZES["CoLA's 23"], effect
            )
            sources = sources_of(numbers)
            assert isinstance(sources, Sources)
            influence = linearise(study.labels, study.predictions, "mcc").influence[0]
            drawn.append(sources.correlation(influence))
        fitted[effect] = np.array(drawn)
    assert np.median(fitted[EFFECT]) > 0.03
    assert np.median(fitted[0.0]) < 0.01


def test_the_truth_is_what_very_many_sources_show() -> None:
    model = model_of(SETTING)
    study, _, _ = draw_pair_in_sources(
        np.random.default_rng(0), (model, model), 5, (20,) * 20_000, EFFECT
    )
    assert mcc(study.labels, study.predictions) == pytest.approx(study.true_mccs, abs=0.01)


@pytest.mark.parametrize("number", [1, 2, 5])
def test_with_fewer_than_six_sources_there_is_no_interval(number: int) -> None:
    assert isinstance(sources_of(np.repeat(np.arange(number), 50)), Refusal)
    assert source_coverage(SETTING, 1, (50,) * number, 3).by_sources is None
