"""CSV of any separator as rows by column, each with its line and its text."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import DecimalException
from itertools import islice

from closingbell.usecases.imports.entries import (
    LEFT_OUT,
    REFUSED,
    Entry,
    Finding,
    LeftOutError,
    RowError,
    shown,
)

SEPARATORS = ",;\t|"
# Some exports begin with a title or an empty line.
_HEADER_WITHIN = 15


@dataclass(frozen=True, slots=True)
class Row:
    """One row: cells by column name, which is lower case; ``line`` is where it ends in the file."""

    line: int
    columns: tuple[str, ...]
    cells: tuple[str, ...]

    def __getitem__(self, name: str) -> str:
        """The cell of a column; empty where the file has no such column."""
        return self.any_of(name)

    def any_of(self, *names: str) -> str:
        """The cell of the first of these columns that the file has."""
        for name in names:
            if name in self.columns:
                return self.cells[self.columns.index(name)].strip()
        return ""

    def after(self, *names: str) -> str:
        """The cell right of the first of these columns that the file has: where some exports keep the currency."""
        for name in names:
            if name in self.columns:
                place = self.columns.index(name) + 1
                return self.cells[place].strip() if place < len(self.cells) and not self.columns[place] else ""
        return ""

    @property
    def text(self) -> str:
        """The row as it stands, for a person."""
        return shown(",".join(self.cells))


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV: the names of its columns, lower case, its rows, and rows that have another number of cells."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]


def split_header(line: str) -> tuple[str, ...]:
    """The column names of a header line, by the separator that gives most of them."""
    return max((_cells(line, separator) for separator in SEPARATORS), key=len)


def find_header(text: str, needed: Callable[[Sequence[str]], bool]) -> int | None:
    """The number of the line, from 0, whose columns satisfy ``needed``; it stands near the top."""
    for number, line in enumerate(islice(io.StringIO(text, newline=""), _HEADER_WITHIN)):
        if needed(split_header(line)):
            return number
    return None


def has_columns(text: str, *names: str) -> bool:
    """Whether the text is a CSV with all of these columns."""
    return find_header(text, lambda columns: set(names) <= set(columns)) is not None


def header_of(text: str, needed: Callable[[Sequence[str]], bool]) -> tuple[str, ...]:
    """The named columns of the header that satisfies ``needed``; empty where there is none."""
    at = find_header(text, needed)
    if at is None:
        return ()
    header = next(islice(io.StringIO(text, newline=""), at, None))
    return tuple(name for name in split_header(header) if name)


def read_table(text: str, *names: str) -> Table:
    """The CSV whose header has the columns ``names``."""
    at = find_header(text, lambda columns: set(names) <= set(columns))
    if at is None:
        return Table((), (), (Finding(1, REFUSED, f"the columns {', '.join(names)} are missing"),))
    lines = io.StringIO(text, newline="")
    header = next(islice(lines, at, None))
    columns = split_header(header)
    separator = max(SEPARATORS, key=lambda mark: len(_cells(header, mark)))
    rows: list[Row] = []
    findings: list[Finding] = []
    reader = csv.reader(lines, delimiter=separator)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                _sort_in(Row(at + 1 + reader.line_num, columns, tuple(cells)), rows, findings)
    except csv.Error as error:
        findings.append(Finding(at + 1 + reader.line_num, REFUSED, f"not readable as CSV ({error})"))
    return Table(columns, tuple(rows), tuple(findings))


def _sort_in(row: Row, rows: list[Row], findings: list[Finding]) -> None:
    """Take a row whose number of cells is the header's; some exports end each row with one empty cell too many."""
    width = len(row.columns)
    cells = row.cells
    if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
        cells = cells[:width]
    if len(cells) == width:
        rows.append(Row(row.line, row.columns, cells))
    else:
        reason = f"{len(row.cells)} fields where the header has {width}"
        findings.append(Finding(row.line, REFUSED, reason, row.text))


def _cells(line: str, separator: str) -> tuple[str, ...]:
    try:
        cells = next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return ()
    return tuple(cell.strip().lower() for cell in cells)


def read_rows(table: Table, read: Callable[[Row], Entry | Sequence[Entry]]) -> tuple[list[Entry], list[Finding]]:
    """What ``read`` makes of every row; a row that it cannot take or leaves out becomes a finding."""
    entries: list[Entry] = []
    findings = list(table.findings)
    for row in table.rows:
        entries += caught(row.line, row.text, lambda row=row: read(row), findings)  # type: ignore[misc]
    return entries, findings


def caught(
    line: int, text: str, read: Callable[[], Entry | Sequence[Entry]], findings: list[Finding]
) -> Iterator[Entry]:
    """The entries that ``read`` gives, or a finding why it gives none."""
    try:
        found = read()
    except RowError as error:
        findings.append(Finding(line, REFUSED, str(error), text))
    except LeftOutError as error:
        findings.append(Finding(line, LEFT_OUT, str(error), text))
    except DecimalException:
        findings.append(Finding(line, REFUSED, "its numbers are too large", text))
    else:
        yield from (found,) if isinstance(found, Entry) else found
