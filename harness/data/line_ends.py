"""Carriage returns that may end a row of a delimited file or be part of a value of it."""

from collections.abc import Sequence


def joined_by_returns(lines: Sequence[str], spans: Sequence[tuple[int, int]]) -> list[range]:
    """Return which rows are kept apart by a lone carriage return, where other lines end otherwise.

    None are in a file whose rows all end in carriage returns, as on old Macs, nor where a blank
    line follows (`\\r\\r\\n`): those can be read in one way only. Line ends within a row, between
    quotation marks, are part of its values and do not count.

    Args:
        lines: the file's, with their ends; what the last one ends in tells nothing.
        spans: the first and the last line of each row, counted from 1.

    Returns:
        the positions of the rows that belong together.
    """
    within = {line for first, last in spans for line in range(first, last)}
    ends = {line[-1:] for number, line in enumerate(lines[:-1], 1) if number not in within}
    if not {"\r", "\n"} <= ends:
        return []
    found: list[range] = []
    for position in range(1, len(spans)):
        last, first = spans[position - 1][1], spans[position][0]
        if lines[last - 1].endswith("\r") and first == last + 1:
            if found and found[-1].stop == position:
                found[-1] = range(found[-1].start, position + 1)
            else:
                found.append(range(position - 1, position + 1))
    return found
