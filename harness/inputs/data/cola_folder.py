"""CoLA from a folder of TSV files: the corpus' own layout, or GLUE's.

Files of labelled sentences have four tab-separated columns (source, label, author's mark,
sentence), no header and no quoting: a quotation mark is part of the sentence. The test file, which
GLUE adds, has a header and two columns (index, sentence); its labels are hidden.
"""

from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput
from harness.inputs.data.rows import (
    HIDDEN_LABEL,
    Rows,
    capped,
    from_here,
    read_text,
    shown,
    split_at_line_feeds,
)
from harness.text import counted

WAY_OUT = "the corpus is cola_public from nyu-mll.github.io/cola"

# Consecutive sentences of one domain ("" if unknown) and their number, in order.
Runs = tuple[tuple[str, int], ...]
SPLITS: dict[str, Runs] = {
    "train": (("in", 8551),),
    "validation": (("in", 527), ("out", 516)),
    "test": (("", 1063),),
}


@dataclass(frozen=True)
class Part:
    """One file of a layout: its name in the folder, its split, and the runs it must contain."""

    name: str
    split: str
    runs: Runs


CORPUS_LAYOUT = (
    Part("raw/in_domain_train.tsv", "train", SPLITS["train"]),
    Part("raw/in_domain_dev.tsv", "validation", SPLITS["validation"][:1]),
    Part("raw/out_of_domain_dev.tsv", "validation", SPLITS["validation"][1:]),
)
GLUE_LAYOUT = (
    Part("train.tsv", "train", SPLITS["train"]),
    Part("dev.tsv", "validation", SPLITS["validation"]),
)
TEST_PART = Part("test.tsv", "test", SPLITS["test"])

COLUMNS = ("source", "label", "author's mark", "sentence")
TEST_COLUMNS = ("index", "sentence")


@dataclass(frozen=True)
class _Row:
    source: str
    label: int
    sentence: str


def locate(folder: Path) -> list[tuple[Path, Part]]:
    """Return the files of CoLA in a folder, with the test file if it exists.

    The corpus' folder `raw` may be given in place of its parent folder.

    Raises:
        BadInput: no folder, or missing files, all of them listed.
    """
    try:
        return _locate(folder)
    except OSError as error:
        raise BadInput([f"{folder}: cannot be read ({error.strerror}); {WAY_OUT}"]) from None


def _locate(folder: Path) -> list[tuple[Path, Part]]:
    if not folder.is_dir():
        what = "a file, not a folder" if folder.exists() else "no such folder"
        raise BadInput([f"{folder}: {what}; give the folder that contains CoLA ({WAY_OUT})"])
    if folder.name == "raw" and (folder / "in_domain_train.tsv").is_file():
        folder = folder.parent
    missing = {
        layout: [part.name for part in layout if not (folder / part.name).is_file()]
        for layout in (CORPUS_LAYOUT, GLUE_LAYOUT)
    }
    layout = min(missing, key=lambda layout: len(missing[layout]) / len(layout))
    if len(missing[layout]) == len(layout):
        layouts = " nor ".join(
            ", ".join(part.name for part in layout) for layout in (CORPUS_LAYOUT, GLUE_LAYOUT)
        )
        raise BadInput([f"{folder}: no CoLA here, neither {layouts}; {WAY_OUT}"])
    if missing[layout]:
        raise BadInput([f"{folder / name}: missing; {WAY_OUT}" for name in missing[layout]])
    test = [TEST_PART] if (folder / TEST_PART.name).is_file() else []
    return [(folder / part.name, part) for part in [*layout, *test]]


def origin(folder: Path) -> str:
    """Return a description of a folder's layout."""
    own = any(part in CORPUS_LAYOUT for _, part in locate(folder))
    return "the corpus' own TSV folder" if own else "GLUE's TSV folder"


def read(folder: Path) -> dict[str, Rows]:
    """Return CoLA's splits: train, validation (in-domain first) and, if it exists, test.

    Raises:
        BadInput: missing files, or every mistake in the files.
    """
    rows: dict[str, list[_Row]] = {}
    problems: list[str] = []
    for path, part in locate(folder):
        try:
            rows.setdefault(part.split, []).extend(_read_part(path, part))
        except BadInput as error:
            problems += error.problems
    if problems:
        raise BadInput(problems)
    return {
        split: Rows(
            sentence=[row.sentence for row in of_split],
            label=[row.label for row in of_split],
            idx=range(len(of_split)),
            source=[row.source for row in of_split],
            domain=domain_column(SPLITS[split]),
        )
        for split, of_split in rows.items()
    }


def places(folder: Path, split: str) -> list[str]:
    """Return the file and line of every sentence of a split that read() returns."""
    found = []
    for path, part in locate(folder):
        if part.split == split:
            first, sentences = 1 + (part == TEST_PART), sum(count for _, count in part.runs)
            found += [f"{from_here(path)}:{line}" for line in range(first, first + sentences)]
    return found


def domain_column(runs: Runs) -> list[str]:
    """Return the domain of every sentence of consecutive runs."""
    return [domain for domain, count in runs for _ in range(count)]


def count_problems(where: str, seen: int, runs: Runs) -> list[str]:
    """Return a problem if a number of sentences differs from CoLA's, else []."""
    expected = sum(count for _, count in runs)
    if seen == expected:
        return []
    return [f"{where}: {counted(seen, 'sentence')}, where CoLA has {expected:,}; {WAY_OUT}"]


def _read_part(path: Path, part: Part) -> list[_Row]:
    lines = split_at_line_feeds(read_text(path))
    rows = []
    problems = []
    is_test = part == TEST_PART
    names, first = (TEST_COLUMNS, 2) if is_test else (COLUMNS, 1)
    if is_test and (header := lines.pop(0)) != "\t".join(TEST_COLUMNS):
        problems.append(f"{path}:1: {shown(header)}; the header is index, a tab, sentence")
    for index, line in enumerate(lines):
        where = f"{path}:{first + index}"
        values = line.split("\t")
        if len(values) != len(names):
            problems.append(
                f"{where}: tab-separated columns seen: {len(values)}; a line has {len(names)}: "
                f"{', '.join(names)}"
            )
            continue
        row = dict(zip(names, values, strict=True))
        if is_test and row["index"] != str(index):
            problems.append(f"{where}: index {shown(row['index'])}; {index} comes here")
        if not is_test and row["label"] not in ("0", "1"):
            problems.append(f"{where}: label {shown(row['label'])}; a label is 0 or 1")
        if not row["sentence"].strip():
            problems.append(f"{where}: empty sentence; remove the line or fill it in")
        label = HIDDEN_LABEL if is_test else int(row["label"] == "1")
        rows.append(_Row(row.get("source", ""), label, row["sentence"]))
    count = count_problems(str(path), len(lines), part.runs)
    if count or problems:
        raise BadInput([*count, *capped(problems, path)])
    return rows
