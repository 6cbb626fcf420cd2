"""`harness run`: trains suites and checks their gates, in any folder; pytest, without its set-up.

The module is also given to pytest as a plugin, by which harness/plugin/collection.py knows these
sessions.
"""

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from harness.cli.choices import EVERY, chosen, options
from harness.session.options import OPTIONS

if TYPE_CHECKING:
    import pytest

STRICT = "--strict"
"""Not in OPTIONS: for pytest it is pytest's own option."""


@click.command(
    short_help="train suites and check their gates",
    context_settings={"ignore_unknown_options": True},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[SUITE]...")
@options(EVERY)
@click.option(
    STRICT,
    is_flag=True,
    help="the session also fails if no gate judges a cell, or if a cell cannot run",
)
def run(arguments: tuple[str, ...], strict: bool, **values: Any) -> int:
    """Train suites, check their gates, and write their tables.

    SUITE is a file, or the name of a suite that ships with the harness: quickstart, cola or
    cola-full. Output and exit codes are those of `pytest benchmarks/`, and nothing else of pytest
    has to be known: conftest.py, pytest's settings and other plugins in this folder have no effect.
    pytest's own options work, too: -k bs16, -x, -q, --collect-only, --junitxml FILE.

    Exit code 0 means that every judged gate is met; 1 that one is missed, or no cell has a score;
    2 an interrupt; 4 a mistake in the command or the input; 5 that no cell was selected.

    \b
    Examples:
      harness run quickstart
      harness run mine.toml --seeds 1,2,3 --strict
      harness run cola --cola-dir ~/cola_public --checkpoints ./my-model --min-mcc 0.45
    """
    import pytest  # no other subcommand needs it

    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)
    own = ("--disable-plugin-autoload", "--noconftest", "-p", "no:cacheprovider")
    loaded = ("-p", "pytest_benchmark.plugin", "-p", "harness.pytest_plugin")
    where = ("-c", os.devnull, f"--rootdir={chosen(values).project}")
    given = [*_typed(values), *([STRICT] if strict else [])]
    return int(
        pytest.main([*where, *own, *loaded, *given, *arguments], plugins=[sys.modules[__name__]])
    )


def pytest_load_initial_conftests(parser: "pytest.Parser", args: list[str]) -> None:
    """Refuse options that neither the harness nor pytest has, with those of similar names.

    pytest's own message would show the usage of another command.

    Raises:
        UsageError: a line for each.
    """
    import pytest

    _, words = parser.parse_known_and_unknown_args(args)
    known = [*(option.flag for option in OPTIONS), STRICT]
    flags = dict.fromkeys(word.partition("=")[0] for word in words if word.startswith("-"))
    if flags:
        unknown = (click.NoSuchOption(flag, possibilities=known) for flag in flags)
        raise pytest.UsageError("\n".join(error.format_message() for error in unknown))


def _typed(values: dict[str, Any]) -> Iterator[str]:
    """Yield the options that were given, as arguments."""
    for option in OPTIONS:
        value = values[option.name]
        if option.metavar is None:
            yield from [option.flag] if value else []
        else:
            several = value if option.repeatable else [value]
            yield from (f"{option.flag}={each}" for each in several if each is not None)
