"""Orders: stored and posted in one transaction, marked deleted and reversed in one; never changed otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, and_, delete, exists, func, or_, select, type_coerce, update

from closingbell.domain.entitlements import ONE_SHARE
from closingbell.domain.ledger import REVERSAL, BookableOrder, Entry, entries_of, reversed_entries
from closingbell.domain.orders import COMPANY_INCOME, COMPANY_TYPES, OUTGOING, SCALES, SHARE_MOVES
from closingbell.errors import ValueOutOfRangeError
from closingbell.models import Account, Company, CompanySymbol, DividendLink, Order
from closingbell.stores import accounts, companies, dividend_progress, ledger
from closingbell.stores.books import load_book_settings
from closingbell.stores.database import Database
from closingbell.stores.paging import is_after
from closingbell.stores.upsert import in_groups, table_of, upsert

# Shares of one company that all orders of an account may bring, or take: sums of them still fit a column.
MOST_SHARES = 920_000_000
# Money of one currency that may come into an account in all, or leave it, for the same reason.
MOST_MONEY = 900_000_000_000_000
_LARGE = 1_000_000_000
# Orders posted in one transaction.
POSTED_AT_ONCE = 1_000

_ORDER = table_of(Order).c
_BIG = _ORDER.account_id.type
# As they lie in the table: the ledger computes with scaled integers.
BOOKABLE = [type_coerce(_ORDER[name], _BIG) if name in SCALES else _ORDER[name] for name in BookableOrder._fields]


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to be stored; ``source_key`` is unique within its account."""

    type: str
    symbol: str | None
    trade_date: date
    executed_at: datetime
    quantity: Decimal | None
    price: Decimal | None
    amount: Decimal | None
    fee: Decimal
    currency: str
    source: str
    source_key: str
    tax: Decimal = Decimal(0)
    counter_amount: Decimal | None = None
    counter_currency: str | None = None
    note: str | None = None
    entered_by: str | None = None


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order as it is stored."""

    id: int
    account: str
    trade_date: date
    type: str
    symbol: str | None
    quantity: Decimal | None
    price: Decimal | None
    amount: Decimal | None
    fee: Decimal
    tax: Decimal
    currency: str
    counter_amount: Decimal | None
    counter_currency: str | None
    executed_at: datetime
    source: str
    source_key: str
    note: str | None
    entered_by: str | None
    created_at: datetime
    deleted_at: datetime | None
    deleted_by: str | None


def find_account(connection: Connection, name: str) -> int | None:
    """The id of an account by name."""
    found: int | None = connection.scalar(select(Account.id).where(Account.name == name))
    return found


def load_source_keys(connection: Connection, account_id: int) -> set[str]:
    """The source keys of all orders of an account, deleted ones too: a deleted order does not come back by itself."""
    return set(connection.scalars(select(Order.source_key).where(Order.account_id == account_id)))


def load_sources(connection: Connection, account_id: int) -> set[str]:
    """Where the orders of an account came from, by name: the forms of its imported files, and whatever else."""
    return set(connection.scalars(select(Order.source).where(Order.account_id == account_id).distinct()))


def load_by_source_key(connection: Connection, account_id: int, keys: Sequence[str]) -> dict[str, StoredOrder]:
    """The orders of an account with these source keys, without those deleted."""
    found: dict[str, StoredOrder] = {}
    for group in in_groups(keys):
        query = _stored().where(_ORDER.account_id == account_id, _ORDER.source_key.in_(group))
        rows = connection.execute(query.where(_ORDER.deleted_at.is_(None)))
        found.update({row.source_key: StoredOrder(*row) for row in rows})
    return found


def store_orders(
    connection: Connection,
    account: str,
    new: Sequence[NewOrder],
    *,
    symbols: Sequence[tuple[str, str]],
    now: datetime,
) -> list[int]:
    """Store orders in an account and post them; make it and the companies of ``symbols`` (symbol, MIC) where needed.

    An order whose source key another process stored meanwhile is left as it is. Returns the ids of those posted here.
    """
    currency = new[0].currency if new else "USD"
    accounts.store_new_account(connection, account, currency=currency, now=now)
    companies.store_new(connection, symbols, now=now)
    account_id = find_account(connection, account)
    assert account_id is not None
    named = sorted({order.symbol for order in new if order.symbol})
    ids = {symbol: facts.id for symbol, facts in companies.load_by_symbol(connection, named).items()}
    rows = []
    for order in new:
        row = asdict(order)
        symbol = row.pop("symbol")
        row |= {"account_id": account_id, "company_id": ids[symbol] if symbol else None, "created_at": now}
        rows.append(row)
    _refuse_too_many(connection, account_id, new, ids)
    upsert(connection, Order, rows, key=("account_id", "source_key"))
    stored: list[int] = []
    for keys in in_groups([order.source_key for order in new]):
        query = select(_ORDER.id).where(_ORDER.account_id == account_id, _ORDER.source_key.in_(keys))
        stored += connection.scalars(query)
    posted = post(connection, stored, now=now)
    _refuse_too_much(connection, account_id, account, new)
    return posted


def _refuse_too_much(connection: Connection, account_id: int, account: str, new: Sequence[NewOrder]) -> None:
    """Raise ValueOutOfRangeError where what came into an account in one currency, or went, can hardly be summed.

    Looked at only where these orders move a billion or more: so much is left above the limit for thousands of others.
    """
    if sum(_worth(order) for order in new) < _LARGE:
        return
    for _, currency, *moved in ledger.load_turnover(connection, account_id):
        if max(moved) > MOST_MONEY:
            raise ValueOutOfRangeError(
                f"account {account} can have taken in, or paid out, {MOST_MONEY:,} {currency} in all, and these orders "
                "go beyond; keep them in another account"
            )


def _worth(order: NewOrder) -> Decimal:
    """About how much money an order moves, in whatever currency."""
    trade = order.amount if order.amount is not None else (order.quantity or 0) * (order.price or Decimal(0))
    return trade + order.fee + order.tax + (order.counter_amount or 0)


def _refuse_too_many(connection: Connection, account_id: int, new: Sequence[NewOrder], ids: Mapping[str, int]) -> None:
    """Raise ValueOutOfRangeError where an account's orders of one company sum up to more shares than can be summed.

    What came and what went are looked at each by itself: databases add in any order, and fail on the way.
    """
    added: Counter[tuple[str, bool]] = Counter()
    for order in new:
        if order.symbol and order.quantity and order.type in SHARE_MOVES:
            added[order.symbol, order.type in OUTGOING] += int(order.quantity) + 1
    if not added:
        return
    whole = type_coerce(_ORDER.quantity, _BIG) // ONE_SHARE
    query = (
        select(_ORDER.company_id, _ORDER.type, func.sum(whole))
        .where(_ORDER.account_id == account_id, _ORDER.deleted_at.is_(None), _ORDER.type.in_(SHARE_MOVES))
        .group_by(_ORDER.company_id, _ORDER.type)
    )
    there: Counter[tuple[int, bool]] = Counter()
    for company_ids in in_groups(sorted({ids[symbol] for symbol, _ in added})):
        for company_id, type_, shares in connection.execute(query.where(_ORDER.company_id.in_(company_ids))):
            there[company_id, type_ in OUTGOING] += int(shares)
    for (symbol, is_out), shares in sorted(added.items()):
        if there[ids[symbol], is_out] + shares > MOST_SHARES:
            what = "sold" if is_out else "bought"
            raise ValueOutOfRangeError(
                f"{symbol}: an account can have {what} {MOST_SHARES:,} shares of a company in all, and these orders go "
                "beyond; keep them in another account, or in a larger unit"
            )


def post(
    connection: Connection, order_ids: Iterable[int], *, now: datetime, follows_dividend: bool = False
) -> list[int]:
    """Post those of these orders that the ledger does not hold yet; the ids of those that were posted here.

    What they mean for dividends is looked at again, unless they follow from one themselves.
    """
    wanted = sorted(set(order_ids))
    lock_date = load_book_settings(connection).lock_date
    posted: list[int] = []
    for group in in_groups(wanted):
        # Locked first: whoever else wants to post them waits here, and then finds them posted.
        query = select(*BOOKABLE).where(_ORDER.id.in_(group), _is_to_be_posted()).order_by(_ORDER.id)
        found = [BookableOrder(*row) for row in connection.execute(query.with_for_update())]
        _mark(connection, [order.id for order in found], posted_at=now)
        entries: list[Entry] = []
        for order in found:
            entries += entries_of(order, value_date=open_date(order.trade_date, lock_date, now))
        ledger.store_entries(connection, entries, now=now)
        if not follows_dividend:
            _recheck(connection, found, now)
        posted += [order.id for order in found]
    return posted


def store_deleted(connection: Connection, order_id: int, *, by: str, now: datetime) -> bool:
    """Mark an order deleted and reverse what it booked; False when it is not there or was deleted before."""
    row = Order
    changed = connection.execute(
        update(row).where(row.id == order_id, row.deleted_at.is_(None)).values(deleted_at=now, deleted_by=by)
    )
    if changed.rowcount != 1:
        return False
    reverse(connection, [order_id], now=now)
    return True


def reverse(
    connection: Connection, order_ids: Iterable[int], *, now: datetime, follows_dividend: bool = False
) -> list[int]:
    """Reverse those of these orders that are deleted and still stand in the ledger; the ids of those reversed here.

    The reversal counts on the same dates, or today where the books are closed up to them.
    """
    lock_date = load_book_settings(connection).lock_date
    done: list[int] = []
    for group in in_groups(sorted(set(order_ids))):
        query = select(*BOOKABLE).where(_ORDER.id.in_(group), _is_to_be_reversed()).order_by(_ORDER.id)
        found = [BookableOrder(*row) for row in connection.execute(query.with_for_update())]
        ids = [order.id for order in found]
        if not follows_dividend:
            _recheck(connection, found, now)
        _mark(connection, ids, reversed_at=now)
        # It stands for no dividend any more, whoever said so.
        connection.execute(delete(DividendLink).where(DividendLink.order_id.in_(ids)))
        booked = [e for e in ledger.load_entries(connection, order_ids=ids) if not e.group_key.endswith(REVERSAL)]
        entries = [
            back._replace(value_date=open_date(back.value_date, lock_date, now)) for back in reversed_entries(booked)
        ]
        ledger.store_entries(connection, entries, now=now)
        done += ids
    return done


def post_missing(database: Database, *, now: datetime) -> int:
    """Bring the ledger up to the orders: those of an older version, or written past us; return how many there were.

    Any number of processes may do so at once, and stop anywhere; nothing is posted twice.
    """
    count = 0
    while True:
        with database.read() as connection:
            unposted = _some(connection, _is_to_be_posted())
            unreversed = _some(connection, _is_to_be_reversed())
        if not unposted and not unreversed:
            return count
        count += len(database.write_unit(lambda c, ids=unposted: post(c, ids, now=now)))  # type: ignore[misc]
        count += len(database.write_unit(lambda c, ids=unreversed: reverse(c, ids, now=now)))  # type: ignore[misc]


def find_order(connection: Connection, order_id: int) -> StoredOrder | None:
    """The order of that number, deleted or not."""
    row = connection.execute(_stored().where(_ORDER.id == order_id)).one_or_none()
    return None if row is None else StoredOrder(*row)


def load_orders(
    connection: Connection, *, account: str | None = None, symbol: str | None = None, limit: int | None = None,
    with_deleted: bool = False, before_id: int | None = None,
) -> list[StoredOrder]:  # fmt: skip
    """Orders, the newest trade first; those after ``before_id`` in that order."""
    query = _stored().order_by(_ORDER.trade_date.desc(), _ORDER.executed_at.desc(), _ORDER.id.desc())
    if account is not None:
        query = query.where(Account.name == account)
    if symbol is not None:
        # A former name stands for its company.
        former = select(CompanySymbol.company_id).where(CompanySymbol.symbol == symbol)
        query = query.where(or_(Company.symbol == symbol, Company.id.in_(former)))
    if not with_deleted:
        query = query.where(_ORDER.deleted_at.is_(None))
    if before_id is not None:
        keys = _ORDER.trade_date, _ORDER.executed_at, _ORDER.id
        query = query.where(is_after(connection, keys, _ORDER.id, before_id))
    return [StoredOrder(*row) for row in connection.execute(query.limit(limit))]


def load_twins(connection: Connection, account_id: int, new: NewOrder) -> list[int]:
    """Orders of the account that say the same as ``new``: type, company, date and numbers; their ids."""
    query = select(_ORDER.id).select_from(table_of(Order)).outerjoin(Company, Company.id == _ORDER.company_id)
    query = query.where(_ORDER.account_id == account_id, _ORDER.deleted_at.is_(None), _ORDER.type == new.type)
    query = query.where(_ORDER.trade_date == new.trade_date, _ORDER.currency == new.currency)
    query = query.where(Company.symbol.is_not_distinct_from(new.symbol))
    for name in ("quantity", "price", "amount"):
        query = query.where(_ORDER[name].is_not_distinct_from(getattr(new, name)))
    return list(connection.scalars(query.order_by(_ORDER.id)))


def has_trades(connection: Connection, company_id: int, *, first: date, before: date) -> bool:
    """Whether anybody traded a company from one day on and before another."""
    query = select(
        exists().where(
            _ORDER.company_id == company_id,
            _ORDER.deleted_at.is_(None),
            _ORDER.trade_date >= first,
            _ORDER.trade_date < before,
        )
    )
    return bool(connection.scalar(query))


def _recheck(connection: Connection, changed: Sequence[BookableOrder], now: datetime) -> None:
    """Have dividends after these orders looked at again; a person's own entry of one may stand for an earlier one.

    So may shares that a person transferred in: for those of a spin-off. And a changed cost is what one shares out.
    """
    companies_since = [
        (order.company_id, None if order.type in COMPANY_INCOME else order.trade_date)
        for order in changed
        if order.company_id is not None and order.type in COMPANY_TYPES
    ]
    moved = {order.company_id for order in changed if order.company_id and order.type.startswith("TRANSFER_")}
    if moved:
        companies_since += dividend_progress.load_parents(connection, sorted(moved))
    dividend_progress.mark(connection, companies_since, reason=dividend_progress.ORDERS_CHANGED, now=now)


def _stored() -> Any:
    columns = {"account": Account.name, "symbol": Company.symbol}
    names = StoredOrder.__dataclass_fields__
    return (
        select(*(columns[name] if name in columns else _ORDER[name] for name in names))
        .select_from(table_of(Order))
        .join(Account, Account.id == _ORDER.account_id)
        .outerjoin(Company, Company.id == _ORDER.company_id)
    )


def _is_to_be_posted() -> Any:
    return and_(_ORDER.posted_at.is_(None), _ORDER.deleted_at.is_(None))


def _is_to_be_reversed() -> Any:
    return and_(_ORDER.deleted_at.is_not(None), _ORDER.posted_at.is_not(None), _ORDER.reversed_at.is_(None))


def _some(connection: Connection, condition: Any) -> list[int]:
    return list(connection.scalars(select(_ORDER.id).where(or_(condition)).order_by(_ORDER.id).limit(POSTED_AT_ONCE)))


def _mark(connection: Connection, ids: Sequence[int], **values: datetime) -> None:
    if ids:
        connection.execute(update(table_of(Order)).where(_ORDER.id.in_(ids)).values(**values))


def open_date(day: date, lock_date: date | None, now: datetime) -> date:
    """``day``, or today where the books are closed up to it; the first open day at the earliest."""
    if lock_date is None or day > lock_date:
        return day
    return max(now.date(), lock_date + timedelta(days=1))
