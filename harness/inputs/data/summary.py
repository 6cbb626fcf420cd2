"""A summary of each split, so that a user can see that a file was read correctly."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.inputs.data.rows import HIDDEN_LABEL, Rows
from harness.text import counted

UNNAMED = ("", "in", "out")
"""Domains that no suite names: none, and CoLA's."""


@dataclass(frozen=True)
class SplitSummary:
    """One split of the data.

    Attributes:
        split: train, validation or test.
        sentences: number of its rows.
        labels: number of sentences by class name, class 0 first.
        hidden: number of sentences with hidden labels.
        longest: characters of the longest sentence.
        domains: number of sentences by the suite's names for validation files.
    """

    split: str
    sentences: int
    labels: Mapping[str, int]
    hidden: int
    longest: int
    domains: Mapping[str, int] = field(default_factory=dict)

    def in_words(self) -> str:
        """Return rows, labels and the longest sentence as a phrase."""
        labels = [
            f"{count:,} of class {number} ({name})"
            for number, (name, count) in enumerate(self.labels.items())
            if count or not self.hidden
        ]
        hidden = [f"{self.hidden:,} with hidden labels"] if self.hidden else []
        domains = [f"{count:,} {name}" for name, count in self.domains.items()]
        of_domains = f" ({', '.join(domains)})" if domains else ""
        return (
            f"{counted(self.sentences, 'sentence')}{of_domains}: {', '.join([*labels, *hidden])}; "
            f"the longest has {counted(self.longest, 'character')}"
        )


def summarize(rows: Mapping[str, Rows], class_names: Sequence[str]) -> tuple[SplitSummary, ...]:
    """Return a summary of every split, in the order of `rows`."""
    return tuple(_summary(name, split, class_names) for name, split in rows.items())


def _summary(name: str, split: Rows, class_names: Sequence[str]) -> SplitSummary:
    labels, domains = Counter(split.label), Counter(split.domain)
    return SplitSummary(
        split=name,
        sentences=len(split.sentence),
        labels={name: labels[number] for number, name in enumerate(class_names)},
        hidden=labels[HIDDEN_LABEL],
        longest=max(map(len, split.sentence), default=0),
        domains={name: count for name, count in domains.items() if name not in UNNAMED},
    )
