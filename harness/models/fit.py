"""Checks on the encoded sentences that a tokenizer fits its model and the data."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.errors import BadInput
from harness.models.encode import token_counts
from harness.text import counted, shortened

BEYOND_REASON = 0.5
"""A tokenizer does not fit if more than this share of all pieces of text is unknown to it, or more
than this share of the sentences is lost: only unknown and special tokens are left.

Measured with all-MiniLM-L6, whose tokenizer was made for English: unknown are 0.0 % of CoLA's
pieces, 18 % of JCoLA's (Japanese) and 0.0 % of RuCoLA's (Russian); no sentence is lost.
"""

HIGH = 0.1
"""A larger share of unknown pieces or lost sentences causes a warning."""

SINGLE_BYTES = 0.9
"""With more tokens than this per byte of text, words are split completely: the vocabulary contains
none of them.

On CoLA all-MiniLM-L6 has 0.23; on RuCoLA, letter by letter, 0.44 (a Russian letter is two bytes).
"""

A_VOCABULARY = 1000
"""A tokenizer with more tokens has words, not only bytes or characters."""

SPARE_ROWS = 2
"""A model with more than this many times the tokenizer's tokens was trained with another tokenizer.

Matrices are made larger than vocabularies for speed, to the next multiple of 64 or 1,024.
"""


@dataclass(frozen=True)
class _Split:
    """A split's encoded sentences, concatenated.

    Attributes:
        ids: (tokens,) of all sentences, one after the other.
        rows: (tokens,) the row of each token's sentence in the split.
        sentences: their number.
    """

    name: str
    ids: np.ndarray
    rows: np.ndarray
    sentences: int


def check_fit(
    splits: DatasetDict,
    encoded: DatasetDict,
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
) -> tuple[str, ...]:
    """Compare encoded sentences with the model and with their text; return warnings.

    Args:
        splits: the sentences.
        encoded: the tokenizer's output for them, including special tokens.

    Raises:
        BadInput: tokens without a row of embeddings, or too many sentences or pieces of text
            became unknown and special tokens. The message has an example.
    """
    rows = _embedding_rows(model)
    flat = [_flat(name, split) for name, split in encoded.items() if len(split)]
    if rows is not None and (beyond := _beyond(splits, flat, tokenizer, rows)):
        raise BadInput([beyond])
    problem, warnings = _lost_text(splits, flat, tokenizer)
    if problem:
        raise BadInput([problem])
    tokens = len(tokenizer)
    if rows is not None and rows > SPARE_ROWS * tokens:
        warnings.append(
            f"the model has embeddings for {counted(rows, 'token')} "
            f"but its tokenizer has only {tokens:,}: likely the model "
            "was trained with another tokenizer"
        )
    return tuple(warnings)


def _embedding_rows(model: PreTrainedModel) -> int | None:
    """Return how many tokens have embeddings; None for a model of characters or bytes."""
    try:
        embeddings: Any = model.get_input_embeddings()
        return len(embeddings.weight)
    except (AttributeError, NotImplementedError):
        return None


def _flat(name: str, split: Dataset) -> _Split:
    ids = split.with_format("arrow")[:]["input_ids"].combine_chunks().flatten()
    counts = token_counts(split)
    # The Arrow type is null if no sentence has a token.
    numbers = ids.to_numpy(zero_copy_only=False).astype(np.int64)
    return _Split(name, numbers, np.repeat(np.arange(len(counts)), counts), len(counts))


def _beyond(
    splits: DatasetDict, flat: list[_Split], tokenizer: PreTrainedTokenizerBase, rows: int
) -> str | None:
    """Return which tokens have no row of embeddings, and the sentence of the first one."""
    beyond = sorted({int(number) for split in flat for number in split.ids[split.ids >= rows]})
    if not beyond:
        return None
    split = next(split for split in flat if (split.ids == beyond[0]).any())
    row = int(split.rows[np.flatnonzero(split.ids == beyond[0])[0]])
    others = f" and {len(beyond) - 1} more" if len(beyond) > 1 else ""
    return (
        f"the tokenizer does not fit the model: token "
        f"{shortened(str(tokenizer.convert_ids_to_tokens(beyond[0])))}{others} has number "
        f"{beyond[0]:,}, but the model has {counted(rows, 'row')} of embeddings, "
        "numbered from 0; it occurs "
        f"in {_example(splits, split.name, row)}; use the tokenizer files that were saved with "
        "the model, or add the rows (model.resize_token_embeddings) and save both"
    )


def _lost_text(
    splits: DatasetDict, flat: list[_Split], tokenizer: PreTrainedTokenizerBase
) -> tuple[str | None, list[str]]:
    """Find sentences that are lost, and the share of unknown pieces of text.

    Returns a problem, if any, and warnings.
    """
    special = set(tokenizer.all_special_ids) | _blank_ids(flat, tokenizer)
    unknown_id = _unknown_id(tokenizer)
    lost, unknown, pieces, size = 0, 0, 0, 0
    example: str | None = None
    for split in flat:
        is_special = np.isin(split.ids, list(special))
        is_unknown = split.ids == (-1 if unknown_id is None else unknown_id)
        left = np.bincount(split.rows[~is_special], minlength=split.sentences)
        texts = list(splits[split.name]["sentence"])
        gone = [int(row) for row in np.flatnonzero(left == 0) if texts[int(row)].strip()]
        lost += len(gone)
        unknown += int(is_unknown.sum())
        pieces += int((~is_special | is_unknown).sum())
        size += sum(len(text.encode(errors="replace")) for text in texts)
        if example is None and (gone or is_unknown.any()):
            row = gone[0] if gone else int(split.rows[np.flatnonzero(is_unknown)[0]])
            tokens = tokenizer.convert_ids_to_tokens(split.ids[split.rows == row].tolist())
            example = f"{_example(splits, split.name, row)} became {shortened(' '.join(tokens))}"
    sentences = sum(split.sentences for split in flat)
    shares = (lost / max(1, sentences), unknown / max(1, pieces))
    finding = (
        "only special and unknown tokens are left of "
        f"{lost:,} of {counted(sentences, 'sentence')}, "
        f"and {100 * shares[1]:.0f} % of all pieces of text are unknown to the tokenizer"
    )
    if max(shares) > BEYOND_REASON:
        return (
            f"the tokenizer does not fit the sentences: {finding}; {example}; use the tokenizer "
            "files that were saved with the model, or a checkpoint made for this language",
            [],
        )
    warnings = [f"{finding}; {example}"] if max(shares) > HIGH else []
    if len(tokenizer) > A_VOCABULARY and pieces > SINGLE_BYTES * size:
        warnings.append(
            f"the tokenizer makes {pieces / max(1, size):.1f} tokens per byte of text, although it "
            f"has {len(tokenizer):,}: its merges are missing, or it was made for another language"
        )
    return None, warnings


def _blank_ids(flat: list[_Split], tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Return the ids in use of tokens that represent only a space, as T5 has before each word."""
    used = sorted({int(number) for split in flat for number in np.unique(split.ids)})
    tokens = tokenizer.convert_ids_to_tokens(used)
    return {
        number for number, token in zip(used, tokens, strict=True) if not (token or "").strip(" ▁")
    }


def _unknown_id(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Return the id of the token for unknown text; None if it also has another meaning."""
    others = (
        tokenizer.bos_token_id,
        tokenizer.eos_token_id,
        tokenizer.cls_token_id,
        tokenizer.sep_token_id,
        tokenizer.pad_token_id,
    )
    number = tokenizer.unk_token_id
    return None if number is None or number in others else int(number)


def _example(splits: DatasetDict, name: str, row: int) -> str:
    return f"the sentence {shortened(splits[name][row]['sentence'])}"
