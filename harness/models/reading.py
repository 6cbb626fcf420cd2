"""Sentences as a model reads them: encoded, cut where it ends, and found fit before training."""

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
    """Encoded splits, and a line for each thing that is odd about them."""

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
        max_length: tokens at which the user wants sentences cut; None for the model's own limit.

    Raises:
        BadInput: the tokenizer does not fit the model or the sentences, a sentence holds the token
            by which the model finds its end, or the model cannot compute the longest of them.
    """
    encoded = encode(splits, tokenizer, max_length, position_limit(model))
    if told := sentence_end.problem(model.config, tokenizer, splits, encoded.splits):
        raise BadInput([told])
    warnings = check_fit(splits, encoded.splits, tokenizer, model)
    try_longest(model, tokenizer, splits, encoded.splits)
    if max_length is not None and encoded.limit is not None and encoded.limit < max_length:
        warnings = (
            f"training.max_length is {max_length:,}, and the model reads {encoded.limit:,} tokens "
            "at most: longer sentences were cut there",
            *warnings,
        )
    return Reading(encoded, warnings)
