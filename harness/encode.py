"""Sentences to token ids: truncated to a length, padded only when a batch is put together."""

import contextlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import datasets
import numpy as np
from datasets import Dataset, DatasetDict
from transformers import (
    BatchEncoding,
    DataCollatorWithPadding,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from harness.errors import BadInput
from harness.text import counted, one_line

# A tokenizer that knows of no limit has a model_max_length of 1e30.
_NO_LIMIT = 10**9


@dataclass(frozen=True)
class Encoded:
    """Splits as a model takes them.

    Attributes:
        splits: the splits given, each with the tokenizer's outputs (`input_ids`,
            `attention_mask`, ...: lists of one sentence's own length, no padding) and `label`.
        truncated: how many sentences of train and validation together lost tokens.
        limit: tokens at which sentences were cut, special tokens included; None for no limit.
    """

    splits: DatasetDict
    truncated: int
    limit: int | None


def encode(
    splits: DatasetDict,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int | None,
    positions: int | None = None,
) -> Encoded:
    """Tokenise the column `sentence` of every split; labels pass through as they are.

    A sentence is cut at the smallest of three lengths: `max_length`, `positions`, and the limit
    that the tokenizer itself declares. Special tokens count.

    Args:
        splits: with columns `sentence` and `label` at least.
        tokenizer: of the checkpoint to be trained.
        max_length: tokens asked for; None for no other limit than the model's own.
        positions: tokens that the model has positions for; None where nothing bounds them.

    Raises:
        BadInput: a length that leaves no room beside the special tokens, or a tokenizer that
            cannot encode at all.
    """
    limit = _length_limit(tokenizer, max_length, positions)

    def tokenize(batch: Mapping[str, list[str]]) -> BatchEncoding:
        # Said in full, because a tokenizer.json may carry settings of its own for both.
        try:
            inputs: BatchEncoding = tokenizer(
                batch["sentence"], truncation=True, max_length=limit, padding=False
            )
        except Exception as error:  # what a tokenizer without its vocabulary raises is open-ended
            told = f"the tokenizer cannot encode the sentences ({one_line(f'{error}')})"
            raise BadInput([f"{told}; take the files that were saved with the model"]) from error
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
    return Encoded(splits=encoded, truncated=truncated, limit=limit)


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


def taken(model: PreTrainedModel, names: Iterable[str]) -> set[str]:
    """Return those of a tokenizer's outputs that a model takes, as Trainer chooses them.

    All of them where its forward does not name its inputs.
    """
    named = inspect.signature(type(model).forward).parameters
    return {name for name in names if name in named or not names_its_inputs(model)}


def names_its_inputs(model: PreTrainedModel) -> bool:
    """Return whether a model's forward names its inputs, rather than taking any keyword."""
    return "input_ids" in inspect.signature(type(model).forward).parameters


def _length_limit(
    tokenizer: PreTrainedTokenizerBase, max_length: int | None, positions: int | None
) -> int | None:
    declared = None if tokenizer.model_max_length >= _NO_LIMIT else tokenizer.model_max_length
    limits = [limit for limit in (declared, positions, max_length) if limit is not None]
    if not limits:
        return None
    limit = min(limits)
    special = tokenizer.num_special_tokens_to_add()
    if limit <= special:
        raise BadInput(
            [
                f"max_length: {limit} leaves no room for a word, as this tokenizer adds "
                f"{counted(special, 'special token')}; "
                f"allowed are {special + 1} and more, or none for its own limit"
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
