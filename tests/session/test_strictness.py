"""With --strict every cell needs a gate that judges it."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import BadInput
from harness.judging.baseline import Baseline
from harness.session.options import Chosen, Options, planned_suites
from harness.session.strictness import refusals, without_baseline

SUITE = """
name = "tiny"
dataset = { source = "embedded" }
matrix = { checkpoints = ["org/a", "org/b"], batch_sizes = [8], learning_rates = [1e-3] }
"""
OF_ONE = '[gates.checkpoint."org/a"]\n'
OPTIONS = Options(Path("results"), cola_dir=None, rerun=False, strict=True)
EARLIER = Baseline("leaderboard.json", "tiny", ())


@pytest.mark.parametrize(
    ("gates", "options", "open_cells"),
    [
        ("", OPTIONS, "any cell"),
        ("", replace(OPTIONS, strict=False), None),
        ("", replace(OPTIONS, baseline=EARLIER), None),
        ("", replace(OPTIONS, baseline=replace(EARLIER, suite="other")), "any cell"),
        ("gates.min_mcc = -1", OPTIONS, None),
        ("gates.max_train_seconds = 9.0", OPTIONS, None),
        ('gates.statistic = "lower-bound"\ngates.on_doubt = "pass"', OPTIONS, "any cell"),
        ("gates.target_mcc = 0.2", OPTIONS, "any cell"),  # reported, not required
        (OF_ONE + "min_accuracy = 0.5", OPTIONS, "b-bs8-lr1e-03"),
        (OF_ONE + "min_accuracy = 0.5\n[gates.suite]\nbest_min_mcc = 0.1", OPTIONS, None),
        ("gates.suite.order = ['org/a', 'org/b']", OPTIONS, None),
    ],
)
def test_a_cell_that_no_gate_judges_is_named(
    gates: str, options: Options, open_cells: str | None, tmp_path: Path
) -> None:
    (tmp_path / "tiny.toml").write_text(SUITE + gates)
    planned = planned_suites(Chosen({"suite": ["tiny.toml"]}, tmp_path, tmp_path))
    lines = refusals(planned, planned[0].cells, options)
    told = f"tiny: --strict: no gate judges {open_cells}, which would pass with any score; set "
    assert [line.startswith(told) for line in lines] == [True] * (open_cells is not None)


def test_gates_against_a_baseline_that_is_not_given_are_named_once_a_suite(tmp_path: Path) -> None:
    gates = "gates.max_eval_ms_ratio = 1.2\n" + OF_ONE + "max_train_seconds_ratio = 1.2\n"
    (tmp_path / "tiny.toml").write_text(SUITE + gates)
    (planned,) = planned_suites(Chosen({"suite": ["tiny.toml"]}, tmp_path, tmp_path))
    (line,) = without_baseline(planned.cells, OPTIONS)
    assert line == (
        "tiny: gates.max_train_seconds_ratio and gates.max_eval_ms_ratio have no effect without a "
        "baseline of this suite; give its earlier leaderboard.json with --baseline FILE"
    )
    refused = refusals([planned], planned.cells, OPTIONS)
    assert line in refused
    assert any("no gate judges any cell" in each for each in refused)
    assert without_baseline(planned.cells[1:], OPTIONS)[0].startswith("tiny: gates.max_eval")
    assert without_baseline(planned.cells, replace(OPTIONS, baseline=EARLIER)) == []


def test_a_flag_sets_a_gate_on_a_ratio_of_every_cell(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(SUITE + OF_ONE + "max_train_seconds_ratio = 9.0\n")
    values = {"suite": ["tiny.toml"], "max_train_seconds_ratio": "1.2"}
    (planned,) = planned_suites(Chosen(values, tmp_path, tmp_path))
    assert [cell.gates.max_train_seconds_ratio for cell in planned.cells] == [1.2, 1.2]


@pytest.mark.parametrize("value", ["0", "-1", "much", "nan"])
def test_a_ratio_that_no_cost_can_have_is_refused(value: str, tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(SUITE)
    values = {"suite": ["tiny.toml"], "max_peak_memory_ratio": value}
    with pytest.raises(BadInput, match="--max-peak-memory-ratio"):
        planned_suites(Chosen(values, tmp_path, tmp_path))


def test_of_the_selected_cells_those_without_a_gate_are_named_once(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(SUITE + OF_ONE + "min_accuracy = 0.5")
    planned = planned_suites(Chosen({"suite": ["tiny.toml"]}, tmp_path, tmp_path))
    (ungated,) = (cell for cell in planned[0].cells if not cell.gates.any_set)
    (line,) = refusals(planned, [ungated, ungated], OPTIONS)
    assert line.startswith(f"tiny: --strict: no gate judges {ungated.id}, which would pass")
