"""What scores can bear: intervals, comparisons, corrections for choosing. Pure functions of arrays.

Labels are (sentences,) and predictions (seeds, sentences), each 0 or 1, on the same sentences.
docs/statistics.md says in plain English what each function computes, and its source.
"""

from harness.stats.differences import Difference, paired_difference, permutation_p_value
from harness.stats.intervals import Interval, mean_interval, seeds_interval
from harness.stats.multiplicity import holm
from harness.stats.scores import Statistic, accuracy, mcc

__all__ = [
    "Difference",
    "Interval",
    "Statistic",
    "accuracy",
    "holm",
    "mcc",
    "mean_interval",
    "paired_difference",
    "permutation_p_value",
    "seeds_interval",
]
