"""ledger entries, what accounts decide, withholding and exchange rates, book settings

Revision 0007, after 0006. The orders that are there are posted by init-db, or by the first job.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from alembic import op

from closingbell.models.append_only import protect, unprotect
from closingbell.models.types import ScaledDecimal, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MYSQL: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin", "mysql_engine": "InnoDB"}

# Source country, residence (None: statutory), rate. Examples to be edited: a broker's statement decides.
_EXAMPLE_RATES = [
    ("US", None, "0.30"),
    *[("US", residence, "0.15") for residence in ("AT", "AU", "BE", "CA", "CH", "DE", "DK", "ES", "FI", "FR", "GB",
                                                  "IE", "IT", "LU", "NL", "NO", "NZ", "PL", "PT", "SE")],
    *[("US", residence, "0.25") for residence in ("IL", "IN", "PH")],
    *[("US", residence, "0.10") for residence in ("CN", "JP", "MX")],
    ("CH", None, "0.35"),
    ("GB", None, "0"),
]  # fmt: skip
# With a binary log and without the right to make triggers for it; no privilege for them at all.
_NO_TRIGGERS_ALLOWED = ((1419,), (1142,))
_EXAMPLES_FROM = date(1990, 1, 1)


def upgrade() -> None:
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.add_column(sa.Column("currency", sa.String(length=3), server_default="USD", nullable=False))
        batch_op.add_column(sa.Column("residence", sa.String(length=2), nullable=True))
        batch_op.add_column(sa.Column("rounding", sa.String(length=12), server_default="HALF_UP", nullable=False))
        batch_op.add_column(sa.Column("fraction_policy", sa.String(length=16), server_default="KEEP", nullable=False))
        batch_op.add_column(sa.Column("is_reinvesting", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("drip_decimals", sa.Integer(), server_default="4", nullable=False))
        batch_op.add_column(
            sa.Column("dividend_preference", sa.String(length=8), server_default="AUTO", nullable=False)
        )
        batch_op.add_column(sa.Column("opened_date", sa.Date(), nullable=True))
    with op.batch_alter_table("company", schema=None) as batch_op:
        batch_op.add_column(sa.Column("country", sa.String(length=2), nullable=True))
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.add_column(sa.Column("tax", ScaledDecimal(4), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("counter_amount", ScaledDecimal(4), nullable=True))
        batch_op.add_column(sa.Column("counter_currency", sa.String(length=3), nullable=True))
        batch_op.add_column(sa.Column("note", sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column("entered_by", sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column("deleted_by", sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column("posted_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("reversed_at", UtcDateTime(), nullable=True))
        # The new index first: on MySQL a foreign key needs one that begins with its column.
        batch_op.create_index(
            "ix_orders_position",
            ["company_id", "account_id", "trade_date", "type", "quantity", "deleted_at"],
            unique=False,
        )
        batch_op.drop_index("ix_orders_entitlement")
        batch_op.create_index("ix_orders_posted_at", ["posted_at"], unique=False)
        batch_op.create_index("ix_orders_deleted_at", ["deleted_at"], unique=False)
    _give_accounts_their_currency()
    _create_ledger()
    _create_rates()
    _protect_ledger()


def _protect_ledger() -> None:
    """Triggers against UPDATE and DELETE; a MySQL server may reserve them for administrators, who may add them."""
    try:
        for statement in protect("ledger_entry", op.get_bind().dialect.name):
            op.execute(statement)
    except sa.exc.DBAPIError as error:
        if error.orig is None or error.orig.args[:1] not in _NO_TRIGGERS_ALLOWED:
            raise


def _give_accounts_their_currency() -> None:
    """An account that is there already is kept in the currency of most of its orders."""
    orders = sa.table("orders", sa.column("account_id"), sa.column("currency"))
    account = sa.table("account", sa.column("id"), sa.column("currency"))
    counts = sa.select(orders.c.account_id, orders.c.currency, sa.func.count().label("n")).group_by(
        orders.c.account_id, orders.c.currency
    )
    most: dict[int, tuple[int, str]] = {}
    for account_id, currency, count in op.get_bind().execute(counts):
        most[account_id] = max(most.get(account_id, (0, "")), (count, currency))
    for account_id, (_, currency) in most.items():
        op.execute(account.update().where(account.c.id == account_id).values(currency=currency))


def _create_ledger() -> None:
    op.create_table(
        "ledger_entry",
        sa.Column("id", _ID, nullable=False),
        sa.Column("value_date", sa.Date(), nullable=False),
        sa.Column("group_key", sa.String(length=64), nullable=False),
        sa.Column("line", sa.SmallInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount", ScaledDecimal(4), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("posted_at", UtcDateTime(), nullable=False),
        sa.Column("company_id", sa.BigInteger(), nullable=True),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_ledger_entry_account_id")),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_ledger_entry_company_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_ledger_entry_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entry")),
        sa.UniqueConstraint("group_key", "line", name=op.f("uq_ledger_entry_group_key_line")),
        **_MYSQL,
    )
    with op.batch_alter_table("ledger_entry", schema=None) as batch_op:
        batch_op.create_index(
            "ix_ledger_entry_balance", ["account_id", "name", "currency", "value_date", "amount"], unique=False
        )
        batch_op.create_index("ix_ledger_entry_order_id", ["order_id"], unique=False)
        batch_op.create_index("ix_ledger_entry_payment_id", ["payment_id"], unique=False)


def _create_rates() -> None:
    op.create_table(
        "book_setting",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_book_setting")),
        **_MYSQL,
    )
    op.create_table(
        "fx_rate",
        sa.Column("from_currency", sa.String(length=3), nullable=False),
        sa.Column("to_currency", sa.String(length=3), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("rate", ScaledDecimal(10), nullable=False),
        sa.Column("provider", sa.String(length=16), nullable=False),
        sa.Column("stored_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("from_currency", "to_currency", "date", name=op.f("pk_fx_rate")),
        **_MYSQL,
    )
    rates = op.create_table(
        "withholding_rate",
        sa.Column("id", _ID, nullable=False),
        sa.Column("scope", sa.String(length=80), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("residence", sa.String(length=2), nullable=True),
        sa.Column("source_country", sa.String(length=2), nullable=False),
        sa.Column("action_type", sa.String(length=24), nullable=True),
        sa.Column("rate", ScaledDecimal(10), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("is_example", sa.Boolean(), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_withholding_rate_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withholding_rate")),
        sa.UniqueConstraint("scope", "valid_from", name=op.f("uq_withholding_rate_scope_valid_from")),
        **_MYSQL,
    )
    op.bulk_insert(rates, [_example(*facts) for facts in _EXAMPLE_RATES])


def _example(source: str, residence: str | None, rate: str) -> dict[str, Any]:
    return {
        "scope": f"*/{residence or '*'}/{source}/*",
        "account_id": None,
        "residence": residence,
        "source_country": source,
        "action_type": None,
        "rate": Decimal(rate),
        "valid_from": _EXAMPLES_FROM,
        "is_example": True,
        "note": "example: check it against your statement",
        # Whoever writes an example down has not decided anything at any time of day.
        "changed_at": datetime(1990, 1, 1, tzinfo=UTC),
    }


def downgrade() -> None:
    for statement in unprotect("ledger_entry", op.get_bind().dialect.name):
        op.execute(statement)
    op.drop_table("ledger_entry")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION IF EXISTS closingbell_append_only()")
    op.drop_table("withholding_rate")
    op.drop_table("fx_rate")
    op.drop_table("book_setting")
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.create_index(
            "ix_orders_entitlement", ["company_id", "account_id", "trade_date", "quantity"], unique=False
        )
        batch_op.drop_index("ix_orders_position")
        batch_op.drop_index("ix_orders_posted_at")
        batch_op.drop_index("ix_orders_deleted_at")
        for name in ("reversed_at", "posted_at", "deleted_by", "entered_by", "note", "counter_currency",
                     "counter_amount", "tax"):  # fmt: skip
            batch_op.drop_column(name)
    with op.batch_alter_table("company", schema=None) as batch_op:
        batch_op.drop_column("country")
    with op.batch_alter_table("account", schema=None) as batch_op:
        for name in ("opened_date", "dividend_preference", "drip_decimals", "is_reinvesting", "fraction_policy",
                     "rounding", "residence", "currency"):  # fmt: skip
            batch_op.drop_column(name)
