"""Cells as values: numbers with either decimal mark, dates in a file's own form, ISINs and currencies."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal

from closingbell.domain.money import MINOR_UNITS, MONEY_SCALE, to_scaled
from closingbell.errors import ValueOutOfRangeError
from closingbell.usecases.imports.entries import RowError

_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")
_CURRENCY = re.compile(r"[A-Z]{3}")
_NUMBER = re.compile(r"[+-]?[0-9][0-9.,]*|[+-]?[.,][0-9]+")
# What stands around the digits: spaces of every kind, Swiss thousands, currency signs.
_AROUND = re.compile(r"[\s'’`$€£¥]")
_GROUPED = {",": re.compile(r"[0-9]{1,3}(,[0-9]{3})+"), ".": re.compile(r"[0-9]{1,3}(\.[0-9]{3})+")}
_TIME = r"(?:[T ;,]\s*(?P<hour>[0-9]{1,2}):?(?P<minute>[0-9]{2})(?::?[0-9.]*)?\s*(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})?)?"
_ISO = re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})" + _TIME)
_COMPACT = re.compile(r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})" + _TIME)
_DAY_FIRST = re.compile(r"(?P<day>[0-9]{1,2})(?P<mark>[-./])(?P<month>[0-9]{1,2})(?P=mark)(?P<year>[0-9]{4})" + _TIME)
_MONTH_FIRST = re.compile(r"(?P<month>[0-9]{1,2})(?P<mark>[-./])(?P<day>[0-9]{1,2})(?P=mark)(?P<year>[0-9]{4})" + _TIME)


class Numbers:
    """Reads the numbers of one file, whose decimal mark is told by those of its cells that can be read in one way."""

    def __init__(self, cells: Iterable[str] = (), *, decimal_mark: str | None = None) -> None:
        self.decimal_mark = decimal_mark or _only_mark(cells)

    def read(self, cell: str, *, what: str) -> Decimal:
        """A cell as a number; raise RowError when it is none or could be two."""
        digits, is_negative = _stripped(cell)
        if not _NUMBER.fullmatch(digits):
            raise RowError(f"{what} {cell!r} is not a number")
        mark = _mark(digits) or self.decimal_mark
        if mark is None:
            raise RowError(f"{what} {cell!r} can be read in two ways: with a decimal mark or a thousands mark")
        value = _with_mark(digits, mark)
        if value is None:
            raise RowError(f"{what} {cell!r} is not a number")
        return -value if is_negative else value

    def maybe(self, cell: str | None, *, what: str) -> Decimal | None:
        """A cell as a number; nothing for an empty one."""
        return self.read(cell, what=what) if cell and cell.strip() not in {"", "-", "--"} else None

    def money(self, cell: str | None, *, what: str) -> Decimal:
        """A cell as an amount of money, zero for an empty one."""
        return as_money(self.maybe(cell, what=what) or Decimal(0), what=what)


POINT = Numbers(decimal_mark=".")


def as_money(value: Decimal, *, what: str) -> Decimal:
    """``value`` with at most 4 decimals; raise RowError where digits would be lost."""
    return fitting(value, MONEY_SCALE, what=what)


def fitting(value: Decimal, scale: int, *, what: str) -> Decimal:
    """``value`` if it can be stored with ``scale`` decimals; raise RowError if not."""
    try:
        to_scaled(value, scale)
    except ValueOutOfRangeError as error:
        raise RowError(f"{what}: {error}") from None
    return value


def _stripped(cell: str) -> tuple[str, bool]:
    """The cell's digits, and whether it is negative by parentheses or a minus behind."""
    text = _AROUND.sub("", cell).replace("−", "-")
    if text.startswith("(") and text.endswith(")"):
        return text[1:-1], True
    if text.endswith("-"):
        return text[:-1], True
    return text, False


def _mark(digits: str) -> str | None:
    """The decimal mark that the digits leave no doubt of; a whole number may have either."""
    has_comma, has_point = "," in digits, "." in digits
    if has_comma and has_point:
        return "," if digits.rfind(",") > digits.rfind(".") else "."
    if not has_comma and not has_point:
        return "."
    mark, other = (",", ".") if has_comma else (".", ",")
    if digits.count(mark) > 1:
        return other
    before, _, after = digits.lstrip("+-").partition(mark)
    is_group = len(after) == 3 and 1 <= len(before) <= 3 and before.strip("0") != ""
    return None if is_group else mark


def _only_mark(cells: Iterable[str]) -> str | None:
    found = set()
    for cell in cells:
        digits, _ = _stripped(cell)
        if _NUMBER.fullmatch(digits) and ("," in digits or "." in digits) and (mark := _mark(digits)):
            found.add(mark)
    return found.pop() if len(found) == 1 else None


def _with_mark(digits: str, mark: str) -> Decimal | None:
    other = "." if mark == "," else ","
    sign, plain = ("-", digits[1:]) if digits.startswith("-") else ("", digits.lstrip("+"))
    whole, _, fraction = plain.partition(mark)
    if mark in fraction or other in fraction:
        return None
    if other in whole and not _GROUPED[other].fullmatch(whole):
        return None
    return Decimal(f"{sign}{whole.replace(other, '') or '0'}.{fraction or '0'}")


def read_iso(cell: str) -> tuple[date, datetime | None]:
    """A date as ``2024-05-31`` or ``20240531``, perhaps with a time: (date, instant where the zone is told)."""
    return _read_date(cell, (_ISO, _COMPACT))


def read_day_first(cell: str) -> tuple[date, datetime | None]:
    """A date whose day stands first, as ``31-05-2024``; or one that begins with its year."""
    return _read_date(cell, (_DAY_FIRST, _ISO, _COMPACT))


def read_month_first(cell: str) -> tuple[date, datetime | None]:
    """A date whose month stands first, as ``05/31/2024``; or one that begins with its year."""
    return _read_date(cell, (_MONTH_FIRST, _ISO, _COMPACT))


def _read_date(cell: str, forms: Iterable[re.Pattern[str]]) -> tuple[date, datetime | None]:
    for form in forms:
        if found := form.fullmatch(cell.strip()):
            try:
                return _date_of(found)
            except ValueError:
                break
    raise RowError(f"date {cell!r} is not a date in this format's form")


def _date_of(found: re.Match[str]) -> tuple[date, datetime | None]:
    day = date(int(found["year"]), int(found["month"]), int(found["day"]))
    if found["hour"] is None or found["zone"] is None:
        return day, None
    zone = found["zone"].replace("Z", "+00:00")
    moment = datetime.fromisoformat(f"{day}T{int(found['hour']):02}:{found['minute']}:00{zone}")
    # Midnight is how programs write a date without a time.
    is_date = moment.hour == 0 and moment.minute == 0
    return day, None if is_date else moment.astimezone(UTC)


def read_isin(cell: str) -> str | None:
    """An ISIN whose check digit is right; nothing for anything else."""
    text = cell.strip().upper()
    if not _ISIN.fullmatch(text):
        return None
    digits = "".join(str(int(char, 36)) for char in text)
    total = sum(sum(divmod(int(digit) * (1 + place % 2), 10)) for place, digit in enumerate(reversed(digits)))
    return text if total % 10 == 0 else None


def read_currency(cell: str, *, what: str = "currency") -> str:
    """A currency's three letters; raise RowError for anything else."""
    text = cell.strip()
    if not _CURRENCY.fullmatch(text):
        raise RowError(f"{what} {cell!r} is not three letters, as in USD")
    if text in MINOR_UNITS:
        raise RowError(f"{what} {text} is a part of {MINOR_UNITS[text][0]}, in which no account is kept")
    return text
