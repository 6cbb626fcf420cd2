"""`harness judge`: holds predictions of any program to the gates of a trained cell."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from harness.errors import BadInput
from harness.suite.gates import GatesSpec
from harness.suite.spec import load_suite
from harness.text import counted, printable


@click.command(short_help="hold predictions of any program to a gate")
@click.argument("predictions", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--suite", type=click.Path(path_type=Path), help="its gates and class names count")
@click.option("--min-mcc", type=click.FloatRange(-1, 1), help="minimum MCC; replaces the suite's")
@click.option("--label-column", default="label", show_default=True)
@click.option("--prediction-column", default="prediction", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="print JSON, for programs")
def judge(
    predictions: tuple[Path, ...],
    suite: Path | None,
    min_mcc: float | None,
    label_column: str,
    prediction_column: str,
    as_json: bool,
) -> None:
    """Judge labels and predicted classes in files: CSV, TSV, JSON lines or Parquet.

    Several files are seeds of one cell, in this order: they have the same sentences in the same
    order. Classes are written as names or as numbers from 0; without --suite there are two, 0
    and 1. MCC, accuracy and their 95 % intervals are computed as for a trained cell. The labels
    are those of the files: that they are the suite's validation split is not checked.

    Gates that predictions alone cannot answer, such as max_train_seconds, are refused. Exit code
    1 means that a gate is not met.

    \b
    Examples:
      harness judge seed1.csv seed2.csv --min-mcc 0.45
      harness judge seed1.csv --label-column gold --suite mine.toml
    """
    from harness.inputs.given_predictions import read_given
    from harness.judging.gates.given import cannot_judge, given_checks, given_intervals

    read = None if suite is None else load_suite(suite)
    gates = GatesSpec() if read is None else read.gates
    if min_mcc is not None:
        gates = gates.model_copy(update={"min_mcc": min_mcc})
    problems = [
        f"{suite}: gates.{name}: labels and predictions cannot answer it; remove it, or judge "
        "with a suite without it"
        for name in cannot_judge(gates)
    ]
    if gates.min_mcc is None and gates.min_accuracy is None:
        place = "no gate" if suite is None else f"{suite}: no gates.min_mcc or gates.min_accuracy"
        problems.append(f"{place}; name one with --min-mcc")
    if problems:
        raise BadInput(problems)
    names = ("0", "1") if read is None else read.dataset.class_names
    labels, predicted = read_given(predictions, label_column, prediction_column, names)
    intervals = given_intervals(labels, predicted, len(names))
    checks = given_checks(labels, predicted, len(names), gates)
    if as_json:
        scores: dict[str, object] = {name: asdict(interval) for name, interval in intervals.items()}
        content = {"sentences": len(labels), **scores, "gates": [asdict(each) for each in checks]}
        click.echo(json.dumps(content, indent=1))
    else:
        seeds = counted(len(predicted), "seed")
        click.echo(f"{counted(len(labels), 'sentence')}, {seeds}")
        for name, found in intervals.items():
            text = f"{name} {found.mean:.4f} (95 % interval {found.low:.4f} to {found.high:.4f}"
            click.echo(f"{text}, {found.covers})")
        for each in checks:
            click.echo(printable(f"{each.verdict}: {each.reason}"))
    passing = ("pass", "not-enough-evidence") if gates.on_doubt == "pass" else ("pass",)
    if any(each.verdict not in passing for each in checks):
        sys.exit(1)
