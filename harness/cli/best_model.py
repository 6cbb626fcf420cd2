"""The best kept model of a results folder, by its leaderboard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput
from harness.judging.leaderboard import leaderboard
from harness.kept import kept_files
from harness.report import LEADERBOARD, leaderboard_in, read_published
from harness.report.pictures.charts import Line, lines_of, with_score
from harness.session.reuse import best_run
from harness.store.records import Record
from harness.store.run_store import Stored, finished, read_store
from harness.text import shortened

KEEP = 'keep_models = "best" in its suite makes `pytest benchmarks/` keep them'


@dataclass(frozen=True)
class BestModel:
    """A kept model, and where its cell stands.

    Attributes:
        folder: the model's.
        record: of its run, as the store has it.
        line: its cell's row of the leaderboard.
        ranked: how many cells the leaderboard ranks.
        above: ids of the cells of a better rank, of which no model is kept.
        equal: ids of the other cells of its rank of which one is kept.
        notes: lines on runs whose records failed verification, and which were passed over.
    """

    folder: Path
    record: Record
    line: Line
    ranked: int
    above: tuple[str, ...]
    equal: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def text_column(self) -> str | None:
        """The column of sentences in the file that it was trained on; None where none is known."""
        return None if self.record.dataset is None else self.record.dataset.text_column


def best_model(results: Path) -> BestModel:
    """Return the best kept model of a suite's results folder.

    The leaderboard ranks the cells; the best-ranked cell of which a model is kept has it. Of
    cells of equal rank that is the first in the leaderboard, which keeps the suite's order; of a
    cell's kept runs the one of the highest MCC. Gates change no rank, so they change no choice.

    Args:
        results: a suite's folder, or the leaderboard.json in it.

    Raises:
        BadInput: no leaderboard there, one that cannot be read, or no model of its runs is kept.
    """
    file = _leaderboard(results)
    folder = file.parent
    published = read_published(file)
    store, notes = read_store(folder)
    kept = _kept(store)
    table = leaderboard(published.cells, published.records, published.baseline)
    lines = with_score(lines_of(published, table))
    held = [(line, found) for line in lines if (found := _runs_kept(line, kept))]
    if not held:
        others = sorted(str(item.folder / kept_files.FOLDER) for item in kept.values())
        raise BadInput([f"--results: {results}: {_nothing_kept(lines, others)}", *notes])
    line, runs = held[0]
    rank = line.number("rank")
    assert rank is not None  # it has a score
    chosen = best_run(runs)
    return BestModel(
        folder=chosen.folder / kept_files.FOLDER,
        record=chosen.record,
        line=line,
        ranked=len(lines),
        above=tuple(each.cell.id for each in lines if (each.number("rank") or rank) < rank),
        equal=tuple(each.cell.id for each, _ in held[1:] if each.number("rank") == rank),
        notes=tuple(notes),
    )


def in_words(best: BestModel) -> list[str]:
    """Say in a few lines which model it is, how good, and what speaks against it."""
    record, row, cell = best.record, best.line.row, best.line.cell.id
    assert record.scores is not None
    lines = [
        f"model: {cell}, seed {record.seed}: validation MCC {record.scores.mcc:.3f}, cell ranked "
        f"{row['rank']} of {best.ranked}: {best.folder}"
    ]
    if best.above:
        lines.append(f"note: no model is kept of the cells ranked above: {', '.join(best.above)}")
    if best.equal:
        lines.append(f"note: as high rank {', '.join(best.equal)}; the suite names this one first")
    if row["verdict"] not in ("pass", None):
        lines.append(f"note: the gates of {cell} say: {row['verdict']}")
    if row["status"] != "ok":
        lines.append(f"note: {cell} is ranked by some of its seeds only: {row['status']}")
    return [*lines, *(f"note: {note}" for note in best.notes)]


def _leaderboard(results: Path) -> Path:
    try:
        file = leaderboard_in(results)
        if file.name == LEADERBOARD and file.is_file():
            return file
        problem = f"{results}: {_what_it_is(results)}"
    except OSError as error:  # too long for a path, or behind a closed folder
        told = f"{shortened(str(results))}: cannot be read ({error.strerror})"
        problem = f"{told}; name a suite's results folder"
    raise BadInput([f"--results: {problem}"])


def _kept(store: Sequence[Stored]) -> dict[str, Stored]:
    """Return the finished runs whose model is there, by key."""
    return {key: item for key, item in finished(store) if kept_files.is_kept(item.folder)}


def _runs_kept(line: Line, kept: Mapping[str, Stored]) -> list[Stored]:
    return [kept[run.key] for run in line.runs if run.key is not None and run.key in kept]


def _what_it_is(results: Path) -> str:
    if not results.exists():
        return "no such folder; name a suite's results folder, such as results/local/SUITE"
    if not results.is_dir():
        return f"not a results folder; name the one that holds {LEADERBOARD}"
    if below := sorted(results.glob(f"*/{LEADERBOARD}")):
        names = ", ".join(str(path.parent) for path in below[:5])
        return f"no {LEADERBOARD} here, but below it: {names}; name one of these"
    return (
        f"no {LEADERBOARD} here; name a suite's results folder; where a session left none, "
        f"`harness report {results} --suite FILE` writes it"
    )


def _nothing_kept(lines: Sequence[Line], others: Sequence[str]) -> str:
    runs = sum(len(line.runs) for line in lines)
    told = f"of none of the {runs} scored runs of its leaderboard is a model kept here"
    if others:
        named = ", ".join(others[:5])
        return f"{told}; those of other runs are: {named}; name one as MODEL_FOLDER"
    return f"{told}; {KEEP} (published tables come without)"
