"""Encodes the sentences for a model, and checks before training that the model can read them."""

from dataclasses import dataclass

from datasets import DatasetDict
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.errors import BadInput
from harness.models import sentence_end
from harness.models.encode import Encoded, encode
from harness.models.fit import check_fit
from harness.models.limits import position_limit, try_longest


@dataclass(frozen=True)
class Reading:
    """Encoded splits, and a warning for each of their anomalies."""

    encoded: Encoded
    warnings: tuple[str, ...]


def read(
    splits: DatasetDict,
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
    max_length: int | None,
) -> Reading:
    """Encode splits for a model, and try the longest sentence on it.

    Args:
        max_length: the user's maximum number of tokens; None for the model's own limit.

    Raises:
        BadInput: the tokenizer does not fit the model or the sentences, a sentence contains the
            token by which the model finds its end, or the model cannot compute the longest
            sentence.
    """
    encoded = encode(splits, tokenizer, max_length, position_limit(model))
    if problem := sentence_end.problem(model.config, tokenizer, splits, encoded.splits):
        raise BadInput([problem])
    warnings = check_fit(splits, encoded.splits, tokenizer, model)
    try_longest(model, tokenizer, splits, encoded.splits)
    if max_length is not None and encoded.limit is not None and encoded.limit < max_length:
        warnings = (
            f"training.max_length is {max_length:,}, but the model reads at most "
            f"{encoded.limit:,} tokens: longer sentences were cut there",
            *warnings,
        )
    return Reading(encoded, warnings)
