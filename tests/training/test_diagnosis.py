"""Each way that a run goes wrong is told, with its likely cause; a sound run has no warning."""

from collections.abc import Sequence

import pytest
from datasets import Dataset, DatasetDict
from scipy.stats import entropy

from harness.models.encode import Encoded
from harness.store.records import Epoch, Scores
from harness.training.diagnosis import FEW_STEPS, cut_short, least_loss, trained_head, warnings


def epochs(losses: Sequence[float | None], mccs: Sequence[float]) -> list[Epoch]:
    return [
        Epoch(
            epoch=number,
            train_loss=loss,
            eval_loss=0.5,
            scores=Scores(mcc=mcc, accuracy=0.7, f1=0.8),
            seconds=10.0 * number,
        )
        for number, (loss, mcc) in enumerate(zip(losses, mccs, strict=True), start=1)
    ]


@pytest.mark.parametrize(
    ("losses", "mccs"),
    [
        ([0.61], [0.2]),
        ([0.61, 0.52, 0.44], [0.1, 0.3, 0.28]),
        ([0.61, 0.605, 0.60], [0.0, 0.0, 0.05]),
        ([0.5, 0.2, 0.25], [0.5, 0.55, 0.54]),
        ([0.5, 0.004, 0.007], [0.5, 0.55, 0.54]),
    ],
)
def test_a_run_that_learned_has_no_warning(losses: list[float], mccs: list[float]) -> None:
    assert list(warnings(epochs(losses, mccs), one_class=False, steps=500)) == []


def test_one_class_with_a_loss_that_never_fell_blames_a_high_learning_rate() -> None:
    told = list(warnings(epochs([0.62, 0.63, 0.62], [0.0] * 3), one_class=True, steps=500))
    assert len(told) == 2
    assert "MCC is exactly 0" in told[0]
    assert "learning rate is too high for this batch size" in told[0]
    assert "never fell (first epoch 0.620, lowest after it 0.620)" in told[1]


@pytest.mark.parametrize("classes", [2, 3, 20])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_the_lowest_loss_is_the_entropy_of_the_smoothed_labels(
    smoothing: float, classes: int
) -> None:
    shares = [smoothing / classes] * classes
    shares[0] += 1 - smoothing
    assert least_loss(smoothing, classes) == pytest.approx(entropy(shares), abs=1e-15)


def test_a_loss_that_falls_to_what_smoothed_labels_allow_has_fallen() -> None:
    learned = epochs([0.6930, 0.6905, 0.6890], [0.1, 0.3, 0.35])
    assert list(warnings(learned, False, 500, None, least_loss(0.9, 2))) == []
    (told,) = warnings(learned, False, 500, None, 0.0)
    assert "fell by less than 1 % (first epoch 0.693" in told
    (told,) = warnings(epochs([0.6930, 0.69299], [0.3, 0.3]), False, 500, None, 0.688)
    assert "fell by less than 1 % of what smoothed labels allow (first epoch 0.693" in told
    risen = epochs([0.6930, 0.6882, 0.6920], [0.1, 0.3, 0.35])
    (told,) = warnings(risen, False, 500, None, least_loss(0.9, 2))
    assert "rose from 0.688 to 0.692" in told


def test_one_class_after_one_epoch_leaves_the_cause_open() -> None:
    (told,) = warnings(epochs([0.62], [0.0]), one_class=True, steps=500)
    assert "likely a learning rate that is too low or too high, or too few optimiser steps" in told
    assert "500" not in told


@pytest.mark.parametrize(("steps", "few"), [(16, True), (FEW_STEPS - 1, True), (FEW_STEPS, False)])
def test_few_steps_are_the_first_cause_of_a_run_that_learned_nothing(steps: int, few: bool) -> None:
    found = epochs([0.695, 0.693], [0.0, 0.0])
    told = list(warnings(found, one_class=True, steps=steps))
    cause = (
        f"; likely too few optimiser steps ({steps}): train for more epochs, or in smaller batches"
        if few
        else "; likely the learning rate is too high for this batch size"
    )
    assert [cause in each for each in told] == [True, True]


def test_a_loss_that_exploded_in_few_steps_blames_the_learning_rate() -> None:
    (told,) = warnings(epochs([0.6, 0.4, 0.9], [0.2] * 3), one_class=False, steps=9)
    assert told.endswith("lower it, or set warmup_ratio")


@pytest.mark.parametrize(
    ("losses", "told"),
    [
        ([0.695, 0.693], "fell by less than 1 % (first epoch 0.695, lowest after it 0.693)"),
        ([0.695, 0.695], "never fell (first epoch 0.695, lowest after it 0.695)"),
        ([0.695, 0.697], "never fell (first epoch 0.695, lowest after it 0.697)"),
    ],
)
def test_a_loss_that_hardly_fell_is_not_told_as_one_that_never_fell(
    losses: list[float], told: str
) -> None:
    (found,) = warnings(epochs(losses, [0.0, 0.0]), one_class=False, steps=500)
    assert found.startswith(f"the training loss {told}; likely ")


def test_a_head_that_is_trained_already_is_told_and_a_new_one_is_not() -> None:
    (told,) = trained_head(())
    assert told.startswith("its classification head is trained already (")
    assert told.endswith(
        "it may have seen these validation sentences, so its score may be optimistic"
    )
    assert list(trained_head(("classifier.bias", "classifier.weight"))) == []


def test_an_exploding_loss_is_told_with_its_figures() -> None:
    (told,) = warnings(epochs([0.6, 0.4, 0.9], [0.2, 0.3, 0.05]), one_class=False, steps=500)
    assert "rose from 0.400 to 0.900" in told
    assert "lower it" in told


def test_a_loss_that_is_no_number_names_its_epochs() -> None:
    (told,) = warnings(epochs([0.6, None, None], [0.2, 0.05, 0.05]), one_class=False, steps=500)
    assert "not finite in epoch 2, 3" in told


def test_a_collapse_after_a_good_epoch_is_told_although_the_best_epoch_is_scored() -> None:
    (told,) = warnings(epochs([0.6, 0.5], [0.35, 0.0]), one_class=False, steps=500)
    assert "collapsed to MCC 0 by its last epoch" in told


def test_cut_sentences_are_counted() -> None:
    rows = {"train": 40, "validation": 10, "test": 5}
    splits = DatasetDict({name: Dataset.from_dict({"a": [0] * n}) for name, n in rows.items()})
    (told,) = cut_short(Encoded(splits, {"train": [3, 7], "test": [0]}, 16))
    assert told == (
        "3 sentences were cut at the maximum length, 16 tokens: 2 of 40 in train, 1 of 5 in test"
    )
    assert list(cut_short(Encoded(splits, {}, 16))) == []
