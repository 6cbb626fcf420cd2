"""Records of runs that stopped before their last epoch: counts, rules, evidence and costs."""

from collections.abc import Sequence

import numpy as np
import pytest
from builders.records import make_cell, predicted_record, with_key

from harness import stats
from harness.judging.comparison import Contestant, compare
from harness.judging.comparison.conclusions import background
from harness.judging.evidence import NoEvidence, evidence
from harness.judging.leaderboard import leaderboard, rows_of
from harness.kept.model_card import model_card
from harness.store.checks.consistency import inconsistency
from harness.store.records import Record
from harness.store.stopped import epochs_trained
from harness.suite.spec import TrainingSpec

CELL = make_cell(seeds=(0, 1, 2))
LABELS = np.arange(80) % 2


def predictions(errors: Sequence[int]) -> np.ndarray:
    """Return (epochs, sentences) classes with this number of wrong ones in each epoch."""
    random = np.random.default_rng(sum(errors))
    classes = np.tile(LABELS, (len(errors), 1))
    for epoch, wrong in enumerate(errors):
        chosen = random.choice(len(LABELS), wrong, replace=False)
        classes[epoch, chosen] = 1 - classes[epoch, chosen]
    return classes


def run(errors: Sequence[int], seed: int = 0, epochs: int = 9, patience: int | None = 2) -> Record:
    training = TrainingSpec(epochs=epochs, patience=patience)
    return predicted_record(CELL, seed, LABELS, predictions(errors), training=training)


@pytest.mark.parametrize(
    ("errors", "patience"),
    [
        ([9, 5, 6, 7], 2),
        ([9, 9, 9], 2),  # an equal MCC is not higher; equal errors may differ, so see below
        ([9, 10], 1),
        ([9, 8, 7, 6, 5, 4, 3, 2, 1], 2),  # all nine epochs
        ([9, 10, 8, 11, 7, 12, 13], 2),
        ([9, 10, 11, 12, 13, 14, 15, 16, 17], 8),
        ([9, 10, 11, 12, 13, 14, 15, 16, 17], 20),
    ],
)
def test_a_run_that_its_rule_stopped_is_consistent(errors: list[int], patience: int) -> None:
    if errors == [9, 9, 9]:
        classes = np.repeat(predictions([9]), 3, axis=0)
        training = TrainingSpec(epochs=9, patience=patience)
        record = predicted_record(CELL, 0, LABELS, classes, training=training)
    else:
        record = run(errors, patience=patience)
    assert inconsistency(record) is None
    assert epochs_trained(record.training, record.epochs) == len(errors)
    assert record.dataset is not None
    assert record.times is not None
    sentences = record.dataset.train * len(errors)
    assert record.samples_per_second == pytest.approx(sentences / record.times.train)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([9, 5, 6], "it has 3 epochs, but patience 2 and its MCCs give 9"),
        ([9, 5, 6, 7, 8], "it has 5 epochs, but patience 2 and its MCCs give 4"),
        ([9, 8, 7], "it has 3 epochs, but patience 2 and its MCCs give 9"),
        ([9, 10, 11, 1], "it has 4 epochs, but patience 2 and its MCCs give 3"),
    ],
)
def test_more_or_fewer_epochs_than_the_rule_gives_are_an_inconsistency(
    errors: list[int], expected: str
) -> None:
    assert expected in (inconsistency(run(errors)) or "")


def test_a_speed_of_the_planned_epochs_is_an_inconsistency() -> None:
    record = run([9, 5, 6, 7])
    assert record.samples_per_second is not None
    wrong = record.model_copy(update={"samples_per_second": record.samples_per_second * 9 / 4})
    assert (inconsistency(wrong) or "").startswith("samples_per_second is ")


def test_seeds_that_stopped_at_different_epochs_are_one_cell() -> None:
    records = [run([9, 5, 6, 7], 0), run([9, 10, 11], 1), run([9, 8, 4, 5, 6], 2)]
    found = evidence(records)
    assert found.candidates.shape == (3, 5, 80)
    for record, own in zip(records, found.candidates, strict=True):
        trained = len(record.epochs)
        mccs = [epoch.scores.mcc for epoch in record.epochs]
        assert [stats.mcc(LABELS, each[None])[0] for each in own[:trained]] == pytest.approx(mccs)
        assert (own[trained:] == own[trained - 1]).all()
    (row,) = rows_of(leaderboard([CELL], records))
    assert row["seeds"] == 3
    assert row["mcc_low"] is not None
    assert row["mcc_adjusted"] is not None


def test_a_repeated_last_epoch_changes_no_number_that_corrects_for_selection() -> None:
    """The same runs with and without further copies of their last epoch."""
    short = np.stack([predictions([9, 5, 6]), predictions([12, 4, 8])])
    longer = np.concatenate([short, short[:, -1:], short[:, -1:]], axis=1)
    one, other = (stats.selection_adjusted(LABELS, [each]) for each in (short, longer))
    assert one == other is not None


def test_runs_of_different_patience_are_no_cell() -> None:
    with pytest.raises(NoEvidence, match="different data or numbers of epochs"):
        evidence([run([9, 5, 6, 7], 0), run([9, 10], 1, patience=1)])
    with pytest.raises(NoEvidence, match="different data or numbers of epochs"):
        evidence([run([9, 5, 6, 7], 0, patience=None), run([9, 10, 11], 1, patience=None)])


def test_a_key_has_the_patience() -> None:
    record = run([9, 5, 6, 7])
    other = record.model_copy(update={"training": TrainingSpec(epochs=9, patience=3)})
    assert with_key(other).key != record.key
    assert (inconsistency(other) or "").startswith("its key is ")


def test_a_model_card_says_how_many_epochs_were_trained() -> None:
    card = model_card(run([9, 5, 6, 7]), ("no", "yes"), (0.1, 0.9))
    assert "- epochs: 4 of at most 9, with a patience of 2\n" in card
    changed = TrainingSpec(adam_beta2=0.98, label_smoothing=0.1)
    record = predicted_record(CELL, 0, LABELS, predictions([9] * 5), training=changed)
    card = model_card(record, ("no", "yes"), (0.1, 0.9))
    assert "- epochs: 5\n" in card
    assert "- adam beta2: 0.98\n- label smoothing: 0.1\n" in card
    assert "adam beta1" not in card


def test_a_comparison_says_that_epochs_are_a_maximum() -> None:
    one = Contestant("one", (run([9, 5, 6, 7], 0), run([9, 10, 11], 1)))
    other = Contestant("other", (run([30, 9], 0, 2, None), run([30, 9], 1, 2, None)))
    lines = list(background(compare(one, other)))
    assert lines[0].endswith("learning rate 2e-5, at most 9 epochs, 2 seeds.")
    assert lines[1].endswith("learning rate 2e-5, 2 epochs, 2 seeds.")
    assert "epochs (9 against 2), patience (2 against none)" in lines[2]
