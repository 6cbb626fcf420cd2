"""The columns of leaderboards some of whose runs were stopped before their last epoch.

Of a row with a stopped run, only what also holds for its whole runs is shown.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.judging.column import MISSING, Column, Facts, Row, with_after
from harness.store.records import Record
from harness.store.stopped import at_least

UNKNOWN = frozenset(
    {
        *("mcc_sd", "mcc_last_epoch", "test_mcc", "test_mcc_sd", "accuracy", "accuracy_sd", "f1"),
        *("train_seconds", "train_seconds_sd", "samples_per_second", "samples_per_second_sd"),
        *("eval_ms_per_sentence", "eval_ms_per_sentence_sd"),
        *("peak_memory_mb", "peak_memory_mb_sd"),
        *("latency_ms", "latency_ms_sd", "latency_p95_ms", "latency_p95_ms_sd"),
        *("predictions_per_second", "predictions_per_second_sd", "predictions_batch_size"),
    }
)
"""Columns whose values are about whole runs; MCC and intervals are unknown in the judgement."""


def where_stopped(runs: Sequence[Record]) -> str | None:
    """Return where the runs of a cell were stopped, in words; None if all are whole."""
    found = [run.stopped for run in runs if run.stopped is not None]
    if not found:
        return None
    first, last = (pick(each.after_epoch for each in found) for pick in (min, max))
    epochs = f"epoch {first}" if first == last else f"epochs {first} to {last}"
    which = "" if len(found) == len(runs) else f" ({len(found)} of {len(runs)} runs)"
    reasons = " and ".join(dict.fromkeys(each.because for each in found))
    return f"stopped after {epochs} of {found[0].of}: {reasons}{which}"


def bound(row: Row) -> str:
    """Format the MCC of a row that has none of whole runs."""
    known = row.get("mcc_at_least")
    return MISSING if known is None else at_least(float(known))


STOPPED = Column(
    "stopped",
    "string",
    lambda facts: where_stopped(facts.scored),
    "stopped",
    "stopped",
    "after which epoch runs were stopped, because no later epoch can change whether the gates are "
    'met; the MCC of whole runs is "at least" the one shown, and nothing else of them is known, so '
    "the row has no rank, and the ranks are those among the rows whose runs are whole",
    first=True,
)


def _at_least(facts: Facts) -> float | None:
    return facts.judgement.mcc_at_least


def with_stopped(columns: Sequence[Column]) -> list[Column]:
    """Return the columns with those of stopped runs after the MCC, which shows its lower bound."""
    further = (Column("mcc_at_least", "Float64", _at_least), STOPPED)
    changes: dict[str, Any] = {"if_none": bound, "is_informative": lambda rows, name: True}
    shown = [replace(each, **changes) if each.name == "mcc" else each for each in columns]
    return with_after("mcc", further, shown)
