"""What the dividend job books, leaves alone, previews and tells, on each database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from closingbell.domain.actions import AcceptedKind
from closingbell.domain.runs import RunStatus
from closingbell.errors import UnknownPaymentError, UnknownSymbolError, UsageError
from closingbell.jobs import dividend_processor
from closingbell.jobs.dividend_processor import DividendSelection, preview_dividends, process_dividends
from closingbell.models import (
    CorporateActionRow,
    DividendLink,
    DividendPayment,
    DividendProgress,
    DividendRecheck,
    JobLogItem,
    LedgerEntry,
    Notification,
    User,
)
from closingbell.queries.payments import PaymentFilter, explain_payment, list_payments
from closingbell.stores import books, dividend_progress
from closingbell.stores.database import open_database
from closingbell.usecases.dividends import link_dividend
from tests.app_fixtures import House
from tests.dividend_desk import Desk

Make = Callable[..., Desk]
DIVIDEND = {
    "do": "event",
    "id": "e1",
    "symbol": "XX",
    "ex_date": "2024-03-14",
    "amount": "0.50",
    "pay_date": "2024-04-02",
}


@pytest.fixture
def make(tables_url: str, tmp_path: Path) -> Iterator[Make]:
    """Makes a desk with accounts A (10 shares of XX bought in January) and those given, and one dividend of 0.50."""
    database = open_database(tables_url)

    def made(*accounts: dict[str, Any], config: dict[str, Any] | None = None, **account: Any) -> Desk:
        desk = Desk(database, tmp_path)
        desk.set_up(
            {
                "config": config or {},
                "accounts": [{"id": "A", "currency": "USD", **account}, *accounts],
                "instruments": [{"symbol": "XX"}, {"symbol": "YY"}],
                "steps": [],
            }
        )
        for one in ("A", *(other["id"] for other in accounts)):
            desk.trade(one, "XX", "2024-01-10", "10", name=f"{one} buys")
        desk.carry_out(DIVIDEND)
        return desk

    yield made
    database.dispose()


def told(desk: Desk) -> list[str]:
    return [row.title for row in desk.rows(Notification)]


def with_administrator(desk: Desk) -> None:
    row = {"email": "ann@example.org", "is_administrator": True, "is_active": True, "created_at": desk.clock.now()}
    row |= {"role": "administrator", "fs_uniquifier": "ann"}
    known = {key: value for key, value in row.items() if key in User.__table__.columns}
    desk.database.write_unit(lambda c: c.execute(insert(User).values(**known)))


def names(desk: Desk) -> list[tuple[str, Decimal]]:
    return [(row.name, row.amount) for row in desk.rows(LedgerEntry) if row.payment_id is not None]


def test_preview_says_what_would_be_paid_and_writes_nothing(make: Make) -> None:
    desk = make({"id": "B", "currency": "USD"})
    desk.clock.set(desk.clock.now().replace(year=2024, month=4, day=2, hour=21))

    preview = preview_dividends(desk.context, DividendSelection())

    assert preview.in_words() == "would pay 2 accounts 10.00 USD"
    assert preview.lines == ("XX: 4 to book, 0 to take back, cash 10.00 USD",)
    assert (desk.rows(DividendPayment), [row for row in desk.rows(LedgerEntry) if row.payment_id]) == ([], [])
    desk.run("2024-04-02")
    assert preview_dividends(desk.context, DividendSelection()).in_words() == "nothing is due"


def test_run_says_what_it_booked(make: Make) -> None:
    summary = make().run("2024-04-02")

    assert summary.status is RunStatus.SUCCESS
    assert summary.message == "1 payment booked, 0 taken back: 5.00 USD"
    assert [(item.symbol, item.stored_count) for item in summary.items] == [("XX", 2)]


def test_one_bad_company_never_stops_the_rest(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = make()
    desk.trade("A", "YY", "2024-01-10", "10")
    desk.carry_out({**DIVIDEND, "id": "e2", "symbol": "YY"})
    decide = dividend_processor.decide

    def broken(facts: Any) -> Any:
        if facts.waiting.symbol == "XX":
            raise ArithmeticError("no sense in it")
        return decide(facts)

    with monkeypatch.context() as patch:
        patch.setattr(dividend_processor, "decide", broken)
        summary = desk.run("2024-04-02")

    assert summary.status is RunStatus.PARTIAL
    assert {row.symbol: row.outcome for row in desk.rows(JobLogItem)} == {"XX": "failed", "YY": "stored"}
    assert desk.states() == {"e2": "PAID"}
    desk.run("2024-04-02")
    assert desk.states() == {"e1": "PAID", "e2": "PAID"}


def test_correction_in_a_closed_period_counts_today_and_only_once(make: Make) -> None:
    desk = make()
    desk.run("2024-04-02")
    desk.configure({"lock_date": "2024-04-30"})
    desk.change_action("e1", amount=Decimal("0.60"))

    desk.run("2024-05-10")
    desk.run("2024-05-11")

    cash = [
        (str(row.value_date), row.amount) for row in desk.rows(LedgerEntry) if row.payment_id and row.name == "Cash"
    ]
    assert cash == [("2024-04-02", Decimal(5)), ("2024-05-10", Decimal(-5)), ("2024-05-10", Decimal(6))]
    [payment] = desk.payments()
    assert (payment["value_date"], payment["version"]) == ("2024-05-10", 2)


def test_missing_rate_waits_and_pays_when_it_comes(make: Make) -> None:
    desk = make(currency="EUR")

    desk.run("2024-04-05")
    assert (desk.states(), desk.payments()) == ({"e1": "PAYABLE"}, [])
    desk.carry_out({"do": "fx", "from": "USD", "to": "EUR", "date": "2024-04-01", "rate": "0.92"})
    desk.run("2024-04-06")

    assert desk.states() == {"e1": "PAID"}
    assert (desk.payments()[0]["cash"], desk.payments()[0]["value_date"]) == ("4.6000", "2024-04-02")
    assert desk.cash()["A"] == {"EUR": Decimal("4.6")}


def test_held_action_moves_nothing_until_it_is_released(make: Make) -> None:
    desk = make()
    desk.change_action("e1", is_held=True)

    desk.run("2024-04-02")
    assert (desk.states(), desk.rows(DividendPayment)) == ({"e1": "PAYABLE"}, [])
    desk.change_action("e1", is_held=False)
    desk.run("2024-04-03")
    assert desk.states() == {"e1": "PAID"}
    desk.change_action("e1", is_held=True)
    desk.run("2024-04-04")
    assert [(one["cash"], one["version"]) for one in desk.payments()] == [("5.0000", 1)]


def test_account_that_only_wants_to_see_gets_no_cash(make: Make) -> None:
    desk = make({"id": "B", "currency": "USD", "preference": "SUGGEST"})

    desk.run("2024-04-02")

    assert [one["account"] for one in desk.payments()] == ["A"]
    assert desk.states() == {"e1": "PAID"}


def test_dividends_before_the_cut_over_are_only_shown(make: Make) -> None:
    desk = make(config={"cutover_date": "2024-04-03"})

    desk.run("2024-05-01")

    assert desk.rows(DividendPayment) == []
    now = desk.clock.now()
    desk.database.write_unit(lambda c: books.store_book_setting(c, "cutover_date", "2024-04-01", by="desk", now=now))
    desk.run("2024-05-02")
    assert [one["cash"] for one in desk.payments()] == ["5.0000"]


def test_entry_of_ones_own_stands_for_the_payment_until_it_is_deleted(make: Make) -> None:
    desk = make()
    own = desk._store_order("A", "XX", "DIVIDEND", date(2024, 4, 4), amount=Decimal("5.05"))
    desk.orders["own"] = own

    desk.run("2024-04-10")
    assert desk.payments() == []
    [link] = desk.rows(DividendLink)
    assert (link.order_id, link.gross, link.is_by_person) == (own, Decimal("5.00"), False)
    desk.carry_out({"do": "delete_trade", "id": "own"})
    desk.run("2024-04-11")

    assert [one["cash"] for one in desk.payments()] == ["5.0000"]
    assert desk.rows(DividendLink) == []


def test_person_ties_an_entry_of_another_amount(make: Make) -> None:
    desk = make()
    own = desk._store_order("A", "XX", "DIVIDEND", date(2024, 6, 3), amount=Decimal("3.10"))
    desk.run("2024-06-04")
    assert [one["cash"] for one in desk.payments()] == ["5.0000"]

    assert link_dividend(desk.context, own, desk.actions["e1"]).account == "A"
    desk.run("2024-06-05")

    assert desk.payments() == []
    with pytest.raises(UsageError, match="is no dividend in the books"):
        link_dividend(desk.context, desk.orders["A buys"], desk.actions["e1"])
    with pytest.raises(UsageError, match="no corporate action has the number 999999"):
        link_dividend(desk.context, own, 999_999)


def test_tied_entry_that_is_deleted_ties_nothing_and_the_weekly_look_does_not_wonder(make: Make) -> None:
    desk = make()
    with_administrator(desk)
    desk.orders["own"] = own = desk._store_order("A", "XX", "DIVIDEND", date(2024, 4, 3), amount=Decimal("3.10"))
    link_dividend(desk.context, own, desk.actions["e1"])
    desk.run("2024-04-05")
    assert desk.payments() == []

    desk.carry_out({"do": "delete_trade", "id": "own"})
    desk.run("2024-04-08")
    assert ([one["cash"] for one in desk.payments()], desk.rows(DividendLink)) == (["5.0000"], [])
    # A statement's entry stands for it by its amount, and no longer once the amount is another.
    again = desk._store_order("A", "XX", "DIVIDEND", date(2024, 4, 3), amount=Decimal("5.00"))
    desk.run("2024-04-09")
    assert [(link.order_id, link.is_by_person) for link in desk.rows(DividendLink)] == [(again, False)]
    desk.carry_out({"do": "event_update", "id": "e1", "amount": "0.60"})
    desk.run("2024-04-10")
    desk.run("2024-04-22")

    assert [one["cash"] for one in desk.payments()] == ["6.0000"]
    assert [title for title in told(desk) if title.startswith("The weekly look")] == []


def test_entry_tied_to_a_dividend_that_is_cancelled_is_remembered_and_the_weekly_look_does_not_wonder(
    make: Make,
) -> None:
    desk = make()
    with_administrator(desk)
    own = desk._store_order("A", "XX", "DIVIDEND", date(2024, 4, 3), amount=Decimal("3.10"))
    link_dividend(desk.context, own, desk.actions["e1"])
    desk.carry_out({"do": "event_cancel", "id": "e1"})
    desk.run("2024-04-05")
    desk.run("2024-04-15")
    assert [title for title in told(desk) if title.startswith("The weekly look")] == []

    desk.carry_out({"do": "event_reinstate", "id": "e1"})
    desk.run("2024-04-16")
    assert (desk.payments(), [link.order_id for link in desk.rows(DividendLink)]) == ([], [own])


def test_rates_that_are_edited_later_take_nothing_from_entries_of_ones_own(make: Make) -> None:
    desk = make({"id": "E", "currency": "EUR"}, wht={"US": "0.15"})
    desk.carry_out({"do": "fx", "from": "USD", "to": "EUR", "date": "2024-04-01", "rate": "0.92"})
    # What was left of 5.00 after tax, and 5.00 in euros.
    desk._store_order("A", "XX", "DIVIDEND", date(2024, 4, 2), amount=Decimal("4.25"))
    desk._store_order("E", "XX", "DIVIDEND", date(2024, 4, 2), amount=Decimal("4.60"), currency="EUR")
    desk.run("2024-04-03")
    assert (desk.payments(), len(desk.rows(DividendLink))) == ([], 2)

    desk.withhold("A", "US", "0.30")
    desk.carry_out({"do": "fx", "from": "USD", "to": "EUR", "date": "2024-04-01", "rate": "0.88"})
    desk.run("2024-04-15")
    assert (desk.payments(), len(desk.rows(DividendLink))) == ([], 2)

    # Another amount is another matter: nothing that was entered is near 9.00.
    desk.carry_out({"do": "event_update", "id": "e1", "amount": "0.90"})
    desk.run("2024-04-16")
    assert [(one["account"], one["gross"]) for one in desk.payments()] == [("A", "9.0000"), ("E", "9.0000")]


def test_entry_that_comes_after_the_payment_takes_it_back(make: Make) -> None:
    desk = make()
    desk.run("2024-04-02")
    desk._store_order("A", "XX", "DIVIDEND", date(2024, 4, 3), amount=Decimal("5.00"))

    desk.run("2024-04-04")

    assert desk.cash_log() == {"e1/A": ["5.0000", "-5.0000"]}
    assert (desk.payments(), desk.states()) == ([], {"e1": "CORRECTED"})


def test_people_are_told_of_cash_taken_back_and_of_a_balance_below_zero(make: Make) -> None:
    desk = make()
    with_administrator(desk)
    desk.run("2024-04-02")
    desk._store_order("A", "XX", "BUY", date(2024, 4, 3), quantity=Decimal(1), price=Decimal(2))
    desk.change_action("e1", is_cancelled=True)

    desk.run("2024-04-05")
    desk.run("2024-04-06")

    assert told(desk) == ["XX CASH of 2024-03-14: 1 payment taken back", "A: balance below zero"]


def test_people_are_told_of_an_estimated_pay_date(make: Make) -> None:
    desk = make(config={"lag_business_days": 3})
    with_administrator(desk)
    desk.carry_out({**DIVIDEND, "id": "e2", "ex_date": "2024-05-02", "pay_date": None})

    desk.run("2024-05-07")

    assert told(desk) == ["XX CASH of 2024-05-02: paid on an estimated day"]
    assert [one["value_date"] for one in desk.payments()] == ["2024-04-02", "2024-05-07"]


def test_run_up_to_a_day_leaves_later_payments_alone(make: Make) -> None:
    desk = make()
    desk.carry_out({**DIVIDEND, "id": "e2", "ex_date": "2024-02-01", "pay_date": "2024-02-15"})
    desk.run("2024-04-10")
    before = desk.rows(DividendPayment)

    process_dividends(desk.context, None, DividendSelection(as_of=date(2024, 3, 1)))

    assert desk.rows(DividendPayment) == before
    with pytest.raises(UsageError, match="is not over yet"):
        process_dividends(desk.context, None, DividendSelection(as_of=date(2024, 4, 11)))
    with pytest.raises(UnknownSymbolError, match="NOPE"):
        preview_dividends(desk.context, DividendSelection(("NOPE",)))


EARLIER = {**DIVIDEND, "id": "e2", "ex_date": "2024-02-01", "pay_date": "2024-02-15"}


def as_of(desk: Desk, day: str) -> str:
    """A run up to a day; what it says it booked."""
    return process_dividends(desk.context, None, DividendSelection(as_of=date.fromisoformat(day))).message


def entries(desk: Desk) -> list[tuple[str, str, Decimal]]:
    rows = [row for row in desk.rows(LedgerEntry) if row.payment_id is not None]
    return [(str(row.value_date), row.name, row.amount) for row in rows]


@pytest.mark.one_database
def test_run_up_to_a_day_books_what_was_due_then_and_nothing_later(make: Make) -> None:
    desk = make()
    desk.clock.set(datetime(2024, 5, 10, 21, tzinfo=UTC))

    assert as_of(desk, "2024-03-13") == "0 payments booked, 0 taken back"
    assert desk.rows(DividendPayment) == []
    # Between ex-date and pay date it is owed, and not paid.
    assert as_of(desk, "2024-04-01") == "0 payments booked, 0 taken back"
    owed = [("2024-03-14", "Receivable", Decimal(5)), ("2024-03-14", "Income:Dividend:CASH", Decimal(-5))]
    assert entries(desk) == owed
    assert as_of(desk, "2024-04-02") == "1 payment booked, 0 taken back: 5.00 USD"
    paid = [*owed, ("2024-04-02", "Cash", Decimal(5)), ("2024-04-02", "Receivable", Decimal(-5))]
    assert entries(desk) == paid
    # Once more, and an earlier day after a later one, change nothing; nor does the ordinary run.
    as_of(desk, "2024-04-02")
    as_of(desk, "2024-03-20")
    desk.run("2024-05-11")
    assert (entries(desk), desk.states()) == (paid, {"e1": "PAID"})


@pytest.mark.one_database
def test_run_up_to_a_day_corrects_what_counts_by_then_and_takes_nothing_later_back(make: Make) -> None:
    desk = make()
    desk.carry_out(EARLIER)
    desk.carry_out({"do": "split", "id": "s1", "symbol": "XX", "ex_date": "2024-05-06", "num": 2, "den": 1})
    desk.run("2024-05-10")
    for name in ("e1", "e2"):
        desk.change_action(name, amount=Decimal("0.60"))
    desk.change_action("s1", is_cancelled=True)

    assert as_of(desk, "2024-03-20") == "1 payment booked, 1 taken back: 1.00 USD"

    assert desk.cash_log() == {"e2/A": ["5.0000", "-5.0000", "6.0000"], "e1/A": ["5.0000"]}
    assert [(row.leg, row.is_active) for row in desk.rows(DividendPayment) if row.leg == "SPLIT"] == [("SPLIT", 1)]
    desk.run("2024-05-11")
    assert desk.cash_log()["e1/A"] == ["5.0000", "-5.0000", "6.0000"]
    assert [(row.leg, row.is_active) for row in desk.rows(DividendPayment) if row.leg == "SPLIT"] == [("SPLIT", None)]
    assert desk.balances_by_group() == []


@pytest.mark.one_database
def test_entry_that_stands_for_a_later_dividend_goes_on_doing_so(make: Make) -> None:
    desk = make()
    desk.carry_out(EARLIER)
    own = desk._store_order("A", "XX", "DIVIDEND", date(2024, 4, 4), amount=Decimal("5.00"))
    desk.run("2024-05-10")
    desk.change_action("e2", amount=Decimal("0.70"))

    as_of(desk, "2024-03-01")

    assert [(row.order_id, row.corporate_action_id) for row in desk.rows(DividendLink)] == [(own, desk.actions["e1"])]
    assert desk.cash_log() == {"e2/A": ["5.0000", "-5.0000", "7.0000"]}


@pytest.mark.one_database
def test_run_up_to_a_day_on_which_the_books_are_closed_is_refused(make: Make) -> None:
    desk = make(config={"lock_date": "2024-03-31"})
    desk.clock.set(datetime(2024, 5, 10, 21, tzinfo=UTC))

    for day in ("2024-03-20", "2024-03-31"):
        with pytest.raises(UsageError, match=f"{day}: the books are closed up to 2024-03-31, nothing more can count"):
            as_of(desk, day)
        with pytest.raises(UsageError, match="leave --as-of out"):
            preview_dividends(desk.context, DividendSelection(as_of=date.fromisoformat(day)))
    assert desk.rows(DividendPayment) == []

    # Of a later day, what was due in the closed time counts on that day.
    as_of(desk, "2024-04-05")
    assert [(one[0], one[1]) for one in entries(desk)] == [
        ("2024-04-05", "Receivable"), ("2024-04-05", "Income:Dividend:CASH"),
        ("2024-04-02", "Cash"), ("2024-04-02", "Receivable"),
    ]  # fmt: skip


@pytest.mark.one_database
def test_run_up_to_a_day_leaves_a_company_to_the_ordinary_run(make: Make) -> None:
    """Nothing is marked, as after an update of an old database: that nobody ever looked is the only sign."""
    desk = make()
    desk.database.write_unit(lambda c: c.execute(delete(DividendRecheck)))
    desk.database.write_unit(lambda c: c.execute(update(CorporateActionRow).values(dirty_since=None)))
    desk.clock.set(datetime(2024, 5, 10, 21, tzinfo=UTC))
    as_of(desk, "2024-03-20")
    desk.database.write_unit(lambda c: dividend_progress.store_last(c, dividend_progress.SWEEP, now=desk.clock.now()))

    desk.run("2024-05-11")

    assert ([one["cash"] for one in desk.payments()], desk.states()) == (["5.0000"], {"e1": "PAID"})
    assert {row.next_date for row in desk.rows(DividendProgress)} == {None}


def test_fraction_is_paid_at_the_close_and_again_at_the_price_a_person_enters(make: Make) -> None:
    desk = make(fraction_policy="CASH_IN_LIEU")
    desk.carry_out({"do": "split", "id": "s1", "symbol": "XX", "ex_date": "2024-05-06", "num": 1, "den": 4})

    desk.run("2024-05-06")
    assert desk.cash()["A"] == {"USD": Decimal(5)}
    desk.close("XX", "2024-05-06", "80.00")
    desk.run("2024-05-06")
    assert desk.positions()["A"] == {"XX": Decimal(2)}
    assert desk.cash()["A"] == {"USD": Decimal(45)}
    desk.change_action("s1", cash_in_lieu_price=Decimal("82.50"))
    desk.run("2024-05-20")

    log = desk.cash_log()
    assert log["s1/A"] == ["40.0000", "-40.0000", "41.2500"]
    desk.change_action("s1", is_cancelled=True)
    desk.run("2024-05-21")
    assert desk.positions()["A"] == {"XX": Decimal(10)}
    assert desk.cash()["A"] == {"USD": Decimal(5)}


def test_account_whose_shares_a_split_makes_too_many_is_told_and_others_are_paid(make: Make) -> None:
    desk = make({"id": "B", "currency": "USD"})
    with_administrator(desk)
    desk.trade("B", "XX", "2024-01-11", "900000000")
    split = {"do": "split", "id": "s1", "symbol": "XX", "ex_date": "2024-03-11", "num": 2, "den": 1}
    desk.carry_out(split)

    for day in ("2024-04-02", "2024-04-03"):
        summary = desk.run(day)

        assert summary.status is RunStatus.SUCCESS
        assert [(one["account"], one["qty"], one["cash"]) for one in desk.payments()] == [
            ("A", "20.0000000000", "10.0000")
        ]
        assert [(row.title, row.body.split(" nothing")[0]) for row in desk.rows(Notification)] == [
            ("XX CASH of 2024-03-14: more shares than can be kept", "In account B"),
            ("XX SPLIT of 2024-03-11: more shares than can be kept", "In account B"),
        ]
    desk.carry_out({"do": "event_update", "id": "e1", "amount": "0.25"})
    desk.run("2024-04-04")
    assert desk.cash_log()["e1/A"] == ["10.0000", "-10.0000", "5.0000"]


def test_shares_bought_late_for_a_dividend_count_for_those_that_were_paid_meanwhile(make: Make) -> None:
    desk = make(reinvest=True)
    desk.close("XX", "2024-03-01", "10.00")
    desk.run("2024-04-10")
    assert [one["qty"] for one in desk.payments()] == ["10.0000000000"]

    # 10.00 buy a share on 2024-03-01, before the ex-date of the other one.
    desk.carry_out({**DIVIDEND, "id": "e0", "ex_date": "2024-02-15", "pay_date": "2024-03-01", "amount": "1"})
    desk.run("2024-04-11")

    assert [(one["event"], one["qty"]) for one in desk.payments()] == [("e0", "10.0000000000"), ("e1", "11.0000000000")]
    assert desk.run("2024-04-12").items == ()


def test_reclassified_as_capital_changes_income_and_no_cash(make: Make) -> None:
    desk = make()
    desk.run("2024-04-02")
    desk.change_action("e1", kind=AcceptedKind.RETURN_OF_CAPITAL)

    desk.run("2024-04-09")

    assert desk.cash_log() == {"e1/A": ["5.0000"]}
    assert names(desk)[2:] == [
        ("Cash", Decimal(5)),
        ("Receivable", Decimal(-5)),
        ("Receivable", Decimal(-5)),
        ("Income:Dividend:CASH", Decimal(5)),
        ("Receivable", Decimal(5)),
        ("Securities", Decimal(-5)),
    ]
    assert desk.states() == {"e1": "PAID"}


def test_missing_price_leaves_cash_and_the_buy_follows_within_five_days(make: Make) -> None:
    desk = make(reinvest=True)

    desk.run("2024-04-02")
    assert desk.cash()["A"] == {"USD": Decimal(5)}
    desk.close("XX", "2024-04-02", "40.00")
    desk.run("2024-04-05")
    desk.change_action("e1", amount=Decimal("0.40"))
    desk.run("2024-04-08")

    assert desk.positions()["A"] == {"XX": Decimal("10.125")}
    assert desk.cash_log() == {"e1/A": ["5.0000", "-5.0000", "-5.0000", "4.0000"]}


def test_price_of_a_session_that_still_runs_is_no_close_to_pay_at(make: Make) -> None:
    desk = make(reinvest=True, fraction_policy="CASH_IN_LIEU")
    desk.carry_out({"do": "split", "id": "s1", "symbol": "XX", "ex_date": "2024-04-02", "num": 1, "den": 4})
    desk.close("XX", "2024-04-02", "80.00", flag="intraday")

    desk.run("2024-04-02")
    assert desk.cash_log() == {"e1/A": ["5.0000"]}
    desk.close("XX", "2024-04-02", "100.00")
    desk.run("2024-04-03")

    # 5.00 buy a twentieth of a share, and half a share of the 2.5 is paid with 50.00.
    assert desk.cash_log() == {"e1/A": ["5.0000", "-5.0000"], "s1/A": ["50.0000"]}
    assert desk.positions()["A"] == {"XX": Decimal("2.05")}


def test_payment_is_explained(make: Make) -> None:
    desk = make(wht={"US": "0.15"})
    desk.carry_out({"do": "split", "id": "s1", "symbol": "XX", "ex_date": "2024-02-01", "num": 3, "den": 2})
    desk.run("2024-04-02")
    desk.change_action("e1", amount=Decimal("0.55"))
    desk.run("2024-04-03")
    newest = list_payments(desk.database, PaymentFilter(account="A"))
    payment = next(one for one in newest if one.leg == "PAYMENT")

    found = explain_payment(desk.database, payment.id)

    assert (found.declared, found.payment.quantity, found.payment.gross) == (
        Decimal("0.55"),
        Decimal(15),
        Decimal("8.25"),
    )
    assert (found.payment.tax, found.payment.net, found.tax_rate) == (Decimal("1.24"), Decimal("7.01"), Decimal("0.15"))
    assert [(one.type, one.quantity) for one in found.orders] == [("BUY", Decimal(10))]
    assert [(one.numerator, one.denominator, one.before, one.after) for one in found.splits] == [(3, 2, 10, 15)]
    assert [(one.leg, one.version, one.reversal_reason is None) for one in found.versions] == [
        ("ACCRUAL", 1, False),
        ("PAYMENT", 1, False),
        ("ACCRUAL", 2, True),
        ("PAYMENT", 2, True),
    ]
    assert [one.reason for one in found.action_versions] == ["told", "changed"]
    assert [(one.name, one.amount) for one in found.entries] == [
        ("Cash", Decimal("7.01")),
        ("Receivable", Decimal("-7.01")),
    ]
    with pytest.raises(UnknownPaymentError, match="no payment 999999"):
        explain_payment(desk.database, 999_999)


def test_commands_pay_list_and_explain(house: House) -> None:
    house.at("2012-12-14 16:31").hold("MSFT", since="2012-11-01")
    house.run()

    dry = house.command("run-dividend-processor", "--dry-run")
    assert dry.output.splitlines()[-1] == "would pay 1 account 2.30 USD"
    paid = house.command("run-dividend-processor")
    assert (paid.exit_code, paid.output.split(" (run")[0]) == (0, "SUCCESS: 1 payment booked, 0 taken back: 2.30 USD")
    listed = house.command("payments", "--symbol", "MSFT")
    assert "2.30 USD" in listed.output
    [payment] = [one for one in house.rows(DividendPayment) if one.leg == "PAYMENT"]
    explained = house.command("explain-payment", str(payment.id)).output
    assert "declared   0.23 USD per share of the close before the ex-date" in explained
    assert "BUY 10.00" in explained
    assert house.command("explain-payment", "999999").exit_code == 2
    assert house.command("run-dividend-processor", "--dry-run").output == "nothing is due\n"
    house.command("rename-symbol", "MSFT", "MSX", "--from", "2012-12-14", "--why", "a try")
    assert house.command("payments", "--symbol", "MSFT").output == listed.output.replace("MSFT", "MSX ")
    assert "2.30 USD" in house.command("payments", "--symbol", "MSX").output
