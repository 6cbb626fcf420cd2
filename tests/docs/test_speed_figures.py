"""What `make speed` writes: figures of other invocations stay, and a missed bound is said."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))

import beside  # noqa: E402
import speed  # noqa: E402
import startup  # noqa: E402


def measured(
    quiet: float, busy: float, other_programs: float | None = 0.0, cores: int = 2
) -> dict[str, Any]:
    """Return figures of three rounds in which a thread a core takes 10 s on the quiet machine."""
    seconds = {
        "quiet": {way.name: [10.0, 10.0, 10.0] for way in beside.WAYS},
        "beside": {way.name: [30.0, 60.0, 90.0] for way in beside.WAYS},
    }
    seconds["quiet"][beside.HARNESS.name] = [10 * quiet, 10 * quiet - 1, 10 * quiet + 5]
    seconds["beside"][beside.HARNESS.name] = [10 * busy, 10 * busy - 1, 10 * busy + 5]
    return {
        "checkpoint": "package:a/model",
        "sentences": 64,
        "epochs": 3,
        "seconds": seconds,
        "other_programs": other_programs,
        "machine": {"processor": "Example CPU", "cores": cores},
        "versions": {},
        "commit": None,
    }


def test_the_published_page_is_that_of_the_published_figures() -> None:
    figures = json.loads((ROOT / "results" / "speed" / "speed.json").read_bytes())
    assert speed.describe(figures) == (ROOT / "results" / "speed" / "speed.md").read_text()


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
    assert "not quiet" not in written
    assert "2 cores (Example CPU)" in written


@pytest.mark.parametrize("load", [None, 0.4])
def test_a_machine_that_was_not_quiet_is_said(load: float | None) -> None:
    assert "**The machine was not quiet**" in beside.describe(measured(1.0, 1.0, load))


def test_median_and_range_of_the_pairs_are_in_the_table() -> None:
    rows = beside.describe(measured(1.2, 1.5)).splitlines()
    (row,) = [row for row in rows if "quiet machine" in row and "the harness" in row]
    assert [cell.strip() for cell in row.split("|")[3:6]] == ["1.20", "1.10", "1.70"]


def test_figures_of_other_invocations_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "RESULTS", tmp_path / "local")
    published = json.loads((ROOT / "results" / "speed" / "speed.json").read_bytes())
    speed.save({"beside": measured(1.0, 1.0)}, "cpu")
    speed.save({"tutorial_over_harness": 3.0}, "cpu")
    kept = json.loads((tmp_path / "local" / "speed.json").read_bytes())
    assert kept["beside"]["seconds"] == measured(1.0, 1.0)["seconds"]
    assert kept["ladders"] == published["ladders"]
    assert kept["tutorial_over_harness"] == 3.0
    page = (tmp_path / "local" / "speed.md").read_text()
    assert "## Beside a busy program" in page
    assert "| all-MiniLM-L6 | fast-dropout" in page


def test_the_first_figures_of_a_device_stand_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "RESULTS", tmp_path / "local")
    monkeypatch.setattr(speed, "PUBLISHED", tmp_path / "published")
    speed.save({"beside": measured(1.0, 1.0)}, "cpu")
    assert json.loads((tmp_path / "local" / "speed.json").read_bytes()).keys() == {"beside"}


@pytest.mark.parametrize(("milliseconds", "verdict"), [(9, "within"), (11, "OVER")])
def test_what_the_wheel_adds_to_a_start_is_judged_by_paired_differences(
    milliseconds: int, verdict: str
) -> None:
    """Rounds differ by far more than the bound, as they do on a busy machine."""
    rounds = [0.3 + number / 10 for number in range(20)]
    own = {startup.PYTEST: 0.0, startup.ASKED_FOR: 0.1, startup.WHEEL: 0.1 + milliseconds / 1000}
    written = startup.describe({n: [(r + 1, r + more) for r in rounds] for n, more in own.items()})
    assert f"processor time is {verdict} the bound" in written
    assert f"{milliseconds}.0 (+{milliseconds}.0 to +{milliseconds}.0)" in written
