"""Quotes and minute bars as Yahoo's provider reads them from the recorded market, faults included."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from closingbell.errors import (
    BadAnswerError,
    NoDataError,
    ProviderError,
    RateLimitedError,
    SourceDownError,
    SymbolUnknownError,
)
from closingbell.providers.base import MINUTES, QUOTES, MinuteBar
from closingbell.providers.yahoo import YahooProvider
from closingbell.providers.yahoo_minutes import read_minutes
from closingbell.providers.yahoo_quotes import read_quotes
from closingbell.replay import LONDON, Bar, Listing, Market, ReplayServer
from tests.app_fixtures import new_york

MORNING = "2012-11-30 11:00"


def at(text: str) -> datetime:
    return new_york(text).astimezone(UTC)


@pytest.fixture
def server(serve: Callable[..., ReplayServer]) -> ReplayServer:
    """The recorded market on Friday 2012-11-30 at 11:00 in New York."""
    return serve(MORNING)


@pytest.fixture
def provider(provide: Callable[..., YahooProvider], server: ReplayServer) -> YahooProvider:
    return provide(server)


def minutes(provider: YahooProvider, symbol: str, since: str, now: str = MORNING) -> list[MinuteBar]:
    return provider.fetch_minutes(symbol, since=new_york(since), now=new_york(now)).bars


def test_yahoo_says_that_it_has_both(provider: YahooProvider) -> None:
    assert {MINUTES, QUOTES} < provider.capabilities


# --- Minutes.


def test_minutes_come_from_the_asked_one_to_the_running_one(provider: YahooProvider) -> None:
    assert minutes(provider, "AAPL", "2012-11-30 10:58:40") == [
        MinuteBar(at("2012-11-30 10:58"), 588_250_000, 588_260_000, 588_250_000, 588_260_000, 33_952),
        MinuteBar(at("2012-11-30 10:59"), 588_260_000, 588_280_000, 588_260_000, 588_280_000, 33_651),
        MinuteBar(at("2012-11-30 11:00"), 588_280_000, 588_280_000, 588_280_000, 588_280_000, 0),
    ]


def test_minutes_say_what_they_are(provider: YahooProvider) -> None:
    history = provider.fetch_minutes("AAPL", since=new_york(MORNING), now=new_york(MORNING))
    assert (history.symbol, history.provider, history.fetched_at) == ("AAPL", "yahoo", new_york(MORNING))
    assert (history.currency, history.quote_unit) == ("USD", "USD")


def test_half_day_ends_at_one(serve: Callable[..., ReplayServer], provide: Callable[..., YahooProvider]) -> None:
    found = minutes(provide(serve("2012-11-23 13:30")), "AAPL", "2012-11-23 09:30", "2012-11-23 13:30")
    assert (len(found), found[0].at, found[-1].at) == (210, at("2012-11-23 09:30"), at("2012-11-23 12:59"))
    assert (found[0].open, found[-1].close) == (567_170_000, 571_500_000)
    assert sum(minute.volume for minute in found) == 9_743_800


def test_minutes_before_a_split_of_today_are_as_traded(
    serve: Callable[..., ReplayServer], provide: Callable[..., YahooProvider]
) -> None:
    found = minutes(provide(serve("2005-02-28 09:31")), "AAPL", "2005-02-25 15:58", "2005-02-28 09:31")
    assert [(minute.at, minute.close) for minute in found] == [
        (at("2005-02-25 15:58"), 88_980_000),
        (at("2005-02-25 15:59"), 88_990_000),
        (at("2005-02-28 09:30"), 44_670_000),
        (at("2005-02-28 09:31"), 44_670_000),
    ]
    assert [minute.volume for minute in found[:2]] == [82_874, 83_516]


def test_question_reaches_back_seven_days_at_most(
    serve: Callable[..., ReplayServer], provide: Callable[..., YahooProvider]
) -> None:
    found = minutes(provide(serve("2012-11-30 16:00")), "AAPL", "2012-11-01 09:30", "2012-11-30 16:00")
    assert (len(found), found[0].at) == (1950, at("2012-11-26 09:30"))


def test_nothing_traded_yet_is_an_empty_history(
    serve: Callable[..., ReplayServer], provide: Callable[..., YahooProvider]
) -> None:
    assert minutes(provide(serve("2012-11-30 09:00")), "AAPL", "2012-11-30 08:00", "2012-11-30 09:00") == []


def test_minutes_in_pence_are_stored_in_pounds(
    serve: Callable[..., ReplayServer], provide: Callable[..., YahooProvider]
) -> None:
    days = [Bar(date(2012, 11, day), Decimal(180), Decimal(182), Decimal(179), Decimal(181), 5_100) for day in (29, 30)]
    market = Market([Listing("VOD.L", days, currency="GBp", hours=LONDON)])
    provider = provide(serve("2012-11-30 03:01", market=market))
    history = provider.fetch_minutes("VOD.L", since=new_york("2012-11-30 03:00"), now=new_york("2012-11-30 03:01"))
    assert (history.currency, history.quote_unit, history.bars[0].open) == ("GBP", "GBp", 1_800_000)


@pytest.mark.parametrize("fault", ["null_bar", "null_close", "missing_bar"])
def test_minute_without_a_price_is_left_out(provider: YahooProvider, server: ReplayServer, fault: str) -> None:
    server.misbehave("AAPL", fault, endpoint="chart")
    assert [minute.at for minute in minutes(provider, "AAPL", "2012-11-30 10:59")] == [at("2012-11-30 10:59")]


def test_minute_of_tomorrow_is_left_out(provider: YahooProvider, server: ReplayServer) -> None:
    server.misbehave("AAPL", "future_bar", endpoint="chart")
    assert minutes(provider, "AAPL", "2012-11-30 10:59")[-1].at == at("2012-11-30 11:00")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("not_found", SymbolUnknownError),
        ("rate_limited", RateLimitedError),
        ("server_error", SourceDownError),
        ("html_page", SourceDownError),
        ("garbage", BadAnswerError),
        ("other_symbol", BadAnswerError),
        ("no_meta_field", BadAnswerError),
    ],
)
def test_failure_names_its_kind(
    provider: YahooProvider, server: ReplayServer, fault: str, error: type[ProviderError]
) -> None:
    server.misbehave("AAPL", fault, endpoint="chart")
    with pytest.raises(error):
        minutes(provider, "AAPL", "2012-11-30 10:59")


def test_answer_that_does_not_say_when_the_session_was_is_refused(
    provider: YahooProvider, server: ReplayServer
) -> None:
    server.misbehave("AAPL", "no_meta_field", endpoint="chart", field="tradingPeriods")
    with pytest.raises(BadAnswerError, match="AAPL: Yahoo's minutes cannot be read"):
        minutes(provider, "AAPL", "2012-11-30 10:59")


def test_minutes_older_than_a_month_are_no_data(provider: YahooProvider) -> None:
    with pytest.raises(NoDataError):
        minutes(provider, "AAPL", "2012-10-01 09:30", "2012-10-01 10:00")


def chart(stamps: list[int], **columns: Any) -> dict[str, Any]:
    """A chart answer of a session from 1000 s to 2000 s after the epoch's first day."""
    quote = {name: [10.0] * len(stamps) for name in ("open", "high", "low", "close", "volume")} | columns
    meta = {"symbol": "A", "currency": "USD", "tradingPeriods": {"regular": [[{"start": 86_400, "end": 90_000}]]}}
    result = {"meta": meta, "timestamp": stamps, "indicators": {"quote": [quote]}}
    return {"chart": {"result": [result], "error": None}}


def test_last_price_belongs_to_its_minute() -> None:
    answer = chart([86_400, 86_460, 86_483], high=[10.0, 11.0, 12.0], close=[10.0, 11.0, 12.0], volume=[5, 7, 0])
    [_, last] = read_minutes(answer, symbol="A", fetched_at=datetime(1970, 1, 2, 1, tzinfo=UTC)).bars
    assert last == MinuteBar(datetime(1970, 1, 2, 0, 1, tzinfo=UTC), 10_000_000, 12_000_000, 10_000_000, 12_000_000, 7)


def test_minutes_outside_the_regular_session_are_left_out() -> None:
    answer = chart([86_340, 86_400, 89_940, 90_000])
    found = read_minutes(answer, symbol="A", fetched_at=datetime(1970, 1, 3, tzinfo=UTC)).bars
    assert [int(minute.at.timestamp()) for minute in found] == [86_400, 89_940]


@pytest.mark.parametrize(
    "answer", [None, [], {}, {"chart": {"result": []}}, chart([86_400], open=[]), chart([86_400], close="x")]
)
def test_answer_of_another_shape_is_refused(answer: Any) -> None:
    with pytest.raises(BadAnswerError):
        read_minutes(answer, symbol="A", fetched_at=datetime(1970, 1, 3, tzinfo=UTC))


# --- Quotes.


def test_quotes_of_many_symbols_cost_one_request(provider: YahooProvider, server: ReplayServer) -> None:
    found = provider.fetch_quotes(["AAPL", "IBM", "MSFT"], now=new_york(MORNING))
    assert sorted(found) == ["AAPL", "IBM", "MSFT"]
    assert [record.symbols for record in server.requests if record.endpoint == "quote" and record.status == 200] == [
        ("AAPL", "IBM", "MSFT")
    ]


def test_quote_tells_the_session_so_far(provider: YahooProvider) -> None:
    quote = provider.fetch_quotes(["AAPL"], now=new_york(MORNING))["AAPL"]
    assert (quote.symbol, quote.provider, quote.currency, quote.quote_unit) == ("AAPL", "yahoo", "USD", "USD")
    assert quote.traded_at == new_york(MORNING)
    assert (quote.open, quote.high, quote.low, quote.price) == (586_790_000, 588_280_000, 586_790_000, 588_280_000)
    assert (quote.volume, quote.previous_close) == (4_561_031, 589_360_000)


def test_unknown_symbol_is_absent(provider: YahooProvider) -> None:
    assert list(provider.fetch_quotes(["NOPE", "IBM"], now=new_york(MORNING))) == ["IBM"]


def test_no_symbol_costs_no_request(provider: YahooProvider) -> None:
    assert provider.fetch_quotes([], now=new_york(MORNING)) == {}
    assert provider.request_count == 0


def test_hundred_symbols_are_taken_and_one_more_is_not(provider: YahooProvider) -> None:
    symbols = [f"X{number}" for number in range(101)]
    assert provider.fetch_quotes(symbols[:100], now=new_york(MORNING)) == {}
    with pytest.raises(ValueError, match="101 symbols in one request; Yahoo takes 100"):
        provider.fetch_quotes(symbols, now=new_york(MORNING))


@pytest.mark.parametrize("fault", ["null_close", "future_bar", "no_meta_field", "other_symbol", "empty"])
def test_bad_quote_is_left_out_and_the_others_stay(provider: YahooProvider, server: ReplayServer, fault: str) -> None:
    server.misbehave("AAPL", fault, endpoint="quote")
    assert list(provider.fetch_quotes(["AAPL", "IBM"], now=new_york(MORNING))) == ["IBM"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("rate_limited", RateLimitedError),
        ("server_error", SourceDownError),
        ("garbage", BadAnswerError),
        ("bad_crumb", SourceDownError),
    ],
)
def test_failure_of_quotes_names_its_kind(
    provider: YahooProvider, server: ReplayServer, fault: str, error: type[ProviderError]
) -> None:
    server.misbehave("*", fault, endpoint="quote")
    with pytest.raises(error):
        provider.fetch_quotes(["AAPL"], now=new_york(MORNING))


def test_quote_in_pence_is_in_pounds() -> None:
    row = {"symbol": "VOD.L", "currency": "GBp", "regularMarketTime": 86_400, "regularMarketPrice": 180.25}
    found = read_quotes(
        {"quoteResponse": {"result": [row], "error": None}}, ["VOD.L"], now=datetime(1970, 1, 3, tzinfo=UTC)
    )
    assert (found["VOD.L"].currency, found["VOD.L"].quote_unit, found["VOD.L"].price) == ("GBP", "GBp", 1_802_500)
    assert (found["VOD.L"].open, found["VOD.L"].volume) == (None, None)


@pytest.mark.parametrize(
    "answer", [None, [], {"quoteResponse": {"result": None}}, {"quoteResponse": {}}, {"finance": 1}]
)
def test_answer_that_is_no_list_of_quotes_is_refused(answer: Any) -> None:
    with pytest.raises(BadAnswerError):
        read_quotes(answer, ["AAPL"], now=new_york(MORNING))


@pytest.mark.parametrize(
    "row", [None, 5, {}, {"symbol": "A"}, {"symbol": "A", "currency": "USD", "regularMarketTime": "soon"}]
)
def test_row_of_another_shape_is_left_out(row: Any) -> None:
    assert read_quotes({"quoteResponse": {"result": [row]}}, ["A"], now=new_york(MORNING)) == {}
