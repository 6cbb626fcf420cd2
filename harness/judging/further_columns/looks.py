"""The columns of leaderboards whose cells are judged at looks, perhaps in a race."""

from collections.abc import Sequence
from dataclasses import replace

from harness.judging.column import Column, Facts, with_after
from harness.judging.looks.standing import Dropped, SetAside, Standing

STATUS = (
    "ok: every seed was scored; decided: fewer seeds were enough; dropped: it was worse than the "
    "leader of the race, so its other seeds were not trained; set aside: more seeds would hardly "
    "make it better than the leader, so they were not trained; failed: a run failed; skipped: no "
    "run was possible; partial: some seeds have no record yet; not run: no seed has a record"
)


def _standing(facts: Facts) -> Standing | None:
    return facts.judgement.standing


def _state(facts: Facts) -> str | None:
    return None if (found := _standing(facts)) is None else found.briefly()


def _looked(facts: Facts) -> int | None:
    return None if (found := _standing(facts)) is None else found.looked


def _dropped(facts: Facts) -> Dropped | None:
    return None if (found := _standing(facts)) is None else found.dropped


def _against(facts: Facts) -> str | None:
    return None if (found := _dropped(facts)) is None else found.against


def _difference(facts: Facts) -> float | None:
    return None if (found := _dropped(facts)) is None else found.difference


def _p_value(facts: Facts) -> float | None:
    return None if (found := _dropped(facts)) is None else found.p_value


def _level(facts: Facts) -> float | None:
    return None if (found := _dropped(facts)) is None else found.level


def _set_aside(facts: Facts) -> SetAside | None:
    return None if (found := _standing(facts)) is None else found.set_aside


def _ahead(facts: Facts) -> str | None:
    return None if (found := _set_aside(facts)) is None else found.against


def _behind(facts: Facts) -> float | None:
    return None if (found := _set_aside(facts)) is None else found.difference


def _probability(facts: Facts) -> float | None:
    return None if (found := _set_aside(facts)) is None else found.probability


def _status(facts: Facts, before: str) -> str:
    """Return the status of a cell that needs no more seeds, or else the one from before."""
    found = _standing(facts)
    if found is None or before != "partial" or len(facts.scored) < found.most:
        return before
    if found.stage in ("dropped", "set aside") and found.most == found.looked:
        return found.stage
    return "decided" if found.gates_decided else before


LOOKS = Column(
    "looks",
    "string",
    _state,
    "looks",
    "looks",
    "what the looks after some of the seeds have shown; the section Looks has each reason, and "
    "the CSV file its numbers",
)

LOOK_COLUMNS = (
    LOOKS,
    Column("looked_seeds", "Int64", _looked),  # seeds of the last look
    Column("dropped_against", "string", _against),
    Column("dropped_difference", "Float64", _difference),
    Column("dropped_p_value", "Float64", _p_value),
    Column("dropped_level", "Float64", _level),
    Column("set_aside_against", "string", _ahead),
    Column("set_aside_difference", "Float64", _behind),
    Column("set_aside_probability", "Float64", _probability),
)


def with_looks(columns: Sequence[Column]) -> list[Column]:
    """Return columns with those of looks after the verdict, and with the further statuses."""
    further = with_after("verdict", LOOK_COLUMNS, columns)
    return [_with_statuses(each) if each.name == "status" else each for each in further]


def _with_statuses(column: Column) -> Column:
    return replace(
        column, value=lambda facts: _status(facts, str(column.value(facts))), meaning=STATUS
    )
