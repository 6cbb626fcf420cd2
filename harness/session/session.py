"""One invocation: finds finished and missing runs, trains the missing ones, stores the results."""

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness.errors import BadInput
from harness.executors.local import start_fork_server
from harness.forecast.schedule import schedule
from harness.forecast.seconds import Work
from harness.garbage import uncollected
from harness.inputs import hub
from harness.judging.baseline import Baseline
from harness.judging.decided import aims_of, never_stopped
from harness.judging.gates.before_training import baseline_notes
from harness.judging.leaderboard import Judged
from harness.judging.looks.race import standings
from harness.judging.looks.standing import Standing
from harness.machine import contention
from harness.session.budget.deadline import Limit
from harness.session.budget.outside import outside_record, stopped_before
from harness.session.budget.selection import (
    PlanOf,
    Selection,
    as_candidates,
    has_own_gate,
    select,
)
from harness.session.dispatch import Dispatch
from harness.session.display import State
from harness.session.looks.needed import Looked, Needs, RunId, looked, needs, run_id
from harness.session.looks.selection import looks_in_words
from harness.session.looks.summary import summary
from harness.session.looks.unneeded import with_unneeded
from harness.session.options import Options, Planned
from harness.session.overwriting import objection
from harness.session.renewal import renew
from harness.session.reuse import adopted, as_kept, latest, matching_setup
from harness.session.run_status import RunState, RunStatus, again_in_words, run_statuses, skipped
from harness.session.suite_inputs import Inputs, find_all_inputs
from harness.session.tasks.best_models import BestModels, discard_others
from harness.session.tasks.executor import PRELOAD, may_train_here
from harness.session.tasks.held import stops_and_held
from harness.session.tasks.results import Results
from harness.session.tasks.task import Missing, missing_and_beside
from harness.store import lock, run_store
from harness.store.records import Record
from harness.store.run_store import Stored
from harness.store.slices import Slices
from harness.suite.plan import Cell, Run, runs_of
from harness.suite.spec import Suite

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
        self.counts: dict[str, Counter[RunState]] = {}
        self.notes: list[str] = []
        self.judged = Judged()
        self._selected = tuple(selected)
        self._options = options
        self._results = Results()
        self._inputs: dict[str, Inputs] = {}
        self._store: dict[str, list[Stored]] = {}
        self._before: dict[str, dict[tuple[str, int], Stored]] = {}  # see stored
        self._standings: dict[str, tuple[object, dict[str, Standing]]] = {}
        self._statuses: list[RunStatus] = []
        self._unneeded: set[RunId] = set()  # looks made them unnecessary before the session
        self._limit: Limit | None = None
        self._began: contention.Moment | None = None
        self._waited: set[tuple[str, str]] = set()
        self._aims: dict[tuple[str, str], float] = {}
        self._beside: list[Missing] = []  # finished runs of cells with missing runs
        self.dispatch: Dispatch | None = None
        self._locks = contextlib.ExitStack()

    def folder(self, suite: str) -> Path:
        """Return a suite's results folder."""
        return self._options.results / suite

    def inputs(self, suite: str) -> Inputs:
        """Return a suite's data and checkpoints; `start` finds them."""
        return self._inputs[suite]

    def slices(self, suite: str) -> Slices | None:
        """Return the slices of a suite's sentences; None before `start` has found its data."""
        return self._inputs[suite].slices.slices if suite in self._inputs else None

    def baseline(self, suite: str) -> Baseline | None:
        """Return the baseline that a suite's cells are compared with, or None."""
        return self._options.baseline_of(suite)

    def selected(self, suite: str) -> list[Cell]:
        """Return the selected cells of a suite."""
        return [cell for cell in self._selected if cell.suite == suite]

    @uncollected()
    def start(self, problems: Sequence[str] = ()) -> None:
        """Find data, checkpoints and finished runs; begin training the missing runs.

        Args:
            problems: mistakes that are already known, reported together with those found here.

        Raises:
            BadInput: every mistake in data, checkpoints and the results folder at once; if there
                is none, every suite whose tables may not be replaced.
        """
        try:
            self._start(problems)
        except BadInput:  # after other exceptions the caller closes and releases the session
            self.release()
            raise

    def _start(self, known: Sequence[str]) -> None:
        if self._options.budget is not None:
            self._limit = Limit(self._options.budget, time.monotonic())
        self._began = contention.now(os.getpid())
        problems: list[str] = []
        for planned in self.planned:
            try:
                self._hold(planned.suite.name)
            except BadInput as error:
                problems += error.problems
        problems += known
        if not known and may_train_here(self.planned, self._selected, self._options):
            start_fork_server(PRELOAD)  # it imports while data and checkpoints are read
        of = hub.without_asking() if known else hub.when_asked()  # with mistakes nothing will run
        self._inputs, mistakes = find_all_inputs(self.planned, self._selected, self._options, of)
        problems += mistakes
        if problems:
            raise BadInput(list(dict.fromkeys(problems)))
        missing = [self._missing(planned) for planned in self.planned]
        objections = map(self._objection, self.planned, map(len, missing))
        if refused := [line for line in objections if line is not None]:
            raise BadInput([line for text in refused for line in text.splitlines()])
        self._train([run for runs in missing for run in runs])

    def wait(self, cells: Sequence[Cell], tick: Callable[[], None]) -> list[Record]:
        """Return the records of selected cells as soon as all their runs ended that looks need.

        Args:
            tick: called about once a second during the wait.
        """
        self._waited |= {(cell.suite, cell.id) for cell in cells}
        runs = [(cell.suite, cell.id, seed) for cell in cells for seed in cell.seeds]
        while wait(self._awaited(runs), timeout=TICK_SECONDS).not_done:
            tick()
        while (others := self._awaited_by_race(cells)) and wait(
            others, timeout=TICK_SECONDS, return_when=FIRST_COMPLETED
        ):
            tick()
        ended = self._results.ended()
        return [ended[run].record for run in runs if run in ended]

    def _awaited(self, runs: Sequence[RunId]) -> list[Future[Stored]]:
        """Return the results of the runs that are or may become needed."""
        released = self._unneeded
        if self.dispatch is not None:
            released = released | self.dispatch.turns.released
        return [self._results.futures[run] for run in runs if run not in released]

    def _awaited_by_race(self, cells: Sequence[Cell]) -> list[Future[Stored]]:
        """Return unfinished runs of other cells on which the places of some cells depend."""
        found: list[Future[Stored]] = []
        for suite in dict.fromkeys(cell.suite for cell in cells):
            standings = self.standings(suite)
            own = [standings.get(cell.id) for cell in cells if cell.suite == suite]
            if any(each is not None and each.raced and each.stage == "going on" for each in own):
                others = [run for run in self._results.futures if run[0] == suite]
                found += [each for each in self._awaited(others) if not each.done()]
        return found

    def standings(self, suite: str) -> dict[str, Standing]:
        """Return how far the looks at a suite's cells have come, by cell id."""
        ended = self._results.ended()
        known, found = self._standings.get(suite, (None, {}))
        if known is not ended:
            looked = self._looked(next(each for each in self.planned if each.suite.name == suite))
            found = standings(looked.cells, looked.runs, looked.compared)
            self._standings[suite] = ended, found
        return found

    def spared(self, suite: str) -> list[Run]:
        """Return the runs of a suite that looks made unnecessary, and that have not ended."""
        left = self._unneeded | (set() if self.dispatch is None else self.dispatch.spared())
        planned = next(each for each in self.planned if each.suite.name == suite)
        runs = [run for cell in planned.cells for run in runs_of(cell, planned.suite.training)]
        return [run for run in runs if run_id(run) in left]

    def looks_at_end(self, suite: str) -> list[str]:
        """Return lines on what the looks at a suite's cells decided and saved."""
        ended = self._results.ended()
        scored = [run for run, item in ended.items() if item.record.scores is not None]
        ahead = set() if self.dispatch is None else self.dispatch.turns.ahead
        return list(summary(self.selected(suite), self.standings(suite), scored, ahead))

    def _looked(self, planned: Planned) -> Looked:
        name = planned.suite.name
        runs = {run: item.record for run, item in self._results.ended().items() if run[0] == name}
        return looked(self.selected(name), runs, self.baseline(name) is not None)

    def _needs(self) -> Needs:
        return needs(map(self._looked, self.planned))

    def state(self) -> State:
        """Return the progress of the session."""
        every = sum(self.counts.values(), Counter[RunState]())
        now = State(total=every["to train"]) if self.dispatch is None else self.dispatch.state()
        return replace(now, done=every["finished"] + now.done, total=every["finished"] + now.total)

    def close(self) -> None:
        """Stop all runs, and remove kept models that are not the best."""
        if self.dispatch is not None:
            self.dispatch.close()
        for planned in self.planned:
            if planned.suite.keep_models == "best" and planned.suite.name in self._store:
                discard_others(self._candidates(planned.suite))

    def outside_budget(self) -> list[Cell]:
        """Return the selected cells with a run that the session's budget left out."""
        cells = {
            (suite, cell)
            for (suite, cell, _), item in self._results.ended().items()
            if item.record.outside_budget is not None
        }
        return [cell for cell in self._selected if (cell.suite, cell.id) in cells]

    def has_own_gate(self, cell: Cell) -> bool:
        """Return whether a gate judges this cell alone."""
        return has_own_gate(cell, self._options)

    def scored(self) -> bool:
        """Return whether any run of a cell that was waited for has a score."""
        return any(
            item.record.scores
            for (suite, cell, _), item in self._results.ended().items()
            if (suite, cell) in self._waited
        )

    def stored(self, planned: Planned) -> list[Stored]:
        """Return the records of a suite's cells, in the order of its cells and seeds.

        Cells that were not selected have the records of earlier sessions with the same setup.
        """
        name = planned.suite.name
        if name in self._store and name not in self._before:
            store, inputs = self._store[name], self._inputs[name]
            self._before[name] = latest(store, planned.suite, planned.cells, inputs)
        found = dict(self._before.get(name, {}))
        for (suite, cell_id, seed), item in self._results.ended().items():
            if suite == name:
                found[cell_id, seed] = item
        places = [(cell.id, seed) for cell in planned.cells for seed in cell.seeds]
        return [as_kept(found[place]) for place in places if place in found]

    def _candidates(self, suite: Suite) -> list[Stored]:
        """Return the runs, of any plan, among which each checkpoint's best is selected."""
        earlier = matching_setup(self._store[suite.name], suite, self._inputs[suite.name])
        ended = [item for (name, _, _), item in self._results.ended().items() if name == suite.name]
        # If a repetition failed, the finished run remains valid.
        now = [item for item in ended if item.record.scores is not None]
        return list({item.folder: item for item in (*earlier, *now)}.values())

    def release(self) -> None:
        """Unlock the results folders."""
        self._locks.close()

    def _hold(self, suite: str) -> None:
        held = lock.hold(self.folder(suite) / "runs")
        self._locks.callback(lock.release, held)
        self.notes += [] if held.warning is None else [f"{suite}: {held.warning}"]

    def _missing(self, planned: Planned) -> list[Missing]:
        """Set the results of the runs that need no training, and return the others."""
        suite, name = planned.suite, planned.suite.name
        folder, cells, inputs = self.folder(name), self.selected(name), self._inputs[name]
        self.notes += [f"{name}: {note}" for note in inputs.twins()]
        store, rejected = run_store.read_store_and_move_rejected(folder)
        aims = aims_of(suite, cells, self.baseline(name))
        self.notes += [f"{name}: {line}" for line in never_stopped(aims)]
        before = run_statuses(suite, cells, inputs, store, self._options.rerun, aims)
        store, renewed = renew(before, store, suite, inputs)
        self._store[name] = store
        self.notes += [f"{name}: {line}" for line in (*rejected, *renewed, *inputs.slices.notes)]
        statuses = run_statuses(suite, cells, inputs, store, self._options.rerun, aims)
        compared = self.baseline(name) is not None
        statuses = with_unneeded(statuses, cells, compared)
        self.notes += [f"{name}: {line}" for line in again_in_words(statuses)]
        self.counts[name] = Counter(item.state for item in statuses)
        training = dict.fromkeys(item.run.cell for item in statuses if item.state == "to train")
        changed = baseline_notes(suite, [*training], self.baseline(name), inputs.device)
        self.notes += [f"{name}: {line}" for line in changed]
        self.notes += [f"{name}: {line}" for line in looks_in_words(cells, compared)]
        for item in statuses:
            if item.unavailable is not None:
                record = skipped(item.run, item.unavailable)
                stored = run_store.write_skipped(folder, item.run, record)
                self._results.set(run_id(item.run), stored)
            elif item.stored is not None:
                self._results.set(run_id(item.run), adopted(item.run, item.stored, inputs))
        self._statuses += statuses
        self._unneeded |= {run_id(item.run) for item in statuses if item.state == "not needed"}
        self._aims |= {(name, cell): aim.mcc for cell, aim in aims.items() if aim.mcc is not None}
        missing, beside = missing_and_beside(statuses, suite, inputs, folder, store)
        self._beside += beside
        return missing

    def _objection(self, planned: Planned, to_train: int) -> str | None:
        """Return why a suite's tables may not be replaced, or None; see overwriting.

        Runs that the session loses later are reported when it writes its tables.
        """
        suite = planned.suite
        runs = [run for cell in self.selected(suite.name) for run in runs_of(cell, suite.training)]
        records = [item.record for item in self.stored(planned)]
        inputs = self._inputs[suite.name]
        return objection(planned, runs, records, to_train, inputs, self._options)

    def _train(self, missing: Sequence[Missing]) -> None:
        if not missing or not self._options.trains:
            return
        suites = [planned.suite for planned in self.planned]
        best = [suite for suite in suites if suite.keep_models == "best"]
        requested = [s.limits.workers for s in suites if isinstance(s.limits.workers, int)]
        earlier = [item.record for store in self._store.values() for item in store]
        works = [item.inputs.work(item.status.run) for item in missing]
        others = contention.since(self._began, os.getpid())
        plan_of = partial(
            schedule, workers=min(requested, default=None), earlier=earlier, others=others
        )
        if self._limit is None:
            plan = plan_of(works)
        else:
            fitting = self._within_budget(missing, works, plan_of, self._limit)
            missing, plan = [missing[i] for i in fitting.chosen], fitting.schedule
        stops, held = stops_and_held(missing, self._beside, self._aims)
        self.dispatch = Dispatch(
            suites,
            missing,
            plan,
            self._options.ray_address,
            needs=self._needs if any(cell.looks for cell in self._selected) else None,
            limit=self._limit,
            stops=stops,
            held=held,
            models=BestModels({suite.name: self._candidates(suite) for suite in best}),
        )
        self._results.add(self.dispatch.runs)
        self.dispatch.begin()

    def _within_budget(
        self, missing: Sequence[Missing], works: Sequence[Work], plan_of: PlanOf, limit: Limit
    ) -> Selection:
        """Select the runs that fit the budget, and set the results of the others.

        Raises:
            BadInput: not even one run fits.
        """
        found = select(
            [item.status for item in missing],
            works,
            as_candidates(self._statuses, self.planned, self._options),
            plan_of,
            limit.budget,
            limit.budget - limit.left(),
            stopped_before([item for store in self._store.values() for item in store]),
        )
        for position, expected in found.outside.items():
            item = missing[position]
            run = item.status.run
            record = outside_record(run, limit.budget, expected, found.workers, found.basis)
            stored = item.earlier or run_store.write_skipped(item.results, run, record)
            self._results.set(run_id(run), stored)
            self.counts[item.suite.name]["to train"] -= 1
            self.counts[item.suite.name]["outside the budget"] += 1
        self.notes.append(found.note)
        return found
