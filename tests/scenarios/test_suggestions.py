"""Payments that are only suggested: seen, accepted and then booked once, or dismissed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from closingbell.errors import UnknownAccountError, UsageError
from closingbell.jobs.dividend_processor import DividendSelection, preview_dividends, process_dividends
from closingbell.models import DividendChoice, DividendPayment, LedgerEntry
from closingbell.queries.dividend_calendar import load_calendar
from closingbell.queries.suggestions import SuggestionView, list_suggestions
from closingbell.stores.database import open_database
from closingbell.usecases.accounts import change_account
from closingbell.usecases.suggestions import accept_suggestions, dismiss_suggestions
from tests.app_fixtures import House
from tests.dividend_desk import Desk

Make = Callable[..., Desk]
FIRST = {"do": "event", "id": "e1", "symbol": "XX", "ex_date": "2024-03-14", "amount": "0.50", "pay_date": "2024-04-02"}
SECOND = {**FIRST, "id": "e2", "ex_date": "2024-06-13", "amount": "0.60", "pay_date": "2024-07-02"}


@pytest.fixture
def make(tables_url: str, tmp_path: Path) -> Iterator[Make]:
    """Makes a desk in July 2024: Ann wants to be asked, Bob is paid; both bought ten shares of XX in January."""
    database = open_database(tables_url)

    def made(preference: str = "SUGGEST", **config: Any) -> Desk:
        desk = Desk(database, tmp_path)
        desk.set_up(
            {
                "config": config,
                "accounts": [
                    {"id": "Ann", "currency": "USD", "preference": preference, "wht": {"US": "0.15"}},
                    {"id": "Bob", "currency": "USD"},
                ],
                "instruments": [{"symbol": "XX"}],
                "steps": [],
            }
        )
        for one in ("Ann", "Bob"):
            desk.trade(one, "XX", "2024-01-10", "10")
        desk.carry_out(FIRST)
        desk.carry_out(SECOND)
        desk.run("2024-07-10")
        return desk

    yield made
    database.dispose()


def listed(desk: Desk, **how: Any) -> list[SuggestionView]:
    return list_suggestions(desk.database, now=desk.clock.now(), lag=None, **how)


def short(found: list[SuggestionView]) -> list[tuple[str, str, Decimal]]:
    return [(one.account, str(one.ex_date), one.net) for one in found]


def paid(desk: Desk) -> list[tuple[str, str, str, str]]:
    return [(one["event"], one["account"], one["cash"], one["value_date"]) for one in desk.payments()]


BOBS = [("e1", "Bob", "5.0000", "2024-04-02"), ("e2", "Bob", "6.0000", "2024-07-02")]


@pytest.mark.one_database
def test_suggestion_says_what_would_be_booked(make: Make) -> None:
    desk = make()

    assert paid(desk) == BOBS
    first, second = listed(desk)
    assert first == SuggestionView(
        action_id=desk.actions["e1"],
        account="Ann",
        symbol="XX",
        kind="CASH",
        ex_date=date(2024, 3, 14),
        pay_date=date(2024, 4, 2),
        pay_date_status="CONFIRMED",
        quantity=Decimal(10),
        per_share=Decimal("0.5"),
        gross=Decimal(5),
        tax=Decimal("0.75"),
        net=Decimal("4.25"),
        currency="USD",
        decision=None,
        remark="",
    )
    assert (second.action_id, second.net) == (desk.actions["e2"], Decimal("5.10"))
    assert listed(desk, account="Bob") == []
    with pytest.raises(UnknownAccountError, match="no account is called 'Zoe'"):
        listed(desk, account="Zoe")


def test_accepted_suggestion_is_booked_once_like_any_other(make: Make) -> None:
    desk = make()
    at_once = threading.Barrier(3)

    def accept(_number: int) -> None:
        at_once.wait(timeout=20)
        accept_suggestions(desk.context, "Ann", [desk.actions["e1"]], by="ann")

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(accept, range(3)))
    assert [one.decision for one in listed(desk, with_decided=True)] == ["accepted", None]
    desk.run("2024-07-11")
    desk.run("2024-07-12")
    process_dividends(desk.context, None, DividendSelection(("XX",)))

    assert paid(desk) == [("e1", "Ann", "4.2500", "2024-04-02"), *BOBS]
    assert desk.cash_log()["e1/Ann"] == ["4.2500"]
    assert short(listed(desk)) == [("Ann", "2024-06-13", Decimal("5.10"))]
    assert [(row.is_accepted, row.decided_by) for row in desk.rows(DividendChoice)] == [(True, "ann")]
    # From then on it is kept right, and a decision comes too late.
    desk.change_action("e1", amount=Decimal("0.40"))
    desk.run("2024-07-15")
    assert desk.cash_log()["e1/Ann"] == ["4.2500", "-4.2500", "3.4000"]
    with pytest.raises(UsageError, match="nothing is suggested to Ann of corporate action"):
        dismiss_suggestions(desk.context, "Ann", [desk.actions["e1"]], by="ann")
    assert desk.balances_by_group() == []


def test_dismissed_suggestion_does_not_come_back_unless_it_is_accepted_after_all(make: Make) -> None:
    desk = make()

    dismiss_suggestions(desk.context, "Ann", [desk.actions["e1"]], by="ann")
    desk.run("2024-07-11")
    desk.change_action("e1", amount=Decimal("0.70"))
    desk.run("2024-07-12")

    assert short(listed(desk)) == [("Ann", "2024-06-13", Decimal("5.10"))]
    assert short(listed(desk, with_decided=True))[0] == ("Ann", "2024-03-14", Decimal("5.95"))
    assert preview_dividends(desk.context, DividendSelection(as_of=date(2024, 7, 12))).suggestion_count == 1
    assert [row for row in desk.rows(LedgerEntry) if row.payment_id and row.account_id == desk.accounts["Ann"]] == []
    accept_suggestions(desk.context, "Ann", [desk.actions["e1"]], by="ann")
    desk.run("2024-07-15")
    assert desk.cash_log()["e1/Ann"] == ["5.9500"]


@pytest.mark.one_database
def test_dividends_from_before_the_cut_over_are_suggested_to_everybody(make: Make) -> None:
    desk = make("AUTO", cutover_date="2024-05-01")

    assert short(listed(desk)) == [("Ann", "2024-03-14", Decimal("4.25")), ("Bob", "2024-03-14", Decimal(5))]
    assert len(accept_suggestions(desk.context, "Bob", None, by="bob")) == 1
    desk.run("2024-07-11")

    assert paid(desk) == [
        ("e1", "Bob", "5.0000", "2024-04-02"),
        ("e2", "Ann", "5.1000", "2024-07-02"),
        ("e2", "Bob", "6.0000", "2024-07-02"),
    ]
    assert short(listed(desk)) == [("Ann", "2024-03-14", Decimal("4.25"))]


@pytest.mark.one_database
def test_account_that_wants_nothing_is_suggested_nothing(make: Make) -> None:
    desk = make("OFF", cutover_date="2024-05-01")

    assert {one.account for one in listed(desk)} == {"Bob"}
    with pytest.raises(UsageError, match="nothing is suggested to Ann"):
        accept_suggestions(desk.context, "Ann", [desk.actions["e2"]], by="ann")
    assert desk.rows(DividendChoice) == []


@pytest.mark.one_database
def test_entry_of_ones_own_ends_the_suggestion(make: Make) -> None:
    desk = make()
    desk._store_order("Ann", "XX", "DIVIDEND", date(2024, 4, 3), amount=Decimal("4.25"))

    assert short(listed(desk)) == [("Ann", "2024-06-13", Decimal("5.10"))]


@pytest.mark.one_database
def test_held_dividend_is_suggested_with_a_remark_and_waits(make: Make) -> None:
    desk = make()
    desk.change_action("e1", is_held=True)
    accept_suggestions(desk.context, "Ann", [desk.actions["e1"]], by="ann")
    desk.change_action("e2", is_held=True)
    desk.run("2024-07-11")

    assert paid(desk) == BOBS
    [second] = listed(desk)
    assert second.remark == "held: it waits for a decision on the corporate action too"
    desk.change_action("e1", is_held=False)
    desk.run("2024-07-12")
    assert desk.cash_log()["e1/Ann"] == ["4.2500"]


@pytest.mark.one_database
def test_what_was_dismissed_before_anything_was_booked_leaves_the_books_alone(make: Make) -> None:
    desk = make()
    desk.clock.set(datetime(2024, 7, 11, 21, tzinfo=UTC))
    accept_suggestions(desk.context, "Ann", [desk.actions["e1"]], by="ann")
    assert len(dismiss_suggestions(desk.context, "Ann", None, by="ann")) == 1
    dismiss_suggestions(desk.context, "Ann", [desk.actions["e1"]], by="ann")
    before = desk.rows(DividendPayment)

    desk.run("2024-07-12")

    assert (desk.rows(DividendPayment), listed(desk)) == (before, [])


@pytest.mark.one_database
def test_commands_list_accept_and_dismiss(house: House) -> None:
    house.at("2012-12-14 16:31").hold("MSFT", "IBM", since="2012-11-01")
    house.run()
    assert house.command("accounts", "set", "Ann", "--dividends", "SUGGEST").exit_code == 0
    house.command("run-dividend-processor")

    rows = json.loads(house.command("suggestions", "list", "--format", "json").stdout)
    assert [(row["symbol"], row["quantity"], row["net"]) for row in rows] == [
        ("IBM", "10.00", "8.50"), ("MSFT", "10.00", "2.30")
    ]  # fmt: skip
    ibm, msft = (str(row["action_id"]) for row in rows)
    assert house.command("suggestions", "accept", "--account", "Ann").exit_code == 2
    accepted = house.command("suggestions", "accept", msft, "--account", "Ann")
    assert accepted.stdout == "1 suggestion of Ann will be paid by the next dividend run\n"
    dismissed = house.command("suggestions", "dismiss", "--all", "--account", "Ann")
    assert dismissed.stdout == "1 suggestion of Ann will not be shown again\n"
    assert house.command("run-dividend-processor").output.startswith("SUCCESS: 1 payment booked, 0 taken back: 2.30")
    assert house.command("suggestions", "list").stdout == "nothing is suggested\n"
    [_, line] = house.command("suggestions", "list", "--decided").stdout.splitlines()
    assert line.split()[:3] == [ibm, "Ann", "IBM"]
    assert line.endswith("dismissed")


@pytest.mark.one_database
def test_calendar_says_what_was_said_of_a_suggestion(make: Make) -> None:
    desk = make()

    def remarks() -> list[tuple[str, str]]:
        found = load_calendar(desk.database, as_of=date(2024, 3, 20), account="Ann")
        return [(str(one.ex_date), one.remark) for one in found]

    assert remarks() == [
        ("2024-03-14", "not paid by itself: SUGGEST"),
        ("2024-06-13", "not paid by itself: SUGGEST"),
    ]
    accept_suggestions(desk.context, "Ann", [desk.actions["e1"]], by="ann")
    dismiss_suggestions(desk.context, "Ann", [desk.actions["e2"]], by="ann")
    assert remarks() == [("2024-03-14", "accepted: paid like any other"), ("2024-06-13", "dismissed: not paid")]
    # Of an account that is paid by itself, what was said before has no effect.
    change_account(desk.context, "Ann", dividend_preference="AUTO")
    assert remarks()[1] == ("2024-06-13", "")
    desk.configure({"cutover_date": "2024-07-02"})
    assert remarks()[1] == ("2024-06-13", "")
    desk.configure({"cutover_date": "2024-07-03"})
    assert remarks()[1] == ("2024-06-13", "dismissed: not paid")
