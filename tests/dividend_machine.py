"""Made-up histories of books of dividends, and what must be true of the books after each step of them.

What must be booked is reckoned by ``tests.dividend_reckoning`` from the facts of that moment. Three things depend on
when they were known, by their rules, and are looked at when they are first seen: shares bought for a dividend, what
counts today because its day is closed, and the exchange rate that is frozen in a payment.
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from sqlalchemy import event

from closingbell.domain.runs import RunStatus
from closingbell.errors import AlreadyRunningError
from closingbell.jobs.dividend_processor import DividendSelection, _process
from closingbell.jobs.runner import carry_out
from closingbell.models import (
    Account,
    CorporateActionRow,
    CorporateActionVersion,
    DividendLink,
    DividendPayment,
    DividendRecheck,
    DividendState,
    JobLog,
    LedgerEntry,
    Order,
)
from closingbell.queries.audit import audit
from closingbell.stores import ledger
from closingbell.stores.database import open_database
from tests.dividend_desk import LATE, NEW_YORK, Desk
from tests.dividend_happenings import ACCOUNTS, ENTERING, Happenings, on, price_of
from tests.dividend_reckoning import (
    Entitlement,
    Move,
    Ratio,
    Reckoning,
    Terms,
    business,
    is_near,
    newest_rate,
    pay_date_of,
    rounded,
    shown,
    whole,
)
from tests.scenarios.test_dividend_vectors import empty

LATER = (0, 0, 1, 2, 4, 9)
# A run books in New York's evening, which is the next day in UTC; a price is waited for this long.
BUYS_UNTIL, MAY_BUY_UNTIL = timedelta(days=5), timedelta(days=6)
REVERSAL = {"is_active", "reversed_by", "reversed_at", "reversal_date", "reversal_reason"}
# The tables of these tests are made without triggers, and closes without the summaries that a price job keeps.
NOT_AUDITED = {"append-only", "summaries"}


class Seen:
    """The rows of one look at the books, and what is found by number in them."""

    def __init__(self, desk: Desk) -> None:
        self.payments = desk.rows(DividendPayment)
        self.entries = desk.rows(LedgerEntry)
        self.orders = [row for row in desk.rows(Order) if row.deleted_at is None]
        self.actions = {row.id: row for row in desk.rows(CorporateActionRow)}
        self.versions = desk.rows(CorporateActionVersion)
        self.links = desk.rows(DividendLink)
        self.states = {row.corporate_action_id: row for row in desk.rows(DividendState)}
        self.accounts = {number: name for name, number in desk.accounts.items()}
        self.active = {(row.corporate_action_id, self.accounts[row.account_id], row.leg): row for row in self.standing}
        self.ever = {(row.corporate_action_id, self.accounts[row.account_id], row.leg) for row in self.payments}

    @property
    def standing(self) -> list[Any]:
        return [row for row in self.payments if row.is_active]

    def key(self, row: Any) -> tuple[int, str]:
        return row.corporate_action_id, self.accounts[row.account_id]


class Books(RuleBasedStateMachine):
    """A desk to which things happen."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.database = open_database(self.url)
        self.payments_before: dict[int, dict[str, Any]] = {}
        self.entries_before: dict[int, Any] = {}
        self.versions_before: dict[tuple[int, int], Any] = {}
        self.active_before: dict[tuple[int, str, str], int] = {}
        self.ever_before: set[tuple[int, str, str]] = set()
        self.spun_before: dict[str, list[Move]] = {}
        self.links_before: dict[tuple[int, int], tuple[int, Decimal]] = {}

    @initialize(seeds=st.lists(st.integers(0, 2**48), min_size=3, max_size=3))
    def open(self, seeds: list[int]) -> None:
        self.told = Happenings(self.database, Path(self.folder.name))
        self.desk = self.told.desk
        self.told.open(random.Random(repr(seeds)))

    def teardown(self) -> None:
        try:
            if hasattr(self, "told"):
                self.last_look()
        finally:
            empty(self.database)
            self.database.dispose()
            self.folder.cleanup()

    @rule(seeds=st.lists(st.integers(0, 2**48), min_size=3, max_size=3))
    def things_happen(self, seeds: list[int]) -> None:
        """A few changes, and a run of some kind."""
        chance = random.Random(repr(seeds))
        for _ in range(chance.randint(1, 6)):
            self.told.something(chance)
        run = chance.choices((self.run, self.run_killed, self.run_twice_at_once), weights=(5, 3, 2))[0]
        self.told.today += timedelta(days=chance.choice(LATER))
        run(chance)

    # --- Runs.

    def run(self, _chance: random.Random | None = None) -> None:
        assert self.desk.run(str(self.told.today)).status is RunStatus.SUCCESS
        self.look()

    def run_killed(self, chance: random.Random) -> None:
        """A process that is killed just before one of its statements."""
        end(self.start(kill_at=chance.randint(1, 80)))
        self.look(is_complete=False)

    def run_twice_at_once(self, _chance: random.Random) -> None:
        """Two processes, neither of which knows that the other one runs."""
        first, second = self.start(job="one"), self.start(job="two")
        assert (end(first), end(second)) == (0, 0)
        self.look()

    def start(self, *, kill_at: int = 0, job: str = "dividend_processor") -> int:
        """Fork a run with a connection of its own."""
        self.database.dispose()
        self.desk.clock.set(evening(self.told.today))
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                run_in_child(self.url, Path(self.folder.name), self.told.today, kill_at, job)
                code = 0
            finally:
                os._exit(code)
        return pid

    # --- What must be, after any run.

    def look(self, *, is_complete: bool = True) -> None:
        seen = Seen(self.desk)
        assert self.desk.balances_by_group() == []
        self.nothing_was_edited(seen)
        self.entries_are_those_of_active_legs(seen)
        self.no_float(seen)
        self.closed_periods_stay_as_they_were(seen)
        self.what_is_new_is_right(seen)
        if is_complete:
            self.books_are_those_of_the_facts(seen)
        self.payments_before = {row.id: dict(row._mapping) for row in seen.payments}
        self.entries_before = {row.id: row for row in seen.entries}
        self.versions_before = {(row.corporate_action_id, row.version): row for row in seen.versions}
        self.active_before = {key: row.id for key, row in seen.active.items()}
        self.ever_before = seen.ever
        self.links_before = {(row.corporate_action_id, row.account_id): (row.order_id, row.gross) for row in seen.links}

    def nothing_was_edited(self, seen: Seen) -> None:
        """Rows stay as they are; a payment is reversed once; versions count up by one."""
        for row in seen.payments:
            old, now = self.payments_before.get(row.id), row._mapping
            if old is not None:
                changed = {key for key in now if now[key] != old[key]}
                assert changed <= REVERSAL
                assert not changed or (old["is_active"] == 1 and now["is_active"] is None)
        for entry in seen.entries:
            assert self.entries_before.get(entry.id, entry) == entry
        assert self.payments_before.keys() <= {row.id for row in seen.payments}
        assert self.entries_before.keys() <= {row.id for row in seen.entries}
        versions: dict[Any, list[int]] = defaultdict(list)
        for row in seen.payments:
            versions[*seen.key(row), row.leg].append(row.version)
        for row in seen.versions:
            assert self.versions_before.get((row.corporate_action_id, row.version), row) == row
            versions[row.corporate_action_id].append(row.version)
        assert self.versions_before.keys() <= {(row.corporate_action_id, row.version) for row in seen.versions}
        assert all(sorted(found) == list(range(1, len(found) + 1)) for found in versions.values())

    def entries_are_those_of_active_legs(self, seen: Seen) -> None:
        """Cash is the active payment's, what is owed the active accrual's less it; income is gross, by its kind."""
        legs = {row.id: row for row in seen.payments}
        sums: dict[tuple[int, str], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for entry in seen.entries:
            leg = legs.get(entry.payment_id)
            if leg is not None and leg.leg in {"ACCRUAL", "PAYMENT"} and entry.name != "Conversion":
                sums[seen.key(leg)][entry.name] += entry.amount
        for key, by_name in sums.items():
            accrual, payment = seen.active.get((*key, "ACCRUAL")), seen.active.get((*key, "PAYMENT"))
            owed = (accrual.net if accrual else 0) - (payment.net if payment else 0)
            expected = {"Cash": payment.cash if payment else 0, "Receivable": owed}
            if accrual is not None and accrual.gross < 0:
                expected["PaymentInLieu"], expected["Payable"] = -accrual.gross, expected.pop("Receivable")
            elif accrual is not None:
                expected["WithholdingTax"] = accrual.tax
                expected["Securities" if accrual.kind == "RETURN_OF_CAPITAL" else accrual.kind] = -accrual.gross
            found = {name.rpartition(":")[2]: amount for name, amount in by_name.items() if amount}
            assert found == {name: amount for name, amount in expected.items() if amount}

    def no_float(self, seen: Seen) -> None:
        rows = (*seen.payments, *seen.entries, *seen.orders)
        assert not any(isinstance(value, float) for row in rows for value in row)

    def closed_periods_stay_as_they_were(self, seen: Seen) -> None:
        lock_date = self.told.lock_date
        if lock_date is not None:
            assert lock_date < self.told.today
            assert [
                row for row in seen.entries if row.id not in self.told.before_lock and row.value_date <= lock_date
            ] == []

    # --- What is new since the last look.

    def what_is_new_is_right(self, seen: Seen) -> None:
        for row in seen.payments:
            before = self.payments_before.get(row.id)
            if before is None:
                assert not seen.actions[row.corporate_action_id].is_held, "nothing is booked while in doubt"
                self.value_date_is_right(seen, row)
                if row.leg == "DRIP":
                    self.purchase_is_right(seen, row)
                if row.leg == "PAYMENT" and seen.accounts[row.account_id] == "E":
                    assert newest_rate(self.told.rates, row.due_date) == (row.fx_date, row.fx_rate)
            if row.is_active is None and (before is None or before["is_active"]) and row.leg != "DRIP":
                counts_on = self.told.today if self.is_closed(row.value_date) else row.value_date
                assert row.reversal_date == counts_on
        for key in seen.ever - self.ever_before:
            action_id, account, leg = key
            if leg in {"ACCRUAL", "SPIN_OFF"}:
                assert self.may_book(action_id, account, leg)
            if leg == "PAYMENT" and account == "S":
                self.shares_were_taken_with_the_first_payment(seen, action_id)

    def is_closed(self, day: date) -> bool:
        return self.told.lock_date is not None and day <= self.told.lock_date

    def value_date_is_right(self, seen: Seen, row: Any) -> None:
        """What was due, or today where that is closed, or where what it replaces was taken back today for that."""
        if self.is_closed(row.due_date):
            assert row.value_date == self.told.today
        elif row.value_date != row.due_date:
            assert row.value_date == self.told.today
            replaced = [
                one
                for one in seen.payments
                if (*seen.key(one), one.leg, one.version) == (*seen.key(row), row.leg, row.version - 1)
            ]
            assert replaced[0].reversal_date == self.told.today != replaced[0].value_date

    def purchase_is_right(self, seen: Seen, row: Any) -> None:
        """Bought once, by an account that reinvests, with what one of its payments brought, at the close of its day."""
        key = seen.key(row)
        assert (key[1], row.version, self.told.is_reinvesting) == ("R", 1, True)
        paid = [one for one in seen.payments if seen.key(one) == key and one.leg == "PAYMENT"]
        first = min(one.posted_at for one in paid)
        assert row.posted_at - first <= MAY_BUY_UNTIL
        assert any(
            (row.quantity, row.due_date) == (shares_for(one.net, self.close_of(seen, one)), one.due_date)
            for one in paid
            if one.posted_at <= row.posted_at and (one.is_active or one.reversed_at >= row.posted_at)
        )
        assert -row.cash == row.gross == rounded(row.quantity * row.price)
        (order,) = [one for one in self.desk.rows(Order) if one.id == row.order_id]
        assert (order.type, order.source, order.quantity, order.amount, order.trade_date) == (
            "BUY", "dividend", row.quantity, row.gross, row.due_date,
        )  # fmt: skip

    def close_of(self, seen: Seen, payment: Any) -> Decimal | None:
        symbol = self.symbol_of(seen, payment.corporate_action_id)
        return price_of(symbol, payment.due_date) if (symbol, payment.due_date) in self.told.closes else None

    def symbol_of(self, seen: Seen, action_id: int) -> str:
        company = seen.actions[action_id].company_id
        return next(symbol for symbol, number in self.desk.companies.items() if number == company)

    def shares_were_taken_with_the_first_payment(self, seen: Seen, action_id: int) -> None:
        first = next(one for one in seen.payments if seen.key(one) == (action_id, "S") and one.leg == "PAYMENT")
        action = seen.actions[action_id]
        if action.kind == "SCRIP" and first.net >= action.scrip_price:
            assert (action_id, "S", "SCRIP") in seen.ever

    # --- What today's facts lead to.

    def may_book(self, action_id: int, account: str, leg: str) -> bool:
        """By the account's choice, a person's word on this one, or because it was booked before."""
        if account != "P" or self.told.preference == "AUTO" or self.told.answers.get(action_id):
            return True
        return (action_id, account, leg) in self.ever_before

    def books_are_those_of_the_facts(self, seen: Seen) -> None:
        """Active payments and states are those that today's facts lead to, whatever came before."""
        linked = self.links_are_right(seen)
        self.told.known = {}
        expected: dict[tuple[int, str], Entitlement] = {}
        for account in ACCOUNTS:
            name = account["id"]
            for key, entitlement in self.entitlements(seen, account).items():
                self.told.known[key, name] = entitlement
                if (key, name) not in linked:
                    expected[key, name] = entitlement
        self.payments_are_right(seen, expected)
        self.entries_of_people_are_all_used(seen, expected)
        self.suggestions_are_right(seen, expected)
        self.states_are_right(seen, expected)

    def entitlements(self, seen: Seen, account: dict[str, Any]) -> dict[int, Entitlement]:
        """What an account is owed, of the company that spins off first: its shares bring the other's."""
        found: dict[int, Entitlement] = {}
        name, parent = account["id"], None
        for symbol, company in self.desk.companies.items():
            reckoning = Reckoning(
                account,
                self.moves(seen, account, company),
                self.splits(seen, company),
                self.told.rates,
                self.told.today,
                frozenset(action_id for action_id, of, leg in seen.ever if (of, leg) == (name, "SCRIP")),
                {
                    key[0]: Move(row.due_date, Fraction(row.quantity))
                    for key, row in seen.active.items()
                    if key[1:] == (name, "SCRIP")
                },
            )
            if parent is not None:
                reckoning.moves += self.spun_off(seen, account, parent)
            parent = reckoning
            found |= reckoning.entitlements(self.terms(seen, company))
            self.cash_for_fractions_is_right(seen, account, symbol, reckoning)
        self.shares_taken_are_right(seen, account, found)
        self.purchases_were_made(seen, account, found)
        return found

    def moves(self, seen: Seen, account: dict[str, Any], company: int) -> list[Move]:
        """What people traded, and what was bought for dividends."""
        number = self.desk.accounts[account["id"]]
        return [
            Move(order.trade_date, Fraction(order.quantity) * (1 if order.type == "BUY" else -1))
            for order in seen.orders
            if (order.account_id, order.company_id) == (number, company)
            and order.type in {"BUY", "SELL"}
            and order.source not in {"spin-off", "scrip"}
        ]

    def splits(self, seen: Seen, company: int) -> list[Ratio]:
        return [
            Ratio(row.ex_date, Fraction(row.numerator, row.denominator), row.id)
            for row in seen.actions.values()
            if row.company_id == company
            and row.kind_group == "SPLIT"
            and row.kind != "SPIN_OFF"
            and not row.is_cancelled
            and row.ex_date <= self.told.today
        ]

    def terms(self, seen: Seen, company: int) -> list[Terms]:
        return [
            Terms(row.id, row.ex_date, self.pay_date(row), row.amount, row.kind, row.scrip_price, row.is_held)
            for row in seen.actions.values()
            if row.company_id == company and row.kind_group != "SPLIT" and not row.is_cancelled
        ]

    def pay_date(self, row: Any) -> date:
        return pay_date_of(row.pay_date, row.ex_date)

    def spun_off(self, seen: Seen, account: dict[str, Any], parent: Reckoning) -> list[Move]:
        """The child's shares that came; the orders that were made are these shares."""
        name, spun = account["id"], seen.actions[self.desk.actions["s"]]
        made: list[Move] = []
        for order in seen.orders:
            if order.source == "spin-off" and order.account_id == self.desk.accounts[name]:
                assert order.company_id == self.desk.companies["YY"]
                sign = 1 if order.type in {"BUY", "TRANSFER_IN"} else -1
                made.append(Move(order.trade_date, sign * Fraction(order.quantity)))
        came = Fraction(0)
        if not spun.is_cancelled and spun.ex_date <= self.told.today:
            if spun.is_held:
                # They stand still, on the day on which they came.
                assert made == self.spun_before.get(name, [])
                return made
            if self.may_book(spun.id, name, "SPIN_OFF"):
                entitled = Fraction(shown(parent.held(spun.ex_date)))
                came = Fraction(shown(entitled * spun.numerator / spun.denominator))
                came = whole(came) if parent.is_cut else came
        assert sum(one.shares for one in made) == came
        assert {one.day for one in made} <= {spun.ex_date}
        self.spun_before[name] = made
        return [Move(spun.ex_date, came)] if came else []

    def cash_for_fractions_is_right(
        self, seen: Seen, account: dict[str, Any], symbol: str, reckoning: Reckoning
    ) -> None:
        """What a split cut off is paid at the close of its day, once that is known."""
        name, company = account["id"], self.desk.companies[symbol]
        found = {
            key[0]: (row.quantity, row.gross, row.due_date)
            for key, row in seen.active.items()
            if key[1:] == (name, "CIL") and seen.actions[key[0]].company_id == company
        }
        priced = [one for one in reckoning.cuts() if (symbol, one.day) in self.told.closes]
        assert found == {
            one.action_id: (
                shown(one.fraction), rounded(one.fraction * Fraction(price_of(symbol, one.day))), one.day,
            )
            for one in priced
        }  # fmt: skip

    def shares_taken_are_right(self, seen: Seen, account: dict[str, Any], found: dict[int, Entitlement]) -> None:
        """Whole shares at the issuer's price, by an order on the pay date; the rest of the payment stays cash."""
        name = account["id"]
        legs = {key[0]: row for key, row in seen.active.items() if key[1:] == (name, "SCRIP")}
        expected = {number: one for number, one in found.items() if one.scrip_shares}
        assert {number for number in legs if not seen.actions[number].is_held} == expected.keys()
        for number, entitlement in expected.items():
            leg, price = legs[number], seen.actions[number].scrip_price
            cost = rounded(entitlement.scrip_shares * price)
            assert (leg.quantity, -leg.cash, leg.due_date) == (entitlement.scrip_shares, cost, entitlement.pay_date)
            (order,) = [one for one in seen.orders if one.id == leg.order_id]
            assert (order.type, order.source, order.trade_date) == ("BUY", "scrip", entitlement.pay_date)
            assert (order.quantity, order.amount) == (entitlement.scrip_shares, cost)
        made = {one.id for one in seen.orders if (one.source, seen.accounts[one.account_id]) == ("scrip", name)}
        assert made == {leg.order_id for leg in legs.values()}

    def purchases_were_made(self, seen: Seen, account: dict[str, Any], found: dict[int, Entitlement]) -> None:
        """While the account reinvests and a price is known, within the days that it is waited for."""
        if account["id"] != "R" or not self.told.is_reinvesting:
            return
        for number, entitlement in found.items():
            payment = seen.active.get((number, "R", "PAYMENT"))
            if payment is None or seen.actions[number].is_held or (number, "R", "DRIP") in seen.ever:
                continue
            first = min(
                one.posted_at for one in seen.payments if seen.key(one) == (number, "R") and one.leg == "PAYMENT"
            )
            price = self.close_of(seen, payment)
            if evening(self.told.today) - first <= BUYS_UNTIL and price is not None:
                assert shares_for(entitlement.net, price) == 0

    def payments_are_right(self, seen: Seen, expected: dict[tuple[int, str], Entitlement]) -> None:
        due, owed = {}, {}
        for (action_id, account), one in expected.items():
            if not seen.actions[action_id].is_held and self.may_book(action_id, account, "ACCRUAL"):
                owed[action_id, account] = one.quantity, one.gross, one.tax, one.net
                if self.told.today >= one.pay_date and one.cash is not None:
                    due[action_id, account] = one.quantity, one.gross, one.tax, one.net, one.pay_date
        found_due, found_owed = {}, {}
        for (action_id, account, leg), row in seen.active.items():
            action = seen.actions[action_id]
            if action.is_held and leg in {"ACCRUAL", "PAYMENT"}:
                assert row.id == self.active_before.get((action_id, account, leg))
            elif leg == "ACCRUAL":
                assert (row.due_date, row.per_share) == (action.ex_date, action.amount) or row.gross == 0
                found_owed[action_id, account] = row.quantity, row.gross, row.tax, row.net
            elif leg == "PAYMENT":
                found_due[action_id, account] = row.quantity, row.gross, row.tax, row.net, row.due_date
                self.payment_is_right(row, action)
        assert found_owed == owed
        assert found_due == due
        self.held_stand_still(seen, expected)

    def payment_is_right(self, row: Any, action: Any) -> None:
        assert row.due_date == business(row.due_date) >= action.ex_date
        assert row.value_date >= row.due_date
        if action.pay_date is None:
            assert row.pay_date_status == "ESTIMATED"
        assert row.gross - row.tax == row.net
        if row.fx_rate is None:
            assert row.cash == row.net
        else:
            assert row.cash == rounded(row.gross * row.fx_rate) - rounded(row.tax * row.fx_rate)

    def held_stand_still(self, seen: Seen, expected: dict[tuple[int, str], Entitlement]) -> None:
        """What was booked before somebody doubted it stays, unless it was cancelled, is yet to come or entered."""
        for (action_id, account, leg), number in self.active_before.items():
            action = seen.actions[action_id]
            if not action.is_held or leg not in {"ACCRUAL", "PAYMENT", "SCRIP"} or action.kind_group == "SPLIT":
                continue
            is_over = action.is_cancelled or self.told.today < action.ex_date
            is_entered = (action_id, account) in self.told.known and (action_id, account) not in expected
            now = seen.active.get((action_id, account, leg))
            assert (now is None) if is_over or is_entered else (now is not None and now.id == number)

    def links_are_right(self, seen: Seen) -> set[tuple[int, str]]:
        """Entries stand for one entitlement each, near it in days and money, unless a person tied them."""
        orders = {row.id: row for row in seen.orders}
        found, used = set(), []
        for link in seen.links:
            if link.order_id not in orders:
                assert link.is_by_person
                continue
            order, action = orders[link.order_id], seen.actions[link.corporate_action_id]
            used.append(order.id)
            found.add((action.id, seen.accounts[link.account_id]))
            assert (order.account_id, order.company_id, order.type) == (link.account_id, action.company_id, "DIVIDEND")
            if not link.is_by_person:
                assert action.ex_date <= order.trade_date <= self.pay_date(action) + timedelta(days=10)
                # Once it stood for as much, no rate that is edited takes it away.
                stood = self.links_before.get((link.corporate_action_id, link.account_id))
                assert stood == (order.id, link.gross) or is_near(order.amount, link.gross, link.net)
        assert len(used) == len(set(used))
        return found

    def entries_of_people_are_all_used(self, seen: Seen, expected: dict[tuple[int, str], Entitlement]) -> None:
        """No entry is left over that could stand for what is paid."""
        used = {link.order_id for link in seen.links}
        for order in seen.orders:
            name = seen.accounts[order.account_id]
            if order.type != "DIVIDEND" or order.id in used or name not in ENTERING:
                continue
            for (action_id, account), one in expected.items():
                action = seen.actions[action_id]
                if account == name and action.company_id == order.company_id:
                    is_in_time = action.ex_date <= order.trade_date <= one.pay_date + timedelta(days=10)
                    assert not (is_in_time and is_near(order.amount, one.gross, one.net))

    def suggestions_are_right(self, seen: Seen, expected: dict[tuple[int, str], Entitlement]) -> None:
        """What is not booked because the account wants to be asked is what is suggested."""
        found = {key: amounts for key, amounts in self.told.suggested() if seen.actions[key].kind_group != "SPLIT"}
        assert found == {
            action_id: (one.gross, one.tax, one.net)
            for (action_id, account), one in expected.items()
            if account == "P" and self.told.preference == "SUGGEST" and (action_id, "P", "ACCRUAL") not in seen.ever
        }

    def states_are_right(self, seen: Seen, expected: dict[tuple[int, str], Entitlement]) -> None:
        taken_back = {
            row.corporate_action_id
            for row in seen.payments
            if row.is_active is None and row.leg in {"PAYMENT", "SCRIP"}
        }
        for number, state in seen.states.items():
            row = seen.actions[number]
            if row.kind_group == "SPLIT":
                continue
            unpaid = [
                one
                for (action_id, account), one in expected.items()
                if action_id == number
                and self.may_book(number, account, "ACCRUAL")
                and (number, account, "PAYMENT") not in seen.active
            ]
            if row.is_cancelled:
                assert state.state == "CANCELLED"
            elif self.told.today < row.ex_date:
                assert state.state == "ANNOUNCED"
            elif self.told.today < self.pay_date(row):
                assert state.state == "EX"
            elif unpaid:
                assert state.state == "PAYABLE"
            else:
                assert state.state == ("CORRECTED" if number in taken_back else "PAID")

    # --- The end.

    def last_look(self) -> None:
        """One more run makes everything right, the next one writes nothing, and no mark is left."""
        self.run()
        before = self.all_rows()
        self.told.tables_are_edited()
        assert self.desk.run(str(self.told.today)).items == ()
        assert self.all_rows() == before
        assert self.desk.rows(DividendRecheck) == []
        assert [row.dirty_since for row in self.desk.rows(CorporateActionRow) if row.dirty_since] == []
        assert {row.status for row in self.desk.rows(JobLog)} <= {"SUCCESS", "FAILED"}
        assert len(self.desk.rows(Account)) == len(ACCOUNTS)
        self.balances_are_sums(before[1])
        assert [
            (line.check, line.differences)
            for line in audit(self.database, now=self.desk.clock.now(), lag=5)
            if line.differences and line.check not in NOT_AUDITED
        ] == []

    def all_rows(self) -> tuple[list[Any], ...]:
        return tuple(self.desk.rows(model) for model in (DividendPayment, LedgerEntry, DividendState, Order))

    def balances_are_sums(self, entries: Iterable[Any]) -> None:
        """Of every account, by any day that counts and any moment of posting."""
        for day in (on(3), on(9), date.max):
            for instant in sorted({entry.posted_at for entry in entries})[::3]:
                expected: dict[tuple[int, str, str], Decimal] = defaultdict(Decimal)
                for entry in entries:
                    if entry.value_date <= day and entry.posted_at <= instant:
                        expected[entry.account_id, entry.name, entry.currency] += entry.amount
                with self.database.read() as connection:
                    assert ledger.load_balances(connection, names=(), as_of=day, known_at=instant) == expected


def shares_for(net: Decimal, price: Decimal | None) -> Decimal:
    """What a net dividend buys, cut off after four decimals."""
    if price is None or net <= 0:
        return Decimal(0)
    return (net / price).quantize(Decimal("0.0001"), ROUND_DOWN)


def evening(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, *LATE, tzinfo=NEW_YORK)


def run_in_child(url: str, folder: Path, today: date, kill_at: int, job: str) -> None:
    database = open_database(url)
    desk = Desk(database, folder)
    desk.configure({"lag_business_days": 5})
    desk.clock.set(evening(today))
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
