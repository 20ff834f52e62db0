"""price summaries: the newest bar of each company and the days that have one

Revision 0008, after 0007.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import sqlalchemy as sa
from alembic import op

from closingbell.models.types import DayBits, ScaledDecimal, UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# The tables as they are at this step.
_BAR = sa.table(
    "price_history",
    sa.column("company_id", sa.BigInteger()),
    sa.column("date", sa.Date()),
    sa.column("close", sa.BigInteger()),
    sa.column("is_settled", sa.Boolean()),
    sa.column("provider", sa.String()),
    sa.column("fetched_at", UtcDateTime()),
    sa.column("flag", sa.String()),
)
_NEWEST = ("date", "close", "is_settled", "provider", "fetched_at")


def upgrade() -> None:
    summaries = op.create_table(
        "price_summary",
        sa.Column("company_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("date", sa.Date(), nullable=True),
        sa.Column("close", ScaledDecimal(6), nullable=True),
        sa.Column("is_settled", sa.Boolean(), nullable=True),
        sa.Column("provider", sa.String(length=16), nullable=True),
        sa.Column("fetched_at", UtcDateTime(), nullable=True),
        sa.Column("closes", DayBits(), nullable=False),
        sa.Column("provisional", DayBits(), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_price_summary_company_id")),
        sa.PrimaryKeyConstraint("company_id", name=op.f("pk_price_summary")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    connection = op.get_bind()
    columns = [
        sa.column("close", sa.BigInteger()) if column.name == "close" else sa.column(column.name, column.type)
        for column in summaries.columns
    ]
    new = sa.table("price_summary", *columns)
    # Company by company: a history of decades is some thousand rows, all of them together may be millions.
    for company_id in connection.scalars(sa.text("SELECT id FROM company ORDER BY id")).all():
        row = _summary(connection, company_id)
        if row is not None:
            connection.execute(sa.insert(new).values(**row))


def _summary(connection: sa.Connection, company_id: int) -> dict[str, Any] | None:
    bar = _BAR.c
    newest = connection.execute(
        sa.select(*(bar[name] for name in _NEWEST))
        .where(bar.company_id == company_id)
        .order_by(bar.date.desc())
        .limit(1)
    ).one_or_none()
    if newest is None:
        return None
    is_close = sa.or_(bar.flag.is_(None), bar.flag != "intraday")
    closes: list[date] = []
    provisional: list[date] = []
    for day, is_settled in connection.execute(
        sa.select(bar.date, bar.is_settled).where(bar.company_id == company_id, is_close)
    ):
        closes.append(day)
        if not is_settled:
            provisional.append(day)
    return {"company_id": company_id, **newest._mapping, "closes": closes, "provisional": provisional}


def downgrade() -> None:
    op.drop_table("price_summary")
