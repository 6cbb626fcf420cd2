"""The options of a command line, and the folders and files that they name."""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.paths import passes
from harness.session.options.declared import DEFAULT_RESULTS, OPTIONS, OVERRIDES


@dataclass(frozen=True)
class Chosen:
    """The options of a command line.

    `values` has each option's value by its name, None (False for a switch) if it was not given.
    Paths are relative to `here`, the working folder; the default suites and results are in
    `project`.
    """

    values: Mapping[str, Any]
    here: Path
    project: Path


def left_behind(chosen: Chosen, suites: Sequence[str]) -> list[str]:
    """Return a line for each suite with runs in results/, where earlier versions stored them."""
    if chosen.values.get("results_dir") is not None:
        return []
    now = chosen.project / DEFAULT_RESULTS
    before = {suite: now.parent / suite / "runs" for suite in suites}
    return [
        f"{suite}: earlier runs lie in {old} and are not read; move them to {now / suite}/, or "
        f"name --results-dir {shlex.quote(str(now.parent))}"
        for suite, old in before.items()
        if passes(lambda folder: any(folder.glob("*/*/record.json")), old)
    ]


def empty_values(chosen: Chosen) -> list[str]:
    """Return a line for each option that names nothing, as a variable of CI that is not set does.

    Options that override a key of the suite are left out: the suite's validation refuses them.
    """
    lines = []
    for option in OPTIONS:
        if option.metavar is None or option.flag in OVERRIDES:
            continue
        value = chosen.values.get(option.name)
        given = (value,) if isinstance(value, str) else value or ()
        if not all(given):
            lines.append(empty_value(option.flag, option.metavar))
    return lines


def empty_value(flag: str, metavar: str) -> str:
    """Return the message on an option whose value is empty."""
    return (
        f"{flag}: '': an empty value, such as that of a variable that is not set; give {metavar}, "
        "or leave the option out"
    )


def results_folder(chosen: Chosen) -> Path:
    """Return the folder that holds the results folder of each suite."""
    named = chosen.values.get("results_dir")
    return chosen.here / home(named) if named else chosen.project / DEFAULT_RESULTS


def cola_folder(chosen: Chosen) -> Path | None:
    """Return the folder of CoLA given by an option or the environment, or None."""
    named = chosen.values.get("cola_dir") or os.environ.get("COLA_DIR")
    return chosen.here / home(named) if named else None


def baseline_file(chosen: Chosen) -> Path | None:
    """Return the file of the session's baseline, or None."""
    named = chosen.values.get("baseline")
    return chosen.here / home(named) if named else None


def home(path: str) -> str:
    """Return a path with the home folder for ~, unchanged if it is ~NAME of no user."""
    return os.path.expanduser(path)  # noqa: PTH111 (Path's raises for a user that does not exist)
