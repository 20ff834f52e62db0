"""names with dates, provider symbols, closed companies, symbols that nobody knows

Revision 0010, after 0009.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("company", sa.Column("closed_on", sa.Date(), nullable=True))
    op.add_column("company", sa.Column("closed_reason", sa.String(length=200), nullable=True))
    op.create_table(
        "company_symbol",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("symbol", sa.String(length=32), nullable=False),
        sa.Column("company_id", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_company_symbol_company_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_company_symbol")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_company_symbol_company_id"), "company_symbol", ["company_id"])
    op.create_index(op.f("ix_company_symbol_symbol"), "company_symbol", ["symbol"])
    op.create_table(
        "provider_symbol",
        sa.Column("company_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("provider", sa.String(length=16), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("symbol", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_provider_symbol_company_id")),
        sa.PrimaryKeyConstraint("company_id", "provider", "valid_from", name=op.f("pk_provider_symbol")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_table(
        "unknown_symbol",
        sa.Column("company_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("session_count", sa.Integer(), nullable=False),
        sa.Column("first_session", sa.Date(), nullable=False),
        sa.Column("last_session", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_unknown_symbol_company_id")),
        sa.PrimaryKeyConstraint("company_id", name=op.f("pk_unknown_symbol")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )


def downgrade() -> None:
    op.drop_table("unknown_symbol")
    op.drop_table("provider_symbol")
    op.drop_table("company_symbol")
    op.drop_column("company", "closed_reason")
    op.drop_column("company", "closed_on")
