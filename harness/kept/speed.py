"""Measures how fast a fine-tuned model answers, as a program that serves it runs it.

The model computes with its own forward, without the training's speed-ups, in evaluation mode, in
`torch.inference_mode`, in the precision of its weights (float32). A time begins with a batch of
token ids in the processor's memory and ends with its logits there, so on a GPU it includes both
copies. Tokenizing is not included: it is the same for all models of a tokenizer.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.models import out_of_memory
from harness.models.encode import collator, token_counts
from harness.models.padding import accepted_row, logits_of
from harness.store.measured.serving import Serving

SHARE, MOST_SECONDS = 0.05, 10.0
"""Measuring takes about this share of a run's training time, and at most this many seconds."""

FEWEST, MOST = 32, 256
"""Numbers of sentences that are timed one at a time; the fewest even if that takes longer."""

SIZES = (8, 32, 128, 512)
"""Numbers of sentences in a batch that are tried, in this order, while there is time."""

FEWEST_BATCHES, FEWEST_IN_BATCHES = 4, 64
"""At least so many batches of a size are timed, and so many sentences, if the split has them."""

Batch = dict[str, torch.Tensor]


def seconds_allowed(train_seconds: float) -> float:
    """Return how long measuring may take after a training of so many seconds."""
    return min(MOST_SECONDS, SHARE * train_seconds)


def measure(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Dataset,
    seconds: float,
    *,
    shortest: int = 1,
    largest: int | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Serving:
    """Time a model's answers to sentences of a split, alone and in batches of similar length.

    The sentences are spread evenly over the split in the order of their lengths, and so are the
    batches of each size. Their number depends on `seconds`: half of it is for single sentences, the
    rest for batches. A size for which time or memory is not enough is left out, and larger ones.

    Args:
        rows: an encoded split, at least one sentence.
        seconds: the time for all; FEWEST single sentences are timed even if it is not enough.
        shortest: minimum number of tokens of a batch; see harness.models.encode.collator.
        largest: maximum number of sentences in a batch; None for any.
        clock: returns the time in seconds.
    """
    collate = collator(tokenizer, shortest)
    by_length = np.argsort(token_counts(rows), kind="stable")

    def batch_of(positions: Sequence[int]) -> Batch:
        return dict(collate([dict(accepted_row(model, rows[each])) for each in positions]))

    def seconds_of(batch: Batch) -> float:
        began = clock()
        with torch.inference_mode():
            inputs = {name: tensor.to(model.device) for name, tensor in batch.items()}
            logits_of(model(**inputs)).cpu()  # waits until the device has computed them
        return clock() - began

    began = clock()
    with _as_served(model):
        times = _times_alone(by_length, batch_of, seconds_of, seconds / 2)
        rates = {1: len(times) / sum(times)}
        for size in SIZES:
            windows = _windows(by_length, size)
            if not windows or (largest is not None and size > largest):
                break
            # Kernels of a GPU are loaded when they are first used, for each shape of a batch.
            untimed = windows if model.device.type == "cuda" else windows[-1:]
            planned = size * (len(untimed) + len(windows)) / max(rates.values())
            if clock() - began + planned > seconds:
                break
            rate = _rate(untimed, windows, batch_of, seconds_of)
            if rate is None:
                break
            rates[size] = rate
    median, p95 = np.percentile(1000 * np.asarray(times), [50, 95]).tolist()
    return Serving(
        latency_ms=median,
        latency_p95_ms=p95,
        sentences=len(times),
        sentences_per_second=rates,
        threads=torch.get_num_threads(),
    )


def _times_alone(
    by_length: np.ndarray,
    batch_of: Callable[[Sequence[int]], Batch],
    seconds_of: Callable[[Batch], float],
    seconds: float,
) -> list[float]:
    """Return the seconds of each timed sentence, after one untimed sentence of each length.

    Args:
        by_length: positions of all sentences, in the order of their lengths.
    """
    middle = batch_of([int(by_length[len(by_length) // 2])])
    pace = min(seconds_of(middle) for _ in range(3))
    affordable = int(seconds / pace) if pace > 0 else MOST
    number = min(len(by_length), max(FEWEST, min(MOST, affordable)))
    # In the split's own order, so that a slow moment of the machine concerns sentences of any
    # length.
    batches = [batch_of([position]) for position in sorted(evenly_spread(by_length, number))]
    for batch in {_shape(batch): batch for batch in batches}.values():
        seconds_of(batch)
    return [seconds_of(batch) for batch in batches]


def evenly_spread(by_length: np.ndarray, number: int) -> list[int]:
    """Return the middle element of each of `number` equal parts of an array, at most its size."""
    return [int(by_length[int((part + 0.5) * len(by_length) / number)]) for part in range(number)]


def _windows(by_length: np.ndarray, size: int) -> list[list[int]]:
    """Return batches of neighbours in length, evenly spread; none if the split is too small."""
    sentences = len(by_length)
    number = min(sentences // size, max(FEWEST_BATCHES, FEWEST_IN_BATCHES // size))
    middles = ((part + 0.5) * sentences / number for part in range(number))
    starts = [min(max(0, round(middle - size / 2)), sentences - size) for middle in middles]
    return [by_length[start : start + size].tolist() for start in starts]


def _rate(
    untimed: Sequence[Sequence[int]],
    timed: Sequence[Sequence[int]],
    batch_of: Callable[[Sequence[int]], Batch],
    seconds_of: Callable[[Batch], float],
) -> float | None:
    """Return the sentences per second of batches of one size; None if memory is not enough."""
    try:
        for positions in untimed:
            seconds_of(batch_of(positions))
        total = sum(seconds_of(batch_of(positions)) for positions in timed)
    except Exception as error:
        if not out_of_memory.is_out_of_memory(error):
            raise
    else:
        return sum(map(len, timed)) / total
    # Not in the except block: there the traceback still holds the memory.
    torch.cuda.empty_cache()
    return None


def _shape(batch: Batch) -> tuple[int, ...]:
    return tuple(batch["input_ids"].shape)


@contextlib.contextmanager
def _as_served(model: PreTrainedModel) -> Iterator[None]:
    """Give a model its class's own forward, in evaluation mode.

    In half precision, Trainer leaves a forward with automatic casts on the model.
    """
    changed: Any = model
    cast, trains = vars(model).pop("forward", None), model.training
    changed.eval()
    try:
        yield
    finally:
        changed.train(trains)
        if cast is not None:
            changed.forward = cast
