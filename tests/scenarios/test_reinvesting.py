"""Reinvestment chosen for one company, whatever the account chooses for all; and when it began."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from closingbell.errors import UnknownSymbolError, UsageError
from closingbell.models import AuditEntry, Notification
from closingbell.queries.holding_choices import list_holding_choices
from closingbell.stores import merging
from closingbell.stores.accounts import load_holding_choices
from closingbell.stores.database import open_database
from closingbell.usecases import people
from closingbell.usecases.accounts import change_account, set_reinvesting
from tests.app_fixtures import House
from tests.dividend_desk import Desk

Make = Callable[..., Desk]


@pytest.fixture
def make(tables_url: str, tmp_path: Path) -> Iterator[Make]:
    """Makes a desk on which A and B hold 100 shares of XX and of YY, which pay 1.00 each on 2024-04-02."""
    database = open_database(tables_url)

    def made(*, reinvest: bool = False, closes: bool = True) -> Desk:
        desk = Desk(database, tmp_path)
        accounts = [{"id": "A", "reinvest": reinvest}, {"id": "B"}]
        companies = [{"symbol": "XX"}, {"symbol": "YY"}]
        desk.set_up({"accounts": accounts, "instruments": companies, "steps": []})
        for symbol in ("XX", "YY"):
            for name in ("A", "B"):
                desk.trade(name, symbol, "2024-01-10", "100")
            dividend = {"ex_date": "2024-03-14", "amount": "1.00", "pay_date": "2024-04-02"}
            desk.carry_out({"do": "event", "id": symbol, "symbol": symbol, **dividend})
            if closes:
                desk.close(symbol, "2024-04-02", "10.00")
        return desk

    yield made
    database.dispose()


def bought(desk: Desk) -> dict[str, list[str]]:
    return {key: log for key, log in desk.cash_log().items() if len(log) > 1}


def test_company_is_reinvested_although_the_account_is_not(make: Make) -> None:
    desk = make()
    set_reinvesting(desk.context, "A", "xx", True, by="Ann")
    desk.run("2024-04-02")

    assert bought(desk) == {"XX/A": ["100.0000", "-100.0000"]}
    assert desk.positions()["A"] == {"XX": 110, "YY": 100}
    assert [(row.who, row.action, row.target, row.detail) for row in desk.rows(AuditEntry)] == [
        ("Ann", "reinvest", "A", "XX: reinvested")
    ]
    assert desk.run("2024-04-03").items == ()


def test_company_stays_cash_although_the_account_reinvests(make: Make) -> None:
    desk = make(reinvest=True)
    set_reinvesting(desk.context, "A", "XX", False, by="Ann")
    desk.run("2024-04-02")
    assert bought(desk) == {"YY/A": ["100.0000", "-100.0000"]}

    # Taken back within five days of the payment, the account's choice counts for it again.
    set_reinvesting(desk.context, "A", "XX", None, by="Ann")
    desk.run("2024-04-04")
    assert set(bought(desk)) == {"XX/A", "YY/A"}
    assert list_holding_choices(desk.database) == []


@pytest.mark.one_database
@pytest.mark.parametrize(("chosen_on", "told"), [("2024-04-05", 1), ("2024-04-10", 0)], ids=["in time", "too late"])
def test_who_begins_late_is_not_told_that_a_price_is_missing(make: Make, chosen_on: str, told: int) -> None:
    desk = make(closes=False)
    people.create_administrator(desk.context, email="a@example.org", password="correct horse battery", name="A")
    desk.run("2024-04-02")
    desk.run(chosen_on)
    change_account(desk.context, "A", is_reinvesting=True)
    set_reinvesting(desk.context, "A", "YY", False, by="Ann")
    desk.run(chosen_on)
    desk.run("2024-04-11")

    waits = [row.title for row in desk.rows(Notification) if "no price" in row.title]
    assert waits == ["XX CASH of 2024-03-14: no price of 2024-04-02 to reinvest at"] * told


@pytest.mark.one_database
def test_choice_goes_along_when_two_rows_of_a_company_become_one(make: Make) -> None:
    desk = make()
    set_reinvesting(desk.context, "A", "YY", True, by="Ann")
    set_reinvesting(desk.context, "B", "XX", True, by="Bob")
    set_reinvesting(desk.context, "B", "YY", False, by="Bob")

    with desk.database.write() as connection:
        merging._move_choices(connection, desk.companies["XX"], desk.companies["YY"])
        found = [(one.account_id, one.company_id, one.is_reinvesting) for one in load_holding_choices(connection)]

    xx = desk.companies["XX"]
    assert sorted(found) == [(desk.accounts["A"], xx, True), (desk.accounts["B"], xx, True)]


@pytest.mark.one_database
def test_command_chooses_shows_and_refuses(house: House) -> None:
    house.at("2012-12-14 16:31").hold("IBM", since="2012-11-01")
    assert house.command("accounts", "reinvest", "Ann").stdout == "Ann chooses for all companies alike\n"
    [_, line] = house.command("accounts", "reinvest", "Ann", "ibm", "--on").stdout.splitlines()
    assert line.split() == ["Ann", "IBM", "reinvested"]
    assert house.command("accounts", "reinvest", "Ann", "IBM").exit_code == 2
    assert house.command("accounts", "reinvest", "Ann", "--on").exit_code == 2
    with pytest.raises(UnknownSymbolError):
        set_reinvesting(house.context, "Ann", "NOPE", True, by="Ann")
    house.orders("2012-11-02,BUY,MSFT,10,20,0,USD", account="Bob")
    with pytest.raises(UsageError, match="the account Ann has no order of MSFT"):
        set_reinvesting(house.context, "Ann", "MSFT", True, by="Ann")
