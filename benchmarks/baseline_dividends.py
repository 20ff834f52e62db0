"""Paying dividends as most people write it: a loop over dividends and holders with the ORM, and a commit per credit.

What is kind to it: quantities are kept in a table of holdings (nobody is asked who held what on the ex-date), amounts
are floats, there is no tax, no exchange, no reversal and no explanation, and each credit is one payment, one ledger
line, one balance and one message. Its database has the same settings as ours.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine, ForeignKey, String, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    """The tables of the usual design."""


class Account(Base):
    """A person's cash."""

    __tablename__ = "usual_accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[float] = mapped_column(default=0.0)


class Dividend(Base):
    """A dividend that is due."""

    __tablename__ = "usual_dividends"

    id: Mapped[int] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(String(20), index=True)
    amount: Mapped[float]
    pay_date: Mapped[date]
    is_paid: Mapped[bool] = mapped_column(default=False)


class Holding(Base):
    """Shares held now."""

    __tablename__ = "usual_holdings"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("usual_accounts.id"))
    symbol: Mapped[str] = mapped_column(String(20), index=True)
    quantity: Mapped[float]


class Payment(Base):
    """What was paid."""

    __tablename__ = "usual_payments"

    id: Mapped[int] = mapped_column(primary_key=True)
    dividend_id: Mapped[int] = mapped_column(ForeignKey("usual_dividends.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("usual_accounts.id"), index=True)
    amount: Mapped[float]
    paid_at: Mapped[datetime]


class LedgerLine(Base):
    """A movement of cash."""

    __tablename__ = "usual_ledger"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("usual_accounts.id"), index=True)
    amount: Mapped[float]
    booked_at: Mapped[datetime]


class Message(Base):
    """What the holder is told."""

    __tablename__ = "usual_messages"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("usual_accounts.id"), index=True)
    text: Mapped[str] = mapped_column(String(200))


@dataclass(frozen=True, slots=True)
class Took:
    """What a stretch of work cost."""

    credits: int
    wall_s: float


def set_up(engine: Engine, *, dividends: int, holders: int) -> None:
    """Tables, and every holder with ten shares of every company."""
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(Account), [{"id": n, "balance": 0.0} for n in range(1, holders + 1)])
        connection.execute(
            insert(Dividend),
            [
                {"symbol": f"C{n:05d}", "amount": 0.25, "pay_date": date(2012, 11, 30), "is_paid": False}
                for n in range(dividends)
            ],
        )
        connection.execute(
            insert(Holding),
            [
                {"account_id": account, "symbol": f"C{n:05d}", "quantity": 10.0}
                for n in range(dividends)
                for account in range(1, holders + 1)
            ],
        )


def pay(engine: Engine) -> Took:
    """Pay every dividend that is due to every holder, one commit each."""
    count = 0
    with Session(engine) as session:
        began = time.perf_counter()
        for dividend in session.query(Dividend).filter_by(is_paid=False).all():
            for holding in session.query(Holding).filter_by(symbol=dividend.symbol).all():
                account = session.get(Account, holding.account_id)
                assert account is not None
                amount = round(holding.quantity * dividend.amount, 2)
                now = datetime.now()  # noqa: DTZ005  (as it is usually written)
                session.add(Payment(dividend_id=dividend.id, account_id=account.id, amount=amount, paid_at=now))
                session.add(LedgerLine(account_id=account.id, amount=amount, booked_at=now))
                session.add(Message(account_id=account.id, text=f"{dividend.symbol} paid you {amount:.2f}"))
                account.balance += amount
                session.commit()
                count += 1
            dividend.is_paid = True
            session.commit()
        return Took(count, time.perf_counter() - began)
