"""Legs as they are booked: made from a dividend or a share event, and compared by what they move."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from closingbell.domain.actions import AcceptedKind, PayDateStatus
from closingbell.domain.dividends import Amounts, converted, reinvest
from closingbell.domain.payments import BookedLeg, Dividend, Holder, Leg, ShareEvent


# The next two by place: one such row for each credit, and names cost more than all that is computed for it.
def accrual_leg(
    holder: Holder, dividend: Dividend, version: int, quantity: int, amounts: Amounts, tax_rate: int
) -> BookedLeg:
    """What is owed from the ex-date on."""
    gross, tax, net = amounts
    on = dividend.ex_date
    return BookedLeg(
        dividend.id, holder.account_id, Leg.ACCRUAL, version, dividend.kind, dividend.version,
        quantity, dividend.amount, gross, tax, net, dividend.currency,
        tax_rate, dividend.tax_rate is not None, holder.rounding,
        None, None, False,  # no exchange rate
        0, holder.currency,  # no cash
        None, None,  # no price, no shares after it
        on, on, str(dividend.pay.status),
    )  # fmt: skip


def payment_leg(holder: Holder, dividend: Dividend, accrual: BookedLeg, version: int, due_date: date) -> BookedLeg:
    """What is paid of what is owed, in the dividend's own currency."""
    return BookedLeg(
        dividend.id, holder.account_id, Leg.PAYMENT, version, dividend.kind, dividend.version,
        accrual.quantity, dividend.amount, accrual.gross, accrual.tax, accrual.net, dividend.currency,
        accrual.tax_rate, dividend.tax_rate is not None, accrual.rounding,
        None, None, False,  # no exchange rate
        accrual.net, holder.currency,
        None, None,  # no price, no shares after it
        due_date, due_date, str(dividend.pay.status),
    )  # fmt: skip


def share_leg(
    holder: Holder, event: ShareEvent, leg: Leg, version: int, *, currency: str, quantity: int, after: int | None
) -> BookedLeg:
    """What a split does to an account's shares, or the cut-off fraction before it is priced."""
    on = event.split.ex_date
    return BookedLeg(
        action_id=event.split.action_id,
        account_id=holder.account_id,
        leg=leg,
        version=version,
        kind=AcceptedKind.SPLIT.value,
        action_version=event.version,
        quantity=quantity,
        per_share=0,
        gross=0,
        tax=0,
        net=0,
        currency=currency,
        tax_rate=0,
        is_rate_of_action=False,
        rounding=holder.rounding,
        fx_rate=None,
        fx_date=None,
        is_fx_of_action=False,
        cash=0,
        cash_currency=holder.currency,
        price=None,
        quantity_after=after,
        due_date=on,
        value_date=on,
        pay_date_status=PayDateStatus.CONFIRMED.value,
    )


def scrip_leg(payment: BookedLeg, price: int, version: int) -> BookedLeg | None:
    """Whole shares at the issuer's price (in the dividend's currency) for a payment; the rest of it stays cash."""
    came = reinvest(payment.net, price, decimals=0, currency=payment.currency, rounding=payment.rounding)
    if came.shares == 0:
        return None
    cash = came.cost
    if payment.fx_rate is not None:
        cost = Amounts(came.cost, 0, came.cost)
        cash = converted(cost, payment.fx_rate, payment.cash_currency, payment.rounding).net
    return payment._replace(
        leg=Leg.SCRIP,
        version=version,
        quantity=came.shares,
        per_share=0,
        gross=came.cost,
        tax=0,
        net=came.cost,
        tax_rate=0,
        cash=-cash,
        price=price,
        value_date=payment.due_date,
        id=0,
        order_id=None,
    )


def moves_as_much(booked: BookedLeg, fresh: BookedLeg) -> bool:
    """Whether two legs of shares bring as many at the same price on the same day."""
    return _compared(booked) == _compared(fresh) and booked.price == fresh.price


def books_the_same(booked: BookedLeg, fresh: BookedLeg, *, with_kind: bool) -> bool:
    """Whether two legs move the same: then the first one stays, whatever it was computed from."""
    same = _compared(booked) == _compared(fresh)
    return same and (not with_kind or booked.kind == fresh.kind)


def _compared(leg: BookedLeg) -> Sequence[object]:
    return leg.quantity, leg.gross, leg.tax, leg.net, leg.currency, leg.cash, leg.due_date
