"""Proof of the books: everything that is kept is computed anew from the facts, and every difference is named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial

from sqlalchemy import Connection, and_, func, or_, select, text

from closingbell.domain.ledger import CASH, REVERSAL, BookableOrder, Entry, entries_of
from closingbell.domain.money import MONEY_SCALE, from_scaled, plain
from closingbell.domain.payment_postings import group_keys, postings_of
from closingbell.domain.run_totals import RUNS
from closingbell.jobs.dividend_auditing import find_state_differences
from closingbell.models import Company, CorporateActionRow, DividendPayment, JobLog, LedgerEntry, Order
from closingbell.models.append_only import trigger_names
from closingbell.stores import ledger, payments, spin_offs, summaries
from closingbell.stores.database import Database
from closingbell.stores.orders import BOOKABLE
from closingbell.stores.run_totals import load_totals
from closingbell.stores.upsert import in_groups, table_of
from closingbell.utils.text import counted

_ORDER, _ENTRY, _LEG = table_of(Order).c, table_of(LedgerEntry).c, table_of(DividendPayment).c
_ACTION, _LOG = table_of(CorporateActionRow).c, table_of(JobLog).c
_AT_ONCE = 1_000
STATES = "corporate actions are as far as they come to, and due when they are"
# So many differences of one check are named; the rest is counted.
NAMED = 20

Check = Callable[[Connection], Iterator[str]]


@dataclass(frozen=True, slots=True)
class AuditLine:
    """What one check found: nothing, or differences, of which the first are named."""

    check: str
    what: str
    difference_count: int
    differences: tuple[str, ...]


def audit(database: Database, *, now: datetime, lag: int | None = None) -> list[AuditLine]:
    """Every check of CHECKS, each over a look of its own; nothing is changed.

    So are the kept states of corporate actions as of ``now``; ``lag`` is the setting of estimated pay dates.
    """
    lines = []
    states: Check = partial(find_state_differences, now=now, lag=lag)
    for name, (what, check) in {**CHECKS, "states": (STATES, states)}.items():
        count, named = 0, []
        with database.read() as connection:
            for difference in check(connection):
                count += 1
                if count <= NAMED:
                    named.append(difference)
        lines.append(AuditLine(name, what, count, tuple(named)))
    return lines


def _balanced(connection: Connection) -> Iterator[str]:
    for group, currency, amount in ledger.load_unbalanced(connection):
        yield f"the group {group} is out by {plain(amount)} {currency}"


def _orders(connection: Connection) -> Iterator[str]:
    """What each order booked, against what it books when it is booked anew."""
    last = 0
    while True:
        query = select(*BOOKABLE, _ORDER.posted_at, _ORDER.deleted_at, _ORDER.reversed_at)
        rows = connection.execute(query.where(_ORDER.id > last).order_by(_ORDER.id).limit(_AT_ONCE)).all()
        if not rows:
            return
        last = rows[-1].id
        booked: dict[int, list[Entry]] = defaultdict(list)
        for entry in ledger.load_entries(connection, order_ids=[row.id for row in rows]):
            booked[entry.order_id or 0].append(entry)
        for row in rows:
            *facts, posted_at, deleted_at, reversed_at = row
            order = BookableOrder(*facts)
            is_standing = posted_at is not None and reversed_at is None
            expected = _sums(entries_of(order, value_date=order.trade_date)) if is_standing else {}
            if is_standing is (deleted_at is not None):
                waits = "reversed" if deleted_at else "booked"
                yield f"order {order.id} waits to be {waits}: run the dividend processor"
            sums = _sums(booked[order.id])
            if sums != expected:
                yield f"order {order.id} has {_said(sums)} in the ledger, and books {_said(expected)}"


def _payments(connection: Connection) -> Iterator[str]:
    """What each leg of a dividend booked, against what it books; one that was taken back stands for nothing."""
    first = 0
    while legs := payments.load_numbered(connection, first, _AT_ONCE):
        first = legs[-1][0].id + 1
        keys = {key: leg.id for leg, _ in legs for key in group_keys(leg)}
        booked: dict[int, list[Entry]] = defaultdict(list)
        for entry in ledger.load_entries(connection, group_keys=list(keys)):
            booked[keys[entry.group_key]].append(entry)
        for leg, is_active in legs:
            expected: dict[tuple[str, str], int] = defaultdict(int)
            for name, currency, amount in postings_of(leg) if is_active else []:
                expected[name, currency] += amount
            is_right = _sums(booked[leg.id]) == {key: amount for key, amount in expected.items() if amount}
            if not is_right:
                yield f"payment {leg.id} has {_said(_sums(booked[leg.id]))} in the ledger, and books {_said(expected)}"


def _spin_offs(connection: Connection) -> Iterator[str]:
    """Every standing leg of a spin-off against the order that it made, and such orders without one."""
    yield from spin_offs.find_differences(connection)


def _orphans(connection: Connection) -> Iterator[str]:
    """Entries that neither an order nor a payment stands for, by number, and for a payment by the group's key, too."""
    key = payments.group_key_in_sql()
    query = (
        select(_ENTRY.group_key, func.count())
        .select_from(table_of(LedgerEntry))
        .outerjoin(DividendPayment, _LEG.id == _ENTRY.payment_id)
        .where(
            or_(
                and_(_ENTRY.order_id.is_(None), _ENTRY.payment_id.is_(None)),
                and_(_ENTRY.payment_id.is_not(None), _LEG.id.is_(None)),
                # ``_payments`` looks at entries of such keys.
                _ENTRY.group_key.not_in((key, key + REVERSAL)),
            )
        )
        .group_by(_ENTRY.group_key)
    )
    for group, count in connection.execute(query):
        yield f"the group {group} ({counted(count, 'entry', 'entries')}) belongs to no order and no payment"
    yield from _companies(connection)


def _companies(connection: Connection) -> Iterator[str]:
    """Payments and entries of another company than what they stand for: no key of the database keeps them together."""
    wrong = (
        select(_LEG.id, _LEG.company_id, _ACTION.company_id.label("other"))
        .join(CorporateActionRow, _ACTION.id == _LEG.corporate_action_id)
        .where(_LEG.company_id != _ACTION.company_id)
    )
    for payment_id, company_id, other in connection.execute(wrong):
        yield f"payment {payment_id} is of company {company_id}, its corporate action of company {other}"
    groups = (
        select(_ENTRY.group_key, _ENTRY.company_id)
        .select_from(table_of(LedgerEntry))
        .outerjoin(Company, table_of(Company).c.id == _ENTRY.company_id)
        .outerjoin(DividendPayment, _LEG.id == _ENTRY.payment_id)
        .where(
            _ENTRY.company_id.is_not(None),
            or_(table_of(Company).c.id.is_(None), _LEG.company_id != _ENTRY.company_id),
        )
        .distinct()
    )
    for group, company_id in connection.execute(groups):
        yield f"the group {group} is of company {company_id}, which is not the one that it stands for"


def _cash(connection: Connection) -> Iterator[str]:
    """Balances of cash as the ledger has them, against what orders and payments move, without the ledger."""
    moved: dict[tuple[int, str], int] = defaultdict(int)
    standing = select(*BOOKABLE).where(_ORDER.posted_at.is_not(None), _ORDER.reversed_at.is_(None))
    rows = connection.execution_options(stream_results=True).execute(standing)
    for group in rows.partitions(_AT_ONCE):
        for row in group:
            order = BookableOrder(*row)
            for entry in entries_of(order, value_date=order.trade_date):
                if entry.name == CASH:
                    moved[order.account_id, entry.currency] += entry.amount
    for account_id, currency, cash in payments.load_cash(connection):
        moved[account_id, currency] += cash
    told = {
        (account_id, currency): amount for (account_id, _, currency), amount in ledger.load_balances(connection).items()
    }
    for account_id, currency in sorted(told.keys() | moved.keys()):
        balance, facts = told.get((account_id, currency), 0), from_scaled(moved[account_id, currency], MONEY_SCALE)
        if balance != facts:
            yield (
                f"account {account_id}: its entries come to {plain(Decimal(balance))} {currency} of cash, its orders "
                f"and payments to {plain(facts)}"
            )


def _summaries(connection: Connection) -> Iterator[str]:
    """The kept summaries of bars, against the bars."""
    names = {row.id: row.symbol for row in connection.execute(select(Company.id, Company.symbol))}
    for group in in_groups(sorted(names)):
        for drift in summaries.find_drift(connection, group):
            yield f"{names[drift.company_id]}: the kept summary of its bars is not what they come to"


def _totals(connection: Connection) -> Iterator[str]:
    """Totals of ended runs, against the runs that are still there: a total is never below them."""
    kept = {(one.job_name, one.label): one.amount for one in load_totals(connection) if one.kind == RUNS}
    query = select(_LOG.job_name, _LOG.status, func.count()).where(_LOG.completed_at.is_not(None))
    for job_name, status, count in connection.execute(query.group_by(_LOG.job_name, _LOG.status)):
        amount = kept.get((job_name, status.lower()), 0)
        if amount < count:
            yield f"{job_name}: {count} runs ended {status} and are there, {amount} are counted"


def _triggers(connection: Connection) -> Iterator[str]:
    """Whether the database itself refuses to change entries."""
    missing = trigger_names("ledger_entry") - _present(connection)
    if missing:
        yield f"the database would let entries be changed: {', '.join(sorted(missing))} is missing"


_TRIGGER_NAMES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "mysql": "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = database()",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
}


def _present(connection: Connection) -> set[str]:
    return {str(name) for name in connection.scalars(text(_TRIGGER_NAMES[connection.dialect.name]))}


def _sums(entries: Sequence[Entry]) -> dict[tuple[str, str], int]:
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for entry in entries:
        sums[entry.name, entry.currency] += entry.amount
    return {key: amount for key, amount in sums.items() if amount}


def _said(sums: Mapping[tuple[str, str], int]) -> str:
    parts = sorted(sums.items())
    return ", ".join(f"{name} {plain(from_scaled(n, MONEY_SCALE))} {currency}" for (name, currency), n in parts) or (
        "nothing"
    )


# name -> what it proves, and how; whoever keeps something that can be computed adds a check here.
CHECKS: dict[str, tuple[str, Check]] = {
    "balanced": ("every group of entries sums to zero in each currency", _balanced),
    "orders": ("every order booked what it books, once, and a deleted one nothing", _orders),
    "payments": ("every leg of a dividend booked what it says, and one taken back nothing", _payments),
    "spin-offs": (
        "shares of spin-offs, and those in place of dividends, are the orders that were made",
        _spin_offs,
    ),
    "orphans": ("every entry belongs to an order or a payment", _orphans),
    "cash": ("balances are what orders and payments move", _cash),
    "summaries": ("what is kept of bars is what they come to", _summaries),
    "run totals": ("no run that is there is missing in the totals", _totals),
    "append-only": ("the database refuses to change or remove entries", _triggers),
}
