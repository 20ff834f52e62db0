"""The sessions in use, and what kind of database this is."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from closingbell.models.base import Base
from closingbell.models.types import Mic, UtcDateTime


class MarketSession(Base):
    """One session of a MIC; ``is_open`` is false where a person closed it; ``reason`` names what is special.

    ``closed_by`` and ``closed_at`` tell who closed it and when.
    """

    __tablename__ = "market_session"

    mic: Mapped[str] = mapped_column(Mic, primary_key=True)
    date: Mapped[date] = mapped_column(primary_key=True)
    open_at: Mapped[datetime] = mapped_column(UtcDateTime)
    close_at: Mapped[datetime] = mapped_column(UtcDateTime)
    is_open: Mapped[bool] = mapped_column(default=True)
    reason: Mapped[str | None] = mapped_column(String(200))
    closed_by: Mapped[str | None] = mapped_column(String(200))
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class MarketHoliday(Base):
    """A day on which a MIC has no session, by the name that its calendar gives it; weekends have no row."""

    __tablename__ = "market_holiday"

    mic: Mapped[str] = mapped_column(Mic, primary_key=True)
    date: Mapped[date] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))


class MarketCalendar(Base):
    """The range of dates for which a MIC's sessions have been written down."""

    __tablename__ = "market_calendar"

    mic: Mapped[str] = mapped_column(Mic, primary_key=True)
    first_date: Mapped[date]
    last_date: Mapped[date]
    filled_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version: Mapped[str] = mapped_column(String(40))


class DatabaseMark(Base):
    """A fact about the whole database: ``origin`` is ``live`` or ``replay`` and never changes."""

    __tablename__ = "database_mark"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(200))
    marked_at: Mapped[datetime] = mapped_column(UtcDateTime)
