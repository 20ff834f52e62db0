"""Companies, their bars and sessions, and what companies do."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, date, timedelta
from typing import Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate
from werkzeug.exceptions import NotFound
from werkzeug.http import http_date

from closingbell.api.v1.asking import ID, LARGEST_ID, MOST, NO_NUL, Limited, Ranged, in_range, page
from closingbell.api.v1.schemas import page_of, schema_of
from closingbell.errors import SettingsError, UsageError
from closingbell.jobs.context import current_context
from closingbell.queries import companies
from closingbell.queries.actions import ActionDetail, ActionView, list_actions, show_action
from closingbell.queries.bars import DailyBar, load_series
from closingbell.queries.companies import CompanyLine, DayState, MinuteView
from closingbell.queries.coverage import CompanyCoverage, load_coverage
from closingbell.queries.csv_text import csv_lines

CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
_BARS = page_of(DailyBar)
_OTHER_FORMS = {
    "responses": {
        "200": {
            "content": {
                "application/json": {"schema": _BARS},
                CSV: {"schema": {"type": "string"}},
                PARQUET: {"schema": {"type": "string", "format": "binary"}},
            }
        }
    }
}
_COLUMNS = ("date", "open", "high", "low", "close", "volume", "is_provisional", "provider", "fetched_at", "flag")


class _Companies(Limited):
    q = fields.String(
        load_default="",
        validate=[validate.Length(max=100), NO_NUL],
        metadata={"description": "Part of its symbol or name."},
    )
    after = fields.String(
        load_default="", validate=[validate.Length(max=32), NO_NUL], metadata={"description": "Symbols after this one."}
    )


class _Bars(Ranged):
    adjusted = fields.Boolean(load_default=False, metadata={"description": "For later splits and dividends."})
    form = fields.String(data_key="format", load_default="json", validate=validate.OneOf(["json", "csv", "parquet"]))
    limit = fields.Integer(
        load_default=None,
        validate=validate.Range(1, 10 * MOST),
        metadata={"description": f"How many at most; {MOST} as JSON and all as CSV and Parquet where it is not said."},
    )


class _Minutes(Schema):
    after = fields.AwareDateTime(
        load_default=None,
        format="iso",
        default_timezone=UTC,
        metadata={"description": "Those that begin after this instant; the newest day's where it is not said."},
    )
    limit = fields.Integer(load_default=MOST, validate=validate.Range(1, MOST))


class _Actions(Ranged, Limited):
    after = fields.Integer(
        load_default=0,
        validate=validate.Range(0, LARGEST_ID),
        metadata={"description": "Those that come after this one, by its id, in the order of ex-dates."},
    )
    symbol = fields.String(load_default=None, validate=[validate.Length(max=32), NO_NUL])
    waiting = fields.Boolean(load_default=False, metadata={"description": "Those alone that wait for a person."})


def add_routes(api: Blueprint) -> None:
    """The routes of this module."""

    @api.route("/companies")
    @api.arguments(_Companies, location="query")
    @api.response(200, page_of(CompanyLine))
    def list_companies(asked: dict[str, Any]) -> dict[str, Any]:
        """Companies by symbol, with their newest close."""
        limit = asked["limit"]
        found = companies.list_companies(
            current_context().database, contains=asked["q"], after=asked["after"], limit=limit + 1
        )
        following = {"after": found[limit - 1].symbol} if len(found) > limit else None
        return page(found[:limit], following)

    @api.route("/companies/<symbol>")
    @api.response(200, schema_of(CompanyLine))
    def show_company(symbol: str) -> CompanyLine:
        """One company, by its symbol or one that it had."""
        return companies.load_company(current_context().database, _known(symbol))

    @api.route("/companies/<symbol>/bars")
    @api.doc(**_OTHER_FORMS)
    @api.arguments(_Bars, location="query")
    @api.response(200, _BARS)
    def list_bars(asked: dict[str, Any], symbol: str) -> Any:
        """Daily bars in ascending order, as traded or adjusted; as JSON, CSV or Parquet."""
        series = load_series(
            current_context().database,
            _known(symbol),
            first=asked["first"],
            last=asked["last"],
            adjusted=asked["adjusted"],
        )
        limit = asked["limit"] or (MOST if asked["form"] == "json" else len(series.bars))
        bars = series.bars[:limit]
        told = page(bars, {"from": bars[-1].date + timedelta(days=1)} if len(series.bars) > limit else None)
        headers = _headers(bars, told["next"], is_adjusted=asked["adjusted"])
        if asked["form"] == "csv":
            return Response(_as_csv(bars), mimetype=CSV, headers=headers)
        if asked["form"] == "parquet":
            return Response(_as_parquet(bars), mimetype=PARQUET, headers=headers)
        return told, 200, headers

    @api.route("/companies/<symbol>/minutes")
    @api.arguments(_Minutes, location="query")
    @api.response(200, page_of(MinuteView))
    def list_minutes(asked: dict[str, Any], symbol: str) -> dict[str, Any]:
        """Minute bars in ascending order: those after an instant, or the newest day's that has any."""
        database, after, limit = current_context().database, in_range(asked["after"]), asked["limit"]
        if after is None:
            return page(companies.load_newest_minutes(database, _known(symbol)), None)
        found = companies.load_minutes(database, _known(symbol), after=after, limit=limit + 1)
        return page(found[:limit], {"after": found[limit - 1].at} if len(found) > limit else None)

    @api.route("/companies/<symbol>/sessions")
    @api.arguments(Ranged, location="query")
    @api.response(200, page_of(DayState))
    def list_sessions(asked: dict[str, Any], symbol: str) -> dict[str, Any]:
        """Every session of a company and whether its bar is there; the last year's where no day is named."""
        context = current_context()
        now = context.clock.now()
        last = asked["last"] or date.max
        first = asked["first"] or min(last, now.date()) - timedelta(days=365)
        states = companies.load_day_states(context.database, _known(symbol), first=first, now=now)
        return page([one for one in states if one.date <= last], None)

    @api.route("/companies/<symbol>/coverage")
    @api.response(200, schema_of(CompanyCoverage))
    def show_coverage(symbol: str) -> CompanyCoverage:
        """What should be stored of a company, and what is."""
        context = current_context()
        [found] = load_coverage(context.database, now=context.clock.now(), symbols=(_known(symbol),))
        return found

    @api.route("/corporate-actions")
    @api.arguments(_Actions, location="query")
    @api.response(200, page_of(ActionView))
    def list_corporate_actions(asked: dict[str, Any]) -> dict[str, Any]:
        """Dividends, splits and other actions by ex-date; the last 90 days' and coming ones where nothing is named."""
        context = current_context()
        symbols = (asked["symbol"].upper(),) if asked["symbol"] else None
        first = asked["first"]
        if first is None and symbols is None and not asked["waiting"]:
            first = context.clock.now().date() - timedelta(days=90)
        found = list_actions(context.database, symbols=symbols, first=first, waiting_only=asked["waiting"])
        last, limit = asked["last"] or date.max, asked["limit"]
        ordered = sorted((one for one in found if one.ex_date <= last), key=lambda one: (one.ex_date, one.id))
        seen = next((place + 1 for place, one in enumerate(ordered) if one.id == asked["after"]), 0)
        shown = ordered[seen : seen + limit]
        return page(shown, {"after": shown[-1].id} if len(ordered) > seen + limit else None)

    @api.route(f"/corporate-actions/<{ID}:action_id>")
    @api.response(200, schema_of(ActionDetail))
    def show_corporate_action(action_id: int) -> ActionDetail:
        """One action with every version of it and every print."""
        try:
            return show_action(current_context().database, action_id)
        except UsageError as error:
            raise NotFound(str(error)) from None


def _known(symbol: str) -> str:
    """A symbol as it may be asked for; one with a NUL is no company's."""
    return symbol.replace("\0", "").upper()[:32]


def _headers(bars: Sequence[DailyBar], following: str | None, *, is_adjusted: bool) -> dict[str, str]:
    """Where it goes on, for forms that have no place for it, and when these bars were last fetched.

    Adjusted bars change with what is paid and split later, whenever that is.
    """
    headers = {}
    if following is not None:
        headers["Link"] = f'<{following}>; rel="next"'
    if bars and not is_adjusted:
        headers["Last-Modified"] = http_date(max(bar.fetched_at for bar in bars))
    return headers


def _as_csv(bars: Sequence[DailyBar]) -> str:
    return "".join(csv_lines(_COLUMNS, ([getattr(bar, name) for name in _COLUMNS] for bar in bars)))


def _as_parquet(bars: Sequence[DailyBar]) -> bytes:
    """The same columns, prices as exact decimals with six places."""
    try:
        import pyarrow as pa  # noqa: PLC0415  (keeps it out of start-up, and optional)
        from pyarrow import parquet  # noqa: PLC0415  (keeps it out of start-up, and optional)
    except ImportError:
        raise SettingsError(
            "format=parquet: Parquet is written by pyarrow, which is not installed here: "
            "pip install 'closingbell[parquet]'"
        ) from None
    price = pa.decimal128(19, 6)
    types = {
        "date": pa.date32(), **dict.fromkeys(("open", "high", "low", "close"), price), "volume": pa.int64(),
        "is_provisional": pa.bool_(), "provider": pa.string(), "fetched_at": pa.timestamp("us", tz="UTC"),
        "flag": pa.string(),
    }  # fmt: skip
    arrays = [pa.array([getattr(bar, name) for bar in bars], type=kind) for name, kind in types.items()]
    target = io.BytesIO()
    parquet.write_table(pa.table(arrays, names=list(types)), target)
    return target.getvalue()
