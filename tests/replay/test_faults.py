"""Every fault once, as a client sees it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any

import pytest

from closingbell.replay.faults import MEANINGS, Fault

from .support import Client, Reply, seconds

CLOSES = [589.530029296875, 584.780029296875, 582.9400024414062, 589.3599853515625, 585.280029296875]


def ask(client: Client) -> Reply:
    return client.chart("AAPL", range="5d", interval="1d", events="div,splits")


def spoilt(client: Client, fault: str, **options: Any) -> Any:
    client.server.misbehave("AAPL", fault, **options)
    return ask(client).chart


def columns(chart: Any) -> dict[str, list[Any]]:
    quote: dict[str, list[Any]] = chart["indicators"]["quote"][0]
    return quote


def test_every_fault_has_a_meaning() -> None:
    assert list(MEANINGS) == list(Fault)
    assert all(fault.meaning for fault in Fault)


@pytest.mark.parametrize(
    ("fault", "status", "start"),
    [
        ("not_found", 404, b'{"chart":{"result":null,"error":{"code":"Not Found"'),
        ("rate_limited", 429, b"Edge: Too Many Requests"),
        ("rate_limited_no_retry_after", 429, b"Edge: Too Many Requests"),
        ("server_error", 500, b"<html>"),
        ("bad_crumb", 401, b'{"finance":{"result":null,"error":{"code":"Unauthorized"'),
        ("html_page", 200, b"<!DOCTYPE html>"),
        ("garbage", 200, b'{"chart": {"result": [{"meta": \x00\xff'),
    ],
)
def test_whole_answer_is_replaced(client: Client, fault: str, status: int, start: bytes) -> None:
    client.server.misbehave("AAPL", fault)
    reply = ask(client)
    assert reply.status == status
    assert reply.body.startswith(start)
    assert client.chart("IBM", range="5d", interval="1d").status == 200


def test_rate_limit_says_how_long_or_does_not(client: Client) -> None:
    client.server.misbehave("AAPL", "rate_limited", retry_after_s=7, times=1)
    client.server.misbehave("IBM", "rate_limited_no_retry_after")
    assert ask(client).headers["Retry-After"] == "7"
    assert "Retry-After" not in client.chart("IBM", range="5d").headers
    assert ask(client).status == 200


def test_truncated_body_ends_early(client: Client) -> None:
    client.server.misbehave("AAPL", "truncated_body")
    with pytest.raises(http.client.IncompleteRead):
        ask(client)


def test_hang_never_answers(client: Client) -> None:
    client.server.misbehave("AAPL", "hang")
    with pytest.raises(TimeoutError):
        client.ask("/v8/finance/chart/AAPL?range=5d", timeout=0.2)


def test_empty_has_no_bars(client: Client) -> None:
    chart = spoilt(client, "empty")
    assert "timestamp" not in chart
    assert chart["indicators"] == {"quote": [{}], "adjclose": [{}]}


def test_short_has_the_first_half(client: Client) -> None:
    assert columns(spoilt(client, "short"))["close"] == CLOSES[:2]


def test_missing_bar_has_no_row(client: Client) -> None:
    chart = spoilt(client, "missing_bar", date="2012-11-28")
    assert len(chart["timestamp"]) == 4
    assert columns(chart)["close"] == [*CLOSES[:2], *CLOSES[3:]]


def test_null_bar_keeps_its_row(client: Client) -> None:
    chart = spoilt(client, "null_bar", date="2012-11-29")
    assert len(chart["timestamp"]) == 5
    assert {name: column[3] for name, column in columns(chart).items()} == {
        "open": None,
        "high": None,
        "low": None,
        "close": None,
        "volume": None,
    }
    assert chart["indicators"]["adjclose"][0]["adjclose"][3] is None


def test_null_close_leaves_the_rest(client: Client) -> None:
    quote = columns(spoilt(client, "null_close"))
    assert quote["close"] == [*CLOSES[:4], None]
    assert quote["open"][4] == 586.7899780273438


def test_zero_bar(client: Client) -> None:
    assert [column[4] for column in columns(spoilt(client, "zero_bar")).values()] == [0, 0, 0, 0, 0]


def test_negative_volume(client: Client) -> None:
    assert columns(spoilt(client, "negative_volume"))["volume"][4] == -13975700


def test_high_below_low(client: Client) -> None:
    quote = columns(spoilt(client, "high_below_low"))
    assert (quote["high"][4], quote["low"][4]) == (582.6799926757812, 588.4000244140625)


def test_prices_a_hundred_times_off(client: Client) -> None:
    assert columns(spoilt(client, "price_x100", times=1))["close"] == [*CLOSES[:4], 58528.0029296875]
    low = columns(spoilt(client, "price_div100", every=True))["close"]
    assert low == pytest.approx([5.8953003, 5.8478003, 5.82940002, 5.89359985, 5.85280029])


def test_stale_repeats_the_close_before(client: Client) -> None:
    quote = columns(spoilt(client, "stale"))
    assert quote["close"] == [*CLOSES[:4], CLOSES[3]]
    assert quote["volume"][4] == 0


def test_future_bar_is_after_now(client: Client) -> None:
    chart = spoilt(client, "future_bar")
    assert chart["timestamp"][-1] == seconds("2012-12-01T16:31-05:00")
    assert [len(column) for column in columns(chart).values()] == [6, 6, 6, 6, 6]


def test_wrong_currency(client: Client) -> None:
    assert spoilt(client, "wrong_currency")["meta"]["currency"] == "EUR"


def test_no_meta_field(client: Client) -> None:
    assert "instrumentType" not in spoilt(client, "no_meta_field", field="instrumentType")["meta"]


def test_other_symbol_is_another_companys_answer(client: Client) -> None:
    chart = spoilt(client, "other_symbol")
    assert chart["meta"]["symbol"] == "FB"
    assert columns(chart)["close"][4] == 28.0


def test_unsplit_forgets_the_newest_split(serve: Callable[..., Client]) -> None:
    client = serve("2005-03-01T17:00-05:00")
    chart = spoilt(client, "unsplit", times=1)
    assert columns(chart)["close"][:3] == [88.2300033569336, 88.93000030517578, 88.98999786376953]
    assert "events" not in chart
    good = ask(client).chart
    assert columns(good)["close"][:3] == [44.11500167846680, 44.46500015258789, 44.494998931884766]
    assert list(good["events"]["splits"]) == [str(seconds("2005-02-28T09:30-05:00"))]


def test_fault_ends_by_itself(client: Client) -> None:
    client.server.misbehave("*", "server_error", endpoint="chart", times=2)
    assert [ask(client).status for _ in range(3)] == [500, 500, 200]


def test_behaving_takes_faults_back(client: Client) -> None:
    client.server.misbehave("AAPL", "server_error")
    client.server.behave()
    assert ask(client).status == 200


def test_crumb_and_cookie_can_fail(client: Client) -> None:
    client.server.misbehave("*", "rate_limited", endpoint="crumb")
    client.server.misbehave("*", "server_error", endpoint="cookie")
    assert client.ask("/v1/test/getcrumb", cookie="A3=x").status == 429
    assert client.ask("/", host="fc.yahoo.com").status == 500


def test_quote_spoils_one_entry_only(client: Client) -> None:
    client.server.misbehave("AAPL", "price_x100", endpoint="quote")
    client.server.misbehave("MSFT", "not_found", endpoint="quote")
    reply = client.with_crumb("/v7/finance/quote?symbols=AAPL,IBM,MSFT")
    prices = {one["symbol"]: one["regularMarketPrice"] for one in reply.json["quoteResponse"]["result"]}
    assert prices == {"AAPL": 58528.0, "IBM": 190.07}


def test_summary_can_lose_its_pay_date_or_everything(client: Client) -> None:
    path = "/v10/finance/quoteSummary/AAPL?modules=calendarEvents"
    client.server.misbehave("AAPL", "no_meta_field", field="dividendDate", times=1)
    assert "dividendDate" not in client.with_crumb(path).json["quoteSummary"]["result"][0]["calendarEvents"]
    client.server.misbehave("AAPL", "empty", endpoint="summary", times=1)
    assert client.with_crumb(path).status == 404
    assert client.with_crumb(path).status == 200


def test_faults_come_over_the_control_plane(client: Client) -> None:
    rule = {"symbol": "aapl", "fault": "null_bar", "date": "2012-11-29", "times": 1}
    answer = client.ask("/_replay/faults", method="POST", body=rule).json
    assert answer["faults"][0]["symbol"] == "AAPL"
    assert set(answer["known"]) == set(Fault)
    assert columns(ask(client).chart)["close"][3] is None
    assert json.loads(client.ask("/_replay/faults", method="DELETE").body)["faults"] == []
