"""What people did, the links by which they come in for the first time, and their tries to sign in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from closingbell.models.base import MYSQL, Base
from closingbell.models.types import BigId, UtcDateTime


class AuditEntry(Base):
    """One action: who, when (real time), what, on which thing, from where; only ever added."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_at", "at"), MYSQL)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    who: Mapped[str] = mapped_column(String(254))
    action: Mapped[str] = mapped_column(String(64))
    target: Mapped[str] = mapped_column(String(200))
    detail: Mapped[str | None] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(String(64))


class OneTimeLink(Base):
    """A link that lets a person choose a password, once and before it expires; only its hash is kept."""

    __tablename__ = "one_time_link"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("app_user.id"))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SignInTry(Base):
    """One of the few tries that an address, a person or a browser has: free again when it is old enough.

    ``key_hash`` says whose it is, keyed with the server's secret: nobody reads an address or a name out of it.
    """

    __tablename__ = "sign_in_try"
    __table_args__ = (Index("ix_sign_in_try_tried_at", "tried_at"), MYSQL)

    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tried_at: Mapped[datetime] = mapped_column(UtcDateTime)
