"""Encodes sentences as token ids: truncated to a length, padded only when a batch is built."""

import contextlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

# A tokenizer without a limit has a model_max_length of 1e30.
_NO_LIMIT = 10**9


@dataclass(frozen=True)
class Encoded:
    """Splits encoded for a model.

    Attributes:
        splits: the given splits, each with the tokenizer's outputs (`input_ids`,
            `attention_mask`, ...: lists of each sentence's own length, no padding) and `label`.
        cut: positions of the sentences that lost tokens, by split; only splits that have any.
        limit: maximum number of tokens, including special tokens; None for no limit.
    """

    splits: DatasetDict
    cut: Mapping[str, Sequence[int]]
    limit: int | None

    @property
    def truncated(self) -> int:
        """Number of sentences of train and validation together that lost tokens."""
        return sum(len(self.cut.get(name, ())) for name in ("train", "validation"))


def encode(
    splits: DatasetDict,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int | None,
    positions: int | None = None,
) -> Encoded:
    """Tokenise the column `sentence` of every split; only the column `label` is kept, if any.

    A sentence is truncated to the smallest of three lengths: `max_length`, `positions`, and the
    tokenizer's own limit. Special tokens count.

    Args:
        max_length: the requested maximum number of tokens; None for only the model's own limit.
        positions: number of positions of the model; None if there is no limit.

    Raises:
        BadInput: the length has no room beside the special tokens, or the tokenizer cannot encode.
    """
    limit = _length_limit(tokenizer, max_length, positions)

    def tokenize(batch: Mapping[str, list[str]]) -> BatchEncoding:
        # Both explicit, because a tokenizer.json may contain its own settings for them.
        try:
            inputs: BatchEncoding = tokenizer(
                batch["sentence"], truncation=True, max_length=limit, padding=False
            )
        except Exception as error:  # a tokenizer without its vocabulary may raise anything
            problem = f"the tokenizer cannot encode the sentences ({one_line(f'{error}')})"
            raise BadInput([f"{problem}; use the files that were saved with the model"]) from error
        rows, given = len(inputs["input_ids"]), len(batch["sentence"])
        if rows != given:
            problem = f"returns {counted(rows, 'row')} for {counted(given, 'sentence')}"
            raise BadInput([f"the tokenizer {problem}; choose another checkpoint"])
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
    cut: dict[str, list[int]] = {}
    if limit is not None:
        for name, split in splits.items():
            if lost := _cut(split, encoded[name], tokenizer, limit):
                cut[name] = lost
    return Encoded(splits=encoded, cut=cut, limit=limit)


def token_counts(split: Dataset) -> np.ndarray:
    """Return (sentences,) the number of tokens of each sentence of an encoded split."""
    ids = split.with_format("arrow")[:]["input_ids"].combine_chunks()
    counts: np.ndarray = ids.value_lengths().to_numpy()
    return counts


def collator(
    tokenizer: PreTrainedTokenizerBase, shortest: int = 1
) -> Callable[[list[Any]], dict[str, Any]]:
    """Return a function that builds a batch of tensors, padded to its own longest sentence.

    Args:
        shortest: minimum number of tokens of a batch, for models that fail on shorter ones.
    """
    to_longest = DataCollatorWithPadding(tokenizer)
    to_shortest = DataCollatorWithPadding(tokenizer, padding="max_length", max_length=shortest)

    def collate(rows: list[Any]) -> dict[str, Any]:
        short = all(len(row["input_ids"]) < shortest for row in rows)
        return (to_shortest if short else to_longest)(rows)

    return collate


def accepted(model: PreTrainedModel, names: Iterable[str]) -> set[str]:
    """Return those of a tokenizer's outputs that a model accepts, as Trainer chooses them.

    Returns all of them if the model's forward does not name its inputs.
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
    limits = (limit for limit in (declared, positions, max_length) if limit is not None)
    limit = min(limits, default=None)
    special = tokenizer.num_special_tokens_to_add()
    if limit is not None and limit <= special:
        raise BadInput(
            [
                f"max_length: {limit} leaves no room for a word, because this tokenizer adds "
                f"{counted(special, 'special token')}; "
                f"allowed are {special + 1} and more, or none for its own limit"
            ]
        )
    return limit


def _cut(
    split: Dataset, encoded: Dataset, tokenizer: PreTrainedTokenizerBase, limit: int
) -> list[int]:
    """Return positions of sentences longer than `limit`, without those of exactly that length."""
    long = np.flatnonzero(token_counts(encoded) >= limit).tolist()
    if not long:
        return []
    suspects = list(split.select(long)["sentence"])
    whole = tokenizer(suspects, truncation=False, padding=False, verbose=False)["input_ids"]
    return [place for place, ids in zip(long, whole, strict=True) if len(ids) > limit]


@contextlib.contextmanager
def _no_progress_bars() -> Iterator[None]:
    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()
