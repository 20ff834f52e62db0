"""Thirteen years of the recorded market: every dividend is paid once, and the return is the adjusted column's."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from closingbell.domain.entitlements import FractionPolicy, PositionWalk, Split
from closingbell.domain.money import QUANTITY_SCALE, from_scaled
from closingbell.jobs.dividend_processor import process_dividends
from closingbell.models import Account, Company, DividendPayment, LedgerEntry, Notification
from closingbell.stores import accounts, actions, books, dividend_facts
from closingbell.usecases.people import create_administrator
from tests.app_fixtures import House

MANY = "100000"
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
    tables_url: str, houses: Callable[..., House], no_waits: None, shared_data: Path
) -> None:
    house = houses(tables_url, "2013-03-01 16:31")
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
