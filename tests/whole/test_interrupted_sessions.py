"""A session ended by a signal says the same of a cell on the terminal, in tables and in JUnit."""

import csv
import inspect
import json
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from builders.commands import harness
from builders.sessions import GATED_SUITE, Session, begin, run
from builders.small_suite import write_suite
from builders.waiting import wait_for

from harness.plugin import cells

pytestmark = pytest.mark.sessions

SUITE = """
name = "tiny"
[dataset]
source = "file"
path = "data.csv"
validation_size = 20
[matrix]
checkpoints = ["./encoder"]
batch_sizes = [8]
learning_rates = [1e-3]
seeds = [1, 2]
epochs = [2000, 1]
[training]
max_length = 32
[gates]
min_mcc = -1
[gates.suite]
every_checkpoint_min_mcc = -1
"""

QUICK, SLOW = "encoder-bs8-lr1e-03-ep1", "encoder-bs8-lr1e-03-ep2000"


@pytest.mark.parametrize(
    ("number", "reason", "by"),
    [(signal.SIGINT, "interrupted", ""), (signal.SIGTERM, "SIGTERM", " by SIGTERM")],
    ids=lambda value: getattr(value, "name", ""),
)
def test_an_interrupted_session_tells_one_verdict_of_each_cell_everywhere(
    tmp_path: Path, number: signal.Signals, reason: str, by: str
) -> None:
    folder = write_suite(tmp_path, SUITE)
    suite, xml, tables = folder / "tiny.toml", folder / "junit.xml", folder / "results" / "tiny"
    finished = run(folder, "-k", "ep1", suite=suite)
    assert finished.code == 0, finished.output
    session = begin(folder, "--junitxml", str(xml), suite=suite, own_group=True)
    wait_for(tables / "runs" / SLOW, "*/log.txt", session)
    os.killpg(session.pid, number)
    output, _ = session.communicate()
    assert session.returncode == pytest.ExitCode.INTERRUPTED, output

    ended = f"the session ended before its test ({reason})"
    known = "pass by its records alone"
    lines = output.splitlines()
    assert f"not judged: tiny/{SLOW}: {ended}; 2 of 2 seeds without a score" in lines
    assert f"{known}: tiny/{QUICK}, the gates of the suite tiny: {ended}" in lines
    assert "No selected cell was scored" not in output
    assert f"Interrupted{by}: 2 of 4 runs have ended and are kept" in output

    with (tables / "leaderboard.csv").open(encoding="utf-8") as file:
        table = {row["epochs"]: row["verdict"] for row in csv.DictReader(file)}
    assert table == {"1": "pass", "2000": ""}

    cases = ElementTree.parse(xml).getroot().findall(".//testcase")
    told = {case.attrib["name"]: case for case in cases}
    assert len(told) == len(cases) == 3
    messages = {name: case.find("skipped").attrib["message"] for name, case in told.items()}  # type: ignore[union-attr]
    assert messages == {
        f"test_finetune[tiny/{SLOW}]": f"not judged: {ended}; 2 of 2 seeds without a score",
        f"test_finetune[tiny/{QUICK}]": f"{known}: {ended}",
        "test_suite[tiny]": f"{known}: {ended}",
    }
    quick = told[f"test_finetune[tiny/{QUICK}]"].findall(".//property")
    assert {each.attrib["name"]: each.attrib["value"] for each in quick}["verdict"] == "pass"


ONE, OTHER = "tiny/encoder-bs8-lr1e-03", "tiny/encoder-bs8-lr1e-04"
SECOND = "second/encoder-bs8-lr1e-03"
ITS_OWN = "the gates of the suite tiny"

FINDS_NO_DATA = """
import harness.session.session
def find(*_):
    raise KeyboardInterrupt
harness.session.session.find_all_inputs = find
"""
TRAINS_NOTHING = """
import harness.session.session
def begin(*_, **__):
    raise AssertionError("it trains")
harness.session.session.Dispatch = harness.session.session.start_fork_server = begin
"""
READS_NOTHING = """
import harness.session.session
def find(*_):
    raise AssertionError("it reads data")
harness.session.session.find_all_inputs = find
"""
FAILS_IN_SETUP = """
def pytest_runtest_setup(item):
    raise OSError("no place")
"""
INTERRUPTS = """
def pytest_runtest_setup(item):
    raise KeyboardInterrupt
"""
CANNOT_TELL = """
def pytest_runtest_logreport(report):
    raise ValueError("cannot tell")
"""
ADDS_OWNERS = """
def pytest_collection_modifyitems(items):
    for item in items:
        item.user_properties.append(("owner", "somebody"))
"""
EXITS = """
import pytest
def pytest_runtest_setup(item):
    pytest.exit("no licence", returncode=7)
"""
INTERRUPTS_COLLECTION = """
import pytest
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems():
    raise KeyboardInterrupt
"""
EXITS_COLLECTION = """
import pytest
def pytest_collection_modifyitems():
    pytest.exit("no licence", returncode=0)
"""
SKIPS = """
import pytest
def pytest_runtest_setup(item):
    pytest.skip("not today")
"""
PLUGINS = {
    "skips": SKIPS,
    "exits": EXITS,
    "adds_owners": ADDS_OWNERS,
    "finds_no_data": FINDS_NO_DATA,
    "trains_nothing": TRAINS_NOTHING,
    "reads_nothing": READS_NOTHING,
    "fails_in_setup": FAILS_IN_SETUP,
    "interrupts": INTERRUPTS,
    "interrupts_collection": INTERRUPTS_COLLECTION,
    "exits_collection": EXITS_COLLECTION,
    "cannot_tell": CANNOT_TELL,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two suites with all their runs, and plugins that end a session early."""
    folder = write_suite(tmp_path_factory.mktemp("finished"), GATED_SUITE)
    second = GATED_SUITE.replace("suite.best_min_mcc = -1\n", "")
    second = second.replace('"tiny"', '"second"').replace("[1e-3, 1e-4]", "[1e-3]")
    (folder / "second.toml").write_text(second, encoding="utf-8")
    for name, source in PLUGINS.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    first = ended(folder)
    assert first.code == 0, first.output
    return folder


def ended(
    folder: Path,
    *arguments: str,
    variables: Mapping[str, str] | None = None,
    second: bool = True,
    paths: Sequence[str] = ("benchmarks/",),
) -> Session:
    """Run the suites to the end of their session, with the plugins of the folder at hand."""
    search = {"PYTHONPATH": f"{folder}:{os.environ.get('PYTHONPATH', '')}", **(variables or {})}
    more = ("--suite", str(folder / "second.toml")) if second else ()
    suite = folder / "tiny.toml"
    return run(folder, *more, *arguments, suite=suite, variables=search, paths=paths)


def left_open(session: Session) -> list[str]:
    """Return a session's lines on gates whose test did not judge them."""
    states = ("not judged: ", "pass by its records alone: ", "fail by its records alone: ")
    return [line for line in session.output.splitlines() if line.startswith(states)]


def messages(xml: Path) -> dict[str, str]:
    """Return why each test case of a JUnit file was skipped, by its name."""
    cases = ElementTree.parse(xml).getroot().findall(".//testcase")
    found = {case.attrib["name"]: case.find("skipped") for case in cases}
    assert len(found) == len(cases)
    return {name: "" if each is None else each.attrib["message"] for name, each in found.items()}


def test_a_session_interrupted_before_its_data_is_found_ends_in_words(
    finished: Path, tmp_path: Path
) -> None:
    xml, summary = tmp_path / "junit.xml", tmp_path / "summary.md"
    variables = {"GITHUB_STEP_SUMMARY": str(summary)}
    session = ended(
        finished, "-p", "finds_no_data", "--junitxml", str(xml), second=False, variables=variables
    )
    assert session.code == pytest.ExitCode.INTERRUPTED, session.output
    assert "Traceback" not in session.output
    why = "the session ended before its test (interrupted)"
    assert left_open(session) == [f"not judged: {ONE}, {OTHER}, {ITS_OWN}: {why}"]
    assert set(messages(xml).values()) == {f"not judged: {why}"}
    assert "### `tiny`: 2 not run" in summary.read_text(encoding="utf-8")
    assert "Interrupted: before the finished runs were read, which are kept" in session.output


def test_a_session_without_tests_to_run_tells_its_option_although_it_ended_early(
    finished: Path,
) -> None:
    session = ended(finished, "-p", "fails_in_setup", "--setup-only", "-x", second=False)
    assert session.code == pytest.ExitCode.TESTS_FAILED, session.output
    assert "Traceback" not in session.output
    assert left_open(session) == [
        f"not judged: {ONE}: its test failed in setup: OSError: no place",
        f"not judged: {OTHER}, {ITS_OWN}: --setup-only",
    ]


def test_a_plugin_that_cannot_tell_of_tests_that_did_not_run_ends_nothing_else(
    finished: Path, tmp_path: Path
) -> None:
    xml = tmp_path / "junit.xml"
    session = ended(finished, "-p", "interrupts", "-p", "cannot_tell", "--junitxml", str(xml))
    assert session.code == pytest.ExitCode.INTERRUPTED, session.output
    assert "Traceback" not in session.output
    failed = "the plugin cannot_tell failed in pytest_runtest_logreport: ValueError: cannot tell"
    at_once, _, summary = session.output.partition("leaderboard: tiny")
    assert at_once.count(failed) == summary.count(failed) == 1
    assert len(messages(xml)) == 4


def test_tests_that_did_not_run_keep_their_place_and_the_properties_of_other_plugins(
    finished: Path, tmp_path: Path
) -> None:
    xml = tmp_path / "junit.xml"
    ended(
        finished,
        *("-p", "interrupts", "-p", "adds_owners", "--junitxml", str(xml)),
        second=False,
    )
    cases = ElementTree.parse(xml).getroot().findall(".//testcase")
    assert [case.attrib["name"].partition("[")[0] for case in cases] == [
        *("test_finetune", "test_finetune", "test_suite")
    ]
    for case in cases:
        named = case.attrib["name"].partition("[")[0]
        _, first_line = inspect.getsourcelines(getattr(cells, named))
        place, _, _ = (case.findtext("skipped") or "").partition(": ")
        assert place == f"harness/plugin/cells.py:{first_line}"
        properties = [each.attrib["name"] for each in case.findall(".//property")]
        assert properties.count("owner") == 1
        assert properties.count("verdict") == (named == "test_finetune")


@pytest.mark.parametrize(
    ("arguments", "broken", "code", "why", "told"),
    [
        (
            ("-p", "interrupts"),
            False,
            2,
            "interrupted",
            "Interrupted: 3 of 3 runs have ended and are kept; the same command continues with "
            "the others.",
        ),
        (
            (),
            True,
            2,
            "1 error during collection",
            "Interrupted: 3 of 3 runs have ended and are kept.",
        ),
        # pytest itself prints no summary after an exit code of a plugin.
        (("-p", "exits"), False, 7, "no licence", None),
    ],
    ids=["interrupted", "collection error", "exit code of a plugin"],
)
def test_what_ended_a_session_of_two_suites_is_the_reason_on_the_terminal_and_in_junit(
    finished: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    broken: bool,
    code: int,
    why: str,
    told: str | None,
) -> None:
    xml, other = tmp_path / "junit.xml", tmp_path / "test_other.py"
    other.write_text("import nothing_such" if broken else "", encoding="utf-8")
    session = ended(finished, *arguments, "--junitxml", str(xml), paths=("benchmarks/", str(other)))
    assert session.code == code, session.output
    reason = f"pass by its records alone: {{}}the session ended before its test ({why})"
    lines = [line for line in session.output.splitlines() if line.startswith("Interrupted: ")]
    assert lines == ([] if told is None else [told])
    gates = f"{ONE}, {OTHER}, {ITS_OWN}, {SECOND}: "
    assert left_open(session) == ([] if told is None else [reason.format(gates)])
    tests = [f"test_finetune[{cell}]" for cell in (ONE, OTHER, SECOND)]
    assert {name: text for name, text in messages(xml).items() if name in tests} == (
        dict.fromkeys(tests, reason.format(""))
    )


@pytest.mark.parametrize("arguments", [(), ("-x",)], ids=["", "-x"])
def test_nothing_trains_if_collection_fails(
    finished: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    other = tmp_path / "test_other.py"
    other.write_text("raise OSError('broken')", encoding="utf-8")
    chosen = ("--results-dir", str(tmp_path / "results"), "-p", "trains_nothing", *arguments)
    paths = ("benchmarks/", str(other))
    session = ended(finished, *chosen, second=False, paths=paths)
    assert session.code == pytest.ExitCode.INTERRUPTED, session.output
    assert "OSError: broken" in session.output
    lines = session.output.splitlines()
    assert "tiny: 0 of 2 runs finished before, 2 to train, 0 skipped" in lines
    assert "nothing is trained: 1 error during collection" in lines
    assert "Interrupted: 0 of 2 runs have ended and are kept." in lines
    why = "stopping after 1 failures" if arguments else "1 error during collection"
    reason = f"the session ended before its test ({why}); 1 of 1 seed without a score"
    assert left_open(session) == [
        f"not judged: {ONE}, {OTHER}: {reason}",
        f"not judged: {ITS_OWN}: the session ended before its test ({why}); no run has a score",
    ]
    chosen = (*chosen[:2], "--continue-on-collection-errors")
    goes_on = ended(finished, *chosen, second=False, paths=paths)
    assert goes_on.code == pytest.ExitCode.TESTS_FAILED, goes_on.output
    assert "3 passed, 1 error" in goes_on.output


@pytest.mark.parametrize(
    ("plugin", "code"), [("interrupts_collection", 2), ("exits_collection", 1)]
)
@pytest.mark.parametrize("strict", [(), ("--strict",)], ids=["", "strict"])
def test_nothing_begins_after_an_interruption_of_the_collection(
    finished: Path, plugin: str, code: int, strict: tuple[str, ...]
) -> None:
    plugins = ("-p", plugin, "-p", "reads_nothing", "-p", "trains_nothing")
    session = ended(finished, *plugins, *strict, second=False)
    assert session.code == code, session.output
    assert "Traceback" not in session.output
    assert "to train" not in session.output
    why = {2: "interrupted", 1: "no licence"}[code]
    assert left_open(session) == [
        f"not judged: {ONE}, {OTHER}, {ITS_OWN}: the session ended before its test ({why})"
    ]


def test_a_mistyped_test_hides_no_mistake(finished: Path) -> None:
    paths = ("benchmarks/test_finetune.py::test_finetune[tiny/other]",)
    mistaken = ended(finished, "--min-mcc", "nan", "--seeds", "x", second=False, paths=paths)
    assert mistaken.code == pytest.ExitCode.USAGE_ERROR, mistaken.output
    assert "--min-mcc: nan" in mistaken.output
    assert "--seeds: " in mistaken.output
    mistyped = ended(finished, second=False, paths=paths)
    assert mistyped.code == pytest.ExitCode.USAGE_ERROR, mistyped.output
    assert "not found: " in mistyped.output
    assert "no cell is selected; `--collect-only`" in mistyped.output


@pytest.mark.parametrize(("option", "file"), [("--lf", "lastfailed"), ("--sw", "stepwise")])
def test_what_failed_before_an_interruption_is_still_what_failed_last(
    finished: Path, tmp_path: Path, option: str, file: str
) -> None:
    kept = tmp_path / "cache" / "v" / "cache" / file

    def failures() -> object:
        found = json.loads(kept.read_text(encoding="utf-8"))
        return found["last_failed"] if option == "--sw" else sorted(found)

    cache = ("-o", f"cache_dir={tmp_path / 'cache'}")
    first = ended(finished, *cache, option, "--min-mcc", "0.99", second=False)
    assert f"FAILED benchmarks/test_finetune.py::test_finetune[{ONE}]" in first.output
    before = failures()
    assert before
    again = ended(finished, *cache, option, "-p", "interrupts", second=False)
    assert again.code == pytest.ExitCode.INTERRUPTED, again.output
    assert left_open(again)
    assert failures() == before


def test_a_session_whose_tests_reach_no_score_does_not_pass_and_tells_why(finished: Path) -> None:
    told = "No test reached a cell that has a score: such a session does not pass."
    skipped = ended(finished, "-p", "skips", second=False)
    assert skipped.code == pytest.ExitCode.TESTS_FAILED, skipped.output
    assert told in skipped.output.splitlines()
    interrupted = ended(finished, "-p", "interrupts", second=False)
    assert interrupted.code == pytest.ExitCode.INTERRUPTED, interrupted.output
    assert told not in interrupted.output


def test_a_session_and_its_plan_tell_in_a_line_why_finished_runs_train_again(
    finished: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    shutil.copytree(finished / "results" / "tiny" / "runs", results / "tiny" / "runs")
    chosen = ("--results-dir", str(results), "--epochs", "2")
    session = ended(finished, *chosen, "-p", "interrupts", second=False)
    told = "2 finished runs are not reused: other settings (epochs)"
    assert f"tiny: {told}" in session.output.splitlines()
    plan = harness("plan", "--suite", str(finished / "tiny.toml"), *chosen)
    assert plan.code == 0, plan.err
    assert told in plan.out.splitlines()
