"""The files that pytest and its plugins write when a session ends, found from their options."""

import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.inputs import trackers
from harness.plugin.elsewhere import spelled
from harness.plugin.gates import gate_of
from harness.report import file_names
from harness.session.options import flag_of
from harness.session.places import Place, ReadFile, conflicting, overwritten, unusable
from harness.session.read_files import BASELINE
from harness.session.session import Session
from harness.text import counted, some

FILES = {
    "xmlpath": ("--junitxml", True),
    "log_file": ("--log-file", True),
    "benchmark_json": ("--benchmark-json", False),
    # Optional plugins: pytest-reportlog, -html, -csv, -md-report, -json-ctrf.
    "report_log": ("--report-log", True),
    "htmlpath": ("--html", True),
    "csv_path": ("--csv", True),
    "md_report_output": ("--md-report-output", False),
    "ctrf": ("--ctrf", True),
}
"""Options that name a file: pytest's name for the option, its flag, and whether the plugin makes
missing parent folders."""

OPENED_AT_ONCE = ("--log-file", "--report-log", "--html")
"""Files that are opened as soon as pytest is configured."""


def problems(session: pytest.Session, running: Session) -> list[str]:
    """Return a line for every problem that would otherwise appear only when the session ends."""
    named = [*_places(session.config), *_of_trackers(running)]
    folders = [running.folder(planned.suite.name) for planned in running.planned]
    # A folder that does not exist yet contains nothing that could block a table.
    there = [folder for folder in folders if os.path.lexists(folder / "runs")]
    return [*unusable([*named, *_tables(there)]), *conflicting(named), *_impossible(session)]


def refuse_early(config: pytest.Config, read: Sequence[ReadFile], results: Sequence[Path]) -> None:
    """Refuse places before anything is opened: a later refusal would also write a JUnit file.

    Args:
        read: the files that the session reads; see harness.session.read_files.
        results: the results folder of each suite.

    Raises:
        pytest.UsageError: a place is a file that the session reads, or conflicts with another
            place; or a place that a plugin opens at once cannot be written (the message then
            lists all places that cannot be written).
    """
    named, tables = _places(config), list(_tables(results))
    stores = [Place("--results-dir", folder / "runs", "folder") for folder in results]
    # Tables that are no worse may replace a baseline; harness.plugin.tables checks this.
    replaceable = [file for file in read if file.name != BASELINE]
    lost = [
        *conflicting([*named, *tables, *stores]),
        *overwritten(named, read),
        *overwritten(tables, replaceable),
    ]
    at_once = [place for place in named if place.name in OPENED_AT_ONCE]
    if lost or (not config.option.collectonly and unusable(at_once)):
        raise pytest.UsageError(spelled(config, "\n".join([*lost, *unusable(named)])))


def _places(config: pytest.Config) -> list[Place]:
    """Return every place that options and the environment name."""
    return [*_files(config), *_coverage(config), *_benchmark(config), *_summary()]


def _of_trackers(session: Session) -> Iterator[Place]:
    for planned in session.planned:
        if planned.suite.limits.executor == "local":  # other executors write on another machine
            for name, path, is_folder in trackers.places(planned.suite.trackers):
                yield Place(name, path, "folder" if is_folder else "file")


def _tables(folders: Sequence[Path]) -> Iterator[Place]:
    """Yield the files of results folders that tables will replace."""
    for folder in folders:
        for name in file_names():
            yield Place("--results-dir", folder / name, "replaced", makes_folders=False)


def _impossible(session: pytest.Session) -> Iterator[str]:
    """Yield the other problems that pytest-benchmark would report only at the end, or never."""
    if _value(session.config, "benchmark_histogram") and find_spec("pygal") is None:
        yield (
            "--benchmark-histogram: the package pygal is not installed; run `pip install pygal "
            "pygaljs`, or leave it out"
        )
    timed = [item for item in session.items if "benchmark" in getattr(item, "fixturenames", ())]
    if timed and _holds_times(session.config) and len(_not_saved(session, timed)) == len(timed):
        yield (
            "--benchmark-compare-fail: there is nothing to compare with: no saved run that "
            "--benchmark-compare names has a selected test; name one that does, or leave it out"
        )


def without_effect(session: pytest.Session) -> Iterator[str]:
    """Yield a line for each option of pytest-benchmark that does not do what it is for."""
    if _is_disabled(session.config):
        for name, nothing in (
            ("benchmark_json", "written"),
            ("benchmark_save", "written"),
            ("benchmark_autosave", "written"),
            ("benchmark_compare_fail", "compared"),
        ):
            if _value(session.config, name):
                yield (
                    f"{flag_of(name)}: nothing will be {nothing}, because "
                    "pytest-benchmark is disabled (--benchmark-disable)"
                )
    gates = {item: gate for item in session.items if (gate := gate_of(item)) and gate[1]}
    new = _not_saved(session, [*gates]) if _holds_times(session.config) else []
    if new:
        cells = [f"{suite}/{cell}" for suite, cell in (gates[item] for item in new)]
        yield (
            f"--benchmark-compare-fail: {len(new)} of {counted(len(gates), 'cell')} will not be "
            f"compared, because no saved run that --benchmark-compare names has them: {some(cells)}"
        )


def _holds_times(config: pytest.Config) -> bool:
    """Return whether the session is to fail if times are worse than saved ones."""
    return bool(_value(config, "benchmark_compare_fail")) and not _is_disabled(config)


def _timer(config: pytest.Config) -> object:
    """Return pytest-benchmark's own session; None without the plugin."""
    return getattr(config, "_benchmarksession", None)


def _is_disabled(config: pytest.Config) -> bool:
    return bool(getattr(_timer(config), "disabled", False))


def _not_saved(session: pytest.Session, tests: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the tests that no saved run has: pytest-benchmark 5.3.1 passes them silently."""
    runs = getattr(_timer(session.config), "compared_mapping", {}).values()
    return [test for test in tests if all(test.nodeid not in run for run in runs)]


def _value(config: pytest.Config, name: str) -> object:
    return config.getoption(name, None)


def _path(config: pytest.Config, value: object) -> Path:
    return config.invocation_params.dir / str(value)


def _files(config: pytest.Config) -> Iterator[Place]:
    for name, (flag, makes_folders) in FILES.items():
        value = _value(config, name)
        if name == "log_file" and config.pluginmanager.has_plugin("logging"):
            value = value or config.getini("log_file")
        if name == "xmlpath" and value:
            value = Path(os.path.expandvars(str(value))).expanduser()  # as pytest reads it
        if value:
            yield Place(flag, _path(config, value), makes_folders=makes_folders)
    if value := _value(config, "allure_report_dir"):
        yield Place("--alluredir", _path(config, value), "folder")
    # pytest-json-report has a default file, written if the report is requested.
    if _value(config, "json_report") and (value := _value(config, "json_report_file")):
        yield Place("--json-report-file", _path(config, value), makes_folders=False)


def _coverage(config: pytest.Config) -> Iterator[Place]:
    """Yield the reports of pytest-cov that are written to a file or folder."""
    reports = _value(config, "cov_report")
    measured = _value(config, "cov_source") and not _value(config, "no_cov")
    if measured and isinstance(reports, dict):
        for kind, value in reports.items():
            if value and kind in ("html", "annotate"):
                yield Place(f"--cov-report={kind}", _path(config, value), "folder")
            elif value and not kind.startswith("term"):
                made = not kind.startswith("markdown")
                yield Place(f"--cov-report={kind}", _path(config, value), makes_folders=made)


def _benchmark(config: pytest.Config) -> Iterator[Place]:
    timer = _timer(config)
    for name, suffix in (("benchmark_histogram", ".svg"), ("benchmark_cprofile_dump", ".prof")):
        prefixes = _value(config, name)
        if isinstance(prefixes, list) and prefixes:
            yield Place(flag_of(name), _path(config, f"{prefixes[0]}{suffix}"))
    saved = _value(config, "benchmark_save") or _value(config, "benchmark_autosave")
    folder = getattr(getattr(timer, "storage", None), "path", None)  # a server has none
    if saved and folder is not None and not _is_disabled(config):
        flag = "--benchmark-save" if _value(config, "benchmark_save") else "--benchmark-autosave"
        machine = str(getattr(timer, "machine_id", ""))
        yield Place(f"{flag} in --benchmark-storage", Path(folder) / machine / f"0000_{saved}.json")


def _summary() -> Iterator[Place]:
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        yield Place("GITHUB_STEP_SUMMARY", Path(summary), makes_folders=False)
