"""An earlier leaderboard with which each cell of a session is compared."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.judging.sides import differing, differing_software, software, software_of
from harness.machine.provenance import RECIPE_VERSION, RESULT_PACKAGES, versions
from harness.store.records import DatasetFacts, Record
from harness.suite.plan import Cell
from harness.suite.training import TrainingSpec

DEFAULT_MAX_DROP = 0.02
"""The allowed drop in MCC if the suite sets none: about the standard error of a difference between
two cells of three seeds."""


@dataclass(frozen=True)
class Baseline:
    """Records of an earlier leaderboard; `source` names the file for messages."""

    source: str
    suite: str
    records: tuple[Record, ...]


def runs_of_cell(baseline: Baseline, cell: Cell, training: TrainingSpec) -> list[Record]:
    """Return the baseline's scored runs of a cell: with its checkpoint, batch size, rate, settings.

    If several of its cells have these, they differ in other settings: the cell with equal training
    is chosen, or none.

    Args:
        training: of the cell's runs.
    """
    settings = (cell.checkpoint, cell.batch_size, cell.learning_rate)
    found = [
        record
        for record in baseline.records
        if (record.checkpoint, record.batch_size, record.learning_rate) == settings
        and all(getattr(record.training, name) == cell.settings[name] for name in cell.settings)
    ]
    if len({record.cell for record in found}) > 1:
        found = [record for record in found if record.training == training]
    return [record for record in found if record.scores is not None]


def training_changes(before: Record, now: Record) -> str:
    """Return the training settings that changed since the baseline, or an empty string."""
    pairs = {
        name: (getattr(before.training, name), getattr(now.training, name))
        for name in TrainingSpec.model_fields
    }
    changed = [f"{name} {old} then, {new} now" for name, (old, new) in pairs.items() if old != new]
    return f"; the training differs: {', '.join(changed)}" if changed else ""


def software_changes(baseline: Baseline | None, now: Iterable[Mapping[str, str]]) -> list[str]:
    """Return a line if recipe or package versions differ from those of the baseline's runs.

    Args:
        now: recipe and versions of the other side, from `software`.
    """
    then = [] if baseline is None else [run for run in baseline.records if run.scores is not None]
    differences = differing_software(now, software_of(then)) if then else {}
    if baseline is None or not differences:
        return []
    return [
        f"recipe or package versions differ from those of the baseline {baseline.source}, now "
        f"against then: {differing(differences)}"
    ]


def software_here() -> list[dict[str, str]]:
    """Return the recipe and the package versions with which this machine trains."""
    return [software(RECIPE_VERSION, versions(RESULT_PACKAGES))]


def problems(
    baseline: Baseline | None, datasets: Mapping[str, DatasetFacts | None]
) -> Iterator[str]:
    """Yield the reasons why a baseline cannot be compared with the suites of a session.

    Args:
        baseline: None if the session has none; then nothing is yielded.
        datasets: the data of each suite of the session; None if they are not available.
    """
    if baseline is None:
        return
    if baseline.suite not in datasets:
        yield (
            f"--baseline: {baseline.source}: a leaderboard of the suite {baseline.suite!r}, which "
            f"this session does not run ({', '.join(map(repr, datasets))}); run that suite or "
            "name another baseline"
        )
        return
    today = datasets[baseline.suite]
    known = {
        run.dataset.fingerprint: run.dataset
        for run in baseline.records
        if run.scores is not None and run.dataset is not None
    }
    if not known:
        yield (
            f"--baseline: {baseline.source}: contains no scored run; create it again with "
            "`pytest benchmarks/`"
        )
    if today is None:
        return
    for facts in known.values():
        if facts.fingerprint != today.fingerprint:
            yield (
                f"--baseline: {baseline.source}: it was scored on different data ({facts.origin}, "
                f"{facts.validation:,} validation sentences) than this session ({today.origin}, "
                f"{today.validation:,}); scores on different sentences cannot be compared"
            )
