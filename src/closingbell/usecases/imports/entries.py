"""What a reader makes of a file: entries that become orders, and findings on every row that does not plainly do so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from closingbell.domain.orders import COMPANY_INCOME, OrderType

BUY, SELL = OrderType.BUY.value, OrderType.SELL.value
TRANSFER_IN, TRANSFER_OUT = OrderType.TRANSFER_IN.value, OrderType.TRANSFER_OUT.value
DEPOSIT, WITHDRAWAL = OrderType.DEPOSIT.value, OrderType.WITHDRAWAL.value
DIVIDEND, INTEREST = OrderType.DIVIDEND.value, OrderType.INTEREST.value
FEE, TAX, CONVERSION = OrderType.FEE.value, OrderType.TAX.value, OrderType.CONVERSION.value
CAPITAL_GAIN, CAPITAL_RETURN = OrderType.CAPITAL_GAIN.value, OrderType.CAPITAL_RETURN.value

PAYMENTS = COMPANY_INCOME

# How a finding weighs: a refused row stops the whole file, the others are told and the import goes on.
REFUSED = "refused"
LEFT_OUT = "left_out"
DOUBTFUL = "doubtful"

_TEXT_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Security:
    """What a file calls a company: ``symbol`` where it is surely ours, else what helps a person to map it."""

    symbol: str | None = None
    isin: str | None = None
    ticker: str | None = None
    name: str | None = None

    @property
    def id(self) -> str:
        """What ``--map`` calls it."""
        return self.isin or self.symbol or self.ticker or self.name or ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One order to be, of one or more lines of the file.

    ``amount`` is what the broker states, before ``fee`` and ``tax``: the price of all shares of a trade, the gross of
    a dividend, the cash of a cash entry; a CONVERSION gives it away for ``counter_amount``. INTEREST, FEE and TAX may
    be negative: interest charged, a fee or tax paid back. ``broker_key`` is the broker's own number of the row,
    ``doubt`` what a person should look at. Rows of one ``batch`` come in every export together; ``is_undone`` says that
    a later row takes the entry back.
    """

    lines: tuple[int, ...]
    type: str
    trade_date: date
    currency: str
    security: Security | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    amount: Decimal | None = None
    fee: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    counter_amount: Decimal | None = None
    counter_currency: str | None = None
    executed_at: datetime | None = None
    note: str = ""
    doubt: str = ""
    broker_key: str | None = None
    batch: str = ""
    is_undone: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said of a row: ``weight`` is REFUSED, LEFT_OUT or DOUBTFUL; ``text`` is the row as it stands."""

    line: int
    weight: str
    reason: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A file as its reader understood it; every row is in an entry or in a finding."""

    entries: tuple[Entry, ...]
    findings: tuple[Finding, ...]


class RowError(ValueError):
    """A row that cannot be taken; the sentence says why."""


class LeftOutError(ValueError):
    """A row that is understood and left out; the sentence says why and what to do instead."""


def shown(text: str) -> str:
    """A row's text in one line, cut where it is long, with nothing a terminal would act on."""
    plain = "".join(char if char.isprintable() else " " for char in text).strip()
    return plain if len(plain) <= _TEXT_LIMIT else f"{plain[: _TEXT_LIMIT - 1]}…"


def in_order(entries: Sequence[Entry], findings: Sequence[Finding]) -> Reading:
    """A reading with entries and findings in the order of the file."""
    return Reading(
        tuple(sorted(entries, key=lambda entry: entry.lines)),
        tuple(sorted(findings, key=lambda finding: finding.line)),
    )
