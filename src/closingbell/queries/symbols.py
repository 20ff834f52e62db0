"""Every company by name: what it is and was called, by whom, and whether it is closed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, select

from closingbell.domain.symbols import DatedName
from closingbell.models import Company, CompanySymbol, ProviderSymbol, UnknownSymbol
from closingbell.stores import companies
from closingbell.stores.database import Database


@dataclass(frozen=True, slots=True)
class ProviderName:
    """What a provider calls a company from a date on, where that is not our own name."""

    provider: str
    symbol: str
    valid_from: date


@dataclass(frozen=True, slots=True)
class SymbolView:
    """A company: ``names`` are those it had before its symbol, oldest first; ``since`` is from when its symbol holds.

    ``unknown_count`` is on how many sessions no provider knew it, since one did.
    """

    symbol: str
    name: str | None
    mic: str
    currency: str | None
    since: date | None
    names: tuple[DatedName, ...]
    provider_names: tuple[ProviderName, ...]
    closed_on: date | None
    closed_reason: str | None
    unknown_count: int


def list_symbols(database: Database, *, symbols: tuple[str, ...] | None = None) -> list[SymbolView]:
    """Every company, or the chosen ones, by symbol; raise UnknownSymbolError that names unknown symbols."""
    company, unknown = Company, UnknownSymbol
    query = select(
        company.id, company.symbol, company.name, company.mic, company.currency, company.closed_on,
        company.closed_reason, unknown.session_count,
    ).outerjoin(unknown, unknown.company_id == company.id).order_by(company.symbol)  # fmt: skip
    query = query.where(~company.symbol.contains(companies.SHADOW))
    with database.read() as connection:
        if symbols is not None:
            query = query.where(company.id.in_(companies.require_known(connection, symbols)))
        names, provider_names = _load_own(connection), _load_theirs(connection)
        return [
            SymbolView(
                symbol=row.symbol,
                name=row.name,
                mic=row.mic,
                currency=row.currency,
                since=names[row.id][-1].valid_from if row.id in names else None,
                names=tuple(names.get(row.id, ())[:-1]),
                provider_names=tuple(provider_names.get(row.id, ())),
                closed_on=row.closed_on,
                closed_reason=row.closed_reason,
                unknown_count=row.session_count or 0,
            )
            for row in connection.execute(query)
        ]


def _load_own(connection: Connection) -> dict[int, list[DatedName]]:
    row, names = CompanySymbol, dict[int, list[DatedName]]()
    for found in connection.execute(
        select(row.company_id, row.symbol, row.valid_from, row.valid_until).order_by(row.id)
    ):
        names.setdefault(found.company_id, []).append(DatedName(found.symbol, found.valid_from, found.valid_until))
    return names


def _load_theirs(connection: Connection) -> dict[int, list[ProviderName]]:
    row, names = ProviderSymbol, dict[int, list[ProviderName]]()
    query = select(row.company_id, row.provider, row.symbol, row.valid_from)
    for found in connection.execute(query.order_by(row.company_id, row.provider, row.valid_from)):
        names.setdefault(found.company_id, []).append(ProviderName(found.provider, found.symbol, found.valid_from))
    return names
