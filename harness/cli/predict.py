"""`harness predict`: a kept model's answer to sentences."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness import contention
from harness.errors import BadInput
from harness.quiet import quiet
from harness.text import printable

if TYPE_CHECKING:  # it imports torch
    from harness.inference import Answer

STDIN = "-"


@click.command(short_help="label sentences with a kept model")
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL_FOLDER")
@click.argument("sentences", nargs=-1, metavar="[SENTENCE]...|-")
@click.option("--file", metavar="FILE", help="a text file with a sentence a line; - for stdin")
@click.option(
    "--format",
    "as_format",
    type=click.Choice(["text", "jsonl", "tsv"]),
    default="text",
    show_default=True,
    help="for a reader, or a JSON object or a row of tab-separated fields for each sentence",
)
@click.option(
    "--batch-size", type=click.IntRange(1), default=64, show_default=True, help="sentences a step"
)
def predict(
    model: Path, sentences: tuple[str, ...], file: str | None, as_format: str, batch_size: int
) -> None:
    """Print the label of each sentence and its probability, in their order.

    MODEL_FOLDER is a model that a suite with keep_models fine-tuned. In TSV a tab, line end or
    backslash of a sentence is written \\t, \\n, \\r or \\\\.

    \b
    Examples:
      harness predict results/local/mine/runs/CELL/RUN/model "The cat sat." "Cat the sat."
      harness predict model/ --file sentences.txt --format tsv > answers.tsv
      cat sentences.txt | harness predict model/ - --format jsonl
    """
    if bool(sentences) == (file is not None):
        raise click.UsageError("give sentences, or --file FILE, or - to read standard input")
    if sentences == (STDIN,):
        sentences, file = (), STDIN
    if STDIN in sentences:
        raise click.UsageError(
            "- stands alone: sentences come from standard input or from arguments"
        )
    if models := [each for each in sentences if _is_model(each)]:
        named = ", ".join(map(str, (model, *models)))
        raise BadInput([f"{1 + len(models)} models are named, and one answers: {named}; name one"])
    asked = _lines(file) if file is not None else list(sentences)
    if problems := list(_problems(asked, "line" if file is not None else "sentence")):
        raise BadInput(problems)
    contention.wait_passively()
    with quiet():
        from harness import provenance
        from harness.inference import classify, load

        answers = classify(load(model, provenance.device_type()), asked, batch_size)
    for line in FORMATS[as_format](_quietly(answers)):
        click.echo(line)


def _is_model(argument: str) -> bool:
    """Return whether an argument names the folder of a model, as a pattern of the shell's does."""
    try:
        return Path(argument, "config.json").is_file()
    except (OSError, ValueError):  # too long for a path, or no path at all
        return False


def _quietly(answers: "Iterator[Answer]") -> "Iterator[Answer]":
    """Yield answers; while the next one is computed, nobody prints."""
    while True:
        with quiet():
            answer = next(answers, None)
        if answer is None:
            return
        yield answer


def _lines(file: str) -> list[str]:
    from harness.data.rows import read_text

    if file == STDIN:
        if sys.stdin is None:
            raise BadInput(["standard input: closed; give it sentences, or name a --file"])
        try:
            text = sys.stdin.buffer.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise BadInput([f"standard input: not UTF-8 text (byte {error.start})"]) from None
    else:
        text = read_text(Path(file))
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def _problems(sentences: list[str], place: str) -> Iterator[str]:
    if not sentences:
        yield "no sentence to judge; give at least one"
    for number, sentence in enumerate(sentences, start=1):
        if not _is_text(sentence):
            yield f"{place} {number}: {sentence[:40]!a}: not UTF-8 text; write it in UTF-8"
        elif not sentence.strip():
            yield f"{place} {number}: empty; remove it or fill it in"


def _is_text(argument: str) -> bool:
    """Return whether an argument's bytes could be decoded: else it has lone surrogates."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


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
