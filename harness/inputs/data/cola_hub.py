"""CoLA from the hub: the configuration "cola" of nyu-mll/glue, with the columns that GLUE has."""

from harness.errors import BadInput, Unavailable
from harness.inputs.data.cola_folder import SPLITS, count_problems, domain_column
from harness.inputs.data.on_hub import repository
from harness.inputs.data.on_hub.repository import HubData
from harness.inputs.data.rows import Rows
from harness.inputs.hub import Hub

GLUE = HubData("nyu-mll/glue", "cola")
WAY_OUT = (
    "pass --cola-dir FOLDER or set COLA_DIR to the corpus' own folder "
    "(cola_public from nyu-mll.github.io/cola), or connect to the hub"
)


def pin(hub: Hub) -> str:
    """Return the data set's current commit on the hub or, if the hub does not answer or does not
    have it, the newest commit in the local cache of `datasets`.

    Raises:
        Unavailable: the hub cannot be reached or has no data set, and nothing is cached.
    """
    try:
        return repository.pin(GLUE, hub)
    except BadInput as error:
        if known := repository.copies(GLUE):
            return known[-1].commit
        raise Unavailable(f"{GLUE.name} cannot be loaded: {error}", WAY_OUT) from None
    except Unavailable as error:
        raise Unavailable(error.reason, WAY_OUT) from None


def is_here(commit: str) -> bool:
    """Return whether read() works without the hub."""
    return bool(repository.copies(GLUE, commit))


def read(commit: str) -> dict[str, Rows]:
    """Return CoLA's splits, train, validation and test, at one commit.

    Raises:
        Unavailable: the commit is not cached, and the hub cannot be reached.
        BadInput: columns or numbers of sentences differ from CoLA's.
    """
    where = f"{GLUE.name}@{commit}"
    try:
        splits = repository.fetch(GLUE, commit).read()
    except Unavailable as error:
        raise Unavailable(error.reason, WAY_OUT) from None
    except BadInput as error:
        raise Unavailable(str(error), WAY_OUT) from None
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
