"""What companies announced of their next dividends, kept while it is current because nobody tells it later."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from closingbell.models.base import Base
from closingbell.models.types import ProviderName, UtcDateTime


class AnnouncedDividend(Base):
    """An ex-date that a calendar named, with its pay date as it was named last."""

    __tablename__ = "announced_dividend"

    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"), primary_key=True, autoincrement=False)
    ex_date: Mapped[date] = mapped_column(primary_key=True)
    pay_date: Mapped[date | None]
    provider: Mapped[str] = mapped_column(ProviderName)
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CalendarQuestion(Base):
    """When a company's calendar was asked for last, and what came of it: ``answered``, or the kind of error."""

    __tablename__ = "calendar_question"

    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"), primary_key=True, autoincrement=False)
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    outcome: Mapped[str] = mapped_column(String(24))
