"""Applies the named speed-ups that support a model, and undoes them after training."""

from collections.abc import Collection
from dataclasses import dataclass

from datasets import DatasetDict
from torch.nn import functional as F  # noqa: N812 - torch's own name for it
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.training.speedups import (
    FAST_DROPOUT,
    FIRST_TOKEN,
    KEPT_MEMORY,
    PACKING,
    USED_VOCABULARY,
)
from harness.training.speedups.dropout import dropout
from harness.training.speedups.layers import Encoder, find_encoder
from harness.training.speedups.memory import keep_freed_memory
from harness.training.speedups.packing import rewrite_forward
from harness.training.speedups.vocabulary import Trimmed, restore, trim


@dataclass(frozen=True)
class Applied:
    """The changes made to a model and its data.

    Attributes:
        names: the active speed-ups.
        splits: the encoded splits, with new token ids if the vocabulary was trimmed.
        encoder: the encoder with a rewritten forward, if any.
        trimmed: the trimmed embedding matrix, if any.
    """

    names: frozenset[str]
    splits: DatasetDict
    encoder: Encoder | None
    trimmed: Trimmed | None


def apply(
    names: Collection[str],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    splits: DatasetDict,
) -> Applied:
    """Change a model in place with those of the named speed-ups that support its family."""
    applied = set()
    encoder = None
    rewritten = {FAST_DROPOUT, FIRST_TOKEN, PACKING} & set(names)
    # A sentence's first token is found by its position, which padding on the left shifts.
    if rewritten and tokenizer.padding_side == "right":
        encoder = find_encoder(model)
    if encoder is not None:
        rewrite_forward(
            encoder,
            pack=PACKING in names,
            first_token_only=FIRST_TOKEN in names,
            dropout=dropout if FAST_DROPOUT in names else F.dropout,
        )
        applied |= rewritten
    trimmed = None
    # The kept rows are those of the sentences' tokens and of the configuration's pad token, so
    # batches must not be padded with another token.
    one_pad_token = tokenizer.pad_token_id == model.config.pad_token_id
    if USED_VOCABULARY in names and one_pad_token and (result := trim(model, splits)) is not None:
        splits, trimmed = result
        applied.add(USED_VOCABULARY)
    if KEPT_MEMORY in names and keep_freed_memory():
        applied.add(KEPT_MEMORY)
    return Applied(frozenset(applied), splits, encoder, trimmed)


def undo(model: PreTrainedModel, applied: Applied, decay: float) -> None:
    """Restore a trained model's own forward and its whole vocabulary, in place.

    Args:
        decay: see vocabulary.restore.
    """
    if applied.encoder is not None:
        del applied.encoder.module.forward
    if applied.trimmed is not None:
        restore(model, applied.trimmed, decay)
