"""Rows of given predictions in a results folder: adds them, and keeps them in new tables."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import BadInput
from harness.report import LEADERBOARD, PREDICTIONS, Published, read_published, render, write_files
from harness.report.checks.logits import predictions_beside, with_given, with_groupings
from harness.store.given import Given, given_problems
from harness.store.records import DatasetFacts, Record
from harness.suite import ids
from harness.suite.plan import Cell
from harness.text import printable, some


def given_in(folder: Path) -> tuple[Given, ...]:
    """Return the given predictions in a folder's tables; none without readable tables."""
    path = folder / LEADERBOARD
    try:
        # Without the key there are none, and large tables take seconds to read and verify.
        return read_published(path).given if b'"given"' in path.read_bytes() else ()
    except (BadInput, OSError):
        return ()


def kept(
    folder: Path, cells: Sequence[Cell], records: Sequence[Record]
) -> tuple[tuple[Given, ...], str | None]:
    """Return the given predictions of a folder's tables that also fit new tables.

    Args:
        records: of the new tables.

    Returns:
        those on the data of these runs, under names that no other row has; and a message on the
        others, which new tables cannot show.
    """
    before = given_in(folder)
    fitting = tuple(each for each in before if not any(given_problems([each], cells, records)))
    lost = [each.name for each in before if each not in fitting]
    if not lost:
        return fitting, None
    return fitting, printable(
        f"given predictions no longer shown: {some(lost)}: they are on other data than these runs, "
        "or a checkpoint has their name; `harness judge --add-to` adds files again"
    )


def left_out(folder: Path, now: Sequence[Given]) -> str | None:
    """Return why the tables in a folder must not be replaced without --replace, or None.

    Args:
        now: the given predictions in the new tables.
    """
    lost = [each.name for each in given_in(folder) if each not in now]
    if not lost:
        return None
    return printable(
        f"{folder}: its tables show given predictions that the new tables would not show: "
        f"{some(lost)}; add --replace to replace these tables, or --output FOLDER to keep them"
    )


def others(given: Sequence[Given], names: Sequence[str], folder: Path) -> tuple[Given, ...]:
    """Return the given predictions without those of some names.

    Raises:
        BadInput: a name that none has; `folder` is where it was looked for.
    """
    known = [each.name for each in given]
    unknown = [name for name in names if name not in known]
    if unknown:
        has = f"which has {', '.join(map(repr, known))}" if known else "which has none"
        raise BadInput(
            [
                f"--without: {name!r}: no given predictions of this name in {folder}, {has}"
                f"{ids.did_you_mean(name, known)}"
                for name in unknown
            ]
        )
    return tuple(each for each in given if each.name not in names)


def readable(folder: Path) -> Published:
    """Return the leaderboard of a folder to which predictions can be added.

    Raises:
        BadInput: no leaderboard, no predictions beside it, or files that contradict each other.
    """
    published = read_published(folder / LEADERBOARD)
    content, _ = predictions_beside(folder, published)
    if content is None:
        raise BadInput(
            [
                f"{folder / PREDICTIONS}: missing, and added predictions are published there, "
                "beside those of the runs; name a folder that has it"
            ]
        )
    return with_groupings(folder, published)


def data_of(folder: Path, published: Published, fingerprint: str, origin: str) -> DatasetFacts:
    """Return the facts of a leaderboard's data.

    Args:
        fingerprint: of the data that the given labels were compared with; `origin` describes it.

    Raises:
        BadInput: the runs were scored on other data.
    """
    found = [facts for facts in published.datasets if facts.fingerprint == fingerprint]
    if found:
        return found[0]
    theirs = [f"{each.origin} (fingerprint {each.fingerprint[:12]})" for each in published.datasets]
    raise BadInput(
        [
            f"--add-to: {folder}: its runs were scored on other data, "
            f"{' and '.join(theirs) or 'none yet'}, than the suite's, {origin} (fingerprint "
            f"{fingerprint[:12]}); name the suite and data of that leaderboard"
        ]
    )


def add(folder: Path, published: Published, given: Given) -> list[Path]:
    """Write the tables of a folder anew, with a row of given predictions.

    A row of the same name is replaced.

    Args:
        published: from `readable`.

    Returns:
        the files that changed.

    Raises:
        BadInput: the predictions do not fit the leaderboard, or the folder cannot be written.
    """
    now = (*(each for each in published.given if each.name != given.name), given)
    if problems := list(given_problems(now, published.cells, published.records)):
        raise BadInput([f"--add-to: {folder}: {problem}" for problem in problems])
    content, _ = predictions_beside(folder, published)
    assert content is not None  # `readable` has checked it
    contents = {
        PREDICTIONS: with_given(content, published.given, now),
        **render(replace(published, given=now)),
    }
    return [folder / name for name in write_files(folder, contents)]
