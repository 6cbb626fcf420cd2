"""The wheel's dependencies: CI installs the lowest of each, and pins are inside the ranges."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from builders.installed import Installed, install
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REQUIREMENTS = [Requirement(each) for each in PROJECT["dependencies"]]


def ci_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ci_wheel", ROOT / ".ci" / "wheel.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_ci_installs_the_lowest_version_of_every_dependency() -> None:
    lowest = ci_script().lowest(PROJECT["dependencies"])
    assert [*lowest] == [requirement.name for requirement in REQUIREMENTS]
    for requirement in REQUIREMENTS:
        bounds = [each.version for each in requirement.specifier if each.operator == ">="]
        assert bounds == [lowest[requirement.name]]


@pytest.mark.parametrize("written", ["numpy", "numpy<3", "numpy==2.0", "numpy>2.0"])
def test_a_dependency_without_a_lower_bound_is_refused(written: str) -> None:
    with pytest.raises(SystemExit, match=f"{written}: write NAME>=VERSION"):
        ci_script().lowest(["scipy>=1.17", written])


def test_the_versions_of_a_checkout_are_allowed_by_the_wheel() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = [Requirement(line) for line in lines if line and not line.startswith("#")]
    versions = {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in pinned}
    for requirement in REQUIREMENTS:
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)])


@pytest.mark.sessions
def test_the_wheel_keeps_the_torch_of_an_environment(tmp_path: Path) -> None:
    """pip plans nothing beside a later torch, and finds the next major one not allowed."""
    installed = install(tmp_path)
    kept = plan_beside_torch(installed, "2.99.0")
    assert kept.returncode == 0, kept.stderr
    assert json.loads(kept.stdout)["install"] == []
    refused = plan_beside_torch(installed, "3.0.0")
    assert refused.returncode == 1
    assert "No matching distribution found for torch" in refused.stderr


def plan_beside_torch(installed: Installed, version: str) -> subprocess.CompletedProcess[str]:
    """Return what pip would do, without any index, if the environment's torch had this version."""
    (packages,) = installed.programs.parent.glob("lib/python*/site-packages")
    claimed = packages / f"torch-{version}.dist-info"
    claimed.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n"
    (claimed / "METADATA").write_text(metadata)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    python = str(installed.programs / "python")
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index"]
    done = subprocess.run(
        [*command, "--dry-run", "--report", "-", str(installed.wheel)],
        env=variables | {"PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
    )
    shutil.rmtree(claimed)
    return done
