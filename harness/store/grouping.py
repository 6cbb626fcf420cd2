"""Which group each validation sentence belongs to: its source or its domain."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from harness.store.classes import MOST_CLASSES, pack, unpack


class Grouping(BaseModel):
    """The group of each sentence of a split.

    Attributes:
        names: of the groups, sorted.
        numbers: the position of each sentence's group among the names, packed by
            harness.store.classes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    names: tuple[str, ...]
    numbers: str

    @classmethod
    def of(cls, groups: Sequence[str]) -> Self | None:
        """Pack the group of each sentence; None for more groups than can be packed."""
        names, numbers = np.unique(np.asarray(groups, dtype=object), return_inverse=True)
        if len(names) > MOST_CLASSES:
            return None
        return cls(names=tuple(names.tolist()), numbers=pack(numbers, max(2, len(names))))

    def unpacked(self, sentences: int) -> np.ndarray:
        """Return (sentences,), not to be changed: each sentence's group as a position in the names.

        Raises:
            ValueError: the numbers do not hold that many sentences, or do not fit the names.
        """
        return _unpacked(self.names, self.numbers, sentences)


@lru_cache(maxsize=16)  # all runs on the same data have the same groupings
def _unpacked(names: tuple[str, ...], packed: str, sentences: int) -> np.ndarray:
    numbers = unpack(packed, sentences)
    if np.unique(numbers).tolist() != list(range(len(names))):
        raise ValueError(f"its sentences are not of all of its {len(names)} groups")
    numbers.flags.writeable = False  # every caller gets the same array
    return numbers


def groupings(
    data: str | None, sources: Sequence[str], domains: Sequence[str]
) -> dict[str, Grouping] | None:
    """Return the groupings of a split's sentences by kind; None if there is none.

    Sources are left out if a sentence has none, and for the embedded corpus: its phenomena are all
    that there are, not a sample. Domains are left out if no sentence has one.

    Args:
        data: the suite's `dataset.source`.
        sources: of each sentence, "" if unknown.
        domains: likewise.
    """
    found = {}
    if data != "embedded" and all(sources) and (of_sources := Grouping.of(sources)):
        found["source"] = of_sources
    if any(domains) and (of_domains := Grouping.of(domains)):
        found["domain"] = of_domains
    return found or None
