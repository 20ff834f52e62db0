"""to whom the requests of a run were sent

Revision 0018, after 0017.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_log", sa.Column("requests_by_provider", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("job_log", "requests_by_provider")
