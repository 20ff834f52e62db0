"""People, accounts and orders."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import uuid4

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from closingbell.models.base import MYSQL, Base
from closingbell.models.types import BigId, Currency, Money, Price, Quantity, UtcDateTime


def _new_uniquifier() -> str:
    return uuid4().hex


class User(Base):
    """A person. Administrators operate the jobs and are told when one fails, viewers look; all see their own accounts.

    ``fs_uniquifier`` is what a session names: a new one ends every session. ``tf_…`` and ``mf_…`` hold the second
    factor, where there is one.
    """

    __tablename__ = "app_user"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str | None] = mapped_column(String(200))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(default=True)
    is_administrator: Mapped[bool] = mapped_column(default=False)
    is_viewer: Mapped[bool] = mapped_column(default=False, server_default=false())
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True, default=_new_uniquifier)
    tf_primary_method: Mapped[str | None] = mapped_column(String(64))
    tf_totp_secret: Mapped[str | None] = mapped_column(String(255))
    mf_recovery_codes: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Account(Base):
    """A person's cash and shares."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    user_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("app_user.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Order(Base):
    """An executed trade or cash movement; a fact, never changed, at most marked deleted.

    ``quantity`` is above zero, shares for BUY and SELL; ``price`` is per share, or the amount of a DEPOSIT or
    WITHDRAWAL; ``source_key`` tells a repeated import from a second order.
    """

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("account_id", "source_key"),
        # Who held how much on a date is read from this index alone.
        Index("ix_orders_entitlement", "company_id", "account_id", "trade_date", "quantity"),
        Index("ix_orders_account", "account_id", "trade_date"),
        Index("ix_orders_executed_at", "executed_at"),
        MYSQL,
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("account.id"))
    company_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("company.id"))
    type: Mapped[str] = mapped_column(String(16))
    trade_date: Mapped[date]
    executed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    quantity: Mapped[Decimal | None] = mapped_column(Quantity)
    price: Mapped[Decimal | None] = mapped_column(Price)
    amount: Mapped[Decimal | None] = mapped_column(Money)
    fee: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(Currency)
    source: Mapped[str] = mapped_column(String(40))
    source_key: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
