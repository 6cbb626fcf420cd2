"""The files that a session reads, with the option or key that names each; none may be written."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.inputs.checkpoint_files import CONFIG, TOKENIZER_FILES, WEIGHTS, WEIGHTS_INDEX
from harness.inputs.split_files import split_files
from harness.session.options import (
    Chosen,
    Planned,
    baseline_file,
    cola_folder,
    home,
    suite_files,
)
from harness.session.places import ReadFile

BASELINE = "--baseline"
CHECKPOINT_FILES = {CONFIG, WEIGHTS, WEIGHTS_INDEX, *TOKENIZER_FILES}
"""Files of a checkpoint's folder that a run reads, besides its shards of weights."""


def read_files(chosen: Chosen, planned: Sequence[Planned]) -> list[ReadFile]:
    """Return the suites' files, their data, references and checkpoints, and the baseline.

    Checkpoint files count only in a folder of the user's own, not those of the hub or of packages.

    Args:
        planned: the chosen suites; empty if one of them cannot be read.
    """
    files = [ReadFile("--suite", path) for path in suite_files(chosen)]
    if (baseline := baseline_file(chosen)) is not None:
        files.append(ReadFile(BASELINE, baseline))
    for each in planned:
        files += _of_suite(each, cola_folder(chosen))
    return files


def _of_suite(planned: Planned, cola: Path | None) -> Iterator[ReadFile]:
    suite, folder = planned.suite, planned.base
    if suite.references is not None:
        yield ReadFile("references", planned.path.parent / suite.references)
    named = None if suite.dataset.path is None else folder / home(suite.dataset.path)
    if suite.dataset.source == "file":
        if named is not None:
            yield ReadFile("dataset.path", named)
        for file in split_files(suite.dataset):
            yield ReadFile(file.key, folder / home(file.path))
    elif suite.dataset.source == "cola":
        corpus = named if cola is None else cola
        where = "dataset.path" if cola is None else "--cola-dir"
        if corpus is not None:
            for path in (*_found(corpus, "*.tsv"), *_found(corpus, "raw/*.tsv")):
                yield ReadFile(where, path)
    if suite.dataset.annotations is not None:
        yield ReadFile("dataset.annotations", folder / home(suite.dataset.annotations))
    for name in suite.matrix.checkpoints:
        for path in _found(folder / home(name), "*"):
            if path.suffix == ".safetensors" or path.name in CHECKPOINT_FILES:
                yield ReadFile(f"checkpoint {name!r}", path)


def _found(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:  # a name too long for a folder, which is reported elsewhere
        return []
