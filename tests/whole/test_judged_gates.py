"""No option of pytest and no plugin turns a gate off in silence; with --strict none at all."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from builders.sessions import GATED_SUITE, Session, run
from builders.small_suite import write_suite

pytestmark = pytest.mark.sessions

ONE, OTHER = "tiny/encoder-bs8-lr1e-03", "tiny/encoder-bs8-lr1e-04"
FILE = "benchmarks/test_finetune.py"
ITS_OWN = "the gates of the suite tiny"

SKIPS = """
import pytest
def pytest_runtest_setup(item):
    if "lr1e-04" in item.name:
        pytest.skip("not today")
"""
XFAILS = """
import pytest
def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.xfail(reason="known", strict=False))
"""
TAKES_OUT = """
def pytest_collection_modifyitems(items):
    items[:] = items[:1]
"""
PRETENDS = """
def pytest_pyfunc_call(pyfuncitem):
    if "lr1e-04" in pyfuncitem.name:
        return True
"""
DESELECTS = """
def pytest_collection_modifyitems(config, items):
    out = [item for item in items if "lr1e-04" in item.name]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]
"""
FAILS_AT_THE_END = """
def pytest_sessionfinish():
    raise OSError("no place")
"""
PLUGINS = {
    "skips": SKIPS,
    "xfails": XFAILS,
    "takes_out": TAKES_OUT,
    "pretends": PRETENDS,
    "deselects": DESELECTS,
    "fails_at_the_end": FAILS_AT_THE_END,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite with gates of its own, its runs finished, and plugins."""
    made = write_suite(tmp_path_factory.mktemp("judged"), GATED_SUITE)
    for name, source in PLUGINS.items():
        (made / f"{name}.py").write_text(source, encoding="utf-8")
    first = started(made, "--strict")
    assert first.code == 0, first.output
    assert "not judged" not in first.output
    return made


def started(
    folder: Path,
    *arguments: str,
    variables: Mapping[str, str] | None = None,
    paths: Sequence[str] = ("benchmarks/",),
) -> Session:
    search = {"PYTHONPATH": f"{folder}:{os.environ.get('PYTHONPATH', '')}", **(variables or {})}
    suite = folder / "tiny.toml"
    return run(folder, *arguments, suite=suite, variables=search, paths=paths)


@pytest.mark.parametrize(
    ("arguments", "gates", "reason"),
    [
        (("-k", "lr1e-03"), (OTHER, ITS_OWN), "deselected by -k 'lr1e-03'"),
        (("-m", "benchmark"), (ITS_OWN,), "deselected by -m 'benchmark'"),
        (("--benchmark-only",), (ITS_OWN,), "--benchmark-only active"),
        (("--benchmark-skip",), (ONE, OTHER), "--benchmark-skip active"),
        (
            ("-o", "python_functions=test_finetune"),
            (ITS_OWN,),
            "left out by -o python_functions",
        ),
        (("-p", "skips"), (OTHER,), "skipped: not today"),
        (("-p", "takes_out"), (OTHER, ITS_OWN), "removed from the session"),
        (("-p", "pretends"), (OTHER,), "did not reach its gate"),
        (("--setup-plan",), (ONE, OTHER, ITS_OWN), "--setup-plan"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_not_judged_is_told_and_does_not_pass_under_strict(
    folder: Path, arguments: tuple[str, ...], gates: tuple[str, ...], reason: str
) -> None:
    session = started(folder, "--strict", *arguments)
    assert session.code == 1, session.output
    (line,) = [line for line in session.output.splitlines() if line.startswith("not judged: ")]
    assert line.startswith(f"not judged: {', '.join(gates)}: "), line
    assert reason in line
    known_before = arguments[-1] not in ("skips", "pretends", "--setup-plan")
    assert told_before(session) == ([line.removeprefix("not ")] if known_before else [])


@pytest.mark.parametrize("option", ["-x", "--maxfail=1"])
def test_gates_that_a_limit_of_failures_left_out_are_told_by_their_records_and_do_not_pass(
    folder: Path, option: str
) -> None:
    session = started(folder, "--strict", "--min-mcc", "0.99", option)
    assert session.code == 1, session.output
    ended = "the session ended before its test (stopping after 1 failures)"
    lines = session.output.splitlines()
    assert [line for line in lines if ended in line] == [
        f"fail by its records alone: {OTHER}: {ended}",
        f"pass by its records alone: {ITS_OWN}: {ended}",
    ]
    assert "With --strict a session passes only if every gate" in session.output
    assert told_before(session) == []


def told_before(session: Session) -> list[str]:
    """Return what a session said before its first test on gates that will not be judged."""
    before, _, _ = session.output.partition("test_finetune.py")
    told = [line.removeprefix("will not be ") for line in before.splitlines()]
    told = [line for line in told if line.startswith("judged: ")]
    assert bool(told) == ("--strict: this session will not pass: " in before)
    return told


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (
            # Of several selections, each by what made it: none of these is the doing of -k.
            ("-k", "tiny", "-p", "deselects", "--deselect", f"{FILE}::test_finetune[{ONE}]"),
            [
                f"{ONE}: deselected by --deselect",
                f"{OTHER}: deselected by a plugin or conftest.py (deselects)",
            ],
        ),
        (
            ("--lf",),
            [f"{OTHER}, {ITS_OWN}: its test was not collected: left out by --lf"],
        ),
        (
            ("--lf", f"{FILE}::test_finetune[{ONE}]"),
            [
                f"{OTHER}, {ITS_OWN}: its test was not collected: left out by the test ids of the "
                "command line"
            ],
        ),
    ],
    ids=["several", "lf", "ids"],
)
def test_what_is_left_out_is_told_before_training_by_what_left_it_out(
    folder: Path, arguments: tuple[str, ...], lines: list[str]
) -> None:
    failed = folder / "cache" / "v" / "cache" / "lastfailed"
    failed.parent.mkdir(parents=True, exist_ok=True)
    failed.write_text(json.dumps({f"{FILE}::test_finetune[{ONE}]": True}), encoding="utf-8")
    named = [argument for argument in arguments if argument.startswith(FILE)]
    ids = () if "--deselect" in arguments else tuple(named)
    others = [argument for argument in arguments if argument not in ids]
    session = started(folder, "--strict", *others, paths=ids or ("benchmarks/",))
    assert session.code == 1, session.output
    assert told_before(session) == [f"judged: {line}" for line in lines]
    for line in lines:
        assert f"not judged: {line}" in session.output


def test_under_strict_a_suite_without_a_gate_does_not_start(folder: Path, tmp_path: Path) -> None:
    text = (folder / "tiny.toml").read_text(encoding="utf-8")
    text, removed = re.subn(r"\n(suite\.best_)?min_mcc = -1(?=\n)", "", text)
    assert removed == 2
    for name in ("encoder", "data.csv"):
        text = re.sub(rf'"(\./)?{name}"', f'"{folder / name}"', text)
    (tmp_path / "tiny.toml").write_text(text, encoding="utf-8")
    junit = tmp_path / "junit.xml"
    session = run(tmp_path, "--strict", "--junitxml", str(junit), suite=tmp_path / "tiny.toml")
    assert session.code == pytest.ExitCode.USAGE_ERROR
    assert "tiny: --strict: no gate judges any cell, which would pass with any score" in (
        session.output
    )
    assert not list(tmp_path.glob("results/**/record.json"))


@pytest.mark.parametrize("strict", [(), ("--strict",)])
def test_where_no_cell_is_selected_the_gates_and_the_ids_are_told(
    folder: Path, strict: tuple[str, ...]
) -> None:
    session = started(folder, "-k", "encoder_bs8_lr1e_3", *strict)
    assert session.code == pytest.ExitCode.NO_TESTS_COLLECTED, session.output
    assert f"not judged: {ONE}, {OTHER}, {ITS_OWN}: deselected by -k 'encoder_bs8" in session.output
    assert "no cell is selected; `--collect-only` without a selection lists all ids; did you " in (
        session.output
    )


@pytest.mark.parametrize(("strict", "code"), [((), 0), (("--strict",), 1)])
def test_where_only_other_tests_are_selected_the_gates_are_told(
    folder: Path, strict: tuple[str, ...], code: int
) -> None:
    other = folder / "test_other.py"
    other.write_text("def test_some_unit(): pass\n", encoding="utf-8")
    session = started(folder, "-k", "some_unit", *strict, paths=("benchmarks/", str(other)))
    assert session.code == code, session.output
    told = f"not judged: {ONE}, {OTHER}, {ITS_OWN}: deselected by -k 'some_unit'"
    before, _, after = session.output.partition("[100%]")
    assert told in before
    assert told in after
    assert "1 passed" in after


def test_a_failed_gate_that_pytest_does_not_count_does_not_pass_under_strict(folder: Path) -> None:
    session = started(folder, "--strict", "--min-mcc", "0.99", "-p", "xfails")
    assert session.code == 1, session.output
    told = f"failed its gate, and was not counted as a failure: {ONE}, {OTHER}: marked xfail"
    assert told in session.output


def test_without_strict_a_part_may_be_selected_and_the_rest_is_told(folder: Path) -> None:
    session = started(folder, "-k", "lr1e-03")
    assert session.code == 0, session.output
    assert f"not judged: {OTHER}, {ITS_OWN}: deselected by -k" in session.output


def test_every_place_that_cannot_be_written_is_told_at_once_and_nothing_trains(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "results" / "tiny" / "runs").mkdir(parents=True)
    (tmp_path / "results" / "tiny" / "leaderboard.md").mkdir()
    missing = str(tmp_path / "missing" / "x.json")
    session = run(
        tmp_path,
        *("--benchmark-json", missing, "--junitxml", str(tmp_path / "file" / "x.xml")),
        *("--benchmark-save=x", f"--benchmark-storage={tmp_path / 'file'}"),
        suite=folder / "tiny.toml",
        variables={"GITHUB_STEP_SUMMARY": str(tmp_path / "missing" / "summary")},
    )
    assert session.code == pytest.ExitCode.USAGE_ERROR, session.output
    for name in (
        "--benchmark-json: ",
        "--junitxml: ",
        "--benchmark-save in --benchmark-storage: ",
        "GITHUB_STEP_SUMMARY: ",
        "leaderboard.md: cannot be written (is a directory)",
    ):
        assert name in session.output, session.output
    assert "Traceback" not in session.output
    assert not list(tmp_path.rglob("log.txt"))


def test_no_file_that_a_session_reads_is_written_over(folder: Path, tmp_path: Path) -> None:
    """pytest opens a log file at once, and writes a refused session's JUnit file all the same."""
    suite, data, weights = "tiny.toml", "data.csv", "encoder/model.safetensors"
    baseline = "results/tiny/leaderboard.json"
    read = {name: (folder / name).read_bytes() for name in (suite, data, weights, baseline)}
    (tmp_path / "summary").symlink_to(folder / baseline)
    at_the_end = started(
        folder,
        *("--junitxml", str(folder / "encoder" / ".." / suite)),
        *("--benchmark-json", str(folder / weights), "--baseline", str(folder / baseline)),
        variables={"GITHUB_STEP_SUMMARY": str(tmp_path / "summary")},
    )
    table = folder / "results" / "tiny" / "leaderboard.csv"
    before = table.read_bytes()
    at_once = started(
        folder,
        *("--collect-only", "--log-file", str(folder / data), "--junitxml", str(folder / suite)),
        *("--benchmark-json", str(table)),
    )
    for session, lines in (
        (
            at_the_end,
            (f"/{suite}: --suite", "'./encoder' reads", "/summary: --baseline reads"),
        ),
        (
            at_once,
            (
                f"--log-file: {folder / data}: dataset.path reads",
                f"/{suite}: --suite reads",
                f"--results-dir: {table}: --benchmark-json writes that file too",
            ),
        ),
    ):
        assert session.code == pytest.ExitCode.USAGE_ERROR, session.output
        for line in lines:
            assert line in session.output, session.output
        assert "Traceback" not in session.output
    assert {name: (folder / name).read_bytes() for name in read} == read
    assert table.read_bytes() == before


def test_a_benchmark_file_has_plain_values_and_a_failing_plugin_ends_nothing_else(
    folder: Path, tmp_path: Path
) -> None:
    written, junit = tmp_path / "timing.json", tmp_path / "junit.xml"
    session = started(
        folder,
        *("-p", "fails_at_the_end", "--min-mcc", "0.99"),
        *("--benchmark-json", str(written), "--junitxml", str(junit)),
    )
    assert session.code == 1
    assert "the plugin fails_at_the_end failed in pytest_sessionfinish: OSError: no place" in (
        session.output
    )
    assert "is below the threshold 0.9900" in session.output
    assert "leaderboard: tiny" in session.output
    trained = re.findall(
        r'name="train_seconds_seed_1" value="([^"]+)"', junit.read_text(encoding="utf-8")
    )
    entries = json.loads(written.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    found = {entry["name"]: entry for entry in entries["benchmarks"]}
    assert set(found) == {f"test_finetune[{ONE}]", f"test_finetune[{OTHER}]"}
    assert sorted(map(float, trained)) == sorted(
        entry["stats"]["max"] for entry in found.values()
    )  # the worker's own measurement, not the wait of a test
    entry = found[f"test_finetune[{ONE}]"]
    assert entry["params"] == {"cell": ONE}
    told = {name: entry["extra_info"][name] for name in ("checkpoint", "batch_size", "seeds")}
    assert told == {"checkpoint": "encoder", "batch_size": 8, "seeds": [1]}
    assert entry["extra_info"]["learning_rate"] == 1e-3
    assert entry["extra_info"]["epochs"] == 1
    assert entry["extra_info"]["dataset_origin"] == "file data.csv"
    disabled = started(folder, "--benchmark-disable", "--benchmark-json", str(tmp_path / "n.json"))
    assert disabled.code == 0, disabled.output
    assert "--benchmark-json: nothing will be written" in disabled.output


def test_a_check_of_times_tells_which_cells_it_cannot_compare(folder: Path, tmp_path: Path) -> None:
    """pytest-benchmark itself passes a test that the saved run does not have."""
    store, option = f"--benchmark-storage={tmp_path}", "--benchmark-compare-fail"
    saved = started(folder, store, "--benchmark-save=one", "-k", "lr1e-03")
    assert saved.code == 0, saved.output
    compared = (store, "--benchmark-compare", f"{option}=mean:1%")
    session = started(folder, *compared, "-k", "test_finetune")
    assert session.code == 0, session.output
    told = f"{option}: 1 of 2 cells will not be compared, because no saved run that "
    assert f"{told}--benchmark-compare names has them: {OTHER}" in session.output.splitlines()
    whole = started(folder, *compared, "-k", "lr1e-03")
    assert whole.code == 0, whole.output
    assert option not in whole.output
    for others in (compared, (f"{option}=mean:1%",)):
        nothing = started(folder, *others, "-k", "lr1e-04")
        assert nothing.code == pytest.ExitCode.USAGE_ERROR, nothing.output
        assert f"{option}: there is nothing to compare with" in nothing.output
    suite_alone = started(folder, *compared, "-k", "test_suite")
    assert suite_alone.code == 0, suite_alone.output
    disabled = started(folder, *compared, "--benchmark-disable")
    assert disabled.code == 0, disabled.output
    assert f"{option}: nothing will be compared, because pytest-benchmark" in disabled.output
