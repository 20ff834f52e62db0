"""Evenings on which one request brings many closes, and what costs a company a request of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update

from closingbell.domain.runs import RunStatus
from closingbell.models import (
    CorporateActionRow,
    JobLog,
    JobLogItem,
    MarketSession,
    PriceGap,
    PriceHistory,
    PriceRevision,
    QuarantinedBar,
)
from closingbell.replay import RecordedMarket
from tests.app_fixtures import SYMBOLS, House, item, new_york, outcomes, recorded_rows


def evening_before(house: House, *symbols: str, since: str = "2012-11-26") -> House:
    """What is held, stored up to Thursday 2012-11-29; the clock stands at the evening after it."""
    house.at("2012-11-29 16:31").hold(*(symbols or SYMBOLS), since=since)
    house.run()
    house.asked()
    return house.at("2012-11-30 16:31")


def test_hundred_companies_cost_one_request(
    tables_url: str, houses: Callable[..., House], no_waits: None, market: RecordedMarket
) -> None:
    house = houses(tables_url, "2012-11-29 16:31", market=market.with_clones(101))
    clones = [f"C{number:05}" for number in range(1, 102)]
    evening_before(house, *clones, since="2012-11-29")

    summary = house.run()

    assert summary.message == "101 of 101 expected closes up to 2012-11-30 stored; 2 quote requests, 0 charts"
    assert (summary.status, summary.request_count) == (RunStatus.SUCCESS, 2)
    assert house.asked() == {"quote": 2}
    assert outcomes(summary) == dict.fromkeys(clones, "stored")
    log = house.rows(JobLog)[-1]
    assert (log.message, log.request_count, log.stocks_processed) == (summary.message, 2, 101)
    assert len([row for row in house.rows(JobLogItem, order="symbol") if row.job_log_id == log.id]) == 101


def test_quote_is_the_recorded_bar_and_provisional(house: House) -> None:
    evening_before(house).run()

    for symbol in SYMBOLS:
        row = next(row for row in recorded_rows(symbol) if row.date == "2012-11-30")
        bar = house.bars(symbol)[-1]
        assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (
            Decimal(row.open), Decimal(row.high), Decimal(row.low), Decimal(row.close), int(row.volume)
        )  # fmt: skip
        assert (bar.is_settled, bar.provider, bar.flag) == (False, "yahoo", None)
        assert bar.fetched_at == new_york("2012-11-30 16:31")
        assert house.company(symbol).last_updated == new_york("2012-11-30 16:31")
        # Only a whole answer counts as having been read.
        assert house.company(symbol).history_read_at == new_york("2012-11-29 16:31")


def test_first_quotes_of_a_process_need_a_crumb(tables_url: str, houses: Callable[..., House], no_waits: None) -> None:
    evening_before(houses(tables_url, "2012-11-29 16:31"), "AAPL")
    house = houses(tables_url, "2012-11-30 16:31")

    summary = house.run()

    # The cookie is kept in the cache folder.
    assert summary.request_count == 2
    assert house.asked() == {"crumb": 1, "quote": 1}


def test_dry_run_says_what_goes_by_quote_and_what_by_company(house: House) -> None:
    evening_before(house, "AAPL", "IBM")
    house.hold("MSFT", since="2012-11-29")

    result = house.command("run-daily-price-update", "--dry-run")

    assert result.stdout.splitlines() == [
        "AAPL  2012-11-30: 1 missing, by quote",
        "IBM  2012-11-30: 1 missing, by quote",
        "MSFT  2012-11-29 to 2012-11-30: 2 missing",
        "would send 2 requests: 1 for 2 quotes, 1 chart",
    ]
    assert house.asked() == {}


def test_half_day_is_known_by_its_own_close(house: House) -> None:
    house.at("2012-11-21 16:31").hold("AAPL", since="2012-11-20")
    house.run()

    summary = house.at("2012-11-23 13:01").run()

    assert summary.message == "1 of 1 expected closes up to 2012-11-23 stored; 1 quote request, 0 charts"
    assert house.closes("AAPL")["2012-11-23"] == "571.50"


def test_morning_after_a_missed_evening_is_asked_by_company(house: House) -> None:
    evening_before(house, "AAPL").at("2012-12-03 10:00")

    assert house.run().message == "2 of 2 expected closes up to 2012-11-30 stored"
    assert house.charts() == [("AAPL",)]
    assert house.run().message == "daily_price_update: nothing is due"


# --- Quotes that are not taken.


def by_chart(house: House, symbol: str = "AAPL") -> str | None:
    """Run the daily job; one company goes by chart and ends well, the others by quote. Why, as its item says."""
    summary = house.run()
    assert summary.status is RunStatus.SUCCESS
    assert summary.message.endswith("; 1 quote request, 1 chart")
    assert house.charts() == [(symbol,)]
    return item(summary, symbol).message


def test_quote_of_before_the_close_is_refused(house: House) -> None:
    evening_before(house, "AAPL")
    a_minute_later = new_york("2012-11-30 16:01")
    with house.context.database.write() as connection:
        connection.execute(
            update(MarketSession).where(MarketSession.date == a_minute_later.date()).values(close_at=a_minute_later)
        )

    assert by_chart(house) == "by chart: the quote is of 2012-11-30 21:00:01 UTC, the close was at 21:01 UTC"
    assert house.closes("AAPL")["2012-11-30"] == "585.28"


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("fault", "field", "why"),
    [
        ("not_found", "", "no quote came"),
        ("other_symbol", "", "no quote came"),
        ("future_bar", "", "no quote came"),
        ("no_meta_field", "regularMarketTime", "no quote came"),
        ("no_meta_field", "regularMarketPreviousClose", "the quote lacks a price or the volume"),
        ("null_bar", "", "no quote came"),
        ("zero_bar", "", "the quote lacks a price or the volume"),
        ("stale", "", "the quote lacks a price or the volume"),
        ("negative_volume", "", "2012-11-30: volume must not be negative"),
        ("high_below_low", "", "2012-11-30: open and close must lie between low and high; "
                               "an auction's open may lie up to 5 % outside"),
        ("price_x100", "", "the price moved far"),
        ("wrong_currency", "", "the quote is in EUR, the company in USD"),
    ],
)  # fmt: skip
def test_quote_that_cannot_be_taken_costs_one_chart(house: House, fault: str, field: str, why: str) -> None:
    evening_before(house, "AAPL", "IBM")
    house.market.misbehave("AAPL", fault, endpoint="quote", **({"field": field} if field else {}))

    assert by_chart(house) == f"by chart: {why}"
    assert (house.closes("AAPL")["2012-11-30"], house.closes("IBM")["2012-11-30"]) == ("585.28", "190.07")
    assert house.rows(QuarantinedBar) == []


def test_disagreement_about_the_session_before_is_settled_by_a_chart_and_revised(house: House) -> None:
    house.at("2012-11-29 16:31").hold("AAPL", "IBM", since="2012-11-26")
    house.market.misbehave("AAPL", "stale", endpoint="chart")
    house.run()
    assert house.closes("AAPL")["2012-11-29"] == "582.94"
    house.market.behave()
    house.asked()

    why = by_chart(house.at("2012-11-30 16:31"))

    assert why == "by chart: the quote's previous close is 589.36, stored is 582.94"
    assert list(house.closes("AAPL").values())[-2:] == ["589.36", "585.28"]
    assert list(house.states("AAPL").values())[-2:] == ["settled", "provisional"]
    [revision] = house.rows(PriceRevision)
    assert (str(revision.date), str(revision.old_close.normalize()), str(revision.new_close.normalize())) == (
        "2012-11-29", "582.94", "589.36"
    )  # fmt: skip
    assert (revision.old_provider, revision.new_provider) == ("yahoo", "yahoo")
    assert revision.old_fetched_at == new_york("2012-11-29 16:31")
    assert revision.new_fetched_at == new_york("2012-11-30 16:31")


def test_settled_close_that_quote_and_chart_speak_against_is_revised(house: House) -> None:
    evening_before(house, "AAPL")
    with house.context.database.write() as connection:
        connection.execute(update(PriceHistory).values(close=Decimal("580.00"), is_settled=True))

    by_chart(house)

    assert house.closes("AAPL")["2012-11-29"] == "589.36"
    # Older settled bars were not in doubt, whatever the answer says of them.
    assert [str(row.date) for row in house.rows(PriceRevision)] == ["2012-11-29"]


def test_split_of_today_is_read_from_a_chart(house: House) -> None:
    house.at("2005-02-25 16:31").hold("AAPL", "IBM", since="2005-02-22")
    house.run()
    before = house.bars("AAPL")[:3]
    house.asked()

    why = by_chart(house.at("2005-02-28 16:31"))

    assert why == "by chart: the quote's previous close is 44.495, stored is 88.99"
    assert list(house.closes("AAPL").values())[-2:] == ["88.99", "44.86"]
    assert house.bars("AAPL")[:3] == before
    [split] = [row for row in house.rows(CorporateActionRow) if row.kind == "SPLIT"]
    assert (str(split.ex_date), split.numerator, split.denominator) == ("2005-02-28", 2, 1)
    assert house.rows(PriceRevision) == []


def test_action_known_for_the_day_is_read_from_a_chart(house: House) -> None:
    house.at("2012-11-06 16:31").hold("AAPL", "IBM", since="2012-11-01")
    house.run()
    house.at("2012-11-07 16:31").refresh("AAPL")
    with house.context.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM price_history WHERE date = '2012-11-07'")
    house.asked()

    assert by_chart(house) == "a corporate action falls on this session"


def test_quote_of_a_running_session_never_replaces_a_stored_close(house: House) -> None:
    evening_before(house, "AAPL").run()
    house.market.misbehave("AAPL", "high_below_low", endpoint="quote")

    assert by_chart(house.at("2012-11-30 17:00")) is not None
    assert house.closes("AAPL")["2012-11-30"] == "585.28"
    assert house.rows(PriceRevision) == []


# --- An endpoint that refuses.


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("bad_crumb", "Yahoo refused the request (HTTP 401), also with a new crumb"),
        ("html_page", "Yahoo sent a page instead of data"),
        ("garbage", "Yahoo sent an answer that is not JSON"),
        ("server_error", "Yahoo is down (HTTP 500)"),
    ],
)
def test_endpoint_that_refuses_is_replaced_by_charts(house: House, fault: str, why: str) -> None:
    evening_before(house)
    house.market.misbehave("*", fault, endpoint="quote")

    summary = house.run()

    assert summary.status is RunStatus.SUCCESS
    assert summary.message == (
        f"10 of 10 expected closes up to 2012-11-30 stored; 1 quote request, 5 charts instead of quotes: {why}"
    )
    assert house.rows(JobLog)[-1].message == summary.message
    assert house.states("AAPL") == {
        "2012-11-26": "settled", "2012-11-27": "settled", "2012-11-28": "settled",
        "2012-11-29": "settled", "2012-11-30": "provisional",
    }  # fmt: skip


def test_requests_behind_a_refused_one_are_not_sent(
    tables_url: str, houses: Callable[..., House], no_waits: None, market: RecordedMarket
) -> None:
    house = houses(tables_url, "2012-11-29 16:31", market=market.with_clones(201), yahoo_concurrency=1)
    clones = [f"C{number:05}" for number in range(1, 202)]
    evening_before(house, *clones, since="2012-11-29")
    house.market.misbehave("*", "html_page", endpoint="quote")

    summary = house.run()

    assert "; 1 quote request, 201 charts instead of quotes: " in summary.message
    assert house.asked() == {"quote": 1, "chart": 201}


def test_one_request_that_fails_is_sent_again_when_others_are_answered(
    tables_url: str, houses: Callable[..., House], no_waits: None, market: RecordedMarket
) -> None:
    house = houses(tables_url, "2012-11-29 16:31", market=market.with_clones(101))
    evening_before(house, *(f"C{number:05}" for number in range(1, 102)), since="2012-11-29")
    house.market.misbehave("C00101", "server_error", endpoint="quote", times=1)

    summary = house.run()

    assert summary.message == "101 of 101 expected closes up to 2012-11-30 stored; 3 quote requests, 0 charts"


def test_rate_limit_is_not_answered_with_more_requests(house: House) -> None:
    evening_before(house)
    house.market.misbehave("*", "rate_limited", endpoint="quote")

    summary = house.run()

    assert summary.status is RunStatus.FAILED
    assert summary.message == (
        "0 of 5 expected closes up to 2012-11-30 stored, 5 rate_limited; 4 quote requests, 0 charts"
    )
    assert house.asked() == {"quote": 4}
    house.market.behave()
    assert house.run().message == "5 of 5 expected closes up to 2012-11-30 stored; 1 quote request, 0 charts"


def test_short_rate_limit_is_waited_out(house: House) -> None:
    evening_before(house)
    house.market.misbehave("*", "rate_limited", endpoint="quote", times=2)

    assert house.run().message == "5 of 5 expected closes up to 2012-11-30 stored; 3 quote requests, 0 charts"


# --- Volumes, gaps.


def test_later_quote_with_more_volume_is_a_revision_and_less_is_nothing(house: House) -> None:
    evening_before(house, "AAPL").run()

    def volume(number: int) -> None:
        with house.context.database.write() as connection:
            connection.execute(update(PriceHistory).where(PriceHistory.is_settled.is_(False)).values(volume=number))

    volume(20_000_000)
    house.at("2012-11-30 17:00").run()
    assert (house.bars("AAPL")[-1].volume, house.rows(PriceRevision)) == (20_000_000, [])
    volume(13_000_000)
    house.at("2012-11-30 17:30").run()
    assert house.bars("AAPL")[-1].volume == 13_975_700
    [revision] = house.rows(PriceRevision)
    assert (revision.old_volume, revision.new_volume) == (13_000_000, 13_975_700)


def test_known_gaps_are_healed_newest_first_within_the_budget(
    tables_url: str, houses: Callable[..., House], no_waits: None
) -> None:
    house = houses(tables_url, "2012-11-29 16:31", price_healing_requests=1)
    house.market.misbehave("AAPL", "missing_bar", endpoint="chart", date="2012-11-15")
    house.market.misbehave("IBM", "missing_bar", endpoint="chart", date="2012-11-13")
    evening_before(house, "AAPL", "IBM", "MSFT", since="2012-11-12")
    assert [str(row.date) for row in house.rows(PriceGap, order="date")] == ["2012-11-13", "2012-11-15"]
    house.market.behave()

    first = house.run()

    assert first.message == "5 of 5 expected closes up to 2012-11-30 stored; 1 quote request, 1 chart"
    assert house.charts() == [("AAPL",)]
    assert [str(row.date) for row in house.rows(PriceGap, order="date")] == ["2012-11-13"]
    house.at("2012-11-30 17:00").run()
    assert house.charts() == [("IBM",)]
    assert house.rows(PriceGap, order="date") == []
    assert len(house.closes("IBM")) == 14


def test_twelve_missed_sessions_are_one_request_a_company(house: House) -> None:
    house.at("2012-11-13 16:31").hold("AAPL", "IBM", since="2012-11-12")
    house.run()
    house.asked()

    house.at("2012-11-30 16:31").run()

    assert house.asked() == {"chart": 2}
    assert len(house.closes("AAPL")) == 14
    assert house.at("2012-12-03 16:31").run().message.endswith("; 1 quote request, 0 charts")


# --- The sweep.


def actions(house: House) -> list[Any]:
    """Every corporate action noticed."""
    return house.rows(CorporateActionRow)


EVENINGS = (
    "2012-11-02", "2012-11-05", "2012-11-06", "2012-11-07", "2012-11-08", "2012-11-09", "2012-11-12",
    "2012-11-13", "2012-11-14", "2012-11-15", "2012-11-16", "2012-11-19", "2012-11-20", "2012-11-21",
    "2012-11-23",
)  # fmt: skip


def test_fortnight_of_evenings_reads_every_company_once_in_five_sessions(house: House) -> None:
    house.at("2012-11-01 16:31").hold(*SYMBOLS, since="2012-10-31")
    house.run()
    house.asked()
    weekday_of = {symbol: house.company(symbol).id % 5 for symbol in SYMBOLS}
    read: dict[str, list[int]] = {}
    for day in EVENINGS:
        daily = house.at(f"{day} 16:31").run()
        assert daily.message == f"5 of 5 expected closes up to {day} stored; 1 quote request, 0 charts"
        assert house.asked() == {"quote": 1}
        swept = house.at(f"{day} 18:00").sweep()
        assert swept.status is RunStatus.SUCCESS
        read[day[5:]] = sorted(weekday_of[one.symbol] for one in swept.items)
        assert len(house.charts()) == len(swept.items)

    # Every company has its weekday, Monday is 0. The one of Thursdays missed Thanksgiving and is read the day after.
    assert read == {
        "11-02": [4], "11-05": [0], "11-06": [1], "11-07": [2], "11-08": [3], "11-09": [4],
        "11-12": [0], "11-13": [1], "11-14": [2], "11-15": [3], "11-16": [4],
        "11-19": [0], "11-20": [1], "11-21": [2], "11-23": [3, 4],
    }  # fmt: skip
    for symbol in SYMBOLS:
        recorded = {row.date: row for row in recorded_rows(symbol) if "2012-10-31" <= row.date <= "2012-11-23"}
        stored = {str(bar.date): bar for bar in house.bars(symbol)}
        assert list(stored) == list(recorded)
        assert all(
            (bar.open, bar.high, bar.low, bar.close, bar.volume)
            == (Decimal(row.open), Decimal(row.high), Decimal(row.low), Decimal(row.close), int(row.volume))
            for bar, row in zip(stored.values(), recorded.values(), strict=True)
        )
        assert sum(not bar.is_settled for bar in stored.values()) <= 5
    name_of = {house.company(symbol).id: symbol for symbol in SYMBOLS}
    noticed = {(name_of[row.company_id], str(row.ex_date)): str(row.first_seen_at)[:10] for row in actions(house)}
    assert sorted(noticed) == [("AAPL", "2012-11-07"), ("IBM", "2012-11-07"), ("MSFT", "2012-11-13")]
    # Within five sessions, the ex-date's own being the first.
    assert max(noticed["AAPL", "2012-11-07"], noticed["IBM", "2012-11-07"]) <= "2012-11-13"
    assert noticed["MSFT", "2012-11-13"] <= "2012-11-19"
    assert house.rows(PriceRevision) == []
    assert {row.job_name for row in house.rows(JobLog)} == {"daily_price_update", "price_sweep"}


def test_sweep_that_failed_is_made_good_the_next_evening(house: House) -> None:
    house.at("2012-11-12 16:31").hold("AAPL", since="2012-11-09")
    house.run()
    house.market.misbehave("AAPL", "server_error", endpoint="chart")
    for day in ("2012-11-13", "2012-11-14", "2012-11-15", "2012-11-16"):
        house.at(f"{day} 16:31").run()
        house.at(f"{day} 18:00").sweep()
    house.market.behave()

    house.at("2012-11-19 16:31").run()
    summary = house.at("2012-11-19 18:00").sweep()

    assert outcomes(summary) == {"AAPL": "unchanged"}
    assert house.states("AAPL")["2012-11-16"] == "settled"


def test_sweep_finds_a_changed_close_and_keeps_both(house: House) -> None:
    evening_before(house, "AAPL").run()
    with house.context.database.write() as connection:
        connection.execute(
            update(PriceHistory).where(PriceHistory.is_settled.is_(False)).values(high=Decimal("588.41"))
        )

    summary = house.at("2012-12-03 18:00").sweep("AAPL")

    assert summary.message == "1 company read again up to 2012-12-03; 0 closes settled, 2 changed"
    assert house.states("AAPL")["2012-11-30"] == "settled"
    assert [(str(row.date), str(row.new_high)) for row in house.rows(PriceRevision)] == [
        ("2012-11-29", "594.250000"), ("2012-11-30", "588.400000")
    ]  # fmt: skip


def test_short_or_empty_sweep_changes_nothing(house: House) -> None:
    evening_before(house, "AAPL").run()
    before = house.bars("AAPL")
    for fault in ("empty", "short"):
        house.market.behave()
        house.market.misbehave("AAPL", fault, endpoint="chart")
        house.at("2012-11-30 18:00").sweep("AAPL")
    assert [(bar.date, bar.close, bar.volume) for bar in house.bars("AAPL")] == [
        (bar.date, bar.close, bar.volume) for bar in before
    ]
    assert (house.rows(PriceRevision), house.rows(PriceGap, order="date")) == ([], [])


def test_company_that_was_sold_is_swept_for_its_dividends(house: House) -> None:
    house.at("2012-11-05 16:31").hold("AAPL", since="2012-11-01")
    house.run()
    house.orders("2012-11-05,SELL,AAPL,10,580.00,0,USD")
    house.asked()

    summary = house.at("2012-11-13 18:00").sweep()

    assert (outcomes(summary), house.charts()) == ({"AAPL": "unchanged"}, [("AAPL",)])
    [dividend] = house.rows(CorporateActionRow)
    assert (dividend.kind, str(dividend.ex_date)) == ("CASH", "2012-11-07")
    assert list(house.closes("AAPL")) == ["2012-11-01", "2012-11-02", "2012-11-05"]


def test_company_that_was_sold_long_ago_is_not_swept(house: House) -> None:
    house.at("2011-10-25 16:31").hold("AAPL", since="2011-10-20")
    house.run()
    house.orders("2011-10-25,SELL,AAPL,10,400.00,0,USD")

    assert house.at("2012-11-28 18:00").sweep().items != ()
    summary = house.at("2012-11-30 18:00").sweep()

    assert summary.message == "nobody's turn: every company was read within five sessions"
    assert timedelta(days=400) < new_york("2012-11-30 18:00") - new_york("2011-10-25 16:31")


def test_sweep_by_hand_and_its_plan(house: House) -> None:
    evening_before(house, "AAPL", "IBM").run()

    plan = house.command("run-price-sweep", "--dry-run", "--symbols", "AAPL")
    done = house.command("run-price-sweep", "--symbols", "AAPL", "--format", "json")

    assert plan.stdout.splitlines() == [
        "AAPL  2012-11-26 to 2012-11-30: 2 provisional",
        "would send 1 request",
    ]
    assert done.exit_code == 0
    assert '"job_name": "price_sweep"' in done.stdout
    assert house.states("AAPL")["2012-11-29"] == "settled"
