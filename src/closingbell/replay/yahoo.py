"""Yahoo's endpoints over a replayed market: a request in, an answer out, no socket in sight.

Charts need neither cookie nor crumb; quotes and summaries need both, as at Yahoo. Answers are cached
encoded, per listing, question and state of the session, with the symbol left open for clones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote

import orjson

from closingbell.replay.as_of import AsOf
from closingbell.replay.chart import chart_answer
from closingbell.replay.clocks import ReplayClock
from closingbell.replay.faults import (
    Fault,
    FaultBoard,
    FaultRule,
    instead_of_answer,
    spoil_chart,
    spoil_quote,
    spoil_summary,
)
from closingbell.replay.market import Listing, Market
from closingbell.replay.query import ChartQuery, ChartRefusedError, Window, read_query, window_of
from closingbell.replay.quote import quote_entry, summary_modules
from closingbell.replay.wire import (
    HTML_TYPE,
    TEXT_TYPE,
    Answer,
    Request,
    RequestRecord,
    error_answer,
    json_answer,
    unauthorized,
    unknown_chart,
    unknown_summary,
)
from closingbell.utils.clock import SystemClock

CRUMB = "rP4y/8mKq.Z"
COOKIE_VALUE = "d=AQABBClosingBellReplay&S=AQAAAreplay"
_COOKIE_LIFE = timedelta(days=365)
_CHART_PATH = "/v8/finance/chart/"
_SUMMARY_PATH = "/v10/finance/quoteSummary/"
_FUNDAMENTALS_PATH = "/ws/fundamentals-timeseries/"
_SYMBOL_MARK = "\x1a"
_MARK_AS_JSON = b'"\\u001a"'
_LOG_LENGTH = 200_000
_CACHE_LENGTH = 50_000

CacheKey = tuple[object, ...]
Maker = Callable[[list[FaultRule]], Answer]
Route = tuple[str, tuple[str, ...], Maker]


class Yahoo:
    """The market as Yahoo answers about it at the clock's now."""

    def __init__(self, market: Market, *, clock: ReplayClock, faults: FaultBoard) -> None:
        self.market = market
        self.clock = clock
        self.faults = faults
        self.log: deque[RequestRecord] = deque(maxlen=_LOG_LENGTH)
        self.request_count = 0
        self._charts: dict[CacheKey, tuple[bytes, bytes]] = {}
        self._views: dict[tuple[int, bool], AsOf] = {}
        self._views_at = 0

    def answer(self, request: Request) -> Answer:
        """Answer a request and keep it in the log."""
        endpoint, symbols, make = self._route(request)
        rules = self.faults.take(endpoint, symbols)
        answer = self._faulty(make, rules) if rules else make([])
        target = f"{request.path}?{request.query}" if request.query else request.path
        record = RequestRecord(self.clock.now(), endpoint, symbols, answer.status, request.host, target)
        self.log.append(record)
        self.request_count += 1
        return answer

    def _route(self, request: Request) -> Route:
        """Which endpoint a request is for, its symbols, and what makes the answer."""
        path = request.path
        if path.startswith(_CHART_PATH):
            symbol = unquote(path[len(_CHART_PATH) :]).upper()
            return "chart", (symbol,), lambda rules: self._chart(symbol, request, rules)
        if path.startswith(_SUMMARY_PATH):
            symbol = unquote(path[len(_SUMMARY_PATH) :]).upper()
            return "summary", (symbol,), lambda rules: self._summary(symbol, request, rules)
        if path == "/v7/finance/quote":
            symbols = _symbols(request)
            return "quote", symbols, lambda rules: self._quotes(symbols, request, rules)
        return _sessionless_route(request)

    def _faulty(self, make: Maker, rules: list[FaultRule]) -> Answer:
        instead = (instead_of_answer(rule) for rule in rules)
        for answer in instead:
            if answer is not None:
                return answer
        answer = make(rules)
        is_cut = any(rule.fault is Fault.TRUNCATED_BODY for rule in rules)
        return Answer(answer.status, answer.body, answer.content_type, answer.headers, is_cut=is_cut)

    def _chart(self, symbol: str, request: Request, rules: list[FaultRule]) -> Answer:
        view = self._view(symbol, rules)
        if view is None:
            return unknown_chart()
        try:
            query = read_query(request.params)
            window = window_of(query, view)
        except ChartRefusedError as refused:
            return error_answer("chart", refused.status, refused.code, refused.description)
        if rules:
            shown = _shown_symbol(symbol, view, rules)
            return self._spoilt_chart(chart_answer(query, window, view, symbol=shown), rules)
        head, tail = self._chart_parts(query, window, view)
        return Answer(200, head + orjson.dumps(symbol) + tail)

    def _spoilt_chart(self, document: dict[str, Any], rules: list[FaultRule]) -> Answer:
        for rule in rules:
            spoil_chart(document, rule, now_s=self.clock.now_s)
        return json_answer(document)

    def _chart_parts(self, query: ChartQuery, window: Window, view: AsOf) -> tuple[bytes, bytes]:
        """An encoded chart answer, cut where the symbol goes."""
        key = _chart_key(query, window, view)
        parts = self._charts.get(key)
        if parts is None:
            body = orjson.dumps(chart_answer(query, window, view, symbol=_SYMBOL_MARK))
            head, _, tail = body.partition(_MARK_AS_JSON)
            parts = (head, tail)
            if len(self._charts) >= _CACHE_LENGTH:
                self._charts.clear()
            self._charts[key] = parts
        return parts

    def _quotes(self, symbols: tuple[str, ...], request: Request, rules: list[FaultRule]) -> Answer:
        refused = _refused(request)
        if refused is not None:
            return refused
        entries = (self._quote(symbol, [one for one in rules if one.covers("quote", (symbol,))]) for symbol in symbols)
        found = [entry for entry in entries if entry is not None]
        return json_answer({"quoteResponse": {"result": found, "error": None}})

    def _quote(self, symbol: str, rules: list[FaultRule]) -> dict[str, Any] | None:
        view = self._view(symbol, rules)
        if view is None or any(rule.fault is Fault.EMPTY for rule in rules):
            return None
        entry = quote_entry(view, symbol=_shown_symbol(symbol, view, rules))
        for rule in rules:
            spoil_quote(entry, rule, now_s=self.clock.now_s)
        return entry

    def _summary(self, symbol: str, request: Request, rules: list[FaultRule]) -> Answer:
        refused = _refused(request)
        if refused is not None:
            return refused
        view = self._view(symbol, rules)
        if view is None:
            return unknown_summary(symbol)
        asked = request.params.get("modules", "")
        made = summary_modules(view, asked.split(","), symbol=_shown_symbol(symbol, view, rules))
        for rule in rules:
            spoil_summary(made, rule)
        if not made:
            why = f"No fundamentals data found for any of the summaryTypes={asked}"
            return error_answer("quoteSummary", 404, "Not Found", why)
        return json_answer({"quoteSummary": {"result": [made], "error": None}})

    def _view(self, symbol: str, rules: list[FaultRule]) -> AsOf | None:
        """The listing as of now; None while unknown or not yet listed."""
        faults = {rule.fault for rule in rules}
        listing = None if Fault.NOT_FOUND in faults else self.market.find(symbol)
        if listing is not None and Fault.OTHER_SYMBOL in faults:
            listing = self._other(listing)
        if listing is None:
            return None
        view = self._as_of(listing, is_split_known=Fault.UNSPLIT not in faults)
        return view if view.is_listed else None

    def _other(self, listing: Listing) -> Listing:
        return next((one for one in self.market.listings if one is not listing), listing)

    def _as_of(self, listing: Listing, *, is_split_known: bool) -> AsOf:
        now_s = self.clock.now_s
        if now_s != self._views_at:
            self._views.clear()
            self._views_at = now_s
        key = (id(listing), is_split_known)
        view = self._views.get(key)
        if view is None:
            view = self._views[key] = AsOf(listing, now_s, is_split_known=is_split_known)
        return view


def _sessionless_route(request: Request) -> Route:
    """The routes that need no listing: cookie, crumb, consent, and what nobody recorded."""
    path = request.path
    if path == "/v1/test/getcrumb":
        return "crumb", (), lambda _: _crumb(request)
    if request.host == "fc.yahoo.com":
        return "cookie", (), lambda _: _cookie(404)
    if path in ("/consent", "/copyConsent", "/v2/collectConsent"):
        return "consent", (), lambda _: _consent(path)
    if path.startswith(_FUNDAMENTALS_PATH):
        # yfinance asks for these on its way to saying that a symbol is unknown; nothing of the kind is recorded.
        return "fundamentals", (), lambda _: json_answer({"timeseries": {"result": [], "error": None}})
    return "other", (), lambda _: error_answer("finance", 404, "Not Found", f"HTTP 404 Not Found: {path}")


def _chart_key(query: ChartQuery, window: Window, view: AsOf) -> CacheKey:
    """Daily answers differ by the sessions and events covered, minutes by the very seconds."""
    if query.interval == "1d":
        covered: tuple[int, ...] = (
            window.first,
            window.until,
            *view.event_window(window.start_at, window.end_at),
        )
    else:
        covered = (window.first, window.until, window.start_at, min(window.end_at, view.market_time + 1))
    shape = (query.interval, query.range, query.events, query.has_extended_hours)
    return (id(view.listing), view.state, shape, covered)


def _shown_symbol(symbol: str, view: AsOf, rules: list[FaultRule]) -> str:
    is_other = any(rule.fault is Fault.OTHER_SYMBOL for rule in rules)
    return view.listing.symbol if is_other else symbol


def _symbols(request: Request) -> tuple[str, ...]:
    listed = request.params.get("symbols", "").split(",")
    return tuple(symbol.strip().upper() for symbol in listed if symbol.strip())


def _refused(request: Request) -> Answer | None:
    """The refusal of a request without a good crumb and its cookie."""
    if request.cookie("A3") is None:
        return unauthorized("Invalid Cookie")
    if request.params.get("crumb") != CRUMB:
        return unauthorized("Invalid Crumb")
    return None


def _crumb(request: Request) -> Answer:
    if request.cookie("A3") is None:
        return unauthorized("Invalid Cookie")
    return Answer(200, CRUMB.encode(), TEXT_TYPE)


def _cookie(status: int, body: bytes = b"") -> Answer:
    """An answer that sets the cookie; its end is in real time, because clients judge it by theirs."""
    expires = format_datetime(SystemClock().now() + _COOKIE_LIFE, usegmt=True)
    cookie = f"A3={COOKIE_VALUE}; Expires={expires}; Domain=.yahoo.com; Path=/; HttpOnly"
    return Answer(status, body, HTML_TYPE, (("Set-Cookie", cookie),))


def _consent(path: str) -> Answer:
    if path != "/consent":
        return _cookie(200, b"<html><body>Thank you</body></html>")
    form = (
        b'<html><body><form method="post" action="https://consent.yahoo.com/v2/collectConsent">'
        b'<input type="hidden" name="csrfToken" value="replay-token">'
        b'<input type="hidden" name="sessionId" value="replay-session"></form></body></html>'
    )
    return Answer(200, form, HTML_TYPE)
