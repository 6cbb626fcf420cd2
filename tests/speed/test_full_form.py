"""The full form of `make speed`: from commands of known times to ratios, in turn."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import scipy.stats

from harness.machine import provenance

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from speed import commands, full, ladder, verdicts
from speed.commands import Cell, Session, Timed
from speed.disturbance import Disturbance

QUIET = Disturbance(0.0, 0.0)


@pytest.fixture(autouse=True)
def on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "device_type", lambda: "cpu")


def test_the_matrix_is_measured_in_turn_with_roofline_and_mcc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    theirs = dict(zip(full.CELLS, [0.1, 0.2, 0.3, 0.4], strict=True))
    ours = dict(zip(full.CELLS, [0.15, 0.18, 0.33, 0.41], strict=True))

    def tutorial(checkpoint: str, cola_dir: Path, cell: Cell) -> Timed:
        made.append("tutorial")
        output = json.dumps({"mcc": theirs[cell], "train_seconds": 90.0})
        return Timed(100.0, output, Disturbance(0.5 if cell == full.CELLS[2] else 0.0, 0.0))

    def session(
        data: Mapping[str, object], cells: Sequence[Cell], folder: Path, *more: str
    ) -> Session:
        made.append("harness")
        assert data == {"source": "cola", "path": str(tmp_path)}
        records = [
            {"batch_size": size, "learning_rate": rate, "scores": {"mcc": ours[size, rate]}}
            for size, rate in reversed(cells)  # records are in any order
        ]
        return Session(Timed(160.0, "", QUIET), tuple(records))

    def peak(device: str) -> float:
        made.append("peak")
        return 1e9

    monkeypatch.setattr(commands, "tutorial", tutorial)
    monkeypatch.setattr(commands, "session", session)
    monkeypatch.setattr(full, "gemm_peak", peak)
    monkeypatch.setattr(full, "required_flops", lambda *_: 3e10)  # of one cell: 30 s at the peak
    *_, figures = full.matrix("checkpoint", tmp_path, tmp_path)
    assert {name: ratio["ratio"] for name, ratio in figures["ratios"].items()} == {
        "tutorial_over_harness": 2.5,  # 4 x 100 s / 160 s
        "harness_gemm_roofline_fraction": pytest.approx(120 / 160),
        "tutorial_gemm_roofline_fraction": pytest.approx(120 / 400),
    }
    one, other = ["tutorial"] * 4, ["harness"]
    assert made == [*one, "peak", *other, *other, "peak", *one, *one, "peak", *other]
    assert figures["measured"]["tutorial"][0] == {"seconds": 400.0, "others": 0.5, "stolen": 0.0}
    differences = [ours[cell] - theirs[cell] for cell in full.CELLS]
    low, high = scipy.stats.t.interval(0.95, 3, sum(differences) / 4, scipy.stats.sem(differences))
    assert figures["mcc_difference"] == pytest.approx(
        {"mean": sum(differences) / 4, "low": low, "high": high}
    )


@pytest.mark.parametrize(("noise", "measured"), [(0.0, True), (5.0, False)])
def test_padding_is_a_difference_that_noise_may_make_impossible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noise: float, measured: bool
) -> None:
    """A sentence takes 10 ms, padded 55 ms; each run 3 s more, and its start 20 s."""
    numbers = iter(range(100))

    def tutorial(checkpoint: str, cola_dir: Path, cell: Cell, *more: str) -> Timed:
        sentences = int(more[more.index("--sentences") + 1])
        each = 0.055 if "--pad-to" in more else 0.010
        disturbed = noise if next(numbers) == 0 else 0.0  # the first run of few sentences
        took = 3.0 + each * sentences + disturbed * sentences * each
        return Timed(took + 20, json.dumps({"mcc": 0.1, "train_seconds": took}), QUIET)

    monkeypatch.setattr(commands, "tutorial", tutorial)
    part = commands.Part(tmp_path, 9, {})
    monkeypatch.setattr(commands, "part_of_cola", lambda *_: part)
    *_, figures = full.padding("checkpoint", tmp_path, tmp_path)
    ratio = figures["ratios"]["run_glue_over_tutorial"]
    if measured:
        assert ratio["ratio"] == pytest.approx(5.5)
    else:
        assert figures["measured"]["padded"][0]["seconds"] < 0
        assert ratio["ratio"] is None
        assert ratio["why"] == f"too noisy: 1 of {full.PADDING_ROUNDS} pairs impossible"


def test_every_rung_is_compared_with_none_of_its_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def run(*command: str) -> Timed:
        (rung,) = json.loads(command[-1])
        asked.append(len(rung))
        machine = 1 + (len(asked) - 1) // len(ladder.LADDER)  # slower in every round
        return Timed(30.0, json.dumps([machine * 12 / (1 + len(rung))]), QUIET)

    monkeypatch.setattr(commands, "run", run)
    *_, figures = ladder.ladders("checkpoint", tmp_path, tmp_path)
    assert asked[:16] == [0, 1, 2, 3, 4, 5, 6, 7, 7, 6, 5, 4, 3, 2, 1, 0]
    assert len(asked) == 8 * ladder.ROUNDS
    assert {name: ratio["ratio"] for name, ratio in figures["ratios"].items()} == pytest.approx(
        {
            f"all-MiniLM-L6: {name}": number
            for number, name in enumerate(ladder.LADDER, 1)
            if name != "none"
        }
    )


def test_sessions_that_train_less_are_measured_in_turn_with_whole_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = {"stop": 45.0, "whole": 100.0, "race": 60.0, "all": 200.0}
    made: list[str] = []

    def session(
        data: Mapping[str, object],
        cells: Sequence[Cell],
        folder: Path,
        *more: str,
        seeds: Sequence[int],
        epochs: int = 1,
    ) -> Session:
        gated = "--min-mcc" in more
        assert (len(cells), len(seeds), epochs) == ((1, 3, 5) if gated else (6, 5, 1))
        less = "stop" if "--stop" in more else "race" if "--race" in more else None
        kind = less or ("whole" if gated else "all")
        made.append(kind)
        # The race of the second round chooses another cell than all runs.
        leading = cells[1 if kind == "race" and made.count("race") == 2 else 0]
        rows = [
            {"rank": None if cell != leading else 1, "mcc": 0.25, "batch_size": size}
            | {"learning_rate": rate}
            for cell in cells
            for size, rate in [cell]
        ]
        # The work of two cores, half of which is start and tables.
        run = {"times": {"train": seconds[kind] / 2}, "contention": {"own_cores": 0.9}}
        return Session(Timed(seconds[kind], "", QUIET), (run, run), tuple(rows))

    def part(cola_dir: Path, folder: Path, every: int) -> commands.Part:
        return commands.Part(folder, 2138, {"source": "file"})

    monkeypatch.setattr(commands, "session", session)
    monkeypatch.setattr(commands, "part_of_cola", part)
    *_, figures = verdicts.verdicts(tmp_path, tmp_path)
    assert {name: ratio["ratio"] for name, ratio in figures["ratios"].items()} == {
        "stopped_over_whole": pytest.approx(0.45),
        "race_over_all": pytest.approx(0.3),
        "stopped_over_whole_training": pytest.approx(0.45),
        "race_over_all_training": pytest.approx(0.3),
    }
    order = ["whole", "stop", "all", "race"]
    assert made == 2 * [*order, *reversed(order)]
    assert figures["measured"]["race: training"][0]["seconds"] == pytest.approx(0.9 * 60.0)
    assert figures["winners_equal"] == [True, False, True, True]
    assert figures["margin"] == pytest.approx(0.25 - verdicts.GATE)
    assert "in 3 of 4 rounds" in figures["about"]
