"""fewer keys on what dividends write most, and an index of the orders whose entries wait to be reversed

Revision 0015, after 0014.

The company of an entry or of a payment is that of its order or corporate action, which have the key; ``audit`` compares
the two. Looking it up for every row was a quarter of the work of booking a dividend on PostgreSQL.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from closingbell.models.append_only import protect, trigger_names, unprotect

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TABLES = ("ledger_entry", "dividend_payment")
_ORDER_INDEX = "ix_ledger_entry_order_id"


def upgrade() -> None:
    was_protected = _take_protection()
    for table in _TABLES:
        key = f"fk_{table}_company_id"
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_constraint(key, type_="foreignkey")
        if op.get_bind().dialect.name == "mysql":
            # The server made one for the key, under its name.
            op.drop_index(key, table)
    _protect(was_protected)
    if op.get_bind().dialect.name != "mysql":
        op.drop_index(_ORDER_INDEX, "ledger_entry")
        is_of_order = sa.text("order_id IS NOT NULL")
        op.create_index(
            _ORDER_INDEX, "ledger_entry", ["order_id"], sqlite_where=is_of_order, postgresql_where=is_of_order
        )
    op.create_index("ix_orders_reversed_at", "orders", ["reversed_at", "deleted_at"])
    op.drop_index("ix_orders_deleted_at", "orders")


def downgrade() -> None:
    op.create_index("ix_orders_deleted_at", "orders", ["deleted_at"])
    op.drop_index("ix_orders_reversed_at", "orders")
    if op.get_bind().dialect.name != "mysql":
        op.drop_index(_ORDER_INDEX, "ledger_entry")
        op.create_index(_ORDER_INDEX, "ledger_entry", ["order_id"])
    was_protected = _take_protection()
    for table in _TABLES:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.create_foreign_key(f"fk_{table}_company_id", "company", ["company_id"], ["id"])
    _protect(was_protected)


def _take_protection() -> bool:
    """Take the ledger's triggers away where it is made anew, which is SQLite's way; whether it had them."""
    bind = op.get_bind()
    if bind.dialect.name != "sqlite":
        return False
    names = set(bind.scalars(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")))
    if not trigger_names("ledger_entry") <= names:
        return False
    for statement in unprotect("ledger_entry", "sqlite"):
        op.execute(statement)
    return True


def _protect(was_protected: bool) -> None:
    if was_protected:
        for statement in protect("ledger_entry", "sqlite"):
            op.execute(statement)
