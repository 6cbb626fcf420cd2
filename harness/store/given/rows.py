"""The rows of given predictions in predictions.parquet, beside those of trained runs."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from harness.store.given import Given
from harness.store.predictions import GIVEN


def with_rows(table: pa.Table, given: Iterable[Given]) -> pa.Table:
    """Return the predictions of many runs, followed by those of given ones.

    Given predictions have a class in the column GIVEN, which is null for a run, and no logits,
    tokens, idx, domain and source. Their rows are in the order of the validation split.

    Args:
        table: with the columns of `joined_schema`.
    """
    added = [_rows(each, number) for each in given for number in range(len(each.seeds))]
    return pa.concat_tables([table, *added], promote_options="permissive") if added else table


def without_rows(table: pa.Table, given: Iterable[Given]) -> pa.Table:
    """Return the predictions of many runs without those of some given ones.

    The column GIVEN is left out if nothing is left in it.
    """
    keys = [seed.key for each in given for seed in each.seeds]
    rest = table.filter(pc.invert(pc.is_in(table["key"], pa.array(keys, pa.string()))))
    if GIVEN in rest.column_names and rest[GIVEN].null_count == rest.num_rows:
        return rest.drop_columns([GIVEN])
    return rest


def unlike_rows(table: pa.Table, given: Iterable[Given]) -> list[str]:
    """Return a line for each given seed whose rows in a table are not exactly those expected.

    Args:
        table: with the columns of `joined_schema`; all of its given predictions are these.
    """
    found = []
    left = table.num_rows - table[GIVEN].null_count if GIVEN in table.column_names else 0
    for each in given:
        for number, seed in enumerate(each.seeds):
            rows = table.filter(pc.equal(table["key"], pa.scalar(seed.key, pa.string())))
            expected = pa.concat_tables(
                [table.slice(0, 0), _rows(each, number)], promote_options="permissive"
            )
            left -= rows.num_rows
            if not rows.equals(expected):
                found.append(
                    f"{each.name}, seed {number + 1}: its given predictions are not those of "
                    "leaderboard.json"
                )
    if left and not found:
        found.append(f"column {GIVEN!r}: has values for runs, whose predictions are logits")
    return found


def _rows(given: Given, number: int) -> pa.Table:
    """Return the rows of one seed, given by its position."""
    labels, predicted = given.unpacked()
    sentences = len(labels)
    return pa.table(
        {
            "key": pa.array([given.seeds[number].key] * sentences, pa.string()),
            "split": pa.array(["validation"] * sentences, pa.string()),
            "label": pa.array(labels, pa.int8() if given.class_count == 2 else pa.int16()),
            GIVEN: pa.array(predicted[number], pa.int16()),
        }
    )
