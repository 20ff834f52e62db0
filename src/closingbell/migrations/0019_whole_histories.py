"""when every dividend and split of a company since its first order was last told

Revision 0019, after 0018.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from closingbell.models.types import UtcDateTime

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("company", sa.Column("actions_read_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("company", "actions_read_at")
