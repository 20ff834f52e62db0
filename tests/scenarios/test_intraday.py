"""Days of autumn 2012 while the exchange is open: minutes, today's bar, and what the evening makes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import insert, update

from closingbell import calendars
from closingbell.config import Settings
from closingbell.domain.money import plain
from closingbell.domain.runs import RunStatus, RunSummary
from closingbell.errors import UsageError
from closingbell.jobs.intraday_updater import run_intraday_refresh, update_intraday_prices
from closingbell.jobs.maintenance import run_log_retention
from closingbell.jobs.registry import jobs_of
from closingbell.jobs.runner import Occasion
from closingbell.models import (
    JobLog,
    JobLogItem,
    MinuteBar,
    Order,
    PriceHistory,
    PriceRevision,
    QuarantinedBar,
)
from closingbell.providers.base import DAILY, QUOTES
from closingbell.stores.upsert import table_of
from closingbell.usecases.import_orders import import_orders
from tests.app_fixtures import House, everything, item, new_york, outcomes


def buy(house: House, symbol: str, at: str) -> None:
    """Buy ten shares at a time of day in New York."""
    header = "date,type,symbol,quantity,price,fee,currency,executed_at\n"
    line = f"{at[:10]},BUY,{symbol},10,1.00,0,USD,{new_york(at).isoformat()}\n"
    import_orders(house.context, header + line, account="Ann")


def refresh(house: House, at: str, **occasion: Any) -> RunSummary:
    """The intraday job at a time of day in New York."""
    house.at(at)
    return update_intraday_prices(house.context, Occasion(**occasion))


def day(house: House, symbol: str, on: str = "2012-11-30") -> tuple[str, ...]:
    """Open, high, low, close, volume and state of one stored bar."""
    bar = next(bar for bar in house.bars(symbol) if str(bar.date) == on)
    state = "settled" if bar.is_settled else "provisional"
    return (*(plain(price) for price in (bar.open, bar.high, bar.low, bar.close)), str(bar.volume), state)


def flags(house: House, symbol: str) -> dict[str, str | None]:
    return {str(bar.date): bar.flag for bar in house.bars(symbol)}


def questions(house: House) -> list[tuple[str, str]]:
    """Symbol and first minute (New York) of every question for minutes so far; forgets them."""
    asked = []
    for record in house.market.requests:
        query = parse_qs(urlsplit(record.target).query)
        if record.endpoint == "chart" and query["interval"] == ["1m"]:
            first = datetime.fromtimestamp(int(query["period1"][0]), UTC).astimezone(
                new_york("2012-01-01 00:00").tzinfo
            )
            asked.append((record.symbols[0], first.strftime("%m-%d %H:%M")))
    house.market.clear_log()
    return sorted(asked)


def minute_count(house: House) -> int:
    return len(house.rows(MinuteBar, order="at"))


# --- A Friday.


def test_first_run_makes_todays_bar_of_its_minutes(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")

    summary = refresh(house, "2012-11-30 11:00")

    assert (summary.status, summary.message) == (RunStatus.SUCCESS, "1 of 1 prices of 2012-11-30 11:00 EST stored")
    assert outcomes(summary) == {"AAPL": "stored"}
    assert questions(house) == [("AAPL", "11-30 09:30")]
    assert minute_count(house) == 91
    assert day(house, "AAPL") == ("586.79", "588.28", "586.79", "588.28", "4561031", "provisional")
    assert flags(house, "AAPL") == {"2012-11-30": "intraday"}


def test_next_run_asks_from_the_last_stored_minute_on(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    refresh(house, "2012-11-30 11:00")
    questions(house)

    summary = refresh(house, "2012-11-30 14:15")

    assert questions(house) == [("AAPL", "11-30 11:00")]
    assert item(summary, "AAPL").changed_count == 1
    assert minute_count(house) == 286
    assert day(house, "AAPL") == ("586.79", "588.40", "582.68", "583.42", "8943934", "provisional")


def test_run_at_the_close_stores_the_last_minutes(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    refresh(house, "2012-11-30 15:45")

    refresh(house, "2012-11-30 16:00")

    assert minute_count(house) == 390
    assert day(house, "AAPL") == ("586.79", "588.40", "582.68", "585.28", "13975700", "provisional")


def test_run_that_was_due_at_the_close_and_begins_later_still_counts(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")

    summary = refresh(house, "2012-11-30 16:00:07", fire_time=new_york("2012-11-30 16:00"))

    assert summary.message == "1 of 1 prices of 2012-11-30 16:00 EST stored"
    assert day(house, "AAPL")[3] == "585.28"


def test_running_minute_is_rewritten_when_it_is_over(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    refresh(house, "2012-11-30 11:00")
    running = house.rows(MinuteBar, order="at")[-1]
    refresh(house, "2012-11-30 11:01")
    over = next(row for row in house.rows(MinuteBar, order="at") if row.at == running.at)

    assert (running.at, running.volume) == (new_york("2012-11-30 11:00"), 0)
    assert (over.volume, over.fetched_at) == (33_355, new_york("2012-11-30 11:01"))
    assert minute_count(house) == 92


def test_same_minute_again_changes_nothing(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    refresh(house, "2012-11-30 11:00")
    logs = ("job_log", "job_log_item", "run_total")
    before = everything(house.context.database.engine, without=logs)

    summary = refresh(house, "2012-11-30 11:00")

    assert outcomes(summary) == {"AAPL": "unchanged"}
    assert everything(house.context.database.engine, without=logs) == before


def test_evening_puts_its_own_bar_in_place_without_a_revision(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    refresh(house, "2012-11-30 15:45")

    summary = house.at("2012-11-30 16:31").run()

    assert summary.message == "1 of 1 expected closes up to 2012-11-30 stored"
    assert day(house, "AAPL") == ("586.79", "588.40", "582.68", "585.28", "13975700", "provisional")
    assert flags(house, "AAPL") == {"2012-11-30": None}
    assert house.rows(PriceRevision) == []


def test_evening_that_says_the_same_takes_the_flag_off(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    refresh(house, "2012-11-30 16:00")

    summary = house.at("2012-11-30 16:31").run()

    assert item(summary, "AAPL").outcome == "stored"
    assert (flags(house, "AAPL"), house.rows(PriceRevision)) == ({"2012-11-30": None}, [])
    house.at("2012-12-03 16:31").run()
    house.sweep("AAPL")
    assert house.states("AAPL") == {"2012-11-30": "settled", "2012-12-03": "provisional"}


def test_correction_after_the_evening_is_a_revision_again(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    refresh(house, "2012-11-30 15:45")
    house.at("2012-11-30 16:31").run()
    with house.context.database.write() as connection:
        connection.execute(update(PriceHistory).values(close=Decimal("585.00")))

    house.at("2012-12-03 16:31").run()

    [revision] = house.rows(PriceRevision)
    assert (str(revision.date), plain(revision.old_close), plain(revision.new_close)) == (
        "2012-11-30",
        "585.00",
        "585.28",
    )


def test_bar_of_the_day_does_not_count_as_its_close(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    refresh(house, "2012-11-30 15:45")
    house.market.misbehave("AAPL", "not_found", endpoint="chart")

    summary = house.at("2012-11-30 16:31").run()

    assert summary.message == "0 of 1 expected closes up to 2012-11-30 stored, 1 symbol_unknown"


def test_late_run_leaves_the_evenings_bar_alone(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    house.at("2012-11-30 16:31").run()
    before = everything(house.context.database.engine)["price_history"]

    summary = refresh(house, "2012-11-30 16:40", fire_time=new_york("2012-11-30 15:45"))

    assert item(summary, "AAPL").message == "the session's own bar is stored already"
    assert everything(house.context.database.engine)["price_history"] == before


# --- When the exchange is closed.


@pytest.mark.parametrize(
    ("now", "message"),
    [
        ("2012-11-30 09:29", "XNYS is closed until 2012-11-30 09:30 EST"),
        ("2012-11-30 16:01", "XNYS is closed until 2012-12-03 09:30 EST"),
        ("2012-12-01 12:00", "XNYS is closed until 2012-12-03 09:30 EST"),
        ("2012-11-23 13:01", "XNYS is closed until 2012-11-26 09:30 EST"),
        ("2012-10-29 11:00", "XNYS is closed until 2012-10-31 09:30 EDT"),
    ],
)
def test_out_of_session_it_does_nothing_and_says_until_when(house: House, now: str, message: str) -> None:
    house.at(now)
    house.command("watch", "AAPL")

    summary = refresh(house, now)

    assert (summary.status, summary.message, summary.items) == (RunStatus.SUCCESS, message, ())
    assert (house.charts(), house.rows(PriceHistory, order="date")) == ([], [])


def test_half_day_is_over_at_one(house: House) -> None:
    buy(house, "AAPL", "2012-11-23 09:45")

    assert refresh(house, "2012-11-23 13:00").message == "1 of 1 prices of 2012-11-23 13:00 EST stored"

    assert minute_count(house) == 210
    assert day(house, "AAPL", "2012-11-23") == ("567.17", "572.00", "562.60", "571.50", "9743800", "provisional")


def test_missed_minutes_of_the_day_before_are_asked_for_too(house: House) -> None:
    house.at("2012-11-29 11:00").command("watch", "AAPL")
    refresh(house, "2012-11-29 11:00")
    questions(house)

    refresh(house, "2012-11-30 09:45")

    assert questions(house) == [("AAPL", "11-29 11:00")]
    assert minute_count(house) == 390 + 16
    assert day(house, "AAPL")[0] == "586.79"


# --- Whose prices.


def test_nobody_traded_and_nothing_watched_is_said(house: House) -> None:
    summary = refresh(house, "2012-11-30 11:00")

    assert summary.status is RunStatus.SUCCESS
    assert summary.message == "no company was traded in the last 24 hours, and none is watched"


def test_order_of_25_hours_ago_is_not_recent(house: House) -> None:
    buy(house, "AAPL", "2012-11-29 10:00")
    buy(house, "IBM", "2012-11-29 11:30")

    summary = refresh(house, "2012-11-30 11:00")

    assert outcomes(summary) == {"IBM": "stored"}
    assert questions(house) == [("IBM", "11-30 09:30")]


def test_order_of_today_without_a_time_is_recent(house: House) -> None:
    house.at("2012-11-30 11:00").hold("AAPL", since="2012-11-30")

    assert outcomes(refresh(house, "2012-11-30 11:00")) == {"AAPL": "stored"}


def test_deleted_order_is_no_order(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    with house.context.database.write() as connection:
        connection.execute(update(Order).values(deleted_at=new_york("2012-11-30 10:00")))

    assert refresh(house, "2012-11-30 11:00").items == ()


def test_watched_company_is_followed_until_it_is_not(house: House) -> None:
    house.at("2012-11-30 11:00").command("watch", "IBM")
    assert outcomes(refresh(house, "2012-11-30 11:00")) == {"IBM": "stored"}

    house.command("unwatch", "IBM")

    assert refresh(house, "2012-11-30 11:15").items == ()
    assert day(house, "IBM") == ("191.75", "191.981", "191.75", "191.981", "1611016", "provisional")


def test_named_companies_are_asked_whether_or_not_they_are_traded(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    house.refresh("MSFT", on="2012-11-29")
    house.at("2012-11-30 11:00")

    summary = run_intraday_refresh(house.context, Occasion(), symbols=("MSFT", "NOPE"))

    assert outcomes(summary) == {"MSFT": "stored", "NOPE": "skipped"}
    assert item(summary, "NOPE").message == "not known here; watch it first"


def test_named_companies_of_which_none_is_known_are_skipped(house: House) -> None:
    house.at("2012-11-30 11:00")

    summary = run_intraday_refresh(house.context, Occasion(), symbols=("NOPE",))

    assert (summary.status, summary.message) == (RunStatus.SUCCESS, "none of the companies named is known here")


def test_company_of_an_exchange_without_a_calendar_never_stops_the_rest(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    house.command("watch", "VOD.L")
    fetch_sessions = calendars.fetch_sessions

    def fetch(mic: str, first: date, last: date) -> Any:
        if mic == "XLON":
            raise UsageError("XLON: there is no calendar that works")
        return fetch_sessions(mic, first, last)

    monkeypatch.setattr(calendars, "fetch_sessions", fetch)

    summary = refresh(house, "2012-11-30 11:00")

    assert summary.message == (
        "1 of 1 prices of 2012-11-30 11:00 EST stored; XLON is closed, and no later session is known"
    )


# --- A source in trouble.


def test_unknown_symbol_and_rate_limit_never_stop_the_rest(house: House) -> None:
    for symbol in ("AAPL", "IBM", "MSFT", "NOPE"):
        buy(house, symbol, "2012-11-30 09:45")
    house.market.misbehave("IBM", "rate_limited", endpoint="chart", retry_after_s=0)

    summary = refresh(house, "2012-11-30 11:00")

    assert (summary.status, summary.message) == (
        RunStatus.PARTIAL,
        "2 of 4 prices of 2012-11-30 11:00 EST stored, 1 rate_limited, 1 symbol_unknown",
    )
    assert outcomes(summary) == {"AAPL": "stored", "IBM": "failed", "MSFT": "stored", "NOPE": "failed"}
    assert item(summary, "IBM").attempt_count == 4
    kinds = {row.symbol: row.error_kind for row in house.rows(JobLogItem, order="symbol")}
    assert kinds == {"AAPL": None, "IBM": "rate_limited", "MSFT": None, "NOPE": "symbol_unknown"}
    [log] = house.rows(JobLog)
    assert (log.job_name, log.status, log.stocks_processed, log.stocks_failed) == (
        "intraday_price_refresh",
        "PARTIAL",
        4,
        2,
    )


def test_short_trouble_is_waited_out_within_the_run(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    house.market.misbehave("AAPL", "server_error", endpoint="chart", times=2)

    summary = refresh(house, "2012-11-30 11:00")

    assert (summary.status, item(summary, "AAPL").attempt_count) == (RunStatus.SUCCESS, 3)


@pytest.mark.parametrize("fault", ["garbage", "no_meta_field", "other_symbol"])
def test_quote_has_to_do_where_there_are_no_minutes(house: House, fault: str) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    house.market.misbehave("AAPL", fault, endpoint="chart")

    summary = refresh(house, "2012-11-30 11:00")

    assert summary.status is RunStatus.SUCCESS
    assert (item(summary, "AAPL").message or "").startswith("from quotes: ")
    assert day(house, "AAPL") == ("586.79", "588.28", "586.79", "588.28", "4561031", "provisional")
    assert minute_count(house) == 0


def test_source_without_minutes_is_asked_for_quotes_in_one_request(house: House) -> None:
    for symbol in ("AAPL", "IBM", "MSFT"):
        buy(house, symbol, "2012-11-30 09:45")
    provider = house.context.open_provider()
    provider.capabilities = frozenset({DAILY, QUOTES})

    summary = refresh(house, "2012-11-30 11:00")

    assert outcomes(summary) == dict.fromkeys(("AAPL", "IBM", "MSFT"), "stored")
    assert {one.message for one in summary.items} == {"from quotes: yahoo has no minutes"}
    assert [r.symbols for r in house.market.requests if r.endpoint == "quote" and r.status == 200] == [
        ("AAPL", "IBM", "MSFT")
    ]


def test_quote_and_minutes_make_one_bar(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    house.market.misbehave("AAPL", "garbage", endpoint="chart")
    refresh(house, "2012-11-30 11:00")
    house.market.behave()

    refresh(house, "2012-11-30 14:15")

    assert day(house, "AAPL") == ("586.79", "588.40", "582.68", "583.42", "8943934", "provisional")


@pytest.mark.parametrize(
    ("fault", "rule"), [("zero_bar", "not_positive"), ("high_below_low", "outside_range"), ("price_x100", "jump")]
)
def test_doubtful_answer_is_set_aside_with_its_minutes_and_asked_again(house: House, fault: str, rule: str) -> None:
    house.hold("AAPL", since="2012-11-29")
    house.at("2012-11-29 16:31").run()
    house.market.misbehave("AAPL", fault, endpoint="chart", times=1, every=fault == "high_below_low")

    summary = refresh(house, "2012-11-30 10:59:30")

    assert (summary.status, item(summary, "AAPL").error_kind) == (RunStatus.FAILED, rule)
    assert list(house.closes("AAPL")) == ["2012-11-29"]
    assert minute_count(house) == 0
    [doubtful] = house.rows(QuarantinedBar)
    assert (str(doubtful.date), doubtful.rule, doubtful.released_at) == ("2012-11-30", rule, None)

    assert refresh(house, "2012-11-30 11:00").status is RunStatus.SUCCESS

    assert day(house, "AAPL") == ("586.79", "588.28", "586.79", "588.28", "4561031", "provisional")
    [released] = house.rows(QuarantinedBar)
    assert released.released_at == new_york("2012-11-30 11:00")


def test_spike_in_one_minute_never_becomes_the_days_high(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    refresh(house, "2012-11-30 11:00")
    house.market.misbehave("AAPL", "price_x100", endpoint="chart", times=1)

    summary = refresh(house, "2012-11-30 11:15")

    assert (item(summary, "AAPL").outcome, item(summary, "AAPL").error_kind) == ("quarantined", "jump")
    assert (day(house, "AAPL")[1], minute_count(house)) == ("588.28", 91)
    assert refresh(house, "2012-11-30 11:30").status is RunStatus.SUCCESS
    assert minute_count(house) == 121


def test_other_currency_is_not_stored(house: House) -> None:
    house.hold("AAPL", since="2012-11-29")
    house.at("2012-11-29 16:31").run()
    house.market.misbehave("AAPL", "wrong_currency")

    summary = refresh(house, "2012-11-30 11:00")

    assert item(summary, "AAPL").error_kind == "wrong_currency"
    assert item(summary, "AAPL").message == "answered in EUR, but prices of AAPL are in USD; not stored"
    assert (list(house.closes("AAPL")), minute_count(house)) == (["2012-11-29"], 0)


def test_nothing_told_at_the_open_is_nothing_missing(house: House) -> None:
    buy(house, "AAPL", "2012-11-29 16:00")
    house.market.misbehave("AAPL", "empty", endpoint="chart")

    early = refresh(house, "2012-11-30 09:45")
    later = refresh(house, "2012-11-30 10:15")

    assert (early.status, item(early, "AAPL").message) == (RunStatus.SUCCESS, "no price of 2012-11-30 was told yet")
    assert (later.status, item(later, "AAPL").outcome) == (RunStatus.FAILED, "missing")


def test_cancelled_run_stops(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    house.at("2012-11-30 11:00")
    stopped: list[str] = []

    def cancel(symbol: str) -> None:
        stopped.append(symbol)
        raise KeyboardInterrupt

    watched = replace(house.context, progress=replace(house.context.progress, asked=cancel))
    with pytest.raises(KeyboardInterrupt):
        update_intraday_prices(watched)

    assert stopped == ["AAPL"]
    [log] = house.rows(JobLog)
    assert (log.status, log.ended_by) == ("FAILED", "cancelled")


# --- The job, retention, and commands.


def test_scheduler_runs_the_job_by_its_name(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    house.at("2012-11-30 11:00")
    job = jobs_of(house.settings)["intraday_price_refresh"]

    summary = job.load()(house.context, Occasion(trigger="schedule", fire_time=new_york("2012-11-30 11:00")))

    assert job.schedule.words == "every 15 min from open to close of each session"
    assert (job.catch_up.words, job.overlap, job.arguments) == ("none", "skip", ("symbols",))
    assert (summary.job_name, summary.status) == ("intraday_price_refresh", RunStatus.SUCCESS)


def test_settings_say_how_often() -> None:
    job = jobs_of(Settings(intraday_every_minutes=5))["intraday_price_refresh"]
    assert job.schedule.words == "every 5 min from open to close of each session"


def test_old_minutes_are_removed_and_young_ones_stay(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    refresh(house, "2012-11-30 11:00")
    company_id = house.company("AAPL").id
    row = {name: Decimal(1) for name in ("open", "high", "low", "close")}
    begin = new_york("2012-10-31 10:59")
    row |= {"company_id": company_id, "volume": 1, "provider": "yahoo", "fetched_at": begin}
    with house.context.database.write() as connection:
        connection.execute(insert(MinuteBar), [{**row, "at": begin - timedelta(minutes=n)} for n in range(2500)])

    summary = run_log_retention(house.context, Occasion())

    assert summary.message == "0 old runs, 0 old due times and 2500 old minutes removed"
    assert minute_count(house) == 91


def test_command_tells_and_exits_with_the_outcome(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    buy(house, "NOPE", "2012-11-30 09:45")
    house.at("2012-11-30 11:00")

    result = house.command("run-intraday-refresh")

    assert result.exit_code == 3
    assert "PARTIAL: 1 of 2 prices of 2012-11-30 11:00 EST stored, 1 symbol_unknown\n" in result.stdout
    assert result.stderr.startswith("NOPE: Yahoo does not know this symbol")


def test_dry_run_prints_the_questions_and_asks_none(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    house.at("2012-11-30 11:00")

    result = house.command("run-intraday-refresh", "--dry-run")
    as_json = json.loads(house.command("run-intraday-refresh", "--dry-run", "--format", "json").stdout)

    assert result.stdout == "AAPL  minutes from 2012-11-30 09:30 EST\nwould send 1 request\n"
    assert as_json == [{"symbol": "AAPL", "since": "2012-11-30T14:30:00+00:00"}]
    assert (house.charts(), house.rows(JobLog)) == ([], [])


def test_no_wait_leaves_a_request(house: House) -> None:
    result = house.command("run-intraday-refresh", "--no-wait", "--symbols", "AAPL", "--format", "json")

    assert (result.exit_code, list(json.loads(result.stdout))) == (0, ["request_id"])


def test_out_of_session_the_command_says_why_and_exits_0(house: House) -> None:
    result = house.at("2012-12-01 12:00").command("run-intraday-refresh")

    assert result.exit_code == 0
    assert result.stdout.startswith(
        "SUCCESS: no company was traded in the last 24 hours, and none is watched; "
        "XNYS is closed until 2012-12-03 09:30 EST\n"
    )


def test_watching_by_command(house: House) -> None:
    assert house.command("watch").stdout == "no company is watched\n"

    assert house.command("watch", "aapl,ibm", "MSFT").stdout == "AAPL: watched\nIBM: watched\nMSFT: watched\n"
    assert house.command("watch", "AAPL").stdout == "AAPL: watched already\n"
    assert house.command("unwatch", "AAPL", "FB").stdout == "AAPL: no longer watched\nFB: was not watched\n"

    listed = json.loads(house.command("watch", "--format", "json").stdout)
    assert [(row["symbol"], row["mic"], row["watched_at"]) for row in listed] == [
        ("IBM", "XNYS", "2012-11-30T21:31:00+00:00"),
        ("MSFT", "XNYS", "2012-11-30T21:31:00+00:00"),
    ]


def test_symbol_of_no_known_exchange_cannot_be_watched(house: House) -> None:
    result = house.command("watch", "AAPL", "X.NOWHERE")

    assert (result.exit_code, result.stderr) == (
        2,
        "error: X.NOWHERE: no exchange is known for the suffix .NOWHERE\n",
    )
    assert house.command("watch").stdout == "no company is watched\n"


def test_price_of_before_the_close_cannot_be_accepted_as_the_close(house: House) -> None:
    buy(house, "AAPL", "2012-11-30 09:45")
    house.market.misbehave("AAPL", "zero_bar", endpoint="chart", date="2012-11-30")
    refresh(house, "2012-11-30 16:00:07", fire_time=new_york("2012-11-30 16:00"))
    # The day's last minute has zeros; as if they were prices that a market can have.
    table = table_of(QuarantinedBar)
    house.context.database.write_unit(lambda c: c.execute(table.update().values(open=1, high=1, low=1, close=1)))
    [kept] = house.rows(QuarantinedBar)

    result = house.at("2012-11-30 17:00").command("quarantine", "accept", str(kept.id), "--why", "a try")

    assert (result.exit_code, result.stderr) == (
        2,
        "error: 2012-11-30: this price is from before the close and cannot be accepted as one; reject it, "
        "and the next run asks for the close\n",
    )
    assert house.rows(PriceHistory, order="date") == []
    assert [row.released_at for row in house.rows(QuarantinedBar)] == [None]
