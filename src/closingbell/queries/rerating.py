"""A payment beside what it would be with the rates that hold now, as it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from closingbell.domain.money import MONEY_SCALE, QUANTITY_SCALE, from_scaled
from closingbell.domain.payments import BookedLeg
from closingbell.jobs.dividend_rerating import Rerated


@dataclass(frozen=True, slots=True)
class RatedAmounts:
    """What a leg comes to, and by which rates and rounding."""

    gross: Decimal
    tax: Decimal
    net: Decimal
    cash: Decimal
    tax_rate: Decimal
    fx_rate: Decimal | None
    fx_date: date | None
    rounding: str


@dataclass(frozen=True, slots=True)
class RatedLeg:
    """A leg (``payment_id``) as it stands, and as it would be booked in its place."""

    payment_id: int
    leg: str
    currency: str
    cash_currency: str
    before: RatedAmounts
    after: RatedAmounts


@dataclass(frozen=True, slots=True)
class RerateView:
    """What becomes of a payment that is rated again; no ``legs`` where nothing changes."""

    payment_id: int
    account: str
    symbol: str
    ex_date: date
    legs: tuple[RatedLeg, ...]


def view_of(found: Rerated) -> RerateView:
    """A payment rated again, as it is shown."""
    legs = [
        RatedLeg(old.id, old.leg.value, old.currency, old.cash_currency, _amounts(old), _amounts(new))
        for old, new in found.changes
    ]
    return RerateView(found.payment_id, found.account.name, found.symbol, found.action.ex_date, tuple(legs))


def _amounts(leg: BookedLeg) -> RatedAmounts:
    gross, tax, net, cash = (from_scaled(one, MONEY_SCALE) for one in (leg.gross, leg.tax, leg.net, leg.cash))
    fx_rate = None if leg.fx_rate is None else from_scaled(leg.fx_rate, QUANTITY_SCALE)
    tax_rate = from_scaled(leg.tax_rate, QUANTITY_SCALE)
    return RatedAmounts(gross, tax, net, cash, tax_rate, fx_rate, leg.fx_date, leg.rounding.value)
