"""Published scores are compared with rows of like recipe only; others say why not."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.records import make_cell, make_record, predicted_record
from scipy.stats import t

from harness.inputs.origin import Origin
from harness.report.published_scores import Against, against, in_words
from harness.stats import mcc, mean_interval
from harness.stats.planning import ASSUMED_SEED_SD, published_reach
from harness.store.records import Record
from harness.suite.plan import Cell, make_plan
from harness.suite.references import Reference, load_references
from harness.suite.spec import TrainingSpec, load_suite

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

from studies import Setting, draw, model_of  # noqa: E402

LIKE = Reference(
    checkpoint="org/encoder",
    mcc=0.5,
    recipe="r",
    source="s",
    statistic="mean",
    seeds=3,
    epochs=(2,),
    batch_sizes=(16,),
    learning_rates=(2e-5,),
    selection="best-epoch",
)


def runs_of(cell: Cell, errors: float = 0.25, **changes: Any) -> list[Record]:
    """Records of two epochs; the second is the better one."""
    labels = np.random.default_rng(1).integers(0, 2, 1000)
    luck = np.random.default_rng(2).random((max(cell.seeds) + 1, 1000))
    changes = {"training": TrainingSpec(epochs=2), **changes}
    return [
        predicted_record(
            cell,
            seed,
            labels,
            np.stack(
                [np.where(luck[seed] < e, 1 - labels, labels) for e in (errors + 0.1, errors)]
            ),
            **changes,
        )
        for seed in cell.seeds
    ]


def one(reference: Reference, cell: Cell | None = None, **changes: Any) -> Against:
    cell = make_cell(seeds=(0, 1)) if cell is None else cell
    found = against(reference, [cell], {cell.id: runs_of(cell, **changes)})
    assert found is not None
    return found


def changed(**fields: Any) -> Reference:
    return LIKE.model_copy(update=fields)


@pytest.mark.parametrize("published", [0.42, 0.5, 0.56])
def test_a_like_recipe_is_compared_within_both_intervals(published: float) -> None:
    found = one(changed(mcc=published))
    assert found.reasons == ()
    assert found.agrees is True
    assert "within both intervals" in in_words(found)
    assert found.mcc is not None
    assert f"a difference of {found.mcc - published:+.3f}" in in_words(found)


@pytest.mark.parametrize("published", [0.2, 0.7, 0.95])
def test_a_far_score_of_a_like_recipe_is_beyond_them(published: float) -> None:
    found = one(changed(mcc=published))
    assert found.agrees is False
    assert "beyond both intervals" in in_words(found)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"statistic": "median"}, "it is the median of 3 runs, this row a mean"),
        ({"statistic": "best", "seeds": 10}, "it is the best of 10 runs, this row a mean"),
        ({"epochs": (3,)}, "it has epochs 3, this row 2"),
        ({"batch_sizes": (32,)}, "it has batch size 32, this row 16"),
        ({"learning_rates": (3e-5,)}, "it has learning rate 3e-5, this row 2e-5"),
        (
            {"learning_rates": (1e-5, 2e-5)},
            "it is the best of a search over learning rate 1e-5 and 2e-5, this row 2e-5",
        ),
        ({"selection": "last-epoch"}, "it scores the last epoch, this row the epoch of the"),
        ({"selection": "lowest-loss"}, "it scores the epoch of the lowest loss"),
        ({"split": "test"}, "it is of the test split"),
        ({"seeds": None}, "it does not state its number of runs"),
        ({"epochs": None, "statistic": None}, "it does not state its statistic and epochs"),
    ],
)
def test_an_unlike_recipe_is_not_comparable_and_the_reason_is_said(
    fields: dict[str, Any], reason: str
) -> None:
    found = one(changed(**fields))
    assert len(found.reasons) == 1
    assert found.reasons[0].startswith(reason)
    assert found.agrees is None
    assert f"not comparable, because {reason}" in in_words(found)


def test_every_reason_is_said_at_once() -> None:
    found = one(changed(epochs=(3,), batch_sizes=None, split="test"))
    assert len(found.reasons) == 3


@pytest.mark.parametrize("statistic", [None, "best", "median", "mean"])
def test_of_one_run_every_statistic_is_its_score(statistic: str | None) -> None:
    assert one(changed(seeds=1, statistic=statistic)).reasons == ()


@pytest.mark.parametrize(
    "changes", [{"warmup_ratio": 0.1}, {"weight_decay": 0.1}, {"label_smoothing": 0.2}]
)
def test_a_row_with_settings_that_references_do_not_have_is_unlike(
    changes: dict[str, float],
) -> None:
    found = one(LIKE, training=TrainingSpec(epochs=2, **changes))
    assert found.reasons == (f"this row has its own {next(iter(changes))}",)


def test_the_row_of_like_recipe_is_compared_even_if_another_is_better() -> None:
    cells = [make_cell(seeds=(0, 1), batch_size=size) for size in (8, 16, 32)]
    errors = {8: 0.1, 16: 0.25, 32: 0.2}
    runs = {cell.id: runs_of(cell, errors[cell.batch_size]) for cell in cells}
    found = against(LIKE, cells, runs)
    assert found is not None
    assert (found.cell, found.reasons) == (cells[1].id, ())
    unlike = against(changed(batch_sizes=(64,)), cells, runs)
    assert unlike is not None
    assert unlike.cell == cells[0].id  # of equally unlike rows the best


def test_a_checkpoint_from_the_hub_is_known_by_its_repository_and_others_are_not() -> None:
    hub = Origin(source="hub", name="org/encoder", version="0" * 40)
    assert one(LIKE, make_cell("mirror", seeds=(0, 1)), origin=hub).reasons == ()
    claim = Origin(source="folder", says={"config.json, _name_or_path": "org/encoder"})
    for name in ("mirror", "org/encoder"):
        found = one(LIKE, make_cell(name, seeds=(0, 1)), origin=claim)
        assert "only name org/encoder as their source" in found.reasons[0]
        assert found.agrees is None
    silent = make_cell("org/encoder", seeds=(0, 1))
    records = runs_of(silent, origin=Origin(source="folder"))
    assert against(LIKE, [silent], {silent.id: records}) is None


def test_a_checkpoint_without_a_finished_row_is_not_comparable() -> None:
    cell = make_cell(seeds=(0, 1))
    found = against(LIKE, [cell], {cell.id: runs_of(cell)[:1]})
    assert found is not None
    assert in_words(found).startswith("not comparable: no cell of this checkpoint")


def test_a_row_without_predictions_says_so() -> None:
    cell = make_cell()
    records = [make_record(cell, 0, training=TrainingSpec(epochs=2))]
    found = against(LIKE, [cell], {cell.id: records})
    assert found is not None
    assert "contains no predictions" in in_words(found)


def test_the_published_interval_is_student_s_with_the_row_s_spreads() -> None:
    cell = make_cell(seeds=(0, 1, 2))
    records = runs_of(cell)
    labels = np.random.default_rng(1).integers(0, 2, 1000)
    luck = np.random.default_rng(2).random((3, 1000))
    estimate = mean_interval(labels, np.where(luck < 0.25, 1 - labels, labels))
    assert estimate.sd_one_seed is not None
    assert estimate.se_endless_seeds is not None
    one_seed = max(estimate.sd_one_seed, ASSUMED_SEED_SD) ** 2
    assert estimate.se_sentences is not None
    total = estimate.se_endless_seeds**2 + one_seed / 5
    of_sentences = estimate.se_sentences**2
    both = of_sentences - estimate.se_endless_seeds**2
    uncertainty = (one_seed / 5) ** 2 / 2 + (of_sentences**2 + both**2 / 2) / 999
    reach = t.ppf(0.975, total**2 / uncertainty) * total**0.5
    assert published_reach(estimate, 5) == pytest.approx(reach)
    found = against(changed(seeds=5), [cell], {cell.id: records})
    assert found is not None
    assert found.published == pytest.approx((0.5 - reach, 0.5 + reach))
    assert found.interval == (estimate.low, estimate.high)


def test_a_row_of_one_seed_gets_an_interval_for_other_seeds_too() -> None:
    cell = make_cell()
    interval = one(LIKE, cell).interval
    assert interval is not None
    low, high = interval
    labels = np.random.default_rng(1).integers(0, 2, 1000)
    luck = np.random.default_rng(2).random((1, 1000))
    alone = mean_interval(labels, np.where(luck < 0.25, 1 - labels, labels))
    error = (alone.standard_error**2 + ASSUMED_SEED_SD**2) ** 0.5
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.001)


def test_a_reproduction_agrees_and_a_bug_does_not() -> None:
    """The published run is of the same recipe in the first studies, and better in the others."""
    generator = np.random.default_rng(3)
    model, better = (model_of(Setting(value, 0.015, 0.9)) for value in (0.5, 0.68))
    agreed = {model: 0, better: 0}
    for published in agreed:
        for _ in range(200):
            study = draw(generator, model, 3)
            other = draw(generator, published, 1)
            row = mean_interval(study.labels, study.predictions)
            score = float(mcc(other.labels, other.predictions)[0])
            reach = published_reach(row, 1)
            found = Against(
                changed(mcc=score, seeds=1),
                "row",
                row.mean,
                (row.low, row.high),
                (score - reach, score + reach),
            )
            agreed[published] += bool(found.agrees)
    assert agreed[model] >= 188
    assert agreed[better] < 20


def test_published_scores_of_the_project_are_comparable_with_rows_of_its_suites() -> None:
    references = load_references(ROOT / "benchmarks" / "references.toml")
    for name, most in (("cola", 3), ("cola-full", 5)):
        suite = load_suite(ROOT / "benchmarks" / f"{name}.toml")
        cells = [replace(cell, seeds=(0,)) for cell in make_plan(suite)]
        runs = {
            cell.id: runs_of(cell, training=suite.training)[:1]
            for cell in cells
            if cell.checkpoint in {reference.checkpoint for reference in references}
        }
        known = [cell for cell in cells if cell.id in runs]
        found = [each for r in references if (each := against(r, known, runs)) is not None]
        assert sum(not each.reasons for each in found) >= most
