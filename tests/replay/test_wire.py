"""Yahoo's wire: charts, quotes, summaries, cookie and crumb, refusals, and the ways in."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from closingbell.errors import SettingsError
from closingbell.replay.clocks import ReplayClock
from closingbell.replay.market import CapitalGain, Dividend, Listing, Market
from closingbell.replay.server import ReplayServer
from closingbell.replay.sessions import Hours
from closingbell.utils.clock import FixedClock

from .support import Client, bar, seconds

Serve = Callable[..., Client]


def test_five_days_of_daily_bars(client: Client) -> None:
    chart = client.chart("AAPL", range="5d", interval="1d").chart
    assert len(chart["timestamp"]) == 5
    assert chart["timestamp"][0] == seconds("2012-11-26T09:30-05:00")
    assert chart["timestamp"][-1] == seconds("2012-11-30T16:00:01-05:00")
    assert chart["indicators"]["quote"][0]["close"] == [
        589.530029296875,
        584.780029296875,
        582.9400024414062,
        589.3599853515625,
        585.280029296875,
    ]
    assert chart["meta"]["chartPreviousClose"] == 571.5
    assert chart["meta"]["range"] == "5d"


def test_meta_has_every_field_of_a_recorded_answer(client: Client, shared_data: Path) -> None:
    recorded = json.loads((shared_data / "yahoo_payloads/chart-AAPL-2020-01-01-to-2020-01-03.json").read_text())
    result = recorded["body"]["chart"]["result"][0]
    chart = client.chart("AAPL", period1=seconds("2012-11-29T00:00-05:00"), period2=9999999999, interval="1d").chart
    assert list(chart["meta"]) == list(result["meta"])
    assert {name: type(value) for name, value in chart["meta"].items()} == {
        name: type(value) for name, value in result["meta"].items()
    }
    assert set(chart["indicators"]["quote"][0]) == set(result["indicators"]["quote"][0])
    assert set(chart["indicators"]["adjclose"][0]) == set(result["indicators"]["adjclose"][0])


def test_period_covers_its_events(client: Client) -> None:
    period = {"period1": seconds("2012-11-01T00:00-04:00"), "period2": seconds("2012-11-10T00:00-05:00")}
    chart = client.chart("AAPL", **period, interval="1d", events="div,splits,capitalGains").chart
    ex_at = seconds("2012-11-07T09:30-05:00")
    assert chart["events"] == {"dividends": {str(ex_at): {"amount": 2.65, "date": ex_at}}}
    assert len(chart["timestamp"]) == 7
    assert "events" not in client.chart("AAPL", **period, interval="1d").chart


def test_all_history_carries_both_splits(client: Client) -> None:
    chart = client.chart("AAPL", range="max", interval="1d", events="div|split").chart
    assert [event["splitRatio"] for event in chart["events"]["splits"].values()] == ["2:1", "2:1"]
    assert len(chart["timestamp"]) == 3209


def test_minutes_of_a_half_day(serve: Serve) -> None:
    chart = serve("2012-11-23T18:00-05:00").chart("IBM", range="1d", interval="1m").chart
    assert len(chart["timestamp"]) == 210
    (period,) = chart["meta"]["tradingPeriods"][0]
    assert period == {
        "timezone": "EST",
        "start": seconds("2012-11-23T09:30-05:00"),
        "end": seconds("2012-11-23T13:00-05:00"),
        "gmtoffset": -18000,
    }
    assert "adjclose" not in chart["indicators"]
    assert {"previousClose", "scale"} <= set(chart["meta"])


def test_minutes_and_day_agree_while_the_session_runs(serve: Serve) -> None:
    client = serve("2012-11-29T11:15:20-05:00")
    minutes = client.chart("MSFT", range="1d", interval="1m").chart["indicators"]["quote"][0]
    day = client.chart("MSFT", range="1d", interval="1d").chart["indicators"]["quote"][0]
    assert len(minutes["open"]) == 106
    assert day == {
        "open": [minutes["open"][0]],
        "high": [max(minutes["high"])],
        "low": [min(minutes["low"])],
        "close": [minutes["close"][-1]],
        "volume": [sum(minutes["volume"])],
    }


def test_five_minute_bars_group_minutes(client: Client) -> None:
    assert len(client.chart("AAPL", range="1d", interval="5m").chart["timestamp"]) == 78


def test_extended_hours_name_three_kinds_of_periods(client: Client) -> None:
    chart = client.chart("AAPL", range="5d", interval="1h", includePrePost="true").chart
    assert {name: len(days) for name, days in chart["meta"]["tradingPeriods"].items()} == {
        "pre": 5,
        "post": 5,
        "regular": 5,
    }


def test_empty_range_has_no_timestamps(client: Client) -> None:
    chart = client.chart(
        "AAPL", period1=seconds("2012-12-01T00:00-05:00"), period2=seconds("2012-12-02T00:00-05:00"), interval="1d"
    ).chart
    assert "timestamp" not in chart
    assert chart["indicators"] == {"quote": [{}], "adjclose": [{}]}


@pytest.mark.parametrize(
    ("params", "status", "code", "words"),
    [
        ({"range": "1mo", "interval": "1m"}, 422, "Unprocessable Entity", "Only 8 days worth of 1m"),
        (
            {"period1": 1351000000, "period2": 1351100000, "interval": "1m"},
            422,
            "Unprocessable Entity",
            "must be within the last 30 days",
        ),
        ({"range": "1d", "interval": "7m"}, 400, "Bad Request", "interval=7m is not supported"),
        ({"range": "soon", "interval": "1d"}, 400, "Bad Request", "range=soon is not supported"),
        ({"period1": 2, "period2": 1, "interval": "1d"}, 400, "Bad Request", "cannot be after end date"),
        ({"period1": "x", "interval": "1d"}, 400, "Bad Request", "period1=x is not a number"),
    ],
)
def test_bad_questions_get_yahoos_refusals(
    client: Client, params: dict[str, object], status: int, code: str, words: str
) -> None:
    reply = client.chart("AAPL", **params)
    error = reply.json["chart"]["error"]
    assert (reply.status, error["code"]) == (status, code)
    assert words in error["description"]


def test_eight_days_of_minutes_are_allowed(client: Client) -> None:
    now = seconds("2012-11-30T16:31-05:00")
    chart = client.chart("AAPL", period1=now - 8 * 86400 + 60, period2=now + 600, interval="1m").chart
    assert len(chart["timestamp"]) == 5 * 390 + 210


def test_unknown_symbol_is_not_found(client: Client) -> None:
    reply = client.chart("NOPE", range="5d", interval="1d")
    assert reply.status == 404
    assert reply.json == {
        "chart": {
            "result": None,
            "error": {"code": "Not Found", "description": "No data found, symbol may be delisted"},
        }
    }


def test_quote_answers_for_known_symbols_only(client: Client) -> None:
    reply = client.with_crumb("/v7/finance/quote?symbols=AAPL,NOPE,IBM")
    apple, international = reply.json["quoteResponse"]["result"]
    assert [apple["symbol"], international["symbol"]] == ["AAPL", "IBM"]
    assert {name: apple[name] for name in ("regularMarketPrice", "regularMarketPreviousClose", "marketState")} == {
        "regularMarketPrice": 585.28,
        "regularMarketPreviousClose": 589.36,
        "marketState": "POST",
    }
    assert (international["exchange"], international["fullExchangeName"]) == ("NYQ", "NYSE")
    nothing = client.with_crumb("/v7/finance/quote?symbols=NOPE").json
    assert nothing == {"quoteResponse": {"result": [], "error": None}}


@pytest.mark.parametrize(
    ("now", "state"),
    [
        ("2012-11-23T03:00-05:00", "PREPRE"),
        ("2012-11-23T04:00-05:00", "PRE"),
        ("2012-11-23T09:30-05:00", "REGULAR"),
        ("2012-11-23T13:00-05:00", "POST"),
        ("2012-11-23T17:00-05:00", "POSTPOST"),
        ("2012-11-24T12:00-05:00", "CLOSED"),
        ("2012-10-29T12:00-04:00", "CLOSED"),
    ],
)
def test_market_state_follows_the_day(serve: Serve, now: str, state: str) -> None:
    (quote,) = serve(now).with_crumb("/v7/finance/quote?symbols=AAPL").json["quoteResponse"]["result"]
    assert quote["marketState"] == state


def test_quote_needs_cookie_and_crumb(client: Client) -> None:
    without = client.ask("/v7/finance/quote?symbols=AAPL")
    assert (without.status, without.json["finance"]["error"]["description"]) == (401, "Invalid Cookie")
    wrong = client.ask("/v7/finance/quote?symbols=AAPL&crumb=x", cookie="A3=y")
    assert wrong.status == 401
    assert wrong.json == {
        "finance": {"result": None, "error": {"code": "Unauthorized", "description": "Invalid Crumb"}}
    }


@pytest.mark.parametrize(
    ("now", "ex_date", "pay_date"),
    [
        ("2012-10-30T12:00-04:00", "2012-08-09", "2012-08-16"),
        ("2012-10-31T12:00-04:00", "2012-11-07", "2012-11-15"),
        ("2012-11-30T16:31-05:00", "2012-11-07", "2012-11-15"),
        ("2013-02-15T16:31-05:00", "2013-02-07", None),
    ],
)
def test_calendar_names_the_dividend_announced_last(serve: Serve, now: str, ex_date: str, pay_date: str | None) -> None:
    reply = serve(now).with_crumb("/v10/finance/quoteSummary/AAPL?modules=calendarEvents")
    events = reply.json["quoteSummary"]["result"][0]["calendarEvents"]
    expected = {"exDividendDate": seconds(f"{ex_date}T00:00+00:00")}
    if pay_date:
        expected["dividendDate"] = seconds(f"{pay_date}T00:00+00:00")
    assert {name: events[name] for name in events if name.endswith("Date")} == expected


def test_summary_of_an_unknown_symbol_is_not_found(client: Client) -> None:
    reply = client.with_crumb("/v10/finance/quoteSummary/NOPE?modules=calendarEvents")
    assert (reply.status, reply.json["quoteSummary"]["error"]["code"]) == (404, "Not Found")


def test_consent_pages_give_a_cookie(client: Client) -> None:
    assert b'name="csrfToken"' in client.ask("/consent", host="guce.yahoo.com").body
    agreed = client.ask(
        "/v2/collectConsent?sessionId=x", host="consent.yahoo.com", method="POST", body={"agree": "agree"}
    )
    assert agreed.headers["Set-Cookie"].startswith("A3=")


def test_pence_fund_and_dividends_in_another_currency(serve: Serve) -> None:
    london = Hours(timezone="Europe/London", open=time(8, 0), close=time(16, 30))
    fund = Listing(
        symbol="FND.L",
        currency="GBp",
        exchange="LSE",
        exchange_name="LSE",
        instrument_type="ETF",
        hours=london,
        bars=[bar("2012-11-29", 400), bar("2012-11-30", 401)],
        dividends=[Dividend(date(2012, 11, 30), Decimal("0.5"), currency="USD")],
        capital_gains=[CapitalGain(date(2012, 11, 30), Decimal("2"))],
    )
    client = serve(market=Market([fund]))
    chart = client.chart("FND.L", range="5d", interval="1d", events="div,capitalGains").chart
    at = str(seconds("2012-11-30T08:00+00:00"))
    assert chart["meta"]["currency"] == "GBp"
    assert chart["meta"]["hasPrePostMarketData"] is False
    assert chart["events"] == {
        "dividends": {at: {"amount": 0.5, "date": int(at), "currency": "USD"}},
        "capitalGains": {at: {"amount": 2.0, "date": int(at)}},
    }
    summary = client.with_crumb("/v10/finance/quoteSummary/FND.L?modules=calendarEvents")
    assert "No fundamentals data found" in summary.json["quoteSummary"]["error"]["description"]


def test_clones_differ_in_their_symbol_only(serve: Serve) -> None:
    client = serve(clones=5)
    apple = client.chart("AAPL", range="5d", interval="1d").body
    assert client.chart("C00004", range="5d", interval="1d").body == apple.replace(b'"AAPL"', b'"C00004"')
    assert client.chart("C00006", range="5d", interval="1d").status == 404


def test_clock_can_be_moved(client: Client) -> None:
    client.server.set_now(datetime.fromisoformat("2012-11-23T12:00-05:00"))
    assert client.chart("AAPL", range="1d", interval="1d").chart["meta"]["regularMarketTime"] == seconds(
        "2012-11-23T12:00-05:00"
    )


def test_clock_runs_at_its_speed() -> None:
    machine = FixedClock(datetime.fromisoformat("2026-01-01T00:00+00:00"))
    clock = ReplayClock(machine, start=datetime.fromisoformat("2012-11-30T16:00-05:00"), speed=60)
    machine.set(datetime.fromisoformat("2026-01-01T00:00:02+00:00"))
    assert clock.now() == datetime.fromisoformat("2012-11-30T16:02-05:00")


def test_control_plane_moves_the_clock_and_reads_the_log(client: Client) -> None:
    moved = client.ask("/_replay/clock", method="POST", body={"now": "2012-11-29T12:00-05:00"})
    assert moved.json == {"now": "2012-11-29T17:00:00+00:00"}
    client.ask("/_replay/clock", method="POST", body={"advance_s": 60})
    client.chart("AAPL", range="5d", interval="1d")
    health = client.ask("/_replay/health").json
    assert (health["now"], health["request_count"]) == ("2012-11-29T17:01:00+00:00", 1)
    log = client.ask("/_replay/log").json
    assert [(one["endpoint"], one["symbols"], one["status"]) for one in log["requests"]] == [("chart", ["AAPL"], 200)]
    assert client.ask("/_replay/log", method="DELETE").json == {"count": 0, "requests": []}


@pytest.mark.parametrize(
    ("name", "document", "words"),
    [
        ("clock", {"now": "2012-11-30T16:31"}, "has no time zone"),
        ("clock", {"now": "noon"}, "Invalid isoformat"),
        ("clock", {"minutes": 3}, 'either "now" or "advance_s"'),
        ("faults", {"symbol": "AAPL"}, '"fault" is missing'),
        ("faults", {"symbol": "AAPL", "fault": "nasty"}, "unknown fault 'nasty'"),
        ("faults", {"symbol": "AAPL", "fault": "hang", "how": 1}, "unknown option how"),
        ("faults", {"symbol": "AAPL", "fault": "hang", "endpoint": "moon"}, "is not one of"),
        ("faults", {"symbol": "AAPL", "fault": "hang", "times": 0}, "1 or more"),
    ],
)
def test_control_plane_says_what_it_refuses(client: Client, name: str, document: Any, words: str) -> None:
    reply = client.ask(f"/_replay/{name}", method="POST", body=document)
    assert reply.status == 400
    assert words in reply.json["error"]


def test_origin_form_works_by_hand(client: Client) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", client.server.port, timeout=5)
    for _ in range(2):
        connection.request("GET", "/v8/finance/chart/AAPL?range=1d&interval=1d")
        assert json.loads(connection.getresponse().read())["chart"]["error"] is None
    connection.close()


def test_hosts_outside_yahoo_are_refused(client: Client) -> None:
    for host in ("example.com", "yahoo.com.example.com", "notyahoo.com"):
        reply = client.ask("/", host=host)
        assert (reply.status, host in reply.body.decode()) == (403, True)
    tunnel = http.client.HTTPConnection("127.0.0.1", client.server.port, timeout=5)
    tunnel.set_tunnel("example.com", 443)
    with pytest.raises(OSError, match="403"):
        tunnel.request("GET", "/")


def test_what_is_not_http_is_refused(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.server.port), timeout=5) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400 Bad Request")


def test_stopping_closes_what_is_open(serve: Serve) -> None:
    client = serve()
    with socket.create_connection(("127.0.0.1", client.server.port), timeout=5) as connection:
        client.ask("/_replay/health")
        client.server.stop()
        assert connection.recv(1) == b""


def test_taken_port_is_named(client: Client, market: Market) -> None:
    other = ReplayServer(market, clock=client.server.clock, port=client.server.port)
    with pytest.raises(SettingsError, match=f"port {client.server.port} of 127.0.0.1 is not free"):
        other.start()
