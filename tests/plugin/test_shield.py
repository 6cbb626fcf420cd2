"""A plugin that fails at the end does not keep the others from what they have to say."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]

SHIELDED = """
import pytest
from harness.plugin.shield import shield

@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session):
    hook = session.config.hook
    for each in (hook.pytest_sessionfinish, hook.pytest_terminal_summary):
        shield(each, lambda plugin: False, lambda line: print("TOLD", line))

def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line("the conftest's own summary")
"""

FAILING = {
    "plain": "def pytest_sessionfinish():\n    raise OSError('no place')\n",
    "exiting": "def pytest_sessionfinish():\n    raise SystemExit(0)\n",
    "old wrapper, before": (
        "@pytest.hookimpl(hookwrapper=True, tryfirst=True)\n"
        "def pytest_sessionfinish():\n    raise OSError('no place')\n    yield\n"
    ),
    "new wrapper, after": (
        "@pytest.hookimpl(wrapper=True)\n"
        "def pytest_sessionfinish():\n    yield\n    raise OSError('no place')\n"
    ),
    "summary": "def pytest_terminal_summary():\n    raise OSError('no place')\n",
}


@pytest.mark.parametrize("name", FAILING)
def test_the_others_finish_where_one_plugin_fails(name: str, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(SHIELDED)
    (tmp_path / "failing.py").write_text(f"import pytest\n{FAILING[name]}")
    (tmp_path / "test_it.py").write_text("def test_it():\n    assert 1 == 2, 'a gate says no'\n")
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT} {tmp_path}\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-s", "-p", "failing", "--junitxml=out.xml"],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "TOLD the plugin failing failed in pytest_" in done.stdout
    assert "a gate says no" in done.stdout
    assert "the conftest's own summary" in done.stdout
    assert "1 failed in" in done.stdout
    assert "Traceback" not in done.stderr
    assert len(ElementTree.parse(tmp_path / "out.xml").getroot().findall(".//failure")) == 1
