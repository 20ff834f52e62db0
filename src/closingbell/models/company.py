"""Company: one listing on one exchange."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from closingbell.models.base import MYSQL, Base
from closingbell.models.types import BigId, Country, Currency, Mic, ProviderName, Symbol, UtcDateTime


class Company(Base):
    """The listed thing held; ``currency`` is the major unit, ``quote_unit`` what the provider prints (GBp).

    ``country`` is where its dividends are taxed at the source; empty stands for the exchange's country.
    ``symbol`` is its newest name. ``closed_on`` is the last day of which a bar is expected, None while it is open.
    ``last_updated``: when its newest close was asked for with success; ``history_read_at``: when a whole answer came,
    bars with dividends and splits; ``actions_read_at``: when one had those of all time since the first order.
    """

    __tablename__ = "company"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    symbol: Mapped[str] = mapped_column(Symbol, unique=True)
    name: Mapped[str | None] = mapped_column(String(200))
    mic: Mapped[str] = mapped_column(Mic)
    currency: Mapped[str | None] = mapped_column(Currency)
    quote_unit: Mapped[str | None] = mapped_column(String(8))
    exchange_name: Mapped[str | None] = mapped_column(String(40))
    first_trade_date: Mapped[date | None]
    last_updated: Mapped[datetime | None] = mapped_column(UtcDateTime)
    country: Mapped[str | None] = mapped_column(Country)
    history_read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    actions_read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_on: Mapped[date | None]
    closed_reason: Mapped[str | None] = mapped_column(String(200))


class CompanySymbol(Base):
    """A name that a company had from ``valid_from`` (None: its beginning) until before ``valid_until`` (None: now).

    There are rows only of companies that were renamed.
    """

    __tablename__ = "company_symbol"
    __table_args__ = (Index(None, "company_id"), MYSQL)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    symbol: Mapped[str] = mapped_column(Symbol, index=True)
    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"))
    valid_from: Mapped[date | None]
    valid_until: Mapped[date | None]


class ProviderSymbol(Base):
    """The name under which a provider knows a company from a date on, where that is not our own."""

    __tablename__ = "provider_symbol"

    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"), primary_key=True, autoincrement=False)
    provider: Mapped[str] = mapped_column(ProviderName, primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(Symbol)


class UnknownSymbol(Base):
    """A company that no provider knew, on how many sessions since one did; forgotten with the next answer."""

    __tablename__ = "unknown_symbol"

    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"), primary_key=True, autoincrement=False)
    session_count: Mapped[int]
    first_session: Mapped[date]
    last_session: Mapped[date]
