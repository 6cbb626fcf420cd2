"""The best kept model of a results folder, according to its leaderboard."""

import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput
from harness.judging.leaderboard import leaderboard
from harness.kept import kept_files
from harness.report import LEADERBOARD, leaderboard_in, read_published
from harness.report.pictures.charts import Line, lines_of, with_score
from harness.session.reuse import best_run, one_per_key
from harness.store.records import Record
from harness.store.run_store import finished, read_store
from harness.store.stopped import at_least
from harness.text import shortened, some

KEEP = 'keep_models = "best" in its suite makes `pytest benchmarks/` keep them'


@dataclass(frozen=True)
class BestModel:
    """A kept model, and the rank of its cell.

    Attributes:
        folder: the folder of the model.
        record: of its run, from the store.
        line: its cell's row of the leaderboard.
        ranked: number of ranked cells.
        above: ids of the cells of a better rank, which have no kept model.
        equal: ids of the other cells of the same rank that have a kept model.
        without: ids of the other cells of the same rank that have none.
        notes: lines about runs that were ignored because their records failed verification, and
            about cells without a rank that are at least as good.
    """

    folder: Path
    record: Record
    line: Line
    ranked: int
    above: tuple[str, ...]
    equal: tuple[str, ...]
    without: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def text_column(self) -> str | None:
        """The column of sentences in its training file; None if unknown."""
        return None if self.record.dataset is None else self.record.dataset.text_column


def best_model(results: Path) -> BestModel:
    """Return the best kept model of a suite's results folder.

    Only cells with a kept model count. It belongs to the best-ranked of them; of cells of equal
    rank, to the first one in the leaderboard, which keeps the suite's order. Of the cell's kept
    runs, it belongs to the one with the highest MCC; of equal runs, to that of the smallest key.
    Gates do not influence the choice, because they change no rank. Cells with stopped runs have
    no rank, and come after the others, by their lower bounds.

    Args:
        results: a suite's folder, or the leaderboard.json in it.

    Raises:
        BadInput: there is no leaderboard, it cannot be read, or no model of its runs is kept.
    """
    file = _leaderboard(results)
    folder = file.parent
    published = read_published(file)
    store, notes = read_store(folder)
    with_model = [item for item in store if kept_files.is_kept(item.folder)]
    kept = dict(finished(one_per_key(with_model, models=True)))
    table = leaderboard(
        published.cells, published.records, published.baseline, slices=published.slices
    )
    every = lines_of(published, table)
    lines = with_score(every)
    stopped = [line for line in every if line.number("mcc_at_least") is not None]
    stopped.sort(key=lambda line: -(line.number("mcc_at_least") or 0.0))
    runs_of = published.runs
    held = [
        (line, runs)
        for line in (*lines, *stopped)
        if (runs := [kept[run.key] for run in runs_of[line.cell.id] if run.key in kept])
    ]
    if not held:
        others = sorted(str(item.folder / kept_files.FOLDER) for item in kept.values())
        raise BadInput([f"--results: {results}: {_nothing_kept(lines, others)}", *notes])
    line, runs = held[0]
    rank = line.number("rank") or math.inf
    best = best_run(runs)
    notes = [*notes, *_surely_better(line, stopped)]
    alike = [each.cell.id for each in lines if each.number("rank") == rank and each is not line]
    keeping = {each.cell.id for each, _ in held}
    return BestModel(
        folder=best.folder / kept_files.FOLDER,
        record=best.record,
        line=line,
        ranked=len(lines),
        above=tuple(each.cell.id for each in lines if (each.number("rank") or rank) < rank),
        equal=tuple(name for name in alike if name in keeping),
        without=tuple(name for name in alike if name not in keeping),
        notes=tuple(notes),
    )


def in_words(best: BestModel) -> list[str]:
    """Return lines that name the model, its score and its weaknesses."""
    record, row, cell = best.record, best.line.row, best.line.cell.id
    assert record.scores is not None
    ranked = f"cell ranked {row['rank']} of {best.ranked}"
    if best.equal:
        with_model = f"{1 + len(best.equal)} of this rank with a kept model"
        ranked += f" (the suite's first of {with_model})"
    if row["rank"] is None:
        ranked = f"cell without a rank, because runs were {row['stopped']}"
    lines = [
        f"model: {cell}, seed {record.seed}: validation MCC {record.scores.mcc:.3f}, "
        f"{ranked}: {best.folder}"
    ]
    if best.above:
        lines.append(f"note: cells ranked above have no kept model: {some(best.above)}")
    if best.equal:
        after = "with a kept model, too, but after this cell in the suite"
        lines.append(f"note: same rank: {some(best.equal)}; {after}")
    if best.without:
        lines.append(f"note: same rank, but without a kept model: {some(best.without)}")
    if row["verdict"] not in ("pass", None):
        lines.append(f"note: verdict of the gates of {cell}: {row['verdict']}")
    if row["status"] != "ok":
        lines.append(f"note: {cell} is ranked by some of its seeds only: {row['status']}")
    return [*lines, *(f"note: {note}" for note in best.notes)]


def _surely_better(chosen: Line, stopped: Sequence[Line]) -> Iterator[str]:
    """Yield a line for each cell without a rank whose MCC is at least that of the chosen one."""
    mcc = chosen.number("mcc")
    for line in stopped:
        least = line.number("mcc_at_least")
        if mcc is not None and least is not None and least >= mcc:
            yield (
                f"{line.cell.id} has no rank, because runs were {line.row['stopped']}, but its MCC "
                f"is {at_least(least)}; name its model as MODEL_FOLDER, or train it without "
                "--stop decided"
            )


def _leaderboard(results: Path) -> Path:
    try:
        file = leaderboard_in(results)
        if file.name == LEADERBOARD and file.is_file():
            return file
        problem = f"{results}: {_what_is_wrong(results)}"
    except OSError as error:  # too long for a path, or in a folder without permission
        reason = f"{shortened(str(results))}: cannot be read ({error.strerror})"
        problem = f"{reason}; name a suite's results folder"
    raise BadInput([f"--results: {problem}"])


def _what_is_wrong(results: Path) -> str:
    if not results.exists():
        return "no such folder; name a suite's results folder, such as results/local/SUITE"
    if not results.is_dir():
        return f"not a folder; name the results folder that contains {LEADERBOARD}"
    if below := sorted(results.glob(f"*/{LEADERBOARD}")):
        names = some([str(path.parent) for path in below], 5)
        return f"no {LEADERBOARD} here, but in subfolders: {names}; name one of these"
    return (
        f"no {LEADERBOARD} here; name a suite's results folder; if a session wrote none, "
        f"`harness report {shlex.quote(str(results))} --suite FILE` writes it"
    )


def _nothing_kept(lines: Sequence[Line], others: Sequence[str]) -> str:
    runs = sum(len(line.runs) for line in lines)
    problem = f"none of the {runs} scored runs of its leaderboard has a kept model here"
    if others:
        named = some(others, 5)
        return f"{problem}; other runs have: {named}; name one as MODEL_FOLDER"
    return f"{problem}; {KEEP} (published results contain no models)"
