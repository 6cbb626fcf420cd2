"""Stopped sessions give the verdicts of whole runs: small grids of curves, all of them replayed."""

import itertools
import random
from collections import deque
from collections.abc import Sequence
from fractions import Fraction
from statistics import mean

import pytest
from builders.records import make_cell, make_record, scores_of_epochs

from harness.judging.decided.stops import Stops
from harness.judging.gates import judge
from harness.store.records import Record
from harness.store.stopped import Stopped
from harness.suite.plan import Cell, Run
from harness.suite.spec import TrainingSpec

Curves = Sequence[Sequence[float]]


def trained(cell: Cell, seed: int, curve: Sequence[float], target: float | None) -> Record:
    """Return the record of a run with these MCCs by epoch, stopped at the target."""
    reached = [n for n, mcc in enumerate(curve, start=1) if target is not None and mcc >= target]
    last = min([*reached, len(curve)])
    epochs = scores_of_epochs(curve[:last])
    best = max(epochs, key=lambda each: each.scores.mcc)
    stopped = None
    if last < len(curve):
        assert target is not None
        stopped = Stopped(after_epoch=last, of=len(curve), because="gate met", target=target)
    return make_record(
        cell,
        seed,
        training=TrainingSpec(epochs=len(curve)),
        epochs=epochs,
        scores=best.scores,
        selected_epoch=best.epoch,
        stopped=stopped,
    )


def session(
    cell: Cell,
    curves: Curves,
    workers: int,
    order: random.Random | None = None,
    before: Sequence[Record] = (),
) -> tuple[list[Record], int]:
    """Train a cell as Dispatch does; return the final records, and the number of epochs trained.

    Args:
        order: draws which of the running runs ends next; by default the first.
        before: finished runs, whole or stopped.
    """
    stops = Stops([cell], {(cell.suite, cell.id): cell.gates.min_mcc or 0.0}, before)
    results = {record.seed: record for record in before}
    waiting = deque(seed for seed in cell.seeds if seed not in results)
    running: dict[int, float | None] = {}
    epochs = 0
    for _ in range(100):
        while waiting and len(running) < workers:
            seed = waiting.popleft()
            running[seed] = stops.start(Run(cell, seed, TrainingSpec()))
        if not running:
            assert stops.settled(Run(cell, cell.seeds[0], TrainingSpec()))
            return [results[seed] for seed in cell.seeds], epochs
        seed = order.choice(sorted(running)) if order else next(iter(running))
        record = trained(cell, seed, curves[seed], running.pop(seed))
        epochs += len(record.epochs)
        results[seed] = record
        if (again := stops.end(record)) is not None:
            waiting.appendleft(again)
    raise AssertionError("it does not end")


def verdict(cell: Cell, records: Sequence[Record]) -> str | None:
    return judge(cell, records).verdict


def of_whole_runs(cell: Cell, curves: Curves) -> str:
    """Return the verdict of whole runs: their mean is exact, and rounded once."""
    best = mean(Fraction(max(curve)) for curve in curves)
    return "pass" if float(best) >= (cell.gates.min_mcc or 0.0) else "fail"


LEVELS = (0.1, 0.3, 0.5)


@pytest.mark.parametrize("threshold", [0.2, 0.3, 0.4])
def test_every_verdict_of_two_seeds_is_that_of_whole_runs(threshold: float) -> None:
    cell = make_cell(seeds=(0, 1), threshold=threshold)
    saved = 0
    for flat in itertools.product(LEVELS, repeat=6):
        curves = flat[:3], flat[3:]
        records, epochs = session(cell, curves, 1)
        assert verdict(cell, records) == of_whole_runs(cell, curves), curves
        saved += 6 - epochs
    assert saved > 0


@pytest.mark.parametrize("workers", [1, 3])
def test_every_verdict_of_three_seeds_is_that_of_whole_runs(workers: int) -> None:
    cell = make_cell(seeds=(0, 1, 2), threshold=0.3)
    for flat in itertools.product((0.1, 0.29, 0.32), repeat=6):
        curves = flat[:2], flat[2:4], flat[4:]
        records, _ = session(cell, curves, workers)
        assert verdict(cell, records) == of_whole_runs(cell, curves), curves


def test_no_order_of_ends_changes_a_verdict() -> None:
    draw = random.Random(20)
    for _ in range(300):
        seeds = tuple(range(draw.randint(1, 5)))
        curves = [[draw.uniform(-0.2, 0.8) for _ in range(draw.choice([4]))] for _ in seeds]
        final = mean(max(curve) for curve in curves)
        # Also thresholds at the mean itself, where a rounding error would decide.
        threshold = draw.choice([final, final + 1e-12, draw.uniform(-0.1, 0.7)])
        cell = make_cell(seeds=seeds, threshold=min(1.0, threshold))
        records, _ = session(cell, curves, draw.randint(1, 4), draw)
        assert verdict(cell, records) == of_whole_runs(cell, curves), (curves, threshold)


def test_finished_runs_of_earlier_sessions_count() -> None:
    draw = random.Random(3)
    for _ in range(200):
        curves = [[draw.uniform(0, 0.8) for _ in range(3)] for _ in range(4)]
        cell = make_cell(seeds=(0, 1, 2, 3), threshold=draw.uniform(0.3, 0.8))
        before = [trained(cell, 0, curves[0], None)]
        if (target := draw.uniform(0, 0.8)) <= max(curves[1]):
            before.append(trained(cell, 1, curves[1], target))
        records, _ = session(cell, curves, 2, draw, before)
        assert verdict(cell, records) == of_whole_runs(cell, curves)


def test_a_cell_that_passes_by_a_margin_trains_one_epoch_a_seed() -> None:
    cell = make_cell(seeds=(0, 1, 2), threshold=0.45)
    curves = [[0.5, 0.52, 0.55, 0.54, 0.55]] * 3
    _, epochs = session(cell, curves, 2)
    assert epochs == 3
    assert epochs / 15 <= 0.35


def test_what_an_earlier_seed_has_above_the_threshold_lowers_the_targets_of_later_ones() -> None:
    cell = make_cell(seeds=(0, 1, 2), threshold=0.4)
    curves = [[0.6, 0.6, 0.6], [0.31, 0.5, 0.5], [0.3, 0.4, 0.4]]
    records, epochs = session(cell, curves, 1)
    assert [record.stopped and record.stopped.after_epoch for record in records] == [1, 1, 1]
    assert epochs == 3
    assert records[1].stopped is not None
    assert records[1].stopped.target == pytest.approx(0.3)


def test_a_stopped_seed_trains_again_if_another_one_leaves_the_cell_undecided() -> None:
    cell = make_cell(seeds=(0, 1), threshold=0.4)
    curves = [[0.4, 0.46, 0.46], [0.1, 0.2, 0.35]]
    records, epochs = session(cell, curves, 1)
    assert epochs == 1 + 3 + 2  # the first seed, the second whole, then the first to what it needs
    assert verdict(cell, records) == "pass"
    assert records[0].stopped is not None
    assert records[0].stopped.target == pytest.approx(0.45)


def test_a_failed_run_decides_its_cell_so_nothing_trains_again() -> None:
    cell = make_cell(seeds=(0, 1), threshold=0.4)
    stops = Stops([cell], {(cell.suite, cell.id): 0.4}, [])
    first, second = (Run(cell, seed, TrainingSpec()) for seed in cell.seeds)
    stops.start(first)
    assert stops.end(trained(cell, 0, [0.5, 0.5], 0.4)) is None
    assert not stops.settled(first)
    stops.start(second)
    failed = trained(cell, 1, [0.1, 0.1], None).model_copy(update={"scores": None})
    assert stops.end(failed) is None
    assert stops.settled(second)


def test_cells_of_the_same_name_in_two_suites_have_their_own_targets() -> None:
    one, other = (make_cell(seeds=(0, 1), suite=suite) for suite in ("one", "other"))
    stops = Stops([one, other], {("one", one.id): 0.4, ("other", other.id): 0.2}, [])
    runs = [Run(cell, 0, TrainingSpec()) for cell in (one, other)]
    assert [stops.start(run) for run in runs] == [0.4, 0.2]
    stops.end(trained(one, 0, [0.6, 0.6], 0.4))
    assert stops.start(Run(one, 1, TrainingSpec())) == pytest.approx(0.2)
    assert stops.start(Run(other, 1, TrainingSpec())) == pytest.approx(0.2)
    without = make_cell("org/without", seeds=(0,))
    assert stops.start(Run(without, 0, TrainingSpec())) is None
    assert stops.settled(Run(without, 0, TrainingSpec()))
