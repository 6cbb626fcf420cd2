"""Verifies on a few sentences that a model gives its recorded logits."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer

from harness.models.encode import accepted, collator, token_counts
from harness.text import counted

SHORT, LONG = 2, 2
"""Number of shortest and of longest sentences taken from a batch."""

TOLERANCE = {"fp32": 1e-3, "fp16": 2e-2, "bf16": 1e-1}
"""Largest allowed difference between a logit and the recorded one, by precision of the evaluation,
as a share of the largest logit (of 1, if all are smaller).

The logits are recomputed in a batch of another shape, and without the speed-ups, so sums are
rounded in another order. The tolerances of bf16 and fp16 are 16 to 30 units in the last place
(2^-8 in bf16, 2^-11 in fp16), for an error that grows over the layers. The tolerance of fp32
(2^-24) is a hundred times the rounding error of twelve layers, 1e-5, and still far below the change
by one epoch of training.
"""

ALIKE = 1e-5
"""Logits that differ by less than this share of the largest one are equal up to rounding."""

_HALF = {"fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Sample:
    """A few sentences of a split, with their recorded logits.

    Attributes:
        batches: for each of a few evaluated batches, the positions in the split of some of its
            sentences. They include the batch's longest sentence, so that padding is the same.
        logits: (sentences, 2) for each batch, as recorded.
        precision: of the evaluation.
        shortest: minimum number of tokens of a batch; see harness.models.encode.collator.
    """

    batches: tuple[tuple[int, ...], ...]
    logits: tuple[np.ndarray, ...]
    precision: str
    shortest: int = 1

    @property
    def positions(self) -> tuple[int, ...]:
        """All positions, batch after batch."""
        return tuple(position for batch in self.batches for position in batch)


def choose(trainer: Trainer, rows: Dataset, order: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Choose sentences of two batches: the one with the shortest and the one with the longest.

    Args:
        rows: an encoded split, in its own order.
        order: (sentences,) positions of its rows in the order in which Trainer receives them.

    Returns:
        For each of the two batches, positions in the split, as in `Sample.batches`.
    """
    counts = token_counts(rows)
    sampler: Any = trainer.get_eval_dataloader(rows.select(order)).batch_sampler
    batches = [order[np.asarray(batch, dtype=np.intp)] for batch in sampler]
    # The short batch first: some families (BigBird) change their attention after a short batch.
    chosen = (
        min(batches, key=lambda batch: counts[batch].min()),
        max(batches, key=lambda batch: counts[batch].max()),
    )
    return tuple(_ends(batch[np.argsort(counts[batch], kind="stable")]) for batch in chosen)


def _ends(by_length: np.ndarray) -> tuple[int, ...]:
    ends = [*by_length[:SHORT], *by_length[-LONG:]]
    return tuple(dict.fromkeys(int(position) for position in ends))


def logits_of(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    sentences: list[Any],
    precision: str,
    shortest: int = 1,
) -> np.ndarray:
    """Return (sentences, 2) a model's logits for encoded sentences, as one batch."""
    batch = collator(tokenizer, shortest)(sentences)
    inputs = {
        name: torch.as_tensor(batch[name]).to(model.device) for name in accepted(model, batch)
    }
    half = _HALF.get(precision)
    arithmetic = (
        contextlib.nullcontext() if half is None else torch.autocast(model.device.type, dtype=half)
    )
    with torch.no_grad(), arithmetic:
        logits: np.ndarray = model.eval()(**inputs).logits.float().cpu().numpy()
    return logits


def prove(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Dataset | Mapping[int, Any],
    recorded: Sample,
    what: str,
) -> None:
    """Compare a model's logits with the recorded ones.

    Args:
        rows: at least the encoded sentences at the sample's positions.
        what: the model's description in error messages.

    Raises:
        RuntimeError: they differ by more than rounding.
    """
    for batch, logits in zip(recorded.batches, recorded.logits, strict=True):
        given = (model, tokenizer, [rows[position] for position in batch])
        found = logits_of(*given, recorded.precision, recorded.shortest)
        if found.shape != logits.shape:
            raise RuntimeError(
                f"{what} gives {counted(found.shape[1], 'logit')} per sentence, "
                f"{logits.shape[1]} were recorded"
            )
        scale = max(1.0, float(np.abs(logits).max()))
        allowed = TOLERANCE[recorded.precision] * scale
        # Not `>`: a NaN must fail verification.
        difference = np.abs(found - logits).max(axis=1)
        if not (difference <= allowed).all():
            worst = int(np.nan_to_num(difference, nan=np.inf).argmax())
            again = logits_of(*given, recorded.precision, recorded.shortest)
            random = not np.allclose(found, again, rtol=0, atol=allowed, equal_nan=True)
            raise RuntimeError(
                f"{what} failed verification: for validation sentence {batch[worst]} it gives the "
                f"logits {_shown(found[worst])}, recorded are {_shown(logits[worst])} (difference "
                f"{difference[worst]:.3g}, allowed {allowed:.3g}); "
                + (
                    "it gives other logits each time for the same batch, so no result can be kept"
                    if random
                    else "it is not the model that was scored"
                )
            )


def alike(logits: np.ndarray, rows: Dataset) -> bool:
    """Return whether different sentences have the same logits (sentences, 2), up to rounding."""
    if len({tuple(sentence) for sentence in rows["input_ids"]}) < 2:
        return False
    spread = float(np.ptp(logits, axis=0).max())
    return spread <= ALIKE * max(1.0, float(np.abs(logits).max()))


def _shown(logits: np.ndarray) -> str:
    return " and ".join(f"{value:.4g}" for value in logits)
