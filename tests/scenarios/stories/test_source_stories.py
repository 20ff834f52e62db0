"""Stories of a source that is down, late, short, limited or wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from closingbell.domain.runs import RunStatus
from closingbell.jobs.context import EXTENSION, Progress
from closingbell.jobs.price_updater import update_daily_prices
from closingbell.models import CorporateActionRow, JobLog, PriceGap, PriceRevision, QuarantinedBar
from closingbell.replay import RecordedMarket
from tests.app_fixtures import SYMBOLS, House, everything, item
from tests.scenarios.stories.telling import last_item, recorded, require_recorded, run_log, stored, told


def test_source_is_down_for_three_sessions_and_back(house: House) -> None:
    """Five companies are held. From Tuesday to Thursday every request fails; on Friday the source is back.

    Nothing is lost meanwhile, Root is told once, is told when it is over, and one run on Friday brings all of it.
    """
    house.at("2012-11-12 16:31").hold(*SYMBOLS, since="2012-11-07")
    assert house.run().status is RunStatus.SUCCESS

    house.market.misbehave("*", "server_error")
    for day in ("2012-11-13", "2012-11-14", "2012-11-15"):
        assert house.at(f"{day} 16:31").run().status is not RunStatus.SUCCESS
        require_recorded(house, *SYMBOLS, since="2012-11-07", until="2012-11-12")
    assert last_item(house, "AAPL")[:2] == ("failed", "source_down")

    house.market.behave()
    house.market.clear_log()
    friday = house.at("2012-11-16 16:31").run()

    assert friday.status is RunStatus.SUCCESS
    # One request a company for all that was missed.
    assert sorted(record.symbols for record in house.market.requests if record.endpoint == "chart") == [
        (symbol,) for symbol in SYMBOLS
    ]
    require_recorded(house, *SYMBOLS, since="2012-11-07", until="2012-11-16")
    lines = run_log(house)
    # Monday's provisional bar is there and counts; of every later session nothing is.
    assert lines[1:4] == [
        "PARTIAL: 5 of 10 expected closes up to 2012-11-13 stored, 5 source_down",
        "PARTIAL: 5 of 15 expected closes up to 2012-11-14 stored, 5 source_down",
        "PARTIAL: 5 of 20 expected closes up to 2012-11-15 stored, 5 source_down",
    ]
    assert lines[4].startswith("SUCCESS: 25 of 25 expected closes up to 2012-11-16 stored")
    assert told(house) == [
        "daily_price_update partly failed: source_down",
        "Still: daily_price_update partly failed: source_down",
        "Still: daily_price_update partly failed: source_down",
        "daily_price_update works again",
    ]
    assert (house.rows(PriceRevision), house.rows(QuarantinedBar)) == ([], [])
    assert house.command("coverage").exit_code == 0


def test_null_bar_of_the_evening_is_filled_the_next_day(house: House) -> None:
    """At 16:30 on Friday the source has a row for Apple and no values in it; on Monday they are there."""
    house.at("2012-11-29 16:31").hold("AAPL", "IBM", since="2012-11-26")
    house.run()
    house.market.misbehave("AAPL", "null_bar", date="2012-11-30")

    friday = house.at("2012-11-30 16:31").run()

    assert friday.status is RunStatus.PARTIAL
    assert last_item(house, "AAPL") == ("missing", "missing", "2012-11-30: the provider has no bar yet")
    assert house.command("coverage").exit_code == 1
    require_recorded(house, "AAPL", since="2012-11-26", until="2012-11-29")
    require_recorded(house, "IBM", since="2012-11-26", until="2012-11-30")

    house.market.behave()
    assert house.at("2012-12-03 16:31").run().status is RunStatus.SUCCESS

    require_recorded(house, "AAPL", "IBM", since="2012-11-26", until="2012-12-03")
    assert house.rows(PriceGap, order="date") == []
    assert [line.split(": ")[0] for line in run_log(house)] == ["SUCCESS", "PARTIAL", "SUCCESS"]
    assert told(house) == ["daily_price_update partly failed: missing", "daily_price_update works again"]
    assert house.command("coverage").exit_code == 0


def test_rate_limit_in_the_middle_of_five_hundred_symbols(
    house: House, houses: Callable[..., House], market: RecordedMarket
) -> None:
    """500 companies are new. After half of them the source wants fewer requests, for twenty minutes.

    What came is kept, the others are not asked for in vain, people see until when; the next run does the rest.
    """
    clones = [f"C{number:05}" for number in range(1, 501)]
    crowd = houses(house.url, "2012-11-30 16:31", market=market.with_clones(500))
    crowd.context = replace(crowd.context, wall=crowd.clock)
    crowd.app.extensions[EXTENSION] = crowd.context
    crowd.hold(*clones, since="2012-11-28")
    ended: list[str] = []

    def limit_after_half(outcome: object) -> None:
        ended.append(str(outcome))
        if len(ended) == 200:
            crowd.market.misbehave("*", "rate_limited", retry_after_s=1200)

    watched = replace(crowd.context, progress=Progress(ended=limit_after_half))
    first = update_daily_prices(watched)

    kept = [symbol for symbol in clones if item(first, symbol).outcome == "stored"]
    limited = [symbol for symbol in clones if item(first, symbol).error_kind == "rate_limited"]
    assert (first.status, len(kept) + len(limited)) == (RunStatus.PARTIAL, 500)
    assert 200 <= len(kept) < 500
    refused = [record for record in crowd.market.requests if record.status == 429]
    assert len(refused) < 50
    assert "rate limited, again at 16:5" in crowd.command("providers").stdout
    log = crowd.rows(JobLog)[-1]
    assert log.message.startswith(
        f"{3 * len(kept)} of 1500 expected closes up to 2012-11-30 stored, {len(limited)} rate_limited"
    )
    assert log.stocks_failed == len(limited)

    # The pause is kept beside the cookies, in real time: another cache folder spares twenty minutes of it.
    later = houses(house.url, "2012-11-30 16:52", market=market.with_clones(500), cache_dir=house.folder / "later")
    second = later.run()

    assert second.status is RunStatus.SUCCESS
    charts = [record.symbols[0] for record in later.market.requests if record.endpoint == "chart"]
    assert sorted(charts) == limited
    # Clones repeat the three companies that the record has from its beginning, one after the other.
    originals = [symbol for symbol in SYMBOLS if recorded(symbol, "2000-03-01", "2000-03-01")]
    assert originals == ["AAPL", "IBM", "MSFT"]
    names = {clone: originals[number % 3] for number, clone in enumerate(clones)}
    require_recorded(later, *clones, since="2012-11-28", until="2012-11-30", under=names)


def test_short_answer_to_a_refresh_takes_nothing_away(house: House) -> None:
    """The autumn is stored. A person asks for all of it again, and the source answers with the first half, then none.

    Nothing that is stored is touched, the run says so, and the next whole answer finds nothing to change.
    """
    house.at("2012-11-30 16:31").hold("AAPL", "MSFT", since="2012-09-04")
    house.run()
    logs = ("job_log", "job_log_item", "incident", "notification")
    for fault in ("short", "empty", "missing_bar"):
        before = everything(house.context.database.engine, without=logs)["price_history"]
        house.market.misbehave("*", fault, endpoint="chart")

        summary = house.refresh(force=True)

        assert everything(house.context.database.engine, without=logs)["price_history"] == before
        assert item(summary, "AAPL").changed_count == 0
        require_recorded(house, "AAPL", "MSFT", since="2012-09-04", until="2012-11-30")
        house.market.behave()

    whole = house.refresh(force=True)

    assert (whole.status, item(whole, "AAPL").changed_count) == (RunStatus.SUCCESS, 0)
    assert whole.message.startswith("122 of 122 expected closes up to 2012-11-30 stored")
    require_recorded(house, "AAPL", "MSFT", since="2012-09-04", until="2012-11-30")
    assert (house.rows(PriceGap, order="date"), house.rows(PriceRevision)) == ([], [])
    assert house.command("coverage").exit_code == 0


def test_apples_split_with_two_days_of_answers_that_do_not_know_it(house: House) -> None:
    """Apple splits 2:1 on 2005-02-28. On that day and the next the source has neither the split nor restated prices.

    Half a price is doubted on the first evening, and taken on the second, when it still stands: it is what was traded.
    On the third day the source knows the split, and nothing that is stored changes.
    """
    house.at("2005-02-25 16:31").hold("AAPL", "IBM", since="2005-02-07")
    house.run()
    house.market.misbehave("AAPL", "unsplit")

    assert house.at("2005-02-28 16:31").run().status is RunStatus.PARTIAL
    assert last_item(house, "AAPL")[:2] == ("quarantined", "jump")
    require_recorded(house, "AAPL", since="2005-02-07", until="2005-02-25")
    require_recorded(house, "IBM", since="2005-02-07", until="2005-02-28")
    assert house.at("2005-03-01 16:31").run().status is RunStatus.SUCCESS
    require_recorded(house, "AAPL", "IBM", since="2005-02-07", until="2005-03-01")

    house.market.behave()
    assert house.at("2005-03-02 16:31").run().status is RunStatus.SUCCESS
    house.sweep("AAPL")

    require_whole_split(house)
    assert [line.split(": ")[0] for line in run_log(house)] == ["SUCCESS", "PARTIAL", "SUCCESS", "SUCCESS"]
    assert told(house) == ["daily_price_update partly failed: jump", "daily_price_update works again"]


def test_apples_split_with_two_days_of_history_in_old_shares(house: House) -> None:
    """The same split; for two days the source names it, and its history is still in the shares of before.

    Nothing that was stored is doubled, what is doubted waits, and on the third day everything is as it was traded.
    """
    house.at("2005-02-25 16:31").hold("AAPL", "IBM", since="2005-02-07")
    house.run()
    house.market.misbehave("AAPL", "not_restated")

    for day in ("2005-02-28", "2005-03-01"):
        house.at(f"{day} 16:31").run()
        house.sweep("AAPL")
        before_split = {on: bar for on, bar in stored(house, "AAPL").items() if on < "2005-02-28"}
        assert before_split == recorded("AAPL", "2005-02-07", "2005-02-25")
    assert {row.rule for row in house.rows(QuarantinedBar)} <= {"unsplit", "jump"}

    house.market.behave()
    assert house.at("2005-03-02 16:31").run().status is RunStatus.SUCCESS
    house.sweep("AAPL")

    require_whole_split(house)
    assert run_log(house)[-1].startswith("SUCCESS")


def require_whole_split(house: House) -> None:
    """All of it as traded, around the split; nothing revised, nothing waiting, no share too many."""
    require_recorded(house, "AAPL", "IBM", since="2005-02-07", until="2005-03-02")
    assert (house.closes("AAPL")["2005-02-25"], house.closes("AAPL")["2005-02-28"]) == ("88.99", "44.86")
    assert house.rows(PriceRevision) == []
    assert [row for row in house.rows(QuarantinedBar) if row.released_at is None] == []
    splits = [row for row in house.rows(CorporateActionRow) if row.numerator is not None]
    assert [(str(row.ex_date), row.numerator, row.denominator) for row in splits] == [("2005-02-28", 2, 1)]
    assert house.command("coverage").exit_code == 0
