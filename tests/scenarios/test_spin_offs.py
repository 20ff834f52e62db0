"""A spin-off as it is booked, corrected, taken back, proved and explained, on each database.

AT&T gave 0.241917 shares of Warner Bros. Discovery for each of its own on 2022-04-11 and kept 76.52 per cent of the
cost; orders and prices are made up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from closingbell.domain.runs import RunStatus
from closingbell.errors import UsageError
from closingbell.jobs.dividend_processor import DividendSelection, preview_dividends, process_dividends
from closingbell.models import DividendPayment, DividendRecheck, LedgerEntry, Order
from closingbell.queries.audit import audit
from closingbell.queries.payments import PaymentFilter, explain_payment, list_payments
from closingbell.queries.portfolio import load_portfolios
from closingbell.queries.suggestions import list_suggestions
from closingbell.stores.database import open_database
from closingbell.usecases.orders import delete_order
from closingbell.usecases.suggestions import accept_suggestions
from tests.dividend_desk import Desk

Make = Callable[..., Desk]
SPIN_OFF = {
    "do": "spin_off",
    "id": "s1",
    "symbol": "T",
    "child": "WBD",
    "ex_date": "2022-04-11",
    "ratio": "0.241917",
    "parent_basis_pct": "76.52",
}
# Paid by the child after it was spun off.
DIVIDEND = {
    "do": "event",
    "id": "e1",
    "symbol": "WBD",
    "ex_date": "2022-06-01",
    "amount": "0.50",
    "pay_date": "2022-06-15",
}


@pytest.fixture
def make(tables_url: str, tmp_path: Path) -> Iterator[Make]:
    """Makes a desk with account A, which bought 100 shares of T for 2400 in January, and the spin-off."""
    database = open_database(tables_url)

    def made(*, config: dict[str, Any] | None = None, **account: Any) -> Desk:
        desk = Desk(database, tmp_path)
        desk.set_up(
            {
                "config": config or {},
                "accounts": [{"id": "A", "currency": "USD", **account}],
                # The child is looked at before its parent.
                "instruments": [{"symbol": "WBD"}, {"symbol": "T"}],
                "steps": [],
            }
        )
        buy(desk, "2022-01-10", "100", "24", name="A buys")
        desk.carry_out(SPIN_OFF)
        return desk

    yield made
    database.dispose()


def buy(
    desk: Desk, on: str, quantity: str, price: str, *, symbol: str = "T", name: str = "", type_: str = "BUY"
) -> None:
    amounts = {"quantity": Decimal(quantity), "price": Decimal(price)}
    desk.orders[name or f"{on} {quantity}"] = desk._store_order("A", symbol, type_, date.fromisoformat(on), **amounts)


def held(desk: Desk, on: str) -> dict[str, tuple[str, str, str]]:
    """Shares, what they cost, and what was gained, by symbol."""
    (view,) = load_portfolios(desk.database, as_of=date.fromisoformat(on))
    return {
        one.symbol: (f"{one.quantity.normalize():f}", f"{one.cost:.2f}", f"{one.realised_gain:.2f}")
        for one in view.positions
    }


def differences(desk: Desk) -> dict[str, tuple[str, ...]]:
    # The tables of these tests have no triggers, and closes are put past their summaries.
    found = {line.check: line.differences for line in audit(desk.database, now=desk.clock.now()) if line.differences}
    return {name: said for name, said in found.items() if name not in {"append-only", "summaries"}}


def test_spin_off_is_booked_once_and_its_child_pays_on_the_new_shares_in_the_same_run(make: Make) -> None:
    desk = make(fraction_policy="CASH_IN_LIEU")
    desk.close("WBD", "2022-04-11", "24.00")
    desk.carry_out(DIVIDEND)

    desk.run("2022-06-15")

    assert held(desk, "2022-04-10") == {"T": ("100", "2400.00", "0.00")}
    assert held(desk, "2022-04-11") == {"T": ("100", "1836.48", "0.00"), "WBD": ("24", "559.05", "0.13")}
    assert desk.states() == {"s1": "PAID", "e1": "PAID"}
    assert [(one["event"], one["qty"], one["cash"]) for one in desk.payments()] == [("e1", "24.0000000000", "12.0000")]
    assert desk.cash()["A"] == {"USD": Decimal("16.60")}
    assert differences(desk) == {}
    before = desk.rows(DividendPayment), desk.rows(LedgerEntry), desk.rows(Order)
    assert desk.rows(DividendRecheck) == []

    assert desk.run("2022-06-16").items == ()
    assert (desk.rows(DividendPayment), desk.rows(LedgerEntry), desk.rows(Order)) == before


def test_late_order_is_corrected_and_cancelling_takes_all_of_it_back(make: Make) -> None:
    desk = make()
    desk.carry_out(DIVIDEND)
    desk.run("2022-06-15")
    assert held(desk, "2022-06-15") == {"T": ("100", "1836.48", "0.00"), "WBD": ("24.1917", "563.52", "0.00")}
    assert desk.cash()["A"] == {"USD": Decimal("12.10")}

    buy(desk, "2022-02-10", "20", "30")
    desk.run("2022-06-20")

    # 76.52 per cent of 3000; 29.03004 times 0.50.
    assert held(desk, "2022-06-20") == {"T": ("120", "2295.60", "0.00"), "WBD": ("29.03004", "704.40", "0.00")}
    assert desk.cash()["A"] == {"USD": Decimal("14.52")}
    assert desk.states() == {"s1": "CORRECTED", "e1": "CORRECTED"}
    assert differences(desk) == {}

    desk.change_action("s1", is_cancelled=True)
    desk.run("2022-06-21")

    assert held(desk, "2022-06-21") == {"T": ("120", "3000.00", "0.00")}
    assert (desk.cash()["A"], desk.payments()) == ({"USD": Decimal(0)}, [])
    assert desk.states() == {"s1": "CANCELLED", "e1": "CORRECTED"}
    assert [(row.source, row.deleted_by) for row in desk.rows(Order) if row.deleted_at] == [
        ("spin-off", "dividend_processor"),
        ("spin-off", "dividend_processor"),
    ]
    assert differences(desk) == {}

    desk.change_action("s1", is_cancelled=False, numerator=1, denominator=4)
    desk.run("2022-06-22")
    assert held(desk, "2022-06-22")["WBD"] == ("30", "704.40", "0.00")


def test_agents_price_corrects_what_the_fraction_was_sold_for(make: Make) -> None:
    desk = make(fraction_policy="CASH_IN_LIEU")
    desk.run("2022-04-11")
    assert desk.states() == {"s1": "PAYABLE"}
    assert held(desk, "2022-04-11")["WBD"] == ("24.1917", "563.52", "0.00")
    # The child's first close, a day later.
    desk.close("WBD", "2022-04-12", "24.00")
    desk.run("2022-04-12")
    desk.close("WBD", "2022-04-12", "26.00")
    desk.change_action("s1", cash_in_lieu_price=Decimal("25.00"))

    desk.run("2022-04-20")

    assert held(desk, "2022-04-20")["WBD"] == ("24", "559.05", "0.32")
    assert desk.cash()["A"] == {"USD": Decimal("4.79")}
    assert desk.cash_log() == {"s1/A": ["4.6000", "-4.6000", "4.7900"]}
    assert desk.states() == {"s1": "PAID"}


def test_shares_that_the_account_entered_itself_stand_for_it_until_they_are_deleted(make: Make) -> None:
    desk = make()
    desk.run("2022-04-11")
    buy(desk, "2022-04-13", "24", "23", symbol="WBD", name="own", type_="TRANSFER_IN")

    desk.run("2022-04-13")
    assert held(desk, "2022-04-13") == {"T": ("100", "2400.00", "0.00"), "WBD": ("24", "552.00", "0.00")}
    desk.carry_out({"do": "delete_trade", "id": "own"})
    desk.run("2022-04-14")

    assert held(desk, "2022-04-14") == {"T": ("100", "1836.48", "0.00"), "WBD": ("24.1917", "563.52", "0.00")}


@pytest.mark.one_database
def test_changed_cost_before_it_moves_another_part(make: Make) -> None:
    desk = make()
    desk.run("2022-04-11")
    desk._store_order("A", "T", "COST_CHANGE", date(2022, 2, 1), amount=Decimal(-400))
    desk.carry_out({**DIVIDEND, "id": "e2", "symbol": "T", "type": "RETURN_OF_CAPITAL", "ex_date": "2022-03-01"})

    desk.run("2022-06-15")

    # 2400 - 400 - 50, of which 76.52 per cent stay.
    assert held(desk, "2022-06-15") == {"T": ("100", "1492.14", "0.00"), "WBD": ("24.1917", "457.86", "0.00")}
    assert desk.run("2022-06-16").items == ()


@pytest.mark.one_database
def test_shares_bought_for_a_dividend_count_in_the_same_run(make: Make) -> None:
    desk = make(reinvest=True)
    desk.close("T", "2022-03-15", "20.00")
    desk.carry_out(
        {**DIVIDEND, "id": "e2", "symbol": "T", "ex_date": "2022-03-01", "amount": "2", "pay_date": "2022-03-15"}
    )

    desk.run("2022-04-11")

    # 10 shares for 200: 110 x 0.241917, and 23.48 per cent of 2600.
    assert held(desk, "2022-04-11") == {"T": ("110", "1989.52", "0.00"), "WBD": ("26.61087", "610.48", "0.00")}
    assert desk.run("2022-04-12").items == ()


@pytest.mark.one_database
def test_child_may_spin_off_itself(make: Make) -> None:
    desk = make()
    desk.list_company("WBX")
    desk.carry_out(
        {
            **SPIN_OFF,
            "id": "s2",
            "symbol": "WBD",
            "child": "WBX",
            "ex_date": "2022-05-02",
            "ratio": "2",
            "parent_basis_pct": "50",
        }
    )

    desk.run("2022-05-02")

    assert held(desk, "2022-05-02") == {
        "T": ("100", "1836.48", "0.00"),
        "WBD": ("24.1917", "281.76", "0.00"),
        "WBX": ("48.3834", "281.76", "0.00"),
    }
    desk.change_action("s1", is_cancelled=True)
    desk.run("2022-05-03")
    assert held(desk, "2022-05-03") == {"T": ("100", "2400.00", "0.00")}
    assert differences(desk) == {}


@pytest.mark.one_database
def test_suggested_and_before_the_cut_over_nothing_is_booked(make: Make) -> None:
    desk = make(preference="SUGGEST")
    desk.run("2022-04-11")
    assert (desk.rows(DividendPayment), desk.states()) == ([], {"s1": "PAID"})
    preview = preview_dividends(desk.context, DividendSelection(("T",)))
    assert (preview.suggestion_count, preview.in_words()) == (1, "nothing is due")
    [told] = list_suggestions(desk.database, now=desk.clock.now(), lag=None)
    assert (told.kind, told.ex_date, told.quantity, told.net) == (
        "SPIN_OFF", date(2022, 4, 11), Decimal(100), Decimal("563.52")
    )  # fmt: skip
    assert told.remark == "24.1917 shares of WBD would come; the amount is the cost that they take"

    accept_suggestions(desk.context, "A", None, by="ann")
    desk.run("2022-04-12")
    desk.run("2022-04-13")

    assert held(desk, "2022-04-13") == {"T": ("100", "1836.48", "0.00"), "WBD": ("24.1917", "563.52", "0.00")}
    assert list_suggestions(desk.database, now=desk.clock.now(), lag=None, with_decided=True) == []


@pytest.mark.one_database
def test_action_that_turns_out_to_be_a_split_brings_no_child(make: Make) -> None:
    desk = make()
    desk.run("2022-04-11")

    desk.change_action("s1", kind="SPLIT", numerator=2, denominator=1, child_symbol=None)
    desk.run("2022-04-12")

    assert held(desk, "2022-04-12") == {"T": ("200", "2400.00", "0.00")}
    desk.change_action("s1", kind="SPIN_OFF", numerator=1, denominator=4, child_symbol="WBD")
    desk.run("2022-04-13")
    assert held(desk, "2022-04-13") == {"T": ("100", "1836.48", "0.00"), "WBD": ("25", "563.52", "0.00")}
    assert {row.leg for row in desk.rows(DividendPayment) if row.is_active} == {"SPIN_OFF"}


@pytest.mark.one_database
def test_weekly_look_does_not_wonder_at_a_child(make: Make) -> None:
    desk = make()
    desk.carry_out(DIVIDEND)
    desk.run("2022-03-01")

    summary = desk.run("2022-06-15")

    assert summary.status is RunStatus.SUCCESS
    assert [one["cash"] for one in desk.payments()] == ["12.1000"]


@pytest.mark.one_database
def test_run_up_to_a_day_before_it_leaves_it_alone(make: Make) -> None:
    desk = make()
    desk.clock.set(desk.clock.now().replace(year=2022, month=4, day=11, hour=23))

    process_dividends(desk.context, None, DividendSelection(as_of=date(2022, 4, 8)))
    assert desk.rows(DividendPayment) == []
    process_dividends(desk.context, None, DividendSelection(as_of=date(2022, 4, 11)))
    assert [row.leg for row in desk.rows(DividendPayment)] == ["SPIN_OFF"]


@pytest.mark.one_database
def test_order_of_a_spin_off_is_deleted_by_nobody_else(make: Make) -> None:
    desk = make()
    desk.run("2022-04-11")
    (made,) = [row for row in desk.rows(Order) if row.source == "spin-off"]

    with pytest.raises(
        UsageError, match=f"order {made.id} follows from a spin-off .corporate action {desk.actions['s1']}."
    ):
        delete_order(desk.context, made.id, by="Ann")


@pytest.mark.one_database
def test_audit_names_what_was_changed_behind_it(make: Make) -> None:
    desk = make()
    desk.run("2022-04-11")
    (made,) = [row for row in desk.rows(Order) if row.source == "spin-off"]
    (leg,) = desk.rows(DividendPayment)

    def change(statement: str) -> tuple[str, ...]:
        desk.database.write_unit(lambda connection: connection.exec_driver_sql(statement))
        return differences(desk).get("spin-offs", ())

    assert change(f"UPDATE orders SET quantity = quantity + 1 WHERE id = {made.id}") == (
        f"order {made.id} is not what payment {leg.id} made of it",
    )
    assert change(f"UPDATE orders SET quantity = quantity - 1, source = 'x' WHERE id = {made.id}") == (
        f"payment {leg.id} brought or sold shares, and its order is not there",
    )
    assert change(f"UPDATE orders SET source = 'spin-off' WHERE id = {made.id}") == ()
    assert change(f"UPDATE dividend_payment SET is_active = NULL WHERE id = {leg.id}") == (
        f"order {made.id} follows from a corporate action, and no payment stands for it",
    )


@pytest.mark.one_database
def test_shares_and_the_fraction_are_explained(make: Make) -> None:
    desk = make(fraction_policy="CASH_IN_LIEU")
    desk.close("WBD", "2022-04-11", "24.00")
    desk.run("2022-04-11")

    sold, shares = sorted(list_payments(desk.database, PaymentFilter(symbol="T")), key=lambda one: one.leg)

    found = explain_payment(desk.database, shares.id)
    assert (found.ratio, found.child_symbol, found.quantity_after) == ("241917:1000000", "WBD", Decimal("24.1917"))
    assert [(one.name, one.amount) for one in found.entries] == [
        ("Securities", Decimal("563.52")),
        ("Equity:Transfers", Decimal("-563.52")),
        ("Securities", Decimal("-563.52")),
        ("Equity:Transfers", Decimal("563.52")),
    ]
    found = explain_payment(desk.database, sold.id)
    assert (found.payment.quantity, found.payment.cash, found.price) == (
        Decimal("0.1917"),
        Decimal("4.60"),
        Decimal(24),
    )
    assert [(one.name, one.amount) for one in found.entries] == [
        ("Cash", Decimal("4.60")),
        ("Securities", Decimal("-4.60")),
    ]
