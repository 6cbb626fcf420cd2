"""Which finished runs stand for the runs of today."""

from collections.abc import Sequence

from harness import provenance, records
from harness.inputs import Inputs
from harness.plan import Run
from harness.records import Stored
from harness.spec import Suite


def adopted(run: Run, stored: Stored) -> Stored:
    """Return a finished run as one of this plan: it may have been trained under other names.

    Names and thresholds are no part of a run's key; on disk the record stays as it was written.
    """
    cell, scores = run.cell, stored.record.scores
    assert scores is not None
    passed = None if cell.threshold is None else scores.mcc >= cell.threshold
    record = stored.record.model_copy(
        update={
            "suite": cell.suite,
            "cell": cell.id,
            "checkpoint": cell.checkpoint,
            "threshold": cell.threshold,
            "verdict": None if passed is None else "pass" if passed else "fail",
            "target_mcc": cell.target,
            "time_to_target_seconds": records.time_to_target(stored.record.epochs, cell.target),
        }
    )
    return Stored(record, stored.folder)


def reusable(finished: dict[str, Stored], suite: Suite) -> dict[str, Stored]:
    """Return the finished runs by key, without those whose model is wanted and was not kept."""
    match suite.keep_models:
        case "none":
            wanted: Sequence[Stored] = ()
        case "best":
            wanted = best_by_checkpoint(list(finished.values()))
        case "all":
            wanted = list(finished.values())
    lost = {item.record.key for item in wanted if not (item.folder / "model").is_dir()}
    return {key: item for key, item in finished.items() if key not in lost}


def best_by_checkpoint(stored: Sequence[Stored]) -> list[Stored]:
    """Return each checkpoint's run of highest MCC, the earliest of equals."""
    best: dict[str, Stored] = {}
    for item in stored:
        if item.record.scores is not None:
            held = best.setdefault(item.record.checkpoint, item)
            assert held.record.scores is not None
            if item.record.scores.mcc > held.record.scores.mcc:
                best[item.record.checkpoint] = item
    return list(best.values())


def latest(store: Sequence[Stored], suite: Suite, inputs: Inputs) -> dict[tuple[str, int], Stored]:
    """Return the newest record of each cell and seed that a run of today would be like.

    The checkpoint's files are compared where this session looked at them.
    """
    newest: dict[tuple[str, int], Stored] = {}
    for item in sorted(store, key=lambda item: item.record.finished_at or ""):
        record = item.record
        checkpoint = inputs.checkpoints.get(record.checkpoint)
        if (
            record.status != "skipped"
            and record.training == suite.training
            and record.dataset is not None
            and inputs.dataset is not None
            and record.dataset.fingerprint == inputs.dataset.fingerprint
            and record.device == inputs.device
            and record.recipe_version == provenance.RECIPE_VERSION
            and provenance.versions().items() >= record.versions.items()
            and (checkpoint is None or checkpoint.digest == record.checkpoint_digest)
        ):
            newest[record.cell, record.seed] = item
    return newest
