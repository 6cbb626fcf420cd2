"""`harness doctor`: what is here of what a benchmark needs."""

import sys
from typing import Any

import click

from harness import hub
from harness.cli.choices import chosen, options
from harness.options import planned_suites, session_options
from harness.text import one_line

WORDS = {"ok": "OK", "missing": "MISSING", "optional": "-"}


@click.command(short_help="what is installed and reachable, and the way out")
@options(("suite", "cola_dir", "results_dir"))
def doctor(**values: Any) -> None:
    """Say what is installed and reachable, and the way out where something is missing.

    Each line is OK, MISSING, or - for what is not here and not needed. Fetches nothing, trains
    nothing. Exit code 1 means that not one cell of the suites could be trained here.

    \b
    Examples:
      harness doctor
      harness doctor --suite mine.toml --cola-dir ~/cola_public
    """
    from harness.checkup import checkup

    typed = chosen(values)
    session = session_options(typed)
    found = checkup(planned_suites(typed), session.results, session.cola_dir, hub.probe())
    width = max(len(finding.name) for finding in found.findings)
    for finding in found.findings:
        state = WORDS[finding.state]
        click.echo(f"{state:<8} {finding.name:<{width}}  {one_line(finding.found)}")
        if finding.way_out is not None:
            click.echo(f"{'':<8} {'':<{width}}  way out: {one_line(finding.way_out)}")
    if not found.usable:
        click.echo("Nothing of these suites could be trained here.", err=True)
        sys.exit(1)
