"""*Portfolio*: a person's own accounts: what they hold, what it is worth, and what it brought."""

from __future__ import annotations

from datetime import date
from itertools import dropwhile
from typing import Any

from flask import Blueprint, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_security import current_user

from closingbell.domain.orders import FIRST_DATE
from closingbell.jobs.context import current_context
from closingbell.queries.income import IncomeByMonth, by_month, by_year, load_income
from closingbell.queries.own_accounts import OwnAccount, list_own_accounts
from closingbell.queries.portfolio import load_portfolios
from closingbell.queries.portfolio_values import Every, ValuePoint, load_values
from closingbell.web.charts import page_with_chart
from closingbell.web.guard import Right, needs, own_account
from closingbell.web.holdings import reinvested

# How far back value goes, and how often a chart of that is told; years of twelve whole months, 0 for all.
RANGES: dict[str, tuple[str, int, Every]] = {
    "1y": ("1 year", 1, "day"),
    "5y": ("5 years", 5, "week"),
    "all": ("All", 0, "month"),
}
USUAL_RANGE = "1y"
_ONE = "/portfolio/<int(max=9223372036854775807):account_id>"


def add_routes(pages: Blueprint) -> None:
    """The routes of this module."""
    pages.add_url_rule("/portfolio", "portfolio", portfolio)
    pages.add_url_rule(_ONE, "account", show_account)
    pages.add_url_rule(f"{_ONE}/chart", "portfolio_chart", send_chart)


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
    """One account on a day: positions, cash, value over the time before, income by month."""
    context, own = current_context(), own_account(account_id)
    span, on = _range(), _day()
    (view,) = load_portfolios(context.database, as_of=on, account=own.name)
    points = _points(own, on, span, every="month")
    income = load_income(context.database, account=own.name, last=on, by=("month",))
    return page_with_chart(
        "account.html",
        own=own,
        view=view,
        span=span,
        ranges=RANGES,
        points=points[::-1],
        income=income[::-1],
        years=by_year(income),
        today=context.clock.now().date(),
        reinvested=reinvested(own),
    )


@needs(Right.MEMBER)
def send_chart(account_id: int) -> ResponseReturnValue:
    """What the charts of an account draw: amounts as numbers, for the eye; exact ones are in the tables and the API."""
    own, span, on = own_account(account_id), _range(), _day()
    points = _points(own, on, span, every=RANGES[span][2])
    income = load_income(current_context().database, account=own.name, last=on, by=("month",))
    return jsonify(
        {
            "currency": own.currency,
            "at": [point.date.isoformat() for point in points],
            "worth": [None if point.total is None else float(point.total) for point in points],
            "income": _drawn(by_month(income, since=_first(on, span))),
        }
    )


def _points(own: OwnAccount, on: date, span: str, *, every: Every) -> list[ValuePoint]:
    """Value over time, from the first day on which there was any."""
    points = load_values(current_context().database, own.name, first=_first(on, span), last=on, every=every)
    begun = list(dropwhile(lambda one: not (one.securities or one.cash or one.owed), points))
    return begun or points[-1:]


def _drawn(income: IncomeByMonth) -> dict[str, Any]:
    """Gross and net of every month by currency, as numbers."""
    return {
        "months": income.months,
        "of": {
            currency: {"gross": [float(one) for one in sums.gross], "net": [float(one) for one in sums.net]}
            for currency, sums in income.currencies.items()
        },
    }


def _day() -> date:
    """The day that is asked for: nothing can be held before the first day that an order may have, or after today."""
    today = current_context().clock.now().date()
    return max(FIRST_DATE, min(request.args.get("on", today, type=date.fromisoformat), today))


def _range() -> str:
    asked = request.args.get("range", USUAL_RANGE)
    return asked if asked in RANGES else USUAL_RANGE


def _first(on: date, span: str) -> date:
    years = RANGES[span][1]
    return max(FIRST_DATE, first_of_months(on, years)) if years else FIRST_DATE


def first_of_months(day: date, years: int) -> date:
    """The first of the month after that day's, so many years earlier: whole months with the day's own."""
    year, month = (day.year, 1) if day.month == 12 else (day.year - 1, day.month + 1)
    return date(max(1, year - years + 1), month, 1)
