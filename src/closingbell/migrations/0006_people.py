"""roles, sessions, one-time links, audit, holidays by name

Revision 0006, after 0005.
"""

from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from closingbell.models.types import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_USER = sa.table("app_user", sa.column("id", sa.BigInteger()), sa.column("fs_uniquifier", sa.String()))


def upgrade() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("who", sa.String(length=254), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_index("ix_audit_entry_at", "audit_entry", ["at"])
    op.create_table(
        "one_time_link",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_one_time_link_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_link")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_one_time_link_secret_hash")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    op.create_table(
        "market_holiday",
        sa.Column("mic", sa.String(length=8), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("mic", "date", name=op.f("pk_market_holiday")),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mysql_engine="InnoDB",
    )
    with op.batch_alter_table("app_user") as batch:
        batch.add_column(sa.Column("is_viewer", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch.add_column(sa.Column("fs_uniquifier", sa.String(length=64), nullable=True))
        batch.add_column(sa.Column("tf_primary_method", sa.String(length=64), nullable=True))
        batch.add_column(sa.Column("tf_totp_secret", sa.String(length=255), nullable=True))
        batch.add_column(sa.Column("mf_recovery_codes", sa.Text(), nullable=True))
    connection = op.get_bind()
    for (user_id,) in connection.execute(sa.select(_USER.c.id)).all():
        connection.execute(sa.update(_USER).where(_USER.c.id == user_id).values(fs_uniquifier=uuid4().hex))
    with op.batch_alter_table("app_user") as batch:
        batch.alter_column("fs_uniquifier", existing_type=sa.String(length=64), nullable=False)
        batch.create_unique_constraint(op.f("uq_app_user_fs_uniquifier"), ["fs_uniquifier"])


def downgrade() -> None:
    with op.batch_alter_table("app_user") as batch:
        batch.drop_constraint(op.f("uq_app_user_fs_uniquifier"), type_="unique")
        for name in ("mf_recovery_codes", "tf_totp_secret", "tf_primary_method", "fs_uniquifier", "is_viewer"):
            batch.drop_column(name)
    op.drop_table("market_holiday")
    op.drop_table("one_time_link")
    op.drop_index("ix_audit_entry_at", table_name="audit_entry")
    op.drop_table("audit_entry")
