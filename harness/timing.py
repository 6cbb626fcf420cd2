"""Training times as the workers measured them, handed to pytest-benchmark."""

from collections.abc import Sequence
from typing import Any

from harness.gates import Judgement
from harness.records import Record

_trained = [0.0]


def training_clock() -> float:
    """Return the seconds of training that `record_timing` has replayed so far.

    As pytest-benchmark's timer it makes a round last as long as the worker's own measurement,
    not as long as a test waited for it in a queue.
    """
    return _trained[0]


def record_timing(benchmark: Any, records: Sequence[Record], judgement: Judgement) -> None:
    """Give pytest-benchmark one round a seed, and the cell's quality and verdict beside them.

    Args:
        benchmark: the `benchmark` fixture, whose timer is `training_clock`.
        records: the runs of one cell that were scored, at least one.
    """
    seconds = iter([record.times.train for record in records if record.times is not None])

    def replay() -> None:
        _trained[0] += next(seconds)

    benchmark.group = records[0].suite
    benchmark.pedantic(replay, rounds=len(records))
    benchmark.extra_info.update(
        mcc=judgement.mcc,
        mcc_by_seed={str(seed): mcc for seed, mcc in judgement.by_seed.items()},
        threshold=judgement.threshold,
        verdict=judgement.verdict,
        samples_per_second=[record.samples_per_second for record in records],
        peak_memory_mb=[record.peak_memory_mb for record in records],
        concurrency=[record.concurrency for record in records],
        keys=[record.key for record in records],
    )
