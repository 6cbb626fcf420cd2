"""Adds the benchmark's options, declared once for pytest and `harness`, to subcommands."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from harness.errors import BadInput, problems_of
from harness.paths import passes
from harness.session.options import (
    DEFAULT_SUITES,
    OPTIONS,
    Chosen,
    Options,
    Planned,
    read_options,
    read_suites,
)
from harness.suite.dataset import DELIMITER_IN_WORDS, separates
from harness.suite.gates import AGAINST_BASELINE

EVERY = tuple(option.name for option in OPTIONS)
"""All options of a session."""

Function = TypeVar("Function", bound=Callable[..., Any])

STDIN = "-"
"""The file name for standard input."""

MATRIX = (
    *("checkpoints", "batch_sizes", "learning_rates", "seeds", "epochs", "min_mcc"),
    *AGAINST_BASELINE,
    "race",
)
"""Options that change the cells of a suite, their gates and looks."""


def options(names: Iterable[str], **helps: str) -> Callable[[Function], Function]:
    """Return a decorator that adds the benchmark options with these names to a subcommand.

    Args:
        helps: help texts by name, of options that mean another thing here than for a session.
    """
    wanted = set(names)

    def decorate(function: Function) -> Function:
        for option in reversed([option for option in OPTIONS if option.name in wanted]):
            add = click.option(
                option.flag,
                # Not False: click then takes an option without a value for one that is left out.
                is_flag=True if option.metavar is None else None,
                metavar=option.metavar,
                multiple=option.repeatable,
                help=helps.get(option.name, option.help),
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
"""Of commands that train nothing. Not in OPTIONS: for pytest it is pytest's own option."""


delimiter = click.option(
    "--delimiter",
    metavar="CHARACTER",
    help=r"between a table's columns, like dataset.delimiter in a suite; \t is a tab",
)

quoting = click.option(
    "--quoting",
    type=click.Choice(["csv", "none"]),
    help="a table's quotation marks, like dataset.quoting in a suite",
)


def delimiter_of(typed: str | None) -> str | None:
    r"""Return the delimiter; \t is accepted for a tab, which is hard to type in a shell.

    Raises:
        BadInput: it is no delimiter.
    """
    delimiter = "\t" if typed == r"\t" else typed
    if delimiter is not None and not separates(delimiter):
        raise BadInput([f"--delimiter: {delimiter!r}: must be {DELIMITER_IN_WORDS}"])
    return delimiter


def quoting_of(typed: str | None) -> Literal["csv", "none"] | None:
    """Return how quotation marks are read, from the value of the option `quoting`."""
    if typed is None:
        return None
    return "none" if typed == "none" else "csv"


def chosen(values: Mapping[str, Any]) -> Chosen:
    """Return the given option values with the current folder and the project's folder.

    The project's is the nearest folder, from here upwards, with the default suites; else this one.
    """
    here = Path.cwd()
    above = (here, *here.parents)
    project = next(
        (folder for folder in above if passes(Path.is_file, folder / DEFAULT_SUITES[0])), here
    )
    return Chosen(values, here, project)


def only_suite(typed: Chosen, *reads: Callable[[], object]) -> tuple[Planned, Options]:
    """Return the suite that `--suite` names, and the options of its session.

    Args:
        reads: read further inputs of the command, whose mistakes are told with the others.

    Raises:
        UsageError: it names several.
        BadInput: every mistake of the suite, the options and the further inputs.
    """
    if len(typed.values["suite"]) > 1:
        raise click.UsageError("--suite: a results folder belongs to one suite; name one")
    planned, _, of_suite = read_suites(typed)
    options, of_options = read_options(typed)
    if problems := [*of_suite, *of_options, *problems_of(*reads)]:
        raise BadInput(list(dict.fromkeys(problems)))
    return planned[0], options
