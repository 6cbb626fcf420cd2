"""The benchmark's own options on a subcommand, declared where pytest's are."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.session.options import DEFAULT_SUITES, OPTIONS, Chosen

EVERY = tuple(option.name for option in OPTIONS)
"""All options of a session."""

Function = TypeVar("Function", bound=Callable[..., Any])

STDIN = "-"
"""Stands for standard input where a file is named."""

MATRIX = ("checkpoints", "batch_sizes", "learning_rates", "seeds", "epochs", "min_mcc", "max_drop")
"""Options that change which cells a suite has and what is demanded of them."""


def options(names: Iterable[str]) -> Callable[[Function], Function]:
    """Give a subcommand those of the benchmark's options that have these names."""
    wanted = set(names)

    def decorate(function: Function) -> Function:
        for option in reversed([option for option in OPTIONS if option.name in wanted]):
            if option.metavar is None:
                add = click.option(option.flag, is_flag=True, help=option.help)
            else:
                add = click.option(
                    option.flag,
                    metavar=option.metavar,
                    multiple=option.repeatable,
                    help=option.help,
                )
            function = add(function)
        return function

    return decorate


def chosen(values: Mapping[str, Any]) -> Chosen:
    """Return what was typed here."""
    here = Path.cwd()
    return Chosen(values, here, _project(here))


def _project(here: Path) -> Path:
    """Return the nearest folder, from here upwards, that has the default suites; else this one."""
    above = (here, *here.parents)
    return next((folder for folder in above if (folder / DEFAULT_SUITES[0]).is_file()), here)
