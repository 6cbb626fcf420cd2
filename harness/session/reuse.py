"""Which finished runs are reused for the runs of the current plan."""

from collections.abc import Collection, Sequence
from typing import Any

from harness.kept import kept_files
from harness.machine import provenance
from harness.session.suite_inputs import Inputs
from harness.store import records
from harness.store.records import Record
from harness.store.run_store import Stored, finished
from harness.store.stopped import verdict_of
from harness.suite.plan import Cell, Run, runs_of, training_of
from harness.suite.spec import Suite


def adopted(run: Run, stored: Stored, inputs: Inputs | None = None) -> Stored:
    """Return a finished run with the names of this plan: it may have been trained under others.

    Names and thresholds are not part of a run's key. Nothing is written: renewal does that.

    Args:
        inputs: the current data and checkpoints, if they were loaded.
    """
    cell, scores = run.cell, stored.record.scores
    assert scores is not None
    current: dict[str, object] = {
        "suite": cell.suite,
        "cell": cell.id,
        "checkpoint": cell.checkpoint,
        "threshold": cell.threshold,
        "verdict": verdict_of(scores.mcc, cell.threshold, stored.record.stopped is not None),
        "target_mcc": cell.target,
        "time_to_target_seconds": records.time_to_target(stored.record.epochs, cell.target),
    }
    if inputs is not None:
        current["dataset"] = inputs.dataset or stored.record.dataset
        if (found := inputs.checkpoints.get(cell.checkpoint)) is not None:
            current |= {"checkpoint_revision": found.revision, "origin": found.origin}
    return Stored(stored.record.model_copy(update=current), stored.folder)


def as_kept(stored: Stored) -> Stored:
    """Return a run whose record states whether its model exists now: it may have been removed."""
    if not stored.record.model_kept:
        return stored
    kept = kept_files.is_kept(stored.folder)
    return Stored(stored.record.model_copy(update={"model_kept": kept}), stored.folder)


def one_per_key(store: Sequence[Stored], models: bool) -> list[Stored]:
    """Return a store with one finished run of each key, in the same order.

    A run that trains again after its checkpoint was renamed has its old key, but the folder of its
    new cell, so that two have one key. A whole run is used before a stopped one, then the newest.
    Runs without a score stay.

    Args:
        models: whether models are kept; then one with a model is used before a newer one.
    """

    def completeness(item: Stored) -> tuple[bool, bool, str]:
        kept = models and kept_files.is_kept(item.folder)
        return item.record.stopped is None, kept, item.record.finished_at or ""

    by_key: dict[str, Stored] = {}
    for key, item in finished(store):
        other = by_key.get(key)
        if other is None or completeness(item) > completeness(other):
            by_key[key] = item
    used = {item.folder for item in by_key.values()}
    return [item for item in store if item.record.status != "ok" or item.folder in used]


def reusable(
    runs: dict[str, Stored], suite: Suite, candidates: Sequence[Stored]
) -> dict[str, Stored]:
    """Return the finished runs by key, without runs whose model is required but was not kept.

    Args:
        candidates: the runs among which a checkpoint's best is selected; see best_by_checkpoint.
    """
    match suite.keep_models:
        case "none":
            wanted: Sequence[Stored] = ()
        case "best":
            wanted = best_by_checkpoint(candidates)
        case "all":
            wanted = list(runs.values())
    lost = {item.record.key for item in wanted if not kept_files.is_kept(item.folder)}
    return {key: item for key, item in runs.items() if key not in lost}


def best_by_checkpoint(candidates: Sequence[Stored]) -> list[Stored]:
    """Return the run of highest MCC of each checkpoint; a checkpoint is identified by its files.

    Ties always select the same run, whatever the runs' names and order; see best_run.
    """
    by_checkpoint: dict[str | None, list[Stored]] = {}
    for item in sorted(candidates, key=lambda item: item.record.key or ""):
        if item.record.scores is not None:
            by_checkpoint.setdefault(item.record.checkpoint_digest, []).append(item)
    return [best_run(items) for items in by_checkpoint.values()]


def best_run(scored: Sequence[Stored]) -> Stored:
    """Return the run of highest MCC.

    Among ties, runs with a kept model come first, so that none trains again for its model; then
    the run with the smallest key.
    """

    def mcc(item: Stored) -> float:
        assert item.record.scores is not None
        return item.record.scores.mcc

    scored = one_per_key(scored, models=True)
    highest = max(map(mcc, scored))
    ties = [item for item in scored if mcc(item) == highest]
    if len(ties) == 1:  # the usual case; the others read files
        return ties[0]
    return min(ties, key=lambda item: (not kept_files.is_kept(item.folder), item.record.key or ""))


def matching_setup(store: Sequence[Stored], suite: Suite, inputs: Inputs) -> list[Stored]:
    """Return the records of runs of any cell that ended and match the current setup.

    The setup is the training, data, device, recipe and the packages that change a result. Keys of
    [training] with several values in the suite's matrix may have any value.
    """
    if inputs.dataset is None:
        return []
    packages = tuple(provenance.versions(provenance.RESULT_PACKAGES).values())
    now = (inputs.dataset.fingerprint, inputs.device, provenance.RECIPE_VERSION, packages)
    axes = suite.matrix.axes()
    any_value = {name: getattr(suite.training, name) for name in axes if len(axes[name]) > 1}
    return [
        item
        for item in store
        if item.record.status != "skipped"
        and item.record.training.model_copy(update=any_value) == suite.training
        and _setup(item.record) == now
    ]


def belongs_to(record: Record, cell: Cell, digest: str | None = None) -> bool:
    """Return whether a record belongs to a cell, with the same checkpoint and not only its name.

    Settings of [training] are compared if they differ between the cells of the plan.

    Args:
        digest: the digest of the cell's checkpoint, if its files were read.
    """
    known = digest is not None and record.checkpoint_digest is not None
    named = (record.cell, record.checkpoint) == (cell.id, cell.checkpoint)
    return (
        record.batch_size == cell.batch_size
        and record.learning_rate == cell.learning_rate
        and all(getattr(record.training, name) == cell.settings[name] for name in cell.settings)
        and (record.checkpoint_digest == digest if known else named)
    )


def latest(
    store: Sequence[Stored], suite: Suite, cells: Sequence[Cell], inputs: Inputs
) -> dict[tuple[str, int], Stored]:
    """Return the newest record of each cell and seed that matches the current setup.

    The checkpoint's files are compared if this session has read them, else its name.
    """
    found: dict[tuple[str, int], list[Stored]] = {}
    alike: dict[tuple[int, float], list[Cell]] = {}  # a run can only be of one of these
    for cell in cells:
        alike.setdefault((cell.batch_size, cell.learning_rate), []).append(cell)
    for item in sorted(
        matching_setup(store, suite, inputs), key=lambda item: item.record.finished_at or ""
    ):
        for cell in alike.get((item.record.batch_size, item.record.learning_rate), ()):
            if item.record.status != "ok" and item.record.cell != cell.id:
                continue
            if _unusable(item.record, cell):
                continue
            checkpoint = inputs.checkpoints.get(cell.checkpoint)
            if belongs_to(item.record, cell, None if checkpoint is None else checkpoint.digest):
                found.setdefault((cell.id, item.record.seed), []).append(item)
    by_id = {cell.id: cell for cell in cells}
    newest: dict[tuple[str, int], Stored] = {}
    models = suite.keep_models != "none"
    for (cell_id, seed), items in found.items():
        run = Run(by_id[cell_id], seed, training_of(by_id[cell_id], suite.training))
        newest[cell_id, seed] = as_planned(run, one_per_key(items, models)[-1], inputs)
    return newest


class Unlike:
    """Finished runs of a store that no run of a plan reuses, although they are of its cells.

    Args:
        store: all records of the suite.
        wanted: the keys of the plan's runs: a run of one of these is no earlier form of another.
    """

    def __init__(self, store: Sequence[Stored], wanted: Collection[str]) -> None:
        self._by_place: dict[tuple[str, int, float, int], list[Record]] = {}
        for key, item in finished(store):
            record = item.record
            if key not in wanted:
                place = (record.checkpoint, record.batch_size, record.learning_rate, record.seed)
                self._by_place.setdefault(place, []).append(record)

    def differences(self, run: Run, inputs: Inputs) -> tuple[str, ...]:
        """Return in what the most alike finished run of a run's cell and seed differs from it.

        Returns:
            a short phrase for each difference; empty if there is no such run.
        """
        cell = run.cell
        place = (cell.checkpoint, cell.batch_size, cell.learning_rate, run.seed)
        found = [
            _differences(record, run, inputs)
            for record in self._by_place.get(place, ())
            if all(getattr(record.training, name) == cell.settings[name] for name in cell.settings)
        ]
        return min(found, key=len, default=())


def _differences(record: Record, run: Run, inputs: Inputs) -> tuple[str, ...]:
    assert inputs.dataset is not None
    settings = [
        name
        for name in type(run.training).model_fields
        if getattr(run.training, name) != getattr(record.training, name)
    ]
    versions = provenance.versions(provenance.RESULT_PACKAGES)
    packages = [name for name in versions if versions[name] != record.versions.get(name)]
    fingerprint = None if record.dataset is None else record.dataset.fingerprint
    found = {
        "other data": fingerprint != inputs.dataset.fingerprint,
        "other checkpoint files": (
            record.checkpoint_digest != inputs.checkpoints[run.cell.checkpoint].digest
        ),
        f"other settings ({', '.join(settings)})": bool(settings),
        "other device": record.device != inputs.device,
        f"other package versions ({', '.join(packages)})": bool(packages),
        "other recipe": record.recipe_version != provenance.RECIPE_VERSION,
    }
    return tuple(text for text, differs in found.items() if differs)


def _unusable(record: Record, cell: Cell) -> bool:
    """Return whether a record is of a stopped run of a cell that looks judge.

    Looks judge whole runs, and train what they need. A stopped run beyond the seeds that they need
    must not take a decided cell's verdict, its rank, or its place in a race.
    """
    return cell.looks is not None and record.stopped is not None


def as_planned(run: Run, stored: Stored, inputs: Inputs | None = None) -> Stored:
    """Return a scored run with the names of this plan, any other run unchanged."""
    return adopted(run, stored, inputs) if stored.record.status == "ok" else stored


def records_for_plan(
    suite: Suite, cells: Sequence[Cell], store: Sequence[Stored]
) -> tuple[list[Stored], list[str]]:
    """Return the newest record of every cell and seed, in plan order, and notes on those left out.

    Data, checkpoints and the network are not used. Other runs count only if they match the newest
    run that ended: the same data, device, recipe and versions of the packages that change a
    result, and the same files of a checkpoint. A skipped run counts only if no other run does.
    """
    runs = {(cell.id, run.seed): run for cell in cells for run in runs_of(cell, suite.training)}
    ours = sorted(
        (
            item
            for item in store
            if (run := runs.get((item.record.cell, item.record.seed))) is not None
            and belongs_to(item.record, run.cell)
            and not _unusable(item.record, run.cell)
            and item.record.training == run.training
        ),
        key=lambda item: item.record.finished_at or "",
        reverse=True,
    )
    ended = [item for item in ours if item.record.status != "skipped"]
    same = [i for i in ended if _setup(i.record) == _setup(ended[0].record)]
    digests: dict[str, str | None] = {}
    for item in same:
        digests.setdefault(item.record.checkpoint, item.record.checkpoint_digest)
    counted = [i for i in same if i.record.checkpoint_digest == digests[i.record.checkpoint]]
    left_out = len(ended) - len(counted)
    found: dict[tuple[str, int], list[Stored]] = {}
    for item in (*counted, *(item for item in ours if item.record.status == "skipped")):
        found.setdefault((item.record.cell, item.record.seed), []).append(item)
    note = (
        f"{left_out} older records are left out: they have other data, checkpoint files, "
        "device, recipe or package versions than the newest"
    )
    stored = [
        as_planned(run, one_per_key(found[place], suite.keep_models != "none")[0])
        for place, run in runs.items()
        if place in found
    ]
    return stored, [note] if left_out else []


def _setup(record: Record) -> tuple[Any, ...]:
    """Return what a record's run must share with others, besides suite and checkpoint."""
    fingerprint = None if record.dataset is None else record.dataset.fingerprint
    packages = tuple(record.versions.get(package) for package in provenance.RESULT_PACKAGES)
    return fingerprint, record.device, record.recipe_version, packages
