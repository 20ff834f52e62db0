"""tokens that are a person's own

Revision 0021, after 0020.

Those that were there are the operator's. A name was taken for everybody; now each owner has it once.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_TABLE = "api_token"
_NAME = "uq_api_token_name"
_OWN_NAME = "uq_api_token_owner_key_name"
_OWNER = "fk_api_token_user_id"


def upgrade() -> None:
    with op.batch_alter_table(_TABLE) as batch:
        batch.add_column(sa.Column("user_id", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("owner_key", sa.BigInteger(), server_default="0", nullable=False))
        batch.drop_constraint(_NAME, type_="unique")
        batch.create_unique_constraint(_OWN_NAME, ["owner_key", "name"])
        batch.create_foreign_key(_OWNER, "app_user", ["user_id"], ["id"])


def downgrade() -> None:
    # Before this revision every token read every account: a person's own must not become one of those.
    op.execute(sa.text("DELETE FROM api_token WHERE user_id IS NOT NULL"))
    with op.batch_alter_table(_TABLE) as batch:
        batch.drop_constraint(_OWNER, type_="foreignkey")
    if op.get_bind().dialect.name == "mysql":
        # The server made one for the key, under its name.
        op.drop_index(_OWNER, _TABLE)
    with op.batch_alter_table(_TABLE) as batch:
        batch.drop_constraint(_OWN_NAME, type_="unique")
        batch.create_unique_constraint(_NAME, ["name"])
        batch.drop_column("owner_key")
        batch.drop_column("user_id")
