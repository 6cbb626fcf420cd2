"""What made a result is said truly, and nothing more is said."""

import importlib.metadata
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from harness.machine import provenance
from harness.machine.provenance import RECORDED_PACKAGES, RESULT_PACKAGES, available_cores, versions

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org")
# Without the variables by which a git hook names the repository that it runs for.
BARE = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


def git(folder: Path, *arguments: str) -> str:
    command = (*GIT, "-C", str(folder), *arguments)
    done = subprocess.run(command, env=BARE, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit_said_by(package: Path) -> str | None:
    """Return what a copy of the harness says of its commit, in a process of its own."""
    program = (
        "import json; from harness.machine.provenance import commit; print(json.dumps(commit()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=package.parent,
        env=BARE,
        capture_output=True,
        text=True,
        check=True,
    )
    said: str | None = json.loads(done.stdout)
    return said


def copied_to(package: Path) -> Path:
    """Copy the module to its place in a package `harness` that has nothing else."""
    (package / "machine").mkdir(parents=True)
    for folder in (package, package / "machine"):
        (folder / "__init__.py").touch()
    shutil.copy(Path(provenance.__file__), package / "machine")
    return package


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git checkout with a copy of the module where the harness has it, committed."""
    package = copied_to(tmp_path / "checkout" / "harness")
    git(package.parent, "init", "--quiet")
    # What running the copy leaves behind is no change of the code.
    (package.parent / ".gitignore").write_text("__pycache__/\n")
    git(package.parent, "add", ".")
    git(package.parent, "commit", "--quiet", "--message", "first")
    return package.parent


def test_versions_are_those_that_the_packages_say_themselves() -> None:
    import datasets
    import numpy as np
    import transformers

    said = versions()
    assert list(said) == list(RECORDED_PACKAGES)
    assert set(RESULT_PACKAGES) < set(said)
    assert said["numpy"] == np.__version__
    assert said["datasets"] == datasets.__version__
    assert said["transformers"] == transformers.__version__


def test_a_package_that_is_not_installed_has_no_version() -> None:
    assert versions(("numpy", "no-such-package-at-all")) == {
        "numpy": importlib.metadata.version("numpy"),
        "no-such-package-at-all": None,
    }


def test_the_commit_is_the_checkouts_and_is_marked_where_the_code_differs(checkout: Path) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    assert commit_said_by(checkout / "harness") == head[:12]
    (checkout / "results.md").write_text("a file beside the code")
    assert commit_said_by(checkout / "harness") == head[:12]
    (checkout / "harness" / "new.py").write_text("")
    assert commit_said_by(checkout / "harness") == f"{head[:12]}+"


def test_a_copy_that_is_in_no_checkout_or_in_anothers_has_no_commit(checkout: Path) -> None:
    installed = checkout / "venv" / "harness"
    shutil.copytree(checkout / "harness", installed)
    assert commit_said_by(installed) is None
    outside = checkout.parent / "elsewhere" / "harness"
    shutil.copytree(checkout / "harness", outside)
    assert commit_said_by(outside) is None


def test_a_repository_without_a_commit_has_none_to_say(tmp_path: Path) -> None:
    package = copied_to(tmp_path / "harness")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    assert commit_said_by(package) is None


def test_the_machine_is_described_and_not_named() -> None:
    machine = provenance.machine()
    assert machine.system == f"{platform.system()} {platform.machine()}"
    assert machine.python == platform.python_version()
    assert machine.cores == available_cores() >= 1
    assert machine.memory_gb is not None
    assert 0.1 < machine.memory_gb < 2**20
    assert machine.processor
    told = machine.model_dump()
    assert set(told) == {"system", "processor", "cores", "memory_gb", "accelerator", "python"}
    assert socket.gethostname() not in told.values()


def test_cores_are_those_that_this_process_may_use() -> None:
    program = """
import os
from harness.machine.provenance import available_cores
one = {min(os.sched_getaffinity(0))}
os.sched_setaffinity(0, one)
print(available_cores())
"""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system cannot bind a process to a core")
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(provenance.__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "1"


def test_the_device_is_a_gpu_only_where_torch_has_one() -> None:
    import torch

    assert provenance.device_type() == ("cuda" if torch.cuda.is_available() else "cpu")
    assert (provenance.machine().accelerator is None) == (not torch.cuda.is_available())
