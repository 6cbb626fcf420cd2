"""Reads columns of a CSV or TSV file, and refuses a file with ambiguous quotation marks.

Spreadsheets, pandas and Python's csv module put quotation marks around a value that contains the
delimiter, a line end or quotation marks. In linguists' TSV files a quotation mark is part of the
sentence; there, csv would read a mark at the beginning of a sentence and all rows up to the next
mark as one value. The harness does not guess: it reads a file as quoted unless the suite says
otherwise, and refuses a file that may be unquoted.
"""

import csv
import io
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from harness.errors import BadInput
from harness.inputs.data.row_likeness import Test, fits_columns, has_label
from harness.inputs.data.rows import read_text, shown
from harness.inputs.data.table import Table, TableRow, Wanted, column_error, column_problems, listed
from harness.suite.dataset import DELIMITERS
from harness.suite.file_names import extension

COMMON_DELIMITERS = (",", ";", "\t", "|")

_LIMIT = threading.Lock()
"""Held while csv's limit of 131,072 characters per field, global to the process, is raised."""


@dataclass(frozen=True)
class _Row:
    """A row's values, and its first and last line in the file, counted from 1."""

    first: int
    last: int
    values: list[str]


@dataclass(frozen=True)
class _File:
    """A file's lines with their line ends, and how they are split into values."""

    path: Path
    lines: list[str]
    delimiter: str
    wanted: Wanted

    @property
    def quoted(self) -> str:
        return self.wanted.set_to("quoting", "csv")

    @property
    def way_out(self) -> str:
        unquoted = self.wanted.set_to("quoting", "none")
        return f"set {unquoted} if quotation marks are part of the sentences"

    @property
    def either(self) -> str:
        return f"{self.way_out}, or {self.quoted} if they only enclose values"


def read_delimited(path: Path, wanted: Wanted) -> Table:
    """Return the rows of a CSV or TSV file.

    Raises:
        BadInput: the columns do not exist, or csv cannot read the file's header.
    """
    delimiter = wanted.delimiter or DELIMITERS[extension(path)]
    lines = list(io.StringIO(read_text(path), newline=""))
    file = _File(path, lines, delimiter, wanted)
    quoted = wanted.quoting != "none"
    rows, broken = _parsed(file, quoted)
    if not rows:
        raise BadInput(
            [broken] if broken else [f"{path}: no columns; the first row must name them"]
        )
    header, *rows = rows
    _check_header(file, [header, *rows], quoted)
    is_row = _row_test(file, header, rows)
    returns = _returns(file, [header, *rows], is_row)
    ambiguous = {} if wanted.quoting else _ambiguous_rows(file, header, rows, is_row)
    clear = [row for row in rows if row.first not in ambiguous and row.first not in returns]
    records, problems = _records(file, header, clear)
    problems += filter(None, returns.values())
    if ambiguous:
        more = f" ({len(ambiguous):,} such rows)" if len(ambiguous) > 1 else ""
        problems.append(f"{ambiguous[min(ambiguous)]}{more}")
    elif broken:
        problems.append(broken)
    if not quoted and (problem := _evidently_quoted(file, rows)):
        problems.append(problem)
    return Table(records, problems, [] if quoted else _all_enclosed(file, records))


def _parsed(file: _File, quoted: bool) -> tuple[list[_Row], str | None]:
    """Return the rows of a file, and the problem if csv stopped before its end."""
    rows: list[_Row] = []
    reader = csv.reader(
        file.lines,
        delimiter=file.delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=quoted,
    )
    line = 1
    with _LIMIT:
        before = csv.field_size_limit()
        # The limit is a C long, which has 32 bits on some systems.
        csv.field_size_limit(min(max(before, sum(map(len, file.lines))), 2**31 - 1))
        try:
            for values in reader:
                if values:
                    rows.append(_Row(line, reader.line_num, values))
                line = reader.line_num + 1
        except csv.Error as error:
            return rows, _broken(file, line, reader.line_num, error)
        finally:
            csv.field_size_limit(before)
    return rows, None


def _broken(file: _File, first: int, last: int, error: csv.Error) -> str:
    where = f"{file.path}:{first}"
    match str(error):
        case "unexpected end of data":
            what = "a quotation mark opens a value, and none closes it up to the end of the file"
            fix = "close it and double the quotation marks inside"
        case reason if "expected after" in reason:
            at = "" if first == last else f" in line {last}"
            what = f"a value that opens with a quotation mark continues after the closing one{at}"
            fix = "enclose the whole value and double the quotation marks inside"
        case reason:
            return f"{where}: {reason}; write the file again"
    return f"{where}: {what}; {file.way_out}, else {fix}"


def _check_header(file: _File, rows: Sequence[_Row], quoted: bool) -> None:
    """Raise BadInput if a wanted column does not exist, with one line per cause.

    Args:
        rows: the file's rows, header first.
    """
    where, header = file.path, rows[0]
    if not (problems := column_problems(where, header.values, file.wanted)):
        return
    joined = _joined_by_returns(file, rows)
    if joined and joined[0][0] is header:
        raise BadInput([_return(file, [header])])
    if not file.wanted.quoting and any(file.delimiter in name for name in header.values):
        raise BadInput([f"{where}:{header.first}: {_spans_lines(header)}; {file.either}"])
    if other := _other_delimiter(file, header, quoted):
        delimiter, columns = other
        problem = f"{where}: its columns are separated by {shown(delimiter)}, not "
        problem += f"{shown(file.delimiter)}; set {file.wanted.set_to('delimiter', delimiter)}"
        raise BadInput([problem, *column_problems(where, columns, file.wanted)])
    if len(header.values) == 1 and len(problems) == len(file.wanted.columns) == 2:
        problem = f"{where}: one column, {shown(header.values[0])}; the delimiter is "
        problem += f"{shown(file.delimiter)}: set {file.wanted.name('delimiter')} if it is another"
        raise BadInput([f"{problem} character"])
    if not quoted and set(file.wanted.columns) <= {_bare(name) for name in header.values}:
        names = listed(header.values, 2)
        problem = f"{where}:{header.first}: the columns' names are in quotation marks ({names})"
        raise BadInput([f"{problem}; set {file.quoted}"])
    if error := column_error(where, header.values, file.wanted, problems):
        raise error


def _other_delimiter(file: _File, header: _Row, quoted: bool) -> tuple[str, list[str]] | None:
    """Return the header's delimiter and columns if it is not separated by the file's delimiter."""
    found = []
    lines = file.lines[header.first - 1 : header.last]
    for delimiter in COMMON_DELIMITERS:
        if delimiter != file.delimiter:
            rows, broken = _parsed(replace(file, lines=lines, delimiter=delimiter), quoted)
            if rows and not broken and len(rows[0].values) > 1:
                found.append((delimiter, rows[0].values))
    with_wanted = [each for each in found if set(file.wanted.columns) <= set(each[1])]
    if len(header.values) == 1:
        with_wanted += sorted(found, key=lambda each: -len(each[1]))
    return with_wanted[0] if with_wanted else None


def _records(file: _File, header: _Row, rows: Sequence[_Row]) -> tuple[list[TableRow], list[str]]:
    places = [header.values.index(name) for name in file.wanted.columns if name is not None]
    problems = []
    records = []
    if len(rows) > 1 and all(len(row.values) != len(header.values) for row in rows):
        problem = f"{file.path}: no row has as many columns as the header; the first is"
        return [], [f"{problem} line {rows[0].first}: {_column_counts(file, header, rows[0])}"]
    for row in rows:
        where = f"{file.path}:{row.first}"
        if len(row.values) == len(header.values):
            records.append(file.wanted.row(where, (row.values[place] for place in places)))
        else:
            problems.append(f"{where}: {_column_counts(file, header, row)}")
    return records, problems


def _column_counts(file: _File, header: _Row, row: _Row) -> str:
    seen = f"columns seen: {len(row.values)}, the header has {len(header.values)}"
    if file.wanted.quoting != "none":
        return f"{seen}; put a value that contains {shown(file.delimiter)} in double quotes"
    if any(value.startswith('"') for value in row.values):
        return f"{seen}; if quotation marks enclose values here, set {file.quoted}"
    return f"{seen}; without quoting, values cannot contain {shown(file.delimiter)} or a line end"


def _row_test(file: _File, header: _Row, rows: Sequence[_Row]) -> Test:
    """Return a test of whether the values of a line could be a row."""
    wanted, columns = file.wanted, header.values
    if wanted.label is not None and wanted.class_names is not None:
        return has_label(len(columns), columns.index(wanted.label), wanted.class_names)
    assert wanted.text is not None  # otherwise the header was refused
    return fits_columns(len(columns), columns.index(wanted.text), [row.values for row in rows])


def _returns(file: _File, rows: Sequence[_Row], is_row: Test) -> dict[int, str | None]:
    """Return problems with lone carriage returns, by the first line of each affected row.

    Of rows that carriage returns separate from each other, the first has the problem, the others
    None. If labels are read and every one of these rows is complete, there is no problem.

    Args:
        rows: the file's rows, header first.
    """
    found: dict[int, str | None] = {}
    for together in _joined_by_returns(file, rows):
        all_complete = all(row is rows[0] or is_row(row.values) for row in together)
        if file.wanted.label is None or not all_complete:
            problem = _return(file, together)
            found |= {row.first: None for row in together} | {together[0].first: problem}
    return found


def _joined_by_returns(file: _File, rows: Sequence[_Row]) -> list[list[_Row]]:
    """Return rows separated only by a lone carriage return, if other lines end otherwise.

    Each group of consecutive rows may be one row. Files whose rows all end in carriage returns, as
    on old Macs, and carriage returns before a blank line (`\\r\\r\\n`) are not ambiguous. Line ends
    inside a row, between quotation marks, are part of its values and are ignored.
    """
    within = {line for row in rows for line in range(row.first, row.last)}
    ends = {line[-1:] for number, line in enumerate(file.lines[:-1], 1) if number not in within}
    if not {"\r", "\n"} <= ends:
        return []
    groups: list[list[_Row]] = []
    for before, row in pairwise(rows):
        if file.lines[before.last - 1].endswith("\r") and row.first == before.last + 1:
            if groups and groups[-1][-1] is before:
                groups[-1].append(row)
            else:
                groups.append([before, row])
    return groups


def _return(file: _File, rows: Sequence[_Row]) -> str:
    lines = file.lines[rows[0].first - 1 : rows[-1].last + (len(rows) == 1)]
    if file.wanted.quoting != "none":
        fix = ", or put the value in double quotes"
    elif any(value.startswith('"') for row in rows for value in row.values):
        fix = f", or set {file.quoted} if quotation marks enclose values"
    else:
        fix = ""
    return (
        f"{file.path}:{rows[0].first}: a lone carriage return (\\r) in "
        f"{shown(''.join(lines).rstrip())}, in a file whose other lines end in a line feed (\\n): "
        f"it may end a row or be part of a value; replace it by \\n, or remove it{fix}"
    )


def _ambiguous_rows(
    file: _File, header: _Row, rows: Sequence[_Row], is_row: Test
) -> dict[int, str]:
    """Return problems with rows that may be unquoted, by their first line.

    In every file, a value over several lines is ambiguous if one of these lines is a complete row.
    In a tab-separated file, so is a value in quotation marks that csv would not have written, and
    every quoted value if the file also contains quotation marks that csv reads as plain text.
    """
    tabs = file.delimiter == "\t"
    marked = [
        row for row in (header, *rows) if row.last > row.first or (tabs and '"' in _raw(file, row))
    ]
    plain = {row.first: _plain(file, row) for row in marked}
    read_alike = {row.first for row in marked if [row.values] == plain[row.first]}
    all_quoted = header.first in plain and header.first not in read_alike
    ambiguous = {}
    for row in marked:
        if row.first in read_alike:
            continue
        whole = [is_row(values) for values in plain[row.first]]
        one_column = len(header.values) == 1  # then every line could be a row
        if row.last > row.first and (one_column or _contains_row(plain[row.first], whole)):
            ambiguous[row.first] = f"{file.path}:{row.first}: {_spans_lines(row)}; {file.either}"
        elif tabs and not all_quoted and (read_alike or _raw(file, row) != _written(file, row)):
            what = f"{shown(_opening(plain[row.first]))} opens with a quotation mark, which may "
            what += "enclose a value or be part of it"
            ambiguous[row.first] = f"{file.path}:{row.first}: {what}; {file.either}"
    return ambiguous


def _contains_row(lines: Sequence[Sequence[str]], whole: Sequence[bool]) -> bool:
    """Return whether a value over several lines contains what looks like a complete row.

    The first line counts only if a delimiter follows the opening quotation mark, the last line only
    if a delimiter precedes the closing mark: otherwise it looks like a row only because of the
    columns next to the value.

    Args:
        lines: the values of each line, read without quoting.
        whole: whether each has as many columns as the header, and a label.
    """
    opening = max(n for n, value in enumerate(lines[0]) if value.startswith('"'))
    closing = min(n for n, value in enumerate(lines[-1]) if value.endswith('"'))
    return (
        any(whole[1:-1])
        or (whole[0] and opening < len(lines[0]) - 1)
        or (whole[-1] and closing > 0)
    )


def _spans_lines(row: _Row) -> str:
    return f"a value that opens with a quotation mark spans the lines up to {row.last}"


def _raw(file: _File, row: _Row) -> str:
    return "".join(file.lines[row.first - 1 : row.last]).rstrip("\r\n")


def _plain(file: _File, row: _Row) -> list[list[str]]:
    """Return the values of every line of a row, read without quoting."""
    lines = file.lines[row.first - 1 : row.last]
    rows, _ = _parsed(replace(file, lines=lines), quoted=False)
    return [row.values for row in rows]


def _written(file: _File, row: _Row) -> str:
    """Return a row as csv and pandas write it."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=file.delimiter, lineterminator="\r\n").writerow(row.values)
    return text.getvalue().removesuffix("\r\n")


def _opening(rows: Sequence[Sequence[str]]) -> str:
    return next(value for values in rows for value in values if value.startswith('"'))


def _bare(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def _evidently_quoted(file: _File, rows: Sequence[_Row]) -> str | None:
    """Return a problem if all values in quotation marks double the marks inside, as csv does."""
    inside = [
        (row, bare)
        for row in rows
        for value in row.values
        if (bare := _bare(value)) != value and '"' in bare
    ]
    if not inside or any('"' in bare.replace('""', "") for _, bare in inside):
        return None
    row, bare = inside[0]
    return (
        f"{file.path}:{row.first}: {shown(bare)} is in quotation marks, and the marks inside it "
        f"are doubled, as csv writes them; set {file.quoted}, or write each mark once"
    )


def _all_enclosed(file: _File, records: Sequence[TableRow]) -> list[str]:
    if not records or not all(_bare(str(each.sentence)) != each.sentence for each in records):
        return []
    return [
        "every sentence begins and ends with a quotation mark, which is read as part of the "
        f"sentence; {file.quoted} removes these marks"
    ]
