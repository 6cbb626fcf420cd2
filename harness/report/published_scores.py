"""Compares leaderboard rows with published scores, or gives the reasons why they are not alike."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from statistics import mean

from harness import stats
from harness.judging.evidence import NoEvidence, evidence
from harness.stats.planning import published_reach
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.suite.references import Reference
from harness.suite.training import TrainingSpec
from harness.text import counted, scientific, series

STATED = {
    "statistic": "statistic",
    "seeds": "number of runs",
    "epochs": "epochs",
    "batch_sizes": "batch size",
    "learning_rates": "learning rate",
    "selection": "selected epoch",
}
"""Fields without which a recipe is not known, with their names."""

USUAL = (
    "weight_decay",
    "adam_beta1",
    "adam_beta2",
    "adam_epsilon",
    "warmup_ratio",
    "lr_scheduler",
    "max_grad_norm",
    "label_smoothing",
    "patience",
)
"""Settings that references have no field for: a row must have the default of each."""

NO_RUNS = "no cell of this checkpoint has a score for all its seeds"
STOPPED = "runs of its cells were stopped before their last epoch"


@dataclass(frozen=True)
class Against:
    """A published score against one row, the cell of this checkpoint most like its recipe.

    Attributes:
        cell: id; None if no cell of the checkpoint is scored.
        mcc: mean over the row's seeds.
        interval: 95 % interval of the row for other sentences and seeds.
        published: 95 % interval of the published score, with the row's spreads.
        reasons: why the two are not comparable; empty if they are.
    """

    reference: Reference
    cell: str | None = None
    mcc: float | None = None
    interval: tuple[float, float] | None = None
    published: tuple[float, float] | None = None
    reasons: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool | None:
        """Whether both intervals together explain the gap; None if they cannot be compared."""
        if self.mcc is None or self.interval is None or self.published is None:
            return None
        own, theirs = ((high - low) / 2 for low, high in (self.interval, self.published))
        # The interval of a difference from those of its parts (Zou and Donner 2008).
        return abs(self.mcc - self.reference.mcc) <= hypot(own, theirs)


def source_of(records: Iterable[Record], checkpoint: str) -> tuple[str | None, frozenset[str]]:
    """Return the name of a checkpoint on the hub, and names that its files only claim.

    A record without an origin is older; then the checkpoint's name in the suite counts.

    Args:
        records: runs with this checkpoint.
    """
    origins = [record.origin for record in records if record.origin is not None]
    if not origins:
        return checkpoint.partition("@")[0], frozenset()
    names = {origin.name if origin.source == "hub" else None for origin in origins}
    claims = {value.partition("@")[0] for origin in origins for value in origin.says.values()}
    certain = names.pop() if len(names) == 1 else None
    return certain, frozenset(claims) - {certain}


def against(
    reference: Reference, cells: Sequence[Cell], runs: Mapping[str, Sequence[Record]]
) -> Against | None:
    """Compare a published score with the cell of its checkpoint that is most like its recipe.

    Of equally like cells, the one with the highest mean MCC.

    Args:
        runs: the records of each cell, by its id.

    Returns:
        None if no cell has a checkpoint of this name, or one that claims this source.
    """
    candidates: list[tuple[tuple[int, float], Against]] = []
    known = stopped = False
    for cell in cells:
        certain, claims = source_of(runs[cell.id], cell.checkpoint)
        if reference.checkpoint not in {certain, *claims}:
            continue
        known = True
        scored = [run for run in runs[cell.id] if run.scores is not None]
        stopped |= any(run.stopped is not None for run in scored)
        if not scored or len(scored) < len(cell.seeds) or any(run.stopped for run in scored):
            continue
        reasons = list(_unlike(reference, cell, scored))
        if certain != reference.checkpoint:
            reasons.insert(0, _claimed(reference))
        found = _compared(reference, cell, scored, reasons)
        assert found.mcc is not None
        candidates.append(((-len(found.reasons), found.mcc), found))
    if candidates:
        return max(candidates, key=lambda each: each[0])[1]
    return Against(reference, reasons=(STOPPED if stopped else NO_RUNS,)) if known else None


def _claimed(reference: Reference) -> str:
    return (
        f"the files of this row's checkpoint only name {reference.checkpoint} as their source, "
        "which may be the model that it was made from"
    )


def _unlike(reference: Reference, cell: Cell, runs: Sequence[Record]) -> Iterator[str]:
    """Yield every reason why a row is not of the recipe of a published score."""
    training = runs[0].training
    if reference.split == "test":
        yield "it is of the test split"
    missing = [name for field, name in STATED.items() if getattr(reference, field) is None]
    if reference.seeds == 1 and "statistic" in missing:
        missing.remove("statistic")  # every statistic of one run is its score
    if missing:
        yield f"it does not state its {series(missing)}"
    if reference.statistic in ("median", "best") and reference.seeds != 1:
        yield f"it is {_runs(reference)}, this row a mean"
    settings: tuple[tuple[str, tuple[float, ...] | None, float], ...] = (
        ("epochs", reference.epochs, training.epochs),
        ("batch size", reference.batch_sizes, cell.batch_size),
        ("learning rate", reference.learning_rates, cell.learning_rate),
    )
    for name, stated, own in settings:
        if stated is not None and stated != (own,):
            searched = "is the best of a search over" if len(stated) > 1 else "has"
            yield f"it {searched} {name} {series([*map(_number, stated)])}, this row {_number(own)}"
    if reference.selection not in (None, training.selection):
        yield f"it scores the {_epoch(reference.selection)}, this row the " + _epoch(
            training.selection
        )
    usual = TrainingSpec()
    changed = [name for name in USUAL if getattr(training, name) != getattr(usual, name)]
    if changed:
        yield f"this row has its own {series(changed)}"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else scientific(value)


def _epoch(selection: str | None) -> str:
    names = {
        "best-epoch": "epoch of the highest MCC",
        "last-epoch": "last epoch",
        "lowest-loss": "epoch of the lowest loss",
    }
    return names[str(selection)]


def _compared(
    reference: Reference, cell: Cell, runs: Sequence[Record], reasons: list[str]
) -> Against:
    mcc = mean(run.scores.mcc for run in runs if run.scores is not None)
    try:
        found = evidence(runs)
    except NoEvidence as error:
        return Against(reference, cell.id, mcc, reasons=(*reasons, str(error)))
    estimate = stats.mean_interval(found.labels, found.selected, classes=found.classes)
    reach = published_reach(estimate, estimate.seeds)
    # With several seeds, the row's interval is that of the table.
    interval = (estimate.low, estimate.high) if estimate.seeds > 1 else (mcc - reach, mcc + reach)
    if reasons or reference.seeds is None:
        return Against(reference, cell.id, mcc, interval, reasons=tuple(reasons))
    theirs = published_reach(estimate, reference.seeds)
    around = reference.mcc - theirs, reference.mcc + theirs
    return Against(reference, cell.id, mcc, interval, around)


def recipe_in_words(reference: Reference) -> str:
    """Return the stated settings as one phrase; what is not stated is left out."""
    epochs, sizes, rates = (
        None if values is None else f"{name} {series([*map(_number, values)])}"
        for name, values in (
            ("epochs", reference.epochs),
            ("batch size", reference.batch_sizes),
            ("learning rate", reference.learning_rates),
        )
    )
    selection = reference.selection
    parts = [
        _runs(reference),
        epochs,
        sizes,
        rates,
        None if selection is None else f"{selection.replace('-', ' ')} scored",
        "test split" if reference.split == "test" else None,
    ]
    stated = ", ".join(part for part in parts if part is not None)
    return f"{stated}; {reference.recipe}" if stated else reference.recipe


def _runs(reference: Reference) -> str | None:
    """Return what the score is of its runs: one run, the median of 5 runs."""
    if reference.seeds == 1:
        return "one run"
    known = None if reference.seeds is None else counted(reference.seeds, "run")
    if reference.statistic is None:
        return known
    return f"the {reference.statistic} of {known or 'a number of runs not stated'}"


def in_words(found: Against) -> str:
    """Return the result as a phrase, without the published score itself."""
    if found.mcc is None or found.cell is None:
        return f"not comparable: {'; '.join(found.reasons)}"
    row = f"{found.cell}: {found.mcc:z.3f}"
    if found.interval is not None:
        row += f" ({found.interval[0]:z.3f} to {found.interval[1]:z.3f})"
    if found.agrees is None or found.published is None:
        return f"{row}: not comparable, because {'; '.join(found.reasons)}"
    low, high = found.published
    runs = counted(found.reference.seeds or 1, "run")
    return (
        f"{row} against {low:z.3f} to {high:z.3f} for {runs} of this spread: a difference of "
        f"{found.mcc - found.reference.mcc:+z.3f}, "
        f"{'within' if found.agrees else 'beyond'} both intervals"
    )
