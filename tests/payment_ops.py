"""Worked examples of payments, each through the function that does the work: op -> what it answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from closingbell.domain import dividends, pay_dates, positions, share_events
from closingbell.domain.action_rules import has_due_bills
from closingbell.domain.entitlements import FractionPolicy
from closingbell.domain.money import MONEY_SCALE, PRICE_SCALE, QUANTITY_SCALE, from_scaled, to_scaled
from closingbell.domain.rounding import Rounding

Json = dict[str, Any]


def money(text: str) -> int:
    return to_scaled(Decimal(text), MONEY_SCALE)


def exact(text: str) -> int:
    return to_scaled(Decimal(text), QUANTITY_SCALE)


def cents(value: int) -> str:
    return format(from_scaled(value, MONEY_SCALE), "f")


def shares(value: int | Fraction) -> str:
    return format(from_scaled(round(value), QUANTITY_SCALE), "f")


def rounding(given: Json) -> Rounding:
    return Rounding(given.get("rounding") or "HALF_UP")


def price(given: Json) -> int:
    return to_scaled(Decimal(given.get("cil_price") or "0"), PRICE_SCALE)


def policy(given: Json) -> FractionPolicy:
    return FractionPolicy(given.get("fraction_policy") or "KEEP")


def pay_date(given: Json) -> Json:
    ex_date = date.fromisoformat(given["ex_date"])
    told = date.fromisoformat(given["pay_date"]) if given.get("pay_date") else None
    days = pay_dates.BusinessDays(frozenset(date.fromisoformat(one) for one in given.get("holidays") or ()))
    found = pay_dates.effective_pay_date(
        ex_date,
        told,
        days,
        policy=pay_dates.PayPolicy(given.get("policy") or "ESTIMATE"),
        lag=int(given.get("lag_business_days") or pay_dates.OTHER_LAG),
        today=date.fromisoformat(given["today"]) if given.get("today") else None,
    )
    return {
        "effective_pay_date": str(found.date) if found.date else None,
        "status": found.status.value,
        "due_bill": has_due_bills(ex_date, told),
    }


def calc_payment(given: Json) -> Json:
    found = dividends.dividend_amounts(
        exact(given["qty"]),
        exact(given["amount_per_share"]),
        given["currency"],
        exact(given.get("wht_rate") or "0"),
        rounding(given),
    )
    answer = {"gross": cents(found.gross), "tax": cents(found.tax), "net": cents(found.net)}
    if given.get("fx_rate") is not None:
        theirs = dividends.converted(found, exact(given["fx_rate"]), given["account_currency"], rounding(given))
        answer |= {f"account_{name}": cents(value) for name, value in theirs._asdict().items()}
    return answer


def split_position(given: Json) -> Json:
    after = share_events.split_position(
        exact(given["qty"]),
        money(given["total_basis"]),
        Fraction(given["num"], given["den"]),
        policy(given),
        price=price(given),
        currency=given.get("currency") or "USD",
        rounding=rounding(given),
    )
    return {
        "new_qty": shares(after.quantity),
        "cil_fraction": shares(after.fraction),
        "cil_cash": cents(after.cash),
        "basis_of_fraction": cents(after.basis_of_fraction),
        "basis_after": cents(after.basis),
        "realized_gain": cents(after.gain),
    }


def drip(given: Json) -> Json:
    found = dividends.reinvest(
        money(given["net"]),
        to_scaled(Decimal(given["price"]), PRICE_SCALE),
        decimals=given.get("qty_decimals", 4),
        currency=given.get("currency") or "USD",
        rounding=rounding(given),
    )
    return {"shares": shares(found.shares), "cost": cents(found.cost), "residual": cents(found.residual)}


def return_of_capital(given: Json) -> Json:
    basis, steps = money(given["basis"]), []
    for distribution in given["distributions"]:
        reduces, gain = positions.return_capital(basis, money(distribution))
        basis -= reduces
        steps.append({"reduces_basis": cents(reduces), "gain": cents(gain), "basis_after": cents(basis)})
    return {"steps": steps}


def spin_off(given: Json) -> Json:
    found = share_events.spin_off(
        exact(given["parent_qty"]),
        money(given["parent_basis"]),
        Fraction(Decimal(given["ratio"])),
        exact(given["parent_basis_pct"]),
        policy(given),
        price=price(given),
        currency=given.get("currency") or "USD",
        rounding=rounding(given),
    )
    child = found.child
    return {
        "child_qty": shares(child.quantity),
        "cil_fraction": shares(child.fraction),
        "cil_cash": cents(child.cash),
        "cil_basis": cents(child.basis_of_fraction),
        "cil_gain": cents(child.gain),
        "parent_basis_after": cents(found.parent_basis),
        "child_basis_total": cents(found.child_basis),
        "child_basis_after": cents(child.basis),
    }


OPS: dict[str, Callable[[Json], Json]] = {
    function.__name__: function
    for function in (pay_date, calc_payment, split_position, drip, return_of_capital, spin_off)
}
