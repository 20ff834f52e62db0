"""tries to sign in, counted for every process together

Revision 0017, after 0016.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from closingbell.models.types import UtcDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in_try",
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tried_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", "slot", name=op.f("pk_sign_in_try")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_sign_in_try_tried_at", "sign_in_try", ["tried_at"])


def downgrade() -> None:
    op.drop_index("ix_sign_in_try_tried_at", table_name="sign_in_try")
    op.drop_table("sign_in_try")
