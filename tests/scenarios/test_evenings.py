"""Evenings of autumn 2012: what the daily job stores, settles, leaves alone and says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from closingbell.domain.runs import RunStatus
from closingbell.models import CorporateActionRow, JobLog, JobLogItem, PriceHistory, PriceRevision, QuarantinedBar
from tests.app_fixtures import SYMBOLS, House, everything, item, new_york, outcomes, recorded_rows

AUTUMN = "2012-09-04"


def test_first_run_stores_the_autumn_of_five_companies(house: House) -> None:
    house.hold(*SYMBOLS, since=AUTUMN)

    summary = house.run()

    assert summary.status is RunStatus.SUCCESS
    assert summary.message == "305 of 305 expected closes up to 2012-11-30 stored"
    assert outcomes(summary) == dict.fromkeys(SYMBOLS, "stored")
    assert len(house.rows(PriceHistory, order="company_id")) == 305
    for symbol in SYMBOLS:
        recorded = {row.date: row for row in recorded_rows(symbol) if AUTUMN <= row.date <= "2012-11-30"}
        stored = {str(bar.date): bar for bar in house.bars(symbol)}
        assert list(stored) == list(recorded)
        assert len(stored) == 61
        for day, row in recorded.items():
            bar = stored[day]
            assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (
                Decimal(row.open),
                Decimal(row.high),
                Decimal(row.low),
                Decimal(row.close),
                int(row.volume),
            )


def test_storm_closure_is_not_missing_and_the_half_day_is_there(house: House) -> None:
    house.hold("AAPL", since="2012-10-26")

    house.run()

    closes = house.closes("AAPL")
    assert list(closes)[:3] == ["2012-10-26", "2012-10-31", "2012-11-01"]
    assert closes["2012-10-26"] == "604.00"
    assert closes["2012-10-31"] == "595.32"
    assert "2012-11-22" not in closes
    assert closes["2012-11-23"] == "571.50"


def test_dividend_is_stored_as_declared(house: House) -> None:
    house.hold("AAPL", "MSFT", since=AUTUMN)

    house.run()

    told = {(row.kind, str(row.ex_date), str(row.amount.normalize()), row.currency, row.printed)
            for row in house.rows(CorporateActionRow)}  # fmt: skip
    assert told == {
        ("CASH", "2012-11-07", "2.65", "USD", "2.65"),
        ("CASH", "2012-11-13", "0.23", "USD", "0.23"),
    }


def test_all_but_the_newest_bar_are_settled(house: House) -> None:
    house.hold("IBM", since="2012-11-26")

    house.run()

    assert house.states("IBM") == {
        "2012-11-26": "settled",
        "2012-11-27": "settled",
        "2012-11-28": "settled",
        "2012-11-29": "settled",
        "2012-11-30": "provisional",
    }


def test_second_run_of_an_evening_changes_nothing(house: House) -> None:
    house.hold(*SYMBOLS, since=AUTUMN)
    house.run()
    logs = ("job_log", "job_log_item", "run_total")
    before = everything(house.context.database.engine, without=logs)
    house.charts()

    summary = house.run()

    assert summary.status is RunStatus.SUCCESS
    assert summary.message == "5 of 5 expected closes up to 2012-11-30 stored; 1 quote request, 0 charts"
    assert outcomes(summary) == dict.fromkeys(SYMBOLS, "unchanged")
    assert house.charts() == []
    assert everything(house.context.database.engine, without=logs) == before


def test_sweep_after_the_next_session_settles_the_day_before(house: House) -> None:
    house.hold("AAPL", since="2012-11-29")
    house.run()

    summary = house.at("2012-12-03 16:31").run()
    swept = house.at("2012-12-03 18:00").sweep("AAPL")

    assert summary.message == "1 of 1 expected closes up to 2012-12-03 stored; 1 quote request, 0 charts"
    assert swept.message == "1 company read again up to 2012-12-03; 1 close settled, 0 changed"
    assert house.states("AAPL") == {
        "2012-11-29": "settled",
        "2012-11-30": "settled",
        "2012-12-03": "provisional",
    }
    assert house.closes("AAPL") == {"2012-11-29": "589.36", "2012-11-30": "585.28", "2012-12-03": "586.19"}
    assert house.rows(PriceRevision) == []


def test_one_request_a_company_brings_a_fortnight_up_to_date(house: House) -> None:
    house.hold("AAPL", since="2012-11-15")
    house.at("2012-11-16 16:31").run()
    house.charts()

    house.at("2012-11-30 16:31").run()

    assert house.charts() == [("AAPL",)]
    assert len(house.closes("AAPL")) == 11


def test_nothing_held_is_a_success_that_says_so(house: House) -> None:
    summary = house.run()

    assert summary.status is RunStatus.SUCCESS
    assert summary.message == "daily_price_update: nothing is due"
    assert house.charts() == []
    [log] = house.rows(JobLog)
    assert (log.status, log.stocks_processed, log.stocks_failed, log.error_message) == ("SUCCESS", 0, 0, None)


def test_saturday_asks_for_the_provisional_bar_only(house: House) -> None:
    house.hold("AAPL", since="2012-11-29")
    house.run()

    summary = house.at("2012-12-01 12:00").run()

    assert summary.message == "1 of 1 expected closes up to 2012-11-30 stored; 1 quote request, 0 charts"
    assert house.states("AAPL")["2012-11-30"] == "provisional"


def test_thanksgiving_expects_no_bar(house: House) -> None:
    house.at("2012-11-22 16:31").hold("AAPL", since="2012-11-20")

    summary = house.run()

    assert summary.message == "2 of 2 expected closes up to 2012-11-21 stored"
    assert list(house.closes("AAPL")) == ["2012-11-20", "2012-11-21"]


def test_half_day_is_stored_after_its_early_close(house: House) -> None:
    house.at("2012-11-23 13:01").hold("AAPL", since="2012-11-21")

    assert house.run().status is RunStatus.SUCCESS

    assert house.closes("AAPL") == {"2012-11-21": "561.70", "2012-11-23": "571.50"}


def test_half_day_at_the_usual_time(house: House) -> None:
    house.at("2012-11-23 16:31").hold("AAPL", since="2012-11-21")

    assert house.run().message == "2 of 2 expected closes up to 2012-11-23 stored"

    assert house.states("AAPL") == {"2012-11-21": "settled", "2012-11-23": "provisional"}


def test_live_bar_is_not_stored_before_the_close(house: House) -> None:
    house.at("2012-11-30 15:59").hold("AAPL", since="2012-11-29")

    summary = house.run()

    assert summary.message == "1 of 1 expected closes up to 2012-11-29 stored"
    assert house.closes("AAPL") == {"2012-11-29": "589.36"}
    assert house.rows(QuarantinedBar) == []


def test_order_of_today_before_the_close_expects_nothing_yet(house: House) -> None:
    house.at("2012-11-30 11:00").hold("AAPL", since="2012-11-30")

    assert house.run().message == "daily_price_update: nothing is due"

    assert house.at("2012-11-30 16:31").run().message == "1 of 1 expected closes up to 2012-11-30 stored"


def test_company_is_described_and_dated(house: House) -> None:
    house.hold("AAPL", since="2012-11-29")
    assert house.company("AAPL").last_updated is None

    house.run()

    apple = house.company("AAPL")
    assert apple.last_updated == new_york("2012-11-30 16:31")
    assert (apple.name, apple.mic, apple.currency, apple.quote_unit) == ("Apple Inc.", "XNYS", "USD", "USD")
    assert apple.first_trade_date == date(2000, 3, 1)


def test_run_is_logged_with_its_counts(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-11-29")

    summary = house.run()

    [log] = house.rows(JobLog)
    assert (log.id, log.job_name, log.status) == (summary.run_id, "daily_price_update", "SUCCESS")
    assert log.started_at == log.completed_at == new_york("2012-11-30 16:31")
    assert (log.stocks_processed, log.stocks_failed) == (2, 0)
    assert (log.expected_count, log.covered_count) == (4, 4)
    assert (log.error_message, log.ended_by, log.trigger) == (None, None, "manual")
    items = {row.symbol: (row.outcome, row.stored_count, row.attempt_count)
             for row in house.rows(JobLogItem, order="symbol")}  # fmt: skip
    assert items == {"AAPL": ("stored", 2, 1), "IBM": ("stored", 2, 1)}


def test_requests_are_counted(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-11-29")

    summary = house.run()

    # The library's own requests, for a cookie and a crumb, are counted too.
    assert [record.endpoint for record in house.market.requests].count("chart") == 2
    assert summary.request_count == house.market.request_count > 2


def test_company_without_orders_is_not_fetched(house: House) -> None:
    house.hold("AAPL", since="2012-11-29")
    house.refresh("IBM")
    house.charts()

    house.run()

    assert house.charts() == [("AAPL",)]


def test_company_that_nobody_holds_gets_its_five_newest_sessions(house: House) -> None:
    summary = house.refresh("IBM")

    assert item(summary, "IBM").expected_count == 5
    assert list(house.closes("IBM")) == ["2012-11-26", "2012-11-27", "2012-11-28", "2012-11-29", "2012-11-30"]


def test_company_sold_to_zero_is_not_fetched(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-11-26")
    house.orders("2012-11-28,SELL,AAPL,10,580.00,0,USD")

    house.run()

    assert house.charts() == [("IBM",)]


def test_company_that_one_account_still_holds_is_fetched(house: House) -> None:
    house.hold("AAPL", since="2012-11-26")
    house.orders("2012-11-28,SELL,AAPL,10,580.00,0,USD", account="Ann")
    house.orders("2012-11-28,BUY,AAPL,1,580.00,0,USD", account="Ben")

    house.run()

    assert house.charts() == [("AAPL",)]


def test_older_order_extends_the_history_backwards(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")
    house.run()
    house.hold("AAPL", since="2012-11-20")

    summary = house.run()

    assert summary.status is RunStatus.SUCCESS
    assert list(house.closes("AAPL")) == [
        "2012-11-20",
        "2012-11-21",
        "2012-11-23",
        "2012-11-26",
        "2012-11-27",
        "2012-11-28",
        "2012-11-29",
        "2012-11-30",
    ]
    again = house.at("2012-11-30 17:00").run()
    assert again.message == "1 of 1 expected closes up to 2012-11-30 stored; 1 quote request, 0 charts"


def test_decade_is_fetched_with_one_request(house: House) -> None:
    house.hold("MSFT", since="2000-03-01")

    summary = house.run()

    assert summary.status is RunStatus.SUCCESS
    assert house.charts() == [("MSFT",)]
    assert len(house.closes("MSFT")) == 3209
    assert house.rows(QuarantinedBar) == []


def test_settings_say_how_many_questions_are_under_way(
    tables_url: str, houses: Callable[..., House], no_waits: None
) -> None:
    house = houses(tables_url, "2012-11-30 16:31", yahoo_concurrency=1)
    house.hold(*SYMBOLS, since="2012-11-29")

    assert house.run().message == "10 of 10 expected closes up to 2012-11-30 stored"
