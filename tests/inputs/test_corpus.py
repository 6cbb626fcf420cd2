"""The embedded corpus is the same everywhere, balanced, made of minimal pairs, and held out."""

import os
import re
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import matthews_corrcoef

from harness.inputs.data import corpus
from harness.inputs.data.corpus import Sentence, generate, inflect

ROOT = Path(__file__).parents[2]
GOLDEN_DIGEST = "719ec814eeccbe3cbc4acb4ac060825da5af4474638c7e07944e2c51eda9e769"
SPLITS = ("train", "validation", "test")

Splits = dict[str, list[Sentence]]


@pytest.fixture(scope="module")
def splits() -> Splits:
    return generate()


def digest(splits: Splits) -> str:
    lines = [
        f"{split}\t{sentence.label}\t{sentence.phenomenon}\t{sentence.text}\n"
        for split, sentences in splits.items()
        for sentence in sentences
    ]
    return sha256("".join(lines).encode()).hexdigest()


def words_of(text: str) -> list[str]:
    """Words, the possessive ending and the final stop, in lower case."""
    return re.findall(r"[a-z]+|'s|[.?]", text.lower())


def pairs_of(sentences: list[Sentence]) -> list[tuple[Sentence, Sentence]]:
    return list(zip(sentences[::2], sentences[1::2], strict=True))


def test_the_corpus_is_the_published_one(splits: Splits) -> None:
    assert digest(splits) == GOLDEN_DIGEST


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_another_process_with_another_hash_order_makes_the_same_corpus(hash_seed: str) -> None:
    made = subprocess.run(
        [sys.executable, "-c", "from test_corpus import *; print(digest(generate()))"],
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout.strip() == GOLDEN_DIGEST


def test_the_splits_have_their_sizes(splits: Splits) -> None:
    assert {split: len(sentences) for split, sentences in splits.items()} == {
        "train": 2400,
        "validation": 408,
        "test": 408,
    }


def check_properties(splits: Splits) -> None:
    """What holds for the corpus of every seed."""
    assert tuple(splits) == SPLITS

    # No sentence twice, in one split or two, not even with other case, spaces or final stop.
    bare = [" ".join(words_of(s.text)[:-1]) for split in SPLITS for s in splits[split]]
    assert max(Counter(bare).values()) == 1

    shares = []
    for split in SPLITS:
        counts = Counter(s.phenomenon for s in splits[split])
        shares.append({name: Fraction(count, len(splits[split])) for name, count in counts.items()})
        assert len(counts) >= 8
        assert Counter(s.label for s in splits[split])[1] * 2 == len(splits[split])
    assert shares[0] == shares[1] == shares[2]

    for split in SPLITS:
        for good, bad in pairs_of(splits[split]):
            assert (good.label, bad.label) == (1, 0)
            assert good.phenomenon == bad.phenomenon
            good_words, bad_words = Counter(words_of(good.text)), Counter(words_of(bad.text))
            assert (good_words - bad_words).total() <= 2, (good, bad)
            assert (bad_words - good_words).total() <= 2, (good, bad)

    training_words = {word for s in splits["train"] for word in words_of(s.text)}
    for split in ("validation", "test"):
        for sentence in splits[split]:
            assert not training_words.issuperset(words_of(sentence.text)), sentence

    for split in SPLITS:
        for sentence in splits[split]:
            # One capitalised sentence of plain words: no slot or bracket of a template is left.
            assert re.fullmatch(r"[A-Z][a-z]*(,? [A-Za-z]+('s)?)+[.?]", sentence.text), sentence
            assert not re.search(r"\b[Aa] [aeiou]|\b[Aa]n [^aeiou]", sentence.text), sentence


def test_the_corpus_has_its_properties(splits: Splits) -> None:
    check_properties(splits)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(min_value=1, max_value=2**32))
def test_another_seed_makes_another_corpus_with_the_same_properties(seed: int) -> None:
    other = generate(seed)
    assert digest(other) != GOLDEN_DIGEST
    check_properties(other)


def test_no_training_sentence_has_a_word_behind_the_bar_of_the_lexicon(splits: Splits) -> None:
    behind = [words.partition("|")[2].split() for words in corpus.LEXICON.values()]
    held_out = {word.lower() for words in behind for word in words}
    assert len(held_out) >= 50
    stems = tuple(word.removesuffix("e").removesuffix("y") for word in held_out if len(word) > 4)
    training_words = {word for s in splits["train"] for word in words_of(s.text)}
    assert not held_out & training_words
    assert not [word for word in training_words if word.startswith(stems)]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_two_thirds_of_the_held_out_words_are_used(splits: Splits, split: str) -> None:
    used = {word for s in splits[split] for word in words_of(s.text)}
    behind = {w for words in corpus.LEXICON.values() for w in words.partition("|")[2].split()}
    shown = {w for w in behind if used & {w.lower(), *(inflect(w, f) for f in corpus.FORMS)}}
    assert len(shown) > len(behind) * 2 / 3


def test_the_words_of_a_sentence_without_their_order_do_not_give_its_label(
    splits: Splits,
) -> None:
    vectorizer = CountVectorizer(analyzer=words_of)
    counts = vectorizer.fit_transform([s.text for s in splits["train"]])
    model = LogisticRegression(max_iter=2000)
    model.fit(counts, [s.label for s in splits["train"]])
    held_out = splits["validation"] + splits["test"]
    predicted = model.predict(vectorizer.transform([s.text for s in held_out]))
    assert matthews_corrcoef([s.label for s in held_out], predicted) < 0.3


@pytest.mark.parametrize(
    ("word", "form", "expected"),
    [
        ("bench", "pl", "benches"),
        ("lady", "pl", "ladies"),
        ("gentleman", "pl", "gentlemen"),
        ("clock", "pl", "clocks"),
        ("pity", "s", "pities"),
        ("destroy", "s", "destroys"),
        ("fix", "s", "fixes"),
        ("embarrass", "s", "embarrasses"),
        ("pity", "past", "pitied"),
        ("agree", "past", "agreed"),
        ("tie", "past", "tied"),
        ("destroy", "part", "destroyed"),
        ("give", "past", "gave"),
        ("give", "part", "given"),
        ("show", "past", "showed"),
        ("show", "part", "shown"),
        ("damage", "ing", "damaging"),
        ("destroy", "ing", "destroying"),
        ("they", "obj", "them"),
    ],
)
def test_words_are_inflected_as_a_dictionary_has_them(word: str, form: str, expected: str) -> None:
    assert inflect(word, form) == expected
