"""Corporate actions: what is accepted, each version of it, and what every provider printed."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from closingbell.models.base import MYSQL, Base
from closingbell.models.types import BigId, Currency, Price, ProviderName, Quantity, Symbol, UtcDateTime


class CorporateActionRow(Base):
    """One action of a company as it counts now; ``amount`` per share in the units of the close before the ex-date.

    ``printed`` is what the source wrote when the amount was accepted. ``dirty_since`` is set by every change and taken
    away by whoever has booked what follows from it.
    """

    __tablename__ = "corporate_action"
    __table_args__ = (
        UniqueConstraint("company_id", "kind_group", "ex_date", "currency", "seq", name="uq_corporate_action_identity"),
        Index("ix_corporate_action_ex_date", "ex_date"),
        Index("ix_corporate_action_dirty", "dirty_since"),
        MYSQL,
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"))
    kind: Mapped[str] = mapped_column(String(24))
    kind_group: Mapped[str] = mapped_column(String(8))
    ex_date: Mapped[date]
    currency: Mapped[str] = mapped_column(Currency)
    seq: Mapped[int] = mapped_column(default=0)
    amount: Mapped[Decimal | None] = mapped_column(Quantity)
    numerator: Mapped[int | None] = mapped_column(BigInteger)
    denominator: Mapped[int | None] = mapped_column(BigInteger)
    record_date: Mapped[date | None]
    pay_date: Mapped[date | None]
    pay_date_status: Mapped[str] = mapped_column(String(12), default="UNKNOWN")
    tax_rate: Mapped[Decimal | None] = mapped_column(Quantity)
    fx_currency: Mapped[str | None] = mapped_column(Currency)
    fx_rate: Mapped[Decimal | None] = mapped_column(Quantity)
    child_symbol: Mapped[str | None] = mapped_column(Symbol)
    parent_basis_pct: Mapped[Decimal | None] = mapped_column(Quantity)
    cash_in_lieu_price: Mapped[Decimal | None] = mapped_column(Price)
    scrip_price: Mapped[Decimal | None] = mapped_column(Price)
    election_deadline: Mapped[date | None]
    is_held: Mapped[bool] = mapped_column(default=False)
    held_code: Mapped[str | None] = mapped_column(String(32))
    held_reason: Mapped[str | None] = mapped_column(String(500))
    is_cancelled: Mapped[bool] = mapped_column(default=False)
    is_user_entered: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(default=1)
    dirty_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    printed: Mapped[str] = mapped_column(String(40))
    provider: Mapped[str] = mapped_column(ProviderName)
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Answers that should have told of it and did not, one after the other.
    missed_count: Mapped[int] = mapped_column(default=0)
    missed_since: Mapped[datetime | None] = mapped_column(UtcDateTime)


class CorporateActionVersion(Base):
    """What an action was, version by version; rows are only ever added. ``facts`` is JSON, its numbers are text."""

    __tablename__ = "corporate_action_version"

    corporate_action_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("corporate_action.id"), primary_key=True, autoincrement=False
    )
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    facts: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(ProviderName)
    actor: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CorporateActionSourceRow(Base):
    """One print of a provider: what its answers said of one day, since when, how often, and what became of it.

    The same print in many answers is one row. ``streak_since`` is when it began to be said without another print in
    between; ``told_at`` is when people were told of it.
    """

    __tablename__ = "corporate_action_source_row"
    __table_args__ = (
        UniqueConstraint(
            "company_id", "provider", "kind", "ex_date", "currency", "seq", "printed",
            name="uq_corporate_action_source_row_print",
        ),
        Index("ix_corporate_action_source_row_action", "corporate_action_id"),
        Index("ix_corporate_action_source_row_verdict", "verdict"),
        MYSQL,
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"))
    provider: Mapped[str] = mapped_column(ProviderName)
    kind: Mapped[str] = mapped_column(String(24))
    ex_date: Mapped[date]
    currency: Mapped[str] = mapped_column(Currency)
    seq: Mapped[int]
    printed: Mapped[str] = mapped_column(String(40))
    amount: Mapped[Decimal | None] = mapped_column(Quantity)
    numerator: Mapped[int | None] = mapped_column(BigInteger)
    denominator: Mapped[int | None] = mapped_column(BigInteger)
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_count: Mapped[int]
    streak_since: Mapped[datetime] = mapped_column(UtcDateTime)
    verdict: Mapped[str] = mapped_column(String(24))
    note: Mapped[str | None] = mapped_column(String(500))
    corporate_action_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("corporate_action.id"))
    told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
