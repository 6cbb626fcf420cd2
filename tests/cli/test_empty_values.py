"""An option without a value, as of a variable that is not set, is a mistake, not a default."""

from pathlib import Path

import pytest
from builders.commands import harness
from builders.small_suite import SUITE, write_suite

from harness.cli import COMMANDS

SESSION = ("--baseline", "--cola-dir", "--results-dir", "--ray-address", "--budget", "--suite")
OVERRIDES = ("--checkpoints", "--seeds", "--epochs", "--min-mcc", "--executor", "--workers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_suite(tmp_path_factory.mktemp("empty"), SUITE)


def lines_of(text: str, flags: tuple[str, ...]) -> dict[str, str]:
    """Return the line of a message on each of these flags; each has one."""
    found = [line for line in text.splitlines() if line.startswith("--")]
    by_flag = {line.partition(":")[0]: line for line in found}
    assert sorted(by_flag) == sorted(flags), text
    assert len(found) == len(flags), text
    return by_flag


@pytest.mark.parametrize("command", ["plan", "doctor"])
def test_every_empty_option_of_a_session_is_told_at_once(folder: Path, command: str) -> None:
    flags = (*SESSION, *OVERRIDES)
    given = [part for flag in flags for part in (flag, "")]
    done = harness(command, "--suite", "tiny.toml", *given, cwd=folder)
    assert done.code == 4, done.out
    lines = lines_of(done.err, flags)
    for flag in SESSION:
        assert lines[flag].startswith(f"{flag}: '': an empty value, such as that of a variable ")
        assert lines[flag].endswith("or leave the option out")
    assert "give HOST:PORT, or" in lines["--ray-address"]
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "flags"),
    [
        (("restore", "results", "--results-dir", ""), ("--results-dir",)),
        (("mistakes", "results", "--cola-dir=", "--suite", ""), ("--cola-dir", "--suite")),
        (
            ("report", "results", "--output", "", "--slices=", "--references", "", "--without", ""),
            ("--output", "--slices", "--references", "--without"),
        ),
        (
            ("judge", "seed1.csv", "--suite=", "--baseline", "", "--add-to", "", "--name", ""),
            ("--suite", "--baseline", "--add-to", "--name"),
        ),
        (("compare", "a", "b", "--results", ""), ("--results",)),
        (("submit", "results", "--output", "", "--cell", ""), ("--output", "--cell")),
        (("predict", "--results", "", "--file", ""), ("--results", "--file")),
        (("init", "new", "--checkpoint", "", "--data="), ("--checkpoint", "--data")),
    ],
    ids=lambda value: value[0],
)
def test_every_empty_option_of_a_command_is_told_at_once(
    arguments: tuple[str, ...], flags: tuple[str, ...], tmp_path: Path
) -> None:
    done = harness(*arguments, cwd=tmp_path)
    assert done.code == 4, (done.out, done.err)
    for line in lines_of(done.err, flags).values():
        assert ": '': an empty value" in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["report", "judge", "restore", "submit", "mistakes"])
def test_an_empty_path_is_not_the_current_folder(command: str, tmp_path: Path) -> None:
    assert command in COMMANDS
    done = harness(command, "", cwd=tmp_path)
    assert done.code == 4, (done.out, done.err)
    assert ": '': an empty value; name a file or folder, . for this folder" in done.err


def test_what_an_option_needs_is_told_beside_an_empty_value(folder: Path) -> None:
    done = harness("predict", "model", "a sentence .", "", cwd=folder)
    assert "an empty value" not in done.err  # sentences have a check of their own
