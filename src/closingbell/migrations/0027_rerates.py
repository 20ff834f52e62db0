"""payments that a person wants computed anew with the rates that hold now

Revision 0027, after 0026.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from closingbell.models.types import UtcDateTime

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dividend_rerate",
        sa.Column("corporate_action_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_dividend_rerate_account_id_account")),
        sa.ForeignKeyConstraint(
            ["corporate_action_id"],
            ["corporate_action.id"],
            name=op.f("fk_dividend_rerate_corporate_action_id_corporate_action"),
        ),
        sa.PrimaryKeyConstraint("corporate_action_id", "account_id", name=op.f("pk_dividend_rerate")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )


def downgrade() -> None:
    op.drop_table("dividend_rerate")
