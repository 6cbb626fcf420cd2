"""The runs that fit a budget: as many as fit, the most informative first."""

import heapq
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.forecast.budget import Candidate, in_order, within


def run(cell: str, place: int = 0, seconds: float = 10, **changes: object) -> Candidate:
    fields = {"before": 0, "gated": False, "again": False, "seconds": seconds, **changes}
    return Candidate(cell, place, **fields)  # type: ignore[arg-type]


def matrix(cells: str, seeds: int, seconds: float = 10, gated: str = "") -> list[Candidate]:
    return [run(c, n, seconds, gated=c in gated) for c in cells for n in range(seeds)]


def names(runs: Sequence[Candidate], chosen: Sequence[int]) -> str:
    """Write runs as cell and seed: a0 b0 a1."""
    return " ".join(f"{runs[i].cell}{runs[i].place}" for i in chosen)


def duration(runs: Sequence[Candidate], order: Sequence[int], workers: int) -> float:
    """Simulate the training: each run begins when a worker is free."""
    free = [0.0] * workers
    for position in order:
        heapq.heapreplace(free, free[0] + runs[position].seconds)
    return max(free)


@st.composite
def plans(draw: st.DrawFn) -> list[Candidate]:
    runs = []
    for cell in "abcd"[: draw(st.integers(1, 4))]:
        gated, before = draw(st.booleans()), draw(st.integers(0, 2))
        same = draw(st.booleans())
        seconds = draw(st.integers(1, 60))
        for place in range(draw(st.integers(1, 4))):
            own = seconds if same else draw(st.integers(1, 60))
            again = before == 0 and draw(st.integers(0, 9)) == 0
            runs.append(run(cell, place, own, gated=gated, before=before, again=again))
    return draw(st.permutations(runs))


WORKERS, BUDGETS = st.integers(1, 4), st.integers(0, 400)


@pytest.mark.parametrize(
    ("workers", "budget", "expected"),
    [
        (1, 9, ""),
        (1, 10, "a0"),
        (1, 39.9, "a0 b0 c0"),
        (1, 40, "a0 b0 c0 a1"),
        (1, 90, "a0 b0 c0 a1 b1 c1 a2 b2 c2"),
        (2, 10, "a0 b0"),
        (2, 20, "a0 b0 c0 a1"),
        (3, 10, "a0 b0 c0"),
        (9, 10, "a0 b0 c0 a1 b1 c1 a2 b2 c2"),
    ],
)
def test_one_seed_of_every_cell_comes_before_a_second_of_any(
    workers: int, budget: float, expected: str
) -> None:
    runs = matrix("abc", 3)
    assert names(runs, within(runs, workers, budget)) == expected


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (20, "c0 d0"),
        (30, "c0 d0 a0"),
        (40, "c0 d0 a0 b0"),
        # A gate needs every seed of its cell, so one cell is completed before the next.
        (60, "c0 d0 a0 b0 c1 c2"),
        (80, "c0 d0 a0 b0 c1 c2 d1 d2"),
        (100, "c0 d0 a0 b0 c1 c2 d1 d2 a1 b1"),
    ],
)
def test_cells_with_gates_come_before_cells_that_only_rank(budget: float, expected: str) -> None:
    runs = matrix("abcd", 3, gated="cd")
    assert names(runs, within(runs, 1, budget)) == expected


def test_the_gate_that_lacks_least_is_completed_first() -> None:
    runs = [
        *(run("a", place, 10, gated=True) for place in range(3)),
        *(run("b", place, 8, gated=True) for place in range(3)),
        run("c", 2, 15, gated=True, before=2),
    ]
    assert names(runs, within(runs, 1, 10 + 8 + 15 + 16)) == "a0 b0 c2 b1 b2"


def test_finished_seeds_count_as_the_first_of_their_cell() -> None:
    runs = [run("a", 1, before=1), run("a", 2, before=1), run("b", 0), run("b", 1), run("c", 2)]
    order = "b0 c2 a1 b1 a2"
    for budget in range(0, 60, 10):
        assert names(runs, within(runs, 1, budget)) == " ".join(order.split()[: budget // 10])


def test_what_is_finished_already_trains_again_last() -> None:
    runs = [run("a", 0, again=True), run("b", 0, again=True, gated=True), run("c", 0), run("c", 1)]
    assert names(runs, within(runs, 1, 30)) == "c0 c1 a0"


def test_a_run_that_is_too_long_does_not_keep_shorter_ones_out() -> None:
    runs = [*matrix("a", 3, 5), *matrix("b", 3, 100)]
    assert names(runs, within(runs, 1, 20)) == "a0 a1 a2"
    assert names(runs, within(runs, 2, 100)) == "b0 a0 a1 a2"
    assert names(runs, within(runs, 1, 105)) == "b0 a0"


def test_the_longest_run_of_a_stage_begins_first() -> None:
    """By Graham's bound: 1, 1, 1, 1 and 4 take 4 on two workers, but 6 if 4 begins last."""
    runs = [run(name, 0, seconds) for name, seconds in zip("abcde", (1, 1, 4, 1, 1), strict=True)]
    assert names(runs, within(runs, 2, 4)) == "c0 a0 b0 d0 e0"


@given(plans(), WORKERS, BUDGETS)
def test_what_is_chosen_ends_in_time_and_nothing_more_would(
    runs: list[Candidate], workers: int, budget: int
) -> None:
    chosen = within(runs, workers, budget)
    assert len(set(chosen)) == len(chosen)
    assert duration(runs, chosen, workers) <= budget
    every = in_order(runs)
    assert sorted(every) == list(range(len(runs)))
    for position in set(every) - set(chosen):
        more = [i for i in every if i in chosen or i == position]
        assert duration(runs, more, workers) > budget


@given(plans(), WORKERS, BUDGETS, BUDGETS)
def test_a_larger_budget_trains_all_that_a_smaller_one_does_if_runs_are_equally_long(
    runs: list[Candidate], workers: int, one: int, other: int
) -> None:
    alike = [replace(each, seconds=20) for each in runs]
    small, large = (set(within(alike, workers, budget)) for budget in sorted((one, other)))
    assert small <= large


@given(plans(), WORKERS, BUDGETS, BUDGETS)
def test_a_larger_budget_covers_no_fewer_gated_cells(
    runs: list[Candidate], workers: int, one: int, other: int
) -> None:
    gated = [replace(each, gated=True, again=False, before=0) for each in runs]
    small, large = (within(gated, workers, budget) for budget in sorted((one, other)))
    assert len({gated[i].cell for i in small}) <= len({gated[i].cell for i in large})


@given(plans(), WORKERS, BUDGETS, st.randoms(use_true_random=False))
def test_the_order_of_the_arguments_does_not_matter(
    runs: list[Candidate], workers: int, budget: int, chance: random.Random
) -> None:
    shuffled = chance.sample(runs, len(runs))
    ours, theirs = within(runs, workers, budget), within(shuffled, workers, budget)
    assert names(runs, ours) == names(shuffled, theirs)


@given(plans(), WORKERS)
def test_all_runs_are_chosen_if_all_fit(runs: list[Candidate], workers: int) -> None:
    exactly = duration(runs, in_order(runs), workers)
    assert within(runs, workers, exactly) == in_order(runs)
    assert len(within(runs, workers, exactly - 0.5)) < len(runs)
