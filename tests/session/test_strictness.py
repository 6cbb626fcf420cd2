"""With --strict every cell needs a gate that judges it."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.judging.baseline import Baseline
from harness.session.options import Chosen, Options, planned_suites
from harness.session.strictness import refusals

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


def test_of_the_selected_cells_those_without_a_gate_are_named_once(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(SUITE + OF_ONE + "min_accuracy = 0.5")
    planned = planned_suites(Chosen({"suite": ["tiny.toml"]}, tmp_path, tmp_path))
    (ungated,) = (cell for cell in planned[0].cells if not cell.gates.any_set)
    (line,) = refusals(planned, [ungated, ungated], OPTIONS)
    assert line.startswith(f"tiny: --strict: no gate judges {ungated.id}, which would pass")
