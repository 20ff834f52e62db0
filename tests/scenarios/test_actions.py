"""From what Yahoo tells of dividends and splits to actions that count: evenings on the recorded market."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from closingbell.domain.actions import AcceptedKind
from closingbell.domain.bars import Bar
from closingbell.domain.corporate_actions import ActionKind, CorporateAction
from closingbell.jobs.action_storing import ToldActions, store_told
from closingbell.jobs.pay_dates import gather_action_news
from closingbell.jobs.price_sweep import sweep_prices
from closingbell.models import (
    CorporateActionRow,
    CorporateActionSourceRow,
    CorporateActionVersion,
    Notification,
)
from closingbell.replay import RecordedMarket
from closingbell.replay.market import CapitalGain, Dividend, Market, Split
from closingbell.stores import actions
from tests.app_fixtures import House, new_york


def told(house: House) -> list[tuple[str, str, str | None]]:
    """Every action: kind, ex-date, amount or ratio, and a star where it is held."""
    rows = house.rows(CorporateActionRow, order="ex_date")
    return [
        (
            row.kind + ("*" if row.is_held else "") + ("-" if row.is_cancelled else ""),
            str(row.ex_date),
            f"{row.numerator}:{row.denominator}" if row.amount is None else str(row.amount.normalize()),
        )
        for row in rows
    ]


def verdicts(house: House) -> list[tuple[str, str, str]]:
    """What became of every print: ex-date, print, verdict."""
    rows = house.rows(CorporateActionSourceRow)
    return [(str(row.ex_date), row.printed, row.verdict) for row in rows]


def versions(house: House) -> list[tuple[int, str]]:
    """Every version with its reason."""
    return [(row.version, row.reason) for row in house.rows(CorporateActionVersion, order="version")]


def messages(house: House) -> list[str]:
    return [row.title for row in house.rows(Notification)]


def again(house: House, now: str, *symbols: str) -> None:
    """Everything asked for once more at a later time."""
    house.at(now).refresh(*(symbols or ("AAPL",)), force=True)


def bar_of(day: str, close: str) -> Bar:
    """A bar that moved nowhere within its day."""
    price = int(Decimal(close) * 1_000_000)
    return Bar(date.fromisoformat(day), price, price, price, price, 1_000)


def ann(house: House) -> None:
    """An administrator, who is told."""
    assert house.command("create-admin", "--link", "--email", "ann@example.org").exit_code == 0


@pytest.fixture
def apple(house: House) -> House:
    """A holder of Apple since October 2012, the evening of 2012-11-30: one dividend, 2.65 on 2012-11-07."""
    ann(house)
    house.hold("AAPL", since="2012-10-01")
    return house


# --- New ones, late ones, and what is told again.


def test_dividend_is_accepted_with_its_print_and_first_version(apple: House) -> None:
    apple.run()

    assert told(apple) == [("CASH", "2012-11-07", "2.65")]
    assert verdicts(apple) == [("2012-11-07", "2.65", "ACCEPTED")]
    assert versions(apple) == [(1, "first told")]
    [row] = apple.rows(CorporateActionRow)
    assert row.dirty_since == new_york("2012-11-30 16:31")


def test_same_answer_again_adds_nothing(apple: House) -> None:
    apple.run()
    again(apple, "2012-12-03 16:31")
    again(apple, "2012-12-04 16:31")

    assert (told(apple), versions(apple)) == ([("CASH", "2012-11-07", "2.65")], [(1, "first told")])
    [row] = apple.rows(CorporateActionSourceRow)
    assert (row.verdict, row.seen_count, row.last_seen_at) == ("ACCEPTED", 3, new_york("2012-12-04 16:31"))


def test_late_row_is_accepted_with_its_own_ex_date(apple: House) -> None:
    apple.market.misbehave("AAPL", "dividend_missing", endpoint="chart")
    apple.run()
    assert told(apple) == []
    apple.market.behave()

    again(apple, "2012-12-07 16:31")

    assert told(apple) == [("CASH", "2012-11-07", "2.65")]


# --- Changed amounts.


def test_changed_amount_counts_when_it_is_told_again_a_day_later(apple: House) -> None:
    apple.run()
    apple.market.misbehave("AAPL", "dividend_changed", endpoint="chart")

    again(apple, "2012-12-03 16:31")
    assert told(apple) == [("CASH", "2012-11-07", "2.65")]
    again(apple, "2012-12-03 22:00")
    assert told(apple) == [("CASH", "2012-11-07", "2.65")]
    assert verdicts(apple)[1] == ("2012-11-07", "2.915", "CORRECTION_CANDIDATE")
    again(apple, "2012-12-04 16:31")

    assert told(apple) == [("CASH", "2012-11-07", "2.915")]
    assert versions(apple) == [(1, "first told"), (2, "told again as 2.915")]
    assert verdicts(apple)[1] == ("2012-11-07", "2.915", "CORRECTED")


def test_changed_amount_that_was_taken_back_in_between_starts_anew(apple: House) -> None:
    apple.run()
    apple.market.misbehave("AAPL", "dividend_changed", endpoint="chart")
    again(apple, "2012-12-03 16:31")
    apple.market.behave()
    again(apple, "2012-12-03 18:00")
    apple.market.misbehave("AAPL", "dividend_changed", endpoint="chart")

    again(apple, "2012-12-04 16:31")

    assert told(apple) == [("CASH", "2012-11-07", "2.65")]
    again(apple, "2012-12-05 16:31")
    assert told(apple) == [("CASH", "2012-11-07", "2.915")]


def test_hundredfold_of_a_known_dividend_is_never_applied(apple: House) -> None:
    apple.run()
    apple.market.misbehave("AAPL", "dividend_x100", endpoint="chart")

    again(apple, "2012-12-03 16:31")
    again(apple, "2012-12-05 16:31")

    assert told(apple) == [("CASH", "2012-11-07", "2.65")]
    again(apple, "2012-12-06 16:31")
    assert verdicts(apple)[1] == ("2012-11-07", "265.0", "CORRECTION_DOUBTFUL")
    assert messages(apple) == ["AAPL: a correction is not applied"]
    [message] = apple.rows(Notification)
    assert "told as 265.0, which is not applied: it is a quarter of the price or more" in message.body


def test_first_dividend_a_hundred_times_too_high_waits_for_a_person(apple: House) -> None:
    apple.market.misbehave("AAPL", "dividend_x100", endpoint="chart")

    apple.run()

    assert told(apple) == [("CASH*", "2012-11-07", "265")]
    [row] = apple.rows(CorporateActionRow)
    assert row.held_code == "LARGE_25PCT"
    assert messages(apple) == ["AAPL: dividend 265.00 USD waits for a decision"]


def test_hundredfold_after_four_ordinary_ones_is_repaired(house: House) -> None:
    house.at("2012-11-30 16:31").hold("IBM", since="2011-10-03")
    house.market.misbehave("IBM", "dividend_x100", endpoint="chart", date="2012-11-07")

    house.run()

    assert told(house)[-1] == ("CASH", "2012-11-07", "0.85")
    assert (
        house.rows(CorporateActionVersion, order="corporate_action_id")[-1].reason
        == "told as 85.00, a hundredfold error of unit"
    )


# --- Splits.


def test_dividend_of_before_a_split_is_the_same_after_it(house: House) -> None:
    """Microsoft paid 0.08 on 2003-02-19, split 2:1 the day before, and 0.16 on 2003-10-15."""
    house.at("2003-02-14 16:31").hold("MSFT", since="2003-01-02")
    house.run()
    again(house, "2003-02-28 16:31", "MSFT")

    assert told(house) == [("SPLIT", "2003-02-18", "2:1"), ("CASH", "2003-02-19", "0.08")]


def test_print_that_misses_a_split_is_ignored_and_told_after_five_days(
    houses: Callable[..., House], tables_url: str, market: RecordedMarket, no_waits: None
) -> None:
    """A dividend of 0.80 before a split 2:1, first told right, then printed as if the split were forgotten."""
    listed = replace(
        market.find("MSFT"),
        dividends=(Dividend(date(2003, 1, 15), Decimal("0.80")),),
        splits=(Split(date(2003, 2, 18), 2),),
    )
    house = houses(tables_url, "2003-01-31 16:31", market=Market([listed]))
    ann(house)
    house.hold("MSFT", since="2003-01-02")
    house.run()
    house.market.misbehave("MSFT", "dividend_halved", endpoint="chart")

    for day in range(18, 26):
        again(house, f"2003-02-{day} 16:31", "MSFT")

    assert told(house) == [("CASH", "2003-01-15", "0.8"), ("SPLIT", "2003-02-18", "2:1")]
    assert [one for one in verdicts(house) if one[2] == "SPLIT_GLITCH"] == [("2003-01-15", "0.2", "SPLIT_GLITCH")]
    assert messages(house) == ["MSFT: a dividend is told in other shares"]


def listing_of(market: RecordedMarket, symbol: str, **changes: Any) -> Market:
    """A market of one company that is recorded, with other events."""
    return Market([replace(market.find(symbol), **changes)])


def test_odd_split_changes_no_position_and_restates_prices_all_the_same(
    houses: Callable[..., House], tables_url: str, market: RecordedMarket, no_waits: None
) -> None:
    odd = listing_of(market, "IBM", splits=(Split(date(2012, 11, 15), 1324, 1000),), dividends=())
    house = houses(tables_url, "2012-11-30 16:31", market=odd)
    ann(house)
    house.hold("IBM", since="2012-11-01")

    house.run()

    assert told(house) == [("SPIN_OFF*", "2012-11-15", "331:250")]
    company_id = house.company("IBM").id
    with house.context.database.read() as connection:
        assert actions.load_splits(connection, [company_id]) == {}
        assert actions.load_price_splits(connection, [company_id]) == {
            company_id: {date(2012, 11, 15): Fraction(331, 250)}
        }
    assert house.closes("IBM")["2012-11-01"] == "197.15"
    assert messages(house) == ["IBM: spin-off 331:250 waits for a decision"]


def test_split_in_flight_leaves_the_declared_amount_alone(
    houses: Callable[..., House], tables_url: str, market: RecordedMarket, no_waits: None
) -> None:
    """Ex 04-25, split 2:1 on 05-22, paid 05-23: what was declared per old share stays, whoever asks when."""
    fast = listing_of(
        market,
        "IBM",
        splits=(Split(date(2012, 5, 22), 2),),
        dividends=(Dividend(date(2012, 4, 25), Decimal("0.44"), pay_date=date(2012, 5, 23)),),
    )
    house = houses(tables_url, "2012-04-25 16:31", market=fast)
    house.hold("IBM", since="2012-04-02")
    house.run()
    again(house, "2012-05-22 16:31", "IBM")
    again(house, "2012-05-23 16:31", "IBM")

    assert told(house) == [("CASH", "2012-04-25", "0.44"), ("SPLIT", "2012-05-22", "2:1")]
    assert {one[1:] for one in verdicts(house)} == {("0.44", "ACCEPTED"), ("2:1", "ACCEPTED"), ("0.22", "NO_CHANGE")}


# --- Vanished, moved, repeated.


def test_vanished_dividend_is_held_after_three_answers_over_five_days(house: House) -> None:
    ann(house)
    house.at("2012-11-30 16:31").hold("IBM", since="2012-08-01")
    house.run()
    assert told(house) == [("CASH", "2012-08-08", "0.85"), ("CASH", "2012-11-07", "0.85")]
    house.market.misbehave("IBM", "dividend_missing", endpoint="chart")

    for day in ("03", "04", "05"):
        again(house, f"2012-12-{day} 16:31", "IBM")
    assert told(house)[1] == ("CASH", "2012-11-07", "0.85")
    again(house, "2012-12-10 16:31", "IBM")

    assert told(house)[1] == ("CASH*", "2012-11-07", "0.85")
    assert messages(house) == ["IBM: dividend 0.85 USD waits for a decision"]
    house.market.behave()
    again(house, "2012-12-11 16:31", "IBM")
    assert told(house)[1] == ("CASH", "2012-11-07", "0.85")


def test_answer_without_any_event_counts_for_nothing(apple: House) -> None:
    apple.run()
    apple.market.misbehave("AAPL", "dividend_missing", endpoint="chart")

    for day in ("03", "04", "05", "10", "11"):
        again(apple, f"2012-12-{day} 16:31")

    assert told(apple) == [("CASH", "2012-11-07", "2.65")]


def test_moved_ex_date_moves_the_action_when_it_is_told_again(apple: House) -> None:
    apple.run()
    apple.market.misbehave("AAPL", "dividend_moved", endpoint="chart")

    again(apple, "2012-12-03 16:31")
    assert told(apple) == [("CASH", "2012-11-07", "2.65")]
    again(apple, "2012-12-04 16:31")

    assert told(apple) == [("CASH", "2012-11-08", "2.65")]
    assert versions(apple) == [(1, "first told"), (2, "moved from 2012-11-07")]


def test_repeated_row_beside_one_that_is_kept_adds_nothing(apple: House) -> None:
    apple.run()
    apple.market.misbehave("AAPL", "dividend_twice", endpoint="chart")

    again(apple, "2012-12-03 16:31")
    again(apple, "2012-12-05 16:31")

    assert told(apple) == [("CASH", "2012-11-07", "2.65")]
    assert verdicts(apple)[1] == ("2012-11-08", "2.65", "DUPLICATE")


def test_of_two_new_rows_the_one_that_the_price_fell_by_is_kept(apple: House) -> None:
    """Apple fell by 24.85 on 2012-11-07 and by 20.25 on the 8th: the second is nearer to 2.65, but not clearly."""
    apple.market.misbehave("AAPL", "dividend_twice", endpoint="chart")

    apple.run()

    assert told(apple) == [("CASH", "2012-11-07", "2.65")]
    assert sorted(one[2] for one in verdicts(apple)) == ["ACCEPTED", "DUPLICATE"]


def test_undecided_pair_waits_where_somebody_traded_in_between(apple: House) -> None:
    apple.orders("2012-11-07,BUY,AAPL,5,560.00,0,USD", account="Bob")
    apple.market.misbehave("AAPL", "dividend_twice", endpoint="chart")

    apple.run()

    assert told(apple) == [("CASH*", "2012-11-07", "2.65")]
    assert apple.rows(CorporateActionRow)[0].held_code == "DUPLICATE"


# --- Rules that need the close of the ex-date.


def test_fund_that_counts_its_gain_twice_is_paid_without_it(
    houses: Callable[..., House], tables_url: str, market: RecordedMarket, no_waits: None
) -> None:
    """IBM fell by 4.92 on 2012-11-07: a dividend of 4.50 with a gain of 3.50 in it leaves 1.00 of income."""
    fund = listing_of(
        market,
        "IBM",
        dividends=(Dividend(date(2012, 11, 7), Decimal("4.50")),),
        capital_gains=(CapitalGain(date(2012, 11, 7), Decimal("3.50")),),
    )
    house = houses(tables_url, "2012-11-30 16:31", market=fund)
    house.hold("IBM", since="2012-10-01")

    house.run()

    assert sorted(told(house)) == [("CAP_GAIN", "2012-11-07", "3.5"), ("CASH", "2012-11-07", "1")]
    again(house, "2012-12-03 16:31", "IBM")
    again(house, "2012-12-05 16:31", "IBM")
    assert sorted(told(house)) == [("CAP_GAIN", "2012-11-07", "3.5"), ("CASH", "2012-11-07", "1")]


def test_rule_that_needs_the_close_waits_for_it_and_holds_nothing(
    houses: Callable[..., House], tables_url: str, market: RecordedMarket, no_waits: None
) -> None:
    """A split 2:1 and a dividend on one morning, asked for at noon: decided in the evening."""
    listed = listing_of(
        market,
        "MSFT",
        splits=(Split(date(2003, 2, 18), 2),),
        dividends=(Dividend(date(2003, 2, 18), Decimal("0.50")),),
    )
    house = houses(tables_url, "2003-02-18 12:00", market=listed)
    house.hold("MSFT", since="2003-02-03")
    house.refresh("MSFT", force=True)

    assert told(house) == [("SPLIT", "2003-02-18", "2:1")]
    assert verdicts(house)[0][2] == "WAITING"

    house.at("2003-02-18 16:31").refresh("MSFT", force=True)
    # It rose by 0.81 in new shares: neither 0.25 nor 0.50 explains that clearly better.
    assert sorted(told(house)) == [("CASH*", "2003-02-18", "0.5"), ("SPLIT", "2003-02-18", "2:1")]
    assert [row.held_code for row in house.rows(CorporateActionRow) if row.is_held] == ["SPLIT_SAME_DAY"]


# --- Reclassified, and what a person entered.


@pytest.mark.parametrize(
    ("close", "found", "reason"),
    [
        # From 25 in new shares it fell by 0.50: paid on each new share, so 1.00 on each old one.
        ("24.50", ("CASH", "2012-11-15", "1"), (2, "on a split's day: told per POST_SPLIT share")),
        # By 0.25: half of what is printed, which is on each old share.
        ("24.75", ("CASH", "2012-11-15", "0.5"), (1, "first told")),
        # By 0.38: either may be.
        ("24.62", ("CASH*", "2012-11-15", "0.5"), (2, "a split has the same ex-date, and was told later")),
    ],
)
def test_split_told_after_its_days_dividend_decides_which_shares_that_was_for(
    house: House, close: str, found: tuple[str, str, str], reason: tuple[int, str]
) -> None:
    ann(house)
    house.hold("IBM", since="2012-11-01")
    day = date(2012, 11, 15)
    dividend = CorporateAction(ActionKind.DIVIDEND, day, Decimal("0.50"), "USD", None, None, "0.5")
    split = CorporateAction(ActionKind.SPLIT, day, None, "USD", 2, 1, "2:1")
    answer = ToldActions(
        company_id=house.company("IBM").id,
        mic="XNYS",
        provider="yahoo",
        currency="USD",
        rows=[dividend],
        first=date(2012, 11, 14),
        last=date(2012, 11, 30),
        newest=date(2012, 11, 15),
        bars=[bar_of("2012-11-14", "50.00"), bar_of("2012-11-15", close)],
    )

    def tell(rows: list[CorporateAction], at: str) -> None:
        told_then = replace(answer, rows=rows)
        house.context.database.write_unit(lambda c: store_told(c, [told_then], at=new_york(at)))

    tell([dividend], "2012-11-15 16:31")
    assert told(house) == [("CASH", "2012-11-15", "0.5")]
    for evening in (16, 19, 20):
        tell([dividend, split], f"2012-11-{evening} 16:31")

    assert sorted(told(house)) == [found, ("SPLIT", "2012-11-15", "2:1")]
    [action] = [row for row in house.rows(CorporateActionRow) if row.kind == "CASH"]
    told_of_it = house.rows(CorporateActionVersion, order="version")
    of_action = [(row.version, row.reason) for row in told_of_it if row.corporate_action_id == action.id]
    assert of_action[-1] == reason
    assert action.held_code == ("SPLIT_SAME_DAY" if found[0] == "CASH*" else None)
    assert len(messages(house)) == (1 if action.is_held else 0)


@pytest.mark.one_database
def test_split_told_before_the_close_decides_on_the_evening(house: House) -> None:
    """A dividend of the evening before, its split at noon: nothing to judge by until the close."""
    house.hold("IBM", since="2012-11-01")
    day = date(2012, 11, 15)
    dividend = CorporateAction(ActionKind.DIVIDEND, day, Decimal("0.50"), "USD", None, None, "0.5")
    split = CorporateAction(ActionKind.SPLIT, day, None, "USD", 2, 1, "2:1")
    noon = ToldActions(
        company_id=house.company("IBM").id,
        mic="XNYS",
        provider="yahoo",
        currency="USD",
        rows=[dividend],
        first=date(2012, 11, 14),
        last=date(2012, 11, 15),
        newest=date(2012, 11, 14),
        bars=[bar_of("2012-11-14", "50.00")],
    )
    evening = replace(noon, newest=day, bars=[*noon.bars, bar_of("2012-11-15", "24.50")], rows=[dividend, split])
    found = []
    for answer, at in (
        (noon, "2012-11-15 09:00"),
        (replace(noon, rows=[dividend, split]), "2012-11-15 12:00"),
        (evening, "2012-11-15 16:31"),
        (evening, "2012-11-16 16:31"),
    ):
        house.context.database.write_unit(lambda c, a=answer, t=at: store_told(c, [a], at=new_york(t)))  # type: ignore[misc]
        found.append(next(amount for kind, _, amount in told(house) if kind == "CASH"))

    assert found == ["0.5", "0.5", "1", "1"]


def test_kinds_that_change_quantities_are_the_confirmed_ones(apple: House) -> None:
    assert {kind for kind in AcceptedKind if kind.name.endswith("SPLIT")} == {
        AcceptedKind.SPLIT,
        AcceptedKind.REVERSE_SPLIT,
    }


def test_facts_of_a_version_are_text(apple: House) -> None:
    apple.run()

    [version] = apple.rows(CorporateActionVersion, order="version")
    assert json.loads(version.facts) == {
        "amount": "2.65",
        "currency": "USD",
        "ex_date": "2012-11-07",
        "kind": "CASH",
        "pay_date_status": "UNKNOWN",
    }
    assert version.created_at - new_york("2012-11-30 16:31") == timedelta(0)


# --- What the sweep and the daily job do about them.


def test_sweep_looks_back_to_other_dividends_where_one_is_gone(house: House) -> None:
    """A month holds no other dividend of IBM's; beside 05-08 and 08-08 the one of 11-07 is missing."""
    ann(house)
    house.at("2012-11-30 16:31").hold("IBM", since="2012-05-01")
    house.run()
    house.market.misbehave("IBM", "dividend_missing", endpoint="chart", date="2012-11-07")

    for day in ("03", "04", "05", "06"):
        sweep_prices(house.at(f"2012-12-{day} 18:00").context, symbols=["IBM"])
    assert told(house)[-1] == ("CASH", "2012-11-07", "0.85")
    [row] = [row for row in house.rows(CorporateActionRow) if str(row.ex_date) == "2012-11-07"]
    assert (row.missed_count, row.missed_since) == (3, new_york("2012-12-03 18:00"))
    sweep_prices(house.at("2012-12-10 18:00").context, symbols=["IBM"])

    assert told(house)[-1] == ("CASH*", "2012-11-07", "0.85")
    house.market.behave()
    sweep_prices(house.at("2012-12-11 18:00").context, symbols=["IBM"])
    assert told(house)[-1] == ("CASH", "2012-11-07", "0.85")
    [row] = [row for row in house.rows(CorporateActionRow) if str(row.ex_date) == "2012-11-07"]
    assert (row.missed_count, row.missed_since) == (0, None)


def test_announced_ex_date_has_its_dividend_on_the_same_evening(house: House) -> None:
    """A quote tells no dividend: on the day that the calendar named, the daily job asks for the chart."""
    house.at("2012-11-05 16:31").hold("IBM", since="2012-02-01")
    house.run()
    with house.at("2012-11-06 16:00").app.app_context():
        gather_action_news(house.context)
    house.at("2012-11-06 16:31").run()
    house.charts()

    house.at("2012-11-07 16:31").run()

    assert house.charts() == [("IBM",)]
    assert told(house)[-1] == ("CASH", "2012-11-07", "0.85")


def test_two_processes_with_the_same_answer_keep_one_action_in_one_version(house: House) -> None:
    house.hold("AAPL", since="2012-11-29")
    day = date(2012, 11, 7)
    answer = ToldActions(
        company_id=house.company("AAPL").id,
        mic="XNYS",
        provider="yahoo",
        currency="USD",
        rows=[CorporateAction(ActionKind.DIVIDEND, day, Decimal("2.65"), "USD", None, None, "2.65")],
        first=day,
        last=date(2012, 11, 30),
        newest=date(2012, 11, 30),
        bars=[],
    )
    at = new_york("2012-11-30 16:31")
    start = threading.Barrier(4)

    def store(_number: int) -> None:
        start.wait(timeout=20)
        house.context.database.write_unit(lambda connection: store_told(connection, [answer], at=at))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(store, range(4)))

    assert told(house) == [("CASH", "2012-11-07", "2.65")]
    assert versions(house) == [(1, "first told")]
    assert verdicts(house) == [("2012-11-07", "2.65", "ACCEPTED")]
