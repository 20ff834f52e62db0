"""Minute bars as traded, and the companies whose minutes somebody asked to see."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from closingbell.models.base import MYSQL, Base
from closingbell.models.types import Price, ProviderName, UtcDateTime

# Clustered by company and minute: a company's day lies together on disk.
_CLUSTERED: dict[str, Any] = {**MYSQL, "sqlite_with_rowid": False}


class MinuteBar(Base):
    """One minute of a session as traded; ``at`` is its beginning. The running minute is rewritten until it is over."""

    __tablename__ = "minute_bar"
    __table_args__ = _CLUSTERED

    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    open: Mapped[Decimal] = mapped_column(Price)
    high: Mapped[Decimal] = mapped_column(Price)
    low: Mapped[Decimal] = mapped_column(Price)
    close: Mapped[Decimal] = mapped_column(Price)
    volume: Mapped[int] = mapped_column(BigInteger)
    provider: Mapped[str] = mapped_column(ProviderName)
    fetched_at: Mapped[datetime] = mapped_column(UtcDateTime)


class WatchedCompany(Base):
    """A company whose prices are followed through the session although nobody trades it."""

    __tablename__ = "watched_company"

    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"), primary_key=True, autoincrement=False)
    watched_at: Mapped[datetime] = mapped_column(UtcDateTime)
    watched_by: Mapped[str] = mapped_column(String(200))
