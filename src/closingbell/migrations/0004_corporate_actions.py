"""corporate actions with dates, holds, versions and what every provider printed

Revision 0004, after 0003.
"""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import sqlalchemy as sa
from alembic import op

from closingbell.models.types import ScaledDecimal, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OLD_IDENTITY = "uq_corporate_action_company_id_kind_ex_date_currency_seq"
_IDENTITY = "uq_corporate_action_identity"
_KINDS = {"DIVIDEND": ("CASH", "CASH"), "CAPITAL_GAIN": ("CAP_GAIN", "GAIN")}
_TOLD = {"CASH": "DIVIDEND", "SPECIAL": "DIVIDEND", "GAIN": "CAPITAL_GAIN", "SPLIT": "SPLIT"}
_TABLE: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin", "mysql_engine": "InnoDB"}
_HELD = {
    "STOCK_DIVIDEND": "it looks like a stock dividend: say whether it is one",
    "SPIN_OFF": "no split has such a ratio: it looks like a spin-off",
}


def upgrade() -> None:
    _add_columns()
    _convert_actions()
    with op.batch_alter_table("corporate_action", schema=None) as batch_op:
        for name in ("kind_group", "pay_date_status", "is_held", "is_cancelled", "is_user_entered", "version"):
            batch_op.alter_column(name, existing_type=_column(name).type, nullable=False)
        batch_op.alter_column("missed_count", existing_type=sa.Integer(), nullable=False)
        # The new key comes first: MySQL keeps an index for the foreign key at every moment.
        batch_op.create_unique_constraint(_IDENTITY, ["company_id", "kind_group", "ex_date", "currency", "seq"])
        batch_op.create_index("ix_corporate_action_ex_date", ["ex_date"], unique=False)
        batch_op.create_index("ix_corporate_action_dirty", ["dirty_since"], unique=False)
        batch_op.drop_constraint(_OLD_IDENTITY, type_="unique")
    _create_tables()
    _write_versions()
    _write_source_rows()
    op.drop_table("corporate_action_revision")


_COLUMNS: tuple[tuple[str, Any], ...] = (
    ("kind_group", sa.String(length=8)),
    ("record_date", sa.Date()),
    ("pay_date", sa.Date()),
    ("pay_date_status", sa.String(length=12)),
    ("tax_rate", ScaledDecimal(10)),
    ("fx_currency", sa.String(length=3)),
    ("fx_rate", ScaledDecimal(10)),
    ("child_symbol", sa.String(length=32)),
    ("parent_basis_pct", ScaledDecimal(10)),
    ("cash_in_lieu_price", ScaledDecimal(6)),
    ("scrip_price", ScaledDecimal(6)),
    ("election_deadline", sa.Date()),
    ("is_held", sa.Boolean()),
    ("held_code", sa.String(length=32)),
    ("held_reason", sa.String(length=500)),
    ("is_cancelled", sa.Boolean()),
    ("is_user_entered", sa.Boolean()),
    ("version", sa.Integer()),
    ("dirty_since", UtcDateTime()),
    ("missed_count", sa.Integer()),
    ("missed_since", UtcDateTime()),
)


def _column(name: str) -> sa.Column[Any]:
    return sa.Column(name, dict(_COLUMNS)[name], nullable=True)


def _add_columns() -> None:
    with op.batch_alter_table("corporate_action", schema=None) as batch_op:
        for name, _ in _COLUMNS:
            batch_op.add_column(_column(name))


def _action() -> Any:
    return sa.table(
        "corporate_action",
        sa.column("id", sa.BigInteger()), sa.column("company_id", sa.BigInteger()), sa.column("kind", sa.String()),
        sa.column("ex_date", sa.Date()), sa.column("currency", sa.String()), sa.column("seq", sa.Integer()),
        sa.column("amount", ScaledDecimal(10)), sa.column("numerator", sa.BigInteger()),
        sa.column("denominator", sa.BigInteger()), sa.column("printed", sa.String()),
        sa.column("provider", sa.String()), sa.column("first_seen_at", UtcDateTime()),
        sa.column("last_seen_at", UtcDateTime()),
        *(sa.column(name, type_) for name, type_ in _COLUMNS),
    )  # fmt: skip


def _convert_actions() -> None:
    """What was kept of before: dividends and gains count, splits as far as their ratio is a split's."""
    connection, row = op.get_bind(), _action()
    common = {
        "pay_date_status": "UNKNOWN", "is_cancelled": False, "is_user_entered": False, "version": 1, "missed_count": 0,
        "dirty_since": row.c.last_seen_at,
    }  # fmt: skip
    for told, (kind, group) in _KINDS.items():
        connection.execute(
            sa.update(row).where(row.c.kind == told).values(kind=kind, kind_group=group, is_held=False, **common)
        )
    splits = connection.execute(
        sa.select(row.c.id, row.c.numerator, row.c.denominator).where(row.c.kind == "SPLIT")
    ).all()
    for row_id, numerator, denominator in splits:
        kind = _split_kind(Fraction(numerator or 1, denominator or 1))
        held = _HELD.get(kind)
        code = {"SPIN_OFF": "SPIN_OFF_SUSPECT"}.get(kind, kind) if held else None
        connection.execute(
            sa.update(row)
            .where(row.c.id == row_id)
            .values(kind=kind, kind_group="SPLIT", is_held=held is not None, held_code=code, held_reason=held, **common)
        )


def _split_kind(ratio: Fraction) -> str:
    n, d = ratio.numerator, ratio.denominator
    if n > d and ratio <= Fraction(5, 4) and (n - d) * 200 % d == 0:
        return "STOCK_DIVIDEND"
    if d == 1 or n == 1 or max(n, d) <= 20:
        return "SPLIT" if n >= d else "REVERSE_SPLIT"
    return "SPIN_OFF"


def _create_tables() -> None:
    op.create_table(
        "corporate_action_version",
        sa.Column("corporate_action_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["corporate_action_id"],
            ["corporate_action.id"],
            name=op.f("fk_corporate_action_version_corporate_action_id"),
        ),
        sa.PrimaryKeyConstraint("corporate_action_id", "version", name=op.f("pk_corporate_action_version")),
        **_TABLE,
    )
    op.create_table(
        "corporate_action_source_row",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("company_id", sa.BigInteger(), nullable=False),
        sa.Column("provider", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("ex_date", sa.Date(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("printed", sa.String(length=40), nullable=False),
        sa.Column("amount", ScaledDecimal(10), nullable=True),
        sa.Column("numerator", sa.BigInteger(), nullable=True),
        sa.Column("denominator", sa.BigInteger(), nullable=True),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("last_seen_at", UtcDateTime(), nullable=False),
        sa.Column("seen_count", sa.Integer(), nullable=False),
        sa.Column("streak_since", UtcDateTime(), nullable=False),
        sa.Column("verdict", sa.String(length=24), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("corporate_action_id", sa.BigInteger(), nullable=True),
        sa.Column("told_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["company_id"], ["company.id"], name=op.f("fk_corporate_action_source_row_company_id")
        ),
        sa.ForeignKeyConstraint(
            ["corporate_action_id"],
            ["corporate_action.id"],
            name=op.f("fk_corporate_action_source_row_corporate_action_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corporate_action_source_row")),
        sa.UniqueConstraint(
            "company_id", "provider", "kind", "ex_date", "currency", "seq", "printed",
            name="uq_corporate_action_source_row_print",
        ),
        **_TABLE,
    )  # fmt: skip
    with op.batch_alter_table("corporate_action_source_row", schema=None) as batch_op:
        batch_op.create_index("ix_corporate_action_source_row_action", ["corporate_action_id"], unique=False)
        batch_op.create_index("ix_corporate_action_source_row_verdict", ["verdict"], unique=False)


def _revision() -> Any:
    return sa.table(
        "corporate_action_revision",
        sa.column("id", sa.BigInteger()), sa.column("corporate_action_id", sa.BigInteger()),
        *(
            sa.column(f"{when}_{name}", type_)
            for when in ("old", "new")
            for name, type_ in (
                ("amount", ScaledDecimal(10)), ("numerator", sa.BigInteger()), ("denominator", sa.BigInteger()),
            )
        ),
        sa.column("new_printed", sa.String()), sa.column("provider", sa.String()),
        sa.column("noticed_at", UtcDateTime()),
    )  # fmt: skip


def _version_table() -> Any:
    return sa.table(
        "corporate_action_version",
        sa.column("corporate_action_id", sa.BigInteger()), sa.column("version", sa.Integer()),
        sa.column("facts", sa.Text()), sa.column("source", sa.String()), sa.column("actor", sa.String()),
        sa.column("reason", sa.String()), sa.column("created_at", UtcDateTime()),
    )  # fmt: skip


def _write_versions() -> None:
    """Each revision becomes a version: first what it was, then what it became."""
    connection, row, old = op.get_bind(), _action(), _revision()
    revisions: dict[int, list[Any]] = {}
    for found in connection.execute(sa.select(old).order_by(old.c.id)):
        revisions.setdefault(found.corporate_action_id, []).append(found)
    versions: list[dict[str, Any]] = []
    for action in connection.execute(sa.select(row).order_by(row.c.id)).all():
        past = revisions.get(action.id, [])
        before = _values(past[0], "old_") if past else _values(action, "")
        versions.append(_version(action, 1, before, "first told", action.first_seen_at))
        for number, found in enumerate(past, start=2):
            versions.append(_version(action, number, _values(found, "new_"), "told differently", found.noticed_at))
        if past:
            connection.execute(sa.update(row).where(row.c.id == action.id).values(version=len(past) + 1))
    for start in range(0, len(versions), 500):
        connection.execute(sa.insert(_version_table()), versions[start : start + 500])


def _values(found: Any, prefix: str) -> dict[str, Any]:
    amount = getattr(found, f"{prefix}amount")
    return {
        "amount": None if amount is None else format(amount.normalize(), "f"),
        "numerator": getattr(found, f"{prefix}numerator"),
        "denominator": getattr(found, f"{prefix}denominator"),
    }


def _version(action: Any, number: int, values: dict[str, Any], reason: str, at: Any) -> dict[str, Any]:
    facts = {"kind": action.kind, "ex_date": str(action.ex_date), "currency": action.currency, **values}
    known = {name: value for name, value in facts.items() if value is not None}
    return {
        "corporate_action_id": action.id,
        "version": number,
        "facts": json.dumps(known, sort_keys=True),
        "source": action.provider,
        "actor": action.provider,
        "reason": reason,
        "created_at": at,
    }


def _write_source_rows() -> None:
    connection, row = op.get_bind(), _action()
    source = sa.table(
        "corporate_action_source_row",
        *(sa.column(name, type_) for name, type_ in (
            ("company_id", sa.BigInteger()), ("provider", sa.String()), ("kind", sa.String()), ("ex_date", sa.Date()),
            ("currency", sa.String()), ("seq", sa.Integer()), ("printed", sa.String()), ("amount", ScaledDecimal(10)),
            ("numerator", sa.BigInteger()), ("denominator", sa.BigInteger()), ("first_seen_at", UtcDateTime()),
            ("last_seen_at", UtcDateTime()), ("seen_count", sa.Integer()), ("streak_since", UtcDateTime()),
            ("verdict", sa.String()), ("corporate_action_id", sa.BigInteger()),
        )),
    )  # fmt: skip
    copied = ("company_id", "provider", "ex_date", "currency", "seq", "printed", "amount", "numerator", "denominator")
    rows = [
        {
            **{name: getattr(action, name) for name in copied},
            "kind": _TOLD[action.kind_group],
            "first_seen_at": action.first_seen_at,
            "last_seen_at": action.last_seen_at,
            "seen_count": 1,
            "streak_since": action.first_seen_at,
            "verdict": "HELD" if action.is_held else "ACCEPTED",
            "corporate_action_id": action.id,
        }
        for action in connection.execute(sa.select(row).order_by(row.c.id)).all()
    ]
    for start in range(0, len(rows), 500):
        connection.execute(sa.insert(source), rows[start : start + 500])


def downgrade() -> None:
    """Back to what a provider told; versions, holds and dates have no place there."""
    op.create_table(
        "corporate_action_revision",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("corporate_action_id", sa.BigInteger(), nullable=False),
        sa.Column("old_amount", ScaledDecimal(10), nullable=True),
        sa.Column("old_numerator", sa.BigInteger(), nullable=True),
        sa.Column("old_denominator", sa.BigInteger(), nullable=True),
        sa.Column("new_amount", ScaledDecimal(10), nullable=True),
        sa.Column("new_numerator", sa.BigInteger(), nullable=True),
        sa.Column("new_denominator", sa.BigInteger(), nullable=True),
        sa.Column("new_printed", sa.String(length=40), nullable=False),
        sa.Column("provider", sa.String(length=16), nullable=False),
        sa.Column("noticed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corporate_action_revision")),
        **_TABLE,
    )
    op.drop_table("corporate_action_source_row")
    op.drop_table("corporate_action_version")
    connection, row = op.get_bind(), _action()
    # A special dividend beside a regular one would take its place in the older key.
    connection.execute(sa.update(row).where(row.c.kind_group == "SPECIAL").values(seq=row.c.seq + 1000))
    for group, told in _TOLD.items():
        connection.execute(sa.update(row).where(row.c.kind_group == group).values(kind=told))
    with op.batch_alter_table("corporate_action", schema=None) as batch_op:
        batch_op.create_unique_constraint(_OLD_IDENTITY, ["company_id", "kind", "ex_date", "currency", "seq"])
        batch_op.drop_constraint(_IDENTITY, type_="unique")
        batch_op.drop_index("ix_corporate_action_dirty")
        batch_op.drop_index("ix_corporate_action_ex_date")
        for name, _ in reversed(_COLUMNS):
            batch_op.drop_column(name)
    with op.batch_alter_table("corporate_action_revision", schema=None) as batch_op:
        batch_op.create_foreign_key(
            batch_op.f("fk_corporate_action_revision_corporate_action_id"),
            "corporate_action",
            ["corporate_action_id"],
            ["id"],
        )
        batch_op.create_index(
            batch_op.f("ix_corporate_action_revision_corporate_action_id"), ["corporate_action_id"], unique=False
        )
