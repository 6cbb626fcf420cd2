"""A race of cells: which are worse than the leader beyond chance, look by look at their seeds."""

from harness.stats.racing.cells import FEWEST_PROBED, PROBED, Aside, Drop, End, Race, race

__all__ = ["FEWEST_PROBED", "PROBED", "Aside", "Drop", "End", "Race", "race"]
