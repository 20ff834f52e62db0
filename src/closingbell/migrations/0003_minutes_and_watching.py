"""minute bars, watched companies

Revision 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from closingbell.models.types import ScaledDecimal, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "minute_bar",
        sa.Column("company_id", sa.BigInteger(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("open", ScaledDecimal(6), nullable=False),
        sa.Column("high", ScaledDecimal(6), nullable=False),
        sa.Column("low", ScaledDecimal(6), nullable=False),
        sa.Column("close", ScaledDecimal(6), nullable=False),
        sa.Column("volume", sa.BigInteger(), nullable=False),
        sa.Column("provider", sa.String(length=16), nullable=False),
        sa.Column("fetched_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_minute_bar_company_id")),
        sa.PrimaryKeyConstraint("company_id", "at", name=op.f("pk_minute_bar")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "watched_company",
        sa.Column("company_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("watched_at", UtcDateTime(), nullable=False),
        sa.Column("watched_by", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_watched_company_company_id")),
        sa.PrimaryKeyConstraint("company_id", name=op.f("pk_watched_company")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )


def downgrade() -> None:
    op.drop_table("watched_company")
    op.drop_table("minute_bar")
