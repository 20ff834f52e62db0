"""payments leg by leg, entries that stand for them, marks and states of dividends, bank holidays

Revision 0009, after 0008. Companies without a row in dividend_progress are looked at by the first run.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from closingbell.models.types import ScaledDecimal, UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MYSQL: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin", "mysql_engine": "InnoDB"}


def upgrade() -> None:
    _create_bank_holiday()
    _create_number_block()
    _create_dividend_progress()
    _create_dividend_recheck()
    _create_dividend_payment()
    _create_dividend_state()
    _create_dividend_link()


def _create_bank_holiday() -> None:
    op.create_table(
        "bank_holiday",
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("is_holiday", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("currency", "date", name=op.f("pk_bank_holiday")),
        **_MYSQL,
    )


def _create_number_block() -> None:
    op.create_table(
        "number_block",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("next_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_number_block")),
        **_MYSQL,
    )


def _create_dividend_progress() -> None:
    op.create_table(
        "dividend_progress",
        sa.Column("company_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("next_date", sa.Date(), nullable=True),
        sa.Column("checked_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_dividend_progress_company_id")),
        sa.PrimaryKeyConstraint("company_id", name=op.f("pk_dividend_progress")),
        **_MYSQL,
    )
    op.create_index("ix_dividend_progress_next_date", "dividend_progress", ["next_date"], unique=False)


def _create_dividend_recheck() -> None:
    op.create_table(
        "dividend_recheck",
        sa.Column("id", _ID, nullable=False),
        sa.Column("company_id", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("noticed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_dividend_recheck_company_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dividend_recheck")),
        **_MYSQL,
    )
    op.create_index("ix_dividend_recheck_company_id", "dividend_recheck", ["company_id"], unique=False)


def _create_dividend_payment() -> None:
    op.create_table(
        "dividend_payment",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value_date", sa.Date(), nullable=False),
        sa.Column("corporate_action_id", sa.BigInteger(), nullable=False),
        sa.Column("company_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("leg", sa.String(length=8), nullable=False),
        sa.Column("version", sa.SmallInteger(), nullable=False),
        sa.Column("is_active", sa.SmallInteger(), nullable=True),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("action_version", sa.BigInteger(), nullable=False),
        sa.Column("quantity", ScaledDecimal(10), nullable=False),
        sa.Column("per_share", ScaledDecimal(10), nullable=False),
        sa.Column("gross", ScaledDecimal(4), nullable=False),
        sa.Column("tax", ScaledDecimal(4), nullable=False),
        sa.Column("net", ScaledDecimal(4), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("tax_rate", ScaledDecimal(10), nullable=False),
        sa.Column("is_rate_of_action", sa.Boolean(), nullable=False),
        sa.Column("rounding", sa.String(length=12), nullable=False),
        sa.Column("fx_rate", ScaledDecimal(10), nullable=True),
        sa.Column("fx_date", sa.Date(), nullable=True),
        sa.Column("is_fx_of_action", sa.Boolean(), nullable=False),
        sa.Column("cash", ScaledDecimal(4), nullable=False),
        sa.Column("cash_currency", sa.String(length=3), nullable=False),
        sa.Column("price", ScaledDecimal(6), nullable=True),
        sa.Column("quantity_after", ScaledDecimal(10), nullable=True),
        sa.Column("due_date", sa.Date(), nullable=False),
        sa.Column("pay_date_status", sa.String(length=12), nullable=False),
        sa.Column("posted_at", UtcDateTime(), nullable=False),
        sa.Column("job_log_id", sa.BigInteger(), nullable=True),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("reversed_by", sa.BigInteger(), nullable=True),
        sa.Column("reversed_at", UtcDateTime(), nullable=True),
        sa.Column("reversal_date", sa.Date(), nullable=True),
        sa.Column("reversal_reason", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_dividend_payment_account_id")),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_dividend_payment_company_id")),
        sa.ForeignKeyConstraint(
            ["corporate_action_id"], ["corporate_action.id"], name=op.f("fk_dividend_payment_corporate_action_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dividend_payment")),
        sa.UniqueConstraint("corporate_action_id", "account_id", "leg", "is_active", name="uq_dividend_payment_active"),
        sa.UniqueConstraint("corporate_action_id", "account_id", "leg", "version", name="uq_dividend_payment_version"),
        **_MYSQL,
    )
    op.create_index("ix_dividend_payment_account", "dividend_payment", ["account_id", "value_date"], unique=False)


def _create_dividend_state() -> None:
    op.create_table(
        "dividend_state",
        sa.Column("corporate_action_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("pay_date", sa.Date(), nullable=True),
        sa.Column("pay_date_status", sa.String(length=12), nullable=False),
        sa.Column("lag", sa.SmallInteger(), nullable=True),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["corporate_action_id"], ["corporate_action.id"], name=op.f("fk_dividend_state_corporate_action_id")
        ),
        sa.PrimaryKeyConstraint("corporate_action_id", name=op.f("pk_dividend_state")),
        **_MYSQL,
    )


def _create_dividend_link() -> None:
    op.create_table(
        "dividend_link",
        sa.Column("corporate_action_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("is_by_person", sa.Boolean(), nullable=False),
        sa.Column("gross", ScaledDecimal(4), nullable=True),
        sa.Column("net", ScaledDecimal(4), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("linked_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_dividend_link_account_id")),
        sa.ForeignKeyConstraint(
            ["corporate_action_id"], ["corporate_action.id"], name=op.f("fk_dividend_link_corporate_action_id")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_dividend_link_order_id")),
        sa.PrimaryKeyConstraint("corporate_action_id", "account_id", name=op.f("pk_dividend_link")),
        **_MYSQL,
    )
    op.create_index(op.f("ix_dividend_link_order_id"), "dividend_link", ["order_id"], unique=False)


def downgrade() -> None:
    op.drop_table("dividend_link")
    op.drop_table("dividend_state")
    op.drop_table("dividend_payment")
    op.drop_table("dividend_recheck")
    op.drop_table("dividend_progress")
    op.drop_table("number_block")
    op.drop_table("bank_holiday")
