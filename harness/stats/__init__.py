"""Statistics of scores: intervals, comparisons, corrections for selection. Pure array functions.

Labels are (sentences,) and predictions (seeds, sentences), on the same sentences. Each is a class:
0 or 1, or with `classes=k` a whole number from 0 to k - 1.
docs/statistics.md explains in plain English what each function computes, and cites its source.
"""

from harness.stats.differences import (
    Difference,
    never_disagree,
    paired_difference,
    permutation_p_value,
)
from harness.stats.intervals import Interval, mean_interval, seeds_interval
from harness.stats.multiplicity import holm
from harness.stats.parts import difference_of_parts
from harness.stats.planning import seeds_needed
from harness.stats.scores import BOUNDS, Statistic, accuracy, mcc
from harness.stats.selection import (
    Halved,
    Selection,
    expected_best_of,
    halved,
    selection_adjusted,
    selection_of,
)
from harness.stats.slices import (
    Contrast,
    against_rest,
    no_interval,
    slice_interval,
    undefined,
)
from harness.stats.sources import Refusal, Sources, sources_of

__all__ = [
    "BOUNDS",
    "Contrast",
    "Difference",
    "Halved",
    "Interval",
    "Refusal",
    "Selection",
    "Sources",
    "Statistic",
    "accuracy",
    "against_rest",
    "difference_of_parts",
    "expected_best_of",
    "halved",
    "holm",
    "mcc",
    "mean_interval",
    "never_disagree",
    "no_interval",
    "paired_difference",
    "permutation_p_value",
    "seeds_interval",
    "seeds_needed",
    "selection_adjusted",
    "selection_of",
    "slice_interval",
    "sources_of",
    "undefined",
]
