"""*Portfolio*: a person's own accounts: what they hold, what it is worth, and what it brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_security import current_user

from closingbell.domain.orders import FIRST_DATE
from closingbell.jobs.context import current_context
from closingbell.queries.income import IncomeLine, load_income
from closingbell.queries.own_accounts import find_own_account, list_own_accounts
from closingbell.queries.portfolio import load_portfolios
from closingbell.queries.portfolio_values import load_values
from closingbell.web.guard import Right, needs


@dataclass(frozen=True, slots=True)
class YearOfIncome:
    """What one kind of income in one currency came to in a year."""

    year: str
    kind: str
    currency: str
    gross: Decimal
    tax: Decimal
    net: Decimal


def add_routes(pages: Blueprint) -> None:
    """The routes of this module."""
    pages.add_url_rule("/portfolio", "portfolio", portfolio)
    pages.add_url_rule("/portfolio/<int(max=9223372036854775807):account_id>", "account", show_account)


@needs(Right.MEMBER)
def portfolio() -> ResponseReturnValue:
    """The accounts of the person who asks, and what each is worth today."""
    context = current_context()
    today = context.clock.now().date()
    own = list_own_accounts(context.database, current_user.id)
    views = load_portfolios(context.database, as_of=today, account_ids=[one.id for one in own])
    by_name = {view.account: view for view in views}
    return render_template("portfolio.html", worth=[(one, by_name[one.name]) for one in own], today=today)


@needs(Right.MEMBER)
def show_account(account_id: int) -> ResponseReturnValue:
    """One account on a day: positions, cash, value over the year before, income by month."""
    context = current_context()
    own = find_own_account(context.database, account_id, current_user.id)
    if own is None:
        abort(404)
    today = context.clock.now().date()
    # Nothing can be held before the first day that an order may have, or after today.
    on = max(FIRST_DATE, min(request.args.get("on", today, type=date.fromisoformat), today))
    (view,) = load_portfolios(context.database, as_of=on, account=own.name)
    points = load_values(context.database, own.name, first=a_year_before(on), last=on)
    income = load_income(context.database, account=own.name, last=on, by=("month",))
    return render_template(
        "account.html", own=own, view=view, points=points[::-1], income=income[::-1], years=by_year(income), today=today
    )


def a_year_before(day: date) -> date:
    """The first of the month after that day's, a year earlier: twelve whole months with the day's own."""
    year, month = (day.year, 1) if day.month == 12 else (day.year - 1, day.month + 1)
    return date(year, month, 1)


def by_year(lines: Sequence[IncomeLine]) -> list[YearOfIncome]:
    """Income by year, kind and currency, the newest year first."""
    sums: dict[tuple[str, str, str], tuple[Decimal, Decimal]] = {}
    for line in lines:
        key = ((line.month or "")[:4], line.kind, line.currency)
        gross, tax = sums.get(key, (Decimal(0), Decimal(0)))
        sums[key] = (gross + line.gross, tax + line.tax)
    return [YearOfIncome(*key, gross, tax, gross - tax) for key, (gross, tax) in sorted(sums.items(), reverse=True)]
