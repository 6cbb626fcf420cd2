"""Time and memory that counting repeated sentences takes: python benchmarks/repeats.py 1000000.

Prints processor seconds, which other programs do not lengthen much, and the memory added to that
of the data. The sentences have 4 to 12 words of a vocabulary of 50,000; a tenth are copies.
"""

import resource
import sys
import time

import numpy as np

from harness.inputs.data.repeats import count, texts_of
from harness.inputs.data.rows import Rows
from harness.inputs.duplicates import near_in_words


def made_up(number: int, rng: np.random.Generator) -> Rows:
    """Return random sentences, the last tenth of them copies of the first."""
    new = number - number // 10
    words = [f"Word{n}" for n in range(50_000)]
    halves = [
        " ".join(words[n] for n in rng.integers(0, len(words), size).tolist())
        for size in rng.integers(2, 7, 20_000).tolist()
    ]
    chosen = rng.integers(0, len(halves), (new, 2)).tolist()
    texts = [f"{halves[a]} {halves[b]}." for a, b in chosen]
    texts += texts[: number - new]
    labels = rng.integers(0, 2, number).tolist()
    blank = [""] * number
    return Rows(texts, labels, range(number), blank, blank)


def main(number: int) -> None:
    """Measure and print."""
    rng = np.random.default_rng(0)
    splits = {
        "train": made_up(number - number // 10, rng),
        "validation": made_up(number // 10, rng),
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, began_wall = time.process_time(), time.perf_counter()
    texts = texts_of(splits)
    middle = time.process_time()
    found = count(splits, texts, 2)
    ended = time.process_time()
    added = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10
    print(
        f"{number:,} sentences: {ended - began:.1f} s of the processor ({middle - began:.1f} s to"
    )
    print(
        f"find equal ones), {time.perf_counter() - began_wall:.1f} s on the clock, {added:.0f} MiB"
    )
    print(near_in_words(found))


if __name__ == "__main__":
    main(int(sys.argv[1].replace(",", "").replace("_", "")))
