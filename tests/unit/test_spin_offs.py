from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from closingbell.domain.entitlements import FractionPolicy
from closingbell.domain.payment_postings import postings_of
from closingbell.domain.payments import (
    BookedLeg,
    Changes,
    EventState,
    Frame,
    Holder,
    HolderBooks,
    Leg,
    Preference,
    Rates,
    Wait,
)
from closingbell.domain.positions import Trade
from closingbell.domain.spin_offs import Child, Cost, SpinOff, SpinOffFacts, add_spin_offs, spin_off_state

# AT&T gave 0.241917 shares of Warner Bros. Discovery for each of its own; the numbers of shares and prices are made up.
EX = date(2022, 4, 11)
SHARE, USD, PRICE = 10**10, 10**4, 10**6
WBD = Child(2, "USD")
T_WBD = SpinOff(1, EX, Fraction(241917, 1000000), 7652 * 10**8, WBD)
CIL = FractionPolicy.CASH_IN_LIEU
BOUGHT = Trade(date(2022, 1, 10), "BUY", 100 * SHARE, 2400 * USD)


def frame(today: date = EX, **more: Any) -> Frame:
    return Frame(today, Rates(lambda *_: 0, lambda *_: None, lambda _: None), **more)


def facts(*trades: Trade, events: tuple[SpinOff, ...] = (T_WBD,), **more: Any) -> SpinOffFacts:
    currencies = more.pop("currencies", ["USD"])
    return SpinOffFacts(events, {7: Cost(trades or (BOUGHT,), currencies)}, **more)


def changes_of(
    found: SpinOffFacts, holder: Holder | None = None, books: HolderBooks | None = None, at: Frame | None = None
) -> Changes:
    changes = Changes()
    add_spin_offs(holder or Holder(7, "USD"), found, books or HolderBooks(), at or frame(), changes)
    return changes


def moved(changes: Changes) -> list[tuple[str, float, float | None, float]]:
    """Leg, shares counted or sold, shares that came, money."""
    return [
        (
            leg.leg.value,
            leg.quantity / SHARE,
            None if leg.quantity_after is None else leg.quantity_after / SHARE,
            leg.gross / USD,
        )
        for leg in changes.bookings
    ]


def booked(*legs: BookedLeg) -> HolderBooks:
    """Books in which these legs stand, each with an order of its number."""
    standing = [leg._replace(id=10 + n, order_id=20 + n) for n, leg in enumerate(legs)]
    return HolderBooks(
        {(leg.action_id, leg.leg): leg for leg in standing}, {(leg.action_id, leg.leg): leg.version for leg in standing}
    )


ORDERS = {20: 2, 21: 2}


def test_fraction_is_kept_and_the_cost_is_shared_out() -> None:
    changes = changes_of(facts())

    assert moved(changes) == [("SPIN_OFF", 100, 24.1917, 563.52)]
    assert postings_of(changes.bookings[0]) == [("Securities", "USD", -5635200), ("Equity:Transfers", "USD", 5635200)]


def test_fraction_is_sold_at_the_agents_price() -> None:
    changes = changes_of(
        facts(events=(T_WBD._replace(price=24 * PRICE, close=25 * PRICE),)), Holder(7, "USD", fractions=CIL)
    )

    assert moved(changes) == [("SPIN_OFF", 100, 24.1917, 563.52), ("FRACTION", 0.1917, None, 4.6)]
    assert (changes.bookings[1].cash, postings_of(changes.bookings[1])) == (46000, [])


def test_fraction_waits_for_a_price_and_the_shares_do_not() -> None:
    changes = changes_of(facts(), Holder(7, "USD", fractions=CIL))

    assert moved(changes) == [("SPIN_OFF", 100, 24.1917, 563.52)]
    told = "no price of 2022-04-11 for a fraction of a share"
    assert (changes.unpaid, changes.waiting) == ({1}, [Wait(1, Leg.FRACTION, told)])


@pytest.mark.parametrize(("policy", "shares"), [("ROUND_UP", 25), ("ROUND_DOWN", 24)])
def test_fraction_is_rounded_by_the_accounts_choice(policy: str, shares: int) -> None:
    changes = changes_of(facts(), Holder(7, "USD", fractions=FractionPolicy(policy)))

    assert moved(changes) == [("SPIN_OFF", 100, shares, 563.52)]


def test_short_owes_the_childs_shares() -> None:
    short = Trade(date(2022, 1, 10), "SELL", 100 * SHARE, 2400 * USD)
    holder = Holder(7, "USD", fractions=CIL)

    changes = changes_of(facts(short, events=(T_WBD._replace(close=24 * PRICE),)), holder)

    assert moved(changes) == [("SPIN_OFF", -100, -24.1917, -563.52), ("FRACTION", -0.1917, None, -4.6)]


def test_shares_bought_on_the_ex_date_have_no_right_and_those_sold_on_it_do() -> None:
    assert moved(changes_of(facts(BOUGHT._replace(trade_date=EX)))) == []
    sold = Trade(EX, "SELL", 100 * SHARE, 2000 * USD)
    assert moved(changes_of(facts(BOUGHT, sold))) == [("SPIN_OFF", 100, 24.1917, 563.52)]


def test_split_of_the_same_day_comes_after_it() -> None:
    changes = changes_of(facts(splits={date(2022, 2, 1): Fraction(2), EX: Fraction(3)}))

    assert moved(changes) == [("SPIN_OFF", 200, 48.3834, 563.52)]


def test_later_spin_off_shares_out_what_the_first_one_left() -> None:
    """1836.48 is left of 2400; half of that goes with the second."""
    second = SpinOff(2, date(2022, 6, 1), Fraction(1, 10), 50 * SHARE, Child(3, "USD"))

    changes = changes_of(facts(events=(T_WBD, second)), at=frame(date(2022, 6, 1)))

    assert moved(changes) == [("SPIN_OFF", 100, 24.1917, 563.52), ("SPIN_OFF", 100, 10, 918.24)]


def test_capital_returned_in_the_same_run_lowers_the_cost_before() -> None:
    changes = Changes()
    add_spin_offs(Holder(7, "USD"), facts(), HolderBooks(), frame(), changes)
    capital = changes.bookings[0]._replace(
        action_id=9, leg=Leg.ACCRUAL, kind="RETURN_OF_CAPITAL", gross=400 * USD, due_date=date(2022, 3, 1)
    )
    changes = Changes(bookings=[capital])

    add_spin_offs(Holder(7, "USD"), facts(), HolderBooks(), frame(), changes)

    assert moved(changes)[1:] == [("SPIN_OFF", 100, 24.1917, 469.6)]


def test_no_cost_moves_where_it_is_not_known() -> None:
    assert moved(changes_of(facts(currencies=["USD", "EUR"]))) == [("SPIN_OFF", 100, 24.1917, 0)]


def test_fraction_is_sold_in_the_currency_that_the_account_pays_for_the_parent() -> None:
    holder = Holder(7, "EUR", fractions=CIL)
    events = (T_WBD._replace(close=24 * PRICE),)

    changes = changes_of(facts(events=events, currencies=["EUR"], exchange=lambda *_: (9 * 10**9, EX)), holder)

    assert moved(changes)[1] == ("FRACTION", 0.1917, None, 4.14)
    assert changes.bookings[1].currency == changes.bookings[1].cash_currency == "EUR"


def test_what_is_booked_is_not_booked_again() -> None:
    holder = Holder(7, "USD", fractions=CIL)
    first = changes_of(facts(events=(T_WBD._replace(close=24 * PRICE),)), holder)

    # A close that is corrected later does not change what was sold at it.
    again = changes_of(
        facts(events=(T_WBD._replace(close=26 * PRICE),), orders=ORDERS), holder, booked(*first.bookings)
    )

    assert (again.is_empty, again.corrected) == (True, set())


def test_late_order_takes_it_back_and_books_it_anew() -> None:
    first = changes_of(facts())
    late = Trade(date(2022, 2, 10), "BUY", 20 * SHARE, 600 * USD)

    again = changes_of(facts(BOUGHT, late, orders=ORDERS), books=booked(*first.bookings))

    assert [one.reason for one in again.reversals] == ["what it follows from has changed"]
    # 23.48 per cent of 3000.
    assert moved(again) == [("SPIN_OFF", 120, 29.03004, 704.4)]
    assert ([leg.version for leg in again.bookings], again.corrected) == ([2], {1})


def test_order_that_was_deleted_behind_it_or_is_of_another_company_is_made_again() -> None:
    first = changes_of(facts())

    for orders in ({}, {20: 3}):
        again = changes_of(facts(orders=orders), books=booked(*first.bookings))
        assert (len(again.reversals), moved(again)) == (1, [("SPIN_OFF", 100, 24.1917, 563.52)])


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (T_WBD._replace(is_cancelled=True), "the spin-off was cancelled"),
        (T_WBD._replace(ex_date=date(2022, 5, 1)), "the ex-date is not reached any more"),
    ],
)
def test_cancelled_or_moved_one_is_taken_back(event: SpinOff, reason: str) -> None:
    holder = Holder(7, "USD", fractions=CIL)
    first = changes_of(facts(events=(T_WBD._replace(close=24 * PRICE),)), holder)

    again = changes_of(facts(events=(event,), orders=ORDERS), holder, booked(*first.bookings))

    assert [(one.booked.leg, one.reason) for one in again.reversals] == [(Leg.FRACTION, reason), (Leg.SPIN_OFF, reason)]
    assert again.bookings == []


def test_in_doubt_nothing_moves() -> None:
    held = T_WBD._replace(is_held=True, ratio=Fraction(1, 2))
    first = changes_of(facts())

    fresh = changes_of(facts(events=(held,)))
    assert (fresh.is_empty, fresh.unpaid) == (True, {1})
    assert changes_of(facts(events=(held,), orders=ORDERS), books=booked(*first.bookings)).is_empty


def test_accounts_choice_and_the_cut_over_leave_it_a_suggestion() -> None:
    shown = changes_of(facts(), Holder(7, "USD", preference=Preference.SUGGEST))
    before = changes_of(facts(), at=frame(cutover=date(2022, 5, 1)))

    for changes in (shown, before):
        assert (changes.is_empty, [(one.action_id, one.gross) for one in changes.suggestions]) == (True, [(1, 5635200)])


@pytest.mark.parametrize("entered", [[24 * SHARE], [241917 * 10**6], [10 * SHARE, 14 * SHARE], [24 * SHARE, 3 * SHARE]])
def test_shares_that_people_entered_themselves_stand_for_it(entered: list[int]) -> None:
    first = changes_of(facts())

    again = changes_of(facts(own={(1, 7): entered}, orders=ORDERS), books=booked(*first.bookings))

    assert [one.reason for one in again.reversals] == ["the account's own entry stands for it"]
    assert again.bookings == []


@pytest.mark.parametrize("entered", [[20 * SHARE], [-24 * SHARE], [50 * SHARE]])
def test_other_shares_of_the_child_do_not(entered: list[int]) -> None:
    assert len(changes_of(facts(own={(1, 7): entered})).bookings) == 1


def test_closed_period_has_it_count_today() -> None:
    changes = changes_of(facts(), at=frame(date(2022, 6, 1), lock_date=date(2022, 4, 30)))

    assert [(leg.due_date, leg.value_date) for leg in changes.bookings] == [(EX, date(2022, 6, 1))]


def test_states() -> None:
    def state(event: SpinOff, today: date = EX, **how: bool) -> EventState:
        return spin_off_state(event, today, **{"is_waiting": False, "is_corrected": False, **how})

    assert state(T_WBD, date(2022, 4, 8)) is EventState.ANNOUNCED
    assert state(T_WBD) is EventState.PAID
    assert state(T_WBD, is_waiting=True) is EventState.PAYABLE
    assert state(T_WBD, is_corrected=True) is EventState.CORRECTED
    assert state(T_WBD._replace(is_cancelled=True)) is EventState.CANCELLED
