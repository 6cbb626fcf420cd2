"""Checks on the encoded sentences that a tokenizer fits its model and the data."""

import numpy as np
from datasets import DatasetDict
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.errors import BadInput
from harness.models.encode import token_counts
from harness.models.tensors import token_embeddings
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


def check_fit(
    splits: DatasetDict,
    encoded: DatasetDict,
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
) -> tuple[str, ...]:
    """Compare encoded sentences, with special tokens, with the model and their text.

    Returns warnings.

    Raises:
        BadInput: tokens without a row of embeddings, or too many sentences or pieces of text
            became unknown and special tokens. The message has an example.
    """
    texts, ids, rows = _flat(splits, encoded)
    embeddings = getattr(token_embeddings(model), "weight", None)
    if embeddings is not None:
        _refuse_beyond(texts, ids, rows, tokenizer, len(embeddings))
    warnings = _lost_text(texts, ids, rows, tokenizer)
    if embeddings is not None and len(embeddings) > SPARE_ROWS * len(tokenizer):
        warnings.append(
            f"the model has embeddings for {counted(len(embeddings), 'token')} "
            f"but its tokenizer has only {len(tokenizer):,}: likely the model "
            "was trained with another tokenizer"
        )
    return tuple(warnings)


def _flat(splits: DatasetDict, encoded: DatasetDict) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return the sentences of all splits, (tokens,) their token ids, and each token's sentence."""
    names = [name for name, split in encoded.items() if len(split)]
    columns = [encoded[name].with_format("arrow")[:]["input_ids"] for name in names]
    # The Arrow type is null if no sentence has a token.
    ids = [
        column.combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.int64)
        for column in columns
    ]
    counts = np.concatenate([token_counts(encoded[name]) for name in names])
    texts = [text for name in names for text in splits[name]["sentence"]]
    return texts, np.concatenate(ids), np.repeat(np.arange(len(counts)), counts)


def _refuse_beyond(
    texts: list[str],
    ids: np.ndarray,
    rows: np.ndarray,
    tokenizer: PreTrainedTokenizerBase,
    embeddings: int,
) -> None:
    """Refuse tokens that have no row of embeddings, and name the sentence of the first one."""
    beyond = np.unique(ids[ids >= embeddings]).tolist()
    if not beyond:
        return
    text = texts[rows[ids == beyond[0]][0]]
    others = f" and {len(beyond) - 1} more" if len(beyond) > 1 else ""
    token = shortened(str(tokenizer.convert_ids_to_tokens(beyond[0])))
    problem = (
        f"the tokenizer does not fit the model: token {token}{others} has number {beyond[0]:,}, "
        f"but the model has {counted(embeddings, 'row')} of embeddings, numbered from 0; it occurs "
        f"in the sentence {shortened(text)}; use the tokenizer files that were saved with the "
        "model, or add the rows (model.resize_token_embeddings) and save both"
    )
    raise BadInput([problem])


def _lost_text(
    texts: list[str], ids: np.ndarray, rows: np.ndarray, tokenizer: PreTrainedTokenizerBase
) -> list[str]:
    """Find sentences that are lost, and the share of unknown pieces of text; return warnings."""
    special = set(tokenizer.all_special_ids) | _blank_ids(ids, tokenizer)
    is_special, is_unknown = np.isin(ids, list(special)), ids == _unknown_id(tokenizer)
    left = np.bincount(rows[~is_special], minlength=len(texts))
    lost = [row for row in np.flatnonzero(left == 0) if texts[row].strip()]
    pieces, unknown = int((~is_special | is_unknown).sum()), int(is_unknown.sum())
    size = sum(len(text.encode(errors="replace")) for text in texts)
    shares = (len(lost) / len(texts), unknown / max(1, pieces))
    warnings = []
    if max(shares) > HIGH:
        row = lost[0] if lost else rows[is_unknown][0]
        tokens = tokenizer.convert_ids_to_tokens(ids[rows == row].tolist())
        finding = (
            f"only special and unknown tokens are left of {len(lost):,} of "
            f"{counted(len(texts), 'sentence')}, and {100 * shares[1]:.0f} % of all pieces of text "
            f"are unknown to the tokenizer; the sentence {shortened(texts[row])} became "
            f"{shortened(' '.join(tokens))}"
        )
        if max(shares) > BEYOND_REASON:
            problem = (
                f"the tokenizer does not fit the sentences: {finding}; use the tokenizer files "
                "that were saved with the model, or a checkpoint made for this language"
            )
            raise BadInput([problem])
        warnings.append(finding)
    if len(tokenizer) > A_VOCABULARY and pieces > SINGLE_BYTES * size:
        warnings.append(
            f"the tokenizer makes {pieces / max(1, size):.1f} tokens per byte of text, although it "
            f"has {len(tokenizer):,}: its merges are missing, or it was made for another language"
        )
    return warnings


def _blank_ids(ids: np.ndarray, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Return the ids in use of tokens that represent only a space, as T5 has before each word."""
    used = np.unique(ids).tolist()
    tokens = tokenizer.convert_ids_to_tokens(used)
    return {
        number for number, token in zip(used, tokens, strict=True) if not (token or "").strip(" ▁")
    }


def _unknown_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the id of the token for unknown text; -1 if none or if it has another meaning too."""
    number = tokenizer.unk_token_id
    names = ("bos", "eos", "cls", "sep", "pad")
    others = {getattr(tokenizer, f"{name}_token_id") for name in names}
    return -1 if number is None or number in others else int(number)
