"""What people decided about companies, and why."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from closingbell.models.base import MYSQL, Base
from closingbell.models.types import BigId, UtcDateTime


class CompanyDecision(Base):
    """One decision: ``kind`` says of what sort, ``date`` which day it is about, ``detail`` what was decided."""

    __tablename__ = "company_decision"
    __table_args__ = (Index(None, "company_id", "decided_at"), MYSQL)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"))
    kind: Mapped[str] = mapped_column(String(24))
    date: Mapped[date]
    detail: Mapped[str] = mapped_column(String(200))
    decided_by: Mapped[str] = mapped_column(String(200))
    why: Mapped[str] = mapped_column(String(200))
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)
