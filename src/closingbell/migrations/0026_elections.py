"""what accounts chose of dividends that may be had in shares, and what they decided before

Revision 0026, after 0025.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from closingbell.models.types import UtcDateTime

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scrip_election",
        sa.Column("corporate_action_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("takes_shares", sa.Boolean(), nullable=False),
        sa.Column("elected_by", sa.String(length=200), nullable=False),
        sa.Column("elected_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_scrip_election_account_id_account")),
        sa.ForeignKeyConstraint(
            ["corporate_action_id"],
            ["corporate_action.id"],
            name=op.f("fk_scrip_election_corporate_action_id_corporate_action"),
        ),
        sa.PrimaryKeyConstraint("corporate_action_id", "account_id", name=op.f("pk_scrip_election")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_table(
        "account_change",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("was_chosen", sa.Boolean(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_account_change_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_change")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_account_change_account_id", "account_change", ["account_id"])


def downgrade() -> None:
    op.drop_table("account_change")
    op.drop_table("scrip_election")
