"""How long runs will take, from earlier records or from their arithmetic, and when all will end."""

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
from harness.machine.contention import threads_left, told, wanted_then
from harness.store.records import Record
from harness.suite.spec import TrainingSpec

PACKED_EFFICIENCY = 0.6
PADDED_EFFICIENCY = 0.3
"""Share of the rate of matrix products that a run reaches by this count of its real tokens: with
`packing` it leaves out the padding, which makes up half of the tutorial's batches. Measured with
all-MiniLM-L6 on CoLA; docs/performance.md says where the rest goes."""

UNMEASURED_GPU_FLOPS = 1e13
"""A GPU's rate before any record. It puts runs in order and is good for no time in seconds."""

OVERHEAD_SECONDS = 4.0
"""A run's start, loading, tokenising and recording, before any record."""

EARLY = 0.05
"""Up to this share of a run its start prevails, and its pace says little."""

PROBE_SECONDS = 0.15
PROBE_SIZE = 512


@dataclass(frozen=True)
class Work:
    """What a run's time depends on; runs with other seeds are the same work.

    `sentences` counts the train and the validation split, `fingerprint` is their data's.
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
    """Seconds that each run takes, beside the others; `basis` says what they come from.

    Without a basis the numbers stand in proportion to the seconds, and are none.
    """

    seconds: tuple[float, ...]
    basis: str | None


@dataclass(frozen=True)
class Underway:
    """A run that has begun: what it was expected to take, its age, and how far it is (0 to 1)."""

    expected: float
    seconds: float
    fraction: float


def forecast(
    works: Sequence[Work],
    sharing: Sharing,
    earlier: Iterable[Record],
    others: float | None = None,
) -> Forecast:
    """Expect the seconds of runs that go on beside each other.

    Args:
        earlier: records of any runs; those of a like run on a like machine tell its pace.
        others: cores that other programs want, and are expected to go on with; None if that is
            not known, which counts as none.
    """
    like = [record for record in earlier if _of_this_machine(record)]
    probe = functools.cache(gemm_flops_per_second)
    cores, beside = provenance.available_cores(), others or 0.0
    known: dict[Work, float] = {}
    counted: dict[Work, float] = {}
    for work in dict.fromkeys(works):
        recorded = seconds_by_records(work, sharing, like, beside)
        if recorded is not None:
            known[work] = recorded
            continue
        size = size_of(Path(work.checkpoint_folder))
        count = flops(size, work.tokens, work.training.epochs)
        if work.device != "cpu":
            counted[work] = OVERHEAD_SECONDS + count / UNMEASURED_GPU_FLOPS
            continue
        rate = probe() * core_share(sharing, cores, beside)
        packed = "packing" in work.training.speedups
        efficiency = PACKED_EFFICIENCY if packed else PADDED_EFFICIENCY
        counted[work] = OVERHEAD_SECONDS + count / (rate * efficiency)
    seconds = tuple({**known, **counted}[work] for work in works)
    if any(work.device != "cpu" for work in counted):
        return Forecast(seconds, None)
    sources = ["earlier records"] * bool(known) + ["a FLOP count and a probe"] * bool(counted)
    load = told(others, cores)
    return Forecast(seconds, f"from {' and '.join(sources)}{f', while {load}' if load else ''}")


def _of_this_machine(record: Record) -> bool:
    here = provenance.machine()
    return (
        record.status == "ok"
        and record.machine is not None
        and record.machine.processor == here.processor
        and record.machine.accelerator == here.accelerator
    )


def gemm_flops_per_second() -> float:
    """Measure the rate of float32 matrix products on all cores together, in a fraction of a second.

    Each core multiplies for itself, as the library's own threads wait for each other, and what
    counts is the time that it was at it: a session is at its imports meanwhile.
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
        products_per_second(0)  # the library's own start is no rate
        rates = threads.map(products_per_second, [time.perf_counter() + PROBE_SECONDS] * cores)
        return 2 * PROBE_SIZE**3 * sum(rates)


def seconds_by_records(
    work: Work, sharing: Sharing, earlier: Sequence[Record], others: float = 0.0
) -> float | None:
    """Expect a run to go on at the median pace of the earlier runs most like it; None without any.

    Only runs of its checkpoint on its kind of device tell. Alike in this order: the speed-ups
    asked for, how the machine was shared, precision, batching and maximum length, the data, the
    nearest batch size. Pace is training time for a sentence and epoch, a validation sentence
    costing a third of a trained one; where a processor was shared in another way, or with other
    programs, it is converted by `core_share`.
    """
    digest, device = work.checkpoint_digest, work.device
    of_checkpoint = [r for r in earlier if (r.checkpoint_digest, r.device) == (digest, device)]
    pairs = [(_unlike(record, work, sharing), record) for record in of_checkpoint]
    if not pairs:
        return None
    nearest = min(unlike for unlike, _ in pairs)
    like = [record for unlike, record in pairs if unlike == nearest]
    cores = provenance.available_cores()

    def pace(record: Record) -> float:
        assert record.times is not None
        assert record.dataset is not None
        sentences = _sentences_trained(record.dataset.train, record.dataset.validation)
        measured = record.times.train / (record.training.epochs * sentences)
        if device != "cpu" or record.concurrency is None or record.threads is None:
            return measured
        theirs = core_share(Sharing(record.concurrency, record.threads), cores, _load_of(record))
        return measured * theirs / core_share(sharing, cores, others)

    passes = work.training.epochs * _sentences_trained(*work.sentences)
    return passes * median(map(pace, like)) + median(map(_overhead, like))


def _unlike(record: Record, work: Work, sharing: Sharing) -> tuple[float, ...]:
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


def _load_of(record: Record) -> float:
    """Return the cores that other programs wanted while a run trained; 0 if nobody knows."""
    if record.contention is None or record.concurrency is None or record.machine is None:
        return 0.0
    return wanted_then(record.contention, record.concurrency, record.machine.cores)


def _overhead(record: Record) -> float:
    assert record.times is not None
    return max(0.0, record.times.total - record.times.train)


def core_share(sharing: Sharing, cores: int, others: float = 0.0) -> float:
    """Return the share of all cores' work together that one of some runs side by side gets done.

    A run of several threads gains with their square root: two single-threaded runs side by side
    were measured 1.4 times as fast as one of two threads after the other. Where other programs
    keep cores busy, a run gives up threads for them, and what is left is shared alike.

    Args:
        others: cores that other programs keep busy.
    """
    threads = threads_left(sharing.threads, sharing.workers, cores, others)
    return math.sqrt(threads) / max(cores, sharing.workers * threads + others)


def makespan(seconds: Iterable[float], workers: int, busy: Iterable[float] = ()) -> float:
    """Return when the last run ends if each starts, in their order, as soon as a worker is free.

    Args:
        busy: seconds until each of some workers is free; the others are.
    """
    free = sorted(busy)
    free = [0.0] * (workers - len(free)) + free
    last = free[-1]
    for each in seconds:
        ends = heapq.heappop(free) + each
        heapq.heappush(free, ends)
        last = max(last, ends)
    return last


def seconds_left(
    waiting: Sequence[float],
    underway: Sequence[Underway],
    took: Sequence[tuple[float, float]],
    workers: int,
    absolute: bool,
) -> float | None:
    """Expect when everything ends, the expectations mended by what is seen of them.

    Args:
        waiting: expectations of the runs that have not begun, in their order.
        took: of each run that ended, its expectation and its seconds.
        absolute: whether expectations are seconds, rather than in proportion to them.

    Returns None where nothing tells yet.
    """
    seen = [actual / expected for expected, actual in took if expected > 0]
    far = [run for run in underway if run.fraction >= EARLY]
    seen += [run.seconds / run.fraction / run.expected for run in far if run.expected > 0]
    if not seen and not absolute:
        return None
    scale = median(seen) if seen else 1.0
    busy = [
        run.seconds * (1 / run.fraction - 1)
        if run in far
        else max(0.0, scale * run.expected - run.seconds)
        for run in underway
    ]
    return makespan([scale * each for each in waiting], max(workers, len(busy)), busy)
