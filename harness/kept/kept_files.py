"""The folder of a kept model: its existence, model card and class names, and its removal."""

import contextlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness import stats
from harness.judging.evidence import evidence
from harness.judging.populations import source_interval
from harness.store.records import Record
from harness.store.run_store import write_atomically, write_record

FOLDER = "model"
"""Name of a kept model's folder in a run's folder."""

CARD = "README.md"
CONFIG = "config.json"


def is_kept(run_folder: Path) -> bool:
    """Return whether a run's model exists, with a readable configuration."""
    return _configuration(run_folder) is not None


def class_names(run_folder: Path) -> tuple[str, ...] | None:
    """Return the names of a kept model's classes by label; None if it has none."""
    return _names(_configuration(run_folder) or {})


def write_card(folder: Path, record: Record, names: tuple[str, ...]) -> None:
    """Write the model card of a scored run into its model's folder.

    Raises:
        OSError: it cannot be written; an earlier card is then unchanged.
    """
    from harness.kept.model_card import model_card  # imports everything for reports

    # The card is about this model, so its interval is known even if the run was stopped.
    found = evidence([record.model_copy(update={"stopped": None})])
    interval = stats.mean_interval(found.labels, found.selected, classes=found.classes)
    bounds = (interval.low, interval.high)
    card = model_card(record, names, bounds, source_interval(found))
    write_atomically(folder / CARD, card.encode())


def rename(run_folder: Path, record: Record, names: tuple[str, ...]) -> None:
    """Update the names in a kept model's card and configuration.

    Each file is replaced atomically, so that the model can be loaded at any time. The configuration
    is written last: until it has the new names, another session detects that it must rename.

    Args:
        record: the run's record with its current names.

    Raises:
        OSError: a file cannot be written.
    """
    folder = run_folder / FOLDER
    for partial in folder.glob(".*.partial"):  # left by a session that was killed while writing
        partial.unlink(missing_ok=True)
    write_card(folder, record, names)
    if is_kept(run_folder) and class_names(run_folder) != names:
        write_class_names(folder, names)


def write_class_names(folder: Path, names: Sequence[str]) -> None:
    """Write the names of a model's classes into its configuration, also default names.

    transformers omits the default names, LABEL_0 and LABEL_1, and with them the number of classes;
    some families (BART) then have a different default number.
    """
    configuration = json.loads((folder / CONFIG).read_bytes())
    labels = {
        "id2label": {str(label): name for label, name in enumerate(names)},
        "label2id": {name: label for label, name in enumerate(names)},
    }
    renamed = _renamed(configuration, _names(configuration), labels)
    content = {**renamed, **labels, "num_labels": len(names)}
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"  # the format of transformers
    write_atomically(folder / CONFIG, text.encode())


def discard(run_folder: Path) -> None:
    """Remove a run's model, after marking it as removed in the record."""
    if not (run_folder / FOLDER).exists():
        return
    with contextlib.suppress(OSError, ValidationError):
        record = Record.model_validate_json((run_folder / "record.json").read_bytes())
        if record.model_kept:
            write_record(run_folder, record.model_copy(update={"model_kept": False}), None)
    remove(run_folder)


def remove(run_folder: Path) -> None:
    """Remove a run's model, whose record another one replaces."""
    shutil.rmtree(run_folder / FOLDER, ignore_errors=True)


def _configuration(run_folder: Path) -> dict[str, Any] | None:
    try:
        configuration = json.loads((run_folder / FOLDER / CONFIG).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return configuration if isinstance(configuration, dict) else None


def _names(configuration: dict[str, Any]) -> tuple[str, ...] | None:
    names = configuration.get("id2label")
    if not isinstance(names, dict):
        return None
    if all(label.isdecimal() for label in names):  # a file has 10 before 2
        return tuple(names[label] for label in sorted(names, key=int))
    return tuple(names.values())


def _renamed(
    part: dict[str, Any], old: tuple[str, ...] | None, labels: dict[str, Any]
) -> dict[str, Any]:
    """Return a configuration with new labels in all its parts that have the old class names."""
    changed = {
        key: _renamed(value, old, labels) if isinstance(value, dict) else value
        for key, value in part.items()
    }
    return changed | labels if old is not None and _names(part) == old else changed
