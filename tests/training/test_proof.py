"""A selected model gives the logits that were recorded for it, or its run fails."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders.jobs import make_settings, sentences
from builders.tiny_checkpoints import make_checkpoint
from datasets import Dataset, DatasetDict
from torch import Tensor
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from harness.models.encode import Encoded, encode
from harness.suite.spec import TrainingSpec
from harness.training import proof
from harness.training.finetune import Outcome, finetune


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_checkpoint("bert", tmp_path_factory.mktemp("checkpoints") / "bert")


@pytest.fixture(scope="module")
def tokenizer(bert: Path) -> PreTrainedTokenizerBase:
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(bert)
    return loaded


@pytest.fixture(scope="module")
def splits(tokenizer: PreTrainedTokenizerBase) -> DatasetDict:
    texts = sentences(48)
    labels = [int(number * 7 % 13 < 7) for number in range(48)]
    raw = DatasetDict(
        train=Dataset.from_dict({"sentence": texts[:32], "label": labels[:32]}),
        validation=Dataset.from_dict({"sentence": texts[32:], "label": labels[32:]}),
    )
    return encode(raw, tokenizer, None).splits


def a_model(folder: Path, seed: int = 0) -> PreTrainedModel:
    torch.manual_seed(seed)
    model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(folder)
    model.train(False)
    return model


def answers(model: PreTrainedModel, rows: Dataset) -> np.ndarray:
    """(sentences, 2) the logits of sentences one by one."""
    found = []
    for row in rows:
        ids = torch.tensor([row["input_ids"]])
        with torch.no_grad():
            found.append(model(input_ids=ids).logits[0].double().numpy())
    return np.stack(found).astype(np.float32)


def recorded(model: PreTrainedModel, rows: Dataset, precision: str = "fp32") -> proof.Sample:
    batches, logits = ((0, 5, 3), (2, 9)), answers(model, rows)
    return proof.Sample(batches, tuple(logits[list(batch)] for batch in batches), precision)


def test_the_model_itself_passes(
    bert: Path, tokenizer: PreTrainedTokenizerBase, splits: DatasetDict
) -> None:
    model = a_model(bert)
    rows = splits["validation"]
    assert recorded(model, rows).positions == (0, 5, 3, 2, 9)
    for precision in ("fp32", "bf16"):  # padded and in half precision, against alone and in fp32
        proof.prove(model, tokenizer, rows, recorded(model, rows, precision), "the model")
    some = {position: rows[position] for position in (0, 5, 3, 2, 9)}
    proof.prove(model, tokenizer, some, recorded(model, rows), "the model")


@pytest.mark.parametrize(
    "name",
    [
        "classifier.weight",
        "bert.embeddings.LayerNorm.bias",
        "bert.encoder.layer.1.output.dense.weight",
        "bert.encoder.layer.0.attention.self.value.weight",
    ],
)
def test_one_tensor_of_another_epoch_fails(
    name: str, bert: Path, tokenizer: PreTrainedTokenizerBase, splits: DatasetDict
) -> None:
    model, rows = a_model(bert), splits["validation"]
    sample = recorded(model, rows)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(1)
        weight = model.get_parameter(name)
        weight.add_(0.05 * torch.randn(weight.shape, generator=generator))
    some = {position: rows[position] for position in sample.positions}
    told = "the model failed verification: for validation sentence [053] it gives"
    for given in (rows, some):
        with pytest.raises(RuntimeError, match=told):
            proof.prove(model, tokenizer, given, sample, "the model")


def test_logits_that_are_no_numbers_fail(
    bert: Path, tokenizer: PreTrainedTokenizerBase, splits: DatasetDict
) -> None:
    model, rows = a_model(bert), splits["validation"]
    sample = recorded(model, rows)
    with torch.no_grad():
        model.get_parameter("classifier.bias")[1] = float("nan")
    with pytest.raises(RuntimeError, match="failed verification"):
        proof.prove(model, tokenizer, rows, sample, "the model")


def test_a_model_whose_answers_are_random_is_told_from_another_model(
    bert: Path, tokenizer: PreTrainedTokenizerBase, splits: DatasetDict
) -> None:
    class Restless(BertForSequenceClassification):  # type: ignore[no-untyped-call]
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            output = super().forward(*args, **kwargs)
            output.logits = output.logits + torch.randn(output.logits.shape)
            return output

    rows = splits["validation"]
    model = Restless.from_pretrained(bert)
    with pytest.raises(RuntimeError, match="gives other logits each time for the same batch"):
        proof.prove(model, tokenizer, rows, recorded(model, rows), "the model")


def test_a_model_with_another_number_of_classes_fails(
    bert: Path, tokenizer: PreTrainedTokenizerBase, splits: DatasetDict
) -> None:
    rows = splits["validation"]
    sample = recorded(a_model(bert), rows)
    three = AutoModelForSequenceClassification.from_pretrained(bert, num_labels=3)
    with pytest.raises(RuntimeError, match="gives 3 logits per sentence, 2 were recorded"):
        proof.prove(three, tokenizer, rows, sample, "the model")


# The whole fine-tuning.


def train(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    splits: DatasetDict,
    scratch: Path,
    **training: Any,
) -> Outcome:
    asked = {"epochs": 3, "eval_batch_size": 8, **training}
    settings = make_settings(learning_rate=3e-3, training=TrainingSpec.model_validate(asked))
    return finetune(model, tokenizer, Encoded(splits=splits, cut={}, limit=None), settings, scratch)


@pytest.mark.parametrize("batching", ["random", "length-grouped"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("speedups", [(), TrainingSpec().speedups], ids=["plain", "sped-up"])
def test_the_sample_is_of_the_shortest_and_longest_sentences_with_their_recorded_logits(
    batching: str,
    precision: str,
    speedups: tuple[str, ...],
    bert: Path,
    tokenizer: PreTrainedTokenizerBase,
    splits: DatasetDict,
    tmp_path: Path,
) -> None:
    outcome = train(
        a_model(bert),
        tokenizer,
        splits,
        tmp_path,
        batching=batching,
        precision=precision,
        speedups=speedups,
        epochs=2,
    )
    lengths = [len(ids) for ids in splits["validation"]["input_ids"]]
    sample = outcome.sample
    of_sample = [lengths[position] for position in sample.positions]
    assert min(of_sample) == min(lengths)
    assert max(of_sample) == max(lengths)
    assert len(sample.positions) <= 8
    for batch, logits in zip(sample.batches, sample.logits, strict=True):
        assert logits.tolist() == outcome.logits["validation"][list(batch)].tolist()
    assert outcome.alike is None


class Forgetful(BertForSequenceClassification):  # type: ignore[no-untyped-call]
    """Takes the head alone of what it is told to load, and says nothing."""

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        head = {name: value for name, value in state_dict.items() if "classifier" in name}
        return super().load_state_dict(head, strict=False)


class Rounding(BertForSequenceClassification):  # type: ignore[no-untyped-call]
    """Writes its weights in eighths."""

    def save_pretrained(self, folder: Any, **kwargs: Any) -> None:  # type: ignore[override]
        kwargs["state_dict"] = {
            name: tensor.mul(8).round().div(8) for name, tensor in self.state_dict().items()
        }
        super().save_pretrained(folder, **kwargs)


class Incomplete(BertForSequenceClassification):  # type: ignore[no-untyped-call]
    """Leaves a layer out of what it writes."""

    def save_pretrained(self, folder: Any, **kwargs: Any) -> None:  # type: ignore[override]
        kwargs["state_dict"] = {
            name: tensor for name, tensor in self.state_dict().items() if "layer.1" not in name
        }
        super().save_pretrained(folder, **kwargs)


@pytest.mark.parametrize(
    ("kind", "speedups", "told"),
    [
        (Forgetful, (), "the selected epoch's model failed verification"),
        (Forgetful, ("memory-checkpoint",), "the selected epoch's model failed verification"),
        (Rounding, (), "the selected epoch's model failed verification"),
        (Incomplete, (), "the best epoch's checkpoint is incomplete"),
    ],
)
def test_a_best_epoch_that_is_not_read_whole_fails_the_run(
    kind: Callable[..., Any],
    speedups: tuple[str, ...],
    told: str,
    bert: Path,
    tokenizer: PreTrainedTokenizerBase,
    splits: DatasetDict,
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    model: Any = kind
    with pytest.raises(RuntimeError, match=told):
        train(
            model.from_pretrained(bert),
            tokenizer,
            splits,
            tmp_path,
            speedups=speedups,
        )


# Logits that do not depend on the sentence.


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        ([[0.25, -0.5]] * 4, True),
        ([[0.25, -0.5], [0.25 + 1e-7, -0.5], [0.25, -0.5 - 1e-7], [0.25, -0.5]], True),
        ([[1000.0, -0.5], [1000.001, -0.5], [1000.0, -0.5], [1000.0, -0.5]], True),
        ([[0.25, -0.5], [0.251, -0.5], [0.25, -0.5], [0.25, -0.5]], False),
        ([[0.25, -0.5], [0.25, -0.6], [0.25, -0.5], [0.25, -0.5]], False),
    ],
)
def test_logits_are_alike_up_to_rounding(logits: list[list[float]], expected: bool) -> None:
    rows = Dataset.from_dict({"input_ids": [[1, 2], [1, 3], [1], [1, 2]]})
    assert proof.alike(np.asarray(logits, dtype=np.float32), rows) is expected


def test_sentences_that_are_all_the_same_may_have_the_same_logits() -> None:
    rows = Dataset.from_dict({"input_ids": [[1, 2], [1, 2], [1, 3]]})
    same = np.asarray([[0.25, -0.5]] * 3, dtype=np.float32)
    assert proof.alike(same, rows)
    assert not proof.alike(same[:2], rows.select((0, 1)))


def constant_encoder(model: PreTrainedModel) -> None:
    """The last norm gives its bias, whatever comes in."""
    model.get_parameter("bert.encoder.layer.1.output.LayerNorm.weight").data.zero_()
    model.get_parameter("bert.encoder.layer.1.output.LayerNorm.bias").data.uniform_()
    model.get_parameter("bert.encoder.layer.1.output.LayerNorm.weight").requires_grad_(False)


def nearly_constant_encoder(model: PreTrainedModel) -> None:
    """As above, and what is left of the sentence is less than rounding leaves of it."""
    constant_encoder(model)
    model.get_parameter("bert.encoder.layer.1.output.LayerNorm.weight").data.fill_(1e-8)


def deaf_attention(model: PreTrainedModel) -> None:
    """No token hears of another, as with MRA's attention where it computes nothing."""
    for layer in range(2):
        for part in ("weight", "bias"):
            name = f"bert.encoder.layer.{layer}.attention.self.value.{part}"
            model.get_parameter(name).data.zero_()
            model.get_parameter(name).requires_grad_(False)


@pytest.mark.parametrize("speedups", [(), TrainingSpec().speedups], ids=["plain", "sped-up"])
@pytest.mark.parametrize("damage", [constant_encoder, nearly_constant_encoder, deaf_attention])
def test_a_model_that_does_not_read_its_input_is_found(
    damage: Callable[[PreTrainedModel], None],
    speedups: tuple[str, ...],
    bert: Path,
    tokenizer: PreTrainedTokenizerBase,
    splits: DatasetDict,
    tmp_path: Path,
) -> None:
    model = a_model(bert)
    damage(model)
    outcome = train(model, tokenizer, splits, tmp_path, epochs=1, speedups=speedups)
    assert outcome.alike == "always"


def test_a_model_that_training_made_deaf_is_told_from_one_that_always_was(
    bert: Path, tokenizer: PreTrainedTokenizerBase, splits: DatasetDict, tmp_path: Path
) -> None:
    class Collapsing(BertForSequenceClassification):  # type: ignore[no-untyped-call]
        """Answers by its head's bias alone, once it has been trained."""

        def forward(self, *args: Any, **kwargs: Any) -> Any:
            output = super().forward(*args, **kwargs)
            if self.training:
                self.trained = True
            elif getattr(self, "trained", False):
                output.logits = self.classifier.bias.expand(output.logits.shape)
            return output

    model = Collapsing.from_pretrained(bert)
    outcome = train(model, tokenizer, splits, tmp_path, epochs=1)
    assert outcome.alike == "now"


def test_a_forward_that_takes_labels_without_naming_them_is_scored(
    bert: Path, tokenizer: PreTrainedTokenizerBase, splits: DatasetDict, tmp_path: Path
) -> None:
    class Nameless(BertForSequenceClassification):  # type: ignore[no-untyped-call]
        def forward(
            self, input_ids: Tensor, attention_mask: Tensor | None = None, **others: Any
        ) -> Any:
            return super().forward(input_ids, attention_mask, **others)

    def run(kind: Any, folder: str) -> Outcome:
        torch.manual_seed(0)
        model = kind.from_pretrained(bert)
        return train(model, tokenizer, splits, tmp_path / folder, speedups=())

    nameless, named = run(Nameless, "nameless"), run(BertForSequenceClassification, "named")
    assert [epoch.scores for epoch in nameless.epochs] == [epoch.scores for epoch in named.epochs]
    assert [epoch.eval_loss for epoch in nameless.epochs] == [
        epoch.eval_loss for epoch in named.epochs
    ]
    assert None not in [epoch.eval_loss for epoch in nameless.epochs]
