"""`harness restore`: stores published runs again, so that sessions continue from them."""

from pathlib import Path
from typing import Any

import click

from harness.cli.choices import chosen, options
from harness.session.options import results_folder
from harness.text import counted, printable


@click.command(short_help="continue a published leaderboard: store its runs as finished")
@click.argument("published", type=click.Path(path_type=Path), metavar="FOLDER")
@options(("results_dir",))
def restore(published: Path, **values: Any) -> None:
    """Store the runs of a published leaderboard, so that a session trains only what is missing.

    Git has the published tables, and not the store from which sessions continue. This command
    writes the store again from leaderboard.json and predictions.parquet: every scored run with its
    record and predictions, none of which is trained again if its checkpoint, data, settings, recipe
    (the version of the training code) and package versions are today's; a note says if the last two
    are not. Runs that the store has already stay. Kept models are not restored. Afterwards, run the
    suite as usual; cells that you add to it are trained.

    \b
    Exit codes: 0 all runs are in the store; 1 some could not be restored; 4 bad input.

    \b
    Examples:
      harness restore results/study
      harness restore results/study --results-dir results/local/mine
    """
    from harness.judging.baseline import software_here
    from harness.judging.leaderboard import scored
    from harness.judging.sides import differing, differing_software, software_of
    from harness.report import leaderboard_in, read_published
    from harness.report.restoring import restore as restore_runs

    file = leaderboard_in(published)
    found = read_published(file)
    results = results_folder(chosen(values)) / found.suite
    restored = restore_runs(file.parent, found, results)
    click.echo(
        printable(
            f"{results}: {counted(restored.new, 'run')} restored, {restored.present} there before, "
            f"{len(restored.left_out)} left out"
        )
    )
    for line in restored.left_out:
        click.echo(printable(f"left out: {line}"))
    runs, here = scored(found.records), software_here()
    if old := [run for run in runs if software_of([run]) != here]:
        changes = differing(differing_software(software_of(old), here))
        click.echo(
            printable(
                f"note: sessions do not reuse {len(old)} of the {counted(len(runs), 'run')}, "
                f"because recipe or package versions differ, theirs against today's: {changes}"
            )
        )
    if restored.left_out:
        raise SystemExit(1)
