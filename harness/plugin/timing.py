"""Training times as the workers measured them, handed to pytest-benchmark."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.judging.gates import Judgement
from harness.store.records import Record

_clock = [0.0]


def training_clock() -> float:
    """Return 0 before a round that `record_timing` replays, and its seconds of training after it.

    As pytest-benchmark's timer it makes a round last as long as the worker's own measurement,
    not as long as a test waited for it in a queue.
    """
    return _clock[0]


def record_timing(benchmark: Any, records: Sequence[Record], judgement: Judgement) -> None:
    """Give pytest-benchmark one round a seed; beside them what was trained, quality and verdict.

    All is plain: text, whole numbers, floats that are finite, lists, None. What pytest-benchmark
    cannot write as JSON it would write as text or, of NaN, as no JSON at all.

    Args:
        benchmark: the `benchmark` fixture, whose timer is `training_clock`.
        records: the runs of one cell that were scored, at least one.
    """
    # In a cycle: profiling and --benchmark-disable call it another number of times.
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
    benchmark.extra_info.update(_plain(info))


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: NumPy's numbers as Python's, what is not finite as None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "item"):  # a number of NumPy, or of torch
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
