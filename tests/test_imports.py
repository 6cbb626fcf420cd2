"""The architecture's statement of who may import whom, held against every import there is."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "harness"

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "spec": {"errors"},
    "plan": {"spec"},
    "hub": set(),
    "checkpoints": {"errors", "hub"},
    "corpus": set(),
    "data": {"corpus", "errors", "hub", "spec"},
    "encode": {"errors"},
    "metrics": set(),
    "score": set(),
    "speedups": set(),
    "finetune": {"encode", "score", "spec", "speedups"},
    "provenance": set(),
    "records": {"plan", "provenance", "spec"},
    "worker": {
        "checkpoints",
        "data",
        "encode",
        "finetune",
        "plan",
        "provenance",
        "records",
        "score",
    },
    "executors": {"errors"},
    "inputs": {"checkpoints", "data", "errors", "hub", "plan", "provenance", "records", "spec"},
    "gates": {"plan", "records"},
    "session": {
        "errors",
        "executors",
        "hub",
        "inputs",
        "plan",
        "provenance",
        "records",
        "spec",
        "worker",
    },
    "timing": {"gates", "records"},
    "leaderboard": {"gates", "plan", "records"},
    "report": {"errors", "leaderboard", "plan", "provenance", "records"},
    "options": {"errors", "plan", "session", "spec"},
    "pytest_plugin": {"errors", "leaderboard", "options", "plan", "records", "report", "session"},
}


def imports() -> list[tuple[Path, str, str]]:
    """Return file, importing noun and imported noun of every import inside the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        noun = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                module = node.module or ""
                names = (
                    [f"harness.{alias.name}" for alias in node.names]
                    if module == "harness"
                    else [module]
                )
            found += [
                (path, noun, name.split(".")[1]) for name in names if name.startswith("harness.")
            ]
    return found


def test_every_import_is_one_that_the_architecture_allows() -> None:
    found = imports()
    assert len(found) > 50, "the walk found next to nothing"
    forbidden = [
        f"{path.relative_to(ROOT)} imports {imported}"
        for path, noun, imported in found
        if imported != noun and imported not in MAY_IMPORT[noun]
    ]
    assert forbidden == []


def test_every_noun_of_the_package_has_its_place() -> None:
    nouns = {path.name.removesuffix(".py") for path in PACKAGE.iterdir()} - {
        "__init__",
        "__pycache__",
    }
    assert nouns == set(MAY_IMPORT)


def test_no_noun_imports_itself_through_others() -> None:
    order: list[str] = []
    while len(order) < len(MAY_IMPORT):
        ready = [n for n, needs in MAY_IMPORT.items() if n not in order and needs <= set(order)]
        assert ready, f"a cycle among {set(MAY_IMPORT) - set(order)}"
        order += ready


def test_the_architecture_document_names_every_noun() -> None:
    document = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    missing = [noun for noun in MAY_IMPORT if f"| `{noun}` |" not in document]
    assert missing == []


def test_collecting_the_benchmarks_imports_no_heavy_library() -> None:
    program = (
        "import sys, pytest\n"
        "code = pytest.main(['benchmarks', '--collect-only', '-q', '-p', 'no:cacheprovider'])\n"
        "heavy = {'torch', 'transformers', 'datasets', 'evaluate', 'ray'} & set(sys.modules)\n"
        "print('heavy:', sorted(heavy), 'code:', int(code))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "heavy: [] code: 0" in done.stdout
    cell = "test_finetune[cola/distilbert-base-uncased-bs16-lr2e-05]"
    assert f"benchmarks/test_finetune.py::{cell}" in done.stdout
