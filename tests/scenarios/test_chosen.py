"""What a person asks for: chosen companies, one date, everything again."""

from __future__ import annotations

from datetime import date

import pytest

from closingbell.domain.runs import RunStatus, RunSummary
from closingbell.errors import ClosedDayError, UsageError
from closingbell.jobs.price_planning import Selection
from closingbell.jobs.price_updater import refresh_prices
from closingbell.models import Company, JobLog, MarketSession
from tests.app_fixtures import House, item, outcomes


def test_one_date_is_one_session_of_every_company_held(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-11-01")

    summary = house.refresh(on="2012-11-23")

    assert summary.status is RunStatus.SUCCESS
    assert summary.message == "2 of 2 expected closes up to 2012-11-30 stored"
    assert house.closes("AAPL") == {"2012-11-23": "571.50"}


def test_rest_of_the_history_follows_with_the_daily_job(house: House) -> None:
    house.hold("AAPL", since="2012-11-21")
    house.refresh(on="2012-11-27")

    summary = house.run()

    assert (summary.covered_count, summary.expected_count) == (6, 6)
    assert list(house.closes("AAPL")) == [
        "2012-11-21",
        "2012-11-23",
        "2012-11-26",
        "2012-11-27",
        "2012-11-28",
        "2012-11-29",
        "2012-11-30",
    ]


@pytest.mark.parametrize("day", ["2012-10-29", "2012-10-30", "2012-11-22", "2012-11-24"])
def test_date_without_a_session_is_refused_before_it_becomes_a_run(house: House, day: str) -> None:
    house.hold("AAPL", since="2012-10-01")

    with pytest.raises(ClosedDayError, match=f"{day}: XNYS was closed"):
        house.refresh(on=day)

    assert house.rows(JobLog) == []


@pytest.mark.parametrize("day", ["2012-12-03", "2012-12-25", "2031-01-02"])
def test_date_to_come_is_refused(house: House, day: str) -> None:
    house.hold("AAPL", since="2012-11-01")

    with pytest.raises(UsageError, match=f"{day}: XNYS has not closed yet; ask again after the close"):
        house.refresh(on=day)


def test_today_before_the_close_is_refused(house: House) -> None:
    house.at("2012-11-30 15:00").hold("AAPL", since="2012-11-01")

    with pytest.raises(UsageError, match="2012-11-30: XNYS has not closed yet"):
        house.refresh(on="2012-11-30")


def test_what_is_settled_is_skipped_and_says_how_to_ask_again(house: House) -> None:
    house.hold("AAPL", since="2012-11-01")
    house.run()
    house.charts()

    summary = house.refresh("AAPL", on="2012-11-20")

    assert summary.status is RunStatus.SUCCESS
    assert item(summary, "AAPL").message == "complete and settled; --force asks again"
    assert house.charts() == []


def test_force_asks_again_for_what_is_settled(house: House) -> None:
    house.hold("AAPL", since="2012-11-26")
    house.run()
    house.charts()

    summary = house.refresh("AAPL", force=True)

    assert house.charts() == [("AAPL",)]
    assert (item(summary, "AAPL").expected_count, item(summary, "AAPL").changed_count) == (5, 0)


def test_known_gap_is_skipped_and_asked_for_by_force(house: House) -> None:
    house.hold("AAPL", since="2012-11-01")
    house.market.misbehave("AAPL", "missing_bar", endpoint="chart", date="2012-11-05")
    house.run()

    skipped = house.refresh("AAPL", on="2012-11-05")
    assert item(skipped, "AAPL").message == "2012-11-05: known to be missing at the source; --force asks again"
    house.market.behave()

    assert house.refresh("AAPL", on="2012-11-05", force=True).status is RunStatus.SUCCESS
    assert house.closes("AAPL")["2012-11-05"] == "584.6211"


def test_company_that_was_never_heard_of_is_made_when_the_source_knows_it(house: House) -> None:
    summary = house.refresh("IBM", "NOPE")

    assert summary.status is RunStatus.PARTIAL
    assert outcomes(summary) == {"IBM": "stored", "NOPE": "failed"}
    assert [row.symbol for row in house.rows(Company)] == ["IBM"]


def test_unknown_suffix_is_refused(house: House) -> None:
    with pytest.raises(UsageError, match=r"ABC\.XYZ: no exchange is known for the suffix \.XYZ"):
        house.refresh("ABC.XYZ")


def test_session_closed_by_a_person_is_not_expected(house: House) -> None:
    house.hold("AAPL", since="2012-11-26")
    house.at("2012-11-29 16:31").run()
    table = MarketSession.__table__
    with house.context.database.write() as connection:
        connection.execute(table.update().where(table.c.date == date(2012, 11, 30)).values(is_open=False))

    house.at("2012-11-30 16:31").run()

    assert list(house.closes("AAPL")) == ["2012-11-26", "2012-11-27", "2012-11-28", "2012-11-29"]


# --- A range.


def ask_for(house: House, *symbols: str, first: str, last: str | None = None, force: bool = False) -> RunSummary:
    """What ``refresh-prices --from --to`` does."""
    span = {"first": date.fromisoformat(first), "last": date.fromisoformat(last) if last else None}
    return refresh_prices(house.context, Selection(symbols or None, force=force, **span))


def test_range_before_the_first_order_is_fetched(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")
    house.run()

    summary = ask_for(house, "AAPL", first="2012-10-25", last="2012-11-02")

    assert summary.message == "5 of 5 expected closes up to 2012-11-30 stored"
    assert list(house.closes("AAPL").items())[:6] == [
        ("2012-10-25", "609.538"),
        ("2012-10-26", "604.00"),
        ("2012-10-31", "595.32"),
        ("2012-11-01", "596.5399"),
        ("2012-11-02", "576.80"),
        ("2012-11-28", "582.94"),
    ]
    assert set(house.states("AAPL").values()) == {"settled", "provisional"}
    assert house.states("AAPL")["2012-11-02"] == "settled"
    # What was not held then is neither expected nor unexpected.
    assert house.command("coverage").stdout.splitlines()[-1].startswith("3 of 3 expected closes of 1 company stored")
    assert house.at("2012-12-03 16:31").run().status is RunStatus.SUCCESS


def test_range_across_a_split_is_stored_as_traded(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")

    ask_for(house, "AAPL", first="2005-02-24", last="2005-03-01")

    assert house.closes("AAPL") == {
        "2005-02-24": "88.93",
        "2005-02-25": "88.99",
        "2005-02-28": "44.86",
        "2005-03-01": "44.50",
    }


def test_range_is_fetched_once_and_again_by_force(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-11-28")
    ask_for(house, first="2012-11-05", last="2012-11-07")
    house.charts()

    again = ask_for(house, first="2012-11-05", last="2012-11-07")

    assert (house.charts(), outcomes(again)) == ([], {"AAPL": "skipped", "IBM": "skipped"})
    forced = ask_for(house, "IBM", first="2012-11-05", last="2012-11-07", force=True)
    assert (house.charts(), forced.expected_count, item(forced, "IBM").changed_count) == ([("IBM",)], 3, 0)


def test_range_without_an_end_goes_up_to_the_newest_session(house: House) -> None:
    summary = ask_for(house, "IBM", first="2012-11-19")

    assert summary.message == "9 of 9 expected closes up to 2012-11-30 stored"


def test_plan_of_a_range_is_printed(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")

    result = house.command("refresh-prices", "--from", "2012-11-01", "--to", "2012-11-05", "--dry-run")

    assert result.stdout.splitlines() == ["AAPL  2012-11-01 to 2012-11-05: 3 missing", "would send 1 request"]
    assert house.rows(JobLog) == []


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--from", "2012-11-05", "--to", "2012-11-01"],
            "the range from 2012-11-05 to 2012-11-01 ends before it begins",
        ),
        (["--from", "2012-12-03"], "2012-12-03 is still to come"),
        (
            ["--from", "2012-11-01", "--to", "2013-01-31"],
            "2013-01-31 is still to come; without an end, a range goes up to the newest session",
        ),
        (["--from", "2012-11-24", "--to", "2012-11-25"], "from 2012-11-24 to 2012-11-25 no session has closed on XNYS"),
        (["--from", "1900-01-02"], "1900-01-02: prices are kept from 1950-01-01 on"),
        (["--from", "2012-11-01", "--date", "2012-11-05"], "name one date or a range, not both"),
    ],
)
def test_wrong_range_is_refused_before_it_becomes_a_run(house: House, arguments: list[str], words: str) -> None:
    house.hold("AAPL", since="2012-11-01")

    result = house.command("refresh-prices", *arguments)

    assert (result.exit_code, result.stderr) == (2, f"error: {words}\n")
    assert house.rows(JobLog) == []
