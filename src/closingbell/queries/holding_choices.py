"""What accounts choose for single companies."""

from __future__ import annotations

from dataclasses import dataclass

from closingbell.queries.portfolio import chosen_accounts
from closingbell.stores import accounts, companies
from closingbell.stores.database import Database


@dataclass(frozen=True, slots=True)
class HoldingView:
    """Whether an account reinvests a company's dividends because it chose so for that company."""

    account: str
    symbol: str
    is_reinvesting: bool


def list_holding_choices(database: Database, *, account: str | None = None) -> list[HoldingView]:
    """What accounts chose for single companies, by account and symbol; raise UnknownAccountError."""
    with database.read() as connection:
        chosen = {one.id: one.name for one in chosen_accounts(connection, account)}
        found = accounts.load_holding_choices(connection, account_ids=sorted(chosen) if account else None)
        symbols = companies.load_symbols(connection, {one.company_id for one in found})
    return sorted(
        (
            HoldingView(chosen[one.account_id], symbols[one.company_id], one.is_reinvesting)
            for one in found
            if one.is_reinvesting is not None and one.account_id in chosen
        ),
        key=lambda one: (one.account, one.symbol),
    )
