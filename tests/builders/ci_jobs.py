"""Runs jobs of GitHub Actions and GitLab, as far as a shell can.

A checkout is a copy of a folder, a cache and an upload are folders, and `pip` installs nothing,
because the tests' environment has everything. The rest follows the job's definition: its shell
steps in order, their folders and variables, and the paths that it caches and uploads.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

NOT_FROM_HERE = ("COLA_DIR", "GITHUB_STEP_SUMMARY", "PYTEST_ADDOPTS", "HF_HUB_OFFLINE")


@dataclass(frozen=True)
class Finished:
    """The result of a job: the exit code and output of its shell, and the uploaded files."""

    code: int
    output: str
    uploaded: tuple[str, ...]


def copy_tree(source: Path, to: Path, names: Iterable[str] | None = None) -> Path:
    """Copy files (by default all) like a fresh checkout: with the current time."""
    found = (path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file())
    for name in found if names is None else names:
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, to / name)
    return to


def run_github(
    workflow: Mapping[Any, Any], workspace: Path, checkouts: Mapping[str, Path], cache: Path
) -> Finished:
    """Run the only job of a workflow.

    Args:
        workspace: the folder in which it runs; must not exist yet.
        checkouts: a folder for each repository that is checked out; "" is the workflow's own.
        cache: the folder that represents the cache.
    """
    (job,) = workflow["jobs"].values()
    workspace.mkdir(parents=True)
    environment = _environment(workspace)
    environment["GITHUB_STEP_SUMMARY"] = str(workspace.parent / f"{workspace.name}-summary.md")
    Path(environment["GITHUB_STEP_SUMMARY"]).touch()
    code, output = 0, ""
    uploaded: tuple[str, ...] = ()
    for step in job["steps"]:
        if code != 0 and not step.get("if", "").startswith("always()"):
            continue
        given = step.get("with", {})
        match step.get("uses", "").partition("@")[0]:
            case "":
                folder = workspace / step.get("working-directory", ".")
                variables = environment | step.get("env", {})
                code, printed = _shell(step["run"], folder, variables)
                output += printed
            case "actions/checkout":
                source = checkouts[given.get("repository", "")]
                copy_tree(source, workspace / given.get("path", "."))
            case "actions/setup-python":
                assert (workspace / given["cache-dependency-path"]).is_file()
            case "actions/cache/restore":
                copy_tree(cache, workspace)
            case "actions/cache/save":
                copy_tree(workspace, cache, _matching(workspace, [given["path"]]))
            case "actions/upload-artifact":
                patterns = given["path"].split()
                excluded = [pattern[1:] + "**/*" for pattern in patterns if pattern[0] == "!"]
                wanted = [pattern for pattern in patterns if pattern[0] != "!"]
                uploaded = _matching(workspace, wanted, excluded)
            case other:
                raise AssertionError(f"{other} is not simulated")
    return Finished(code, output, uploaded)


def run_gitlab(
    pipeline: Mapping[str, Any], workspace: Path, repository: Path, cache: Path, **variables: str
) -> Finished:
    """Run the only job of a pipeline.

    Args:
        workspace: the folder in which it runs; must not exist yet.
        repository: the pipeline's repository.
        cache: the folder that represents the cache.
        variables: values of the project, which replace the job's.
    """
    (job,) = pipeline.values()
    copy_tree(repository, workspace)
    copy_tree(cache, workspace)
    environment = _environment(workspace) | {"CI_PROJECT_DIR": str(workspace)}
    for name, value in (job["variables"] | variables).items():
        environment[name] = Template(value).substitute(environment)
    code, output = _shell("\n".join(job["script"]), workspace, environment)
    for each in job["cache"]:
        copy_tree(workspace, cache, _matching(workspace, each["paths"]))
    artifacts = job["artifacts"]
    assert artifacts["when"] == "always"
    reported = artifacts["reports"]["junit"]
    uploaded = _matching(workspace, [*artifacts["paths"], reported], artifacts["exclude"])
    return Finished(code, output, uploaded)


def _environment(workspace: Path) -> dict[str, str]:
    """Return the variables of a runner whose environment has the benchmark's packages."""
    programs = workspace.parent / f"{workspace.name}-bin"
    programs.mkdir(parents=True)
    # The files for pip must exist, and the job must run this command only.
    installs = 'test "$1 $2 $#" = "install -c 4"'
    for name, content in {
        "harness": f'exec "{sys.executable}" -m harness "$@"',
        "pip": f'{installs} && test -f "$3" -a -f "$4/pyproject.toml"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{content}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if name not in NOT_FROM_HERE}
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    installed = {"PYTHONPATH": str(workspace / "cola-benchmark")}
    return kept | installed | {"PATH": path, "CI": "true", "OMP_NUM_THREADS": "1"}


def _shell(script: str, folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a script as both services do: by bash, until a command fails."""
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def _matching(
    folder: Path, patterns: Sequence[str], excluded: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the relative paths of files that match, including files in matching folders."""
    left_out = {path for pattern in excluded for path in folder.glob(pattern)}
    found: set[Path] = set()
    for pattern in patterns:
        for path in folder.glob(pattern):
            found |= {path} if path.is_file() else set(path.rglob("*"))
    files = (path for path in found - left_out if path.is_file())
    return tuple(sorted(path.relative_to(folder).as_posix() for path in files))
