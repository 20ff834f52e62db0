"""What happens to a desk in made-up histories: orders, actions, people's own entries, choices, rates, closed periods.

Each is told through the stores and use cases that people use; which one, when and with what, a seeded chance says.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from closingbell.domain.actions import AcceptedKind, PayDateStatus
from closingbell.jobs.dividend_suggesting import load_suggestions
from closingbell.models import Account, CorporateActionRow, LedgerEntry, Order
from closingbell.stores import accounts, books
from closingbell.stores.database import Database
from closingbell.usecases.orders import delete_order
from closingbell.usecases.suggestions import accept_suggestions, dismiss_suggestions
from tests.dividend_desk import Desk
from tests.dividend_reckoning import Entitlement, business

START = date(2024, 1, 2)
COMPANIES = ("XX", "YY")
WITHHELD = {"US": "0.15"}
ACCOUNTS: tuple[dict[str, Any], ...] = (
    {"id": "A", "currency": "USD"},
    {"id": "B", "currency": "USD", "wht": WITHHELD},
    {"id": "E", "currency": "EUR", "wht": WITHHELD},
    {"id": "F", "currency": "USD", "fraction_policy": "CASH_IN_LIEU"},
    {"id": "P", "currency": "USD", "wht": WITHHELD, "preference": "SUGGEST"},
    {"id": "R", "currency": "USD", "reinvest": True},
    {"id": "S", "currency": "USD", "wht": WITHHELD, "scrip": True},
)
# Their owners enter dividends themselves now and then.
ENTERING = ("A", "B", "E", "P")

DAYS = 14
LAST = DAYS + 8
MOST_DIVIDENDS, MOST_SPLITS = 6, 3
QUANTITIES = ("1", "3", "7.5", "10", "33.3333", "100", "-4", "-10", "-33.3333")
AMOUNTS = ("0.01", "0.205", "0.24", "0.5", "1.125", "15")
SCRIP_PRICES = ("0.75", "2.50", "19.99")
RATES = ("0.9213", "0.88", "0.95125", "1.0004")
RATIOS = ((2, 1), (3, 2), (1, 3), (1, 8), (7, 1))
PARTS = ((1, 4), (1, 3), (241917, 1000000), (2, 1))
THINGS = {
    "trade": 20,
    "delete_trade": 8,
    "declare": 8,
    "correct_amount": 4,
    "tell_pay_date": 4,
    "move_ex_date": 2,
    "reclassify": 3,
    "cancel_or_reinstate": 4,
    "hold_or_release": 4,
    "split": 2,
    "cancel_split": 1,
    "spin_off": 4,
    "enter_dividend": 6,
    "tie_dividend": 1,
    "rate_arrives": 3,
    "close_arrives": 3,
    "switch_reinvestment": 2,
    "take_out_purchase": 1,
    "choose_preference": 2,
    "answer_suggestions": 3,
    "close_books": 2,
}


def on(offset: int) -> date:
    return START + timedelta(days=offset)


def price_of(symbol: str, day: date) -> Decimal:
    """Another one each day, so that a wrong day shows."""
    first, step = (Decimal("20.00"), Decimal("0.35")) if symbol == "XX" else (Decimal("7.10"), Decimal("0.11"))
    return first + step * (day - START).days


class Happenings:
    """A desk and what was told to it; ``known`` are the entitlements of the last look, by action and account."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.desk = Desk(database, folder)
        self.today = START
        self.dividends: list[str] = []
        self.split_names: list[str] = []
        self.rates: dict[date, Decimal] = {}
        self.closes: set[tuple[str, date]] = set()
        self.is_reinvesting = True
        self.preference = "SUGGEST"
        self.answers: dict[int, bool] = {}
        self.lock_date: date | None = None
        self.before_lock: set[int] = set()
        self.known: dict[tuple[int, str], Entitlement] = {}

    def open(self, chance: random.Random) -> None:
        self.desk.set_up(
            {
                "config": {"lag_business_days": 5},
                "accounts": list(ACCOUNTS),
                "instruments": [{"symbol": symbol, "currency": "USD", "country": "US"} for symbol in COMPANIES],
                "steps": [],
            }
        )
        for offset in (0, 12):
            self._rate(on(offset), Decimal(RATES[0]))
        for offset in range(LAST + 1):
            for symbol in COMPANIES:
                if symbol == "YY" or chance.random() < 0.75:
                    self._close(symbol, on(offset))
        for happens in ("trade",) * 10 + ("declare",) * 3 + ("split", "spin_off"):
            self.happen(happens, chance)

    def happen(self, name: str, chance: random.Random) -> None:
        getattr(self, name)(chance)

    def something(self, chance: random.Random) -> None:
        self.happen(chance.choices(list(THINGS), weights=list(THINGS.values()))[0], chance)

    def _write(self, unit: Callable[[Any], Any]) -> None:
        self.desk.database.write_unit(unit)

    # --- Orders.

    def trade(self, chance: random.Random) -> None:
        account = chance.choice(ACCOUNTS)["id"]
        day = on(chance.randint(0, DAYS))
        self.desk.trade(account, chance.choice(COMPANIES), str(day), chance.choice(QUANTITIES))

    def delete_trade(self, chance: random.Random) -> None:
        """Entries of dividends among them."""
        if self.desk.orders:
            name = chance.choice(sorted(self.desk.orders))
            self.desk.carry_out({"do": "delete_trade", "id": name})
            del self.desk.orders[name]

    def take_out_purchase(self, chance: random.Random) -> None:
        """The broker did not buy what was reinvested."""
        bought = [row.id for row in self.desk.rows(Order) if row.source == "dividend" and row.deleted_at is None]
        if bought:
            delete_order(self.desk.context, chance.choice(bought), by="desk", allow_short=True)

    # --- Corporate actions.

    def declare(self, chance: random.Random) -> None:
        if len(self.dividends) > MOST_DIVIDENDS:
            return
        name = f"e{len(self.dividends)}"
        self.dividends.append(name)
        offset, lag = chance.randint(0, DAYS), chance.choice([None, -3, 0, 1, 6])
        kind = chance.choice(["CASH", "CASH", "CASH_SPECIAL", "SCRIP", "RETURN_OF_CAPITAL"])
        self.desk.carry_out(
            {
                "do": "event",
                "id": name,
                "symbol": chance.choice(COMPANIES),
                "type": kind,
                "ex_date": str(business(on(offset))),
                "amount": chance.choice(AMOUNTS),
                "seq": len(self.dividends),
                "pay_date": None if lag is None else str(on(offset + lag)),
                "scrip_price": chance.choice(SCRIP_PRICES) if kind == "SCRIP" else None,
            }
        )

    def correct_amount(self, chance: random.Random) -> None:
        self._change(chance, amount=Decimal(chance.choice(AMOUNTS)))

    def tell_pay_date(self, chance: random.Random) -> None:
        told = on(chance.randint(0, DAYS + 6))
        self._change(chance, pay_date=told, pay_date_status=PayDateStatus.CONFIRMED)

    def move_ex_date(self, chance: random.Random) -> None:
        self._change(chance, ex_date=business(on(chance.randint(0, DAYS))))

    def reclassify(self, chance: random.Random) -> None:
        if self.dividends:
            name = chance.choice(self.dividends)
            if self._row(name).kind_group == "CASH":
                kind = chance.choice([AcceptedKind.CASH, AcceptedKind.RETURN_OF_CAPITAL, AcceptedKind.SCRIP])
                told = {"scrip_price": Decimal(chance.choice(SCRIP_PRICES))} if kind is AcceptedKind.SCRIP else {}
                self.desk.change_action(name, kind=kind, **told)

    def cancel_or_reinstate(self, chance: random.Random) -> None:
        self._change(chance, is_cancelled=chance.random() < 0.4)

    def hold_or_release(self, chance: random.Random) -> None:
        self._change(chance, is_held=chance.random() < 0.4)

    def _change(self, chance: random.Random, **changes: Any) -> None:
        if self.dividends:
            self.desk.change_action(chance.choice(self.dividends), **changes)

    def _row(self, name: str) -> Any:
        number = self.desk.actions[name]
        return next(row for row in self.desk.rows(CorporateActionRow) if row.id == number)

    def split(self, chance: random.Random) -> None:
        day = on(chance.randint(0, DAYS))
        taken = {row.ex_date for row in self.desk.rows(CorporateActionRow) if row.kind_group == "SPLIT"}
        if day in taken or len(self.split_names) >= MOST_SPLITS:
            return
        num, den = chance.choice(RATIOS)
        name = f"x{len(self.split_names)}"
        self.split_names.append(name)
        told = {"id": name, "symbol": chance.choice(COMPANIES), "ex_date": str(day), "num": num, "den": den}
        self.desk.carry_out({"do": "split", **told})

    def cancel_split(self, chance: random.Random) -> None:
        if self.split_names:
            self.desk.change_action(chance.choice(self.split_names), is_cancelled=chance.random() < 0.5)

    def spin_off(self, chance: random.Random) -> None:
        """XX spins YY off, or what is known of it changes."""
        if "s" not in self.desk.actions:
            told = {"symbol": "XX", "child": "YY", "ratio": "1/4", "parent_basis_pct": "60", "seq": 99}
            self.desk.carry_out({"do": "spin_off", "id": "s", "ex_date": str(on(chance.randint(0, DAYS))), **told})
            return
        numerator, denominator = chance.choice(PARTS)
        changes: tuple[dict[str, Any], ...] = (
            {"numerator": numerator, "denominator": denominator},
            {"is_cancelled": chance.random() < 0.4},
            {"is_held": chance.random() < 0.4},
            {"ex_date": on(chance.randint(0, DAYS))},
        )
        self.desk.change_action("s", **chance.choice(changes))

    # --- What people enter and decide.

    def enter_dividend(self, chance: random.Random) -> None:
        """What a statement says was paid: about what we pay, or something else; around its day, or too late."""
        known = [key for key in sorted(self.known) if key[1] in ENTERING]
        if not known:
            return
        action_id, account = chance.choice(known)
        ours = self.known[action_id, account]
        amounts = (ours.gross, ours.net, ours.net + Decimal("0.02"), ours.gross * Decimal("1.015"), ours.net * 2)
        amount = abs(chance.choice(amounts)).quantize(Decimal("0.01"))
        day = ours.pay_date + timedelta(days=chance.choice((-2, 0, 0, 3, 10, 11)))
        symbol = next(
            symbol
            for symbol, number in self.desk.companies.items()
            if number == next(row.company_id for row in self.desk.rows(CorporateActionRow) if row.id == action_id)
        )
        self.desk.enter_dividend(account, symbol, str(day), str(amount or Decimal("0.01")))

    def tie_dividend(self, chance: random.Random) -> None:
        """A person says what an entry stands for, whatever its amount."""
        if self.dividends:
            name, account = chance.choice(self.dividends), chance.choice(ENTERING)
            self.desk.carry_out({"do": "manual_payment", "event": name, "account": account, "net": "3.21"})

    def switch_reinvestment(self, chance: random.Random) -> None:
        self.is_reinvesting = chance.random() < 0.6
        self._settings("R", is_reinvesting=self.is_reinvesting)

    def choose_preference(self, chance: random.Random) -> None:
        self.preference = chance.choice(("AUTO", "SUGGEST", "SUGGEST", "OFF"))
        self._settings("P", dividend_preference=self.preference)

    def _settings(self, account: str, **changes: Any) -> None:
        now, number = self.desk.clock.now(), self.desk.accounts[account]
        self._write(lambda c: accounts.store_account_settings(c, number, now=now, **changes))

    def answer_suggestions(self, chance: random.Random) -> None:
        """Some of what is suggested is wanted, or not."""
        found = [one for one in self.suggested() if chance.random() < 0.5]
        if not found:
            return
        is_accepted, ids = chance.random() < 0.7, [action_id for action_id, _ in found]
        say = accept_suggestions if is_accepted else dismiss_suggestions
        say(self.desk.context, "P", ids, by="desk")
        self.answers |= dict.fromkeys(ids, is_accepted)

    def suggested(self) -> list[tuple[int, tuple[Decimal, Decimal, Decimal]]]:
        """What is suggested to P: the action, gross, tax and net."""
        with self.desk.database.read() as connection:
            chosen = [one for one in accounts.load_accounts(connection).values() if one.name == "P"]
            found = load_suggestions(connection, now=self.desk.clock.now(), lag=5, chosen=chosen)
        scaled = Decimal(10_000)
        return [
            (one.action.id, (Decimal(of.gross) / scaled, Decimal(of.tax) / scaled, Decimal(of.net) / scaled))
            for one in found
            for of in (one.suggestion,)
        ]

    # --- What comes late, and what is closed.

    def rate_arrives(self, chance: random.Random) -> None:
        """A day's rate, or another one for a day that has one."""
        self._rate(on(chance.randint(0, LAST)), Decimal(chance.choice(RATES)))

    def _rate(self, day: date, rate: Decimal) -> None:
        self.rates[day] = rate
        self.desk.carry_out({"do": "fx", "from": "USD", "to": "EUR", "date": str(day), "rate": str(rate)})

    def close_arrives(self, chance: random.Random) -> None:
        missing = [day for day in map(on, range(LAST + 1)) if ("XX", day) not in self.closes]
        if missing:
            self._close("XX", chance.choice(missing))

    def _close(self, symbol: str, day: date) -> None:
        self.closes.add((symbol, day))
        self.desk.close(symbol, str(day), str(price_of(symbol, day)))

    def close_books(self, chance: random.Random) -> None:
        """Up to some days ago; now and then they are opened again."""
        self.lock_date = None if chance.random() < 0.25 else self.today - timedelta(days=chance.randint(1, 5))
        self.before_lock = {row.id for row in self.desk.rows(LedgerEntry)}
        now, value = self.desk.clock.now(), str(self.lock_date or "")
        self._write(lambda c: books.store_book_setting(c, "lock_date", value, by="desk", now=now))

    def tables_are_edited(self) -> None:
        """Every exchange and withholding rate, and an account's rounding: nothing follows for what is booked."""
        for day, rate in list(self.rates.items()):
            self._rate(day, rate + Decimal("0.05"))
        numbers, now = {row.name: row.id for row in self.desk.rows(Account)}, self.desk.clock.now()
        for name in ("B", "E", "P", "S"):
            self.desk.withhold(name, "US", "0.30")
        self._write(lambda c: accounts.store_account_settings(c, numbers["F"], now=now, rounding="DOWN"))
