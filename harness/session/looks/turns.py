"""The order in which a session submits runs: those that are needed, then some ahead."""

import threading
from collections.abc import Callable, Collection, Sequence

from harness.session.looks.needed import Needs, RunId


class Turns:
    """Decides which runs are submitted next. It is used by several threads, under its `lock`.

    Args:
        needs: returns which runs are needed according to the results so far; None if all are.

    Attributes:
        released: the runs that will never be needed.
        ahead: the runs that were submitted before they were needed.
        problems: why `needs` failed, if it did; then every run is submitted, as without looks.
    """

    def __init__(self, needs: Callable[[], Needs] | None) -> None:
        self.lock = threading.RLock()
        self.released: frozenset[RunId] = frozenset()
        self.ahead: set[RunId] = set()
        self.problems: tuple[str, ...] = ()
        self._needs = needs
        self._submitted: set[RunId] = set()

    def due(self, runs: Sequence[RunId], ended: Collection[RunId], workers: int) -> list[RunId]:
        """Return the runs to submit now, in order, and count them as submitted.

        Args:
            runs: all runs of the session, longest first.
            ended: those of them that have ended.
            workers: runs at a time. If fewer are submitted, some are submitted ahead.
        """
        if self._needs is None or self.problems:
            return self._submit(runs)
        try:
            needs = self._needs()
        except Exception as error:  # it must not stop the session, which waits for the runs
            reason = f"{type(error).__name__}: {error}"
            self.problems = (f"looks failed, so every run is trained: {reason}",)
            self.released = frozenset()
            return self._submit(runs)
        self.released = needs.released
        due = self._submit([run for run in runs if run in needs.now])
        spare = workers - len(self._submitted - set(ended))
        left = set(runs) - self._submitted
        possible = [run for run in needs.ahead if run in left]
        ahead = self._submit(possible[: max(spare, 0)])
        self.ahead |= set(ahead)
        return due + ahead

    def _submit(self, runs: Sequence[RunId]) -> list[RunId]:
        new = [run for run in runs if run not in self._submitted]
        self._submitted |= set(new)
        return new
