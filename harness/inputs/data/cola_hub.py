"""CoLA from the hub: `load_dataset("nyu-mll/glue", "cola")` at a commit that is resolved first."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import datasets
from huggingface_hub import HfApi
from huggingface_hub.utils.tqdm import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)

from harness.errors import BadInput, Unavailable
from harness.inputs.data.cola_folder import SPLITS, count_problems, domain_column
from harness.inputs.data.rows import Rows
from harness.inputs.hub import Hub, plain_reason

REPOSITORY = "nyu-mll/glue"
CONFIGURATION = "cola"
WAY_OUT = (
    "pass --cola-dir FOLDER or set COLA_DIR to the corpus' own folder "
    "(cola_public from nyu-mll.github.io/cola), or connect to the hub"
)
SECONDS = 10.0  # timeout of the request for the commit


def pin(hub: Hub) -> str:
    """Return the data set's current commit on the hub or, if the hub does not answer, the newest
    commit in the local cache of `datasets`.

    Raises:
        Unavailable: the hub cannot be reached or has no data set, and nothing is cached.
    """
    reason = hub.reason
    if hub.reachable:
        try:
            commit = HfApi(endpoint=hub.endpoint).dataset_info(REPOSITORY, timeout=SECONDS).sha
        except Exception as error:  # the client may raise any exception of its transport
            reason = plain_reason(error, hub.endpoint, SECONDS)
        else:
            if commit is not None:
                return commit
            reason = f"{hub.endpoint} returned no commit"
    cached = prepared("*")
    if not cached:
        raise Unavailable(f"the data set {REPOSITORY} cannot be loaded: {reason}", WAY_OUT)
    return cached[-1].name


def read(revision: str) -> dict[str, Rows]:
    """Return CoLA's splits, train, validation and test, at one commit.

    Raises:
        Unavailable: the commit is not cached, and the hub cannot be reached.
        BadInput: columns or numbers of sentences differ from CoLA's.
    """
    where = f"{REPOSITORY}@{revision}"
    try:
        splits = _load(revision)
    except Exception as error:  # the library may raise any exception of its transport and parsers
        what = " ".join(str(error).split()) or type(error).__name__
        raise Unavailable(f"the data set {where} cannot be loaded: {what}", WAY_OUT) from None
    problems = [f"{where}: no split {name}" for name in SPLITS if name not in splits]
    for name in [name for name in SPLITS if name in splits]:
        missing = {"sentence", "label", "idx"}.difference(splits[name].column_names)
        problems += [f"{where}: {name}: no column {column}" for column in sorted(missing)]
        problems += count_problems(f"{where}: {name}", len(splits[name]), SPLITS[name])
    if problems:
        raise BadInput(problems)
    return {
        name: Rows(
            sentence=splits[name]["sentence"][:],
            label=splits[name]["label"][:],
            idx=splits[name]["idx"][:],
            source=[""] * len(splits[name]),
            domain=domain_column(runs),
        )
        for name, runs in SPLITS.items()
    }


def _load(revision: str) -> dict[str, datasets.Dataset]:
    # Without a connection `load_dataset` would retry for half a minute and then load the newest
    # commit in its cache, which may be another one.
    if cached := prepared(revision):
        files = {name: str(cached[-1] / f"glue-{name}.arrow") for name in SPLITS}
        return {name: datasets.Dataset.from_file(file) for name, file in files.items()}
    with _no_progress_bars():
        splits: datasets.DatasetDict = datasets.load_dataset(
            REPOSITORY, CONFIGURATION, revision=revision
        )
    if not prepared(revision):
        raise ConnectionError("the hub does not answer, and only another commit is cached")
    return dict(splits)


def prepared(commit: str) -> list[Path]:
    """Return the cache folders of `load_dataset` for a commit ("*": any), newest last."""
    # .../nyu-mll___glue/cola/<version>/<commit>/glue-train.arrow
    cache = Path(datasets.config.HF_DATASETS_CACHE, REPOSITORY.replace("/", "___"), CONFIGURATION)
    infos = [
        info
        for info in cache.glob(f"*/{commit}/dataset_info.json")
        if re.fullmatch("[0-9a-f]{40}", info.parent.name)
    ]
    return [info.parent for info in sorted(infos, key=lambda info: info.stat().st_mtime)]


@contextlib.contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Disable the progress bars of both libraries, then restore their settings."""
    of_datasets, of_hub = datasets.are_progress_bars_disabled(), are_progress_bars_disabled()
    datasets.disable_progress_bars()
    disable_progress_bars()
    try:
        yield
    finally:
        if not of_datasets:
            datasets.enable_progress_bars()
        if not of_hub:
            enable_progress_bars()
