"""Finds ambiguous carriage returns of a delimited file: end of a row, or part of a value."""

from collections.abc import Sequence


def joined_by_returns(lines: Sequence[str], spans: Sequence[tuple[int, int]]) -> list[range]:
    """Return which rows are separated only by a lone carriage return, if other lines end otherwise.

    Files whose rows all end in carriage returns, as on old Macs, and carriage returns before a
    blank line (`\\r\\r\\n`) are not ambiguous. Line ends inside a row, between quotation marks, are
    part of its values and are ignored.

    Args:
        lines: the file's lines with their line ends; the end of the last line is ignored.
        spans: the first and the last line of each row, counted from 1.

    Returns:
        the positions of consecutive rows that may be one row.
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
