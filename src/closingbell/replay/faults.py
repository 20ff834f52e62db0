"""The ways the replayed market can be told to misbehave, and what each does to an answer.

A fault is set for a symbol (or ``*``) and an endpoint (chart, quote, summary, crumb, cookie, or ``*``),
for a number of requests or until it is taken back. Faults of a bar hit the answer's last bar unless a
date is named; ``every`` hits all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from threading import Lock
from typing import Any

from closingbell.errors import UsageError
from closingbell.replay import event_faults
from closingbell.replay.event_faults import spoil_events
from closingbell.replay.wire import HTML_TYPE, Answer, rate_limited, unauthorized

Json = dict[str, Any]

EVERYTHING = "*"
ENDPOINTS = (EVERYTHING, "chart", "quote", "summary", "crumb", "cookie", "consent")
DAY_S = 86_400

_PRICES = ("open", "high", "low", "close")
_PAGE = b"<!DOCTYPE html><html><head><title>Yahoo</title></head><body>Will be right back...</body></html>"


class Fault(StrEnum):
    """Every fault by name."""

    NOT_FOUND = "not_found"
    RATE_LIMITED = "rate_limited"
    RATE_LIMITED_NO_RETRY_AFTER = "rate_limited_no_retry_after"
    SERVER_ERROR = "server_error"
    BAD_CRUMB = "bad_crumb"
    HTML_PAGE = "html_page"
    GARBAGE = "garbage"
    TRUNCATED_BODY = "truncated_body"
    HANG = "hang"
    EMPTY = "empty"
    SHORT = "short"
    MISSING_BAR = "missing_bar"
    NULL_BAR = "null_bar"
    NULL_CLOSE = "null_close"
    ZERO_BAR = "zero_bar"
    NEGATIVE_VOLUME = "negative_volume"
    HIGH_BELOW_LOW = "high_below_low"
    PRICE_X100 = "price_x100"
    PRICE_DIV100 = "price_div100"
    STALE = "stale"
    FUTURE_BAR = "future_bar"
    WRONG_CURRENCY = "wrong_currency"
    NO_META_FIELD = "no_meta_field"
    OTHER_SYMBOL = "other_symbol"
    UNSPLIT = "unsplit"
    NOT_RESTATED = "not_restated"
    DIVIDEND_MISSING = "dividend_missing"
    DIVIDEND_TWICE = "dividend_twice"
    DIVIDEND_MOVED = "dividend_moved"
    DIVIDEND_CHANGED = "dividend_changed"
    DIVIDEND_X100 = "dividend_x100"
    DIVIDEND_HALVED = "dividend_halved"
    SPLIT_MISSING = "split_missing"

    @property
    def meaning(self) -> str:
        """What the fault does, in one line."""
        return MEANINGS[self]


MEANINGS = {
    Fault.NOT_FOUND: "the symbol is unknown: 404, or left out of a quote answer",
    Fault.RATE_LIMITED: "429 with Retry-After (retry_after_s, 60 unless told)",
    Fault.RATE_LIMITED_NO_RETRY_AFTER: "429 that does not say how long to wait",
    Fault.SERVER_ERROR: "500 with a body that is not JSON",
    Fault.BAD_CRUMB: "401 Invalid Crumb, whatever crumb came",
    Fault.HTML_PAGE: "200 with an HTML page instead of data",
    Fault.GARBAGE: "200 with bytes that are not JSON",
    Fault.TRUNCATED_BODY: "half of the body, then the connection is closed",
    Fault.HANG: "no answer at all; the connection stays open",
    Fault.EMPTY: "a good answer without any bar",
    Fault.SHORT: "only the first half of the bars",
    Fault.MISSING_BAR: "one bar's row is absent",
    Fault.NULL_BAR: "one bar's values are all null",
    Fault.NULL_CLOSE: "one bar's close is null",
    Fault.ZERO_BAR: "one bar's values are all zero",
    Fault.NEGATIVE_VOLUME: "one bar's volume is negative",
    Fault.HIGH_BELOW_LOW: "one bar's high and low are exchanged",
    Fault.PRICE_X100: "one bar's prices are a hundred times too high",
    Fault.PRICE_DIV100: "one bar's prices are a hundred times too low",
    Fault.STALE: "the last bar repeats the close before it, without volume",
    Fault.FUTURE_BAR: "a bar of tomorrow follows the last one",
    Fault.WRONG_CURRENCY: "another currency is named",
    Fault.NO_META_FIELD: "one field of meta is absent (field, currency unless told)",
    Fault.OTHER_SYMBOL: "another symbol's answer",
    Fault.UNSPLIT: "history and events as before the newest split",
    Fault.NOT_RESTATED: "the newest split is named, and history is not restated for it",
    Fault.DIVIDEND_MISSING: "one dividend is absent: the last one, or that of `date`",
    Fault.DIVIDEND_TWICE: "one dividend stands once more a weekday later",
    Fault.DIVIDEND_MOVED: "one dividend stands a weekday later",
    Fault.DIVIDEND_CHANGED: "one dividend is a tenth higher",
    Fault.DIVIDEND_X100: "one dividend is a hundred times too high",
    Fault.DIVIDEND_HALVED: "one dividend is half of what it was, as if for a split of 2:1",
    Fault.SPLIT_MISSING: "one split is absent, and what it restated stays so",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """One fault set on the market; ``times`` None lasts until it is taken back."""

    symbol: str
    fault: Fault
    endpoint: str = EVERYTHING
    times: int | None = None
    date: date | None = None
    every: bool = False
    retry_after_s: int = 60
    field: str = "currency"

    def __post_init__(self) -> None:
        if self.endpoint not in ENDPOINTS:
            raise UsageError(f"endpoint {self.endpoint!r} is not one of {', '.join(ENDPOINTS)}")
        if self.times is not None and self.times < 1:
            raise UsageError(f"times must be 1 or more, not {self.times}")

    def covers(self, endpoint: str, symbols: Sequence[str]) -> bool:
        """Whether a request is hit."""
        return self.endpoint in (EVERYTHING, endpoint) and self.symbol in (EVERYTHING, *symbols)


class FaultBoard:
    """The faults in force; safe to change while requests come in."""

    def __init__(self) -> None:
        self._rules: list[FaultRule] = []
        self._lock = Lock()

    def add(self, rule: FaultRule) -> None:
        """Put a fault in force."""
        with self._lock:
            self._rules = [*self._rules, rule]

    def clear(self) -> None:
        """Take every fault back."""
        with self._lock:
            self._rules = []

    @property
    def rules(self) -> tuple[FaultRule, ...]:
        """What is in force."""
        return tuple(self._rules)

    def take(self, endpoint: str, symbols: Sequence[str]) -> list[FaultRule]:
        """The faults that hit a request; counts the request against each."""
        if not self._rules:
            return []
        with self._lock:
            hit = [rule for rule in self._rules if rule.covers(endpoint, symbols)]
            left = (_spent(rule) if rule in hit else rule for rule in self._rules)
            self._rules = [rule for rule in left if rule is not None]
        return hit


def _spent(rule: FaultRule) -> FaultRule | None:
    """The rule after one more request; None when it is used up."""
    if rule.times is None:
        return rule
    return replace(rule, times=rule.times - 1) if rule.times > 1 else None


def instead_of_answer(rule: FaultRule) -> Answer | None:
    """The answer that a fault gives without looking at the question; None for other faults."""
    answers = {
        Fault.RATE_LIMITED: rate_limited(rule.retry_after_s),
        Fault.RATE_LIMITED_NO_RETRY_AFTER: rate_limited(None),
        Fault.SERVER_ERROR: Answer(500, b"<html><body>Internal Server Error</body></html>", HTML_TYPE),
        Fault.BAD_CRUMB: unauthorized("Invalid Crumb"),
        Fault.HTML_PAGE: Answer(200, _PAGE, HTML_TYPE),
        Fault.GARBAGE: Answer(200, b'{"chart": {"result": [{"meta": \x00\xff\xfe'),
        Fault.HANG: Answer(200, b"", is_silent=True),
    }
    return answers.get(rule.fault)


def spoil_chart(document: Json, rule: FaultRule, *, now_s: int) -> None:
    """Do to a chart answer what a fault does."""
    result = document["chart"]["result"][0]
    if rule.fault in _EVENTS:
        name, spoil = _EVENTS[rule.fault]
        spoil_events(result, name, spoil, on=rule.date, every=rule.every)
    elif rule.fault in _WHOLE_CHART:
        _WHOLE_CHART[rule.fault](result, rule, now_s)
    elif rule.fault in _ONE_BAR:
        columns = _columns(result)
        for index in _hit_bars(result, rule):
            _ONE_BAR[rule.fault](columns, index)


def spoil_quote(entry: Json, rule: FaultRule, *, now_s: int) -> None:
    """Do to one entry of a quote answer what a fault does; those of whole charts leave it alone."""
    columns = {name: [entry[key]] for name, key in _QUOTE_KEYS.items()}
    if rule.fault is Fault.STALE:
        columns = {name: [entry["regularMarketPreviousClose"]] for name in columns} | {"volume": [0]}
    elif rule.fault is Fault.FUTURE_BAR:
        entry["regularMarketTime"] = now_s + DAY_S
    elif rule.fault is Fault.WRONG_CURRENCY:
        entry["currency"] = _other_currency(entry["currency"])
    elif rule.fault is Fault.NO_META_FIELD:
        entry.pop(rule.field, None)
    elif rule.fault in _ONE_BAR:
        _ONE_BAR[rule.fault](columns, 0)
    entry.update({key: columns[name][0] for name, key in _QUOTE_KEYS.items() if name in columns})


def spoil_summary(modules: Json, rule: FaultRule) -> None:
    """Do to a summary's modules what a fault does: all of them gone, or one field of theirs."""
    if rule.fault is Fault.EMPTY:
        modules.clear()
    elif rule.fault is Fault.NO_META_FIELD:
        for module in modules.values():
            module.pop(rule.field, None)


_QUOTE_KEYS = {
    "open": "regularMarketOpen",
    "high": "regularMarketDayHigh",
    "low": "regularMarketDayLow",
    "close": "regularMarketPrice",
    "volume": "regularMarketVolume",
}


def _columns(result: Json) -> dict[str, list[Any]]:
    """The bars' columns, the adjusted close among them."""
    indicators = result["indicators"]
    adjusted = indicators.get("adjclose", [{}])[0]
    return {**indicators["quote"][0], **adjusted}


def _hit_bars(result: Json, rule: FaultRule) -> list[int]:
    timestamps: list[int] = result.get("timestamp", [])
    if rule.every:
        return list(range(len(timestamps)))
    if rule.date is None:
        return [len(timestamps) - 1] if timestamps else []
    days = (_utc_date(at, result["meta"]["gmtoffset"]) for at in timestamps)
    return [index for index, day in enumerate(days) if day == rule.date]


def _utc_date(at: int, offset: int) -> date:
    return date(1970, 1, 1) + timedelta(days=(at + offset) // DAY_S)


def _null_bar(columns: dict[str, list[Any]], index: int) -> None:
    for column in columns.values():
        column[index] = None


def _zero_bar(columns: dict[str, list[Any]], index: int) -> None:
    for column in columns.values():
        column[index] = 0


def _null_close(columns: dict[str, list[Any]], index: int) -> None:
    for name in ("close", "adjclose"):
        if name in columns:
            columns[name][index] = None


def _negative_volume(columns: dict[str, list[Any]], index: int) -> None:
    columns["volume"][index] = -abs(columns["volume"][index]) or -1


def _high_below_low(columns: dict[str, list[Any]], index: int) -> None:
    high, low = columns["high"], columns["low"]
    high[index], low[index] = low[index], high[index]


def _scaled(factor: float) -> Callable[[dict[str, list[Any]], int], None]:
    def scale(columns: dict[str, list[Any]], index: int) -> None:
        for name in (*_PRICES, "adjclose"):
            if name in columns:
                columns[name][index] *= factor

    return scale


_ONE_BAR: dict[Fault, Callable[[dict[str, list[Any]], int], None]] = {
    Fault.NULL_BAR: _null_bar,
    Fault.NULL_CLOSE: _null_close,
    Fault.ZERO_BAR: _zero_bar,
    Fault.NEGATIVE_VOLUME: _negative_volume,
    Fault.HIGH_BELOW_LOW: _high_below_low,
    Fault.PRICE_X100: _scaled(100.0),
    Fault.PRICE_DIV100: _scaled(0.01),
}


def _keep_bars(result: Json, kept: Sequence[int]) -> None:
    result["timestamp"] = [result["timestamp"][index] for index in kept]
    for group in result["indicators"].values():
        group[0] = {name: [column[index] for index in kept] for name, column in group[0].items()}


def _empty(result: Json, _rule: FaultRule, _now_s: int) -> None:
    result.pop("timestamp", None)
    result.pop("events", None)
    for group in result["indicators"].values():
        group[0] = {}


def _short(result: Json, _rule: FaultRule, _now_s: int) -> None:
    if "timestamp" in result:
        _keep_bars(result, range(len(result["timestamp"]) // 2))


def _missing_bar(result: Json, rule: FaultRule, _now_s: int) -> None:
    if "timestamp" in result:
        hit = set(_hit_bars(result, rule))
        _keep_bars(result, [index for index in range(len(result["timestamp"])) if index not in hit])


def _stale(result: Json, _rule: FaultRule, _now_s: int) -> None:
    columns = _columns(result)
    if "timestamp" not in result:
        return
    before = columns["close"][-2] if len(columns["close"]) > 1 else result["meta"]["chartPreviousClose"]
    for name, column in columns.items():
        column[-1] = 0 if name == "volume" else before


def _future_bar(result: Json, _rule: FaultRule, now_s: int) -> None:
    if "timestamp" not in result:
        return
    result["timestamp"].append(max(now_s, result["timestamp"][-1]) + DAY_S)
    for column in _columns(result).values():
        column.append(column[-1])


def _not_restated(result: Json, _rule: FaultRule, _now_s: int) -> None:
    splits = result.get("events", {}).get("splits", {})
    if "timestamp" not in result or not splits:
        return
    newest = max(splits.values(), key=lambda split: int(split["date"]))
    ratio = newest["numerator"] / newest["denominator"]
    for name, column in _columns(result).items():
        for index, at in enumerate(result["timestamp"]):
            if at < newest["date"] and column[index] is not None:
                column[index] = round(column[index] / ratio) if name == "volume" else column[index] * ratio


def _wrong_currency(result: Json, _rule: FaultRule, _now_s: int) -> None:
    result["meta"]["currency"] = _other_currency(result["meta"]["currency"])


def _no_meta_field(result: Json, rule: FaultRule, _now_s: int) -> None:
    result["meta"].pop(rule.field, None)


def _other_currency(currency: str) -> str:
    return "USD" if currency == "EUR" else "EUR"


_EVENTS: dict[Fault, tuple[str, Callable[[Json, str], None]]] = {
    Fault.DIVIDEND_MISSING: ("dividends", event_faults.drop),
    Fault.DIVIDEND_TWICE: ("dividends", event_faults.repeat),
    Fault.DIVIDEND_MOVED: ("dividends", event_faults.move),
    Fault.DIVIDEND_CHANGED: ("dividends", event_faults.times(1.1)),
    Fault.DIVIDEND_X100: ("dividends", event_faults.times(100.0)),
    Fault.DIVIDEND_HALVED: ("dividends", event_faults.times(0.5)),
    Fault.SPLIT_MISSING: ("splits", event_faults.drop),
}

_WHOLE_CHART: dict[Fault, Callable[[Json, FaultRule, int], None]] = {
    Fault.EMPTY: _empty,
    Fault.SHORT: _short,
    Fault.MISSING_BAR: _missing_bar,
    Fault.STALE: _stale,
    Fault.FUTURE_BAR: _future_bar,
    Fault.WRONG_CURRENCY: _wrong_currency,
    Fault.NO_META_FIELD: _no_meta_field,
    Fault.NOT_RESTATED: _not_restated,
}
