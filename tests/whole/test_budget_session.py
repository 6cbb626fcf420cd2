"""Real sessions with a budget: what they train, what they leave out, how the next one goes on."""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from builders.sessions import SUITE, Session, run
from builders.small_suite import write_suite

pytestmark = pytest.mark.sessions

SEEDS = 8
MANY = (
    SUITE.replace("seeds = [1, 2]", f"seeds = {list(range(1, SEEDS + 1))}")
    .replace("epochs = 2", "epochs = 1")
    .replace('keep_models = "all"\n', "")
) + "suite.every_checkpoint_min_mcc = -1\n"
"""By the forecast, each of the 16 runs takes at least 4 s, so one at a time takes over a minute."""

ENDLESS = SUITE.replace("seeds = [1, 2]", "seeds = [1]").replace("epochs = 2", "epochs = 3000")
"""The forecast counts operations, and so knows nothing of what 3,000 evaluations cost."""

FIRST, SECOND = "encoder-bs8-lr1e-03", "encoder-bs8-lr1e-04"


@dataclass(frozen=True)
class Ended:
    """A session with a budget: its output, its JUnit file, job summary, tables and records."""

    session: Session
    cases: list[ElementTree.Element]
    summary: str
    markdown: str
    records: list[dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_suite(tmp_path_factory.mktemp("budget"), MANY)


@pytest.fixture(scope="module")
def ended(folder: Path) -> Ended:
    session = run(
        folder,
        *("--budget", "75s", "--workers", "1", "--junitxml", str(folder / "junit.xml")),
        suite=folder / "tiny.toml",
        variables={"GITHUB_STEP_SUMMARY": str(folder / "summary.md")},
    )
    tables = folder / "results" / "tiny"
    return Ended(
        session,
        list(ElementTree.parse(folder / "junit.xml").iter("testcase")),
        (folder / "summary.md").read_text(),
        (tables / "leaderboard.md").read_text(),
        json.loads((tables / "leaderboard.json").read_text())["records"],
    )


def trained(ended: Ended, cell: str) -> int:
    return sum(each["scores"] is not None for each in ended.records if each["cell"] == cell)


def lacking(ended: Ended) -> list[str]:
    """Return the cells that lack a seed: at least one, by the forecast."""
    found = [cell for cell in (FIRST, SECOND) if trained(ended, cell) < SEEDS]
    assert found
    return found


def test_the_runs_that_fit_train_and_the_others_are_outside(ended: Ended) -> None:
    output = ended.session.output
    before = re.search(r"(\d+) to train, 0 skipped, (\d+) outside the budget", output)
    assert before is not None, output
    to_train, outside = map(int, before.groups())
    assert to_train + outside == 2 * SEEDS
    assert outside > 0
    assert f"--budget 1 min 15 s: {to_train} of the {2 * SEEDS} runs to train should fit" in output
    counts = [trained(ended, FIRST), trained(ended, SECOND)]
    assert sum(counts) <= to_train
    left_out = [each for each in ended.records if each.get("outside_budget")]
    assert len(left_out) == 2 * SEEDS - sum(counts)
    assert {each["status"] for each in left_out} == {"skipped"}
    if sum(counts) > 1:  # one seed of every cell comes first
        assert min(counts) >= 1


def test_a_gate_that_is_not_decided_fails_the_session_and_not_its_test(ended: Ended) -> None:
    output = ended.session.output
    assert ended.session.code == 1, output
    assert "failed" not in output.splitlines()[-1]
    gates = [f"tiny/{cell}" for cell in lacking(ended)]
    if len(gates) == 2:  # with one whole cell, the suite's gate is decided
        gates.append("the gates of the suite tiny")
        skips = [skip.attrib["message"] for case in ended.cases for skip in case.iter("skipped")]
        (reason,) = [each for each in skips if "every_checkpoint_min_mcc" in each]
        assert reason.startswith("outside the budget: tiny: ")
    number = f"{len(gates)} gate{'s' if len(gates) > 1 else ''}"
    assert f"{number} not decided within the budget ({', '.join(gates)})" in output


def test_what_is_open_is_told_everywhere(ended: Ended) -> None:
    for cell in lacking(ended):
        number = trained(ended, cell)
        told = f"outside the budget: {number} of {SEEDS} seeds trained, about "
        assert f"{cell}: not decided, {told}" in ended.session.output
        assert f"- `{cell}`: not decided, {told}" in ended.markdown
        assert f"- `{cell}`: not decided, {told}" in ended.summary
        (case,) = [case for case in ended.cases if cell in case.attrib["name"]]
        (skip,) = case.iter("skipped")
        assert skip.attrib["message"].startswith(told)
        properties = {each.attrib["name"]: each.attrib["value"] for each in case.iter("property")}
        assert properties["seeds_trained"] == str(number)
        assert properties["seeds_outside_budget"] == str(SEEDS - number)
        assert float(properties["seconds_more"]) > 0


def test_the_next_session_goes_on_from_the_records(folder: Path, ended: Ended) -> None:
    before = trained(ended, FIRST) + trained(ended, SECOND)
    session = run(folder, "--budget", "2h", "--strict", suite=folder / "tiny.toml")
    assert session.code == 0, session.output
    total = 2 * SEEDS
    assert f"tiny: {before} of {total} runs finished before, {total - before} to train" in (
        session.output
    )
    assert f"--budget 2 h: all {total - before} runs to train should fit" in session.output
    records = json.loads((folder / "results" / "tiny" / "leaderboard.json").read_text())["records"]
    assert [each for each in records if each["scores"] is None] == []
    assert "outside_budget" not in records[0]


def test_a_run_over_the_budget_is_stopped_and_not_begun_again(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = write_suite(tmp_path_factory.mktemp("endless"), ENDLESS)
    began = time.monotonic()
    session = run(folder, "--budget", "60s", suite=folder / "tiny.toml")
    assert time.monotonic() - began < 300
    assert session.code == 1, session.output
    assert "stopped at the end of the budget of 1 min" in session.output
    assert "No selected cell was scored" in session.output
    again = run(folder, "--budget", "60s", suite=folder / "tiny.toml")
    assert again.code == 4, again.output
    assert "--budget: 1 min: not even one of the 2 runs to train fits; the shortest" in again.output
