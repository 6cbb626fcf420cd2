"""The CI jobs that train a suite of a model repository and hold it to its gates."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.cli.init.new_suite import NewSuite

Service = Literal["github", "gitlab"]

FILES: Mapping[Service, str] = {
    "github": ".github/workflows/{name}.yml",
    "gitlab": ".gitlab-ci.{name}.yml",
}
"""The file of a suite's job, relative to the root of the repository."""

TEMPLATES = Path(__file__).parent

PLAIN = re.compile(r"[\w./-]+")
"""Paths that mean the same, without quotation marks, in YAML, in a shell and in a pattern."""


@dataclass(frozen=True)
class Job:
    """What differs between the jobs of two suites.

    Attributes:
        name: the suite's name.
        suite: the suite file, relative to the root of the repository; a plain path.
        watched: patterns of the files in the repository that a run depends on.
        offline: whether nothing comes from the model hub.
    """

    name: str
    suite: str
    watched: Sequence[str]
    offline: bool


EXAMPLE = Job("gate", "gate/gate.toml", ("gate/gate.toml", "gate/sentences.csv", "model/**"), True)
"""The job of the model repository that the documents describe."""


def job_text(service: Service, job: Job) -> str:
    """Return the YAML file of a job."""
    text = (TEMPLATES / f"{service}.yml").read_text(encoding="utf-8")
    # The paths only help to find the newest store, so those that are not plain are left out.
    watched = ", ".join(f"'{path}'" for path in job.watched if PLAIN.fullmatch(path.rstrip("*")))
    for place, value in {
        "<file>": FILES[service].format(name=job.name),
        "<name>": job.name,
        "<suite>": job.suite,
        "<watched>": watched,
        "<offline>": str(int(job.offline)),
    }.items():
        text = text.replace(place, value)
    return text


def job_problems(folder: Path, has_gate: bool) -> list[str]:
    """Return why no job can train a suite in this folder."""
    problems = []
    if not has_gate:
        problems.append("--ci: a job without a gate never passes; set one with --min-mcc")
    real = Path(os.path.realpath(folder))
    inside = real.relative_to(_root(real)).as_posix()
    if not PLAIN.fullmatch(inside):
        problems.append(
            f"--output: {inside!r}: a job needs the path of its suite in the repository, of "
            "letters, digits, '.', '_', '-' and '/'; name another folder, or leave out --ci"
        )
    return problems


def job_file(service: Service, suite: Path, made: NewSuite) -> dict[Path, str]:
    """Return the text of a suite's job by its file, at the root of the repository.

    Args:
        suite: the suite file, in a folder without job_problems.
    """
    folder = Path(os.path.realpath(suite.parent))
    root = _root(folder)
    read = [(_relative(path, root), path.is_dir()) for path in made.files]
    job = Job(
        name=suite.stem,
        suite=(folder / suite.name).relative_to(root).as_posix(),
        watched=[
            (folder / suite.name).relative_to(root).as_posix(),
            *(f"{name}/**" if is_folder else name for name, is_folder in read if name is not None),
        ],
        offline=not made.needs_hub,
    )
    file = suite.parent / os.path.relpath(root, folder) / FILES[service].format(name=suite.stem)
    return {Path(os.path.normpath(file)): job_text(service, job)}


def job_notes(service: Service, suite: Path, made: NewSuite) -> Iterator[str]:
    """Yield what is left to do before a job works."""
    (file,) = job_file(service, suite, made)
    yield (
        f"to do in {file}: replace its two placeholders, the repository of your copy of this "
        "project and the commit"
    )
    if service == "gitlab":
        yield f'to do in .gitlab-ci.yml: include: [{{ local: "/{file.name}" }}]'
    root = _root(Path(os.path.realpath(suite.parent)))
    for path in made.files:
        if _relative(path, root) is None:
            yield f"to do: {path} is outside the repository {root}, so the job does not have it"
    for name in made.packages:
        yield f"to do in {file}: add the package of {name} to its `pip install`"


def _root(folder: Path) -> Path:
    """Return the root of the repository that a folder is in; the folder itself if in none."""
    above = (folder, *folder.parents)
    return next((each for each in above if os.path.lexists(each / ".git")), folder)


def _relative(path: Path, root: Path) -> str | None:
    """Return a path relative to the root of a repository; None if it is outside."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else None
