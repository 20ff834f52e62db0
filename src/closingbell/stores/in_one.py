"""Thousands of rows read as one text: a driver takes longer over each value than it takes to split them all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, Select, Text, cast, func, select, type_coerce
from sqlalchemy.types import NullType

# What stands between the values and the rows: no text that is stored has these in it.
_VALUE, _ROW = "\x1f", "\x1e"
_TRUE: frozenset[str | int] = frozenset({1, "1", "t", "true"})


def load_in_one(connection: Connection, query: Select[Any]) -> list[Sequence[Any]]:
    """The rows of a query, in any order, every value as text or as the database keeps it; none is empty or None.

    Meant for integers, dates, instants, truths and short words; see ``Dates``, ``instant_of`` and ``is_true``.
    """
    rows = query.subquery()
    if connection.dialect.name == "sqlite":
        # It is no server: its rows come at once, as long as nothing is made of their values.
        return list(connection.execute(select(*(type_coerce(column, NullType()) for column in rows.c))).all())
    line = func.concat_ws(_VALUE, *(func.coalesce(cast(column, Text), "") for column in rows.c))
    text = connection.scalar(select(func.aggregate_strings(line, _ROW)))
    return [one.split(_VALUE) for one in text.split(_ROW)] if text else []


class Dates(dict[str, date]):
    """Dates by their text; each is parsed once."""

    def __missing__(self, text: str) -> date:
        day = self[text] = date.fromisoformat(text)
        return day


def instant_of(text: str) -> datetime:
    """An instant as every database writes it: with an offset, or in UTC."""
    if text[-7:-6] == "." and text[-3:-2].isdigit():
        # The usual form of databases that know no zones; adding it to the text is cheapest.
        return datetime.fromisoformat(f"{text}+00:00")
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def is_true(value: str | int) -> bool:
    """A truth as every database writes it."""
    return value in _TRUE
