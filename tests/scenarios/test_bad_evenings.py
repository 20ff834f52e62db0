"""Evenings on which the source is wrong, late, short or silent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
import structlog
from structlog.testing import capture_logs

from closingbell.domain.runs import RunStatus
from closingbell.models import (
    CorporateActionRow,
    JobLog,
    JobLogItem,
    PriceCoverage,
    PriceGap,
    PriceHistory,
    PriceRevision,
    QuarantinedBar,
)
from closingbell.replay import RecordedMarket
from closingbell.utils.retry_helper import RETRY_SCHEDULED
from tests.app_fixtures import SYMBOLS, House, everything, item, new_york, outcomes, recorded_rows

PRICES = ("price_history", "price_revision", "quarantined_bar", "price_coverage", "corporate_action")


def stored(house: House) -> dict[str, list[tuple[object, ...]]]:
    """All price tables."""
    found = everything(house.context.database.engine)
    return {name: found[name] for name in PRICES}


# --- A symbol that fails never stops the rest.


def test_unknown_symbol_is_named_and_the_others_are_stored(house: House) -> None:
    house.hold("AAPL", "IBM", "NOPE", since="2012-11-29")

    summary = house.run()

    assert summary.status is RunStatus.PARTIAL
    assert summary.message == "4 of 6 expected closes up to 2012-11-30 stored, 1 symbol_unknown"
    assert outcomes(summary) == {"AAPL": "stored", "IBM": "stored", "NOPE": "failed"}
    [log] = house.rows(JobLog)
    assert (log.status, log.stocks_processed, log.stocks_failed) == ("PARTIAL", 3, 1)
    assert log.error_message == (
        "NOPE: Yahoo does not know this symbol (HTTP 404: No data found, symbol may be delisted)"
    )
    [bad] = [row for row in house.rows(JobLogItem, order="symbol") if row.symbol == "NOPE"]
    assert (bad.outcome, bad.error_kind, bad.attempt_count) == ("failed", "symbol_unknown", 1)
    assert (bad.expected_count, bad.covered_count) == (2, 0)


def test_what_is_logged_of_a_request_names_its_run_job_and_symbol(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-11-29")
    house.market.misbehave("IBM", "server_error", endpoint="chart")

    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        house.run()

    [log] = house.rows(JobLog)
    retries = [entry for entry in logs if entry["event"] == RETRY_SCHEDULED]
    assert len(retries) == 3
    assert {(entry["run_id"], entry["job"], entry["symbol"]) for entry in retries} == {
        (log.id, "daily_price_update", "IBM")
    }


def test_run_that_gets_nothing_is_failed(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-11-29")
    house.market.misbehave("*", "server_error", endpoint="chart")

    summary = house.run()

    assert summary.status is RunStatus.FAILED
    assert summary.message == "0 of 4 expected closes up to 2012-11-30 stored, 2 source_down"
    [log] = house.rows(JobLog)
    assert (log.stocks_processed, log.stocks_failed) == (2, 2)
    # After five failures in a row Yahoo is left alone: the other company's last tries are not sent.
    told = sorted(log.error_message.replace(", and is not asked before its next trial", "").split("; "))
    assert told == ["AAPL: Yahoo is down (HTTP 500)", "IBM: Yahoo is down (HTTP 500)"]
    assert len(house.charts()) in {5, 6}
    assert house.rows(PriceHistory, order="date") == []


def test_many_failures_are_counted_after_the_tenth(
    tables_url: str, houses: Callable[..., House], no_waits: None, market: RecordedMarket
) -> None:
    house = houses(tables_url, "2012-11-30 16:31", market=market.with_clones(12))
    house.hold("AAPL", *(f"C{number:05}" for number in range(1, 13)), since="2012-11-30")
    for number in range(1, 13):
        house.market.misbehave(f"C{number:05}", "not_found")

    house.run()

    [log] = house.rows(JobLog)
    assert (log.status, log.stocks_failed) == ("PARTIAL", 12)
    named = log.error_message.split("; ")
    assert len(named) == 11
    assert named[-1] == "and 2 more"


def test_symbol_that_hangs_is_given_up_at_its_deadline(
    tables_url: str, houses: Callable[..., House], no_waits: None
) -> None:
    house = houses(tables_url, "2012-11-30 16:31", yahoo_timeout_s=0.3)
    house.hold("AAPL", "IBM", since="2012-11-29")
    house.market.misbehave("AAPL", "hang", endpoint="chart")

    summary = house.run()

    assert summary.message == "2 of 4 expected closes up to 2012-11-30 stored, 1 deadline_exceeded"
    assert (item(summary, "AAPL").attempt_count, item(summary, "IBM").outcome) == (4, "stored")


@pytest.mark.parametrize("fault", ["server_error", "html_page", "truncated_body", "rate_limited"])
def test_short_trouble_is_waited_out_within_the_run(house: House, fault: str) -> None:
    house.hold("AAPL", "IBM", since="2012-11-29")
    house.market.misbehave("AAPL", fault, endpoint="chart", times=2)

    summary = house.run()

    assert summary.status is RunStatus.SUCCESS
    assert item(summary, "AAPL").attempt_count == 3
    assert item(summary, "IBM").attempt_count == 1


def test_failed_evening_is_made_good_the_next_day(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-11-29")
    house.market.misbehave("AAPL", "garbage", endpoint="chart")
    assert house.run().status is RunStatus.PARTIAL
    assert house.company("AAPL").last_updated is None
    house.market.behave()

    summary = house.at("2012-12-03 16:31").run()

    assert summary.status is RunStatus.SUCCESS
    assert house.closes("AAPL") == {"2012-11-29": "589.36", "2012-11-30": "585.28", "2012-12-03": "586.19"}


@pytest.mark.parametrize("fault", ["not_found", "garbage", "other_symbol", "no_meta_field"])
def test_failure_leaves_what_is_stored_alone(house: House, fault: str) -> None:
    house.hold("AAPL", since="2012-11-26")
    house.run()
    before = stored(house)
    house.market.misbehave("AAPL", fault, endpoint="chart")

    summary = house.refresh("AAPL", force=True)

    assert item(summary, "AAPL").outcome == "failed"
    assert stored(house) == before


# --- Jumps: wrong until an answer repeats them.


def test_real_crash_in_old_history_is_stored_and_flagged(house: House) -> None:
    house.hold("AAPL", since="2000-09-25")

    summary = house.run()

    assert summary.status is RunStatus.SUCCESS
    flags = {str(bar.date): bar.flag for bar in house.bars("AAPL") if bar.flag}
    assert flags == {"2000-09-29": "jump"}
    assert house.closes("AAPL")["2000-09-28"] == "53.50"
    assert house.closes("AAPL")["2000-09-29"] == "25.75"
    assert house.rows(QuarantinedBar) == []


def test_real_crash_is_set_aside_on_its_evening_and_released_by_the_next_answer(house: House) -> None:
    house.at("2000-09-29 16:31").hold("AAPL", "IBM", since="2000-09-27")

    first = house.run()

    assert first.status is RunStatus.PARTIAL
    assert item(first, "AAPL").outcome == "quarantined"
    assert item(first, "AAPL").message == (
        "2000-09-29: the close jumped like a split or by more than half, and no split is known"
    )
    assert house.closes("AAPL") == {"2000-09-27": "48.94", "2000-09-28": "53.50"}
    [kept] = house.rows(QuarantinedBar)
    assert (str(kept.date), kept.rule, str(kept.close.normalize())) == ("2000-09-29", "jump", "25.75")
    assert (kept.first_seen_at, kept.released_at) == (new_york("2000-09-29 16:31"), None)

    second = house.at("2000-10-02 16:31").run()

    assert second.status is RunStatus.SUCCESS
    assert house.closes("AAPL") == {
        "2000-09-27": "48.94",
        "2000-09-28": "53.50",
        "2000-09-29": "25.75",
        "2000-10-02": "24.25",
    }
    assert [bar.flag for bar in house.bars("AAPL")] == [None, None, "jump", None]
    [released] = house.rows(QuarantinedBar)
    assert (released.released_at, released.note) == (new_york("2000-10-02 16:31"), "a later answer was stored")
    assert house.rows(PriceRevision) == []


def test_price_a_hundred_times_too_high_is_set_aside_and_replaced(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-11-28")
    house.market.misbehave("AAPL", "price_x100", endpoint="chart")

    first = house.run()

    assert first.status is RunStatus.PARTIAL
    assert (item(first, "AAPL").error_kind, item(first, "AAPL").quarantined_count) == ("jump", 1)
    assert house.closes("AAPL") == {"2012-11-28": "582.94", "2012-11-29": "589.36"}
    house.market.behave()

    second = house.at("2012-12-03 16:31").run()

    assert second.status is RunStatus.SUCCESS
    assert house.closes("AAPL") == {
        "2012-11-28": "582.94",
        "2012-11-29": "589.36",
        "2012-11-30": "585.28",
        "2012-12-03": "586.19",
    }
    assert [bar.flag for bar in house.bars("AAPL")] == [None, None, None, None]
    assert [row.released_at for row in house.rows(QuarantinedBar)] == [new_york("2012-12-03 16:31")]


def test_wrong_price_never_replaces_a_stored_one(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")
    house.run()
    house.market.misbehave("AAPL", "price_x100", endpoint="chart")

    house.at("2012-11-30 17:00").run()

    assert house.closes("AAPL")["2012-11-30"] == "585.28"
    assert house.rows(PriceRevision) == []


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("zero_bar", "not_positive"),
        ("negative_volume", "negative_volume"),
        ("high_below_low", "outside_range"),
        ("price_div100", "jump"),
    ],
)
def test_impossible_bar_is_set_aside_with_its_rule(house: House, fault: str, rule: str) -> None:
    house.hold("AAPL", "IBM", since="2012-11-28")
    house.market.misbehave("AAPL", fault, endpoint="chart")

    summary = house.run()

    assert summary.status is RunStatus.PARTIAL
    assert list(house.closes("AAPL")) == ["2012-11-28", "2012-11-29"]
    assert [(str(row.date), row.rule) for row in house.rows(QuarantinedBar)] == [("2012-11-30", rule)]


def test_impossible_bar_seen_twice_is_one_row(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")
    house.market.misbehave("AAPL", "zero_bar", endpoint="chart")
    house.run()

    house.at("2012-11-30 18:00").run()

    [kept] = house.rows(QuarantinedBar)
    assert (kept.first_seen_at, kept.last_seen_at) == (new_york("2012-11-30 16:31"), new_york("2012-11-30 18:00"))


def test_bar_of_tomorrow_is_never_stored(house: House) -> None:
    house.at("2012-11-29 16:31").hold("AAPL", since="2012-11-28")
    house.market.misbehave("AAPL", "future_bar", endpoint="chart")

    house.run()

    assert list(house.closes("AAPL")) == ["2012-11-28", "2012-11-29"]


# --- Currency.


def test_answer_in_another_currency_is_stored_nowhere(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-11-29")
    house.at("2012-11-29 16:31").run()
    before = [row for row in stored(house)["price_history"] if row[0] == house.company("AAPL").id]
    house.market.misbehave("AAPL", "wrong_currency")

    summary = house.at("2012-11-30 16:31").run()

    assert summary.status is RunStatus.PARTIAL
    apple = item(summary, "AAPL")
    assert (apple.outcome, apple.error_kind) == ("quarantined", "wrong_currency")
    assert apple.message == "answered in EUR, but prices of AAPL are in USD; not stored"
    assert [row for row in stored(house)["price_history"] if row[0] == house.company("AAPL").id] == before
    assert house.company("AAPL").currency == "USD"
    assert house.company("AAPL").last_updated == new_york("2012-11-29 16:31")


def test_first_answer_in_a_wrong_currency_is_not_believed(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-11-29")
    house.market.misbehave("AAPL", "wrong_currency", endpoint="chart")

    summary = house.run()

    apple = item(summary, "AAPL")
    assert (apple.outcome, apple.error_kind) == ("quarantined", "wrong_currency")
    assert apple.message == ("answered in EUR, but XNYS quotes in USD, and no order of AAPL is in EUR; not stored")
    assert (house.company("AAPL").currency, house.bars("AAPL")) == (None, [])
    house.market.behave()
    assert house.run().message == "3 of 3 expected closes up to 2012-11-30 stored; 1 quote request, 1 chart"
    assert house.company("AAPL").currency == "USD"


def test_first_answer_in_the_currency_of_an_order_is_believed(house: House) -> None:
    house.orders("2012-11-29,BUY,AAPL,10,450.00,0,EUR")
    house.market.misbehave("AAPL", "wrong_currency", endpoint="chart")

    assert item(house.run(), "AAPL").outcome == "stored"
    assert house.company("AAPL").currency == "EUR"


# --- Changes of what is stored.


def test_changed_bar_leaves_a_revision_with_both_values_and_times(house: House) -> None:
    house.hold("AAPL", since="2012-11-29")
    house.market.misbehave("AAPL", "stale", endpoint="chart")
    house.run()
    assert house.closes("AAPL")["2012-11-30"] == "589.36"
    house.market.behave()

    summary = house.at("2012-12-03 16:31").run()

    assert item(summary, "AAPL").changed_count == 1
    assert house.closes("AAPL")["2012-11-30"] == "585.28"
    assert house.states("AAPL")["2012-11-30"] == "settled"
    [revision] = house.rows(PriceRevision)
    assert str(revision.date) == "2012-11-30"
    assert (str(revision.old_close.normalize()), revision.old_volume) == ("589.36", 0)
    assert (str(revision.new_close.normalize()), revision.new_volume) == ("585.28", 13975700)
    assert (revision.old_provider, revision.new_provider) == ("yahoo", "yahoo")
    assert revision.old_fetched_at == new_york("2012-11-30 16:31")
    assert revision.new_fetched_at == new_york("2012-12-03 16:31")
    changed = house.bars("AAPL")[1]
    assert changed.fetched_at == new_york("2012-12-03 16:31")


def test_settled_bar_changes_only_when_it_is_asked_for_by_force(house: House) -> None:
    house.hold("AAPL", since="2012-11-26")
    house.run()
    house.market.misbehave("AAPL", "stale", endpoint="chart")

    house.at("2012-12-03 16:31").refresh("AAPL", on="2012-12-03")
    house.refresh("AAPL", on="2012-11-28")
    assert house.rows(PriceRevision) == []
    house.market.behave()
    house.refresh("AAPL", on="2012-12-03", force=True)

    assert [str(row.date) for row in house.rows(PriceRevision)] == ["2012-12-03"]


# --- Splits.


def test_split_between_two_runs_changes_no_stored_bar(house: House) -> None:
    house.at("2005-02-25 16:31").hold("AAPL", since="2005-02-22")
    house.run()
    before = stored(house)["price_history"]

    summary = house.at("2005-02-28 16:31").run()

    assert summary.status is RunStatus.SUCCESS
    assert house.closes("AAPL") == {
        "2005-02-22": "85.29",
        "2005-02-23": "88.23",
        "2005-02-24": "88.93",
        "2005-02-25": "88.99",
        "2005-02-28": "44.86",
    }
    # All that changed of the four bars: the newest of them settled.
    after = [tuple(row) for row in stored(house)["price_history"][:4]]
    assert [row[:7] + row[8:] for row in after] == [row[:7] + row[8:] for row in before]
    assert house.rows(PriceRevision) == []
    assert [bar.flag for bar in house.bars("AAPL")] == [None] * 5
    assert [(row.kind, str(row.ex_date), row.numerator, row.denominator) for row in house.rows(CorporateActionRow)] == [
        ("SPLIT", "2005-02-28", 2, 1)
    ]


def test_asking_for_everything_again_after_a_split_changes_nothing(house: House) -> None:
    house.at("2005-02-25 16:31").hold("AAPL", since="2004-12-01")
    house.run()
    before = {day: (bar.close, bar.volume) for day, bar in zip(house.closes("AAPL"), house.bars("AAPL"), strict=True)}

    summary = house.at("2005-03-01 16:31").refresh("AAPL", force=True)

    assert item(summary, "AAPL").changed_count == 0
    assert house.rows(PriceRevision) == []
    after = {day: (bar.close, bar.volume) for day, bar in zip(house.closes("AAPL"), house.bars("AAPL"), strict=True)}
    assert {day: after[day] for day in before} == before
    assert len(after) == len(before) + 2


def test_split_that_the_source_learns_a_day_late(house: House) -> None:
    house.at("2005-02-25 16:31").hold("AAPL", since="2005-02-24")
    house.run()
    house.market.misbehave("AAPL", "unsplit", endpoint="chart")

    late = house.at("2005-02-28 16:31").run()

    assert (late.status, item(late, "AAPL").error_kind) == (RunStatus.PARTIAL, "jump")
    assert house.closes("AAPL") == {"2005-02-24": "88.93", "2005-02-25": "88.99"}
    house.market.behave()

    assert house.at("2005-03-01 16:31").run().status is RunStatus.SUCCESS
    assert house.closes("AAPL") == {
        "2005-02-24": "88.93",
        "2005-02-25": "88.99",
        "2005-02-28": "44.86",
        "2005-03-01": "44.50",
    }
    assert house.rows(PriceRevision) == []
    assert [row.released_at for row in house.rows(QuarantinedBar)] == [new_york("2005-03-01 16:31")]


def test_shares_sold_across_a_split_end_the_position(house: House) -> None:
    house.at("2005-02-28 16:31").hold("AAPL", "IBM", since="2005-02-24")
    house.run()
    house.at("2005-03-01 16:31").orders("2005-03-01,SELL,AAPL,20,44.50,0,USD")

    assert outcomes(house.run()) == {"IBM": "stored"}


def test_shares_left_after_a_split_keep_the_company(house: House) -> None:
    house.at("2005-02-28 16:31").hold("AAPL", since="2005-02-24")
    house.run()
    house.at("2005-03-01 16:31").orders("2005-03-01,SELL,AAPL,10,44.50,0,USD")

    assert outcomes(house.run()) == {"AAPL": "stored"}


# --- Short, empty and missing.


@pytest.mark.parametrize("fault", ["empty", "short"])
def test_short_or_empty_answer_deletes_nothing(house: House, fault: str) -> None:
    house.hold("AAPL", since="2012-11-20")
    house.run()
    before = stored(house)
    house.market.misbehave("AAPL", fault, endpoint="chart")

    house.at("2012-11-30 17:00").refresh("AAPL", force=True)

    assert stored(house) == before
    assert house.rows(PriceGap, order="date") == []


def test_empty_answer_for_a_new_company_is_missing_not_a_gap(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-11-01")
    house.market.misbehave("AAPL", "empty", endpoint="chart")

    summary = house.run()

    assert summary.status is RunStatus.PARTIAL
    assert item(summary, "AAPL").outcome == "missing"
    assert house.rows(PriceGap, order="date") == []
    house.market.behave()
    assert house.run().status is RunStatus.SUCCESS
    assert len(house.closes("AAPL")) == 21


@pytest.mark.parametrize("fault", ["null_bar", "null_close", "missing_bar"])
def test_bar_that_is_not_there_tonight_is_filled_the_next_day(house: House, fault: str) -> None:
    house.hold("AAPL", "IBM", since="2012-11-29")
    house.market.misbehave("AAPL", fault, endpoint="chart")

    tonight = house.run()

    assert tonight.status is RunStatus.PARTIAL
    assert tonight.message == "3 of 4 expected closes up to 2012-11-30 stored, 1 missing"
    assert item(tonight, "AAPL").message == "2012-11-30: the provider has no bar yet"
    assert list(house.closes("AAPL")) == ["2012-11-29"]
    assert house.rows(PriceGap, order="date") == []
    house.market.behave()

    assert house.at("2012-12-03 16:31").run().status is RunStatus.SUCCESS
    assert list(house.closes("AAPL")) == ["2012-11-29", "2012-11-30", "2012-12-03"]


def test_sessions_before_the_first_trade_are_not_expected(house: House) -> None:
    house.hold("FB", since="2012-05-16")

    summary = house.run()

    assert summary.status is RunStatus.SUCCESS
    assert min(house.closes("FB")) == "2012-05-18"
    gaps = [(str(gap.date), gap.reason, gap.next_ask_at) for gap in house.rows(PriceGap, order="date")]
    assert gaps == [
        ("2012-05-16", "before the first trade on 2012-05-18", None),
        ("2012-05-17", "before the first trade on 2012-05-18", None),
    ]
    again = house.at("2013-02-15 16:31").run()
    assert (again.status, len(house.rows(PriceGap, order="date"))) == (RunStatus.SUCCESS, 2)


def test_old_missing_bar_becomes_a_gap_and_is_asked_for_after_its_wait(house: House) -> None:
    house.hold("AAPL", since="2012-11-01")
    house.market.misbehave("AAPL", "missing_bar", endpoint="chart", date="2012-11-05")

    first = house.run()

    assert (first.status, first.covered_count, first.expected_count) == (RunStatus.PARTIAL, 20, 21)
    [gap] = house.rows(PriceGap, order="date")
    assert (str(gap.date), gap.reason, gap.asked_count) == ("2012-11-05", "yahoo has no bar for this session", 1)
    assert gap.last_asked_at == new_york("2012-11-30 16:31")
    assert gap.next_ask_at - gap.last_asked_at == timedelta(days=1)

    soon = house.at("2012-11-30 18:00").run()
    assert (soon.status, soon.expected_count) == (RunStatus.SUCCESS, 1)

    later = house.at("2012-12-03 16:31").run()
    assert (later.status, later.covered_count, later.expected_count) == (RunStatus.SUCCESS, 2, 2)
    [gap] = house.rows(PriceGap, order="date")
    assert gap.asked_count == 2
    assert gap.next_ask_at - gap.last_asked_at == timedelta(days=2)

    house.market.behave()
    filled = house.at("2012-12-05 16:31").run()
    assert filled.status is RunStatus.SUCCESS
    assert house.closes("AAPL")["2012-11-05"] == "584.6211"
    assert house.rows(PriceGap, order="date") == []


def test_gap_does_not_keep_later_bars_from_settling(house: House) -> None:
    house.hold("AAPL", since="2012-11-01")
    house.market.misbehave("AAPL", "missing_bar", endpoint="chart", date="2012-11-05")

    house.run()

    [coverage] = house.rows(PriceCoverage, order="company_id")
    assert (str(coverage.covered_from), str(coverage.settled_until)) == ("2012-11-01", "2012-11-29")


def test_lost_coverage_is_rebuilt_from_the_bars(house: House) -> None:
    house.hold("AAPL", since="2012-11-01")
    house.run()
    with house.context.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM price_coverage")

    house.at("2012-12-03 16:31").run()
    house.sweep("AAPL")

    [coverage] = house.rows(PriceCoverage, order="company_id")
    assert (str(coverage.covered_from), str(coverage.settled_until)) == ("2012-11-01", "2012-11-30")


# --- All of it together.


def test_quarter_of_good_and_bad_evenings_ends_as_the_file_has_it(house: House) -> None:
    faults = ["server_error", "null_bar", "empty", "short", "price_x100", "stale", "garbage", "missing_bar"]
    house.at("2012-09-04 16:31").hold(*SYMBOLS, since="2012-09-04")
    evenings = [row.date for row in recorded_rows("AAPL") if "2012-09-04" <= row.date <= "2012-11-30"]
    for number, day in enumerate(evenings):
        if number % 3 == 1:
            house.market.misbehave(SYMBOLS[number % 5], faults[number % 8], endpoint="chart")
        house.at(f"{day} 16:31").run()
        house.market.behave()

    house.at("2012-12-03 16:31").run()

    for symbol in SYMBOLS:
        recorded = {row.date: Decimal(row.close) for row in recorded_rows(symbol) if row.date >= "2012-09-04"}
        stored_closes = {str(bar.date): bar.close for bar in house.bars(symbol)}
        assert stored_closes == {day: close for day, close in recorded.items() if day <= "2012-12-03"}
    assert {row.status for row in house.rows(JobLog)} == {"SUCCESS", "PARTIAL"}
