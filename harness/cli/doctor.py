"""`harness doctor`: what is here of what a benchmark needs."""

import sys
from typing import Any

import click

from harness import hub
from harness.cli.choices import EVERY, chosen, options
from harness.options import planned_suites, session_options
from harness.text import printable

WORDS = {"ok": "OK", "missing": "MISSING", "optional": "-"}


@click.command(short_help="what is installed and reachable, and the way out")
@options(EVERY)
def doctor(**values: Any) -> None:
    """Say what is installed and reachable, and the way out where something is missing.

    Looks at what `pytest benchmarks/` with the same options would need. Each line is OK, MISSING,
    or - for what is not here and not needed. Fetches nothing, trains nothing. Exit code 1 means
    that such a session would not start, or that none of its runs is finished or could be trained.

    \b
    Examples:
      harness doctor
      harness doctor --suite mine.toml --checkpoints ./my-model --seeds 1,2,3
      harness doctor --suite benchmarks/cola.toml --cola-dir ~/cola_public
    """
    from harness.checkup import checkup

    typed = chosen(values)
    found = checkup(planned_suites(typed), session_options(typed), hub.probe())
    width = max(len(finding.name) for finding in found.findings)
    for finding in found.findings:
        state = WORDS[finding.state]
        click.echo(f"{state:<8} {finding.name:<{width}}  {_whole(finding.found)}")
        if finding.way_out is not None:
            click.echo(f"{'':<8} {'':<{width}}  way out: {_whole(finding.way_out)}")
    if not found.usable:
        click.echo("Nothing of these suites could be trained here.", err=True)
        sys.exit(1)


def _whole(text: str) -> str:
    """Return a text on one line; none is cut, since the way out may stand at its end."""
    return printable(" ".join(text.split()))
