"""Daily bars as traded, their revisions, and what is kept aside."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from closingbell.domain.days import DaySet
from closingbell.models.base import MYSQL, Base
from closingbell.models.types import BigId, DayBits, Price, ProviderName, UtcDateTime

# Clustered by company and date: a company's history lies together on disk.
_CLUSTERED: dict[str, Any] = {**MYSQL, "sqlite_with_rowid": False}


class PriceHistory(Base):
    """One daily bar as traded; ``is_settled`` is false while it may still move, ``flag`` names what looks odd."""

    __tablename__ = "price_history"
    __table_args__ = _CLUSTERED

    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"), primary_key=True)
    date: Mapped[date] = mapped_column(primary_key=True)
    open: Mapped[Decimal] = mapped_column(Price)
    high: Mapped[Decimal] = mapped_column(Price)
    low: Mapped[Decimal] = mapped_column(Price)
    close: Mapped[Decimal] = mapped_column(Price)
    volume: Mapped[int] = mapped_column(BigInteger)
    is_settled: Mapped[bool]
    provider: Mapped[str] = mapped_column(ProviderName)
    fetched_at: Mapped[datetime] = mapped_column(UtcDateTime)
    flag: Mapped[str | None] = mapped_column(String(24))


class PriceRevision(Base):
    """A stored bar that a later answer changed: what it was and what it became."""

    __tablename__ = "price_revision"
    __table_args__ = (Index(None, "company_id", "date"), MYSQL)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"))
    date: Mapped[date]
    old_open: Mapped[Decimal] = mapped_column(Price)
    old_high: Mapped[Decimal] = mapped_column(Price)
    old_low: Mapped[Decimal] = mapped_column(Price)
    old_close: Mapped[Decimal] = mapped_column(Price)
    old_volume: Mapped[int] = mapped_column(BigInteger)
    old_provider: Mapped[str] = mapped_column(ProviderName)
    old_fetched_at: Mapped[datetime] = mapped_column(UtcDateTime)
    new_open: Mapped[Decimal] = mapped_column(Price)
    new_high: Mapped[Decimal] = mapped_column(Price)
    new_low: Mapped[Decimal] = mapped_column(Price)
    new_close: Mapped[Decimal] = mapped_column(Price)
    new_volume: Mapped[int] = mapped_column(BigInteger)
    new_provider: Mapped[str] = mapped_column(ProviderName)
    new_fetched_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PriceSummary(Base):
    """What a company's bars come to: the newest one, the days that have a close, and which of these may still move.

    Kept in the transaction that writes bars, so that nobody has to read them all; it can be made anew from them.
    ``closes`` leaves out a bar made while its session ran; the newest one may be such a bar. A summary without a date
    is of a company whose first bar is being written.
    """

    __tablename__ = "price_summary"

    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"), primary_key=True, autoincrement=False)
    date: Mapped[date | None]
    close: Mapped[Decimal | None] = mapped_column(Price)
    is_settled: Mapped[bool | None]
    provider: Mapped[str | None] = mapped_column(ProviderName)
    fetched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closes: Mapped[DaySet] = mapped_column(DayBits)
    provisional: Mapped[DaySet] = mapped_column(DayBits)


class PriceCoverage(Base):
    """How far a company's history is complete: every session in the range is settled or a known gap.

    It only spares reading the history at every plan; a missing row is rebuilt from ``price_history`` by the next run.
    """

    __tablename__ = "price_coverage"

    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"), primary_key=True, autoincrement=False)
    covered_from: Mapped[date]
    settled_until: Mapped[date]


class PriceGap(Base):
    """A session that the provider answered without: why, how often it was asked for, when it is asked for again."""

    __tablename__ = "price_gap"

    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"), primary_key=True, autoincrement=False)
    date: Mapped[date] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(String(200))
    asked_count: Mapped[int]
    last_asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    next_ask_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class QuarantinedBar(Base):
    """A bar that broke a rule: kept, not used, until an answer or a person decides.

    ``is_intraday``: it tells of a session that still ran, and is no close.
    """

    __tablename__ = "quarantined_bar"
    __table_args__ = (Index(None, "company_id", "date"), MYSQL)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"))
    date: Mapped[date]
    rule: Mapped[str] = mapped_column(String(24))
    open: Mapped[Decimal] = mapped_column(Price)
    high: Mapped[Decimal] = mapped_column(Price)
    low: Mapped[Decimal] = mapped_column(Price)
    close: Mapped[Decimal] = mapped_column(Price)
    volume: Mapped[int] = mapped_column(BigInteger)
    previous_close: Mapped[Decimal | None] = mapped_column(Price)
    provider: Mapped[str] = mapped_column(ProviderName)
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    note: Mapped[str | None] = mapped_column(Text)
    is_intraday: Mapped[bool] = mapped_column(default=False, server_default=false())
