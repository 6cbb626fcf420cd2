"""The packages and modules of `harness/`: their purpose, and the packages that each imports.

`docs/generate.py` writes `table()` into architecture.md; a test checks the code against LAYERS.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from tabulate import tabulate

PACKAGE = Path(__file__).parent.parent / "harness"

LAYERS = (
    ("text", "redaction", "errors", "markup", "paths", "validation", "products", "garbage"),
    ("stats", "machine", "executors", "suite"),
    ("inputs",),
    ("store",),
    ("models",),
    ("forecast", "judging"),
    ("report", "kept"),
    ("training",),
    ("session",),
    ("plugin",),
    ("cli", "pytest_plugin"),
    ("__main__",),
)
"""Packages, and modules outside packages. Each imports from earlier layers only."""

BASICS = frozenset(LAYERS[0])
"""Modules that all others may import; the table does not list these imports."""


def modules() -> dict[str, Path]:
    """Return the file of every module and package by its dotted name within `harness`."""
    paths = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
    named = {".".join(path.with_suffix("").parts): PACKAGE / path for path in paths}
    return {name.removesuffix(".__init__"): path for name, path in sorted(named.items())}


def imports(source: str, known: frozenset[str]) -> set[str]:
    """Return the modules of the package that a module's source imports, at any depth.

    Imports inside functions and imports for the type checker count too: they are dependencies,
    regardless of when they are loaded.

    Args:
        known: all modules of the package; distinguishes a module from a name in a module.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            for alias in node.names:
                longer = f"{node.module}.{alias.name}"
                whole = longer.removeprefix("harness.") in known
                found.add(longer if whole else str(node.module))
    return {name.removeprefix("harness.") for name in found if name.startswith("harness.")}


def graph() -> dict[str, set[str]]:
    """Return the other modules that each module imports."""
    files = modules()
    known = frozenset(files)
    return {
        name: imports(path.read_text(encoding="utf-8"), known) - {name}
        for name, path in files.items()
    }


def package_graph() -> dict[str, set[str]]:
    """Return the others that each package, or module outside packages, imports."""
    found: dict[str, set[str]] = {}
    for name, others in graph().items():
        package = name.partition(".")[0]
        found.setdefault(package, set()).update(other.partition(".")[0] for other in others)
    return {
        package: others - {package} for package, others in found.items() if package != "__init__"
    }


def table() -> str:
    """Return the table of architecture.md: a row for each package and each module, in layers."""
    rows = list(_rows())
    return tabulate(rows, ("in `harness/`", "purpose", "imports"), tablefmt="pipe")


def _rows() -> Iterator[tuple[str, str, str]]:
    files, needs = modules(), package_graph()
    for layer in LAYERS:
        for package in layer:
            above = [p for each in LAYERS for p in each if p in needs[package] - BASICS]
            yield f"**`{package}`**", _what(files[package]), ", ".join(above) or "-"
            for name, path in files.items():
                if name.startswith(f"{package}."):
                    yield f"`{name.replace('.', '/')}`", _what(path), ""


def _what(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring is not None, path
    return docstring.partition("\n")[0].replace("|", "\\|").rstrip(".")
