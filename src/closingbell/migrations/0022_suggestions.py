"""what people say of suggested payments

Revision 0022, after 0021.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from closingbell.models.types import UtcDateTime

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dividend_choice",
        sa.Column("corporate_action_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("is_accepted", sa.Boolean(), nullable=False),
        sa.Column("decided_by", sa.String(length=200), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_dividend_choice_account_id_account")),
        sa.ForeignKeyConstraint(
            ["corporate_action_id"],
            ["corporate_action.id"],
            name=op.f("fk_dividend_choice_corporate_action_id_corporate_action"),
        ),
        sa.PrimaryKeyConstraint("corporate_action_id", "account_id", name=op.f("pk_dividend_choice")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )


def downgrade() -> None:
    op.drop_table("dividend_choice")
