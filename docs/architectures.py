"""Every architecture of transformers, tested with a tiny checkpoint: `make architectures`.

    python docs/architectures.py

writes docs/architectures.md and takes a few minutes on two cores.
tests/docs/test_every_architecture.py measures a sample of the rows again, and all of them with the
marker `architectures`.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "tests"))

import torch  # noqa: E402
import transformers  # noqa: E402
from builders.families import FAMILIES  # noqa: E402
from traits import Traits, try_out  # noqa: E402

DOCUMENT = ROOT / "docs" / "architectures.md"

YES, NO, UNTRIED = "yes", "no", "-"
UNREAD = "input ignored"
RIGHT, LEFT = "on the right", "on the left"
BY_MEMORY, BY_FILES = "with `memory-checkpoint`", "without speed-ups"
HEADINGS = (
    "architecture",
    "trains",
    "repeatable",
    "independent of padding",
    "best epoch kept",
    "speed-ups",
    "messages",
)
MOST_CHARACTERS = 200


class Row(NamedTuple):
    """The row of one architecture on the page, field by field."""

    architecture: str
    trains: str
    repeats: str
    padding: str
    kept: str
    speedups: str
    messages: str


def main() -> None:
    """Test all architectures and write the page."""
    processes = min(os.cpu_count() or 1, 8)
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        rows = []
        for number, row in enumerate(pool.map(measure, FAMILIES), 1):
            rows.append(row)
            print(f"{number}/{len(FAMILIES)} {' | '.join(row)}", flush=True)
    DOCUMENT.write_text(page(rows), encoding="utf-8")


def measure(architecture: str) -> Row:
    """Return the row of one architecture, measured on this machine."""
    with tempfile.TemporaryDirectory() as folder:
        return row_of(try_out(architecture, Path(folder)))


def row_of(traits: Traits) -> Row:
    """Write traits as a row."""
    messages = "; ".join(_shortened(text) for text in traits.messages)
    return Row(
        architecture=f"`{traits.architecture}`",
        trains=UNREAD if traits.reads is False else _word(traits.trains),
        repeats=_word(traits.repeats),
        padding=_either(traits.padded_right, traits.padded_left, RIGHT, LEFT),
        kept=_either(*traits.kept, BY_MEMORY, BY_FILES),
        speedups=", ".join(traits.speedups) or UNTRIED,
        messages=messages.replace("|", "\\|"),
    )


def _word(found: bool | None) -> str:
    return UNTRIED if found is None else YES if found else NO


def _either(first: bool | None, second: bool | None, only_first: str, only_second: str) -> str:
    if first is None and second is None:
        return UNTRIED
    return YES if first and second else only_first if first else only_second if second else NO


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}..."


def page(rows: Sequence[Row]) -> str:
    """Return the whole page, computed from its rows only."""
    lines = [f"| {' | '.join(HEADINGS)} |", f"|{'---|' * len(HEADINGS)}"]
    lines += [f"| {' | '.join(row)} |".replace("|  |", "| |") for row in rows]
    return "\n".join(
        [_INTRODUCTION.format(versions=versions()), *_facts(rows), _LEGEND, *lines, ""]
    )


def rows_of(document: str) -> list[Row]:
    """Return the rows of a page; the inverse of `page`."""
    lines = [line for line in document.splitlines() if line.startswith("| `")]
    return [Row(*(cell.strip() for cell in line[1:-1].split(" |"))) for line in lines]


def versions() -> str:
    """Return the versions with which the page was measured."""
    return (
        f"transformers {transformers.__version__}, "
        f"torch {torch.__version__.partition('+')[0]}, on a CPU"
    )


def _facts(rows: Sequence[Row]) -> Iterable[str]:
    """Yield the page's list of counts, with the names of the architectures for some."""

    def count(description: str, holds: Callable[[Row], bool], *, named: bool = True) -> str:
        found = [row.architecture for row in rows if holds(row)]
        names = f": {', '.join(found)}" if named and found else ""
        return f"- **{len(found)}** {description}{names}."

    trained = [row for row in rows if row.trains == YES]
    yield f"Of **{len(rows)}** architectures"
    yield ""
    yield count("train, and use their input", lambda row: row in trained, named=False)
    yield count("do not train; the table gives the reason", lambda row: row.trains == NO)
    yield count(
        "train, but ignore their input: every sentence gets the same logits",
        lambda row: row.trains == UNREAD,
    )
    yield count(
        "are not repeatable: the same run gives different logits", lambda row: row.repeats == NO
    )
    yield count(
        "depend on padding on either side: their logits change with the other sentences of a batch",
        lambda row: row.padding == NO,
    )
    yield count("may be padded on the left only", lambda row: row.padding == LEFT)
    yield count("may be padded on the right only", lambda row: row.padding == RIGHT, named=False)
    yield count("may be padded on either side", lambda row: row.padding == YES, named=False)
    yield count(
        "save a model that differs from the best epoch's, completely or in part, if "
        "`memory-checkpoint` is removed from `training.speedups`",
        lambda row: row.kept == BY_MEMORY,
    )
    yield count(
        "save a model that differs from the best epoch's in any case", lambda row: row.kept == NO
    )
    yield count("have the speed-ups of `layers`", lambda row: "layers" in row.speedups)
    yield count("have `used-vocabulary`", lambda row: "vocabulary" in row.speedups)


_INTRODUCTION = """\
# Every architecture, tried

Which architectures can be fine-tuned here, and the properties of each. `make architectures` writes
this page: for every architecture with a sequence classification class in transformers, it builds a
tiny checkpoint (few layers of width 32, random weights), trains it with this harness, and records
the results. A tiny random model shows how an architecture computes, not how well it classifies.

Measured with {versions}.
"""

_LEGEND = """
How to read the table:

- **trains**: a run with the default settings ends with a score. `input ignored`: it ends, but
  every sentence gets the same logits.
- **repeatable**: the same run, started again, gives the same logits bit for bit.
- **independent of padding**: a sentence gets the same logits with and without padding, on either
  side (`yes`), on one side only, or on none (`no`). With `no`, the logits of a sentence depend on
  the other sentences of its batch.
- **best epoch kept**: the model that `keep_models` writes, loaded by transformers, gives the
  logits of the best epoch; with the default speed-ups and with none (`yes`), or in one case only.
- **speed-ups** that are active by default: `layers` is `fast-dropout`, `first-token` and `packing`;
  `vocabulary` is `used-vocabulary`; `sorting` is `sorted-evaluation`; `memory` is
  `memory-checkpoint`. (`kept-memory` depends on the machine.) [What they are](performance.md).
- **messages**: the reason of a failed run, warnings about the architecture, and the error of
  `harness predict` if a kept model cannot classify the one-letter sentence "a".
- `-`: could not be tested.

Logits count as the same if they differ by less than 1/1000 of their standard deviation over
sentences. All models get text only: no images, boxes or tables.
"""


if __name__ == "__main__":
    main()
