"""`harness doctor` judges the plan that a session with the same options would train."""

import json
import re
import shutil
import sys
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from builders.commands import Done, harness
from builders.records import EMBEDDED, MACHINE, make_cell, make_record, with_key
from builders.small_suite import SUITE, finish, write_suite
from builders.tiny_checkpoints import make_checkpoint

from harness.cli.choices import EVERY
from harness.cli.doctor import doctor
from harness.cli.plan import plan
from harness.judging.leaderboard import leaderboard
from harness.machine.provenance import RECIPE_VERSION
from harness.report.published import as_json, publish
from harness.session.options import OPTIONS
from harness.suite.plan import make_plan
from harness.suite.spec import load_suite


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite of two checkpoints, one of which is here, and of two seeds, one of them finished."""
    made = write_suite(tmp_path_factory.mktemp("doctor"), SUITE)
    make_checkpoint("bert", made / "other", seed=3)
    finish(made, made / "results", seed=2)
    (made / "damaged").mkdir()
    (made / "damaged" / "config.json").write_text("{")
    return made


def checked(folder: Path, *arguments: str) -> tuple[Done, dict[str, tuple[str, str]]]:
    """Run the doctor; also return state and finding by name."""
    named = ("doctor", "--suite", "tiny.toml", "--results-dir", "results")
    done = harness(*named, *arguments, cwd=folder)
    found = {}
    for line in done.out.splitlines():
        if match := re.match(r"(OK|MISSING|-) +(.+?)  +(.*)", line):
            found[match[2]] = (match[1], match[3])
    return done, found


def missing(found: dict[str, tuple[str, str]]) -> list[str]:
    return [name for name, (state, _) in found.items() if state == "MISSING"]


def test_doctor_and_plan_take_every_option_of_a_session() -> None:
    flags = {option.flag for option in OPTIONS}
    assert len(flags) == len(EVERY) > 14
    for command in (doctor, plan):
        assert flags <= {flag for each in command.params for flag in each.opts}


def test_what_is_overridden_is_not_missed(folder: Path) -> None:
    done, found = checked(folder)
    assert (done.code, missing(found)) == (0, ["checkpoint org/unreachable"])
    done, found = checked(folder, "--checkpoints", "./other")
    assert (done.code, missing(found)) == (0, [])
    assert found["checkpoint other"][0] == "OK"
    assert found["runs of tiny"][1].startswith("2: 0 finished, 2 to train")
    done, found = checked(folder, "--checkpoints", "org/unreachable")
    assert (done.code, missing(found)) == (1, ["checkpoint org/unreachable", "runs of tiny"])
    (folder / "hopeless.toml").write_text(SUITE.replace('"./encoder", ', "").replace("tiny", "no"))
    alone = harness("doctor", "--suite", "hopeless.toml", cwd=folder)
    assert alone.code == 1
    helped = harness("doctor", "--suite", "hopeless.toml", "--checkpoints", "./other", cwd=folder)
    assert (helped.code, "MISSING" in helped.out) == (0, False)


def test_compiled_code_that_cannot_be_kept_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/c++")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert checked(folder)[1]["C++ compiler"] == ("OK", "/usr/bin/c++")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    state, said = checked(folder)[1]["C++ compiler"]
    assert state == "-"
    assert "cannot be made; set XDG_CACHE_HOME to a folder of your own" in said


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--seeds", "2"),
        ("--seeds", "2,3,4"),
        ("--batch-sizes", "8,16"),
        ("--learning-rates", "1e-3,2e-5", "--checkpoints", "./encoder,./other"),
        ("--epochs", "3"),
        ("--rerun",),
        ("--workers", "3", "--min-mcc", "0.9"),
    ],
    ids=" ".join,
)
def test_its_runs_are_those_of_the_plan(arguments: tuple[str, ...], folder: Path) -> None:
    named = ("plan", "--suite", "tiny.toml", "--results-dir", "results", "--json")
    planned = json.loads(harness(*named, *arguments, cwd=folder).out)["suites"][0]["runs"]
    times = Counter(run["state"] for run in planned)
    _, found = checked(folder, *arguments)
    told = found["runs of tiny"][1]
    numbers = [
        int(number) for number in re.findall(r"\b(\d+)(?=:| finished| to train| that)", told)
    ]
    skipped = [times["skipped"]] if times["skipped"] else []
    assert numbers == [len(planned), times["finished"], times["to train"], *skipped]
    assert ("(3 at a time)" in told) == ("--workers" in arguments)


def test_what_a_session_would_refuse_is_no_session(folder: Path) -> None:
    """It reports all mistakes before anything trains, whatever else could run."""
    done, found = checked(folder, "--checkpoints", "./encoder,./damaged")
    assert (done.code, missing(found)) == (1, ["checkpoint damaged"])
    assert found["runs of tiny"][1].startswith("4: 1 finished, 1 to train")
    half = SUITE.replace("epochs = 2", 'epochs = 2\nprecision = "fp16"')
    (folder / "half.toml").write_text(half.replace('"tiny"', '"half"'))
    done = harness("doctor", "--suite", "half.toml", cwd=folder)
    assert done.code == 1
    assert re.search(r"MISSING +settings of half +suite half: training.precision: 'fp16'", done.out)
    wrong = harness("doctor", "--suite", "tiny.toml", "--workers", "many", cwd=folder)
    assert wrong.code == 4
    assert "--workers: 'many'" in wrong.err


def test_ray_is_missing_only_where_it_is_asked_for(folder: Path) -> None:
    plain, asked = checked(folder), checked(folder, "--executor", "ray")
    if find_spec("ray") is None:
        assert plain[1]["Ray"][0] == "-"
        assert (asked[0].code, asked[1]["Ray"][0]) == (1, "MISSING")
    else:
        assert (plain[1]["Ray"][0], asked[1]["Ray"][0]) == ("OK", "OK")
        _, joined = checked(folder, "--executor", "ray", "--ray-address", "localhost:1")
        assert "joins localhost:1" in joined["Ray"][1]
    assert plain[0].code == 0


def test_a_baseline_is_judged_by_doctor_and_plan_as_by_a_session(folder: Path) -> None:
    cell = make_cell(seeds=(0,))
    published = publish("sample", [cell], [make_record(cell, dataset=EMBEDDED)])
    frame = leaderboard(published.cells, published.records)
    (folder / "earlier.json").write_text(as_json(published, frame))
    options = ("--baseline", "earlier.json", "--max-drop", "0.02")
    done, found = checked(folder, *options)
    assert (done.code, found["baseline"][0]) == (1, "MISSING")
    assert "a leaderboard of the suite 'sample', which this session does not run" in done.out
    named = ("plan", "--suite", "tiny.toml", *options)
    planned = harness(*named, cwd=folder)
    assert planned.code == 4
    assert "a leaderboard of the suite 'sample', which this session does not run" in planned.err
    ours = make_cell(suite="tiny")
    published = publish(
        "tiny",
        [ours],
        [
            make_record(
                ours, suite="tiny", dataset=None, status="skipped", reason="x; y", scores=None
            )
        ],
    )
    frame = leaderboard(published.cells, published.records)
    (folder / "ours.json").write_text(as_json(published, frame))
    done, found = checked(folder, "--baseline", "ours.json")
    assert (done.code, found["baseline"][0]) == (1, "MISSING")
    assert "contains no scored run" in found["baseline"][1]


def test_what_differs_from_a_baseline_is_told_before_training(folder: Path, tmp_path: Path) -> None:
    record = finish(folder, tmp_path, seed=2)
    elsewhere = MACHINE.model_copy(update={"accelerator": "Example GPU"})
    changes = {"recipe_version": RECIPE_VERSION - 1, "machine": elsewhere}
    older = with_key(record.model_copy(update=changes))
    cell = replace(make_plan(load_suite(folder / "tiny.toml"))[0], seeds=(2,))
    published = publish("tiny", [cell], [older])
    (folder / "older.json").write_text(as_json(published, leaderboard([cell], [older])))
    options = ("--baseline", "older.json", "--max-peak-memory-ratio", "1.2")
    changed = (
        "recipe or package versions differ from those of the baseline older.json, now against "
        f"then: recipe ({RECIPE_VERSION} against {RECIPE_VERSION - 1})"
    )
    done, found = checked(folder, *options)
    assert (done.code, found["baseline"]) == (0, ("OK", "older.json, of tiny"))
    assert found["note on baseline"] == ("OK", changed)
    planned = harness("plan", "--suite", "tiny.toml", *options, cwd=folder)
    assert planned.out.count(changed) == 1
    assert (
        f"gates.max_peak_memory_ratio of {cell.id} cannot be judged from runs that train now: "
        "circumstances here and of the baseline differ (" in planned.out
    )
    assert "Example GPU" in planned.out


def test_the_folder_of_cola_is_the_session_s(folder: Path, tmp_path: Path) -> None:
    (folder / "cola.toml").write_text(
        SUITE.replace('source = "file"\npath = "data.csv"\nvalidation_size = 20', 'source = "cola"')
    )
    done = harness("doctor", "--suite", "cola.toml", "--cola-dir", str(tmp_path), cwd=folder)
    assert done.code == 1
    assert re.search(rf"MISSING +data of tiny +{re.escape(str(tmp_path))}: no CoLA here", done.out)
