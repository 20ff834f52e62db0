"""what a run of dividends paid, transaction by transaction, until its end is told

Revision 0028, after 0027.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run_paid",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_log_id", sa.BigInteger(), nullable=False),
        sa.Column("paid", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_log_id"], ["job_log.id"], name=op.f("fk_run_paid_job_log_id_job_log")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_paid")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_run_paid_job_log_id", "run_paid", ["job_log_id"])


def downgrade() -> None:
    op.drop_table("run_paid")
