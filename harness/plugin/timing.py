"""Passes the training times that workers measured to pytest-benchmark."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.judging.gates import Judgement
from harness.store.records import Record

_clock = [0.0]


def training_clock() -> float:
    """Return 0 before a round that `record_timing` replays, and its seconds of training after it.

    With this as its timer, pytest-benchmark reports the worker's measurement as a round's time, not
    the time that a test waited in a queue.
    """
    return _clock[0]


def record_timing(benchmark: Any, records: Sequence[Record], judgement: Judgement) -> None:
    """Give pytest-benchmark one round per seed, and the run's settings, scores and verdict.

    All values are text, integers, finite floats, lists or None. pytest-benchmark would write other
    types as text, and NaN as invalid JSON.

    Args:
        benchmark: the `benchmark` fixture, whose timer is `training_clock`.
        records: the runs of one cell that were scored, at least one.
    """
    # A cycle, because profiling and --benchmark-disable change the number of calls.
    seconds = itertools.cycle([r.times.train for r in records if r.times is not None])

    def rewind() -> None:
        _clock[0] = 0.0  # a difference from 0 is exact

    def replay() -> None:
        _clock[0] = next(seconds)

    interval = judgement.mcc_interval
    first, data = records[0], records[0].dataset
    benchmark.group = first.suite
    benchmark.pedantic(replay, setup=rewind, rounds=len(records))
    info = {
        "suite": first.suite,
        "cell": first.cell,
        "checkpoint": first.checkpoint,
        "batch_size": first.batch_size,
        "learning_rate": first.learning_rate,
        "seeds": [record.seed for record in records],
        "epochs": first.training.epochs,
        "training": first.training.model_dump(exclude_defaults=True),
        "dataset": data and data.name,
        "dataset_origin": data and data.origin,
        "dataset_fingerprint": data and data.fingerprint,
        "mcc": judgement.mcc,
        "mcc_by_seed": judgement.by_seed,
        "mcc_interval": None if interval is None else [interval.low, interval.high],
        "threshold": judgement.threshold,
        "verdict": judgement.verdict,
        "gates": {check.gate: check.verdict for check in judgement.checks},
        "samples_per_second": [record.samples_per_second for record in records],
        "peak_memory_mb": [record.peak_memory_mb for record in records],
        "concurrency": [record.concurrency for record in records],
        "keys": [record.key for record in records],
    }
    if stopped := {run.seed: run.stopped.text for run in records if run.stopped is not None}:
        info |= {"mcc_at_least": judgement.mcc_at_least, "stopped": stopped}
    benchmark.extra_info.update(_plain(info))


def _plain(value: Any) -> Any:
    """Return a value as JSON types: NumPy numbers as Python numbers, non-finite ones as None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "item"):  # a NumPy or torch number
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
