"""What went wrong with a run that ended: its symptoms in plain words, likely cause and remedy."""

from collections.abc import Iterator, Sequence
from typing import Literal

from harness.records import Epoch, Padding
from harness.text import counted

FALLEN = 0.99
"""A training loss that stays above this share of the first epoch's has not fallen."""

RISEN = 1.5
"""A training loss that ends above this multiple of its lowest has exploded, if it rose by more
than `FELT` too: one of 0.002 after 0.001 is that of a model that knows its data by heart."""

FELT = 0.1
"""A rise by less than this share of the first epoch's loss matters to nobody."""

TOO_HIGH = "the learning rate is too high for this batch size: lower it, or set warmup_ratio"

DOES_NOT_READ = (
    "every validation sentence got the same logits, before training too: the model does not read "
    "its input; likely an attention that computes nothing on this device (MRA without CUDA), an "
    "encoder whose output is constant, or weights that do not belong to this configuration; more "
    "steps or another learning rate do not help: choose another checkpoint or device"
)


def warnings(
    epochs: Sequence[Epoch],
    one_class: bool,
    truncated: int,
    alike: Literal["always", "now"] | None = None,
) -> Iterator[str]:
    """Yield a line for each symptom of a run that scored.

    Args:
        epochs: all of them, in order.
        one_class: whether the scored model gave every validation sentence the same class.
        truncated: sentences that lost tokens.
        alike: whether the scored model gave all validation sentences the same logits, and whether
            it did before training too ("always") or not ("now").
    """
    unknown = [epoch.epoch for epoch in epochs if epoch.train_loss is None]
    losses = [epoch.train_loss for epoch in epochs if epoch.train_loss is not None]
    never_fell = len(losses) > 1 and min(losses[1:]) > FALLEN * losses[0]
    exploded = len(losses) > 1 and losses[-1] > max(
        RISEN * min(losses), min(losses) + FELT * losses[0]
    )
    learned = max((epoch.scores.mcc for epoch in epochs), default=0.0) > 0.1
    if alike == "always":
        yield DOES_NOT_READ
    elif alike == "now":
        yield (
            "every validation sentence got the same logits, though not before training: the model "
            f"no longer reads its input; likely {TOO_HIGH}"
        )
    elif one_class:
        cause = (
            TOO_HIGH
            if never_fell or exploded or unknown
            else "too few steps or too low a learning rate to learn from, or one too high"
        )
        yield (
            "every validation sentence got the same class, so MCC is exactly 0: the model learned "
            f"nothing usable; likely {cause}"
        )
    elif learned and epochs[-1].scores.mcc == 0.0:
        yield f"the model collapsed to MCC 0 by its last epoch; likely {TOO_HIGH}"
    if unknown:
        numbers = ", ".join(map(str, unknown))
        yield f"the training loss was no finite number in epoch {numbers}; likely {TOO_HIGH}"
    if exploded:
        yield (
            f"the training loss rose from {min(losses):.3f} to {losses[-1]:.3f}; likely {TOO_HIGH}"
        )
    elif never_fell and alike != "always":
        yield (
            f"the training loss never fell (first epoch {losses[0]:.3f}, lowest after it "
            f"{min(losses[1:]):.3f}); likely {TOO_HIGH}, or one too low to learn"
        )
    if truncated:
        were = "was" if truncated == 1 else "were"
        yield f"{counted(truncated, 'sentence')} {were} cut at the maximum length"


def padded(padding: Padding) -> Iterator[str]:
    """Yield a line where padding changes a model's answers, or would have changed them."""
    found = padding.deviations.get(padding.tokenizer_side)
    extent = "" if found is None else f" by up to {found:.2g} standard deviations of the logits"
    if padding.side != padding.tokenizer_side:
        yield (
            f"the tokenizer pads on the {padding.tokenizer_side}, where padding changes this "
            f"model's answers{extent}: padded on the {padding.side}, where it does not"
        )
    if padding.alone:
        yield (
            f"padding changes this model's answers{extent}, on whichever side: each sentence was "
            "evaluated alone, and has to be used alone (`harness predict` does); training pads its "
            "batches, so what was learned depends on which sentences met in them"
        )


def halved(batch_size: int, accumulation: int) -> Iterator[str]:
    """Yield a line where a run's batches had to be computed in more parts than one."""
    if accumulation > 1:
        yield (
            f"memory ran out: each batch of {batch_size} was computed in {accumulation} parts, so "
            "its dropout and its time are others than on a machine with more memory"
        )
