"""A reduced simulation: what is called 95 % is 95 %, and would not be with a source left out.

docs/simulated_coverage.py draws more studies of more settings, for docs/statistics.md.
"""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))

from simulated_coverage import (  # noqa: E402
    CHECKPOINTS,
    VERSIONS,
    Comparison,
    both_sources,
    both_sources_of_accuracy,
    compare,
    coverage,
    one_seed,
    seeds_only,
    selection,
    sentences_only,
)
from studies import STEADY, Setting, draw, model_of  # noqa: E402

from harness.stats import accuracy, mcc  # noqa: E402

pytestmark = pytest.mark.simulation

# Seeds and sentences add about as much to the error of a mean of four.
BALANCED = Setting(0.58, 0.045, 0.9)
ENOUGH = (0.93, 0.97)


def test_the_truth_of_the_model_is_what_very_many_sentences_and_seeds_show() -> None:
    model = model_of(BALANCED)
    study = draw(np.random.default_rng(0), model, 300, 10_000)
    values = mcc(study.labels, study.predictions)
    # Seeds leave an error of 0.045 / sqrt(300), 10,000 sentences one of about 0.009.
    assert values.mean() == pytest.approx(model.true_mcc, abs=0.02)
    assert values == pytest.approx(study.true_mccs, abs=0.06)
    assert (values - study.true_mccs).mean() == pytest.approx(0, abs=0.02)
    assert study.true_mccs.std() == pytest.approx(0.045, abs=0.005)
    shares = accuracy(study.labels, study.predictions)
    assert shares.mean() == pytest.approx(model.true_accuracy, abs=0.015)


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
@pytest.mark.parametrize("value", [0.1, 0.58])
def test_the_interval_covers_the_truth_as_often_as_it_says(value: float, seeds: int) -> None:
    covered = coverage(Setting(value, *STEADY), seeds, 1000, both_sources)
    assert ENOUGH[0] <= covered <= ENOUGH[1]


def test_leaving_out_one_of_the_two_sources_would_not_cover() -> None:
    """The simulation tells: the right interval passes where either half of it fails."""
    assert ENOUGH[0] <= coverage(BALANCED, 4, 1000, both_sources) <= ENOUGH[1]
    assert coverage(BALANCED, 4, 1000, sentences_only) < 0.90
    assert coverage(BALANCED, 4, 1000, seeds_only) < 0.90


def test_the_interval_of_accuracy_covers_too() -> None:
    covered = coverage(BALANCED, 4, 1000, both_sources_of_accuracy, statistic="accuracy")
    assert ENOUGH[0] <= covered <= ENOUGH[1]


@pytest.mark.parametrize(
    "comparison", [CHECKPOINTS, VERSIONS], ids=lambda comparison: comparison.name
)
def test_differences_cover_the_truth_and_raise_few_false_alarms(comparison: Comparison) -> None:
    same = compare(comparison, STEADY, 3, 0.0, 1000)
    assert ENOUGH[0] <= same.covered <= 0.985
    assert 0.015 <= same.significant <= 0.07
    worse = compare(comparison, STEADY, 3, 0.05, 1000)
    assert ENOUGH[0] <= worse.covered <= 0.985
    assert worse.significant > (0.75 if comparison is VERSIONS else 0.35)


def test_one_run_each_tells_of_these_runs_not_of_their_recipes() -> None:
    """Equal recipes whose seeds differ are called different more often than 5 %."""
    by_t, by_permutation = one_seed((0.0, 0.97), 0.0, 500)
    assert 0.03 <= by_t <= 0.075
    assert 0.03 <= by_permutation <= 0.075
    restless = one_seed((0.03, 0.9), 0.0, 200)
    assert min(restless) > 0.12


def test_the_adjusted_score_of_a_winner_by_luck_is_not_far_from_its_true_one() -> None:
    best_epoch, adjusted, winner, adjusted_winner = selection(np.full((6, 4), 0.5), 2, 40)
    assert best_epoch > 0.005
    assert abs(adjusted) < 0.6 * best_epoch
    assert winner > 0.02
    assert abs(adjusted_winner) < 0.5 * winner


def test_the_document_holds_the_figures_of_every_table() -> None:
    document = (DOCS / "statistics.md").read_text(encoding="utf-8")
    parts = re.findall(r"<!-- ([\w ]+) -->\n(.*?)\n<!-- end \1 -->", document, re.DOTALL)
    assert [name for name, _ in parts] == [
        "spreads",
        "coverage",
        "alternatives",
        "differences",
        "one seed",
        "selection",
        "classes",
        "sources",
        "looks",
        "races",
        "unequal races",
    ]
    assert all(table.startswith("|") and table.count("\n") > 3 for _, table in parts)
