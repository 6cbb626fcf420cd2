"""The results of a session's runs: those that ended are looked up once, however often asked for."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from harness.session.looks.needed import RunId
from harness.store.run_store import Stored


@dataclass(frozen=True)
class _Seen:
    """The runs that ended at some moment, in the order of all runs, and those still open."""

    ended: Mapping[RunId, Stored]
    open: tuple[Future[Stored], ...]


class Results:
    """The future of every run of a session, by suite, cell and seed.

    A session asks which runs ended at every test and after every run; with a thousand runs that
    were finished before, looking at each of them again would take longer than all the rest.
    """

    def __init__(self) -> None:
        self.futures: dict[RunId, Future[Stored]] = {}
        self._seen: _Seen | None = None

    def add(self, futures: Mapping[RunId, Future[Stored]]) -> None:
        """Add runs; a run that is there already gets the new future."""
        self.futures |= futures
        self._seen = None

    def set(self, run: RunId, stored: Stored) -> None:
        """Add a run that ended."""
        future: Future[Stored] = Future()
        future.set_result(stored)
        self.add({run: future})

    def ended(self) -> Mapping[RunId, Stored]:
        """Return the runs that ended; the same object until another run ends or is added."""
        seen = self._seen
        if seen is None or any(future.done() for future in seen.open):
            done = {run: future for run, future in self.futures.items() if future.done()}
            seen = _Seen(
                {run: each.result() for run, each in done.items() if not each.cancelled()},
                tuple(future for run, future in self.futures.items() if run not in done),
            )
            self._seen = seen  # one assignment, because workers' threads ask too
        return seen.ended
