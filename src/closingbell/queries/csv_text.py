"""CSV for files, commands, pages and the API: numbers stay numbers, and no text is run by a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any

from closingbell.domain.money import plain
from closingbell.utils.text import formula_safe


def csv_cell(value: Any) -> str:
    """One value as its cell: exact decimals, ISO dates and instants, true or false, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, str):
        return formula_safe(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return plain(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The heading, then each row as it comes, with their line ends; the first row is asked for before the heading.

    What is wrong with the whole question is raised by then, and nothing half done was written.
    """
    rest = iter(rows)
    first = next(rest, None)
    line = _Line()
    writer = csv.writer(line, lineterminator="\n")
    writer.writerow(columns)
    yield line.text
    for row in chain([] if first is None else [first], rest):
        writer.writerow([csv_cell(value) for value in row])
        yield line.text


class _Line:
    """Holds what was written last."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text
