"""What every table shares: the one upsert for typed rows; many raw ones take the dialect's own way, ``bulk.py``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, TypeVar, cast

from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, insert

from closingbell.models.base import Base
from closingbell.models.types import ScaledDecimal

V = TypeVar("V")


def table_of(model: type[Base]) -> Table:
    """The table of a model."""
    return cast(Table, model.__table__)


def raw_prices(model: type[Base]) -> Table:
    """The table of a model with prices as the integers they are stored as: a Decimal each costs more than the rest."""
    table = table_of(model)
    columns = (
        Column(
            column.name,
            BigInteger() if isinstance(column.type, ScaledDecimal) else column.type,
            primary_key=column.primary_key,
            autoincrement=False,
        )
        for column in table.columns
    )
    return Table(table.name, MetaData(), *columns)


def upsert(
    connection: Connection,
    model: type[Base],
    rows: Sequence[Mapping[str, Any]],
    *,
    update: Sequence[str] = (),
    add: Sequence[str] = (),
    key: Sequence[str] = (),
    table: Table | None = None,
) -> None:
    """Insert ``rows``; where ``key`` (the primary key) is taken, set the ``update`` columns, or leave the row.

    The ``add`` columns are raised by what the row has there, whoever else raises them at the same time. ``table`` is
    the model's in another form (``raw_prices``).
    """
    if not rows:
        return
    table = table_of(model) if table is None else table
    keys = list(key) or [column.name for column in table.primary_key]
    # Of the dialects only the one in use is loaded: a quick look stays quick.
    new: Any = import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert(table)
    statement: Any
    if connection.dialect.name == "mysql":
        # Setting a key column to itself keeps other errors loud; INSERT IGNORE would hide them.
        changes = _changes(table, new.inserted, update, add) or {keys[0]: table.c[keys[0]]}
        statement = new.on_duplicate_key_update(changes)
    else:
        changes = _changes(table, new.excluded, update, add)
        statement = (
            new.on_conflict_do_update(index_elements=keys, set_=changes)
            if changes
            else new.on_conflict_do_nothing(index_elements=keys)
        )
    connection.execute(statement, list(rows))


def insert_one(connection: Connection, model: type[Base], values: Mapping[str, Any]) -> int:
    """Insert a row whose number the database gives; return the number."""
    key = connection.execute(insert(model).values(**values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def _changes(table: Table, told: Any, update: Sequence[str], add: Sequence[str]) -> dict[str, Any]:
    return {name: told[name] for name in update} | {name: table.c[name] + told[name] for name in add}


def in_groups(values: Sequence[V], size: int = 500) -> Iterator[Sequence[V]]:
    """``values`` in groups small enough for one IN list."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
