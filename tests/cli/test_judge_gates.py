"""`harness judge --suite`: gates that predictions answer are judged, the others named."""

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.commands import ROOT, Done, harness
from sklearn.metrics import matthews_corrcoef

from harness.judging.gates.given import judged as judged_names
from harness.judging.gates.given import not_judged
from harness.suite.by_name import NAMES
from harness.suite.gates import HOW_JUDGED, Thresholds

COSTS = (
    *("max_train_seconds", "min_samples_per_second", "max_eval_ms_per_sentence"),
    *("max_peak_memory_mb", "max_train_seconds_ratio", "max_eval_ms_ratio"),
    *("max_peak_memory_ratio", "max_latency_ms", "max_latency_p95_ms", "max_latency_ms_ratio"),
)
MATRIX = (
    'name = "s"\ndataset.source = "cola"\nmatrix = { checkpoints = ["org/a", "org/b"], '
    "batch_sizes = [16], learning_rates = [5e-5], seeds = [1] }\n"
)


@pytest.mark.parametrize("with_baseline", [False, True])
@pytest.mark.parametrize("of_cell", [False, True])
@pytest.mark.parametrize("population", ["sentences", "sources"])
@pytest.mark.parametrize("key", sorted({*Thresholds.model_fields} - HOW_JUDGED))
def test_every_gate_is_judged_or_named_with_the_reason(
    key: str, population: str, of_cell: bool, with_baseline: bool
) -> None:
    value = {"domain=in": {"min_mcc": 0.5}} if key == "slice" else 0.5
    gates = Thresholds.model_validate({key: value, "population": population})
    named = [each.gate.partition(".")[0] for each in not_judged(gates, with_baseline, of_cell)]
    answered = key in judged_names(gates, with_baseline)
    assert named.count(key) == (0 if answered else 1)


def judged(folder: Path, gates: str, *options: str, wrong: int = 60, of: str = "") -> Done:
    """Judge predictions, of which some are wrong, by the gates of a suite without data.

    Args:
        of: the results folder of the option --cell; without this option it is not used.
    """
    (folder / "suite.toml").write_text(f"{MATRIX}{gates}\n", encoding="utf-8")
    labels = np.tile([0, 1], 200)
    for name, errors in (("p", wrong), ("old", 20)):
        predicted = np.where(np.arange(400) < errors, 1 - labels, labels)
        rows = "".join(f"{a},{b}\n" for a, b in zip(labels, predicted, strict=True))
        (folder / f"{name}.csv").write_text("label,prediction\n" + rows, encoding="utf-8")
    predictions = of if "--cell" in options else "p.csv"
    return harness("judge", predictions, "--suite", "suite.toml", *options, cwd=folder)


@pytest.mark.parametrize("gate", COSTS)
@pytest.mark.parametrize("baseline", [(), ("--baseline", "old.csv", "--max-drop", "0.5")])
def test_a_gate_on_a_cost_is_told_as_not_judged(
    gate: str, baseline: tuple[str, ...], tmp_path: Path
) -> None:
    done = judged(tmp_path, f"gates = {{ min_mcc = 0.1, {gate} = 5 }}", *baseline)
    assert (done.code, done.err) == (0, "")
    (line,) = [line for line in done.out.splitlines() if line.startswith("not judged: ")]
    assert line.startswith(f"not judged: suite.toml: gates.{gate}: 5.0: the costs of given")
    assert "pass: MCC 0.7000" in done.out


GATES = """
gates.min_mcc = 0.6
gates.min_accuracy = 0.9
gates.max_drop = 0.1
gates.slice."source=x".min_mcc = 0.2
gates.checkpoint."org/b".min_mcc = 0.65
gates.cell."a-bs16-lr5e-05".max_train_seconds = 9
gates.suite.best_min_mcc = 0.5
gates.suite.order = ["org/a", "org/b"]
"""


def test_every_gate_of_a_suite_is_judged_or_named(tmp_path: Path) -> None:
    done = judged(tmp_path, GATES, "--json")
    assert done.code == 1  # the accuracy is 0.85
    found = json.loads(done.out)
    verdicts = {each["gate"]: each["verdict"] for each in found["gates"]}
    assert verdicts == {"min_mcc": "pass", "min_accuracy": "fail"}
    assert {each["gate"]: each["threshold"] for each in found["not_judged"]} == {
        "max_drop": 0.1,
        'slice."source=x"': 0.2,
        'checkpoint."org/b".min_mcc': 0.65,
        "cell.a-bs16-lr5e-05.max_train_seconds": 9,
        "suite.best_min_mcc": 0.5,
        "suite.order": ["org/a", "org/b"],
    }
    assert "2 gates judged, 6 of suite.toml not judged" in done.err
    text = judged(tmp_path, GATES)
    assert text.code == 1
    lines = [line for line in text.out.splitlines() if line.startswith("not judged: suite.toml: ")]
    assert len(lines) == 6
    assert any("no baseline; name its predictions with --baseline FILE" in each for each in lines)
    assert any("judge them with --min-mcc 0.65" in each for each in lines)
    assert text.out.splitlines()[-1] == done.err.strip()


def test_a_pass_of_some_gates_is_no_pass_of_a_strict_command(tmp_path: Path) -> None:
    gates = "gates = { min_mcc = 0.6, suite = { best_min_mcc = 0.5 } }"
    loose = judged(tmp_path, gates)
    strict = judged(tmp_path, gates, "--strict")
    assert (loose.code, strict.code) == (0, 1)
    *same, of_loose = loose.out.splitlines()
    *others, of_strict = strict.out.splitlines()
    assert same == others
    counts = "1 gate judged, 1 of suite.toml not judged"
    assert of_loose == f"{counts}: it does not change the exit code (with --strict, it is 1)"
    assert of_strict == f"{counts}, so the exit code is 1 (--strict)"
    assert judged(tmp_path, "gates.min_mcc = 0.6", "--strict").code == 0


@pytest.mark.parametrize("gate", ["max_train_seconds = 9", "max_eval_ms_ratio = 2"])
def test_the_costs_of_a_published_cell_are_not_told_as_unknown(gate: str, tmp_path: Path) -> None:
    cell = ("--cell", "minilm-l3-bs16-lr1e-4")
    gates = f'gates = {{ min_mcc = 0.01, {gate}, slice."length=short".min_mcc = 0.1 }}'
    done = judged(tmp_path, gates, *cell, of=str(ROOT / "results/cola"))
    lines = [line for line in done.out.splitlines() if line.startswith("not judged: ")]
    assert (done.code, len(lines)) == (0, 2)
    for line in lines:
        what = "slices" if "gates.slice." in line else "costs"
        assert "only the predictions of the cell are judged here; `harness run` with its " in line
        assert f"suite judges its {what}, and trains no stored run again" in line


@pytest.mark.parametrize("section", ['checkpoint."org/b"', 'cell."a-bs16-lr5e-05"'])
@pytest.mark.parametrize("options", [(), ("--cell", "minilm-l3-bs16-lr1e-4")])
def test_how_gates_are_judged_is_no_gate_that_was_not_judged(
    section: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    how = (
        "gates.min_mcc = 0.01\n"
        f'gates.{section} = {{ statistic = "mean", on_doubt = "pass", population = "sentences" }}'
    )
    done = judged(tmp_path, how, *options, "--strict", of=str(ROOT / "results/cola"))
    assert (done.code, "not judged" in done.out) == (0, False)
    gate = how.replace("statistic", "min_accuracy = 0.1, statistic")
    done = judged(tmp_path, gate, *options, "--strict", of=str(ROOT / "results/cola"))
    (line,) = [line for line in done.out.splitlines() if line.startswith("not judged: ")]
    assert (done.code, "min_accuracy: 0.1: " in line) == (1, True)


def test_a_suite_whose_gates_predictions_cannot_answer_is_refused_with_each_of_them(
    tmp_path: Path,
) -> None:
    gates = "gates = { max_train_seconds = 5, max_drop = 0.1, suite = { best_min_mcc = 0.5 } }"
    done = judged(tmp_path, gates)
    assert (done.code, done.out) == (4, "")
    first, *others = done.err.splitlines()
    assert first.startswith(
        "suite.toml: no gates.min_mcc, gates.min_accuracy or gates.max_drop that predictions can"
    )
    assert [line.split(": ")[:3] for line in others] == [
        ["not judged", "suite.toml", f"gates.{name}"]
        for name in ("max_drop", "max_train_seconds", "suite.best_min_mcc")
    ]
    assert judged(tmp_path, gates, "--min-mcc", "0.6").code == 0
    assert judged(tmp_path, gates, "--baseline", "old.csv").code == 1  # 0.2 more errors


@pytest.mark.parametrize(
    ("statistic", "not_judged"), [("mean", []), ("lower-bound", ["min_mcc", "min_accuracy"])]
)
def test_a_bound_for_other_sources_is_not_replaced_by_one_for_other_sentences(
    statistic: str, not_judged: list[str], tmp_path: Path
) -> None:
    done = judged(
        tmp_path,
        f'gates = {{ min_mcc = 0.1, min_accuracy = 0.1, statistic = "{statistic}", '
        'population = "sources" }',
        *("--baseline", "old.csv"),
        *(["--json"] if statistic == "mean" else []),
    )
    if statistic == "mean":
        found = json.loads(done.out)
        assert [each["gate"] for each in found["gates"]] == ["min_mcc", "min_accuracy"]
        assert [each["gate"] for each in found["not_judged"]] == ["max_drop"]
        return
    assert done.code == 4
    assert all(f"gates.{name}: " in done.err for name in (*not_judged, "max_drop"))
    assert "predictions do not tell those of their sentences" in done.err


SOURCES = 'gates = {{ {}, population = "sources" }}'
OTHER_SENTENCES = (
    "name with --suite one without gates.population: it is judged for other sentences of the same "
    "sources"
)


@pytest.mark.parametrize("of_cell", [False, True])
@pytest.mark.parametrize(
    ("gates", "flags"),
    [
        ("min_mcc = 0.1", ["--max-drop"]),
        ('min_accuracy = 0.1, statistic = "lower-bound"', ["--min-mcc"]),
        ('statistic = "lower-bound"', ["--min-mcc", "--max-drop"]),
    ],
)
def test_a_threshold_of_the_command_line_that_cannot_be_judged_is_a_mistake(
    gates: str, flags: list[str], of_cell: bool, tmp_path: Path
) -> None:
    typed = [part for flag in flags for part in (flag, "0.25")]
    if "--max-drop" in flags:
        typed += ["--baseline", "old.csv"]
    if of_cell:
        typed += ["--cell", "minilm-l3-bs16-lr1e-4"]
    done = judged(tmp_path, SOURCES.format(gates), *typed, of=str(ROOT / "results/cola"))
    assert (done.code, done.out) == (4, "")
    lines = done.err.splitlines()
    assert [line.split(": cannot be judged with suite.toml: ")[0] for line in lines] == [
        f"{flag}: 0.25" for flag in flags
    ]
    assert all(line.endswith(f"; leave it out, or {OTHER_SENTENCES}") for line in lines)


@pytest.mark.parametrize(
    ("gates", "options", "way_out"),
    [
        ("max_eval_ms_ratio = 2", (), "name one with --min-mcc, or name a --baseline to compare"),
        (
            'min_accuracy = 0.1, statistic = "lower-bound", population = "sources"',
            (),
            OTHER_SENTENCES,
        ),
        (
            'population = "sources"',
            ("--baseline", "old.csv"),
            f"name one with --min-mcc, or {OTHER_SENTENCES}",
        ),
    ],
)
def test_the_way_out_of_a_refusal_does_not_ask_for_what_cannot_help(
    gates: str, options: tuple[str, ...], way_out: str, tmp_path: Path
) -> None:
    done = judged(tmp_path, f"gates = {{ {gates} }}", *options)
    assert done.code == 4
    said = done.err.splitlines()[0]
    assert said.split("predictions can answer; ")[1].startswith(way_out)


@pytest.mark.parametrize("suite", [(), ("--suite", "suite.toml")])
def test_a_threshold_that_is_no_number_within_its_bounds_is_told_with_its_flag(
    suite: tuple[str, ...], tmp_path: Path
) -> None:
    judged(tmp_path, "gates.min_mcc = 0.1")
    for min_mcc, max_drop, beyond in (("nan", "nan", False), ("1.5", "-0.5", True)):
        typed = ("--min-mcc", min_mcc, "--baseline", "old.csv", "--max-drop", max_drop)
        done = harness("judge", "p.csv", *suite, *typed, "--json", cwd=tmp_path)
        assert (done.code, done.out) == (4, "")
        assert done.err.splitlines() == [
            f"{flag}: {value}: input should be {bounds if beyond else 'a finite number'}"
            for flag, value, bounds in (
                ("--min-mcc", min_mcc, "from -1 to 1"),
                ("--max-drop", max_drop, "from 0 to 1"),
            )
        ]


def test_the_mistakes_of_suite_files_and_options_are_told_at_once(tmp_path: Path) -> None:
    judged(tmp_path, "gates.min_mcc = 0.1")
    files = ("p.csv", "missing.csv", "suite.toml")
    done = harness("judge", *files, "--suite", "nope", "--max-drop", "0.1", cwd=tmp_path)
    assert done.code == 4
    assert [line.split(": ")[0] for line in done.err.splitlines()] == [
        *("nope", "missing.csv", "suite.toml", "--max-drop")
    ]
    options = ("--cell", "zz", "--suite", "nope", "--min-mcc", "nan", "--baseline", "missing.csv")
    done = harness("judge", str(ROOT / "results/cola"), *options, cwd=tmp_path)
    told = [line.split(": ")[0] for line in done.err.splitlines()]
    assert (done.code, told) == (4, ["--min-mcc", "nope", "--cell", "missing.csv"])


def test_a_drop_without_a_baseline_is_the_only_mistake(tmp_path: Path) -> None:
    done = judged(tmp_path, "gates.max_eval_ms_per_sentence = 1", "--max-drop", "0.1")
    assert done.code == 4
    assert done.err.splitlines() == [
        "--max-drop: there is no baseline; name its predictions with --baseline FILE"
    ]


def test_a_threshold_of_the_command_line_holds_for_every_checkpoint(tmp_path: Path) -> None:
    gates = 'gates.checkpoint."org/b".min_mcc = 0.95\ngates.cell."a-bs16-lr5e-05".min_mcc = 0.9'
    done = judged(tmp_path, gates, "--min-mcc", "0.6", "--strict", "--json")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert ([each["threshold"] for each in found["gates"]], found["not_judged"]) == ([0.6], [])


def test_a_published_cell_is_held_to_the_gates_that_a_suite_has_for_it(tmp_path: Path) -> None:
    board = json.loads((ROOT / "results/cola/leaderboard.json").read_text(encoding="utf-8"))
    cell = next(each for each in board["cells"] if each["checkpoint"] == "minilm-l6")
    # As in a session, a folder's own name is its published one.
    (tmp_path / "suite.toml").write_text(
        'name = "s"\ndataset.source = "cola"\n'
        'matrix = { checkpoints = ["./models/minilm-l6", "org/b"], batch_sizes = [16], '
        "learning_rates = [5e-5], seeds = [1] }\n"
        "gates.min_mcc = 0.9\ngates.min_accuracy = 0.1\n"
        'gates.checkpoint."./models/minilm-l6".min_mcc = 0.01\n'
        'gates.checkpoint."org/b".min_mcc = 0.8\n',
        encoding="utf-8",
    )
    options = ("--cell", cell["id"], "--suite", "suite.toml", "--json")
    done = harness("judge", str(ROOT / "results/cola"), *options, cwd=tmp_path)
    found: dict[str, Any] = json.loads(done.out)
    judged_by = {each["gate"]: each["threshold"] for each in found["gates"]}
    assert (done.code, judged_by) == (0, {"min_mcc": 0.01, "min_accuracy": 0.1})
    (other,) = found["not_judged"]
    assert other["gate"] == 'checkpoint."org/b".min_mcc'
    assert other["reason"] == f"of another checkpoint than that of {cell['id']}"


@pytest.mark.parametrize("name", NAMES)
def test_a_suite_that_ships_with_the_harness_is_judged_by_its_name(
    name: str, tmp_path: Path
) -> None:
    file = ROOT / f"harness/suite/files/{name}.toml"
    suite = tomllib.loads(file.read_text(encoding="utf-8"))
    judged(tmp_path, "")
    done = harness("judge", "p.csv", "--suite", name, "--json", cwd=tmp_path)
    if name == "quickstart":  # its data are part of the package, and of another length
        assert (done.code, "p.csv: 400 rows, but the validation split" in done.err) == (4, True)
        return
    found = json.loads(done.out)
    (gate,) = found["gates"]
    labels = np.tile([0, 1], 200)
    expected = matthews_corrcoef(labels, np.where(np.arange(400) < 60, 1 - labels, labels))
    assert gate["measured"] == pytest.approx(expected)
    assert gate["threshold"] == suite["gates"]["min_mcc"]
    assert len(found["not_judged"]) == len(suite["gates"].get("checkpoint", {})) + len(
        suite["gates"].get("suite", {})
    )


@pytest.mark.parametrize(
    "command",
    [
        ("judge", "p.csv", "--min-mcc", "0.1", "--suite"),
        ("report", "results/cola", "--slices"),
        ("mistakes", "results/cola", "--suite"),
        ("plan", "--suite"),
    ],
    ids=lambda command: command[0],
)
def test_a_name_of_no_suite_is_answered_with_the_names_that_exist(command: tuple[str, ...]) -> None:
    done = harness(*command, "colla")
    assert done.code == 4
    (line,) = [line for line in done.err.splitlines() if "colla" in line]
    assert line.endswith(
        "no such suite file; name one that exists, or one of quickstart, cola, cola-full"
    )


@pytest.mark.parametrize("seeds", [(3, 2), (1, 2), (2, 2), (2, 1)])
def test_systems_that_never_differ_on_a_few_sentences_are_not_shown_to_be_as_good(
    seeds: tuple[int, int], tmp_path: Path
) -> None:
    """However many files of predictions each side has."""
    gates = 'gates = { statistic = "lower-bound", max_drop = 0.02 }'
    (tmp_path / "suite.toml").write_text(f"{MATRIX}{gates}\n", encoding="utf-8")
    rows = "".join(f"{n % 2},{n % 2 if n < 6 else 1 - n % 2}\n" for n in range(8))
    names = [f"s{number}.csv" for number in range(sum(seeds))]
    for name in names:
        (tmp_path / name).write_text("label,prediction\n" + rows, encoding="utf-8")
    baseline = [part for name in names[seeds[0] :] for part in ("--baseline", name)]
    command = ("judge", *names[: seeds[0]], *baseline, "--suite", "suite.toml", "--json")
    done = harness(*command, cwd=tmp_path)
    assert done.code == 1, done.out
    found = json.loads(done.out)
    assert [each["verdict"] for each in found["gates"]] == ["not-enough-evidence"]
    assert found["difference"]["standard_error"] > 0
