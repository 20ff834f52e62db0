"""A desk on one database: accounts, orders, corporate actions, rates and closes through the real stores, runs of the
real job on any day, and what the books then say. Worked examples are told to it step by step.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from closingbell.config import Settings
from closingbell.domain.action_rules import DatedRatio, undo_splits
from closingbell.domain.actions import AcceptedAction, AcceptedKind, Facts, PayDateStatus
from closingbell.domain.bank_holidays import holidays_of
from closingbell.domain.entitlements import FractionPolicy, PositionWalk, Split
from closingbell.domain.money import PRICE_SCALE, QUANTITY_SCALE, from_scaled, to_scaled
from closingbell.domain.runs import RunStatus, RunSummary
from closingbell.domain.withholding import WithholdingRule
from closingbell.jobs.context import JobContext
from closingbell.jobs.dividend_processor import process_dividends
from closingbell.models import (
    Account,
    BankHoliday,
    Company,
    DividendPayment,
    DividendState,
    LedgerEntry,
    Order,
    PriceHistory,
)
from closingbell.stores import accounts, actions, books, companies, dividend_facts, dividend_writing, orders, spin_offs
from closingbell.stores.actions import Change, NewAction
from closingbell.stores.bulk import insert_raw, raw_instant
from closingbell.stores.database import Database
from closingbell.stores.orders import NewOrder
from closingbell.stores.upsert import table_of, upsert
from closingbell.utils.clock import FixedClock

Json = dict[str, Any]
NEW_YORK = ZoneInfo("America/New_York")
LATE = (23, 30)


def no_provider() -> Any:
    raise AssertionError("dividends ask no provider")


class Desk:
    """Accounts, actions and orders by the names that a story gives them."""

    def __init__(self, database: Database, folder: Path, **settings: Any) -> None:
        self.database = database
        self.clock = FixedClock(datetime(2000, 1, 1, tzinfo=UTC))
        made = Settings(database_url="sqlite:///unused", instance_path=folder, cache_dir=folder, **settings)
        self.context = JobContext(made, self.clock, database, no_provider)
        self.accounts: dict[str, int] = {}
        self.currencies: dict[str, str] = {}
        self.companies: dict[str, int] = {}
        self.instruments: dict[str, Json] = {}
        self.actions: dict[str, int] = {}
        self.orders: dict[str, int] = {}
        self.splits: dict[str, list[DatedRatio]] = defaultdict(list)
        self._ids = 0

    # --- What there is.

    def set_up(self, given: Json) -> None:
        """Settings, accounts and companies of a worked example."""
        config = given.get("config") or {}
        self.configure(config)
        currencies = set()
        for instrument in given["instruments"]:
            self.list_company(**instrument)
            currencies.add(instrument.get("currency") or "USD")
        for account in given["accounts"]:
            self.open_account(account, rounding=config.get("rounding"))
        currencies |= {step["currency"] for step in given["steps"] if step.get("currency")}
        self._set_holidays(currencies, {date.fromisoformat(day) for day in config.get("holidays") or ()})

    def configure(self, config: Json) -> None:
        if config.get("lag_business_days") is not None:
            self.context = replace(
                self.context,
                settings=self.context.settings.model_copy(
                    update={"dividend_pay_lag_days": config["lag_business_days"]}
                ),
            )
        names = {
            "pay_policy": "pay_policy",
            "lock_date": "lock_date",
            "fx_date": "fx_date",
            "cutover_date": "cutover_date",
        }
        now = self.clock.now()
        for name, setting in names.items():
            if config.get(name):
                value = str(config[name])
                self.database.write_unit(
                    lambda c, setting=setting, value=value: books.store_book_setting(  # type: ignore[misc]
                        c, setting, value, by="desk", now=now
                    )
                )

    def list_company(self, symbol: str, currency: str = "USD", country: str = "US", mic: str = "XNYS") -> int:
        now = self.clock.now()

        def unit(connection: Any) -> int:
            companies.store_new(connection, [(symbol, mic)], now=now)
            connection.execute(
                table_of(Company)
                .update()
                .where(table_of(Company).c.symbol == symbol)
                .values(currency=currency, country=country)
            )
            return companies.load_by_symbol(connection, [symbol])[symbol].id

        self.companies[symbol] = self.database.write_unit(unit)
        self.instruments[symbol] = {"symbol": symbol, "currency": currency, "country": country}
        return self.companies[symbol]

    def open_account(self, account: Json, *, rounding: str | None = None) -> int:
        now, name = self.clock.now(), account["id"]
        self.currencies[name] = account.get("currency") or "USD"

        def unit(connection: Any) -> int:
            accounts.store_new_account(connection, name, currency=account.get("currency") or "USD", now=now)
            found = accounts.find_account_facts(connection, name)
            assert found is not None
            changes = {
                "rounding": rounding,
                "fraction_policy": account.get("fraction_policy"),
                "is_reinvesting": account.get("reinvest"),
                "drip_decimals": account.get("drip_decimals"),
                "residence": account.get("residence"),
                "dividend_preference": account.get("preference"),
                "takes_scrip": account.get("scrip"),
            }
            given = {key: value for key, value in changes.items() if value is not None}
            if given:
                accounts.store_account_settings(connection, found.id, now=now, **given)
            for country, rate in (account.get("wht") or {}).items():
                rule = WithholdingRule(country, Decimal(rate), date(1900, 1, 1), account_id=found.id)
                books.store_withholding_rule(connection, rule, now=now)
            return found.id

        self.accounts[name] = self.database.write_unit(unit)
        return self.accounts[name]

    def _set_holidays(self, currencies: set[str], holidays: set[date]) -> None:
        """Exactly these bank holidays, whatever the rules of a currency say."""
        rows = []
        for currency in sorted(currencies):
            by_rule = {day for year in range(1990, 2041) for day in holidays_of(currency, year)}
            rows += [
                {"currency": currency, "date": day, "is_holiday": day in holidays, "reason": "desk"}
                for day in sorted(by_rule ^ holidays)
            ]
        self.database.write_unit(lambda c: upsert(c, BankHoliday, rows, update=("is_holiday",)))

    # --- What happens.

    def carry_out(self, step: Json) -> None:
        """One step of a worked example."""
        getattr(self, f"_do_{step['do']}")(step)

    def trade(self, account: str, symbol: str, on: str, quantity: str, *, name: str | None = None) -> int:
        """Shares that come or go on a day, at a price of one."""
        amount = Decimal(quantity)
        if amount == 0:
            return 0
        order_id = self._store_order(
            account,
            symbol,
            "BUY" if amount > 0 else "SELL",
            date.fromisoformat(on),
            quantity=abs(amount),
            price=Decimal(1),
        )
        self.orders[name or f"order {order_id}"] = order_id
        return order_id

    def enter_dividend(self, account: str, symbol: str, on: str, amount: str) -> int:
        """A person's own entry of a dividend, which nobody ties to an action."""
        order_id = self._store_order(account, symbol, "DIVIDEND", date.fromisoformat(on), amount=Decimal(amount))
        self.orders[f"entry {order_id}"] = order_id
        return order_id

    def withhold(self, account: str, country: str, rate: str) -> None:
        """What is withheld in an account from dividends of a country."""
        rule = WithholdingRule(country, Decimal(rate), date(1900, 1, 1), account_id=self.accounts[account])
        now = self.clock.now()
        self.database.write_unit(lambda c: books.store_withholding_rule(c, rule, now=now))

    def _store_order(self, account: str, symbol: str, type_: str, on: date, **amounts: Any) -> int:
        self._ids += 1
        now = self.clock.now()
        order = NewOrder(
            type=type_,
            symbol=symbol,
            trade_date=on,
            executed_at=datetime(on.year, on.month, on.day, 15, tzinfo=UTC),
            quantity=amounts.get("quantity"),
            price=amounts.get("price"),
            amount=amounts.get("amount"),
            fee=Decimal(0),
            tax=amounts.get("tax") or Decimal(0),
            currency=amounts.get("currency") or self.instruments[symbol]["currency"],
            source="desk",
            source_key=f"desk {self._ids}",
        )
        [order_id] = self.database.write_unit(lambda c: orders.store_orders(c, account, [order], symbols=[], now=now))
        return order_id

    def _do_trade(self, step: Json) -> None:
        self.trade(step["account"], step["symbol"], step["date"], step["qty"], name=step["id"])

    def _do_delete_trade(self, step: Json) -> None:
        now = self.clock.now()
        self.database.write_unit(lambda c: orders.store_deleted(c, self.orders[step["id"]], by="desk", now=now))

    def _do_event(self, step: Json) -> None:
        symbol = step["symbol"]
        amount = step.get("amount") or self._declared(symbol, step, date.fromisoformat(step["ex_date"]))
        facts = Facts(
            kind=AcceptedKind(step.get("type") or "CASH"),
            ex_date=date.fromisoformat(step["ex_date"]),
            currency=step.get("currency") or self.instruments[symbol]["currency"],
            amount=Decimal(amount),
            scrip_price=None if step.get("scrip_price") is None else Decimal(step["scrip_price"]),
            election_deadline=None if step.get("deadline") is None else date.fromisoformat(step["deadline"]),
            **_pay_date(step),
            **self._company_fx(step),
        )
        self.actions[step["id"]] = self._store_action(symbol, facts, seq=step.get("seq") or 0).id

    def _declared(self, symbol: str, step: Json, ex_date: date) -> Decimal:
        """The amount that the company declared, from the one that a provider showed on a day."""
        found = undo_splits(
            Decimal(step["source_amount"]),
            ex_date=ex_date,
            as_of=date.fromisoformat(step["as_of"]),
            splits=self.splits[symbol],
            decimals=step.get("source_decimals", 6),
        )
        return found.amount

    def _company_fx(self, step: Json) -> Json:
        """The rate that a company fixed: {"EUR": "0.92"}, {"to": "EUR", "rate": "0.92"}, or alone."""
        told = step.get("company_fx")
        if not told:
            return {}
        if isinstance(told, dict) and "rate" not in told:
            currency, rate = next(iter(told.items()))
        else:
            rate = told["rate"] if isinstance(told, dict) else told
            named = (told.get("to") or told.get("currency")) if isinstance(told, dict) else None
            currency = named or next(one for one in self.currencies.values() if one != "USD")
        return {"fx_currency": currency, "fx_rate": Decimal(str(rate))}

    def _store_action(self, symbol: str, facts: Facts, *, seq: int = 0) -> AcceptedAction:
        change = Change("desk", "desk", "told", self.clock.now())
        new = NewAction(self.companies[symbol], facts, change, seq=seq)
        return self.database.write_unit(lambda connection: actions.store_new(connection, new))

    def change_action(self, name: str, **changes: Any) -> None:
        """A new version of an action: facts by name, or ``is_cancelled``, ``is_held``."""

        def unit(connection: Any) -> None:
            before = actions.load_action(connection, self.actions[name])
            assert before is not None
            state = {key: changes[key] for key in ("is_cancelled", "is_held") if key in changes}
            facts = {key: value for key, value in changes.items() if key not in state}
            after = replace(before, facts=replace(before.facts, **facts), **state)
            change = Change("desk", "desk", "changed", self.clock.now())
            assert actions.store_change(connection, before, after, change) is not None

        self.database.write_unit(unit)

    def _do_event_update(self, step: Json) -> None:
        changes: Json = {}
        if "amount" in step:
            changes["amount"] = Decimal(step["amount"])
        if "ex_date" in step:
            changes["ex_date"] = date.fromisoformat(step["ex_date"])
        if "pay_date" in step:
            changes |= _pay_date(step)
        if "type" in step:
            changes["kind"] = AcceptedKind(step["type"])
        if "currency" in step:
            changes["currency"] = step["currency"]
        if "source_amount" in step:
            with self.database.read() as connection:
                before = actions.load_action(connection, self.actions[step["id"]])
            assert before is not None
            symbol = next(name for name, number in self.companies.items() if number == before.company_id)
            changes["amount"] = self._declared(symbol, step, changes.get("ex_date", before.ex_date))
        changes |= self._company_fx(step)
        self.change_action(step["id"], **changes)

    def _do_event_cancel(self, step: Json) -> None:
        self.change_action(step["id"], is_cancelled=True)

    def _do_event_reinstate(self, step: Json) -> None:
        self.change_action(step["id"], is_cancelled=False)

    def _do_split(self, step: Json) -> None:
        symbol, on = step["symbol"], date.fromisoformat(step["ex_date"])
        kind = AcceptedKind.SPLIT if step["num"] >= step["den"] else AcceptedKind.REVERSE_SPLIT
        facts = Facts(kind=kind, ex_date=on, currency="", numerator=step["num"], denominator=step["den"])
        stored = self._store_action(symbol, facts, seq=step.get("seq") or 0)
        if step.get("id"):
            self.actions[step["id"]] = stored.id
        self.splits[symbol].append(DatedRatio(on, Fraction(step["num"], step["den"])))

    def _do_spin_off(self, step: Json) -> None:
        ratio, price = Fraction(step["ratio"]), step.get("price")
        facts = Facts(
            kind=AcceptedKind.SPIN_OFF,
            ex_date=date.fromisoformat(step["ex_date"]),
            currency="",
            numerator=ratio.numerator,
            denominator=ratio.denominator,
            child_symbol=step["child"],
            parent_basis_pct=Decimal(step["parent_basis_pct"]),
            cash_in_lieu_price=None if price is None else Decimal(price),
        )
        self.actions[step["id"]] = self._store_action(step["symbol"], facts, seq=step.get("seq") or 0).id

    def _do_fx(self, step: Json) -> None:
        rate = (step["from"], step["to"], date.fromisoformat(step["date"]), Decimal(step["rate"]))
        now = self.clock.now()
        self.database.write_unit(lambda c: books.store_fx_rates(c, [rate], provider="desk", now=now))

    def _do_price(self, step: Json) -> None:
        self.close(step["symbol"], step["date"], step["close"])

    def close(self, symbol: str, on: str, price: str, *, flag: str | None = None) -> None:
        """The close as traded of a day; with the flag ``intraday`` what its session came to until now."""
        scaled = to_scaled(Decimal(price), PRICE_SCALE)
        columns = [
            "company_id",
            "date",
            "open",
            "high",
            "low",
            "close",
            "volume",
            "is_settled",
            "provider",
            "fetched_at",
            "flag",
        ]
        day = date.fromisoformat(on)

        def unit(connection: Any) -> None:
            connection.execute(
                table_of(PriceHistory)
                .delete()
                .where(
                    table_of(PriceHistory).c.company_id == self.companies[symbol], table_of(PriceHistory).c.date == day
                )
            )
            at = raw_instant(connection, self.clock.now())
            row = (self.companies[symbol], day, scaled, scaled, scaled, scaled, 1, flag is None, "desk", at, flag)
            insert_raw(connection, PriceHistory, columns, [row])

        self.database.write_unit(unit)

    def _do_manual_payment(self, step: Json) -> None:
        """A person's own entry, tied to the action by that person: its amount may be any."""
        action_id, account = self.actions[step["event"]], step["account"]
        with self.database.read() as connection:
            action = actions.load_action(connection, action_id)
        assert action is not None
        symbol = next(name for name, number in self.companies.items() if number == action.company_id)
        on = date.fromisoformat(step["date"]) if step.get("date") else action.facts.pay_date or action.ex_date
        order_id = self._store_order(account, symbol, "DIVIDEND", on, amount=Decimal(step.get("net") or step["gross"]))
        self.orders[step.get("id") or f"manual {order_id}"] = order_id
        now = self.clock.now()
        self.database.write_unit(
            lambda c: dividend_writing.tie_entry(
                c,
                action_id=action_id,
                account_id=self.accounts[account],
                company_id=action.company_id,
                order_id=order_id,
                now=now,
            )
        )

    def _do_run(self, step: Json) -> None:
        assert self.run(step["today"]).status is RunStatus.SUCCESS

    def run(self, today: str) -> RunSummary:
        """The job, late in the evening of a day."""
        day = date.fromisoformat(today)
        self.clock.set(datetime(day.year, day.month, day.day, *LATE, tzinfo=NEW_YORK))
        return process_dividends(self.context)

    # --- What the books say.

    def rows(self, model: Any) -> list[Any]:
        table = table_of(model)
        with self.database.read() as connection:
            return list(connection.execute(select(table).order_by(*table.primary_key.columns)))

    def answer(self, expect: Json) -> Json:
        """What the books say of everything that ``expect`` names."""
        said: Json = {}
        for key, value in expect.items():
            if key == "cash_as_of":
                said[key] = {day: self.cash(until=date.fromisoformat(day)) for day in value}
            elif key == "positions":
                said[key] = self.positions()
            elif key == "events":
                said[key] = self.states()
            elif key == "payments":
                said[key] = self.payments()
            elif key == "cash_log":
                said[key] = self.cash_log()
            else:
                said[key] = getattr(self, key)()
        return said

    def _names(self) -> dict[int, str]:
        return {number: name for name, number in self.accounts.items()}

    def _entries(self) -> list[Any]:
        """Entries of corporate actions and of what was reinvested, in the order in which they were posted."""
        made = {dividend_writing.SOURCE, *spin_offs.SOURCES}
        bought = {row.id for row in self.rows(Order) if row.source in made}
        return [row for row in self.rows(LedgerEntry) if row.payment_id is not None or row.order_id in bought]

    def cash(self, *, until: date | None = None) -> Json:
        """Cash by account and currency, as of a value date."""
        return self._sums({"Cash"}, until=until)

    def receivable(self) -> Json:
        """What is owed to an account, less what it owes, by currency."""
        return self._sums({"Receivable", "Payable"})

    def _sums(self, names: set[str], *, until: date | None = None) -> Json:
        found: Json = {name: defaultdict(Decimal) for name in self.accounts}
        by_number = self._names()
        for entry in self._entries():
            if entry.name in names and (until is None or entry.value_date <= until):
                found[by_number[entry.account_id]][entry.currency] += entry.amount
        return found

    def positions(self) -> Json:
        """Shares by account and symbol at the end of the clock's day."""
        today = self.clock.now().astimezone(NEW_YORK).date()
        found: Json = {name: {} for name in self.accounts}
        policies = {row.id: FractionPolicy(row.fraction_policy) for row in self.rows(Account)}
        with self.database.read() as connection:
            trades = dividend_facts.load_trades(connection, list(self.companies.values()))
            told = actions.load_actions(connection, list(self.companies.values()), last=today)
        for symbol, company_id in self.companies.items():
            splits = [
                Split(one.ex_date, one.facts.numerator or 1, one.facts.denominator or 1, one.id)
                for one in told.get(company_id, ())
                if one.counts_for_quantities
            ]
            for account_id, own in trades[company_id].items():
                walk = PositionWalk([one for one in own if one.trade_date <= today], splits, policies[account_id])
                shares = walk.advance(date.max)
                found[self._names()[account_id]][symbol] = from_scaled(shares, QUANTITY_SCALE)
        return found

    def states(self) -> Json:
        by_number = {number: name for name, number in self.actions.items()}
        return {
            by_number[row.corporate_action_id]: row.state
            for row in self.rows(DividendState)
            if row.corporate_action_id in by_number
        }

    def payments(self) -> list[Json]:
        """Active payments of cash, by action and account."""
        actions_by_number = {number: name for name, number in self.actions.items()}
        found = [
            {
                "event": actions_by_number[row.corporate_action_id],
                "account": self._names()[row.account_id],
                "qty": str(row.quantity),
                "gross": str(row.gross),
                "tax": str(row.tax),
                "net": str(row.net),
                "cash": str(row.cash),
                "value_date": str(row.value_date),
                "version": row.version,
                "currency": row.currency,
                "cash_currency": row.cash_currency,
                "fx_rate": None if row.fx_rate is None else str(row.fx_rate),
            }
            for row in self.rows(DividendPayment)
            if row.leg == "PAYMENT" and row.is_active
        ]
        return sorted(found, key=lambda one: (one["event"], one["account"]))

    def cash_log(self) -> Json:
        """Every movement of cash by action and account, in the order in which it was posted."""
        legs = {row.id: row for row in self.rows(DividendPayment)}
        by_order = {row.order_id: row for row in legs.values() if row.order_id is not None}
        actions_by_number = {number: name for name, number in self.actions.items()}
        found: Json = defaultdict(list)
        for entry in self._entries():
            leg = legs.get(entry.payment_id) or by_order.get(entry.order_id)
            if entry.name == "Cash" and leg is not None:
                event = actions_by_number.get(leg.corporate_action_id, f"split {leg.corporate_action_id}")
                found[f"{event}/{self._names()[leg.account_id]}"].append(str(entry.amount))
        return found

    def balances_by_group(self) -> list[str]:
        """Groups of entries that do not sum to zero in each currency."""
        sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for entry in self.rows(LedgerEntry):
            sums[entry.group_key, entry.currency] += entry.amount
        return [f"{key} {currency}: {amount}" for (key, currency), amount in sums.items() if amount]


def _pay_date(step: Json) -> Json:
    told = step.get("pay_date")
    if told is None:
        return {"pay_date": None, "pay_date_status": PayDateStatus.UNKNOWN}
    return {"pay_date": date.fromisoformat(told), "pay_date_status": PayDateStatus.CONFIRMED}
