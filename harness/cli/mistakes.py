"""`harness mistakes`: the sentences that every run gets wrong, with their lines in the data."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tabulate import tabulate

from harness import ids
from harness.cli.choices import chosen, options
from harness.errors import BadInput
from harness.text import counted, printable

if TYPE_CHECKING:
    from harness.data import Source
    from harness.records import Record
    from harness.report import Published


@click.command(short_help="print the sentences that no run gets right")
@click.argument("results", type=click.Path(path_type=Path), metavar="FOLDER|LEADERBOARD.JSON")
@options(("suite", "cola_dir"))
@click.option(
    "--cell", multiple=True, metavar="ID", help="repeatable; by default each checkpoint's best"
)
@click.option("--json", "as_json", is_flag=True, help="print JSON, for programs")
def mistakes(results: Path, cell: tuple[str, ...], as_json: bool, **values: Any) -> None:
    """Print the validation sentences that every run of some cells gets wrong.

    Each comes with its position in the split, which the tables tell, with the line of the file
    that it is from, and with its label. Tables hold no sentence; the data must be at hand: CoLA's
    folder or the hub, or with --suite the file that the suite names. Nothing is written.

    \b
    Examples:
      harness mistakes results/cola --cola-dir ~/cola_public
      harness mistakes results/local/messages --suite examples/own-data/messages.toml
      harness mistakes results/cola --cell minilm-l6-bs32-lr1e-4 --cell mpnet-base-bs16-lr3e-5
    """
    from harness.evidence import NoEvidence
    from harness.hard_sentences import as_rows, hard_sentences
    from harness.mistakes import missed_by
    from harness.report import leaderboard_in, read_published

    published = read_published(leaderboard_in(results))
    runs = _runs(published, cell, results)
    try:
        missed = missed_by([*runs.values()])
    except NoEvidence as error:
        raise BadInput([f"{results}: {error}"]) from None
    found = hard_sentences(missed, _source(published, values)) if len(missed.positions) else []
    if as_json:
        asked = {"cells": [*runs], "sentences": missed.sentences}
        content = {**asked, "missed": [asdict(each) for each in found]}
        click.echo(json.dumps(content, indent=1, ensure_ascii=False))
        return
    click.echo(
        printable(
            f"{len(missed.positions):,} of {counted(missed.sentences, 'validation sentence')} are "
            f"judged wrong by every run of {', '.join(runs)}"
        )
    )
    if found:
        headings = ("position", "place", "labelled", "sentence")
        rows = [[printable(text) for text in row] for row in as_rows(found)]
        click.echo("\n" + tabulate(rows, headings, "simple", disable_numparse=True))


def _runs(
    published: "Published", asked: Sequence[str], results: Path
) -> "dict[str, Sequence[Record]]":
    """Return the scored runs of the cells that are asked for, by their ids.

    Raises:
        BadInput: no such cell, or none that was scored.
    """
    from harness.comparison import best_cells
    from harness.leaderboard import runs_by_cell, scored

    runs = runs_by_cell(published.cells, published.records)
    known = {name: ended for name, own in runs.items() if (ended := scored(own))}
    if not asked:
        best = {each.runs[0].cell: each.runs for each in best_cells(published.cells, runs)}
        if not best:
            problem = "no cell of which every run was scored; name scored ones with --cell ID"
            raise BadInput([f"{results}: {problem} ({', '.join(known) or 'there is none'})"])
        return {**best}
    there = f"no scored cell of {results}; there are {', '.join(known) or 'none'}"
    found = ids.find_all(asked, known, lambda name: f"--cell: {name!r}: {there}")
    return {cell: known[cell] for cell in found}


def _source(published: "Published", values: dict[str, Any]) -> "Source":
    """Return where the data of the runs is, as the suite says, or as its name alone says.

    Raises:
        BadInput: more than one suite or none where one is needed, or the data is not there.
        Unavailable: the hub would have it, and cannot be reached.
    """
    from harness import data, hub
    from harness.options import planned_suites, session_options
    from harness.spec import DatasetSpec

    typed = chosen(values)
    named = {facts.name: facts.origin for facts in published.datasets}
    if len(values["suite"]) > 1:
        raise click.UsageError("--suite: one suite a folder; name one")
    if values["suite"]:
        (planned,) = planned_suites(typed)
        spec, base = planned.suite.dataset, planned.path.resolve().parent
    elif "file" in named:
        problem = f"the runs are of {named['file']}; name the suite that reads it with --suite FILE"
        raise BadInput([problem])
    else:
        name = "cola" if "cola" in named else "embedded"
        spec, base = DatasetSpec.model_validate({"source": name}), typed.here
    folder = session_options(typed).cola_dir
    needs_hub = spec.source == "cola" and folder is None and spec.path is None
    reached = hub.probe() if needs_hub else hub.Hub("", False, "not asked")
    return data.find(spec, folder, reached, base)
