"""Cases that other projects wrote down with their results, and thirteen years of the recorded market."""

from __future__ import annotations

import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from closingbell.domain.entitlements import FractionPolicy, PositionWalk, Split
from closingbell.domain.money import QUANTITY_SCALE, from_scaled
from closingbell.jobs.dividend_processor import process_dividends
from closingbell.models import Account, Company, DividendPayment, LedgerEntry, Notification
from closingbell.stores import accounts, actions, books, dividend_facts
from closingbell.stores.database import open_database
from closingbell.usecases.people import create_administrator
from tests.app_fixtures import House
from tests.dividend_desk import Desk, Json

CASES = (
    "dledger-01-bought-between-ex-and-pay",
    "dledger-02-whole-split-then-dividend",
    "zipline-01-long-receives-dividend-on-pay-date",
    "zipline-02-bought-on-ex-date-gets-nothing",
    "zipline-03-sold-between-ex-and-pay-still-paid",
    "zipline-09-no-position-no-dividend",
    "zipline-10-reverse-split-leftover-cash",
)
PER_SHARE = "lean-01-aapl-dividends-per-share"
# Quandl's rule: a dividend is reinvested at the close of its ex-date.
TOTAL_RETURNS = ("wiki-01-aapl-2012-2014", "wiki-02-ko-1996-split")
MANY = "100000"


def load(shared_data: Path, name: str) -> Json:
    case: Json = json.loads((shared_data / "cases" / f"{name}.json").read_text(encoding="utf-8"), parse_float=Decimal)
    return case


def desk_of(database_url: str, folder: Path, case: Json, **account: Any) -> Desk:
    """A desk with the case's account, companies, closes and corporate actions."""
    desk = Desk(open_database(database_url), folder)
    symbols = {one["symbol"] for key in ("transactions", "corporate_actions", "prices") for one in case[key]}
    desk.set_up(
        {
            "config": {"pay_policy": "ON_EX", "holidays": []},
            "accounts": [{"id": "A", "currency": "USD", **account}],
            "instruments": [{"symbol": symbol, "currency": "USD", "country": "US"} for symbol in sorted(symbols)],
            "steps": [],
        }
    )
    for one in case["prices"]:
        desk.close(one["symbol"], one["date"], str(one["close"]))
    for number, one in enumerate(case["corporate_actions"]):
        if one["type"] == "SPLIT":
            step = {"do": "split", "num": int(one["ratio_new"]), "den": int(one["ratio_old"])}
        else:
            step = {"do": "event", "pay_date": one["pay_date"], "amount": str(one["amount_per_share"])}
        desk.carry_out({**step, "id": f"e{number}", "symbol": one["symbol"], "ex_date": one["ex_date"]})
    return desk


def paid(desk: Desk) -> list[Any]:
    """Every payment of cash for a dividend, in the order of their days."""
    found = [one for one in desk.rows(DividendPayment) if one.leg == "PAYMENT"]
    return sorted(found, key=lambda one: one.value_date)


@pytest.mark.parametrize("name", CASES)
def test_case_of_another_project_has_its_results(tables_url: str, tmp_path: Path, shared_data: Path, name: str) -> None:
    case = load(shared_data, name)
    fractions = "CASH_IN_LIEU" if case["policy"].get("fractional_shares") == "cash_in_lieu" else "KEEP"
    desk = desk_of(tables_url, tmp_path, case, fraction_policy=fractions)
    spent: list[tuple[str, Decimal]] = []
    for one in case["transactions"]:
        sign = -1 if one["type"] == "SELL" else 1
        desk.trade("A", one["symbol"], one["date"], str(sign * one["quantity"]))
        if one["type"] != "TRANSFER_IN":
            spent.append((one["date"], -sign * Decimal(one["quantity"]) * Decimal(one["price"])))
    last = max(one["ex_date"] for one in case["corporate_actions"])
    desk.run(str(date(date.fromisoformat(last).year + 1, 1, 31)))
    expected = case["expected"]

    told = [one for one in expected.get("dividends") or [] if Decimal(one["quantity"])]
    assert [(one.quantity, one.gross) for one in paid(desk)] == [
        (Decimal(one["quantity"]), Decimal(one["gross"])) for one in told
    ]
    start = Decimal((case.get("initial_cash") or {}).get("amount") or 0)
    for one in expected.get("cash") or []:
        own = sum((amount for day, amount in spent if day <= one["date"]), start)
        ours = desk.cash(until=date.fromisoformat(one["date"]))["A"]["USD"]
        assert own + ours == one["amount"], one["date"]
    for one in (expected.get("positions") or [])[-1:]:
        assert desk.positions()["A"].get(one["symbol"], 0) == one["quantity"]
    assert desk.balances_by_group() == []


def test_hundred_shares_of_apple_get_what_was_paid_per_share(
    tables_url: str, tmp_path: Path, shared_data: Path
) -> None:
    case = load(shared_data, PER_SHARE)
    desk = desk_of(tables_url, tmp_path, case)
    desk.trade("A", "AAPL", "2012-11-01", "100")

    desk.run("2018-12-31")

    held = {True: Decimal(100), False: Decimal(700)}
    expected = [
        (one["ex_date"], (held[one["ex_date"] < "2014-06-09"] * one["amount"]).quantize(Decimal("0.01"), ROUND_HALF_UP))
        for one in case["expected"]["per_share"]
    ]
    assert [(str(one.due_date), one.gross) for one in paid(desk)] == expected


@pytest.mark.parametrize("name", TOTAL_RETURNS)
def test_reinvested_at_the_ex_date_the_total_return_is_the_adjusted_columns(
    tables_url: str, tmp_path: Path, shared_data: Path, name: str
) -> None:
    case = load(shared_data, name)
    closes = {one["date"]: Decimal(one["close"]) for one in case["prices"]}
    desk = desk_of(tables_url, tmp_path, case, reinvest=True, drip_decimals=10)
    first, last = min(closes), max(closes)
    symbol = case["prices"][0]["symbol"]
    desk.trade("A", symbol, first, MANY)

    desk.run(last)

    factor = desk.positions()["A"][symbol] * closes[last] / (Decimal(MANY) * closes[first])
    assert abs(factor / Decimal(case["expected"]["total_return_factor"]) - 1) < Decimal("1e-6")


# --- Thirteen years of the recorded market.

HELD = ("AAPL", "IBM", "MSFT")
FIRST, LAST = date(2000, 3, 1), date(2013, 3, 1)
Events = list[tuple[date, str, Decimal]]


def derived_events(shared_data: Path) -> dict[str, Events]:
    """Dividends and splits as the adjusted column of the recorded file tells them, worked out elsewhere."""
    found: dict[str, Events] = defaultdict(list)
    path = shared_data / "corporate_actions" / "bokeh_stocks_derived_events.csv"
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found[row["symbol"]].append((date.fromisoformat(row["ex_date"]), row["type"], Decimal(row["value"])))
    return found


def adjusted_growth(shared_data: Path) -> dict[str, Decimal]:
    """What the adjusted column says a share became from the first to the last day."""
    found: dict[str, dict[str, Decimal]] = defaultdict(dict)
    with gzip.open(shared_data / "daily" / "bokeh_stocks_2000_2013.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found[row["Ticker"]][row["Date"]] = Decimal(row["Adj Close"])
    return {symbol: found[symbol][str(LAST)] / found[symbol][str(FIRST)] for symbol in HELD}


def buying_days() -> list[date]:
    """The twelfth of every month, or the Monday after."""
    found = []
    for year in range(2000, 2014):
        for month in range(1, 13):
            weekday = date(year, month, 12).weekday()
            day = date(year, month, 12 + (7 - weekday if weekday >= 5 else 0))
            if FIRST <= day <= LAST:
                found.append(day)
    return found


def saved(events: Events, before: date) -> Decimal:
    """Shares of the saver at the close before a day: ten a month, splits applied."""
    held = Decimal(0)
    steps = [(day, 1, Decimal(10)) for day in buying_days()]
    steps += [(day, 0, ratio) for day, kind, ratio in events if kind == "SPLIT" and day > FIRST]
    for day, what, value in sorted(steps):
        if day < before:
            held = held + value if what else held * value
    return held


def every_dividend_is_paid_once(house: House, events: dict[str, Events]) -> None:
    """The saver's payments are those of the derived dividends, each once, for the shares of the close before."""
    symbols = {row.id: row.symbol for row in house.rows(Company)}
    names = {row.id: row.name for row in house.rows(Account)}
    found = sorted(
        (symbols[row.company_id], row.due_date, row.quantity, row.gross)
        for row in house.rows(DividendPayment)
        if row.leg == "PAYMENT" and row.is_active and names[row.account_id] == "Saver"
    )
    expected = []
    for symbol in HELD:
        for day, kind, amount in events[symbol]:
            if kind == "DIVIDEND":
                shares = saved(events[symbol], day)
                gross = (shares * amount).quantize(Decimal("0.01"), ROUND_HALF_UP)
                expected.append((symbol, day, shares, gross))
    assert len(expected) == 92
    assert [(symbol, quantity, gross) for symbol, _, quantity, gross in found] == [
        (symbol, shares, gross) for symbol, _, shares, gross in sorted(expected)
    ]
    assert {row.version for row in house.rows(DividendPayment)} == {1}


def positions(house: House, account: str) -> dict[str, Decimal]:
    """Shares at the end, of every company."""
    symbols = {row.id: row.symbol for row in house.rows(Company)}
    [number] = [row.id for row in house.rows(Account) if row.name == account]
    found = {}
    with house.context.database.read() as connection:
        for company_id, of_accounts in dividend_facts.load_trades(connection, list(symbols)).items():
            ratios = actions.load_splits(connection, [company_id]).get(company_id, {})
            splits = [Split(day, ratio.numerator, ratio.denominator) for day, ratio in sorted(ratios.items())]
            walk = PositionWalk(of_accounts[number], splits, FractionPolicy.KEEP)
            found[symbols[company_id]] = from_scaled(walk.advance(date.max), QUANTITY_SCALE)
    return found


@pytest.mark.slow
def test_thirteen_years_of_monthly_purchases(
    tmp_path: Path, houses: Callable[..., House], no_waits: None, shared_data: Path
) -> None:
    house = houses(f"sqlite:///{tmp_path / 'years.sqlite'}", "2013-03-01 16:31")
    house.command("init-db")
    create_administrator(house.context, email="ann@example.org", password="correct horse battery")
    house.orders(" ".join(f"2000-03-01,BUY,{symbol},{MANY},1.00,0,USD" for symbol in HELD), account="Reinvestor")
    monthly = [f"{day},BUY,{symbol},10,1.00,0,USD" for day in buying_days() for symbol in HELD]
    house.orders(" ".join(monthly), account="Saver")
    database, now = house.context.database, house.clock.now()
    with database.read() as connection:
        reinvestor = accounts.find_account_facts(connection, "Reinvestor")
    assert reinvestor is not None
    database.write_unit(lambda c: books.store_book_setting(c, "pay_policy", "ON_EX", by="test", now=now))
    database.write_unit(
        lambda c: accounts.store_account_settings(c, reinvestor.id, now=now, is_reinvesting=True, drip_decimals=10)
    )
    house.run()

    summary = process_dividends(house.context)

    assert summary.status == "SUCCESS"
    every_dividend_is_paid_once(house, derived_events(shared_data))
    growth = adjusted_growth(shared_data)
    final = positions(house, "Reinvestor")
    for symbol in HELD:
        closes = house.closes(symbol)
        factor = final[symbol] * Decimal(closes[str(LAST)]) / (Decimal(MANY) * Decimal(closes[str(FIRST)]))
        assert abs(factor / growth[symbol] - 1) < Decimal("1e-6"), symbol
    before = (house.rows(DividendPayment), house.rows(LedgerEntry))
    assert process_dividends(house.context).items == ()
    assert (house.rows(DividendPayment), house.rows(LedgerEntry)) == before
    assert any("estimated" in one.title for one in house.rows(Notification))
