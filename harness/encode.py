"""Sentences to token ids: truncated to a length, padded only when a batch is put together."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import datasets
import numpy as np
from datasets import Dataset, DatasetDict
from transformers import (
    BatchEncoding,
    DataCollatorWithPadding,
    PreTrainedTokenizerBase,
)

from harness.errors import BadInput

# A tokenizer that knows of no limit has a model_max_length of 1e30.
_NO_LIMIT = 10**9


@dataclass(frozen=True)
class Encoded:
    """Splits as a model takes them.

    Attributes:
        splits: the splits given, each with the tokenizer's outputs (`input_ids`,
            `attention_mask`, ...: lists of one sentence's own length, no padding) and `label`.
        truncated: how many sentences of train and validation together lost tokens.
    """

    splits: DatasetDict
    truncated: int


def encode(
    splits: DatasetDict, tokenizer: PreTrainedTokenizerBase, max_length: int | None
) -> Encoded:
    """Tokenise the column `sentence` of every split; labels pass through as they are.

    Args:
        splits: with columns `sentence` and `label` at least.
        tokenizer: of the checkpoint to be trained.
        max_length: tokens kept of a sentence, special tokens included; None for the limit that
            the tokenizer itself declares, if it declares one.

    Raises:
        BadInput: a length that leaves no room beside the special tokens.
    """
    limit = _length_limit(tokenizer, max_length)

    def tokenize(batch: Mapping[str, list[str]]) -> BatchEncoding:
        # Said in full, because a tokenizer.json may carry settings of its own for both.
        inputs: BatchEncoding = tokenizer(
            batch["sentence"], truncation=True, max_length=limit, padding=False
        )
        return inputs

    with _no_progress_bars():
        encoded = DatasetDict(
            {
                name: split.map(
                    tokenize,
                    batched=True,
                    remove_columns=[column for column in split.column_names if column != "label"],
                    keep_in_memory=True,
                    load_from_cache_file=False,
                )
                for name, split in splits.items()
            }
        )
    truncated = 0
    if limit is not None:
        for name in {"train", "validation"} & splits.keys():
            truncated += _count_truncated(splits[name], encoded[name], tokenizer, limit)
    return Encoded(splits=encoded, truncated=truncated)


def token_counts(split: Dataset) -> np.ndarray:
    """Return (sentences,) the number of tokens of each sentence of an encoded split."""
    ids = split.with_format("arrow")[:]["input_ids"].combine_chunks()
    counts: np.ndarray = ids.value_lengths().to_numpy()
    return counts


def collator(
    tokenizer: PreTrainedTokenizerBase, shortest: int = 1
) -> Callable[[list[Any]], dict[str, Any]]:
    """Put rows together into a batch of tensors, padded to its own longest sentence.

    Args:
        shortest: tokens that a batch has at least, for models that take no shorter one.
    """
    to_longest = DataCollatorWithPadding(tokenizer)
    to_shortest = DataCollatorWithPadding(tokenizer, padding="max_length", max_length=shortest)

    def collate(rows: list[Any]) -> dict[str, Any]:
        short = all(len(row["input_ids"]) < shortest for row in rows)
        return (to_shortest if short else to_longest)(rows)

    return collate


def _length_limit(tokenizer: PreTrainedTokenizerBase, max_length: int | None) -> int | None:
    if max_length is None and tokenizer.model_max_length >= _NO_LIMIT:
        return None
    limit = tokenizer.model_max_length if max_length is None else max_length
    special = tokenizer.num_special_tokens_to_add()
    if limit <= special:
        raise BadInput(
            [
                f"max_length: {limit} leaves no room for a word, as this tokenizer adds {special} "
                f"special tokens; allowed are {special + 1} and more, or none for its own limit"
            ]
        )
    return limit


def _count_truncated(
    split: Dataset, encoded: Dataset, tokenizer: PreTrainedTokenizerBase, limit: int
) -> int:
    """Count the sentences longer than `limit`, telling them from those of just that length."""
    long = np.flatnonzero(token_counts(encoded) >= limit)
    if not len(long):
        return 0
    suspects = list(split.select(long)["sentence"])
    whole = tokenizer(suspects, truncation=False, padding=False, verbose=False)["input_ids"]
    return sum(len(ids) > limit for ids in whole)


@contextlib.contextmanager
def _no_progress_bars() -> Iterator[None]:
    if datasets.are_progress_bars_disabled():
        yield
        return
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.enable_progress_bars()
