"""Books kept as a worked case of another system tells it, through the real use cases and the real dividend job.

A check takes out of a case's ``expected`` what it compared, so that nothing which a case expects is passed over.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from closingbell.domain.actions import AcceptedKind
from closingbell.domain.entitlements import FractionPolicy
from closingbell.domain.orders import OrderDraft
from closingbell.domain.runs import RunStatus
from closingbell.jobs.dividend_processor import process_dividends
from closingbell.models import Company, LedgerEntry, Order, PriceHistory
from closingbell.queries.audit import audit
from closingbell.queries.income import load_income
from closingbell.queries.payments import PaymentFilter, PaymentView, list_payments
from closingbell.queries.portfolio import PortfolioView, load_portfolios
from closingbell.stores import ledger, positions, summaries
from closingbell.usecases.accounts import add_account
from closingbell.usecases.actions import TypedAction, add_action
from closingbell.usecases.orders import enter_order
from tests.app_fixtures import House

Json = dict[str, Any]
ACCOUNT = "case"
CENTS = Decimal("0.01")


def read_case(shared_data: Path, name: str) -> Json:
    """A case with every number as a Decimal."""
    text = (shared_data / "cases" / f"{name}.json").read_text(encoding="utf-8")
    found: Json = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    return found


# --- Keeping the books.


def keep_books(house: House, case: Json, **settings: Any) -> None:
    """Account, companies, prices and orders of a case, its corporate actions, and the dividend job over all of it."""
    if case["policy"].get("fractional_shares") == "cash_in_lieu":
        settings["fraction_policy"] = "CASH_IN_LIEU"
    add_account(house.context, ACCOUNT, currency=case["base_currency"], **settings)
    told = [*case["transactions"], *case["corporate_actions"], *case["prices"]]
    store_companies(house, sorted({one["symbol"] for one in told}), case)
    if case["initial_cash"]:
        enter(house, type="DEPOSIT", trade_date=case["initial_cash"]["date"], amount=case["initial_cash"]["amount"])
    for one in case["transactions"]:
        enter(house, **order_of(one, case["base_currency"]))
    for one in case["corporate_actions"]:
        add_action(house.context, action_of(one), by="test", why="the case says so")
    pay(house)


def pay(house: House) -> None:
    """The dividend job, after which the books must be sound."""
    assert process_dividends(house.context).status is RunStatus.SUCCESS
    lines = audit(house.context.database, now=house.context.clock.now())
    assert [line for line in lines if line.difference_count and line.check != "append-only"] == []


def store_companies(house: House, symbols: list[str], case: Json) -> None:
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


def order_of(one: Json, currency: str) -> Json:
    """A transaction of a case as an order; a net amount is one after fee and tax."""
    fee, tax = one.get("fee", Decimal(0)), one.get("tax", Decimal(0))
    amount = None
    if "net_amount" in one:
        amount = one["net_amount"] + (fee + tax if one["type"] == "DIVIDEND" else -fee - tax)
    return {
        "type": one["type"], "trade_date": one["date"], "symbol": one["symbol"], "quantity": one["quantity"],
        "price": one.get("price"), "amount": amount, "fee": fee, "tax": tax, "currency": currency,
    }  # fmt: skip


def action_of(one: Json) -> TypedAction:
    ex_date = date.fromisoformat(one["ex_date"])
    if one["type"] == "SPLIT":
        numerator, denominator = int(one["ratio_new"]), int(one["ratio_old"])
        kind = AcceptedKind.SPLIT if numerator > denominator else AcceptedKind.REVERSE_SPLIT
        return TypedAction(one["symbol"], kind, ex_date, {"numerator": numerator, "denominator": denominator})
    pay_date = one["pay_date"] and date.fromisoformat(one["pay_date"])
    facts = {"amount": Decimal(one["amount_per_share"]), "currency": one["currency"], "pay_date": pay_date}
    return TypedAction(one["symbol"], AcceptedKind.CASH, ex_date, facts)


# --- What they say.


def view_on(house: House, day: str) -> PortfolioView:
    (view,) = load_portfolios(house.context.database, as_of=date.fromisoformat(day), account=ACCOUNT)
    return view


def cash_on(house: House, day: str, currency: str) -> Decimal:
    return sum((one.amount for one in view_on(house, day).cash if one.currency == currency), Decimal(0))


def payments(house: House) -> list[PaymentView]:
    """What was paid by itself, oldest first."""
    found = list_payments(house.context.database, PaymentFilter(account=ACCOUNT))
    return sorted((one for one in found if one.leg == "PAYMENT"), key=lambda one: one.value_date)


def lots(house: House) -> list[tuple[Decimal, Decimal]]:
    """Shares and cost of a share of each lot."""
    with house.context.database.read() as connection:
        (facts,) = positions.load_holdings(connection, 1).values()
    lots = facts.position(policy=FractionPolicy.KEEP).lots
    shares = [(Decimal(lot.quantity.numerator).scaleb(-10), lot.cost) for lot in lots]
    return [(quantity, Decimal(cost).scaleb(-4) / quantity) for quantity, cost in shares]


# --- What they should say.


def check_positions(house: House, expected: Json) -> None:
    for one in expected.pop("positions", []):
        held = {view.symbol: view for view in view_on(house, one["date"]).positions}
        if one["quantity"] == 0:
            assert one["symbol"] not in held and one.get("cost_basis", 0) == 0
            continue
        view = held[one["symbol"]]
        told = {
            "date": one["date"], "symbol": view.symbol, "quantity": view.quantity, "avg_cost": view.average_cost,
            "cost_basis": view.cost, "market_price": view.close, "market_value": view.market_value,
        }  # fmt: skip
        assert {name: told[name] for name in one} == one
    if "lots" in expected:
        assert lots(house) == [(one["quantity"], one["unit_cost"]) for one in expected.pop("lots")]


def check_money(house: House, expected: Json, currency: str) -> None:
    for one in expected.pop("cash", []):
        assert cash_on(house, one["date"], currency) == one["amount"], one
    for one in expected.pop("portfolio_value", []):
        assert view_on(house, one["date"]).total == one["amount"]


def check_income(house: House, expected: Json) -> None:
    """Dividends, those that the case's owner entered and those that were paid by themselves."""
    income = load_income(house.context.database, account=ACCOUNT, by=())
    gross = sum((line.gross for line in income), Decimal(0))
    if "dividends_total" in expected:
        assert gross == expected.pop("dividends_total")
    if "dividends" not in expected:
        return
    told = [
        {
            "symbol": one.symbol, "ex_date": str(one.ex_date), "pay_date": str(one.value_date),
            "quantity": one.quantity, "per_share": one.per_share, "gross": one.gross,
        }
        for one in payments(house)
    ]  # fmt: skip
    symbols = {row.id: row.symbol for row in house.rows(Company)}
    told += [
        {
            "symbol": symbols[one.company_id], "pay_date": str(one.trade_date), "gross": one.amount, "fee": one.fee,
            "tax": one.tax, "net": one.amount - one.fee - one.tax,
        }
        for one in house.rows(Order)
        if one.type == "DIVIDEND"
    ]  # fmt: skip
    dividends = expected.pop("dividends")
    assert len(told) == len(dividends)
    for ours, one in zip(told, dividends, strict=True):
        assert {name: ours[name] for name in one} == one
    assert gross == sum((one["gross"] for one in dividends), Decimal(0))


def check_costs(house: House, expected: Json) -> None:
    """Fees and taxes as the ledger has them."""
    with house.context.database.read() as connection:
        balances = {name: amount for (_, name, _), amount in ledger.load_balances(connection, names=()).items()}
    fees = balances.get("Expense:Fee", Decimal(0))
    for name in ("fees_total", "fees_total_without_taxes_filter"):
        if name in expected:
            assert fees == expected.pop(name)
    if "fee_items" in expected:
        assert Counter(row.name for row in house.rows(LedgerEntry))["Expense:Fee"] == expected.pop("fee_items")
    if "taxes_total" in expected:
        assert balances["Expense:Tax"] + balances["WithholdingTax"] == expected.pop("taxes_total")
    if "gross_performance" in expected:
        gain = total_gain(house)
        assert gain == expected.pop("gross_performance")
        assert gain - fees == expected.pop("net_performance")


def total_gain(house: House) -> Decimal:
    """Gains of shares, realised and not, at the newest closes."""
    with house.context.database.read() as connection:
        (facts,) = positions.load_holdings(connection, 1).values()
    realised = Decimal(facts.position(policy=FractionPolicy.KEEP).realised_gain).scaleb(-4)
    held = view_on(house, str(house.clock.now().date())).positions
    return realised + sum((view.unrealised_gain or Decimal(0) for view in held), Decimal(0))
