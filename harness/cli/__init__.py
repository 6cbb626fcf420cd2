"""The command `harness`: the benchmark's nouns from a shell, one subcommand a file.

Exit codes: 0 all is well; 1 the answer is no; 2 the command was typed wrong; 4 bad input, as
pytest's usage errors. docs/cli.md says which command answers what.
"""

import sys

import click

from harness import provenance
from harness.cli.compare import compare
from harness.cli.doctor import doctor
from harness.cli.plan import plan
from harness.cli.predict import predict
from harness.cli.report import report
from harness.cli.submit import submit
from harness.errors import BadInput, Unavailable
from harness.provenance import DISTRIBUTION

COMMANDS: tuple[click.Command, ...] = (doctor, plan, report, compare, predict, submit)
"""In the order of the help text."""

BAD_INPUT = 4


@click.group(
    commands=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`harness COMMAND --help` has examples. Training is pytest's: pytest benchmarks/",
)
@click.version_option(
    provenance.versions((DISTRIBUTION,))[DISTRIBUTION] or "of a checkout that is not installed",
    prog_name="harness",
)
def harness() -> None:
    """Look at, rebuild and use what `pytest benchmarks/` makes."""


def main() -> None:
    """Run the command line of this process, and exit."""
    try:
        harness(prog_name="harness")
    except (BadInput, Unavailable) as error:
        click.echo(str(error), err=True)
        sys.exit(BAD_INPUT)
