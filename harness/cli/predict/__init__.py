"""`harness predict`: classifies sentences with a kept model."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.choices import STDIN, delimiter, quoting
from harness.cli.predict.quiet import quiet
from harness.machine import contention
from harness.text import counted, printable, some

if TYPE_CHECKING:  # it imports torch
    from harness.kept.inference import Answer

MOST_NUMBERS = 5
"""So many sentences that were cut are named by number."""


@click.command(short_help="label sentences with a kept model")
@click.argument("arguments", nargs=-1, metavar="[MODEL_FOLDER] [SENTENCE]...|-")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="instead of MODEL_FOLDER: use the best kept model of a suite's results folder",
)
@click.option(
    "--file",
    metavar="FILE",
    help="a text file, one sentence per line; - for stdin; or a CSV, TSV, JSON or Parquet table",
)
@click.option(
    "--text-column",
    metavar="NAME",
    help="the table's column of sentences; with --results by default the training file's column",
)
@delimiter
@quoting
@click.option(
    "--format",
    "as_format",
    type=click.Choice(["text", "jsonl", "tsv"]),
    default="text",
    show_default=True,
    help="for people; or one JSON object, or one row of tab-separated fields, per sentence",
)
@click.option(
    "--batch-size", type=click.IntRange(1), default=64, show_default=True, help="sentences per step"
)
def predict(
    arguments: tuple[str, ...],
    results: Path | None,
    file: str | None,
    as_format: str,
    batch_size: int,
    **described: str | None,
) -> None:
    """Print the label of each sentence and its probability, in the order of the sentences.

    MODEL_FOLDER is a model that a suite with keep_models fine-tuned. With --results the best kept
    model is used: of the cells with a kept model the highest-ranked (of equal ranks the suite's
    first), and there the kept run with the highest MCC. Gates change no rank. The model, cells of
    its rank, and a gate that it failed are printed on standard error.

    A sentence longer than the model's maximum length is cut there, as in training; standard error
    says how many were, and which. In jsonl, cut_to is the length, null for a whole sentence.

    A table (.csv, .tsv, .jsonl, .json, .parquet) is read as in training; each row gets one answer.
    In TSV output a tab, line end or backslash of a sentence is written \\t, \\n, \\r or \\\\.

    \b
    Examples:
      harness predict --results results/local/mine "The cat sat." "Cat the sat."
      harness predict --results results/local/mine --file new.csv --text-column text --format tsv
      harness predict results/local/mine/runs/CELL/RUN/model --file sentences.txt
      cat sentences.txt | harness predict model/ - --format jsonl
    """
    model, sentences = None, arguments
    if results is None:
        if not arguments:
            raise click.UsageError("name MODEL_FOLDER, or --results FOLDER")
        model, sentences = Path(arguments[0]), arguments[1:]
    if sentences and file is not None:
        raise click.UsageError("sentences and --file are both given; give only one of them")
    if not sentences and file is None:
        raise click.UsageError("give sentences, or --file FILE, or - to read standard input")
    if sentences == (STDIN,):
        sentences, file = (), STDIN
    if STDIN in sentences:
        raise click.UsageError(
            "- must be the only sentence argument: give standard input or sentences, not both"
        )
    from harness.cli.predict.sentences import check_columns, check_sentences, read_sentences
    from harness.inputs.data.formats import is_table

    check_sentences(model or results, sentences)
    check_columns(file, described)
    column: str | None = None
    notes: list[str] = []
    if results is not None:
        from harness.cli.predict.best_model import best_model, in_words

        best = best_model(results)
        model, column = best.folder, best.text_column
        notes = in_words(best)
    assert model is not None
    texts = sentences
    if file is not None:
        texts, note = read_sentences(file, column, described)
        notes += note
    for line in notes:  # after every error about the file
        click.echo(printable(line), err=True)
    contention.wait_passively()
    with quiet():
        from harness.kept.inference import classify, load
        from harness.machine import provenance

        answers = classify(load(model, provenance.device_type()), texts, batch_size)
    cut: list[tuple[int, int]] = []
    for line in FORMATS[as_format](_noting_cuts(_quietly(answers), cut)):
        click.echo(line)
    if cut:
        noun = "sentence" if file is None or is_table(Path(file)) else "line"
        click.echo(_cuts_in_words(cut, len(texts), noun), err=True)


def _noting_cuts(answers: "Iterator[Answer]", cut: list[tuple[int, int]]) -> "Iterator[Answer]":
    """Yield answers; add number and length of each sentence that was cut to a list."""
    for number, answer in enumerate(answers, start=1):
        if answer.cut_to is not None:
            cut.append((number, answer.cut_to))
        yield answer


def _cuts_in_words(cut: Sequence[tuple[int, int]], sentences: int, noun: str) -> str:
    """Return a line about the sentences that were cut.

    Args:
        cut: number and length of each, at least one.
        noun: what their numbers count.
    """
    length = counted(cut[0][1], "token")
    were = "was" if len(cut) == 1 else "were"
    numbers = some([f"{number:,}" for number, _ in cut], MOST_NUMBERS)
    return (
        f"note: {len(cut):,} of {counted(sentences, 'sentence')} {were} cut to {length}, the most "
        f"that this model reads, and answered without the rest: "
        f"{noun if len(cut) == 1 else f'{noun}s'} {numbers}"
    )


def _quietly(answers: "Iterator[Answer]") -> "Iterator[Answer]":
    """Yield answers; nothing is printed while they are computed."""
    while True:
        with quiet():
            answer = next(answers, None)
        if answer is None:
            return
        yield answer


def _text(answers: "Iterable[Answer]") -> Iterator[str]:
    for answer in answers:
        width = max(map(len, answer.probabilities))
        probability = answer.probabilities[answer.label]
        yield f"{answer.label:<{width}}  {probability:.3f}  {printable(answer.sentence)}"


def _jsonl(answers: "Iterable[Answer]") -> Iterator[str]:
    for answer in answers:
        fields = {
            "sentence": answer.sentence,
            "label": answer.label,
            "probability": answer.probabilities[answer.label],
            "probabilities": answer.probabilities,
            "cut_to": answer.cut_to,
        }
        yield json.dumps(fields, ensure_ascii=False)


ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _tsv(answers: "Iterable[Answer]") -> Iterator[str]:
    yield "label\tprobability\tsentence"
    for answer in answers:
        probability = answer.probabilities[answer.label]
        label = answer.label.translate(ESCAPES)
        yield f"{label}\t{probability:.6f}\t{answer.sentence.translate(ESCAPES)}"


FORMATS = {"text": _text, "jsonl": _jsonl, "tsv": _tsv}
