"""`harness submit`: writes GLUE's file for CoLA from a run's test predictions."""

from pathlib import Path

import click

from harness.errors import BadInput
from harness.session.places import Place, ReadFile, overwritten
from harness.text import printable


@click.command(short_help="write GLUE's CoLA.tsv")
@click.argument("folder", type=click.Path(path_type=Path), metavar="RESULTS_FOLDER")
@click.option("--cell", metavar="ID", help="a cell's id; by default the cell of the best run")
@click.option("--seed", type=int, metavar="N", help="by default the seed of the cell's best run")
@click.option(
    "--output",
    default="CoLA.tsv",
    show_default=True,
    metavar="FILE",
    help="`-` for standard output",
)
def submit(folder: Path, cell: str | None, seed: int | None, output: str) -> None:
    """Write CoLA.tsv in the GLUE benchmark's format: header index<TAB>prediction, 1,063 rows.

    Of the runs that match the options, the one with the highest validation MCC is used.

    \b
    Examples:
      harness submit results/local/cola
      harness submit results/local/cola --cell distilbert-base-uncased-bs16-lr2e-05 --seed 1
    """
    from harness.report.submission import candidates, choose, submission

    run = choose(candidates(folder), cell, seed)
    content = submission(folder, run)
    assert run.record.scores is not None
    line = f"{run.record.cell}, seed {run.record.seed}: validation MCC {run.record.scores.mcc:z.4f}"
    click.echo(printable(line), err=True)
    if output == "-":
        click.echo(content, nl=False)
        return
    read = [folder, *([] if run.folder is None else [run.folder])]
    names = ("leaderboard.json", "record.json", "predictions.parquet")
    evidence = [ReadFile("harness submit", each / name) for each in read for name in names]
    if lost := list(overwritten([Place("--output", Path(output))], evidence)):
        raise BadInput(lost)
    try:
        Path(output).write_text(content, encoding="utf-8", newline="\n")
    except OSError as error:
        raise BadInput([f"--output: {output}: cannot be written ({error.strerror})"]) from None
    click.echo(f"written: {output}", err=True)
