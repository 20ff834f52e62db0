"""Companies: found by symbol, made when first named, and which of them somebody holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime
from decimal import Decimal
from typing import cast

from sqlalchemy import ColumnElement, Connection, bindparam, case, func, select, update

from closingbell.domain.money import QUANTITY_SCALE, to_scaled
from closingbell.domain.orders import OUTGOING, SHARE_MOVES
from closingbell.domain.positions import shares_held
from closingbell.errors import UnknownSymbolError
from closingbell.models import Company, CompanySymbol, Order
from closingbell.stores.actions import load_splits
from closingbell.stores.dividend_progress import SETTINGS_CHANGED, mark
from closingbell.stores.upsert import in_groups, table_of, upsert


@dataclass(frozen=True, slots=True)
class CompanyFacts:
    """What planning needs to know of a company; ``currency`` and its unit are None until a provider told them.

    After ``closed_on`` no bar of it is expected, for ``closed_reason``.
    """

    id: int
    symbol: str
    mic: str
    currency: str | None
    closed_on: date | None = None
    closed_reason: str | None = None
    quote_unit: str | None = None

    def is_over(self, today: date) -> bool:
        """Whether nothing is asked of the company any more."""
        return self.closed_on is not None and self.closed_on < today


def why_over(company: CompanyFacts) -> str:
    """Why nothing is asked of a company any more, and the way out."""
    return (
        f"closed on {company.closed_on}: {company.closed_reason}; closingbell reopen-company {company.symbol} opens it"
    )


@dataclass(frozen=True, slots=True)
class Listing:
    """What a provider says a company is; ``currency`` is the major unit, ``quote_unit`` what it prints."""

    currency: str
    quote_unit: str
    name: str | None = None
    exchange_name: str | None = None
    first_trade_date: date | None = None


_LISTING = tuple(field.name for field in fields(Listing))
# Between the symbol and the number of a company that was made one with another: no symbol has it.
SHADOW = "#"
FACTS = (
    Company.id, Company.symbol, Company.mic, Company.currency, Company.closed_on, Company.closed_reason,
    Company.quote_unit,
)  # fmt: skip


def load_by_symbol(connection: Connection, symbols: Sequence[str]) -> dict[str, CompanyFacts]:
    """The companies of these symbols that are known here, by the symbol asked for: a former name finds its company."""
    found = {}
    for group in in_groups(symbols):
        rows = connection.execute(select(*FACTS).where(Company.symbol.in_(group)))
        found.update({row.symbol: CompanyFacts(*row) for row in rows})
    unfound = [symbol for symbol in symbols if symbol not in found]
    return {**found, **_load_by_former_name(connection, unfound)} if unfound else found


def _load_by_former_name(connection: Connection, symbols: Sequence[str]) -> dict[str, CompanyFacts]:
    name, found = CompanySymbol, {}
    for group in in_groups(symbols):
        query = select(name.symbol.label("name"), *FACTS).join(Company, Company.id == name.company_id)
        for row in connection.execute(query.where(name.symbol.in_(group)).order_by(name.id)):
            found[row.name] = CompanyFacts(*row[1:])
    return found


def load_by_id(connection: Connection, company_ids: Iterable[int]) -> list[CompanyFacts]:
    """These companies, by symbol."""
    found: list[CompanyFacts] = []
    for group in in_groups(sorted(set(company_ids))):
        found += [CompanyFacts(*row) for row in connection.execute(select(*FACTS).where(Company.id.in_(group)))]
    return sorted(found, key=lambda one: one.symbol)


def load_symbols(connection: Connection, company_ids: Iterable[int]) -> dict[int, str]:
    """The symbol of each of these companies."""
    symbols: dict[int, str] = {}
    for group in in_groups(sorted(set(company_ids))):
        for company_id, symbol in connection.execute(select(Company.id, Company.symbol).where(Company.id.in_(group))):
            symbols[company_id] = symbol
    return symbols


def load_known(connection: Connection, symbols: Sequence[str]) -> dict[str, CompanyFacts]:
    """The companies of these symbols, by the symbol asked for; raise UnknownSymbolError that names unknown ones."""
    known = load_by_symbol(connection, symbols)
    unknown = sorted(set(symbols) - set(known))
    if unknown:
        raise UnknownSymbolError(f"no company of that symbol is known here: {', '.join(unknown)}")
    return known


def require_known(connection: Connection, symbols: Sequence[str]) -> list[int]:
    """The ids of the companies of these symbols; raise UnknownSymbolError that names unknown ones."""
    return sorted({facts.id for facts in load_known(connection, symbols).values()})


def store_new(connection: Connection, symbols: Iterable[tuple[str, str]], *, now: datetime) -> None:
    """Make companies of (symbol, MIC) that are not there yet, under their newest name or a former one.

    Two processes may do so at once.
    """
    pairs = list(symbols)
    former = _load_by_former_name(connection, [symbol for symbol, _ in pairs])
    rows = [{"symbol": symbol, "mic": mic, "created_at": now} for symbol, mic in pairs if symbol not in former]
    upsert(connection, Company, rows, key=("symbol",))


def store_facts(connection: Connection, company_id: int, *, now: datetime, **changes: str | None) -> None:
    """Change what people say of a company: its ``name``, or the ``country`` by which its dividends are taxed."""
    connection.execute(update(Company).where(Company.id == company_id).values(**changes))
    if "country" in changes:
        mark(connection, [(company_id, None)], reason=SETTINGS_CHANGED, now=now)


def store_listings(connection: Connection, listings: dict[int, Listing], *, now: datetime) -> None:
    """Write down what the provider says of each company, and that its prices were brought up to date now.

    What an answer leaves out stays as it is; a company of which nothing new is said costs no statement of its own.
    """
    known = _load_listings(connection, sorted(listings))
    changed = []
    for company_id, stored in sorted(known.items()):
        told = _completed(listings[company_id], stored)
        if told != stored:
            changed.append({"b_id": company_id, **asdict(told)})
    if changed:
        table = table_of(Company)
        statement = update(table).where(table.c.id == bindparam("b_id"))
        connection.execute(statement.values({name: bindparam(name) for name in _LISTING}), changed)
    store_read(connection, sorted(listings), now=now)


def _load_listings(connection: Connection, company_ids: Sequence[int]) -> dict[int, Listing]:
    table = table_of(Company)
    columns = [table.c[name] for name in _LISTING]
    found = {}
    for group in in_groups(company_ids):
        for company_id, *values in connection.execute(select(table.c.id, *columns).where(table.c.id.in_(group))):
            found[company_id] = Listing(*values)
    return found


def _completed(told: Listing, stored: Listing) -> Listing:
    """What the provider says, with what is stored where it says nothing."""
    return replace(
        told,
        name=told.name or stored.name,
        exchange_name=told.exchange_name or stored.exchange_name,
        first_trade_date=told.first_trade_date or stored.first_trade_date,
    )


def store_updated(connection: Connection, company_ids: Sequence[int], *, now: datetime) -> None:
    """Write down that these companies' prices were brought up to date now."""
    for group in in_groups(company_ids):
        connection.execute(update(Company).where(Company.id.in_(group)).values(last_updated=now))


def store_read(connection: Connection, company_ids: Sequence[int], *, now: datetime) -> None:
    """Write down that a whole answer about these companies came now: bars, dividends and splits."""
    for group in in_groups(company_ids):
        connection.execute(update(Company).where(Company.id.in_(group)).values(last_updated=now, history_read_at=now))


def load_read_at(connection: Connection) -> dict[int, datetime | None]:
    """When a whole answer about each company last came."""
    return {row.id: row.history_read_at for row in connection.execute(select(Company.id, Company.history_read_at))}


def store_actions_read(connection: Connection, company_ids: Sequence[int], *, now: datetime) -> None:
    """Write down that an answer came now with every dividend and split since each company's first order."""
    for group in in_groups(sorted(company_ids)):
        connection.execute(update(Company).where(Company.id.in_(group)).values(actions_read_at=now))


def load_actions_read_at(connection: Connection) -> dict[int, datetime | None]:
    """When an answer about each company last had every dividend and split since its first order."""
    return {row.id: row.actions_read_at for row in connection.execute(select(Company.id, Company.actions_read_at))}


def load_first_orders(connection: Connection, company_ids: Sequence[int]) -> dict[int, date]:
    """The date of each company's first trade, whether it is still held or not."""
    found: dict[int, date] = {}
    for group in in_groups(company_ids):
        query = select(Order.company_id, func.min(Order.trade_date)).where(
            Order.company_id.in_(group), Order.deleted_at.is_(None), Order.type.in_(SHARE_MOVES)
        )
        for company_id, first in connection.execute(query.group_by(Order.company_id)):
            found[company_id or 0] = first
    return found


def load_held(connection: Connection) -> list[tuple[CompanyFacts, date]]:
    """Every company that some account holds now, with the date of its first order, by symbol."""
    held, first_orders = _load_holdings(connection)
    facts = [CompanyFacts(*row) for row in connection.execute(select(*FACTS).order_by(Company.symbol))]
    return [(company, first_orders[company.id]) for company in facts if company.id in held]


def load_held_since(connection: Connection, company_id: int) -> date | None:
    """The date of a company's first order, None unless some account holds it now."""
    return load_held_among(connection, [company_id]).get(company_id)


def load_held_among(connection: Connection, company_ids: Sequence[int]) -> dict[int, date]:
    """The date of the first order of those of these companies that some account holds now."""
    held: dict[int, date] = {}
    for group in in_groups(company_ids):
        among, first_orders = _load_holdings(connection, group)
        held.update({company_id: first_orders[company_id] for company_id in among})
    return held


def load_ordered_in(connection: Connection, company_ids: Sequence[int]) -> dict[int, set[str]]:
    """The currencies of each company's trades."""
    found: dict[int, set[str]] = {}
    for group in in_groups(company_ids):
        query = select(Order.company_id, Order.currency).where(
            Order.company_id.in_(group), Order.deleted_at.is_(None), Order.type.in_(SHARE_MOVES)
        )
        for company_id, currency in connection.execute(query.distinct()):
            found.setdefault(company_id or 0, set()).add(currency)
    return found


def load_traded_since(connection: Connection, first: date) -> list[CompanyFacts]:
    """Every company with a trade on or after ``first``, by symbol."""
    traded = select(Order.company_id).where(
        Order.trade_date >= first, Order.deleted_at.is_(None), Order.type.in_(SHARE_MOVES)
    )
    rows = connection.execute(select(*FACTS).where(Company.id.in_(traded)).order_by(Company.symbol))
    return [CompanyFacts(*row) for row in rows]


def _load_holdings(
    connection: Connection, company_ids: Sequence[int] | None = None
) -> tuple[set[int], dict[int, date]]:
    """Companies that some account holds now, and every company's first order; of some companies, or of all."""
    held, first_orders = _sum_orders(connection, company_ids)
    _decide_split_companies(connection, held, first_orders)
    return held, first_orders


def _sum_orders(connection: Connection, company_ids: Sequence[int] | None) -> tuple[set[int], dict[int, date]]:
    """Companies with shares left in some account (splits not looked at), and every company's first order."""
    positions = (
        select(
            Order.company_id,
            func.min(Order.trade_date).label("first_order"),
            case((func.sum(_signed_quantity()) != 0, 1), else_=0).label("is_held"),
        )
        .where(Order.deleted_at.is_(None), Order.type.in_(SHARE_MOVES), Order.company_id.is_not(None))
        .group_by(Order.company_id, Order.account_id)
    )
    if company_ids is not None:
        positions = positions.where(Order.company_id.in_(company_ids))
    # Summed up again by the database: a row for each account would all be read here for a row for each company.
    each = positions.subquery()
    totals = select(each.c.company_id, func.min(each.c.first_order), func.max(each.c.is_held))
    held: set[int] = set()
    first_orders: dict[int, date] = {}
    for ordered_id, first_order, is_held in connection.execute(totals.group_by(each.c.company_id)):
        first_orders[ordered_id] = first_order
        if is_held:
            held.add(ordered_id)
    return held, first_orders


def _signed_quantity() -> ColumnElement[Decimal]:
    return cast(ColumnElement[Decimal], case((Order.type.in_(OUTGOING), -Order.quantity), else_=Order.quantity))


def _decide_split_companies(connection: Connection, held: set[int], first_orders: dict[int, date]) -> None:
    """Decide again for companies that split since their first order: shares of different days don't add up there."""
    splits_of = {
        company_id: splits
        for company_id, splits in load_splits(connection, sorted(first_orders)).items()
        if max(splits) > first_orders[company_id]
    }
    for group in in_groups(sorted(splits_of)):
        orders_of = _orders_by_account(connection, group)
        for company_id in group:
            orders_by_account = orders_of.get(company_id, {}).values()
            holding = any(shares_held(orders, splits_of[company_id]) for orders in orders_by_account)
            (held.add if holding else held.discard)(company_id)


def _orders_by_account(
    connection: Connection, company_ids: Sequence[int]
) -> dict[int, dict[int, list[tuple[date, int]]]]:
    """Trade dates and scaled shares of these companies, by company and account."""
    found: dict[int, dict[int, list[tuple[date, int]]]] = {}
    for company_id, account_id, trade_date, shares in connection.execute(
        select(Order.company_id, Order.account_id, Order.trade_date, _signed_quantity()).where(
            Order.company_id.in_(company_ids), Order.deleted_at.is_(None), Order.type.in_(SHARE_MOVES)
        )
    ):
        of_account = found.setdefault(company_id or 0, {}).setdefault(account_id, [])
        of_account.append((trade_date, to_scaled(shares, QUANTITY_SCALE)))
    return found
