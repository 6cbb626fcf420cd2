"""`harness init`: writes a suite file for a model and its data, and a CI job that trains it."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from harness.errors import BadInput
from harness.session.options import OVERRIDES, name_of
from harness.text import printable

if TYPE_CHECKING:
    from harness.cli.init.jobs import Service

VALUES = ("--batch-sizes", "--learning-rates", "--seeds", "--epochs", "--min-mcc")
"""Flags of a session that set the same values here."""


@click.command(short_help="write a suite file for your model and data, and a CI job")
@click.argument("name", metavar="NAME")
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    required=True,
    metavar="NAME",
    help="a folder, `org/name[@revision]` or `package:NAME/path`; repeatable",
)
@click.option("--data", metavar="FILE", help="your own file of labelled sentences")
@click.option("--cola", is_flag=True, help="CoLA, from the model hub or from --cola-dir")
@click.option("--hub", metavar="NAME", help="a data set of the Hugging Face Hub, `org/name`")
@click.option("--config", metavar="NAME", help="a configuration of the data set of --hub")
@click.option("--text-column", metavar="NAME", help="the column of sentences")
@click.option("--label-column", metavar="NAME", help="the column of labels")
@click.option(
    "--delimiter", metavar="CHARACTER", help=r"between the columns of --data; \t is a tab"
)
@click.option("--quoting", type=click.Choice(["csv", "none"]), help="quotation marks of --data")
@click.option("--batch-sizes", metavar="VALUE", help=f"{OVERRIDES['--batch-sizes'][2]} [16]")
@click.option(
    "--learning-rates", metavar="VALUE", help=f"{OVERRIDES['--learning-rates'][2]} [5e-5]"
)
@click.option("--seeds", metavar="VALUE", help=f"{OVERRIDES['--seeds'][2]} [1,2,3]")
@click.option("--epochs", metavar="VALUE", help=OVERRIDES["--epochs"][2])
@click.option("--min-mcc", metavar="VALUE", help="the mean MCC required of every cell")
@click.option(
    "--ci",
    "services",
    multiple=True,
    type=click.Choice(["github", "gitlab"]),
    help="also write a job for this CI; repeatable",
)
@click.option(
    "--output",
    default=".",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="where the suite file is written; by default the current folder",
)
def init(
    name: str,
    checkpoints: tuple[str, ...],
    data: str | None,
    cola: bool,
    hub: str | None,
    config: str | None,
    text_column: str | None,
    label_column: str | None,
    delimiter: str | None,
    quoting: Literal["csv", "none"] | None,
    services: "tuple[Service, ...]",
    output: Path,
    **values: Any,
) -> None:
    """Write NAME.toml, a suite that trains your checkpoints on your data.

    The data are a --data file, --cola, or a data set of the --hub. The columns of a file are found
    if it has two, or if they have usual names (sentence or text; label or class); its class names
    are its different labels. Values, checkpoints in folders, and every row of a file are checked
    first. The hub is not asked.

    With --ci, also writes a job that trains the suite and fails below --min-mcc: at the root of
    the repository, .github/workflows/NAME.yml or .gitlab-ci.NAME.yml.

    Asks nothing, trains nothing, overwrites nothing: it writes all files or none.

    \b
    Examples:
      harness init messages --checkpoint ./my-model --data messages.csv --min-mcc 0.5
      harness init gate --checkpoint ./my-model --cola --min-mcc 0.45 --ci github
      harness init sst2 --checkpoint ./my-model --hub nyu-mll/glue --config sst2
    """
    from harness.cli.init.jobs import job_file, job_notes, job_problems
    from harness.cli.init.new_files import existing, write_new
    from harness.cli.init.new_suite import Request, new_suite

    sources: list[tuple[Literal["file", "cola", "hub"], bool]] = [
        ("file", data is not None),
        ("cola", cola),
        ("hub", hub is not None),
    ]
    if len(given := [source for source, is_given in sources if is_given]) != 1:
        raise click.UsageError("name the data with one of --data FILE, --cola and --hub NAME")
    described = {
        "--config": (config, ("hub",)),
        "--text-column": (text_column, ("file", "hub")),
        "--label-column": (label_column, ("file", "hub")),
        "--delimiter": (delimiter, ("file",)),
        "--quoting": (quoting, ("file",)),
    }
    for flag, (value, allowed) in described.items():
        if value is not None and given[0] not in allowed:
            known = " or ".join("--data" if each == "file" else f"--{each}" for each in allowed)
            raise click.UsageError(f"{flag}: only with {known}; leave it out")

    request = Request(
        name=name,
        folder=output,
        checkpoints=checkpoints,
        source=given[0],
        data=hub if data is None else data,
        config=config,
        text_column=text_column,
        label_column=label_column,
        delimiter="\t" if delimiter == r"\t" else delimiter,
        quoting=quoting,
        values={flag: values[name_of(flag)] for flag in VALUES},
    )
    services = tuple(dict.fromkeys(services))
    problems = job_problems(output, values["min_mcc"] is not None) if services else []
    try:
        made = new_suite(request)
    except BadInput as error:
        raise BadInput([*error.problems, *problems]) from None
    if problems:
        raise BadInput(problems)
    suite = output / f"{name}.toml"
    contents = {suite: made.text}
    for service in services:
        contents |= job_file(service, suite, made)
    if found := existing(contents):
        raise BadInput(found)
    write_new(contents)
    for path in contents:
        click.echo(printable(f"written: {path}"))
    notes = [line for service in services for line in job_notes(service, suite, made)]
    for line in dict.fromkeys(notes):
        click.echo(printable(line))
    for line in made.remarks:
        click.echo(printable(f"note: {line}"))
    click.echo("next:")
    for line in _next(suite, values["min_mcc"] is not None):
        click.echo(printable(f"  {line}"))


def _next(suite: Path, has_gate: bool) -> Sequence[str]:
    """Return the commands to type next; without a gate, --strict would refuse the suite."""
    here = f"{shlex.quote(str(suite))}{' --strict' if has_gate else ''}"
    return [f"harness doctor --suite {here}", f"harness plan --suite {here}", f"harness run {here}"]
