"""`make speed ARGS="--short --against REV"`: the other commit's own files train, or none do."""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.errors import BadInput
from harness.machine import provenance

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from speed import commands, commits, short
from speed.commands import ROOT, Cell, Failed, Session, Timed
from speed.disturbance import Disturbance

QUIET = Disturbance(0.0, 0.0)


def git(folder: Path, *command: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    whole = ["git", "-C", str(folder), *who, *command]
    return subprocess.run(whole, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository of two commits, each with its own contents of a package `harness`."""
    folder = tmp_path / "repository"
    (folder / "harness").mkdir(parents=True)
    git(folder, "init", "--quiet")
    for number in ("1", "2"):
        (folder / "harness" / "__init__.py").write_text(f"NUMBER = {number}\n")
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--message", number)
    return folder


def test_another_commit_is_checked_out_and_removed(repository: Path) -> None:
    (repository / "harness" / "__init__.py").write_text("NUMBER = 3\n")
    with commits.checkout("HEAD~1", repository) as (tree, commit):
        assert commit == git(repository, "rev-parse", "HEAD~1")
        assert (tree / "harness" / "__init__.py").read_text() == "NUMBER = 1\n"
        commits.check_imports(tree)
        assert commands.run("-c", "import harness; print(harness.NUMBER)", tree=tree).output == "1"
    assert not tree.exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1
    assert (repository / "harness" / "__init__.py").read_text() == "NUMBER = 3\n"


def test_it_is_removed_after_an_error_too(repository: Path) -> None:
    with pytest.raises(Failed), commits.checkout("HEAD", repository) as (tree, _):
        commands.run("-c", "raise SystemExit(3)", tree=tree)
    assert not tree.exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1


@pytest.mark.parametrize("revision", ["HEAD~9", "no-such-branch", "--help", ""])
def test_what_is_no_commit_is_refused(repository: Path, revision: str) -> None:
    with (
        pytest.raises(BadInput, match=r"no commit of this repository .* such as HEAD~1"),
        commits.checkout(revision, repository),
    ):
        pass


def test_a_folder_without_a_harness_would_be_compared_with_the_installed_one(
    tmp_path: Path,
) -> None:
    (tmp_path / "tree").mkdir()
    with pytest.raises(BadInput, match=r"compared with itself|no harness can be imported"):
        commits.check_imports(tmp_path / "tree")


def test_a_command_that_fails_says_how_and_its_last_lines() -> None:
    program = "import sys; [print(n) for n in range(30)]; sys.exit(7)"
    with pytest.raises(Failed) as failed:
        commands.run("-c", program)
    text = str(failed.value)
    assert "exit code 7" in text
    assert text.splitlines()[-1] == "29"
    assert "\n9\n" not in text


@pytest.mark.parametrize(
    ("recorded", "batch_size", "said"),
    [
        (provenance.commit(), 16, None),
        ("0123456789ab", 16, "the checkout must not change meanwhile"),
        (provenance.commit(), 32, "it trained {(32, 2e-05)}, where {(16, 2e-05)} were wanted"),
    ],
)
def test_a_session_that_ran_other_files_or_cells_is_no_measurement(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recorded: str | None,
    batch_size: int,
    said: str | None,
) -> None:
    record = {
        "status": "ok",
        "commit": recorded,
        "batch_size": batch_size,
        "learning_rate": 2e-5,
    }

    def run(*command: str, **_: object) -> Timed:
        suite = Path(command[command.index("--suite") + 1])
        (suite.parent / "speed").mkdir()
        board = suite.parent / "speed" / "leaderboard.json"
        board.write_text(json.dumps({"records": [record], "rows": []}))
        return Timed(9.0, "", QUIET)

    monkeypatch.setattr(commands, "run", run)
    if said is None:
        found = commands.session({"source": "embedded"}, [(16, 2e-5)], tmp_path)
        assert found.timed.seconds == 9.0
    else:
        with pytest.raises(Failed, match=re.escape(said)):
            commands.session({"source": "embedded"}, [(16, 2e-5)], tmp_path)


def session_of(seconds: float, record: Mapping[str, Any]) -> Session:
    return Session(Timed(seconds, "", QUIET), (dict(record),))


def test_a_worker_that_ran_another_commit_is_never_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "0123456789abcdef" * 2 + "01234567"

    def check(recorded: object) -> dict[str, Any]:
        monkeypatch.setattr(short, "rehearse", lambda *_: {"commit": recorded, "recipe": 4})
        return short.check_against("v1", commit, tmp_path, tmp_path, tmp_path)

    assert check("0123456789ab") == {"commit": "0123456789ab", "recipe": 4}
    for other in ("ba9876543210", "0123456789ab+", None):
        with pytest.raises(BadInput, match="where 0123456789ab was to run; nothing was compared"):
            check(other)


def test_a_commit_that_cannot_train_today_s_cells_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rehearse(*_: Path) -> dict[str, Any]:
        raise Failed(["pytest"], 4, "unrecognized arguments: --suite")

    monkeypatch.setattr(short, "rehearse", rehearse)
    with pytest.raises(BadInput) as refused:
        short.check_against("v1", "0" * 40, tmp_path, tmp_path, tmp_path)
    problem, *output = refused.value.problems
    assert output == ["pytest", "ended with exit code 4:", "unrecognized arguments: --suite"]
    for part in (
        "--against v1: the harness at 000000000000",
        "cannot train with today's suite file",
    ):
        assert part in problem


def test_both_commits_train_the_same_cells_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other commit takes 1.5 times the time to train, 1.2 times that of the processor."""
    calls: list[tuple[str, int, tuple[str, ...]]] = []

    def session(
        data: Mapping[str, object],
        cells: tuple[Cell, ...],
        folder: Path,
        *more: str,
        tree: Path = ROOT,
        variables: Mapping[str, str] | None = None,
    ) -> Session:
        other = tree != ROOT
        calls.append(("other" if other else "this", len(cells), more))
        assert (variables == {"OMP_NUM_THREADS": "1"}) == (len(cells) == 1)
        record = {
            "commit": "abc",
            "recipe_version": 4,
            "times": {"train": 30.0 if other else 20.0},
            "contention": {"own_cores": 0.8 if other else 1.0},
        }
        return session_of(50.0 if other else 40.0, record)

    monkeypatch.setattr(commands, "session", session)
    monkeypatch.setattr(
        commands, "part_of_cola", lambda *_: commands.Part(tmp_path, 8, {"source": "file"})
    )
    recorded = {"commit": "def", "recipe": 3}
    *_, figures = short.against(tmp_path, recorded, tmp_path, tmp_path)
    assert {name: ratio["ratio"] for name, ratio in figures["ratios"].items()} == {
        "train_over_this_commit": 1.5,
        "processor_over_this_commit": pytest.approx(1.2),
        "matrix_over_this_commit": 1.25,
    }
    assert "commit def (recipe 3) against commit abc (recipe 4" in figures["about"]
    runs = [who for who, cells, _ in calls if cells == 1]
    assert runs[:7] == ["this", "other", "this", "this", "other", "other", "this"]  # a rehearsal
    matrices = [(who, more) for who, cells, more in calls if cells == 2]
    assert matrices[:2] == [("other", ("--workers", "2")), ("this", ("--workers", "2"))]
    assert len(runs) == 1 + 2 * short.RUN_ROUNDS
    assert len(matrices) == 10


def test_processor_time_that_a_commit_does_not_record_is_unknown() -> None:
    for record in ({"times": {"train": 2.0}}, {"times": {"train": 2.0}, "contention": None}):
        assert short.computed(session_of(9.0, record)).seconds is None
        assert short.trained(session_of(9.0, record)).seconds == 2.0


def test_script_and_harness_get_the_same_part_of_cola(tmp_path: Path) -> None:
    cola = tmp_path / "cola"
    (cola / "raw").mkdir(parents=True)
    files = {"in_domain_train": 8551, "in_domain_dev": 527, "out_of_domain_dev": 516}
    for name, count in files.items():
        rows = [f's{n}\t{n % 2}\t*\t{name} {n}, "quoted, so to say' for n in range(count)]
        (cola / "raw" / f"{name}.tsv").write_text("\n".join(rows) + "\n")
    part = commands.part_of_cola(cola, tmp_path, 8)
    assert part.sentences == 1069  # 8551 / 8, and the first
    read: dict[str, list[list[str]]] = {}
    for name in files:
        with (part.folder / "raw" / f"{name}.tsv").open(newline="") as file:
            read[name] = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    splits = {
        "train": read["in_domain_train"],
        "validation": read["in_domain_dev"] + read["out_of_domain_dev"],
    }
    assert [row[0] for row in splits["train"][:3]] == ["s0", "s8", "s16"]
    assert len(splits["validation"]) == 131  # 1043 / 8, and the first
    assert splits["validation"][66][3] == 'out_of_domain_dev 1, "quoted, so to say'
    for split, expected in splits.items():
        assert part.data[split] == [str(part.folder / f"{split}.csv")]
        with (part.folder / f"{split}.csv").open(newline="") as file:
            table = [(row["sentence"], row["label"]) for row in csv.DictReader(file)]
        assert table == [(row[3], row[1]) for row in expected]
