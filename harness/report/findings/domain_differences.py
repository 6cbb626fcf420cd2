"""The difference of a cell's MCC on two domains of the validation split, with its intervals."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

import numpy as np

from harness import stats
from harness.judging.differences import with_interval
from harness.judging.evidence import Evidence, NoEvidence, evidence
from harness.judging.populations import IN_WORDS
from harness.markup import code, escaped
from harness.report.pictures.charts import Line
from harness.stats import Refusal, Sources
from harness.store.groups import COLA_DOMAINS

MOST_CELLS = 12
"""The best cells whose differences are listed; of the others, the records have the predictions."""

NAMES = dict(zip(COLA_DOMAINS, ("in-domain", "out-of-domain"), strict=True))


def domain_differences(lines: Iterable[Line]) -> list[str]:
    """Return a sentence for each cell, and pair of domains, that the records can compare."""
    found: list[str] = []
    for line in lines:
        if len(found) >= MOST_CELLS:
            break
        try:
            known = evidence(line.runs)
        except NoEvidence:
            continue
        found += [f"{code(line.cell.id)}: {text}" for text in _of_cell(known)]
    return found[:MOST_CELLS]


def _of_cell(found: Evidence) -> Iterator[str]:
    names, numbers = found.groups.get("domain", ((), None))
    if numbers is None:
        return
    for a, b in combinations([name for name in names if name], 2):
        first, second = numbers == names.index(a), numbers == names.index(b)
        if min(len(set(found.labels[part].tolist())) for part in (first, second)) < 2:
            continue  # the MCC of one class is undefined
        plain = stats.difference_of_parts(
            found.labels, found.selected, first, second, classes=found.classes
        )
        difference, bounds = with_interval(plain.difference, plain.low, plain.high)
        shown = [f"{bounds} for {IN_WORDS['sentences']}"]
        if found.sources is not None:
            shown.append(_on_sources(found, [found.part(first), found.part(second)], first, second))
        yield (
            f"MCC {NAMES.get(a, escaped(a))} minus {NAMES.get(b, escaped(b))} is "
            f"{difference}; 95 % interval {'; '.join(shown)}"
        )


def _on_sources(
    found: Evidence, parts: Sequence[Evidence], first: np.ndarray, second: np.ndarray
) -> str:
    a, b = (part.sources for part in parts)
    if isinstance(a, Sources) and isinstance(b, Sources):
        wide = stats.difference_of_parts(
            found.labels, found.selected, first, second, classes=found.classes, sources=(a, b)
        )
        _, bounds = with_interval(wide.difference, wide.low, wide.high)
        return f"{bounds} for {IN_WORDS['sources']}"
    reason = next(each.reason for each in (a, b) if isinstance(each, Refusal))
    return f"none for {IN_WORDS['sources']}: {reason}"
