"""Progress comes back from the folder it was written to, and is told in one line."""

from pathlib import Path

import pytest

from harness.session.display import State, live_line, minute_line
from harness.text import duration
from harness.training.progress import FILE, Progress, discard, read, writer


def test_a_run_has_begun_once_its_writer_is_made(tmp_path: Path) -> None:
    assert read(tmp_path) is None
    writer(tmp_path)
    begun = read(tmp_path)
    assert begun is not None
    assert (begun.step, begun.steps) == (0, 0)


def test_a_new_score_is_written_at_once_and_a_mere_step_is_not(tmp_path: Path) -> None:
    write = writer(tmp_path)
    write(Progress(epoch=1.0, epochs=3, step=10, steps=30, mcc=0.25))
    write(Progress(epoch=1.1, epochs=3, step=11, steps=30, mcc=0.25))
    seen = read(tmp_path)
    assert seen is not None
    assert (seen.step, seen.mcc) == (10, 0.25)
    assert seen.seconds >= 0


def test_the_first_step_has_its_own_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ages = iter([0.0, 0.0, 4.0, 7.0, 16.0, 30.0, 42.0])  # start, first write, then each step
    monkeypatch.setattr("time.monotonic", lambda: next(ages))
    write = writer(tmp_path)
    found = []
    for step in (1, 3, 5, 1, 2):  # it began again, in smaller parts
        write(Progress(step=step, steps=10))
        seen = read(tmp_path)
        assert seen is not None
        found.append((seen.seconds, seen.first_step, seen.first_seconds, seen.seconds_left))
    assert found == [
        (4, 1, 4, None),
        (7, 1, 4, None),
        (16, 1, 4, 15),
        (30, 1, 30, None),
        (42, 1, 30, 96),
    ]


def test_what_is_discarded_is_gone(tmp_path: Path) -> None:
    writer(tmp_path)
    discard(tmp_path)
    discard(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_first_step_that_is_repeated_is_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ages = iter([0.0, 0.0, 5.0, 65.0, 95.0])
    monkeypatch.setattr("time.monotonic", lambda: next(ages))
    write = writer(tmp_path)
    for step in (1, 1, 31):  # memory ran out during the second step
        write(Progress(step=step, steps=100))
    seen = read(tmp_path)
    assert seen is not None
    assert (seen.first_seconds, seen.seconds_left) == (65, 69)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"foreign": 1}', "\x00", '{"seconds": NaN}', '{"epoch": "1"}', "[" * 10**5],
)
def test_a_torn_or_foreign_file_tells_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    assert read(tmp_path) is None


def test_a_folder_that_vanished_stops_no_run(tmp_path: Path) -> None:
    write = writer(tmp_path / "gone")
    write(Progress(mcc=0.5))
    assert read(tmp_path / "gone") is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 s"),
        (89, "89 s"),
        (90, "2 min"),
        (89 * 60, "89 min"),
        (3 * 3600 + 20 * 60, "3 h 20 min"),
        (7200, "2 h"),
    ],
)
def test_lengths_of_time_are_written_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_live_line_says_how_many_what_and_how_long() -> None:
    running = [
        ("cola/a-bs16-lr2e-05", Progress(seconds=9.0)),
        ("cola/b-bs16-lr2e-05", Progress(30.0, epoch=1.54, epochs=3, step=5, steps=9, mcc=0.318)),
    ]
    state = State(done=3, total=8, running=running, ended=(), seconds_left=600.0)
    assert live_line(state) == (
        "3/8 runs; about 10 min left; cola/b-bs16-lr2e-05: epoch 1.5/3, MCC 0.32, +1 more"
    )


def test_a_run_that_only_began_is_starting_and_an_unknown_time_is_left_out() -> None:
    state = State(0, 1, running=[("a", Progress())], ended=(), seconds_left=None)
    assert live_line(state) == "0/1 runs; a: starting"


def test_a_logs_line_tells_every_run_its_best_score_and_the_time_left() -> None:
    running = [
        ("cola/a-bs16-lr2e-05 seed 1", Progress(seconds=9.0)),
        (
            "cola/b-bs16-lr2e-05 seed 2",
            Progress(30.0, epoch=2.54, epochs=3, step=5, steps=9, mcc=0.218, best=0.3184),
        ),
    ]
    state = State(done=3, total=8, running=running, ended=(), seconds_left=600.0)
    assert minute_line(state) == (
        "cola/b-bs16-lr2e-05 seed 2: epoch 2.5/3, best MCC 0.318; "
        "cola/a-bs16-lr2e-05 seed 1: starting; 3/8 runs; about 10 min left"
    )


def test_a_logs_line_of_many_runs_stays_readable() -> None:
    running = [(f"s/cell-{n}", Progress(float(n), 0.5, 1, 5, 10)) for n in range(9)]
    line = minute_line(State(0, 9, running=running, ended=(), seconds_left=None))
    assert line.startswith("s/cell-8: epoch 0.5/1; s/cell-7: epoch 0.5/1; ")
    assert line.endswith("; +5 more; 0/9 runs")
    assert line.count("cell") == 4
