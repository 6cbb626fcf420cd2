"""`harness judge`: holds predictions of any program to the gates of a trained cell."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.choices import delimiter as delimiter_option
from harness.cli.choices import delimiter_of, options, quoting_of
from harness.cli.choices import quoting as quoting_option
from harness.cli.judge.adding import destination, misused
from harness.cli.judge.labels import class_names, split_of
from harness.cli.judge.request import not_with_cell, read_request
from harness.suite.by_name import NAMES
from harness.suite.spec import Suite
from harness.text import printable

if TYPE_CHECKING:  # it imports `datasets`
    from harness.inputs.given_predictions import Columns

FILE_OPTIONS = ("label_column", "prediction_column", "delimiter", "quoting")
"""Options that describe files of predictions."""


@click.command(short_help="hold predictions of any program to a gate")
@click.argument("predictions", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--cell", metavar="ID", help="judge this cell of a results folder, which is PREDICTIONS then"
)
@click.option(
    "--suite",
    metavar="FILE",
    help=f"its gates, class names and labels count: a file, or {', '.join(NAMES)}",
)
@options(("cola_dir",))
@click.option("--min-mcc", type=float, help="minimum MCC, from -1 to 1; replaces the suite's")
@click.option(
    "--baseline",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="repeatable, one file a seed: predictions on the same sentences to compare with",
)
@click.option(
    "--max-drop",
    type=float,
    help="the largest loss of MCC allowed against --baseline, from 0 to 1; replaces the suite's; "
    "else 0.02",
)
@click.option(
    "--paired-seeds",
    is_flag=True,
    help="the first file and the first --baseline were trained with the same seed, and so on",
)
@click.option("--label-column", default="label", show_default=True)
@click.option("--prediction-column", default="prediction", show_default=True)
@delimiter_option
@quoting_option
@click.option(
    "--add-to",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="add the predictions as a row to the leaderboard in this results folder; the labels must "
    "be those of its data",
)
@click.option("--name", help="the name of the added row")
@click.option("--replace", is_flag=True, help="replace an added row of the same name")
@click.option(
    "--strict", is_flag=True, help="exit with 1 also if a gate of the suite or cell was not judged"
)
@click.option("--json", "as_json", is_flag=True, help="print JSON, for programs")
def judge(
    predictions: tuple[Path, ...],
    cell: str | None,
    suite: str | None,
    cola_dir: str | None,
    min_mcc: float | None,
    baseline: tuple[Path, ...],
    max_drop: float | None,
    paired_seeds: bool,
    label_column: str,
    prediction_column: str,
    delimiter: str | None,
    quoting: str | None,
    add_to: Path | None,
    name: str | None,
    replace: bool,
    strict: bool,
    as_json: bool,
) -> None:
    """Judge labels and predictions in files: CSV, TSV, JSON lines or Parquet.

    Several files are seeds of one cell, in this order: they have the same sentences in the same
    order. Classes are written as names or as numbers from 0; without --suite there are two, 0
    and 1. Instead of a class, a file may have scores in the columns logit_0, logit_1, ...: the
    class with the largest is predicted. MCC, accuracy and their 95 % intervals are computed as for
    a trained cell.

    With --cell, PREDICTIONS is a results folder with a leaderboard.json and a predictions.parquet.
    The runs of that cell are judged by its own gates or, with --suite, by those that the suite has
    for it.

    With --suite, the number of rows, their order and their labels must be those of the suite's
    validation split; also their sentences, if the files have the suite's column of sentences. Where
    the data cannot be reached, one line says that the labels were not checked; without --suite they
    are never checked.

    With --baseline, MCC is compared with that of other predictions as `harness compare` compares
    two cells: difference, interval and p-value. The gate on the drop is that of a trained cell.

    With --add-to, the predictions become a row of a leaderboard, whether or not they meet the
    gates: ranked by MCC among the trained cells, with the same intervals, without costs, and marked
    as given, not trained here. The suite's data must be at hand, and be that of the leaderboard's
    runs. Its tables are made anew.

    Gates of a suite that predictions alone cannot answer are listed as not judged, with the reason:
    costs, slices, those of the suite on all its cells, and, for files, those of a checkpoint or
    cell. A suite without any other gate is refused, and so is a --min-mcc or --max-drop that cannot
    be judged. Exit code 0 means that the judged gates are met, 1 that one is not, or (with
    --strict) that a gate was not judged.

    \b
    Examples:
      harness judge seed1.csv seed2.csv --min-mcc 0.45
      harness judge seed1.csv --label-column gold --suite mine.toml
      harness judge seed1.csv --suite cola --cola-dir ~/cola_public
      harness judge results/cola --cell minilm-l6-bs32-lr1e-4 --min-mcc 0.2
      harness judge new1.csv new2.csv --baseline old1.csv --baseline old2.csv --max-drop 0.02
      harness judge seed1.csv seed2.csv --suite mine.toml --add-to results/mine --name "our model"
    """
    usage = [
        *misused(add_to, name, replace, suite, cell),
        *not_with_cell(predictions, cell, () if baseline else _typed(FILE_OPTIONS)),
    ]
    if usage:
        raise click.UsageError("\n".join(usage))
    row = None if add_to is None else partial(destination, add_to, str(name), replace)
    request = read_request(
        predictions=predictions,
        baseline=baseline,
        paired_seeds=paired_seeds,
        suite=suite,
        cell=cell,
        min_mcc=min_mcc,
        max_drop=max_drop,
        row=row,
    )
    split = None
    if request.suite is not None and request.path is not None:
        split = split_of(request.suite, request.path, cola_dir)
    names = class_names(suite, request.suite, split, request.published)
    columns = _columns(names, request.suite, label_column, prediction_column, delimiter, quoting)
    from harness.cli.judge import outcome

    found = outcome.outcome_of(request, columns, split)
    for line in [outcome.in_json(found)] if as_json else map(printable, outcome.lines(found)):
        click.echo(line)
    if found.gates.not_judged:
        click.echo(printable(found.gates.not_all(len(found.checks), strict)), err=as_json)
    if not found.passes(strict):
        sys.exit(1)


def _typed(options: Sequence[str]) -> list[str]:
    """Return those of the options that were typed."""
    context = click.get_current_context()
    return [
        name
        for name in options
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]


def _columns(
    class_names: Sequence[str],
    suite: Suite | None,
    label: str,
    prediction: str,
    delimiter: str | None,
    quoting: str | None,
) -> "Columns":
    """Return the columns of files of predictions: scores count only if no column is typed."""
    from harness.inputs.given_predictions import Columns
    from harness.store.predictions import LOGIT

    return Columns(
        label=label,
        prediction=prediction,
        text=None if suite is None else suite.dataset.text_column,
        class_names=class_names,
        logit=None if _typed(["prediction_column"]) else LOGIT,
        delimiter=delimiter_of(delimiter),
        quoting=quoting_of(quoting),
    )
