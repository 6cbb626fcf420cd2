"""Gates on sentences of other sources are refused before training where no run can meet them."""

from pathlib import Path
from typing import Any

import pytest
from builders.own_files import problems_of
from builders.waiting import UNREACHABLE

from harness.cli.doctor.checkup import checkup
from harness.errors import BadInput
from harness.judging.gates.population import population_problems
from harness.session.options import Chosen, planned_suites, read_options
from harness.session.suite_inputs import find_inputs
from harness.stats.sources import LEAST_SOURCES
from harness.suite.plan import make_plan
from harness.suite.spec import DatasetSpec, GatesSpec, load_suite

SUITE = """
name = "tiny"
[dataset]
{dataset}
[matrix]
checkpoints = ["./missing"]
batch_sizes = [8]
learning_rates = [1e-3]
[gates]
min_mcc = 0.1
population = "sources"
{gates}
"""
FILE = 'source = "file"\npath = "data.csv"\nvalidation_size = 0.5\n'
GROUPED = FILE + 'group_column = "author"\n'


def write(folder: Path, dataset: str, gates: str = "", authors: int = 40) -> Path:
    rows = [f"a sentence with number {n},{n % 2},author {n % authors}" for n in range(4 * authors)]
    (folder / "data.csv").write_text("\n".join(["sentence,label,author", *rows]) + "\n")
    path = folder / "tiny.toml"
    path.write_text(SUITE.format(dataset=dataset, gates=gates))
    return path


def problems_in(folder: Path, *args: Any, **values: Any) -> list[str]:
    """Return what a session reports; the suite's checkpoint is missing too."""
    suite = load_suite(write(folder, *args, **values))
    return problems_of(lambda: find_inputs(suite, folder, make_plan(suite), None, UNREACHABLE))


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (FILE, "the data have no sources; name the column that has them with dataset.group_column"),
        ('source = "embedded"\n', "its phenomena, which are all that there are, not a sample"),
        ('source = "hub"\nname = "org/absent"\n', "the data have no sources; name the column"),
    ],
)
def test_data_without_sources_are_refused_with_all_other_mistakes(
    tmp_path: Path, dataset: str, expected: str
) -> None:
    problems = problems_in(tmp_path, dataset)
    (found,) = [each for each in problems if "population" in each]
    assert found.startswith("suite tiny: gates.population: 'sources': ")
    assert expected in found
    assert found.endswith("remove this key")
    assert any("missing" in each and "population" not in each for each in problems)


def test_a_mistake_in_the_data_does_not_hide_the_gate(tmp_path: Path) -> None:
    problems = problems_in(tmp_path, FILE + 'label_column = "absent"\n')
    assert any("no column 'absent'" in each for each in problems)
    assert any("gates.population: 'sources': the data have no sources" in each for each in problems)


@pytest.mark.parametrize("fewer", [0, 1, 2])
def test_too_few_sources_are_refused_before_training(tmp_path: Path, fewer: int) -> None:
    authors = 2 * (LEAST_SOURCES - fewer)  # half of them are drawn for validation
    problems = problems_in(tmp_path, GROUPED, authors=authors)
    found = [each for each in problems if "population" in each]
    assert len(found) == (fewer > 0)
    for each in found:
        number = LEAST_SOURCES - fewer
        assert f"the sentences are of {number} sources only; at least {LEAST_SOURCES}" in each
        assert "draw more sentences (dataset.validation_size)" in each


def test_each_section_that_names_sources_is_reported(tmp_path: Path) -> None:
    gates = "\n".join(
        f'[gates.{kind}]\npopulation = "sources"'
        for kind in ('checkpoint."./missing"', 'cell."missing-bs8-lr1e-3"')
    )
    places = [each for each in problems_in(tmp_path, FILE, gates) if "population" in each]
    assert [each.partition(".population")[0] for each in places] == [
        "suite tiny: gates",
        "suite tiny: gates.checkpoint.'./missing'",
        "suite tiny: gates.cell.'missing-bs8-lr1e-3'",
    ]


@pytest.mark.parametrize(
    ("spec", "sources", "expected"),
    [
        ({"source": "cola"}, [""] * 9, "unknown; pass --cola-dir FOLDER or set COLA_DIR"),
        ({"source": "cola"}, None, None),
        ({"source": "cola"}, [f"gj0{n}" for n in range(9)], None),
        ({"source": "cola"}, ["gj04"] * 9, "all sentences are of one source; remove this key"),
        (
            {"source": "file", "train": "a.csv", "validation": "b.csv", "group_column": "g"},
            ["a", "b"],
            "2 sources only; at least",
        ),
        (
            {"source": "hub", "name": "org/data", "group_column": "g"},
            [str(n) for n in range(70_000)],
            "of 70,000 sources, and at most 65,536 can be recorded; name a column of larger groups",
        ),
    ],
)
def test_what_is_known_of_the_sources_decides(
    spec: dict[str, Any], sources: list[str] | None, expected: str | None
) -> None:
    gates = GatesSpec(population="sources", min_mcc=0.1)
    found = list(population_problems(gates, DatasetSpec.model_validate(spec), sources))
    assert len(found) == (expected is not None)
    assert all(str(expected) in each for each in found)
    for other in ("sentences", None):
        plain = GatesSpec(population=other, min_mcc=0.1)
        assert not list(population_problems(plain, DatasetSpec.model_validate(spec), sources))


def test_plan_and_doctor_report_it(tmp_path: Path) -> None:
    from harness.session.suite_inputs import find_all_inputs

    path = write(tmp_path, GROUPED, authors=8)
    values = {"suite": [str(path)], "results_dir": str(tmp_path / "results")}
    typed = Chosen(values, tmp_path, tmp_path)
    suites, (options, _) = planned_suites(typed), read_options(typed)
    _, problems = find_all_inputs(suites, suites[0].cells, options, UNREACHABLE)
    assert any("4 sources only" in each for each in problems)
    found = checkup(suites, options, UNREACHABLE)
    assert not found.usable
    assert any(
        each.name == "settings of tiny" and "4 sources" in each.found for each in found.findings
    )


def test_such_a_suite_can_still_be_read(tmp_path: Path) -> None:
    """A leaderboard published with it stays readable: only sessions refuse it."""
    try:
        load_suite(write(tmp_path, FILE))
    except BadInput as error:
        pytest.fail(str(error))
