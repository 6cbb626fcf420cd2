"""Writes the parts of the documentation that come from code or results: `make docs`.

A test fails if a part is not up to date.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import click
import domains
import packages
from pydantic import BaseModel, Field
from pydantic_core import PydanticUndefined
from tabulate import tabulate

from harness.cli import COMMANDS, command
from harness.cli.init.jobs import EXAMPLE, FILES, job_text
from harness.session.options import OVERRIDES, SWITCHES
from harness.suite.spec import Suite
from harness.suite.training import TrainingAxes

ROOT = Path(__file__).parent.parent

LISTS = (
    "a list of values of any key of `[training]`, such as `matrix.epochs = [3, 5]`; cells are all "
    "combinations of the values"
)


def main() -> None:
    """Rewrite every generated part, and every generated file, in place."""
    for path, text in generated_files():
        path.write_text(text, encoding="utf-8")
    for path, part, text in generated():
        path.write_text(replaced(path.read_text(encoding="utf-8"), part, text), encoding="utf-8")


def generated() -> Iterator[tuple[Path, str, str]]:
    """Yield every generated part: its file, its name and its text."""
    leaderboard = ROOT / "results" / "quickstart" / "leaderboard.md"
    yield ROOT / "README.md", "leaderboard", first_table(leaderboard.read_text(encoding="utf-8"))
    yield ROOT / "docs" / "architecture.md", "packages", packages.table()
    yield ROOT / "docs" / "suites.md", "keys", suite_keys()
    yield ROOT / "docs" / "cli.md", "commands", commands()
    for service in FILES:
        job = f"```yaml\n{job_text(service, EXAMPLE)}```"
        yield ROOT / "docs" / "ci.md", f"{service} job", job
    yield ROOT / "docs" / "study.md", "domains", domains.table(ROOT / "results" / "cola")


def generated_files() -> Iterator[tuple[Path, str]]:
    """Yield every file that is generated as a whole, with its text."""
    for service in FILES:
        yield ROOT / "examples" / "ci" / f"{service}.yml", job_text(service, EXAMPLE)


def replaced(document: str, part: str, text: str) -> str:
    """Return a document in which the text between a part's two markers is replaced."""
    pattern = re.compile(rf"(<!-- {part} -->\n).*?(<!-- end {part} -->)", re.DOTALL)
    new, times = pattern.subn(lambda match: f"{match[1]}{text}\n{match[2]}", document)
    if times != 1:
        sys.exit(f"expected one part <!-- {part} --> ... <!-- end {part} -->, found {times}")
    return new


def first_table(document: str) -> str:
    """Return the first table of a Markdown document."""
    lines = document.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    end = next((n for n, line in enumerate(lines[start:], start) if not line.startswith("|")), None)
    return "\n".join(lines[start:end])


def suite_keys() -> str:
    """Return a table of every key that a suite file may have."""
    flags = {key: flag for flag, (key, *_) in {**OVERRIDES, **SWITCHES}.items()}
    rows = [
        (f"`{key}`", field.description, _default(field), f"`{flags[key]}`" if key in flags else "")
        for key, field in _fields(Suite, "")
    ]
    return tabulate(rows, ("key", "meaning", "default", "flag"), tablefmt="pipe")


def commands() -> str:
    """Return every subcommand's help: what it does, its arguments and options, its examples."""
    return "\n\n".join(f"## `harness {name}`\n\n{_help(command(name))}" for name in COMMANDS)


def _help(command: click.Command) -> str:
    context = click.Context(
        command,
        info_name=f"harness {command.name}",
        max_content_width=96,
        help_option_names=["-h", "--help"],  # as in the command `harness`
    )
    context.terminal_width = 96
    return f"```text\n{command.get_help(context)}\n```"


def _fields(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, Any]]:
    lists = TrainingAxes.model_fields if issubclass(model, TrainingAxes) else {}
    for name, field in model.model_fields.items():
        if name in lists:
            continue
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _fields(annotation, f"{prefix}{name}.")
        elif get_origin(annotation) is dict:
            yield from _fields(get_args(annotation)[1], f'{prefix}{name}."NAME".')
        else:
            yield f"{prefix}{name}", field
    if lists:
        yield f"{prefix}KEY", Field(None, description=LISTS)  # one row for all of them


def _default(field: Any) -> str:
    if field.default is PydanticUndefined:
        return "required"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return "not set" if value is None else f"`{value!r}`".replace("'", '"')


if __name__ == "__main__":
    main()
