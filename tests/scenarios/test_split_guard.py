"""Apple splits 2:1 on Monday, 2005-02-28. The source tells prices in new shares long before it tells the split."""

from __future__ import annotations

import pytest

from closingbell.domain.runs import RunStatus, RunSummary
from closingbell.jobs.intraday_updater import run_intraday_refresh
from closingbell.jobs.runner import Occasion
from closingbell.models import CorporateActionRow, DividendPayment, Notification, QuarantinedBar
from tests.app_fixtures import House, item, new_york

pytestmark = pytest.mark.one_database


@pytest.fixture
def apple(house: House) -> House:
    """A holder of ten shares since 2005-02-07, the evening before the weekend, and an administrator."""
    assert house.command("create-admin", "--link", "--email", "ann@example.org").exit_code == 0
    house.at("2005-02-25 16:31").hold("AAPL", since="2005-02-07")
    house.run()
    house.market.misbehave("AAPL", "unsplit")
    return house


def refresh(house: House, at: str, *symbols: str) -> RunSummary:
    """The intraday job at a time of day in New York."""
    house.at(at).asked()
    return run_intraday_refresh(house.context, Occasion(), symbols=symbols or None)


def waiting(house: House) -> list[str]:
    """The days whose price is set aside."""
    return [str(row.date) for row in house.rows(QuarantinedBar) if row.released_at is None]


def splits(house: House) -> list[tuple[str, int, int]]:
    return [(str(row.ex_date), row.numerator, row.denominator) for row in house.rows(CorporateActionRow)]


def messages(house: House) -> list[str]:
    return [row.title for row in house.rows(Notification) if "split" in row.title]


NOTHING = "no company was traded in the last 24 hours, and none is watched"


def test_split_that_is_told_during_its_first_session(apple: House) -> None:
    assert apple.command("watch", "AAPL").exit_code == 0

    # Half a price is set aside; from the next quarter of an hour on, the split is asked for.
    first = refresh(apple, "2005-02-28 09:45")
    assert (item(first, "AAPL").error_kind, waiting(apple), messages(apple)) == ("jump", ["2005-02-28"], [])
    second = refresh(apple, "2005-02-28 10:00")
    assert second.message.endswith("; asked for a split of AAPL: none is told yet")
    assert apple.asked() == {"chart": 2}
    assert list(apple.closes("AAPL"))[-1] == "2005-02-25"
    assert messages(apple) == ["AAPL: the price looks like a split that is not known"]
    [told] = apple.rows(Notification)[-1:]
    assert "after 88.99 of 2005-02-25" in told.body
    assert "every 15 minutes while XNYS is open, for 5 sessions" in told.body

    apple.market.behave()
    third = refresh(apple, "2005-02-28 10:15")

    assert third.message == ("1 of 1 prices of 2005-02-28 10:15 EST stored; asked for a split of AAPL: found of AAPL")
    assert splits(apple) == [("2005-02-28", 2, 1)]
    assert (waiting(apple), list(apple.closes("AAPL"))[-1]) == ([], "2005-02-28")
    assert [(row.leg, int(row.quantity), int(row.quantity_after)) for row in apple.rows(DividendPayment)] == [
        ("SPLIT", 10, 20)
    ]
    # From then on nothing is asked besides, and nobody is told again.
    assert refresh(apple, "2005-02-28 10:30").message == "1 of 1 prices of 2005-02-28 10:30 EST stored"
    assert (apple.asked(), len(messages(apple))) == ({"chart": 1}, 1)


def test_split_that_is_told_the_day_after_sets_the_close_free(apple: House) -> None:
    assert apple.at("2005-02-28 16:31").run().status is RunStatus.PARTIAL
    assert waiting(apple) == ["2005-02-28"]

    assert refresh(apple, "2005-03-01 09:30").message == NOTHING + "; asked for a split of AAPL: none is told yet"
    assert apple.asked() == {"chart": 1}
    # The same price twice is no second opinion: it stays set aside.
    assert waiting(apple) == ["2005-02-28"]
    apple.market.behave()
    assert refresh(apple, "2005-03-01 09:45").message == NOTHING + "; asked for a split of AAPL: found of AAPL"

    assert (splits(apple), waiting(apple)) == ([("2005-02-28", 2, 1)], [])
    assert (apple.closes("AAPL")["2005-02-25"], apple.closes("AAPL")["2005-02-28"]) == ("88.99", "44.86")
    assert refresh(apple, "2005-03-01 10:00").message == NOTHING
    assert apple.asked() == {}


def test_splits_are_asked_for_while_the_exchange_is_open_and_for_five_sessions(apple: House) -> None:
    apple.at("2005-02-28 16:31").run()

    asked = {}
    for at in (
        "2005-02-28 17:00", "2005-03-01 09:15", "2005-03-01 09:30", "2005-03-05 12:00", "2005-03-07 15:45",
        "2005-03-08 09:30",
    ):  # fmt: skip
        refresh(apple, at)
        asked[at[5:]] = apple.asked().get("chart", 0)

    assert asked == {
        "02-28 17:00": 0, "03-01 09:15": 0, "03-01 09:30": 1, "03-05 12:00": 0, "03-07 15:45": 1, "03-08 09:30": 0,
    }  # fmt: skip


def test_price_that_no_split_explains_is_not_asked_about(apple: House) -> None:
    apple.market.behave()
    apple.market.misbehave("AAPL", "price_x100", endpoint="chart", date="2005-02-28")
    apple.at("2005-02-28 16:31").run()
    assert waiting(apple) == ["2005-02-28"]

    assert refresh(apple, "2005-03-01 09:30").message == NOTHING
    assert (apple.asked(), messages(apple)) == ({}, [])


def test_run_over_named_companies_asks_about_these_alone(apple: House) -> None:
    apple.at("2005-02-28 16:31").run()

    assert "AAPL" not in refresh(apple, "2005-03-01 09:30", "IBM").message
    assert apple.asked() == {}


def test_source_in_trouble_is_asked_again_a_quarter_of_an_hour_later(apple: House) -> None:
    apple.at("2005-02-28 16:31").run()
    apple.market.behave()
    apple.market.misbehave("AAPL", "server_error", endpoint="chart")

    down = refresh(apple, "2005-03-01 09:30")
    assert (down.status, waiting(apple)) == (RunStatus.SUCCESS, ["2005-02-28"])
    apple.market.behave()
    refresh(apple, "2005-03-01 09:45")

    assert waiting(apple) == []
    [row] = [row for row in apple.rows(QuarantinedBar) if row.rule == "jump"]
    assert row.released_at == new_york("2005-03-01 09:45")
