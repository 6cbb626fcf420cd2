"""One invocation: what is finished, what is missing, training that, keeping what comes out."""

import os
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness import hub, provenance, records
from harness.errors import BadInput, Unavailable
from harness.executors import Executor
from harness.executors.local import LocalExecutor
from harness.inputs import Inputs, find_inputs
from harness.plan import Cell, Run, runs_of
from harness.records import Record, Stored
from harness.spec import Suite

if TYPE_CHECKING:  # worker imports torch; collecting tests need not
    from harness.worker import Job, Result


PRELOAD = ("harness.worker",)
"""What every run imports, and an executor therefore once for all of them."""


@dataclass(frozen=True)
class Planned:
    """A suite, the file it was read from, and all its cells."""

    suite: Suite
    path: Path
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Options:
    """What the command line says about a session, beside its suites."""

    results: Path
    cola_dir: Path | None
    rerun: bool
    ray_address: str | None = None


@dataclass(frozen=True)
class Counts:
    """Of a suite's selected runs: finished before, still to train, and impossible here."""

    finished: int
    to_train: int
    skipped: int


@dataclass(frozen=True)
class _Missing:
    """A run that has to be trained, with what it needs."""

    suite: Suite
    run: Run
    key: str
    inputs: Inputs


class Session:
    """Runs the selected cells of some suites, and holds every run's record as it arrives.

    Call `start`, then `wait` for each cell in turn, then `close`. Nothing is trained before
    `start` has found all data and checkpoints and every mistake in them.

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
        self.workers = 0
        self._threads = 1
        self._selected = tuple(selected)
        self._options = options
        self._runs: dict[tuple[str, str, int], Future[Stored]] = {}
        self._inputs: dict[str, Inputs] = {}
        self._finished_before: set[str] = set()
        self._waited: set[tuple[str, str]] = set()
        self._executor: Executor | None = None
        self._closing = threading.Event()

    def folder(self, suite: str) -> Path:
        """Return a suite's results folder."""
        return self._options.results / suite

    def start(self) -> None:
        """Find data, checkpoints and finished runs; begin training the others.

        Raises:
            BadInput: every mistake in data, checkpoints and the results folder at once.
        """
        folders = [self.folder(planned.suite.name) / "runs" for planned in self.planned]
        problems = [problem for folder in folders for problem in _results_problems(folder)]
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
        if problems:
            raise BadInput(list(dict.fromkeys(problems)))
        self._train([run for planned, inputs in found for run in self._missing(planned, inputs)])

    def wait(self, cell: Cell) -> list[Record]:
        """Return the records of a selected cell, one a seed, as soon as all its runs ended."""
        self._waited.add((cell.suite, cell.id))
        return [self._runs[cell.suite, cell.id, seed].result().record for seed in cell.seeds]

    def close(self) -> None:
        """Stop whatever still runs, and remove kept models that are not the best."""
        self._closing.set()
        if self._executor is not None:
            self._executor.close()
        for planned in self.planned:
            if planned.suite.keep_models == "best":
                best = {item.folder for item in _best(self.stored(planned))}
                for item in self.stored(planned):
                    if item.folder not in best:
                        shutil.rmtree(item.folder / "model", ignore_errors=True)

    def scored(self) -> bool:
        """Return whether any run has a score that somebody waited for."""
        return any(
            future.result().record.scores
            for (suite, cell, _), future in self._runs.items()
            if (suite, cell) in self._waited and future.done() and not future.cancelled()
        )

    def stored(self, planned: Planned) -> list[Stored]:
        """Return the records of a suite's cells, in the order of its cells and seeds.

        Cells that were not selected show what earlier sessions found in the same circumstances.
        """
        name = planned.suite.name
        store = records.read_store(self.folder(name))[0]
        earlier = _latest(store, planned.suite, self._inputs[name]) if name in self._inputs else {}
        found = []
        for cell in planned.cells:
            for seed in cell.seeds:
                future = self._runs.get((cell.suite, cell.id, seed))
                if future is None:
                    item = earlier.get((cell.id, seed))
                else:
                    ended = future.done() and not future.cancelled()
                    item = future.result() if ended else None
                if item is not None:
                    found.append(item)
        return found

    def _missing(self, planned: Planned, inputs: Inputs) -> list[_Missing]:
        """Settle the runs that need no training, and return the others."""
        suite = planned.suite
        store, unreadable = records.read_store(self.folder(suite.name))
        self.notes += [f"{suite.name}: {line}" for line in unreadable]
        cells = [cell for cell in self._selected if cell.suite == suite.name]
        keys = {
            inputs.key(run)
            for cell in cells
            if inputs.missing(cell) is None
            for run in runs_of(cell, suite.training)
        }
        of_plan = {key: item for key, item in records.finished(store) if key in keys}
        self._finished_before |= of_plan.keys()
        finished = {} if self._options.rerun else _reusable(of_plan, suite)
        counts = {"finished": 0, "to_train": 0, "skipped": 0}
        missing = []
        for cell in cells:
            unavailable = inputs.missing(cell)
            for run in runs_of(cell, suite.training):
                if unavailable is not None:
                    counts["skipped"] += 1
                    self._settle(run, _skip(self.folder(suite.name), run, unavailable))
                elif (key := inputs.key(run)) in finished:
                    counts["finished"] += 1
                    self._settle(run, _adopt(run, finished[key]))
                else:
                    counts["to_train"] += 1
                    missing.append(_Missing(suite, run, key, inputs))
        self.counts[suite.name] = Counts(**counts)
        return missing

    def _settle(self, run: Run, stored: Stored) -> None:
        future: Future[Stored] = Future()
        future.set_result(stored)
        self._runs[run.cell.suite, run.cell.id, run.seed] = future

    def _train(self, missing: Sequence[_Missing]) -> None:
        if not missing:
            return
        from harness.worker import execute

        suites = [planned.suite for planned in self.planned]
        asked = [s.limits.workers for s in suites if isinstance(s.limits.workers, int)]
        cores = provenance.available_cores()
        # A GPU is shared only by those who ask for it: how many runs fit depends on the model.
        usual = cores if missing[0].inputs.device == "cpu" else 1
        workers = min(len(missing), min(asked, default=usual))
        self._threads = max(1, cores // workers)
        if any(suite.limits.executor == "ray" for suite in suites):
            from harness.executors.ray import RayExecutor

            joined = self._options.ray_address
            ray = RayExecutor(
                None if joined and not asked else workers,
                cpus=self._threads,
                gpus=1 if missing[0].inputs.device == "cuda" else 0,
                address=joined,
                preload=PRELOAD,
            )
            self._executor, self.workers = ray, ray.workers
        else:
            self._executor, self.workers = LocalExecutor(workers, preload=PRELOAD), workers
        for item in missing:
            job = self._job(item)
            future: Future[Stored] = Future()
            self._runs[item.run.cell.suite, item.run.cell.id, item.run.seed] = future
            answer = self._executor.submit(execute, job, item.suite.limits.run_seconds)
            answer.add_done_callback(partial(self._keep, job, future))

    def _job(self, missing: _Missing) -> "Job":
        from harness.worker import Job

        inputs, run = missing.inputs, missing.run
        assert inputs.source is not None  # nothing is missing for a run that trains
        assert inputs.dataset is not None
        return Job(
            run=run,
            key=missing.key,
            checkpoint=inputs.checkpoints[run.cell.checkpoint],
            source=inputs.source,
            dataset=inputs.dataset,
            folder=records.run_folder(self.folder(missing.suite.name), run, missing.key),
            device=inputs.device,
            threads=self._threads,
            concurrency=self.workers,
            keep_model=missing.suite.keep_models != "none",
        )

    def _keep(self, job: "Job", future: "Future[Stored]", answer: "Future[Result]") -> None:
        """Write what a run left as soon as it ends; called in a thread of the executor."""
        from harness.worker import Result, failure

        shutil.rmtree(job.folder / "scratch", ignore_errors=True)
        if self._closing.is_set() and (answer.cancelled() or answer.exception() is not None):
            future.cancel()  # ended with the session: neither finished nor failed
            return
        try:
            result = answer.result()
        except (CancelledError, Exception) as error:
            result = Result(failure(job, error), None)
        record = result.record
        # A repetition that fails does not undo the run that it was to repeat.
        if record.status == "ok" or job.key not in self._finished_before:
            try:
                record = records.write_record(job.folder, record, result.predictions)
                records.discard_run(records.run_folder(self.folder(record.suite), job.run, None))
            except Exception as error:  # whatever it is, the test that waits must hear of it
                record = failure(job, error)
        future.set_result(Stored(record, job.folder))


def _results_problems(results: Path) -> list[str]:
    try:
        results.mkdir(parents=True, exist_ok=True)
        if os.access(results, os.W_OK | os.X_OK):
            return []
        cause = "permission denied"
    except OSError as error:
        cause = error.strerror or str(error)
    return [f"--results-dir: {results}: cannot be written ({cause}); name a folder that can"]


def _adopt(run: Run, stored: Stored) -> Stored:
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


def _skip(suite_folder: Path, run: Run, unavailable: Unavailable) -> Stored:
    cell = run.cell
    folder = records.run_folder(suite_folder, run, None)
    record = Record(
        key=None,
        suite=cell.suite,
        cell=cell.id,
        checkpoint=cell.checkpoint,
        checkpoint_digest=None,
        checkpoint_revision=None,
        batch_size=cell.batch_size,
        learning_rate=cell.learning_rate,
        seed=run.seed,
        training=run.training,
        status="skipped",
        reason=str(unavailable),
        threshold=cell.threshold,
        target_mcc=cell.target,
    )
    return Stored(records.write_record(folder, record, None), folder)


def _reusable(finished: dict[str, Stored], suite: Suite) -> dict[str, Stored]:
    """Return the finished runs by key, without those whose model is wanted and was not kept."""
    match suite.keep_models:
        case "none":
            wanted: Sequence[Stored] = ()
        case "best":
            wanted = _best(list(finished.values()))
        case "all":
            wanted = list(finished.values())
    lost = {item.record.key for item in wanted if not (item.folder / "model").is_dir()}
    return {key: item for key, item in finished.items() if key not in lost}


def _best(stored: Sequence[Stored]) -> list[Stored]:
    """Return each checkpoint's run of highest MCC, the earliest of equals."""
    best: dict[str, Stored] = {}
    for item in stored:
        if item.record.scores is not None:
            held = best.setdefault(item.record.checkpoint, item)
            assert held.record.scores is not None
            if item.record.scores.mcc > held.record.scores.mcc:
                best[item.record.checkpoint] = item
    return list(best.values())


def _latest(store: Sequence[Stored], suite: Suite, inputs: Inputs) -> dict[tuple[str, int], Stored]:
    """Return the newest record of each cell and seed that a run of today would be like.

    The checkpoint's files are compared where this session looked at them.
    """
    latest: dict[tuple[str, int], Stored] = {}
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
            latest[record.cell, record.seed] = item
    return latest
