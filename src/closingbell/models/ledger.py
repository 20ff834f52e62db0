"""The ledger, the rates it is kept by, and what is decided for the books as a whole."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, ForeignKey, Index, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from closingbell.models.base import MYSQL, Base
from closingbell.models.types import BigId, Country, Currency, Money, ProviderName, Quantity, UtcDateTime

_IS_OF_ORDER = text("order_id IS NOT NULL")


class LedgerEntry(Base):
    """One signed, dated amount in an account; never changed, never removed.

    Entries come in groups that sum to zero in each currency; a group's key is made of what it books, so that the same
    thing is booked once. ``name`` is the ledger account (Cash, Receivable, Income:Dividend:CASH); what comes in is
    above zero, what it comes from below. ``value_date`` is when it counts, ``posted_at`` when it was learned.
    """

    __tablename__ = "ledger_entry"
    __table_args__ = (
        UniqueConstraint("group_key", "line"),
        # A balance as of any date is read from this index alone.
        Index("ix_ledger_entry_balance", "account_id", "name", "currency", "value_date", "amount"),
        # Most entries are of dividends and have none.
        Index("ix_ledger_entry_order_id", "order_id", sqlite_where=_IS_OF_ORDER, postgresql_where=_IS_OF_ORDER),
        MYSQL,
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    value_date: Mapped[date]
    group_key: Mapped[str] = mapped_column(String(64))
    line: Mapped[int] = mapped_column(SmallInteger)
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("account.id"))
    name: Mapped[str] = mapped_column(String(40))
    currency: Mapped[str] = mapped_column(Currency)
    amount: Mapped[Decimal] = mapped_column(Money)
    kind: Mapped[str] = mapped_column(String(24))
    posted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # No key: it is the company of the order or payment, which have one; audit compares them.
    company_id: Mapped[int | None] = mapped_column(BigInteger)
    order_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("orders.id"))
    # No index, which half a million entries would pay for: a payment's entries are found by the keys of its groups.
    payment_id: Mapped[int | None] = mapped_column(BigInteger)


class BookSetting(Base):
    """Something decided for the books as a whole: ``lock_date``, ``cutover_date``, ``pay_policy``."""

    __tablename__ = "book_setting"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(200))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str] = mapped_column(String(200))


class WithholdingRate(Base):
    """What share of a dividend of a country is kept back, from a date on; an empty column stands for any.

    ``scope`` is the filled columns as one text, so that one rate of a scope begins on one day on every database.
    """

    __tablename__ = "withholding_rate"
    __table_args__ = (UniqueConstraint("scope", "valid_from"), MYSQL)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    scope: Mapped[str] = mapped_column(String(80))
    account_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("account.id"))
    residence: Mapped[str | None] = mapped_column(Country)
    source_country: Mapped[str] = mapped_column(Country)
    action_type: Mapped[str | None] = mapped_column(String(24))
    rate: Mapped[Decimal] = mapped_column(Quantity)
    valid_from: Mapped[date]
    is_example: Mapped[bool] = mapped_column(default=False)
    note: Mapped[str | None] = mapped_column(String(200))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class FxRate(Base):
    """What one unit of a currency was worth in another on a date."""

    __tablename__ = "fx_rate"

    from_currency: Mapped[str] = mapped_column(Currency, primary_key=True)
    to_currency: Mapped[str] = mapped_column(Currency, primary_key=True)
    date: Mapped[date] = mapped_column(primary_key=True)
    rate: Mapped[Decimal] = mapped_column(Quantity)
    provider: Mapped[str] = mapped_column(ProviderName)
    stored_at: Mapped[datetime] = mapped_column(UtcDateTime)
