"""Corporate actions as the source told them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from closingbell.models.base import MYSQL, Base
from closingbell.models.types import BigId, Currency, ProviderName, Quantity, UtcDateTime


class CorporateActionRow(Base):
    """One action of a company; ``amount`` per share in the units of the ex-date, ``printed`` as the source wrote it."""

    __tablename__ = "corporate_action"
    __table_args__ = (UniqueConstraint("company_id", "kind", "ex_date", "currency", "seq"), MYSQL)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"))
    kind: Mapped[str] = mapped_column(String(24))
    ex_date: Mapped[date]
    currency: Mapped[str] = mapped_column(Currency)
    seq: Mapped[int] = mapped_column(default=0)
    amount: Mapped[Decimal | None] = mapped_column(Quantity)
    numerator: Mapped[int | None] = mapped_column(BigInteger)
    denominator: Mapped[int | None] = mapped_column(BigInteger)
    printed: Mapped[str] = mapped_column(String(40))
    provider: Mapped[str] = mapped_column(ProviderName)
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CorporateActionRevision(Base):
    """An action that a later answer told differently: what it was and what the answer said."""

    __tablename__ = "corporate_action_revision"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    corporate_action_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("corporate_action.id"), index=True)
    old_amount: Mapped[Decimal | None] = mapped_column(Quantity)
    old_numerator: Mapped[int | None] = mapped_column(BigInteger)
    old_denominator: Mapped[int | None] = mapped_column(BigInteger)
    new_amount: Mapped[Decimal | None] = mapped_column(Quantity)
    new_numerator: Mapped[int | None] = mapped_column(BigInteger)
    new_denominator: Mapped[int | None] = mapped_column(BigInteger)
    new_printed: Mapped[str] = mapped_column(String(40))
    provider: Mapped[str] = mapped_column(ProviderName)
    noticed_at: Mapped[datetime] = mapped_column(UtcDateTime)
