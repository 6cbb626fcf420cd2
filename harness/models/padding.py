"""Chooses the side of padding, and measures whether a model's logits depend on padding.

The sentences of a batch are padded to the longest one, so a sentence's padding depends on the other
sentences of its batch. For most models this changes nothing. Others read the padding: GPT-2 counts
positions from the left end of a batch, FNet mixes all tokens and has no attention mask. A model's
name does not tell which kind it is, so this is measured: a few short sentences are computed alone,
and in one batch with a long sentence.
"""

import contextlib
import copy
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers import BatchEncoding, PreTrainedModel, PreTrainedTokenizerBase

from harness.models.encode import accepted, collator, token_counts
from harness.store.records import Padding, PaddingSide

EncodedRow = Mapping[str, Any]
"""One encoded sentence: `input_ids` and other tokenizer outputs, lists of equal length."""

TOLERANCE = 1e-3
"""Logits that differ by less than this share of their spread are equal.

The spread is the standard deviation of a logit over the compared sentences. Of 126 architectures in
transformers 5.23, those that hide padding differ by less than 1e-3 of the spread (rounding in
float32), and those that read padding by 0.2 to 5. A difference of this size changes at most one
class in 2,500: a normal distribution has 0.0004 of its mass within 1e-3 standard deviations of any
point, times two logits.
"""

ROUNDING = 1e-4
"""Differences below this share of the largest logit may be rounding alone, whatever the spread is:
all logits of a new head on a random encoder agree to five digits. They are measured again in double
precision."""

SINGLE = 1e-5
"""Float32 rounds to 6e-8 of a number. Logits are sums of larger numbers of both signs, so their
relative rounding error may be a hundred times as large."""

CONSTANT = 1e-9
"""Logits with a spread below this share of the largest logit are constant."""

WORDS = (1, 2, 3, 5, 7, 10)
"""Lengths of the short test sentences, in tokens without special tokens."""

LONG = 12
"""Minimum length of the long test sentence, in tokens without special tokens."""

BATCH_TOKENS = 2048
"""Maximum tokens of the test batch, so that it costs no more than one training step."""

LENGTHS_TRIED = 16
"""Number of lengths tried to find the shortest sentence that a model accepts."""


def settle(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> Padding:
    """Choose the side on which logits do not depend on padding, and set the tokenizer to it.

    Logits of single sentences are compared with those in a batch, on the tokenizer's side first. If
    they agree, the side stays; if they agree only on the other side, it is chosen. The model, its
    mode and all random states do not change.

    Args:
        rows: encoded sentences, such as the train split; at least one.
    """
    own: PaddingSide = "left" if tokenizer.padding_side == "left" else "right"
    other: PaddingSide = "left" if own == "right" else "right"
    sentences = _sentences(rows, tokenizer, model)
    deviations: dict[PaddingSide, float | None] = {}
    unknown = Padding(side=own, tokenizer_side=own, deviations={}, alone=False, shortest=1)
    if not sentences:
        return unknown
    chosen: PaddingSide | None = None
    with _undisturbed(model) as model_copy:
        shortest = fewest_tokens(model_copy, tokenizer, sentences[0])
        if shortest is None:
            return unknown
        collate = collator(tokenizer, shortest)
        for side in (own, other):
            _pad_on(side, tokenizer)
            deviation = _deviation(model, model_copy, sentences, collate)
            if deviation is None:  # fails even on single sentences; training will report why
                break
            deviations[side] = deviation if np.isfinite(deviation) else None
            if deviation <= TOLERANCE:
                chosen = side
                break
    _pad_on(chosen or own, tokenizer)
    return Padding(
        side=chosen or own,
        tokenizer_side=own,
        deviations=deviations,
        alone=chosen is None and own in deviations,
        shortest=shortest,
    )


def _pad_on(side: PaddingSide, tokenizer: PreTrainedTokenizerBase) -> None:
    """Set a tokenizer's side, also for saving: by default it saves the side it was created with."""
    if tokenizer.padding_side != side:
        tokenizer.padding_side = side
        tokenizer.init_kwargs["padding_side"] = side


def fewest_tokens(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, row: EncodedRow
) -> int | None:
    """Return how many tokens a batch needs so that a model accepts this sentence; None if none do.

    Returns 1 if it accepts the sentence without padding. Funnel fails on 4 tokens or fewer, CANINE
    on fewer than 4 characters.
    """
    length = len(row["input_ids"])
    for tokens in range(length, length + LENGTHS_TRIED):
        if _logits(model, collator(tokenizer, tokens)([dict(row)])) is not None:
            return 1 if tokens == length else tokens
    return None


def answers(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Dataset, batch_size: int
) -> Tensor:
    """Return (sentences, classes) the logits of encoded sentences, in their order, on the CPU.

    A sentence shares a batch only with sentences of equal length, so that its logits are the same
    (up to rounding) with any other sentences, whether or not the model reads padding.

    Args:
        batch_size: maximum sentences per batch.
    """
    usable = [accepted_row(model, row) for row in rows]
    counts = token_counts(rows)
    order = np.argsort(counts, kind="stable")
    shortest = fewest_tokens(model, tokenizer, usable[order[0]]) or 1
    collate = collator(tokenizer, shortest)
    found: dict[int, Tensor] = {}
    ends = np.flatnonzero(np.diff(counts[order])) + 1
    for equally_long in np.split(order, ends):
        for start in range(0, len(equally_long), batch_size):
            numbers = equally_long[start : start + batch_size]
            batch = BatchEncoding(collate([dict(usable[number]) for number in numbers]))
            with torch.inference_mode():
                logits = logits_of(model(**batch.to(model.device))).float().cpu()
            found |= dict(zip(numbers.tolist(), logits, strict=True))
    return torch.stack([found[number] for number in range(len(usable))])


def logits_of(outputs: Any) -> Tensor:
    """Return the logits from a classifier's output: a mapping, or a tuple that begins with them."""
    logits: Tensor = outputs["logits"] if isinstance(outputs, Mapping) else outputs[0]
    return logits


def accepted_row(model: PreTrainedModel, row: EncodedRow) -> EncodedRow:
    """Drop the columns that a model does not accept, as Trainer does."""
    names = accepted(model, row) - {"label"}
    return {name: value for name, value in row.items() if name in names}


def _sentences(
    rows: Dataset, tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel
) -> list[EncodedRow]:
    """Return short sentences and, at the end, a long one, made of the data's own tokens.

    The data's sentences may all have one length: so tokens are removed from the middle, or
    repeated there. Special tokens at both ends stay, because heads search for them. The list is
    empty if the tokenizer left only special tokens of every sentence.
    """
    special = tokenizer.num_special_tokens_to_add()
    counts = token_counts(rows)
    order = np.argsort(counts, kind="stable")
    order = order[counts[order] > special]  # the others have only special tokens
    if not len(order):
        return []
    longest = rows[int(order[-1])]
    length = max(len(longest["input_ids"]), special + LONG)
    if tokenizer.model_max_length > special:
        length = min(length, tokenizer.model_max_length)
    number = max(2, min(len(WORDS), BATCH_TOKENS // length - 1))
    ranks = np.linspace(0, len(order) - 1, num=number).round().astype(int)
    lengths = np.asarray(WORDS)[np.linspace(0, len(WORDS) - 1, num=number).round().astype(int)]
    short = [
        _resized(model, rows[int(order[rank])], min(special + int(words), length), special)
        for rank, words in zip(ranks, lengths, strict=True)
    ]
    sentences = [*short, _resized(model, longest, length, special)]
    if tokenizer.pad_token_id in (tokenizer.eos_token_id, tokenizer.unk_token_id):
        # A sentence may consist of pad tokens. With padding on the left, Llama ignores them.
        ids = list(sentences[0]["input_ids"])
        ids[: len(ids) - special] = [tokenizer.pad_token_id] * (len(ids) - special)
        sentences.insert(1, {**sentences[0], "input_ids": ids})
    return sentences


def _resized(model: PreTrainedModel, row: EncodedRow, tokens: int, special: int) -> EncodedRow:
    """Return a sentence of another length; its last `special` tokens stay at its end."""
    end = len(row["input_ids"]) - special
    kept = [*(number % end for number in range(tokens - special)), *range(end, end + special)]
    columns = accepted_row(model, row)
    return {name: [values[number] for number in kept] for name, values in columns.items()}


@contextlib.contextmanager
def _undisturbed(model: PreTrainedModel) -> Iterator[PreTrainedModel]:
    """Yield a copy of a model in eval mode that shares its parameters; restore random states.

    A copy, because some models change themselves when they compute: BigBird disables its sparse
    attention at the first short batch. Some draw random numbers even in evaluation.
    """
    cuda = [model.device] if model.device.type == "cuda" else []
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=cuda):
        try:
            shared: dict[int, Any] = {id(parameter): parameter for parameter in model.parameters()}
            yield copy.deepcopy(model, shared).train(False)
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


def _deviation(
    model: PreTrainedModel,
    model_copy: PreTrainedModel,
    sentences: Sequence[EncodedRow],
    collate: Callable[[list[EncodedRow]], Any],
) -> float | None:
    """Return how far logits in a batch are from those alone, in standard deviations of logits.

    Infinity if the model has no finite logits in a batch; None if it has none alone.
    """
    compared = _compared(model_copy, sentences, collate)
    if compared is None:
        return None
    difference, spread, largest = compared
    if TOLERANCE * spread < difference <= ROUNDING * largest:
        again = _compared(copy.deepcopy(model).double().train(False), sentences, collate)
        if again is not None:
            difference, spread, _ = again
        elif difference <= SINGLE * largest:  # some models compute only in single precision
            difference = 0.0
    if not difference:
        return 0.0
    # If all logits are constant (MRA without a GPU), their spread is only rounding, too.
    spread = max(spread, CONSTANT * largest)
    return difference / spread if spread else float("inf")


def _compared(
    model: PreTrainedModel,
    sentences: Sequence[EncodedRow],
    collate: Callable[[list[EncodedRow]], Any],
) -> tuple[float, float, float] | None:
    """Return the largest difference of a logit, the logits' spread and the largest logit."""
    single = [_logits(model, collate([dict(sentence)])) for sentence in sentences]
    if not all(logits is not None and bool(logits.isfinite().all()) for logits in single):
        return None
    alone = torch.cat(cast(list[Tensor], single))
    together = _logits(model, collate([dict(sentence) for sentence in sentences]))
    spread, largest = float(alone.std(dim=0).max()), float(alone.abs().max())
    if together is None or not together.isfinite().all():
        return float("inf"), spread, largest
    return float((together - alone).abs().max()), spread, largest


def _logits(model: PreTrainedModel, batch: Any) -> Tensor | None:
    """Return (sentences, classes) the logits; None if the model raises, which is a result too."""
    try:
        with torch.no_grad():
            return logits_of(model(**BatchEncoding(batch).to(model.device)))
    except Exception:  # an architecture may reject a batch with any error
        return None
