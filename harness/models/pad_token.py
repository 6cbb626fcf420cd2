"""Gives a tokenizer and its model a common pad token."""

import re
from typing import Any

from torch import nn
from transformers import (
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
)

from harness.errors import BadInput
from harness.models.tensors import token_embeddings

NAMED = re.compile(r"<\S+>|\[\S+\]")
"""Form of tokens that should not occur in text, such as <pad> and [PAD]."""


def fix_pad_token(configuration: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
    """Set a configuration's pad token to the tokenizer's, if it has none or one out of range.

    To be called before the model is built: RoBERTa counts positions from the pad token, and
    embeddings reject an id beyond their rows. Decoders trained without padding are not changed.
    """
    text = configuration.get_text_config()
    declared, rows = getattr(text, "pad_token_id", None), getattr(text, "vocab_size", None)
    if rows is None or (isinstance(declared, int) and declared < rows):
        return
    own = tokenizer.pad_token_id
    text.pad_token_id = own if own is not None and own < rows else None


def ensure_pad_token(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel) -> None:
    """Give a tokenizer and its model a common pad token, changing both in place.

    The token is the first of these that exists and has an embedding in the model:

    1. the pad token of the pretraining: the one from which positions are counted (RoBERTa and
       similar models), else the configuration's;
    2. the tokenizer's pad token;
    3. the end-of-text token, for GPT-2 and similar models, which were trained without padding;
    4. "[PAD]", which is added together with a row of embeddings.

    An ordinary word never becomes the pad token: the tokenizer would then find it within other
    words. If a model counts positions from its pad token, its configuration is not changed, because
    all positions would differ after loading it again.

    Raises:
        BadInput: there is no such token, and the model's embeddings cannot be extended.
    """
    counted_from, rows = _counted_from(model), _rows(model)
    text, own = model.config.get_text_config(), tokenizer.pad_token_id
    declared = getattr(text, "pad_token_id", None) if counted_from is None else counted_from
    if own is not None and own >= rows:
        own = None
    # A head that searches for the end of the text (BART's) must not find it in the padding.
    ends = declared == tokenizer.eos_token_id and own is not None and counted_from is None
    token = None if ends else _special_token(tokenizer, declared, rows)
    if token is not None:
        if own != declared:
            # Registered as a special token, as it is after saving and loading the tokenizer.
            tokenizer.add_special_tokens({"pad_token": token})
    elif own is None:
        _give_pad_token(tokenizer, model, rows)
    if counted_from is None:
        # The classification heads of decoders find a sentence's last token by this setting.
        for configuration in (model.config, text):
            configuration.pad_token_id = tokenizer.pad_token_id


def _counted_from(model: PreTrainedModel) -> int | None:
    """Return the pad token from which a model counts positions, if any.

    Only such models have a row for padding in their table of positions.
    """
    for name, module in model.named_modules():
        row = getattr(module, "padding_idx", None)
        if "position" in name.rpartition(".")[2] and isinstance(row, int):
            return row
    return None


def _rows(model: PreTrainedModel) -> float:
    """Return how many tokens have embeddings in a model; infinity if all tokens have."""
    weight = getattr(token_embeddings(model), "weight", None)
    if weight is not None:
        return len(weight)
    return getattr(model.config.get_text_config(), "vocab_size", None) or float("inf")


def _special_token(tokenizer: PreTrainedTokenizerBase, number: object, rows: float) -> str | None:
    """Return the token with this id if the model has it and it is not an ordinary word."""
    if not isinstance(number, int) or not 0 <= number < min(len(tokenizer), rows):
        return None
    token = tokenizer.convert_ids_to_tokens(number)
    if not isinstance(token, str):
        return None
    return token if number in tokenizer.all_special_ids or NAMED.fullmatch(token) else None


def _give_pad_token(
    tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, rows: float
) -> None:
    if tokenizer.eos_token_id is not None and tokenizer.eos_token_id < rows:
        tokenizer.pad_token = tokenizer.eos_token
        return
    extensible = rows == float("inf") or isinstance(token_embeddings(model), nn.Embedding)
    if not extensible and len(tokenizer) >= rows:
        # The choice of token hardly matters: the attention mask hides it.
        special = zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True)
        usable = [token for token, number in special if number < rows]
        if not usable:
            raise BadInput(
                [
                    "the tokenizer has no padding token, and the model has no row of embeddings "
                    "for one; name one in the checkpoint's tokenizer_config.json"
                ]
            )
        tokenizer.pad_token = usable[0]
        return
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    # Embedding matrices are often larger than the vocabulary: never shrink one.
    if len(tokenizer) > rows:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)


class KeptPadToken(TrainerCallback):
    """Restores the configuration's pad token to the value that `ensure_pad_token` set.

    When training begins, Trainer overwrites it with the tokenizer's pad token, even if the model
    counts positions from it.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._configuration = model.config.get_text_config()
        self._number = self._configuration.pad_token_id

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._configuration.pad_token_id = self._number
