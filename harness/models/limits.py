"""The longest sentence that a model can process, measured on the model itself."""

import contextlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from datasets import DatasetDict
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.errors import BadInput
from harness.models.encode import accepted, collator, token_counts
from harness.models.out_of_memory import is_out_of_memory
from harness.text import counted, one_line, shortened

PROBES = (16, 24)
"""Lengths in tokens of the test sentences: enough for families that halve a sentence's length
several times, and two lengths, because a table built for one sentence is no limit."""


def position_limit(model: PreTrainedModel) -> int | None:
    """Return a model's number of positions; None if there is no limit.

    The model computes a sentence that repeats one token, and every table look-up is recorded. If it
    reads the rows k, k + 1, k + 2, ..., one row per token, the rows are positions, and the number
    of positions is the number of rows from k on. RoBERTa begins at 2, for example, others at 0.
    """
    found = []
    for tokens in PROBES:
        ids = torch.full((1, tokens), _ordinary_token(model), device=model.device)
        lookups = _Lookups(tokens)
        # A model that fails has usually looked up its positions before.
        with (
            contextlib.suppress(Exception),
            torch.random.fork_rng(devices=[]),
            torch.no_grad(),
            lookups,
        ):
            model(input_ids=ids)
        found.append(lookups.limits)
    return min(set.intersection(*found), default=None)


def _ordinary_token(model: PreTrainedModel) -> int:
    """Return a token id that has no special meaning in a model's configuration."""
    config = model.config.get_text_config()
    special = {
        number
        for name, value in config.to_dict().items()
        if name.endswith("_token_id")
        for number in (value if isinstance(value, list) else [value])
    }
    return next(number for number in range(len(special) + 1) if number not in special)


class _Lookups(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the number of positions in each table that looks up a sentence's positions."""

    def __init__(self, tokens: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.limits: set[int] = set()
        self._tokens = tokens

    def __torch_dispatch__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        operation, aten = func.overloadpacket, torch.ops.aten
        if operation is aten.embedding:
            self._record(args[0], 0, args[1])
        elif operation is aten.index_select:
            self._record(*args)
        elif operation is aten.index and sum(index is not None for index in args[1]) == 1:
            axis = next(number for number, index in enumerate(args[1]) if index is not None)
            self._record(args[0], axis, args[1][axis])
        elif operation is aten.gather:
            axis, index = args[1], args[2]
            rows = index.movedim(axis, 0).flatten(1)
            if bool((rows == rows[:, :1]).all()):  # relative positions differ between words
                self._record(args[0], axis, rows[:, 0])
        elif operation is aten.slice and args[0].dtype == torch.bool:  # a causal mask
            self._record_slice(*args)
        return func(*args, **(kwargs or {}))

    def _record(self, table: torch.Tensor, axis: int, index: torch.Tensor) -> None:
        if index.dtype not in (torch.int32, torch.int64):
            return
        rows = index.flatten()[: self._tokens].tolist()
        if rows and rows == list(range(rows[0], rows[0] + self._tokens)):
            self.limits.add(table.shape[axis] - rows[0])

    def _record_slice(
        self, table: torch.Tensor, axis: int = 0, start: int | None = None, end: int | None = None
    ) -> None:
        first = start or 0
        if first >= 0 and end is not None and end - first == self._tokens:
            self.limits.add(table.shape[axis] - first)


def try_longest(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    splits: DatasetDict,
    encoded: DatasetDict,
) -> None:
    """Compute the longest encoded sentence once, so that a run does not fail on it in the middle.

    Raises:
        BadInput: the model can compute only shorter sentences.
        Exception: the model's own error, if it cannot compute a shorter sentence either.
    """
    tokens, name, index = max(
        (int(counts.max()), name, int(counts.argmax()))
        for name, counts in ((name, token_counts(rows)) for name, rows in encoded.items())
        if len(counts)
    )
    sentence, row = splits[name][index]["sentence"], dict(encoded[name][index])
    row.pop("label", None)
    error = _error(model, tokenizer, row)
    if error is None:
        return
    if is_out_of_memory(error):
        raise error

    def fails(length: int) -> bool:
        cut = tokenizer(sentence, truncation=True, max_length=length, padding=False)
        return len(cut["input_ids"]) > length or _error(model, tokenizer, dict(cut)) is not None

    works = bisect_left(range(tokens), True, lo=1, key=fails) - 1
    if not works:  # its length is not the reason
        raise error
    problem = (
        f"the model cannot compute the longest sentence, {shortened(sentence)} of "
        f"{counted(tokens, 'token')} ({type(error).__name__}: {one_line(str(error))})"
    )
    raise BadInput([f"{problem}; set training.max_length to {works} or less"]) from error


def _error(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, row: dict[str, Any]
) -> Exception | None:
    was_training = model.training
    model.train(False)
    try:
        batch = collator(tokenizer)([row])
        inputs = {name: batch[name].to(model.device) for name in accepted(model, batch)}
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            model(**inputs)
    except Exception as error:  # the model would raise the same error in training
        return error
    finally:
        model.train(was_training)
    return None
