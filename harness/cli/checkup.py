"""Checks what a benchmark needs on this machine; whatever is missing is reported with a way out."""

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from packaging.requirements import InvalidRequirement, Requirement

from harness.errors import BadInput, Unavailable
from harness.forecast import memory
from harness.inputs import checkpoints
from harness.inputs.checkpoints import Checkpoint
from harness.inputs.hub import Hub
from harness.judging import baseline as baselines
from harness.judging.baseline import Baseline
from harness.machine import provenance
from harness.session import overwriting
from harness.session.run_status import run_statuses
from harness.session.session import Options, Planned
from harness.session.suite_inputs import Inputs, facts_of, setting_problems
from harness.store import lock
from harness.store.records import DatasetFacts
from harness.store.run_store import read_store
from harness.suite.plan import published_names
from harness.text import counted

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
    findings = [
        Finding("ok", "python", platform.python_version()),
        *packages,
        _hub(hub),
    ]
    installed = all(finding.state != "missing" for finding in packages)
    suites = [_suite(item, options, hub) for item in planned] if installed else []
    findings += [finding for suite in suites for finding in suite.findings]
    baseline = list(_baseline(options.baseline, suites))
    ray, starts = _ray(planned, options.ray_address)
    results = options.results
    folder = _results(results, [item.suite.name for item in planned])
    findings += [*baseline, folder, _disk(results), _memory(), _gpu(), *ray, _browser()]
    starts = starts and not any(finding.state == "missing" for finding in baseline)
    starts = starts and not any(suite.refused for suite in suites) and folder.state == "ok"
    possible = any(suite.possible for suite in suites)
    return Checkup(tuple(dict.fromkeys(findings)), starts and possible)


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


def _suite(planned: Planned, options: Options, hub: Hub) -> _CheckedSuite:
    suite = planned.suite
    data, dataset, data_fault = _data(planned, options.cola_dir, hub)
    models, found, faults = _checkpoints(planned, hub)
    device = provenance.device_type()
    settings = setting_problems(suite, device)
    all_faults = faults if data_fault is None else {**faults, "": data_fault}
    lacking = {
        name: fault if isinstance(fault, Unavailable) else Unavailable(str(fault), "fix it")
        for name, fault in all_faults.items()
    }
    inputs = Inputs(None, dataset, None, found, lacking, device)
    runs, possible, tables = _runs(planned, inputs, options)
    findings = [
        *data,
        *models,
        *(Finding("missing", f"settings of {suite.name}", problem) for problem in settings),
        runs,
        *tables,
    ]
    wrong = bool(tables) or any(
        isinstance(fault, BadInput) for fault in (data_fault, *faults.values())
    )
    return _CheckedSuite(suite.name, findings, dataset, wrong or bool(settings), possible)


def _runs(
    planned: Planned, inputs: Inputs, options: Options
) -> tuple[Finding, bool, list[Finding]]:
    """Return the number of finished runs, whether any is finished or could be trained, and a
    finding if tables in the results folder prevent a session."""
    suite = planned.suite
    store, _ = read_store(options.results / suite.name)
    available = [cell for cell in planned.cells if cell.checkpoint in inputs.checkpoints]
    known = available if inputs.dataset is not None else []
    statuses = run_statuses(suite, known, inputs, store, options.rerun)
    total = sum(len(cell.seeds) for cell in planned.cells)
    finished = sum(item.stored is not None for item in statuses)
    impossible = sum(len(cell.seeds) for cell in planned.cells if inputs.obstacle(cell))
    to_train = total - finished - impossible
    workers = suite.limits.workers
    at_once = f"{workers} at a time" if workers != "auto" else "as many at a time as fit"
    counts = f"{total}: {finished} finished, {to_train} to train"
    counts += f" ({at_once})" if to_train else ""
    counts += f", {impossible} that cannot run here" if impossible else ""
    possible = finished + to_train > 0
    runs = Finding("ok" if possible else "missing", f"runs of {suite.name}", counts)
    folder = options.results / suite.name
    refused = None
    if not options.replace:
        refused = overwriting.foreseen(planned, statuses, store, to_train, inputs, folder)
    tables = [] if refused is None else [Finding("missing", f"tables of {suite.name}", refused)]
    return runs, possible, tables


Fault = BadInput | Unavailable
"""The reason why an input is not available."""


def _data(
    planned: Planned, cola_dir: Path | None, hub: Hub
) -> tuple[list[Finding], DatasetFacts | None, Fault | None]:
    """Return findings on splits and notes, the data's facts, or why the data is not available."""
    from harness.inputs import data
    from harness.inputs.data.summary import summarize

    suite_name = planned.suite.name
    name = f"data of {suite_name}"
    try:
        source = data.find(planned.suite.dataset, cola_dir, hub, planned.path.resolve().parent)
        if not data.is_here(source):
            return [Finding("ok", name, f"on the hub, at {source.revision}")], None, None
        loaded = data.load(source)
    except BadInput as error:
        return [_wrong(name, error)], None, error
    except Unavailable as error:
        return [Finding("missing", name, error.reason, error.way_out)], None, error
    sizes = ", ".join(f"{split} {len(rows):,}" for split, rows in loaded.splits.items())
    findings = [
        Finding("ok", name, f"{loaded.origin}: {sizes}"),
        *(
            Finding("ok", f"{each.split} of {suite_name}", each.in_words())
            for each in summarize(loaded.splits)
        ),
        *(Finding("ok", f"note on {name}", note) for note in loaded.notes),
    ]
    return findings, facts_of(planned.suite, loaded), None


def _checkpoints(
    planned: Planned, hub: Hub
) -> tuple[list[Finding], dict[str, Checkpoint], dict[str, Fault]]:
    """Return findings, the checkpoints on this machine, and why others are not available.

    Both mappings are by published name. Checkpoints that a session would download are in neither.
    """
    base = planned.path.resolve().parent
    here_only = Hub(hub.endpoint, False, hub.reason or "only this machine is searched")
    findings: list[Finding] = []
    here: dict[str, Checkpoint] = {}
    faults: dict[str, Fault] = {}
    for name, published in published_names(planned.suite).items():
        title = f"checkpoint {published}"
        try:
            found = checkpoints.resolve(name, here_only, base)
        except BadInput as error:
            faults[published] = error
            findings.append(_wrong(title, error))
        except Unavailable as error:
            if hub.reachable:
                later = "not here yet; downloaded from the hub when it is trained"
                findings.append(Finding("ok", title, later))
            else:
                faults[published] = error
                findings.append(Finding("missing", title, error.reason, error.way_out))
        else:
            here[published] = found
            place = "on this machine" if found.revision is None else f"cached, {found.revision}"
            origin = "" if found.origin is None else f"; {found.origin.in_words()}"
            digest = f"sha256 {found.digest[:12]}"
            findings.append(Finding("ok", title, f"{place}, {digest}{origin}"))
    return findings, here, faults


def _wrong(name: str, error: BadInput) -> Finding:
    return Finding("missing", name, error.problems[0], _more(error.problems))


def _baseline(baseline: Baseline | None, suites: Sequence[_CheckedSuite]) -> Iterator[Finding]:
    if baseline is None:
        return
    problems = list(baselines.problems(baseline, {each.name: each.dataset for each in suites}))
    for problem in problems:
        yield Finding("missing", "baseline", problem)
    if not problems:
        yield Finding("ok", "baseline", f"{baseline.source}, of {baseline.suite}")


def _more(problems: Sequence[str]) -> str | None:
    return "; ".join(problems[1:]) or None


def _existing(folder: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())


def _results(results: Path, suites: Iterable[str]) -> Finding:
    place = _existing(results)
    stores = (results / suite / "runs" for suite in suites)
    if (found := next(filter(None, map(lock.obstacle, stores)), None)) is not None:
        return Finding("missing", "results folder", found)
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
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


def _ray(planned: Sequence[Planned], address: str | None) -> tuple[list[Finding], bool]:
    """Return the finding on Ray, and whether a session could start as far as Ray is needed."""
    needed = any(item.suite.limits.executor == "ray" for item in planned)
    if find_spec("ray") is None:
        state: State = "missing" if needed else "optional"
        found = "not installed, but limits.executor needs it" if needed else "not installed"
        way_out = "pip install '.[ray]'" + ("" if needed else " for --executor ray")
        return [Finding(state, "Ray", found, way_out)], not needed
    version = str(provenance.versions(("ray",))["ray"])
    joins = f"; a session joins {address}, which is contacted only when a session starts"
    return [Finding("ok", "Ray", version + (joins if needed and address else ""))], True


def _browser() -> Finding:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is not None:
        return Finding("ok", "Chromium", found)
    way_out = "only the project's own tests of the page need it: apt-get install chromium"
    return Finding("optional", "Chromium", "not found", way_out)
