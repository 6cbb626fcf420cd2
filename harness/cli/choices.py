"""Adds the benchmark's options, declared once for pytest and `harness`, to subcommands."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.session.options import DEFAULT_SUITES, OPTIONS, Chosen, Planned, planned_suites

EVERY = tuple(option.name for option in OPTIONS)
"""All options of a session."""

Function = TypeVar("Function", bound=Callable[..., Any])

STDIN = "-"
"""The file name for standard input."""

MATRIX = (
    *("checkpoints", "batch_sizes", "learning_rates", "seeds", "epochs", "min_mcc", "max_drop"),
    "race",
)
"""Options that change the cells of a suite, their gates and looks."""


def options(names: Iterable[str]) -> Callable[[Function], Function]:
    """Return a decorator that adds the benchmark options with these names to a subcommand."""
    wanted = set(names)

    def decorate(function: Function) -> Function:
        for option in reversed([option for option in OPTIONS if option.name in wanted]):
            add = click.option(
                option.flag,
                is_flag=option.metavar is None,
                metavar=option.metavar,
                multiple=option.repeatable,
                help=option.help,
            )
            function = add(function)
        return function

    return decorate


strict = click.option(
    "--strict",
    is_flag=True,
    help="also report what fails a session with pytest's --strict: a cell that no gate judges or "
    "that cannot run",
)
"""Declared here and not in OPTIONS: for pytest it is pytest's own option."""


def chosen(values: Mapping[str, Any]) -> Chosen:
    """Return the given option values with the current folder and the project's folder.

    The project's is the nearest folder, from here upwards, with the default suites; else this one.
    """
    here = Path.cwd()
    above = (here, *here.parents)
    project = next((folder for folder in above if (folder / DEFAULT_SUITES[0]).is_file()), here)
    return Chosen(values, here, project)


def only_suite(typed: Chosen) -> Planned:
    """Return the suite that `--suite` names.

    Raises:
        UsageError: it names several.
        BadInput: every mistake of the suite and of the options.
    """
    if len(typed.values["suite"]) > 1:
        raise click.UsageError("--suite: a results folder belongs to one suite; name one")
    (planned,) = planned_suites(typed)
    return planned
