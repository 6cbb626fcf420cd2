"""A leaderboard as a Markdown document (GitHub's flavour)."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from harness.judging.column import INCOMPLETE_MEANING, MISSING, Column, Row, marked
from harness.judging.columns import informative
from harness.judging.costs import beside_other_programs, likely_cause, rough
from harness.judging.gates.stopped import any_stopped
from harness.judging.leaderboard import doubts_by_cell, scored
from harness.judging.populations import IN_WORDS
from harness.machine.provenance import Machine
from harness.markup import code, escaped, grid, section
from harness.report.findings.domain_differences import domain_differences
from harness.report.findings.looks import not_needed
from harness.report.parts import caption, in_text, lines_on_parts, parts
from harness.report.pictures.charts import Line, TableLines, of_cells
from harness.report.pictures.content import Picture
from harness.report.published import Published, by_text, stopped_runs, warned_runs
from harness.store.records import Record
from harness.store.stopped import at_least
from harness.suite.plan import Cell
from harness.text import counted, scientific, series

SELECTION = {
    "best-epoch": "the epoch with the highest validation MCC is selected, "
    "on the same sentences that give its score",
    "last-epoch": "the model after the last epoch is scored",
}

NO_LOGITS = "not published"

MOST_RUNS = 200
"""How many runs are listed; the rest are only counted."""


def as_markdown(
    published: Published,
    lines: TableLines,
    found: Iterable[str],
    pictures: Sequence[Picture] = (),
    predictions: bool = True,
) -> str:
    """Return leaderboard.md: introduction, table, missing runs with reasons, provenance.

    Args:
        found: blocks of Markdown, from harness.report.findings.
        predictions: whether predictions.parquet is in the same folder.
    """
    rows = [line.row for line in lines]
    columns = informative(rows)
    blocks = [
        f"# Leaderboard: {escaped(published.suite)}",
        *introduction(published),
        *populations(rows),
        _table(columns, rows),
        *section("Stopped runs", stopped_runs(published.cells, published.records, code)),
        *section("Runs without a score", without_score(published)),
        *section("Warnings", warnings(published)),
        *_shown(pictures),
        *found,
        *_parts(of_cells(lines)),
        *section("Checkpoints", origins(published)),
        *section("Environment", environments(published)),
        *section("Columns", legend(columns, published.cells)),
        *runs_in_full(published),
        "Numbers in full: [leaderboard.csv](leaderboard.csv). Every record: "
        "[leaderboard.json](leaderboard.json). Every run's logits: "
        f"{'[predictions.parquet](predictions.parquet)' if predictions else NO_LOGITS}.",
    ]
    return "\n\n".join(blocks) + "\n"


def _shown(pictures: Sequence[Picture]) -> Iterator[str]:
    if pictures:
        yield "## Pictures"
        yield (
            "[leaderboard.html](leaderboard.html) shows interactive charts, and a table that you "
            "can sort and filter, in one file for a browser."
        )
    for picture in pictures:
        yield f"**{escaped(picture.title)}** ([SVG]({picture.name}.svg))"
        yield f"![{escaped(picture.alt)}]({picture.name}.png)"


def _table(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    def field(column: Column, row: Row) -> str:
        text = column.text(row)
        return code(text) if column.name == "checkpoint" else text

    return grid(
        [column.heading for column in columns],
        [[field(column, row) for column in columns] for row in rows],
        [column.alignment for column in columns],
    )


def introduction(published: Published) -> Iterator[str]:
    """Yield paragraphs: the data, how runs were trained and scored, how reliable numbers are."""
    runs = scored(published.records)
    seeds = max((len(cell.seeds) for cell in published.cells), default=0)
    spread_known = (
        "numbers are means over the seeds of a row, ± the sample standard deviation"
        if seeds > 1
        else "one seed per row, so it is not known how much scores and costs vary between seeds"
    )
    listed = {name for cell in published.cells for name in cell.settings}
    stopped = any_stopped(runs)
    settings = dict.fromkeys(
        (
            run.dataset.model_copy(update={"duplicates": None}),  # unknown in older records
            _epochs(run, listed, stopped),
            _selection(run, listed),
        )
        for run in runs
        if run.dataset is not None
    )
    for facts, epochs, selection in settings:
        origin = escaped(facts.origin)
        name = f"CoLA ({origin})" if facts.name == "cola" else origin
        which = "Every row without the mark given" if published.given else "Every row"
        yield (
            f"{which} is a pretrained checkpoint fine-tuned on {name}: "
            f"{facts.train:,} sentences for {epochs}, "
            f"scored on the {facts.validation:,} sentences of the validation split; "
            f"{selection}; {spread_known}."
        )
        if facts.name == "embedded":
            yield (
                "**The embedded corpus is part of the harness: synthetic sentences from a small "
                "grammar, so that the pipeline runs anywhere. "
                "Do not compare these scores with scores on CoLA.**"
            )
    moments = (moment for run in runs for moment in (run.started_at, run.finished_at) if moment)
    if days := sorted(_utc(moment)[:10] for moment in moments):
        recipes = series([*map(str, sorted({run.recipe_version for run in runs}))])
        yield (
            f"Runs of {' to '.join(dict.fromkeys((days[0], days[-1])))} (UTC), recipe {recipes} "
            "(the version of the training code)."
        )
    yield from _times(published)
    if not runs:
        yield "No run has been scored yet."


def populations(rows: Iterable[Row]) -> Iterator[str]:
    """Yield what a marked rank is, and what the intervals are about, if records contain sources."""
    rows = list(rows)
    if any(map(marked, rows)):
        yield f"{INCOMPLETE_MEANING}."
    known = [row for row in rows if row.get("sources") is not None]
    if any(row["mcc_low_sources"] is not None for row in known):
        yield (
            "There are two 95 % intervals, because sentences of one source, such as a "
            f"publication, are alike: one is for {IN_WORDS['sentences']}, the other, mostly wider, "
            f"for {IN_WORDS['sources']}."
        )
    reasons = dict.fromkeys(row["sources_reason"] for row in known)
    for reason in reasons:
        if reason is not None:
            yield f"No interval for {IN_WORDS['sources']}: {escaped(str(reason))}."


def _mcc(run: Record) -> str:
    if run.scores is None:
        return MISSING
    return at_least(run.scores.mcc, 4) if run.stopped else f"{run.scores.mcc:z.4f}"


def _epochs(run: Record, listed: Collection[str], stopped: bool) -> str:
    """Return how many epochs a run trained.

    Args:
        listed: settings in which the leaderboard's cells differ.
        stopped: whether some runs were stopped.
    """
    training = run.training
    if "epochs" in listed:
        return "the epochs of the row"
    number = counted(training.epochs, "epoch")
    whole = training.patience is None and "patience" not in listed and not stopped
    return number if whole else f"at most {number}"


def _selection(run: Record, listed: Collection[str]) -> str:
    if "selection" in listed:
        return "the epoch that the column selection names is scored"
    return SELECTION[run.training.selection]


def _utc(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _times(published: Published) -> Iterator[str]:
    """Yield one paragraph if seeds or records show that the table's times are unreliable."""
    doubted = {cell for cell, _ in doubts_by_cell(published.cells, published.records)}
    runs = {cell: scored(own) for cell, own in published.runs.items()}
    busy = sum(map(beside_other_programs, runs.values()))
    if not doubted and not busy:
        return
    marked = sum(map(rough, runs.values()))
    told = [
        f"**Check times before you compare them**: ~ marks the times of {marked} of "
        f"{counted(len(runs), 'cell')}, which are accurate to an order of magnitude only"
    ]
    if busy:
        told.append(
            f"Other programs used the processor while runs of {counted(busy, 'cell')} trained"
        )
    if doubted:
        several = sum(len(cell.seeds) > 1 for cell in published.cells)
        told.append(
            f"In {len(doubted)} of the {counted(several, 'cell')} with several seeds, the seeds "
            "differ by more than a third in training time, or were timed under different "
            "circumstances (Warnings lists these cells)"
        )
    if doubted and not busy:
        cause = likely_cause(run for run in published.records if run.cell in doubted)
        told.append(f"{cause[0].upper()}{cause[1:]}")
    if marked < len(runs):
        told.append("Times of the other cells may then be too long as well")
    yield ". ".join([*told, "Scores are not affected."])


def without_score(published: Published) -> Iterator[str]:
    """Yield each reason why runs have no score, with the runs."""
    for status in ("failed", "skipped"):
        reasons = (
            (run.reason or "no reason was recorded", run.cell, run.seed)
            for run in published.records
            if run.status == status
        )
        for reason, runs in by_text(published.cells, reasons, code):
            yield f"{status}: {runs}: {escaped(reason)}"
    recorded = {(run.cell, run.seed) for run in published.records}
    recorded |= not_needed(published)
    missing = (
        ("", cell.id, seed)
        for cell in published.cells
        for seed in cell.seeds
        if (cell.id, seed) not in recorded
    )
    for _, runs in by_text(published.cells, missing, code):
        yield f"not run: {runs}"


def warnings(published: Published) -> Iterator[str]:
    """Yield each warning with its runs, then the reasons why times of a cell are unreliable."""
    for warning, runs in warned_runs(published.cells, published.records, code):
        yield f"{runs}: {escaped(warning)}"
    for cell, doubt in doubts_by_cell(published.cells, published.records):
        yield f"{code(cell)}: {escaped(doubt)}"


def _parts(every: Sequence[Line]) -> Iterator[str]:
    """Yield a heading, a caption and a table of the MCC on parts of the data, if any is known."""
    groups = parts(every)
    if not groups:
        return
    lines = lines_on_parts(every, groups)
    yield "## MCC by part of the data"
    yield caption(lines, groups)
    yield grid(
        [
            *("checkpoint", "batch size", "learning rate", *lines[0].further),
            *(f"{escaped(part)} MCC" for part in groups),
        ],
        [
            [
                code(line.cell.checkpoint),
                str(line.cell.batch_size),
                scientific(line.cell.learning_rate),
                *line.further.values(),
                *(in_text(mccs[line.cell.id]) for mccs in groups.values()),
            ]
            for line in lines
        ],
        ["left", *["right"] * (2 + len(lines[0].further) + len(groups))],
    )
    if differences := domain_differences(lines):
        yield "\n".join(f"- {each}" for each in differences)


def origins(published: Published) -> Iterator[str]:
    """Yield the size and origin of each checkpoint's files, with their digest; each pair once.

    The size tells apart checkpoints whose configurations claim the same origin.
    """
    found: dict[tuple[str, str, str | None], int | None] = {}
    for run in published.records:
        if run.checkpoint_digest is not None:
            origin = None if run.origin is None else run.origin.in_words()
            files = (run.checkpoint, run.checkpoint_digest, origin)
            found[files] = found.get(files) or run.parameters
    for (checkpoint, digest, origin), parameters in found.items():
        size = "" if parameters is None else f"{counted(parameters, 'parameter')}, "
        # A code span: text from a checkpoint's file must not become a link.
        where = "origin not recorded" if origin is None else f"from {code(origin)}"
        yield f"{code(checkpoint)}: {size}{where}; sha256 of its files {code(digest)}"


def environments(published: Published) -> Iterator[str]:
    """Yield each environment in which runs were trained, with its share of the runs."""
    described = [
        _environment(run, run.machine) for run in published.records if run.machine is not None
    ]
    for environment, runs in Counter(described).items():
        share = "" if runs == len(described) else f" ({runs} of {len(described)} runs)"
        yield f"{environment}{share}"


def _environment(run: Record, machine: Machine) -> str:
    memory = None if machine.memory_gb is None else f"{machine.memory_gb:g} GB"
    parts = [machine.accelerator, machine.processor, counted(machine.cores, "core"), memory]
    hardware = ", ".join(part for part in [run.device, *parts, machine.system] if part)
    packages = [
        f"{package} {version}"
        for package, version in run.versions.items()
        if package in ("torch", "transformers") and version is not None
    ]
    software = ", ".join([f"Python {machine.python}", *packages])
    facts = [escaped(hardware), escaped(software)]
    if run.commit is not None:
        facts.append(f"harness commit {code(run.commit)}")
    if run.threads is not None:
        facts.append(f"{counted(run.threads, 'thread')} per run")
    if run.concurrency is not None:
        facts.append(f"{counted(run.concurrency, 'run')} at a time")
    return "; ".join(facts)


def runs_in_full(published: Published) -> Iterator[str]:
    """Yield a heading and a table of the runs that were started, with what finds their record."""
    runs = [run for run in published.records if run.status != "skipped"]
    if not runs:
        return
    yield "## Runs"
    yield grid(
        ["cell", "seed", "MCC", "started at (UTC)", "key"],
        [
            [
                code(run.cell),
                str(run.seed),
                _mcc(run),
                MISSING if run.started_at is None else _utc(run.started_at),
                MISSING if run.key is None else code(run.key[:8]),
            ]
            for run in runs[:MOST_RUNS]
        ],
        ["left", "right", "right", "left", "left"],
    )
    if (more := len(runs) - MOST_RUNS) > 0:
        yield f"{counted(more, 'more run')}: [leaderboard.json](leaderboard.json)"


def legend(columns: Sequence[Column], cells: Sequence[Cell]) -> Iterator[str]:
    """Yield the meaning of each column."""
    targets = dict.fromkeys(cell.target for cell in cells if cell.target is not None)
    for column in columns:
        target = (
            f" ({', '.join(map(str, targets))})" if column.name == "time_to_target_seconds" else ""
        )
        yield f"{column.heading}: {column.meaning}{target}"
