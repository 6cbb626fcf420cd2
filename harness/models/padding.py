"""Padding: the token and the side for it, and whether a model's answers depend on it.

Sentences of a batch are padded to the longest of them, so what stands beside a sentence decides how
much padding it gets. For most models this changes nothing. Others read the padding: GPT-2 counts
positions from the left end of a batch, FNet mixes all tokens and knows no attention mask. Which
kind a model is cannot be read off its name, so it is measured: a few short sentences alone, and in
the company of a long one.
"""

import contextlib
import copy
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers import (
    BatchEncoding,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from harness.models.encode import collator, taken, token_counts

Side = Literal["left", "right"]
Row = Mapping[str, Any]
"""One encoded sentence: `input_ids` and what else the tokenizer gave, lists of equal length."""

TOLERANCE = 1e-3
"""Answers that differ by less than this share of the logits' spread are the same answer.

The spread is the standard deviation of a logit over the sentences that are compared. Of 126
architectures in transformers 5.23, those that hide padding stay below 1e-3 of it (rounding in
float32), those that read it differ by 0.2 to 5. Logits this near to a decision turn one class in
2,500 at most: a normal distribution has 0.0004 of its mass within 1e-3 standard deviations of any
point, times two logits.
"""

ROUNDING = 1e-4
"""Differences below this share of the largest logit may be rounding alone, whatever the spread is:
all logits of a fresh head on a random encoder agree to five digits. They are measured again in
double precision."""

SINGLE = 1e-5
"""Float32 rounds to 6e-8 of a number. Logits are sums of larger numbers of both signs, so their own
rounding may be a hundred times as large a share of them."""

CONSTANT = 1e-9
"""Logits that spread by less than this share of the largest are all the same."""

WORDS = (1, 2, 3, 5, 7, 10)
"""Lengths of the short sentences that are measured, in tokens beside the special ones."""

LONG = 12
"""The long one has so many tokens beside the special ones at least."""

BATCH_TOKENS = 2048
"""Most tokens of the batch that is measured, so that it costs no more than one step of training."""

SHORTEST_SOUGHT = 16
"""So many lengths are tried to find the shortest sentence that a model takes."""


@dataclass(frozen=True)
class Padding:
    """How a model's batches are padded, and whether its answers depend on it.

    Attributes:
        side: where padding goes.
        tokenizer_side: where the checkpoint's tokenizer would put it.
        deviations: by side, where it was measured: the largest difference between the logits of a
            sentence alone and in company, in standard deviations of the logits over sentences.
            None where the model answers in no number, or not at all, in company. Nothing was
            measured for a model that takes no sentence even alone.
        alone: whether answers depend on padding on either side, so that each sentence has to be
            evaluated alone.
        shortest: tokens that a batch has at least, as the model takes no shorter one.
    """

    side: Side
    tokenizer_side: Side
    deviations: Mapping[Side, float | None]
    alone: bool
    shortest: int


def settle(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> Padding:
    """Choose the side on which answers do not depend on padding, and set the tokenizer to it.

    Answers are compared alone and in company, on the tokenizer's own side first. Where they agree,
    it stays; where only the other side makes them agree, that is taken. The model, its mode and all
    random states are left as they are.

    Args:
        rows: encoded sentences, such as the train split; one at least.
    """
    own: Side = "left" if tokenizer.padding_side == "left" else "right"
    other: Side = "left" if own == "right" else "right"
    sentences = _sentences(rows, tokenizer, model)
    if not sentences:
        return Padding(own, own, {}, alone=False, shortest=1)
    deviations: dict[Side, float | None] = {}
    with _undisturbed(model) as twin:
        shortest = fewest_tokens(twin, tokenizer, sentences[0])
        if shortest is None:
            return Padding(own, own, {}, alone=False, shortest=1)
        collate = collator(tokenizer, shortest)
        for side in (own, other):
            _pad_on(side, tokenizer)
            deviation = _deviation(model, twin, sentences, collate)
            if deviation is None:  # no answer even alone: training will say why
                break
            deviations[side] = deviation if np.isfinite(deviation) else None
            if deviation <= TOLERANCE:
                return Padding(side, own, deviations, alone=False, shortest=shortest)
    _pad_on(own, tokenizer)
    return Padding(own, own, deviations, alone=own in deviations, shortest=shortest)


def _pad_on(side: Side, tokenizer: PreTrainedTokenizerBase) -> None:
    """Set a tokenizer's side, and let it be saved: by itself it saves what it was made with."""
    if tokenizer.padding_side != side:
        tokenizer.padding_side = side
        tokenizer.init_kwargs["padding_side"] = side


def fewest_tokens(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, row: Row
) -> int | None:
    """Return how many tokens a batch needs for a model to take this sentence; None if none do.

    1 where it takes the sentence as it is. Funnel raises for 4 tokens and fewer, CANINE for fewer
    than 4 characters.
    """
    length = len(row["input_ids"])
    for tokens in range(length, length + SHORTEST_SOUGHT):
        if _logits(model, collator(tokenizer, tokens)([dict(row)])) is not None:
            return 1 if tokens == length else tokens
    return None


def answers(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Dataset, batch_size: int
) -> Tensor:
    """Return (sentences, classes) the logits of encoded sentences, in their order, on the CPU.

    A sentence shares a batch with sentences of its own length only, so that its answer is the same
    (up to rounding) in any company, whether or not the model reads padding.

    Args:
        batch_size: sentences at a time at most.
    """
    usable = [_taken(model, row) for row in rows]
    counts = token_counts(rows)
    order = np.argsort(counts, kind="stable")
    shortest = fewest_tokens(model, tokenizer, usable[order[0]]) or 1
    collate = collator(tokenizer, shortest)
    found: dict[int, Tensor] = {}
    ends = np.flatnonzero(np.diff(counts[order])) + 1
    for alike in np.split(order, ends):
        for start in range(0, len(alike), batch_size):
            places = alike[start : start + batch_size]
            batch = BatchEncoding(collate([dict(usable[place]) for place in places]))
            with torch.inference_mode():
                logits = logits_of(model(**batch.to(model.device))).float().cpu()
            found |= dict(zip(places.tolist(), logits, strict=True))
    return torch.stack([found[place] for place in range(len(usable))])


def logits_of(outputs: Any) -> Tensor:
    """Return the logits of what a classifier returns: a mapping, or a tuple that they begin."""
    logits: Tensor = outputs["logits"] if isinstance(outputs, Mapping) else outputs[0]
    return logits


def _taken(model: PreTrainedModel, row: Row) -> Row:
    """Leave out the columns that a model does not take, as Trainer does."""
    names = taken(model, row) - {"label"}
    return {name: value for name, value in row.items() if name in names}


def _sentences(
    rows: Dataset, tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel
) -> list[Row]:
    """Return short sentences and, as the last one, a long one, made of the data's own tokens.

    The data may hold none shorter or longer than others: tokens are cut out of the middle or
    repeated there. Special tokens at both ends stay, since heads look for them. The list is empty
    where the tokenizer left nothing of any sentence.
    """
    special = tokenizer.num_special_tokens_to_add()
    counts = token_counts(rows)
    order = np.argsort(counts, kind="stable")
    order = order[counts[order] > special]  # of others the tokenizer left nothing
    if not len(order):
        return []
    longest = rows[int(order[-1])]
    length = max(len(longest["input_ids"]), special + LONG)
    if tokenizer.model_max_length > special:
        length = min(length, tokenizer.model_max_length)
    number = max(2, min(len(WORDS), BATCH_TOKENS // length - 1))
    places = np.linspace(0, len(order) - 1, num=number).round().astype(int)
    lengths = np.asarray(WORDS)[np.linspace(0, len(WORDS) - 1, num=number).round().astype(int)]
    short = [
        _resized(_taken(model, rows[int(order[place])]), min(special + int(words), length), special)
        for place, words in zip(places, lengths, strict=True)
    ]
    made = [*short, _resized(_taken(model, longest), length, special)]
    if _has_meaning(tokenizer):
        # A sentence may consist of it. Padded on the left, Llama takes that for nothing.
        ids = list(made[0]["input_ids"])
        ids[: len(ids) - special] = [tokenizer.pad_token_id] * (len(ids) - special)
        made.insert(1, {**made[0], "input_ids": ids})
    return made


def _has_meaning(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Return whether the pad token can also be a part of a sentence, as an end of text is."""
    return tokenizer.pad_token_id in (tokenizer.eos_token_id, tokenizer.unk_token_id)


def _resized(row: Row, tokens: int, special: int) -> Row:
    """Return a sentence of another length; its last `special` tokens stay at its end."""
    end = len(row["input_ids"]) - special
    places = [*(place % end for place in range(tokens - special)), *range(end, end + special)]
    return {name: [values[place] for place in places] for name, values in row.items()}


@contextlib.contextmanager
def _undisturbed(model: PreTrainedModel) -> Iterator[PreTrainedModel]:
    """Yield a model's twin in eval mode, with the same parameters; random states are put back.

    A twin, because some models change themselves when they compute: BigBird gives up its sparse
    attention at the first short batch. Some draw random numbers in evaluation too.
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
    twin: PreTrainedModel,
    sentences: Sequence[Row],
    collate: Callable[[list[Row]], Any],
) -> float | None:
    """Return how far answers in company are from those alone, in standard deviations of logits.

    Infinity where there is none in company; None where there is none alone.
    """
    compared = _compared(twin, sentences, collate)
    if compared is None:
        return None
    difference, spread, largest = compared
    if TOLERANCE * spread < difference <= ROUNDING * largest:
        again = _compared(copy.deepcopy(model).double().train(False), sentences, collate)
        if again is not None:
            difference, spread, _ = again
        elif difference <= SINGLE * largest:  # some compute in no other precision
            difference = 0.0
    if not difference:
        return 0.0
    # Where all answers are one (MRA without a GPU), their spread is rounding too.
    spread = max(spread, CONSTANT * largest)
    return difference / spread if spread else float("inf")


def _compared(
    model: PreTrainedModel, sentences: Sequence[Row], collate: Callable[[list[Row]], Any]
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
    """Return (sentences, classes), None where the model raises: that, too, is an observation."""
    try:
        with torch.no_grad():
            return logits_of(model(**BatchEncoding(batch).to(model.device)))
    except Exception:  # whatever an architecture has against a batch
        return None
