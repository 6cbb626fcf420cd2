"""The two columns of a cost: its value, and its standard deviation over seeds."""

from harness.judging import costs
from harness.judging.column import Column, decimals


def cost_columns(
    name: str, heading: str, short: str, meaning: str, first: bool, times: str = "times"
) -> tuple[Column, Column]:
    """Return the column of a cost, and the column of its standard deviation.

    Args:
        name: of the cost in costs.COSTS.
        times: the column that says in which rows it is rough; see Column.
    """
    cost = costs.COSTS[name]
    return (
        Column(
            name,
            "Float64",
            lambda facts: costs.value_of(cost, map(cost.measure, facts.scored)),
            heading,
            short,
            meaning,
            decimals(cost.digits),
            first=first,
            with_sd=True,
            timed=cost.timed,
            times=times,
        ),
        Column(
            f"{name}_sd",
            "Float64",
            lambda facts: costs.deviation(map(cost.measure, facts.scored)),
        ),
    )
