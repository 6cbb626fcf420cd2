"""Repeated sentences: counts against pandas, splits that cut no copies, drop and refuse."""

import itertools
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders.own_files import problems_of
from builders.waiting import UNREACHABLE
from datasets import ClassLabel, Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import matthews_corrcoef

from harness.inputs import data
from harness.inputs.data import repeats
from harness.inputs.data.drawing import draw, linked
from harness.inputs.data.repeats import count, near, texts_of
from harness.inputs.data.repeats.splitting import kept_together
from harness.inputs.data.repeats.texts import normalised
from harness.inputs.data.rows import Rows
from harness.inputs.duplicates import Duplicates, Overlap, near_in_words, notes
from harness.stats.label_limit import highest_mcc
from harness.suite.spec import DatasetSpec

WORDS = ("cat", "dog", "sees", "the", "a")
FORMS = (str, str.upper, lambda text: f" {text} ", lambda text: text.replace(" ", ", ") + "!")

ROWS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join),
        st.sampled_from(FORMS),
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=12,
).map(lambda rows: pd.DataFrame([(form(text), label) for text, form, label in rows]))


def rows_of(frame: pd.DataFrame) -> Rows:
    size = len(frame)
    return Rows(list(frame[0]), list(frame[1]), range(size), [""] * size, [""] * size)


def rows_of_texts(texts: Sequence[str], sources: Sequence[str] | None = None) -> Rows:
    blank = [""] * len(texts)
    return Rows(texts, [0] * len(texts), range(len(texts)), sources or blank, blank)


def counted(frames: Mapping[str, pd.DataFrame], classes: int = 2) -> Duplicates:
    splits = {name: rows_of(frame) for name, frame in frames.items()}
    return count(splits, texts_of(splits), classes)


def plain(text: str) -> str:
    """Normalise ASCII text in another way than the code."""
    return " ".join(re.findall(r"\w+", text.lower()))


def one_word_apart(one: str, other: str) -> bool:
    """Compute by definition whether one word is replaced, added or removed."""
    a, b = sorted((one.split(), other.split()), key=len)
    if len(a) == len(b):
        return sum(x != y for x, y in zip(a, b, strict=True)) == 1
    return a in [b[:n] + b[n + 1 :] for n in range(len(b))]


def by_pandas(frames: Mapping[str, pd.DataFrame], split: str, other: str) -> Overlap:
    one, two = frames[split], frames[other]
    found: list[int] = []
    for texts, known in ((one[0], two[0]), (one[0].map(plain), two[0].map(plain))):
        labels = two[1].groupby(known).agg(set)
        if split == other:
            found += [int((texts.value_counts() > 1).sum()), int((labels.map(len) > 1).sum())]
        else:
            shared = texts.isin(known)
            relabelled = [
                bool(labels.get(text, set()) - {label})
                for text, label in zip(texts, one[1], strict=True)
            ]
            found += [int(shared.sum()), sum(relabelled)]
    others = two[0].map(plain).unique()
    close = one[0].map(plain).map(lambda text: any(one_word_apart(text, each) for each in others))
    return Overlap(
        split=split,
        other=other,
        sentences=len(one),
        verbatim=found[0],
        verbatim_labels=found[1],
        normalised=found[2],
        normalised_labels=found[3],
        near=int(close.sum()),
    )


@settings(max_examples=60, deadline=None)
@given(train=ROWS, validation=ROWS, test=ROWS)
def test_counts_are_those_of_an_independent_reading(
    train: pd.DataFrame, validation: pd.DataFrame, test: pd.DataFrame
) -> None:
    frames = {"train": train, "validation": validation, "test": test}
    pairs = [(name, name) for name in frames]
    pairs += [("validation", "train"), ("test", "train"), ("test", "validation")]
    assert counted(frames).overlaps == tuple(by_pandas(frames, *pair) for pair in pairs)


def unique_frame(rng: np.random.Generator, size: int) -> pd.DataFrame:
    """Draw sentences of three numbers, no two equal or one word apart."""
    numbers = random.Random(int(rng.integers(10**9))).sample(range(0, 10**6, 5), size)
    texts = [f"The {n} of {n + 1} is {n + 2}." for n in numbers]
    return pd.DataFrame({0: texts, 1: [n % 2 for n in numbers]})


def test_nothing_is_found_in_a_thousand_draws_without_repeats() -> None:
    rng = np.random.default_rng(0)
    for _ in range(1000):
        frame = unique_frame(rng, 30)
        found = counted({"train": frame[:20], "validation": frame[20:]})
        assert not any(each.verbatim or each.normalised or each.near for each in found.overlaps)
        assert not list(notes(found))
        assert near_in_words(found) == "sentences one word apart: none"


@pytest.mark.parametrize("planted", [1, 3, 10])
@pytest.mark.parametrize("form", [str, str.swapcase, lambda text: f'"{text.strip(".")}" ...'])
def test_planted_copies_are_counted(planted: int, form: Any) -> None:
    frame = unique_frame(np.random.default_rng(planted), 60)
    copies = frame[:planted].copy()
    copies[0] = copies[0].map(form)
    found = counted({"train": frame[:40], "validation": pd.concat([frame[40:], copies])})
    (between,) = (each for each in found.overlaps if not each.within)
    assert between.normalised == planted
    assert between.verbatim == (planted if form is str else 0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße, oder?", "STRASSE ODER"),
        ("Ещё раз!", "ещё — раз"),
        ("«Très bien»", "tre\u0300s bien"),
        ("well-known fact", "Well known\u00a0fact."),
        ("wait…", "Wait"),
    ],
)
def test_case_punctuation_and_blanks_are_ignored_in_any_language(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"), [("?!", "..."), ("+1", "-1"), ("की", "के"), ("5 €", "5 $"), ("ab", "a b")]
)
def test_other_differences_count(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_text_is_normalised_as_any_other(text: str) -> None:
    words = any(not c.isspace() and unicodedata.category(c)[0] != "P" for c in text)
    assert normalised(f"{text} ö") == (f"{normalised(text)} ö" if words else "ö")


def test_equal_hashes_are_not_equal_texts() -> None:
    class Colliding(str):
        __slots__ = ()

        def __hash__(self) -> int:
            return 1

    frame = pd.DataFrame({0: [Colliding(n) for n in "abca"], 1: 0})
    (overlap,) = counted({"train": frame}).overlaps
    assert overlap.verbatim == 1


def test_hidden_labels_have_no_count() -> None:
    frame = unique_frame(np.random.default_rng(0), 8)
    found = counted({"train": frame, "test": frame.replace({1: {0: -1, 1: -1}})})
    assert [each.verbatim_labels for each in found.overlaps] == [0, None, None]
    assert found.overlaps[2].verbatim == 8


def test_too_many_words_leave_near_neighbours_uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near, "MOST_WORDS", 10)
    found = counted({"train": pd.DataFrame({0: ["one two three"] * 3 + ["a b"], 1: 0})})
    assert found.overlaps[0].near == 0  # five different words
    found = counted({"train": pd.DataFrame({0: ["1 2 3 4 5 6", "7 8 9 10 11"], 1: 0})})
    assert found.overlaps[0].near is None
    assert "not counted" in near_in_words(found)


def test_words_are_not_split_where_blanks_show_that_there_are_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repeats, "MOST_WORDS", 3)
    for text, counted_ in (("a b c d", True), ("a b c d e", False)):
        found = counted({"train": pd.DataFrame({0: [text] * 3, 1: 0})})
        assert (found.overlaps[0].near is not None) == counted_


# The highest MCC


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), min_size=2, max_size=14))
def test_the_limit_is_the_best_of_all_classifiers(rows: list[tuple[int, int]]) -> None:
    texts, labels = map(np.array, zip(*rows, strict=True))
    if len(set(labels)) < 2:
        return
    best = max(
        matthews_corrcoef(labels, np.array(answers)[texts])
        for answers in itertools.product((0, 1), repeat=4)
    )
    assert highest_mcc(labels, texts) == pytest.approx(best, abs=1e-12)


def test_a_limit_is_of_labelled_splits_with_two_labels_for_a_text() -> None:
    frame = pd.DataFrame({0: [*"abcdefgh", "a"], 1: [0, 1] * 4 + [1]})
    found = counted({"train": frame, "validation": frame, "test": frame[:8]})
    expected = matthews_corrcoef(frame[1], [0, 1] * 4 + [0])
    (limit,) = found.limits
    assert limit.split == "validation"
    assert limit.mcc == pytest.approx(expected)
    assert f"validation MCC above {expected:.3f}" in list(notes(found))[-1]
    assert counted({"train": frame, "validation": frame}, classes=3).limits == ()


# Splits


def in_sources(texts: Sequence[str], sources: Sequence[str]) -> Rows:
    return replace(rows_of_texts(texts), source=sources)


def test_copies_and_groups_that_share_rows_are_undivided() -> None:
    found = linked(in_sources(["a b", "c", "A b!", "d", "e", "f"], [*"xxyzyz"]))
    assert len(set(found[[0, 1, 2, 4]])) == 1
    assert found[3] == found[5] != found[0]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12))
def test_rows_are_linked_by_the_transitive_closure(pairs: list[tuple[int, int]]) -> None:
    one, other = (np.array(each) for each in zip(*pairs, strict=True))
    same = (one[:, None] == one) | (other[:, None] == other)
    for _ in pairs:
        same = same @ same
    found = linked(in_sources([f"s{each}" for each in one], [f"g{each}" for each in other]))
    assert ((found[:, None] == found) == same).all()


def plain_draw(labels: Sequence[int], spec: DatasetSpec) -> dict[str, list[int]]:
    """Split with `datasets` alone."""
    rest = Dataset.from_dict({"label": labels, "row": range(len(labels))})
    rest = rest.cast_column("label", ClassLabel(names=list(spec.class_names)))
    found = {}
    for name, size in (("test", spec.test_size), ("validation", spec.validation_size)):
        if size:
            halves = rest.train_test_split(size, seed=spec.split_seed, stratify_by_column="label")
            rest, found[name] = halves["train"], halves["test"]["row"][:]
    return {**found, "train": rest["row"][:]}


@pytest.mark.parametrize("seed", range(5))
def test_a_file_without_repeats_is_split_as_before(seed: int) -> None:
    spec = DatasetSpec(
        source="file", path="x.csv", validation_size=10, test_size=12, split_seed=seed
    )
    frame = unique_frame(np.random.default_rng(seed), 100)
    groups = linked(rows_of(frame))
    labels = frame[1].tolist()
    assert draw(labels, spec, "x.csv", groups=groups) == plain_draw(labels, spec)


def with_copies(seed: int, size: int = 100) -> tuple[list[str], list[int]]:
    """Draw sentences of which a fifth are copies, some of another case or label."""
    rng = np.random.default_rng(seed)
    frame = unique_frame(rng, size - size // 5)
    copies = frame.sample(size // 5, replace=True, random_state=seed)
    texts = [*frame[0], *(text.upper() if n % 3 else text for n, text in enumerate(copies[0]))]
    labels = [*frame[1], *(int(label) ^ (n % 7 == 0) for n, label in enumerate(copies[1]))]
    order = rng.permutation(len(texts))
    return [texts[n] for n in order], [labels[n] for n in order]


@pytest.mark.parametrize("seed", range(8))
def test_a_drawn_split_cuts_no_copies(seed: int) -> None:
    spec = DatasetSpec(
        source="file", path="x.csv", validation_size=15, test_size=10, split_seed=seed
    )
    texts, labels = with_copies(seed)
    before = plain_draw(labels, spec)
    found = draw(labels, spec, "x.csv", groups=linked(rows_of_texts(texts)))
    sides = {name: {plain(texts[row]) for row in rows} for name, rows in found.items()}
    assert not any(a & b for a, b in itertools.combinations(sides.values(), 2))
    assert sorted(itertools.chain(*found.values())) == list(range(100))
    assert {name: len(rows) for name, rows in found.items()} == {
        name: len(rows) for name, rows in before.items()
    }
    for name, rows in found.items():
        assert Counter(labels[n] for n in rows) == Counter(labels[n] for n in before[name])
    assert found == draw(labels, spec, "x.csv", groups=linked(rows_of_texts(texts)))
    cut = {
        plain(texts[row])
        for a, b in itertools.permutations(before, 2)
        for row in before[a]
        if plain(texts[row]) in {plain(texts[other]) for other in before[b]}
    }
    moved = {n for name in found for n in set(found[name]) - set(before[name])}
    singles = [n for n in moved if plain(texts[n]) not in cut]
    assert len(singles) <= 6, "rows moved although nothing would have been cut there"


def test_copies_go_to_validation_as_often_as_other_sentences() -> None:
    spec = DatasetSpec(source="file", path="x.csv", validation_size=0.2)
    texts = [f"number {n // 2 if n < 40 else n}" for n in range(100)]
    labels = [n // 2 % 2 for n in range(100)]
    groups = linked(rows_of_texts(texts))
    shares = [
        np.mean(
            np.array(
                draw(labels, spec.model_copy(update={"split_seed": seed}), "x", groups=groups)[
                    "validation"
                ]
            )
            < 40
        )
        for seed in range(20)
    ]
    assert np.mean(shares) == pytest.approx(0.4, abs=0.05)


@settings(max_examples=60, deadline=None)
@given(groups=st.lists(st.integers(0, 8), min_size=30, max_size=60), seed=st.integers(0, 100))
def test_no_group_is_ever_cut(groups: list[int], seed: int) -> None:
    rows = np.random.default_rng(seed).permutation(len(groups)).tolist()
    labels = [n % 3 for n in range(len(groups))]
    splits = {"validation": rows[:6], "test": rows[6:12], "train": rows[12:]}
    found = kept_together(splits, labels, groups, seed)
    assert sorted(itertools.chain(*found.values())) == sorted(rows)
    sides = [{groups[row] for row in own} for own in found.values()]
    assert not any(a & b for a, b in itertools.combinations(sides, 2))
    assert len(found["train"]) > len(groups) / 3


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["", "x", "y", "z"])), min_size=1
    )
)
def test_rows_are_linked_by_sentence_and_by_source(rows: list[tuple[str, str]]) -> None:
    expected = list(range(len(rows)))  # merges the sets of all linked pairs, one after another
    for a, b in itertools.combinations(range(len(rows)), 2):
        if rows[a][0] == rows[b][0] or (rows[a][1] and rows[a][1] == rows[b][1]):
            old, new = expected[b], expected[a]
            expected = [new if each == old else each for each in expected]
    texts, sources = zip(*rows, strict=True)
    found = linked(rows_of_texts([f"{text.upper()}!" for text in texts], sources)).tolist()
    pairs = itertools.combinations(range(len(rows)), 2)
    assert all((found[a] == found[b]) == (expected[a] == expected[b]) for a, b in pairs)


# Files


def write(path: Path, texts: Sequence[str], labels: Sequence[int]) -> Path:
    pd.DataFrame({"sentence": texts, "label": labels}).to_csv(path, index=False)
    return path


def load(folder: Path, **keys: Any) -> data.Data:
    spec = DatasetSpec(source="file", **keys)
    return data.load(data.find(spec, None, UNREACHABLE, folder))


@pytest.fixture
def leaking(tmp_path: Path) -> Path:
    """Write a training file with 3 copies and 2 leaks, and a validation file with one copy."""
    own = [f"Sentence {n} of the training file." for n in range(12)]
    scored = [f"Validation has number {n}." for n in range(6)]
    leaks = [own[0], own[1].upper()]
    write(
        tmp_path / "train.csv",
        [*own, own[5], own[6], own[7].replace(" ", "  ")],
        [*[0, 1] * 6, 1, 1, 1],
    )
    write(tmp_path / "dev.csv", [*scored, *leaks, scored[0]], [*[0, 1] * 4, 1])
    return tmp_path


GIVEN = {"train": "train.csv", "validation": "dev.csv"}


def test_a_file_of_two_different_sentences_cannot_be_split(tmp_path: Path) -> None:
    write(tmp_path / "x.csv", ["a cat", "a dog"] * 10, [0, 1] * 10)
    (problem,) = problems_of(lambda: load(tmp_path, path="x.csv"))
    assert "; 2 parts, as copies stay in one split" in problem


def test_the_notes_say_what_is_repeated(leaking: Path) -> None:
    loaded = load(leaking, **GIVEN)
    assert loaded.notes[:3] == (
        "2 training sentences occur more than once, 1 with several labels; 3 without case, "
        "punctuation and blanks, 1 with several labels",
        "1 validation sentence occurs more than once, 1 with several labels",
        "1 of 9 validation sentences is also in dataset.train; 2 without case, punctuation and "
        "blanks",
    )
    assert loaded.duplicates is not None
    assert loaded.duplicates.dropped is None


def test_drop_removes_training_sentences_as_pandas_does(leaking: Path) -> None:
    reported, dropped = load(leaking, **GIVEN), load(leaking, **GIVEN, duplicates="drop")
    train, scored = (pd.read_csv(leaking / name) for name in ("train.csv", "dev.csv"))
    keys = train.sentence.map(plain)
    expected = train[~keys.duplicated() & ~keys.isin(scored.sentence.map(plain))]
    assert dropped.splits["train"]["sentence"][:] == list(expected.sentence)
    assert dropped.splits["train"]["idx"][:] == list(expected.index)
    assert dropped.splits["validation"]["sentence"][:] == list(scored.sentence)
    assert dropped.fingerprint != reported.fingerprint
    assert dropped.duplicates is not None
    assert dropped.duplicates.dropped == len(train) - len(expected) == 5
    assert dropped.notes[-1] == (
        '5 repeated training sentences are dropped (dataset.duplicates = "drop")'
    )


def test_a_place_is_that_of_the_row_that_was_not_dropped(leaking: Path) -> None:
    source = data.find(
        DatasetSpec(source="file", **GIVEN, duplicates="drop"), None, UNREACHABLE, leaking
    )
    idx = data.load(source).splits["train"]["idx"][:]
    found = data.places(source, "train", idx)
    assert [int(place.rpartition(":")[2]) for place in found] == [number + 2 for number in idx]


@pytest.mark.parametrize("duplicates", ["drop", "refuse"])
def test_data_without_repeats_stay_as_they_are(duplicates: str, tmp_path: Path) -> None:
    frame = unique_frame(np.random.default_rng(1), 40)
    write(tmp_path / "x.csv", list(frame[0]), frame[1].tolist())
    plainly, treated = (
        load(tmp_path, path="x.csv", **keys) for keys in ({}, {"duplicates": duplicates})
    )
    assert treated.fingerprint == plainly.fingerprint  # and so every run keeps its key
    assert treated.splits["train"][:] == plainly.splits["train"][:]


def test_refused_data_names_every_kind_of_repeat_with_its_place(leaking: Path) -> None:
    train, dev = leaking / "train.csv", leaking / "dev.csv"
    within, own, between = problems_of(lambda: load(leaking, **GIVEN, duplicates="refuse"))
    for problem, some, first, again in (
        (within, "3 training sentences more than once", f"{train}:7", f"{train}:14"),
        (own, "1 validation sentence more than once", f"{dev}:2", f"{dev}:10"),
        (between, "2 validation sentences also in train", f"{train}:2", f"{dev}:8"),
    ):
        assert f'dataset.duplicates is "refuse", but there are {some}, the first at' in problem
        assert Path(first.rpartition(":")[0]).name in problem
        assert f":{first.rpartition(':')[2]} and " in problem
        assert f":{again.rpartition(':')[2]} (case, punctuation and blanks are ignored)" in problem
        assert problem.endswith('remove one, or use "drop" or "report"')


def test_drop_that_leaves_too_few_sentences_is_refused(tmp_path: Path) -> None:
    texts = [f"Sentence {n} is here." for n in range(6)]
    write(tmp_path / "train.csv", texts, [0, 1] * 3)
    write(tmp_path / "dev.csv", [*texts[:4], "Another one."], [0, 1, 0, 1, 0])
    (problem,) = problems_of(lambda: load(tmp_path, **GIVEN, duplicates="drop"))
    assert (
        'dataset.duplicates: "drop" leaves 2 training sentences of 6 (1 unacceptable, 1' in problem
    )
    assert problem.endswith('or use "report"')


def test_published_suites_keep_their_bytes() -> None:
    spec = DatasetSpec(source="embedded")
    assert "duplicates" not in spec.model_dump()
    assert spec.model_copy(update={"duplicates": "drop"}).model_dump()["duplicates"] == "drop"
