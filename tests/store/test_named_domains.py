"""Scores on the validation files that a suite names: from the predictions, and checked by them."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from builders.records import make_cell, make_record, predicted_record
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from harness.store.checks.consistency import unlike_predictions
from harness.store.groups import Groups, regrouped, scores_by_domain, with_groups
from harness.store.predictions import PREDICTIONS
from harness.store.records import Record, Scores

NAMES = ("news", "web", "chat")
SIZE = 90


def expected(labels: np.ndarray, given: np.ndarray) -> Scores:
    return Scores(
        mcc=matthews_corrcoef(labels, given),
        accuracy=accuracy_score(labels, given),
        f1=f1_score(labels, given),
    )


def made(seed: int, names: tuple[str, ...] = NAMES) -> tuple[Record, pa.Table, np.ndarray]:
    """Build a run's record and predictions; sentences of the last name are all of class 1."""
    random = np.random.default_rng(seed)
    domains = np.asarray([names[n % len(names)] for n in range(SIZE)], dtype=object)
    labels = np.where(domains == NAMES[-1], 1, random.integers(0, 2, SIZE))
    given = np.where(random.random(SIZE) < 0.3, 1 - labels, labels)
    rows = pa.table(
        {
            "split": ["validation"] * SIZE,
            "idx": np.arange(SIZE),
            "label": labels,
            "domain": list(domains),
            "source": [""] * SIZE,
            "tokens": np.full(SIZE, 7),
            "logit_0": 0.5 - given,
            "logit_1": given - 0.5,
        }
    ).cast(PREDICTIONS)
    record = predicted_record(make_cell(), seed, labels, given[np.newaxis])
    by_domain = {
        name: expected(labels[domains == name], given[domains == name])
        for name in names
        if name not in ("in", "out", "", NAMES[-1])
    }
    return record.model_copy(update={"scores_by_domain": by_domain or None}), rows, domains


@pytest.mark.parametrize("seed", range(4))
def test_the_scores_of_each_name_are_those_of_scikit_learn(seed: int) -> None:
    record, rows, _ = made(seed)
    computed = with_groups(record, rows).scores_by_domain
    assert computed is not None
    assert record.scores_by_domain is not None
    assert list(computed) == ["news", "web"]  # all sentences of chat are of one class
    for name, scores in record.scores_by_domain.items():
        assert computed[name].model_dump() == pytest.approx(scores.model_dump())
    assert unlike_predictions(record, rows) is None


def test_domains_of_cola_keep_their_fields() -> None:
    record, rows, domains = made(5, ("in", "out", ""))
    computed = with_groups(record, rows)
    assert computed.scores_by_domain is None
    for field, name in (("scores_in_domain", "in"), ("scores_out_of_domain", "out")):
        chosen = domains == name
        labels = np.asarray(rows["label"])[chosen]
        given = np.asarray(rows["logit_1"])[chosen] > 0
        assert getattr(computed, field).mcc == pytest.approx(matthews_corrcoef(labels, given))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"news": None}, "scores_by_domain.news.mcc is null, but its predictions give "),
        ({"web": Scores(mcc=0, accuracy=1, f1=0)}, "scores_by_domain.web.mcc is 0, but its"),
        ({"chat": Scores(mcc=0, accuracy=1, f1=1)}, "scores_by_domain.chat.mcc is 0, but its pre"),
        ({"new": Scores(mcc=0, accuracy=1, f1=1)}, "scores_by_domain.new.mcc is 0, but its pred"),
        (None, "scores_by_domain.news.mcc is null, but its predictions give "),
    ],
)
def test_scores_that_the_predictions_do_not_give_are_named(
    changes: dict[str, Any] | None, said: str
) -> None:
    record, rows, _ = made(6)
    scores = None
    if changes is not None:
        both = {**(record.scores_by_domain or {}), **changes}
        scores = {name: each for name, each in both.items() if each is not None}
    edited = record.model_copy(update={"scores_by_domain": scores})
    assert str(unlike_predictions(edited, rows)).startswith(said)


def test_a_record_without_names_does_not_mention_them() -> None:
    record = make_record(make_cell())
    assert record.scores_by_domain is None
    assert "scores_by_domain" not in record.model_dump_json()
    named, _, _ = made(7)
    assert Record.model_validate_json(named.model_dump_json()) == named


def test_other_names_for_the_same_files_are_computed_from_the_logits() -> None:
    record, rows, domains = made(8)
    today = ["paper" if name == "news" else name for name in domains]
    found = regrouped(record, rows, {"validation": Groups(today, [""] * SIZE)})
    assert found is not None
    renamed, table = found
    assert table["domain"].to_pylist() == today
    assert renamed.scores_by_domain is not None
    assert record.scores_by_domain is not None
    assert list(renamed.scores_by_domain) == ["paper", "web"]
    paper, news = renamed.scores_by_domain["paper"], record.scores_by_domain["news"]
    assert paper.model_dump() == pytest.approx(news.model_dump())
    assert unlike_predictions(renamed, table) is None
    assert regrouped(renamed, table, {"validation": Groups(today, [""] * SIZE)}) is None


def test_no_names_give_no_scores() -> None:
    nothing = np.asarray([""] * 4, dtype=object)
    assert scores_by_domain(nothing, np.array([0, 1, 0, 1]), np.array([0, 1, 1, 1])) is None
