"""`harness report --check` sees every change of a published file; no published link is broken."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from builders.commands import ROOT, Done, harness
from builders.records import keep, make_cell, predicted_record
from markdown_it import MarkdownIt

from harness.report import read_published, write_tables
from harness.report.checks.logits import mismatched_predictions

CELLS = [make_cell(learning_rate=rate, seeds=(1, 2)) for rate in (2e-5, 5e-5)]
# A second name for the files of the first: their runs have the same keys, and the same logits.
ALIAS = make_cell("org/alias", seeds=(1, 2))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Published tables of two cells and an alias of the first, two seeds each."""
    folder = tmp_path_factory.mktemp("published") / "sample"
    labels = np.arange(40) % 2
    stored = []
    for place, cell in enumerate([*CELLS, ALIAS]):
        for seed in cell.seeds:
            wrong = np.arange(40) < 4 + seed + place % 2
            given = np.where(wrong, 1 - labels, labels)
            digest = hashlib.sha256(b"org/encoder").hexdigest()
            record = predicted_record(
                cell, seed, labels, given[np.newaxis], checkpoint_digest=digest
            )
            stored.append(keep(folder.with_name("store"), cell, record))
    write_tables(folder, "sample", [*CELLS, ALIAS], stored)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "sample"))


def check(folder: Path) -> Done:
    return harness("report", str(folder), "--check")


def unlike(folder: Path) -> list[str]:
    """Return the lines of a check on predictions alone; the pictures take longer to draw."""
    return mismatched_predictions(folder, read_published(folder / "leaderboard.json"))


def told(done: Done) -> list[str]:
    """Return the lines on what differs."""
    return [line for line in done.out.splitlines() if not line.startswith(("unchanged", "agrees"))]


def rewrite(folder: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    path = folder / "predictions.parquet"
    pq.write_table(change(pq.read_table(path)), path, compression="zstd")


def column(table: pa.Table, name: str, values: object) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(name), pa.array(values, table[name].type))


def of_cell(table: pa.Table, rate_place: int) -> np.ndarray:
    """Return which rows are of the first seed of one of CELLS."""
    keys = list(dict.fromkeys(table["key"].to_pylist()))
    return np.asarray(pc.equal(table["key"], keys[2 * rate_place]))


def flipped(table: pa.Table) -> pa.Table:
    zero, one = table["logit_0"].to_pylist(), table["logit_1"].to_pylist()
    return column(column(table, "logit_0", one), "logit_1", zero)


def a_little_more(table: pa.Table) -> pa.Table:
    """Add to one logit what changes no class."""
    logits = np.asarray(table["logit_1"]).copy()
    row = int(np.flatnonzero(of_cell(table, 1))[0])
    logits[row] += np.float32(1e-3) * (1 if logits[row] > table["logit_0"][row].as_py() else -1)
    return column(table, "logit_1", logits)


def another_source(table: pa.Table) -> pa.Table:
    sources = np.where(of_cell(table, 1), "elsewhere", np.asarray(table["source"]))
    return column(table, "source", sources)


def without_a_source(table: pa.Table) -> pa.Table:
    sources = another_source(table)["source"].to_pylist()
    sources[int(np.flatnonzero(of_cell(table, 1))[0])] = None
    return column(table, "source", sources)


def relabelled(table: pa.Table) -> pa.Table:
    labels = np.asarray(table["label"]).copy()
    chosen = of_cell(table, 1)
    labels[chosen] = 1 - labels[chosen]
    return column(table, "label", labels)


def without_a_run(table: pa.Table) -> pa.Table:
    return table.filter(pa.array(~of_cell(table, 1)))


def without_a_sentence(table: pa.Table) -> pa.Table:
    kept = np.ones(table.num_rows, bool)
    kept[np.flatnonzero(of_cell(table, 1))[3]] = False
    return table.filter(pa.array(kept))


def exchanged(table: pa.Table) -> pa.Table:
    """Give the two cells' first seeds each other's keys."""
    keys = np.asarray(table["key"])
    one, other = keys[of_cell(table, 0)][0], keys[of_cell(table, 1)][0]
    swapped = np.where(keys == one, other, np.where(keys == other, one, keys))
    return column(table, "key", swapped)


def test_what_was_published_passes(folder: Path) -> None:
    done = check(folder)
    assert (done.code, told(done)) == (0, [])
    assert "agrees with the records: " in done.out
    rewrite(folder, lambda table: table)  # the same rows in other bytes
    assert unlike(folder) == []
    rewrite(folder, flipped)
    done = check(folder)
    assert done.code == 1
    assert len(told(done)) == 6
    assert all("predictions.parquet: " in line for line in told(done))


@pytest.mark.sessions
@pytest.mark.parametrize("processor", ["Prescott", "Haswell"])
def test_tables_are_the_same_bytes_with_the_arithmetic_of_other_processors(
    processor: str,
) -> None:
    """OpenBLAS, numpy's matrix products, adds in another order on each kind of processor."""
    command = [sys.executable, "-m", "harness", "report", "results/race-gates", "--check"]
    environment = {**os.environ, "OPENBLAS_CORETYPE": processor}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("change", "runs"),
    [
        (flipped, 6),
        (a_little_more, 1),
        (another_source, 1),
        (without_a_source, 1),
        (relabelled, 1),
        (without_a_run, 1),
        (without_a_sentence, 1),
        (exchanged, 3),  # of the alias as well
    ],
)
def test_a_run_s_changed_predictions_are_a_line_that_names_it(
    folder: Path, change: Callable[[pa.Table], pa.Table], runs: int
) -> None:
    rewrite(folder, change)
    lines = unlike(folder)
    assert len(lines) == runs
    named = {match[0] for line in lines if (match := re.search(r"[\w-]+-bs\S+, seed \d", line))}
    assert len(named) == runs
    if runs == 1:
        assert named == {f"{CELLS[1].id}, seed 1"}
    elsewhere = folder.with_name("elsewhere")
    refused = harness("report", str(folder), "--output", str(elsewhere))
    assert refused.code == 4
    assert all(name in refused.err for name in named)
    assert not elsewhere.exists()


def test_a_submission_is_made_of_no_predictions_but_those_of_the_records(folder: Path) -> None:
    rewrite(folder, a_little_more)
    done = harness("submit", str(folder), "--output", "-")
    assert (done.code, done.out) == (4, "")
    assert f"{CELLS[1].id}, seed 1: its predictions do not have the digest" in done.err


def test_missing_foreign_and_torn_predictions_are_no_pass(folder: Path) -> None:
    path = folder / "predictions.parquet"
    rewrite(folder, lambda table: column(table, "key", ["another"] * table.num_rows))
    lines = unlike(folder)
    assert len(lines) == 7
    assert "key 'another'" in lines[0]
    path.write_bytes(path.read_bytes()[:100])
    assert "cannot be read as Parquet" in unlike(folder)[0]
    pq.write_table(pa.table({"key": ["a"]}), path)
    assert "has other columns" in unlike(folder)[0]
    path.unlink()
    done = check(folder)
    assert done.code == 1
    (line,) = (line for line in told(done) if line.startswith("differs: "))
    assert line.endswith(
        "predictions.parquet: missing, so the predictions of 6 runs cannot be checked"
    )
    assert "as they were published together" in done.err


def test_tables_that_were_made_without_predictions_differ_in_nothing_else(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "json").mkdir()
    shutil.copy(folder / "leaderboard.json", tmp_path / "json")
    alone = tmp_path / "alone"
    assert harness("report", str(tmp_path / "json"), "--output", str(alone)).code == 0
    (line,) = (line for line in told(check(alone)) if line.startswith("differs: "))
    assert "predictions.parquet: missing" in line


def test_predictions_that_pandas_wrote_are_told_by_their_types(folder: Path) -> None:
    path = folder / "predictions.parquet"
    frame = pq.read_table(path).to_pandas()
    frame["label"] = frame["label"].astype(float)
    frame.to_parquet(path)
    (line,) = unlike(folder)
    assert "column label has the type double, expected int8" in line
    assert "other columns" not in line


def test_the_first_row_of_another_label_or_class_is_told(folder: Path) -> None:
    def one_label(table: pa.Table) -> pa.Table:
        labels = np.asarray(table["label"]).copy()
        assert labels[int(np.flatnonzero(of_cell(table, 1))[6])] == 0
        labels[int(np.flatnonzero(of_cell(table, 1))[6])] = 1
        return column(table, "label", labels)

    rewrite(folder, one_label)
    (line,) = unlike(folder)
    assert line.endswith("labels are not the record's: class 1 in validation row 7, the record's 0")
    rewrite(folder, lambda table: flipped(relabelled(table)))
    assert unlike(folder) != []


def test_digests_that_another_pyarrow_makes_incomparable_are_no_pass(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(folder, a_little_more)
    monkeypatch.setattr(pa, "__version__", "1.2.3")  # as if another one were installed
    (line,) = unlike(folder)
    assert f"{CELLS[1].id}, seed 1: its digest cannot be compared" in line
    assert "1.2.3 is installed" in line
    published = harness("report", str(folder), "--output", str(folder.with_name("elsewhere")))
    assert published.code == 0
    assert "its digest cannot be compared" in published.err
    rewrite(folder, flipped)
    assert "contradict its record" in unlike(folder)[0]


def test_runs_that_an_earlier_pyarrow_wrote_are_incomparable_and_not_wrong(folder: Path) -> None:
    rewrite(folder, a_little_more)
    path = folder / "leaderboard.json"
    document = json.loads(path.read_bytes())
    for record in document["records"]:
        record["versions"]["pyarrow"] = "1.2.3"
    path.write_text(json.dumps(document))
    (line,) = unlike(folder)
    assert f"{CELLS[1].id}, seed 1: its digest cannot be compared: pyarrow 1.2.3 wrote" in line


def test_a_changed_row_is_a_line_that_names_file_and_cell(folder: Path) -> None:
    table = folder / "leaderboard.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join([*lines[:2], lines[2].replace(",ok,", ",failed,"), *lines[3:]]))
    document = folder / "leaderboard.json"
    text = document.read_text()
    accuracy = re.search(r'"accuracy": [\d.]+', text)
    assert accuracy is not None
    document.write_text(text.replace(accuracy[0], '"accuracy": 0.99', 1))
    page = folder / "leaderboard.md"
    page.write_text(page.read_text().replace("| pass", "| fail", 1))
    (folder / "settings.png").write_bytes(b"a picture of other cells")
    (folder / "best-of-n.svg").unlink()
    done = check(folder)
    assert done.code == 1
    found = {Path(line.split(": ")[1]).name: line for line in told(done)}
    assert re.search(r"row 2: org/\w+, batch 16, .*status is 'failed'", found["leaderboard.csv"])
    assert re.search(r"row 1: .*accuracy is 0\.99, the records give 0", found["leaderboard.json"])
    line = r"first difference in line \d+: the records give .*\| pass.*, the file has .*\| fail"
    assert re.search(line, found["leaderboard.md"])
    assert found["best-of-n.svg"].endswith("missing")
    assert "settings.png" in found
    assert len(found) == 5


def edit_records(folder: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Edit the records of a leaderboard.json, and leave the tables as they are."""
    path = folder / "leaderboard.json"
    document = json.loads(path.read_bytes())
    change(document["records"])
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def test_edited_evidence_is_not_taken_for_the_truth_about_the_tables(folder: Path) -> None:
    def forge(records: list[dict[str, Any]]) -> None:
        for record in records:
            record["machine"]["processor"] = "Quick CPU"

    edit_records(folder, forge)
    done = check(folder)
    assert done.code == 1
    assert any("leaderboard.md: first difference in line " in line for line in told(done))
    assert "leaderboard.json and the tables disagree: one of them was edited" in done.err
    assert "version control" in done.err
    assert "should be" not in done.out
    assert "if leaderboard.json is the published one, run it without --check" in done.err


def of_another_gate(records: list[dict[str, Any]]) -> None:
    records[1]["threshold"] -= 0.05


def of_no_gate(records: list[dict[str, Any]]) -> None:
    records[1] |= {"threshold": None, "verdict": None}


def of_no_verdict(records: list[dict[str, Any]]) -> None:
    records[1]["verdict"] = None


def of_another_target(records: list[dict[str, Any]]) -> None:
    records[1] |= {"target_mcc": 2.0, "time_to_target_seconds": None}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (of_another_gate, r"its threshold is [\d.]+, its cell's gate is {gate}"),
        (
            of_no_gate,
            "its threshold is null, its cell's gate is {gate}; "
            "its verdict is null, its MCC and its cell's gate give pass",
        ),
        (of_no_verdict, "its verdict is null, its MCC and its cell's gate give pass"),
        (of_another_target, "its target_mcc is 2.0, its cell's target is {target}"),
    ],
)
def test_a_record_of_another_gate_than_its_cell_is_told(
    folder: Path, change: Callable[[list[dict[str, Any]]], None], said: str
) -> None:
    path = folder / "leaderboard.json"
    edit_records(folder, change)
    before = path.read_bytes()
    done = check(folder)
    assert done.code == 1
    target = CELLS[0].target
    wanted = said.format(gate=CELLS[0].threshold, target="null" if target is None else target)
    (line,) = [line for line in told(done) if "records[" in line]
    assert re.fullmatch(
        rf"differs: .*leaderboard\.json: records\[1\]: cell '{CELLS[0].id}', seed 2: {wanted}", line
    )
    assert "version control" in done.err
    assert path.read_bytes() == before


def test_a_record_of_a_cell_without_a_gate_has_no_verdict(tmp_path: Path) -> None:
    cell = make_cell(threshold=None)
    labels = np.arange(40) % 2
    given = np.where(np.arange(40) < 4, 1 - labels, labels)
    record = predicted_record(cell, 0, labels, given[np.newaxis])
    folder = tmp_path / "sample"
    write_tables(folder, "sample", [cell], [keep(tmp_path / "store", cell, record)])
    assert check(folder).code == 0
    edit_records(folder, lambda records: records[0].update(threshold=0.05, verdict="pass"))
    done = check(folder)
    assert done.code == 1
    assert "its threshold is 0.05, its cell's gate is null" in done.out


def test_an_edited_score_is_a_difference_with_both_values(folder: Path) -> None:
    """The advice must not be to train again: that would overwrite what was published."""
    records = json.loads((folder / "leaderboard.json").read_bytes())["records"]
    true = records[2]["scores"]["mcc"]
    edit_records(folder, lambda records: records[2]["scores"].update(mcc=0.987))
    done = check(folder)
    assert done.code == 1
    (line,) = told(done)
    assert "leaderboard.json: records[2]: " in line
    assert f"0.987000, but its classes give {true:.6f}" in line
    assert "version control" in done.err
    assert "pytest benchmarks/" not in done.out + done.err
    assert harness("report", str(folder)).code == 4


def other_white_space(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=4)


def other_order(content: dict[str, Any]) -> str:
    return json.dumps({name: content[name] for name in reversed(content)})


@pytest.mark.parametrize("written", [other_white_space, other_order])
def test_the_same_data_in_another_form_are_told_as_the_same(
    folder: Path, written: Callable[[dict[str, Any]], str]
) -> None:
    path = folder / "leaderboard.json"
    published = path.read_bytes()
    path.write_text(written(json.loads(published)), encoding="utf-8")
    table = folder / "leaderboard.csv"
    table.write_bytes(table.read_bytes().replace(b"\n", b"\r\n"))
    done = check(folder)
    assert done.code == 1
    same = "the same data, but not byte for byte what the records give"
    assert sorted(line.partition(": ")[2] for line in told(done)) == [
        f"{os.path.relpath(table)}: {same} (other line ends)",
        f"{os.path.relpath(path)}: {same} (other white space, order of keys, or notation of "
        "numbers or text)",
    ]
    assert "no data differ" in done.err
    assert "was edited" not in done.err
    assert harness("report", str(folder)).code == 0
    assert path.read_bytes() == published
    assert check(folder).code == 0


def test_other_data_are_named_with_their_place_and_both_values_in_any_form(folder: Path) -> None:
    path = folder / "leaderboard.json"
    content = json.loads(path.read_bytes())
    detectable, row = content["detectable_rows"], content["rows"][0]
    seeds, mcc = detectable[0]["seeds"], row["mcc"]
    detectable[0]["seeds"], row["mcc"] = seeds + 40, 0.987
    path.write_text(other_white_space(content), encoding="utf-8")
    done = check(folder)
    assert done.code == 1
    first, second = told(done)
    assert f"mcc is 0.987, the records give {mcc!r}" in first
    assert f"detectable_rows[0].seeds is {seeds + 40}, the records give {seeds}" in second
    assert "was edited" in done.err
    del detectable[0]
    path.write_text(other_white_space(content), encoding="utf-8")
    count = len(detectable)
    shorter = f"detectable_rows has {count} entries, the records give {count + 1}"
    assert any(shorter in line for line in told(check(folder)))


def test_a_damaged_leaderboard_is_not_to_be_overwritten_by_who_checks_it(folder: Path) -> None:
    edit_records(folder, lambda records: records[2].update(seed="two"))
    done = check(folder)
    assert done.code == 4
    assert "as it was published, from version control" in done.err
    assert "pytest benchmarks/" not in done.err


def test_a_record_that_was_removed_from_the_evidence_is_told_first(folder: Path) -> None:
    keys = [
        record["key"]
        for record in json.loads((folder / "leaderboard.json").read_bytes())["records"]
    ]
    edit_records(folder, lambda records: records.pop(3))
    done = check(folder)
    assert done.code == 1
    first = done.out.splitlines()[0]
    assert "predictions.parquet: has predictions of a run of which leaderboard.json has no" in first
    assert f"key {keys[3]!r}" in first
    assert "without --check" not in done.err
    assert harness("report", str(folder)).code == 4


@pytest.mark.parametrize(
    ("words", "others"), [("millions of parameters", "millions of weights"), ("0.", "-0.")]
)
def test_tables_that_differ_are_written_again_only_by_who_trusts_the_evidence(
    folder: Path, words: str, others: str
) -> None:
    path = folder / "leaderboard.md"
    path.write_text(path.read_text().replace(words, others))
    done = check(folder)
    assert done.code == 1
    assert "one of them was edited, or different versions made them" in done.err
    assert "if leaderboard.json is the published one, run it without --check" in done.err


def test_a_picture_that_the_records_do_not_have_is_told(tmp_path: Path) -> None:
    cell = make_cell()
    write_tables(tmp_path, "sample", [cell], [])
    assert check(tmp_path).code == 0
    (tmp_path / "settings.svg").write_text("of an earlier matrix")
    done = check(tmp_path)
    assert done.code == 1
    assert told(done)[0].endswith("settings.svg: not made from these records")


class _Links(HTMLParser):
    """Collects what a page links to or shows."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("href", "src") and value]


def links(folder: Path) -> set[str]:
    """Return every file that leaderboard.md and leaderboard.html lead to."""
    parser = _Links()
    parser.feed((folder / "leaderboard.html").read_text(encoding="utf-8"))
    text = (folder / "leaderboard.md").read_text(encoding="utf-8")
    rendered = MarkdownIt("commonmark").enable("table").render(text)
    of_text = _Links()
    of_text.feed(rendered)
    found = {*parser.found, *of_text.found}
    return {link for link in found if not link.startswith(("#", "data:", "https://"))}


@pytest.mark.parametrize("published", ["cola", "quickstart"])
def test_no_link_of_what_is_committed_is_broken(published: str) -> None:
    folder = ROOT / "results" / published
    named = links(folder)
    assert {"leaderboard.csv", "leaderboard.json", "predictions.parquet"} < named
    assert [link for link in named if not (folder / link).is_file()] == []


def test_no_link_is_broken_whatever_is_published(folder: Path, tmp_path: Path) -> None:
    whole, alone, bare = (tmp_path / name for name in ("whole", "alone", "bare"))
    assert harness("report", str(folder), "--output", str(whole)).code == 0
    (folder / "leaderboard.json").rename(tmp_path / "downloaded.json")
    done = harness("report", str(tmp_path / "downloaded.json"), "--output", str(alone))
    assert done.code == 0
    assert "predictions.parquet: missing, and not written" in done.err
    write_tables(bare, "sample", [make_cell()], [])
    for place in (whole, alone, bare):
        assert [link for link in links(place) if not (place / link).is_file()] == [], place
    assert "predictions.parquet" in links(whole)
    assert "predictions.parquet" not in links(alone)
    assert check(alone).code == 1  # its records hold digests of predictions that are not there
    # Put beside it, they are linked again.
    shutil.copy(whole / "predictions.parquet", alone)
    assert harness("report", str(alone)).code == 0
    assert check(alone).code == 0
    assert "predictions.parquet" in links(alone)
