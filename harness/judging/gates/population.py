"""Gates on sentences of other sources: whether they can be judged on a suite's data."""

from collections.abc import Iterator, Sequence

from harness import stats
from harness.stats import Refusal
from harness.store.classes import MOST_CLASSES
from harness.store.grouping import groupings
from harness.suite.gates import GatesSpec, sections
from harness.suite.spec import DatasetSpec

COLA_FOLDER = (
    "pass --cola-dir FOLDER or set COLA_DIR to the corpus' own folder, which has them (cola_public "
    "from nyu-mll.github.io/cola)"
)


def population_problems(
    gates: GatesSpec, data: DatasetSpec, sources: Sequence[str] | None
) -> Iterator[str]:
    """Yield why a gate on sentences of other sources can never be judged, and the way out.

    Args:
        sources: of each validation sentence, "" if unknown; None before the data are loaded.
    """
    places = [where for where, each in sections(gates) if each.population == "sources"]
    if places and (problem := _problem(data, sources)) is not None:
        yield from (f"{where}.population: 'sources': {problem}" for where in places)


def _problem(data: DatasetSpec, sources: Sequence[str] | None) -> str | None:
    if data.source == "embedded":
        return (
            "the sources of the embedded corpus are its phenomena, which are all that there are, "
            "not a sample; remove this key"
        )
    if data.source != "cola" and data.group_column is None:
        return (
            "the data have no sources; name the column that has them with dataset.group_column, "
            "or remove this key"
        )
    if sources is None:
        return None
    # Records have the sources by the same function.
    grouping = (groupings(data.source, sources, ()) or {}).get("source")
    if grouping is not None:
        found = stats.sources_of(grouping.unpacked(len(sources)))
        return None if not isinstance(found, Refusal) else f"{found.reason}; {_more(data)}"
    if not all(sources):
        return f"the sources of these sentences are unknown; {COLA_FOLDER}, or remove this key"
    return (
        f"the validation sentences are of {len(set(sources)):,} sources, and at most "
        f"{MOST_CLASSES:,} can be recorded; name a column of larger groups, or remove this key"
    )


def _more(data: DatasetSpec) -> str:
    """Return how to get more sources into the validation split."""
    if data.source == "cola":
        return "remove this key"
    if data.validation is None and data.source == "file":
        return "draw more sentences (dataset.validation_size), or remove this key"
    return "use validation sentences of more groups, or remove this key"
