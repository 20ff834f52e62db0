"""Portfolios of other systems with the results that these documented or tested, through our use cases and jobs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from closingbell.domain.actions import AcceptedKind
from closingbell.domain.adjusting import adjust, factors_of
from closingbell.domain.bars import Bar
from closingbell.domain.money import PRICE_SCALE, to_scaled
from closingbell.domain.orders import OrderDraft
from closingbell.domain.runs import RunStatus
from closingbell.errors import UsageError
from closingbell.jobs.dividend_processor import process_dividends
from closingbell.models import Company, DividendPayment, PriceHistory
from closingbell.queries.audit import audit
from closingbell.queries.income import load_income
from closingbell.queries.portfolio import PortfolioView, load_portfolios
from closingbell.stores import ledger, positions, summaries
from closingbell.usecases.accounts import add_account
from closingbell.usecases.actions import TypedAction, add_action
from closingbell.usecases.orders import enter_order
from tests.app_fixtures import House

# Those that are about dividends alone are with the tests of the dividend job.
PORTFOLIOS = (
    "dledger-02-whole-split-then-dividend",
    "ghostfolio-01-msft-dividend-and-fee",
    "ghostfolio-02a-split-2-for-1",
    "ghostfolio-03-sell-after-split",
    "ghostfolio-07-novn-partial-sell",
    "ghostfolio-10-baln-sell-in-two",
    "portfolio-performance-01-dividend-with-fee-and-tax",
    "qtrader-01-split-4-for-1",
    "qtrader-02-split-adjusts-every-lot",
    "zipline-10-reverse-split-leftover-cash",
)
ACCOUNT = "case"
# The rules are the same on every database, which other tests look at.
on_sqlite = pytest.mark.parametrize("tables_url", ["sqlite"], indirect=True)


def case_of(shared_data: Path, name: str) -> dict[str, Any]:
    text = (shared_data / "cases" / f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    return found


@pytest.fixture
def books(tables_url: str, houses: Callable[..., House], no_waits: None) -> House:
    return houses(tables_url, "2024-03-01 17:00")


@on_sqlite
@pytest.mark.parametrize("name", PORTFOLIOS)
def test_portfolio_comes_to_what_others_say(books: House, shared_data: Path, name: str) -> None:
    case = case_of(shared_data, name)
    keep_books(books, case)
    expected = case["expected"]

    for one in expected.get("positions", []):
        check_position(books, one)
    for one in expected.get("cash", []):
        assert cash_on(books, one["date"], case["base_currency"]) == one["amount"], one
    for one in expected.get("portfolio_value", []):
        assert view_on(books, one["date"]).total == one["amount"]
    if "lots" in expected:
        assert lots(books) == [(one["quantity"], one["unit_cost"]) for one in expected["lots"]]
    check_income(books, expected)
    check_performance(books, expected)
    lines = audit(books.context.database)
    assert [line for line in lines if line.difference_count and line.check != "append-only"] == []


def keep_books(house: House, case: dict[str, Any]) -> None:
    """Account, companies, prices and orders of a case, its corporate actions, and the dividend job over all of it."""
    policy = {"fraction_policy": "CASH_IN_LIEU"} if case["policy"].get("fractional_shares") == "cash_in_lieu" else {}
    add_account(house.context, ACCOUNT, currency=case["base_currency"], **policy)
    told = [*case["transactions"], *case["corporate_actions"]]
    store_companies(house, sorted({one["symbol"] for one in told}), case)
    if case["initial_cash"]:
        enter(house, type="DEPOSIT", trade_date=case["initial_cash"]["date"], amount=case["initial_cash"]["amount"])
    for one in case["transactions"]:
        enter(house, **order_of(one, case["base_currency"]))
    for one in case["corporate_actions"]:
        add_action(house.context, action_of(one), by="test", why="the case says so")
    assert process_dividends(house.context).status is RunStatus.SUCCESS


def store_companies(house: House, symbols: list[str], case: dict[str, Any]) -> None:
    now = house.clock.now()
    with house.context.database.write() as connection:
        for id_, symbol in enumerate(symbols, start=1):
            mic = "XSWX" if symbol.endswith(".SW") else "XNYS"
            values = {"symbol": symbol, "mic": mic, "currency": case["base_currency"], "created_at": now}
            connection.execute(insert(Company).values(id=id_, **values))
        for one in case["prices"]:
            bar = dict.fromkeys(("open", "high", "low", "close"), one["close"])
            key = {"company_id": symbols.index(one["symbol"]) + 1, "date": date.fromisoformat(one["date"])}
            rest = {"volume": 0, "is_settled": True, "provider": "test", "fetched_at": now}
            connection.execute(insert(PriceHistory).values(**key, **bar, **rest))
        summaries.rebuild(connection, list(range(1, len(symbols) + 1)))


def enter(house: House, *, trade_date: str, currency: str = "USD", **facts: Any) -> None:
    draft = OrderDraft(trade_date=date.fromisoformat(trade_date), currency=currency, **facts)
    enter_order(house.context, draft, account=ACCOUNT, by="test")


def order_of(one: dict[str, Any], currency: str) -> dict[str, Any]:
    """A transaction of a case as an order; a net amount is one after fee and tax."""
    fee, tax = one.get("fee", Decimal(0)), one.get("tax", Decimal(0))
    amount = None
    if "net_amount" in one:
        amount = one["net_amount"] + (fee + tax if one["type"] == "DIVIDEND" else -fee - tax)
    return {
        "type": one["type"], "trade_date": one["date"], "symbol": one["symbol"], "quantity": one["quantity"],
        "price": one.get("price"), "amount": amount, "fee": fee, "tax": tax, "currency": currency,
    }  # fmt: skip


def action_of(one: dict[str, Any]) -> TypedAction:
    ex_date = date.fromisoformat(one["ex_date"])
    if one["type"] == "SPLIT":
        numerator, denominator = int(one["ratio_new"]), int(one["ratio_old"])
        kind = AcceptedKind.SPLIT if numerator > denominator else AcceptedKind.REVERSE_SPLIT
        return TypedAction(one["symbol"], kind, ex_date, {"numerator": numerator, "denominator": denominator})
    facts = {"amount": Decimal(one["amount_per_share"]), "currency": one["currency"]}
    return TypedAction(
        one["symbol"], AcceptedKind.CASH, ex_date, {**facts, "pay_date": date.fromisoformat(one["pay_date"])}
    )


def view_on(house: House, day: str) -> PortfolioView:
    (view,) = load_portfolios(house.context.database, as_of=date.fromisoformat(day), account=ACCOUNT)
    return view


def check_position(house: House, expected: dict[str, Any]) -> None:
    held = {view.symbol: view for view in view_on(house, expected["date"]).positions}
    if expected["quantity"] == 0:
        assert expected["symbol"] not in held
        return
    view = held[expected["symbol"]]
    told = {
        "quantity": view.quantity, "avg_cost": view.average_cost, "cost_basis": view.cost, "market_price": view.close,
        "market_value": view.market_value,
    }  # fmt: skip
    assert {name: told[name] for name in told if name in expected} == {n: v for n, v in expected.items() if n in told}


def cash_on(house: House, day: str, currency: str) -> Decimal:
    with house.context.database.read() as connection:
        balances = ledger.load_balances(connection, as_of=date.fromisoformat(day))
    return sum((amount for (_, _, code), amount in balances.items() if code == currency), Decimal(0))


def lots(house: House) -> list[tuple[Decimal, Decimal]]:
    """Shares and cost of a share of each lot."""
    with house.context.database.read() as connection:
        (facts,) = positions.load_holdings(connection, 1).values()
    shares = [(Decimal(lot.quantity.numerator).scaleb(-10), lot.cost) for lot in facts.position(policy="KEEP").lots]
    return [(quantity, Decimal(cost).scaleb(-4) / quantity) for quantity, cost in shares]


def check_income(house: House, expected: dict[str, Any]) -> None:
    income = load_income(house.context.database, account=ACCOUNT, by=())
    gross = sum((line.gross for line in income), Decimal(0))
    if "dividends_total" in expected:
        assert gross == expected["dividends_total"]
    dividends = expected.get("dividends")
    if dividends is None:
        return
    assert gross == sum((one["gross"] for one in dividends), Decimal(0))
    paid = [row for row in house.rows(DividendPayment) if row.leg == "PAYMENT"]
    by_us = [one for one in dividends if "quantity" in one]
    assert [(row.quantity, row.gross) for row in paid] == [(one["quantity"], one["gross"]) for one in by_us]
    for row, one in zip(paid, by_us, strict=True):
        assert str(row.value_date) == one.get("pay_date", str(row.value_date))


def check_performance(house: House, expected: dict[str, Any]) -> None:
    with house.context.database.read() as connection:
        balances = {name: amount for (_, name, _), amount in ledger.load_balances(connection, names=()).items()}
    fees = balances.get("Expense:Fee", Decimal(0))
    if "fees_total" in expected:
        assert fees == expected["fees_total"]
    if "taxes_total" in expected:
        assert balances["Expense:Tax"] + balances["WithholdingTax"] == expected["taxes_total"]
    if "gross_performance" not in expected:
        return
    with house.context.database.read() as connection:
        (facts,) = positions.load_holdings(connection, 1).values()
    realised = Decimal(facts.position(policy="KEEP").realised_gain).scaleb(-4)
    unrealised = sum(
        (view.unrealised_gain or Decimal(0) for view in view_on(house, "2024-03-01").positions), Decimal(0)
    )
    assert realised + unrealised == expected["gross_performance"]
    assert realised + unrealised - fees == expected["net_performance"]


@on_sqlite
def test_split_of_nothing_or_less_is_refused_and_changes_no_position(books: House, shared_data: Path) -> None:
    case = case_of(shared_data, "qtrader-06-invalid-split-ratios")
    keep_books(books, case)

    for one in case["expected"]["errors"]:
        with pytest.raises((UsageError, ValueError)):
            add_action(books.context, action_of(one["corporate_action"]), by="test", why="the case says so")

    for one in case["expected"]["positions"]:
        check_position(books, one)


def test_prices_before_a_split_are_adjusted_as_others_adjust_them(shared_data: Path) -> None:
    case = case_of(shared_data, "marketstore-01-aapl-2020-split-adjust")
    bars = [_bar(one) for one in case["prices"]]
    (split,) = case["corporate_actions"]
    ratio = Fraction(int(split["ratio_new"]), int(split["ratio_old"]))
    factors = factors_of([(b.date, b.close) for b in bars], {date.fromisoformat(split["ex_date"]): ratio}, {})

    adjusted = {bar.date: bar for bar in adjust(bars, factors)}

    assert len(case["expected"]["adjusted_prices"]) > 20
    for one in case["expected"]["adjusted_prices"]:
        expected, bar = _bar(one), adjusted[date.fromisoformat(one["date"])]
        # They keep prices with seven digits, we with six decimals.
        assert all(abs(ours - theirs) <= 100 for ours, theirs in zip(bar[1:5], expected[1:5], strict=True)), one
        assert bar.volume == expected.volume


def _bar(one: dict[str, Any]) -> Bar:
    prices = [
        to_scaled(round(Decimal(one[name]), PRICE_SCALE), PRICE_SCALE) for name in ("open", "high", "low", "close")
    ]
    return Bar(date.fromisoformat(one["date"]), *prices, int(one["volume"]))
