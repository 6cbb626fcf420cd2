"""The results of a session's runs: those that ended, looked up once, and those left elsewhere."""

import shlex
from concurrent.futures import Future
from pathlib import Path

from builders.records import make_cell, make_record

from harness.session.options import Chosen, left_behind
from harness.session.tasks.results import Results
from harness.store.run_store import Stored

CELL = make_cell(seeds=(0, 1, 2))


def stored(seed: int) -> Stored:
    return Stored(make_record(CELL, seed), Path(str(seed)))


def test_ended_runs_are_those_whose_futures_are_done_in_the_order_they_were_added() -> None:
    futures: dict[int, Future[Stored]] = {seed: Future() for seed in (2, 0, 1)}
    results = Results()
    results.add({("s", "c", seed): future for seed, future in futures.items()})
    assert results.ended() == {}
    futures[1].set_result(stored(1))
    one = results.ended()
    assert one == {("s", "c", 1): stored(1)}
    assert results.ended() is one
    futures[2].set_result(stored(2))
    assert list(results.ended()) == [("s", "c", 2), ("s", "c", 1)]
    assert futures[0].cancel()
    assert list(results.ended()) == [("s", "c", 2), ("s", "c", 1)]


def test_a_run_that_is_set_again_has_the_new_result() -> None:
    results = Results()
    results.set(("s", "c", 0), stored(0))
    assert results.ended() == {("s", "c", 0): stored(0)}
    results.set(("s", "c", 0), stored(1))
    assert results.ended() == {("s", "c", 0): stored(1)}


def test_a_folder_of_earlier_runs_is_named_as_a_shell_reads_it(tmp_path: Path) -> None:
    project = tmp_path / "my project"
    run = project / "results" / "tiny" / "runs" / "cell" / "run"
    run.mkdir(parents=True)
    (run / "record.json").touch()
    (told,) = left_behind(Chosen({}, tmp_path, project), ["tiny", "other"])
    *_, flag, folder = shlex.split(told)
    assert (flag, Path(folder)) == ("--results-dir", project / "results")
