"""A label that misspells a class name has a hint; one that means another class has none."""

import pytest

from harness.suite.class_names import likely_name


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("unacceptable", "acceptable"),
        ("incorrect", "correct"),
        ("ungrammatical", "grammatical"),
        ("not_spam", "spam"),
        ("not spam", "spam"),
        ("atypical", "typical"),
        ("is incorrect", "is correct"),
        ("decrease", "increase"),
        ("external", "internal"),
        ("maximum", "minimum"),
        ("harmless", "harmful"),
        ("questioned", "question"),
        ("topic1", "topic2"),
        ("topic 1", "topic 2"),
        ("cat", "car"),
    ],
)
def test_a_label_that_means_another_class_has_no_hint(label: str, name: str) -> None:
    assert likely_name(label, ["something else", name]) is None
    assert likely_name(name, ["something else", label]) is None


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("acceptble", "acceptable"),
        ("acceptalbe", "acceptable"),
        ("accptble", "acceptable"),
        ("Acceptable", "acceptable"),
        ("un-acceptable", "unacceptable"),
        ("incorect", "incorrect"),
        ("not-entailment", "not_entailment"),
        ("Not Entailmnt", "not_entailment"),
        ("verygood", "very good"),
        ("sports", "sport"),
        ("god", "good"),
    ],
)
def test_a_misspelt_class_name_has_a_hint_beside_its_opposite(label: str, name: str) -> None:
    others = ["ungrammatical", "correct", "entailment", "bad"]
    assert likely_name(label, [*others, name]) == name
    assert likely_name(label, others) is None


def test_a_label_that_is_as_near_to_two_names_has_no_hint() -> None:
    assert likely_name("employe", ["employee", "employer"]) is None
    assert likely_name("employeee", ["employee", "employer"]) == "employee"
