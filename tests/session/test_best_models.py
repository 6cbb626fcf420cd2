"""With `keep_models = "best"`: which models are on disk while a session trains."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders.records import keep, make_cell, predicted_record
from builders.scripted_executor import ScriptedExecutor
from builders.small_suite import THREE_SEEDS, write_suite

from harness.session import dispatch as dispatching
from harness.session import session as sessions
from harness.session.options import Options, Planned
from harness.session.session import Session
from harness.session.tasks.best_models import BestModels, discard_others
from harness.store import run_store
from harness.store.run_store import Stored, read_store
from harness.suite.plan import make_plan
from harness.suite.spec import load_suite
from harness.training.job import Job

SUITE = THREE_SEEDS.replace('name = "tiny"', 'name = "tiny"\nkeep_models = "best"')
ERRORS = {1: 0.4, 2: 0.1, 3: 0.7}
"""The share of errors by seed: the second is the best."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_suite(tmp_path_factory.mktemp("best"), SUITE)


Start = Callable[..., tuple[Session, ScriptedExecutor]]


@pytest.fixture
def start(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Return a function that starts a session, whose runs of some seeds keep no model."""

    def started(
        unsaved: tuple[int, ...] = (), order: int = 0, rerun: bool = False
    ) -> tuple[Session, ScriptedExecutor]:
        def errors(job: Job) -> float:
            if job.run.seed not in unsaved:
                with_model(job.folder)
            return ERRORS[job.run.seed]

        suite = load_suite(folder / "tiny.toml")
        planned = Planned(suite, folder / "tiny.toml", tuple(make_plan(suite)))
        executor = ScriptedExecutor(errors, order, 3, lambda job: job.run.seed not in unsaved)
        monkeypatch.setattr(sessions, "start_fork_server", lambda _: None)
        monkeypatch.setattr(dispatching, "make_executor", lambda *_: (executor, 3))
        session = Session([planned], planned.cells, Options(tmp_path, None, rerun=rerun))
        session.start()
        return session, executor

    return started


def with_model(run_folder: Path) -> None:
    """Keep a model as a worker does, before its result is delivered."""
    (run_folder / "model").mkdir(parents=True, exist_ok=True)
    (run_folder / "model" / "config.json").write_text("{}")


def seeds_with_model(results: Path) -> list[int]:
    paths = (results / "tiny").glob("runs/*/*/model/config.json")
    return sorted(int(path.parent.parent.name.split("-")[1]) for path in paths)


def finish(session: Session) -> None:
    (planned,) = session.planned
    session.wait(planned.cells, lambda: None)
    session.close()
    session.release()


@pytest.mark.parametrize("order", range(4))
def test_only_the_best_model_so_far_is_on_disk(start: Start, tmp_path: Path, order: int) -> None:
    session, executor = start(order=order)
    while executor.step():
        ended = [seed for _, seed in executor.done]
        assert seeds_with_model(tmp_path) == [min(ended, key=ERRORS.__getitem__)]
    finish(session)
    assert seeds_with_model(tmp_path) == [2]
    stored, rejected = read_store(tmp_path / "tiny")
    assert (len(stored), rejected) == (3, [])


@pytest.mark.parametrize("order", range(4))
def test_a_best_model_that_could_not_be_saved_leaves_the_next(
    start: Start, tmp_path: Path, order: int
) -> None:
    session, executor = start(unsaved=(2,), order=order)
    while executor.step():
        pass
    finish(session)
    assert seeds_with_model(tmp_path) == [1]
    again, executor = start()
    assert executor.waiting() == [(again.planned[0].cells[0].id, 2)]
    while executor.step():
        pass
    finish(again)
    assert seeds_with_model(tmp_path) == [2]


def test_a_model_of_an_earlier_training_is_not_taken_for_that_of_a_later_one(
    start: Start, tmp_path: Path
) -> None:
    session, executor = start()
    while executor.step():
        pass
    finish(session)
    assert seeds_with_model(tmp_path) == [2]
    again, executor = start(unsaved=(2,), rerun=True)
    while executor.step():
        pass
    finish(again)
    assert seeds_with_model(tmp_path) == [1]


def test_a_stored_run_is_no_failure_because_its_skipped_record_stays(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Path) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr(run_store, "discard_run", refused)
    session, executor = start()
    while executor.step():
        pass
    (planned,) = session.planned
    found = session.wait(planned.cells, lambda: None)
    assert [record.status for record in found] == ["ok"] * 3
    finish(session)


def stored(folder: Path, seed: int, wrong: int) -> Stored:
    """Store a run of 20 sentences with a model."""
    labels = np.arange(20) % 2
    answers = np.where(np.arange(20) < 2 * wrong, 1 - labels, labels)
    cell = make_cell(seeds=(1, 2))
    item = keep(folder, cell, predicted_record(cell, seed, labels, answers[None]))
    with_model(item.folder)
    return item


def test_the_model_of_a_run_in_training_is_left_alone(tmp_path: Path) -> None:
    better, worse = stored(tmp_path, 1, 1), stored(tmp_path, 2, 4)
    models = BestModels({"sample": [worse]})
    models.begin("sample", worse.folder)
    models.end("sample", better)
    assert (worse.folder / "model").exists()
    models.end("sample", worse)
    assert not (worse.folder / "model").exists()
    assert (better.folder / "model").exists()


def test_models_of_other_suites_stay(tmp_path: Path) -> None:
    better, worse = stored(tmp_path, 1, 1), stored(tmp_path, 2, 4)
    BestModels({}).end("sample", better)
    assert (worse.folder / "model").exists()
    discard_others([better, worse])
    assert not (worse.folder / "model").exists()
