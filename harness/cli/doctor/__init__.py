"""`harness doctor`: checks that everything a benchmark needs is available."""

import sys
from typing import Any

import click

from harness.cli.choices import EVERY, chosen, options, strict
from harness.errors import BadInput
from harness.inputs import hub
from harness.text import printable

WORDS = {"ok": "OK", "missing": "MISSING", "optional": "-"}


@click.command(short_help="check what is installed and reachable")
@options(EVERY)
@strict
def doctor(**values: Any) -> None:
    """Check what is installed and reachable, and print a way out for whatever is missing.

    Checks everything that `pytest benchmarks/` with the same options needs. Each line is OK,
    MISSING, or - for optional things that are missing. Downloads nothing, trains nothing. Exit
    code 1 means that the session would not start, or that none of its runs is finished or could
    be trained; with --strict, also that a run cannot be trained.

    \b
    Examples:
      harness doctor
      harness doctor --suite mine.toml --checkpoints ./my-model --seeds 1,2,3
      harness doctor --suite benchmarks/cola.toml --cola-dir ~/cola_public
    """
    from harness.cli.doctor.checkup import checkup
    from harness.session.request import all_mistakes, read_request

    request = read_request(chosen(values))
    if request.problems:
        raise BadInput(all_mistakes(request))
    found = checkup(request.planned, request.options, hub.probe())
    width = max(len(finding.name) for finding in found.findings)
    for finding in found.findings:
        state = WORDS[finding.state]
        click.echo(f"{state:<8} {finding.name:<{width}}  {_whole(finding.found)}")
        if finding.way_out is not None:
            click.echo(f"{'':<8} {'':<{width}}  way out: {_whole(finding.way_out)}")
    if not found.usable:
        condition = " with --strict" if values["strict"] else ""
        click.echo(f"These suites cannot be trained here{condition}.", err=True)
        sys.exit(1)


def _whole(text: str) -> str:
    """Return a text on one line, uncut, because the way out may be at its end."""
    return printable(" ".join(text.split()))
