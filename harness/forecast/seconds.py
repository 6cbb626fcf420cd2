"""Predicts how long runs take, from earlier records or a FLOP count, and when the last one ends."""

import functools
import heapq
import math
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from harness.forecast.workload import FLOPS_EVALUATED, FLOPS_TRAINED, Tokens, flops, size_of
from harness.machine import provenance
from harness.machine.contention import load_message, threads_left, wanted_then
from harness.store.records import Record
from harness.store.stopped import epochs_trained
from harness.suite.spec import TrainingSpec

EFFICIENCY = {"compiled-layers": 0.8, "packing": 0.6}
PADDED_EFFICIENCY = 0.3
"""Share of the rate of matrix products that a run reaches, counting real tokens only: by the first
of these speed-ups that it has, and with none. `packing` leaves out the padding, which is half of
the tutorial's batches. Measured with all-MiniLM-L6 on CoLA; docs/performance.md explains the rest.
"""

UNMEASURED_GPU_FLOPS = 1e13
"""A GPU's assumed rate without records. It only serves to order runs, not to predict seconds."""

OVERHEAD_SECONDS = 4.0
"""A run's assumed time for start, loading, tokenizing and recording, without records."""

PROBE_SECONDS = 0.15
PROBE_SIZE = 512


@dataclass(frozen=True)
class Work:
    """Everything that a run's time depends on; runs that differ only in the seed are equal.

    `sentences` are the sizes of the train and the validation split, `fingerprint` is the data's.
    """

    checkpoint_digest: str
    checkpoint_folder: str
    fingerprint: str
    sentences: tuple[int, int]
    tokens: Tokens
    batch_size: int
    training: TrainingSpec
    device: str


@dataclass(frozen=True)
class Sharing:
    """How runs share a machine: `workers` at a time, each with `threads`."""

    workers: int
    threads: int


@dataclass(frozen=True)
class Forecast:
    """Seconds that each run takes while the others run; `basis` describes their source.

    Without a basis the numbers are only proportional to seconds.
    """

    seconds: tuple[float, ...]
    basis: str | None


@dataclass(frozen=True)
class Underway:
    """A run in progress: its expected and elapsed seconds, and those left at its pace, if known."""

    expected: float
    seconds: float
    left: float | None


def forecast(
    works: Sequence[Work],
    sharing: Sharing,
    earlier: Iterable[Record],
    others: float | None = None,
) -> Forecast:
    """Predict the seconds of runs that share a machine.

    Args:
        earlier: records of any runs; similar runs on a similar machine give the pace.
        others: cores that other programs want, now and later; None (unknown) counts as 0.
    """
    here = provenance.machine()
    comparable = [
        record
        for record in earlier
        if record.status == "ok"
        and record.machine is not None
        and record.machine.processor == here.processor
        and record.machine.accelerator == here.accelerator
    ]
    probe = functools.cache(gemm_flops_per_second)
    cores, load = provenance.available_cores(), others or 0.0
    known: dict[Work, float] = {}
    counted: dict[Work, float] = {}
    for work in dict.fromkeys(works):
        recorded = seconds_by_records(work, sharing, comparable, load)
        if recorded is not None:
            known[work] = recorded
            continue
        size = size_of(Path(work.checkpoint_folder))
        count = flops(size, work.tokens, work.training.epochs)
        if work.device != "cpu":
            counted[work] = OVERHEAD_SECONDS + count / UNMEASURED_GPU_FLOPS
            continue
        rate = probe() * core_share(sharing, cores, load)
        reached = (share for name, share in EFFICIENCY.items() if name in work.training.speedups)
        efficiency = next(reached, PADDED_EFFICIENCY)
        counted[work] = OVERHEAD_SECONDS + count / (rate * efficiency)
    by_work = {**known, **counted}
    seconds = tuple(by_work[work] for work in works)
    if any(work.device != "cpu" for work in counted):
        return Forecast(seconds, None)
    sources = ["earlier records"] * bool(known) + ["a FLOP count and a probe"] * bool(counted)
    message = load_message(others, cores)
    condition = f", while {message}" if message else ""
    return Forecast(seconds, f"from {' and '.join(sources)}{condition}")


def gemm_flops_per_second() -> float:
    """Measure the rate of float32 matrix products on all cores together, in a fraction of a second.

    Each core multiplies independently, since the library's own threads wait for each other. Only
    processor time counts, since a session runs its imports at the same time.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits

    cores = provenance.available_cores()
    factor = np.random.default_rng(0).standard_normal((PROBE_SIZE, PROBE_SIZE), np.float32)

    def products_per_second(until: float) -> float:
        product, times, started = np.empty_like(factor), 0, time.thread_time()
        while times == 0 or time.perf_counter() < until:
            np.matmul(factor, factor, out=product)
            times += 1
        return times / (time.thread_time() - started)

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(cores) as threads:
        products_per_second(0)  # warm-up: do not measure the library's start
        rates = threads.map(products_per_second, [time.perf_counter() + PROBE_SECONDS] * cores)
        return 2 * PROBE_SIZE**3 * sum(rates)


def seconds_by_records(
    work: Work, sharing: Sharing, earlier: Sequence[Record], others: float
) -> float | None:
    """Predict a run's seconds from the median pace of the most similar earlier runs, or None.

    Only runs of the same checkpoint on the same kind of device count. Similarity compares, in this
    order: the speed-ups requested, how the machine was shared, precision, batching and maximum
    length, the data, the distance in batch size. Pace is training time per sentence and epoch; a
    validation sentence costs a third of a training sentence. If a processor was shared in another
    way, or with other programs, `core_share` converts the pace.
    """
    distances = [
        (_distance(record, work, sharing), record)
        for record in earlier
        if (record.checkpoint_digest, record.device) == (work.checkpoint_digest, work.device)
    ]
    smallest = min((distance for distance, _ in distances), default=None)
    nearest = [record for distance, record in distances if distance == smallest]
    if not nearest:
        return None
    cores = provenance.available_cores()
    paces, overheads = [], []
    for record in nearest:
        assert record.times is not None
        assert record.dataset is not None
        sentences = _sentences_trained(record.dataset.train, record.dataset.validation)
        trained = epochs_trained(record.training, record.epochs, record.stopped)
        pace = record.times.train / (trained * sentences)
        if work.device == "cpu" and record.concurrency is not None and record.threads is not None:
            load = 0.0
            if record.contention is not None and record.machine is not None:
                load = wanted_then(record.contention, record.concurrency, record.machine.cores)
            pace *= core_share(Sharing(record.concurrency, record.threads), cores, load)
            pace /= core_share(sharing, cores, others)
        paces.append(pace)
        overheads.append(max(0.0, record.times.total - record.times.train))
    passes = work.training.epochs * _sentences_trained(*work.sentences)
    return passes * median(paces) + median(overheads)


def _distance(record: Record, work: Work, sharing: Sharing) -> tuple[float, ...]:
    assert record.dataset is not None
    theirs, ours = record.training, work.training
    return (
        theirs.speedups != ours.speedups,
        (record.concurrency, record.threads) != (sharing.workers, sharing.threads),
        theirs.precision != ours.precision,
        theirs.batching != ours.batching,
        theirs.max_length != ours.max_length,
        record.dataset.fingerprint != work.fingerprint,
        abs(math.log(record.batch_size / work.batch_size)),
    )


def _sentences_trained(train: int, validation: int) -> float:
    return train + validation * FLOPS_EVALUATED / FLOPS_TRAINED


def core_share(sharing: Sharing, cores: int, others: float = 0.0) -> float:
    """Return one run's speed as a share of the speed of all cores together, for parallel runs.

    The speed of a run grows with the square root of its threads: two parallel single-threaded runs
    were measured to be 1.4 times as fast as two runs with two threads, one after the other. If
    other programs keep cores busy, a run uses fewer threads, and the rest is shared equally.

    Args:
        others: cores that other programs keep busy.
    """
    threads = threads_left(sharing.threads, sharing.workers, cores, others)
    return math.sqrt(threads) / max(cores, sharing.workers * threads + others)


def makespan(seconds: Iterable[float], workers: int, busy: Iterable[float] = ()) -> float:
    """Return when the last run ends if each starts, in the given order, when a worker is free.

    Args:
        busy: seconds until each busy worker is free; the other workers are free now.
    """
    free = sorted(busy)
    free = [0.0] * (workers - len(free)) + free
    last = free[-1]
    for each in seconds:
        end = heapq.heappop(free) + each
        heapq.heappush(free, end)
        last = max(last, end)
    return last


def seconds_left(
    waiting: Sequence[float],
    underway: Sequence[Underway],
    took: Sequence[tuple[float, float]],
    workers: int,
    absolute: bool,
) -> float | None:
    """Predict when the last run ends, with the predictions corrected by the times measured so far.

    Args:
        waiting: predictions for the runs that have not begun, in their order.
        took: the prediction and the actual seconds of each run that ended.
        absolute: whether predictions are seconds, or only proportional to seconds.

    Returns None if there is no basis yet.
    """
    scale = correction(underway, took, absolute)
    if scale is None:
        return None
    busy = [
        max(0.0, scale * run.expected - run.seconds) if run.left is None else run.left
        for run in underway
    ]
    return makespan([scale * each for each in waiting], max(workers, len(busy)), busy)


def correction(
    underway: Sequence[Underway], took: Sequence[tuple[float, float]], absolute: bool
) -> float | None:
    """Return the factor by which runs take longer than predicted, the median of those measured.

    Returns 1 if nothing is measured, or None if predictions are not seconds; see `seconds_left`.
    """
    ratios = [actual / expected for expected, actual in took if expected > 0]
    ratios += [
        (run.seconds + run.left) / run.expected
        for run in underway
        if run.left is not None and run.expected > 0
    ]
    if ratios:
        return median(ratios)
    return 1.0 if absolute else None
