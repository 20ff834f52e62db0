"""indexes by which the newest runs are found, of all jobs and the newest success of one

Revision 0016, after 0015.
"""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_job_log_started_at", "job_log", ["started_at"])
    op.create_index("ix_job_log_job_name_status_started_at", "job_log", ["job_name", "status", "started_at"])


def downgrade() -> None:
    op.drop_index("ix_job_log_job_name_status_started_at", "job_log")
    op.drop_index("ix_job_log_started_at", "job_log")
