"""What is said below a leaderboard's table follows from its records, and claims no more."""

import re
from collections.abc import Sequence

import numpy as np
from builders.records import make_cell, make_record, predicted_record
from sklearn.metrics import matthews_corrcoef

from harness.report import publish, render
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.suite.spec import TrainingSpec

LABELS = np.random.default_rng(5).integers(0, 2, 400)


def classes(seed: int, errors: float) -> np.ndarray:
    """Return (sentences,): the labels with about that share of errors."""
    wrong = np.random.default_rng(seed).random(len(LABELS)) < errors
    return np.where(wrong, 1 - LABELS, LABELS)


def document(cells: Sequence[Cell], records: Sequence[Record]) -> str:
    return render(publish("sample", cells, records))["leaderboard.md"].decode()


def runs(cell: Cell, errors: float) -> list[Record]:
    return [
        predicted_record(cell, seed, LABELS, classes(seed, errors)[None]) for seed in cell.seeds
    ]


def test_where_the_last_epoch_counts_no_epoch_is_chosen() -> None:
    cells = [make_cell("org/a"), make_cell("org/b")]
    good, last = classes(1, 0.05), classes(2, 0.4)
    records = []
    for cell in cells:
        record = predicted_record(cell, 0, LABELS, np.stack([good, last]))
        changes = {
            "training": TrainingSpec(selection="last-epoch"),
            "selected_epoch": 2,
            "scores": record.epochs[1].scores,
        }
        records.append(record.model_copy(update=changes))
    adjusted = re.search(r"many such splits is (\S+): choosing", document(cells, records))
    assert adjusted is not None
    # Two equal cells: whichever wins has what every half's last epoch has, give or take a half.
    assert abs(float(adjusted[1]) - matthews_corrcoef(LABELS, last)) < 0.01


def test_pairs_that_cannot_be_compared_are_not_corrected_for() -> None:
    cells = [make_cell(name, seeds=(0, 1)) for name in ("org/a", "org/b", "org/old")]
    records = runs(cells[0], 0.1) + runs(cells[1], 0.3)
    text = document(cells[:2], records)
    assert "corrected for" in text
    assert "are corrected for" not in text
    old = [make_record(cells[2], seed) for seed in (0, 1)]
    assert "are corrected for" not in document(cells, records + old)
    text = document(cells, records + runs(cells[2], 0.2))
    assert "p-values are corrected for 3 comparisons" in text
    assert text.count(", corrected for 3 comparisons)") == 3


def test_verdicts_from_one_seed_say_that_they_are_of_these_runs() -> None:
    for seeds, told in (((0,), True), ((0, 1), False)):
        cells = [make_cell(name, seeds=seeds) for name in ("org/a", "org/b")]
        text = document(cells, runs(cells[0], 0.1) + runs(cells[1], 0.3))
        assert ("another seed may reverse it" in text) is told


def test_no_difference_has_no_sign_of_its_own() -> None:
    cells = [make_cell(name, seeds=(0, 1)) for name in ("org/a", "org/b")]
    text = document(cells, runs(cells[0], 0.1) + runs(cells[1], 0.1))
    assert text.count("no difference shown (+0.000, p = 1)") == 2
