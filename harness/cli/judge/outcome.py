"""What `harness judge` finds of predictions, as lines and as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness import stats
from harness.cli.judge.adding import add_row
from harness.cli.judge.gates import Gates
from harness.cli.judge.labels import check_labels
from harness.cli.judge.request import Request
from harness.inputs.given_predictions import Columns, read_runs, together
from harness.judging.differences import p_text, with_interval
from harness.judging.gates.check import Check
from harness.judging.gates.given import (
    given_checks,
    given_difference,
    given_drop_check,
    given_intervals,
    judged,
)
from harness.text import beside, counted, series

if TYPE_CHECKING:  # a type alone
    from harness.cli.judge.labels import Split

NO_SUITE = "no --suite"
"""Why labels are not checked if nothing names the data that they should be of."""


@dataclass(frozen=True)
class Outcome:
    """Scores and verdicts of the predictions of one or more seeds.

    Attributes:
        labels_of: the data whose labels the predictions were found to have; None if unchecked.
        labels_not_checked: why they were not checked; None if they were.
        intervals: of the mean over seeds, by statistic.
        difference: MCC minus that of the baseline; None without one.
        gates: those that were to be judged; `checks` are the verdicts on those that were.
        written: the files of the leaderboard to which the predictions were added.
    """

    sentences: int
    seeds: int
    labels_of: str | None
    labels_not_checked: str | None
    intervals: Mapping[stats.Statistic, stats.Interval]
    difference: stats.Difference | None
    gates: Gates
    checks: Sequence[Check]
    written: Sequence[Path]

    def passes(self, strict: bool) -> bool:
        """Return whether the judged gates are met and, if `strict`, all gates were judged."""
        allowed = {"pass"}
        if self.gates.thresholds.on_doubt == "pass":
            allowed.add("not-enough-evidence")
        met = all(each.verdict in allowed for each in self.checks)
        return met and not (strict and self.gates.not_judged)


def outcome_of(request: Request, columns: Columns, split: "Split") -> Outcome:
    """Judge the predictions, and add them to the leaderboard that was named.

    Raises:
        BadInput: files that cannot be read or do not fit together or the split, or a row that
            cannot be added.
    """
    trained = () if request.published is None else request.published.runs
    runs = [*trained, *read_runs((*request.files, *request.baseline), columns)]
    labels, both = together(runs)
    seeds = len(runs) - len(request.baseline)
    labels_of: str | None = None
    unchecked: str | None = NO_SUITE
    if isinstance(split, str):
        unchecked = split
    elif split is not None:
        check_labels(runs, split)
        labels_of, unchecked = split.origin, None
    predicted, before = both[:seeds], both[seeds:]
    classes, thresholds = len(columns.class_names), request.gates.thresholds
    checks = given_checks(labels, predicted, classes, thresholds)
    difference = None
    if request.baseline:
        compared = (labels, predicted, before, classes)
        difference = given_difference(*compared, request.paired_seeds)
        if "max_drop" in judged(thresholds, with_baseline=True):
            source = series([*map(str, request.baseline)])
            checks.append(given_drop_check(*compared, thresholds, source, request.paired_seeds))
    row = request.row
    return Outcome(
        sentences=len(labels),
        seeds=seeds,
        labels_of=labels_of,
        labels_not_checked=unchecked,
        intervals=given_intervals(labels, predicted, classes),
        difference=difference,
        gates=request.gates,
        checks=checks,
        written=[] if row is None else add_row(row, request.files, runs[:seeds], split),
    )


def in_json(outcome: Outcome) -> str:
    """Return the outcome for programs."""
    content: dict[str, object] = {
        "sentences": outcome.sentences,
        "labels_of": outcome.labels_of,
        "labels_not_checked": outcome.labels_not_checked,
        **{name: asdict(interval) for name, interval in outcome.intervals.items()},
        "difference": None if outcome.difference is None else asdict(outcome.difference),
        "gates": [asdict(each) for each in outcome.checks],
        "not_judged": [asdict(each) for each in outcome.gates.not_judged],
        "written": [*map(str, outcome.written)],
    }
    return json.dumps(content, indent=1)


def lines(outcome: Outcome) -> Iterator[str]:
    """Yield the outcome for people, without the line on gates that were not judged."""
    yield f"{counted(outcome.sentences, 'sentence')}, {counted(outcome.seeds, 'seed')}"
    if outcome.labels_of is not None:
        yield f"labels: those of the validation split of {outcome.labels_of}"
    elif outcome.labels_not_checked != NO_SUITE:
        yield f"labels not checked: {outcome.labels_not_checked}"
    for name, found in outcome.intervals.items():
        gate = [each.threshold for each in outcome.checks if each.gate == f"min_{name}"]
        value, low, high = (beside(each, *gate) for each in (found.mean, found.low, found.high))
        yield f"{name} {value} (95 % interval {low} to {high}, {found.covers})"
    if (difference := outcome.difference) is not None:
        size, interval = with_interval(
            difference.difference, difference.low, difference.high, least=4
        )
        yield (
            f"difference of mcc from the baseline {size} (95 % interval {interval}, "
            f"p = {p_text(difference.p_value)}, {difference.covers})"
        )
    for each in outcome.checks:
        yield f"{each.verdict}: {each.reason}"
    for line in outcome.gates.lines:
        yield f"not judged: {line}"
    for file in outcome.written:
        yield f"written: {file}"
