"""Two cells are told apart when their sentences tell them apart, and not otherwise."""

from dataclasses import replace

import numpy as np
import pytest
from builders.records import (
    MACHINE,
    digest,
    failed_record,
    make_cell,
    make_record,
    predicted_record,
)

from harness import stats
from harness.judging.comparison import (
    Comparison,
    Contestant,
    as_dict,
    best_cells,
    compare,
    compare_all,
    corrected,
)
from harness.judging.comparison.conclusions import background, conclusion
from harness.judging.evidence import evidence
from harness.store.records import Record
from harness.suite.spec import TrainingSpec

RANDOM = np.random.default_rng(11)
LABELS = RANDOM.integers(0, 2, 600)


def contestant(name: str, errors: float, seeds: int = 3, offset: int = 0) -> Contestant:
    """Return a cell's runs with about that share of errors at random."""
    cell = make_cell(name, seeds=tuple(range(seeds)))
    runs = []
    for seed in cell.seeds:
        luck = np.random.default_rng([seed, offset]).random(len(LABELS))
        predicted = np.where(luck < errors, 1 - LABELS, LABELS)
        run = predicted_record(
            cell, seed, LABELS, predicted[None], machine=MACHINE, checkpoint_digest="d" * 64
        )
        runs.append(run)
    return Contestant(name, tuple(runs))


GOOD, BAD = contestant("good", 0.15), contestant("bad", 0.35, offset=1)


def test_a_clear_difference_is_shown_in_the_right_direction() -> None:
    pair = compare(GOOD, BAD)
    assert pair.verdict == "better"
    assert compare(BAD, GOOD).verdict == "worse"
    assert pair.low is not None
    assert pair.low > 0
    assert pair.covers == "sentences and seeds"
    found = stats.paired_difference(
        LABELS,
        evidence(GOOD.runs).selected,
        evidence(BAD.runs).selected,
        paired_seeds=True,
    )
    assert (pair.difference, pair.p_value) == (found.difference, found.p_value)
    text = conclusion(pair)
    assert text.startswith("good is better than bad: MCC ")
    assert text.endswith(
        "; good takes 1.00 times the training time (101.5 ± 1.0 against 101.5 ± 1.0 s; 0.980 to "
        "1.02 run by run), 1.00 times the evaluation time (2.88 ± 0.00 against 2.88 ± 0.00 ms per "
        "sentence; 1.00 to 1.00 run by run) and 1.00 times the memory (902 ± 1 against 902 ± 1 MB; "
        "0.998 to 1.00 run by run) of bad; other programs, whose load was not recorded, may have "
        "influenced the ratios of training time and evaluation time."
    )


@pytest.mark.parametrize(
    ("changes", "unlike"),
    [
        ({}, {}),
        ({"max_length": 64}, {"max length": ["none", "64"]}),
        ({"selection": "last-epoch"}, {"selection": ["best-epoch", "last-epoch"]}),
        ({"speedups": ()}, {"speedups": [", ".join(TrainingSpec().speedups), "none"]}),
        (
            {"epochs": 2, "warmup_ratio": 0.1},
            {"epochs": ["5", "2"], "warmup ratio": ["0.0", "0.1"]},
        ),
    ],
)
def test_every_setting_of_training_that_differs_is_named(
    changes: dict[str, object], unlike: dict[str, list[str]]
) -> None:
    training = TrainingSpec.model_validate(changes)
    runs = tuple(run.model_copy(update={"training": training}) for run in BAD.runs)
    pair = compare(GOOD, replace(BAD, runs=runs))
    assert as_dict(pair)["unlike"] == unlike
    told = [sentence for sentence in background(pair) if "differ" in sentence]
    assert len(told) == (1 if unlike else 0)


def test_both_sides_that_were_chosen_are_named() -> None:
    pair = compare(replace(GOOD, chosen_of=4), replace(BAD, chosen_of=2))
    *_, last = background(pair)
    assert last.startswith(
        "Selected by score: the cell of good is the best of 4 and the cell of bad is the best of 2 "
        "cells"
    )
    assert "their MCCs are optimistic" in last
    assert not any("elected" in sentence for sentence in background(compare(GOOD, BAD)))


def test_a_cell_against_itself_shows_no_difference() -> None:
    pair = compare(GOOD, replace(GOOD, name="again"))
    assert (pair.difference, pair.p_value, pair.verdict) == (0.0, 1.0, "no difference shown")
    assert conclusion(pair).startswith("No difference is shown between good and again")
    assert (pair.low, pair.high) == (0.0, 0.0)
    assert ", because these are the same runs)" in conclusion(pair)


def test_two_perfect_cells_of_eight_sentences_are_not_shown_to_be_equal() -> None:
    labels = np.arange(8) % 2

    def perfect(name: str) -> Contestant:
        cell = make_cell(name, seeds=(1,))
        run = predicted_record(
            cell, 1, labels, labels[None], machine=MACHINE, checkpoint_digest=digest(name)
        )
        return Contestant(name, (run,))

    pair = compare(perfect("one"), perfect("other"))
    assert (pair.difference, pair.p_value, pair.verdict) == (0.0, 1.0, "no difference shown")
    assert pair.low is not None
    assert pair.high is not None
    # Were they to disagree about three in ten sentences, one study in twenty would show none.
    assert pair.low == -pair.high < -2 * (1 - 0.05 ** (1 / 8))
    assert "from the number of sentences alone: they predict the same" in conclusion(pair)


@pytest.mark.parametrize("seeds", [(3, 2), (2, 2), (1, 2)])
def test_two_cells_that_never_disagree_say_so_whatever_the_numbers_of_their_seeds(
    seeds: tuple[int, int],
) -> None:
    labels = np.arange(8) % 2

    def one_mistake(name: str, number: int) -> Contestant:
        cell = make_cell(name, seeds=tuple(range(number)))
        predicted = np.where(np.arange(8) == 0, 1 - labels, labels)[None]
        runs = (predicted_record(cell, seed, labels, predicted) for seed in cell.seeds)
        return Contestant(name, tuple(runs))

    pair = compare(one_mistake("one", seeds[0]), one_mistake("other", seeds[1]))
    assert pair.identical
    assert pair.low is not None
    assert pair.low < -0.5
    assert "from the number of sentences alone: they predict the same" in conclusion(pair)


def test_one_seed_each_is_said_to_hold_for_these_runs_only() -> None:
    pair = compare(contestant("one", 0.1, seeds=1), contestant("other", 0.4, seeds=1))
    assert pair.verdict == "better"
    assert "for these runs only" in conclusion(pair)


def test_other_data_and_missing_predictions_are_obstacles() -> None:
    dataset = GOOD.runs[0].dataset
    assert dataset is not None
    elsewhere = dataset.model_copy(update={"fingerprint": "x" * 64})
    moved = Contestant(
        "moved", tuple(run.model_copy(update={"dataset": elsewhere}) for run in GOOD.runs)
    )
    old = Contestant("old", (make_record(make_cell()),))
    for other, reason in ((moved, "different data"), (old, "contains no predictions")):
        pair = compare(GOOD, other)
        assert pair.verdict == "not comparable"
        assert pair.obstacle is not None
        assert reason in pair.obstacle
        assert conclusion(pair).startswith(f"good and {other.name} cannot be compared: ")


def test_many_pairs_are_corrected_together() -> None:
    cells = [GOOD, BAD, contestant("middle", 0.2, offset=2), contestant("near", 0.16, offset=3)]
    pairs = compare_all(cells)
    assert [(pair.a, pair.b) for pair in pairs] == [
        ("good", "bad"),
        ("good", "middle"),
        ("good", "near"),
        ("bad", "middle"),
        ("bad", "near"),
        ("middle", "near"),
    ]
    ordered = sorted(pairs, key=lambda pair: pair.p_value or 0)
    running = 0.0
    for rank, pair in enumerate(ordered):  # Holm's step-down, written out
        assert pair.p_value is not None
        running = max(running, min(1.0, pair.p_value * (len(ordered) - rank)))
        assert pair.adjusted == pytest.approx(running)


def test_a_pair_that_cannot_be_compared_is_no_part_of_the_correction() -> None:
    old = Contestant("old", (make_record(make_cell()),))
    alone = compare(GOOD, BAD)
    together = corrected([alone, compare(GOOD, old)])
    assert together[0].adjusted == alone.p_value
    assert together[1].adjusted is None


@pytest.mark.parametrize("changes", [{"concurrency": 7}, {"threads": 7}, {"device": "cuda"}])
def test_times_of_other_circumstances_have_no_ratio(changes: dict[str, object]) -> None:
    other = Contestant("other", tuple(run.model_copy(update=changes) for run in BAD.runs))
    assert compare(GOOD, other).ratios["time"].value is None


def test_ratios_are_of_means_and_of_worst_memory() -> None:
    def cost(run: Record, factor: float) -> Record:
        assert run.times is not None
        times = run.times.model_copy(update={"train": factor * run.times.train})
        return run.model_copy(
            update={
                "times": times,
                "eval_ms_per_sentence": factor,
                "peak_memory_mb": 100.0 * factor,
            }
        )

    slow = Contestant("slow", tuple(cost(run, 3.0) for run in BAD.runs))
    fast = Contestant("fast", tuple(cost(run, 1.5) for run in BAD.runs))
    pair = compare(slow, fast)
    assert pair.ratios["time"].value == pytest.approx(2.0)
    assert pair.ratios["evaluation"].value == pytest.approx(2.0)
    assert pair.ratios["memory"].value == pytest.approx(2.0)


def test_each_checkpoint_is_represented_by_its_best_cell() -> None:
    low, high = make_cell("a", 16), make_cell("a", 32)
    none = make_cell("b")
    runs = {
        low.id: [make_record(low, mcc=0.2)],
        high.id: [make_record(high, mcc=0.3)],
        none.id: [],
    }
    (best,) = best_cells([low, high, none], runs, {})
    assert best.name == "a"
    assert best.runs[0].cell == high.id
    survivors = make_cell("a", 64, seeds=(0, 1))
    runs[survivors.id] = [make_record(survivors, 0, mcc=0.9), failed_record(survivors, 1)]
    assert best_cells([low, high, none, survivors], runs, {}) == [best]


def test_a_verdict_follows_the_adjusted_p_value() -> None:
    pair = compare(GOOD, BAD)

    def verdict(adjusted: float) -> str:
        changed: Comparison = replace(pair, adjusted=adjusted)
        return changed.verdict

    assert (verdict(0.049), verdict(0.05)) == ("better", "no difference shown")
