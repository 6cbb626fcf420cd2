"""What this machine has of what a benchmark needs: each thing there, or missing with a way out."""

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from packaging.requirements import InvalidRequirement, Requirement

from harness import checkpoints, memory, provenance
from harness.errors import BadInput, Unavailable
from harness.hub import Hub
from harness.plan import published_names
from harness.session import Planned

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
LEAST_DISK_GB = 5.0
LEAST_MEMORY_GB = 2.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. What is `optional` stops no benchmark where it is missing."""

    state: Literal["ok", "missing", "optional"]
    name: str
    found: str
    way_out: str | None = None


@dataclass(frozen=True)
class Checkup:
    """All findings, and whether at least one cell of the suites could be trained here."""

    findings: tuple[Finding, ...]
    usable: bool


def checkup(planned: Sequence[Planned], results: Path, cola_dir: Path | None, hub: Hub) -> Checkup:
    """Look at everything that the suites need. Downloads nothing, writes nothing."""
    packages = list(_packages())
    findings = [
        Finding("ok", "python", platform.python_version()),
        *packages,
        _hub(hub),
    ]
    installed = all(finding.state != "missing" for finding in packages)
    runnable = False
    for item in planned if installed else ():
        data, *splits = _data(item, cola_dir, hub)
        models = list(_checkpoints(item, hub))
        findings += [data, *splits, *models]
        runnable |= data.state == "ok" and any(model.state == "ok" for model in models)
    folder = _results(results)
    findings += [folder, _disk(results), _memory(), _gpu(), _ray(), _browser()]
    return Checkup(tuple(dict.fromkeys(findings)), installed and runnable and folder.state == "ok")


def _packages() -> Iterator[Finding]:
    """Yield what is missing or of another version than this project asks for, or one line."""
    try:
        lines = importlib.metadata.requires(provenance.DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:  # a checkout on the path, not installed
        lines = list(provenance.RESULT_PACKAGES)
    problems = 0
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        version = provenance.versions((requirement.name,))[requirement.name]
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            found = "not installed" if version is None else version
            way_out = f"pip install '{requirement}', or make test for all of them"
            problems += 1
            yield Finding("missing", f"package {requirement.name}", found, way_out)
    if not problems:
        versions = provenance.versions(provenance.RESULT_PACKAGES)
        named = ", ".join(f"{name} {version}" for name, version in versions.items())
        yield Finding("ok", "packages", named)


def _hub(hub: Hub) -> Finding:
    if hub.reachable:
        return Finding("ok", "model hub", f"{hub.address} answers")
    way_out = "package:NAME/path and folders need no hub; HF_ENDPOINT names a mirror"
    return Finding("optional", "model hub", str(hub.reason), way_out)


def _data(planned: Planned, cola_dir: Path | None, hub: Hub) -> list[Finding]:
    """Return whether the data is there, then what is in each split and what was noticed."""
    from harness import data
    from harness.data.summary import summarize

    name = f"data of {planned.suite.name}"
    try:
        source = data.find(planned.suite.dataset, cola_dir, hub, planned.path.resolve().parent)
        if not data.is_here(source):
            return [Finding("ok", name, f"the hub's, at {source.revision}")]
        loaded = data.load(source)
    except BadInput as error:
        return [Finding("missing", name, error.problems[0], _more(error.problems))]
    except Unavailable as error:
        return [Finding("missing", name, error.reason, error.way_out)]
    sizes = ", ".join(f"{split} {len(rows):,}" for split, rows in loaded.splits.items())
    of = planned.suite.name
    return [
        Finding("ok", name, f"{loaded.origin}: {sizes}"),
        *(
            Finding("ok", f"{each.split} of {of}", each.in_words())
            for each in summarize(loaded.splits)
        ),
        *(Finding("ok", f"note on {name}", note) for note in loaded.notes),
    ]


def _checkpoints(planned: Planned, hub: Hub) -> Iterator[Finding]:
    base = planned.path.resolve().parent
    here_only = Hub(hub.endpoint, False, hub.reason or "asked for what is on this machine only")
    for name, published in published_names(planned.suite).items():
        title = f"checkpoint {published}"
        try:
            found = checkpoints.resolve(name, here_only, base)
        except BadInput as error:
            yield Finding("missing", title, error.problems[0], _more(error.problems))
        except Unavailable as error:
            if hub.reachable:
                yield Finding("ok", title, "not here yet; fetched from the hub when it is trained")
            else:
                yield Finding("missing", title, error.reason, error.way_out)
        else:
            kept = "on this machine" if found.revision is None else f"cached, {found.revision}"
            where = "" if found.origin is None else f"; {found.origin.in_words()}"
            yield Finding("ok", title, f"{kept}, sha256 {found.digest[:12]}{where}")


def _more(problems: Sequence[str]) -> str | None:
    return "; ".join(problems[1:]) or None


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())


def _results(results: Path) -> Finding:
    place = _existing(results)
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return Finding("ok", "results folder", f"{results} can be written")
    way_out = "name a folder that can, with --results-dir"
    return Finding("missing", "results folder", f"{results} cannot be written", way_out)


def _disk(results: Path) -> Finding:
    free = shutil.disk_usage(_existing(results)).free / 2**30
    if free >= LEAST_DISK_GB:
        return Finding("ok", "disk", f"{free:.0f} GB free at {results}")
    found = f"{free:.1f} GB free at {results}, {LEAST_DISK_GB:g} are wanted for kept models"
    return Finding("optional", "disk", found, "free some, or name another --results-dir")


def _memory() -> Finding:
    free = memory.free_mb() / 2**10
    found = f"{free:.1f} GB free, {provenance.available_cores()} cores"
    if free >= LEAST_MEMORY_GB:
        return Finding("ok", "memory", found)
    return Finding("optional", "memory", found, "close something, or train a small checkpoint")


def _gpu() -> Finding:
    if provenance.device_type() == "cuda":
        return Finding("ok", "GPU", provenance.machine().accelerator or "one")
    way_out = "on a machine with one, install torch's CUDA build"
    return Finding("optional", "GPU", "none in sight: training is on the processor", way_out)


def _ray() -> Finding:
    if find_spec("ray") is not None:
        return Finding("ok", "Ray", str(provenance.versions(("ray",))["ray"]))
    return Finding("optional", "Ray", "not installed", "pip install '.[ray]' for --executor ray")


def _browser() -> Finding:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is not None:
        return Finding("ok", "Chromium", found)
    way_out = "only the project's own tests of the page want it: apt-get install chromium"
    return Finding("optional", "Chromium", "not found", way_out)
