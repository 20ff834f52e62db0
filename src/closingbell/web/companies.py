"""*Companies* and *a company*: its chart, what is there of its sessions, what was changed, and what was set aside."""

from __future__ import annotations

from calendar import Calendar
from datetime import date, timedelta
from itertools import groupby

import orjson
from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from closingbell.errors import UnknownSymbolError, UsageError
from closingbell.jobs.context import current_context
from closingbell.queries import companies
from closingbell.queries.actions import ActionView, list_actions
from closingbell.queries.bars import DrawnSeries, load_drawn_series, load_series
from closingbell.queries.companies import DayState, MinuteView
from closingbell.queries.quarantine import QuarantinedView, list_quarantined
from closingbell.queries.symbols import list_symbols
from closingbell.usecases import quarantine
from closingbell.web.charts import page_with_chart
from closingbell.web.dividends import LONGEST_WHY
from closingbell.web.guard import Right, needs, who_asks
from closingbell.web.looks import NEW_YORK

PER_PAGE = 100
# What a chart shows, and how far back that is; the newest day is its minutes.
RANGES = {
    "day": ("Day", timedelta(0)),
    "3m": ("3 months", timedelta(days=92)),
    "1y": ("1 year", timedelta(days=366)),
    "5y": ("5 years", timedelta(days=5 * 366)),
    "all": ("All", timedelta(days=200 * 366)),
}
USUAL_RANGE = "1y"
COVERED = timedelta(days=365)
NEWEST_BARS = 10

# decision -> the question, the use case, and what is true afterwards.
DECISIONS = {
    "accept": ("Store this bar as it is?", quarantine.accept_bar, "is stored"),
    "reject": ("Leave this bar out?", quarantine.reject_bar, "is left out"),
}
_BAR = "/quarantine/<int(max=9223372036854775807):bar_id>/<decision>"


def add_routes(pages: Blueprint) -> None:
    """The routes of this module."""
    pages.add_url_rule("/companies", "companies", show_companies)
    pages.add_url_rule("/companies/<symbol>", "company", show_company)
    pages.add_url_rule("/companies/<symbol>/chart", "chart", send_chart)
    pages.add_url_rule(_BAR, "ask_bar", ask_bar)
    pages.add_url_rule(_BAR, "do_bar", do_bar, methods=["POST"])


@needs(Right.VIEWER)
def show_companies() -> ResponseReturnValue:
    """Bars that wait for a person, then every company, some at a time."""
    database = current_context().database
    looked_for = request.args.get("q", "").strip()[:100]
    after = request.args.get("after", "")[:100]
    found = companies.list_companies(database, contains=looked_for, after=after, limit=PER_PAGE + 1)
    return render_template(
        "companies.html",
        waiting=list_quarantined(database),
        found=found[:PER_PAGE],
        following=found[PER_PAGE - 1].symbol if len(found) > PER_PAGE else None,
        looked_for=looked_for,
        after=after,
    )


@needs(Right.VIEWER)
def show_company(symbol: str) -> ResponseReturnValue:
    """Everything about one company; a name that it had leads to the one that it has."""
    context = current_context()
    company = _find(symbol)
    if company.symbol != symbol:
        return redirect(url_for("pages.company", symbol=company.symbol))
    span, is_adjusted = _range(), bool(request.args.get("adjusted"))
    today = context.clock.now().date()
    states = companies.load_day_states(context.database, symbol, first=today - COVERED, now=context.clock.now())
    [names] = list_symbols(context.database, symbols=(symbol,))
    bars = load_series(context.database, symbol, first=today - timedelta(days=30), adjusted=is_adjusted).bars
    return page_with_chart(
        "company.html",
        company=company,
        names=names,
        span=span,
        ranges=RANGES,
        is_adjusted=is_adjusted,
        months=_months(states),
        counts=_counts(states),
        bars=bars[-NEWEST_BARS:][::-1],
        actions=sorted(
            list_actions(context.database, symbols=(symbol,), waiting_only=False),
            key=lambda one: one.ex_date,
            reverse=True,
        ),
        waiting=list_quarantined(context.database, symbols=(symbol,)),
        revisions=companies.list_revisions(context.database, symbol),
    )


@needs(Right.VIEWER)
def send_chart(symbol: str) -> ResponseReturnValue:
    """What a chart of a company draws: prices as numbers, for the eye; exact ones are in the tables and the API."""
    context = current_context()
    company = _find(symbol)
    span = _range()
    if span == "day":
        minutes = companies.load_newest_minutes(context.database, company.symbol)
        return _drawing(_drawn_minutes(minutes, company.currency), [])
    first = context.clock.now().date() - RANGES[span][1]
    is_adjusted = bool(request.args.get("adjusted"))
    series = load_drawn_series(context.database, company.symbol, first=first, adjusted=is_adjusted)
    known = list_actions(context.database, symbols=(company.symbol,), first=first, waiting_only=False)
    return _drawing(series, [_event(one) for one in known if not one.is_cancelled])


def _drawn_minutes(minutes: list[MinuteView], currency: str | None) -> DrawnSeries:
    times = [one.at.astimezone(NEW_YORK).strftime("%H:%M") for one in minutes]
    prices = {name: [float(getattr(one, name)) for one in minutes] for name in ("open", "high", "low", "close")}
    return DrawnSeries(currency, times, **prices, volume=[one.volume for one in minutes])


def _drawing(series: DrawnSeries, events: list[dict[str, str]]) -> Response:
    # ``asdict`` would copy every number on its own, and take longer over it than everything else here.
    shown = {name: getattr(series, name) for name in DrawnSeries.__slots__}
    return Response(orjson.dumps(shown | {"events": events}), mimetype="application/json")


def _event(one: ActionView) -> dict[str, str]:
    mark = "S" if one.numerator else "D"
    return {"at": one.ex_date.isoformat(), "mark": mark, "words": one.words, "state": one.state}


@needs(Right.ADMINISTRATOR)
def ask_bar(bar_id: int, decision: str) -> ResponseReturnValue:
    """The question before a decision on a bar that was set aside."""
    return _ask(bar_id, decision)


@needs(Right.ADMINISTRATOR)
def do_bar(bar_id: int, decision: str) -> ResponseReturnValue:
    """Carry a decision out; what cannot be is said on the form."""
    bar = _find_bar(bar_id)
    _question, decide, afterwards = DECISIONS.get(decision) or abort(404)
    why = request.form.get("why", "").strip()[:LONGEST_WHY]
    try:
        decide(current_context(), bar_id, by=who_asks(), why=why)
    except UsageError as refused:
        return _ask(bar_id, decision, why=why, error=str(refused))
    flash(f"{bar.symbol} on {bar.date} {afterwards}.")
    return redirect(url_for("pages.company", symbol=bar.symbol))


def _ask(bar_id: int, decision: str, *, why: str = "", error: str | None = None) -> ResponseReturnValue:
    bar = _find_bar(bar_id)
    question, _decide, _afterwards = DECISIONS.get(decision) or abort(404)
    page = render_template("ask_bar.html", bar=bar, question=question, why=why, error=error)
    return page, 422 if error else 200


def _find(symbol: str) -> companies.CompanyLine:
    try:
        return companies.load_company(current_context().database, symbol.upper())
    except UnknownSymbolError:
        abort(404)


def _find_bar(bar_id: int) -> QuarantinedView:
    """A bar that was set aside, whether or not somebody decided on it meanwhile."""
    found = [one for one in list_quarantined(current_context().database, open_only=False) if one.id == bar_id]
    return found[0] if found else abort(404)


def _range() -> str:
    asked = request.args.get("range", USUAL_RANGE)
    return asked if asked in RANGES else USUAL_RANGE


def _counts(states: list[DayState]) -> dict[str, int]:
    return {name: count for name in companies.STATES if (count := sum(one.state == name for one in states))}


def _months(states: list[DayState]) -> list[tuple[date, list[list[tuple[date, DayState | None] | None]]]]:
    """Months with their weeks from Monday to Friday, newest first; a day of another month is None."""
    state_of = {one.date: one for one in states}
    found = []
    for month, days in groupby(states, key=lambda one: one.date.replace(day=1)):
        list(days)
        weeks = [
            [(day, state_of.get(day)) if day.month == month.month else None for day in week[:5]]
            for week in Calendar().monthdatescalendar(month.year, month.month)
        ]
        found.append((month, [week for week in weeks if any(week)]))
    return found[::-1]
