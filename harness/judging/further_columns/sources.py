"""The columns of leaderboards whose records contain the source of each sentence."""

from dataclasses import replace

from harness.judging.column import MISSING, Column, Facts, Row, decimals
from harness.judging.populations import IN_WORDS
from harness.stats import Interval, Refusal


def _interval(facts: Facts) -> Interval | None:
    found = facts.judgement.mcc_on_sources
    return found if isinstance(found, Interval) else None


def _low(facts: Facts) -> float | None:
    return None if (found := _interval(facts)) is None else found.low


def _high(facts: Facts) -> float | None:
    return None if (found := _interval(facts)) is None else found.high


def _number(facts: Facts) -> int | None:
    found = facts.judgement.evidence
    groups = None if found is None else found.groups.get("source")
    return None if groups is None else len(groups[0])


def _reason(facts: Facts) -> str | None:
    found = facts.judgement.mcc_on_sources
    return found.reason if isinstance(found, Refusal) else None


def in_words(row: Row) -> str:
    """Format the interval for sentences of other sources."""
    low, high = row.get("mcc_low_sources"), row.get("mcc_high_sources")
    if low is None or high is None:
        return MISSING
    return f"{decimals(3)(float(low))} to {decimals(3)(float(high))}"


SOURCES = Column(  # not shown; it marks these leaderboards
    "sources",
    "Int64",
    _number,
)

SOURCE_COLUMNS = (
    Column(
        "mcc_low_sources",
        "Float64",
        _low,
        f"95 % interval, {IN_WORDS['sources']}",
        "95 % src",
        "95 % confidence interval of the mean MCC on sentences of other sources than those of the "
        "validation split (CR2 standard error); it covers sources and seeds; with one seed, only "
        f"sources; {MISSING} where no statement about other sources is possible",
        text_of=in_words,
    ),
    Column("mcc_high_sources", "Float64", _high),
    SOURCES,
    Column("sources_reason", "string", _reason),  # why there is no interval
)
"""After the interval for other sentences of the same sources."""


def for_these_sources(column: Column) -> Column:
    """Return the column of the first interval, named for what it is about."""
    return replace(
        column,
        heading=f"95 % interval, {IN_WORDS['sentences']}",
        short="95 % sent",
        meaning=f"95 % confidence interval of the mean MCC on {IN_WORDS['sentences']}; it covers "
        "sentences and seeds; with one seed, only sentences",
    )
