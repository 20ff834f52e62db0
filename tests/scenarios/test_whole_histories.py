"""Once in four weeks a company's sweep reads its dividends and splits back to the first order, in the same request."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import update

from closingbell.domain.bars import Bar
from closingbell.domain.planning import FetchItem
from closingbell.jobs.price_planning import plan_sweep
from closingbell.jobs.price_settling import answered_dates
from closingbell.models import Company, CorporateActionRow, CorporateActionSourceRow, PriceHistory, PriceRevision
from closingbell.providers.base import DailyHistory
from closingbell.stores import summaries
from tests.app_fixtures import House, new_york

pytestmark = pytest.mark.one_database

JUNE = date(2012, 6, 1)


def told(house: House) -> list[tuple[str, str]]:
    """Every action's ex-date and amount, with a star where it is held."""
    rows = house.rows(CorporateActionRow, order="ex_date")
    return [(str(row.ex_date), f"{row.amount.normalize()}{'*' if row.is_held else ''}") for row in rows]


def planned(house: House) -> dict[str, str]:
    """Where the answer to each company of the next sweep would begin."""
    return {item.symbol: str(item.asked_from) for item in plan_sweep(house.context).items}


@pytest.fixture
def ibm(house: House) -> House:
    """A holder of IBM since 2012-05-01: of 0.85 on 05-08, 08-08 and 11-07, August's is not told on 2012-11-30."""
    house.hold("IBM", since="2012-05-01")
    house.market.misbehave("IBM", "dividend_missing", endpoint="chart", date="2012-08-08")
    house.run()
    house.market.behave()
    assert told(house) == [("2012-05-08", "0.85"), ("2012-11-07", "0.85")]
    return house


def sweep_weekly(house: House, *days: str) -> list[str]:
    """Sweep on each of these days; where each answer began, with ``-`` where nothing was asked."""
    begins = []
    for day in days:
        plan = planned(house.at(f"{day} 18:00"))
        begins.append(plan.get("IBM", "-"))
        house.asked()
        house.sweep()
        assert house.asked() == ({"chart": 1} if plan else {})
    return begins


def test_dividend_that_came_late_is_found_in_the_companys_own_week_by_the_usual_request(ibm: House) -> None:
    """Number 1 has Tuesdays and the week of 2012-12-24. Christmas moves it to the 26th."""
    begins = sweep_weekly(ibm, "2012-12-04", "2012-12-11", "2012-12-18", "2012-12-26", "2013-01-03", "2013-01-08")

    assert begins == ["2012-11-03", "2012-11-10", "2012-11-17", "2012-05-01", "2012-12-03", "2012-12-08"]
    assert told(ibm) == [("2012-05-08", "0.85"), ("2012-08-08", "0.85"), ("2012-11-07", "0.85")]
    assert ibm.company("IBM").actions_read_at == new_york("2012-12-26 18:00")


def test_week_that_was_missed_is_made_good_after_five(ibm: House) -> None:
    """Nothing ran from Christmas on; the first answer was of 2012-11-30, 35 days before 2013-01-04."""
    assert planned(ibm.at("2013-01-03 18:00")) == {"IBM": "2012-12-03"}

    assert planned(ibm.at("2013-01-04 18:00")) == {"IBM": "2012-05-01"}


def test_company_with_a_dividend_that_is_gone_is_read_whole_until_it_is_held_or_told(ibm: House) -> None:
    ibm.market.misbehave("IBM", "dividend_missing", endpoint="chart", date="2012-05-08")

    # 2012-12-26 is the first answer of all time without it; the third, more than five days later, holds it.
    begins = sweep_weekly(ibm, "2012-12-26", "2013-01-03", "2013-01-08")
    assert begins == ["2012-05-01"] * 3
    assert told(ibm) == [("2012-05-08", "0.85*"), ("2012-08-08", "0.85"), ("2012-11-07", "0.85")]

    ibm.market.behave()
    assert sweep_weekly(ibm, "2013-01-15", "2013-01-29") == ["2012-05-01", "2012-12-29"]
    assert told(ibm)[0] == ("2012-05-08", "0.85")


def test_ex_date_that_moved_long_ago_is_confirmed_by_the_next_weeks_answer(ibm: House) -> None:
    ibm.market.misbehave("IBM", "dividend_moved", endpoint="chart", date="2012-05-08")

    begins = sweep_weekly(ibm, "2012-12-26", "2013-01-03", "2013-01-08")

    assert begins == ["2012-05-01", "2012-05-01", "2012-12-08"]
    assert [ex_date for ex_date, _ in told(ibm)] == ["2012-05-09", "2012-08-08", "2012-11-07"]


def test_change_that_was_taken_back_is_not_asked_for_for_ever(ibm: House) -> None:
    ibm.market.misbehave("IBM", "dividend_changed", endpoint="chart", date="2012-05-08")
    sweep_weekly(ibm, "2012-12-26")
    ibm.market.behave()

    assert sweep_weekly(ibm, "2013-01-03", "2013-01-08") == ["2012-05-01", "2012-12-08"]
    assert told(ibm)[0] == ("2012-05-08", "0.85")


@pytest.mark.parametrize("fault", ["empty", "short"])
def test_short_answer_takes_nothing_away_and_is_asked_for_again_next_week(ibm: House, fault: str) -> None:
    ibm.market.misbehave("IBM", fault, endpoint="chart")
    begins = sweep_weekly(ibm, "2012-12-26")
    assert ibm.company("IBM").actions_read_at == new_york("2012-11-30 16:31")
    assert {row.missed_since for row in ibm.rows(CorporateActionRow)} == {None}
    ibm.market.behave()

    assert begins == ["2012-05-01"]
    assert [one for one in told(ibm) if one[0] != "2012-08-08"] == [("2012-05-08", "0.85"), ("2012-11-07", "0.85")]


@pytest.mark.parametrize(
    ("listed", "begins", "ends", "tells_of"),
    [
        (None, "2012-05-03", "2012-11-30", ("2012-05-01", "2012-11-30")),
        (None, "2012-10-31", "2012-11-30", ("2012-10-31", "2012-11-30")),
        ("2012-10-30", "2012-10-31", "2012-11-30", ("2012-05-01", "2012-11-30")),
        (None, "2012-05-03", "2012-08-31", ("2012-05-01", "2012-08-31")),
    ],
    ids=["whole", "begins late", "listed late", "ends early"],
)
def test_what_an_answer_leaves_out_is_not_missing_from_it(
    listed: str | None, begins: str, ends: str, tells_of: tuple[str, str]
) -> None:
    item = FetchItem(1, "IBM", "XNYS", (date(2012, 11, 30),), 1, actions_from=date(2012, 5, 1))
    bars = [Bar(date.fromisoformat(day), 1, 1, 1, 1, 1) for day in (begins, ends)]
    history = DailyHistory(
        "IBM", "yahoo", new_york("2012-11-30 18:00"), "USD", "USD", bars, (),
        first_trade_date=date.fromisoformat(listed) if listed else None,
    )  # fmt: skip
    first, last = answered_dates(item, history, date(2012, 11, 30))
    assert (str(first), str(last)) == tells_of


def test_bars_of_before_the_month_are_left_alone(ibm: House) -> None:
    with ibm.context.database.write() as connection:
        connection.execute(update(PriceHistory).where(PriceHistory.date == JUNE).values(is_settled=False, close=199))
        summaries.touch(connection, [(ibm.company("IBM").id, JUNE)])
    before = ibm.bars("IBM")

    assert sweep_weekly(ibm, "2012-12-26") == ["2012-05-01"]

    after = {row.date: row for row in ibm.bars("IBM")}
    assert [after[row.date] for row in before if row.date < date(2012, 11, 25)] == [
        row for row in before if row.date < date(2012, 11, 25)
    ]
    assert ibm.rows(PriceRevision) == []


def test_company_that_was_sold_is_read_back_to_its_first_order(ibm: House) -> None:
    ibm.orders("2012-11-30,SELL,IBM,10,190.00,0,USD")

    assert sweep_weekly(ibm, "2012-12-18", "2012-12-26") == ["2012-11-17", "2012-05-01"]
    assert told(ibm)[1] == ("2012-08-08", "0.85")


def test_plan_says_which_answers_are_long(ibm: House) -> None:
    plan = ibm.at("2012-12-26 18:00").command("run-price-sweep", "--dry-run").stdout.splitlines()

    assert plan[-1] == "would send 1 request"
    assert plan[0].endswith("its dividends and splits since 2012-05-01")


def test_company_that_was_never_read_whole_is(ibm: House) -> None:
    with ibm.context.database.write() as connection:
        connection.execute(update(Company).values(actions_read_at=None))

    assert sweep_weekly(ibm, "2012-12-04", "2012-12-11") == ["2012-05-01", "2012-11-10"]
    assert len(ibm.rows(CorporateActionSourceRow)) == 3
