"""`harness mistakes`: prints the sentences that every run misclassifies."""

import functools
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tabulate import tabulate

from harness.cli.choices import chosen, only_suite, options
from harness.errors import BadInput, problems_of
from harness.session.options import cola_folder
from harness.suite import ids
from harness.suite.by_name import NAMES
from harness.text import counted, printable

if TYPE_CHECKING:
    from harness.inputs.data import Source
    from harness.report import Published
    from harness.store.records import Record
    from harness.suite.spec import DatasetSpec


@click.command(short_help="print the sentences that every run misclassifies")
@click.argument("results", type=click.Path(path_type=Path), metavar="FOLDER|LEADERBOARD.JSON")
@options(
    ("suite", "cola_dir"),
    suite=f"a file, or {', '.join(NAMES)}: the suite whose data the runs are of; needed for data "
    "of your own",
)
@click.option(
    "--cell", multiple=True, metavar="ID", help="repeatable; by default each checkpoint's best"
)
@click.option("--json", "as_json", is_flag=True, help="print JSON, for programs")
def mistakes(results: Path, cell: tuple[str, ...], as_json: bool, **values: Any) -> None:
    """Print the validation sentences that every run of the cells misclassifies.

    Each sentence is printed with its position in the split, as in tables, its line in the file,
    and its label. Tables contain no sentences, so the data must be available: CoLA's folder or
    the hub, or with --suite the file that the suite names. Writes nothing.

    \b
    Examples:
      harness mistakes results/cola --cola-dir ~/cola_public
      harness mistakes results/local/messages --suite examples/own-data/messages.toml
      harness mistakes results/cola --cell minilm-l6-bs32-lr1e-4 --cell mpnet-base-bs16-lr3e-5
    """
    from harness.judging.evidence import NoEvidence
    from harness.judging.hard_sentences import hard_sentences
    from harness.judging.mistakes import missed_by
    from harness.report import leaderboard_in, read_published

    try:
        published = read_published(leaderboard_in(results))
    except BadInput as error:
        of_suite = problems_of(lambda: only_suite(chosen(values))) if values["suite"] else []
        raise BadInput([*error.problems, *of_suite]) from None
    cells = functools.partial(_runs, published, cell, results)
    suite = functools.partial(only_suite, chosen(values))
    if problems := problems_of(cells, *([suite] if values["suite"] else [])):
        raise BadInput(problems)
    runs = cells()
    try:
        missed = missed_by([*runs.values()])
    except NoEvidence as error:
        raise BadInput([f"{results}: {error}"]) from None
    found = hard_sentences(missed, _source(published, values)) if len(missed.positions) else []
    if as_json:
        scope = {"cells": [*runs], "sentences": missed.sentences}
        content = {**scope, "missed": [asdict(each) for each in found]}
        click.echo(json.dumps(content, indent=1, ensure_ascii=False))
        return
    click.echo(
        printable(
            f"{len(missed.positions):,} of {counted(missed.sentences, 'validation sentence')} are "
            f"misclassified by every run of {', '.join(runs)}"
        )
    )
    if found:
        headings = ("position", "place", "labelled", "sentence")
        rows = [
            [*map(printable, (str(each.position), each.place or "-", each.label, each.sentence))]
            for each in found
        ]
        click.echo("\n" + tabulate(rows, headings, "simple", disable_numparse=True))


def _runs(
    published: "Published", requested: Sequence[str], results: Path
) -> "dict[str, Sequence[Record]]":
    """Return the scored runs of the requested cells, by cell id.

    Raises:
        BadInput: an unknown cell, or no scored cell.
    """
    from harness.judging.comparison import best_cells
    from harness.judging.gates.stopped import any_stopped
    from harness.judging.leaderboard import scored
    from harness.report import TRAIN_FIRST

    runs = published.runs
    known = {name: ended for name, own in runs.items() if (ended := scored(own))}
    if not known:
        raise BadInput([f"{results}: no run was scored yet; {TRAIN_FIRST}"])
    if not requested:
        contestants = best_cells(published.cells, runs, published.standings)
        best = {each.runs[0].cell: each.runs for each in contestants}
        if not best:
            problem = (
                "no cell has scores of all its runs yet; finish them with `pytest benchmarks/`, or "
                "name partly scored cells with --cell ID"
            )
            if any(map(any_stopped, known.values())):
                problem += "; stopped runs do not count: train them without --stop decided"
            raise BadInput([f"{results}: {problem} ({', '.join(known)})"])
        return {**best}
    problem = f"not a scored cell of {results}, which has {', '.join(known)}"
    found = ids.find_all(requested, known, lambda name: f"--cell: {name!r}: {problem}")
    return {cell: known[cell] for cell in found}


def _source(published: "Published", values: dict[str, Any]) -> "Source":
    """Return the location of the runs' data, from the suite or from the name of the data.

    Raises:
        BadInput: more than one suite, no suite although one is needed, or missing data.
        Unavailable: the data is on the hub, which cannot be reached.
    """
    from harness.inputs import data

    typed = chosen(values)
    named = {facts.name: facts.origin for facts in published.datasets}
    if values["suite"]:
        planned, _ = only_suite(typed)
        spec, base = planned.suite.dataset, planned.base
    elif "file" in named:
        problem = f"the runs are of {named['file']}; name the suite that reads it with --suite FILE"
        raise BadInput([problem])
    else:
        spec, base = _named_data(published), typed.here
    return data.find_now(spec, cola_folder(typed), base)


def _named_data(published: "Published") -> "DatasetSpec":
    """Return the data of runs whose data has a name that every machine knows."""
    from harness.suite.spec import DatasetSpec

    facts = {each.name: each for each in published.datasets}
    if published.dataset is not None and "hub" in facts and (hub := facts["hub"].hub) is not None:
        return published.dataset.model_copy(update={"revision": hub.revision})
    return DatasetSpec.model_validate({"source": "cola" if "cola" in facts else "embedded"})
