"""pytest-benchmark records the workers' own training times, round by round and to the last bit."""

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from builders.records import make_cell, make_record, record_of_mcc

from harness.judging.gates import judge
from harness.plugin.timing import record_timing
from harness.store.records import Record
from harness.store.stopped import Stopped

ROOT = Path(__file__).parents[2]

TIMES = {
    "one seed": [104.31],
    # A clock that only ran on would lose the last digits of a short time after a long one.
    "long then short": [98765.4321, 0.1, 1e-7, 333.3333333333333],
    "equal": [12.5, 12.5],
}

BENCHMARKS = f"""
import pytest
from test_timing import TIMES, runs
from harness.judging.gates import judge
from harness.plugin.timing import record_timing, training_clock

@pytest.mark.benchmark(timer=training_clock)
@pytest.mark.parametrize("name", {list(TIMES)!r})
def test_cell(name, benchmark):
    cell, records = runs(TIMES[name])
    record_timing(benchmark, records, judge(cell, records))
"""


def runs(seconds: list[float]) -> tuple[Any, list[Record]]:
    """Return a cell and its scored runs, of seeds 5, 6, ..., trained for so many seconds."""
    cell = make_cell(seeds=tuple(range(5, 5 + len(seconds))))
    times = make_record(cell).times
    assert times is not None
    return cell, [
        make_record(
            cell,
            seed,
            mcc=0.1 * (seed - 3),
            times=times.model_copy(update={"train": trained}),
            concurrency=2,
        )
        for seed, trained in zip(cell.seeds, seconds, strict=True)
    ]


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run python in a folder that holds the benchmarks."""
    (folder / "test_cells.py").write_text(BENCHMARKS)
    (folder / "pytest.ini").write_text(
        f"[pytest]\npythonpath = {ROOT} {ROOT / 'tests'} {Path(__file__).parent}\n"
    )
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the benchmarks ran once, and were saved."""
    folder = tmp_path_factory.mktemp("timing")
    done = run(folder, "pytest", "-q", "--benchmark-save=first", "--benchmark-json=out.json")
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture(scope="module")
def saved(folder: Path) -> dict[str, dict[str, Any]]:
    """What was saved, by the name of the case."""
    written = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    return {each["params"]["name"]: each for each in written["benchmarks"]}


@pytest.mark.parametrize("name", TIMES)
def test_rounds_are_seeds_and_each_lasts_as_long_as_its_training(
    saved: dict[str, dict[str, Any]], name: str
) -> None:
    stats = saved[name]["stats"]
    assert stats["data"] == TIMES[name]
    assert (stats["rounds"], stats["iterations"]) == (len(TIMES[name]), 1)
    assert (stats["min"], stats["max"]) == (min(TIMES[name]), max(TIMES[name]))


def test_quality_and_verdict_lie_beside_the_times(saved: dict[str, dict[str, Any]]) -> None:
    cell, records = runs(TIMES["equal"])
    judgement = judge(cell, records)
    assert judgement.verdict == "fail"
    interval = judgement.mcc_interval
    assert interval is not None
    assert saved["equal"]["group"] == "sample"
    data = records[0].dataset
    assert data is not None
    assert saved["equal"]["extra_info"] == {
        "suite": "sample",
        "cell": cell.id,
        "checkpoint": cell.checkpoint,
        "batch_size": cell.batch_size,
        "learning_rate": cell.learning_rate,
        "seeds": [5, 6],
        "epochs": records[0].training.epochs,
        "training": {},  # all others have their defaults
        "dataset": data.name,
        "dataset_origin": data.origin,
        "dataset_fingerprint": data.fingerprint,
        "mcc": judgement.mcc,
        "mcc_by_seed": {"5": records[0].scores and records[0].scores.mcc, "6": 0.1 * 3},
        "mcc_interval": [interval.low, interval.high],
        "threshold": 0.3,
        "verdict": "fail",
        "gates": {"min_mcc": "fail"},
        "samples_per_second": [record.samples_per_second for record in records],
        "peak_memory_mb": [record.peak_memory_mb for record in records],
        "concurrency": [2, 2],
        "keys": [record.key for record in records],
    }


def test_what_was_saved_can_be_compared_from_a_shell(folder: Path) -> None:
    done = run(folder, "pytest_benchmark", "compare", "*_first", "--csv=compared.csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((folder / "compared.csv").read_text().splitlines()))
    assert {(row["param:name"], float(row["max"])) for row in rows} == {
        (name, max(times)) for name, times in TIMES.items()
    }


def test_a_later_session_can_be_held_to_an_earlier_one(folder: Path) -> None:
    done = run(
        folder, "pytest", "-q", "--benchmark-compare=*_first", "--benchmark-compare-fail=max:1%"
    )
    assert done.returncode == 0, done.stdout
    assert "(0001_first)" in done.stdout


@pytest.mark.parametrize("option", ["--benchmark-disable", "--benchmark-cprofile=tottime"])
def test_options_that_change_how_often_a_benchmark_is_called_work(
    tmp_path: Path, option: str
) -> None:
    done = run(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", option)
    assert done.returncode == 0, done.stdout
    assert f"{len(TIMES)} passed" in done.stdout


class _Benchmark:
    """What record_timing uses of pytest-benchmark's fixture."""

    def __init__(self) -> None:
        self.group: str | None = None
        self.extra_info: dict[str, Any] = {}

    def pedantic(self, replay: Any, setup: Any, rounds: int) -> None:
        setup()
        replay()


def test_what_json_does_not_have_does_not_reach_it() -> None:
    """NumPy's numbers would be written as text, NaN and infinity as no JSON at all."""
    cell, records = runs(TIMES["equal"])
    odd = replace(
        judge(cell, records),
        mcc=float("nan"),
        threshold=cast(float, np.float32(0.5)),
        by_seed={5: np.inf},
    )
    benchmark = _Benchmark()
    record_timing(benchmark, records, odd)
    written = json.loads(json.dumps(benchmark.extra_info, allow_nan=False))
    assert written["mcc"] is None
    assert written["threshold"] == 0.5
    assert written["mcc_by_seed"] == {"5": None}


def test_a_stopped_run_is_told_with_its_bound() -> None:
    cell = make_cell(seeds=(5,))
    stop = Stopped(after_epoch=1, of=5, because="gate met", target=0.3)
    record = record_of_mcc(cell, 5, 0.4, stopped=stop)
    benchmark = _Benchmark()
    record_timing(benchmark, [record], judge(cell, [record]))
    assert record.scores is not None
    assert benchmark.extra_info["mcc"] is None
    assert benchmark.extra_info["mcc_at_least"] == record.scores.mcc
    assert benchmark.extra_info["stopped"] == {"5": "stopped after epoch 1 of 5: gate met"}
