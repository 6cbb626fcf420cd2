"""The installed wheel trains in any folder, and costs the tests of other projects nothing."""

import json
import tarfile
import zipfile
from pathlib import Path

import pytest
from builders.installed import Installed, build, install
from builders.sessions import ROOT
from builders.small_suite import write_suite

pytestmark = pytest.mark.sessions

SUITE = """
name = "tiny"
matrix = { checkpoints = ["./encoder"], batch_sizes = [8], learning_rates = [1e-3, 1e-4] }
dataset = { source = "file", path = "data.csv", validation_size = 8 }
training = { epochs = 1, max_length = 32 }
gates.min_mcc = -1
"""

CELLS = [f"tiny.toml::test_finetune[tiny/encoder-bs8-lr1e-0{rate}]" for rate in (3, 4)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a suite and nothing else."""
    made = tmp_path / "mine"
    made.mkdir()
    return write_suite(made, SUITE, rows=32)


def verdicts(folder: Path) -> list[str]:
    """Return the verdict of each cell in the tables that a session wrote."""
    rows = (folder / "results/local/tiny/leaderboard.csv").read_text("utf-8").splitlines()
    column = rows[0].split(",").index("verdict")
    return [row.split(",")[column] for row in rows[1:]]


def collected(output: str) -> list[str]:
    return [line for line in output.splitlines() if "::" in line]


def test_the_source_archive_builds_the_same_wheel(installed: Installed, tmp_path: Path) -> None:
    with tarfile.open(installed.sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    wheels = installed.wheel, build("build_wheel", source, tmp_path)
    first, second = (
        {name: z.read(name) for name in z.namelist()} for z in map(zipfile.ZipFile, wheels)
    )
    assert first == second
    suites = {name for name in first if name.startswith("harness/suite/files/")}
    names = ("quickstart", "cola", "cola-full", "references")
    assert suites == {f"harness/suite/files/{name}.toml" for name in names}
    # The compiled speed-ups are compiled where they train: their sources are part of the wheel.
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "harness").rglob("*.[ch]*")}
    sources = {name for name in sources if name.endswith((".cpp", ".h"))}
    assert len(sources) >= 2
    assert sources <= set(first)


def test_harness_run_trains_judges_and_continues(installed: Installed, folder: Path) -> None:
    done = installed.run("harness", "run", "tiny.toml", folder=folder)
    assert done.code == 0, done.output
    assert "0 of 2 runs finished before, 2 to train" in done.output
    assert verdicts(folder) == ["pass", "pass"]
    missed = ("--suite", "tiny.toml", "--min-mcc", "0.99", "--junitxml", "junit.xml")
    done = installed.run("harness", "run", *missed, folder=folder)
    assert done.code == 1, done.output
    assert "2 of 2 runs finished before, 0 to train" in done.output
    assert verdicts(folder) == ["fail", "fail"]
    assert (folder / "junit.xml").read_text("utf-8").count("<failure") == 2


def test_harness_run_is_not_changed_by_the_folder_it_runs_in(
    installed: Installed, folder: Path
) -> None:
    (folder / "conftest.py").write_text("raise RuntimeError('not for this session')\n")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\ntestpaths = none\n")
    (folder / "test_other.py").write_text("def test_other(): assert False\n")
    (folder / "quickstart").mkdir()
    variables = {"PYTEST_ADDOPTS": "--no-such-option", "PYTEST_PLUGINS": "no_such_module"}
    listing = ("--collect-only", "-q")
    listings: dict[tuple[str, ...], list[str]] = {
        ("tiny.toml",): CELLS,
        ("--suite", "tiny.toml", "-k", "lr1e-03"): CELLS[:1],
        (CELLS[1],): CELLS[1:],
    }
    for arguments, expected in listings.items():
        done = installed.run(
            "harness", "run", *arguments, *listing, folder=folder, variables=variables
        )
        assert done.code == 0, done.output
        assert collected(done.output) == expected
    for named in (("quickstart",), ("-k", "quickstart"), ("--suite", "quickstart")):
        done = installed.run("harness", "run", *named, *listing, folder=folder)
        assert done.code == 0, done.output
        assert len(collected(done.output)) == 2
        assert all(line.startswith("quickstart.toml::") for line in collected(done.output))


def test_what_is_no_suite_is_refused_in_one_message(installed: Installed, folder: Path) -> None:
    done = installed.run("harness", "run", "tests/", "colla", folder=folder)
    assert done.code == 4, done.output
    assert "'tests/': not a suite" in done.output
    assert (
        "'colla': not a suite; name a file that ends in .toml, or one of quickstart" in done.output
    )
    done = installed.run("harness", "run", "no.toml", "--suite", "./quickstart", folder=folder)
    assert done.code == 4, done.output
    assert done.output.count("no such suite file") == 2
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "named",
    [("--suite", "tiny.toml"), ("tiny.toml",)],
    ids=["option", "path"],
)
def test_pytest_alone_trains_a_suite_that_is_named(
    installed: Installed, folder: Path, named: tuple[str, ...]
) -> None:
    (folder / "test_other.py").write_text("def test_other(): assert False\n")
    (folder / "pytest.ini").write_text("[pytest]\npython_functions = check_*\n")
    done = installed.run("pytest", *named, "--harness-workers", "1", "-v", folder=folder)
    assert done.code == 0, done.output
    assert all(f"{cell} PASSED" in done.output for cell in CELLS)
    assert "test_other" not in done.output
    assert verdicts(folder) == ["pass", "pass"]
    done = installed.run("pytest", *named, "--harness-min-mcc=0.99", folder=folder)
    assert done.code == 1, done.output
    assert verdicts(folder) == ["fail", "fail"]
    table = json.loads((folder / "results/local/tiny/leaderboard.json").read_text("utf-8"))
    assert len(table["records"]) == 2


def test_a_suite_runs_beside_the_tests_of_a_repository(installed: Installed, folder: Path) -> None:
    (folder / "test_other.py").write_text("def test_other(): pass\n")
    arguments = ("test_other.py", "--harness-suite", "tiny.toml", "--collect-only", "-q")
    done = installed.run("pytest", *arguments, folder=folder)
    assert collected(done.output) == ["test_other.py::test_other", *CELLS]


def test_messages_name_the_options_as_they_are_spelled_here(
    installed: Installed, folder: Path
) -> None:
    arguments = ("--suite=tiny.toml", "--harness-max-drop", "1", "--harness-budget", "x")
    done = installed.run("pytest", *arguments, folder=folder)
    assert done.code == 4, done.output
    assert "--harness-max-drop: 1: has no effect without --harness-baseline FILE" in done.output


def test_the_option_of_another_plugin_keeps_its_name(installed: Installed, folder: Path) -> None:
    """A repository may have its own `--suite`; the prefixed one names ours there."""
    (folder / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--suite')\n"
    )
    (folder / "test_other.py").write_text(
        "def test_other(pytestconfig): assert pytestconfig.getoption('--suite') == 'tiny.toml'\n"
    )
    done = installed.run("pytest", "--suite", "tiny.toml", "-q", folder=folder)
    assert done.code == 0, done.output
    assert "1 passed" in done.output
    both = ("--suite", "smoke", "--harness-suite", "tiny.toml", "--collect-only", "-q")
    done = installed.run("pytest", *both, folder=folder)
    assert collected(done.output) == CELLS, done.output


def test_other_sessions_load_one_small_module(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "def test_other():\n"
        "    own = [name for name in sys.modules if name.partition('.')[0] == 'harness']\n"
        "    assert own == []\n"
        "    heavy = {'torch', 'transformers', 'datasets', 'pandas', 'numpy', 'scipy', 'kernels'}\n"
        "    assert heavy.isdisjoint(sys.modules)\n"
        "    assert 'harness_entry' in sys.modules\n"
    )
    for arguments in ((), ("-c", "pyproject.toml")):
        done = installed.run("pytest", "-p", "no:anyio", *arguments, folder=tmp_path)
        assert done.code == 0, done.output
        assert "1 passed" in done.output
    done = installed.run("pytest", "--help", folder=tmp_path)
    assert "--benchmark-json" in done.output
    assert "--harness-" not in done.output
    assert "--suite" not in done.output
    program = (
        "import pytest, sys, time; before, began = set(sys.modules), time.perf_counter()\n"
        "import harness_entry\n"
        "print(time.perf_counter() - began, *sorted(set(sys.modules) - before))"
    )
    done = installed.run("python", "-c", program, folder=tmp_path)
    assert done.output.split()[1:] == ["harness_entry"]
