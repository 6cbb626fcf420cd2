"""`harness compare`: compares two cells, checkpoints or leaderboards."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.compare.pairs import pairs_table
from harness.errors import BadInput
from harness.paths import passes
from harness.suite import ids
from harness.text import printable

if TYPE_CHECKING:
    from harness.judging.comparison import Comparison, Contestant
    from harness.report import Published
    from harness.store.records import Record


DEFAULT_RESULTS = Path("results/study")


@click.command(short_help="compare two cells, checkpoints or leaderboards")
@click.argument("a")
@click.argument("b")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="the results folder that contains the cells or checkpoints A and B; by default "
    f"{DEFAULT_RESULTS}",
)
@click.option(
    "--check",
    is_flag=True,
    help="exit 1 if A is worse than B in any comparison, or if no pair could be compared",
)
@click.option("-v", "--verbose", is_flag=True, help="for many cells, print sentences, not a table")
@click.option("--json", "as_json", is_flag=True, help="print JSON, for programs")
def compare(
    a: str, b: str, results: Path | None, check: bool, verbose: bool, as_json: bool
) -> None:
    """Compare A with B on the same sentences, with intervals, p-values and cost ratios.

    A and B are one of: the ids of two cells of one leaderboard; the names of two checkpoints of
    one leaderboard, whose best cells are compared; two results folders or leaderboard.json files,
    whose common cells are compared one by one in a table, with p-values corrected for their
    number (Holm). A row of given predictions (`harness judge --add-to`) is named like a cell; it
    has no settings and no costs.

    The output contains the cells, their settings, and the settings, recipe and package versions
    that differ. Cells that were scored on different data are refused (exit code 4). A checkpoint's
    best cell is selected by its score, so its MCC is optimistic; the output notes this, but does
    not correct for it.

    Costs are training time, evaluation time per sentence, latency and peak memory. They have no
    ratio if seeds of a cell differ by more than a third, or if the circumstances of measurement
    differ: machine, number of threads, runs at the same time. Times also have none if other
    programs kept a core busy while the runs trained.

    \b
    Examples:
      harness compare mpnet-base minilm-l6
      harness compare minilm-l6-bs16-lr5e-05 minilm-l6-bs16-lr1e-04 --results results/study
      harness compare results/study old/leaderboard.json --check
    """
    from harness.judging.comparison import as_dict, corrected
    from harness.judging.comparison import compare as compared

    named = _pairs(a, b, results)
    _refuse_other_data(named)
    pairs = corrected([compared(one, other) for _, one, other in named])
    if as_json:
        click.echo(json.dumps({"comparisons": [as_dict(pair) for pair in pairs]}, indent=1))
    else:
        names = [name for name, _, _ in named]
        _print(pairs, None if verbose else (f"A is {a}, B is {b}.", names))
    if check and any(pair.verdict == "worse" for pair in pairs):
        sys.exit(1)
    if check and all(pair.verdict == "not comparable" for pair in pairs):
        click.echo("--check: no pair could be compared, so nothing was checked", err=True)
        sys.exit(1)


def _refuse_other_data(named: "Sequence[tuple[str, Contestant, Contestant]]") -> None:
    """Raise BadInput with each pair whose cells were scored on different data."""
    problems = []
    for _, *both in named:
        a, b = (
            dict.fromkeys(run.dataset.fingerprint[:12] for run in each.runs if run.dataset)
            if each.given is None
            else {each.given.fingerprint[:12]: None}
            for each in both
        )
        if a.keys() != b.keys():
            problems.append(
                f"{both[0].name}, {both[1].name}: scored on different data (fingerprint "
                f"{' and '.join(a)} against {' and '.join(b)}); scores on different sentences "
                "cannot be compared; train both on the same data"
            )
    if problems:
        raise BadInput(problems)


def _print(pairs: "Sequence[Comparison]", table: tuple[str, list[str]] | None) -> None:
    """Print a table of the comparisons, or each conclusion with its background.

    Args:
        table: caption and row names; None, or a single comparison, prints no table.
    """
    from harness.judging.comparison.conclusions import background, conclusion, differing_slices

    if table is not None and len(pairs) > 1:
        caption, names = table
        click.echo(printable(caption) + "\n")
        click.echo(pairs_table(names, pairs))
        for name, pair in zip(names, pairs, strict=True):
            if any(each.differs for each in pair.by_slice):
                click.echo(
                    printable(f"{name}: ") + "\n".join(map(printable, differing_slices(pair)))
                )
    else:
        for pair in pairs:
            click.echo(printable(conclusion(pair)))
            for sentence in background(pair):
                click.echo(printable(f"  {sentence}"))
    if len(pairs) > 1:
        verdicts = [pair.verdict for pair in pairs]
        counts = ", ".join(
            f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts)
        )
        click.echo(f"{len(pairs)} cells in both: {counts}.")


def _pairs(a: str, b: str, folder: Path | None) -> "Sequence[tuple[str, Contestant, Contestant]]":
    """Return the pairs to compare, each with a name.

    Args:
        folder: the results folder that was named, if one was; the default is told.
    """
    places = [name for name in (a, b) if passes(Path.exists, Path(name))]
    if len(places) == 2:
        return _common_cells(Path(a), Path(b))
    from harness.report import TRAIN_FIRST

    results = DEFAULT_RESULTS if folder is None else folder
    if folder is None and not places and not passes(Path.exists, results):
        both = " and ".join(dict.fromkeys((a, b)))
        raise BadInput(
            [
                f"{both}: no such file or folder; if cells or checkpoints are meant, name the "
                f"results folder with --results FOLDER (the default, {results}, is not here)"
            ]
        )
    try:
        known = dict(_contestants(_published(results)))
    except BadInput as error:
        absent = [name for name in dict.fromkeys((a, b)) if name not in places]
        if not places:  # a name with a slash may also be a checkpoint
            absent = [name for name in absent if name.endswith(".json") or "/" in name]
        problems = [f"{name}: no such file or folder" for name in absent]
        # If one is a file or folder, the other is not meant to be a cell of the results.
        raise BadInput(problems if places else [*problems, *error.problems]) from None
    if not known and not places:
        raise BadInput([f"{results}: no run was scored yet; {TRAIN_FIRST}"])
    unknown = [name for name in (a, b) if ids.find(name, known) is None]
    if places and unknown:
        (other,) = (name for name in (a, b) if name not in places)
        raise BadInput([_no_pair(places[0], other, known, results, other in unknown)])
    listed = f"of {results} (which has {', '.join(known)})"
    found = ids.find_all(
        (a, b),
        known,
        lambda name: f"{name}: neither a file or folder nor a scored cell or checkpoint {listed}",
    )
    if folder is None:
        click.echo(f"cells of {results}; --results FOLDER names another folder", err=True)
    return [(f"{a} / {b}", known[found[0]], known[found[-1]])]


def _no_pair(place: str, other: str, known: Iterable[str], results: Path, unknown: bool) -> str:
    """Return why a file or folder cannot be compared with the other argument.

    Args:
        other: the other argument, which is not a file or folder.
        unknown: whether it is not a scored cell or checkpoint either.
    """
    if unknown:
        return (
            f"{other}: no such file or folder; name a results folder or leaderboard.json to "
            f"compare {place} with{ids.did_you_mean(other, [*known])}"
        )
    return (
        f"{place}: a file or folder, and {other} is of {results}; name two files or folders, or "
        f"two cells or checkpoints (which are {', '.join(known)})"
    )


def _common_cells(a: Path, b: Path) -> "list[tuple[str, Contestant, Contestant]]":
    from harness.judging.comparison import Contestant

    both = _all_published((a, b))
    names = dict.fromkeys(name for each in both for cell in each.cells for name in cell.settings)
    runs_a, runs_b = (_runs_by_settings(each, names) for each in both)
    common = [settings for settings in runs_a if settings in runs_b]
    if not common:
        what = ", ".join(("checkpoint", "batch size", "learning rate", *names))
        raise BadInput(
            [f"{a}, {b}: no cell ({what}) was scored in both; name leaderboards of one suite"]
        )
    slices = both[0].slices or both[1].slices
    return [
        (
            " / ".join(dict.fromkeys((runs_a[each][0].cell, runs_b[each][0].cell))),
            Contestant(f"{runs_a[each][0].cell} of {a}", tuple(runs_a[each]), slices=slices),
            Contestant(f"{runs_b[each][0].cell} of {b}", tuple(runs_b[each]), slices=slices),
        )
        for each in common
    ]


def _runs_by_settings(
    published: "Published", names: Iterable[str]
) -> "dict[tuple[object, ...], list[Record]]":
    """Return the scored runs by checkpoint, batch size, learning rate and these settings."""
    found: dict[tuple[object, ...], list[Record]] = {}
    for run in published.records:
        if run.scores is not None:
            further = (getattr(run.training, name) for name in names)
            settings = (run.checkpoint, run.batch_size, run.learning_rate, *further)
            found.setdefault(settings, []).append(run)
    return found


def _contestants(published: "Published") -> "Iterator[tuple[str, Contestant]]":
    from harness.judging.comparison import Contestant, best_cells, given_contestants
    from harness.judging.leaderboard import scored

    runs = published.runs
    for contestant in best_cells(published.cells, runs, published.standings, published.slices):
        yield contestant.name, contestant
    for cell in published.cells:
        if ended := scored(runs[cell.id]):
            yield cell.id, Contestant(cell.id, tuple(ended), slices=published.slices)
    for contestant in given_contestants(published.given, published.records):
        yield contestant.name, contestant


def _all_published(paths: Sequence[Path]) -> "list[Published]":
    """Read several leaderboards.

    Raises:
        BadInput: with the problems of all of them.
    """
    found: list[Published] = []
    problems: list[str] = []
    for path in paths:
        try:
            found.append(_published(path))
        except BadInput as error:
            problems += error.problems
    if problems:
        raise BadInput(list(dict.fromkeys(problems)))
    return found


def _published(path: Path) -> "Published":
    from harness.report import leaderboard_in, read_published

    return read_published(leaderboard_in(path))
