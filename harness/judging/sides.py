"""The two sides of a comparison: the cell of each side, and the settings that differ."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.machine.provenance import RESULT_PACKAGES
from harness.store.given import NOT_TRAINED
from harness.store.records import Record
from harness.text import counted, scientific


@dataclass(frozen=True)
class Side:
    """The cell on one side of a comparison.

    `chosen_of` is the number of cells from which this one was selected by its MCC; 1 if it was
    named, not selected by score. `epochs` is a maximum if the runs `may_stop` early. Of `given`
    predictions, which another program made, the settings are None, and both names are theirs.
    """

    cell: str
    checkpoint: str
    batch_size: int | None
    learning_rate: float | None
    epochs: int | None
    seeds: tuple[int, ...]
    chosen_of: int
    may_stop: bool = False
    given: bool = False

    @property
    def trained(self) -> str:
        """How many epochs the runs trained, as text."""
        if self.epochs is None:
            return NOT_TRAINED
        return f"{'at most ' if self.may_stop else ''}{counted(self.epochs, 'epoch')}"


def side(runs: Sequence[Record], chosen_of: int) -> Side:
    """Return the description of the side with these runs of one cell, at least one."""
    first = runs[0]
    return Side(
        cell=first.cell,
        checkpoint=first.checkpoint,
        batch_size=first.batch_size,
        learning_rate=first.learning_rate,
        epochs=first.training.epochs,
        seeds=tuple(run.seed for run in runs),
        chosen_of=chosen_of,
        may_stop=first.training.patience is not None
        or any(run.stopped is not None for run in runs),
    )


def given_side(name: str, seeds: tuple[int, ...]) -> Side:
    """Return the description of a side with predictions that another program made."""
    return Side(name, name, None, None, None, seeds, chosen_of=1, given=True)


def differing_settings(a: Sequence[Record], b: Sequence[Record]) -> dict[str, tuple[str, str]]:
    """Return both values of each setting, recipe or package version that differs between cells.

    The checkpoint is excluded, because the comparison is about it.
    """
    return _unequal(_settings(a), _settings(b))


def differing_software(
    a: Iterable[Mapping[str, str]], b: Iterable[Mapping[str, str]]
) -> dict[str, tuple[str, str]]:
    """Return both values of the recipe and of each package version that differ; see `software`."""
    return _unequal(_merged(a), _merged(b))


def software(recipe: int, versions: Mapping[str, str | None]) -> dict[str, str]:
    """Return the recipe, and the versions of the packages that affect results, by name."""
    packages = {package: versions.get(package) or "unknown" for package in RESULT_PACKAGES}
    return {"recipe": str(recipe), **packages}


def software_of(runs: Iterable[Record]) -> list[dict[str, str]]:
    """Return the software of each run."""
    return [software(run.recipe_version, run.versions) for run in runs]


def _unequal(a: Mapping[str, str], b: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    return {name: (value, b[name]) for name, value in a.items() if value != b[name]}


def _merged(each: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the values by name, all of them where they differ."""
    found: dict[str, list[str]] = {}
    for values in each:
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    return {name: " and ".join(dict.fromkeys(values)) for name, values in found.items()}


def _settings(runs: Sequence[Record]) -> dict[str, str]:
    """Return every setting as text, by name; all values if the runs differ in a setting."""
    return _merged(
        {
            "batch size": str(run.batch_size),
            "learning rate": scientific(run.learning_rate),
            **{
                field.replace("_", " "): _as_text(getattr(run.training, field))
                for field in type(run.training).model_fields
            },
            **software(run.recipe_version, run.versions),
        }
        for run in runs
    )


def in_words(name: str, one: Side) -> str:
    """Return the cell with this name and its settings, as a sentence without a full stop."""
    if one.batch_size is None or one.learning_rate is None:
        return f"{name}: {one.trained}, {counted(len(one.seeds), 'seed')}"
    cell = name if name == one.cell else f"{name} is cell {one.cell}"
    return (
        f"{cell}: batch size {one.batch_size}, learning rate {scientific(one.learning_rate)}, "
        f"{one.trained}, {counted(len(one.seeds), 'seed')}"
    )


def differing(differences: Mapping[str, tuple[str, str]]) -> str:
    """Return settings with both values: batch size (32 against 16), epochs (2 against 3)."""
    return ", ".join(f"{setting} ({a} against {b})" for setting, (a, b) in differences.items())


def selection_note(sides: Mapping[str, Side]) -> str | None:
    """Return which cells were selected by their MCC, and the resulting bias; None if none was.

    Args:
        sides: by their names in the comparison.
    """
    selected = [
        f"the cell of {name} is the best of {one.chosen_of}"
        for name, one in sides.items()
        if one.chosen_of > 1
    ]
    if not selected:
        return None
    its = "their MCCs are" if len(selected) > 1 else "its MCC is"
    return (
        f"selected by score: {' and '.join(selected)} cells of that checkpoint; "
        f"{its} optimistic, and neither interval nor p-value is corrected for the selection"
    )


def _as_text(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
