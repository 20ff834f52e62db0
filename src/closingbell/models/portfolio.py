"""People, accounts and orders."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import uuid4

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from closingbell.models.base import MYSQL, Base
from closingbell.models.types import BigId, Country, Currency, Money, Price, Quantity, Symbol, UtcDateTime


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
    """A person's cash and shares, and how what companies do is settled in it.

    ``residence`` is the owner's country for withholding tax. ``fraction_policy`` says what becomes of a fraction of a
    share at a split, ``dividend_preference`` whether dividends are paid by themselves (AUTO), only shown, or neither.
    ``takes_scrip`` chooses shares where a company offers them in place of cash, unless a person chose for one dividend.
    """

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    user_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("app_user.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    currency: Mapped[str] = mapped_column(Currency, default="USD", server_default="USD")
    residence: Mapped[str | None] = mapped_column(Country)
    rounding: Mapped[str] = mapped_column(String(12), default="HALF_UP", server_default="HALF_UP")
    fraction_policy: Mapped[str] = mapped_column(String(16), default="KEEP", server_default="KEEP")
    is_reinvesting: Mapped[bool] = mapped_column(default=False, server_default=false())
    drip_decimals: Mapped[int] = mapped_column(default=4, server_default="4")
    dividend_preference: Mapped[str] = mapped_column(String(8), default="AUTO", server_default="AUTO")
    takes_scrip: Mapped[bool] = mapped_column(default=False, server_default=false())
    opened_date: Mapped[date | None]


class AccountChange(Base):
    """A change of an account's choice (``name``), and what it was before: which one held on a past day follows."""

    __tablename__ = "account_change"
    __table_args__ = (Index("ix_account_change_account_id", "account_id"), MYSQL)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("account.id"))
    name: Mapped[str] = mapped_column(String(40))
    was_chosen: Mapped[bool]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class HoldingChoice(Base):
    """What an account chooses for one company; ``is_reinvesting`` is None where the account's own choice counts again.

    ``chosen_at`` is when the choice that counts began.
    """

    __tablename__ = "holding_choice"
    __table_args__ = (Index("ix_holding_choice_company_id", "company_id"), MYSQL)

    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("account.id"), primary_key=True, autoincrement=False)
    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"), primary_key=True, autoincrement=False)
    is_reinvesting: Mapped[bool | None]
    chosen_by: Mapped[str] = mapped_column(String(200))
    chosen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AccountSymbol(Base):
    """What the files of an account call a company (ISIN, ticker or name, in capitals), and our symbol for it."""

    __tablename__ = "account_symbol"

    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("account.id"), primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    symbol: Mapped[str] = mapped_column(Symbol)
    stored_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Order(Base):
    """An executed trade or cash movement; a fact, never changed, at most marked deleted.

    ``quantity`` is above zero, the type says whether shares come or go; ``amount`` is what a cash movement moves, the
    gross of a dividend, or a trade's exact total where the statement gives one (else quantity times price).
    A CONVERSION gives ``amount`` away for ``counter_amount``. ``source_key`` tells a repeated import from a second
    order. ``posted_at`` and ``reversed_at`` say that the ledger holds the order's entries, and their reversal.
    """

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("account_id", "source_key"),
        # Who held how much on a date is read from this index alone.
        Index("ix_orders_position", "company_id", "account_id", "trade_date", "type", "quantity", "deleted_at"),
        Index("ix_orders_account", "account_id", "trade_date"),
        Index("ix_orders_executed_at", "executed_at"),
        Index("ix_orders_posted_at", "posted_at"),
        Index("ix_orders_reversed_at", "reversed_at", "deleted_at"),
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
    tax: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    counter_amount: Mapped[Decimal | None] = mapped_column(Money)
    counter_currency: Mapped[str | None] = mapped_column(Currency)
    note: Mapped[str | None] = mapped_column(String(200))
    entered_by: Mapped[str | None] = mapped_column(String(200))
    deleted_by: Mapped[str | None] = mapped_column(String(200))
    posted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reversed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
