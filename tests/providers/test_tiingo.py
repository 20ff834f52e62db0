"""Tiingo behind a server that speaks its wire: what is read, what each refusal means, and that no key shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from closingbell.config import load_settings, told_settings
from closingbell.domain.corporate_actions import ActionKind
from closingbell.errors import (
    BadAnswerError,
    DeadlineExceededError,
    NoDataError,
    ProviderError,
    RateLimitedError,
    SettingsError,
    SourceDownError,
    SymbolUnknownError,
)
from closingbell.providers.base import PriceProvider
from closingbell.providers.budget import RequestBudget
from closingbell.providers.tiingo import TiingoProvider, open_tiingo, read_prices, spelled
from closingbell.testing import ProviderContract
from closingbell.utils.waiting import waits_disabled
from tests.app_fixtures import new_york
from tests.providers.tiingo_server import KEY, TiingoServer

pytest.importorskip("tiingo")

FIRST = date(2012, 11, 26)
NOW = new_york("2012-11-30 18:00")
Open = Callable[..., TiingoProvider]


@pytest.fixture
def tiingo() -> Iterator[TiingoServer]:
    with TiingoServer().running() as server:
        yield server


@pytest.fixture
def open_provider(tiingo: TiingoServer, tmp_path: Path) -> Iterator[Open]:
    with ExitStack() as stack:

        def make(*, base_url: str = "", per_hour: int = 0, timeout_s: float = 10) -> TiingoProvider:
            budget = RequestBudget(0, per_hour=per_hour, folder=tmp_path / "tiingo")
            provider = TiingoProvider(KEY, budget=budget, base_url=base_url or tiingo.base_url, timeout_s=timeout_s)
            stack.callback(provider.close)
            return provider

        yield make


class TestTiingo(ProviderContract):
    symbol, unknown_symbol = "AAPL", "NOPE"
    first, now = FIRST, NOW

    @pytest.fixture
    def provider(self, open_provider: Open) -> PriceProvider:
        return open_provider()

    @pytest.fixture
    def provider_that_is_down(self, open_provider: Open) -> PriceProvider:
        return open_provider(base_url="http://127.0.0.1:9")


def test_bars_are_as_traded_and_the_adjusted_columns_are_left_alone(tiingo: TiingoServer, open_provider: Open) -> None:
    provider = open_provider()

    history = provider.fetch_daily("AAPL", first=FIRST, now=NOW)

    assert [str(bar.date) for bar in history.bars] == [
        *("2012-11-26", "2012-11-27", "2012-11-28", "2012-11-29", "2012-11-30"),
    ]
    assert history.bars[-1][1:] == (586_790_000, 588_400_000, 582_680_000, 585_280_000, 13_975_700)
    assert (history.currency, history.provider, history.actions) == ("USD", "tiingo", ())
    assert provider.request_count == 1
    [(path, query)] = tiingo.requests
    assert path == "/tiingo/daily/AAPL/prices"
    assert query == {
        "startDate": "2012-11-26",
        "endDate": "2012-12-01",
        "format": "json",
        "resampleFreq": "daily",
    }
    assert tiingo.keys == [f"Token {KEY}"]


def test_dividends_and_splits_stand_in_the_same_answer(tiingo: TiingoServer, open_provider: Open) -> None:
    tiingo.extra = {
        "AAPL 2012-11-27": {"divCash": 2.65},
        "AAPL 2012-11-29": {"splitFactor": 7.0},
        "AAPL 2012-11-30": {"splitFactor": 0.333333},
    }

    dividend, split, reverse = open_provider().fetch_daily("AAPL", first=FIRST, now=NOW).actions

    assert (dividend.kind, str(dividend.ex_date), dividend.amount, dividend.currency) == (
        *(ActionKind.DIVIDEND, "2012-11-27", Decimal("2.65"), "USD"),
    )
    assert (split.kind, split.numerator, split.denominator) == (ActionKind.SPLIT, 7, 1)
    assert (reverse.numerator, reverse.denominator) == (1, 3)


@pytest.mark.parametrize(
    ("status", "headers", "body", "error", "words"),
    [
        (404, {}, b"{}", SymbolUnknownError, "Tiingo does not know this symbol (HTTP 404)"),
        (401, {}, b"{}", SourceDownError, "Tiingo does not accept the key in TIINGO_API_KEY (HTTP 401)"),
        (403, {}, b"{}", SourceDownError, "Tiingo does not accept the key in TIINGO_API_KEY (HTTP 403)"),
        (400, {}, b"{}", BadAnswerError, "Tiingo does not understand the question (HTTP 400)"),
        (429, {}, b"{}", RateLimitedError, "Tiingo asks for fewer requests (HTTP 429)"),
        (
            200,
            {},
            b"You have run over your 500 symbol look up for this month.",
            RateLimitedError,
            "Tiingo asks for fewer requests (in words)",
        ),
        (500, {}, b"", SourceDownError, "Tiingo is down (HTTP 500)"),
        (503, {}, b"", SourceDownError, "Tiingo is down (HTTP 503)"),
        (302, {"Location": "http://127.0.0.1:9/"}, b"", SourceDownError, "Tiingo refused the request (HTTP 302)"),
        (200, {}, b"<!DOCTYPE html><html>", SourceDownError, "Tiingo sent a page instead of data"),
        (200, {}, b"garbage", BadAnswerError, "Tiingo sent an answer that is not JSON"),
        (200, {}, b"", BadAnswerError, "Tiingo sent an answer that is not JSON"),
        (200, {}, b'{"detail": "Not found."}', BadAnswerError, "AAPL: Tiingo's answer is no list of prices"),
        (200, {}, b"[]", NoDataError, "Tiingo has nothing of AAPL from 2012-11-26 on"),
        (200, {"Content-Length": "900"}, b"[{}", SourceDownError, None),
        (
            200,
            {},
            b'[{"date": "2012-11-30"}]',
            BadAnswerError,
            "AAPL: Tiingo's answer cannot be read (KeyError('open'))",
        ),
        (200, {}, b"[1]", BadAnswerError, None),
    ],
)
def test_each_refusal_has_its_error(
    tiingo: TiingoServer,
    open_provider: Open,
    status: int,
    headers: dict[str, str],
    body: bytes,
    error: type[ProviderError],
    words: str | None,
) -> None:
    tiingo.reply = (status, headers, body)

    with pytest.raises(error) as caught:
        open_provider(timeout_s=2).fetch_daily("AAPL", first=FIRST, now=NOW)

    assert type(caught.value) is error
    assert words is None or str(caught.value) == words
    assert len(tiingo.requests) == 1


def test_deadline_holds(tiingo: TiingoServer, open_provider: Open) -> None:
    tiingo.delay_s = 1.0

    with pytest.raises(DeadlineExceededError):
        open_provider(timeout_s=0.2).fetch_daily("AAPL", first=FIRST, now=NOW)


def test_rate_limit_pauses_every_process_for_as_long_as_asked(tiingo: TiingoServer, open_provider: Open) -> None:
    tiingo.reply = (429, {"Retry-After": "1800"}, b"{}")
    with pytest.raises(RateLimitedError) as caught:
        open_provider().fetch_daily("AAPL", first=FIRST, now=NOW)
    assert caught.value.retry_after_s == 1800

    with pytest.raises(RateLimitedError, match=r"rate limited, again in 1\d\d\d s"):
        open_provider().fetch_daily("IBM", first=FIRST, now=NOW)

    assert len(tiingo.requests) == 1


def test_hour_that_is_used_up_is_told_at_once(tiingo: TiingoServer, open_provider: Open) -> None:
    provider = open_provider(per_hour=2)
    for symbol in ("AAPL", "IBM"):
        provider.fetch_daily(symbol, first=FIRST, now=NOW)

    with waits_disabled(), pytest.raises(RateLimitedError) as caught:
        provider.fetch_daily("MSFT", first=FIRST, now=NOW)

    assert 3500 < (caught.value.retry_after_s or 0) <= 3600
    assert len(tiingo.requests) == 2


# --- The key.


@pytest.mark.parametrize("status", [401, 404, 500])
def test_key_shows_in_no_error_and_no_log(
    tiingo: TiingoServer,
    open_provider: Open,
    status: int,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    tiingo.reply = (status, {}, f'{{"detail": "{KEY}"}}'.encode())
    caplog.set_level("DEBUG")

    with pytest.raises(ProviderError) as caught:
        open_provider().fetch_daily("AAPL", first=FIRST, now=NOW)

    told = capfd.readouterr()
    assert KEY not in repr(caught.value) + str(caught.value) + caplog.text + told.out + told.err


def test_key_is_a_secret_among_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIINGO_API_KEY", KEY)

    settings = load_settings()

    assert settings.tiingo_api_key.get_secret_value() == KEY
    assert KEY not in repr(settings) + str(told_settings(settings))


def test_key_may_lie_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n", encoding="utf-8")
    monkeypatch.setenv("TIINGO_API_KEY_FILE", str(tmp_path / "key"))

    assert load_settings().tiingo_api_key.get_secret_value() == KEY


# --- Settings.


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, r"set TIINGO_API_KEY \(a key costs nothing at tiingo\.com\)"),
        ({"tiingo_api_key": KEY, "yahoo_base_url": "http://127.0.0.1:1"}, "set TIINGO_BASE_URL together"),
        ({"tiingo_api_key": KEY, "tiingo_base_url": "http://127.0.0.1:1"}, "set TIINGO_BASE_URL together"),
    ],
)
def test_what_is_missing_is_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        open_tiingo(load_settings(**settings))


@pytest.mark.parametrize("address", ["ftp://host", "http://api.tiingo.com", "tiingo.com"])
def test_key_goes_over_tls_or_stays_on_this_machine(address: str) -> None:
    with pytest.raises(SettingsError, match="TIINGO_BASE_URL: must start with https://"):
        load_settings(tiingo_base_url=address)


# --- Symbols.


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("AAPL", "AAPL"), ("BRK-B", "BRK-B"), ("BAC-PL", "BAC-P-L"), ("SPG-P-J", "SPG-P-J"), ("VFINX", "VFINX")],
)
def test_symbols_are_spelled_as_tiingo_does(ours: str, theirs: str) -> None:
    assert spelled(ours) == theirs


@pytest.mark.parametrize("symbol", ["VOD.L", "SAP.DE", "^GSPC", "EURUSD=X", "BTC-USD", "../secrets", "a b", ""])
def test_symbols_of_other_countries_are_asked_of_nobody(tiingo: TiingoServer, open_provider: Open, symbol: str) -> None:
    with pytest.raises(SymbolUnknownError, match="Tiingo has listings of the United States only"):
        open_provider().fetch_daily(symbol, first=FIRST, now=NOW)

    assert tiingo.requests == []


# --- Recorded answers.


def test_recorded_answer_is_read(shared_data: Path) -> None:
    text = (shared_data / "vendor_payloads" / "tiingo_ticker_price.yaml").read_text(encoding="utf-8")
    [body] = re.findall(r"body: \{string: '(.*?)'\}", text)

    history = read_prices(json.loads(body), symbol="GOOGL", first=date(2018, 4, 1), fetched_at=NOW)

    [bar] = history.bars
    assert bar == (date(2018, 4, 12), 1_031_470_000, 1_044_650_000, 1_026_050_000, 1_037_290_000, 1_644_794)


def test_session_without_a_price_is_told_and_a_day_twice_is_refused() -> None:
    row = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": None, "divCash": None, "splitFactor": None}
    thursday, friday = {**row, "date": "2012-11-29T00:00:00Z"}, {**row, "date": "2012-11-30T00:00:00Z", "close": None}

    history = read_prices([friday, thursday], symbol="AAPL", first=FIRST, fetched_at=NOW)

    assert [str(bar.date) for bar in history.bars] == ["2012-11-29"]
    assert [str(day) for day in history.null_dates] == ["2012-11-30"]
    with pytest.raises(BadAnswerError, match="2012-11-29 twice"):
        read_prices([thursday, thursday], symbol="AAPL", first=FIRST, fetched_at=NOW)
