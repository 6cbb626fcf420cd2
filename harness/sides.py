"""The two sides of a comparison: which cell stands on each, and which settings differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.records import Record
from harness.text import counted, scientific


@dataclass(frozen=True)
class Side:
    """The cell that stands on one side of a comparison.

    `chosen_of` is the number of cells of which this one was chosen for its MCC; 1 where it was
    named without a look at scores.
    """

    cell: str
    checkpoint: str
    batch_size: int
    learning_rate: float
    epochs: int
    seeds: tuple[int, ...]
    chosen_of: int


@dataclass(frozen=True)
class Unlike:
    """A setting that is not the same on both sides, with its value on each as text."""

    setting: str
    a: str
    b: str


def side(runs: Sequence[Record], chosen_of: int) -> Side:
    """Return what stands on one side.

    Args:
        runs: of one cell, at least one.
        chosen_of: of how many cells it was chosen for its MCC.
    """
    first = runs[0]
    return Side(
        cell=first.cell,
        checkpoint=first.checkpoint,
        batch_size=first.batch_size,
        learning_rate=first.learning_rate,
        epochs=first.training.epochs,
        seeds=tuple(run.seed for run in runs),
        chosen_of=chosen_of,
    )


def unlike_settings(a: Sequence[Record], b: Sequence[Record]) -> tuple[Unlike, ...]:
    """Return the settings of training in which the runs of two cells differ.

    The checkpoint is none of them: it is what is compared.

    Args:
        a: runs of one cell, at least one; so is b.
    """
    ours, theirs = (_settings(runs) for runs in (a, b))
    return tuple(
        Unlike(setting, value, theirs[setting])
        for setting, value in ours.items()
        if value != theirs[setting]
    )


def _settings(runs: Sequence[Record]) -> dict[str, str]:
    """Return every setting by its name, as text; of runs that differ in one, all its values."""
    return {
        name: " and ".join(dict.fromkeys(values))
        for name, values in {
            "batch size": [str(run.batch_size) for run in runs],
            "learning rate": [scientific(run.learning_rate) for run in runs],
            **{
                field.replace("_", " "): [_said(getattr(run.training, field)) for run in runs]
                for field in type(runs[0].training).model_fields
            },
        }.items()
    }


def in_words(name: str, one: Side) -> str:
    """Say which cell stands under a name, and its settings, as a sentence without a full stop."""
    cell = name if name == one.cell else f"{name} is cell {one.cell}"
    return (
        f"{cell}: batch size {one.batch_size}, learning rate {scientific(one.learning_rate)}, "
        f"{counted(one.epochs, 'epoch')}, {counted(len(one.seeds), 'seed')}"
    )


def differing(unlike: Sequence[Unlike]) -> str:
    """Return settings with both values: batch size (32 against 16), epochs (2 against 3)."""
    return ", ".join(f"{each.setting} ({each.a} against {each.b})" for each in unlike)


def choice(sides: Mapping[str, Side]) -> str | None:
    """Say which cells were chosen for their MCC, and what that does to it; None if none was.

    Args:
        sides: by the names that a comparison calls them by.
    """
    chosen = [
        f"{name}'s is the best of {one.chosen_of}"
        for name, one in sides.items()
        if one.chosen_of > 1
    ]
    if not chosen:
        return None
    its = "their MCCs are" if len(chosen) > 1 else "its MCC is"
    return (
        f"chosen after a look at the scores: {' and '.join(chosen)} cells of that checkpoint; "
        f"{its} optimistic, and neither interval nor p-value is corrected for the choice"
    )


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
