"""Counts sentences that differ by one word, without comparing all pairs.

Two sentences differ by one replaced word if both are equal without the word at the same position;
by one added or removed word if one of them is equal to the other without some word. So it suffices
to compare the hashes of each sentence without each of its words.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

MOST_WORDS = 10_000_000
"""Near neighbours of more words in all different sentences are not counted, to bound memory."""

BASE, LENGTH, POSITION = (
    np.uint64(each) for each in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
)
INVERSE = np.uint64(pow(int(BASE), -1, 2**64))
"""Odd constants of polynomial hashes modulo 2**64, and the inverse of the base."""

Flags = np.ndarray[tuple[int, int], np.dtype[np.bool_]]


def near_neighbours(sentences: Iterable[str], member: Flags) -> Flags | None:
    """Return which sentences have a near neighbour in each split; None if there are too many words.

    The hashes have 64 bits: with MOST_WORDS words, the probability that any two different
    sentences have equal ones is about 1e-5.

    Args:
        sentences: different normalised texts.
        member: for each sentence and split, whether the split contains the sentence.

    Returns:
        for each sentence and split, whether the split contains a sentence one word apart.
    """
    hashed = _hashed_words(sentences)
    if hashed is None:
        return None
    words, counts = hashed
    found: Flags = np.zeros_like(member)
    if not len(words):
        return found
    owner = np.repeat(np.arange(len(counts)), counts)
    whole, shorter, replaced = _hashes(words, counts, owner)
    _mark_replaced(found, member, replaced, owner)
    _mark_added(found, member, whole, shorter, owner)
    return found


def _hashed_words(sentences: Iterable[str]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the hash of each word of all sentences, and the number of words of each sentence."""
    counts: list[int] = []

    def hashes() -> Iterator[int]:
        for sentence in sentences:
            words = sentence.split()
            counts.append(len(words))
            yield from map(hash, words)

    found = np.fromiter(islice(hashes(), MOST_WORDS + 1), np.int64)
    if len(found) > MOST_WORDS:
        return None
    return found.view(np.uint64), np.array(counts, dtype=np.int64)


def _hashes(
    words: np.ndarray, counts: np.ndarray, owner: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the hash of each sentence; without each word; and this with the word's position.

    The hash of words w is the sum of w[i] * BASE**i modulo 2**64.
    """
    starts = np.cumsum(counts) - counts
    position = np.arange(len(words)) - starts[owner]
    powers = np.ones(int(counts.max()), dtype=np.uint64)
    powers[1:] = BASE
    powers = np.cumprod(powers)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(words * powers[position])])
    whole = sums[starts + counts] - sums[starts]
    before = sums[:-1] - sums[starts][owner]
    after = sums[starts + counts][owner] - sums[1:]
    shorter = before + after * INVERSE
    places = position.astype(np.uint64) * POSITION + counts.astype(np.uint64)[owner] * LENGTH
    return whole, shorter, shorter + places


def _mark_replaced(found: Flags, member: Flags, keys: np.ndarray, owner: np.ndarray) -> None:
    """Mark the sentences that share a key, which no sentence has twice."""
    order = np.argsort(keys)
    fresh = np.concatenate([[True], keys[order[1:]] != keys[order[:-1]]])
    alone = fresh & np.concatenate([fresh[1:], [True]])
    order, fresh = order[~alone], fresh[~alone]
    if not len(order):
        return
    starts, group = np.flatnonzero(fresh), np.cumsum(fresh) - 1
    sentences = owner[order]
    for split in range(member.shape[1]):
        own = member[sentences, split].astype(np.int64)
        others = np.add.reduceat(own, starts)[group] - own
        found[sentences[others > 0], split] = True


def _mark_added(
    found: Flags, member: Flags, whole: np.ndarray, shorter: np.ndarray, owner: np.ndarray
) -> None:
    """Mark the sentences that are equal to another one without a word, and these others."""
    order = np.argsort(whole)
    ordered = whole[order]
    shortened = np.argsort(shorter)  # in order, searching is several times faster
    place = np.minimum(np.searchsorted(ordered, shorter[shortened]), len(whole) - 1)
    equal = ordered[place] == shorter[shortened]
    longer, short = owner[shortened[equal]], order[place[equal]]
    for split in range(member.shape[1]):
        found[longer[member[short, split]], split] = True
        found[short[member[longer, split]], split] = True
