"""Plan and doctor tell beforehand what a session would refuse, and why runs are skipped."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.commands import Done, harness
from builders.leaderboards import publish_to
from builders.records import keep, make_record
from builders.waiting import UNREACHABLE
from safetensors.numpy import save_file

from harness.report.locations import find_locations, store_locations
from harness.session.options import Chosen, planned_suites
from harness.session.suite_inputs import find_inputs
from harness.store.records import Record
from harness.suite.plan import Cell

SUITE = """
name = "tiny"
dataset.source = "file"
dataset.path = "data.csv"
dataset.validation_size = {validation_size}
[matrix]
checkpoints = {checkpoints}
batch_sizes = [8]
learning_rates = [1e-3]
seeds = {seeds}
"""


def write_checkpoint(folder: Path) -> None:
    """Write the files that a checkpoint is known by; nothing loads them."""
    folder.mkdir(parents=True)
    config = {"model_type": "bert", "hidden_size": 8, "num_hidden_layers": 2, "vocab_size": 5}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n")
    weights = {"bert.encoder.layer.0.attention.self.query.weight": np.zeros((8, 8), np.float32)}
    save_file(weights, folder / "model.safetensors")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A suite of one checkpoint and two seeds, and tables of both that a session published."""
    write_checkpoint(tmp_path / "encoder")
    write_data(tmp_path, 20)
    write_suite(tmp_path)
    cell, results, found = publish(tmp_path, 1, 2)
    fingerprint = found[0].dataset.fingerprint if found[0].dataset else None
    keep(results, cell, found[0])
    (planned,) = planned_suites(Chosen({"suite": ["tiny.toml"]}, tmp_path, tmp_path))
    store_locations(results, find_locations(planned.suite, tmp_path, results, fingerprint))
    return tmp_path


def write_data(folder: Path, rows: int) -> None:
    lines = [f"A cat {n}.,{n % 2}" for n in range(rows)]
    (folder / "data.csv").write_text("\n".join(["sentence,label", *lines, ""]))


def write_suite(folder: Path, **changes: Any) -> None:
    content = {"checkpoints": ["./encoder"], "seeds": [1, 2], "validation_size": 4} | changes
    written = {name: json.dumps(value) for name, value in content.items()}
    (folder / "tiny.toml").write_text(SUITE.format(**written))


def publish(folder: Path, *seeds: int) -> tuple[Cell, Path, list[Record]]:
    (planned,) = planned_suites(Chosen({"suite": ["tiny.toml"]}, folder, folder))
    found = find_inputs(planned.suite, folder, planned.cells, None, UNREACHABLE)
    (cell,) = planned.cells
    digest = found.checkpoints[cell.checkpoint].digest
    facts: dict[str, Any] = {"training": planned.suite.training, "dataset": found.dataset}
    records = [make_record(cell, seed, checkpoint_digest=digest, **facts) for seed in seeds]
    return cell, publish_to(folder / "results" / "tiny", [cell], records), records


def asked(folder: Path, command: str, *arguments: str) -> Done:
    named = ("--suite", "tiny.toml", "--results-dir", "results")
    return harness(command, *named, *arguments, cwd=folder)


def test_what_a_session_would_not_refuse_is_not_told(folder: Path) -> None:
    for arguments in ((), ("--seeds", "1,2,3"), ("--rerun",), ("--seeds", "7", "--replace")):
        planned, checked = asked(folder, "plan", *arguments), asked(folder, "doctor", *arguments)
        assert "refused" not in planned.out
        assert "tables of tiny" not in checked.out
        assert (planned.code, checked.code) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "lost"),
    [
        (("--seeds", "1"), "1 run would no longer be shown: encoder-bs8-lr1e-03 (seed 2)"),
        (("--seeds", "3"), "2 runs would no longer be shown: encoder-bs8-lr1e-03 (seeds 1, 2)"),
        (("--epochs", "1"), "2 runs would no longer be shown: encoder-bs8-lr1e-03 (seeds 1, 2)"),
        (("--batch-sizes", "4"), "2 runs would no longer be shown"),
    ],
)
def test_tables_of_another_matrix_are_told(
    folder: Path, arguments: tuple[str, ...], lost: str
) -> None:
    planned = asked(folder, "plan", *arguments)
    lines = planned.out.splitlines()
    (place,) = [place for place, line in enumerate(lines) if "would be refused" in line]
    old, new, without, ways_out = lines[place : place + 4]
    assert old.startswith("a session would be refused: results/tiny: its tables show 2 runs (")
    assert new.startswith("  The new tables would show ")
    assert lost in without
    assert ways_out == (
        "  Ways out: add --replace to replace these tables (no run is deleted), or "
        "--results-dir FOLDER to keep them"
    )
    line = " ".join(map(str.strip, (old, new, without, ways_out)))
    (suite,) = json.loads(asked(folder, "plan", "--json", *arguments).out)["suites"]
    assert f"a session would be refused: {' '.join(suite['refused'].splitlines())}" == line
    checked = asked(folder, "doctor", *arguments)
    assert checked.code == 1
    told = line.removeprefix("a session would be refused: ")
    assert re.search(rf"^MISSING +tables of tiny +{re.escape(told)}$", checked.out, re.MULTILINE)


def test_other_data_of_the_same_name_are_told_and_an_edited_file_is_not(folder: Path) -> None:
    write_data(folder, 24)
    assert "refused" not in asked(folder, "plan").out
    assert asked(folder, "doctor").code == 0
    other = folder / "other"
    other.mkdir()
    (folder / "encoder").rename(other / "encoder")
    write_data(other, 24)
    write_suite(other)
    named = ("--suite", "tiny.toml", "--results-dir", "../results")
    planned = harness("plan", *named, cwd=other)
    assert "on other data with the same name, file data.csv" in planned.out
    assert "another folder" not in planned.out  # the checkpoint's files are the same
    assert harness("doctor", *named, cwd=other).code == 1


@pytest.mark.parametrize("copies", [0, 1, 2])
def test_checkpoints_of_equal_files_are_told(folder: Path, copies: int) -> None:
    """Every name is a checkpoint of its own, but equal files are one model."""
    names = ["encoder", *(f"copy{number}" for number in range(copies)), "other"]
    for name in names[1:]:
        write_checkpoint(folder / name)
    (folder / "other" / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nb\n")
    write_suite(folder, checkpoints=[f"./{name}" for name in names])
    found = json.loads(asked(folder, "plan", "--json").out)["suites"][0]
    digest = found["checkpoints"]["encoder"]["digest"]
    told = f"have the same files (sha256 {digest[:12]}): one model is trained under several names"
    for command in ("plan", "doctor"):
        out = asked(folder, command).out
        notes = [line for line in out.splitlines() if "have the same files" in line]
        assert len(notes) == bool(copies)
        for note in notes:
            assert told in note
            assert ("other" in note, *(name in note for name in names[:-1])) == (
                False,
                *[True] * (1 + copies),
            )
    assert len(found["equal_checkpoints"]) == bool(copies)
    for name in names:
        digest = found["checkpoints"][name]["digest"]
        assert f"checkpoint {name}: sha256 {digest[:12]}" in asked(folder, "plan").out


def test_another_split_of_the_same_file_is_told(folder: Path) -> None:
    write_suite(folder, validation_size=6)
    planned = asked(folder, "plan")
    assert "data file data.csv (validation_size 4)).\n  The new tables would show" in planned.out
    assert "data file data.csv (validation_size 6)).\n  2 runs would no longer" in planned.out
    assert asked(folder, "doctor").code == 1
    assert asked(folder, "doctor", "--replace").code == 0


def test_under_strict_a_cell_without_a_gate_is_a_mistake(folder: Path) -> None:
    told = (
        "tiny: --strict: no gate judges any cell, which would pass with any score; set "
        "gates.min_mcc in tiny.toml, or give --min-mcc"
    )
    planned, checked = asked(folder, "plan", "--strict"), asked(folder, "doctor", "--strict")
    assert f"a session would be refused: {told}" in planned.out
    assert re.search(rf"^MISSING +gates of tiny +{re.escape(told)}$", checked.out, re.MULTILINE)
    assert (checked.code, checked.err) == (
        1,
        "These suites cannot be trained here with --strict.\n",
    )
    for command in ("plan", "doctor"):
        done = asked(folder, command, "--strict", "--min-mcc", "0")
        assert (done.code, "--strict" in done.out) == (0, False)


def test_under_strict_a_cell_that_cannot_run_is_a_mistake(folder: Path) -> None:
    write_suite(folder, checkpoints=["./encoder", "org/unreachable"])
    gated = ("--min-mcc", "0")
    planned, checked = (asked(folder, name, "--strict", *gated) for name in ("plan", "doctor"))
    assert planned.out.splitlines()[-2].startswith("--strict: a session would fail, because 2 runs")
    assert "2 that cannot run here, which --strict does not allow" in checked.out
    assert (checked.code, asked(folder, "doctor", *gated).code) == (1, 0)


def test_tables_that_cannot_be_read_are_told(folder: Path) -> None:
    (folder / "results" / "tiny" / "leaderboard.json").write_text("{}")
    assert "so the runs in its tables are not known: add --replace" in asked(folder, "plan").out
    assert asked(folder, "doctor").code == 1
    assert asked(folder, "doctor", "--replace").code == 0


def test_where_nothing_can_run_no_table_is_in_danger(folder: Path) -> None:
    write_suite(folder, checkpoints=["org/unreachable"])
    assert "refused" not in asked(folder, "plan").out
    assert "tables of tiny" not in asked(folder, "doctor").out


@pytest.mark.parametrize("way", ["file", "file/below", "broken", "results/tiny/runs"])
def test_a_file_in_place_of_the_results_folder_is_one_mistake(way: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "encoder")
    write_data(tmp_path, 20)
    write_suite(tmp_path)
    (tmp_path / "two.toml").write_text((tmp_path / "tiny.toml").read_text().replace("tiny", "two"))
    (tmp_path / "results" / "tiny").mkdir(parents=True)
    (tmp_path / "results" / "tiny" / "runs").write_text("no folder")
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "broken").symlink_to("nowhere")
    place = "results" if way.startswith("results") else way
    named = ("--suite", "tiny.toml", "--suite", "two.toml", "--results-dir", place)
    planned, checked = (
        harness("plan", *named, cwd=tmp_path),
        harness("doctor", *named, cwd=tmp_path),
    )
    blocking = tmp_path / way.removesuffix("/below")
    told = f"--results-dir: {blocking}: cannot be written (not a folder); name a folder that can"
    assert (planned.code, planned.out, planned.err) == (4, "", f"{told}\n")
    assert checked.code == 1
    assert re.search(rf"MISSING +results folder +{re.escape(told)}", checked.out)


def test_runs_that_are_skipped_are_told_by_their_reason_and_not_one_by_one(folder: Path) -> None:
    missing = [f"org/unreachable-{n}" for n in range(15)]
    write_suite(folder, checkpoints=["./encoder", *missing], seeds=[*range(1, 31)])
    out = asked(folder, "plan").out
    assert out.startswith("tiny (tiny.toml): 480 runs: 0 finished, 30 to train, 450 skipped\n")
    lines = out.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("skipped: "))
    assert "HF_HUB_OFFLINE" in lines[at]
    assert "unreachable" not in lines[at]
    assert lines[at + 1 : at + 13] == [f"  {name}: 30 runs of 1 cell" for name in missing[:12]]
    assert lines[at + 13] == "  and 3 more checkpoints"
    table = lines.index("")
    assert table == at + 14
    assert out.count("unreachable") == 12
    assert sum(line.startswith("encoder-bs8-lr1e-03") for line in lines[table:]) == 30
    (suite,) = json.loads(asked(folder, "plan", "--json").out)["suites"]
    assert len(suite["runs"]) == 480  # programs read each
    assert suite["runs"][-1]["reason"].startswith("checkpoint 'org/unreachable-14': the hub")
    (line,) = [line for line in asked(folder, "doctor").out.splitlines() if missing[14] in line]
    assert line.startswith(f"MISSING  checkpoint {missing[14]}")
    assert line.count(missing[14]) == 1


def test_a_plan_of_nothing_but_skipped_runs_has_no_table(folder: Path) -> None:
    write_suite(folder, checkpoints=["org/unreachable"], seeds=[1])
    out = asked(folder, "plan").out
    assert out.startswith("tiny (tiny.toml): 1 run: 0 finished, 0 to train, 1 skipped\n")
    assert out.rstrip().endswith("  org/unreachable: 1 run of 1 cell")
    (folder / "data.csv").unlink()
    assert asked(folder, "plan").code == 4
