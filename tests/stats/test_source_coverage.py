"""A reduced simulation: intervals for other sources cover the truth, or there is none.

docs/simulated_coverage.py draws more studies, for docs/statistics.md.
"""

import json
import sys
from math import sqrt
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

from source_studies import (  # noqa: E402
    ALIKE,
    ALL,
    COLA,
    HARD,
    SENTENCES,
    SIZES,
    SYMMETRIC,
    Found,
    World,
    draw_pairs,
    fitted_spread,
    intervals_of,
    source_coverage,
)
from studies import Setting, model_of  # noqa: E402

from harness.stats import (  # noqa: E402
    Refusal,
    Sources,
    mcc,
    mean_interval,
    paired_difference,
    sources_of,
)
from harness.stats.scores import linearise  # noqa: E402

pytestmark = pytest.mark.simulation

SETTING = Setting(0.55, 0.010, 0.97)
STUDIES = 600
CHOSEN = "CR2"


def assert_enough(share: float, studies: int = STUDIES) -> None:
    """93 to 97 % of studies, within two standard errors of as many draws."""
    low, high = 0.93, 0.97
    assert share >= low - 2 * sqrt(low * (1 - low) / studies)
    assert share <= high + 2 * sqrt(high * (1 - high) / studies)


def coverage(world: World, seeds: int, sizes: tuple[int, ...]) -> tuple[Found, Found]:
    return source_coverage(SETTING, world, seeds, sizes, STUDIES, [CHOSEN])


# The model.


def counts_of_cola(checkpoint: str) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """Return (accepted, all) sentences by source, for each committed run and label."""
    folder = ROOT / "results" / "cola"
    published = json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))
    table = pq.read_table(folder / "predictions.parquet")
    found = []
    for run in published["records"]:
        if run["checkpoint"] != checkpoint:
            continue
        chosen = pc.and_(pc.equal(table["key"], run["key"]), pc.equal(table["split"], "validation"))
        own = table.filter(chosen)
        names, numbers = np.unique(own["source"].to_pylist(), return_inverse=True)
        labels = own["label"].to_numpy()
        accepted = own["logit_1"].to_numpy() > own["logit_0"].to_numpy()
        found.append(
            [
                (
                    np.bincount(numbers[labels == label], accepted[labels == label], len(names)),
                    np.bincount(numbers[labels == label], minlength=len(names)),
                )
                for label in (0, 1)
            ]
        )
    return found


def test_sources_differ_as_much_as_in_the_committed_predictions() -> None:
    runs = counts_of_cola("mpnet-base")
    assert len(runs) == 2
    spreads = [[fitted_spread([counts]) for counts in run] for run in runs]
    assert COLA.effects == pytest.approx(np.mean(spreads, axis=0), abs=0.005)
    (_, unacceptable), (_, acceptable) = runs[0]
    of_labels = fitted_spread([(acceptable, acceptable + unacceptable)])
    assert of_labels == pytest.approx(COLA.of_labels, abs=0.005)
    assert sorted(acceptable + unacceptable) == sorted(ALL)


@pytest.mark.parametrize("spread", [0.3, 0.6])
def test_the_spread_of_sources_is_found_again(spread: float) -> None:
    model = model_of(Setting(0.55, 0.0, 0.97))
    world = World((spread, spread), spread)
    study, _ = draw_pairs(np.random.default_rng(3), model, world, 1, (50,) * 800, 1)
    labels, accepted = study.labels[0].reshape(800, 50), study.predictions[0, 0].reshape(800, 50)
    every = np.full(800, 50)
    assert fitted_spread([(labels.sum(axis=1), every)]) == pytest.approx(spread, abs=0.03)
    for label in (0, 1):
        counts = ((accepted * (labels == label)).sum(axis=1), (labels == label).sum(axis=1))
        assert fitted_spread([counts]) == pytest.approx(spread, abs=0.05)


@pytest.mark.parametrize("world", [COLA, pytest.param(HARD, marks=pytest.mark.long)])
def test_the_truth_is_what_very_many_sources_show(world: World) -> None:
    generator = np.random.default_rng(0)
    study, _ = draw_pairs(generator, model_of(SETTING), world, 5, (20,) * 20_000, 1)
    found = mcc(study.labels[0], study.predictions[0])
    assert found == pytest.approx(study.true_mccs[0], abs=0.01)


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_studies_use_the_intervals_of_the_harness(seeds: int) -> None:
    sizes = SIZES["its 17 in-domain"]
    model = model_of(SETTING)
    a, b = draw_pairs(np.random.default_rng(5), model, COLA, seeds, sizes, 3)
    sources = sources_of(np.repeat(np.arange(len(sizes)), sizes))
    assert isinstance(sources, Sources)
    methods: dict[str, Sources | None] = {SENTENCES: None, CHOSEN: sources}
    for labels, first, second, true_a, true_b in zip(
        a.labels, a.predictions, b.predictions, a.true_mccs, b.true_mccs, strict=True
    ):
        one, two = intervals_of(labels, first, second, true_a, true_b, model.true_mcc, methods)
        truths = (model.true_mcc, 0.0) if seeds > 1 else (true_a[0], true_a[0] - true_b[0])
        for place, used in enumerate(methods.values()):
            score = mean_interval(labels, first, sources=used)
            assert one[0] == pytest.approx((score.mean - truths[0]) ** 2)
            assert one[1 + 2 * place] == (score.low <= truths[0] <= score.high)
            assert one[2 + 2 * place] == pytest.approx(score.standard_error)
            pair = paired_difference(labels, first, second, paired_seeds=False, sources=used)
            assert two[0] == pytest.approx((pair.difference - truths[1]) ** 2)
            assert two[1 + 2 * place] == (pair.low <= truths[1] <= pair.high)
            assert two[2 + 2 * place] == pytest.approx(pair.standard_error)


# Coverage.


@pytest.mark.parametrize(
    ("name", "seeds", "world"),
    [
        ("its 6 out-of-domain", 3, COLA),
        ("6 of 60 sentences", 1, HARD),
        *(
            pytest.param(*each, marks=pytest.mark.long)
            for each in (
                ("CoLA's 23", 1, COLA),
                ("CoLA's 23", 3, HARD),
                ("its 17 in-domain", 1, COLA),
                ("its 17 in-domain", 3, HARD),
                ("its 6 out-of-domain", 1, COLA),
                ("its 6 out-of-domain", 3, HARD),
                ("every third, 8", 3, COLA),
                ("8 of 60 sentences", 3, HARD),
            )
        ),
    ],
)
def test_intervals_cover_other_sources_and_those_for_other_sentences_do_not(
    name: str, seeds: int, world: World
) -> None:
    score, difference = coverage(world, seeds, SIZES[name])
    assert_enough(score.covered[CHOSEN])
    assert_enough(difference.covered[CHOSEN])
    assert score.covered[SENTENCES] < 0.80
    assert difference.covered[SENTENCES] < 0.93


@pytest.mark.long
def test_an_interval_around_the_mcc_covers_less_and_misses_on_one_side() -> None:
    """Six sources of equal size: why the interval is symmetric on Fisher's scale."""
    studies = 4_000
    sizes = SIZES["6 of 60 sentences"]
    score, _ = source_coverage(SETTING, HARD, 1, sizes, studies, [CHOSEN])
    assert_enough(score.covered[CHOSEN], studies)
    assert score.covered[SYMMETRIC] < score.covered[CHOSEN] - 0.005


@pytest.mark.long
def test_without_an_effect_both_intervals_cover() -> None:
    score, difference = coverage(ALIKE, 3, (60,) * 17)
    for found in (score, difference):
        assert_enough(found.covered[CHOSEN])
        assert_enough(found.covered[SENTENCES])
        assert found.standard_error[CHOSEN] < 1.1 * found.standard_error[SENTENCES]


# Finding an effect.


def is_found(generator: np.random.Generator, sources: Sources, influence: np.ndarray) -> bool:
    """Test at 5 % whether sentences of a source correlate more than sentences in another order.

    If sources have no effect, each of the 40 orders is equally likely to correlate most.
    """
    own = sources.correlation(influence)
    others = [sources.correlation(generator.permutation(influence)) for _ in range(39)]
    return sum(other >= own for other in others) <= 1


def share_found(world: World, draws: int) -> float:
    sizes = SIZES["CoLA's 23"]
    sources = Sources(np.repeat(np.arange(len(sizes)), sizes), np.array(sizes))
    generator = np.random.default_rng(17)
    model = model_of(SETTING)
    found = 0
    for _ in range(draws // 50):
        study, _ = draw_pairs(generator, model, world, 1, sizes, 50)
        for labels, predictions in zip(study.labels, study.predictions, strict=True):
            influence = linearise(labels, predictions, "mcc").influence[0]
            found += is_found(generator, sources, influence)
    return found / draws


def test_a_planted_effect_is_found() -> None:
    assert share_found(COLA, 100) >= 0.95


@pytest.mark.parametrize("draws", [150, pytest.param(1_000, marks=pytest.mark.long)])
def test_without_an_effect_none_is_found_in_95_percent_of_draws(draws: int) -> None:
    assert share_found(ALIKE, draws) <= 0.05 + 2 * sqrt(0.05 * 0.95 / draws)


@pytest.mark.parametrize("number", [1, 2, 5])
def test_with_fewer_than_six_sources_there_is_no_interval(number: int) -> None:
    assert isinstance(sources_of(np.repeat(np.arange(number), 50)), Refusal)
