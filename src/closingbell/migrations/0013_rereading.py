"""when a whole answer about a company last came

Revision 0013, after 0012.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from closingbell.models.types import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("company", sa.Column("history_read_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("company", "history_read_at")
