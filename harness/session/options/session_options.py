"""The options of a session, except its suites."""

from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput
from harness.judging.baseline import Baseline
from harness.session.budget.amount import read_budget
from harness.session.options.declared import flag_of
from harness.session.options.folders import Chosen, baseline_file, cola_folder, results_folder
from harness.suite.gates import AGAINST_BASELINE


@dataclass(frozen=True)
class Options:
    """The options of a session, except its suites; `budget` is in seconds.

    `trains` is False if the missing runs are not trained, because no test will wait for them.
    """

    results: Path
    cola_dir: Path | None
    rerun: bool
    ray_address: str | None = None
    baseline: Baseline | None = None
    replace: bool = False
    strict: bool = False
    budget: int | None = None
    trains: bool = True

    def baseline_of(self, suite: str) -> Baseline | None:
        """Return the baseline that a suite's cells are compared with, or None."""
        given = self.baseline
        return given if given is not None and given.suite == suite else None


def read_options(chosen: Chosen, trains: bool = True) -> tuple[Options, list[str]]:
    """Return the session's options without those that are wrong, and every mistake in them.

    Empty values are left out; see empty_values.

    Args:
        trains: see Options.
    """
    problems: list[str] = []
    if chosen.values.get("baseline") is None:
        problems += [
            f"{flag_of(name)}: {value}: has no effect without --baseline FILE; add it"
            for name in AGAINST_BASELINE
            if (value := chosen.values.get(name)) is not None
        ]
    baseline = budget = None
    if time := chosen.values.get("budget"):
        try:
            budget = read_budget(time)
        except BadInput as error:
            problems += error.problems
    if (path := baseline_file(chosen)) is not None:
        from harness.report import read_published  # pandas, rarely needed

        try:
            published = read_published(path)
            baseline = Baseline(path.name, published.suite, published.records)
        except BadInput as error:
            problems += error.problems
    options = Options(
        results=results_folder(chosen),
        cola_dir=cola_folder(chosen),
        rerun=bool(chosen.values.get("rerun")),
        replace=bool(chosen.values.get("replace")),
        strict=bool(chosen.values.get("strict")),
        ray_address=chosen.values.get("ray_address"),
        baseline=baseline,
        budget=budget,
        trains=trains,
    )
    return options, problems
