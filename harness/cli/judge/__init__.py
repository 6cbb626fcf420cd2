"""`harness judge`: holds predictions of any program to the gates of a trained cell."""

import functools
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.choices import delimiter as delimiter_option
from harness.cli.choices import delimiter_of, options, quoting_of
from harness.cli.choices import quoting as quoting_option
from harness.cli.judge.adding import add_row, check_options, destination
from harness.cli.judge.gates import check_thresholds, gates_of, overrides, read_suite
from harness.cli.judge.labels import split_of
from harness.errors import BadInput, problems_of
from harness.paths import is_absent, passes
from harness.session.options import flag_of, located
from harness.suite.by_name import NAMES
from harness.suite.spec import Suite
from harness.text import beside, counted, printable, series

if TYPE_CHECKING:  # they import `datasets` and pandas
    from harness.cli.judge.published import PublishedCell
    from harness.inputs.given_labels import ValidationSplit
    from harness.inputs.given_predictions import GivenRun

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
    check_options(add_to, name, replace, suite, cell)
    from harness.inputs.given_predictions import Columns, read_runs, together
    from harness.judging.differences import p_text, with_interval
    from harness.judging.gates.given import (
        given_checks,
        given_difference,
        given_drop_check,
        given_intervals,
        judged,
    )
    from harness.store.predictions import LOGIT

    path = None if suite is None else located(suite, Path())
    typed = overrides(min_mcc, max_drop)
    suite_read = functools.cache(lambda: None if path is None else read_suite(path, typed))
    cell_read = functools.cache(lambda: None if cell is None else _published(predictions, cell))
    files = [*(predictions if cell is None else ()), *baseline]
    unread = problems_of(lambda: check_thresholds(typed), suite_read, cell_read)
    problems = [*unread, *_not_files(files)]
    if not baseline and (max_drop is not None or paired_seeds):
        flag = "--max-drop" if max_drop is not None else "--paired-seeds"
        problems.append(f"{flag}: there is no baseline; name its predictions with --baseline FILE")
    if unread:  # the gates are not known
        raise BadInput(problems)
    read, published = suite_read(), cell_read()
    gates = gates_of(
        None if read is None else (str(suite), read),
        None if published is None else (f"{predictions[0]}: {published.cell.id}", published.cell),
        typed,
        with_baseline=bool(baseline) or max_drop is not None,
    )
    refused = gates.refused(typed)
    problems += refused
    if add_to is None and not refused:
        with_baseline = bool(baseline) or max_drop is not None
        problems += gates.none_applies(with_baseline)
    if problems:
        raise BadInput(problems)
    to = None if add_to is None else destination(add_to, str(name), replace)
    split = None if read is None or path is None else split_of(read, path, cola_dir)
    named = _named(FILE_OPTIONS)
    if published is not None and named and not baseline:
        flags = ", ".join(map(flag_of, named))
        raise click.UsageError(f"{flags}: for files of predictions; leave it out with --cell")
    columns = Columns(
        label=label_column,
        prediction=prediction_column,
        text=None if read is None else read.dataset.text_column,
        class_names=_class_names(suite, read, split, published),
        logit=None if "prediction_column" in named else LOGIT,
        delimiter=delimiter_of(delimiter),
        quoting=quoting_of(quoting),
    )
    if published is None:
        runs = read_runs((*predictions, *baseline), columns)
    else:
        runs = [*published.runs, *read_runs(baseline, columns)]
    labels, both = together(runs)
    ours = len(runs) - len(baseline)
    if paired_seeds and ours != len(baseline):
        raise BadInput(
            [
                f"--paired-seeds: {counted(ours, 'seed')}, but {len(baseline)} of --baseline; name "
                "as many files for both, in the same order of seeds"
            ]
        )
    predicted, before = both[:ours], both[ours:]
    names = columns.class_names
    checked = _labels_checked(runs, split)
    intervals = given_intervals(labels, predicted, len(names))
    checks = given_checks(labels, predicted, len(names), gates.thresholds)
    difference = None
    if baseline:
        compared = (labels, predicted, before, len(names))
        difference = given_difference(*compared, paired_seeds)
        if "max_drop" in judged(gates.thresholds, with_baseline=True):
            source = series([*map(str, baseline)])
            checks.append(given_drop_check(*compared, gates.thresholds, source, paired_seeds))
    added = [] if to is None else add_row(to, predictions, runs[:ours], split)
    if as_json:
        scores: dict[str, object] = {name: asdict(interval) for name, interval in intervals.items()}
        content = {
            "sentences": len(labels),
            **checked,
            **scores,
            "difference": None if difference is None else asdict(difference),
            "gates": [asdict(each) for each in checks],
            "not_judged": [asdict(each) for each in gates.not_judged],
            "written": [*map(str, added)],
        }
        click.echo(json.dumps(content, indent=1))
    else:
        seeds = counted(len(predicted), "seed")
        click.echo(f"{counted(len(labels), 'sentence')}, {seeds}")
        if checked["labels_of"] is not None:
            click.echo(
                printable(f"labels: those of the validation split of {checked['labels_of']}")
            )
        elif suite is not None:
            click.echo(printable(f"labels not checked: {checked['labels_not_checked']}"))
        for name, found in intervals.items():
            gate = [each.threshold for each in checks if each.gate == f"min_{name}"]
            value, low, high = (beside(each, *gate) for each in (found.mean, found.low, found.high))
            click.echo(f"{name} {value} (95 % interval {low} to {high}, {found.covers})")
        if difference is not None:
            size, interval = with_interval(
                difference.difference, difference.low, difference.high, least=4
            )
            click.echo(
                f"difference of mcc from the baseline {size} (95 % interval {interval}, "
                f"p = {p_text(difference.p_value)}, {difference.covers})"
            )
        for each in checks:
            click.echo(printable(f"{each.verdict}: {each.reason}"))
        for line in gates.lines:
            click.echo(printable(f"not judged: {line}"))
        for file in added:
            click.echo(printable(f"written: {file}"))
    if gates.not_judged:
        click.echo(printable(gates.not_all(len(checks), strict)), err=as_json)
    doubt_passes = gates.thresholds.on_doubt == "pass"
    passing = ("pass", "not-enough-evidence") if doubt_passes else ("pass",)
    if (strict and gates.not_judged) or any(each.verdict not in passing for each in checks):
        sys.exit(1)


def _not_files(paths: Sequence[Path]) -> Iterator[str]:
    """Yield a line for each path that is not a file of predictions."""
    from harness.inputs.data.formats import reader_of

    for path in paths:
        if passes(Path.is_dir, path):
            yield (
                f"{path}: a folder; name a file of predictions, or with --cell ID one cell of the "
                "results folder that is judged"
            )
        elif is_absent(path):
            yield f"{path}: no such file; name a file of predictions"
        else:
            yield from problems_of(functools.partial(reader_of, path))


def _published(predictions: Sequence[Path], cell: str) -> "PublishedCell":
    """Read the cell that is judged, and print which of its predictions could not be checked."""
    if len(predictions) > 1:
        raise click.UsageError("--cell: a cell is of one results folder; name one")
    from harness.cli.judge.published import published_cell

    found = published_cell(predictions[0], cell)
    for line in found.unchecked:
        click.echo(printable(line), err=True)
    return found


def _named(options: Sequence[str]) -> list[str]:
    """Return those of the options that were typed."""
    context = click.get_current_context()
    return [
        name
        for name in options
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]


def _class_names(
    suite: str | None,
    read: Suite | None,
    split: "ValidationSplit | str | None",
    published: "PublishedCell | None",
) -> Sequence[str]:
    """Return the names of the classes, which only the data may know.

    Raises:
        BadInput: neither suite nor data name them, or a published cell has another number.
    """
    names = _names_of_suite(suite, read, split)
    if published is None:
        return names
    if read is not None and len(names) != published.classes:
        raise BadInput(
            [
                f"{suite}: {counted(len(names), 'class', 'classes')}, but {published.cell.id} has "
                f"{published.classes}; name the suite of its data"
            ]
        )
    return tuple(map(str, range(published.classes))) if read is None else names


def _names_of_suite(
    suite: str | None, read: Suite | None, split: "ValidationSplit | str | None"
) -> Sequence[str]:
    if read is None:
        return ("0", "1")
    if split is not None and not isinstance(split, str):
        return split.class_names
    if not read.dataset.class_names:
        raise BadInput(
            [
                f"{suite}: dataset.class_names: only the data name the classes, and {split}; "
                "name the classes there"
            ]
        )
    return read.dataset.class_names


def _labels_checked(
    runs: "Sequence[GivenRun]", split: "ValidationSplit | str | None"
) -> dict[str, str | None]:
    """Return of which data the labels are, or why they were not checked; as for JSON.

    Raises:
        BadInput: a line for each file whose labels or sentences are not those of the split.
    """
    if split is None:
        return {"labels_of": None, "labels_not_checked": "no --suite"}
    if isinstance(split, str):
        return {"labels_of": None, "labels_not_checked": split}
    from harness.inputs.given_labels import unlike_split

    if problems := [problem for run in runs if (problem := unlike_split(run, split)) is not None]:
        raise BadInput(problems)
    return {"labels_of": split.origin, "labels_not_checked": None}
