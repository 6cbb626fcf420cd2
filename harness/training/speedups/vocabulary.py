"""Trains only the rows of the embedding matrix that the data use.

The plain reference is the whole matrix. A row that never occurs gets no gradient, and AdamW changes
it only by weight decay: w <- w * (1 - learning rate * decay) at every step (Loshchilov and Hutter,
"Decoupled Weight Decay Regularization", 2019, algorithm 2, with both moments zero and the decay
scaled by the learning rate as in torch). So only the rows in use are trained, and at the end the
others are multiplied by the product of these factors.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from datasets import DatasetDict
from torch import nn
from transformers import PreTrainedModel, TrainerCallback

# Families that use token ids only for the embedding and the pad token's position.
KNOWN = (
    "albert",
    "bert",
    "camembert",
    "deberta-v2",
    "distilbert",
    "electra",
    "mpnet",
    "roberta",
    "xlm-roberta",
)

# Ids up to the pad token's id do not change, because some families count positions from it. The
# model's pad token is the embedding's padding_idx; batches are padded with the configuration's.
HIGHEST_PAD_TOKEN = 16


@dataclass(frozen=True)
class Trimmed:
    """A model's embedding matrix, reduced to the rows in use.

    Attributes:
        whole: (vocabulary, width) the matrix before training.
        used: (rows,) the token ids of the trained rows, ascending.
    """

    whole: torch.Tensor
    used: torch.Tensor


def trim(model: PreTrainedModel, splits: DatasetDict) -> tuple[DatasetDict, Trimmed] | None:
    """Reduce a model's embedding matrix to the tokens that occur in the splits, in place.

    Returns:
        The splits with their `input_ids` renumbered to match, and the argument of `restore`. None
        if this speed-up does not support the model; then nothing is changed.
    """
    # The family first: other models may have no embeddings.
    if model.config.model_type not in KNOWN:
        return None
    embedding = model.get_input_embeddings()
    if not isinstance(embedding, nn.Embedding) or model.config.pad_token_id is None:
        return None
    highest = max(model.config.pad_token_id, embedding.padding_idx or 0)
    if highest > HIGHEST_PAD_TOKEN:
        return None
    occurring = [np.arange(highest + 1)]
    for split in splits.values():
        ids = split.with_format("arrow")[:]["input_ids"].combine_chunks()
        occurring += [np.unique(ids.flatten().to_numpy())]
    used = np.unique(np.concatenate(occurring))
    number = np.zeros(used[-1] + 1, dtype=np.int64)
    number[used] = np.arange(len(used))

    def renumber(batch: pa.Table) -> pa.Table:
        ids = batch["input_ids"].combine_chunks()
        lists = pa.ListArray.from_arrays(
            np.concatenate([[0], np.cumsum(ids.value_lengths().to_numpy())]).astype(np.int32),
            pa.array(number[ids.flatten().to_numpy()].astype(np.int32)),
        )
        return batch.set_column(batch.schema.get_field_index("input_ids"), "input_ids", lists)

    # With whole Arrow columns: CoLA's 10,000 rows take more than a second one by one.
    renumbered = DatasetDict(
        {
            name: split.with_format("arrow")
            .map(renumber, batched=True, keep_in_memory=True, load_from_cache_file=False)
            .with_format(None)
            for name, split in splits.items()
        }
    )
    rows = torch.from_numpy(used).to(embedding.weight.device)
    whole = embedding.weight.detach()
    model.set_input_embeddings(_embedding(whole[rows], embedding.padding_idx))
    return renumbered, Trimmed(whole, rows)


def restore(model: PreTrainedModel, trimmed: Trimmed, decay: float) -> None:
    """Restore a model's whole embedding matrix, in place.

    Args:
        decay: the factor by which weight decay scaled a row without gradients: the product over all
            steps of `1 - learning rate * weight decay`.
    """
    embedding = model.get_input_embeddings()
    assert isinstance(embedding, nn.Embedding)
    trained = embedding.weight.detach()
    weight = trimmed.whole.to(trained.device) * decay
    weight[trimmed.used.to(trained.device)] = trained
    model.set_input_embeddings(_embedding(weight, embedding.padding_idx))


def _embedding(weight: torch.Tensor, padding_idx: int | None) -> nn.Embedding:
    embedding: nn.Embedding = nn.Embedding.from_pretrained(  # type: ignore[no-untyped-call]
        weight, freeze=False, padding_idx=padding_idx
    )
    return embedding


class DecayOfUnusedRows(TrainerCallback):
    """Computes the factor of weight decay for a row without gradients, at every epoch's end."""

    def __init__(self) -> None:
        self._product = 1.0
        self.by_epoch: dict[int, float] = {}

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if kwargs["optimizer"].step_was_skipped:  # after an overflow in half precision
            return
        # Trainer's first group is the one with decay; its scheduler has not stepped yet.
        group = kwargs["optimizer"].param_groups[0]
        self._product *= 1 - group["lr"] * group["weight_decay"]

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.by_epoch[round(state.epoch)] = self._product
