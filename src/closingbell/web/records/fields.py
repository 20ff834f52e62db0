"""The fields of records' forms: how each is asked for, read, and said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from closingbell.domain.money import MONEY_SCALE, PRICE_SCALE, QUANTITY_SCALE, parse_decimal, plain
from closingbell.errors import UsageError

# Longer than any column.
LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name, what the page calls it, what is said beside it, and how its text is read.

    ``kind`` is how it is asked for: text, code (capitals), date, decimal, check, choice, or hidden.
    """

    name: str
    label: str
    says: str = ""
    kind: str = "text"
    choices: Sequence[str] = ()
    is_required: bool = False
    read: Callable[[str], Any] = str

    def value(self, text: str) -> Any:
        """What a text means; None where nothing stands, False for a box that is not ticked. Raise ValueError."""
        if self.kind == "check":
            return bool(text)
        if not text:
            if self.is_required:
                raise ValueError("must be filled in")
            return None
        if self.choices and text not in self.choices:
            raise ValueError(f"{text[:40]!r} is not one of {', '.join(self.choices)}")
        return self.read(text)


def day_of(text: str) -> date:
    """A date; raise ValueError with a sentence."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a date, as in 2012-11-30") from None


def whole_of(text: str) -> int:
    """A whole number; raise ValueError with a sentence."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ValueError(f"{text[:40]!r} is not a whole number, as in 4")
    return int(text)


def text_of(value: Any) -> str:
    """A stored value as a form holds it."""
    if value is None or value is False:
        return ""
    if value is True:
        return "on"
    return plain(value) if isinstance(value, Decimal) else str(value)


def said(one: Field, text: str) -> str:
    """A field's text as a question and the audit log say it."""
    if one.kind == "check":
        return "yes" if text else "no"
    return text or "–"


def quantity_of(text: str) -> Decimal:
    """Shares; raise ValueError with a sentence."""
    return parse_decimal(text, QUANTITY_SCALE)


def price_of(text: str) -> Decimal:
    """A price of a share; raise ValueError with a sentence."""
    return parse_decimal(text, PRICE_SCALE)


def money_of(text: str) -> Decimal:
    """An amount of money; raise ValueError with a sentence."""
    return parse_decimal(text, MONEY_SCALE)


@dataclass(slots=True)
class Typed:
    """What a form says, word for word, and what is wrong with single fields."""

    fields: Sequence[Field]
    texts: dict[str, str]
    wrong: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, fields: Sequence[Field], form: Mapping[str, str]) -> Typed:
        """The fields of a form that was sent; others in it are not looked at."""
        texts = {}
        for one in fields:
            text = form.get(one.name, "").replace("\0", "").strip()[:LONGEST]
            texts[one.name] = text.upper() if one.kind == "code" else text
        return cls(fields, texts)

    def values(self) -> dict[str, Any]:
        """What every field means; raise UsageError that names each that cannot be read."""
        found: dict[str, Any] = {}
        for one in self.fields:
            try:
                found[one.name] = one.value(self.texts[one.name])
            except ValueError as error:
                self.wrong[one.name] = str(error)
        if self.wrong:
            labels = {one.name: one.label for one in self.fields}
            raise UsageError("; ".join(f"{labels[name]}: {words}" for name, words in self.wrong.items()))
        return found
