"""Going on in a list that is shown newest first, from the last thing that was seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, false, or_, select


def is_after(
    connection: Connection, keys: Sequence[ColumnElement[Any] | Any], id_: ColumnElement[Any] | Any, seen: int
) -> ColumnElement[bool]:
    """What comes after row ``seen`` where rows descend by ``keys``, the last of them unique; nothing after no row."""
    last = connection.execute(select(*keys).where(id_ == seen)).one_or_none()
    if last is None:
        return false()
    steps = []
    for place, key in enumerate(keys):
        same = [earlier == value for earlier, value in zip(keys[:place], last[:place], strict=True)]
        steps.append(and_(*same, key < last[place]))
    return or_(*steps)
