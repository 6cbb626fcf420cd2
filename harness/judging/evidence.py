"""The predictions and labels of a cell's runs, from which statistics are computed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np

from harness import stats
from harness.store.classes import number_of_classes, unpack
from harness.store.given import Given
from harness.store.grouping import Grouping
from harness.store.records import Record

ROUNDING = 1e-6
"""Two ways of computing the same MCC differ by no more than this."""

DECIMALS = 7
"""Other MCCs read differently with so many decimals."""


class NoEvidence(Exception):
    """Runs cannot be compared sentence by sentence; the message has the reason and the way out."""


@dataclass(frozen=True)
class Evidence:
    """The predictions of a cell's scored runs on the same validation sentences.

    Attributes:
        seeds: of the runs, ascending.
        fingerprint: of the data.
        labels: (sentences,), each from 0 to `classes` - 1.
        selected: (seeds, sentences) the classes predicted by the selected epoch's model.
        candidates: (seeds, epochs, sentences) the classes predicted after each epoch that could
            be selected: every epoch, or only the last one if the suite always selects it. Runs
            that stopped early repeat their last epoch, which is never selected in its place.
        classes: number of classes.
        groups: by kind (`source`, `domain`), the group of each sentence: (sentences,) positions
            among the names of the groups; only of kinds that the records contain.
        keys: of the runs, in the order of their seeds; empty for given predictions.
    """

    seeds: tuple[int, ...]
    fingerprint: str
    labels: np.ndarray
    selected: np.ndarray
    candidates: np.ndarray
    classes: int = 2
    groups: Mapping[str, tuple[tuple[str, ...], np.ndarray]] = field(default_factory=dict)
    keys: tuple[str, ...] = ()

    @cached_property
    def sources(self) -> stats.Sources | stats.Refusal | None:
        """The sources of the sentences, or why there is no interval for other sources; None if
        the records contain no sources."""
        found = self.groups.get("source")
        return None if found is None else _sources_of(found[1].tobytes(), found[1].dtype)

    def interval(
        self, statistic: stats.Statistic = "mcc", sources: stats.Sources | None = None
    ) -> stats.Interval:
        """Return the statistic's mean over seeds with its interval, computed once.

        Args:
            sources: of the sentences, for an interval for sentences of other sources; None for
                other sentences of the same ones.
        """
        if sources is not None and sources is not self.sources:
            return self._interval(statistic, sources)
        name = statistic, sources is not None
        if name not in self._intervals:
            self._intervals[name] = self._interval(statistic, sources)
        return self._intervals[name]

    @cached_property
    def _intervals(self) -> dict[tuple[stats.Statistic, bool], stats.Interval]:
        return {}

    def _interval(
        self, statistic: stats.Statistic, sources: stats.Sources | None
    ) -> stats.Interval:
        return stats.mean_interval(self.labels, self.selected, statistic, self.classes, sources)

    @cached_property
    def halved(self) -> stats.Halved:
        """The cell with its epochs selected on halves of the sentences."""
        return stats.halved(self.labels, self.candidates, classes=self.classes)

    def part(self, chosen: np.ndarray) -> "Evidence":
        """Return the evidence on some of the sentences, given by (sentences,) booleans.

        Groups without a chosen sentence remain among the names.
        """
        return replace(
            self,
            labels=self.labels[chosen],
            selected=self.selected[:, chosen],
            candidates=self.candidates[:, :, chosen],
            groups={
                kind: (names, numbers[chosen]) for kind, (names, numbers) in self.groups.items()
            },
        )

    def same_runs(self, other: "Evidence") -> bool:
        """Return whether both are of the same runs, and not only of equal predictions."""
        return bool(self.keys) and self.keys == other.keys

    def same_sentences(self, other: "Evidence") -> bool:
        """Return whether both were scored on the same sentences, with the same labels."""
        return (
            self.fingerprint == other.fingerprint
            and self.classes == other.classes
            and np.array_equal(self.labels, other.labels)
        )


@lru_cache(maxsize=16)  # all cells on the same data have the same sources
def _sources_of(numbers: bytes, kind: np.dtype) -> stats.Sources | stats.Refusal:
    return stats.sources_of(np.frombuffer(numbers, dtype=kind))


def evidence(records: Sequence[Record]) -> Evidence:
    """Return the predictions of the scored runs among a cell's records.

    Raises:
        NoEvidence: no run was scored, a run was stopped, a record has no predictions or predictions
            that contradict its score, or the runs have different sentences or epochs.
    """
    scored = sorted((r for r in records if r.scores is not None), key=lambda r: r.seed)
    if not scored:
        raise NoEvidence("no run was scored")
    for record in scored:
        if record.stopped is not None:
            raise NoEvidence(
                f"the run of {record.cell} with seed {record.seed} is not whole: "
                f"{record.stopped.text}; train it without --stop decided"
            )
    first = scored[0]
    assert first.dataset is not None  # a record that is ok has one
    kind = _kind(first)
    by_epoch = []
    for record in scored:
        packed = [epoch.classes for epoch in record.epochs if epoch.classes is not None]
        if record.labels is None or len(packed) != len(record.epochs) or not packed:
            raise NoEvidence(
                f"the record of {record.cell} with seed {record.seed} contains no predictions: an "
                "older version wrote it; train it again with --rerun"
            )
        if _kind(record) != kind:
            raise NoEvidence(
                f"the runs of {record.cell} have different data or numbers of epochs; train "
                "them again with --rerun"
            )
        by_epoch.append([_unpacked(record, text) for text in packed])
    assert first.labels is not None
    most = max(map(len, by_epoch))
    equally_long = [[*own, *[own[-1]] * (most - len(own))] for own in by_epoch]
    labels = _unpacked(first, first.labels)
    number = number_of_classes(first.labels)
    predicted = np.asarray(equally_long, dtype=labels.dtype)
    positions = [_position(record) for record in scored]
    selected = predicted[np.arange(len(scored)), positions]
    for record, mcc in zip(scored, stats.mcc(labels, selected, number), strict=True):
        assert record.scores is not None
        if abs(record.scores.mcc - mcc) > ROUNDING:
            raise NoEvidence(
                f"the record of {record.cell} with seed {record.seed} contains MCC "
                f"{record.scores.mcc:z.4f}, but its predictions have MCC {mcc:z.4f}: it was "
                "changed; train it again with --rerun"
            )
    last_only = first.training.selection == "last-epoch"
    return Evidence(
        seeds=tuple(record.seed for record in scored),
        fingerprint=first.dataset.fingerprint,
        labels=labels,
        selected=selected,
        candidates=selected[:, None] if last_only else predicted,
        classes=number,
        groups=_groups(scored),
        keys=tuple(record.key or "" for record in scored),
    )


def evidence_of_given(given: Given, records: Iterable[Record]) -> Evidence:
    """Return given predictions as evidence; their seeds are numbered from 1.

    Args:
        records: of the leaderboard, from which the groups of its sentences are known.

    Raises:
        NoEvidence: a grouping that cannot be read.
    """
    labels, predicted = given.unpacked()
    same = [
        record
        for record in records
        if record.dataset is not None
        and record.dataset.fingerprint == given.dataset.fingerprint
        and record.labels == given.labels
    ]
    return Evidence(
        seeds=tuple(range(1, len(predicted) + 1)),
        fingerprint=given.dataset.fingerprint,
        labels=labels,
        selected=predicted,
        candidates=predicted[:, None],
        classes=given.class_count,
        groups=_groups(same) if same else {},
    )


def _groups(scored: Sequence[Record]) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Return the group of each sentence by kind, as the records have it; see Evidence.

    A kind on which records disagree is left out: then it is not known which is right.

    Raises:
        NoEvidence: a grouping that cannot be read.
    """
    known: dict[str, set[Grouping]] = {}
    for record in scored:
        for kind, grouping in (record.groupings or {}).items():
            known.setdefault(kind, set()).add(grouping)
    facts = scored[0].dataset
    assert facts is not None  # a record that is ok has one
    try:
        return {
            kind: (grouping.names, grouping.unpacked(facts.validation))
            for kind, (grouping, *others) in known.items()
            if not others
        }
    except ValueError as error:
        raise NoEvidence(f"the groups of {scored[0].cell} cannot be read: {error}") from None


def _kind(record: Record) -> tuple[object, ...]:
    facts = record.dataset
    assert facts is not None  # a record that is ok has one
    training = record.training
    # A run with a patience may stop before its last epoch.
    epochs = len(record.epochs) if training.patience is None else training.epochs
    rule = (training.selection, training.patience)
    return (facts.fingerprint, facts.validation, record.labels, epochs, rule)


def _position(record: Record) -> int:
    numbers = [epoch.epoch for epoch in record.epochs]
    if record.selected_epoch not in numbers:
        raise NoEvidence(f"the record of {record.cell}: its selected epoch is not among its epochs")
    return numbers.index(record.selected_epoch)


def _unpacked(record: Record, text: str) -> np.ndarray:
    assert record.dataset is not None
    assert record.labels is not None
    try:
        expected, number = number_of_classes(record.labels), number_of_classes(text)
        if number != expected:
            raise ValueError(f"they have {number} classes, its labels {expected}")
        return unpack(text, record.dataset.validation)
    except ValueError as error:
        raise NoEvidence(
            f"the predictions of {record.cell} with seed {record.seed} cannot be read: {error}"
        ) from None
