"""what accounts choose for one company, beside what they choose for all

Revision 0029, after 0028.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from closingbell.models.types import UtcDateTime

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "holding_choice",
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("company_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("is_reinvesting", sa.Boolean(), nullable=True),
        sa.Column("chosen_by", sa.String(length=200), nullable=False),
        sa.Column("chosen_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_holding_choice_account_id_account")),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_holding_choice_company_id_company")),
        sa.PrimaryKeyConstraint("account_id", "company_id", name=op.f("pk_holding_choice")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_holding_choice_company_id", "holding_choice", ["company_id"])


def downgrade() -> None:
    op.drop_table("holding_choice")
