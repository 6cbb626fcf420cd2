"""What `make speed` writes: what is too noisy is no number, and other forms' figures stay."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.machine import provenance

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from speed import __main__ as speed
from speed import beside, paired, sections
from speed.disturbance import Disturbance
from speed.sections import Compared, Measurement

ROOT = Path(__file__).parents[2]
CALM, BUSY = Disturbance(0.02, 0.0), Disturbance(1.26, 0.31)


def figures(first: list[float | None], second: list[float], second_is: Disturbance = CALM) -> Any:
    """Return a section of one ratio, as read from its file."""
    measured = {
        "slow": [Measurement(seconds, CALM) for seconds in first],
        "fast": [Measurement(seconds, second_is) for seconds in second],
    }
    found = sections.section("About.", measured, {"a": Compared("slow / fast", "slow", "fast")})
    return json.loads(json.dumps(found, allow_nan=False))


def row_of(page: str, what: str) -> list[str]:
    """Return the cells of the only table row that begins with a text."""
    (row,) = [line for line in page.splitlines() if line.startswith(f"| {what}")]
    return [cell.strip() for cell in row.split("|")[1:-1]]


def measured(
    quiet: float, busy: float, others: float | None = 0.0, cores: int = 2
) -> dict[str, Any]:
    """Return figures of three rounds in which a thread a core takes 10 s on the quiet machine."""
    seconds = {
        "quiet": {way.name: [10.0, 10.0, 10.0] for way in beside.WAYS},
        "beside": {way.name: [59.0, 60.0, 62.0] for way in beside.WAYS},
    }
    seconds["quiet"][beside.HARNESS.name] = [10 * quiet, 9.95 * quiet, 10.1 * quiet]
    seconds["beside"][beside.HARNESS.name] = [10 * busy, 9.95 * busy, 10.1 * busy]
    return {
        "checkpoint": "package:a/model",
        "sentences": 64,
        "epochs": 3,
        "seconds": seconds,
        "disturbances": [{"others": others, "stolen": 0.0}] * 6,
        **sections.conditions(),
        "machine": {"processor": "Example CPU", "cores": cores, "accelerator": None},
    }


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder to which figures are saved."""
    monkeypatch.setattr(speed, "RESULTS", tmp_path / "local")
    monkeypatch.setattr(provenance, "device_type", lambda: "cpu")
    return tmp_path / "local"


@pytest.mark.parametrize("name", ["speed", "short"])
def test_the_published_page_is_that_of_the_published_figures(name: str) -> None:
    published = json.loads((ROOT / "results" / "speed" / f"{name}.json").read_bytes())
    assert published["version"] == speed.VERSION
    page = (ROOT / "results" / "speed" / f"{name}.md").read_text()
    assert speed.describe(published["sections"]) == page
    for section in published["sections"].values():
        for ratio in section.get("ratios", {}).values():
            again = paired.from_pairs(ratio["pairs"])
            assert (ratio["ratio"], ratio["why"]) == (again.ratio, again.why)


def test_a_ratio_is_in_file_and_table_with_interval_pairs_and_conditions() -> None:
    found = figures([44.0, 45.0, 44.2], [20.0, 20.1, 20.2])
    ratio = found["ratios"]["a"]
    pairs = [44.0 / 20.0, 45.0 / 20.1, 44.2 / 20.2]
    assert ratio["pairs"] == pytest.approx(pairs)
    assert ratio["ratio"] == pytest.approx(np.median(pairs))
    assert found["measured"]["fast"][2] == {"seconds": 20.2, "others": 0.02, "stolen": 0.0}
    assert found["versions"]["torch"]
    page = sections.describe("Title", found)
    interval = f"{ratio['low']:.2f} to {ratio['high']:.2f}"
    assert row_of(page, "slow / fast") == ["slow / fast", "2.20", interval, "3", "quiet"]
    assert f"{provenance.available_cores()} cores" in page
    assert f"at commit {provenance.commit()}" in page


def test_what_is_too_noisy_or_impossible_is_null_and_no_number_in_the_table() -> None:
    for first, pairs in (
        ([-7.0, 44.0, 44.0], [None, 2.2, 2.2]),
        ([22.0, 44.0, 88.0], [1.1, 2.2, 4.4]),
    ):
        found = figures(list(first), [20.0, 20.0, 20.0])
        ratio = found["ratios"]["a"]
        assert (ratio["ratio"], ratio["low"], ratio["high"]) == (None, None, None)
        assert ratio["pairs"] == pairs
        _, median, interval, _, _ = row_of(sections.describe("Title", found), "slow / fast")
        assert median == f"not measured: {ratio['why']}"
        assert median.startswith("not measured: too noisy")
        assert interval == ""


def test_what_a_commit_does_not_record_is_not_called_noise() -> None:
    found = figures([None, None], [20.0, 20.1])
    assert found["measured"]["slow"][0]["seconds"] is None
    assert found["ratios"]["a"]["ratio"] is None
    _, median, *_ = row_of(sections.describe("Title", found), "slow / fast")
    assert median == "not measured: not recorded in 2 of 2 rounds"


def test_a_disturbed_measurement_is_said_in_its_row() -> None:
    page = sections.describe("Title", figures([44.0, 44.1], [20.0, 20.1], BUSY))
    *_, meanwhile = row_of(page, "slow / fast")
    assert meanwhile == "**disturbed** in 2 of 4: up to others 1.3, stolen 0.3 cores"


@pytest.mark.parametrize(
    ("cores", "share"),
    [(1, 2.0), (2, 2 / 1.5), (4, 4 / 3.5)],  # a busy program has half of one core
)
def test_a_fair_share_is_all_cores_but_half_of_one(cores: int, share: float) -> None:
    assert beside.fair_share(cores) == pytest.approx(share)
    (_, value, _), _ = beside.bounds(measured(1.0, busy=share, cores=cores))
    assert value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("quiet", "busy", "missed"),
    [(1.02, 1.7, 0), (1.04, 1.7, 1), (1.02, 1.8, 1), (1.5, 3.0, 2), (0.9, 1.2, 0)],
)
def test_a_missed_bound_is_said(quiet: float, busy: float, missed: int) -> None:
    written = beside.describe(measured(quiet, busy))
    assert written.count("over the bound") == missed
    assert written.count("within the bound") == 2 - missed
    assert "disturbed" not in written
    assert "2 cores (Example CPU)" in written


def test_a_bound_that_noise_hides_is_neither_met_nor_missed() -> None:
    noisy = measured(1.0, 1.0)
    noisy["seconds"]["quiet"][beside.HARNESS.name] = [8.0, 10.0, 13.0]
    written = beside.describe(noisy)
    assert "- on a quiet machine, over a thread a core's time: not measured" in written
    assert "over the bound" not in written


@pytest.mark.parametrize(("load", "said"), [(None, "unknown"), (0.4, "**disturbed** in 6 of 6")])
def test_a_machine_that_was_not_quiet_is_said(load: float | None, said: str) -> None:
    assert f"without that busy program: {said}" in beside.describe(measured(1.0, 1.0, load))


def test_figures_of_other_invocations_stay(results: Path) -> None:
    published = json.loads((ROOT / "results" / "speed" / "speed.json").read_bytes())["sections"]
    speed.save({"beside": measured(1.0, 1.0)}, "speed")
    speed.save({"matrix": figures([44.0, 44.1], [20.0, 20.1])}, "speed")
    kept = json.loads((results / "speed.json").read_bytes())["sections"]
    assert kept["beside"]["seconds"] == measured(1.0, 1.0)["seconds"]
    assert kept["ladders"] == published["ladders"]
    assert kept["matrix"]["ratios"]["a"]["what"] == "slow / fast"
    page = (results / "speed.md").read_text()
    assert "## Beside a busy program" in page
    assert "| all-MiniLM-L6, none / up to fast-dropout" in page


def test_the_short_form_leaves_the_full_one_as_it_is(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "PUBLISHED", tmp_path / "published")  # none
    speed.save({"matrix": figures([44.0, 44.1], [20.0, 20.1])}, "speed")
    before = (results / "speed.json").read_bytes(), (results / "speed.md").read_bytes()
    speed.save({"short": figures([4.0, 4.1], [2.0, 2.1])}, "short")
    assert before == ((results / "speed.json").read_bytes(), (results / "speed.md").read_bytes())
    assert json.loads((results / "short.json").read_bytes())["sections"].keys() == {"short"}


def test_the_first_figures_of_a_device_stand_alone(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "device_type", lambda: "cuda")
    speed.save({"beside": measured(1.0, 1.0)}, "speed")
    kept = json.loads((results / "speed-cuda.json").read_bytes())
    assert kept["sections"].keys() == {"beside"}


def test_files_of_single_measurements_are_not_mixed_with_today_s(results: Path) -> None:
    results.mkdir()
    (results / "short.json").write_text(json.dumps({"tutorial_over_harness": 3.61}))
    speed.save({"short": figures([4.0, 4.1], [2.0, 2.1])}, "short")
    assert "3.61" not in (results / "short.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--against", "HEAD~1"], "add --short"),
        (["--short", "--only", "beside"], "leave out --short"),
        (["--growth"], "add --against REV"),
        (["--growth", "--short", "--against", "HEAD~1"], "leave out one"),
        (["--growth", "--against", "HEAD~1", "--only", "beside"], "leave out --growth"),
        (["--only", "everything"], "invalid choice: 'everything'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        speed.main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
