"""Company: one listing on one exchange."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from closingbell.models.base import Base
from closingbell.models.types import BigId, Country, Currency, Mic, Symbol, UtcDateTime


class Company(Base):
    """The listed thing held; ``currency`` is the major unit, ``quote_unit`` what the provider prints (GBp).

    ``country`` is where its dividends are taxed at the source; empty stands for the exchange's country.
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
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
