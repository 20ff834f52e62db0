"""Names with dates, in the database: a company's own and its providers'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from closingbell.domain.symbols import DatedName, Names, ended_by_next
from closingbell.models import Company, CompanySymbol, ProviderSymbol
from closingbell.stores.database import Database, is_of_another_version
from closingbell.stores.upsert import upsert


class NameBook:
    """The names by which providers know companies, read anew whenever somebody begins to ask."""

    def __init__(self, database: Database | None) -> None:
        self._database = database
        self._names = Names()

    def read(self) -> None:
        """Read all names; a database without tables has none."""
        if self._database is None:
            return
        try:
            with self._database.read() as connection:
                self._names = load_names(connection)
        except DBAPIError as error:
            if not is_of_another_version(error):
                raise
            self._names = Names()

    def spell(self, provider: str, symbol: str, on: date) -> str:
        """The name under which ``provider`` knows our ``symbol`` on a day."""
        return self._names.spell(provider, symbol, on)


def load_names(connection: Connection) -> Names:
    """How every provider spells every company that was renamed, or that it calls otherwise."""
    own: dict[str, list[DatedName]] = {}
    row = CompanySymbol
    columns = (Company.symbol, row.symbol.label("name"), row.valid_from, row.valid_until)
    for symbol, name, valid_from, valid_until in connection.execute(
        select(*columns).join(Company, Company.id == row.company_id).order_by(row.id)
    ):
        own.setdefault(symbol, []).append(DatedName(name, valid_from, valid_until))
    return Names(own, _load_theirs(connection))


def _load_theirs(connection: Connection) -> Mapping[tuple[str, str], Sequence[DatedName]]:
    row = ProviderSymbol
    query = select(row.provider, Company.symbol, row.symbol.label("name"), row.valid_from)
    rows: dict[tuple[str, str], list[tuple[str, date]]] = {}
    for provider, symbol, name, valid_from in connection.execute(
        query.join(Company, Company.id == row.company_id).order_by(row.company_id, row.provider, row.valid_from)
    ):
        rows.setdefault((provider, symbol), []).append((name, valid_from))
    return {key: ended_by_next(found) for key, found in rows.items()}


def load_own_names(connection: Connection, company_id: int) -> list[DatedName]:
    """A company's own names, oldest first; none where it was never renamed."""
    row = CompanySymbol
    query = select(row.symbol, row.valid_from, row.valid_until).where(row.company_id == company_id).order_by(row.id)
    return [DatedName(*found) for found in connection.execute(query)]


def load_every_name(connection: Connection) -> dict[str, tuple[str, ...]]:
    """All names of every company that was renamed, oldest first, by each of them."""
    row = CompanySymbol
    found: dict[int, list[str]] = {}
    for company_id, name in connection.execute(select(row.company_id, row.symbol).order_by(row.id)):
        found.setdefault(company_id, []).append(name)
    return {name: tuple(dict.fromkeys(names)) for names in found.values() for name in names}


def store_own_names(connection: Connection, company_id: int, names: Sequence[DatedName]) -> None:
    """Write a company's names anew; the last one becomes its symbol."""
    row = CompanySymbol
    connection.execute(delete(row).where(row.company_id == company_id))
    for name in names:
        values = {"symbol": name.symbol, "valid_from": name.valid_from, "valid_until": name.valid_until}
        connection.execute(insert(row).values(company_id=company_id, **values))
    connection.execute(update(Company).where(Company.id == company_id).values(symbol=names[-1].symbol))


def store_provider_symbol(connection: Connection, company_id: int, provider: str, symbol: str, *, since: date) -> None:
    """Write down what a provider calls a company from a date on."""
    row = {"company_id": company_id, "provider": provider, "valid_from": since, "symbol": symbol}
    upsert(connection, ProviderSymbol, [row], update=("symbol",))
