"""Training times as the workers measured them, handed to pytest-benchmark."""

import itertools
from collections.abc import Sequence
from typing import Any

from harness.gates import Judgement
from harness.records import Record

_clock = [0.0]


def training_clock() -> float:
    """Return 0 before a round that `record_timing` replays, and its seconds of training after it.

    As pytest-benchmark's timer it makes a round last as long as the worker's own measurement,
    not as long as a test waited for it in a queue.
    """
    return _clock[0]


def record_timing(benchmark: Any, records: Sequence[Record], judgement: Judgement) -> None:
    """Give pytest-benchmark one round a seed, and the cell's quality and verdict beside them.

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
    benchmark.group = records[0].suite
    benchmark.pedantic(replay, setup=rewind, rounds=len(records))
    benchmark.extra_info.update(
        mcc=judgement.mcc,
        mcc_by_seed={str(seed): mcc for seed, mcc in judgement.by_seed.items()},
        mcc_interval=None if interval is None else [interval.low, interval.high],
        threshold=judgement.threshold,
        verdict=judgement.verdict,
        gates={check.gate: check.verdict for check in judgement.checks},
        samples_per_second=[record.samples_per_second for record in records],
        peak_memory_mb=[record.peak_memory_mb for record in records],
        concurrency=[record.concurrency for record in records],
        keys=[record.key for record in records],
    )
