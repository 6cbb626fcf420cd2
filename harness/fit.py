"""Whether a tokenizer fits its model and the sentences: found on what it made of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.encode import token_counts
from harness.errors import BadInput
from harness.text import counted, shortened

BEYOND_REASON = 0.5
"""A tokenizer that does not know more than this share of all pieces of text, or leaves nothing of
more than this share of the sentences, does not fit.

Measured with all-MiniLM-L6, whose tokenizer was made for English: unknown are 0.0 % of CoLA's
pieces, 18 % of JCoLA's (Japanese) and 0.0 % of RuCoLA's (Russian); no sentence is lost.
"""

HIGH = 0.1
"""A share of unknown pieces or lost sentences that is worth a warning."""

SINGLE_BYTES = 0.9
"""More tokens than this a byte of text: words fall apart, so that none is in the vocabulary.

On CoLA all-MiniLM-L6 has 0.23; on RuCoLA, letter by letter, 0.44 (a Russian letter is two bytes).
"""

A_VOCABULARY = 1000
"""Tokens of a tokenizer that has words, beside bytes or characters."""

SPARE_ROWS = 2
"""A model with more than so many times the tokenizer's tokens was trained with another one.

Matrices are made larger than vocabularies for speed, to the next multiple of 64 or 1,024.
"""


@dataclass(frozen=True)
class _Split:
    """A split's encoded sentences in a row.

    Attributes:
        ids: (tokens,) of all sentences, one after the other.
        of: (tokens,) the place of each token's sentence in the split.
        sentences: their number.
    """

    name: str
    ids: np.ndarray
    of: np.ndarray
    sentences: int


def check_fit(
    splits: DatasetDict,
    encoded: DatasetDict,
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
) -> tuple[str, ...]:
    """Hold encoded sentences against the model and against what they were; return warnings.

    Args:
        splits: the sentences.
        encoded: what the tokenizer made of them, special tokens included.

    Raises:
        BadInput: tokens without a row of embeddings; or text of which (nearly) nothing is left but
            unknown and special tokens. With an example.
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
            f"and its tokenizer knows {tokens:,}: it "
            "was trained with another tokenizer, likely"
        )
    return tuple(warnings)


def _embedding_rows(model: PreTrainedModel) -> int | None:
    """Return how many tokens a model has embeddings for; None for one of characters or bytes."""
    try:
        embeddings: Any = model.get_input_embeddings()
        return len(embeddings.weight)
    except (AttributeError, NotImplementedError):
        return None


def _flat(name: str, split: Dataset) -> _Split:
    ids = split.with_format("arrow")[:]["input_ids"].combine_chunks().flatten()
    counts = token_counts(split)
    # Of no type at all where no sentence has a token.
    numbers = ids.to_numpy(zero_copy_only=False).astype(np.int64)
    return _Split(name, numbers, np.repeat(np.arange(len(counts)), counts), len(counts))


def _beyond(
    splits: DatasetDict, flat: list[_Split], tokenizer: PreTrainedTokenizerBase, rows: int
) -> str | None:
    """Say which tokens have no row of embeddings, and in which sentence the first one stands."""
    beyond = sorted({int(number) for split in flat for number in split.ids[split.ids >= rows]})
    if not beyond:
        return None
    split = next(split for split in flat if (split.ids == beyond[0]).any())
    place = int(split.of[np.flatnonzero(split.ids == beyond[0])[0]])
    others = f" and {len(beyond) - 1} more" if len(beyond) > 1 else ""
    return (
        f"the tokenizer does not fit the model: token "
        f"{shortened(str(tokenizer.convert_ids_to_tokens(beyond[0])))}{others} has number "
        f"{beyond[0]:,}, and the model has {counted(rows, 'row')} of embeddings, "
        "numbered from 0; it stands "
        f"in {_example(splits, split.name, place)}; take the tokenizer files that were saved with "
        "the model, or add the rows (model.resize_token_embeddings) and save both"
    )


def _lost_text(
    splits: DatasetDict, flat: list[_Split], tokenizer: PreTrainedTokenizerBase
) -> tuple[str | None, list[str]]:
    """Find sentences of which nothing is left, and the share of unknown pieces of text."""
    special = set(tokenizer.all_special_ids) | _blank_ids(flat, tokenizer)
    unknown_id = _unknown_id(tokenizer)
    lost, unknown, pieces, size = 0, 0, 0, 0
    example: str | None = None
    for split in flat:
        is_special = np.isin(split.ids, list(special))
        is_unknown = split.ids == (-1 if unknown_id is None else unknown_id)
        left = np.bincount(split.of[~is_special], minlength=split.sentences)
        texts = list(splits[split.name]["sentence"])
        gone = [int(place) for place in np.flatnonzero(left == 0) if texts[int(place)].strip()]
        lost += len(gone)
        unknown += int(is_unknown.sum())
        pieces += int((~is_special | is_unknown).sum())
        size += sum(len(text.encode(errors="replace")) for text in texts)
        if example is None and (gone or is_unknown.any()):
            place = gone[0] if gone else int(split.of[np.flatnonzero(is_unknown)[0]])
            tokens = tokenizer.convert_ids_to_tokens(split.ids[split.of == place].tolist())
            example = f"{_example(splits, split.name, place)} became {shortened(' '.join(tokens))}"
    sentences = sum(split.sentences for split in flat)
    shares = (lost / max(1, sentences), unknown / max(1, pieces))
    told = (
        "nothing but special and unknown tokens is left of "
        f"{lost:,} of {counted(sentences, 'sentence')}, "
        f"and {100 * shares[1]:.0f} % of all pieces of text are unknown to the tokenizer"
    )
    if max(shares) > BEYOND_REASON:
        return (
            f"the tokenizer does not fit the sentences: {told}; {example}; take the tokenizer "
            "files that were saved with the model, or a checkpoint made for this language",
            [],
        )
    warnings = [f"{told}; {example}"] if max(shares) > HIGH else []
    if len(tokenizer) > A_VOCABULARY and pieces > SINGLE_BYTES * size:
        warnings.append(
            f"the tokenizer makes {pieces / max(1, size):.1f} tokens of a byte of text, though it "
            f"knows {len(tokenizer):,}: its merges are missing, or it was made for another language"
        )
    return None, warnings


def _blank_ids(flat: list[_Split], tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Return the tokens in use that stand for a space alone, as T5's does before each word."""
    used = sorted({int(number) for split in flat for number in np.unique(split.ids)})
    tokens = tokenizer.convert_ids_to_tokens(used)
    return {
        number for number, token in zip(used, tokens, strict=True) if not (token or "").strip(" ▁")
    }


def _unknown_id(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Return the number of the token for unknown text; None where it has another meaning, too."""
    others = (
        tokenizer.bos_token_id,
        tokenizer.eos_token_id,
        tokenizer.cls_token_id,
        tokenizer.sep_token_id,
        tokenizer.pad_token_id,
    )
    number = tokenizer.unk_token_id
    return None if number is None or number in others else int(number)


def _example(splits: DatasetDict, name: str, place: int) -> str:
    return f"the sentence {shortened(splits[name][place]['sentence'])}"
