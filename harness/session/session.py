"""One invocation: finds finished and missing runs, trains the missing ones, stores the results."""

import contextlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import BadInput, Unavailable
from harness.executors.local import start_fork_server
from harness.forecast.schedule import schedule
from harness.inputs import hub
from harness.judging import baseline as baselines
from harness.judging.baseline import Baseline
from harness.kept import kept_files
from harness.machine import contention
from harness.session.dispatch import PRELOAD, Dispatch, Missing
from harness.session.renewal import renew
from harness.session.reuse import adopted, best_by_checkpoint, latest, matching_setup
from harness.session.run_status import run_statuses, skipped
from harness.session.state import State
from harness.session.suite_inputs import Inputs, find_inputs
from harness.store import lock, run_store
from harness.store.lock import Lock
from harness.store.records import DatasetFacts, Record
from harness.store.run_store import Stored
from harness.suite.plan import Cell, Run, runs_of
from harness.suite.references import Reference
from harness.suite.spec import Suite


@dataclass(frozen=True)
class Planned:
    """A suite, the file it was read from, all its cells, and published scores for comparison."""

    suite: Suite
    path: Path
    cells: tuple[Cell, ...]
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True)
class Options:
    """The options of a session, except its suites."""

    results: Path
    cola_dir: Path | None
    rerun: bool
    ray_address: str | None = None
    baseline: Baseline | None = None
    replace: bool = False


@dataclass(frozen=True)
class Counts:
    """Numbers of a suite's selected runs: finished earlier, to train, and skipped here."""

    finished: int
    to_train: int
    skipped: int


Refused = Callable[[Planned, Sequence[Run], int, Inputs], Sequence[str]]
"""Returns why a suite's tables may not be replaced, before anything trains. The arguments are the
suite, its selected runs, how many of them must train, and its data and checkpoints."""

TICK_SECONDS = 1.0
"""Interval of the calls of `tick` during a wait."""


class Session:
    """Runs the selected cells of some suites, and holds every run's record as it arrives.

    Call `start`, then `wait` for each cell in turn, then `close`, and `release` when nothing more
    is written. Nothing is trained before `start` has locked the results folders, and has found
    all data and checkpoints and every mistake in them.

    Args:
        planned: the suites with all their cells.
        selected: the cells to run.
        options: see Options.
    """

    def __init__(
        self, planned: Sequence[Planned], selected: Sequence[Cell], options: Options
    ) -> None:
        self.planned = tuple(p for p in planned if any(c.suite == p.suite.name for c in selected))
        self.counts: dict[str, Counts] = {}
        self.notes: list[str] = []
        self._selected = tuple(selected)
        self._options = options
        self._runs: dict[tuple[str, str, int], Future[Stored]] = {}
        self._inputs: dict[str, Inputs] = {}
        self._store: dict[str, list[Stored]] = {}
        self._began: contention.Moment | None = None
        self._waited: set[tuple[str, str]] = set()
        self.dispatch: Dispatch | None = None
        self._locks: list[Lock] = []

    def folder(self, suite: str) -> Path:
        """Return a suite's results folder."""
        return self._options.results / suite

    def inputs(self, suite: str) -> Inputs:
        """Return a suite's data and checkpoints; `start` finds them."""
        return self._inputs[suite]

    def baseline(self, suite: str) -> Baseline | None:
        """Return the baseline that a suite's cells are compared with, or None."""
        given = self._options.baseline
        return given if given is not None and given.suite == suite else None

    def start(self, problems: Sequence[str] = (), refused: Refused = lambda *_: ()) -> None:
        """Find data, checkpoints and finished runs; begin training the missing runs.

        Args:
            problems: mistakes that are already known, reported together with those found here.
            refused: returns why a suite's tables may not be replaced; called last. See Refused.

        Raises:
            BadInput: every mistake in data, checkpoints and the results folder at once.
        """
        try:
            self._start(problems, refused)
        except BadInput:  # after other exceptions the caller closes and releases the session
            self.release()
            raise

    def _start(self, known: Sequence[str], refused: Refused) -> None:
        self._began = contention.now(os.getpid())
        problems = [p for planned in self.planned for p in self._hold(planned.suite.name)]
        problems += known
        if self._may_train():
            start_fork_server(PRELOAD)  # it imports while data and checkpoints are read
        found: list[tuple[Planned, Inputs]] = []
        reached = hub.probe()
        for planned in self.planned:
            cells = [cell for cell in self._selected if cell.suite == planned.suite.name]
            base = planned.path.resolve().parent
            try:
                inputs = find_inputs(planned.suite, base, cells, self._options.cola_dir, reached)
                self._inputs[planned.suite.name] = inputs
                found.append((planned, inputs))
            except BadInput as error:
                problems += error.problems
        datasets: dict[str, DatasetFacts | None] = {each.suite.name: None for each in self.planned}
        datasets |= {name: inputs.dataset for name, inputs in self._inputs.items()}
        problems += baselines.problems(self._options.baseline, datasets)
        if problems:
            raise BadInput(list(dict.fromkeys(problems)))
        missing = [(inputs, planned, self._missing(planned, inputs)) for planned, inputs in found]
        for inputs, planned, runs in missing:
            cells = [cell for cell in self._selected if cell.suite == planned.suite.name]
            requested = [run for cell in cells for run in runs_of(cell, planned.suite.training)]
            problems += refused(planned, requested, len(runs), inputs)
        if problems:
            raise BadInput(problems)
        self._train([run for _, _, runs in missing for run in runs])

    def wait(self, cell: Cell, tick: Callable[[], None]) -> list[Record]:
        """Return the records of a selected cell, one per seed, as soon as all its runs ended.

        Args:
            tick: called about once a second during the wait.
        """
        self._waited.add((cell.suite, cell.id))
        runs = [self._runs[cell.suite, cell.id, seed] for seed in cell.seeds]
        while wait(runs, timeout=TICK_SECONDS).not_done:
            tick()
        tick()
        return [run.result().record for run in runs]

    def wait_for_suite(self, planned: Planned, tick: Callable[[], None]) -> None:
        """Return as soon as all selected runs of a suite ended; see `wait`."""
        name = planned.suite.name
        self._waited |= {(cell.suite, cell.id) for cell in self._selected if cell.suite == name}
        runs = [run for (suite, _, _), run in self._runs.items() if suite == name]
        while wait(runs, timeout=TICK_SECONDS).not_done:
            tick()

    def state(self) -> State:
        """Return the progress of the session."""
        before = sum(counts.finished for counts in self.counts.values())
        now = State() if self.dispatch is None else self.dispatch.state()
        return replace(now, done=before + now.done, total=before + now.total)

    def close(self) -> None:
        """Stop all runs, and remove kept models that are not the best."""
        if self.dispatch is not None:
            self.dispatch.close()
        for planned in self.planned:
            if planned.suite.keep_models == "best" and planned.suite.name in self._store:
                candidates = self._candidates(planned)
                best = {item.folder for item in best_by_checkpoint(candidates)}
                for item in candidates:
                    if item.folder not in best:
                        kept_files.discard(item.folder)

    def scored(self) -> bool:
        """Return whether any run of a cell that was waited for has a score."""
        return any(
            future.result().record.scores
            for (suite, cell, _), future in self._runs.items()
            if (suite, cell) in self._waited and future.done() and not future.cancelled()
        )

    def stored(self, planned: Planned) -> list[Stored]:
        """Return the records of a suite's cells, in the order of its cells and seeds.

        Cells that were not selected have the records of earlier sessions with the same setup.
        """
        name = planned.suite.name
        earlier = (
            latest(self._store[name], planned.suite, planned.cells, self._inputs[name])
            if name in self._store
            else {}
        )
        found = []
        for cell in planned.cells:
            for seed in cell.seeds:
                future = self._runs.get((cell.suite, cell.id, seed))
                if future is None or future.cancelled() or not future.done():
                    item = earlier.get((cell.id, seed))
                else:
                    item = future.result()
                if item is not None:
                    found.append(_as_kept(item))
        return found

    def _candidates(self, planned: Planned) -> list[Stored]:
        """Return the runs, of any plan, among which each checkpoint's best is selected."""
        name = planned.suite.name
        earlier = matching_setup(self._store[name], planned.suite, self._inputs[name])
        ended = [
            future.result()
            for (suite, _, _), future in self._runs.items()
            if suite == name and future.done() and not future.cancelled()
        ]
        # If a repetition failed, the finished run remains valid.
        now = [item for item in ended if item.record.scores is not None]
        return list({item.folder: item for item in (*earlier, *now)}.values())

    def release(self) -> None:
        """Unlock the results folders."""
        while self._locks:
            lock.release(self._locks.pop())

    def _hold(self, suite: str) -> Sequence[str]:
        """Lock a suite's results folder; return the problems if it cannot be locked."""
        try:
            held = lock.hold(self.folder(suite) / "runs")
        except BadInput as error:
            return error.problems
        self._locks.append(held)
        self.notes += [] if held.warning is None else [f"{suite}: {held.warning}"]
        return []

    def _may_train(self) -> bool:
        """Return whether to start the fork server early; nothing else depends on it.

        True if a run may have to train on this machine: with --rerun, or if a selected run has no
        record here. Records are not verified yet.
        """
        if any(planned.suite.limits.executor != "local" for planned in self.planned):
            return False
        return self._options.rerun or any(
            not any((self.folder(c.suite) / "runs" / c.id).glob(f"seed-{seed}-*/record.json"))
            for c in self._selected
            for seed in c.seeds
        )

    def _missing(self, planned: Planned, inputs: Inputs) -> list[Missing]:
        """Set the results of the runs that need no training, and return the others."""
        suite = planned.suite
        store, rejected = run_store.read_store_and_move_rejected(self.folder(suite.name))
        cells = [cell for cell in self._selected if cell.suite == suite.name]
        reused = [
            (item.run, item.stored)
            for item in run_statuses(suite, cells, inputs, store, self._options.rerun)
            if item.stored is not None
        ]
        store, renewed = renew(reused, store, suite, inputs)
        self._store[suite.name] = store
        self.notes += [f"{suite.name}: {line}" for line in (*rejected, *renewed)]
        counts = {"finished": 0, "to_train": 0, "skipped": 0}
        missing = []
        for item in run_statuses(suite, cells, inputs, store, self._options.rerun):
            run = item.run
            if item.unavailable is not None:
                counts["skipped"] += 1
                self._set_result(run, _skip(self.folder(suite.name), run, item.unavailable))
            elif item.stored is not None:
                counts["finished"] += 1
                self._set_result(run, adopted(run, item.stored, inputs))
            else:
                counts["to_train"] += 1
                missing.append(Missing(item, suite, inputs, self.folder(suite.name)))
        self.counts[suite.name] = Counts(**counts)
        return missing

    def _set_result(self, run: Run, stored: Stored) -> None:
        future: Future[Stored] = Future()
        future.set_result(stored)
        self._runs[run.cell.suite, run.cell.id, run.seed] = future

    def _train(self, missing: Sequence[Missing]) -> None:
        if not missing:
            return
        suites = [planned.suite for planned in self.planned]
        requested = [s.limits.workers for s in suites if isinstance(s.limits.workers, int)]
        earlier = [item.record for store in self._store.values() for item in store]
        works = [item.inputs.work(item.status.run) for item in missing]
        others = contention.since(self._began, os.getpid())
        plan = schedule(works, min(requested, default=None), earlier, others)
        self.dispatch = Dispatch(suites, missing, plan, self._options.ray_address)
        self._runs |= self.dispatch.runs
        self.dispatch.begin()


def _skip(suite_folder: Path, run: Run, unavailable: Unavailable) -> Stored:
    """Write the record of a run that cannot run here."""
    folder, record = run_store.run_folder(suite_folder, run, None), skipped(run, unavailable)
    with contextlib.suppress(OSError):  # for example a full disk; the next session detects the same
        run_store.write_record(folder, record, None)
    return Stored(record, folder)


def _as_kept(stored: Stored) -> Stored:
    """Return a run whose record states whether its model exists now: it may have been removed."""
    kept = stored.record.model_kept and kept_files.is_kept(stored.folder)
    return Stored(stored.record.model_copy(update={"model_kept": kept}), stored.folder)
