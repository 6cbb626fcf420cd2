"""The command `harness`, one file per subcommand.

Exit codes: 0 success; 1 the check failed; 2 wrong usage; 4 bad input, as for pytest's usage
errors; 130 interrupted and 141 closed pipe, as for programs that end by these signals. Those of
`harness run` are pytest's. docs/cli.md describes the exit codes of each subcommand.
"""

import atexit
import contextlib
import errno
import gc
import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

import click

from harness.errors import BadInput, Unavailable

COMMANDS = {
    "init": "write a suite file for your model and data, and a CI job",
    "doctor": "check what is installed and reachable",
    "plan": "show what would run, what is finished, and what cannot run",
    "run": "train suites and check their gates",
    "report": "rebuild or check every table",
    "restore": "continue a published leaderboard: store its runs as finished",
    "compare": "compare two cells, checkpoints or leaderboards",
    "judge": "hold predictions of any program to a gate",
    "mistakes": "print the sentences that every run misclassifies",
    "predict": "label sentences with a kept model",
    "submit": "write GLUE's CoLA.tsv",
}
"""The short help of each subcommand, a module of its name, which is imported only where it runs."""

SESSIONS = ("doctor", "plan", "run")
"""Subcommands that find empty values together with the other mistakes of a session."""

OPTION_LIKE = re.compile(r"-[-a-zA-Z]\S*")
"""What is no option's value unless it is written behind `=`; unlike -2, and - for a file."""

OBJECTS_BETWEEN_COLLECTIONS = 200_000
"""Python's own 700 means hundreds of searches for garbage among imports, where there is none."""

BAD_INPUT = 4
INTERRUPTED = 130
NOT_READ = 141


def command(name: str) -> click.Command:
    """Import and return a subcommand.

    Args:
        name: one of COMMANDS.
    """
    found = getattr(import_module(f"{__name__}.{name}"), name)
    assert isinstance(found, click.Command)
    return found


class _Subcommands(click.Group):
    """A group that lists COMMANDS without their modules, and imports the one that is asked for."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, listed, rest = super().resolve_command(ctx, args)
        if listed is None:
            return name, listed, rest
        found = command(str(listed.name))
        if ctx.resilient_parsing:
            return name, found, rest
        context = click.Context(found, parent=ctx, info_name=found.name, **found.context_settings)
        typed = _as_typed(found, context, rest)
        if listed.name not in SESSIONS and (problems := _empty_values(found, context, typed)):
            raise BadInput(problems)
        return name, found, rest


def _as_typed(
    found: click.Command, context: click.Context, args: list[str]
) -> dict[str, str | Sequence[str]]:
    """Return the values of a subcommand's options and arguments by their names in Python.

    Raises:
        UsageError: the command line cannot be read.
    """
    try:
        _refuse_missing_value(found, args)
        typed, further, _ = found.make_parser(context).parse_args([*args])
        if further and not {*context.help_option_names} & {*args}:
            _refuse_suite(found, further[0])
    except click.UsageError as error:
        error.ctx = error.ctx or context
        raise
    return typed


def _flags(found: click.Command) -> set[str]:
    """Return the flags of a subcommand that take a value."""
    options = [each for each in found.params if isinstance(each, click.Option)]
    return {flag for each in options if not each.is_flag for flag in each.opts}


def _refuse_missing_value(found: click.Command, args: list[str]) -> None:
    """Raise UsageError if an option ends the line, or another follows it, in place of its value.

    click would take the other option for the value: a folder of the name --strict, for example.
    """
    flags, words = _flags(found), iter(args)
    for word in words:
        if word == "--":
            return
        if word not in flags:
            continue
        value = next(words, None)
        if value is None or OPTION_LIKE.fullmatch(value):
            hint = "" if value is None else f" A value that begins with - is written {word}=VALUE."
            raise click.BadOptionUsage(word, f"Option {word!r} requires an argument.{hint}")


def _refuse_suite(found: click.Command, word: str) -> None:
    """Raise UsageError if a word that is no argument of a subcommand is meant for its --suite."""
    from harness.suite.by_name import NAMES

    if "--suite" in _flags(found) and (word in NAMES or word.endswith(".toml")):
        way_out = f"name the suite with --suite {shlex.quote(word)}"
        raise click.UsageError(f"Got unexpected extra argument ({word}); {way_out}")


def _empty_values(
    found: click.Command, context: click.Context, typed: Mapping[str, str | Sequence[str]]
) -> list[str]:
    """Return a line for each option or path of a command line whose value is empty.

    Read as typed: as a path, an empty value would be the current folder.
    """
    from harness.session.options import empty_value  # imported by most subcommands anyway

    lines = []
    for parameter in found.params:
        value = typed.get(parameter.name or "")
        values = value if isinstance(value, list | tuple) else (value,)
        if "" not in values:
            continue
        if isinstance(parameter, click.Option):
            lines.append(empty_value(parameter.opts[0], parameter.make_metavar(context)))
        elif isinstance(parameter.type, click.Path):
            name = parameter.make_metavar(context)
            lines.append(f"{name}: '': an empty value; name a file or folder, . for this folder")
    return lines


def _show_version(context: click.Context, _: click.Parameter, asked: bool) -> None:
    if not asked or context.resilient_parsing:
        return
    from harness.machine import provenance  # slow to import

    name = provenance.DISTRIBUTION
    version = provenance.versions((name,))[name] or "unknown (not installed)"
    click.echo(f"harness, version {version}")
    context.exit()


@click.group(
    cls=_Subcommands,
    commands=[click.Command(name, short_help=text) for name, text in COMMANDS.items()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`harness COMMAND --help` has examples. In a checkout, `pytest benchmarks/` trains too.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def harness() -> None:
    """Train suites; inspect, rebuild and use their results."""


def main() -> None:
    """Run the command line of this process and exit; see the exit codes above."""
    before = gc.get_threshold()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    atexit.register(gc.freeze)  # the process ends: nobody needs the memory of what it imported
    try:
        sys.exit(_run())
    finally:
        gc.set_threshold(*before)


def _run() -> int:
    stdout = sys.stdout
    try:
        # Not click's own handling, which exits with 1 after an interrupt and at a closed pipe.
        code = harness(prog_name="harness", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except SystemExit as error:
        # At a closed pipe, click replaces standard output and exits with 1.
        if sys.stdout is not stdout:
            return NOT_READ
        return error.code if isinstance(error.code, int) else 0
    except click.ClickException as error:
        error.show()
        context = error.ctx if isinstance(error, click.UsageError) else None
        # A session's 2 is an interrupt.
        in_session = context is not None and context.command.name == "run"
        return BAD_INPUT if in_session else error.exit_code
    except (BadInput, Unavailable) as error:
        return _fail(str(error))
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except UnicodeEncodeError as error:
        seen = ascii(error.object[error.start : error.start + 1])
        way_out = "set PYTHONIOENCODING=utf-8"
        return _fail(f"standard output: {error.encoding} cannot write {seen}; {way_out}")
    except OSError as error:
        if error.errno == errno.EPIPE:
            _disconnect()
            return NOT_READ
        if error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF) and error.filename is None:
            _disconnect()
            return _fail(f"standard output: cannot be written ({error.strerror})")
        raise


def _fail(message: str) -> int:
    with contextlib.suppress(OSError):  # standard error may be closed, too
        click.echo(message, err=True)
    return BAD_INPUT


def _disconnect() -> None:
    """Discard buffered output, which Python would otherwise fail to write again at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):
        os.dup2(nowhere, sys.stdout.fileno())
