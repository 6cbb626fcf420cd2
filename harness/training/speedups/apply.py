"""Applies the named speed-ups that support a model, and undoes them after training."""

from collections.abc import Collection
from dataclasses import dataclass

from datasets import DatasetDict
from torch.nn import functional as F  # noqa: N812 - torch's own name for it
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.models.encode import token_counts
from harness.training.speedups import (
    COMPILED_LAYERS,
    COMPILED_OPTIMIZER,
    FAST_DROPOUT,
    FIRST_TOKEN,
    KEPT_MEMORY,
    PACKING,
    USED_VOCABULARY,
)
from harness.training.speedups.compiled import encoder as compiled_encoder
from harness.training.speedups.compiled import library as compiled_library
from harness.training.speedups.compiled import optimizer as compiled_optimizer
from harness.training.speedups.compiled.encoder import Compiled
from harness.training.speedups.compiled.library import Library
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
        compiled: the same encoder, if its layers run as compiled code.
        library: the compiled code of the optimizer, if it is used.
        trimmed: the trimmed embedding matrix, if any.
    """

    names: frozenset[str]
    splits: DatasetDict
    encoder: Encoder | None
    compiled: Compiled | None
    library: Library | None
    trimmed: Trimmed | None


def apply(
    names: Collection[str],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    splits: DatasetDict,
    plain_arithmetic: bool = True,
) -> Applied:
    """Change a model in place with those of the named speed-ups that support its family.

    Args:
        plain_arithmetic: whether the model computes on the CPU, in the precision of its weights.
    """
    applied = set()
    encoder = compiled = None
    wanted = {COMPILED_LAYERS, COMPILED_OPTIMIZER} & set(names)
    library = compiled_library.load() if wanted and plain_arithmetic else None
    rewritten = {FAST_DROPOUT, FIRST_TOKEN, PACKING} & set(names)
    # A sentence's first token is found by its position, which padding on the left shifts, and which
    # a sentence without tokens lacks: an empty one of a tokenizer without special tokens.
    if (
        rewritten
        and tokenizer.padding_side == "right"
        and all(token_counts(split).all() for split in splits.values())
    ):
        encoder = find_encoder(model)
    if (
        encoder is not None
        and library is not None
        and COMPILED_LAYERS in names
        and {FAST_DROPOUT, FIRST_TOKEN, PACKING} <= set(names)
        and compiled_encoder.supports(encoder)
    ):
        compiled = compiled_encoder.rewrite_forward(encoder, library)
        applied |= rewritten | {COMPILED_LAYERS}
    elif encoder is not None:
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
    of_optimizer = None
    if COMPILED_OPTIMIZER in names and compiled_optimizer.supports(model.parameters()):
        of_optimizer = library
    if of_optimizer is not None:
        applied.add(COMPILED_OPTIMIZER)
    if KEPT_MEMORY in names and keep_freed_memory():
        applied.add(KEPT_MEMORY)
    return Applied(frozenset(applied), splits, encoder, compiled, of_optimizer, trimmed)


def undo(model: PreTrainedModel, applied: Applied, decay: float) -> None:
    """Restore a trained model's own forward and its whole vocabulary, in place.

    Args:
        decay: see vocabulary.restore.
    """
    if applied.compiled is not None:
        compiled_encoder.undo(applied.compiled)
    elif applied.encoder is not None:
        del applied.encoder.module.forward
    if applied.trimmed is not None:
        restore(model, applied.trimmed, decay)
