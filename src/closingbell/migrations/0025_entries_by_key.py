"""a payment's entries are found by the keys of their groups, and on SQLite a payment's number is that of its row

Revision 0025, after 0024.

The index of the ledger by payment cost a tenth of booking a dividend. SQLite keeps an index of its own for a key that
is not of type INTEGER.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_INDEX = "ix_ledger_entry_payment_id"


def upgrade() -> None:
    op.drop_index(_INDEX, "ledger_entry")
    _number_payments_by(sa.BigInteger(), sa.Integer())


def downgrade() -> None:
    _number_payments_by(sa.Integer(), sa.BigInteger())
    op.create_index(_INDEX, "ledger_entry", ["payment_id"])


def _number_payments_by(before: sa.types.TypeEngine[int], after: sa.types.TypeEngine[int]) -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    with op.batch_alter_table("dividend_payment", schema=None) as batch_op:
        batch_op.alter_column("id", existing_type=before, type_=after, existing_nullable=False, autoincrement=False)
