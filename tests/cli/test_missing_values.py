"""An option without its value, a misspelt one, and a suite where none belongs are told."""

import shlex
from pathlib import Path

import click
import pytest
from builders.commands import harness
from builders.small_suite import SUITE, write_suite

from harness.cli import COMMANDS, command
from harness.session.options import OPTIONS

SESSIONS = {"run": 4, "plan": 2, "doctor": 2}
"""The commands that read a session's options, with the documented exit code of wrong usage."""

VALUE_FLAGS = [option.flag for option in OPTIONS if option.metavar is not None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_suite(tmp_path_factory.mktemp("missing"), SUITE)


def entries(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("follows", [(), ("--strict",), ("-x",)], ids=["end", "flag", "letter"])
@pytest.mark.parametrize("flag", VALUE_FLAGS)
@pytest.mark.parametrize("name", SESSIONS)
def test_an_option_without_its_value_is_wrong_usage(
    name: str, flag: str, follows: tuple[str, ...], folder: Path
) -> None:
    before = entries(folder)
    done = harness(name, "--suite", "tiny.toml", flag, *follows, cwd=folder)
    assert (done.code, done.out) == (SESSIONS[name], "")
    assert f"Error: Option '{flag}' requires an argument." in done.err
    assert entries(folder) == before


def options_with_values() -> list[tuple[str, str]]:
    return [
        (name, option.opts[-1])
        for name in COMMANDS
        if name not in SESSIONS
        for option in command(name).params
        if isinstance(option, click.Option) and not option.is_flag
    ]


@pytest.mark.parametrize("follows", [(), ("--help",)], ids=["end", "flag"])
@pytest.mark.parametrize(("name", "flag"), options_with_values())
def test_no_command_takes_another_option_for_a_value(
    name: str, flag: str, follows: tuple[str, ...], tmp_path: Path
) -> None:
    done = harness(name, flag, *follows, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert f"Error: Option '{flag}' requires an argument." in done.err
    assert not entries(tmp_path)


def test_a_value_that_begins_with_a_hyphen_is_written_behind_an_equals_sign(folder: Path) -> None:
    done = harness("plan", "--suite", "tiny.toml", "--results-dir", "--odd", cwd=folder)
    assert done.code == 2
    assert "A value that begins with - is written --results-dir=VALUE." in done.err
    done = harness("plan", "--suite", "tiny.toml", "--results-dir=--odd", cwd=folder)
    assert done.code == 0, done.err


@pytest.mark.parametrize("written", ["{} {}", "{}={}"], ids=["apart", "joined"])
@pytest.mark.parametrize("name", ["run", "plan"])
def test_negative_values_reach_their_options(name: str, written: str, folder: Path) -> None:
    given = {"--epochs": "-1", "--min-mcc": "-2", "--seeds": "-3,1", "--max-drop": "-.5"}
    words = [word for flag in given for word in written.format(flag, given[flag]).split()]
    suite = ("tiny.toml",) if name == "run" else ("--suite", "tiny.toml")
    done = harness(name, *suite, *words, cwd=folder)
    assert done.code == 4
    lines = (done.out + done.err).removeprefix("ERROR: ").splitlines()
    assert {line.partition(":")[0] for line in lines if line.startswith("--")} == {*given}


def test_a_negative_minimum_is_legal(folder: Path) -> None:
    for name in ("plan", "doctor"):
        done = harness(name, "--suite", "tiny.toml", "--min-mcc", "-1", cwd=folder)
        assert done.code == 0, done.out + done.err
    listing = harness("run", "tiny.toml", "--min-mcc", "-0.5", "--collect-only", cwd=folder)
    assert listing.code == 0, listing.out + listing.err


@pytest.mark.parametrize(
    ("word", "meant"), [("--min-mmc", "--min-mcc"), ("--stric", "--strict"), ("--sede", "--seeds")]
)
@pytest.mark.parametrize("name", SESSIONS)
def test_a_misspelt_option_is_told_with_the_right_one(
    name: str, word: str, meant: str, folder: Path
) -> None:
    done = harness(name, "--suite", "tiny.toml", f"{word}=1", cwd=folder)
    assert done.code == SESSIONS[name]
    assert f"No such option '{word}'. " in done.err
    assert repr(meant) in done.err
    assert "pytest.main" not in done.err


def test_options_that_only_pytest_has_stay_its_own(folder: Path) -> None:
    given = ("--collect-only", "-q", "--maxfail", "3", "--color=no", "-k", "lr1e-03", "-rs")
    done = harness("run", "tiny.toml", *given, "--benchmark-disable", cwd=folder)
    assert done.code == 0, done.out + done.err
    assert "tiny/encoder-bs8-lr1e-03" in done.out


def test_every_wrong_usage_of_a_session_has_pytest_s_code(folder: Path) -> None:
    done = harness("run", "tiny.toml", "--strict=3", cwd=folder)
    assert done.code == 4
    assert "Option '--strict' does not take a value." in done.err


@pytest.mark.parametrize("name", ["plan", "doctor"])
@pytest.mark.parametrize("suite", ["mine.toml", "quickstart", "my suite.toml"])
def test_a_suite_without_its_option_is_told_with_the_option(
    name: str, suite: str, tmp_path: Path
) -> None:
    done = harness(name, suite, cwd=tmp_path)
    assert done.code == 2
    assert f"({suite}); name the suite with --suite {shlex.quote(suite)}" in done.err
    assert "Usage: " in harness(name, suite, "--help", cwd=tmp_path).out
