"""The errors that docs/study.md and docs/statistics.md give, against other ways to compute them."""

import re
import sys
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

from domains import CELLS, Part, part, parts  # noqa: E402

RESULTS = ROOT / "results" / "cola"


def drawn(publications: int, each: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw labels, one run's predictions, and publications that differ in how hard they are."""
    random = np.random.default_rng(seed)
    sources = np.repeat(np.arange(publications), each)
    labels = random.integers(0, 2, sources.size)
    right = random.random(sources.size) < random.uniform(0.55, 0.95, publications)[sources]
    return labels, np.where(right, labels, 1 - labels)[None], sources


def jackknife(labels: np.ndarray, predictions: np.ndarray, groups: np.ndarray) -> float:
    """Return the error of MCC by leaving out one group at a time (Efron 1982, chapter 3)."""
    left = [
        matthews_corrcoef(labels[groups != group], predictions[0][groups != group])
        for group in np.unique(groups)
    ]
    return sqrt((len(left) - 1) / len(left) * float(((left - np.mean(left)) ** 2).sum()))


@pytest.mark.simulation
@pytest.mark.parametrize("seed", range(4))
def test_both_errors_are_those_of_the_jackknife(seed: int) -> None:
    labels, predictions, sources = drawn(30, 20, seed)
    found = part(labels, predictions, sources)
    assert found.mcc == pytest.approx(matthews_corrcoef(labels, predictions[0]))
    alone = np.arange(labels.size)
    assert found.independent == pytest.approx(jackknife(labels, predictions, alone), rel=0.02)
    assert found.clustered == pytest.approx(jackknife(labels, predictions, sources), rel=0.1)
    # A publication a sentence is no publication at all.
    assert part(labels, predictions, alone).clustered == pytest.approx(found.independent)


def test_the_error_over_publications_is_how_far_studies_lie_apart() -> None:
    studies = [drawn(20, 30, seed) for seed in range(300)]
    found = [part(*study) for study in studies]
    apart = np.std([each.mcc for each in found])
    assert np.mean([each.clustered for each in found]) == pytest.approx(apart, rel=0.1)
    assert np.mean([each.independent for each in found]) < 0.6 * apart


def test_scores_by_domain_are_those_of_the_records() -> None:
    from harness.report import read_published

    published = read_published(RESULTS / "leaderboard.json")
    for cell in CELLS.values():
        found = parts(RESULTS, cell)
        records = [record for record in published.records if record.cell == cell]
        inside = [r.scores_in_domain.mcc for r in records if r.scores_in_domain]
        outside = [r.scores_out_of_domain.mcc for r in records if r.scores_out_of_domain]
        assert found["in"].mcc == pytest.approx(np.mean(inside))
        assert found["out"].mcc == pytest.approx(np.mean(outside))


def ratio(whole: Part) -> float:
    return whole.clustered / whole.independent


def test_the_documents_say_how_much_larger_the_error_over_publications_is() -> None:
    text = " ".join((ROOT / "docs" / "statistics.md").read_text().split())
    said = re.search(
        r"mpnet-base in \[results/cola\]\(study.md\) is ([\d.]+) times, "
        r"that of MiniLM-L6 ([\d.]+) times .*?; "
        r"in \[results/study\]\(study.md\) they are ([\d.]+) times, and ([\d.]+) times",
        text,
    )
    assert said is not None
    study = ROOT / "results" / "study"
    found = [parts(RESULTS, CELLS[name])[""] for name in ("mpnet-base", "MiniLM-L6")]
    found += [parts(study, f"{name}-bs16-lr5e-05")[""] for name in ("mpnet-base", "minilm-l6")]
    assert tuple(f"{ratio(each):.1f}" for each in found) == said.groups()


def test_the_study_says_how_many_errors_a_difference_is() -> None:
    text = (ROOT / "docs" / "study.md").read_text()
    said = re.search(r"would be ([\d.]+) to ([\d.]+) times its error", text)
    assert said is not None
    times = []
    for cell in CELLS.values():
        found = parts(RESULTS, cell)
        error = sqrt(found["in"].independent ** 2 + found["out"].independent ** 2)
        times.append((found["in"].mcc - found["out"].mcc) / error)
    assert (f"{min(times):.1f}", f"{max(times):.1f}") == said.groups()
