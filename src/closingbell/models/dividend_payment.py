"""What is paid for corporate actions, leg by leg, and what has to be looked at again."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, ForeignKey, Index, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from closingbell.models.base import MYSQL, Base
from closingbell.models.types import BigId, Currency, Money, Price, Quantity, UtcDateTime


class DividendPayment(Base):
    """One leg of one corporate action in one account; a change is a reversal and a new version.

    ``is_active`` is 1 while the leg stands and NULL once it is reversed, so that a plain unique key lets one stand.
    Rates, rounding and price are frozen in it. ``due_date`` is when it should count, ``value_date`` when it does.
    ``cash`` is what moves in the account's currency. ``quantity_after`` is what a SPLIT made of ``quantity``,
    or the shares that a SPIN_OFF brought for it; ``order_id`` is the order that a leg made.
    """

    __tablename__ = "dividend_payment"
    __table_args__ = (
        UniqueConstraint("corporate_action_id", "account_id", "leg", "version", name="uq_dividend_payment_version"),
        UniqueConstraint("corporate_action_id", "account_id", "leg", "is_active", name="uq_dividend_payment_active"),
        Index("ix_dividend_payment_account", "account_id", "value_date"),
        MYSQL,
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    value_date: Mapped[date]
    corporate_action_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("corporate_action.id"))
    # No key: it is the corporate action's, which has one; audit compares them.
    company_id: Mapped[int] = mapped_column(BigInteger)
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("account.id"))
    leg: Mapped[str] = mapped_column(String(8))
    version: Mapped[int] = mapped_column(SmallInteger)
    is_active: Mapped[int | None] = mapped_column(SmallInteger)
    kind: Mapped[str] = mapped_column(String(24))
    action_version: Mapped[int] = mapped_column(BigInteger)
    quantity: Mapped[Decimal] = mapped_column(Quantity)
    per_share: Mapped[Decimal] = mapped_column(Quantity)
    gross: Mapped[Decimal] = mapped_column(Money)
    tax: Mapped[Decimal] = mapped_column(Money)
    net: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(Currency)
    tax_rate: Mapped[Decimal] = mapped_column(Quantity)
    is_rate_of_action: Mapped[bool]
    rounding: Mapped[str] = mapped_column(String(12))
    fx_rate: Mapped[Decimal | None] = mapped_column(Quantity)
    fx_date: Mapped[date | None]
    is_fx_of_action: Mapped[bool]
    cash: Mapped[Decimal] = mapped_column(Money)
    cash_currency: Mapped[str] = mapped_column(Currency)
    price: Mapped[Decimal | None] = mapped_column(Price)
    quantity_after: Mapped[Decimal | None] = mapped_column(Quantity)
    due_date: Mapped[date]
    pay_date_status: Mapped[str] = mapped_column(String(12))
    posted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    job_log_id: Mapped[int | None] = mapped_column(BigInteger)
    order_id: Mapped[int | None] = mapped_column(BigInteger)
    reversed_by: Mapped[int | None] = mapped_column(BigInteger)
    reversed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reversal_date: Mapped[date | None]
    reversal_reason: Mapped[str | None] = mapped_column(String(200))


class DividendLink(Base):
    """An entitlement that a person's own entry stands for: it is not paid. What ours would have been is kept beside it.

    One that a person tied (``is_by_person``) holds whatever the amounts; the others are found anew by every run.
    """

    __tablename__ = "dividend_link"

    corporate_action_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("corporate_action.id"), primary_key=True, autoincrement=False
    )
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("account.id"), primary_key=True, autoincrement=False)
    order_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("orders.id"), index=True)
    is_by_person: Mapped[bool]
    gross: Mapped[Decimal | None] = mapped_column(Money)
    net: Mapped[Decimal | None] = mapped_column(Money)
    currency: Mapped[str | None] = mapped_column(Currency)
    linked_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DividendChoice(Base):
    """A person's word on an entitlement that is only suggested: it is paid like any other, or it is left alone."""

    __tablename__ = "dividend_choice"

    corporate_action_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("corporate_action.id"), primary_key=True, autoincrement=False
    )
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("account.id"), primary_key=True, autoincrement=False)
    is_accepted: Mapped[bool]
    decided_by: Mapped[str] = mapped_column(String(200))
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ScripElection(Base):
    """A person's choice for one dividend that may be had in shares; an account without one has its standing choice."""

    __tablename__ = "scrip_election"

    corporate_action_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("corporate_action.id"), primary_key=True, autoincrement=False
    )
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("account.id"), primary_key=True, autoincrement=False)
    takes_shares: Mapped[bool]
    elected_by: Mapped[str] = mapped_column(String(200))
    elected_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DividendRerate(Base):
    """A person's word that what was booked for an entitlement is computed anew; the run that has done it removes it."""

    __tablename__ = "dividend_rerate"

    corporate_action_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("corporate_action.id"), primary_key=True, autoincrement=False
    )
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("account.id"), primary_key=True, autoincrement=False)
    reason: Mapped[str] = mapped_column(String(200))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DividendRecheck(Base):
    """A company whose books must be looked at again, because a fact changed in the same transaction.

    ``since`` is the first ex-date that the change can matter for; empty stands for all of them.
    """

    __tablename__ = "dividend_recheck"
    __table_args__ = (Index("ix_dividend_recheck_company_id", "company_id"), MYSQL)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"))
    since: Mapped[date | None]
    reason: Mapped[str] = mapped_column(String(40))
    noticed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DividendProgress(Base):
    """How far the books of a company are: ``turn`` counts who wrote, so that nobody writes from what was read before.

    ``next_date`` is the next day on which something is due although no fact changes; empty when there is none.
    """

    __tablename__ = "dividend_progress"
    __table_args__ = (Index("ix_dividend_progress_next_date", "next_date"), MYSQL)

    company_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("company.id"), primary_key=True, autoincrement=False)
    turn: Mapped[int] = mapped_column(BigInteger)
    next_date: Mapped[date | None]
    checked_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DividendState(Base):
    """How far a corporate action is over all accounts, and the pay date that is used for it.

    ``lag`` is how many business days after the ex-date an estimated pay date was set; it stays once that day came.
    """

    __tablename__ = "dividend_state"

    corporate_action_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("corporate_action.id"), primary_key=True, autoincrement=False
    )
    state: Mapped[str] = mapped_column(String(12))
    pay_date: Mapped[date | None]
    pay_date_status: Mapped[str] = mapped_column(String(12))
    lag: Mapped[int | None] = mapped_column(SmallInteger)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class BankHoliday(Base):
    """A person's word on whether banks of a currency rest on a day; it beats the rule."""

    __tablename__ = "bank_holiday"

    currency: Mapped[str] = mapped_column(Currency, primary_key=True)
    date: Mapped[date] = mapped_column(primary_key=True)
    is_holiday: Mapped[bool]
    reason: Mapped[str | None] = mapped_column(String(200))


class NumberBlock(Base):
    """The next free number of a table whose rows are numbered before they are written."""

    __tablename__ = "number_block"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    next_number: Mapped[int] = mapped_column(BigInteger)
