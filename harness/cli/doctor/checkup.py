"""Checks what a benchmark needs on this machine; whatever is missing is reported with a way out."""

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from packaging.requirements import InvalidRequirement, Requirement

from harness.errors import BadInput, Unavailable
from harness.forecast import memory
from harness.inputs.duplicates import near_in_words
from harness.inputs.hub import Hub
from harness.judging import baseline as baselines
from harness.judging.baseline import Baseline
from harness.judging.decided import aims_of
from harness.machine import provenance
from harness.paths import passes
from harness.session import overwriting
from harness.session.options import Options, Planned
from harness.session.run_status import run_statuses
from harness.session.strictness import refusals
from harness.session.suite_inputs import Inputs, look_up, setting_problems
from harness.store import lock
from harness.store.records import DatasetFacts
from harness.store.run_store import read_store
from harness.text import counted
from harness.training.speedups.compiled import compiler

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
LEAST_DISK_GB = 5.0
LEAST_MEMORY_GB = 2.0

State = Literal["ok", "missing", "optional"]


@dataclass(frozen=True)
class Finding:
    """The result of one check. `optional`: it is missing, but no benchmark needs it."""

    state: State
    name: str
    found: str
    way_out: str | None = None


@dataclass(frozen=True)
class Checkup:
    """All findings, and whether a session would start and have a finished or trainable run."""

    findings: tuple[Finding, ...]
    usable: bool


def checkup(planned: Sequence[Planned], options: Options, hub: Hub) -> Checkup:
    """Check everything that a session would need. Downloads nothing, writes nothing.

    Args:
        planned: the session's suites, with overriding options applied.
        options: the other options of the session.
    """
    packages = list(_packages())
    findings = [Finding("ok", "python", platform.python_version()), *packages, _hub(hub)]
    installed = all(finding.state != "missing" for finding in packages)
    suites = [_suite(item, options, hub) for item in planned] if installed else []
    findings += [finding for suite in suites for finding in suite.findings]
    baseline = list(_baseline(options.baseline, suites))
    folder = _results(options.results, [item.suite.name for item in planned])
    ray = _ray(planned, options.ray_address)
    findings += [*baseline, folder, _disk(options.results), _memory()]
    findings += [_gpu(), _compiler(), ray, _browser()]
    refused = any(finding.state == "missing" for finding in (*baseline, folder, ray))
    refused = refused or any(suite.refused for suite in suites)
    possible = any(suite.possible for suite in suites)
    return Checkup(tuple(dict.fromkeys(findings)), possible and not refused)


def _packages() -> Iterator[Finding]:
    """Yield a finding for each missing or incompatible package, or one for all packages."""
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


@dataclass(frozen=True)
class _CheckedSuite:
    """A suite after its checks.

    `refused`: a session would end with errors of this suite before it trains. `possible`: a run of
    it is finished or could be trained. `dataset` is None if it is not on this machine.
    """

    name: str
    findings: list[Finding]
    dataset: DatasetFacts | None
    refused: bool
    possible: bool


Absent = Mapping[str, BadInput | Unavailable]
"""Why inputs are not available, keyed like `Inputs.unavailable`."""


def _suite(planned: Planned, options: Options, hub: Hub) -> _CheckedSuite:
    suite = planned.suite
    inputs, wrong = look_up(
        suite, planned.base, planned.cells, options.cola_dir, hub, download=False
    )
    absent: Absent = {**wrong, **inputs.unavailable}
    settings = setting_problems(suite, inputs)
    open_gates = refusals([planned], planned.cells, options)
    runs, refused = _runs(planned, inputs, absent, options)
    findings = [
        *_data(suite.name, inputs, absent.get("")),
        *_checkpoints(planned, inputs, absent),
        *(Finding("missing", f"settings of {suite.name}", problem) for problem in settings),
        runs,
        *([] if refused is None else [Finding("missing", f"tables of {suite.name}", refused)]),
        *(Finding("missing", f"gates of {suite.name}", line) for line in open_gates),
    ]
    stopped = bool(wrong or settings or refused or open_gates or (options.strict and absent))
    return _CheckedSuite(suite.name, findings, inputs.dataset, stopped, runs.state == "ok")


def _runs(
    planned: Planned, inputs: Inputs, absent: Absent, options: Options
) -> tuple[Finding, str | None]:
    """Return the number of finished runs, and why tables prevent a session, or None.

    The finding is ok if a run is finished or could be trained.
    """
    suite = planned.suite
    try:
        store, _ = read_store(options.results / suite.name)
    except BadInput:  # `_results` tells it
        store = []
    available = [cell for cell in planned.cells if cell.checkpoint in inputs.checkpoints]
    known = available if inputs.dataset is not None else []
    aims = aims_of(suite, known, options.baseline_of(suite.name))
    statuses = run_statuses(suite, known, inputs, store, options.rerun, aims)
    total = sum(len(cell.seeds) for cell in planned.cells)
    finished = sum(item.stored is not None for item in statuses)
    impossible = sum(
        len(cell.seeds) for cell in planned.cells if "" in absent or cell.checkpoint in absent
    )
    to_train = total - finished - impossible
    workers = suite.limits.workers
    at_once = f"{workers} at a time" if workers != "auto" else "as many at a time as fit"
    counts = f"{total}: {finished} finished, {to_train} to train"
    counts += f" ({at_once})" if to_train else ""
    counts += f", {impossible} that cannot run here" if impossible else ""
    counts += ", which --strict does not allow" if impossible and options.strict else ""
    state: State = "ok" if finished + to_train > 0 else "missing"
    refused = overwriting.foreseen(planned, statuses, store, to_train, inputs, options)
    return Finding(state, f"runs of {suite.name}", counts), refused


def _data(suite: str, inputs: Inputs, fault: BadInput | Unavailable | None) -> Iterator[Finding]:
    name = f"data of {suite}"
    if fault is not None:
        yield _absent(name, fault)
    elif inputs.dataset is None:
        assert inputs.source is not None
        yield Finding("ok", name, f"on the hub, at {inputs.source.revision}")
    else:
        sizes = ", ".join(f"{each.split} {each.sentences:,}" for each in inputs.splits)
        yield Finding("ok", name, f"{inputs.dataset.origin}: {sizes}")
        for each in inputs.splits:
            yield Finding("ok", f"{each.split} of {suite}", each.in_words())
        for note in (*inputs.notes, *inputs.slices.notes):
            yield Finding("ok", f"note on {name}", note)
        if (found := inputs.dataset.duplicates) is not None:
            yield Finding("ok", f"near neighbours in {name}", near_in_words(found))


def _checkpoints(planned: Planned, inputs: Inputs, absent: Absent) -> Iterator[Finding]:
    for name in dict.fromkeys(cell.checkpoint for cell in planned.cells):
        title = f"checkpoint {name}"
        if name in absent:
            yield _absent(title, absent[name])
        elif (found := inputs.checkpoints.get(name)) is None:
            yield Finding("ok", title, "not here yet; downloaded from the hub when it is trained")
        else:
            place = "on this machine" if found.revision is None else f"cached, {found.revision}"
            origin = "" if found.origin is None else f"; {found.origin.in_words()}"
            yield Finding("ok", title, f"{place}, sha256 {found.digest[:12]}{origin}")
    for note in inputs.twins():
        yield Finding("ok", "note", note)


def _absent(name: str, fault: BadInput | Unavailable) -> Finding:
    if isinstance(fault, Unavailable):
        return Finding("missing", name, fault.reason, fault.way_out)
    first, *others = fault.problems
    return Finding("missing", name, first, "; ".join(others) or None)


def _baseline(baseline: Baseline | None, suites: Sequence[_CheckedSuite]) -> Iterator[Finding]:
    if baseline is None:
        return
    problems = list(baselines.problems(baseline, {each.name: each.dataset for each in suites}))
    for problem in problems:
        yield Finding("missing", "baseline", problem)
    if not problems:
        yield Finding("ok", "baseline", f"{baseline.source}, of {baseline.suite}")
        for note in baselines.software_changes(baseline, baselines.software_here()):
            yield Finding("ok", "note on baseline", note)


def _existing(folder: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if passes(Path.exists, path))


def _results(results: Path, suites: Iterable[str]) -> Finding:
    place = _existing(results)
    stores = (results / suite / "runs" for suite in suites)
    if (found := next(filter(None, map(lock.obstacle, stores)), None)) is not None:
        return Finding("missing", "results folder", found)
    if passes(Path.is_dir, place) and os.access(place, os.W_OK | os.X_OK):
        return Finding("ok", "results folder", f"{results} can be written")
    way_out = "name a writable folder with --results-dir"
    return Finding("missing", "results folder", f"{results} cannot be written", way_out)


def _disk(results: Path) -> Finding:
    free = shutil.disk_usage(_existing(results)).free / 2**30
    if free >= LEAST_DISK_GB:
        return Finding("ok", "disk", f"{free:.0f} GB free at {results}")
    found = f"{free:.1f} GB free at {results}; kept models need about {LEAST_DISK_GB:g} GB"
    return Finding("optional", "disk", found, "free some space, or name another --results-dir")


def _memory() -> Finding:
    free = memory.free_mb() / 2**10
    found = f"{free:.1f} GB free, {counted(provenance.available_cores(), 'core')}"
    if free >= LEAST_MEMORY_GB:
        return Finding("ok", "memory", found)
    return Finding("optional", "memory", found, "close programs, or train a small checkpoint")


def _gpu() -> Finding:
    if provenance.device_type() == "cuda":
        return Finding("ok", "GPU", provenance.machine().accelerator or "one")
    way_out = "on a machine with one, install torch's CUDA build"
    return Finding("optional", "GPU", "none found: training runs on the CPU", way_out)


def _compiler() -> Finding:
    if (obstacle := compiler.obstacle()) is None:
        return Finding("ok", "C++ compiler", str(compiler.find()))
    way_out = "with it, training on the CPU is faster: docs/performance.md"
    if compiler.find() is None:
        way_out = f"apt-get install g++; {way_out}"
    return Finding("optional", "C++ compiler", obstacle, way_out)


def _ray(planned: Sequence[Planned], address: str | None) -> Finding:
    """Return the finding on Ray; it is missing only if a suite needs it."""
    needed = any(item.suite.limits.executor == "ray" for item in planned)
    if find_spec("ray") is not None:
        version = str(provenance.versions(("ray",))["ray"])
        joins = f"; a session joins {address}, which is contacted only when a session starts"
        return Finding("ok", "Ray", version + (joins if needed and address else ""))
    if needed:
        found = "not installed, but limits.executor needs it"
        return Finding("missing", "Ray", found, "pip install '.[ray]'")
    return Finding("optional", "Ray", "not installed", "pip install '.[ray]' for --executor ray")


def _browser() -> Finding:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is not None:
        return Finding("ok", "Chromium", found)
    way_out = "only the project's own tests of the page need it: apt-get install chromium"
    return Finding("optional", "Chromium", "not found", way_out)
