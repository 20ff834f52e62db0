"""the company that a run finished last

Revision 0024, after 0023.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_log", sa.Column("last_symbol", sa.String(32), nullable=True))


def downgrade() -> None:
    op.drop_column("job_log", "last_symbol")
