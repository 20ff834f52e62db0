"""A person's own dividends: what is coming and when, what was paid, and each payment line by line."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from flask import Blueprint, abort, render_template
from flask.typing import ResponseReturnValue

from closingbell.errors import UnknownPaymentError
from closingbell.jobs.context import current_context
from closingbell.queries.dividend_calendar import CalendarLine, load_calendar
from closingbell.queries.payments import PaymentFilter, explain_payment, list_payments
from closingbell.queries.portfolio import Amount
from closingbell.web.elections import elections_of
from closingbell.web.guard import Right, needs, own_account
from closingbell.web.suggestions import suggestions_of

LISTED = 200
_ACCOUNT = "/portfolio/<int(max=9223372036854775807):account_id>"


@dataclass(slots=True)
class Month:
    """A month's ex-dates and pay dates by day, and the cash that is expected in it by currency."""

    first: date
    events: list[tuple[date, str, CalendarLine]] = field(default_factory=list)
    expected: list[Amount] = field(default_factory=list)


def add_routes(pages: Blueprint) -> None:
    """The routes of this module."""
    pages.add_url_rule(f"{_ACCOUNT}/dividends", "own_dividends", show_dividends)
    pages.add_url_rule(f"{_ACCOUNT}/payments/<int(max=9223372036854775807):payment_id>", "payment", show_payment)


@needs(Right.MEMBER)
def show_dividends(account_id: int) -> ResponseReturnValue:
    """What is coming by month, what is only suggested, and what was paid, the newest first."""
    own, context = own_account(account_id), current_context()
    today = context.clock.now().date()
    lines = load_calendar(context.database, as_of=today, account=own.name)
    return render_template(
        "own_dividends.html",
        own=own,
        months=by_month(lines, today),
        undated=[one for one in lines if one.pay_date is None],
        elections=elections_of(own),
        suggested=suggestions_of(own),
        paid=list_payments(context.database, PaymentFilter(account=own.name), limit=LISTED),
    )


@needs(Right.MEMBER)
def show_payment(account_id: int, payment_id: int) -> ResponseReturnValue:
    """Everything that led to a payment; another person's is answered as one that does not exist."""
    own = own_account(account_id)
    try:
        found = explain_payment(current_context().database, payment_id)
    except UnknownPaymentError:
        abort(404)
    if found.payment.account != own.name:
        abort(404)
    return render_template("payment.html", own=own, found=found, one=found.payment)


def by_month(lines: list[CalendarLine], today: date) -> list[Month]:
    """The days that are still to come of each month, and its pay dates' cash."""
    months: dict[date, Month] = {}
    sums: dict[date, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for line in lines:
        for day, what in ((line.ex_date, "ex-date"), (line.pay_date, "pay date")):
            if day is None or (day < today and what == "ex-date"):
                continue
            # What is due and not paid yet is expected now.
            first = max(day, today).replace(day=1)
            months.setdefault(first, Month(first)).events.append((day, what, line))
            if what == "pay date" and line.net is not None and line.currency is not None:
                sums[first][line.currency] += line.net
    for first, month in months.items():
        month.events.sort(key=lambda one: (one[0], one[2].symbol, one[1]))
        month.expected = [Amount(currency, amount) for currency, amount in sorted(sums[first].items())]
    return [months[first] for first in sorted(months)]
