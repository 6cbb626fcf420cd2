"""With `keep_models = "best"`: removes the models of other runs, as soon as a better run ends."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.kept import kept_files
from harness.session.reuse import best_by_checkpoint
from harness.store.run_store import Stored


def discard_others(candidates: Sequence[Stored]) -> None:
    """Remove the models of runs that are not the best of their checkpoint.

    If the best run has no model, because it could not be saved, the best of those with one keeps
    it: another session trains the best run again.
    """
    best = best_by_checkpoint(candidates)
    lacking = {
        item.record.checkpoint_digest for item in best if not kept_files.is_kept(item.folder)
    }
    with_model = [
        item
        for item in candidates
        if item.record.checkpoint_digest in lacking and kept_files.is_kept(item.folder)
    ]
    spared = {item.folder for item in (*best, *best_by_checkpoint(with_model))}
    for item in candidates:
        if item.folder not in spared:
            kept_files.discard(item.folder)


class BestModels:
    """The runs of a session among which each checkpoint's best keeps its model.

    Args:
        candidates: the runs that ended before, by the suites that keep the best models.
    """

    def __init__(self, candidates: Mapping[str, Sequence[Stored]]) -> None:
        self._candidates = {
            suite: {item.folder: item for item in items} for suite, items in candidates.items()
        }

    def begin(self, suite: str, folder: Path) -> None:
        """Leave out the run of this folder while it trains: nothing may be removed there."""
        self._candidates.get(suite, {}).pop(folder, None)

    def end(self, suite: str, stored: Stored) -> None:
        """Add a run that ended, and remove the models of its checkpoint that are not the best."""
        candidates = self._candidates.get(suite)
        if candidates is None or stored.record.scores is None:
            return
        candidates[stored.folder] = stored
        digest = stored.record.checkpoint_digest
        own = [item for item in candidates.values() if item.record.checkpoint_digest == digest]
        with contextlib.suppress(Exception):  # whatever fails, the run's result must be delivered
            discard_others(own)
