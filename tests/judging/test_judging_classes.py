"""Cells of more than two classes are judged, selected and compared as the statistics say."""

import numpy as np
import pytest
from builders.records import MACHINE, make_cell, predicted_record
from sklearn.metrics import matthews_corrcoef

from harness import stats
from harness.judging.comparison import Contestant, compare, compare_all
from harness.judging.evidence import evidence
from harness.judging.gates import judge
from harness.judging.leaderboard import leaderboard, rows_of
from harness.judging.mistakes import missed_by
from harness.store.checks.consistency import inconsistency
from harness.store.checks.contradiction import contradiction
from harness.store.classes import pack
from harness.store.records import Confusion, Record

CLASSES = 4
LABELS = np.random.default_rng(3).choice(CLASSES, 500, p=[0.5, 0.25, 0.2, 0.05])


def runs(name: str, errors: float, seeds: int = 3, epochs: int = 2) -> tuple[Record, ...]:
    """Return runs that err on about that share of sentences, at random."""
    cell, records = make_cell(name, seeds=tuple(range(seeds))), []
    for seed in cell.seeds:
        generator = np.random.default_rng([seed, round(100 * errors)])
        wrong = generator.random((epochs, len(LABELS))) < errors
        shifts = generator.integers(1, CLASSES, (epochs, len(LABELS)))
        predicted = np.where(wrong, (LABELS + shifts) % CLASSES, LABELS)
        same = {"machine": MACHINE, "checkpoint_digest": name[0] * 64}
        records.append(predicted_record(cell, seed, LABELS, predicted, CLASSES, **same))
    return tuple(records)


GOOD, BAD = runs("a-good", 0.2), runs("b-bad", 0.3)


def test_a_cell_is_judged_by_r_k_with_its_interval() -> None:
    judgement = judge(make_cell("a-good", seeds=(0, 1, 2), threshold=0.5), GOOD)
    found = evidence(GOOD)
    expected = [matthews_corrcoef(LABELS, row) for row in found.selected]
    assert judgement.verdict == "pass"
    assert judgement.mcc == pytest.approx(np.mean(expected))
    interval = stats.mean_interval(LABELS, found.selected, classes=CLASSES)
    assert judgement.mcc_interval == interval
    assert judgement.accuracy_interval == stats.mean_interval(
        LABELS, found.selected, "accuracy", classes=CLASSES
    )


def test_the_adjusted_score_of_a_row_is_that_of_all_classes() -> None:
    cell = make_cell("a-good", seeds=(0, 1, 2))
    (row,) = rows_of(leaderboard([cell], GOOD))
    selection = stats.selection_adjusted(LABELS, [evidence(GOOD).candidates], classes=CLASSES)
    assert selection is not None
    assert row["mcc_adjusted"] == selection.adjusted[0]


def test_two_cells_are_compared_on_the_same_sentences() -> None:
    pair = compare(Contestant("good", GOOD), Contestant("bad", BAD))
    found = stats.paired_difference(
        LABELS,
        evidence(GOOD).selected,
        evidence(BAD).selected,
        paired_seeds=False,
        classes=CLASSES,
    )
    assert (pair.difference, pair.low, pair.high) == (found.difference, found.low, found.high)
    assert (pair.verdict, pair.covers) == ("better", "sentences and seeds")
    (first, second, third) = compare_all(
        [Contestant("a", GOOD), Contestant("b", BAD), Contestant("c", runs("c-worse", 0.5))]
    )
    assert {first.verdict, second.verdict, third.verdict} == {"better"}


def test_cells_of_other_numbers_of_classes_are_not_compared() -> None:
    cell = make_cell("d-other", seeds=(0,))
    other = (predicted_record(cell, 0, LABELS, LABELS[None], 9),)
    pair = compare(Contestant("good", GOOD), Contestant("other", other))
    assert (pair.difference, pair.obstacle) == (None, "they were scored on different data")


def test_sentences_that_every_run_misclassifies_are_found() -> None:
    cell = make_cell("e")
    given = np.where(np.arange(len(LABELS)) < 7, (LABELS + 2) % CLASSES, LABELS)
    record = predicted_record(cell, 0, LABELS, given[None], CLASSES)
    assert missed_by([[record]]).positions == (0, 1, 2, 3, 4, 5, 6)


def test_a_record_of_four_classes_contradicts_itself_only_where_it_was_changed() -> None:
    record = GOOD[0]
    assert contradiction(record) is None
    assert inconsistency(record) is None
    epoch, scores = record.epochs[0], record.scores
    assert scores is not None
    for name, shown in (("mcc", "MCC"), ("accuracy", "accuracy"), ("f1", "F1")):
        raised = epoch.scores.model_copy(update={name: getattr(epoch.scores, name) - 1e-6})
        changed = record.model_copy(
            update={
                "epochs": (epoch.model_copy(update={"scores": raised}), *record.epochs[1:]),
                "selected_epoch": 2,
            }
        )
        problem = contradiction(changed)
        assert problem is not None
        assert f"epoch 1 has {shown}" in problem or "its rule selects epoch" in problem
    other = record.model_copy(update={"labels": pack(LABELS, 9)})
    assert contradiction(other) == "epoch 1: labels of 9 classes, but predictions of 4"


def test_counts_of_two_classes_do_not_belong_to_labels_of_four() -> None:
    counts = Confusion(true_positive=1, false_positive=0, false_negative=0, true_negative=1)
    changed = GOOD[0].model_copy(update={"confusion_by": {"length": {"1-4 words": counts}}})
    problem = inconsistency(changed)
    assert problem == "confusion_by counts two classes, but its labels have 4 classes"
