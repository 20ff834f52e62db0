"""What pages, API and commands show of a portfolio, on the recorded market of autumn 2012."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from sqlalchemy import event

from closingbell.queries.dividend_calendar import CalendarLine, load_calendar
from tests.app_fixtures import House

ORDERS = """
2012-09-04,DEPOSIT,,,100000,0,USD
2012-09-04,BUY,AAPL,20,675.00,4.95,USD
2012-09-04,BUY,IBM,10,195,0,USD
2012-11-16,SELL,AAPL,5,525,4.95,USD
"""


@pytest.fixture
def ann(house: House) -> House:
    """Ann lives in Germany, holds AAPL and IBM, and was paid what is due; both companies went ex on 2012-11-07."""
    house.orders(ORDERS)
    house.command("accounts", "set", "Ann", "--residence", "DE")
    house.command("books", "withhold", "US", "0.15", "--since", "2000-01-01", "--residence", "DE")
    house.run()
    assert house.command("run-dividend-processor").exit_code == 0
    return house


def told(house: House, *arguments: str) -> Any:
    result = house.command(*arguments, "--format", "json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_positions_have_cost_value_and_gain(ann: House) -> None:
    (view,) = told(ann, "portfolio")

    shown = ("symbol", "quantity", "cost", "average_cost", "close", "close_date", "market_value", "unrealised_gain")
    assert [[position[name] for name in shown] for position in view["positions"]] == [
        ["AAPL", "15.00", "10125.00", "675.00", "585.28", "2012-11-30", "8779.20", "-1345.80"],
        ["IBM", "10.00", "1950.00", "195.00", "190.07", "2012-11-30", "1900.70", "-49.30"],
    ]
    assert view["positions"][0]["realised_gain"] == "-750.00"
    # 100,000 - 13,504.95 - 1,950 + 2,620.05 + 45.05
    assert view["cash"] == [{"currency": "USD", "amount": "87210.15"}]
    assert view["owed"] == [{"currency": "USD", "amount": "7.22"}]
    assert view["total"] == "97897.27"


def test_portfolio_of_a_day_in_the_past_has_that_days_shares_and_closes(ann: House) -> None:
    (view,) = told(ann, "portfolio", "--account", "Ann", "--as-of", "2012-11-08")

    assert [(p["symbol"], p["quantity"], p["close"]) for p in view["positions"]] == [
        ("AAPL", "20.00", "537.75"),
        ("IBM", "10.00", "190.10"),
    ]
    assert (view["cash"][0]["amount"], view["owed"][0]["amount"]) == ("84545.05", "52.27")


def test_value_over_time_is_sampled_at_the_last_session_of_a_month(ann: House) -> None:
    points = told(ann, "portfolio", "--account", "Ann", "--history", "month", "--from", "2012-09-01")

    assert [(point["date"], point["securities"][0]["amount"], point["total"]) for point in points] == [
        ("2012-09-28", "15416.60", "99961.65"),
        ("2012-10-31", "13851.70", "98396.75"),
        ("2012-11-30", "10679.90", "97897.27"),
    ]
    weeks = told(ann, "portfolio", "--account", "Ann", "--history", "week", "--from", "2012-11-01")
    assert [point["date"] for point in weeks] == ["2012-11-02", "2012-11-09", "2012-11-16", "2012-11-23", "2012-11-30"]


def test_account_without_orders_and_price_says_so(ann: House) -> None:
    ann.orders("2012-11-29,BUY,GOOG,1,680,0,USD", account="Bob")

    (view,) = told(ann, "portfolio", "--account", "Bob")

    assert (view["positions"][0]["market_value"], view["total"]) == (None, None)
    assert view["remarks"] == ["no close is stored for GOOG"]


def test_another_currency_is_converted_where_a_rate_is_stored_and_said_otherwise(ann: House) -> None:
    ann.command("accounts", "set", "Ann", "--currency", "EUR")
    (view,) = told(ann, "portfolio")
    assert (view["total"], view["totals"]) == (None, [{"currency": "USD", "amount": "97897.27"}])
    assert view["remarks"] == ["no rate from USD to EUR up to five days before 2012-11-30"]

    ann.command("books", "fx", "USD", "EUR", "2012-11-29", "0.77")
    (view,) = told(ann, "portfolio")
    assert (view["total"], view["currency"], view["remarks"]) == ("75380.90", "EUR", [])


def test_income_counts_the_day_of_payment_or_the_ex_date(ann: House) -> None:
    aapl = {
        "month": "2012-11", "symbol": "AAPL", "account": "Ann", "kind": "DIVIDEND", "currency": "USD",
        "gross": "53.00", "tax": "7.95", "net": "45.05",
    }  # fmt: skip
    ibm = {**aapl, "symbol": "IBM", "gross": "8.50", "tax": "1.28", "net": "7.22"}

    assert told(ann, "income") == [aapl]
    assert told(ann, "income", "--basis", "ex") == [aapl, ibm]
    (year,) = told(ann, "income", "--basis", "ex", "--by", "account")
    assert (year["month"], year["symbol"], year["net"]) == (None, None, "52.27")
    assert told(ann, "income", "--to", "2012-11-14") == []


def test_ones_own_dividend_interest_and_a_reversal_are_income(ann: House) -> None:
    def add(type_: str, *options: str) -> None:
        result = ann.command("orders", "add", "Ann", type_, "--date", "2012-10-01", *options)
        assert result.exit_code == 0, result.stderr

    add("DIVIDEND", "--symbol", "MSFT", "--amount", "100", "--tax", "11", "--fee", "10")
    add("INTEREST", "--amount", "3.50")
    number = ann.command("orders", "list", "--account", "Ann").stdout.splitlines()
    add("INTEREST", "--amount", "99")
    newest = max(set(_numbers(ann)) - {int(line.split()[0]) for line in number[1:]})
    ann.command("orders", "delete", str(newest))

    october = told(ann, "income", "--to", "2012-10-31")

    assert [(line["kind"], line["symbol"], line["gross"], line["tax"], line["net"]) for line in october] == [
        ("INTEREST", None, "3.50", "0.00", "3.50"),
        ("DIVIDEND", "MSFT", "100.00", "11.00", "89.00"),
    ]


def _numbers(house: House) -> list[int]:
    return [order["id"] for order in told(house, "orders", "list", "--account", "Ann")]


def test_calendar_shows_what_is_coming_with_the_expected_cash(ann: House) -> None:
    (line,) = told(ann, "calendar")

    assert (line["symbol"], line["ex_date"], line["pay_date"], line["state"]) == (
        "IBM", "2012-11-07", "2012-12-10", "EX",
    )  # fmt: skip
    assert (line["quantity"], line["per_share"], line["gross"], line["tax"], line["net"]) == (
        "10.00", "0.85", "8.50", "1.28", "7.22",
    )  # fmt: skip
    earlier = told(ann, "calendar", "--as-of", "2012-11-06")
    assert [(one["symbol"], one["state"], one["net"]) for one in earlier] == [
        ("AAPL", "ANNOUNCED", "45.05"),
        ("IBM", "ANNOUNCED", "7.22"),
    ]


@pytest.mark.one_database
def test_expected_tax_is_that_of_the_day_of_payment_as_it_is_booked(house: House) -> None:
    house.orders("2012-09-04,BUY,IBM,10,195,0,USD")
    house.command("accounts", "set", "Ann", "--residence", "DE")
    house.command("books", "withhold", "US", "0.15", "--since", "2000-01-01", "--residence", "DE")
    house.command("books", "withhold", "US", "0.30", "--since", "2012-12-01", "--residence", "DE")
    house.run()
    assert house.command("run-dividend-processor").exit_code == 0

    (line,) = told(house, "calendar")
    (view,) = told(house, "portfolio")

    assert (line["pay_date"], line["gross"], line["tax"], line["net"]) == ("2012-12-10", "8.50", "2.55", "5.95")
    assert view["owed"] == [{"currency": "USD", "amount": "5.95"}]


def test_calendar_of_twenty_accounts_asks_as_often_as_of_one(ann: House) -> None:
    before, with_one = calendar_of(ann)
    for number in range(19):
        name = f"Ben {number:02d}"
        ann.command("accounts", "add", name)
        ann.orders("2012-09-04,DEPOSIT,,,1000,0,USD 2012-09-04,BUY,IBM,2,195,0,USD", account=name)

    lines, with_twenty = calendar_of(ann)

    assert with_twenty == with_one
    # Ann's tax is her own: of the others nobody says where they live. Her dividend of Apple's is paid.
    assert [(line.account, line.symbol, str(line.net)) for line in before] == [("Ann", "IBM", "7.2200")]
    assert [(line.account, line.symbol, str(line.net)) for line in lines[:3]] == [
        ("Ann", "IBM", "7.2200"),
        ("Ben 00", "IBM", "1.7000"),
        ("Ben 01", "IBM", "1.7000"),
    ]
    assert len(lines) == 20
    # On the day before the ex-date Apple's is still to come, for Ann alone.
    early = load_calendar(ann.context.database, as_of=date(2012, 11, 6))
    assert [(line.account, line.symbol) for line in early[:2]] == [("Ann", "AAPL"), ("Ann", "IBM")]
    assert len(early) == 21


def calendar_of(house: House) -> tuple[list[CalendarLine], int]:
    """The calendar of every account, and how many statements it took."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        sent.append(statement)

    event.listen(house.context.database.engine, "before_cursor_execute", note)
    try:
        lines = load_calendar(house.context.database, as_of=date(2012, 11, 30))
    finally:
        event.remove(house.context.database.engine, "before_cursor_execute", note)
    return lines, len(sent)


@pytest.mark.parametrize("command", ["portfolio", "income", "calendar"])
def test_unknown_account_is_named(ann: House, command: str) -> None:
    result = ann.command(command, "--account", "Eve")

    assert result.exit_code == 2
    assert result.stderr == "error: no account is called 'Eve'; closingbell accounts list shows them\n"
