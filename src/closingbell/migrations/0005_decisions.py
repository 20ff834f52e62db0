"""what people decided about companies, who closed a session, findings of a running session

Revision 0005, after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from closingbell.models.types import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "company_decision",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("company_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.Column("decided_by", sa.String(length=200), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_company_decision_company_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_company_decision")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index(op.f("ix_company_decision_company_id_decided_at"), "company_decision", ["company_id", "decided_at"])
    op.add_column("market_session", sa.Column("closed_by", sa.String(length=200), nullable=True))
    op.add_column("market_session", sa.Column("closed_at", UtcDateTime(), nullable=True))
    op.add_column("quarantined_bar", sa.Column("is_intraday", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("quarantined_bar", "is_intraday")
    op.drop_column("market_session", "closed_at")
    op.drop_column("market_session", "closed_by")
    op.drop_table("company_decision")
