"""*Portfolio*: a person's own accounts: what they hold, what it is worth, and what it brought."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import dropwhile
from typing import Any

from flask import Blueprint, abort, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_security import current_user

from closingbell.domain.orders import FIRST_DATE
from closingbell.jobs.context import current_context
from closingbell.queries.income import IncomeLine, load_income
from closingbell.queries.own_accounts import OwnAccount, find_own_account, list_own_accounts
from closingbell.queries.portfolio import load_portfolios
from closingbell.queries.portfolio_values import Every, ValuePoint, load_values
from closingbell.web.charts import page_with_chart
from closingbell.web.guard import Right, needs

# How far back value goes, and how often a chart of that is told; years of twelve whole months, 0 for all.
RANGES: dict[str, tuple[str, int, Every]] = {
    "1y": ("1 year", 1, "day"),
    "5y": ("5 years", 5, "week"),
    "all": ("All", 0, "month"),
}
USUAL_RANGE = "1y"
_ONE = "/portfolio/<int(max=9223372036854775807):account_id>"


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
    context, own = current_context(), _own(account_id)
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
    )


@needs(Right.MEMBER)
def send_chart(account_id: int) -> ResponseReturnValue:
    """What the charts of an account draw: amounts as numbers, for the eye; exact ones are in the tables and the API."""
    own, span, on = _own(account_id), _range(), _day()
    points = _points(own, on, span, every=RANGES[span][2])
    income = load_income(current_context().database, account=own.name, last=on, by=("month",))
    return jsonify(
        {
            "currency": own.currency,
            "at": [point.date.isoformat() for point in points],
            "worth": [None if point.total is None else float(point.total) for point in points],
            "income": _drawn_income([line for line in income if line.month is not None], since=_first(on, span)),
        }
    )


def _points(own: OwnAccount, on: date, span: str, *, every: Every) -> list[ValuePoint]:
    """Value over time, from the first day on which there was any."""
    points = load_values(current_context().database, own.name, first=_first(on, span), last=on, every=every)
    begun = list(dropwhile(lambda one: not (one.securities or one.cash or one.owed), points))
    return begun or points[-1:]


def _drawn_income(lines: Sequence[IncomeLine], *, since: date) -> dict[str, Any]:
    """Gross and net of every month, also of those without income, by currency."""
    recent = [line for line in lines if (line.month or "") >= f"{since:%Y-%m}"]
    if not recent:
        return {"months": [], "of": {}}
    months = list(_months(recent[0].month or "", recent[-1].month or ""))
    place = {month: i for i, month in enumerate(months)}
    sums = {line.currency: ([Decimal(0)] * len(months), [Decimal(0)] * len(months)) for line in recent}
    for line in recent:
        gross, net = sums[line.currency]
        gross[place[line.month or ""]] += line.gross
        net[place[line.month or ""]] += line.net
    return {
        "months": months,
        "of": {
            currency: {"gross": [float(one) for one in gross], "net": [float(one) for one in net]}
            for currency, (gross, net) in sorted(sums.items())
        },
    }


def _months(first: str, last: str) -> Iterator[str]:
    year, month = int(first[:4]), int(first[5:])
    while (told := f"{year:04}-{month:02}") <= last:
        yield told
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)


def _own(account_id: int) -> OwnAccount:
    return find_own_account(current_context().database, account_id, current_user.id) or abort(404)


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


def by_year(lines: Sequence[IncomeLine]) -> list[YearOfIncome]:
    """Income by year, kind and currency, the newest year first."""
    sums: dict[tuple[str, str, str], tuple[Decimal, Decimal]] = {}
    for line in lines:
        key = ((line.month or "")[:4], line.kind, line.currency)
        gross, tax = sums.get(key, (Decimal(0), Decimal(0)))
        sums[key] = (gross + line.gross, tax + line.tax)
    return [YearOfIncome(*key, gross, tax, gross - tax) for key, (gross, tax) in sorted(sums.items(), reverse=True)]
