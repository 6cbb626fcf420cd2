"""A run equals the tutorial's own script, and every setting reaches `TrainingArguments`."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders.tiny_checkpoints import make_checkpoint
from builders.tutorial import Finished, run_tutorial, tutorial_arguments
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from transformers import AutoTokenizer, EarlyStoppingCallback, TrainingArguments

from harness.inputs.data import corpus
from harness.models.encode import encode
from harness.suite.spec import TrainingSpec
from harness.training.finetune import Outcome, Settings, finetune, training_arguments
from harness.training.loading import load_checkpoint

FEATURES = Features(
    {
        "sentence": Value("string"),
        "label": ClassLabel(names=["unacceptable", "acceptable"]),
        "idx": Value("int32"),
    }
)
# What the tutorial does not say is left to Trainer; no speed-up draws its own random numbers.
PLAIN = TrainingSpec(epochs=3, eval_batch_size=16, speedups=())


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_checkpoint("bert", tmp_path_factory.mktemp("bert"))
    assert json.loads((folder / "config.json").read_text())["hidden_dropout_prob"] > 0
    return folder


@pytest.fixture(scope="module")
def cola() -> DatasetDict:
    sentences = corpus.generate()

    def split(name: str, size: int) -> Dataset:
        chosen = sentences[name][:size]
        columns = {
            "sentence": [sentence.text for sentence in chosen],
            "label": [sentence.label for sentence in chosen],
            "idx": list(range(size)),
        }
        return Dataset.from_dict(columns, features=FEATURES)

    return DatasetDict(train=split("train", 150), validation=split("validation", 50))


def settings_of(training: TrainingSpec, learning_rate: float = 1e-3, seed: int = 1) -> Settings:
    return Settings(
        batch_size=16,
        learning_rate=learning_rate,
        seed=seed,
        training=training,
        device="cpu",
        class_names=("unacceptable", "acceptable"),
    )


def run_harness(checkpoint: Path, cola: DatasetDict, settings: Settings, scratch: Path) -> Outcome:
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = load_checkpoint(str(checkpoint), tokenizer, settings).model
    encoded = encode(cola, tokenizer, settings.training.max_length)
    return finetune(model, tokenizer, encoded, settings, scratch)


@pytest.fixture(scope="module")
def plain(checkpoint: Path, cola: DatasetDict, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A run with the settings that others are compared with."""
    return run_harness(checkpoint, cola, settings_of(PLAIN), tmp_path_factory.mktemp("plain"))


def run_both(
    checkpoint: Path, cola: DatasetDict, settings: Settings, folder: Path, **changes: Any
) -> tuple[Outcome, Finished]:
    """Run the harness, and the script with the same settings and `changes` of its arguments."""
    arguments = tutorial_arguments(
        folder / "tutorial",
        learning_rate=settings.learning_rate,
        per_device_train_batch_size=settings.batch_size,
        num_train_epochs=settings.training.epochs,
        seed=settings.seed,
        **changes,
    )
    return (
        run_harness(checkpoint, cola, settings, folder / "harness"),
        run_tutorial(checkpoint, cola, arguments),
    )


def assert_equal(run: Outcome, script: Finished, in_order: bool = True) -> None:
    """Bit for bit: the same operations on the same numbers, in one thread.

    Where Trainer groups evaluation batches by length, the script's logits are not in the order of
    its sentences.
    """
    assert [epoch.train_loss for epoch in run.epochs] == script.train_losses
    assert [epoch.eval_loss for epoch in run.epochs] == script.eval_losses
    correlations = [epoch.scores.mcc for epoch in run.epochs]
    assert correlations == script.correlations
    assert run.logits["validation"].dtype == script.logits.dtype == np.float32
    ours, theirs = run.logits["validation"].tolist(), script.logits.tolist()
    assert sorted(ours) == sorted(theirs)
    assert ours == theirs or not in_order
    selected = run.epochs[run.selected_epoch - 1]
    assert selected.epoch == run.selected_epoch
    assert selected.scores.mcc == script.evaluated["eval_matthews_correlation"]


# Among these are ties between epochs, and best epochs that are the last and that are not.
@pytest.mark.parametrize(("learning_rate", "seed"), [(3e-4, 1), (1e-3, 2), (3e-3, 1)])
def test_a_run_equals_the_tutorial_s_script(
    learning_rate: float, seed: int, checkpoint: Path, cola: DatasetDict, tmp_path: Path
) -> None:
    settings = settings_of(PLAIN, learning_rate, seed)
    run, script = run_both(checkpoint, cola, settings, tmp_path)
    assert len(run.epochs) == PLAIN.epochs
    assert_equal(run, script)
    assert run.selected_epoch == script.best_epoch


def test_the_last_epoch_is_that_of_a_script_that_loads_no_best_model(
    checkpoint: Path, cola: DatasetDict, tmp_path: Path
) -> None:
    # At this learning rate all epochs tie, so that the best is the first.
    best = settings_of(PLAIN, learning_rate=3e-3)
    last = replace(best, training=PLAIN.model_copy(update={"selection": "last-epoch"}))
    run, script = run_both(
        checkpoint,
        cola,
        last,
        tmp_path,
        save_strategy="no",
        load_best_model_at_end=False,
        metric_for_best_model=None,
    )
    assert_equal(run, script)
    assert script.best_epoch is None
    assert run.selected_epoch == PLAIN.epochs
    other = run_harness(checkpoint, cola, best, tmp_path / "best")
    assert other.selected_epoch < PLAIN.epochs
    assert other.epochs[-1].eval_loss == run.epochs[-1].eval_loss
    assert not np.array_equal(other.logits["validation"], run.logits["validation"])


def test_another_seed_gives_other_numbers(
    plain: Outcome, checkpoint: Path, cola: DatasetDict, tmp_path: Path
) -> None:
    other = run_harness(checkpoint, cola, settings_of(PLAIN, seed=2), tmp_path)
    for before, after in zip(plain.epochs, other.epochs, strict=True):
        assert before.train_loss != after.train_loss
        assert before.eval_loss != after.eval_loss
    assert not np.array_equal(plain.logits["validation"], other.logits["validation"])


@pytest.mark.parametrize(
    ("training", "changes"),
    [
        ({"max_grad_norm": 0.05}, {"max_grad_norm": 0.05}),
        ({"warmup_ratio": 0.5}, {"warmup_steps": 15}),  # of 30 steps
        ({"lr_scheduler": "cosine"}, {"lr_scheduler_type": "cosine"}),
        ({"weight_decay": 10.0}, {"weight_decay": 10.0}),
        ({"adam_beta1": 0.5}, {"adam_beta1": 0.5}),
        ({"adam_beta2": 0.9}, {"adam_beta2": 0.9}),
        ({"adam_epsilon": 1e-3}, {"adam_epsilon": 1e-3}),
        ({"label_smoothing": 0.2}, {"label_smoothing_factor": 0.2}),
        ({"batching": "length-grouped"}, {"train_sampling_strategy": "group_by_length"}),
        ({"precision": "bf16"}, {"bf16": True}),
    ],
    ids=lambda value: "-".join(value),
)
@pytest.mark.long
def test_a_setting_has_the_effect_that_it_has_in_the_script(
    training: dict[str, Any],
    changes: dict[str, Any],
    plain: Outcome,
    checkpoint: Path,
    cola: DatasetDict,
    tmp_path: Path,
) -> None:
    changed = settings_of(PLAIN.model_copy(update=training))
    run, script = run_both(checkpoint, cola, changed, tmp_path, **changes)
    assert_equal(run, script, in_order="batching" not in training)
    assert not np.array_equal(plain.logits["validation"], run.logits["validation"])


# At a rate of 1e-7, no epoch is better than the first.
@pytest.mark.parametrize(("learning_rate", "patience"), [(1e-7, 1), (1e-7, 2), (1e-3, 1)])
@pytest.mark.long
def test_a_run_stops_early_where_the_script_does(
    learning_rate: float, patience: int, checkpoint: Path, cola: DatasetDict, tmp_path: Path
) -> None:
    training = PLAIN.model_copy(update={"epochs": 5, "patience": patience})
    settings = settings_of(training, learning_rate)
    run = run_harness(checkpoint, cola, settings, tmp_path / "harness")
    arguments = tutorial_arguments(
        tmp_path / "tutorial",
        learning_rate=learning_rate,
        per_device_train_batch_size=16,
        num_train_epochs=5,
        seed=1,
    )
    script = run_tutorial(checkpoint, cola, arguments, [EarlyStoppingCallback(patience)])
    assert_equal(run, script)
    if learning_rate == 1e-7:
        assert len(run.epochs) == 1 + patience


def test_a_run_with_all_speedups_stops_early_too(
    checkpoint: Path, cola: DatasetDict, tmp_path: Path
) -> None:
    training = TrainingSpec(epochs=5, eval_batch_size=16, patience=2)
    run = run_harness(checkpoint, cola, settings_of(training, 1e-7), tmp_path)
    assert len(run.epochs) == 3
    assert run.selected_epoch == 1


def test_all_speedups_together_leave_the_script_s_result_where_nothing_is_drawn_by_chance(
    checkpoint: Path, cola: DatasetDict, tmp_path: Path
) -> None:
    folder = tmp_path / "no dropout"
    folder.mkdir()
    for file in checkpoint.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))

    training = TrainingSpec(epochs=3, eval_batch_size=16)
    settings = settings_of(training)
    run, script = run_both(folder, cola, settings, tmp_path)
    assert set(run.speedups) >= {"packing", "first-token", "used-vocabulary", "memory-checkpoint"}
    # Sums are taken in another order: equal to a few units in the last place of float32 at each
    # step, which training then carries on.
    for epoch, train_loss, eval_loss in zip(
        run.epochs, script.train_losses, script.eval_losses, strict=True
    ):
        assert epoch.train_loss == pytest.approx(train_loss, rel=1e-6)
        assert epoch.eval_loss == pytest.approx(eval_loss, rel=1e-6)
    assert run.selected_epoch == script.best_epoch
    np.testing.assert_allclose(run.logits["validation"], script.logits, atol=1e-5, rtol=0)


# By field of TrainingSpec: another value, and all that it changes among Trainer's arguments.
EFFECTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "epochs": (7, {"num_train_epochs": 7}),
    "weight_decay": (0.125, {"weight_decay": 0.125}),
    "adam_beta1": (0.75, {"adam_beta1": 0.75}),
    "adam_beta2": (0.5, {"adam_beta2": 0.5}),
    "adam_epsilon": (0.25, {"adam_epsilon": 0.25}),
    "warmup_ratio": (0.25, {"warmup_steps": 0.25}),
    "lr_scheduler": ("cosine", {"lr_scheduler_type": "cosine"}),
    "max_grad_norm": (0.5, {"max_grad_norm": 0.5}),
    "label_smoothing": (0.25, {"label_smoothing_factor": 0.25}),
    "max_length": (32, {}),  # the tokenizer's business
    "eval_batch_size": (9, {"per_device_eval_batch_size": 9}),
    "selection": ("last-epoch", {"save_strategy": "no"}),
    "patience": (2, {}),  # a callback stops the training
    "precision": ("bf16", {"bf16": True}),
    "batching": ("length-grouped", {"train_sampling_strategy": "group_by_length"}),
    "on_oom": ("halve", {}),  # nothing before memory runs out
    # The best epoch's weights stay in memory.
    "speedups": (("memory-checkpoint",), {"save_strategy": "no"}),
}


def arguments_of(settings: Settings) -> dict[str, Any]:
    return as_dict(training_arguments(settings, Path("scratch")))


def as_dict(arguments: TrainingArguments) -> dict[str, Any]:
    values: dict[str, Any] = arguments.to_dict()  # type: ignore[no-untyped-call]
    return values


def differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    assert one.keys() == other.keys()
    return {name: other[name] for name in one if one[name] != other[name]}


def test_every_field_of_the_training_settings_is_tested() -> None:
    assert EFFECTS.keys() == TrainingSpec.model_fields.keys()


@pytest.mark.parametrize("field", TrainingSpec.model_fields)
def test_a_setting_changes_its_own_arguments_and_no_other(field: str) -> None:
    value, effect = EFFECTS[field]
    changed = TrainingSpec.model_validate({**PLAIN.model_dump(), field: value})
    before, after = (arguments_of(settings_of(training)) for training in (PLAIN, changed))
    assert differences(before, after) == effect


@pytest.mark.parametrize(
    ("changes", "effect"),
    [
        ({"batch_size": 5}, {"per_device_train_batch_size": 5}),
        ({"learning_rate": 0.5}, {"learning_rate": 0.5}),
        ({"seed": 9}, {"seed": 9}),
    ],
    ids=["batch_size", "learning_rate", "seed"],
)
def test_the_matrix_reaches_the_arguments(changes: dict[str, Any], effect: dict[str, Any]) -> None:
    settings = settings_of(PLAIN)
    before, after = (arguments_of(each) for each in (settings, replace(settings, **changes)))
    assert differences(before, after) == effect


def test_only_what_changes_no_number_differs_from_the_tutorial_s_arguments() -> None:
    script = tutorial_arguments(
        Path("scratch"), learning_rate=1e-3, num_train_epochs=PLAIN.epochs, seed=1
    )
    assert differences(as_dict(script), arguments_of(settings_of(PLAIN))) == {
        "label_names": ["labels"],  # what Trainer finds by itself, where forward names them
        "load_best_model_at_end": False,  # the harness reads the best epoch, and all of it
        "save_only_model": True,
        "save_total_limit": 1,
    }


def test_without_best_epoch_selection_nothing_is_written_to_the_scratch_folder(
    checkpoint: Path, cola: DatasetDict, tmp_path: Path
) -> None:
    last = PLAIN.model_copy(update={"selection": "last-epoch", "epochs": 1})
    run_harness(checkpoint, cola, settings_of(last), tmp_path / "last")
    best = PLAIN.model_copy(update={"epochs": 1})
    run_harness(checkpoint, cola, settings_of(best), tmp_path / "best")
    assert not list((tmp_path / "last").rglob("*.safetensors"))
    assert list((tmp_path / "best").rglob("*.safetensors"))
