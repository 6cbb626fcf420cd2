"""What went wrong in a finished run: the symptoms in plain words, likely cause and remedy."""

import math
from collections.abc import Iterator, Sequence
from typing import Literal

from harness.models.encode import Encoded
from harness.store.records import Epoch, Padding
from harness.text import counted

FALLEN = 0.99
"""A training loss that stays above this share of the first epoch's loss has not fallen."""

RISEN = 1.5
"""A training loss that ends above this multiple of its lowest value has exploded, if it also rose
by more than `RELEVANT`: a loss of 0.002 after 0.001 means that the model has memorised its data."""

RELEVANT = 0.1
"""A rise by less than this share of the first epoch's loss is ignored."""

FEW_STEPS = 100
"""A run with fewer optimiser steps that learned nothing likely had too few. Measured with
all-MiniLM-L6 on the embedded corpus at batch size 16: after 16 and after 32 steps, MCC was below
0.1 at every rate from 2e-5 to 1e-4; after 150 steps it was 0.3 (`results/quickstart`, epoch 1)."""

TOO_HIGH = "the learning rate is too high for this batch size: lower it, or set warmup_ratio"

UNSUITABLE = "a learning rate that is too low or too high, or too few optimiser steps"

DOES_NOT_READ = (
    "every validation sentence got the same logits, before training too: the model does not read "
    "its input; likely causes: an attention that computes nothing on this device (MRA without "
    "CUDA), an encoder with constant output, or weights that do not match this configuration; more "
    "steps or another learning rate do not help: choose another checkpoint or device"
)


def warnings(
    epochs: Sequence[Epoch],
    one_class: bool,
    steps: int,
    alike: Literal["always", "now"] | None = None,
    least: float = 0.0,
) -> Iterator[str]:
    """Yield a line for each symptom of a scored run.

    Args:
        epochs: all of them, in order.
        one_class: whether the scored model gave every validation sentence the same class.
        steps: number of optimiser steps.
        alike: whether the scored model gave all validation sentences the same logits: "always" if
            it also did before training, "now" if it did not.
        least: the lowest loss that a model can have; see least_loss.
    """
    unknown = [epoch.epoch for epoch in epochs if epoch.train_loss is None]
    losses = [epoch.train_loss for epoch in epochs if epoch.train_loss is not None]
    above = [loss - least for loss in losses]
    never_fell = len(above) > 1 and min(above[1:]) > FALLEN * above[0]
    exploded = len(above) > 1 and above[-1] > max(
        RISEN * min(above), min(above) + RELEVANT * above[0]
    )
    too_few = (
        f"too few optimiser steps ({steps}): train for more epochs, or in smaller batches; or a "
        "learning rate that is too low or too high"
    )
    few = steps < FEW_STEPS
    learned = max((epoch.scores.mcc for epoch in epochs), default=0.0) > 0.1
    if alike == "always":
        yield DOES_NOT_READ
    elif alike == "now":
        yield (
            "every validation sentence got the same logits, but not before training: the model "
            f"no longer reads its input; likely {TOO_HIGH}"
        )
    elif one_class:
        cause = too_few if few else UNSUITABLE
        if exploded or unknown or (never_fell and not few):
            cause = TOO_HIGH
        yield (
            "every validation sentence got the same class, so MCC is exactly 0: the model learned "
            f"nothing usable; likely {cause}"
        )
    elif learned and epochs[-1].scores.mcc == 0.0:
        yield f"the model collapsed to MCC 0 by its last epoch; likely {TOO_HIGH}"
    if unknown:
        numbers = ", ".join(map(str, unknown))
        yield f"the training loss was not finite in epoch {numbers}; likely {TOO_HIGH}"
    if exploded:
        yield (
            f"the training loss rose from {min(losses):.3f} to {losses[-1]:.3f}; likely {TOO_HIGH}"
        )
    elif never_fell and alike != "always":
        of_what = " of what smoothed labels allow" if least else ""
        little = f"fell by less than {100 * (1 - FALLEN):.0f} %{of_what}"
        yield (
            f"the training loss {little if min(losses[1:]) < losses[0] else 'never fell'} (first "
            f"epoch {losses[0]:.3f}, lowest after it {min(losses[1:]):.3f}); likely "
            f"{too_few if few else f'{TOO_HIGH}, or it is too low to learn'}"
        )


def cut_short(encoded: Encoded) -> Iterator[str]:
    """Yield a line if sentences of any split lost tokens, those of a test split too."""
    if encoded.cut:
        number = sum(map(len, encoded.cut.values()))
        where = [
            f"{len(encoded.cut[name]):,} of {len(split):,} in {name}"
            for name, split in encoded.splits.items()
            if name in encoded.cut
        ]
        yield (
            f"{counted(number, 'sentence')} {'was' if number == 1 else 'were'} cut at the maximum "
            f"length, {counted(encoded.limit or 0, 'token')}: {', '.join(where)}"
        )


def least_loss(smoothing: float, classes: int) -> float:
    """Return the lowest cross entropy of smoothed labels: their entropy, in nats.

    A label has the share 1 - smoothing + smoothing / classes, every other class smoothing / classes
    (Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2016, section 7).
    """
    other = smoothing / classes
    shares = [1 - smoothing + other, *[other] * (classes - 1)]
    return -sum(share * math.log(share) for share in shares if share > 0)


def trained_head(initialised: Sequence[str]) -> Iterator[str]:
    """Yield a line if the checkpoint's files held every parameter, also those of the head."""
    if not initialised:
        yield (
            "its classification head is trained already (every parameter is in the checkpoint's "
            "files): it may have seen these validation sentences, so its score may be optimistic"
        )


def padded(padding: Padding) -> Iterator[str]:
    """Yield a line if padding changes a model's logits, or would have changed them."""
    found = padding.deviations.get(padding.tokenizer_side)
    extent = "" if found is None else f" by up to {found:.2g} standard deviations"
    if padding.side != padding.tokenizer_side:
        yield (
            f"the tokenizer pads on the {padding.tokenizer_side}, where padding changes this "
            f"model's logits{extent}: the run padded on the {padding.side}, where it does not"
        )
    if padding.alone:
        yield (
            f"padding on either side changes this model's logits{extent}: each sentence was "
            "evaluated alone, and must be used alone (`harness predict` does this); training pads "
            "its batches, so the trained model depends on which sentences share a batch"
        )


def halved(batch_size: int, accumulation: int) -> Iterator[str]:
    """Yield a line if a run's batches had to be computed in several parts."""
    if accumulation > 1:
        yield (
            f"memory ran out: each batch of {batch_size} was computed in {accumulation} parts, so "
            "its dropout and its time differ from those on a machine with more memory"
        )
