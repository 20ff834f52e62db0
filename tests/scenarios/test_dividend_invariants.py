"""Whatever happens in whatever order, the books are those that the facts of now lead to; nothing is ever edited.

Hypothesis makes up orders, dividends, splits, corrections, cancellations, holds and deletions, runs at random times,
runs that are killed, and runs of two processes at once. After every step the books are compared with a small reckoning
of their own, written without any of closingbell's code for entitlements.
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import event

from closingbell.domain.actions import AcceptedKind, PayDateStatus
from closingbell.domain.runs import RunStatus
from closingbell.errors import AlreadyRunningError
from closingbell.jobs import dividend_processor
from closingbell.jobs.dividend_processor import DividendSelection, _process
from closingbell.jobs.runner import carry_out
from closingbell.models import (
    Account,
    CorporateActionRow,
    DividendPayment,
    DividendRecheck,
    DividendState,
    JobLog,
    LedgerEntry,
    Order,
)
from closingbell.stores.database import open_database
from tests.dividend_desk import LATE, NEW_YORK, Desk
from tests.scenarios.test_dividend_vectors import empty

START = date(2024, 1, 2)
COMPANIES = ("XX", "YY")
# Long and short, taxed, of another currency, reinvesting, with cash for fractions.
ACCOUNTS = (
    {"id": "A", "currency": "USD"},
    {"id": "B", "currency": "USD", "wht": {"US": "0.15"}},
    {"id": "E", "currency": "EUR", "wht": {"US": "0.15"}},
    {"id": "F", "currency": "USD", "fraction_policy": "CASH_IN_LIEU"},
    {"id": "R", "currency": "USD", "reinvest": True},
)
EUR = Decimal("0.9213")
CENT = Decimal("0.01")
SHARE = Decimal("1e-10")

DAYS = 14
MOST_DIVIDENDS, MOST_SPLITS = 6, 3
LATER = (0, 0, 1, 2, 4, 9)
QUANTITIES = ("1", "3", "7.5", "10", "33.3333", "100", "-4", "-10", "-33.3333")
AMOUNTS = ("0.01", "0.205", "0.24", "0.5", "1.125", "15")
RATIOS = ((2, 1), (3, 2), (1, 3), (1, 8), (7, 1))
THINGS = {
    "trade": 10,
    "delete_trade": 3,
    "declare": 5,
    "correct_amount": 2,
    "tell_pay_date": 2,
    "move_ex_date": 1,
    "reclassify": 1,
    "cancel_or_reinstate": 2,
    "hold_or_release": 2,
    "split": 1,
    "spin_off": 2,
}
PARTS = ((1, 4), (1, 3), (241917, 1000000), (2, 1))


def on(offset: int) -> str:
    return str(START + timedelta(days=offset))


def business(day: date) -> date:
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return day


def rounded(value: Fraction | Decimal) -> Decimal:
    exact = value if isinstance(value, Decimal) else Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(CENT, ROUND_HALF_UP)


class Books(RuleBasedStateMachine):
    """A desk to which things happen."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.database = open_database(self.url)
        self.today = START
        self.seen_payments: dict[int, Any] = {}
        self.seen_entries: dict[int, Any] = {}
        self.names: list[str] = []

    @initialize(seeds=st.lists(st.integers(0, 2**48), min_size=3, max_size=3))
    def open(self, seeds: list[int]) -> None:
        self.desk = Desk(self.database, Path(self.folder.name))
        self.desk.set_up(
            {
                "config": {"lag_business_days": 5},
                "accounts": list(ACCOUNTS),
                "instruments": [{"symbol": symbol, "currency": "USD", "country": "US"} for symbol in COMPANIES],
                "steps": [],
            }
        )
        for offset in range(0, 100, 5):
            self.desk.carry_out({"do": "fx", "from": "USD", "to": "EUR", "date": on(offset), "rate": str(EUR)})
        for offset in range(DAYS + 9):
            for symbol in COMPANIES:
                self.desk.close(symbol, on(offset), "20.00")
        chance = random.Random(repr(seeds))
        for happens in ("trade",) * 8 + ("declare",) * 3 + ("split", "spin_off"):
            getattr(self, happens)(chance)

    def teardown(self) -> None:
        try:
            if hasattr(self, "desk"):
                self.last_look()
        finally:
            empty(self.database)
            self.database.dispose()
            self.folder.cleanup()

    # --- What happens.

    @rule(seeds=st.lists(st.integers(0, 2**48), min_size=3, max_size=3))
    def things_happen(self, seeds: list[int]) -> None:
        """A few changes, and a run of some kind."""
        chance = random.Random(repr(seeds))
        for _ in range(chance.randint(1, 5)):
            happens = chance.choices(list(THINGS), weights=list(THINGS.values()))[0]
            getattr(self, happens)(chance)
        run = chance.choices((self.run, self.run_killed, self.run_twice_at_once), weights=(5, 3, 2))[0]
        run(chance)

    def trade(self, chance: random.Random) -> None:
        account = chance.choice(ACCOUNTS)["id"]
        self.desk.trade(account, chance.choice(COMPANIES), on(chance.randint(0, DAYS)), chance.choice(QUANTITIES))

    def delete_trade(self, chance: random.Random) -> None:
        if self.desk.orders:
            name = chance.choice(sorted(self.desk.orders))
            self.desk.carry_out({"do": "delete_trade", "id": name})
            del self.desk.orders[name]

    def declare(self, chance: random.Random) -> None:
        if len(self.names) > MOST_DIVIDENDS:
            return
        name = f"e{len(self.names)}"
        self.names.append(name)
        offset, lag = chance.randint(0, DAYS), chance.choice([None, -3, 0, 1, 6])
        self.desk.carry_out(
            {
                "do": "event",
                "id": name,
                "symbol": chance.choice(COMPANIES),
                "type": chance.choice(["CASH", "CASH", "CASH_SPECIAL"]),
                "ex_date": str(business(START + timedelta(days=offset))),
                "amount": chance.choice(AMOUNTS),
                "seq": len(self.names),
                "pay_date": None if lag is None else on(offset + lag),
            }
        )

    def correct_amount(self, chance: random.Random) -> None:
        self.change(chance, amount=Decimal(chance.choice(AMOUNTS)))

    def tell_pay_date(self, chance: random.Random) -> None:
        told = START + timedelta(days=chance.randint(0, DAYS + 6))
        self.change(chance, pay_date=told, pay_date_status=PayDateStatus.CONFIRMED)

    def move_ex_date(self, chance: random.Random) -> None:
        self.change(chance, ex_date=business(START + timedelta(days=chance.randint(0, DAYS))))

    def reclassify(self, chance: random.Random) -> None:
        if self.names:
            name = chance.choice(self.names)
            if self.action(name).kind_group == "CASH":
                kind = chance.choice([AcceptedKind.CASH, AcceptedKind.RETURN_OF_CAPITAL])
                self.desk.change_action(name, kind=kind)

    def cancel_or_reinstate(self, chance: random.Random) -> None:
        self.change(chance, is_cancelled=chance.random() < 0.4)

    def hold_or_release(self, chance: random.Random) -> None:
        self.change(chance, is_held=chance.random() < 0.3)

    def change(self, chance: random.Random, **changes: Any) -> None:
        if self.names:
            self.desk.change_action(chance.choice(self.names), **changes)

    def split(self, chance: random.Random) -> None:
        day = on(chance.randint(0, DAYS))
        taken = [str(row.ex_date) for row in self.desk.rows(CorporateActionRow) if row.kind_group == "SPLIT"]
        if day not in taken and len(taken) < MOST_SPLITS:
            num, den = chance.choice(RATIOS)
            self.desk.carry_out(
                {"do": "split", "symbol": chance.choice(COMPANIES), "ex_date": day, "num": num, "den": den}
            )

    def spin_off(self, chance: random.Random) -> None:
        """XX spins YY off, or what is known of it changes."""
        if "s" not in self.desk.actions:
            told = {"symbol": "XX", "child": "YY", "ratio": "1/4", "parent_basis_pct": "60", "seq": 99}
            self.desk.carry_out({"do": "spin_off", "id": "s", "ex_date": on(chance.randint(0, DAYS)), **told})
            return
        numerator, denominator = chance.choice(PARTS)
        changes: tuple[dict[str, Any], ...] = (
            {"numerator": numerator, "denominator": denominator},
            {"is_cancelled": chance.random() < 0.4},
            {"ex_date": START + timedelta(days=chance.randint(0, DAYS))},
        )
        self.desk.change_action("s", **chance.choice(changes))

    def run(self, chance: random.Random) -> None:
        self.today += timedelta(days=chance.choice(LATER))
        assert self.desk.run(str(self.today)).status is RunStatus.SUCCESS
        self.look()

    def run_killed(self, chance: random.Random) -> None:
        """A process that is killed just before one of its statements."""
        self.today += timedelta(days=chance.choice(LATER))
        end(self.start(kill_at=chance.randint(1, 60)))
        self.look(is_complete=False)

    def run_twice_at_once(self, chance: random.Random) -> None:
        """Two processes, neither of which knows that the other one runs."""
        self.today += timedelta(days=chance.choice(LATER))
        first, second = self.start(job="one"), self.start(job="two")
        assert (end(first), end(second)) == (0, 0)
        self.look()

    def start(self, *, kill_at: int = 0, job: str = "dividend_processor") -> int:
        """Fork a run with a connection of its own."""
        self.database.dispose()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                run_in_child(self.url, Path(self.folder.name), self.today, kill_at, job)
                code = 0
            finally:
                os._exit(code)
        return pid

    # --- What must be.

    def action(self, name: str) -> Any:
        number = self.desk.actions[name]
        return next(row for row in self.desk.rows(CorporateActionRow) if row.id == number)

    def look(self, *, is_complete: bool = True) -> None:
        payments, entries = self.desk.rows(DividendPayment), self.desk.rows(LedgerEntry)
        assert self.desk.balances_by_group() == []
        self.nothing_was_edited(payments, entries)
        self.entries_are_those_of_active_legs(payments, entries)
        self.no_float(payments, entries)
        if is_complete:
            self.books_are_those_of_the_facts(payments)

    def nothing_was_edited(self, payments: list[Any], entries: list[Any]) -> None:
        """Rows stay as they are; a payment is reversed once; versions count up by one."""
        for row in payments:
            old = self.seen_payments.get(row.id)
            now = row._mapping
            if old is not None:
                changed = {key for key in now if now[key] != old[key]}
                assert changed <= {"is_active", "reversed_by", "reversed_at", "reversal_date", "reversal_reason"}
                assert not changed or (old["is_active"] == 1 and now["is_active"] is None)
        for entry in entries:
            assert self.seen_entries.get(entry.id, entry) == entry
        assert self.seen_payments.keys() <= {row.id for row in payments}
        assert self.seen_entries.keys() <= {row.id for row in entries}
        versions: dict[Any, list[int]] = defaultdict(list)
        for row in payments:
            versions[row.corporate_action_id, row.account_id, row.leg].append(row.version)
        assert all(sorted(found) == list(range(1, len(found) + 1)) for found in versions.values())
        self.seen_payments = {row.id: dict(row._mapping) for row in payments}
        self.seen_entries = {entry.id: entry for entry in entries}

    def entries_are_those_of_active_legs(self, payments: list[Any], entries: list[Any]) -> None:
        """Cash is the active payment's, what is owed the active accrual's less it."""
        legs = {row.id: row for row in payments}
        cash: dict[Any, Decimal] = defaultdict(Decimal)
        owed: dict[Any, Decimal] = defaultdict(Decimal)
        for entry in entries:
            leg = legs.get(entry.payment_id)
            if leg is not None and leg.leg in {"ACCRUAL", "PAYMENT"}:
                key = leg.corporate_action_id, leg.account_id
                cash[key] += entry.amount if entry.name == "Cash" else 0
                owed[key] += entry.amount if entry.name in {"Receivable", "Payable"} else 0
        active = {(row.corporate_action_id, row.account_id, row.leg): row for row in payments if row.is_active}
        for key in cash.keys() | owed.keys():
            accrual, payment = active.get((*key, "ACCRUAL")), active.get((*key, "PAYMENT"))
            assert cash[key] == (payment.cash if payment else 0)
            assert owed[key] == (accrual.net if accrual else 0) - (payment.net if payment else 0)

    def no_float(self, payments: list[Any], entries: list[Any]) -> None:
        assert not any(isinstance(value, float) for row in (*payments, *entries) for value in row)

    def books_are_those_of_the_facts(self, payments: list[Any]) -> None:
        """Active payments and states are those that today's facts lead to, whatever came before."""
        names = {number: name for name, number in self.desk.actions.items()}
        expected = {}
        rows = {row.id: row for row in self.desk.rows(CorporateActionRow)}
        splits = self.splits()
        orders = self.orders()
        self.shares_are_spun_off(rows[self.desk.actions["s"]], orders, splits)
        for number, name in names.items():
            row = rows[number]
            if row.is_held or row.kind_group == "SPLIT":
                continue
            pay_date = self.pay_date(row)
            if row.is_cancelled or self.today < row.ex_date or self.today < pay_date:
                continue
            for account in ACCOUNTS:
                quantity = self.entitled(account, row, orders, splits)
                if quantity:
                    expected[name, account["id"]] = self.payment(account, row, quantity, pay_date)
        accounts = {number: name for name, number in self.desk.accounts.items()}
        found = {}
        for payment in payments:
            action = rows[payment.corporate_action_id]
            if payment.is_active and payment.leg == "PAYMENT" and not action.is_held:
                key = names[payment.corporate_action_id], accounts[payment.account_id]
                found[key] = (
                    payment.quantity, payment.gross, payment.tax, payment.net, payment.cash, payment.value_date,
                )  # fmt: skip
                assert payment.value_date == business(payment.value_date) >= action.ex_date
                if action.pay_date is None:
                    assert payment.pay_date_status == "ESTIMATED"
            if payment.is_active and payment.leg in {"ACCRUAL", "PAYMENT"}:
                assert not action.is_cancelled
        assert found == expected
        self.states_are_right(rows, expected)

    def states_are_right(self, rows: dict[int, Any], expected: dict[Any, Any]) -> None:
        names = {number: name for name, number in self.desk.actions.items()}
        paid = {name for name, _ in expected}
        for state in self.desk.rows(DividendState):
            row = rows[state.corporate_action_id]
            name = names.get(row.id)
            if name is None or row.is_held or row.kind_group == "SPLIT":
                continue
            if row.is_cancelled:
                assert state.state == "CANCELLED"
            elif self.today < row.ex_date:
                assert state.state == "ANNOUNCED"
            elif self.today < self.pay_date(row):
                assert state.state == "EX"
            else:
                assert state.state in {"PAID", "CORRECTED"}, (name, name in paid)

    def orders(self) -> dict[tuple[int, int], list[tuple[date, Fraction]]]:
        found: dict[tuple[int, int], list[tuple[date, Fraction]]] = defaultdict(list)
        for order in self.desk.rows(Order):
            if order.deleted_at is None and order.source != "spin-off":
                sign = 1 if order.type == "BUY" else -1
                found[order.account_id, order.company_id].append((order.trade_date, sign * Fraction(order.quantity)))
        return found

    def splits(self) -> dict[int, list[tuple[date, Fraction]]]:
        found: dict[int, list[tuple[date, Fraction]]] = defaultdict(list)
        for row in self.desk.rows(CorporateActionRow):
            if row.kind_group == "SPLIT" and row.kind != "SPIN_OFF" and row.ex_date <= self.today:
                found[row.company_id].append((row.ex_date, Fraction(row.numerator, row.denominator)))
        return found

    def shares_are_spun_off(self, spun: Any, orders: Any, splits: Any) -> None:
        """Add the child's shares to ``orders``; the orders that were made are these shares."""
        made: dict[int, Fraction] = defaultdict(Fraction)
        for order in self.desk.rows(Order):
            if order.deleted_at is None and order.source == "spin-off":
                assert order.company_id == self.desk.companies["YY"]
                sign = 1 if order.type in {"BUY", "TRANSFER_IN"} else -1
                made[order.account_id] += sign * Fraction(order.quantity)
        for account in ACCOUNTS:
            number, came = self.desk.accounts[account["id"]], Fraction(0)
            if not spun.is_cancelled and spun.ex_date <= self.today:
                exact = Fraction(self.entitled(account, spun, orders, splits)) * spun.numerator / spun.denominator
                came = Fraction(
                    (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(SHARE, ROUND_HALF_EVEN)
                )
                if account.get("fraction_policy") == "CASH_IN_LIEU":
                    came = Fraction(abs(came).__floor__()) * (1 if came > 0 else -1)
            assert made[number] == came
            if came:
                orders[number, self.desk.companies["YY"]].append((spun.ex_date, came))

    def entitled(self, account: dict[str, Any], row: Any, orders: Any, splits: Any) -> Decimal:
        """Shares at the close before the ex-date: day by day, a split before that day's orders."""
        held = Fraction(0)
        own = orders[self.desk.accounts[account["id"]], row.company_id]
        steps = [(day, 1, quantity) for day, quantity in own if day < row.ex_date]
        steps += [(day, 0, ratio) for day, ratio in splits[row.company_id] if day < row.ex_date]
        for _, what, value in sorted(steps):
            held = held + value if what else held * value
            if not what and account.get("fraction_policy") == "CASH_IN_LIEU":
                held = Fraction(abs(held).__floor__()) * (1 if held > 0 else -1)
        return (Decimal(held.numerator) / Decimal(held.denominator)).quantize(SHARE, ROUND_HALF_EVEN)

    def pay_date(self, row: Any) -> date:
        if row.pay_date is not None:
            return business(max(row.pay_date, row.ex_date))
        day = row.ex_date
        for _ in range(5):
            day = business(day + timedelta(days=1))
        return day

    def payment(self, account: dict[str, Any], row: Any, quantity: Decimal, pay_date: date) -> tuple[Any, ...]:
        gross = rounded(quantity * row.amount)
        is_taxed = "wht" in account and quantity > 0 and row.kind != "RETURN_OF_CAPITAL"
        tax = rounded(gross * Decimal("0.15")) if is_taxed else Decimal(0)
        cash = gross - tax
        if account["currency"] == "EUR":
            cash = rounded(gross * EUR) - rounded(tax * EUR)
        return quantity, gross, tax, gross - tax, cash, pay_date

    def last_look(self) -> None:
        """One more run makes everything right, the next one writes nothing, and no mark is left."""
        assert self.desk.run(str(self.today)).status is RunStatus.SUCCESS
        self.look()
        before = (self.desk.rows(DividendPayment), self.desk.rows(LedgerEntry), self.desk.rows(DividendState))
        assert self.desk.run(str(self.today)).items == ()
        after = (self.desk.rows(DividendPayment), self.desk.rows(LedgerEntry), self.desk.rows(DividendState))
        assert before == after
        assert self.desk.rows(DividendRecheck) == []
        assert [row.dirty_since for row in self.desk.rows(CorporateActionRow) if row.dirty_since] == []
        assert {row.status for row in self.desk.rows(JobLog)} <= {"SUCCESS", "FAILED"}
        assert len(self.desk.rows(Account)) == len(ACCOUNTS)


def run_in_child(url: str, folder: Path, today: date, kill_at: int, job: str) -> None:
    database = open_database(url)
    desk = Desk(database, folder)
    desk.configure({"lag_business_days": 5})
    desk.clock.set(datetime(today.year, today.month, today.day, *LATE, tzinfo=NEW_YORK))
    sent = 0

    @event.listens_for(database.engine, "before_cursor_execute")
    def _count(*_what: Any) -> None:
        nonlocal sent
        sent += 1
        if sent == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        carry_out(desk.context, job, lambda run: _process(desk.context, run, DividendSelection()))
    except AlreadyRunningError:
        return


def end(pid: int) -> int:
    return os.waitpid(pid, 0)[1]


def machine_on(url: str) -> Callable[[], Books]:
    return type("BooksThere", (Books,), {"url": url})


def carry_out_examples(url: str, count: int, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each company in a group of its own: on a server both are under way at once, also the one that the other spins off.
    monkeypatch.setattr(dividend_processor, "GROUP", 1)
    run_state_machine_as_test(
        machine_on(url),
        settings=settings(
            max_examples=count,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # Making a failure smaller takes minutes on a database; the failing steps are printed as they are.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
        ),
    )


@pytest.mark.slow
def test_books_are_those_of_the_facts_whatever_happened(tables_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    carry_out_examples(tables_url, 5, 7, monkeypatch)


@pytest.mark.soak
def test_books_are_those_of_the_facts_after_long_stories(tables_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    carry_out_examples(tables_url, 150, 40, monkeypatch)
