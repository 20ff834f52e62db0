"""Files of daily bars: CSV and Parquet in, rows by symbol out, with what is wrong in which line."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from closingbell.domain.bars import Bar, snap_price
from closingbell.domain.corporate_actions import ActionKind, CorporateAction
from closingbell.domain.money import BIGINT_MAX, PRICE_SCALE, QUANTITY_SCALE, major_unit, parse_decimal, to_scaled
from closingbell.errors import BadAnswerError

PRICES = ("open", "high", "low", "close")
REQUIRED = ("date", *PRICES, "currency")
OPTIONAL = ("symbol", "volume", "dividend", "split")
CSV, PARQUET = ".csv", ".parquet"

Row = Mapping[str, Any]


@dataclass(slots=True)
class OfSymbol:
    """What a file has of one symbol, ascending: bars as traded and actions; ``problem`` is its first bad line."""

    quote_unit: str = ""
    bars: list[Bar] = field(default_factory=list)
    actions: list[CorporateAction] = field(default_factory=list)
    days: set[date] = field(default_factory=set)
    problem: str | None = None


def columns_of(path: Path) -> frozenset[str]:
    """The names of a file's columns in lower case; raise BadAnswerError when it cannot be read."""
    return frozenset(_lower(_open_parquet(path).schema_arrow.names) if path.suffix == PARQUET else _csv_header(path))


def read_file(path: Path) -> dict[str, OfSymbol]:
    """Everything in a file, by symbol; without a column for it, the file's name is the symbol.

    Raise BadAnswerError when the file as a whole cannot be read; a bad line spoils its own symbol only.
    """
    columns = columns_of(path)
    _require_columns(path, columns)
    found: dict[str, OfSymbol] = {}
    for where, row in _rows(path):
        symbol = _text(row.get("symbol")).upper() if "symbol" in columns else path.stem.upper()
        if not symbol:
            raise BadAnswerError(f"{path.name}, {where}: has no symbol")
        of_symbol = found.setdefault(symbol, OfSymbol())
        if of_symbol.problem is None:
            try:
                _add(of_symbol, row)
            except (ValueError, ArithmeticError, TypeError) as error:
                of_symbol.problem = f"{path.name}, {where}: {error}"
    for of_symbol in found.values():
        of_symbol.bars.sort()
        of_symbol.actions.sort(key=lambda action: (action.ex_date, action.kind))
    return found


def _require_columns(path: Path, columns: frozenset[str]) -> None:
    missing = [name for name in REQUIRED if name not in columns]
    strange = sorted(columns - {*REQUIRED, *OPTIONAL})
    if missing:
        raise BadAnswerError(f"{path.name}: lacks the columns {', '.join(missing)}")
    if strange:
        known = ", ".join((*REQUIRED, *OPTIONAL))
        raise BadAnswerError(f"{path.name}: nobody knows the columns {', '.join(strange)}; there are {known}")


def _rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Every row with where it stands."""
    return _parquet_rows(path) if path.suffix == PARQUET else _csv_rows(path)


def _csv_header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _lower(next(csv.reader(file), []))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadAnswerError(f"{path.name}: cannot be read as CSV in UTF-8 ({error})") from None


def _csv_rows(path: Path) -> Iterator[tuple[str, Row]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            header = _lower(next(lines, []))
            for cells in lines:
                if not any(cell.strip() for cell in cells):
                    continue
                where = f"line {lines.line_num}"
                if len(cells) != len(header):
                    raise BadAnswerError(f"{path.name}, {where}: has {len(cells)} cells for {len(header)} columns")
                yield where, dict(zip(header, cells, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadAnswerError(f"{path.name}: cannot be read as CSV in UTF-8 ({error})") from None


def _open_parquet(path: Path) -> Any:
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415  (keeps it out of start-up, and optional)
    except ImportError:
        raise BadAnswerError(
            f"{path.name}: Parquet is read by pyarrow, which is not installed: pip install 'closingbell[parquet]'"
        ) from None
    try:
        return parquet.ParquetFile(path)
    except (OSError, ArrowException) as error:
        raise BadAnswerError(f"{path.name}: cannot be read as Parquet ({str(error).splitlines()[0]})") from None


def _parquet_rows(path: Path) -> Iterator[tuple[str, Row]]:
    file = _open_parquet(path)
    with file:
        number = 0
        for batch in file.iter_batches():
            for row in batch.to_pylist():
                number += 1
                yield f"row {number}", {name.strip().lower(): value for name, value in row.items()}


def _lower(names: Iterable[str]) -> list[str]:
    return [name.strip().lower() for name in names]


def _add(of_symbol: OfSymbol, row: Row) -> None:
    """Take one row in; raise ValueError with a sentence for what cannot be."""
    day, unit = _day(row["date"]), _text(row["currency"])
    currency, divisor = major_unit(unit)
    if len(currency) != 3 or not currency.isalpha() or currency != currency.upper():
        raise ValueError(f"currency is {unit!r}, not a code such as USD or GBp")
    if of_symbol.quote_unit not in {"", unit}:
        raise ValueError(f"currency is {unit}, and {of_symbol.quote_unit} before")
    if day in of_symbol.days:
        raise ValueError(f"{day} stands there twice")
    o, h, low, c = (_price(name, row[name], divisor) for name in PRICES)
    actions = [*_dividends(row, day, currency, divisor), *_splits(row, day)]
    volume = _volume(row.get("volume"))
    of_symbol.quote_unit = unit
    of_symbol.days.add(day)
    of_symbol.bars.append(Bar(day, o, h, low, c, volume))
    of_symbol.actions += actions


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def _day(cell: Any) -> date:
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    try:
        return date.fromisoformat(_text(cell))
    except ValueError:
        raise ValueError(f"date is {_text(cell)!r}, not YYYY-MM-DD") from None


def _price(name: str, cell: Any, divisor: int) -> int:
    """A price in millionths of the major unit; a floating one, as Parquet has them, has the noise of a float."""
    try:
        if isinstance(cell, float):
            price = snap_price(cell)
        else:
            price = to_scaled(parse_decimal(_text(cell), PRICE_SCALE), PRICE_SCALE)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name}: {error}") from None
    if not -BIGINT_MAX <= price <= BIGINT_MAX:
        raise ValueError(f"{name} is {cell}, which is too large")
    return price if divisor == 1 else round(price / divisor)


def _volume(cell: Any) -> int:
    try:
        volume = Decimal(_text(cell) or "0")
        if volume != int(volume) or abs(volume) > BIGINT_MAX:
            raise ValueError
    except (ArithmeticError, ValueError):
        raise ValueError(f"volume is {_text(cell)!r}, not a whole number of shares") from None
    return int(volume)


def _dividends(row: Row, day: date, currency: str, divisor: int) -> list[CorporateAction]:
    """The dividend per share that a row tells of its own day, if it does."""
    told = _text(row.get("dividend"))
    if not told:
        return []
    try:
        amount = parse_decimal(told, QUANTITY_SCALE)
    except ValueError as error:
        raise ValueError(f"dividend: {error}") from None
    if amount == 0:
        return []
    if divisor != 1:
        amount = round(amount / divisor, QUANTITY_SCALE)
    return [CorporateAction(ActionKind.DIVIDEND, day, amount, currency, None, None, told)]


def _splits(row: Row, day: date) -> list[CorporateAction]:
    """The split of a row's day, if it tells one: ``4:1``, or 4 new shares for one."""
    told = _text(row.get("split"))
    if not told:
        return []
    new, _, old = told.partition(":")
    try:
        ratio = Fraction(new) / Fraction(old or "1")
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"split is {told!r}, not new:old shares such as 4:1") from None
    if ratio < 0 or max(ratio.numerator, ratio.denominator) > BIGINT_MAX:
        raise ValueError(f"split is {told!r}, not new:old shares such as 4:1")
    if ratio in {0, 1}:
        return []
    return [CorporateAction(ActionKind.SPLIT, day, None, "", ratio.numerator, ratio.denominator, told)]
