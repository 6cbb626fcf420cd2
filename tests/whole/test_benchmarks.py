"""The real `pytest benchmarks/`, run as its users run it, on a tiny checkpoint and a tiny file."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import psutil
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from builders import sessions
from builders.commands import harness
from builders.records import with_key
from builders.sessions import ROOT, SUITE, Session, begin, copy_store, run, worker_of
from builders.tiny_checkpoints import SENTENCES, make_checkpoint
from builders.waiting import wait_for

from harness.judging.hard_sentences import missed_by_best
from harness.machine.provenance import RECIPE_VERSION
from harness.report import read_published, write_tables
from harness.store.predictions import read_predictions
from harness.store.records import Record, key_of
from harness.store.run_store import read_store
from harness.suite.plan import make_plan
from harness.suite.spec import load_suite

pytestmark = pytest.mark.sessions

folder = sessions.folder


@pytest.fixture(scope="module")
def first(folder: Path) -> Session:
    """The first session: four runs, two of them at a time."""
    return run(
        folder,
        *("--benchmark-json", str(folder / "timing.json")),
        suite=folder / "tiny.toml",
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file under the results folder that a second session must leave as it is.

    That is all but the locations of data and checkpoints, which depend on the results folder.
    """
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in paths if path.name != ".folders.json"}


def test_a_session_trains_every_run_and_passes(folder: Path, first: Session) -> None:
    assert first.code == 0, first.output
    assert "2 passed" in first.output
    assert "4 to train" in first.output
    assert "leaderboard: tiny" in first.output
    assert "Name (time in" not in first.output  # the table of pytest-benchmark, unless requested
    stored, unreadable = read_store(folder / "results" / "tiny")
    assert unreadable == []
    assert {(item.record.cell, item.record.seed) for item in stored} == {
        (f"encoder-bs8-lr{rate}", seed) for rate in ("1e-03", "1e-04") for seed in (1, 2)
    }
    assert all(item.record.status == "ok" for item in stored)
    assert {(item.record.concurrency, item.record.executor) for item in stored} == {(2, "local")}
    assert all(item.record.scores_test is not None for item in stored)
    names = {path.name for path in (folder / "results" / "tiny").iterdir() if path.is_file()}
    pictures = {name for name in names if name.endswith((".png", ".svg"))}
    assert len(pictures) >= 8
    tables = {f"leaderboard.{kind}" for kind in ("md", "html", "csv", "json")}
    assert names - pictures == tables | {"predictions.parquet"}


def test_a_session_ends_with_sentences_that_no_run_gets_right_and_tables_hold_none(
    folder: Path, first: Session
) -> None:
    results = folder / "results" / "tiny"
    published = read_published(results / "leaderboard.json")
    missed = missed_by_best(published.cells, published.records, compared=False)
    assert missed is not None
    if missed.positions:
        count = f"{len(missed.positions)} of 20 validation sentences are misclassified by every run"
        assert count in first.output
        lines = (folder / "data.csv").read_text(encoding="utf-8").splitlines()
        shown = re.findall(r"^  \S*data\.csv:(\d+): \w+: '(.+)'$", first.output, re.MULTILINE)
        assert len(shown) == min(3, len(missed.positions))
        for number, sentence in shown:
            assert f'"{sentence}"' in lines[int(number) - 1]
        command = re.search(r"^all of them: (harness mistakes .+)$", first.output, re.MULTILINE)
        assert command is not None
        assert shlex.split(command[1])[3:] == [
            "--suite",
            os.path.relpath(folder / "tiny.toml", ROOT),
        ]
    for path in results.glob("leaderboard.*"):
        text = path.read_text(encoding="utf-8")
        assert not any(sentence in text for sentence in SENTENCES)


def test_nothing_published_names_this_machine(folder: Path, first: Session) -> None:
    for name in ("leaderboard.md", "leaderboard.csv", "leaderboard.json"):
        text = (folder / "results" / "tiny" / name).read_text(encoding="utf-8")
        assert str(folder) not in text
        assert "encoder" in text


def test_pytest_benchmark_records_the_workers_own_times(folder: Path, first: Session) -> None:
    timing = json.loads((folder / "timing.json").read_text(encoding="utf-8"))
    stored, _ = read_store(folder / "results" / "tiny")
    for entry in timing["benchmarks"]:
        cell = entry["name"].partition("/")[2].rstrip("]")
        measured = {
            item.record.seed: item.record.times.train
            for item in stored
            if item.record.cell == cell and item.record.times is not None
        }
        assert entry["stats"]["data"] == pytest.approx([measured[1], measured[2]], rel=1e-9)
        assert entry["extra_info"]["verdict"] == "pass"
        assert set(entry["extra_info"]["mcc_by_seed"]) == {"1", "2"}
    assert len(timing["benchmarks"]) == 2
    compared = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", str(folder / "timing.json")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "encoder-bs8-lr1e-03" in compared.stdout + compared.stderr


def test_a_kept_model_reloads_and_predicts_what_was_recorded(folder: Path, first: Session) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    stored, _ = read_store(folder / "results" / "tiny")
    item = stored[0]
    model = AutoModelForSequenceClassification.from_pretrained(item.folder / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(item.folder / "model")
    assert model.config.id2label == {0: "unacceptable", 1: "acceptable"}
    rows = read_predictions(item.folder).to_pylist()
    lines = (folder / "data.csv").read_text(encoding="utf-8").splitlines()[1:]
    sentences = [lines[row["idx"]].rpartition(",")[0].strip('"') for row in rows]
    with torch.no_grad():
        logits = model(**tokenizer(sentences, padding=True, return_tensors="pt")).logits.numpy()
    recorded = np.array([[row["logit_0"], row["logit_1"]] for row in rows])
    np.testing.assert_allclose(logits, recorded, atol=1e-5)


def test_a_second_session_trains_nothing_and_writes_the_same_tables(
    folder: Path, first: Session
) -> None:
    before = contents(folder / "results")
    again = run(folder, "--benchmark-columns=max", suite=folder / "tiny.toml")
    assert again.code == 0, again.output
    assert "4 of 4 runs finished before, 0 to train" in again.output
    assert "Name (time in" in again.output
    assert contents(folder / "results") == before


def test_a_finished_run_is_reused_under_another_name_and_threshold(
    folder: Path, first: Session, tmp_path: Path
) -> None:
    (tmp_path / "renamed").symlink_to(folder / "encoder")
    suite = tmp_path / "again.toml"
    suite.write_text(
        SUITE.replace('"./encoder"', '"./renamed"')
        .replace('"data.csv"', f'"{folder / "data.csv"}"')
        .replace("min_mcc = -1", '[gates.checkpoint."./renamed"]\nmin_mcc = -1'),
        encoding="utf-8",
    )
    copied = copy_store(folder, tmp_path)
    session = run(tmp_path, "--min-mcc", "0.99", suite=suite)
    assert session.code == 1, session.output
    assert "4 of 4 runs finished before, 0 to train" in session.output
    assert "2 failed" in session.output
    rows = json.loads((copied / "leaderboard.json").read_text(encoding="utf-8"))["rows"]
    assert {(row["checkpoint"], row["verdict"]) for row in rows} == {("renamed", "fail")}


def test_a_job_of_continuous_integration_gets_verdicts_as_junit_xml_and_as_a_summary(
    folder: Path, first: Session, tmp_path: Path
) -> None:
    copied = copy_store(folder, tmp_path)
    stored, _ = read_store(copied)
    mccs = {(item.record.cell, item.record.seed): item.record.scores for item in stored}
    junit, summary = tmp_path / "junit.xml", tmp_path / "summary.md"
    summary.write_text("What an earlier step wrote.\n", encoding="utf-8")
    session = run(
        tmp_path,
        *("--min-mcc", "0.99", "--junitxml", str(junit)),
        suite=folder / "tiny.toml",
        variables={"GITHUB_STEP_SUMMARY": str(summary)},
    )
    assert session.code == 1, session.output
    cases = ElementTree.parse(junit).getroot().findall(".//testcase")
    assert len(cases) == 2
    for case in cases:
        cell = case.attrib["name"].partition("/")[2].rstrip("]")
        found = {p.attrib["name"]: p.attrib["value"] for p in case.findall("properties/property")}
        assert found["verdict"] == found["gate_min_mcc"] == "fail"
        assert float(found["threshold"]) == 0.99
        seeds = []
        for seed in (1, 2):
            scores = mccs[cell, seed]
            assert scores is not None
            assert float(found[f"mcc_seed_{seed}"]) == scores.mcc
            seeds.append(scores.mcc)
        assert float(found["mcc"]) == pytest.approx(np.mean(seeds), rel=1e-12)
        assert float(found["mcc_low"]) <= float(found["mcc"]) <= float(found["mcc_high"])
        assert case.find("failure") is not None
    assert "record_property" not in session.output  # no warning of what the docs tell one to use
    text = summary.read_text(encoding="utf-8")
    assert text.startswith("What an earlier step wrote.\n### `tiny`: 2 fail\n")
    assert text.count("| fail") == 2

    blocked = run(
        tmp_path,
        suite=folder / "tiny.toml",
        variables={"GITHUB_STEP_SUMMARY": str(tmp_path / "no" / "summary")},
    )
    assert blocked.code == pytest.ExitCode.USAGE_ERROR, blocked.output
    assert "GITHUB_STEP_SUMMARY: " in blocked.output
    assert "cannot be written" in blocked.output

    full = run(tmp_path, suite=folder / "tiny.toml", variables={"GITHUB_STEP_SUMMARY": "/dev/full"})
    assert full.code == 1, full.output
    assert full.output.count("GITHUB_STEP_SUMMARY: /dev/full: cannot be written") == 1


def test_a_changed_setting_trains_again_and_only_what_is_selected(
    folder: Path, first: Session, tmp_path: Path
) -> None:
    runs = copy_store(folder, tmp_path) / "runs"
    before = contents(runs)
    session = run(
        tmp_path,
        *("-k", "lr1e-04", "--seeds", "1", "--epochs", "1", "--min-mcc", "0.99"),
        suite=folder / "tiny.toml",
    )
    assert session.code == 1, session.output
    assert "1 to train" in session.output
    message = session.output.partition("FAILURES")[2]
    interval = r"\(95 % interval \S+ to \S+, sentences only\)"
    told = rf"MCC -?\d\.\d{{4}} {interval} is below the threshold 0\.9900 \(margin -\d"
    assert re.search(told, message)
    assert re.search(r"MCC by seed: seed 1: -?\d\.\d{4}", message)
    assert f"records: {runs / 'encoder-bs8-lr1e-04'}" in message
    after = contents(runs)
    assert {path: after[path] for path in before} == before
    assert sum(path.endswith("record.json") for path in set(after) - set(before)) == 1


def test_x_stops_at_the_first_cell_that_fails_and_lf_selects_it_again(
    folder: Path, first: Session, tmp_path: Path
) -> None:
    copy_store(folder, tmp_path)
    arguments = ("--min-mcc", "0.99")
    stopped = run(tmp_path, *arguments, "-x", suite=folder / "tiny.toml")
    assert stopped.code == 1, stopped.output
    assert "4 of 4 runs finished before" in stopped.output
    assert "== 1 failed in" in stopped.output
    again = run(tmp_path, *arguments, "--lf", suite=folder / "tiny.toml")
    assert again.code == 1, again.output
    assert "2 of 2 runs finished before" in again.output
    assert "== 1 failed in" in again.output
    failed = re.compile(r"^FAILED .*$", re.MULTILINE)
    assert failed.findall(again.output) == failed.findall(stopped.output)


def test_a_repetition_changes_no_score_and_only_the_best_model_stays_if_asked(
    folder: Path, first: Session, tmp_path: Path
) -> None:
    suite = folder / "best.toml"
    suite.write_text(SUITE.replace('keep_models = "all"', 'keep_models = "best"'), "utf-8")
    copied = copy_store(folder, tmp_path)
    before, _ = read_store(copied)
    session = run(tmp_path, "--rerun", "-k", "lr1e-04", suite=suite)
    assert session.code == 0, session.output
    assert "0 of 2 runs finished before, 2 to train" in session.output
    after, _ = read_store(copied)
    assert [item.folder for item in after] == [item.folder for item in before]
    for old, new in zip(before, after, strict=True):
        assert new.record.scores == old.record.scores
        assert new.record.predictions_sha256 == old.record.predictions_sha256
        repeated = old.record.learning_rate == 1e-4
        assert (new.record.times != old.record.times) == repeated
    mccs = [item.record.scores.mcc for item in after if item.record.scores is not None]
    best = after[mccs.index(max(mccs))]
    assert list(copied.glob("runs/*/*/model")) == [best.folder / "model"]


def test_the_best_model_is_the_same_for_every_selection_and_name_and_nothing_trains_twice(
    folder: Path, tmp_path: Path
) -> None:
    """All four runs are equally good: hardly anything is learned."""
    text = SUITE.replace('keep_models = "all"', 'keep_models = "best"')
    text = text.replace("[1e-3, 1e-4]", "[1e-9, 1e-10]")
    suite, renamed = folder / "tied.toml", folder / "renamed.toml"
    suite.write_text(text, "utf-8")
    shutil.copytree(folder / "encoder", folder / "another", dirs_exist_ok=True)
    renamed.write_text(text.replace("./encoder", "./another"), "utf-8")
    assert "4 to train" in run(tmp_path, suite=suite).output
    runs = tmp_path / "results" / "tiny" / "runs"
    (kept,) = runs.glob("*/*/model")
    for chosen, *arguments in (
        (suite, "-k", "lr1e-10"),
        (suite, "--seeds", "2", "--replace"),
        (renamed,),
    ):
        session = run(tmp_path, *arguments, suite=chosen)
        assert session.code == 0, session.output
        assert " 0 to train" in session.output, (chosen, arguments)
        assert list(runs.glob("*/*/model")) == [kept], (chosen, arguments)
    suite.write_text(f"{text}[limits]\nrun_seconds = 0.05\n", "utf-8")
    assert "4 to train" in run(tmp_path, "--rerun", suite=suite).output  # and all of them fail
    assert list(runs.glob("*/*/model")) == [kept]


def test_cells_that_were_not_selected_show_their_own_checkpoint_s_runs_alone(
    folder: Path, first: Session, tmp_path: Path
) -> None:
    """Their ids have the last part of its name: two folders of one name are told by their files."""
    suite_folder = copy_store(folder, tmp_path)
    for name, seed in (("same", 0), ("other", 1)):
        make_checkpoint("bert", folder / name / "encoder", seed=seed)
        suite = folder / f"{name}.toml"
        suite.write_text(SUITE.replace("./encoder", f"./{name}/encoder"), "utf-8")
        arguments = ("--seeds", "1", "-k", "lr1e-03", "--replace")
        session = run(tmp_path, *arguments, suite=suite)
        assert session.code == 0, session.output
        published = json.loads((suite_folder / "leaderboard.json").read_bytes())
        shown = {record["cell"] for record in published["records"] if record["scores"]}
        assert ("encoder-bs8-lr1e-04" in shown) == (name == "same")


def test_tables_are_only_replaced_by_those_that_show_all_of_their_runs(
    folder: Path, first: Session, tmp_path: Path
) -> None:
    """The common flow: one matrix, then a part of it or another, in the same results folder."""
    place = tmp_path / "results" / "tiny"
    shutil.copytree(folder / "results" / "tiny", place)
    before = contents(place)
    suite = folder / "tiny.toml"
    make_checkpoint("bert", folder / "elsewhere" / "encoder", seed=1)
    for arguments, told in (
        (
            ("--checkpoints", str(folder / "elsewhere" / "encoder")),
            "another folder with the name encoder",
        ),
        (("--epochs", "1", "-k", "lr1e-04"), "4 runs would no longer be shown: "),
    ):
        session = run(tmp_path, *arguments, suite=suite)
        assert session.code == pytest.ExitCode.USAGE_ERROR, session.output
        assert told in session.output
        assert f"{os.path.relpath(place, ROOT)}: its tables show 4 runs (checkpoints encoder;" in (
            session.output
        )
        assert "The new tables would show " in session.output
        assert "add --replace" in session.output
        assert "--results-dir FOLDER" in session.output
        assert contents(place) == before

    narrow = run(tmp_path, "--seeds", "1", "--replace", suite=suite)
    assert narrow.code == 0, narrow.output
    assert (
        "tables of 4 runs replaced, now 2; no longer shown: "
        "encoder-bs8-lr1e-03 (seed 2), encoder-bs8-lr1e-04 (seed 2)" in narrow.output
    )
    whole = run(tmp_path, suite=suite)  # the matrix grows
    assert whole.code == 0, whole.output
    assert "tables of 2 runs replaced, now 4\n" in whole.output
    assert "4 of 4 runs finished before" in whole.output
    assert {name: content for name, content in contents(place).items() if "/runs/" not in name} == {
        name: content for name, content in before.items() if "/runs/" not in name
    }


def test_given_predictions_stay_in_the_tables_of_later_sessions(
    folder: Path, first: Session, tmp_path: Path
) -> None:
    place, suite = tmp_path / "results" / "tiny", folder / "tiny.toml"
    shutil.copytree(folder / "results" / "tiny", place)
    run_of = read_store(place)[0][0]
    rows = read_predictions(run_of.folder)
    rows = rows.filter(pc.equal(rows["split"], "validation"))
    pq.write_table(rows.select(["label", "logit_0", "logit_1"]), tmp_path / "given.parquet")
    options = ("--suite", str(suite), "--add-to", str(place), "--name", "given ones")
    added = harness("judge", str(tmp_path / "given.parquet"), *options)
    assert added.code == 0, added.err
    before = contents(place)
    session = run(tmp_path, suite=suite)
    assert session.code == 0, session.output
    assert "4 of 4 runs finished before" in session.output
    assert re.search(r"given ones +predictions given, not trained here", session.output)
    assert contents(place) == before
    narrow = run(tmp_path, "--seeds", "1", "--replace", suite=suite)
    assert narrow.code == 0, narrow.output
    (row,) = [
        each
        for each in json.loads((place / "leaderboard.json").read_bytes())["rows"]
        if each["given"]
    ]
    assert run_of.record.scores is not None
    assert row["mcc"] == run_of.record.scores.mcc
    assert harness("report", str(place), "--check").code == 0


def test_a_session_that_leaves_earlier_tables_in_place_does_not_pass(
    folder: Path, first: Session, tmp_path: Path
) -> None:
    """Or a job would publish another session's tables as its own."""
    place = copy_store(folder, tmp_path)
    suite = tmp_path / "both.toml"
    text = SUITE.replace('"./encoder"', f'"{folder / "encoder"}", "org/absent"')
    suite.write_text(text.replace('"data.csv"', f'"{folder / "data.csv"}"'), encoding="utf-8")
    here, _ = read_store(place)
    absent = [
        replace(
            item,
            record=with_key(
                item.record.model_copy(
                    update={
                        "checkpoint": "org/absent",
                        "checkpoint_digest": "0" * 64,
                        "cell": item.record.cell.replace("encoder", "absent"),
                    }
                )
            ),
        )
        for item in here
    ]
    write_tables(place, "tiny", make_plan(load_suite(suite)), [*here, *absent])
    before = {name: text for name, text in contents(place).items() if "/runs/" not in name}
    session = run(tmp_path, suite=suite)
    assert session.code == 1, session.output
    assert "2 passed, 2 skipped" in session.output
    assert "its tables show 8 runs with a score, of which 4 have none in this session" in (
        session.output
    )
    assert {name: contents(place)[name] for name in before} == before


def test_an_interrupted_session_ends_quietly_and_leaves_nothing_behind(
    folder: Path, tmp_path: Path
) -> None:
    suite = folder / "tiny.toml"
    session = begin(tmp_path, "--epochs", "500", suite=suite, own_group=True)
    runs = tmp_path / "results" / "tiny" / "runs"
    wait_for(runs, "*/*/log.txt", session)
    family = psutil.Process(session.pid).children(recursive=True)
    os.killpg(session.pid, signal.SIGINT)
    output, _ = session.communicate()
    assert session.returncode == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in output
    assert "Traceback" not in output
    assert "PytestBenchmarkWarning" not in output
    assert "Interrupted: 0 of 4 runs have ended and are kept; the same command continues" in output
    assert "\nno table was written\n" in output  # and none ever existed
    assert len(family) >= 3
    assert not psutil.wait_procs(family, timeout=20)[1]
    assert not list(runs.glob("*/*/record.json"))
    assert not list(runs.glob("*/*/scratch"))


PRESS = """
import os
import signal
def pytest_terminal_summary():
    for _ in range({times}):
        os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (1, "Interrupted when all tests had ended: the tables are written."),
        (2, "interrupted twice: tables may be missing; finished runs are kept"),
    ],
)
def test_a_session_interrupted_after_its_tests_tells_so_in_a_line(
    folder: Path, first: Session, tmp_path: Path, times: int, told: str
) -> None:
    store = copy_store(folder, tmp_path)
    (tmp_path / "press.py").write_text(PRESS.format(times=times))
    search = {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    session = run(tmp_path, "-p", "press", suite=folder / "tiny.toml", variables=search)
    assert session.code == pytest.ExitCode.INTERRUPTED, session.output
    assert told in session.output
    assert "Traceback" not in session.output
    assert ("2 passed" in session.output) == (times == 1)
    assert (store / "leaderboard.json").exists()
    assert not (store / "runs" / ".lock").exists()


def test_tables_that_cannot_be_written_are_told_before_anything_trains(
    folder: Path, first: Session, tmp_path: Path
) -> None:
    obstacle = copy_store(folder, tmp_path) / "leaderboard.md"
    obstacle.mkdir()
    session = run(tmp_path, suite=folder / "tiny.toml")
    assert session.code == 4, session.output
    assert "no tests ran" in session.output
    assert "leaderboard.md: cannot be written (is a directory)" in session.output
    assert "Traceback" not in session.output
    assert "INTERNALERROR" not in session.output


def test_a_killed_session_goes_on_where_it_was(
    folder: Path, first: Session, tmp_path: Path
) -> None:
    suite = folder / "tiny.toml"
    runs = tmp_path / "results" / "tiny" / "runs"
    killed = begin(tmp_path, "--workers", "1", suite=suite)
    finished = wait_for(runs, "*/*/record.json", killed)
    killed.kill()
    killed.communicate()
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in finished}
    resumed = run(tmp_path, suite=suite)
    assert resumed.code == 0, resumed.output
    count = re.search(r"(\d) of 4 runs finished before, (\d) to train", resumed.output)
    assert count is not None
    assert int(count[1]) >= len(finished)
    assert int(count[1]) + int(count[2]) == 4
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before}
    assert after == before
    assert not list(runs.glob("*/*/scratch"))
    undisturbed, _ = read_store(folder / "results" / "tiny")
    scores = {item.record.key: item.record.scores for item in undisturbed}
    stored, _ = read_store(tmp_path / "results" / "tiny")
    assert {item.record.key for item in stored} <= set(scores)
    assert len(stored) == 4
    assert all(item.record.scores == scores[item.record.key] for item in stored)


def test_a_broken_checkpoint_and_a_hanging_run_fail_alone_and_are_tried_again(
    folder: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    broken = make_checkpoint("bert", tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    name = next(name for name in weights if "word_embeddings" in name)
    weights[name] = np.full_like(weights[name], np.nan)
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    suite = tmp_path / "faults.toml"
    suite.write_text(
        SUITE.replace('"./encoder"', f'"{folder / "encoder"}", "./broken"')
        .replace('"data.csv"', f'"{folder / "data.csv"}"')
        .replace("[1e-3, 1e-4]", "[1e-3]")
        .replace("[1, 2]", "[1]")
        .replace('keep_models = "all"', 'keep_models = "none"'),
        encoding="utf-8",
    )
    session = run(tmp_path, suite=suite)
    assert session.code == 1
    assert "1 failed, 1 passed" in session.output
    assert "the run with seed 1 failed: 1 of the model's tensors hold NaN" in session.output
    stored, _ = read_store(tmp_path / "results" / "tiny")
    by_status = {item.record.status: item for item in stored}
    assert set(by_status) == {"ok", "failed"}
    assert "NaN" in (by_status["failed"].record.reason or "")
    assert "Traceback" in (by_status["failed"].folder / "log.txt").read_text(encoding="utf-8")
    assert not (by_status["failed"].folder / "scratch").exists()

    suite.write_text(suite.read_text() + "[limits]\nrun_seconds = 0.05\n", encoding="utf-8")
    again = run(tmp_path, suite=suite)
    assert "1 of 2 runs finished before, 1 to train" in again.output
    assert "stopped after the limit of 0.05 s" in again.output


def test_a_worker_killed_in_the_middle_of_a_suite_costs_its_own_run_only(
    folder: Path, tmp_path: Path
) -> None:
    suite = folder / "tiny.toml"
    arguments = ("--epochs", "10", "--seeds", "1", "-v")
    session = begin(tmp_path, *arguments, suite=suite)
    runs = tmp_path / "results" / "tiny" / "runs"
    victim = wait_for(runs, "*/*/progress.json", session)[0].parent
    worker_of(session, victim).kill()
    output, _ = session.communicate()
    assert session.returncode == 1
    assert "1 failed, 1 passed" in output
    assert "its worker process was killed by SIGKILL" in output
    stored, unreadable = read_store(tmp_path / "results" / "tiny")
    assert unreadable == []
    by_folder = {item.folder: item.record.status for item in stored}
    assert by_folder.pop(victim) == "failed"
    assert list(by_folder.values()) == ["ok"]
    assert not list(runs.glob("*/*/scratch"))
    assert not list(runs.glob("*/*/progress.json"))
    again = run(tmp_path, *arguments, suite=suite)
    assert again.code == 0, again.output
    assert "1 of 2 runs finished before, 1 to train" in again.output


def test_before_work_starts_it_is_said_how_long_it_should_take(first: Session) -> None:
    line = next(line for line in first.output.splitlines() if line.startswith("runs at a time"))
    assert line.startswith("runs at a time: 2, about ")
    assert "GB of memory each of" in line
    assert "expected to take about" in line
    assert re.search(r"\(from a FLOP count and a probe(, while other programs keep .*)?\)$", line)


def test_outside_a_terminal_each_run_that_ended_is_a_plain_line(first: Session) -> None:
    told = re.findall(r"^tiny/encoder-bs8-lr\S+ seed \d: MCC \S+ in \d+ s$", first.output, re.M)
    assert len(told) == len(set(told)) == 4
    assert "\x1b" not in first.output


@pytest.mark.parametrize("arguments", [("-n", "2"), ("-n", "auto"), ("-n", "1", ".")])
def test_sharing_a_session_among_workers_of_pytest_is_refused_in_a_line(
    folder: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    session = run(tmp_path, *arguments, suite=folder / "tiny.toml")
    assert session.code == pytest.ExitCode.USAGE_ERROR
    assert session.output.startswith("ERROR: pytest-xdist (-n) cannot share the runs of a session")
    assert session.output.count("\n") <= 2, session.output
    assert not (tmp_path / "results").exists()


def test_a_baseline_gates_a_suite_that_has_no_threshold(
    folder: Path, first: Session, tmp_path: Path
) -> None:
    copy_store(folder, tmp_path)
    published = folder / "results" / "tiny" / "leaderboard.json"
    same = run(tmp_path, "--baseline", str(published), suite=folder / "tiny.toml")
    assert same.code == 0, same.output

    better = tmp_path / "better.json"
    better.write_text(flawless(published), encoding="utf-8")
    worse = run(tmp_path, "--baseline", str(better), suite=folder / "tiny.toml")
    assert worse.code == 1
    assert "2 failed" in worse.output
    assert "a drop of +" in worse.output
    table = (tmp_path / "results" / "tiny" / "leaderboard.md").read_text(encoding="utf-8")
    assert "a drop of +" in table


def test_costs_are_held_to_those_of_a_baseline(
    folder: Path, first: Session, tmp_path: Path
) -> None:
    """The finished runs are judged again, against themselves and against cheaper ones."""
    own = copy_store(folder, tmp_path) / "leaderboard.json"
    published = folder / "results" / "tiny" / "leaderboard.json"

    def judged(limit: str, **changes: Any) -> tuple[Session, dict[str, str | None]]:
        content = json.loads(published.read_bytes())
        for record in content["records"]:
            record["peak_memory_mb"] /= changes.get("factor", 1)
            record["machine"] |= changes.get("machine", {})
            record["recipe_version"] -= changes.get("older", 0)
            record["key"] = key_of(Record.model_validate(record))
        own.write_text(json.dumps(content), encoding="utf-8")
        file = tmp_path / "junit.xml"
        session = run(
            tmp_path,
            *("--baseline", str(own), "--max-peak-memory-ratio", limit, f"--junitxml={file}"),
            suite=folder / "tiny.toml",
        )
        case = ElementTree.parse(file).find(".//testcase[properties]")
        assert case is not None
        properties = {each.get("name", ""): each.get("value") for each in case.iter("property")}
        return session, properties

    same, properties = judged("1")
    assert same.code == 0, same.output
    assert properties["gate_max_peak_memory_ratio"] == "pass"
    assert "recipe or package versions differ" not in same.output

    costly, properties = judged("1.99", factor=2, older=1)
    assert costly.code == 1
    assert costly.output.count("the memory is 2 times the baseline's (") >= 2  # of both cells
    assert "at most 1.99 times is allowed (max_peak_memory_ratio)" in costly.output
    assert properties["gate_max_peak_memory_ratio"] == "fail"
    note = "tiny: recipe or package versions differ from those of the baseline leaderboard.json"
    versions = f"recipe ({RECIPE_VERSION} against {RECIPE_VERSION - 1})"
    assert costly.output.count(f"{note}, now against then: {versions}") == 1
    assert "is the baseline, and not every cell passed against it" in costly.output
    kept = json.loads(own.read_bytes())["records"][0]
    assert kept["recipe_version"] == RECIPE_VERSION - 1

    elsewhere, properties = judged("100", machine={"accelerator": "Example GPU"})
    assert elsewhere.code == 1
    assert "(accelerator: none and Example GPU)" in elsewhere.output
    assert properties["gate_max_peak_memory_ratio"] == "not-enough-evidence"


def test_a_baseline_that_was_not_reached_is_not_replaced_by_what_fell_short_of_it(
    folder: Path, first: Session, tmp_path: Path
) -> None:
    own = copy_store(folder, tmp_path) / "leaderboard.json"
    own.write_text(flawless(folder / "results" / "tiny" / "leaderboard.json"), encoding="utf-8")
    before = own.read_bytes()
    for _ in range(2):  # the second time, too: it was not compared with the first
        session = run(tmp_path, "--baseline", str(own), suite=folder / "tiny.toml")
        assert session.code == 1
        assert "is the baseline, and not every cell passed against it" in session.output
        assert own.read_bytes() == before


def test_a_baseline_may_lie_in_the_home_folder_and_be_gone_when_tables_are_written(
    folder: Path, first: Session, tmp_path: Path
) -> None:
    copy_store(folder, tmp_path)
    shutil.copy(folder / "results" / "tiny" / "leaderboard.json", tmp_path / "old.json")
    (tmp_path / "take.py").write_text(TAKE.format(file=str(tmp_path / "old.json")))
    search = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    for arguments in ((), ("-p", "take")):
        session = run(
            tmp_path,
            *("--baseline=~/old.json", *arguments),
            suite=folder / "tiny.toml",
            variables={"HOME": str(tmp_path), "PYTHONPATH": search},
        )
        assert session.code == 0, session.output
        assert "leaderboard.md" in session.output
    assert not (tmp_path / "old.json").exists()


TAKE = """
from pathlib import Path

def pytest_runtest_setup():
    Path({file!r}).unlink(missing_ok=True)
"""


def flawless(published: Path) -> str:
    """Return a leaderboard.json in which every run judged every sentence right."""
    content = json.loads(published.read_text(encoding="utf-8"))
    for record in content["records"]:
        for epoch in record["epochs"]:
            epoch["classes"] = record["labels"]
            epoch["scores"] = {"mcc": 1.0, "accuracy": 1.0, "f1": 1.0}
        record["scores"] = {"mcc": 1.0, "accuracy": 1.0, "f1": 1.0}
        record["selected_epoch"] = 1  # the first of the best
        record["confusion_by"] = {}
    return json.dumps(content)


def test_a_limited_drop_against_nothing_is_told(tmp_path: Path) -> None:
    session = run(tmp_path, "--max-drop", "0.1", "--max-train-seconds-ratio", "1.2")
    assert session.code == pytest.ExitCode.USAGE_ERROR
    assert "--max-drop: 0.1: has no effect without --baseline FILE" in session.output
    assert "--max-train-seconds-ratio: 1.2: has no effect without --baseline" in session.output


def test_a_limited_drop_of_a_suite_without_a_baseline_is_told_and_under_strict_refused(
    folder: Path, first: Session, tmp_path: Path
) -> None:
    copy_store(folder, tmp_path)
    suite = tmp_path / "drop.toml"
    text = SUITE.replace('"./encoder"', f'"{folder / "encoder"}"').replace(
        '"data.csv"', f'"{folder / "data.csv"}"'
    )
    suite.write_text(f"{text}max_drop = 0.1\n", encoding="utf-8")
    told = "tiny: gates.max_drop has no effect without a baseline of this suite"
    session = run(tmp_path, suite=suite)
    assert session.code == 0, session.output
    assert told in session.output
    strict = run(tmp_path, "--strict", suite=suite)
    assert strict.code == pytest.ExitCode.USAGE_ERROR
    assert told in strict.output
    published = tmp_path / "results" / "tiny" / "leaderboard.json"
    judged = run(tmp_path, "--baseline", str(published), "--strict", suite=suite)
    assert judged.code == 0, judged.output
    assert told not in judged.output


def test_the_address_of_a_ray_that_is_not_asked_for_is_a_mistake(tmp_path: Path) -> None:
    session = run(tmp_path, "--ray-address", "127.0.0.1:6379")
    assert session.code == pytest.ExitCode.USAGE_ERROR
    assert "--ray-address: '127.0.0.1:6379': needs --executor ray; add it" in session.output


def test_a_baseline_that_does_not_fit_is_told_before_anything_trains(
    folder: Path, first: Session, tmp_path: Path
) -> None:
    published = json.loads((folder / "results" / "tiny" / "leaderboard.json").read_bytes())
    elsewhere = json.loads(json.dumps(published))
    elsewhere["slices"]["fingerprint"] = "0" * 64
    for record in elsewhere["records"]:
        record["dataset"]["fingerprint"] = "0" * 64
        record["key"] = key_of(Record.model_validate(record))
    mistakes = {
        "other.json": ({**published, "suite": "other"}, "a leaderboard of the suite 'other'"),
        "data.json": (elsewhere, "scores on different sentences cannot be compared"),
        "schema.json": ({**published, "schema_version": 1}, "this version reads 2 only"),
    }
    for name, (content, told) in mistakes.items():
        path = tmp_path / name
        path.write_text(json.dumps(content), encoding="utf-8")
        session = run(tmp_path, "--baseline", str(path), suite=folder / "tiny.toml")
        assert session.code == pytest.ExitCode.USAGE_ERROR, session.output
        assert told in session.output
        assert not list((tmp_path / "results").rglob("log.txt"))


def test_a_suite_has_a_test_of_its_own_where_it_has_gates(
    folder: Path, first: Session, tmp_path: Path
) -> None:
    copy_store(folder, tmp_path)
    suite = tmp_path / "gated.toml"
    text = SUITE.replace('"./encoder"', f'"{folder / "encoder"}"')
    text = text.replace('"data.csv"', f'"{folder / "data.csv"}"')
    suite.write_text(text + "[gates.suite]\nbest_min_mcc = 1.0\n", encoding="utf-8")
    session = run(tmp_path, "-k", "test_suite", suite=suite)
    assert session.code == 1
    assert "1 failed" in session.output
    assert "4 of 4 runs finished before" in session.output
    told = "at least 1.0000 is required (gates.suite.best_min_mcc)"
    assert told in session.output
    table = (tmp_path / "results" / "tiny" / "leaderboard.md").read_text(encoding="utf-8")
    assert "fail: the suite: the best cell" in table

    suite.write_text(text + "[gates.suite]\nbest_min_mcc = -1.0\n", encoding="utf-8")
    session = run(tmp_path, "-k", "test_suite", suite=suite)
    assert session.code == 0, session.output

    text = text.replace('/encoder"', '/encoder", "org/other"')
    order = f'order = ["org/other", "{folder / "encoder"}"]'
    suite.write_text(f"{text}[gates.suite]\n{order}\n", encoding="utf-8")
    narrow = ("--checkpoints", str(folder / "encoder"), "-k", "test_suite")
    session = run(tmp_path, *narrow, suite=suite)
    assert "without org/other (no cell in this session)" in session.output
    assert "KeyError" not in session.output


@pytest.mark.ray
def test_ray_trains_the_same_models(folder: Path, first: Session, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    session = run(tmp_path, "--executor", "ray", "-k", "lr1e-03", suite=folder / "tiny.toml")
    assert session.code == 0, session.output
    local, _ = read_store(folder / "results" / "tiny")
    by_key = {item.record.key: item for item in local}
    by_ray, _ = read_store(tmp_path / "results" / "tiny")
    assert len(by_ray) == 2
    for item in by_ray:
        twin = by_key[item.record.key]
        assert item.record.scores == twin.record.scores
        assert read_predictions(item.folder).equals(read_predictions(twin.folder))


def test_selecting_and_collecting_train_nothing(folder: Path, tmp_path: Path) -> None:
    session = run(tmp_path, "--collect-only", "-q", "-k", "lr1e-03", suite=folder / "tiny.toml")
    assert session.code == 0
    assert session.output.count("::test_finetune[") == 1
    assert "::test_finetune[tiny/encoder-bs8-lr1e-03]" in session.output
    assert not (tmp_path / "results").exists()


def test_what_cannot_be_reached_is_skipped_and_nothing_published_is_touched(
    tmp_path: Path,
) -> None:
    published = tmp_path / "results" / "cola" / "leaderboard.json"
    published.parent.mkdir(parents=True)
    published.write_text("earlier evidence", encoding="utf-8")
    arguments = ("--suite", "benchmarks/cola.toml", "-k", "distilbert and bs16 and lr2e-05")
    session = run(tmp_path, *arguments)
    assert session.code != 0
    assert "1 skipped" in session.output
    assert "--cola-dir" in session.output
    assert "COLA_DIR" in session.output
    assert "does not pass" in session.output
    assert published.read_text(encoding="utf-8") == "earlier evidence"
    assert [path.name for path in published.parent.iterdir() if path.is_file()] == [published.name]
    strict = run(tmp_path, *arguments, "--strict")
    assert "1 failed" in strict.output
    assert "--strict allows no skip" in strict.output


def test_every_mistake_of_the_command_line_is_told_at_once(tmp_path: Path) -> None:
    session = run(
        tmp_path,
        *("--batch-sizes", "16,0", "--learning-rates=-1,nan", "--seeds", "1,1"),
        *("--epochs", "few", "--checkpoints", ","),
    )
    empty = run(tmp_path, "--learning-rates", "5e-5,,1e-4", "--seeds=1,", "--batch-sizes", "")
    assert empty.code == 4
    for expected in (
        "--learning-rates: '5e-5,,1e-4': element 2 of 3 is empty; fill it in, or remove a comma",
        "--seeds: '1,': element 2 of 2 is empty",
        "--batch-sizes: empty",
    ):
        assert expected in empty.output
    assert session.code == 4
    for expected in (
        "--batch-sizes: 0:",
        "--learning-rates: -1.0:",
        "--learning-rates: nan:",
        "--seeds: [1, 1]: list every value once",
        "--epochs: 'few'",
        "--checkpoints: ',': element 1 of 2 is empty",
    ):
        assert expected in session.output
    assert "Traceback" not in session.output


def test_mistakes_of_every_kind_are_told_in_one_list(folder: Path, tmp_path: Path) -> None:
    """Of the suite, of the options, of what the cells need, and of the gates under --strict."""
    text = (folder / "tiny.toml").read_text(encoding="utf-8")
    suite = folder / "ungated.toml"
    suite.write_text(text.replace("[gates]\nmin_mcc = -1\n", ""), encoding="utf-8")
    absent = str(tmp_path / "nowhere.json")
    wrong = {
        "--budget": ("30", "--budget: '30': a number without a unit"),
        "--checkpoints": ("./missing", str(ROOT / "missing")),
    }
    against = {"--baseline": (absent, f"{absent}: there is no such leaderboard")}
    no_plan = {"--seeds": ("x", "--seeds: 'x'")}
    for options, more in (
        ({**wrong, **against, **no_plan}, []),
        ({**wrong, **against}, []),
        (wrong, ["--strict: no gate judges any cell"]),
    ):
        typed = [part for flag, (value, _) in options.items() for part in (flag, value)]
        session = run(tmp_path, "--strict", *typed, suite=suite)
        assert session.code == 4, session.output
        for told in (*(told for _, told in options.values()), *more):
            assert told in session.output, session.output
        assert "Traceback" not in session.output


def test_an_empty_value_of_an_option_is_told_with_the_others(tmp_path: Path) -> None:
    flags = ("--baseline", "--ray-address", "--cola-dir", "--budget")
    session = run(tmp_path, *(part for flag in flags for part in (flag, "")), "--seeds", "x")
    assert session.code == 4, session.output
    for flag in flags:
        assert f"{flag}: '': an empty value, such as that of a variable" in session.output
    assert "--seeds: 'x'" in session.output


def test_folders_of_the_command_line_start_where_it_was_typed(folder: Path, tmp_path: Path) -> None:
    missing = run(tmp_path, "--checkpoints", "./no-such-model", suite=folder / "tiny.toml")
    assert missing.code == 4
    assert str(ROOT / "no-such-model") in missing.output
    relative = os.path.relpath(folder / "encoder", ROOT)
    found = run(folder, "--checkpoints", relative, "-k", "lr1e-03", suite=folder / "tiny.toml")
    assert found.code == 0, found.output
    assert "1 passed" in found.output


def test_a_results_folder_in_the_way_is_told_before_anything_trains(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "tiny").write_text("a file where the suite's folder should be")
    session = run(tmp_path, suite=folder / "tiny.toml")
    assert session.code == 4
    assert "cannot be written" in session.output
    assert "Traceback" not in session.output


def test_gates_that_nobody_judged_do_not_pass(folder: Path, first: Session) -> None:
    session = run(folder, "--benchmark-skip", suite=folder / "tiny.toml")
    assert session.code != 0
    assert "does not pass" in session.output


def test_every_mistake_in_data_and_checkpoints_is_told_before_anything_trains(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "data.csv").write_text("sentence,label\nOne.,2\nTwo.,x\n", encoding="utf-8")
    bare = make_checkpoint("bert", tmp_path / "bare")
    for file in [*bare.glob("token*"), *bare.glob("vocab*"), *bare.glob("special*")]:
        file.unlink()
    (tmp_path / "blocked").write_text("a file where the results folder should be")
    suite = tmp_path / "bad.toml"
    suite.write_text(
        SUITE.replace('"./encoder"', '"./none", "./bare", "package:no_such_package/model"'),
        encoding="utf-8",
    )
    session = run(tmp_path, "--results-dir", str(tmp_path / "blocked" / "x"), suite=suite)
    assert session.code == 4
    for expected in (
        "'./none'",
        "'./bare': no tokenizer files",
        "no package 'no_such_package' is installed",
        "data.csv",
        "--results-dir",
        "cannot be written",
    ):
        assert expected in session.output, session.output
    assert "Traceback" not in session.output
    assert "test_finetune" not in session.output
    assert "leaderboard" not in session.output
